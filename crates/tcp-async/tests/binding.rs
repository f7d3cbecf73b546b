//! Which addresses can be listened on?
mod common;

use std::io::ErrorKind;

use common::{ADDR, net, on_both};
use tcp_async::TcpSocket;

#[test]
fn a_port_is_given_once() {
    on_both(|| async {
        let net = net();
        let first = net.listen((ADDR, 80)).await.unwrap();
        for taken in ["10.0.0.1:80", "0.0.0.0:80", "[::]:80"] {
            let e = net.listen(taken).await.unwrap_err();
            assert_eq!(e.kind(), ErrorKind::AddrInUse, "{taken}");
        }
        drop(first);
        net.listen("0.0.0.0:80").await.unwrap();
    });
}

#[test]
fn foreign_addresses_are_not_available() {
    on_both(|| async {
        let e = net().listen("10.0.0.2:80").await.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn port_zero_chooses_a_free_one() {
    on_both(|| async {
        let net = net();
        let a = net.listen((ADDR, 0)).await.unwrap();
        let b = net.listen((ADDR, 0)).await.unwrap();
        assert_ne!(a.local_addr().unwrap(), b.local_addr().unwrap());
        assert_ne!(a.local_addr().unwrap().port(), 0);
    });
}

#[test]
fn a_socket_gives_its_port_back() {
    on_both(|| async {
        let net = net();
        let at = "10.0.0.1:80".parse().unwrap();
        let socket = TcpSocket::on(&net, true);
        socket.bind(at).unwrap();
        assert_eq!(socket.local_addr().unwrap(), at);
        assert_eq!(socket.bind(at).unwrap_err().kind(), ErrorKind::InvalidInput);
        drop(socket);
        let socket = TcpSocket::on(&net, true);
        socket.bind(at).unwrap();
        let listener = socket.listen(5).unwrap();
        assert_eq!(listener.local_addr().unwrap(), at);
        drop(listener);
        TcpSocket::on(&net, true).bind(at).unwrap();
    });
}

#[test]
fn the_port_of_a_server_with_connections_can_be_listened_on_again() {
    on_both(|| async {
        let net = net();
        let listener = net.listen((ADDR, 80)).await.unwrap();
        let _client = net.connect((ADDR, 80)).await.unwrap();
        let _server = listener.accept().await.unwrap();
        drop(listener);
        net.listen((ADDR, 80)).await.unwrap();
    });
}

#[test]
fn families_do_not_mix() {
    on_both(|| async {
        let net = net();
        let v4 = TcpSocket::on(&net, true);
        let v6: std::net::SocketAddr = "[fd00::1]:80".parse().unwrap();
        assert_eq!(v4.bind(v6).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(v4.connect(v6).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}
