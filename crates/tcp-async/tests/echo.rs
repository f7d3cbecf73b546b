//! Does what is sent come back?
mod common;

use common::{net, on_both, pair, pattern};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn many_connections_echo_at_once() {
    on_both(|| async {
        let net = net();
        let listener = net.listen("10.0.0.1:7").await.unwrap();
        let server = tokio::spawn(async move {
            for _ in 0..20 {
                let (mut s, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut r, mut w) = s.split();
                    tokio::io::copy(&mut r, &mut w).await.unwrap();
                    w.shutdown().await.unwrap();
                });
            }
        });
        let clients = (0..20).map(|i| {
            let net = net.clone();
            tokio::spawn(async move {
                let mut c = net.connect("10.0.0.1:7").await.unwrap();
                let text = pattern(1000 * i + 1);
                let mut back = Vec::new();
                let (mut r, mut w) = c.split();
                let write = async {
                    w.write_all(&text).await.unwrap();
                    w.shutdown().await.unwrap();
                };
                let ((), read) = tokio::join!(write, r.read_to_end(&mut back));
                assert_eq!(read.unwrap(), text.len());
                assert!(back == text);
            })
        });
        for c in clients.collect::<Vec<_>>() {
            c.await.unwrap();
        }
        server.await.unwrap();
    });
}

#[test]
fn the_loopback_network_and_ipv6_are_reachable() {
    on_both(|| async {
        let net = net();
        for addr in ["127.0.0.1:7", "[::1]:7", "[fd00::1]:7"] {
            let listener = net.listen(addr).await.unwrap();
            let mut c = net.connect(addr).await.unwrap();
            let (mut s, _) = listener.accept().await.unwrap();
            s.write_all(b"hello").await.unwrap();
            let mut text = [0; 5];
            c.read_exact(&mut text).await.unwrap();
            assert_eq!(&text, b"hello");
        }
    });
}

#[test]
fn thirty_two_mebibytes_arrive_in_order() {
    on_both(|| async {
        let (mut client, mut server, _listener) = pair(&net()).await;
        let block = pattern(1 << 20);
        let expected = block.clone();
        let writer = tokio::spawn(async move {
            for _ in 0..32 {
                client.write_all(&block).await.unwrap();
            }
        });
        let mut buf = vec![0; 1 << 20];
        for n in 0..32 {
            server.read_exact(&mut buf).await.unwrap();
            assert!(buf == expected, "mebibyte {n}");
        }
        assert_eq!(server.read(&mut buf).await.unwrap(), 0);
        writer.await.unwrap();
    });
}
