//! Does `UdpSocket` behave as tokio's? Sending, receiving, waiting and ending, over the loopback
//! and over a wire; tokio's own tests run over it as well (`cargo xtask tokio-tests`).

mod common;

use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use common::{ADDR, guarded, in_virtual_time, net, on_both, one_thread, pattern, poll_once};
use tcp_async::{Net, UdpBindOptions, UdpOptions, UdpSocket};
use tcp_io::device::{Capabilities, Device, RxMeta, TxPacket, memory_pair};
use tokio::io::{Interest, ReadBuf};

/// Two sockets of one stack, each connected to the other.
async fn pair(net: &Net) -> (UdpSocket, UdpSocket) {
    let a = net.bind_udp((ADDR, 0)).await.unwrap();
    let b = net.bind_udp((ADDR, 0)).await.unwrap();
    a.connect(b.local_addr().unwrap()).await.unwrap();
    b.connect(a.local_addr().unwrap()).await.unwrap();
    (a, b)
}

/// Two stacks on a wire.
fn wire(capabilities: Capabilities) -> (Net, Net) {
    let (here, there) = memory_pair(capabilities);
    let a = Net::builder().address("10.0.0.1/24").address("fd00::1/64").device(here).unwrap();
    let b = Net::builder().address("10.0.0.2/24").address("fd00::2/64").device(there).unwrap();
    (a, b)
}

#[test]
fn the_largest_datagrams_cross_a_wire_and_back() {
    on_both(|| async {
        for capabilities in [Capabilities::plain(1280), Capabilities::offloading(1500)] {
            let (near, far) = wire(capabilities);
            for (ip, most) in [("10.0.0.2", 65_507), ("fd00::2", 65_527)] {
                let server = far.bind_udp((ip, 53)).await.unwrap();
                let any = if ip.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
                let client = near.bind_udp(any).await.unwrap();
                for len in [0, 1, 1472, 1473, 9000, most] {
                    let to = server.local_addr().unwrap();
                    assert_eq!(client.send_to(&pattern(len), to).await.unwrap(), len);
                    let mut buf = vec![0; 70_000];
                    let (n, from) = server.recv_from(&mut buf).await.unwrap();
                    assert!(buf[..n] == pattern(len), "{len} octets over {ip}");
                    assert_eq!(from.port(), client.local_addr().unwrap().port());
                    server.send_to(&buf[..n], from).await.unwrap();
                    assert_eq!(client.recv_from(&mut buf).await.unwrap(), (len, to));
                }
                let long = client.send_to(&pattern(most + 1), server.local_addr().unwrap()).await;
                assert_eq!(long.unwrap_err().kind(), ErrorKind::InvalidInput);
            }
        }
    });
}

