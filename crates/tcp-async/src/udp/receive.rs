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
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_into(cx, Look::Take, buf).map_ok(|_| ())
    }

    /// Receives a datagram that is there now.
    ///
    /// # Errors
    /// `WouldBlock` if none is; otherwise as [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.look_slice(Look::Take, buf).map(|(n, _)| n)
    }

    /// Receives a datagram that is there now into a growing buffer, as much as it has room for
    /// without growing; a `Vec` that is full grows first.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.take_buf(buf).map(|(n, _)| n)
    }

    /// Receives a datagram into a growing buffer; see [`try_recv_buf`](Self::try_recv_buf).
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
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.take_buf(buf)
    }

    /// As [`recv_buf`](Self::recv_buf), with the sender.
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
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.look_slice(Look::Take, buf)
    }
}
