//! Does UDP work with the kernel's own? Echoes both ways, fragments both ways, bursts of which the
//! kernel makes one packet, and closed ports on either side.
#![cfg(target_os = "linux")]

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket as KernelSocket};
use std::sync::Arc;

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use stack_tests::kernel::{GUARD, HOST, KernelNet, OURS, patiently};
use tcp_async::UdpSocket;
use tcp_io::device::Offload;

/// Lengths around what a packet carries, and the largest.
const LENGTHS: [usize; 8] = [0, 1, 1000, 1472, 1473, 3000, 20_000, 65_507];

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8)) as u8).collect()
}

/// A socket of the kernel's; made inside the namespace.
fn kernel_socket(ip: IpAddr) -> KernelSocket {
    let s = KernelSocket::bind((ip, 0)).expect("the kernel binds");
    s.set_read_timeout(Some(GUARD)).expect("a time limit");
    s
}

async fn echo(k: &KernelNet, ip: IpAddr) -> SocketAddr {
    let s = k.net.bind_udp((ip, 0)).await.expect("a free port");
    let addr = s.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut buf = vec![0; 70_000];
        while let Ok((n, from)) = s.recv_from(&mut buf).await {
            // The kernel's end may be gone.
            let _ = s.send_to(&buf[..n], from).await;
        }
    });
    addr
}

/// With offload and without.
fn nets() -> [KernelNet; 2] {
    [Offload::Preferred, Offload::Off].map(|o| KernelNet::with(|tun| tun.offload(o), |net| net))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn the_kernel_hears_its_echo_from_us() {
    for k in nets() {
        for ip in OURS {
            let to = echo(&k, ip).await;
            let any = if ip.is_ipv4() { HOST[0] } else { HOST[1] };
            let task = k.namespace.spawn(move || {
                let s = kernel_socket(any);
                s.connect(to).expect("a route");
                let mut buf = vec![0; 70_000];
                for len in LENGTHS {
                    s.send(&text(len)).expect("sent");
                    let n = s.recv(&mut buf).expect("an echo");
                    assert!(buf[..n] == text(len), "{len} octets, {n} came back");
                }
            });
            task.join().await;
        }
        let c = k.net.counters();
        assert_eq!(c.by_name("UdpInErrors"), Some(0));
        // Three lengths need fragments over IPv4, four over IPv6, where the header is longer.
        assert!(
            c.reassembled >= 6 && c.fragmented_out >= 6,
            "{} {}",
            c.reassembled,
            c.fragmented_out
        );
        k.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn we_hear_our_echo_from_the_kernel() {
    for k in nets() {
        for (host, any) in HOST.into_iter().zip(["0.0.0.0:0", "[::]:0"]) {
            let server = k.namespace.run(|| kernel_socket(host));
            let addr = server.local_addr().expect("an address");
            let task = k.namespace.spawn(move || {
                let mut buf = vec![0; 70_000];
                for _ in LENGTHS {
                    let (n, from) = server.recv_from(&mut buf).expect("a datagram");
                    server.send_to(&buf[..n], from).expect("sent");
                }
            });
            let s = k.net.bind_udp(any).await.expect("a socket");
            s.connect(addr).await.expect("a route");
            let mut buf = vec![0; 70_000];
            for len in LENGTHS {
                s.send(&text(len)).await.expect("sent");
                let n = patiently("an echo", s.recv(&mut buf)).await.expect("an echo");
                assert!(buf[..n] == text(len), "{len} octets, {n} came back");
            }
            task.join().await;
        }
        k.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_closed_port_is_refused_on_either_side() {
    let k = KernelNet::new();
    for (ours, host) in OURS.into_iter().zip(HOST) {
        let closed = k.namespace.run(|| kernel_socket(host).local_addr().expect("an address"));
        let s = k.net.bind_udp((ours, 0)).await.expect("a socket");
        s.connect(closed).await.expect("a route");
        s.send(b"anybody?").await.expect("sent");
        let told = patiently("an answer", s.recv(&mut [0; 9])).await;
        assert_eq!(told.expect_err("nobody").kind(), ErrorKind::ConnectionRefused, "{host}");
        // The other way.
        drop(s);
        let task = k.namespace.spawn(move || {
            let s = kernel_socket(host);
            s.connect((ours, 9)).expect("a route");
            s.send(b"anybody?").expect("sent");
            s.recv(&mut [0; 9]).expect_err("nobody").kind()
        });
        assert_eq!(task.join().await, ErrorKind::ConnectionRefused, "{ours}");
    }
    let c = k.net.counters();
    assert_eq!(c.by_name("UdpNoPorts"), Some(2));
    k.end().await;
}

/// Sends `text` in datagrams of `size` octets with one call (`UDP_SEGMENT`).
fn send_in_pieces(s: &KernelSocket, to: SocketAddr, text: &[u8], size: u16) {
    setsockopt(s, UdpGsoSegment, &size.into()).expect("the kernel segments");
    assert_eq!(s.send_to(text, to).expect("sent"), text.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_burst_of_the_kernel_is_taken_apart() {
    for k in nets() {
        for (ours, host) in OURS.into_iter().zip(HOST) {
            let s: UdpSocket = k.net.bind_udp((ours, 0)).await.expect("a socket");
            let to = s.local_addr().expect("an address");
            let before = k.net.counters().packets_in;
            let task = k.namespace.spawn(move || {
                let whole = text(40 * 1200 + 77);
                send_in_pieces(&kernel_socket(host), to, &whole, 1200);
            });
            task.join().await;
            let (whole, mut buf) = (text(40 * 1200 + 77), [0; 2000]);
            for piece in whole.chunks(1200) {
                let n = patiently("a piece", s.recv(&mut buf)).await.expect("a piece");
                assert!(buf[..n] == *piece);
            }
            let packets = k.net.counters().packets_in - before;
            println!("{ours}: 41 datagrams in {packets} packets");
        }
        k.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn many_clients_of_the_kernel_are_served_by_several_tasks() {
    let k = KernelNet::new();
    let s = Arc::new(k.net.bind_udp((OURS[0], 0)).await.expect("a socket"));
    let to = s.local_addr().expect("an address");
    for _ in 0..4 {
        let s = s.clone();
        tokio::spawn(async move {
            let mut buf = [0; 100];
            while let Ok((n, from)) = s.recv_from(&mut buf).await {
                let _ = s.send_to(&buf[..n], from).await;
            }
        });
    }
    let clients: Vec<_> = (0..8u8)
        .map(|n| {
            k.namespace.spawn(move || {
                let s = kernel_socket(HOST[0]);
                s.connect(to).expect("a route");
                for i in 0..200u8 {
                    s.send(&[n, i]).expect("sent");
                    let mut buf = [0; 9];
                    assert_eq!(s.recv(&mut buf).expect("an echo"), 2);
                    assert_eq!(buf[..2], [n, i]);
                }
            })
        })
        .collect();
    for c in clients {
        c.join().await;
    }
    drop(s);
    k.end().await;
}
