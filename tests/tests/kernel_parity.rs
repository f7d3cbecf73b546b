//! Does a program see the same of our TCP as of the kernel's? Situations played with `tokio::net` and with
//! our types, side by side on 127.0.0.1: what each call returns, in order. The results stand in
//! `docs/parity.md`, which this test checks; `PARITY=write` rewrites it. No root: nothing but loopback.
#![cfg(target_os = "linux")]

#[macro_use]
#[path = "kernel_parity/more.rs"]
mod more;

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

#[path = "kernel_parity/udp.rs"]
mod udp;

/// What differs on purpose, and why.
const EXPLAINED: &[(&str, &str)] = &[
    ("connect to port 0", "A mistake of the caller: told before a packet is sent"),
    ("connect to the broadcast address", MISTAKE),
    ("connect to a multicast address from loopback", MISTAKE),
    ("connect to the other family", FAMILY),
    ("bind an address of the other family", FAMILY),
    ("both shut down at once", "A stream that has ended in order still knows who its peer was"),
    ("a closure that would block", "`try_read` looks for itself: text that is there is read"),
    ("listen on the port of a connection", PORT),
    ("an empty read without text", "Nothing is asked for, so nothing is waited for: as `read(2)`"),
];
const MISTAKE: &str = "MUST-46: no address of one host; Linux says that no network leads there";
const PORT: &str = "Connections keep a listener with `SO_REUSEADDR` from no port; on Linux their sockets must say so too";
const FAMILY: &str = "Rust has no stable `ErrorKind` for EAFNOSUPPORT";

/// A hang is a failure.
const GUARD: Duration = Duration::from_secs(20);

/// What waits for ever waits longer than this.
const BRIEFLY: Duration = Duration::from_millis(100);

/// Writes down what a call returned.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn note<T: Debug>(&mut self, call: &str, result: io::Result<T>) {
        self.0.push(match result {
            Ok(value) => format!("{call}: {value:?}"),
            Err(e) => format!("{call}: {:?}", e.kind()),
        });
    }

    fn text(self) -> String {
        self.0.join("; ")
    }
}

