//! What stands in the IP header of a connection's packets, and what must stand in the peer's? Hop limits and the
//! traffic class.

use std::io;

use crate::stream::TcpStream;

impl TcpStream {
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
