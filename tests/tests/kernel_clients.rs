//! Do ordinary programs of the machine's kernel reach us, and we them? nc, Python, std::net and
//! ping as clients of our stack; our stack as a client of Python's HTTP server.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::process::{Child, Command, Stdio};

use stack_tests::kernel::{
    HOST, HOST_V4, KernelNet, KernelTask, Namespace, OURS, OURS_V4, connect, patiently, until,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PORT: u16 = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn std_net_clients_echo() {
    let k = KernelNet::new();
    k.echo(PORT).await;
    for ip in OURS {
        for len in [1, 1460, 100_000] {
            let client = k.namespace.spawn(move || {
                let mut stream = connect(SocketAddr::new(ip, PORT)).unwrap();
                let text: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
                let mut writer = stream.try_clone().unwrap();
                let copy = text.clone();
                let writing = std::thread::spawn(move || {
                    writer.write_all(&copy).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                let mut back = Vec::new();
                stream.read_to_end(&mut back).unwrap();
                writing.join().unwrap();
                assert!(back == text, "{len} octets over {ip}");
            });
            client.join().await;
        }
    }
    until("all connections gone", || k.net.connection_count() == 0).await;
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_python_client_echoes() {
    const SCRIPT: &str = "
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30)
text = bytes(range(256)) * 400
s.sendall(text)
s.shutdown(socket.SHUT_WR)
back = b''
while part := s.recv(65536):
    back += part
assert back == text, len(back)
print('echoed', len(back))
";
    let k = KernelNet::new();
    k.echo(PORT).await;
    for ip in OURS {
        let mut python = k.namespace.command("python3");
        python.args(["-c", SCRIPT, &ip.to_string(), &PORT.to_string()]);
        let output = output(&k, python, Vec::new()).await;
        assert_eq!(output, b"echoed 102400\n");
    }
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn nc_echoes() {
    if !is_openbsd_netcat() {
        println!("skipped: nc (package netcat-openbsd) is not installed");
        return;
    }
    let k = KernelNet::new();
    k.echo(PORT).await;
    let text = b"Hello from nc.\n".repeat(1000);
    for ip in OURS {
        let mut nc = k.namespace.command("nc");
        // -N: the end of its input becomes a FIN.
        nc.args(["-N", "-w", "30", &ip.to_string(), &PORT.to_string()]);
        let back = output(&k, nc, text.clone()).await;
        assert!(back == text, "{} octets came back over {ip}", back.len());
    }
    k.end().await;
}

fn is_openbsd_netcat() -> bool {
    // The traditional one has no -N.
    let help = Command::new("nc").arg("-h").output();
    help.is_ok_and(|o| String::from_utf8_lossy(&[o.stdout, o.stderr].concat()).contains("-N"))
}

/// Runs a command to its successful end, with `input`; returns what it printed.
async fn output(k: &KernelNet, mut command: Command, input: Vec<u8>) -> Vec<u8> {
    let running: KernelTask<Vec<u8>> = k.namespace.spawn(move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let feeding = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap().unwrap();
        assert!(output.status.success(), "{command:?}: {}", output.status);
        output.stdout
    });
    running.join().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn we_fetch_from_a_python_http_server() {
    let k = KernelNet::new();
    let page: Vec<u8> =
        (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let directory = std::env::temp_dir().join(k.namespace.name());
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("page"), &page).unwrap();
    for ip in HOST {
        let server = HttpServer::start(&k, ip, &directory);
        let mut stream = patiently("connect", k.net.connect(server.addr)).await.unwrap();
        stream.write_all(b"GET /page HTTP/1.0\r\nHost: test\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        patiently("the page", stream.read_to_end(&mut answer)).await.unwrap();
        let body = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a header") + 4;
        assert!(answer.starts_with(b"HTTP/1.0 200"));
        assert!(answer[body..] == page, "{} octets from {ip}", answer.len() - body);
    }
    fs::remove_dir_all(&directory).unwrap();
    k.end().await;
}

/// Python's server; killed when dropped.
struct HttpServer {
    child: Child,
    addr: SocketAddr,
}

impl HttpServer {
    fn start(k: &KernelNet, ip: IpAddr, directory: &std::path::Path) -> HttpServer {
        let mut python = k.namespace.command("python3");
        python.args(["-u", "-m", "http.server", "0", "--bind", &ip.to_string()]);
        python.current_dir(directory).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = python.spawn().expect("python3 runs");
        let mut line = String::new();
        // Serving HTTP on ADDRESS port PORT (...)
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.split_once(" port ").and_then(|(_, rest)| rest.split(' ').next());
        let port = port.and_then(|p| p.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in {line:?}"));
        HttpServer { child, addr: SocketAddr::new(ip, port) }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn the_stack_answers_ping() {
    if Command::new("ping").arg("-V").output().is_err() {
        println!("skipped: ping (package iputils-ping) is not installed");
        return;
    }
    let k = KernelNet::new();
    for ip in OURS {
        let mut ping = k.namespace.command("ping");
        ping.args(["-c", "1", "-W", "10", "-s", "1400", &ip.to_string()]);
        output(&k, ping, Vec::new()).await;
    }
    assert_eq!(k.net.counters().echoes, 2);
    k.end().await;
}

/// The same without the program: an echo request from a raw socket of the kernel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn the_stack_answers_echo_requests() {
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send,
        socket_with, sockopt,
    };
    let k = KernelNet::new();
    for ip in OURS {
        let v4 = ip.is_ipv4();
        let asking = k.namespace.spawn(move || {
            let (family, protocol, request, reply) = if v4 {
                (AddressFamily::INET, ipproto::ICMP, 8, 0)
            } else {
                (AddressFamily::INET6, ipproto::ICMPV6, 128, 129)
            };
            let flags = SocketFlags::CLOEXEC;
            let socket = socket_with(family, SocketType::RAW, flags, Some(protocol)).unwrap();
            let patience = Some(stack_tests::kernel::GUARD);
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, patience).unwrap();
            connect(&socket, &SocketAddr::new(ip, 0)).unwrap();
            // Type, code, checksum (made by the kernel for IPv6), identifier, number, text.
            let mut echo = [request, 0, 0, 0, 0x12, 0x34, 0, 1, b'p', b'i', b'n', b'g'];
            if v4 {
                let words =
                    echo.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
                let sum: u32 = words.sum();
                let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
                echo[2..4].copy_from_slice(&sum.to_be_bytes());
            }
            send(&socket, &echo, SendFlags::empty()).unwrap();
            let mut buf = [0; 256];
            loop {
                let (n, _) = recv(&socket, &mut buf[..], RecvFlags::empty()).expect("an answer");
                // A raw IPv4 socket shows the IP header too.
                let answer = if v4 { &buf[20..n] } else { &buf[..n] };
                if answer[0] == reply {
                    assert_eq!((answer[1], &answer[4..]), (0, &echo[4..]));
                    return;
                }
            }
        });
        asking.join().await;
    }
    assert_eq!(k.net.counters().echoes, 2);
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn both_ends_agree_on_the_addresses() {
    let k = KernelNet::new();
    let listener = k.net.listen(SocketAddr::new(OURS_V4, 0)).await.unwrap();
    let to = listener.local_addr().unwrap();
    let client = k.namespace.spawn(move || {
        let stream = connect(to).unwrap();
        (stream.local_addr().unwrap(), stream.peer_addr().unwrap(), stream)
    });
    let (stream, peer) = patiently("accept", listener.accept()).await.unwrap();
    let (theirs, ours, open) = client.join().await;
    assert_eq!((stream.local_addr().unwrap(), stream.peer_addr().unwrap()), (ours, theirs));
    assert_eq!((peer, peer.ip(), ours), (theirs, HOST_V4, to));
    // Nobody would end otherwise before the grace time is over.
    drop(open);
    k.end().await;
}

/// The kernel takes packets for its addresses from the moment on that the device is open:
/// otherwise the first SYN-ACK is lost, and the next comes after a second.
#[test]
#[ignore = "needs root and /dev/net/tun"]
fn the_kernels_addresses_work_at_once() {
    let namespace = Namespace::new();
    namespace.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        for round in 0..50 {
            // The last one may live a moment longer: a process that another test is about to
            // start holds all descriptors until it executes its program.
            let tun = KernelNet::device(&namespace).name(format!("tcp{round}"));
            let _device = tun.open().unwrap();
            let routes = fs::read_to_string("/proc/thread-self/net/ipv6_route").unwrap();
            let local = |line: &str| line.starts_with("fd450000000000000000000000000001 80 ");
            assert!(routes.lines().any(local), "round {round}:\n{routes}");
        }
    });
}
