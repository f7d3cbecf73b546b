//! Do fragments and path MTUs work with the kernel's own? It fragments an echo request for us and
//! puts our fragments together, and as a router between two links it says what does not fit.
#![cfg(target_os = "linux")]

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send,
    socket_with, sockopt,
};
use stack_tests::kernel::bulk::{MIB, Text, receive};
use stack_tests::kernel::{GUARD, KernelListener, KernelNet, Namespace, OURS, patiently, until};
use tokio::io::AsyncWriteExt;

/// Sends an echo request of `len` octets through a ping socket; returns what came back.
fn ping(to: IpAddr, len: usize) -> Vec<u8> {
    let (family, protocol, kind) = match to {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, 8),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, 128),
    };
    let flags = SocketFlags::CLOEXEC;
    let s = socket_with(family, SocketType::DGRAM, flags, Some(protocol)).expect("a ping socket");
    sockopt::set_socket_timeout(&s, sockopt::Timeout::Recv, Some(GUARD)).expect("a time limit");
    connect(&s, &SocketAddr::new(to, 0)).expect("a route");
    let mut request = vec![kind, 0, 0, 0, 0, 0, 0, 1];
    request.extend((0..len).map(|i| (i ^ (i >> 8)) as u8));
    send(&s, &request, SendFlags::empty()).expect("it is sent");
    let mut reply = vec![0; 70_000];
    let (n, _) = recv(&s, &mut reply[..], RecvFlags::empty()).expect("an echo");
    assert_eq!(reply[8..n], request[8..]);
    reply.truncate(n);
    reply
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn the_kernel_and_we_put_each_others_fragments_together() {
    let k = KernelNet::with(|tun| tun.mtu(1280), |net| net);
    k.namespace.set("net.ipv4.ping_group_range", "0 2147483647");
    for ip in OURS {
        for len in [100, 8000, 60_000] {
            let task = k.namespace.spawn(move || ping(ip, len).len());
            assert_eq!(task.join().await, len + 8, "{ip}");
        }
    }
    let c = k.net.counters();
    println!("{} echoes, {} reassembled", c.echoes, c.reassembled);
    assert_eq!((c.echoes, c.reassembled), (6, 4));
    k.end().await;
}

/// The server's addresses.
const SERVER: [&str; 2] = ["10.46.0.2", "fd46::2"];

/// A namespace with a server, behind the device's as its router. The router's way to it carries
/// 1300 octets; the server knows only of its own end, which carries 1500.
fn behind(k: &KernelNet) -> Namespace {
    let server = Namespace::new();
    k.namespace.set("net.ipv4.ip_forward", "1");
    k.namespace.set("net.ipv6.conf.all.forwarding", "1");
    k.namespace.ip([
        "link",
        "add",
        "toward",
        "type",
        "veth",
        "peer",
        "name",
        "inner0",
        "netns",
        server.name(),
    ]);
    for (n, device, v4, v6, mtu) in [
        (&k.namespace, "toward", "10.46.0.1/24", "fd46::1/64", "1300"),
        (&server, "inner0", "10.46.0.2/24", "fd46::2/64", "1500"),
    ] {
        n.ip(["addr", "add", v4, "dev", device]);
        n.ip(["-6", "addr", "add", v6, "dev", device, "nodad"]);
        n.ip(["link", "set", "dev", device, "mtu", mtu, "up"]);
    }
    server.ip(["route", "add", "default", "via", "10.46.0.1"]);
    server.ip(["-6", "route", "add", "default", "via", "fd46::1"]);
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_router_with_a_smaller_link_is_believed_at_once() {
    let k = KernelNet::new();
    let server = behind(&k);
    for ip in SERVER {
        let ip: IpAddr = ip.parse().expect("an address");
        let listener = server.run(|| KernelListener::bind(ip));
        let to = listener.addr;
        let task = server.spawn(move || receive(&mut listener.accept()));
        let mut stream = patiently("connect", k.net.connect(to)).await.expect("a connection");
        let text = Text::new(5, 8 * MIB);
        let expected = text.expected();
        let start = Instant::now();
        patiently("sending", text.send_async(&mut stream)).await.expect("sent");
        stream.shutdown().await.expect("shut down");
        assert_eq!(task.join().await.expect("received"), expected);
        let info = stream.info();
        println!(
            "{ip}: {:?}, path MTU {}, {} resent, {} time-outs",
            start.elapsed(),
            info.path_mtu,
            info.stats.retransmissions,
            info.stats.timeouts
        );
        assert_eq!(info.path_mtu, 1300);
        assert!(info.stats.timeouts <= 1, "{info:?}");
        assert_eq!(info.mtu_probes.black_holes, 0);
        drop(stream);
        // The next connection knows it from the first packet on.
        let listener = server.run(|| KernelListener::bind(ip));
        let again = patiently("connect", k.net.connect(listener.addr)).await.expect("another");
        assert_eq!(again.info().path_mtu, 1300);
        drop((again, listener));
    }
    until("nothing is left", || k.net.connection_count() == 0).await;
    k.end().await;
}

/// The same router that says nothing: its messages have no way to us.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_silent_router_is_found_out() {
    let k = KernelNet::new();
    let server = behind(&k);
    k.namespace.ip(["rule", "add", "ipproto", "icmp", "to", "10.45.0.2", "blackhole"]);
    k.namespace.ip(["-6", "rule", "add", "ipproto", "ipv6-icmp", "to", "fd45::2", "blackhole"]);
    for ip in SERVER {
        let ip: IpAddr = ip.parse().expect("an address");
        let listener = server.run(|| KernelListener::bind(ip));
        let to = listener.addr;
        // A SYN that waits for the neighbours to be found would cost 3 s later (RFC 6298 5.7).
        drop(patiently("connect", k.net.connect(to)).await.expect("a connection"));
        drop(listener.accept());
        let task = server.spawn(move || receive(&mut listener.accept()));
        let mut stream = patiently("connect", k.net.connect(to)).await.expect("a connection");
        let text = Text::new(6, 4 * MIB);
        let expected = text.expected();
        let start = Instant::now();
        patiently("sending", text.send_async(&mut stream)).await.expect("sent");
        stream.shutdown().await.expect("shut down");
        assert_eq!(task.join().await.expect("received"), expected);
        let (took, info) = (start.elapsed(), stream.info());
        println!("{ip} silent: {took:?}, path MTU {}, {:?}", info.path_mtu, info.mtu_probes);
        assert!(info.mtu_probes.black_holes >= 1, "{info:?}");
        assert!((1064..=1300).contains(&info.path_mtu), "{info:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    k.end().await;
}
