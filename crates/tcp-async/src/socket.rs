//! What is set before a connection exists? `TcpSocket` in the shape of `tokio::net`.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tcp_core::Endpoint;
use tcp_core::config::{Algorithm, Linger, SocketOptions, buffer_limit};
use tcp_io::stack::{BindOptions, ConnectOptions, ListenOptions, PendingOptions};

use crate::error;
use crate::listener::TcpListener;
use crate::net::Net;
use crate::pending::PendingListener;
use crate::stream::TcpStream;

/// A socket that is neither connected nor listening yet; see `tokio::net::TcpSocket`.
///
/// ```
/// # use tcp_async::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
/// let listener = socket.listen(1024)?;
/// # Ok(())
/// # }
/// ```
pub struct TcpSocket {
    net: Net,
    v4: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: SocketOptions,
    reuse_addr: bool,
    reuse_port: bool,
    defer_accept: Option<Duration>,
    save_syn: bool,
    bound: Option<Endpoint>,
}

impl TcpSocket {
    /// A socket for IPv4 on the ambient stack.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let socket = TcpSocket::new_v4()?;
    /// assert!(socket.local_addr()?.is_ipv4());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Without an ambient stack (see [`Net::enter`]).
    pub fn new_v4() -> io::Result<TcpSocket> {
        Ok(TcpSocket::on(&Net::current()?, true))
    }

    /// A socket for IPv6 on the ambient stack.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let socket = TcpSocket::new_v6()?;
    /// assert!(socket.local_addr()?.is_ipv6());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Without an ambient stack (see [`Net::enter`]).
    pub fn new_v6() -> io::Result<TcpSocket> {
        Ok(TcpSocket::on(&Net::current()?, false))
    }

