//! Who wants in? `TcpListener` in the shape of `tokio::net`.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Stream;
use tcp_io::cell::{ConnCell, ListenerCell};
use tcp_io::stack::ListenerId;
use tokio::net::ToSocketAddrs;

use crate::budget::cooperative;
use crate::error;
use crate::net::Net;
use crate::stream::TcpStream;

/// A TCP socket that listens; see `tokio::net::TcpListener`.
///
/// Dropping it resets the connections that nobody accepted and leaves accepted ones alone.
///
/// ```
/// # use tcp_async::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let addr = listener.local_addr()?;
/// let client = tokio::spawn(TcpStream::connect(addr));
/// let (server, peer) = listener.accept().await?;
/// assert_eq!(client.await??.local_addr()?, peer);
/// # Ok(())
/// # }
/// ```
pub struct TcpListener {
    net: Net,
    id: ListenerId,
    cell: Arc<ListenerCell>,
}

impl TcpListener {
    pub(crate) fn new(net: Net, id: ListenerId, cell: Arc<ListenerCell>) -> TcpListener {
        TcpListener { net, id, cell }
    }

    /// Listens on `addr` of the ambient stack ([`Net::current`]), with a backlog of 128.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    ///
    /// // Nobody has built a stack: the loopback network of the process has loopback addresses only.
    /// let e = TcpListener::bind("192.0.2.1:0").await.unwrap_err();
    /// assert_eq!(e.kind(), std::io::ErrorKind::AddrNotAvailable);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Net::current`]; `AddrInUse` if the port is taken, `AddrNotAvailable` if the address is
    /// not the stack's, as all but loopback addresses on the process's loopback network.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        Net::current()?.listen(addr).await
    }

    /// The next established connection and the peer's address. Text that came with the handshake
    /// is there already.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, peer) = listener.accept().await?;
    /// assert_eq!(peer, client.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the stack has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses no connection. Several tasks may accept at once; each connection
    /// goes to one, in turn.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let cell = Accept::new(&*self.cell).await;
        self.accepted(cell.map_err(error::from_accept)?)
    }

    /// Polls for the next connection; of several tasks that poll, the last one is woken.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = std::future::poll_fn(|cx| listener.poll_accept(cx)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let cell = ready!(cooperative(cx, |cx| self.cell.poll_accept(cx)));
        Poll::Ready(cell.map_err(error::from_accept).and_then(|c| self.accepted(c)))
    }

    fn accepted(&self, cell: Arc<ConnCell>) -> io::Result<(TcpStream, SocketAddr)> {
        cell.assume_ready();
        let peer = cell.tuple().remote.into();
        Ok((TcpStream::new(self.net.clone(), cell), peer))
    }

    /// The address it listens on; unspecified, and port 0, if it takes every one.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// assert!(listener.local_addr()?.ip().is_loopback());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.cell.local().into())
    }

    /// TTL or hop limit of packets of connections not accepted yet, from the SYN-ACK on.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// assert_eq!(listener.ttl()?, 64);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the stack has ended.
    pub fn ttl(&self) -> io::Result<u32> {
        let ttl = self.net.handle.inspect(|s| s.listener_options(self.id).map(|o| o.hop_limit));
        ttl.map(u32::from).ok_or_else(error::stack_ended)
    }

    /// Sets the TTL or hop limit of packets of connections that are not established yet.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// listener.set_ttl(255)?;
    /// assert_eq!(listener.ttl()?, 255);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` unless it is from 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        let ttl = u8::try_from(ttl).ok().filter(|t| *t > 0);
        let ttl = ttl.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let set = |o: &mut tcp_core::config::SocketOptions| o.hop_limit = ttl;
        self.net.handle.with_stack(|s, _| s.set_listener_options(self.id, set));
        Ok(())
    }

    /// Connections that wait to be accepted.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// assert_eq!(listener.pending(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pending(&self) -> usize {
        self.cell.queued()
    }

    /// Gives the listener, and the connections that it takes from now on, a name for tables; see
    /// [`Net::connections`].
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// listener.set_label("web");
    /// assert_eq!(listener.label().as_deref(), Some("web"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_label(&self, label: impl Into<Arc<str>>) {
        self.cell.set_label(Some(label.into()));
    }

    /// The listener's name, if it has one.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// assert_eq!(listener.label(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn label(&self) -> Option<Arc<str>> {
        self.cell.label()
    }

    /// The connections as a stream, for the combinators of `futures` and `tokio-stream`; it never
    /// ends.
    ///
    /// ```
    /// use futures::StreamExt;
    /// # use tcp_async::Net;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let mut incoming = net.listen("10.0.0.1:80").await?.incoming();
    /// let client = net.connect("10.0.0.1:80").await?;
    /// let server = incoming.next().await.expect("it never ends")?;
    /// assert_eq!(server.peer_addr()?, client.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn incoming(self) -> Incoming {
        Incoming(self)
    }

    /// The stack it belongs to.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = listener.net().connect(listener.local_addr()?).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn net(&self) -> &Net {
        &self.net
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("addr", &SocketAddr::from(self.cell.local()))
            .finish_non_exhaustive()
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.net.handle.with_stack(|stack, _| stack.close_listener(self.id));
    }
}

/// The connections of a listener; see [`TcpListener::incoming`].
///
/// ```
/// # use tcp_async::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// use futures::{StreamExt, TryStreamExt};
///
/// let addr = listener.local_addr()?;
/// let clients = [TcpStream::connect(addr).await?, TcpStream::connect(addr).await?];
/// let servers: Vec<TcpStream> = listener.incoming().take(2).try_collect().await?;
/// assert_eq!(servers.len(), clients.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Incoming(TcpListener);

impl Incoming {
    /// As [`TcpListener::incoming`], in the manner of `tokio_stream`.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let incoming = Incoming::new(listener);
    /// assert!(incoming.as_ref().local_addr()?.ip().is_loopback());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(listener: TcpListener) -> Incoming {
        Incoming(listener)
    }

    /// The listener again.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let addr = listener.local_addr()?;
    /// assert_eq!(listener.incoming().into_inner().local_addr()?, addr);
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_inner(self) -> TcpListener {
        self.0
    }
}

impl AsRef<TcpListener> for Incoming {
    fn as_ref(&self) -> &TcpListener {
        &self.0
    }
}

impl AsMut<TcpListener> for Incoming {
    fn as_mut(&mut self) -> &mut TcpListener {
        &mut self.0
    }
}

impl Stream for Incoming {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.0.poll_accept(cx));
        Poll::Ready(Some(next.map(|(stream, _)| stream)))
    }
}

/// One task's wait for a connection, or for a request.
pub(crate) struct Accept<'a, T> {
    cell: &'a ListenerCell<T>,
    key: Option<usize>,
}

impl<T> Accept<'_, T> {
    pub(crate) fn new(cell: &ListenerCell<T>) -> Accept<'_, T> {
        Accept { cell, key: None }
    }
}

impl<T> Future for Accept<'_, T> {
    type Output = Result<T, tcp_io::cell::AcceptError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        cooperative(cx, |cx| this.cell.poll_wait(cx, &mut this.key))
    }
}

impl<T> Drop for Accept<'_, T> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.cell.cancel_wait(key);
        }
    }
}
