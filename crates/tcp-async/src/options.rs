//! What can be set on a connection? The socket options of `TcpStream`, tokio's and those that a
//! kernel socket has beyond them.

use std::io;
use std::time::Duration;

use tcp_core::config::{Algorithm, Keepalive, Linger, Linger2, SocketOptions};
use tcp_core::congestion::Controller;
use tcp_core::listen::PeerSyn;

use crate::stream::TcpStream;

impl TcpStream {
    fn option<R>(&self, look: impl FnOnce(&SocketOptions) -> R) -> R {
        self.cell.inspect(|c| look(c.options()))
    }

    fn set_option(&self, change: impl FnOnce(&mut SocketOptions)) {
        self.cell.set_options(self.net.handle.now(), change);
    }

    /// Whether Nagle's algorithm is off (MUST-17).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_nodelay(true)?;
    /// assert_eq!(stream.nodelay()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.option(|o| o.nodelay))
    }

    /// Turns Nagle's algorithm off or on.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_nodelay(true)?;
    /// assert_eq!(stream.nodelay()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set_option(|o| o.nodelay = nodelay);
        Ok(())
    }

    /// Whether every segment is acknowledged at once.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_quickack(true)?;
    /// assert_eq!(stream.quickack()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn quickack(&self) -> io::Result<bool> {
        Ok(self.option(|o| o.quickack))
    }

    /// Acknowledges every segment at once, or with the usual delay.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_quickack(true)?;
    /// assert_eq!(stream.quickack()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        self.set_option(|o| o.quickack = quickack);
        Ok(())
    }

    /// How long [`close`](TcpStream::close) waits for the delivery of what was written.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_linger(Some(std::time::Duration::from_secs(5)))?;
    /// assert_eq!(stream.linger()?, Some(std::time::Duration::from_secs(5)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.option(|o| match o.linger {
            Linger::Background => None,
            Linger::For(d) => Some(d),
        }))
    }

    /// Sets how long [`close`](TcpStream::close) waits for the delivery of what was written;
    /// `None`: not at all. Zero resets the connection, in `close` and when the stream is dropped.
    ///
    /// As on Linux, any other time costs no text: what is not delivered when it is over is
    /// delivered in the background. Dropping a stream never waits, where tokio's would block the
    /// thread; it is as `None`.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_linger(Some(std::time::Duration::from_secs(5)))?;
    /// assert_eq!(stream.linger()?, Some(std::time::Duration::from_secs(5)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_linger(&self, dur: Option<Duration>) -> io::Result<()> {
        self.set_option(|o| o.linger = dur.map_or(Linger::Background, Linger::For));
        Ok(())
    }

    /// Dropping the stream resets the connection.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_zero_linger()?;
    /// assert_eq!(stream.linger()?, Some(std::time::Duration::ZERO));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// TTL or hop limit of our packets (MUST-49).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_ttl(255)?;
    /// assert_eq!(stream.ttl()?, 255);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.option(|o| u32::from(o.hop_limit)))
    }

    /// Sets the TTL or hop limit of our packets.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_ttl(255)?;
    /// assert_eq!(stream.ttl()?, 255);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` unless it is from 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        let ttl = u8::try_from(ttl).ok().filter(|t| *t > 0);
        let ttl = ttl.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.set_option(|o| o.hop_limit = ttl);
        Ok(())
    }

    /// Keepalive, if it is on (MUST-24).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use std::time::Duration;
    ///
    /// let seconds = Duration::from_secs;
    /// let keepalive = Keepalive { idle: seconds(60), interval: seconds(10), count: 3 };
    /// stream.set_keepalive(Some(keepalive))?;
    /// assert_eq!(stream.keepalive(), Some(keepalive));
    /// # Ok(())
    /// # }
    /// ```
    pub fn keepalive(&self) -> Option<Keepalive> {
        self.option(|o| o.keepalive_on.then_some(o.keepalive))
    }

    /// Turns keepalive on with its times, or off; as `SO_KEEPALIVE`, `TCP_KEEPIDLE`,
    /// `TCP_KEEPINTVL` and `TCP_KEEPCNT` together.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use std::time::Duration;
    ///
    /// let seconds = Duration::from_secs;
    /// let keepalive = Keepalive { idle: seconds(60), interval: seconds(10), count: 3 };
    /// stream.set_keepalive(Some(keepalive))?;
    /// assert_eq!(stream.keepalive(), Some(keepalive));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if a time or the count is zero.
    #[doc(alias = "TCP_KEEPIDLE")]
    #[doc(alias = "TCP_KEEPINTVL")]
    #[doc(alias = "TCP_KEEPCNT")]
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        let zero = |k: Keepalive| k.idle.is_zero() || k.interval.is_zero() || k.count == 0;
        if keepalive.is_some_and(zero) {
            let text = "keepalive times and count are at least one";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.set_option(|o| {
            o.keepalive_on = keepalive.is_some();
            o.keepalive = keepalive.unwrap_or(o.keepalive);
        });
        Ok(())
    }

    /// How long the connection waits for the peer's FIN when the stream is gone and our FIN is
    /// acknowledged.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_linger2(Linger2::Seconds(10));
    /// assert_eq!(stream.linger2(), Linger2::Seconds(10));
    /// # Ok(())
    /// # }
    /// ```
    pub fn linger2(&self) -> Linger2 {
        self.option(|o| o.linger2)
    }

    /// Sets how long the connection outlives its stream in FIN-WAIT-2.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_linger2(Linger2::Seconds(10));
    /// assert_eq!(stream.linger2(), Linger2::Seconds(10));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_LINGER2")]
    pub fn set_linger2(&self, linger2: Linger2) {
        self.set_option(|o| o.linger2 = linger2);
    }

    /// How long text may stay unacknowledged before the connection fails (MUST-21, RFC 5482).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_user_timeout(Some(std::time::Duration::from_secs(5)));
    /// assert_eq!(stream.user_timeout(), Some(std::time::Duration::from_secs(5)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn user_timeout(&self) -> Option<Duration> {
        self.option(|o| o.user_timeout)
    }

    /// Sets how long text may stay unacknowledged; `None` or zero: as long as retransmission
    /// takes. With keepalive, that time without a sign of the peer takes the place of the count
    /// of probes, as on Linux.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_user_timeout(Some(std::time::Duration::from_secs(5)));
    /// assert_eq!(stream.user_timeout(), Some(std::time::Duration::from_secs(5)));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_USER_TIMEOUT")]
    pub fn set_user_timeout(&self, timeout: Option<Duration>) {
        self.set_option(|o| o.user_timeout = timeout);
    }

    /// Limit of the send buffer in octets, as it is now.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_send_buffer_size(64 << 10)?;
    /// assert_eq!(stream.send_buffer_size()?, 64 << 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        Ok(self.cell.info().send_buffer)
    }

    /// Fixes the limit of the send buffer in octets, at least 1 KiB and at most 1 GiB, and ends
    /// its auto-tuning. Linux doubles the value and counts its overhead too; here it is the text.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_send_buffer_size(64 << 10)?;
    /// assert_eq!(stream.send_buffer_size()?, 64 << 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_SNDBUF")]
    pub fn set_send_buffer_size(&self, size: usize) -> io::Result<()> {
        self.set_option(|o| o.send_buffer = Some(size));
        Ok(())
    }

    /// Limit of the receive buffer in octets, as it is now.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_recv_buffer_size(64 << 10)?;
    /// assert_eq!(stream.recv_buffer_size()?, 64 << 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_RCVBUF")]
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        Ok(self.cell.info().receive_buffer)
    }

    /// Fixes the limit of the receive buffer in octets, at least 1 KiB and at most 1 GiB, and ends
    /// its auto-tuning. A window that was offered before stays (SHLD-14).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_recv_buffer_size(64 << 10)?;
    /// assert_eq!(stream.recv_buffer_size()?, 64 << 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_RCVBUF")]
    pub fn set_recv_buffer_size(&self, size: usize) -> io::Result<()> {
        self.set_option(|o| o.receive_buffer = Some(size));
        Ok(())
    }

    /// The mark of [`set_notsent_lowat`](Self::set_notsent_lowat).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_notsent_lowat(Some(16 << 10));
    /// assert_eq!(stream.notsent_lowat(), Some(16 << 10));
    /// # Ok(())
    /// # }
    /// ```
    pub fn notsent_lowat(&self) -> Option<u32> {
        self.option(|o| o.notsent_lowat)
    }

    /// Makes writing possible only while fewer octets than this are written and not yet sent;
    /// `None` or zero: as long as the send buffer has room. What the application writes last then
    /// waits behind little. As on Linux, a task that waits is woken at half of it.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_notsent_lowat(Some(16 << 10));
    /// assert_eq!(stream.notsent_lowat(), Some(16 << 10));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_NOTSENT_LOWAT")]
    pub fn set_notsent_lowat(&self, octets: Option<u32>) {
        self.set_option(|o| o.notsent_lowat = octets);
    }

    /// Whether partial segments are held (`TCP_CORK`).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_cork(true);
    /// assert_eq!(stream.cork(), true);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_CORK")]
    pub fn cork(&self) -> bool {
        self.option(|o| o.cork)
    }

    /// Which congestion control the connection uses (`TCP_CONGESTION`).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// assert_eq!(stream.congestion(), Algorithm::Cubic);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_CONGESTION")]
    pub fn congestion(&self) -> Algorithm {
        let stack = || self.net.handle.inspect(|s| s.config().tcp.congestion);
        self.option(|o| o.congestion).unwrap_or_else(stack)
    }

    /// Changes the congestion control (`TCP_CONGESTION`). As on Linux, the window and the threshold
    /// stay as they are.
    ///
    /// ```
    /// # use tcp_async::{Algorithm, Net};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// # let _listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// stream.set_congestion(Algorithm::Reno);
    /// assert_eq!(stream.info().congestion, "reno");
    /// // By the name that Linux has for it:
    /// stream.set_congestion("cubic".parse().expect("a known name"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_CONGESTION")]
    pub fn set_congestion(&self, algorithm: Algorithm) {
        self.set_option(|o| o.congestion = Some(algorithm));
    }

    /// Lets a congestion controller of the program's own decide how much may be in flight, from now on. It is called
    /// with the connection locked: it must not use the stream.
    ///
    /// ```
    /// # use tcp_async::{Algorithm, Net};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # use tokio::io::AsyncWriteExt;
    /// use tcp_async::congestion::{Ack, Controller};
    ///
    /// /// As much as the program says.
    /// #[derive(Debug)]
    /// struct Fixed(u32);
    ///
    /// impl Controller for Fixed {
    ///     # fn on_ack(&mut self, _ack: &Ack) {}
    ///     # fn on_loss(&mut self, _now: tcp_async::Instant, _in_flight: u32) {}
    ///     # fn on_timeout(&mut self, _now: tcp_async::Instant, _in_flight: u32, _repeated: bool) {}
    ///     # fn on_recovered(&mut self, _now: tcp_async::Instant) {}
    ///     # fn on_idle_restart(&mut self, _now: tcp_async::Instant) {}
    ///     # fn set_mss(&mut self, _mss: u32) {}
    ///     # fn slow_start_threshold(&self) -> u32 { u32::MAX }
    ///     // What happens on the way goes to `on_ack`, `on_loss`, `on_timeout` ...
    ///     fn window(&self) -> u32 {
    ///         self.0
    ///     }
    ///     fn name(&self) -> &'static str {
    ///         "fixed"
    ///     }
    /// }
    ///
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// # let _listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// stream.set_controller(Fixed(200_000));
    /// assert_eq!(stream.info().congestion, "fixed");
    /// assert_eq!(stream.info().congestion_window, 200_000);
    /// // A built-in one goes on with its window.
    /// stream.set_congestion(Algorithm::Cubic);
    /// assert_eq!(stream.info().congestion_window, 200_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_controller(&self, controller: impl Controller + 'static) {
        self.cell.set_controller(self.net.handle.now(), Box::new(controller));
    }

    /// What the peer's SYN said: its options and its window. Only of an accepted connection whose
    /// listener keeps it ([`ListenOptions::save_syn`](crate::ListenOptions::save_syn),
    /// [`TcpSocket::set_save_syn`](crate::TcpSocket::set_save_syn)), and not if it was opened by a
    /// cookie. Linux hands out the packet itself, once; here it is there as long as the stream.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let socket = TcpSocket::new_v4()?;
    /// socket.set_save_syn(true);
    /// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    /// let listener = socket.listen(128)?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
    /// let syn = server.saved_syn().expect("the listener keeps it");
    /// assert!(syn.sack && syn.mss.is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_SAVED_SYN")]
    pub fn saved_syn(&self) -> Option<PeerSyn> {
        self.cell.saved_syn()
    }

    /// Holds partial segments until it is unset, at most 200 ms (`TCP_CORK`).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_cork(true);
    /// assert_eq!(stream.cork(), true);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_CORK")]
    pub fn set_cork(&self, cork: bool) {
        self.set_option(|o| o.cork = cork);
    }

    /// The TTL or hop limit below which arriving packets are dropped; 0: none is (`IP_MINTTL`).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_min_ttl(255);
    /// assert_eq!(stream.min_ttl(), 255);
    /// # Ok(())
    /// # }
    /// ```
    pub fn min_ttl(&self) -> u8 {
        self.option(|o| o.min_hop_limit)
    }

    /// Drops packets that arrive with a smaller TTL or hop limit (`IP_MINTTL`,
    /// `IPV6_MINHOPCOUNT`). With 255 at both ends, and [`set_ttl(255)`](Self::set_ttl), only
    /// neighbours on the link can speak to this connection (RFC 5082). What the stack sends to
    /// itself is no exception, as on Linux.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tcp_async::*;
    /// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// # let listener = net.listen("10.0.0.1:179").await?;
    /// # let mut stream = net.connect("10.0.0.1:179").await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_min_ttl(255);
    /// peer.write_all(b"hello").await?; // with the usual TTL of 64
    /// let mut buf = [0; 5];
    /// let read = stream.read_exact(&mut buf);
    /// assert!(tokio::time::timeout(Duration::from_millis(100), read).await.is_err());
    ///
    /// peer.set_ttl(255)?;
    /// stream.read_exact(&mut buf).await?; // the text is sent again
    /// assert_eq!(&buf, b"hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_min_ttl(&self, ttl: u8) {
        self.set_option(|o| o.min_hop_limit = ttl);
    }

    /// Traffic class: Diffserv field and ECN bits of our packets (MUST-48); the type of service
    /// of IPv4 (`IP_TOS`) and the traffic class of IPv6 (`IPV6_TCLASS`).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_traffic_class(0x10);
    /// assert_eq!(stream.traffic_class(), 0x10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn traffic_class(&self) -> u8 {
        self.option(|o| o.traffic_class)
    }

    /// Sets the traffic class of our packets from now on (MUST-48).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_traffic_class(0x10);
    /// assert_eq!(stream.traffic_class(), 0x10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_traffic_class(&self, class: u8) {
        self.set_option(|o| o.traffic_class = class);
    }
}