    /// A socket on a given stack.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let socket = TcpSocket::on(&net, true);
    /// socket.bind("10.0.0.1:80".parse().expect("an address"))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on(net: &Net, v4: bool) -> TcpSocket {
        let options = net.handle.inspect(|s| s.config().tcp.options.clone());
        let inner = Inner {
            options,
            reuse_addr: false,
            reuse_port: false,
            defer_accept: None,
            save_syn: false,
            bound: None,
        };
        TcpSocket { net: net.clone(), v4, inner: Mutex::new(inner) }
    }

    /// Whether accepted connections remember what the peer's SYN said.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// assert!(!socket.save_syn());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_SAVE_SYN")]
    pub fn save_syn(&self) -> bool {
        self.lock().save_syn
    }

    /// Lets accepted connections remember what the peer's SYN said, for
    /// [`TcpStream::saved_syn`]: a few octets for each.
    ///
    /// ```
    /// # use tcp_async::{Net, TcpSocket};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let socket = TcpSocket::on(&net, true);
    /// socket.bind("10.0.0.1:80".parse().expect("an address"))?;
    /// socket.set_save_syn(true);
    /// let listener = socket.listen(128)?;
    /// let _client = net.connect("10.0.0.1:80").await?;
    /// let (server, _) = listener.accept().await?;
    /// assert!(server.saved_syn().is_some_and(|syn| syn.sack));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_SAVE_SYN")]
    pub fn set_save_syn(&self, save: bool) {
        self.lock().save_syn = save;
    }

    /// Congestion control of the connection, or of those that are accepted, if it was chosen.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_congestion(Algorithm::Reno);
    /// assert_eq!(socket.congestion(), Some(Algorithm::Reno));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_CONGESTION")]
    pub fn congestion(&self) -> Option<Algorithm> {
        self.lock().options.congestion
    }

    /// Chooses the congestion control (`TCP_CONGESTION`).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_congestion(Algorithm::Reno);
    /// assert_eq!(socket.congestion(), Some(Algorithm::Reno));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_CONGESTION")]
    pub fn set_congestion(&self, algorithm: Algorithm) {
        self.lock().options.congestion = Some(algorithm);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether keepalive is on.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_keepalive(true)?;
    /// assert_eq!(socket.keepalive()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn keepalive(&self) -> io::Result<bool> {
        Ok(self.lock().options.keepalive_on)
    }

    /// Turns keepalive on or off (MUST-24).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_keepalive(true)?;
    /// assert_eq!(socket.keepalive()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.lock().options.keepalive_on = keepalive;
        Ok(())
    }

    /// Whether the port may be shared with connections left over from an earlier bind.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_reuseaddr(true)?;
    /// assert_eq!(socket.reuseaddr()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        Ok(self.lock().reuse_addr)
    }

    /// Lets the port be shared with connections left over from an earlier bind, and with other
    /// sockets that say so too until one of them listens.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_reuseaddr(true)?;
    /// assert_eq!(socket.reuseaddr()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        self.lock().reuse_addr = reuseaddr;
        Ok(())
    }

    /// Whether several listeners may share the port.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_reuseport(true)?;
    /// assert_eq!(socket.reuseport()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn reuseport(&self) -> io::Result<bool> {
        Ok(self.lock().reuse_port)
    }

    /// Lets several sockets that all say so bind and listen on one address (`SO_REUSEPORT`).
    /// Each connection goes to one of the listeners, by a hash of its two endpoints; closing one
    /// leaves the connections of the others alone.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_reuseport(true)?;
    /// assert_eq!(socket.reuseport()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_reuseport(&self, reuseport: bool) -> io::Result<()> {
        self.lock().reuse_port = reuseport;
        Ok(())
    }

    /// How long a listener keeps connections without text from `accept`, if it does.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_defer_accept(Some(std::time::Duration::from_secs(5)));
    /// assert_eq!(socket.defer_accept(), Some(std::time::Duration::from_secs(5)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn defer_accept(&self) -> Option<Duration> {
        self.lock().defer_accept
    }

    /// Lets `accept` return a connection only when text has come (`TCP_DEFER_ACCEPT`), for as
    /// long as this, rounded up to 1, 3, 7, 15 ... s; then without, if the peer is still there.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_defer_accept(Some(std::time::Duration::from_secs(5)));
    /// assert_eq!(socket.defer_accept(), Some(std::time::Duration::from_secs(5)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_defer_accept(&self, time: Option<Duration>) {
        self.lock().defer_accept = time;
    }

    /// Limit of the send buffer in octets; once it is fixed, on Linux and Android twice that, as
    /// their kernels tell.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_send_buffer_size(64 << 10)?;
    /// assert!(socket.send_buffer_size()? >= 64 << 10); // on Linux it tells twice as much
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        let fixed = self.lock().options.send_buffer.map(buffer_limit);
        Ok(fixed.map_or_else(|| self.default_send(), told))
    }

    /// Fixes the limit of the send buffer in octets, at least 1 KiB and at most 1 GiB; without it,
    /// it is auto-tuned. Linux doubles the value and counts its overhead too; here it is the text.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_send_buffer_size(64 << 10)?;
    /// assert!(socket.send_buffer_size()? >= 64 << 10); // on Linux it tells twice as much
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.lock().options.send_buffer = Some(size as usize);
        Ok(())
    }

    /// Limit of the receive buffer in octets; once it is fixed, on Linux and Android twice that, as
    /// their kernels tell.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_recv_buffer_size(64 << 10)?;
    /// assert!(socket.recv_buffer_size()? >= 64 << 10); // on Linux it tells twice as much
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    #[doc(alias = "SO_RCVBUF")]
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        let fixed = self.lock().options.receive_buffer.map(buffer_limit);
        Ok(fixed.map_or_else(|| self.default_receive(), told))
    }

    /// Fixes the limit of the receive buffer in octets, at least 1 KiB and at most 1 GiB; without
    /// it, it is auto-tuned.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_recv_buffer_size(64 << 10)?;
    /// assert!(socket.recv_buffer_size()? >= 64 << 10); // on Linux it tells twice as much
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.lock().options.receive_buffer = Some(size as usize);
        Ok(())
    }

    /// The mark of [`set_notsent_lowat`](Self::set_notsent_lowat).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_notsent_lowat(Some(16 << 10));
    /// assert_eq!(socket.notsent_lowat(), Some(16 << 10));
    /// # Ok(())
    /// # }
    /// ```
    pub fn notsent_lowat(&self) -> Option<u32> {
        self.lock().options.notsent_lowat.filter(|n| *n > 0)
    }

    /// Makes writing possible only while fewer octets than this are written and not yet sent; see
    /// [`TcpStream::set_notsent_lowat`].
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_notsent_lowat(Some(16 << 10));
    /// assert_eq!(socket.notsent_lowat(), Some(16 << 10));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_NOTSENT_LOWAT")]
    pub fn set_notsent_lowat(&self, octets: Option<u32>) {
        self.lock().options.notsent_lowat = octets;
    }

    /// How long [`TcpStream::close`] will wait for the delivery of what was written.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_linger(Some(std::time::Duration::from_secs(5)))?;
    /// assert_eq!(socket.linger()?, Some(std::time::Duration::from_secs(5)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(match self.lock().options.linger {
            Linger::Background => None,
            Linger::For(d) => Some(d),
        })
    }

    /// Sets how long [`TcpStream::close`] will wait; see [`TcpStream::set_linger`].
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_linger(Some(std::time::Duration::from_secs(5)))?;
    /// assert_eq!(socket.linger()?, Some(std::time::Duration::from_secs(5)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_linger(&self, dur: Option<Duration>) -> io::Result<()> {
        self.lock().options.linger = dur.map_or(Linger::Background, Linger::For);
        Ok(())
    }

    /// Dropping the stream will reset the connection.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_zero_linger()?;
    /// assert_eq!(socket.linger()?, Some(std::time::Duration::ZERO));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// Whether Nagle's algorithm is off.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_nodelay(true)?;
    /// assert_eq!(socket.nodelay()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.lock().options.nodelay)
    }

    /// Turns Nagle's algorithm off or on (MUST-17).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_nodelay(true)?;
    /// assert_eq!(socket.nodelay()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.lock().options.nodelay = nodelay;
        Ok(())
    }

    /// TTL or hop limit of our packets from the first SYN on, accepted connections included.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_ttl(255)?;
    /// assert_eq!(socket.ttl(), 255);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ttl(&self) -> u8 {
        self.lock().options.hop_limit
    }

    /// Sets the TTL or hop limit of our packets (MUST-49).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_ttl(255)?;
    /// assert_eq!(socket.ttl(), 255);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for 0.
    pub fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        if ttl == 0 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        self.lock().options.hop_limit = ttl;
        Ok(())
    }

    /// The TTL or hop limit below which arriving packets are dropped; 0: none is.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_min_ttl(255);
    /// assert_eq!(socket.min_ttl(), 255);
    /// # Ok(())
    /// # }
    /// ```
    pub fn min_ttl(&self) -> u8 {
        self.lock().options.min_hop_limit
    }

    /// Drops packets that arrive with a smaller TTL or hop limit, SYNs to a listener included
    /// (`IP_MINTTL`; RFC 5082).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_min_ttl(255);
    /// assert_eq!(socket.min_ttl(), 255);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_min_ttl(&self, ttl: u8) {
        self.lock().options.min_hop_limit = ttl;
    }

    /// The IPv6 traffic class of our packets.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v6()?;
    /// socket.set_tclass_v6(0x10)?;
    /// assert_eq!(socket.tclass_v6()?, 0x10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        Ok(u32::from(self.lock().options.traffic_class))
    }

    /// Sets the IPv6 traffic class of our packets (MUST-48).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v6()?;
    /// socket.set_tclass_v6(0x10)?;
    /// assert_eq!(socket.tclass_v6()?, 0x10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_tclass_v6(&self, class: u32) -> io::Result<()> {
        let class = u8::try_from(class);
        let class = class.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.lock().options.traffic_class = class;
        Ok(())
    }

    /// The IPv4 type of service of our packets.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_tos_v4(0x10)?;
    /// assert_eq!(socket.tos_v4()?, 0x10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn tos_v4(&self) -> io::Result<u32> {
        Ok(u32::from(self.lock().options.traffic_class))
    }

    /// Sets the IPv4 type of service of our packets (MUST-48).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_tos_v4(0x10)?;
    /// assert_eq!(socket.tos_v4()?, 0x10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_tos_v4(&self, class: u32) -> io::Result<()> {
        let class = u8::try_from(class);
        let class = class.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.lock().options.traffic_class = class;
        Ok(())
    }

    /// The name of the stack's device.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.net.device_name().map(|n| n.as_bytes().to_vec()))
    }

    /// Checks that the socket's stack runs on the device of this name; a stack has one device.
    ///
    /// # Errors
    /// `NotFound` for another name; choose the stack with [`TcpSocket::on`] instead.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        match interface {
            Some(name) if self.net.device_name().map(str::as_bytes) != Some(name) => {
                Err(io::Error::new(io::ErrorKind::NotFound, "the stack has no such device"))
            }
            _ => Ok(()),
        }
    }

    /// The address the socket is bound to; unspecified before that.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// assert_eq!(socket.local_addr()?.port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let any = if self.v4 {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        };
        Ok(self.lock().bound.unwrap_or(Endpoint::new(any, 0)).into())
    }

    /// The pending error; a socket without a connection has none.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// assert!(socket.take_error()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    /// Reserves a local address; port 0 chooses one.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    /// assert_ne!(socket.local_addr()?.port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `AddrInUse` if the port is taken, `AddrNotAvailable` if the address is not the stack's,
    /// `InvalidInput` if the socket is bound already or of the other family.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.bound.is_some() || addr.is_ipv4() != self.v4 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let share = BindOptions { reuse_addr: inner.reuse_addr, reuse_port: inner.reuse_port };
        let bound = self.net.handle.with_stack(|s, _| s.bind(addr, share));
        inner.bound = Some(bound.map_err(error::from_bind)?);
        Ok(())
    }

    /// Connects to `addr`.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let socket = TcpSocket::new_v4()?;
    /// let stream = socket.connect(listener.local_addr()?).await?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Net::connect`]; `InvalidInput` for an address of the other family.
    ///
    /// # Cancel safety
    /// Dropping the future aborts the attempt.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        if addr.is_ipv4() != self.v4 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let options = {
            let inner = self.lock();
            ConnectOptions {
                local: inner.bound.map(SocketAddr::from),
                options: Some(inner.options.clone()),
            }
        };
        TcpStream::connect_with(&self.net, addr, options).await
    }

    /// Listens with `backlog` connections that may wait to be accepted; 0 lets one wait, as on
    /// Linux.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    /// let listener = socket.listen(1024)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let backlog = backlog as usize;
        self.listen_with(ListenOptions { backlog, ..ListenOptions::default() })
    }

    /// Listens with everything a listener can be told: both backlogs, SYN cookies, what a full
    /// accept queue does, retries of the SYN-ACK, deferred accept. What was set on the socket
    /// counts: its options (unless `options` has others), `SO_REUSEPORT` and the bound address.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// let options = ListenOptions { syn_cookies: Some(SynCookies::Always), ..Default::default() };
    /// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    /// let listener = socket.listen_with(options)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn listen_with(self, options: ListenOptions) -> io::Result<TcpListener> {
        let (local, options) = self.listen_options(options)?;
        let listener = self.net.listen_addr(local, options)?;
        // The listener owns the reservation now.
        self.lock().bound = None;
        Ok(listener)
    }

    /// Listens and leaves it to the program whether a SYN is answered, and how.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    /// let listener = socket.listen_pending(PendingOptions::default())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn listen_pending(self, pending: PendingOptions) -> io::Result<PendingListener> {
        let wanted = ListenOptions { pending: Some(pending), ..ListenOptions::default() };
        let (local, options) = self.listen_options(wanted)?;
        let listener = self.net.listen_addr_pending(local, options)?;
        self.lock().bound = None;
        Ok(listener)
    }

    /// What a listener is told, with what was set on the socket.
    fn listen_options(&self, options: ListenOptions) -> io::Result<(SocketAddr, ListenOptions)> {
        if self.lock().bound.is_none() {
            let any = SocketAddr::new(self.local_addr()?.ip(), 0);
            self.bind(any)?;
        }
        let local = self.local_addr()?;
        let options = {
            let inner = self.lock();
            ListenOptions {
                bound: true,
                reuse_port: inner.reuse_port,
                // As on Linux, accepted connections inherit what was set here.
                options: options.options.or_else(|| Some(inner.options.clone())),
                defer_accept: options.defer_accept.or(inner.defer_accept),
                save_syn: options.save_syn || inner.save_syn,
                ..options
            }
        };
        Ok((local, options))
    }

    fn default_send(&self) -> u32 {
        self.net.handle.inspect(|s| clamp(s.config().tcp.send_buffer.initial))
    }

    fn default_receive(&self) -> u32 {
        self.net.handle.inspect(|s| clamp(s.config().tcp.receive_buffer.initial))
    }
}

/// What `getsockopt` tells of a fixed size here: Linux counts its own overhead, of which we have
/// none, and programs that compare the two know it.
fn told(n: usize) -> u32 {
    let doubles = cfg!(any(target_os = "linux", target_os = "android"));
    clamp(if doubles { n.saturating_mul(2) } else { n })
}

fn clamp(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSocket").field("inner", &self.lock()).finish_non_exhaustive()
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        if let Some(bound) = self.lock().bound.take() {
            self.net.handle.with_stack(|s, _| s.unbind(bound));
        }
    }
}
