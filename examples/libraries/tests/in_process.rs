//! Does each library run on our types at both ends? Every example without a device talks to itself
//! and compares what comes back.
#![cfg(unix)]

use std::process::{Command, Output, Stdio};

/// Runs an example that must succeed, and say this.
#[track_caller]
fn check(name: &str, said: &[&str]) {
    check_with(name, &[], said);
}

#[track_caller]
fn check_with(name: &str, arguments: &[&str], said: &[&str]) {
    let output = output(name, arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in said {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

fn output(name: &str, arguments: &[&str]) -> Output {
    let deps = std::env::current_exe().unwrap();
    // Cargo builds a package's examples before its tests run, next to them.
    let path = deps.parent().unwrap().parent().unwrap().join("examples").join(name);
    let output = Command::new(path).args(arguments).stdin(Stdio::null()).output();
    output.expect("examples are built by `cargo test` without a choice of targets")
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

#[test]
fn ssh() {
    check("ssh", &["16777216 bytes arrived", "14888890 bytes came", "ESTABLISHED"]);
}

#[test]
fn iperf() {
    let said = ["Accepted connection", "[SUM]", "receiver"];
    check_with("iperf", &["-n", "64M", "-P", "2"], &said);
    let output = output("iperf", &["-t", "1", "-R", "-J"]);
    let whole: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let octets = |sum: &str| whole["end"][sum]["bytes"].as_u64().unwrap();
    assert!(0 < octets("sum_received") && octets("sum_received") <= octets("sum_sent"), "{whole}");
}

#[test]
fn ping_pong() {
    let arguments = ["--count", "500", "--warm-up", "10", "--size", "100000"];
    check_with("ping-pong", &arguments, &["500 messages measured", " 0 retransmissions"]);
}

#[test]
fn clients_of_databases_ask_for_a_device() {
    for name in ["redis-client", "postgres-client"] {
        let output = output(name, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("--tun"), "{output:?}");
    }
}
