//! When can a stream be read or written? Waiting for readiness, polling it, and operations of the caller's own
//! that ask for it again when they would block.

use std::io;
use std::task::{Context, Poll};

use tcp_io::cell::{Interest as CellInterest, Readiness};
use tokio::io::{Interest, Ready};

use super::TcpStream;
use crate::budget::{attempt, cooperative};
use crate::wait::Wait;

impl TcpStream {
    /// Waits until one of the directions of `interest` is ready.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use tokio::io::Interest;
    ///
    /// let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
    /// assert!(ready.is_writable());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; a failure shows in the readiness, and in the next read or write.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let ready = Wait::new(&self.cell, cell_interest(interest)).await;
        Ok(tokio_ready(ready))
    }

    /// Waits until there is something to read, the end, or an error.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// peer.try_write(b"hello")?;
    /// let mut text = [0; 10];
    /// loop {
    ///     stream.readable().await?;
    ///     match stream.try_read(&mut text) {
    ///         Ok(n) => break assert_eq!(&text[..n], b"hello"),
    ///         Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
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

    /// Waits until there is room to write, or writing fails at once.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.writable().await?;
    /// assert_eq!(stream.try_write(b"hello")?, 5);
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

    /// Polls for read readiness; keeps the waker of the last task that called.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// peer.try_write(b"hello")?;
    /// std::future::poll_fn(|cx| stream.poll_read_ready(cx)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        cooperative(cx, |cx| self.cell.poll_ready(cx, CellInterest::READABLE)).map(|_| Ok(()))
    }

    /// Polls for write readiness; keeps the waker of the last task that called.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// std::future::poll_fn(|cx| stream.poll_write_ready(cx)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        cooperative(cx, |cx| self.cell.poll_ready(cx, CellInterest::WRITABLE)).map(|_| Ok(()))
    }

    /// Runs `f`, which does its own input or output on this stream. If it returns `WouldBlock`, the
    /// stream counts as not ready until the next event.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use tokio::io::Interest;
    ///
    /// let n = stream.try_io(Interest::WRITABLE, || stream.try_write(b"hello"))?;
    /// assert_eq!(n, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` if the stream is not ready; otherwise what `f` returns.
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

    /// Runs `f`, which does its own input or output on this stream, whenever the stream is ready,
    /// until it returns something else than `WouldBlock`; each time after that it waits for an
    /// event.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use tokio::io::Interest;
    ///
    /// peer.try_write(b"hello")?;
    /// let mut text = [0; 10];
    /// let n = stream.async_io(Interest::READABLE, || stream.try_read(&mut text)).await?;
    /// assert_eq!(&text[..n], b"hello");
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
                        // What is closed is ready for ever: others have their turn, too.
                        tokio::task::yield_now().await;
                    }
                }
                r => return r,
            }
        }
    }
}

/// What the waiter list knows of tokio's interest.
pub(crate) fn cell_interest(i: Interest) -> CellInterest {
    let mut all = None;
    let mut add = |wanted: bool, c: CellInterest| {
        if wanted {
            all = Some(all.map_or(c, |a| a | c));
        }
    };
    add(i.is_readable(), CellInterest::READABLE);
    add(i.is_writable(), CellInterest::WRITABLE);
    add(i.is_error(), CellInterest::ERROR);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    add(i.is_priority(), CellInterest::PRIORITY);
    all.unwrap_or(CellInterest::READABLE)
}

pub(crate) fn tokio_ready(r: Readiness) -> Ready {
    let mut all = Ready::EMPTY;
    let mut add = |ours: Readiness, theirs: Ready| {
        if r.intersects(ours) {
            all |= theirs;
        }
    };
    add(Readiness::READABLE, Ready::READABLE);
    add(Readiness::WRITABLE, Ready::WRITABLE);
    add(Readiness::READ_CLOSED, Ready::READ_CLOSED);
    add(Readiness::WRITE_CLOSED, Ready::WRITE_CLOSED);
    add(Readiness::ERROR, Ready::ERROR);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    add(Readiness::PRIORITY, Ready::PRIORITY);
    all
}
