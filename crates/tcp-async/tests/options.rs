//! Are options kept, and do they hold?
mod common;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use common::{ADDR, net, on_both, pair, pattern};
use tcp_async::{Keepalive, Linger2, Net, TcpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn a_stream_keeps_its_options() {
    on_both(|| async {
        let (a, _b, _l) = pair(&net()).await;
        for on in [true, false] {
            a.set_nodelay(on).unwrap();
            assert_eq!(a.nodelay().unwrap(), on);
            a.set_quickack(on).unwrap();
            assert_eq!(a.quickack().unwrap(), on);
        }
        for linger in [Some(Duration::from_secs(3)), None] {
            a.set_linger(linger).unwrap();
            assert_eq!(a.linger().unwrap(), linger);
        }
        a.set_ttl(7).unwrap();
        assert_eq!(a.ttl().unwrap(), 7);
        for wrong in [0, 256] {
            assert_eq!(a.set_ttl(wrong).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(a.keepalive(), None);
        let k = Keepalive { count: 2, ..Keepalive::default() };
        a.set_keepalive(Some(k)).unwrap();
        assert_eq!(a.keepalive(), Some(k));
        for wrong in [
            Keepalive { idle: Duration::ZERO, ..k },
            Keepalive { interval: Duration::ZERO, ..k },
            Keepalive { count: 0, ..k },
        ] {
            let e = a.set_keepalive(Some(wrong)).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::InvalidInput);
            assert_eq!(a.keepalive(), Some(k));
        }
        a.set_keepalive(None).unwrap();
        assert_eq!(a.keepalive(), None);
        a.set_user_timeout(Some(Duration::from_secs(9)));
        assert_eq!(a.user_timeout(), Some(Duration::from_secs(9)));
        a.set_user_timeout(Some(Duration::ZERO));
        assert_eq!(a.user_timeout(), None);
        assert_eq!(a.linger2(), Linger2::Stack);
        a.set_linger2(Linger2::Seconds(7));
        assert_eq!(a.linger2(), Linger2::Seconds(7));
    });
}

#[test]
fn options_of_a_socket_hold_for_its_stream() {
    on_both(|| async {
        let net = net();
        let _l = net.listen((ADDR, 80)).await.unwrap();
        let s = TcpSocket::on(&net, true);
        s.set_nodelay(true).unwrap();
        s.set_keepalive(true).unwrap();
        s.set_linger(Some(Duration::from_secs(1))).unwrap();
        s.set_tos_v4(0xb8).unwrap();
        s.set_send_buffer_size(10_000).unwrap();
        s.set_recv_buffer_size(20_000).unwrap();
        s.set_reuseaddr(true).unwrap();
        assert!(s.nodelay().unwrap() && s.keepalive().unwrap() && s.reuseaddr().unwrap());
        assert_eq!(s.linger().unwrap(), Some(Duration::from_secs(1)));
        assert_eq!(s.tos_v4().unwrap(), 0xb8);
        assert_eq!(s.set_tos_v4(256).unwrap_err().kind(), ErrorKind::InvalidInput);
        // Linux tells twice what was set, and so do we there.
        let twice = if cfg!(any(target_os = "linux", target_os = "android")) { 2 } else { 1 };
        assert_eq!(s.send_buffer_size().unwrap(), twice * 10_000);
        assert_eq!(s.recv_buffer_size().unwrap(), twice * 20_000);
        s.bind_device(Some(b"loopback")).unwrap();
        s.bind_device(None).unwrap();
        assert_eq!(s.bind_device(Some(b"eth0")).unwrap_err().kind(), ErrorKind::NotFound);
        s.set_reuseport(true).unwrap();
        assert!(s.reuseport().unwrap());
        let stream = s.connect("10.0.0.1:80".parse().unwrap()).await.unwrap();
        assert!(stream.nodelay().unwrap() && stream.keepalive().is_some());
        assert_eq!(stream.linger().unwrap(), Some(Duration::from_secs(1)));
        assert_eq!(stream.info().send_buffer, 10_000);
        assert_eq!(stream.info().receive_buffer, 20_000);
    });
}

#[test]
fn the_smallest_buffers_still_carry_text() {
    on_both(|| async {
        let net = net();
        let listener = net.listen((ADDR, 80)).await.unwrap();
        let s = TcpSocket::on(&net, true);
        s.set_send_buffer_size(0).unwrap();
        s.set_recv_buffer_size(0).unwrap();
        let mut a = s.connect("10.0.0.1:80".parse().unwrap()).await.unwrap();
        let (mut b, _) = listener.accept().await.unwrap();
        let text = pattern(20_000);
        let (mut at_a, mut at_b) = (vec![0; text.len()], vec![0; text.len()]);
        let (mut ar, mut aw) = a.split();
        let (mut br, mut bw) = b.split();
        let (w1, w2, r1, r2) = tokio::join!(
            aw.write_all(&text),
            bw.write_all(&text),
            ar.read_exact(&mut at_a),
            br.read_exact(&mut at_b),
        );
        w1.and(w2).unwrap();
        r1.and(r2).unwrap();
        assert!(at_a == text && at_b == text);
    });
}

#[test]
fn accepted_streams_inherit_what_was_set_before_listening() {
    on_both(|| async {
        let net = net();
        let socket = TcpSocket::on(&net, true);
        socket.set_nodelay(true).unwrap();
        socket.set_keepalive(true).unwrap();
        socket.bind((ADDR.parse::<std::net::IpAddr>().unwrap(), 80).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let _client = net.connect((ADDR, 80)).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert!(server.nodelay().unwrap());
        assert!(server.keepalive().is_some());
    });
}

// MUST-48, MUST-49, RFC 5082
#[test]
fn hop_limits_and_traffic_classes_are_told_and_inherited() {
    on_both(|| async {
        let net = net();
        let socket = TcpSocket::on(&net, true);
        assert_eq!((socket.ttl(), socket.min_ttl()), (64, 0));
        assert_eq!(socket.set_ttl(0).unwrap_err().kind(), ErrorKind::InvalidInput);
        socket.set_ttl(255).unwrap();
        socket.set_min_ttl(9);
        socket.set_tos_v4(0xb8).unwrap();
        socket.bind((ADDR.parse::<std::net::IpAddr>().unwrap(), 80).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let client = net.connect((ADDR, 80)).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!((server.ttl().unwrap(), server.min_ttl()), (255, 9));
        assert_eq!((server.traffic_class(), client.traffic_class()), (0xb8, 0));
        client.set_min_ttl(3);
        client.set_traffic_class(0x20);
        assert_eq!((client.min_ttl(), client.traffic_class()), (3, 0x20));
    });
}

#[test]
fn what_no_route_reaches_is_an_unreachable_network() {
    on_both(|| async {
        let net = Net::builder()
            .address("10.0.0.1/24")
            .routes(tcp_async::Routes::Only(vec![]))
            .loopback()
            .unwrap();
        for to in ["8.8.8.8:80", "[2001:db8::1]:80"] {
            let error = net.connect(to).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
        }
        assert!(net.add_address("10.0.0.7/24".parse().unwrap()));
        let listener = net.listen("10.0.0.7:80").await.unwrap();
        let _client = net.connect("10.0.0.7:80").await.unwrap();
        listener.accept().await.unwrap();
        assert!(net.remove_address("10.0.0.7".parse().unwrap()));
        let gone = net.listen("10.0.0.7:81").await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn buffer_sizes_are_those_in_force() {
    on_both(|| async {
        let net = net();
        let _l = net.listen((ADDR, 80)).await.unwrap();
        let s = TcpSocket::on(&net, true);
        assert_eq!(s.send_buffer_size().unwrap(), 256 << 10);
        assert_eq!(s.recv_buffer_size().unwrap(), 128 << 10);
        s.set_send_buffer_size(1).unwrap();
        s.set_recv_buffer_size(u32::MAX).unwrap();
        // Linux tells twice what is set.
        let told = if cfg!(any(target_os = "linux", target_os = "android")) { 2 } else { 1 };
        assert_eq!(s.send_buffer_size().unwrap(), told << 10, "no less");
        assert_eq!(s.recv_buffer_size().unwrap(), told << 30, "no more");
        s.set_send_buffer_size(50_000).unwrap();
        s.set_recv_buffer_size(60_000).unwrap();
        s.set_notsent_lowat(Some(7000));
        assert_eq!(s.notsent_lowat(), Some(7000));
        let a = s.connect(SocketAddr::new(ADDR.parse().unwrap(), 80)).await.unwrap();
        assert_eq!(a.send_buffer_size().unwrap(), 50_000);
        assert_eq!(a.recv_buffer_size().unwrap(), 60_000);
        assert_eq!(a.notsent_lowat(), Some(7000));
        a.set_send_buffer_size(70_000).unwrap();
        a.set_recv_buffer_size(80_000).unwrap();
        a.set_notsent_lowat(Some(0));
        assert_eq!(a.send_buffer_size().unwrap(), 70_000);
        assert_eq!(a.recv_buffer_size().unwrap(), 80_000);
        assert_eq!(a.notsent_lowat(), None);
    });
}

#[test]
fn a_writer_waits_for_the_low_mark_and_everything_arrives() {
    on_both(|| async {
        let (mut a, mut b, _l) = pair(&net()).await;
        a.set_notsent_lowat(Some(2000));
        let data = pattern(300_000);
        let sent = data.clone();
        let writer = tokio::spawn(async move {
            a.write_all(&sent).await.unwrap();
            a.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        b.read_to_end(&mut got).await.unwrap();
        writer.await.unwrap();
        assert!(got == data);
    });
}
