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
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_into(cx, Look::Peek, buf).map_ok(|_| ())
    }

    /// Copies a datagram that is there now and leaves it there.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_peek_from(buf).map(|(n, _)| n)
    }

    /// As [`peek`](Self::peek), with the sender.
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
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.look_slice(Look::Peek, buf)
    }

    /// The sender of the next datagram, which stays there.
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
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.poll_io(cx, arrival(), || self.try_peek_sender())
    }

    /// The sender of the datagram that is there now and stays there.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.look_slice(Look::Peek, &mut []).map(|(_, from)| from)
    }
}
