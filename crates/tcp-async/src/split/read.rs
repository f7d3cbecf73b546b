//! What can both read halves do? Reading, peeking and waiting for text, each
//! handed on to the stream.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, Interest, ReadBuf, Ready};

use super::{OwnedReadHalf, ReadHalf};

/// `$split` is how the examples get their halves.
macro_rules! read_half {
    ($split:literal, $($head:tt)*) => {
        $($head)* {
            /// Waits until one of the directions of `interest` is ready.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            /// use tokio::io::Interest;
            ///
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// peer.try_write(b"hello")?;
            /// let ready = read.ready(Interest::READABLE).await?;
            /// assert!(ready.is_readable());
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::ready`](crate::TcpStream::ready).
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.0.ready(interest).await
            }

            /// Waits until there is something to read.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// let mut text = [0; 10];
            /// assert!(read.try_read(&mut text).is_err()); // there is nothing yet
            /// peer.try_write(b"hello")?;
            /// read.readable().await?;
            /// assert_eq!(read.try_read(&mut text)?, 5);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::readable`](crate::TcpStream::readable).
            pub async fn readable(&self) -> io::Result<()> {
                self.0.readable().await
            }

            /// Polls for text without taking it.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            /// use std::future::poll_fn;
            /// use tokio::io::ReadBuf;
            ///
            #[doc = concat!("let (mut read, _write) = ", $split, ";")]
            /// peer.try_write(b"hello")?;
            /// let mut text = [0; 10];
            /// let mut buf = ReadBuf::new(&mut text);
            /// assert_eq!(poll_fn(|cx| read.poll_peek(cx, &mut buf)).await?, 5);
            /// assert_eq!(buf.filled(), b"hello");
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::poll_peek`](crate::TcpStream::poll_peek).
            pub fn poll_peek(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                self.0.poll_peek(cx, buf)
            }

            /// Reads without taking.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            #[doc = concat!("let (mut read, _write) = ", $split, ";")]
            /// peer.try_write(b"hello")?;
            /// let mut text = [0; 4];
            /// assert_eq!(read.peek(&mut text).await?, 4);
            /// assert_eq!(read.read_bytes(100).await?, "hello"); // all of it was still there
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::peek`](crate::TcpStream::peek).
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0.peek(buf).await
            }

            /// Reads what is there now.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            /// use std::io::ErrorKind;
            ///
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// let mut text = [0; 10];
            /// assert_eq!(read.try_read(&mut text).unwrap_err().kind(), ErrorKind::WouldBlock);
            /// peer.try_write(b"hello")?;
            /// read.readable().await?;
            /// assert_eq!(read.try_read(&mut text)?, 5);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::try_read`](crate::TcpStream::try_read).
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.0.try_read(buf)
            }

            /// Reads what is there now into several buffers.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            /// use std::io::IoSliceMut;
            ///
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// peer.try_write(b"hello")?;
            /// read.readable().await?;
            /// let (mut head, mut rest) = ([0; 2], [0; 10]);
            /// let mut both = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut rest)];
            /// assert_eq!(read.try_read_vectored(&mut both)?, 5);
            /// assert_eq!((&head, &rest[..3]), (b"he", &b"llo"[..]));
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::try_read`](crate::TcpStream::try_read).
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.0.try_read_vectored(bufs)
            }

            /// Reads what is there now into a growing buffer.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// peer.try_write(b"hello")?;
            /// read.readable().await?;
            /// let mut text = Vec::with_capacity(100);
            /// assert_eq!(read.try_read_buf(&mut text)?, 5);
            /// assert_eq!(text, b"hello");
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::try_read`](crate::TcpStream::try_read).
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                self.0.try_read_buf(buf)
            }

            /// The address of the peer.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// assert_eq!(read.peer_addr()?, peer.local_addr()?);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::peer_addr`](crate::TcpStream::peer_addr).
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.0.peer_addr()
            }

            /// The address of this end.
            ///
            /// ```
            #[doc = include_str!("../../doc/stream_and_peer.rs")]
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// assert_eq!(read.local_addr()?, peer.peer_addr()?);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::local_addr`](crate::TcpStream::local_addr).
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.0.local_addr()
            }
        }
    };
}

read_half!("stream.split()", impl ReadHalf<'_>);
read_half!("stream.into_split()", impl OwnedReadHalf);

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
