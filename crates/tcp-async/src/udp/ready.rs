//! How does a task wait for a UDP socket? Readiness as tokio has it, and operations on top of it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tcp_io::cell::{Interest as CellInterest, Readiness, UdpCell, WaiterKey};
use tokio::io::{Interest, Ready};

use super::UdpSocket;
use crate::budget::{attempt, cooperative};
use crate::stream::{cell_interest, tokio_ready};

/// Holds a place in the waiter list of a socket and gives it back when it is dropped.
pub(super) struct Wait<'a> {
    cell: &'a UdpCell,
    interest: CellInterest,
    key: Option<WaiterKey>,
}

impl Future for Wait<'_> {
    type Output = Readiness;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Readiness> {
        let this = &mut *self;
        // As tokio's, waiting itself takes nothing from the task's budget: what follows it does.
        this.cell.poll_wait(cx, this.interest, &mut this.key)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.cell.cancel_wait(key);
        }
    }
}

impl UdpSocket {
    pub(super) fn wait(&self, interest: CellInterest) -> Wait<'_> {
        Wait { cell: &self.cell, interest, key: None }
    }

    /// Waits until one of the directions of `interest` is ready.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let ready = server.ready(Interest::READABLE | Interest::WRITABLE).await?;
    /// assert!(ready.is_readable() && ready.is_writable());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; an error shows in the readiness, and in the next call.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        Ok(tokio_ready(self.wait(cell_interest(interest)).await))
    }

    /// Waits until a datagram is there.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut buf = [0; 512];
    /// loop {
    ///     server.readable().await?;
    ///     match server.try_recv(&mut buf) {
    ///         Ok(n) => break assert_eq!(&buf[..n], b"question"),
    ///         Err(e) if e.kind() == ErrorKind::WouldBlock => {} // another task was faster
    ///         Err(e) => return Err(e),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(|_| ())
    }

    /// Waits until there is room to send.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.writable().await?;
    /// assert_eq!(client.try_send(b"question")?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(|_| ())
    }

    /// Polls until a datagram is there; keeps the waker of the last task that called.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
    /// assert!(server.poll_recv_ready(&mut nobody).is_pending());
    /// client.send(b"question").await?;
    /// poll_fn(|cx| server.poll_recv_ready(cx)).await?;
    /// assert_eq!(server.try_recv(&mut [0; 512])?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        cooperative(cx, |cx| self.cell.poll_ready(cx, CellInterest::READABLE)).map(|_| Ok(()))
    }

    /// Polls until there is room to send; keeps the waker of the last task that called.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// poll_fn(|cx| client.poll_send_ready(cx)).await?;
    /// assert_eq!(client.try_send(b"question")?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        cooperative(cx, |cx| self.cell.poll_ready(cx, CellInterest::WRITABLE)).map(|_| Ok(()))
    }

    /// Runs `f`, which does its own input or output on this socket. If it returns `WouldBlock`,
    /// the socket counts as not ready until the next event.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// server.readable().await?;
    /// let mut buf = [0; 512];
    /// let n = server.try_io(Interest::READABLE, || server.try_recv(&mut buf))?;
    /// assert_eq!(&buf[..n], b"question");
    /// // Nothing is left: the closure is not even called.
    /// let nothing = server.try_io(Interest::READABLE, || -> std::io::Result<()> { unreachable!() });
    /// assert_eq!(nothing.unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` if the socket is not ready; otherwise what `f` returns.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let interest = cell_interest(interest);
        let (ready, seen) = self.cell.readiness_seen();
        if (ready & interest.mask()).is_empty() {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        let result = f();
        if matches!(&result, Err(e) if e.kind() == io::ErrorKind::WouldBlock) {
            self.cell.spend(interest, seen);
        }
        result
    }

    /// Runs `f`, which does its own input or output on this socket, whenever the socket is ready,
    /// until it returns something else than `WouldBlock`; each time after that it waits for an
    /// event.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// let mut buf = [0; 512];
    /// let n = server.async_io(Interest::READABLE, || server.try_recv(&mut buf)).await?;
    /// assert_eq!(&buf[..n], b"question");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What `f` returns.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            self.ready(interest).await?;
            match attempt(|| self.try_io(interest, &mut f)).await {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if self.cell.readiness_seen().0.intersects(Readiness::CLOSED) {
                        // What is over is ready for ever: others have their turn, too.
                        tokio::task::yield_now().await;
                    }
                }
                r => return r,
            }
        }
    }

    /// Tries until it is not refused for the moment.
    pub(super) async fn patiently<R>(
        &self,
        interest: CellInterest,
        mut act: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            match attempt(&mut act).await {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(interest).await;
                }
                r => return r,
            }
        }
    }

    /// The same for a `poll_*` function.
    pub(super) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        interest: CellInterest,
        mut act: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        cooperative(cx, |cx| {
            loop {
                match act() {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    r => return Poll::Ready(r),
                }
                // Ready by now, if something happened in between.
                ready!(self.cell.poll_ready(cx, interest));
            }
        })
    }
}
