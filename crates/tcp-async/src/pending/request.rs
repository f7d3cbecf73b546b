//! What can be done with a SYN that nobody has answered? `PendingConnection` tells what it says,
//! and is accepted, reset, refused by ICMP or ignored.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tcp_core::config::SocketOptions;
use tcp_core::listen::PeerSyn;
use tcp_io::cell::RequestCell;
use tcp_io::stack::{ListenerId, Rejection, Unreachability};

use crate::error;
use crate::net::Net;
use crate::stream::TcpStream;

/// A SYN that nobody has answered yet.
///
/// Its peer waits, and repeats the SYN; that makes no second request. Dropping the value
/// undecided resets, as [`reset`](Self::reset) does. A request that is held too long expires
/// ([`PendingOptions`](crate::PendingOptions)).
///
/// ```
#[doc = include_str!("../../doc/pending.rs")]
/// let (pending, _peer) = listener.accept().await?;
/// match net.connect("10.0.0.1:8080").await {
///     Ok(_upstream) => drop(pending.accept().await?),
///     Err(e) if e.kind() == ErrorKind::ConnectionRefused => pending.reset(),
///     Err(_) => pending.refuse(Unreachability::Host),
/// }
/// // Nobody listens on port 8080, and so our client hears the same.
/// assert_eq!(client.await?.unwrap_err().kind(), ErrorKind::ConnectionRefused);
/// # Ok(())
/// # }
/// ```
pub struct PendingConnection {
    pub(super) net: Net,
    pub(super) listener: ListenerId,
    pub(super) cell: Arc<RequestCell>,
    /// Once they were asked for; before that those of the listener hold.
    pub(super) options: Option<SocketOptions>,
}

