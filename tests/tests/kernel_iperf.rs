//! Does the example `iperf` speak iperf3's protocol? As a client of the kernel's `iperf3 -s`, and as a
//! server of its clients: both directions, several streams, by time and by octets.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::process::{Command, Output};

use serde_json::Value;
use stack_tests::kernel::{
    HOST, Namespace, OURS, OURS_V4, Running, Server, connect, example, program,
};
use tempfile::TempDir;

const PORT: u16 = 5201;
const BYTES: u64 = 64 << 20;

/// What is asked of both programs, with the number of streams and whether the server sends.
const WAYS: [(&[&str], usize, bool); 4] = [
    (&["-t", "1"], 1, false),
    (&["-t", "1", "-R"], 1, true),
    (&["-n", "64M", "-P", "3"], 3, false),
    (&["-n", "64M", "-P", "3", "-R"], 3, true),
];

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn our_client_measures_with_iperf3s_server() {
    let Some(client) = example("iperf") else { return };
    let Some(iperf3) = program("iperf3", "iperf3", &[]) else { return };
    let (namespace, dir) = (Namespace::new(), TempDir::with_prefix("tcp-test-").unwrap());
    let mut command = namespace.command(iperf3);
    command.args(["-s", "--forceflush"]);
    let server = Server::start(command, dir.path()).ready_on(&namespace, PORT);
    for ip in HOST {
        for (arguments, streams, reverse) in WAYS {
            let mut command = namespace.command(&client);
            command.args(["--tun", "tcp0", "-c", &ip.to_string(), "-J"]).args(arguments);
            let end = end_of(&output(&mut command));
            check(&end, arguments, streams);
            // The kernel counts its retransmissions, and so do we.
            assert!(end["sum_sent"]["retransmits"].as_i64() >= Some(0), "{reverse} {end}");
        }
    }
    let said = server.said();
    assert!(!said.contains("error"), "{said}");
    assert_eq!(said.matches("Accepted connection from").count(), HOST.len() * WAYS.len(), "{said}");
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn our_server_measures_with_iperf3s_client() {
    let Some(server) = example("iperf") else { return };
    let Some(iperf3) = program("iperf3", "iperf3", &[]) else { return };
    let namespace = Namespace::new();
    let mut command = namespace.command(server);
    command.args(["--tun", "tcp0", "-s"]);
    let mut server = Running::start(command);
    server.line_with("Ctrl-C");
    for ip in OURS {
        for (arguments, streams, _reverse) in WAYS {
            let mut command = namespace.command(&iperf3);
            command.args(["-c", &ip.to_string(), "-J"]).args(arguments);
            check(&end_of(&output(&mut command)), arguments, streams);
            server.line_with("receiver");
        }
    }
    // What we do not do is refused in words of its own; the next client is served.
    for (arguments, said) in
        [(["-t", "1", "-u"], "not implemented"), (["-t", "1", "--bidir"], "not")]
    {
        let mut command = namespace.command(&iperf3);
        let refused = output(command.args(["-c", &OURS_V4.to_string()]).args(arguments));
        let text = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && text.contains(said), "{arguments:?}: {refused:?}");
    }
    // Who connects and goes away takes nobody's turn.
    namespace.run(|| connect(SocketAddr::new(OURS_V4, PORT)).map(drop)).unwrap();
    let mut command = namespace.command(&iperf3);
    command.args(["-c", &OURS_V4.to_string(), "-J", "-n", "1M"]);
    end_of(&output(&mut command));
    assert!(server.interrupt().success());
}

/// What iperf3 and our program say of the end of a test, in the same words.
fn end_of(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let whole: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert!(output.status.success() && whole["error"].is_null(), "{output:?}");
    whole["end"].clone()
}

fn check(end: &Value, arguments: &[&str], streams: usize) {
    let bytes = |sum: &str| end[sum]["bytes"].as_u64().unwrap_or_else(|| panic!("{sum}: {end}"));
    let (sent, received) = (bytes("sum_sent"), bytes("sum_received"));
    let gigabits = end["sum_received"]["bits_per_second"].as_f64().unwrap() * 1e-9;
    println!("{arguments:?}: {sent} octets sent, {received} received, {gigabits:.2} Gbit/s");
    // What is on its way when the client ends the test is not counted by the receiver.
    assert!(0 < received && received <= sent, "{arguments:?}: {end}");
    if arguments.contains(&"-n") {
        assert!(sent >= BYTES, "{arguments:?}: {end}");
    }
    let counted = match &end["streams"] {
        // iperf3 lists both ends by stream, we list the streams by end.
        Value::Array(list) => list.len(),
        lists => lists["sender"].as_array().unwrap().len(),
    };
    assert_eq!(counted, streams, "{end}");
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}
