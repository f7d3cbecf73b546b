//! How does a program look at a datagram that stays there? Each `peek` in its forms, and the sender alone.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tcp_io::cell::Look;
use tokio::io::ReadBuf;

use super::UdpSocket;
use super::receive::arrival;

impl UdpSocket {
    /// Copies the next datagram and leaves it there.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut first = [0; 1];
    /// assert_eq!((server.peek(&mut first).await?, &first), (1, b"q"));
    /// let mut buf = [0; 512];
    /// assert_eq!(server.recv(&mut buf).await?, 8); // whole: nothing was taken
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Nothing is taken, so nothing is lost.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.peek_from(buf).await.map(|(n, _)| n)
    }

    /// Polls for the next datagram and leaves it there; keeps the waker of the last task that
    /// called.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut space = [0; 512];
    /// let mut buf = ReadBuf::new(&mut space);
    /// poll_fn(|cx| server.poll_peek(cx, &mut buf)).await?;
    /// assert_eq!(buf.filled(), b"question");
    /// assert_eq!(server.try_recv(&mut [0; 512])?, 8); // still there
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_into(cx, Look::Peek, buf).map_ok(|_| ())
    }

    /// Copies a datagram that is there now and leaves it there.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// server.readable().await?;
    /// let mut buf = [0; 512];
    /// assert_eq!(server.try_peek(&mut buf)?, 8);
    /// assert_eq!(server.try_recv(&mut buf)?, 8); // still there
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_peek_from(buf).map(|(n, _)| n)
    }

    /// As [`peek`](Self::peek), with the sender.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut buf = [0; 512];
    /// assert_eq!(server.peek_from(&mut buf).await?, (8, client.local_addr()?));
    /// assert_eq!(server.recv_from(&mut buf).await?, (8, client.local_addr()?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Nothing is taken, so nothing is lost.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.patiently(arrival(), || self.look_slice(Look::Peek, buf)).await
    }

    /// As [`poll_peek`](Self::poll_peek), with the sender.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut space = [0; 512];
    /// let mut buf = ReadBuf::new(&mut space);
    /// let from = poll_fn(|cx| server.poll_peek_from(cx, &mut buf)).await?;
    /// assert_eq!((buf.filled(), from), (&b"question"[..], client.local_addr()?));
    /// assert_eq!(server.try_recv(&mut [0; 512])?, 8); // still there
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_into(cx, Look::Peek, buf)
    }

    /// As [`try_peek`](Self::try_peek), with the sender.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// server.readable().await?;
    /// let mut buf = [0; 512];
    /// assert_eq!(server.try_peek_from(&mut buf)?, (8, client.local_addr()?));
    /// assert_eq!(server.try_recv_from(&mut buf)?, (8, client.local_addr()?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.look_slice(Look::Peek, buf)
    }

    /// The sender of the next datagram, which stays there.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let from = server.peek_sender().await?;
    /// assert_eq!(from, client.local_addr()?);
    /// assert_eq!(server.recv(&mut [0; 512]).await?, 8); // still there
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Nothing is taken, so nothing is lost.
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        self.patiently(arrival(), || self.try_peek_sender()).await
    }

    /// Polls for the sender of the next datagram, which stays there.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let from = poll_fn(|cx| server.poll_peek_sender(cx)).await?;
    /// assert_eq!(from, client.local_addr()?);
    /// assert_eq!(server.try_recv(&mut [0; 512])?, 8); // still there
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.poll_io(cx, arrival(), || self.try_peek_sender())
    }

    /// The sender of the datagram that is there now and stays there.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert_eq!(server.try_peek_sender().unwrap_err().kind(), ErrorKind::WouldBlock);
    /// client.send(b"question").await?;
    /// server.readable().await?;
    /// assert_eq!(server.try_peek_sender()?, client.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.look_slice(Look::Peek, &mut []).map(|(_, from)| from)
    }
}
