//! Does each side learn how the other refused or reset it? Closed ports, silent and unreachable
//! addresses, resets in both directions, with the kernel's own error numbers.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use stack_tests::kernel::{
    HOST, HOST_V4, HOST_V6, KernelListener, KernelNet, OURS, connect, patiently, until,
};
use tcp_async::{State, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What "at once" is allowed to take: less than one retransmission of a SYN.
const AT_ONCE: Duration = Duration::from_millis(900);

/// Nobody has these addresses, though they are in the device's networks.
const SILENT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 45, 0, 77)),
    IpAddr::V6(Ipv6Addr::new(0xfd45, 0, 0, 0, 0, 0, 0, 0x77)),
];

async fn connect_error(k: &KernelNet, to: SocketAddr) -> (ErrorKind, Duration) {
    let start = Instant::now();
    let result = patiently("connect", k.net.connect(to)).await;
    (result.expect_err("nobody answers there").kind(), start.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_closed_port_of_the_kernel_refuses_us_at_once() {
    let k = KernelNet::new();
    for ip in HOST {
        let (kind, took) = connect_error(&k, SocketAddr::new(ip, 4999)).await;
        println!("refused by {ip} after {took:?}");
        assert_eq!(kind, ErrorKind::ConnectionRefused);
        assert!(took < AT_ONCE, "{took:?}");
    }
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn our_closed_port_refuses_the_kernel_at_once() {
    let k = KernelNet::new();
    for ip in OURS {
        let start = Instant::now();
        let client = k.namespace.spawn(move || connect(SocketAddr::new(ip, 4999)));
        let error = client.join().await.unwrap_err();
        println!("{ip} refused after {:?}", start.elapsed());
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(start.elapsed() < AT_ONCE);
    }
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_silent_address_times_out() {
    let small = |c: &mut tcp_async::TcpConfig| {
        c.syn_retries = 2;
        c.rto_initial = Duration::from_millis(200);
    };
    let k = KernelNet::with(|tun| tun, |net| net.tcp(small));
    for ip in SILENT {
        let (kind, took) = connect_error(&k, SocketAddr::new(ip, 80)).await;
        println!("gave up on {ip} after {took:?}");
        assert_eq!(kind, ErrorKind::TimedOut);
        // The SYN, then again after 0.2 and 0.6 s, and 0.8 s of patience with the last.
        assert!(took >= Duration::from_millis(1400) && took < Duration::from_secs(5), "{took:?}");
    }
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

/// The kernel as a router that knows why: real ICMP of either kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_router_that_says_why_is_believed() {
    let k = KernelNet::new();
    k.namespace.set("net.ipv4.ip_forward", "1");
    k.namespace.set("net.ipv6.conf.all.forwarding", "1");
    let routes = [
        ("unreachable", "10.99.1.0/24", ErrorKind::HostUnreachable),
        // As Linux: only the IPv6 code is EACCES.
        ("prohibit", "10.99.2.0/24", ErrorKind::HostUnreachable),
        ("unreachable", "fd99:1::/64", ErrorKind::NetworkUnreachable),
        ("prohibit", "fd99:2::/64", ErrorKind::PermissionDenied),
    ];
    for (kind, network, expected) in routes {
        k.namespace.ip(["route", "add", kind, network]);
        let net = network.parse::<tcp_async::Cidr>().unwrap().address();
        let (error, took) = connect_error(&k, SocketAddr::new(net, 80)).await;
        println!("{kind} {network}: {error:?} after {took:?}");
        // SHLD-25, SHLD-26, MUST-54: ICMP is given to the connection whose SYN it quotes.
        assert_eq!(error, expected, "{kind} {network}");
        assert!(took < AT_ONCE, "{took:?}");
    }
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

/// A connection in both directions: ours, and the kernel's blocking one.
async fn pair(k: &KernelNet, ip: IpAddr) -> (TcpStream, std::net::TcpStream) {
    let listener = k.namespace.run(|| KernelListener::bind(ip));
    let ours = patiently("connect", k.net.connect(listener.addr)).await.unwrap();
    (ours, listener.accept())
}

fn reset(stream: std::net::TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_reset_of_the_kernel_ends_a_read_that_waits() {
    let k = KernelNet::new();
    for ip in HOST {
        let (mut ours, theirs) = pair(&k, ip).await;
        let reading = tokio::spawn(async move {
            let mut buf = [0; 16];
            let first = ours.read(&mut buf).await.map_err(|e| e.kind());
            // Once told, it is an end like any other.
            let second = ours.read(&mut buf).await.map_err(|e| e.kind());
            let write = ours.write(b"x").await.map_err(|e| e.kind());
            (first, second, write, ours.state())
        });
        reset(theirs);
        let (first, second, write, state) = patiently("the read", reading).await.unwrap();
        assert_eq!(first, Err(ErrorKind::ConnectionReset));
        assert_eq!((second, write), (Ok(0), Err(ErrorKind::BrokenPipe)));
        assert_eq!(state, State::Closed);
    }
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_reset_of_the_kernel_ends_a_write_that_waits() {
    let k = KernelNet::new();
    for ip in HOST {
        let (mut ours, theirs) = pair(&k, ip).await;
        // The kernel's buffers fill up and so do ours: the write stops in the middle.
        let writing = tokio::spawn(async move {
            let text = vec![0; 64 << 20];
            ours.write_all(&text).await.map_err(|e| e.kind())
        });
        reset(theirs);
        let result = patiently("the write", writing).await.unwrap();
        let broken = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(matches!(result, Err(kind) if broken.contains(&kind)), "{result:?}");
    }
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn our_zero_linger_resets_the_kernel() {
    let k = KernelNet::new();
    for ip in HOST {
        for abort in [false, true] {
            let (ours, mut theirs) = pair(&k, ip).await;
            let reading = k.namespace.spawn(move || {
                let mut buf = [0; 16];
                let read = theirs.read(&mut buf).map_err(|e| e.kind());
                (read, theirs.write(b"x").map_err(|e| e.kind()))
            });
            ours.set_zero_linger().unwrap();
            if abort {
                ours.abort()
            } else {
                drop(ours)
            }
            let (read, write) = reading.join().await;
            assert_eq!(read, Err(ErrorKind::ConnectionReset));
            assert_eq!(write, Err(ErrorKind::BrokenPipe));
        }
    }
    until("nothing is left", || k.is_empty()).await;
    k.end().await;
}

/// The kernel's reset arrives while the connection waits to be accepted: accept still delivers
/// it, as on Linux, and its first read tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_connection_reset_in_the_queue_is_delivered() {
    let k = KernelNet::new();
    for ip in OURS {
        let listener = k.net.listen(SocketAddr::new(ip, 0)).await.unwrap();
        let to = listener.local_addr().unwrap();
        k.namespace.spawn(move || reset(connect(to).unwrap())).join().await;
        until("the reset is here", || {
            k.net.connections().iter().all(|row| row.remote.is_none()) && listener.pending() == 1
        })
        .await;
        let (mut stream, _peer) = patiently("accept", listener.accept()).await.unwrap();
        let read = stream.read(&mut [0; 16]).await.map_err(|e| e.kind());
        assert_eq!(read, Err(ErrorKind::ConnectionReset));
    }
    until("nothing is left", || k.net.connection_count() == 0).await;
    k.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn the_kernel_answers_our_keepalive() {
    let k = KernelNet::new();
    // Otherwise it answers twice a second at most.
    k.namespace.set("net.ipv4.tcp_invalid_ratelimit", "0");
    let (ours, theirs) = pair(&k, HOST_V4).await;
    let (other, kept) = pair(&k, HOST_V6).await;
    for stream in [&ours, &other] {
        let short = Duration::from_millis(20);
        let probes = tcp_async::Keepalive { idle: short, interval: short, count: 20 };
        stream.set_keepalive(Some(probes)).unwrap();
        let before = stream.info().stats.segments_in;
        // Nothing else is sent, so what comes in are the answers.
        until("five answers", || stream.info().stats.segments_in >= before + 5).await;
        assert_eq!(stream.state(), State::Established);
    }
    drop((theirs, kept));
    k.end().await;
}