impl PendingConnection {
    /// Where the SYN goes to: the address of this end, should it be accepted.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (pending, _peer) = listener.accept().await?;
    /// assert_eq!(pending.local_addr(), "10.0.0.1:80".parse().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    pub fn local_addr(&self) -> SocketAddr {
        self.cell.request().tuple.local.into()
    }

    /// Where the SYN comes from.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (pending, peer) = listener.accept().await?;
    /// assert_eq!(pending.peer_addr(), peer);
    /// # Ok(())
    /// # }
    /// ```
    pub fn peer_addr(&self) -> SocketAddr {
        self.cell.request().tuple.remote.into()
    }

    /// What the SYN offers: MSS, window scale, SACK, timestamps, window.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (pending, _peer) = listener.accept().await?;
    /// let syn = pending.syn();
    /// assert_eq!((syn.mss, syn.sack), (Some(65_495), true));
    /// assert!(syn.window_scale.is_some() && syn.timestamp.is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn syn(&self) -> PeerSyn {
        self.cell.request().syn
    }

    /// Octets of data that came with the SYN. They can be read from the stream.
    ///
    /// ```
    #[doc = include_str!("../../doc/syn_with_text.rs")]
    /// let (pending, _peer) = listener.accept().await?;
    /// assert_eq!(pending.data_len(), 5); // a SYN with "hello"
    /// # Ok(())
    /// # }
    /// ```
    pub fn data_len(&self) -> usize {
        self.cell.request().text_len
    }

    /// TTL or hop limit with which the SYN arrived.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (pending, _peer) = listener.accept().await?;
    /// assert_eq!(pending.hop_limit(), 64); // nobody has forwarded it
    /// # Ok(())
    /// # }
    /// ```
    pub fn hop_limit(&self) -> u8 {
        self.cell.request().hop_limit
    }

    /// Type of service or traffic class of the SYN: Diffserv field and ECN bits.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// # let listener = net.listen_pending("10.0.0.1:80").await?;
    /// let socket = TcpSocket::on(&net, true);
    /// socket.set_tos_v4(0xb8)?; // expedited forwarding
    /// tokio::spawn(socket.connect(listener.local_addr()?));
    /// let (pending, _peer) = listener.accept().await?;
    /// assert_eq!(pending.traffic_class(), 0xb8);
    /// # Ok(())
    /// # }
    /// ```
    pub fn traffic_class(&self) -> u8 {
        self.cell.request().traffic_class
    }

    /// The options that the connection will have, to be changed before
    /// [`accept`](Self::accept): the window, TTL and traffic class of the SYN-ACK follow them.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (mut pending, _peer) = listener.accept().await?;
    /// pending.options().nodelay = true;
    /// pending.options().receive_buffer = Some(50_000);
    /// let stream = pending.accept().await?;
    /// assert_eq!((stream.nodelay()?, stream.recv_buffer_size()?), (true, 50_000));
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (pending, peer) = listener.accept().await?;
    /// // Is it from a network of ours?
    /// let networks = pending.net().addresses();
    /// assert!(networks.iter().any(|network| network.contains(peer.ip())));
    /// # Ok(())
    /// # }
    /// ```
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Whether it can still be decided: it has not expired, the peer has not withdrawn it, and
    /// the listener is there.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (pending, _peer) = listener.accept().await?;
    /// assert!(pending.is_undecided());
    /// drop(listener);
    /// assert!(!pending.is_undecided());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_undecided(&self) -> bool {
        self.cell.is_undecided()
    }

    /// Waits until it can't be decided any more, and says why, as [`accept`](Self::accept) would:
    /// for giving up what depends on it.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (mut pending, _peer) = listener.accept().await?;
    /// let nobody = net.listen_pending("10.0.0.1:8080").await?; // does not answer
    /// tokio::select! {
    ///     upstream = net.connect(nobody.local_addr()?) => drop(upstream),
    ///     why = pending.gone() => assert_eq!(why.kind(), ErrorKind::TimedOut), // after a minute
    /// }
    /// assert!(!pending.is_undecided());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn gone(&mut self) -> io::Error {
        error::from_request(poll_fn(|cx| self.cell.poll_gone(cx)).await)
    }

    /// Sends the SYN-ACK and waits until the handshake is complete.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (pending, _peer) = listener.accept().await?;
    /// let server = pending.accept().await?;
    /// server.write_bytes("welcome".into()).await?;
    /// assert_eq!(client.await??.read_bytes(100).await?, "welcome");
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (pending, _peer) = listener.accept().await?;
    /// pending.reset();
    /// assert_eq!(client.await?.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset(self) {
        self.reject(Rejection::Reset);
    }

    /// Refuses by ICMP; how the peer's connect fails stands at each [`Unreachability`]. Such
    /// messages are limited (`StackConfig::icmp_msgs_per_sec`); beyond that the peer hears
    /// nothing and asks again.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let (pending, _peer) = listener.accept().await?;
    /// pending.refuse(Unreachability::Host);
    /// assert_eq!(client.await?.unwrap_err().kind(), ErrorKind::HostUnreachable);
    /// # Ok(())
    /// # }
    /// ```
    pub fn refuse(self, why: Unreachability) {
        self.reject(Rejection::Unreachable(why));
    }

    /// Does not answer: the peer asks again, which makes a new request, until it gives up.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// use tokio::time::Instant;
    ///
    /// let (pending, peer) = listener.accept().await?;
    /// let begin = Instant::now();
    /// pending.ignore();
    /// let (again, same_peer) = listener.accept().await?;
    /// assert_eq!((same_peer, begin.elapsed().as_secs()), (peer, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn ignore(self) {
        self.reject(Rejection::Ignore);
    }

    /// Turns it away in a way that was chosen elsewhere. Nothing happens if it is gone already.
    ///
    /// ```
    #[doc = include_str!("../../doc/pending.rs")]
    /// let policy = Rejection::Unreachable(Unreachability::Port); // from a configuration
    /// let (pending, _peer) = listener.accept().await?;
    /// pending.reject(policy);
    /// assert_eq!(client.await?.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    /// # Ok(())
    /// # }
    /// ```
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
