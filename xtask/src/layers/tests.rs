//! Do the layers that are forbidden get noticed, however they are written?

use super::problems;
use crate::rust_source::RustSource;

/// The problems of one file beside a root that re-exports some names.
fn check(path: &str, text: &str) -> Vec<String> {
    let root = "pub mod seq;\npub use seq::SeqNum;\npub use crate::connection::{Connection, Info as Facts};\n";
    let sources = [
        RustSource::parse("crates/tcp-core/src/lib.rs".to_owned(), root),
        RustSource::parse(format!("crates/{path}"), text),
    ];
    problems(&sources)
}

#[test]
fn downward_and_sideways_is_allowed() {
    for (path, text) in [
        ("tcp-core/src/listen/cookie.rs", "use crate::connection::Connection;"),
        ("tcp-core/src/send/plan.rs", "use crate::{SeqNum, congestion::Reno, receive};"),
        ("tcp-core/src/recovery/rack.rs", "use super::super::time::Instant; use super::rtt;"),
        ("tcp-core/src/wire.rs", "fn f(a: super::seq::SeqNum) { let x = core::mem::take(a); }"),
        ("tcp-core/src/send.rs", "mod plan; use self::plan::Plan; pub(crate) fn f() {}"),
        ("tcp-io/src/reactor.rs", "use tokio::task; use crate::stack::Stack;"),
        ("tcp-io/src/stack.rs", "use tcp_core::SeqNum; // tokio::task\nfn f() { \"tokio::x\"; }"),
        ("tcp-async/src/lib.rs", "use std::io; use tcp_io::Stack;"),
    ] {
        assert_eq!(check(path, text), [""; 0], "{path}");
    }
}

#[test]
fn upward_is_named_with_its_place() {
    let found = check("tcp-core/src/recovery/rack.rs", "\n\nuse crate::send::Plan;");
    assert_eq!(
        found,
        ["crates/tcp-core/src/recovery/rack.rs:3: `recovery` names `send`, which lies above it"]
    );
}

#[test]
fn every_way_to_write_a_path_is_seen() {
    for text in [
        "use crate::connection;",
        "use crate::{seq::{self, SeqNum}, connection::Phase};",
        "use crate::{\n    seq,\n    connection,\n};",
        "fn f(c: &crate::connection::Phase) {}",
        "use super::super::connection::Phase;",
        "use super::super::{seq, connection};",
        "use crate::Connection;",
        "use crate::Facts;",
        "pub(in crate::connection) fn f() {}",
    ] {
        assert_eq!(check("tcp-core/src/buffer/send.rs", text).len(), 1, "{text}");
    }
    assert_eq!(check("tcp-core/src/seq.rs", "use super::wire::Segment;").len(), 1);
    assert_eq!(check("tcp-core/src/send/mod.rs", "use super::listen::Backlog;").len(), 1);
}

#[test]
fn congestion_does_not_know_recovery() {
    let found = check("tcp-core/src/congestion.rs", "use crate::recovery::Rtt;");
    assert!(found[0].ends_with("`congestion` must not know `recovery`"), "{found:?}");
    assert!(check("tcp-core/src/recovery.rs", "use crate::congestion::Reno;").is_empty());
}

#[test]
fn a_new_module_needs_a_place() {
    let found = check("tcp-core/src/send.rs", "use crate::gadget::X;");
    assert!(found[0].contains("`gadget` has no place"), "{found:?}");
    assert!(check("tcp-core/src/gadget.rs", "use crate::seq::SeqNum;")[0].contains("`gadget`"));
}

#[test]
fn the_core_names_no_std_outside_tests() {
    for text in ["use std::io;", "extern crate std;", "fn f() { ::std::process::exit(1) }"] {
        assert_eq!(check("tcp-core/src/send.rs", text).len(), 1, "{text}");
    }
    for text in [
        "#[cfg(test)]\nextern crate std;",
        "#[cfg(test)]\nmod tests { use std::vec; }",
        "/// `std::io`\nfn f() {}",
        "use core::fmt; use alloc::vec::Vec;",
    ] {
        assert_eq!(check("tcp-core/src/send.rs", text), [""; 0], "{text}");
    }
    assert_eq!(check("tcp-core/src/send/tests.rs", "use std::vec; use crate::listen;"), [""; 0]);
}

#[test]
fn the_stack_names_neither_tokio_nor_the_reactor() {
    for text in ["use tokio::time;", "fn f(t: tokio::time::Instant) {}", "use crate::reactor::R;"] {
        assert_eq!(check("tcp-io/src/stack/demux.rs", text).len(), 1, "{text}");
        assert_eq!(check("tcp-io/src/device.rs", text), [""; 0], "{text}");
    }
    assert_eq!(check("tcp-io/src/stack.rs", "use super::reactor::R;").len(), 1);
}

#[test]
fn crates_name_only_crates_below() {
    assert_eq!(check("tcp-io/src/lib.rs", "use tcp_async::TcpStream;").len(), 1);
    assert_eq!(check("tcp-async/src/net.rs", "use tcp_sim::Link;").len(), 1);
    assert_eq!(check("tcp-sim/src/lib.rs", "pub use tcp_async;").len(), 1);
}
