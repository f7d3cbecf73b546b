//! What does a connection look like to a tokio program? `TcpStream` in the shape of `tokio::net`.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tcp_core::Instant;
use tcp_core::connection::{Info, State};
use tcp_core::error::UserError;
use tcp_io::cell::{ConnCell, Interest as CellInterest, Readiness};
use tcp_io::stack::ConnectOptions;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::ToSocketAddrs;

use crate::budget::{attempt, cooperative};
use crate::error;
use crate::net::Net;
use crate::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::wait::Wait;

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

    /// Connects to `addr` over the ambient stack.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Net::connect`]; `Other` without an ambient stack (see [`Net::enter`]).
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

    /// Waits until one of the directions of `interest` is ready.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use tokio::io::Interest;
    ///
    /// let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
    /// assert!(ready.is_writable());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; a failure shows in the readiness, and in the next read or write.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let ready = Wait::new(&self.cell, cell_interest(interest)).await;
        Ok(tokio_ready(ready))
    }

    /// Waits until there is something to read, the end, or an error.
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
    /// loop {
    ///     stream.readable().await?;
    ///     match stream.try_read(&mut text) {
    ///         Ok(n) => break assert_eq!(&text[..n], b"hello"),
    ///         Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
    ///         Err(e) => return Err(e),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(|_| ())
    }

    /// Waits until there is room to write, or writing fails at once.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.writable().await?;
    /// assert_eq!(stream.try_write(b"hello")?, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(|_| ())
    }

    /// Polls for read readiness; keeps the waker of the last task that called.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// peer.try_write(b"hello")?;
    /// std::future::poll_fn(|cx| stream.poll_read_ready(cx)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        cooperative(cx, |cx| self.cell.poll_ready(cx, CellInterest::READABLE)).map(|_| Ok(()))
    }

    /// Polls for write readiness; keeps the waker of the last task that called.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// std::future::poll_fn(|cx| stream.poll_write_ready(cx)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        cooperative(cx, |cx| self.cell.poll_ready(cx, CellInterest::WRITABLE)).map(|_| Ok(()))
    }

    /// Reads what is there now.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use std::io::ErrorKind;
    ///
    /// let nothing = stream.try_read(&mut [0; 10]).expect_err("nothing has come");
    /// assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; otherwise as reading.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.cell.read(self.net.handle.now(), buf).map_err(error::from_user)
    }

    /// Reads what is there now into several buffers.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use std::io::IoSliceMut;
    ///
    /// peer.try_write(b"hello")?;
    /// stream.readable().await?;
    /// let (mut head, mut tail) = ([0; 2], [0; 10]);
    /// let n = stream.try_read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)])?;
    /// assert_eq!((n, &head, &tail[..3]), (5, b"he", &b"llo"[..]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        // In one step: a failure behind the text must wait for the next read.
        let room = bufs.iter().map(|b| b.len()).sum();
        let mut rooms = bufs.iter_mut().map(|b| &mut **b).filter(|b| !b.is_empty());
        let mut room_left: &mut [u8] = &mut [];
        let mut scatter = |mut text: &[u8]| {
            while !text.is_empty() {
                if room_left.is_empty() {
                    room_left = rooms.next().unwrap_or_default();
                }
                let n = text.len().min(room_left.len());
                let (now, later) = std::mem::take(&mut room_left).split_at_mut(n);
                now.copy_from_slice(&text[..n]);
                (text, room_left) = (&text[n..], later);
            }
        };
        self.cell.read_with(self.net.handle.now(), room, &mut scatter).map_err(error::from_user)
    }

    /// Reads what is there now into a growing buffer, at most as much as it has room for without
    /// growing; a `Vec` that is full grows first.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// peer.try_write(b"hello")?;
    /// stream.readable().await?;
    /// let mut text = Vec::with_capacity(100);
    /// stream.try_read_buf(&mut text)?;
    /// assert_eq!(text, b"hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let room = buf.chunk_mut().len();
        self.cell
            .read_with(self.net.handle.now(), room, &mut |text| buf.put_slice(text))
            .map_err(error::from_user)
    }

    /// Writes as much as there is room for now.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// assert_eq!(stream.try_write(b"hello")?, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` without room; otherwise as writing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.write_or_settle(|now| self.cell.write(now, buf))
    }

    /// Writes as much of several buffers as there is room for now.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use std::io::IoSlice;
    ///
    /// assert_eq!(stream.try_write_vectored(&[IoSlice::new(b"he"), IoSlice::new(b"llo")])?, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_or_settle(|now| self.cell.write_vectored(now, bufs.iter().map(|b| &**b)))
    }

    /// A writer to its own address waits for its reader only, and for no text under way, as on Linux:
    /// that is settled before it is told to wait.
    pub(crate) fn write_or_settle(
        &self,
        mut write: impl FnMut(Instant) -> Result<usize, UserError>,
    ) -> io::Result<usize> {
        let mut result = write(self.net.handle.now());
        if matches!(result, Err(UserError::WouldBlock)) && self.is_to_itself() {
            self.net.handle.with_stack(|stack, now| stack.settle(now));
            result = write(self.net.handle.now());
        }
        result.map_err(error::from_user)
    }

    fn is_to_itself(&self) -> bool {
        let tuple = self.cell.tuple();
        tuple.remote.ip == tuple.local.ip || tuple.remote.ip.is_loopback()
    }

    /// Runs `f`, which does its own input or output on this stream. If it returns `WouldBlock`, the
    /// stream counts as not ready until the next event.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use tokio::io::Interest;
    ///
    /// let n = stream.try_io(Interest::WRITABLE, || stream.try_write(b"hello"))?;
    /// assert_eq!(n, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` if the stream is not ready; otherwise what `f` returns.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let interest = cell_interest(interest);
        let (ready, seen) = self.cell.readiness_seen();
        if (ready & interest.mask()).is_empty() {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        let result = f();
        if matches!(&result, Err(e) if e.kind() == io::ErrorKind::WouldBlock) {
            self.cell.spend(interest, seen);
        }
        result
    }

    /// Runs `f`, which does its own input or output on this stream, whenever the stream is ready,
    /// until it returns something else than `WouldBlock`; each time after that it waits for an
    /// event.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use tokio::io::Interest;
    ///
    /// peer.try_write(b"hello")?;
    /// let mut text = [0; 10];
    /// let n = stream.async_io(Interest::READABLE, || stream.try_read(&mut text)).await?;
    /// assert_eq!(&text[..n], b"hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What `f` returns.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            self.ready(interest).await?;
            match attempt(|| self.try_io(interest, &mut f)).await {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if self.cell.readiness_seen().0.intersects(Readiness::CLOSED) {
                        // What is closed is ready for ever: others have their turn, too.
                        tokio::task::yield_now().await;
                    }
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

/// What the waiter list knows of tokio's interest.
pub(crate) fn cell_interest(i: Interest) -> CellInterest {
    let mut all = None;
    let mut add = |wanted: bool, c: CellInterest| {
        if wanted {
            all = Some(all.map_or(c, |a| a | c));
        }
    };
    add(i.is_readable(), CellInterest::READABLE);
    add(i.is_writable(), CellInterest::WRITABLE);
    add(i.is_error(), CellInterest::ERROR);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    add(i.is_priority(), CellInterest::PRIORITY);
    all.unwrap_or(CellInterest::READABLE)
}

pub(crate) fn tokio_ready(r: Readiness) -> Ready {
    let mut all = Ready::EMPTY;
    let mut add = |ours: Readiness, theirs: Ready| {
        if r.intersects(ours) {
            all |= theirs;
        }
    };
    add(Readiness::READABLE, Ready::READABLE);
    add(Readiness::WRITABLE, Ready::WRITABLE);
    add(Readiness::READ_CLOSED, Ready::READ_CLOSED);
    add(Readiness::WRITE_CLOSED, Ready::WRITE_CLOSED);
    add(Readiness::ERROR, Ready::ERROR);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    add(Readiness::PRIORITY, Ready::PRIORITY);
    all
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
