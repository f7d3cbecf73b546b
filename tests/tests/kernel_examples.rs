//! Do the examples do what the README says? `echo-server` and `http-get` as programs, with and
//! without the right to open a device. Skipped if they are not built (`cargo build --examples`).
#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::process::Command;
use std::thread;

use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use stack_tests::kernel::{Namespace, OURS, Running, connect, example};

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn the_echo_server_reports_each_connection() {
    let Some(path) = example("echo-server") else { return };
    let namespace = Namespace::new();
    let mut command = namespace.command(path);
    command.args(["--tun", "echo0", "--port", "7007"]);
    let mut server = Running::start(command);
    server.line_with("Ctrl-C");
    for ip in OURS {
        let from = namespace.run(|| {
            let mut stream = connect(SocketAddr::new(ip, 7007)).unwrap();
            let text = vec![0x5a; 12_345];
            stream.write_all(&text).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut back = Vec::new();
            stream.read_to_end(&mut back).unwrap();
            assert!(back == text);
            stream.local_addr().unwrap()
        });
        // One line a connection: who, how many octets, which state.
        let line = server.line_with(&from.to_string());
        assert!(line.contains("12345 bytes, "), "{line:?}");
        assert!(["LAST-ACK", "CLOSED"].iter().any(|state| line.contains(state)), "{line:?}");
    }
    let status = server.interrupt();
    assert!(status.success(), "{status}");
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn a_second_echo_server_says_that_the_name_is_taken() {
    let Some(path) = example("echo-server") else { return };
    let namespace = Namespace::new();
    let mut first = Running::start(namespace.command(&path));
    first.line_with("Ctrl-C");
    let second = namespace.command(&path).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("tcp0"), "{said:?}");
    assert!(!said.contains("panicked"), "{said:?}");
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn without_privilege_the_echo_server_shows_the_demo() {
    let Some(path) = example("echo-server") else { return };
    // The bounding set is a thread's own and what it starts inherits it: root without this right.
    let output = thread::spawn(move || {
        remove_capability_from_bounding_set(CapabilitySet::NET_ADMIN).unwrap();
        Command::new(path).output().unwrap()
    });
    let output = output.join().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in ["No right to open a TUN device", "10.45.0.2", "fd45::2", "TIME-WAIT", "in order"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn http_get_says_who_refused() {
    let Some(path) = example("http-get") else { return };
    let namespace = Namespace::new();
    let mut command = namespace.command(&path);
    let output = command.arg("http://10.45.0.1:8000/").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("refused"), "{said:?}");
    let output = namespace.command(&path).arg("ftp://10.45.0.1/").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("ftp://10.45.0.1/"), "{said:?}");
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn the_examples_explain_bad_arguments() {
    let Some(path) = example("echo-server") else { return };
    for arguments in [["--address", "10.45.0.2/33"], ["--port", "70000"], ["--tun", "a/b"]] {
        let output = Command::new(&path).args(arguments).output().unwrap();
        let mut said = String::new();
        output.stderr.as_slice().read_to_string(&mut said).unwrap();
        assert!(!output.status.success() && said.contains(arguments[1]), "{said:?}");
        assert!(!said.contains("panicked"), "{said:?}");
    }
}
