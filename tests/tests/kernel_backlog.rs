//! What do the clients of a slow server see? The same kernel clients before a listener of Linux
//! and before ours, with the same backlog.
#![cfg(target_os = "linux")]

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use stack_tests::kernel::{HOST_V4, KernelListener, KernelNet, Namespace, OURS_V4};
use tcp_async::{ListenOptions, SynCookies};

const CLIENTS: usize = 9;
/// Longer than one retransmission of a SYN, shorter than two.
const PATIENCE: Duration = Duration::from_millis(1800);

/// What became of the clients, which come one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Seen {
    connected: usize,
    timed_out: usize,
    refused: usize,
    /// Connected, and then reset.
    reset: usize,
}

/// All come at once, and look after a while at what they have.
fn clients(namespace: &Namespace, to: SocketAddr) -> (Seen, Vec<TcpStream>) {
    let one_by_one = move || {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let namespace_thread = move || TcpStream::connect_timeout(&to, PATIENCE);
                // In this order: each SYN is answered, or not, before the next is sent.
                std::thread::sleep(Duration::from_millis(if n == 0 { 0 } else { 30 }));
                std::thread::spawn(namespace_thread)
            })
            .collect();
        threads.into_iter().map(|t| t.join().expect("a client")).collect::<Vec<_>>()
    };
    let results = namespace.run(one_by_one);
    let mut seen = Seen::default();
    let mut open = Vec::new();
    for result in results {
        match result.map_err(|e| e.kind()) {
            Ok(stream) => {
                seen.connected += 1;
                let error = stream.take_error().expect("SO_ERROR");
                seen.reset += usize::from(error.is_some());
                open.push(stream);
            }
            Err(ErrorKind::TimedOut) => seen.timed_out += 1,
            Err(ErrorKind::ConnectionRefused) => seen.refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    (seen, open)
}

fn ours(k: &KernelNet, backlog: usize, abort: bool) -> tcp_async::TcpListener {
    let options = ListenOptions {
        backlog,
        abort_on_overflow: Some(abort),
        syn_cookies: Some(SynCookies::WhenFull),
        ..ListenOptions::default()
    };
    let socket = tcp_async::TcpSocket::on(&k.net, true);
    socket.bind(SocketAddr::new(OURS_V4, 0)).expect("a port");
    socket.listen_with(options).expect("a listener")
}

fn linux(k: &KernelNet, ip: IpAddr, backlog: usize) -> KernelListener {
    k.namespace.run(|| KernelListener::with_backlog(ip, backlog as i32))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn clients_of_a_server_that_never_accepts_see_the_same_as_before_linux() {
    let k = KernelNet::new();
    for (backlog, abort) in [(0, false), (2, false), (2, true), (5, false), (20, false)] {
        k.namespace.set("net.ipv4.tcp_abort_on_overflow", if abort { "1" } else { "0" });
        let listener = linux(&k, HOST_V4, backlog);
        let start = Instant::now();
        let (theirs, _streams) = clients(&k.namespace, listener.addr);
        let listener = ours(&k, backlog, abort);
        let to = listener.local_addr().expect("an address");
        let (seen, _streams) = clients(&k.namespace, to);
        println!(
            "backlog {backlog}, abort {abort}: Linux {theirs:?}, ours {seen:?}, {:?}",
            start.elapsed()
        );
        assert_eq!(theirs, seen, "backlog {backlog}, abort {abort}");
        assert_eq!(seen.connected, CLIENTS.min(backlog + 1));
    }
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn clients_of_a_slow_server_all_get_in_as_before_linux() {
    let k = KernelNet::new();
    let listener = linux(&k, HOST_V4, 2);
    let to = listener.addr;
    let slow = std::thread::spawn(move || {
        let accept = |_| {
            std::thread::sleep(Duration::from_millis(100));
            listener.accept()
        };
        (0..CLIENTS).map(accept).collect::<Vec<_>>()
    });
    let (theirs, _streams) = clients(&k.namespace, to);
    let _accepted = slow.join().expect("a server");

    let listener = ours(&k, 2, false);
    let to = listener.local_addr().expect("an address");
    let slow = tokio::spawn(async move {
        let mut all = Vec::new();
        for _ in 0..CLIENTS {
            tokio::time::sleep(Duration::from_millis(100)).await;
            all.push(listener.accept().await.expect("a connection"));
        }
        all
    });
    let (seen, _streams) = clients(&k.namespace, to);
    let _accepted = slow.await.expect("a server");
    println!("a slow server: Linux {theirs:?}, ours {seen:?}");
    assert_eq!(theirs, seen);
    assert_eq!(seen, Seen { connected: CLIENTS, ..Seen::default() });
    k.end().await;
}