/// Every situation, for one implementation of the types.
macro_rules! situations {
    ($module:ident, $($types:tt)*) => {
        mod $module {
            use super::{BRIEFLY, GUARD, Notes};
            use std::future::Future;
            use std::io;
            use std::net::SocketAddr;
            use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
            use $($types)*::{TcpListener, TcpSocket, TcpStream};

            async fn pair() -> (TcpStream, TcpStream) {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let addr = listener.local_addr().unwrap();
                let (a, b) = tokio::join!(TcpStream::connect(addr), listener.accept());
                (a.unwrap(), b.unwrap().0)
            }

            /// An address where nobody listens.
            async fn closed_port() -> SocketAddr {
                TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
            }

            /// Resets the connection under the peer, which learns of it before this returns.
            async fn reset(b: TcpStream, a: &TcpStream) {
                b.set_zero_linger().unwrap();
                drop(b);
                a.ready(Interest::ERROR | Interest::READABLE).await.unwrap();
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
                    "connect to a closed port" => {
                        n.note("connect", ok(TcpStream::connect(closed_port().await).await));
                    }
                    "connect to port 0" => {
                        n.note("connect", ok(TcpStream::connect("127.0.0.1:0").await));
                    }
                    "connect to the unspecified address" => {
                        let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
                        let port = l.local_addr().unwrap().port();
                        let c = TcpStream::connect(("0.0.0.0", port)).await;
                        n.note("peer", c.and_then(|c| Ok(c.peer_addr()?.ip())));
                    }
                    "connect to the broadcast address" => {
                        n.note("connect", ok(TcpStream::connect("255.255.255.255:80").await));
                    }
                    "connect to a multicast address from loopback" => {
                        let s = TcpSocket::new_v4().unwrap();
                        s.bind("127.0.0.1:0".parse().unwrap()).unwrap();
                        n.note("connect", ok(s.connect("224.0.0.1:80".parse().unwrap()).await));
                    }
                    "connect to the other family" => {
                        let s = TcpSocket::new_v4().unwrap();
                        n.note("connect", ok(s.connect("[::1]:80".parse().unwrap()).await));
                    }
                    "bind a foreign address" => {
                        n.note("bind", ok(TcpListener::bind("192.0.2.1:0").await));
                    }
                    "bind an address of the other family" => {
                        let s = TcpSocket::new_v4().unwrap();
                        n.note("bind", s.bind("[::1]:0".parse().unwrap()));
                    }
                    "bind twice" => {
                        let s = TcpSocket::new_v4().unwrap();
                        n.note("first", s.bind("127.0.0.1:0".parse().unwrap()));
                        n.note("second", s.bind("127.0.0.1:0".parse().unwrap()));
                    }
                    "listen where somebody listens" => {
                        let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
                        n.note("bind", ok(TcpListener::bind(l.local_addr().unwrap()).await));
                    }
                    "listen on any address where somebody listens" => {
                        let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
                        let port = l.local_addr().unwrap().port();
                        n.note("bind", ok(TcpListener::bind(("0.0.0.0", port)).await));
                    }
                    "listen without bind" => {
                        let l = TcpSocket::new_v4().unwrap().listen(8);
                        n.note("ip", l.and_then(|l| Ok(l.local_addr()?.ip())));
                    }
                    "listen again after a connection" => {
                        let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
                        let addr = l.local_addr().unwrap();
                        let (a, b) = tokio::join!(TcpStream::connect(addr), l.accept());
                        drop(l);
                        n.note("bind", ok(TcpListener::bind(addr).await));
                        drop((a, b));
                        n.note("after it", ok(TcpListener::bind(addr).await));
                    }
                    "the listener is gone before accept" => {
                        let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
                        let mut a = TcpStream::connect(l.local_addr().unwrap()).await.unwrap();
                        drop(l);
                        n.note("read", a.read(&mut buf).await);
                        n.note("again", a.read(&mut buf).await);
                    }
                    "the client is gone before accept" => {
                        let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
                        let mut a = TcpStream::connect(l.local_addr().unwrap()).await.unwrap();
                        a.write_all(b"bye").await.unwrap();
                        drop(a);
                        let (mut b, _) = l.accept().await.unwrap();
                        n.note("read", b.read(&mut buf).await);
                        n.note("again", b.read(&mut buf).await);
                    }
                    "the client has reset before accept" => {
                        let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
                        let a = TcpStream::connect(l.local_addr().unwrap()).await.unwrap();
                        a.set_zero_linger().unwrap();
                        drop(a);
                        let (mut b, _) = l.accept().await.unwrap();
                        b.ready(Interest::ERROR | Interest::READABLE).await.unwrap();
                        n.note("read", b.read(&mut buf).await);
                        n.note("peer", ok(b.peer_addr()));
                    }
                    "the peer half-closes" => {
                        let (mut a, mut b) = pair().await;
                        n.note("shutdown", b.shutdown().await);
                        n.note("read", a.read(&mut buf).await);
                        n.note("again", a.read(&mut buf).await);
                        n.note("write", a.write(b"text").await);
                        n.note("peer reads", b.read(&mut buf).await);
                        n.note("peer writes", b.write(b"more").await);
                    }
                    "readiness after the peer half-closed" => {
                        let (a, mut b) = pair().await;
                        b.shutdown().await.unwrap();
                        let r = a.ready(Interest::READABLE).await.unwrap();
                        n.note("readable, closed", Ok((r.is_readable(), r.is_read_closed())));
                        let w = a.ready(Interest::WRITABLE).await.unwrap();
                        n.note("writable, closed", Ok((w.is_writable(), w.is_write_closed())));
                        n.note("take_error", a.take_error().map(|e| e.map(|e| e.kind())));
                    }
                    "write after own shutdown" => {
                        let (mut a, _b) = pair().await;
                        n.note("shutdown", a.shutdown().await);
                        n.note("write", a.write(b"text").await);
                        n.note("again", a.write(b"text").await);
                        n.note("shutdown again", a.shutdown().await);
                    }
                    "reset while reading" => {
                        let (mut a, b) = pair().await;
                        b.set_zero_linger().unwrap();
                        let later = async { tokio::task::yield_now().await; drop(b) };
                        let (r, ()) = tokio::join!(a.read(&mut buf), later);
                        n.note("read", r);
                        n.note("again", a.read(&mut buf).await);
                        n.note("write", a.write(b"text").await);
                        n.note("peer", ok(a.peer_addr()));
                        n.note("local", ok(a.local_addr()));
                        n.note("shutdown", a.shutdown().await);
                    }
                    "reset while writing" => {
                        let (mut a, b) = pair().await;
                        b.set_zero_linger().unwrap();
                        let block = vec![0; 64 << 20];
                        let later = async { tokio::task::yield_now().await; drop(b) };
                        let (r, ()) = tokio::join!(a.write_all(&block), later);
                        n.note("write", r);
                        n.note("again", a.write(b"text").await);
                        n.note("read", a.read(&mut buf).await);
                    }
                    "take_error after a reset" => {
                        let (mut a, b) = pair().await;
                        reset(b, &a).await;
                        n.note("take_error", a.take_error().map(|e| e.map(|e| e.kind())));
                        n.note("again", a.take_error().map(|e| e.map(|e| e.kind())));
                        n.note("read", a.read(&mut buf).await);
                        n.note("write", a.write(b"text").await);
                    }
                    "write first after a reset" => {
                        let (mut a, b) = pair().await;
                        reset(b, &a).await;
                        n.note("write", a.write(b"text").await);
                        n.note("again", a.write(b"text").await);
                        n.note("read", a.read(&mut buf).await);
                    }
                    "readiness after a reset" => {
                        let (a, b) = pair().await;
                        reset(b, &a).await;
                        let r = a.ready(Interest::READABLE).await.unwrap();
                        n.note("readable, closed", Ok((r.is_readable(), r.is_read_closed())));
                        let w = a.ready(Interest::WRITABLE).await.unwrap();
                        n.note("writable, closed", Ok((w.is_writable(), w.is_write_closed())));
                        n.note("error", Ok(a.ready(Interest::ERROR).await.unwrap().is_error()));
                    }
                    "text, then a reset" => {
                        let (mut a, mut b) = pair().await;
                        b.write_all(b"text").await.unwrap();
                        while a.peek(&mut buf).await.unwrap() < 4 {}
                        b.set_zero_linger().unwrap();
                        drop(b);
                        a.ready(Interest::ERROR).await.unwrap();
                        n.note("read", a.read(&mut buf).await);
                        n.note("again", a.read(&mut buf).await);
                        n.note("third", a.read(&mut buf).await);
                    }
                    "the peer closes with unread text" => {
                        let (mut a, b) = pair().await;
                        a.write_all(b"text").await.unwrap();
                        b.readable().await.unwrap();
                        while b.peek(&mut buf).await.unwrap() < 4 {}
                        drop(b);
                        n.note("read", a.read(&mut buf).await);
                        n.note("again", a.read(&mut buf).await);
                    }
                    "write after the peer has closed" => {
                        let (mut a, b) = pair().await;
                        drop(b);
                        n.note("read", a.read(&mut buf).await);
                        n.note("write", a.write(b"text").await);
                        a.ready(Interest::ERROR).await.unwrap();
                        n.note("again", a.write(b"text").await);
                        n.note("third", a.write(b"text").await);
                        n.note("read", a.read(&mut buf).await);
                    }
                    "the owned write half is dropped" => {
                        let (a, mut b) = pair().await;
                        let (mut read, write) = a.into_split();
                        drop(write);
                        n.note("peer reads", b.read(&mut buf).await);
                        n.note("peer writes", b.write(b"text").await);
                        n.note("read", read.read(&mut buf).await);
                    }
                    "the owned write half is forgotten" => {
                        let (a, mut b) = pair().await;
                        let (read, write) = a.into_split();
                        write.forget();
                        b.try_read(&mut buf).unwrap_err();
                        n.note("peer reads at once", b.try_read(&mut buf));
                        drop(read);
                        n.note("peer reads", b.read(&mut buf).await);
                    }
                    "try_read without text" => {
                        let (a, b) = pair().await;
                        n.note("connected", a.try_read(&mut buf));
                        n.note("accepted", b.try_read(&mut buf));
                    }
                    "empty reads and writes" => {
                        let (mut a, mut b) = pair().await;
                        n.note("write", a.write(&[]).await);
                        drop(b.shutdown().await);
                        n.note("read after the end", a.read(&mut []).await);
                    }
                    "an empty read without text" => {
                        let (mut a, _b) = pair().await;
                        // Whether it waits shows by nothing else than time.
                        let read = tokio::time::timeout(BRIEFLY, a.read(&mut [])).await;
                        n.note("read", read.unwrap_or(Err(io::ErrorKind::WouldBlock.into())));
                    }
                    "peek at the end" => {
                        let (a, mut b) = pair().await;
                        b.write_all(b"xy").await.unwrap();
                        b.shutdown().await.unwrap();
                        while a.peek(&mut buf).await.unwrap() < 2 {}
                        n.note("peek", a.peek(&mut buf).await);
                        n.note("read", a.try_read(&mut buf));
                        a.ready(Interest::READABLE).await.unwrap();
                        n.note("peek", a.peek(&mut buf).await);
                    }
                    "options of a new connection" => {
                        let (a, b) = pair().await;
                        n.note("nodelay", a.nodelay());
                        n.note("linger", a.linger());
                        n.note("ttl", a.ttl());
                        n.note("accepted ttl", b.ttl());
                    }
                    "options of a new socket" => {
                        let s = TcpSocket::new_v4().unwrap();
                        n.note("keepalive", s.keepalive());
                        n.note("reuseaddr", s.reuseaddr());
                        n.note("reuseport", s.reuseport());
                        n.note("linger", s.linger());
                        n.note("tos", s.tos_v4());
                        n.note("local", s.local_addr());
                        n.note("take_error", s.take_error().map(|e| e.map(|e| e.kind())));
                    }
                    "a hop limit of 0, and of 256" => {
                        let (a, _b) = pair().await;
                        n.note("0", a.set_ttl(0));
                        n.note("256", a.set_ttl(256));
                    }
                    "accepted connections inherit" => {
                        let s = TcpSocket::new_v4().unwrap();
                        s.set_nodelay(true).unwrap();
                        s.bind("127.0.0.1:0".parse().unwrap()).unwrap();
                        let l = s.listen(1).unwrap();
                        let _a = TcpStream::connect(l.local_addr().unwrap()).await.unwrap();
                        n.note("nodelay", l.accept().await.and_then(|(b, _)| b.nodelay()));
                    }
                    "a connect to itself" => {
                        let s = TcpSocket::new_v4().unwrap();
                        s.bind("127.0.0.1:0".parse().unwrap()).unwrap();
                        let own = s.local_addr().unwrap();
                        match s.connect(own).await {
                            Ok(mut a) => {
                                n.note("peer is local", Ok(a.peer_addr().unwrap() == own));
                                n.note("write", a.write(b"me").await);
                                n.note("read", a.read(&mut buf).await);
                            }
                            Err(e) => n.note::<()>("connect", Err(e)),
                        }
                    }
                    other => more(other, n).await,
                }
            }

            more_situations!();
        }
    };
}

