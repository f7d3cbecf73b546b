//! How does a program send datagrams? Each `send` in its forms: waiting, polling and trying, to
//! the peer or elsewhere.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use tcp_io::cell::Interest;
use tcp_io::stack::UdpSendError;
use tokio::net::ToSocketAddrs;

use super::UdpSocket;
use crate::error;

/// No datagram has more text (IPv6): what is longer is not even copied.
const LONGEST: usize = 65_527;

impl UdpSocket {
    pub(super) fn send_error(&self, e: UdpSendError) -> io::Error {
        match e {
            UdpSendError::NoRoute if self.net.addresses().is_empty() => error::no_way_out(),
            e => error::from_udp_send(e),
        }
    }

    fn send_now(&self, buf: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        if buf.len() > LONGEST {
            return Err(self.send_error(UdpSendError::TooLong));
        }
        // Copied before the stack is locked.
        let text = Bytes::copy_from_slice(buf);
        let sent = self.with_stack(|s, now| s.udp_send(now, self.id(), text, to))?;
        sent.map(|()| buf.len()).map_err(|e| self.send_error(e))
    }

    /// Sends a datagram to the peer; up to 65,507 octets over IPv4 and 65,527 over IPv6. What the
    /// path does not carry in one packet goes in fragments.
    ///
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// socket.connect("10.0.0.2:9").await?;
    /// assert_eq!(socket.send(&[0; 3000]).await?, 3000);
    /// // A packet holds 1500 octets here: 20 of each are the header, and 8 of the text UDP's.
    /// for len in [1500, 1500, 3008 - 2 * 1480 + 20] {
    ///     assert_eq!(packet_from(&wire).await?.len(), len);
    /// }
    /// let long = socket.send(&[0; 65_508]).await.unwrap_err();
    /// assert_eq!(long.kind(), ErrorKind::InvalidInput);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotConnected` before [`connect`](Self::connect), `InvalidInput` if it is too long,
    /// `NetworkUnreachable` without a route; once, what ICMP said about an earlier one, as
    /// `ConnectionRefused` if nobody is at the peer's port. `NetworkDown` if the stack has ended.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, nothing was sent.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.patiently(Interest::WRITABLE, || self.send_now(buf, None)).await
    }

    /// Polls for room and sends; keeps the waker of the last task that called.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let n = poll_fn(|cx| client.poll_send(cx, b"question")).await?;
    /// assert_eq!(n, 8);
    /// assert_eq!(server.recv(&mut [0; 512]).await?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Interest::WRITABLE, || self.send_now(buf, None))
    }

    /// Sends if there is room now.
    ///
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// socket.connect("10.0.0.2:9").await?;
    /// let full = loop {
    ///     if let Err(e) = socket.try_send(&[0; 1400]) {
    ///         break e;
    ///     }
    /// };
    /// assert_eq!(full.kind(), ErrorKind::WouldBlock); // the device had no turn to take anything
    /// socket.writable().await?;
    /// assert_eq!(socket.try_send(b"question")?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` without room; otherwise as [`send`](Self::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.send_now(buf, None)
    }

    /// Sends a datagram to `addr`, of which the first address counts; a connected socket may, as
    /// on Linux.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let mut buf = [0; 512];
    /// client.send_to(b"question", "10.0.0.1:53").await?;
    /// let (_, from) = server.recv_from(&mut buf).await?;
    /// assert_eq!(server.send_to(b"answer", from).await?, 6);
    /// let n = client.recv(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"answer");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send); `InvalidInput` for port 0 or an address that this socket can't
    /// reach, `PermissionDenied` for a broadcast address without
    /// [`set_broadcast`](Self::set_broadcast).
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, nothing was sent.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let first = tokio::net::lookup_host(addr).await?.next();
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to");
        let to = first.ok_or_else(none)?;
        self.patiently(Interest::WRITABLE, || self.send_now(buf, Some(to))).await
    }

    /// Polls for room and sends to `target`; keeps the waker of the last task that called.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let to = server.local_addr()?;
    /// let n = poll_fn(|cx| client.poll_send_to(cx, b"question", to)).await?;
    /// assert_eq!(n, 8);
    /// assert_eq!(server.recv(&mut [0; 512]).await?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Interest::WRITABLE, || self.send_now(buf, Some(target)))
    }

    /// Sends to `target` if there is room now.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let to = server.local_addr()?;
    /// assert_eq!(client.try_send_to(b"question", to)?, 8);
    /// assert_eq!(server.recv(&mut [0; 512]).await?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` without room; otherwise as [`send_to`](Self::send_to).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.send_now(buf, Some(target))
    }
}
