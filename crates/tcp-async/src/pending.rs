//! Who decides before the SYN-ACK? `PendingListener` hands out connection requests; what can be
//! done with one is in `request` (docs/decisions/0012).

mod request;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Stream;
use tcp_io::cell::{ListenerCell, RequestCell};
use tcp_io::stack::ListenerId;
use tokio::net::ToSocketAddrs;

use crate::budget::cooperative;
use crate::error;
use crate::listener::Accept;
use crate::net::Net;

pub use self::request::PendingConnection;

/// A TCP socket that listens and lets the program decide about each SYN before it is answered:
/// for proxies that first look whether the other side can be reached, and for filters.
///
/// Made by [`Net::listen_pending`] and [`Net::listen_any_pending`], or with options by
/// [`TcpSocket::listen_pending`](crate::TcpSocket::listen_pending).
///
/// Dropping it resets the requests that are undecided, also those handed out, and the handshakes
/// that are not complete; it leaves established connections alone.
///
/// ```
/// use std::io::ErrorKind;
/// use tcp_async::{Net, PendingListener};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let net = Net::builder().address("10.0.0.1/24").loopback()?;
/// let listener = net.listen_pending("10.0.0.1:80").await?;
/// let client = tokio::spawn({
///     let net = net.clone();
///     async move {
///         let first = net.connect("10.0.0.1:80").await.map(drop);
///         (first, net.connect("10.0.0.1:80").await)
///     }
/// });
///
/// let (pending, _peer) = listener.accept().await?;
/// pending.reset();
/// let (mut pending, peer) = listener.accept().await?;
/// assert_eq!(pending.syn().mss, Some(65_495));
/// pending.options().nodelay = true;
/// let stream = pending.accept().await?;
/// assert_eq!(stream.peer_addr()?, peer);
///
/// let (first, second) = client.await?;
/// assert_eq!(first.unwrap_err().kind(), ErrorKind::ConnectionRefused);
/// assert_eq!(second?.local_addr()?, peer);
/// # Ok(())
/// # }
/// ```
pub struct PendingListener {
    net: Net,
    id: ListenerId,
    cell: Arc<ListenerCell<Arc<RequestCell>>>,
}

impl PendingListener {
    pub(crate) fn new(
        net: Net,
        id: ListenerId,
        cell: Arc<ListenerCell<Arc<RequestCell>>>,
    ) -> PendingListener {
        PendingListener { net, id, cell }
    }

    /// Listens on `addr` of the ambient stack.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let _here = net.enter();
    /// let listener = PendingListener::bind("10.0.0.1:0").await?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TcpListener::bind`](crate::TcpListener::bind).
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<PendingListener> {
        Net::current()?.listen_pending(addr).await
    }

    /// The next connection request and the peer's address.
    ///
    /// ```
    #[doc = include_str!("../doc/pending.rs")]
    /// let (pending, peer) = listener.accept().await?;
    /// assert!(!client.is_finished()); // its connect waits for the decision
    /// let _stream = pending.accept().await?;
    /// assert_eq!(client.await??.local_addr()?, peer);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the stack has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses no request. Several tasks may accept at once; each request goes
    /// to one, in turn.
    pub async fn accept(&self) -> io::Result<(PendingConnection, SocketAddr)> {
        let cell = Accept::new(&*self.cell).await;
        Ok(self.handed_out(cell.map_err(error::from_accept)?))
    }

    /// Polls for the next request; of several tasks that poll, the last one is woken.
    ///
    /// ```
    #[doc = include_str!("../doc/pending.rs")]
    /// use std::future::poll_fn;
    ///
    /// let (pending, peer) = poll_fn(|cx| listener.poll_accept(cx)).await?;
    /// assert_eq!(pending.peer_addr(), peer);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(PendingConnection, SocketAddr)>> {
        let cell = ready!(cooperative(cx, |cx| self.cell.poll_accept(cx)));
        Poll::Ready(cell.map_err(error::from_accept).map(|c| self.handed_out(c)))
    }

    fn handed_out(&self, cell: Arc<RequestCell>) -> (PendingConnection, SocketAddr) {
        let peer = cell.request().tuple.remote.into();
        let (net, listener) = (self.net.clone(), self.id);
        (PendingConnection { net, listener, cell, options: None }, peer)
    }

    /// The address it listens on; unspecified, and port 0, if it takes every one.
    ///
    /// ```
    #[doc = include_str!("../doc/pending.rs")]
    /// assert_eq!(listener.local_addr()?, "10.0.0.1:80".parse().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is that of `TcpListener`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.cell.local().into())
    }

    /// Requests that wait to be handed out.
    ///
    /// ```
    #[doc = include_str!("../doc/pending.rs")]
    /// while listener.pending() == 0 {
    ///     tokio::task::yield_now().await; // the SYN is on its way
    /// }
    /// let _request = listener.accept().await?;
    /// assert_eq!(listener.pending(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pending(&self) -> usize {
        self.cell.queued()
    }

    /// The requests as a stream.
    ///
    /// ```
    #[doc = include_str!("../doc/pending.rs")]
    /// use futures::StreamExt;
    ///
    /// let mut incoming = listener.incoming();
    /// let pending = incoming.next().await.expect("it has no end")?;
    /// assert_eq!(pending.local_addr(), "10.0.0.1:80".parse().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    pub fn incoming(self) -> IncomingPending {
        IncomingPending(self)
    }

    /// The stack it belongs to.
    ///
    /// ```
    #[doc = include_str!("../doc/pending.rs")]
    /// let second = listener.net().listen_pending("10.0.0.1:443").await?;
    /// assert_eq!(second.local_addr()?, "10.0.0.1:443".parse().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    pub fn net(&self) -> &Net {
        &self.net
    }
}

impl fmt::Debug for PendingListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingListener")
            .field("addr", &SocketAddr::from(self.cell.local()))
            .finish_non_exhaustive()
    }
}

impl Drop for PendingListener {
    fn drop(&mut self) {
        self.net.handle.with_stack(|stack, _| stack.close_listener(self.id));
    }
}

/// The requests of a listener; see [`PendingListener::incoming`].
///
/// ```
#[doc = include_str!("../doc/pending.rs")]
/// use futures::TryStreamExt;
/// use std::pin::pin;
///
/// // Every request is accepted.
/// let mut streams = pin!(listener.incoming().and_then(PendingConnection::accept));
/// let stream = streams.try_next().await?.expect("it has no end");
/// assert_eq!(stream.peer_addr()?, client.await??.local_addr()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct IncomingPending(PendingListener);

impl Stream for IncomingPending {
    type Item = io::Result<PendingConnection>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.0.poll_accept(cx));
        Poll::Ready(Some(next.map(|(pending, _)| pending)))
    }
}
