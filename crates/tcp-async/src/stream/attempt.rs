//! What can be read or written at once? Each `try_` call does as much as there is, or says `WouldBlock`.

use std::io::{self, IoSlice, IoSliceMut};

use bytes::BufMut;
use tcp_core::Instant;
use tcp_core::error::UserError;

use super::TcpStream;
use crate::error;

impl TcpStream {
    /// Reads what is there now.
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
    /// let nothing = stream.try_read(&mut [0; 10]).expect_err("nothing has come");
    /// assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; otherwise as reading.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.cell.read(self.net.handle.now(), buf).map_err(error::from_user)
    }

    /// Reads what is there now into several buffers.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use std::io::IoSliceMut;
    ///
    /// peer.try_write(b"hello")?;
    /// stream.readable().await?;
    /// let (mut head, mut tail) = ([0; 2], [0; 10]);
    /// let n = stream.try_read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)])?;
    /// assert_eq!((n, &head, &tail[..3]), (5, b"he", &b"llo"[..]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        // In one step: a failure behind the text must wait for the next read.
        let room = bufs.iter().map(|b| b.len()).sum();
        let mut rooms = bufs.iter_mut().map(|b| &mut **b).filter(|b| !b.is_empty());
        let mut room_left: &mut [u8] = &mut [];
        let mut scatter = |mut text: &[u8]| {
            while !text.is_empty() {
                if room_left.is_empty() {
                    room_left = rooms.next().unwrap_or_default();
                }
                let n = text.len().min(room_left.len());
                let (now, later) = std::mem::take(&mut room_left).split_at_mut(n);
                now.copy_from_slice(&text[..n]);
                (text, room_left) = (&text[n..], later);
            }
        };
        self.cell.read_with(self.net.handle.now(), room, &mut scatter).map_err(error::from_user)
    }

    /// Reads what is there now into a growing buffer, at most as much as it has room for without
    /// growing; a `Vec` that is full grows first.
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
    /// let mut text = Vec::with_capacity(100);
    /// stream.try_read_buf(&mut text)?;
    /// assert_eq!(text, b"hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let room = buf.chunk_mut().len();
        self.cell
            .read_with(self.net.handle.now(), room, &mut |text| buf.put_slice(text))
            .map_err(error::from_user)
    }

    /// Writes as much as there is room for now.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// assert_eq!(stream.try_write(b"hello")?, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` without room; otherwise as writing.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.write_or_settle(|now| self.cell.write(now, buf))
    }

    /// Writes as much of several buffers as there is room for now.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// use std::io::IoSlice;
    ///
    /// assert_eq!(stream.try_write_vectored(&[IoSlice::new(b"he"), IoSlice::new(b"llo")])?, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_or_settle(|now| self.cell.write_vectored(now, bufs.iter().map(|b| &**b)))
    }

    /// A writer to its own address waits for its reader only, and for no text under way, as on Linux:
    /// that is settled before it is told to wait.
    pub(crate) fn write_or_settle(
        &self,
        mut write: impl FnMut(Instant) -> Result<usize, UserError>,
    ) -> io::Result<usize> {
        let mut result = write(self.net.handle.now());
        if matches!(result, Err(UserError::WouldBlock)) && self.is_to_itself() {
            self.net.handle.with_stack(|stack, now| stack.settle(now));
            result = write(self.net.handle.now());
        }
        result.map_err(error::from_user)
    }

    fn is_to_itself(&self) -> bool {
        let tuple = self.cell.tuple();
        tuple.remote.ip == tuple.local.ip || tuple.remote.ip.is_loopback()
    }
}
