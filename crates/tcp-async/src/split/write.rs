//! What can both write halves do? Writing and waiting for room, each handed on to the stream, and
//! closing our direction.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncWrite, Interest, Ready};

use super::{OwnedWriteHalf, WriteHalf};

/// `$split` is how the examples get their halves.
macro_rules! write_half {
    ($split:literal, $inner:tt, $($head:tt)*) => {
        $($head)* {
            /// Waits until one of the directions of `interest` is ready.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            /// use tokio::io::Interest;
            ///
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// let ready = write.ready(Interest::WRITABLE).await?;
            /// assert!(ready.is_writable() && !ready.is_write_closed());
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::ready`](crate::TcpStream::ready).
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.$inner.ready(interest).await
            }

            /// Waits until there is room to write.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// while write.try_write(&[7; 65_536]).is_ok() {} // until nothing goes in
            /// tokio::spawn(async move { tokio::io::copy(&mut peer, &mut tokio::io::sink()).await });
            /// write.writable().await?; // the peer has read some of it
            /// assert!(write.try_write(b"more")? > 0);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::writable`](crate::TcpStream::writable).
            pub async fn writable(&self) -> io::Result<()> {
                self.$inner.writable().await
            }

            /// Writes as much as there is room for now.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// write.as_ref().set_send_buffer_size(10_000)?;
            /// let n = write.try_write(&[7; 50_000])?;
            /// assert!(n < 50_000); // as much as there was room for
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::try_write`](crate::TcpStream::try_write).
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.$inner.try_write(buf)
            }

            /// Writes as much of several buffers as there is room for now.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            /// use std::io::IoSlice;
            ///
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// let n = write.try_write_vectored(&[IoSlice::new(b"hel"), IoSlice::new(b"lo")])?;
            /// assert_eq!(n, 5);
            /// assert_eq!(peer.read_bytes(100).await?, "hello");
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::try_write`](crate::TcpStream::try_write).
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.$inner.try_write_vectored(bufs)
            }

            /// The address of the peer.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// assert_eq!(write.peer_addr()?, peer.local_addr()?);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::peer_addr`](crate::TcpStream::peer_addr).
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.$inner.peer_addr()
            }

            /// The address of this end.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// assert_eq!(write.local_addr()?, peer.peer_addr()?);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::local_addr`](crate::TcpStream::local_addr).
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.$inner.local_addr()
            }
        }
    };
}

write_half!("stream.split()", 0, impl WriteHalf<'_>);
write_half!("stream.into_split()", inner, impl OwnedWriteHalf);

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