#[test]
fn what_does_not_fit_into_the_buffer_is_lost() {
    on_both(|| async {
        let (a, b) = pair(&net()).await;
        for _ in 0..3 {
            a.send(b"a long one").await.unwrap();
            a.send(b"short").await.unwrap();
        }
        let mut buf = [0; 6];
        assert_eq!((b.peek(&mut buf).await.unwrap(), &buf), (6, b"a long"));
        assert_eq!((b.recv(&mut buf).await.unwrap(), &buf), (6, b"a long"));
        assert_eq!(b.recv(&mut buf).await.unwrap(), 5);
        let mut growing = Vec::with_capacity(4);
        assert_eq!(b.recv_buf(&mut growing).await.unwrap(), 4);
        assert_eq!(growing, b"a lo");
        assert_eq!(b.recv_buf_from(&mut growing).await.unwrap(), (5, a.local_addr().unwrap()));
        assert_eq!(growing, b"a loshort");
        let mut all = [0; 16];
        let mut read = ReadBuf::new(&mut all);
        poll_fn(|cx| b.poll_recv(cx, &mut read)).await.unwrap();
        let from = poll_fn(|cx| b.poll_recv_from(cx, &mut read)).await.unwrap();
        assert_eq!((read.filled(), from), (&b"a long oneshort"[..], a.local_addr().unwrap()));
        assert_eq!(b.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn each_datagram_goes_to_one_of_those_who_wait() {
    on_both(|| async {
        let (a, b) = pair(&net()).await;
        let b = Arc::new(b);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let b = b.clone();
                tokio::spawn(async move {
                    let mut buf = [0; 8];
                    let mut got = Vec::new();
                    loop {
                        match b.recv(&mut buf).await.unwrap() {
                            0 => return got,
                            _ => got.push(u32::from_le_bytes(buf[..4].try_into().unwrap())),
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for n in 0..100u32 {
            a.send(&n.to_le_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        for _ in 0..8 {
            a.send(b"").await.unwrap();
        }
        let mut all = Vec::new();
        for t in tasks {
            all.extend(t.await.unwrap());
        }
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn a_receiver_that_gives_up_takes_nothing_with_it() {
    on_both(|| async {
        let (a, b) = pair(&net()).await;
        let mut buf = [0; 8];
        {
            let mut first = pin!(b.recv(&mut buf));
            assert!(poll_once(first.as_mut()).await.is_pending());
            a.send(b"kept").await.unwrap();
        }
        assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
    });
}

#[test]
fn an_error_reaches_whoever_waits() {
    on_both(|| async {
        let net = net();
        let a = net.bind_udp((ADDR, 0)).await.unwrap();
        let closed: SocketAddr = (ADDR.parse::<std::net::Ipv4Addr>().unwrap(), 9).into();
        a.connect(closed).await.unwrap();
        let mut buf = [0; 8];
        {
            let mut waits = pin!(a.recv(&mut buf));
            assert!(poll_once(waits.as_mut()).await.is_pending());
            a.send(b"anybody?").await.unwrap();
            assert_eq!(waits.await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        // The next send tells as well, and sends nothing.
        a.send(b"anybody?").await.unwrap();
        assert_eq!(a.send(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        a.send(b"anybody?").await.unwrap();
        assert!(a.ready(Interest::ERROR).await.unwrap().is_error());
        let error = a.take_error().unwrap().map(|e| e.kind());
        assert_eq!(error, Some(ErrorKind::ConnectionRefused));
        assert!(a.take_error().unwrap().is_none());
        // Nothing of this concerns a socket that is not connected.
        let b = net.bind_udp((ADDR, 0)).await.unwrap();
        b.send_to(b"anybody?", closed).await.unwrap();
        assert!(b.take_error().unwrap().is_none());
        let unconnected = b.send(b"x").await.unwrap_err();
        assert_eq!(unconnected.kind(), ErrorKind::NotConnected);
        assert_eq!(b.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    });
}

/// Takes packets only while the valve is open.
struct Valve {
    open: Arc<AtomicBool>,
    waker: Arc<futures::task::AtomicWaker>,
}

impl Device for Valve {
    fn capabilities(&self) -> Capabilities {
        Capabilities::plain(1500)
    }

    fn poll_recv(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<std::io::Result<RxMeta>> {
        Poll::Pending
    }

    fn poll_send(&self, cx: &mut Context<'_>, _: &TxPacket) -> Poll<std::io::Result<()>> {
        self.waker.register(cx.waker());
        if self.open.load(Ordering::SeqCst) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

#[test]
fn a_full_device_makes_senders_wait() {
    in_virtual_time(async {
        let (open, waker) = <(Arc<AtomicBool>, Arc<futures::task::AtomicWaker>)>::default();
        let valve = Valve { open: open.clone(), waker: waker.clone() };
        let net = Net::builder().address("10.0.0.1/24").device(valve).unwrap();
        let options = UdpBindOptions {
            options: Some(UdpOptions { send_buffer: 20_000, ..UdpOptions::default() }),
            ..UdpBindOptions::default()
        };
        let s = net.bind_udp_with("0.0.0.0:0", options).await.unwrap();
        let to: SocketAddr = "10.0.0.2:9".parse().unwrap();
        let mut sent = 0;
        while s.try_send_to(&[0; 1000], to).is_ok() {
            sent += 1;
            tokio::task::yield_now().await;
        }
        assert!((13..80).contains(&sent), "{sent}");
        let mut writable = pin!(s.writable());
        assert!(poll_once(writable.as_mut()).await.is_pending());
        let mut more = pin!(s.send_to(&[0; 1000], to));
        assert!(poll_once(more.as_mut()).await.is_pending());
        open.store(true, Ordering::SeqCst);
        waker.wake();
        guarded(writable).await.unwrap();
        assert_eq!(guarded(more).await.unwrap(), 1000);
        let row = net.udp_sockets().remove(0);
        assert!(row.send_queue < 20_000);
    });
}

#[test]
fn a_closure_that_would_block_waits_for_the_next_event() {
    on_both(|| async {
        let (a, b) = pair(&net()).await;
        a.send(b"one").await.unwrap();
        let not_yet = || Err::<(), _>(ErrorKind::WouldBlock.into());
        b.readable().await.unwrap();
        assert!(b.try_io(Interest::READABLE, not_yet).is_err());
        assert!(poll_once(pin!(b.readable())).await.is_pending());
        a.send(b"two").await.unwrap();
        let mut buf = [0; 8];
        let n = b.async_io(Interest::READABLE, || b.try_recv(&mut buf)).await.unwrap();
        assert_eq!(&buf[..n], b"one");
    });
}

// As tokio's test `coop_budget`: a send and a receipt cost one each of 128.
#[test]
fn a_task_that_never_waits_gives_way() {
    one_thread().block_on(guarded(async {
        let (a, b) = pair(&net()).await;
        let others = Arc::new(AtomicUsize::new(0));
        let count = others.clone();
        tokio::spawn(async move {
            loop {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
        tokio::task::yield_now().await;
        let before = others.load(Ordering::SeqCst);
        for _ in 0..1024 {
            a.send(b"Hello, world").await.unwrap();
            assert_eq!(b.recv(&mut [0; 12]).await.unwrap(), 12);
        }
        assert_eq!(others.load(Ordering::SeqCst) - before, 15);
    }));
}

#[test]
fn the_end_of_the_stack_is_the_end_of_its_sockets() {
    one_thread().block_on(guarded(async {
        let net = net();
        let (a, b) = pair(&net).await;
        let mut buf = [0; 8];
        let mut waits = pin!(b.recv(&mut buf));
        assert!(poll_once(waits.as_mut()).await.is_pending());
        net.shutdown().await;
        assert_eq!(waits.await.unwrap_err().kind(), ErrorKind::NetworkDown);
        assert_eq!(a.send(b"x").await.unwrap_err().kind(), ErrorKind::NetworkDown);
        assert_eq!(net.bind_udp((ADDR, 0)).await.unwrap_err().kind(), ErrorKind::NetworkDown);
    }));
}

#[test]
fn a_dropped_socket_gives_its_port_back() {
    on_both(|| async {
        let net = net();
        let a = net.bind_udp((ADDR, 53)).await.unwrap();
        let again = net.bind_udp((ADDR, 53)).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AddrInUse);
        assert_eq!(net.udp_sockets().len(), 1);
        drop(a);
        assert!(net.udp_sockets().is_empty());
        net.bind_udp((ADDR, 53)).await.unwrap();
    });
}

#[test]
fn groups_and_options_are_linuxs() {
    on_both(|| async {
        let net = net();
        let s = net.bind_udp("0.0.0.0:5353").await.unwrap();
        let group = "224.0.0.251".parse().unwrap();
        let any = "0.0.0.0".parse().unwrap();
        let kind = |r: std::io::Result<()>| r.unwrap_err().kind();
        s.join_multicast_v4(group, any).unwrap();
        assert_eq!(kind(s.join_multicast_v4(group, any)), ErrorKind::AddrInUse);
        assert_eq!(kind(s.join_multicast_v4(any, any)), ErrorKind::InvalidInput);
        assert_eq!(kind(s.join_multicast_v4(group, group)), ErrorKind::NotFound);
        let other = net.bind_udp("0.0.0.0:0").await.unwrap();
        other.send_to(b"query", "224.0.0.251:5353").await.unwrap();
        assert_eq!(s.recv(&mut [0; 9]).await.unwrap(), 5);
        s.leave_multicast_v4(group, "10.0.0.1".parse().unwrap()).unwrap();
        assert_eq!(kind(s.leave_multicast_v4(group, any)), ErrorKind::AddrNotAvailable);
        let v6 = "ff02::fb".parse().unwrap();
        s.join_multicast_v6(&v6, 0).unwrap();
        assert_eq!(kind(s.join_multicast_v6(&v6, 7)), ErrorKind::NotFound);
        s.leave_multicast_v6(&v6, 1).unwrap();
        for wrong in [s.set_ttl(0), s.set_ttl(256), s.set_multicast_ttl_v4(256), s.set_tos_v4(256)]
        {
            assert_eq!(kind(wrong), ErrorKind::InvalidInput);
        }
        let sent = s.send_to(b"x", "255.255.255.255:9").await;
        assert_eq!(sent.unwrap_err().kind(), ErrorKind::PermissionDenied);
        s.set_broadcast(true).unwrap();
        s.send_to(b"x", "255.255.255.255:9").await.unwrap();
        assert_eq!(s.device().unwrap().as_deref(), Some(&b"loopback"[..]));
        assert!(s.bind_device(Some(b"eth0")).is_err() && s.bind_device(None).is_ok());
    });
}
