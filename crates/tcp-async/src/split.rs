//! How are the two directions used by two tasks? Borrowed and owned halves, as in
//! `tokio::net::tcp`. What they can do is in `read` and `write`.

mod read;
mod write;

use std::fmt;
use std::sync::Arc;

use crate::stream::TcpStream;

/// Borrowed read half; see [`TcpStream::split`].
///
/// ```
#[doc = include_str!("../doc/stream_and_peer.rs")]
/// let echo = tokio::spawn(async move {
///     let (mut read, mut write) = peer.split();
///     tokio::io::copy(&mut read, &mut write).await
/// });
/// stream.write_all(b"hello").await?;
/// stream.shutdown().await?;
/// let mut text = String::new();
/// stream.read_to_string(&mut text).await?;
/// assert_eq!((text.as_str(), echo.await??), ("hello", 5));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ReadHalf<'a>(pub(crate) &'a TcpStream);

/// Borrowed write half; see [`TcpStream::split`]. Dropping it does nothing.
///
/// ```
#[doc = include_str!("../doc/stream_and_peer.rs")]
/// let (_read, mut write) = stream.split();
/// write.write_all(b"hello").await?;
/// drop(write);
/// assert_eq!(stream.state(), State::Established);
///
/// let (_read, mut write) = stream.split();
/// write.shutdown().await?; // this closes our direction
/// assert_ne!(stream.state(), State::Established);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WriteHalf<'a>(pub(crate) &'a TcpStream);

/// Owned read half; see [`TcpStream::into_split`].
///
/// ```
#[doc = include_str!("../doc/stream_and_peer.rs")]
/// let (mut read, mut write) = stream.into_split();
/// let answer = tokio::spawn(async move {
///     let mut text = String::new();
///     read.read_to_string(&mut text).await?;
///     std::io::Result::Ok(text)
/// });
/// write.write_all(b"question").await?;
/// peer.write_all(b"answer").await?;
/// peer.shutdown().await?;
/// assert_eq!(answer.await??, "answer");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// Owned write half; see [`TcpStream::into_split`]. Dropping it closes our direction, unless
/// [`forget`](Self::forget) is called.
///
/// ```
#[doc = include_str!("../doc/stream_and_peer.rs")]
/// let (read, mut write) = stream.into_split();
/// write.write_all(b"question").await?;
/// drop(write);
/// let mut text = String::new();
/// peer.read_to_string(&mut text).await?; // up to the end
/// assert_eq!(text, "question");
/// peer.write_all(b"answer").await?;
/// assert_eq!(read.read_bytes(100).await?, "answer");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct OwnedWriteHalf {
    inner: Arc<TcpStream>,
    close_on_drop: bool,
}

/// Two halves are not of the same stream; gives both back.
///
/// ```
#[doc = include_str!("../doc/stream_and_peer.rs")]
/// let (read, write) = stream.into_split();
/// let (_peers_read, peers_write) = peer.into_split();
/// let ReuniteError(read, _peers_write) = read.reunite(peers_write).unwrap_err();
/// assert!(read.reunite(write).is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tried to reunite halves that are not from the same socket")
    }
}

impl std::error::Error for ReuniteError {}

pub(crate) fn into_split(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let inner = Arc::new(stream);
    (OwnedReadHalf(inner.clone()), OwnedWriteHalf { inner, close_on_drop: true })
}

fn reunite(read: OwnedReadHalf, write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
    if !Arc::ptr_eq(&read.0, &write.inner) {
        return Err(ReuniteError(read, write));
    }
    let inner = write.inner.clone();
    write.forget();
    drop(read);
    match Arc::try_unwrap(inner) {
        Ok(stream) => Ok(stream),
        // No third reference to the inner stream can be made.
        Err(_) => unreachable!("both halves are here"),
    }
}

impl OwnedReadHalf {
    /// Puts both halves of one stream together again.
    ///
    /// ```
    #[doc = include_str!("../doc/stream_and_peer.rs")]
    /// let (read, write) = stream.into_split();
    /// let stream = read.reunite(write).expect("halves of one stream");
    /// assert_eq!(stream.state(), State::Established);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If they are not of the same stream; both are given back.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    /// Puts both halves of one stream together again.
    ///
    /// ```
    #[doc = include_str!("../doc/stream_and_peer.rs")]
    /// let (read, write) = stream.into_split();
    /// let mut stream = write.reunite(read).expect("halves of one stream");
    /// stream.write_all(b"still open").await?;
    /// assert_eq!(peer.read_bytes(100).await?, "still open");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If they are not of the same stream; both are given back.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        reunite(other, self)
    }

    /// Drops the half without closing our direction.
    ///
    /// ```
    #[doc = include_str!("../doc/stream_and_peer.rs")]
    /// let (read, write) = stream.into_split();
    /// write.forget();
    /// assert_eq!(read.as_ref().state(), State::Established);
    /// # Ok(())
    /// # }
    /// ```
    pub fn forget(mut self) {
        self.close_on_drop = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.close_on_drop {
            let _ = self.inner.shutdown_write();
        }
    }
}

impl AsRef<TcpStream> for ReadHalf<'_> {
    fn as_ref(&self) -> &TcpStream {
        self.0
    }
}

impl AsRef<TcpStream> for WriteHalf<'_> {
    fn as_ref(&self) -> &TcpStream {
        self.0
    }
}

impl AsRef<TcpStream> for OwnedReadHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.0
    }
}

impl AsRef<TcpStream> for OwnedWriteHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.inner
    }
}
