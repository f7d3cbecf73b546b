//! Do the kernel and we agree where urgent text ends? Python's sockets with `MSG_OOB`, in line and
//! out of line, against our streams and against each other (RFC 9293 3.8.5, RFC 6093).
#![cfg(target_os = "linux")]

use std::process::Stdio;

use stack_tests::kernel::{HOST, HOST_V4, KernelNet, OURS, patiently};
use tcp_async::TcpStream;

/// Sends `abc`, urgent `X` and `def`; the other end may be in urgent mode twice.
const SENDER: &str = r#"
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30)
s.sendall(b"abc")
s.send(b"X", socket.MSG_OOB)
s.sendall(b"def")
s.recv(1)
s.send(b"more urgent", socket.MSG_OOB)
s.shutdown(socket.SHUT_WR)
s.recv(1)
"#;

/// Receives everything on a port that it prints; prints what was read before each mark, or, out of
/// line, what was in line and what was not.
const RECEIVER: &str = r#"
import array, fcntl, select, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
l = socket.socket(family)
inline = sys.argv[2] == "inline"
l.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, inline)
l.bind((sys.argv[1], 0)); l.listen()
print(l.getsockname()[1], flush=True)
s, _ = l.accept()
s.settimeout(30)
def at_mark():
    flag = array.array("i", [0])
    fcntl.ioctl(s, 0x8905, flag)
    return flag[0] == 1
def wait_for_urgent():
    assert select.select([], [], [s], 30)[2], "nothing urgent came"
text, urgent, marks, answered = b"", b"", [], False
wait_for_urgent()
while True:
    if at_mark():
        marks.append(len(text))
        if not inline:
            urgent += s.recv(1, socket.MSG_OOB)
    got = s.recv(100)
    if not got:
        break
    text += got
    if not answered and len(text) + len(urgent) >= 7:
        answered = True
        s.send(b"!")
        wait_for_urgent()
print(text.decode(), urgent.decode(), marks)
"#;

/// What a receiver found: the text, what was out of line, and the marks.
fn expected(inline: bool) -> &'static str {
    if inline { "abcXdefmore urgent  [3, 17]" } else { "abcdefmore urgen Xt [3, 16]" }
}

async fn send(stream: &TcpStream) {
    stream.write_bytes("abc".into()).await.unwrap();
    stream.write_urgent(b"X").await.unwrap();
    stream.write_bytes("def".into()).await.unwrap();
    assert_eq!(stream.read_bytes(1).await.unwrap(), "!");
    stream.write_urgent(b"more urgent").await.unwrap();
    stream.shutdown_direction(std::net::Shutdown::Write).unwrap();
    stream.readable().await.unwrap();
}

/// Everything, and where the marks were.
async fn receive(stream: &TcpStream) -> (Vec<u8>, Vec<usize>) {
    let (mut text, mut marks, mut answered) = (Vec::new(), Vec::new(), false);
    loop {
        if stream.at_mark() {
            marks.push(text.len());
        }
        let got = stream.read_bytes(100).await.unwrap();
        if got.is_empty() {
            return (text, marks);
        }
        text.extend_from_slice(&got);
        if !answered && text.len() >= 7 {
            answered = true;
            stream.write_bytes("!".into()).await.unwrap();
            assert!(stream.urgent().await.unwrap() > 0);
        }
    }
}

/// A receiver of the kernel; its port, and what it will have found.
fn receiver(k: &KernelNet, ip: &str, inline: bool) -> (u16, impl FnOnce() -> String + use<>) {
    use std::io::{BufRead, BufReader, Read};
    let mut python = k.namespace.command("python3");
    python.args(["-c", RECEIVER, ip, if inline { "inline" } else { "apart" }]);
    let mut child = python.stdout(Stdio::piped()).spawn().expect("python3");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut port = String::new();
    out.read_line(&mut port).expect("a port");
    let found = move || {
        let mut found = String::new();
        out.read_to_string(&mut found).expect("what it found");
        assert!(child.wait().expect("its end").success());
        found.trim_end().to_owned()
    };
    (port.trim().parse().expect("a number"), found)
}

fn sender(k: &KernelNet, ip: &str, port: u16) -> impl FnOnce() + use<> {
    let mut python = k.namespace.command("python3");
    let mut child = python.args(["-c", SENDER, ip, &port.to_string()]).spawn().expect("python3");
    move || assert!(child.wait().expect("its end").success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn urgent_text_of_ours_ends_where_the_kernel_thinks() {
    let k = KernelNet::new();
    for inline in [true, false] {
        // The kernel with itself: what the others are held against.
        let (port, found) = receiver(&k, &HOST_V4.to_string(), inline);
        let done = sender(&k, &HOST_V4.to_string(), port);
        assert_eq!(found(), expected(inline), "the kernel and itself");
        done();
        for ip in HOST {
            let (port, found) = receiver(&k, &ip.to_string(), inline);
            let stream = patiently("connect", k.net.connect((ip, port))).await.unwrap();
            patiently("sending", send(&stream)).await;
            let found = tokio::task::spawn_blocking(found);
            assert_eq!(patiently("its end", found).await.unwrap(), expected(inline), "{ip}");
        }
    }
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn urgent_text_of_the_kernel_ends_where_it_says() {
    let k = KernelNet::new();
    for ip in OURS {
        let listener = k.net.listen((ip, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let done = sender(&k, &ip.to_string(), port);
        let (stream, _) = patiently("accept", listener.accept()).await.unwrap();
        // MUST-32: told, without a read.
        assert!(patiently("urgent text", stream.urgent()).await.unwrap() >= 4);
        let (text, marks) = patiently("all of it", receive(&stream)).await;
        let found = format!("{}  {marks:?}", String::from_utf8(text).unwrap());
        assert_eq!(found, expected(true), "{ip}");
        drop(stream);
        patiently("its end", tokio::task::spawn_blocking(done)).await.unwrap();
    }
    k.end().await;
}
