//! What becomes of an attempt to connect?
mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::{ADDR, in_virtual_time, net, on_both, poll_once};
use tcp_async::TcpSocket;

#[test]
fn nobody_listens() {
    on_both(|| async {
        let e = net().connect((ADDR, 81)).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn destinations_that_are_no_host() {
    on_both(|| async {
        let net = net();
        for to in ["224.0.0.1:80", "255.255.255.255:80", "10.0.0.255:80", "[ff02::1]:80"] {
            let e = net.connect(to).await.unwrap_err();
            assert_eq!(e.kind(), ErrorKind::InvalidInput, "{to}");
        }
    });
}

// MUST-23
#[test]
fn a_silent_host_times_out() {
    in_virtual_time(async {
        let net = net();
        let start = tokio::time::Instant::now();
        let e = net.connect("10.0.0.9:80").await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= Duration::from_secs(180));
        while net.connection_count() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_cancelled_attempt_leaves_nothing() {
    on_both(|| async {
        let net = net();
        let mut attempt = Box::pin(net.connect("10.0.0.9:80"));
        while net.connection_count() == 0 {
            assert!(poll_once(attempt.as_mut()).await.is_pending());
            tokio::task::yield_now().await;
        }
        drop(attempt);
        while net.connection_count() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn every_address_of_a_list_is_tried() {
    on_both(|| async {
        let net = net();
        let _l = net.listen((ADDR, 80)).await.unwrap();
        let all: Vec<std::net::SocketAddr> =
            ["10.0.0.1:81", "10.0.0.1:80"].iter().map(|a| a.parse().unwrap()).collect();
        let s = net.connect(&all[..]).await.unwrap();
        assert_eq!(s.peer_addr().unwrap(), all[1]);
        let e = net.connect(&all[..0]).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_bound_socket_connects_from_its_address() {
    on_both(|| async {
        let net = net();
        let _l = net.listen((ADDR, 80)).await.unwrap();
        let socket = TcpSocket::on(&net, true);
        let local = "10.0.0.1:5555".parse().unwrap();
        socket.bind(local).unwrap();
        let again = TcpSocket::on(&net, true);
        assert_eq!(again.bind(local).unwrap_err().kind(), ErrorKind::AddrInUse);
        let s = socket.connect("10.0.0.1:80".parse().unwrap()).await.unwrap();
        assert_eq!(s.local_addr().unwrap(), local);
        let again = TcpSocket::on(&net, true);
        assert_eq!(again.bind(local).unwrap_err().kind(), ErrorKind::AddrInUse);
        again.set_reuseaddr(true).unwrap();
        again.bind(local).unwrap();
        let e = again.connect("10.0.0.1:80".parse().unwrap()).await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::AddrNotAvailable);
    });
}
