//! What can both write halves do? Writing and waiting for room, each handed on to the stream, and
//! closing our direction.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncWrite, Interest, Ready};

use super::{OwnedWriteHalf, WriteHalf};

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
