//! What do these tests stand on? A stack without a device, run under both flavours of tokio's
//! runtime, and a pair of connected streams. Timeouts are guards only: nothing waits for them.
#![allow(dead_code, reason = "each test uses some of it")]

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tcp_async::{Net, TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// The address of the tests' stack.
pub(crate) const ADDR: &str = "10.0.0.1";

/// No test takes this long; a hang shows as a failure.
const GUARD: Duration = Duration::from_secs(60);

/// A runtime with one thread.
pub(crate) fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime with two threads.
pub(crate) fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs a test under both flavours.
pub(crate) fn on_both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    one_thread().block_on(guarded(test()));
    two_threads().block_on(guarded(test()));
}

/// Runs a test in virtual time: when every task waits, the clock jumps to the next deadline.
pub(crate) fn in_virtual_time<F: Future<Output = ()>>(test: F) {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

/// Fails a future that hangs.
pub(crate) async fn guarded<T>(f: impl Future<Output = T>) -> T {
    tokio::time::timeout(GUARD, f).await.expect("it hangs")
}

/// A stack that only reaches itself.
pub(crate) fn net() -> Net {
    Net::builder().address("10.0.0.1/24").address("fd00::1/64").loopback().unwrap()
}

/// A client's and a server's stream, connected, and the listener.
pub(crate) async fn pair(net: &Net) -> (TcpStream, TcpStream, TcpListener) {
    let listener = net.listen((ADDR, 0)).await.unwrap();
    let client = net.connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    // An accepted stream counts as readable until it is tried, as tokio's.
    assert_eq!(server.try_read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    (client, server, listener)
}

/// Polls once, so that the future waits in its place.
pub(crate) async fn poll_once<F: Future>(mut f: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(f.as_mut().poll(cx))).await
}

/// Octets whose value depends on their place.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// Writes until both buffers are full and nothing moves any more; returns how much went in.
/// Needs virtual time, where waiting for nothing costs nothing.
pub(crate) async fn fill(stream: &TcpStream) -> usize {
    let block = pattern(65_536);
    let mut written = 0;
    while tokio::time::timeout(Duration::from_secs(1), stream.writable()).await.is_ok() {
        written += stream.try_write(&block).unwrap_or(0);
    }
    written
}
