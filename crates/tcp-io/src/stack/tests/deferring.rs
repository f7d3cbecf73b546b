//! Is a connection handed to accept only when its text has come (`TCP_DEFER_ACCEPT`), and what if
//! it does not come?

use std::time::Duration;

use super::peer::*;
use crate::stack::{ListenOptions, ListenerId, SynCookies};
use tcp_core::error::DropReason;

const HERE: &str = "10.0.0.1:80";
const ME: &str = "10.0.0.2:4000";

fn deferring(secs: u64) -> (Rig, ListenerId) {
    let mut rig = Rig::new();
    let defer_accept = Some(Duration::from_secs(secs));
    let options = ListenOptions { defer_accept, ..ListenOptions::default() };
    let l = rig.stack.listen(at(HERE), options).unwrap();
    (rig, l)
}

#[test]
fn text_brings_the_connection() {
    let (mut rig, l) = deferring(10);
    let mut p = Peer::half_open(&mut rig, ME, HERE);
    p.send(&mut rig, ACK, b"");
    rig.silence();
    assert_eq!((rig.accept(l), rig.records()), (None, (1, 0, 0)));
    assert_eq!(rig.segment_drops(DropReason::Deferred), 1);
    // Nothing is sent while it waits.
    assert!(rig.wait(Duration::from_secs(5)).is_empty());
    p.send(&mut rig, PSH | ACK, b"GET /");
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.read(c), b"GET /");
}

#[test]
fn a_fin_counts_as_text() {
    let (mut rig, l) = deferring(10);
    let mut p = Peer::half_open(&mut rig, ME, HERE);
    p.send(&mut rig, FIN | ACK, b"");
    assert!(rig.accept(l).is_some());
}

// 5 s are rounded up to the deadlines after 1, 3 and 7 s.
#[test]
fn when_the_time_is_up_the_peer_is_asked_once_more_and_its_ack_is_enough() {
    let (mut rig, l) = deferring(5);
    let began = rig.now;
    let mut p = Peer::half_open(&mut rig, ME, HERE);
    p.send(&mut rig, ACK, b"");
    let again = rig.wait(Duration::from_millis(7100));
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].flags, again[0].when.since(began).as_secs()), (SYN | ACK, 7));
    assert_eq!(rig.accept(l), None);
    p.send(&mut rig, ACK, b"");
    assert!(rig.accept(l).is_some());
}

#[test]
fn a_peer_that_is_gone_by_then_leaves_nothing() {
    let (mut rig, l) = deferring(5);
    let mut p = Peer::half_open(&mut rig, ME, HERE);
    p.send(&mut rig, ACK, b"");
    let again = rig.wait(Duration::from_secs(64));
    assert_eq!(again.len(), 3, "after 7, 15 and 31 s");
    assert_eq!(rig.accept(l), None);
    assert_eq!(rig.records(), (0, 0, 0));
}

// As on Linux: a cookie leaves nothing to wait in.
#[test]
fn a_cookie_does_not_wait() {
    let mut rig = Rig::new();
    let options = ListenOptions {
        defer_accept: Some(Duration::from_secs(5)),
        syn_cookies: Some(SynCookies::Always),
        ..ListenOptions::default()
    };
    let l = rig.stack.listen(at(HERE), options).unwrap();
    Peer::connect(&mut rig, ME, HERE);
    assert!(rig.accept(l).is_some());
}
