//! What will a connection of this socket do? Keepalive, linger, Nagle, buffers, congestion control, and what
//! a listener does with handshakes. Each option has tokio's or Linux's name.

use std::io;
use std::time::Duration;

use tcp_core::config::{Algorithm, Linger, buffer_limit};

use super::TcpSocket;

impl TcpSocket {
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
    /// [`TcpStream::saved_syn`](crate::TcpStream::saved_syn): a few octets for each.
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
    /// [`TcpStream::set_notsent_lowat`](crate::TcpStream::set_notsent_lowat).
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

    /// How long [`TcpStream::close`](crate::TcpStream::close) will wait for the delivery of what was written.
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

    /// Sets how long [`TcpStream::close`](crate::TcpStream::close) will wait; see
    /// [`TcpStream::set_linger`](crate::TcpStream::set_linger).
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
