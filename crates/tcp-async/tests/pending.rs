//! What can a program do before the SYN-ACK? Decisions as the client sees them, and what becomes
//! of a request when nobody decides.
mod common;

use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use common::{ADDR, in_virtual_time, net, on_both, poll_once};
use futures::StreamExt;
use tcp_async::{
    Foreign, Net, PendingListener, PendingOptions, Rejection, TcpSocket, TcpStream, Unreachability,
};
use tcp_io::device::{Capabilities, memory_pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

fn connecting(net: &Net, to: &'static str) -> JoinHandle<std::io::Result<TcpStream>> {
    let net = net.clone();
    tokio::spawn(async move { net.connect(to).await })
}

/// A proxy's stack, which takes every address, and a client's stack behind it.
fn proxy_and_client() -> (Net, Net) {
    let (here, there) = memory_pair(Capabilities::offloading(1500));
    let proxy = Net::builder().address("10.0.0.1/24").address("fd00::1/64");
    let proxy = proxy.foreign(Foreign::Take { echo: false }).device(here).unwrap();
    let client = Net::builder().address("10.0.0.2/24").address("fd00::2/64");
    (proxy, client.device(there).unwrap())
}

#[test]
fn accepting_yields_a_stream() {
    on_both(|| async {
        let net = net();
        let listener = net.listen_pending((ADDR, 80)).await.unwrap();
        let client = connecting(&net, "10.0.0.1:80");
        let (mut pending, peer) = listener.accept().await.unwrap();
        assert!(!client.is_finished() && pending.is_undecided());
        assert_eq!(
            (pending.local_addr(), pending.peer_addr()),
            ("10.0.0.1:80".parse().unwrap(), peer)
        );
        assert_eq!((pending.hop_limit(), pending.data_len()), (64, 0));
        assert!(pending.syn().sack && pending.syn().timestamp.is_some());
        pending.options().nodelay = true;
        pending.options().receive_buffer = Some(4096);
        let mut server = pending.accept().await.unwrap();
        assert!(server.nodelay().unwrap());
        let mut client = client.await.unwrap().unwrap();
        client.write_all(b"hello").await.unwrap();
        client.shutdown().await.unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
    });
}

#[test]
fn the_client_sees_each_refusal() {
    on_both(|| async {
        use Unreachability as U;
        let net = net();
        let listener = net.listen_pending("[::]:80").await.unwrap();
        for (to, how, kind) in [
            ("10.0.0.1:80", Rejection::Reset, ErrorKind::ConnectionRefused),
            ("[fd00::1]:80", Rejection::Reset, ErrorKind::ConnectionRefused),
            ("10.0.0.1:80", Rejection::Unreachable(U::Port), ErrorKind::ConnectionRefused),
            ("[fd00::1]:80", Rejection::Unreachable(U::Port), ErrorKind::ConnectionRefused),
            ("10.0.0.1:80", Rejection::Unreachable(U::Host), ErrorKind::HostUnreachable),
            ("[fd00::1]:80", Rejection::Unreachable(U::Host), ErrorKind::HostUnreachable),
            ("10.0.0.1:80", Rejection::Unreachable(U::Network), ErrorKind::NetworkUnreachable),
            ("[fd00::1]:80", Rejection::Unreachable(U::Network), ErrorKind::NetworkUnreachable),
            ("10.0.0.1:80", Rejection::Unreachable(U::AdminProhibited), ErrorKind::HostUnreachable),
            (
                "[fd00::1]:80",
                Rejection::Unreachable(U::AdminProhibited),
                ErrorKind::PermissionDenied,
            ),
        ] {
            let client = connecting(&net, to);
            listener.accept().await.unwrap().0.reject(how);
            let e = client.await.unwrap().unwrap_err();
            assert_eq!(e.kind(), kind, "{how:?} to {to}");
        }
    });
}

#[test]
fn dropping_a_request_undecided_resets() {
    on_both(|| async {
        let net = net();
        let listener = net.listen_pending((ADDR, 80)).await.unwrap();
        let client = connecting(&net, "10.0.0.1:80");
        drop(listener.accept().await.unwrap());
        assert_eq!(client.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn an_ignored_client_asks_again() {
    in_virtual_time(async {
        let net = net();
        let listener = net.listen_pending((ADDR, 80)).await.unwrap();
        let client = connecting(&net, "10.0.0.1:80");
        let start = tokio::time::Instant::now();
        listener.accept().await.unwrap().0.ignore();
        let (again, _) = listener.accept().await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 1);
        again.accept().await.unwrap();
        client.await.unwrap().unwrap();
    });
}

#[test]
fn a_request_expires() {
    in_virtual_time(async {
        let net = net();
        let socket = TcpSocket::on(&net, true);
        socket.bind("10.0.0.1:80".parse().unwrap()).unwrap();
        let options = PendingOptions { timeout: Duration::from_secs(9), ..Default::default() };
        let listener = socket.listen_pending(options).unwrap();
        let client = connecting(&net, "10.0.0.1:80");
        let (mut pending, _) = listener.accept().await.unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(pending.gone().await.kind(), ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 9);
        assert_eq!(client.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(!pending.is_undecided());
        assert_eq!(pending.accept().await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(net.connections().len(), 1, "only the listener is left");
    });
}

#[test]
fn a_slow_decision_survives_repeated_syns() {
    in_virtual_time(async {
        let net = net();
        let listener = net.listen_pending((ADDR, 80)).await.unwrap();
        let client = connecting(&net, "10.0.0.1:80");
        let (pending, _) = listener.accept().await.unwrap();
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(listener.pending(), 0);
        let drops = net.counters().packet_drops(tcp_io::stack::PacketDrop::Undecided);
        assert_eq!(drops, 4, "after 1, 3, 7 and 15 seconds");
        pending.accept().await.unwrap();
        client.await.unwrap().unwrap();
    });
}

#[test]
fn requests_beyond_the_bound_come_in_later() {
    in_virtual_time(async {
        let net = net();
        let socket = TcpSocket::on(&net, true);
        socket.bind("10.0.0.1:80".parse().unwrap()).unwrap();
        let options = PendingOptions { max_undecided: 3, ..Default::default() };
        let listener = socket.listen_pending(options).unwrap();
        let clients: Vec<_> = (0..10).map(|_| connecting(&net, "10.0.0.1:80")).collect();
        let mut servers = Vec::new();
        for _ in 0..10 {
            let (pending, _) = listener.accept().await.unwrap();
            servers.push(pending.accept().await.unwrap());
        }
        for c in clients {
            c.await.unwrap().unwrap();
        }
        let why = tcp_io::stack::PacketDrop::PendingQueueFull;
        assert!(net.counters().packet_drops(why) > 0);
    });
}

#[test]
fn closing_the_listener_refuses_what_is_pending() {
    on_both(|| async {
        let net = net();
        let listener = net.listen_pending((ADDR, 80)).await.unwrap();
        let first = connecting(&net, "10.0.0.1:80");
        let (held, _) = listener.accept().await.unwrap();
        let second = connecting(&net, "10.0.0.1:80");
        while listener.pending() == 0 {
            tokio::task::yield_now().await;
        }
        drop(listener);
        for client in [first, second] {
            assert_eq!(client.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        assert_eq!(held.accept().await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        // The port is free.
        net.listen((ADDR, 80)).await.unwrap();
    });
}

#[test]
fn a_cancelled_accept_resets_the_handshake() {
    in_virtual_time(async {
        let (proxy, client_net) = proxy_and_client();
        let listener = proxy.listen_any_pending(0, PendingOptions::default()).unwrap();
        let client = connecting(&client_net, "192.0.2.7:443");
        let (pending, _) = listener.accept().await.unwrap();
        {
            let accept = pin!(pending.accept());
            assert!(poll_once(accept).await.is_pending());
        }
        assert_eq!(proxy.connection_count(), 0);
        // The SYN-ACK was never sent, or was followed by a reset.
        let kind = match client.await.unwrap() {
            Err(e) => e.kind(),
            Ok(mut stream) => stream.read(&mut [0]).await.unwrap_err().kind(),
        };
        assert!(
            matches!(kind, ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset),
            "{kind}"
        );
    });
}

#[test]
fn a_cancelled_wait_loses_no_request_and_tasks_get_them_in_turn() {
    on_both(|| async {
        let net = net();
        let listener = Arc::new(net.listen_pending((ADDR, 80)).await.unwrap());
        let mut first = Box::pin(listener.accept());
        let mut second = pin!(listener.accept());
        assert!(poll_once(first.as_mut()).await.is_pending());
        assert!(poll_once(second.as_mut()).await.is_pending());
        let client = connecting(&net, "10.0.0.1:80");
        while listener.pending() == 0 {
            tokio::task::yield_now().await;
        }
        // It woke the first, which gives up.
        drop(first);
        let (pending, _) = second.await.unwrap();
        pending.accept().await.unwrap();
        client.await.unwrap().unwrap();
    });
}

#[test]
fn requests_come_as_a_stream() {
    on_both(|| async {
        let net = net();
        let _here = net.enter();
        let listener = PendingListener::bind((ADDR, 80)).await.unwrap();
        assert_eq!(listener.local_addr().unwrap(), "10.0.0.1:80".parse().unwrap());
        let clients: Vec<_> = (0..3).map(|_| connecting(&net, "10.0.0.1:80")).collect();
        let mut incoming = listener.incoming();
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(incoming.next().await.unwrap().unwrap().accept().await.unwrap());
        }
        for c in clients {
            c.await.unwrap().unwrap();
        }
    });
}

#[test]
fn the_end_of_the_stack_ends_requests() {
    on_both(|| async {
        let net = net();
        let listener = net.listen_pending((ADDR, 80)).await.unwrap();
        let client = connecting(&net, "10.0.0.1:80");
        let (mut pending, _) = listener.accept().await.unwrap();
        net.shutdown().await;
        assert_eq!(pending.gone().await.kind(), ErrorKind::ConnectionAborted);
        assert!(client.await.unwrap().is_err());
        assert!(listener.accept().await.is_err());
        drop(pending);
    });
}

#[test]
fn every_destination_comes_to_one_listener() {
    on_both(|| async {
        let (proxy, client_net) = proxy_and_client();
        let own = proxy.listen("10.0.0.1:80").await.unwrap();
        let listener = proxy.listen_any_pending(0, PendingOptions::default()).unwrap();
        assert_eq!(listener.local_addr().unwrap().port(), 0);
        for to in ["192.0.2.7:443", "[2001:db8::7]:80", "10.0.0.1:81"] {
            let client = connecting(&client_net, to);
            let (pending, _) = listener.accept().await.unwrap();
            assert_eq!(pending.local_addr(), to.parse().unwrap());
            let mut server = pending.accept().await.unwrap();
            assert_eq!(server.local_addr().unwrap(), to.parse().unwrap());
            server.write_all(to.as_bytes()).await.unwrap();
            server.shutdown().await.unwrap();
            let mut text = String::new();
            client.await.unwrap().unwrap().read_to_string(&mut text).await.unwrap();
            assert_eq!(text, to);
        }
        let client = connecting(&client_net, "10.0.0.1:80");
        own.accept().await.unwrap();
        client.await.unwrap().unwrap();
    });
}

#[test]
fn a_socket_may_connect_from_a_foreign_address() {
    on_both(|| async {
        let (proxy, client_net) = proxy_and_client();
        // The other stack must know the way back: everything is there.
        let server = client_net.listen("10.0.0.2:80").await.unwrap();
        let socket = TcpSocket::on(&proxy, true);
        socket.bind("192.0.2.7:0".parse().unwrap()).unwrap();
        let stream = socket.connect("10.0.0.2:80".parse().unwrap());
        let (stream, accepted) = tokio::join!(stream, server.accept());
        let (_, peer) = accepted.unwrap();
        assert_eq!(peer, stream.unwrap().local_addr().unwrap());
        assert_eq!(peer.ip(), "192.0.2.7".parse::<std::net::IpAddr>().unwrap());
    });
}

#[test]
fn mistakes_are_told() {
    on_both(|| async {
        let net = net();
        let e = net.listen_any(80).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::AddrNotAvailable);
        assert!(e.to_string().contains("own addresses only"), "{e}");
        let e = net.listen_pending("192.0.2.7:80").await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::AddrNotAvailable);
        let (proxy, _client) = proxy_and_client();
        let _all = proxy.listen_any(80).unwrap();
        assert_eq!(proxy.listen_any(80).unwrap_err().kind(), ErrorKind::AddrInUse);
    });
}
