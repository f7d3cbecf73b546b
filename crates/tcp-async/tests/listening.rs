//! What can a listener be told?
mod common;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use common::{ADDR, guarded, in_virtual_time, net, on_both};
use tcp_async::{ListenOptions, SynCookies, TcpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn here() -> SocketAddr {
    SocketAddr::new(ADDR.parse().unwrap(), 80)
}

#[test]
fn several_sockets_share_a_port_if_all_of_them_say_so() {
    on_both(|| async {
        let net = net();
        let socket = |share| {
            let s = TcpSocket::on(&net, true);
            s.set_reuseport(share).unwrap();
            assert_eq!(s.reuseport().unwrap(), share);
            s.bind(here()).map(|()| s)
        };
        let a = socket(true).unwrap().listen(100).unwrap();
        let b = socket(true).unwrap().listen(100).unwrap();
        assert_eq!(socket(false).unwrap_err().kind(), ErrorKind::AddrInUse);
        for _ in 0..60 {
            net.connect(here()).await.unwrap();
        }
        while a.pending() + b.pending() < 60 {
            tokio::task::yield_now().await;
        }
        assert!(a.pending() > 10 && b.pending() > 10, "{} {}", a.pending(), b.pending());
        // Closing one loses only its own.
        let left = b.pending();
        drop(a);
        for _ in 0..left {
            guarded(b.accept()).await.unwrap();
        }
        let client = net.connect(here()).await.unwrap();
        let (_, peer) = guarded(b.accept()).await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn only_one_of_the_sockets_with_reuseaddr_can_listen() {
    on_both(|| async {
        let net = net();
        let socket = || {
            let s = TcpSocket::on(&net, true);
            s.set_reuseaddr(true).unwrap();
            s.bind(here()).map(|()| s)
        };
        let (first, second) = (socket().unwrap(), socket().unwrap());
        let listener = first.listen(5).unwrap();
        assert_eq!(second.listen(5).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        socket().unwrap().listen(5).unwrap();
    });
}

#[test]
fn a_deferring_listener_accepts_when_text_has_come() {
    in_virtual_time(async {
        let net = net();
        let socket = TcpSocket::on(&net, true);
        socket.set_defer_accept(Some(Duration::from_secs(100)));
        assert_eq!(socket.defer_accept(), Some(Duration::from_secs(100)));
        socket.bind(here()).unwrap();
        let listener = socket.listen(5).unwrap();
        let mut client = net.connect(here()).await.unwrap();
        let none = tokio::time::timeout(Duration::from_secs(50), listener.accept()).await;
        assert!(none.is_err());
        client.write_all(b"GET /").await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut text = [0; 5];
        server.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"GET /");
    });
}

#[test]
fn cookies_open_connections_that_work() {
    on_both(|| async {
        let net = net();
        let syn_cookies = Some(SynCookies::Always);
        let options = ListenOptions { syn_cookies, ..ListenOptions::default() };
        let listener = net.listen_with(here(), options).await.unwrap();
        for _ in 0..20 {
            let mut client = net.connect(here()).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            client.write_all(b"hello").await.unwrap();
            client.shutdown().await.unwrap();
            let mut text = String::new();
            server.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "hello");
            assert!(server.info().negotiated.sack && server.info().negotiated.window_scaling);
        }
        let c = net.counters();
        assert_eq!((c.syn_cookies_received, c.syns), (20, 0));
    });
}

#[test]
fn a_listener_hands_its_ttl_on() {
    on_both(|| async {
        let net = net();
        let listener = net.listen(here()).await.unwrap();
        assert_eq!(listener.ttl().unwrap(), 64);
        for wrong in [0, 256] {
            assert_eq!(listener.set_ttl(wrong).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        listener.set_ttl(9).unwrap();
        let _client = net.connect(here()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!((listener.ttl().unwrap(), server.ttl().unwrap()), (9, 9));
    });
}
