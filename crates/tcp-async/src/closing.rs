//! How does a stream end? Closing with and without waiting, aborting, and what `shutdown` says of a
//! connection that has ended already. Dropping is in `stream`.

use std::io;
use std::net::Shutdown;

use tcp_core::error::UserError;

use crate::error;
use crate::stream::TcpStream;
use crate::wait::Delivery;

impl TcpStream {
    /// Closes the stream, as dropping it does, and waits until the peer has acknowledged all that
    /// was written, at most for the [linger](Self::set_linger) time; without one it does not wait.
    /// After it the stack goes on delivering in the background, as Linux does.
    ///
    /// That the peer has acknowledged text does not mean that its application has read it.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use tokio::io::AsyncWriteExt;
    ///
    /// stream.set_linger(Some(std::time::Duration::from_secs(5)))?;
    /// stream.write_all(b"the last words").await?;
    /// stream.close().await?; // the peer's TCP has them
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `TimedOut` if the linger time was over first; otherwise why the connection ended before
    /// all was delivered. A linger time of zero, or unread text, resets: `ConnectionAborted`.
    ///
    /// # Cancel safety
    /// The stream is closed whether or not anybody waits.
    pub async fn close(self) -> io::Result<()> {
        let wait = self.linger()?;
        self.cell.close(self.net.handle.now());
        let delivered = Delivery::new(&self.cell);
        match tokio::time::timeout(wait.unwrap_or_default(), delivered).await {
            Ok(end) => end.map_err(error::from_end),
            Err(_) if wait.is_none() => Ok(()),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "not all was delivered in time")),
        }
    }

    /// Closes one direction or both, at once and without waiting; `tokio` has
    /// `AsyncWriteExt::shutdown` for the direction that is written.
    ///
    /// What was written is still delivered. Closing the direction that is read tells the peer
    /// nothing: as on Linux, a read that would wait finds the end, and text that comes nevertheless
    /// is acknowledged and can be read, until the window is full.
    ///
    /// ```
    /// use std::net::Shutdown;
    /// # use tcp_async::Net;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// # let _listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// stream.shutdown_direction(Shutdown::Read)?;
    /// assert_eq!(stream.try_read(&mut [0; 10])?, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotConnected` before the connection is established.
    #[doc(alias = "SHUT_RD")]
    pub fn shutdown_direction(&self, how: Shutdown) -> io::Result<()> {
        if how != Shutdown::Write {
            match self.cell.shutdown_read() {
                Ok(()) | Err(UserError::Ended(_)) => {}
                Err(e) => return Err(error::from_user(e)),
            }
        }
        if how == Shutdown::Read { Ok(()) } else { self.shutdown_write() }
    }

    /// Resets the connection at once; unsent and unread text is lost.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use std::io::ErrorKind;
    ///
    /// stream.abort();
    /// let end = peer.read_bytes(10).await.expect_err("no orderly end");
    /// assert_eq!(end.kind(), ErrorKind::ConnectionReset);
    /// # Ok(())
    /// # }
    /// ```
    pub fn abort(self) {
        self.cell.abort();
    }

    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        match self.cell.close_write() {
            // As tokio: what has ended already is shut down.
            Ok(()) | Err(UserError::Ended(_) | UserError::NotConnected) => Ok(()),
            Err(e) => Err(error::from_user(e)),
        }
    }
}
