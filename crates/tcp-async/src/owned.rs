//! How is text read and written without a buffer of the caller's? Owned octets, [`Bytes`], which
//! move in and out of the connection's buffers by reference where that costs less than a copy.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use tcp_io::cell::Interest;

use crate::budget::attempt;
use crate::error;
use crate::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::stream::TcpStream;
use crate::wait::Wait;

impl TcpStream {
    /// Reads what is there now, at most `max` octets; empty is the end (or a `max` of 0).
    ///
    /// Much text in one piece comes without a copy. Then the octets keep memory alive that is at
    /// most twice as large as they are, all of it the caller's; a part of them keeps it whole, as
    /// always with [`Bytes`].
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// peer.try_write(b"hello")?;
    /// stream.readable().await?;
    /// assert_eq!(stream.try_read_bytes(3)?, "hel");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; otherwise as reading.
    pub fn try_read_bytes(&self, max: usize) -> io::Result<Bytes> {
        self.cell.read_bytes(self.net.handle.now(), max).map_err(error::from_user)
    }

    /// Reads at most `max` octets, waiting for some; empty is the end (or a `max` of 0). See
    /// [`try_read_bytes`](Self::try_read_bytes).
    ///
    /// ```
    /// # use tcp_async::Net;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// # let listener = net.listen("10.0.0.1:80").await?;
    /// # let client = net.connect("10.0.0.1:80").await?;
    /// # let (server, _) = listener.accept().await?;
    /// client.write_bytes("hello".into()).await?;
    /// assert_eq!(server.read_bytes(1000).await?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As reading.
    ///
    /// # Cancel safety
    /// Nothing was read if the future is dropped before it is ready.
    pub async fn read_bytes(&self, max: usize) -> io::Result<Bytes> {
        loop {
            match attempt(|| self.try_read_bytes(max)).await {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    Wait::new(&self.cell, Interest::READABLE).await;
                }
                r => return r,
            }
        }
    }

    /// Polls for at most `max` octets; keeps the waker of the last task that called.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// peer.try_write(b"hello")?;
    /// let text = std::future::poll_fn(|cx| stream.poll_read_bytes(cx, 100)).await?;
    /// assert_eq!(text, "hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As reading.
    pub fn poll_read_bytes(&self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>> {
        self.poll_io(cx, Interest::READABLE, |s| s.try_read_bytes(max))
    }

    /// Takes as much of the front of `data` as there is room for now, by reference where that
    /// costs less than a copy, and returns how many octets.
    ///
    /// The memory behind them stays alive until the peer has acknowledged them. The limits of the
    /// send buffer count the octets only; so where `data` is the only part in use of something more
    /// than twice as large, it is copied. Parts that other [`Bytes`] share keep the whole alive.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// let mut data = bytes::Bytes::from(vec![7; 10_000]);
    /// let n = stream.try_write_bytes(&mut data)?;
    /// assert_eq!(n + data.len(), 10_000);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` without room; otherwise as writing. `data` keeps what was not taken.
    pub fn try_write_bytes(&self, data: &mut Bytes) -> io::Result<usize> {
        self.write_or_settle(|now| self.cell.write_bytes(now, data))
    }

    /// Writes all of `data`, as `write_all`, by reference where that costs less than a copy; see
    /// [`try_write_bytes`](Self::try_write_bytes).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// let data = bytes::Bytes::from(vec![7; 10_000]);
    /// stream.write_bytes(data.clone()).await?; // nothing is copied
    /// peer.write_bytes(data.slice(..500)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As writing.
    ///
    /// # Cancel safety
    /// If the future is dropped, a part may have been written, and nobody knows which. To know,
    /// wait with [`writable`](Self::writable) and take with
    /// [`try_write_bytes`](Self::try_write_bytes), which leaves the rest with the caller.
    pub async fn write_bytes(&self, mut data: Bytes) -> io::Result<()> {
        while !data.is_empty() {
            match attempt(|| self.try_write_bytes(&mut data)).await {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    Wait::new(&self.cell, Interest::WRITABLE).await;
                }
                r => {
                    r?;
                }
            }
        }
        Ok(())
    }

    /// Polls for room and takes the front of `data`; keeps the waker of the last task that called.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// let mut data = bytes::Bytes::from("hello");
    /// std::future::poll_fn(|cx| stream.poll_write_bytes(cx, &mut data)).await?;
    /// assert!(data.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As writing. `data` keeps what was not taken.
    pub fn poll_write_bytes(
        &self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Interest::WRITABLE, |s| s.try_write_bytes(data))
    }
}

