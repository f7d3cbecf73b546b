//! How are the two directions used by two tasks? Borrowed and owned halves, as in
//! `tokio::net::tcp`.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

use crate::stream::TcpStream;

/// Borrowed read half; see [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(pub(crate) &'a TcpStream);

/// Borrowed write half; see [`TcpStream::split`]. Dropping it does nothing.
#[derive(Debug)]
pub struct WriteHalf<'a>(pub(crate) &'a TcpStream);

/// Owned read half; see [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// Owned write half; see [`TcpStream::into_split`]. Dropping it closes our direction, unless
/// [`forget`](Self::forget) is called.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    inner: Arc<TcpStream>,
    close_on_drop: bool,
}

/// Two halves are not of the same stream; gives both back.
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

/// What both read halves can do.
macro_rules! read_half {
    ($($head:tt)*) => {
        $($head)* {
            /// Waits until one of the directions of `interest` is ready.
            ///
            /// # Errors
            /// As [`TcpStream::ready`].
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.0.ready(interest).await
            }

            /// Waits until there is something to read.
            ///
            /// # Errors
            /// As [`TcpStream::readable`].
            pub async fn readable(&self) -> io::Result<()> {
                self.0.readable().await
            }

            /// Polls for text without taking it.
            ///
            /// # Errors
            /// As [`TcpStream::poll_peek`].
            pub fn poll_peek(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                self.0.poll_peek(cx, buf)
            }

            /// Reads without taking.
            ///
            /// # Errors
            /// As [`TcpStream::peek`].
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0.peek(buf).await
            }

            /// Reads what is there now.
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.0.try_read(buf)
            }

            /// Reads what is there now into several buffers.
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.0.try_read_vectored(bufs)
            }

            /// Reads what is there now into a growing buffer.
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                self.0.try_read_buf(buf)
            }

            /// The address of the peer.
            ///
            /// # Errors
            /// As [`TcpStream::peer_addr`].
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.0.peer_addr()
            }

            /// The address of this end.
            ///
            /// # Errors
            /// As [`TcpStream::local_addr`].
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.0.local_addr()
            }
        }
    };
}

read_half!(impl ReadHalf<'_>);
read_half!(impl OwnedReadHalf);

impl OwnedReadHalf {
    /// Puts both halves of one stream together again.
    ///
    /// # Errors
    /// If they are not of the same stream; both are given back.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        reunite(self, other)
    }
}

/// What both write halves can do.
macro_rules! write_half {
    ($inner:tt, $($head:tt)*) => {
        $($head)* {
            /// Waits until one of the directions of `interest` is ready.
            ///
            /// # Errors
            /// As [`TcpStream::ready`].
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.$inner.ready(interest).await
            }

            /// Waits until there is room to write.
            ///
            /// # Errors
            /// As [`TcpStream::writable`].
            pub async fn writable(&self) -> io::Result<()> {
                self.$inner.writable().await
            }

            /// Writes as much as there is room for now.
            ///
            /// # Errors
            /// As [`TcpStream::try_write`].
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.$inner.try_write(buf)
            }

            /// Writes as much of several buffers as there is room for now.
            ///
            /// # Errors
            /// As [`TcpStream::try_write`].
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.$inner.try_write_vectored(bufs)
            }

            /// The address of the peer.
            ///
            /// # Errors
            /// As [`TcpStream::peer_addr`].
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.$inner.peer_addr()
            }

            /// The address of this end.
            ///
            /// # Errors
            /// As [`TcpStream::local_addr`].
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.$inner.local_addr()
            }
        }
    };
}

write_half!(0, impl WriteHalf<'_>);
write_half!(inner, impl OwnedWriteHalf);

impl OwnedWriteHalf {
    /// Puts both halves of one stream together again.
    ///
    /// # Errors
    /// If they are not of the same stream; both are given back.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        reunite(other, self)
    }

    /// Drops the half without closing our direction.
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

impl AsyncRead for ReadHalf<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read_shared(cx, buf)
    }
}

impl AsyncRead for OwnedReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read_shared(cx, buf)
    }
}

macro_rules! async_write {
    ($inner:tt, $half:ty, $after:ident) => {
        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.$inner.poll_write_shared(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.$inner.poll_write_vectored_shared(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let result = self.$inner.shutdown_write();
                $after(self.get_mut(), result.is_ok());
                Poll::Ready(result)
            }
        }
    };
}

/// A borrowed half has nothing to remember.
fn keep<T>(_half: &mut T, _closed: bool) {}

/// Our direction is closed: dropping the half has nothing left to do.
fn closed(half: &mut OwnedWriteHalf, done: bool) {
    half.close_on_drop &= !done;
}

async_write!(0, WriteHalf<'_>, keep);
async_write!(inner, OwnedWriteHalf, closed);
