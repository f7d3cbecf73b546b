//! What does a connection look like to a tokio program? `TcpStream` in the shape of `tokio::net`. When
//! it is ready is in `ready`, what is tried at once in `attempt`.

mod attempt;
mod ready;

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tcp_core::connection::{Info, State};
use tcp_io::cell::{ConnCell, Interest as CellInterest};
use tcp_io::stack::ConnectOptions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::ToSocketAddrs;

use crate::budget::{attempt, cooperative};
use crate::error;
use crate::net::Net;
use crate::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::wait::Wait;

pub(crate) use self::ready::{cell_interest, tokio_ready};

/// A TCP connection; see `tokio::net::TcpStream`.
///
/// Dropping it closes in the background: what was written is still delivered. If received text
/// was not read, the connection is reset instead (RFC 9293 3.6.1), as on Linux. Dropping never
/// waits; [`close`](Self::close) does, as long as [`set_linger`](Self::set_linger) says.
///
/// ```
/// # use tcp_async::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// let (mut server, _) = listener.accept().await?;
/// client.write_all(b"hello").await?;
/// client.shutdown().await?;
/// let mut text = String::new();
/// server.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # Ok(())
/// # }
/// ```
pub struct TcpStream {
    pub(crate) net: Net,
    pub(crate) cell: Arc<ConnCell>,
}

impl TcpStream {
    pub(crate) fn new(net: Net, cell: Arc<ConnCell>) -> TcpStream {
        TcpStream { net, cell }
    }

    /// Connects to `addr` over the ambient stack ([`Net::current`]).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    ///
    /// // Nobody has built a stack: the loopback network of the process has no way out.
    /// let e = TcpStream::connect("192.0.2.1:80").await.unwrap_err();
    /// assert_eq!(e.kind(), std::io::ErrorKind::NetworkUnreachable);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Net::current`] and [`Net::connect`]. The process's loopback network, which is meant if
    /// no stack was entered or installed, says `NetworkUnreachable` to all but loopback addresses.
    ///
    /// # Cancel safety
    /// Dropping the future aborts the attempt.
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        Net::current()?.connect(addr).await
    }

    /// Connects to one address with options.
    pub(crate) async fn connect_with(
        net: &Net,
        addr: SocketAddr,
        options: ConnectOptions,
    ) -> io::Result<TcpStream> {
        net.connect_addr(addr, options).await
    }

    pub(crate) async fn connected(&self) -> io::Result<()> {
        poll_fn(|cx| self.cell.poll_connected(cx)).await.map_err(error::from_end)
    }

    /// The stack it belongs to.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// let other = stream.net().connect(listener.local_addr()?).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The address of this end.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// assert_eq!(stream.local_addr()?, peer.peer_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.cell.tuple().local.into())
    }

    /// The address of the peer.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotConnected` once the connection has failed.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self.cell.end() {
            None | Some(tcp_core::error::End::Closed) => Ok(self.cell.tuple().remote.into()),
            Some(_) => Err(io::Error::from(io::ErrorKind::NotConnected)),
        }
    }

    /// Takes the pending error (`SO_ERROR`): a failure, or a soft error that the network reported
    /// (MUST-47).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// assert!(stream.take_error()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.cell.take_error().map(error::from_taken))
    }

    /// The state of the connection (RFC 9293 3.3.2).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// assert_eq!(stream.state(), State::Established);
    /// # Ok(())
    /// # }
    /// ```
    pub fn state(&self) -> State {
        match self.cell.state() {
            // The quiet time belongs to a record of the stack, which outlives the connection.
            State::Closed => self.net.handle.inspect(|s| s.state(self.cell.id())),
            state => state,
        }
    }

    /// A snapshot in the manner of `tcp_info`, all spans of time counted up to now.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// let info = stream.info();
    /// println!("{:?} round trip, {} octets in flight", info.rtt, info.in_flight);
    /// assert_eq!(info.send_queue, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn info(&self) -> Info {
        self.cell.info_at(self.net.handle.now())
    }

    /// Gives the connection a name for tables; see [`Net::connections`]. Who accepts gets the
    /// listener's label to begin with.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_label("upstream 3");
    /// assert_eq!(stream.label().as_deref(), Some("upstream 3"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_label(&self, label: impl Into<Arc<str>>) {
        self.cell.set_label(Some(label.into()));
    }

    /// The connection's name, if it has one.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// assert_eq!(stream.label(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn label(&self) -> Option<Arc<str>> {
        self.cell.label()
    }

    /// Polls for text without taking it; keeps the waker of the last task that called.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use std::future::poll_fn;
    /// use tokio::io::ReadBuf;
    ///
    /// peer.try_write(b"hello")?;
    /// let mut text = [0; 10];
    /// let mut buf = ReadBuf::new(&mut text);
    /// let n = poll_fn(|cx| stream.poll_peek(cx, &mut buf)).await?;
    /// assert_eq!((n, buf.filled()), (5, &b"hello"[..]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As reading.
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, CellInterest::READABLE, |s| {
            let n = s.cell.peek(buf.initialize_unfilled()).map_err(error::from_user)?;
            buf.advance(n);
            Ok(n)
        })
    }

    /// Reads without taking: the same text is there for the next read.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// peer.try_write(b"hello")?;
    /// let mut text = [0; 10];
    /// assert_eq!(stream.peek(&mut text).await?, 5);
    /// assert_eq!(stream.try_read(&mut text)?, 5); // still there
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As reading.
    ///
    /// # Cancel safety
    /// Nothing is taken, so nothing is lost.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match attempt(|| self.cell.peek(buf).map_err(error::from_user)).await {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    Wait::new(&self.cell, CellInterest::READABLE).await;
                }
                r => return r,
            }
        }
    }

    /// Borrowed halves; see `tokio::net::TcpStream::split`.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// let (mut read, mut write) = stream.split();
    /// // Copies until the peer closes, in both directions of one stream.
    /// let echo = tokio::io::copy(&mut read, &mut write);
    /// drop(peer);
    /// echo.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf(&*self), WriteHalf(&*self))
    }

    /// Owned halves; dropping the write half closes our direction.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// let (mut read, mut write) = stream.into_split();
    /// let writer = tokio::spawn(async move { write.write_all(b"hello").await });
    /// writer.await??; // dropping the half has closed the direction
    /// let mut text = Vec::new();
    /// peer.read_to_end(&mut text).await?;
    /// assert_eq!(text, b"hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        crate::split::into_split(self)
    }

    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        interest: CellInterest,
        mut act: impl FnMut(&TcpStream) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        cooperative(cx, |cx| {
            loop {
                match act(self) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    r => return Poll::Ready(r),
                }
                // Ready by now, if something arrived in between.
                ready!(self.cell.poll_ready(cx, interest));
            }
        })
    }

    pub(crate) fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_io(cx, CellInterest::READABLE, |s| {
            let room = buf.remaining();
            s.cell
                .read_with(s.net.handle.now(), room, &mut |text| buf.put_slice(text))
                .map(|_| ())
                .map_err(error::from_user)
        })
    }

    pub(crate) fn poll_write_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, CellInterest::WRITABLE, |s| s.try_write(buf))
    }

    pub(crate) fn poll_write_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, CellInterest::WRITABLE, |s| s.try_write_vectored(bufs))
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.cell.tuple();
        f.debug_struct("TcpStream")
            .field("addr", &SocketAddr::from(t.local))
            .field("peer", &SocketAddr::from(t.remote))
            .finish_non_exhaustive()
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.cell.close(self.net.handle.now());
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_shared(cx, buf)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_shared(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored_shared(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written is on its way by itself.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown_write())
    }
}
