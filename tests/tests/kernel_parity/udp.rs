//! The situations of UDP: what each call of a `UdpSocket` returns, the kernel's and ours.

use super::{FAMILY, alone, row};

/// What differs on purpose, and why.
const EXPLAINED: &[(&str, &str)] = &[
    ("UDP: connect to port 0", "A mistake of the caller: told at once"),
    ("UDP: send without a peer", "Rust has no stable `ErrorKind` for EDESTADDRREQ"),
    ("UDP: send more than a datagram holds", "Rust has no stable `ErrorKind` for EMSGSIZE"),
    ("UDP: send to the other family", FAMILY),
];

macro_rules! situations {
    ($module:ident, $($types:tt)*) => {
        mod $module {
            use super::super::{BRIEFLY, GUARD, Notes};
            use std::io;
            use std::net::SocketAddr;
            use tokio::io::Interest;
            use $($types)*::UdpSocket;

            async fn one() -> (UdpSocket, SocketAddr) {
                let s = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                let addr = s.local_addr().unwrap();
                (s, addr)
            }

            async fn pair() -> (UdpSocket, UdpSocket) {
                let ((a, at), (b, bt)) = (one().await, one().await);
                a.connect(bt).await.unwrap();
                b.connect(at).await.unwrap();
                (a, b)
            }

            /// A socket whose peer is gone, and has said so.
            async fn refused() -> UdpSocket {
                let (a, b) = pair().await;
                drop(b);
                a.send(b"x").await.unwrap();
                a.ready(Interest::ERROR).await.unwrap();
                a
            }

            fn ok<T>(r: io::Result<T>) -> io::Result<()> {
                r.map(drop)
            }

            pub(super) async fn play(situation: &str) -> String {
                let mut n = Notes::default();
                tokio::time::timeout(GUARD, act(situation, &mut n)).await.expect("it hangs");
                n.text()
            }

            #[expect(clippy::too_many_lines, reason = "a list")]
            async fn act(situation: &str, n: &mut Notes) {
                let mut buf = [0; 16];
                match situation {
                    "UDP: a datagram for nobody" => {
                        let a = refused().await;
                        n.note("recv", a.recv(&mut buf).await);
                        n.note("again", a.try_recv(&mut buf));
                        n.note("send", a.send(b"x").await);
                        n.note("again", a.send(b"x").await);
                    }
                    "UDP: take_error after a refusal" => {
                        let a = refused().await;
                        let kind = |r: io::Result<Option<io::Error>>| r.map(|e| e.map(|e| e.kind()));
                        n.note("take_error", kind(a.take_error()));
                        n.note("again", kind(a.take_error()));
                        n.note("recv", a.try_recv(&mut buf));
                    }
                    "UDP: a refusal before text" => {
                        let (a, b) = pair().await;
                        let bt = b.local_addr().unwrap();
                        b.send(b"text").await.unwrap();
                        a.readable().await.unwrap();
                        drop(b);
                        a.send(b"x").await.unwrap();
                        a.ready(Interest::ERROR).await.unwrap();
                        n.note("recv", a.recv(&mut buf).await);
                        n.note("again", a.recv(&mut buf).await);
                        n.note("bind there", ok(UdpSocket::bind(bt).await));
                    }
                    "UDP: readable after a refusal" => {
                        let a = refused().await;
                        let wait = tokio::time::timeout(BRIEFLY, a.readable()).await;
                        n.note("readable", Ok(wait.is_ok()));
                        n.note("recv", a.recv(&mut buf).await);
                    }
                    "UDP: a datagram for nobody, not connected" => {
                        let ((a, _), (b, bt)) = (one().await, one().await);
                        drop(b);
                        n.note("send", a.send_to(b"x", bt).await);
                        n.note("again", a.send_to(b"x", bt).await);
                        n.note("recv", a.try_recv(&mut buf));
                    }
                    "UDP: a datagram is there when send returns" => {
                        let (a, b) = pair().await;
                        n.note("send", a.send(b"text").await);
                        b.readable().await.unwrap();
                        n.note("recv", b.try_recv(&mut buf));
                        n.note("again", b.try_recv(&mut buf));
                    }
                    "UDP: a buffer that is too short" => {
                        let (a, b) = pair().await;
                        n.note("send", a.send(b"twelve octets").await);
                        n.note("peek", b.peek(&mut buf[..3]).await);
                        n.note("recv", b.recv(&mut buf[..3]).await);
                        n.note("again", b.try_recv(&mut buf));
                    }
                    "UDP: an empty datagram" => {
                        let (a, b) = pair().await;
                        n.note("send", a.send(b"").await);
                        n.note("recv", b.recv(&mut buf).await);
                        n.note("again", b.try_recv(&mut buf));
                    }
                    "UDP: a peer is not everybody" => {
                        let (a, b) = pair().await;
                        let (c, _) = one().await;
                        n.note("send", c.send_to(b"x", a.local_addr().unwrap()).await);
                        n.note("send", b.send(b"yes").await);
                        n.note("recv", a.recv(&mut buf).await);
                        n.note("again", a.try_recv(&mut buf));
                    }
                    "UDP: connect again" => {
                        let (a, b) = pair().await;
                        let (c, ct) = one().await;
                        n.note("connect", a.connect(ct).await);
                        n.note("send", a.send(b"x").await);
                        n.note("recv", c.recv(&mut buf).await);
                        n.note("send there", a.send_to(b"x", b.local_addr().unwrap()).await);
                        n.note("recv there", b.recv(&mut buf).await);
                        n.note("peer", a.peer_addr().map(|p| p == ct));
                    }
                    "UDP: connect a wildcard" => {
                        let a = UdpSocket::bind("0.0.0.0:0").await.unwrap();
                        let (_b, bt) = one().await;
                        n.note("peer", ok(a.peer_addr()));
                        n.note("connect", a.connect(bt).await);
                        n.note("local", a.local_addr().map(|l| l.ip()));
                        n.note("connect", a.connect("127.0.0.2:9").await);
                        n.note("local", a.local_addr().map(|l| l.ip()));
                    }
                    "UDP: connect to port 0" => {
                        let (a, _) = one().await;
                        n.note("connect", a.connect("127.0.0.1:0").await);
                    }
                    "UDP: send to port 0" => {
                        let (a, _) = one().await;
                        n.note("send", a.send_to(b"x", "127.0.0.1:0").await);
                    }
                    "UDP: send to the unspecified address" => {
                        let ((a, _), (b, bt)) = (one().await, one().await);
                        n.note("send", a.send_to(b"x", ("0.0.0.0", bt.port())).await);
                        n.note("recv", b.recv(&mut buf).await);
                    }
                    "UDP: send without a peer" => {
                        let (a, _) = one().await;
                        n.note("send", a.send(b"x").await);
                        n.note("peer", ok(a.peer_addr()));
                    }
                    "UDP: send more than a datagram holds" => {
                        let ((a, _), (_b, bt)) = (one().await, one().await);
                        n.note("send", a.send_to(&[0; 65_508], bt).await);
                    }
                    "UDP: send the largest datagram" => {
                        let ((a, _), (b, bt)) = (one().await, one().await);
                        n.note("send", a.send_to(&[0; 65_507], bt).await);
                        n.note("recv", b.recv(&mut vec![0; 70_000]).await);
                    }
                    "UDP: send to the other family" => {
                        let (a, _) = one().await;
                        n.note("send", a.send_to(b"x", "[::1]:9").await);
                    }
                    "UDP: the broadcast option" => {
                        let a = UdpSocket::bind("0.0.0.0:0").await.unwrap();
                        n.note("broadcast", a.broadcast());
                        n.note("set", a.set_broadcast(true));
                        n.note("broadcast", a.broadcast());
                    }
                    "UDP: both families" => {
                        let a = UdpSocket::bind("[::]:0").await.unwrap();
                        let port = a.local_addr().unwrap().port();
                        let (b, _) = one().await;
                        n.note("send", b.send_to(b"x", ("127.0.0.1", port)).await);
                        let from = a.recv_from(&mut buf).await.map(|(_, from)| from);
                        n.note("from", from.as_ref().map(|f| f.ip()).map_err(|e| e.kind().into()));
                        n.note("answer", a.send_to(b"y", from.unwrap()).await);
                        n.note("recv", b.recv_from(&mut buf).await.map(|(_, from)| from.ip()));
                        n.note("v4", a.send_to(b"z", b.local_addr().unwrap()).await);
                        n.note("recv", b.recv(&mut buf).await);
                    }
                    "UDP: bind twice" => {
                        let (_a, at) = one().await;
                        n.note("same", ok(UdpSocket::bind(at).await));
                        n.note("any", ok(UdpSocket::bind(("0.0.0.0", at.port())).await));
                        n.note("foreign", ok(UdpSocket::bind("192.0.2.1:0").await));
                        n.note("other", ok(UdpSocket::bind(("127.0.0.2", at.port())).await));
                    }
                    "UDP: options of a new socket" => {
                        let (a, _) = one().await;
                        n.note("ttl", a.ttl());
                        n.note("tos", a.tos_v4());
                        n.note("multicast ttl", a.multicast_ttl_v4());
                        n.note("multicast loop", a.multicast_loop_v4());
                        n.note("ttl 0", a.set_ttl(0));
                        n.note("ttl 256", a.set_ttl(256));
                        n.note("multicast ttl 0", a.set_multicast_ttl_v4(0));
                    }
                    "UDP: groups" => {
                        let a = UdpSocket::bind("0.0.0.0:0").await.unwrap();
                        let group = "224.0.0.251".parse().unwrap();
                        let here = "127.0.0.1".parse().unwrap();
                        n.note("no group", a.join_multicast_v4(here, here));
                        n.note("join", a.join_multicast_v4(group, here));
                        n.note("again", a.join_multicast_v4(group, here));
                        n.note("leave", a.leave_multicast_v4(group, here));
                        n.note("again", a.leave_multicast_v4(group, here));
                    }
                    "UDP: readiness of a new socket" => {
                        let (a, _) = one().await;
                        let all = Interest::READABLE | Interest::WRITABLE;
                        let r = a.ready(all).await;
                        n.note("readable", r.as_ref().map(|r| r.is_readable()).map_err(|e| e.kind().into()));
                        n.note("writable", r.map(|r| r.is_writable()));
                        n.note("recv", a.try_recv(&mut buf));
                    }
                    other => panic!("`{other}` is not played"),
                }
            }
        }
    };
}

