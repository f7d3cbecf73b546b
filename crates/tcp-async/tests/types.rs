//! Can the types go wherever tokio's can?

use std::fmt::Debug;

use tcp_async::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
use tcp_async::{Builder, Incoming, Net, TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::io::{AsyncRead, AsyncWrite};

fn anywhere<T: Send + Sync + Unpin + Debug>() {}
fn future<T: Send>(_: impl FnOnce() -> T) {}

#[test]
fn types_are_send_sync_and_unpin() {
    anywhere::<TcpStream>();
    anywhere::<TcpListener>();
    anywhere::<TcpSocket>();
    anywhere::<UdpSocket>();
    anywhere::<ReadHalf<'_>>();
    anywhere::<WriteHalf<'_>>();
    anywhere::<OwnedReadHalf>();
    anywhere::<OwnedWriteHalf>();
    anywhere::<ReuniteError>();
    anywhere::<Net>();
    anywhere::<Incoming>();
    anywhere::<Builder>();
}

#[test]
fn sockets_may_cross_an_unwinding() {
    fn safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    safe::<TcpStream>();
    safe::<TcpListener>();
    safe::<TcpSocket>();
    safe::<UdpSocket>();
    safe::<Net>();
}

#[test]
fn futures_are_send() {
    fn of(net: &'static Net, stream: &'static TcpStream, listener: &'static TcpListener) {
        future(|| net.connect("10.0.0.1:80"));
        future(|| net.listen("10.0.0.1:80"));
        future(|| net.shutdown());
        future(|| TcpStream::connect("10.0.0.1:80"));
        future(|| TcpListener::bind("10.0.0.1:80"));
        future(|| listener.accept());
        future(|| stream.readable());
        future(|| stream.peek(&mut []));
    }
    let _ = of;
}

#[test]
fn streams_and_halves_read_and_write() {
    fn reads<T: AsyncRead>() {}
    fn writes<T: AsyncWrite>() {}
    reads::<TcpStream>();
    reads::<ReadHalf<'_>>();
    reads::<OwnedReadHalf>();
    writes::<TcpStream>();
    writes::<WriteHalf<'_>>();
    writes::<OwnedWriteHalf>();
}