situations!(kernel, tokio::net);
situations!(ours, tcp_async);

const SITUATIONS: &[&str] = &[
    "connect to a closed port",
    "connect to port 0",
    "connect to the unspecified address",
    "connect to the broadcast address",
    "connect to a multicast address from loopback",
    "connect to the other family",
    "bind a foreign address",
    "bind an address of the other family",
    "bind twice",
    "listen where somebody listens",
    "listen on any address where somebody listens",
    "listen without bind",
    "listen again after a connection",
    "the listener is gone before accept",
    "the client is gone before accept",
    "the client has reset before accept",
    "the peer half-closes",
    "readiness after the peer half-closed",
    "write after own shutdown",
    "reset while reading",
    "reset while writing",
    "take_error after a reset",
    "write first after a reset",
    "readiness after a reset",
    "text, then a reset",
    "the peer closes with unread text",
    "write after the peer has closed",
    "the owned write half is dropped",
    "the owned write half is forgotten",
    "try_read without text",
    "empty reads and writes",
    "an empty read without text",
    "peek at the end",
    "options of a new connection",
    "options of a new socket",
    "a hop limit of 0, and of 256",
    "accepted connections inherit",
    "a connect to itself",
    "a close with a linger of 0",
    "a linger time",
    "both shut down at once",
    "a reset after own shutdown",
    "peek after a reset",
    "the peer resets while the pipe is full",
    "a full pipe, and room again",
    "readiness of a new connection",
    "readiness with text, then without",
    "readiness after own shutdown",
    "readiness after both shut down",
    "readiness after the peer closed with unread text",
    "a closure that would block",
    "halves of two streams",
    "two tasks accept",
    "a task that accepts is cancelled",
    "a connect is cancelled",
    "connect to a full backlog",
    "the listener goes while a connect waits",
    "listen with a backlog of 0",
    "listen on the port of a connection",
    "two sockets bind with reuseaddr, and both listen",
    "two listeners with reuseport, and a third without",
];