situations!(kernel, tokio::net);
situations!(ours, tcp_async);

const SITUATIONS: &[&str] = &[
    "UDP: a datagram for nobody",
    "UDP: take_error after a refusal",
    "UDP: a refusal before text",
    "UDP: readable after a refusal",
    "UDP: a datagram for nobody, not connected",
    "UDP: a datagram is there when send returns",
    "UDP: a buffer that is too short",
    "UDP: an empty datagram",
    "UDP: a peer is not everybody",
    "UDP: connect again",
    "UDP: connect a wildcard",
    "UDP: connect to port 0",
    "UDP: send to port 0",
    "UDP: send to the unspecified address",
    "UDP: send without a peer",
    "UDP: send more than a datagram holds",
    "UDP: send the largest datagram",
    "UDP: send to the other family",
    "UDP: the broadcast option",
    "UDP: both families",
    "UDP: bind twice",
    "UDP: options of a new socket",
    "UDP: groups",
    "UDP: readiness of a new socket",
];

/// Rows and what is wrong with them.
pub(super) async fn played() -> (String, Vec<String>) {
    let (mut rows, mut problems) = (String::new(), Vec::new());
    for &situation in SITUATIONS {
        let theirs = alone(kernel::play(situation)).await;
        let own = alone(ours::play(situation)).await;
        match row(situation, &theirs, &own, EXPLAINED) {
            Ok(row) => rows += &row,
            Err(problem) => problems.push(problem),
        }
    }
    (rows, problems)
}
