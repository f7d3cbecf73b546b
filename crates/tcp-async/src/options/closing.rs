//! When does a connection end, and how? Linger, keepalive, the user timeout, FIN-WAIT-2.

use std::io;
use std::time::Duration;

use tcp_core::config::{Keepalive, Linger, Linger2};

use crate::stream::TcpStream;

impl TcpStream {
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
}