const HEAD: &str = "# Side by side with the kernel\n\n\
    What a program sees in each situation with `tokio::net` on Linux and with `tcp_async`, on\n\
    127.0.0.1: what each call returns, in order. Made and checked by\n\
    `tests/tests/kernel_parity.rs` (`PARITY=write` rewrites it); a difference without a reason fails.\n\
    Unreachable and silent networks: [parity-network.md](parity-network.md).\n\n";

async fn played() -> (String, Vec<String>) {
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

/// The row of a situation, or what is wrong with it.
fn row(
    situation: &str,
    theirs: &str,
    own: &str,
    explained: &[(&str, &str)],
) -> Result<String, String> {
    let why = explained.iter().find(|(s, _)| *s == situation).map(|(_, why)| *why);
    match (theirs == own, why) {
        (true, None) => Ok(format!("| {situation} | {theirs} | the same |\n")),
        (false, Some(why)) => Ok(format!("| {situation} | {theirs} | {own}. {why} |\n")),
        (true, Some(_)) => Err(format!("{situation}: no difference is left to explain")),
        (false, None) => Err(format!("{situation}\n  kernel: {theirs}\n  ours:   {own}")),
    }
}

/// In a task of its own, so that a panic is an outcome like any other.
async fn alone(play: impl Future<Output = String> + Send + 'static) -> String {
    tokio::spawn(play).await.unwrap_or_else(|e| format!("panic: {e}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_sees_the_same_of_both() {
    let (mut rows, mut problems) = played().await;
    let (udp_rows, udp_problems) = udp::played().await;
    rows += &udp_rows;
    problems.extend(udp_problems);
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    let page = format!("{HEAD}| situation | kernel | ours |\n|---|---|---|\n{rows}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/parity.md");
    if std::env::var_os("PARITY").is_some_and(|v| v == "write") {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page, "PARITY=write mends it");
}
