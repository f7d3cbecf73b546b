//! What if the device takes nothing, or the stack ends with much to say?
mod common;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use common::in_virtual_time;
use tcp_async::{Net, TcpStream};
use tcp_io::device::{Capabilities, Device, MemoryDevice, RxMeta, TxPacket, memory_pair_bounded};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A wire that takes nothing while its gate is shut.
struct Gated {
    wire: MemoryDevice,
    shut: Arc<AtomicBool>,
}

impl Device for Gated {
    fn capabilities(&self) -> Capabilities {
        self.wire.capabilities()
    }

    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<RxMeta>> {
        self.wire.poll_recv(cx, buf)
    }

    fn poll_send(&self, cx: &mut Context<'_>, packet: &TxPacket) -> Poll<io::Result<()>> {
        if self.shut.load(Ordering::Relaxed) {
            // Nobody opens it in these tests, so nobody has to be woken.
            return Poll::Pending;
        }
        self.wire.poll_send(cx, packet)
    }
}

struct Two {
    a: Net,
    b: Net,
    shut: Arc<AtomicBool>,
}

/// Two stacks, the first behind a gate and without patience at its end.
fn two() -> Two {
    let (near, far) = memory_pair_bounded(Capabilities::plain(1500), 4096);
    let shut = Arc::new(AtomicBool::new(false));
    let near = Gated { wire: near, shut: shut.clone() };
    let a = Net::builder().address("10.0.0.1/24").grace(Duration::ZERO).device(near).unwrap();
    let b = Net::builder().address("10.0.0.2/24").device(far).unwrap();
    Two { a, b, shut }
}

/// `n` connections from the first to the second stack.
async fn connect(t: &Two, n: usize) -> Vec<(TcpStream, TcpStream)> {
    let listener = t.b.listen("10.0.0.2:80").await.unwrap();
    let mut all = Vec::new();
    for _ in 0..n {
        let ours = t.a.connect("10.0.0.2:80").await.unwrap();
        all.push((ours, listener.accept().await.unwrap().0));
    }
    all
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), what).await.expect("it hangs")
}

#[test]
fn tasks_are_woken_while_the_device_takes_nothing() {
    in_virtual_time(async {
        let t = two();
        let mut all = connect(&t, 2).await;
        let (mut stuck, _peer) = all.pop().unwrap();
        let (mut ours, mut theirs) = all.pop().unwrap();
        t.shut.store(true, Ordering::Relaxed);
        // A packet that the device does not take stands in front of everything else.
        stuck.write_all(b"stuck").await.unwrap();
        let reading = tokio::spawn(async move {
            let mut text = [0; 5];
            ours.read_exact(&mut text).await.unwrap();
            let end = ours.read(&mut [0; 1]).await;
            (text, end.map_err(|e| e.kind()))
        });
        tokio::task::yield_now().await;
        theirs.write_all(b"hello").await.unwrap();
        // The reader has to see the reset, too, before the device takes anything.
        tokio::time::sleep(Duration::from_millis(100)).await;
        theirs.abort();
        let (text, end) = soon(reading).await.unwrap();
        assert_eq!((&text, end), (b"hello", Err(ErrorKind::ConnectionReset)));
    });
}

// More than the reactor writes in one turn.
#[test]
fn every_connection_is_reset_at_the_end_of_a_stack() {
    in_virtual_time(async {
        let t = two();
        let all = connect(&t, 200).await;
        t.a.shutdown().await;
        for (n, (ours, mut theirs)) in all.into_iter().enumerate() {
            // Not the end of its own stack, which would be `ConnectionAborted`.
            let e = soon(theirs.read(&mut [0; 1])).await.unwrap_err();
            assert_eq!(e.kind(), ErrorKind::ConnectionReset, "connection {n}");
            drop(ours);
        }
    });
}