/// `$split` is how the examples get their halves.
macro_rules! read_half {
    ($split:literal, $($head:tt)*) => {
        $($head)* {
            /// Reads what is there now; see [`TcpStream::try_read_bytes`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// peer.try_write(b"hello")?;
            /// read.readable().await?;
            /// assert_eq!(read.try_read_bytes(3)?, "hel");
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::try_read_bytes`].
            pub fn try_read_bytes(&self, max: usize) -> io::Result<Bytes> {
                self.as_ref().try_read_bytes(max)
            }

            /// Reads at most `max` octets; see [`TcpStream::read_bytes`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// peer.write_bytes("hello".into()).await?;
            /// assert_eq!(read.read_bytes(100).await?, "hello");
            /// drop(peer);
            /// assert!(read.read_bytes(100).await?.is_empty()); // the end
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::read_bytes`].
            ///
            /// # Cancel safety
            /// As [`TcpStream::read_bytes`].
            pub async fn read_bytes(&self, max: usize) -> io::Result<Bytes> {
                self.as_ref().read_bytes(max).await
            }

            /// Polls for at most `max` octets; see [`TcpStream::poll_read_bytes`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// peer.try_write(b"hello")?;
            /// let text = std::future::poll_fn(|cx| read.poll_read_bytes(cx, 100)).await?;
            /// assert_eq!(text, "hello");
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::poll_read_bytes`].
            pub fn poll_read_bytes(
                &self,
                cx: &mut Context<'_>,
                max: usize,
            ) -> Poll<io::Result<Bytes>> {
                self.as_ref().poll_read_bytes(cx, max)
            }
        }
    };
}

read_half!("stream.split()", impl ReadHalf<'_>);
read_half!("stream.into_split()", impl OwnedReadHalf);

/// `$split` is how the examples get their halves.
macro_rules! write_half {
    ($split:literal, $($head:tt)*) => {
        $($head)* {
            /// Takes as much as there is room for now; see [`TcpStream::try_write_bytes`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// write.as_ref().set_send_buffer_size(10_000)?;
            /// let mut data = bytes::Bytes::from(vec![7; 50_000]);
            /// let n = write.try_write_bytes(&mut data)?;
            /// assert!(n < 50_000);
            /// assert_eq!(data.len(), 50_000 - n); // what found no room
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::try_write_bytes`].
            pub fn try_write_bytes(&self, data: &mut Bytes) -> io::Result<usize> {
                self.as_ref().try_write_bytes(data)
            }

            /// Writes all of `data`; see [`TcpStream::write_bytes`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// write.write_bytes("hello".into()).await?;
            /// assert_eq!(peer.read_bytes(100).await?, "hello");
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::write_bytes`].
            ///
            /// # Cancel safety
            /// As [`TcpStream::write_bytes`].
            pub async fn write_bytes(&self, data: Bytes) -> io::Result<()> {
                self.as_ref().write_bytes(data).await
            }

            /// Polls for room and takes the front of `data`; see [`TcpStream::poll_write_bytes`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// let mut data = bytes::Bytes::from("hello");
            /// let n = std::future::poll_fn(|cx| write.poll_write_bytes(cx, &mut data)).await?;
            /// assert_eq!((n, data.len()), (5, 0));
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::poll_write_bytes`].
            pub fn poll_write_bytes(
                &self,
                cx: &mut Context<'_>,
                data: &mut Bytes,
            ) -> Poll<io::Result<usize>> {
                self.as_ref().poll_write_bytes(cx, data)
            }
        }
    };
}

write_half!("stream.split()", impl WriteHalf<'_>);
write_half!("stream.into_split()", impl OwnedWriteHalf);
