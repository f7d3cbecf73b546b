//! How is urgent text written, noticed and found? The calls that tokio leaves to `MSG_OOB`,
//! `SO_OOBINLINE`, `sockatmark` and `EPOLLPRI` (RFC 9293 3.8.5, RFC 6093). Urgent text stays in line.

use std::io;

use tcp_io::cell::{Interest, Readiness};

use crate::budget::attempt;
use crate::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::stream::TcpStream;
use crate::wait::Wait;

impl TcpStream {
    /// Writes as much as there is room for now, as [`try_write`](Self::try_write), and tells the
    /// peer at once that urgent text ends where it ends. Nagle's algorithm and the cork don't hold
    /// it back. As `send` with `MSG_OOB`; on Linux only the last octet counts as urgent.
    ///
    /// RFC 6093 5: new protocols should not use it.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// assert_eq!(stream.try_write_urgent(b"now")?, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    #[doc(alias = "MSG_OOB")]
    pub fn try_write_urgent(&self, buf: &[u8]) -> io::Result<usize> {
        self.write_or_settle(|now| self.cell.write_urgent(now, buf))
    }

    /// Writes as much as there is room for, waiting for some, and tells the peer at once that urgent
    /// text ends where it ends. If not all of `buf` found room, the next urgent write moves the end
    /// on.
    ///
    /// ```
    /// # use tcp_async::Net;
    /// use tokio::io::AsyncReadExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// # let listener = net.listen("10.0.0.1:21").await?;
    /// # let mut client = net.connect("10.0.0.1:21").await?;
    /// # let (mut server, _) = listener.accept().await?;
    /// client.try_write(b"a long answer ")?;
    /// client.write_urgent(b"!").await?;
    ///
    /// assert_eq!(server.urgent().await?, 15);
    /// let mut text = [0; 100];
    /// assert_eq!(server.read(&mut text).await?, 14); // a read stops at the mark
    /// assert!(server.at_mark());
    /// assert_eq!(server.read(&mut text).await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As writing.
    ///
    /// # Cancel safety
    /// Nothing was written if the future is dropped before it is ready.
    #[doc(alias = "MSG_OOB")]
    pub async fn write_urgent(&self, buf: &[u8]) -> io::Result<usize> {
        loop {
            match attempt(|| self.try_write_urgent(buf)).await {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    Wait::new(&self.cell, Interest::WRITABLE).await;
                }
                r => return r,
            }
        }
    }

    /// Octets from the next one to be read to the end of urgent text, those included that have not
    /// arrived yet; 0: none is urgent (MUST-33).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// peer.write_urgent(b"now").await?;
    /// stream.readable().await?;
    /// assert_eq!(stream.urgent_left(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn urgent_left(&self) -> usize {
        self.cell.urgent_left() as usize
    }

    /// Waits until the peer has something urgent to say (MUST-32), and returns
    /// [`urgent_left`](Self::urgent_left). That may be before the text itself has come, behind a
    /// window that is closed: whoever waits should read on. 0: there is nothing urgent, and the
    /// peer has closed its direction, or the connection has failed.
    ///
    /// On Linux and Android [`ready`](Self::ready) with `Interest::PRIORITY` does the same.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// peer.write_urgent(b"now").await?;
    /// assert_eq!(stream.urgent().await?, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; a failure shows in the next read.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    #[doc(alias = "EPOLLPRI")]
    pub async fn urgent(&self) -> io::Result<usize> {
        let ready = Wait::new(&self.cell, Interest::PRIORITY).await;
        debug_assert!(ready.intersects(Readiness::PRIORITY | Readiness::READ_CLOSED));
        Ok(self.urgent_left())
    }

    /// Whether the next octet to be read is the last urgent one: what comes before it in the stream
    /// has been read. A read stops in front of it, as on Linux with `SO_OOBINLINE`.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// peer.write_urgent(b"now").await?;
    /// stream.urgent().await?;
    /// assert_eq!(stream.read_bytes(100).await?, "no");
    /// assert!(stream.at_mark());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "sockatmark")]
    #[doc(alias = "SIOCATMARK")]
    pub fn at_mark(&self) -> bool {
        self.cell.is_at_mark()
    }
}

/// `$split` is how the examples get their halves.
macro_rules! read_half {
    ($split:literal, $($head:tt)*) => {
        $($head)* {
            /// Octets up to the end of urgent text; see [`TcpStream::urgent_left`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// assert_eq!(read.urgent_left(), 0);
            /// peer.write_urgent(b"now").await?;
            /// read.readable().await?;
            /// assert_eq!(read.urgent_left(), 3);
            /// # Ok(())
            /// # }
            /// ```
            pub fn urgent_left(&self) -> usize {
                self.as_ref().urgent_left()
            }

            /// Waits for urgent text; see [`TcpStream::urgent`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// peer.write_urgent(b"now").await?;
            /// assert_eq!(read.urgent().await?, 3);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::urgent`].
            pub async fn urgent(&self) -> io::Result<usize> {
                self.as_ref().urgent().await
            }

            /// Whether the next octet is the last urgent one; see [`TcpStream::at_mark`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (read, _write) = ", $split, ";")]
            /// peer.write_urgent(b"now").await?;
            /// read.urgent().await?;
            /// assert_eq!(read.read_bytes(100).await?, "no");
            /// assert!(read.at_mark());
            /// # Ok(())
            /// # }
            /// ```
            pub fn at_mark(&self) -> bool {
                self.as_ref().at_mark()
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
            /// Writes urgent text as far as there is room now; see [`TcpStream::try_write_urgent`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// assert_eq!(write.try_write_urgent(b"now")?, 3);
            /// assert_eq!(peer.urgent().await?, 3);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::try_write_urgent`].
            pub fn try_write_urgent(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write_urgent(buf)
            }

            /// Writes urgent text; see [`TcpStream::write_urgent`].
            ///
            /// ```
            #[doc = include_str!("../doc/stream_and_peer.rs")]
            #[doc = concat!("let (_read, write) = ", $split, ";")]
            /// write.try_write(b"a long answer ")?;
            /// assert_eq!(write.write_urgent(b"!").await?, 1);
            /// assert_eq!(peer.urgent().await?, 15); // octets to the end of urgent text
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`TcpStream::write_urgent`].
            ///
            /// # Cancel safety
            /// As [`TcpStream::write_urgent`].
            pub async fn write_urgent(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().write_urgent(buf).await
            }
        }
    };
}

write_half!("stream.split()", impl WriteHalf<'_>);
write_half!("stream.into_split()", impl OwnedWriteHalf);
