//! Does each library run on our types at both ends? Every example without a device talks to itself
//! and compares what comes back.
#![cfg(unix)]

use std::process::{Command, Stdio};

/// Runs an example that must succeed, and say this.
#[track_caller]
fn check(name: &str, said: &[&str]) {
    let deps = std::env::current_exe().unwrap();
    // Cargo builds a package's examples before its tests run, next to them.
    let path = deps.parent().unwrap().parent().unwrap().join("examples").join(name);
    let output = Command::new(path).stdin(Stdio::null()).output();
    let output = output.expect("examples are built by `cargo test` without a choice of targets");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in said {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn axum() {
    check("axum-server", &["You are 10.45.0.2:", "You are [fd45::2]:", "3000000 bytes there"]);
}

#[test]
fn hyper() {
    check("hyper-client", &["/ for 10.45.0.2:"]);
}

#[test]
fn rustls() {
    check("https-server", &["by TLSv1_3 and TLS13_", "You are [fd45::2]:"]);
}

#[test]
fn h2() {
    let said = ["8000000 bytes in 8 streams from 10.45.0.2:8082", "from [fd45::2]:8082"];
    check("h2-server", &said);
}

#[test]
fn tonic() {
    check("grpc", &["at 10.45.0.2:", "4194304 bytes in 64 blocks uploaded", "64 blocks echoed"]);
}

#[test]
fn tungstenite() {
    check("websocket", &["500 messages, ", "there and back: ws://[fd45::2]:9001/"]);
}
