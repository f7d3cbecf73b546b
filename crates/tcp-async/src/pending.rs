//! Who decides before the SYN-ACK? `PendingListener` hands out connection requests, and
//! `PendingConnection` is accepted, reset, refused by ICMP or ignored (docs/decisions/0012).

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::Stream;
use tcp_core::config::SocketOptions;
use tcp_core::listen::PeerSyn;
use tcp_io::cell::{ListenerCell, RequestCell};
use tcp_io::stack::{ListenerId, Rejection, Unreachability};
use tokio::net::ToSocketAddrs;

use crate::budget::cooperative;
use crate::error;
use crate::listener::Accept;
use crate::net::Net;
use crate::stream::TcpStream;

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
    /// # Errors
    /// As [`TcpListener::bind`](crate::TcpListener::bind).
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<PendingListener> {
        Net::current()?.listen_pending(addr).await
    }

    /// The next connection request and the peer's address.
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
    /// # Errors
    /// None; the signature is that of `TcpListener`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.cell.local().into())
    }

    /// Requests that wait to be handed out.
    pub fn pending(&self) -> usize {
        self.cell.queued()
    }

    /// The requests as a stream.
    pub fn incoming(self) -> IncomingPending {
        IncomingPending(self)
    }

    /// The stack it belongs to.
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
#[derive(Debug)]
pub struct IncomingPending(PendingListener);

impl Stream for IncomingPending {
    type Item = io::Result<PendingConnection>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.0.poll_accept(cx));
        Poll::Ready(Some(next.map(|(pending, _)| pending)))
    }
}

/// A SYN that nobody has answered yet.
///
/// Its peer waits, and repeats the SYN; that makes no second request. Dropping the value
/// undecided resets, as [`reset`](Self::reset) does. A request that is held too long expires
/// ([`PendingOptions`](crate::PendingOptions)).
pub struct PendingConnection {
    net: Net,
    listener: ListenerId,
    cell: Arc<RequestCell>,
    /// Once they were asked for; before that those of the listener hold.
    options: Option<SocketOptions>,
}

impl PendingConnection {
    /// Where the SYN goes to: the address of this end, should it be accepted.
    pub fn local_addr(&self) -> SocketAddr {
        self.cell.request().tuple.local.into()
    }

    /// Where the SYN comes from.
    pub fn peer_addr(&self) -> SocketAddr {
        self.cell.request().tuple.remote.into()
    }

    /// What the SYN offers: MSS, window scale, SACK, timestamps, window.
    pub fn syn(&self) -> PeerSyn {
        self.cell.request().syn
    }

    /// Octets of data that came with the SYN. They can be read from the stream.
    pub fn data_len(&self) -> usize {
        self.cell.request().text_len
    }

    /// TTL or hop limit with which the SYN arrived.
    pub fn hop_limit(&self) -> u8 {
        self.cell.request().hop_limit
    }

    /// Type of service or traffic class of the SYN: Diffserv field and ECN bits.
    pub fn traffic_class(&self) -> u8 {
        self.cell.request().traffic_class
    }

    /// The options that the connection will have, to be changed before
    /// [`accept`](Self::accept): the window, TTL and traffic class of the SYN-ACK follow them.
    pub fn options(&mut self) -> &mut SocketOptions {
        let (net, id) = (&self.net, self.listener);
        self.options.get_or_insert_with(|| {
            net.handle.inspect(|s| {
                // Without its listener, nothing comes of the request.
                let options = s.listener_options(id);
                options.unwrap_or(&s.config().tcp.options).clone()
            })
        })
    }

    /// The stack it belongs to.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Whether it can still be decided: it has not expired, the peer has not withdrawn it, and
    /// the listener is there.
    pub fn is_undecided(&self) -> bool {
        self.cell.is_undecided()
    }

    /// Waits until it can't be decided any more, and says why, as [`accept`](Self::accept) would:
    /// for giving up what depends on it.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn gone(&mut self) -> io::Error {
        error::from_request(poll_fn(|cx| self.cell.poll_gone(cx)).await)
    }

    /// Sends the SYN-ACK and waits until the handshake is complete.
    ///
    /// # Errors
    /// `TimedOut` if the request has expired, or the peer does not answer the SYN-ACK;
    /// `ConnectionReset` if the peer gives up; `ConnectionAborted` if the listener is closed.
    ///
    /// # Cancel safety
    /// Dropping the future resets the connection; before the first poll, the request.
    pub async fn accept(self) -> io::Result<TcpStream> {
        self.net
            .handle
            .with_stack(|stack, now| stack.admit(now, &self.cell, self.options.clone()))
            .map_err(error::from_request)?;
        let conn = poll_fn(|cx| self.cell.poll_established(cx)).await;
        Ok(TcpStream::new(self.net.clone(), conn.map_err(error::from_request)?))
    }

    /// Refuses with a reset: the peer's connect fails with `ConnectionRefused`.
    pub fn reset(self) {
        self.reject(Rejection::Reset);
    }

    /// Refuses by ICMP; how the peer's connect fails stands at each [`Unreachability`]. Such
    /// messages are limited (`StackConfig::icmp_msgs_per_sec`); beyond that the peer hears
    /// nothing and asks again.
    pub fn refuse(self, why: Unreachability) {
        self.reject(Rejection::Unreachable(why));
    }

    /// Does not answer: the peer asks again, which makes a new request, until it gives up.
    pub fn ignore(self) {
        self.reject(Rejection::Ignore);
    }

    /// Turns it away in a way that was chosen elsewhere. Nothing happens if it is gone already.
    pub fn reject(self, how: Rejection) {
        let _gone = self.net.handle.with_stack(|stack, now| stack.reject(now, &self.cell, how));
    }
}

impl fmt::Debug for PendingConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingConnection").field("request", self.cell.request()).finish()
    }
}

impl Drop for PendingConnection {
    fn drop(&mut self) {
        // Whoever was decided and fetched is left alone.
        if !self.cell.is_over() {
            self.net.handle.with_stack(|stack, now| stack.abandon(now, &self.cell));
        }
    }
}
