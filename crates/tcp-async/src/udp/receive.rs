//! How does a program receive datagrams? Each `recv` in its forms: waiting, polling and trying,
//! with and without the sender. Looking without taking is in `peek`.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::BufMut;
use tcp_io::cell::{Interest, Look};
use tokio::io::ReadBuf;

use super::UdpSocket;
use crate::error;

/// Ready for a receiver: a datagram, or an error that it is told instead.
pub(super) fn arrival() -> Interest {
    Interest::READABLE | Interest::ERROR
}

impl UdpSocket {
    fn look(
        &self,
        look: Look,
        most: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> io::Result<(usize, SocketAddr)> {
        self.cell.receive(look, most, take).map_err(error::from_udp_receive)
    }

    pub(super) fn look_slice(&self, look: Look, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.look(look, buf.len(), &mut |text| buf[..text.len()].copy_from_slice(text))
    }

    fn take_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        // As tokio: one chunk, so that a datagram is never spread.
        let room = buf.chunk_mut().len();
        self.look(Look::Take, room, &mut |text| buf.put_slice(text))
    }

    pub(super) fn poll_into(
        &self,
        cx: &mut Context<'_>,
        look: Look,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_io(cx, arrival(), || {
            let (_, from) = self.look(look, buf.remaining(), &mut |text| buf.put_slice(text))?;
            Ok(from)
        })
    }

    /// Receives a datagram; what does not fit into `buf` is lost. A socket that is not connected
    /// takes it from anybody.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut buf = [0; 512];
    /// let n = server.recv(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"question");
    ///
    /// client.send(b"a long question").await?;
    /// let mut short = [0; 6];
    /// assert_eq!(server.recv(&mut short).await?, 6); // the rest of it is lost
    /// assert_eq!(&short, b"a long");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What ICMP said about a datagram of ours, once: `ConnectionRefused` if nobody is at the
    /// peer's port. `NetworkDown` if the stack has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses no datagram.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.patiently(arrival(), || self.look_slice(Look::Take, buf)).await.map(|(n, _)| n)
    }

    /// Polls for a datagram; keeps the waker of the last task that called.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut space = [0; 512];
    /// let mut buf = ReadBuf::new(&mut space);
    /// poll_fn(|cx| server.poll_recv(cx, &mut buf)).await?;
    /// assert_eq!(buf.filled(), b"question");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_into(cx, Look::Take, buf).map_ok(|_| ())
    }

    /// Receives a datagram that is there now.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let mut buf = [0; 512];
    /// assert_eq!(server.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// client.send(b"question").await?;
    /// server.readable().await?;
    /// assert_eq!(server.try_recv(&mut buf)?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` if none is; otherwise as [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.look_slice(Look::Take, buf).map(|(n, _)| n)
    }

    /// Receives a datagram that is there now into a growing buffer, as much as it has room for
    /// without growing; a `Vec` that is full grows first.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// server.readable().await?;
    /// let mut buf = Vec::with_capacity(512);
    /// assert_eq!(server.try_recv_buf(&mut buf)?, 8);
    /// assert_eq!(buf, b"question");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.take_buf(buf).map(|(n, _)| n)
    }

    /// Receives a datagram into a growing buffer; see [`try_recv_buf`](Self::try_recv_buf).
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"one ").await?;
    /// client.send(b"two").await?;
    /// let mut buf = Vec::with_capacity(512);
    /// server.recv_buf(&mut buf).await?;
    /// server.recv_buf(&mut buf).await?;
    /// assert_eq!(buf, b"one two"); // each is put behind what is there
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Dropping the future loses no datagram.
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.patiently(arrival(), || self.take_buf(buf)).await.map(|(n, _)| n)
    }

    /// As [`try_recv_buf`](Self::try_recv_buf), with the sender.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// server.readable().await?;
    /// let mut buf = Vec::with_capacity(512);
    /// assert_eq!(server.try_recv_buf_from(&mut buf)?, (8, client.local_addr()?));
    /// assert_eq!(buf, b"question");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.take_buf(buf)
    }

    /// As [`recv_buf`](Self::recv_buf), with the sender.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut buf = Vec::with_capacity(512);
    /// let (_, from) = server.recv_buf_from(&mut buf).await?;
    /// server.send_to(&buf, from).await?; // back to where it came from
    /// assert_eq!(client.recv(&mut [0; 512]).await?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Dropping the future loses no datagram.
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.patiently(arrival(), || self.take_buf(buf)).await
    }

    /// Receives a datagram with its sender; what does not fit into `buf` is lost.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut buf = [0; 512];
    /// let (n, from) = server.recv_from(&mut buf).await?;
    /// assert_eq!((&buf[..n], from), (&b"question"[..], client.local_addr()?));
    /// server.send_to(b"answer", from).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Dropping the future loses no datagram.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.patiently(arrival(), || self.look_slice(Look::Take, buf)).await
    }

    /// Polls for a datagram with its sender; keeps the waker of the last task that called.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut space = [0; 512];
    /// let mut buf = ReadBuf::new(&mut space);
    /// let from = poll_fn(|cx| server.poll_recv_from(cx, &mut buf)).await?;
    /// assert_eq!((buf.filled(), from), (&b"question"[..], client.local_addr()?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_into(cx, Look::Take, buf)
    }

    /// Receives a datagram that is there now, with its sender.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// server.readable().await?;
    /// let mut buf = [0; 512];
    /// assert_eq!(server.try_recv_from(&mut buf)?, (8, client.local_addr()?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.look_slice(Look::Take, buf)
    }
}
