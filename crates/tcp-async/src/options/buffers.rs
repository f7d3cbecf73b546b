//! How much may wait, at either end of a connection? Sizes of its buffers and the mark for unsent text.

use std::io;

use crate::stream::TcpStream;

impl TcpStream {
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
}
