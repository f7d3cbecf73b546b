//! How does the application read? In order, up to the peer's FIN, by copy or not (RFC 9293 3.9.1.3,
//! 3.10.3); and what reading lets the peer know.

use bytes::{Bytes, BytesMut};

use super::{Connection, End, Events, Phase, Reader};
use crate::Instant;
use crate::error::UserError;

impl Connection {
    /// Reads what has arrived in order (RFC 9293 3.10.3); 0 means that the peer has closed.
    /// Text received before a failure is handed out before the failure is. In front of the last
    /// urgent octet a read stops (see [`is_at_mark`](Self::is_at_mark)).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let mut out = [0; 16];
    /// assert_eq!(server.read(now, &mut out), Err(UserError::WouldBlock));
    ///
    /// client.write(now, b"hello").unwrap();
    /// client.close_write().unwrap();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!(server.read(now, &mut out), Ok(5));
    /// assert_eq!(&out[..5], b"hello");
    /// assert_eq!(server.read(now, &mut out), Ok(0)); // the peer has closed
    /// ```
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there yet, `NotConnected` before the connection is established,
    /// `Ended` after a failure.
    pub fn read(&mut self, now: Instant, out: &mut [u8]) -> Result<usize, UserError> {
        self.check_readable(out.len())?;
        let most = out.len().min(self.readable_before_mark());
        let n = self.rcv.buffer.read(&mut out[..most]);
        self.after_read(now, n);
        Ok(n)
    }

    /// Like [`read`](Self::read), but hands at most `max` octets to `take`, in one or two pieces:
    /// for destinations that are not initialized memory.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// exchange(now, &mut client, &mut server);
    /// let mut text = Vec::new(); // not initialized, where it grows
    /// let n = server.read_with(now, 4, &mut |piece| text.extend_from_slice(piece));
    /// assert_eq!((n, &text[..]), (Ok(4), &b"hell"[..]));
    /// assert_eq!(server.readable(), 1);
    /// ```
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_with(
        &mut self,
        now: Instant,
        max: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, UserError> {
        self.check_readable(max)?;
        let max = max.min(self.readable_before_mark());
        let (a, b) = self.rcv.buffer.as_slices();
        let a = &a[..a.len().min(max)];
        let b = &b[..b.len().min(max - a.len())];
        for piece in [a, b] {
            if !piece.is_empty() {
                take(piece);
            }
        }
        let n = a.len() + b.len();
        self.rcv.buffer.consume(n);
        self.after_read(now, n);
        Ok(n)
    }

    /// Like [`read`](Self::read), but hands out the octets themselves: the whole ring, if the text
    /// is one piece of 16 KiB or more, fills at least half of it and nothing waits behind a gap; else
    /// a copy. What is handed out is the application's memory; it is never more than twice its
    /// length. Empty is the end, or a `max` of 0.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, &[7; 60_000]).unwrap();
    /// exchange(now, &mut client, &mut server);
    /// let inside = server.readable_slices().0.as_ptr();
    /// let text = server.read_bytes(now, 65_536).unwrap();
    ///
    /// // The ring itself is handed over, and nothing is copied.
    /// assert_eq!((text.len(), text.as_ptr()), (60_000, inside));
    /// ```
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_bytes(&mut self, now: Instant, max: usize) -> Result<Bytes, UserError> {
        self.check_readable(max)?;
        let n = max.min(self.readable_before_mark());
        let replace = self.may_tune() && !self.rcv.fin_received();
        let whole = n == self.rcv.buffer.readable();
        let whole_ring = if whole { self.rcv.buffer.hand_over(replace) } else { None };
        let text = whole_ring.unwrap_or_else(|| self.copy_out(n));
        self.after_read(now, n);
        Ok(text)
    }

    fn copy_out(&mut self, n: usize) -> Bytes {
        let (a, b) = self.rcv.buffer.as_slices();
        let mut text = BytesMut::with_capacity(n);
        text.extend_from_slice(&a[..a.len().min(n)]);
        text.extend_from_slice(&b[..n - a.len().min(n)]);
        self.rcv.buffer.consume(n);
        text.freeze()
    }

    /// Like [`read`](Self::read), but leaves the text where it is.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// exchange(now, &mut client, &mut server);
    /// let mut out = [0; 4];
    /// assert_eq!(server.peek(&mut out), Ok(4));
    /// assert_eq!((&out, server.readable()), (b"hell", 5));
    /// ```
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn peek(&self, out: &mut [u8]) -> Result<usize, UserError> {
        self.check_readable(out.len())?;
        let most = out.len().min(self.readable_before_mark());
        Ok(self.rcv.buffer.peek(&mut out[..most]))
    }

    /// What can be read, without a copy, as the two parts of the ring, over the mark of urgent text;
    /// then [`consume`](Self::consume).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// // A parser takes whole lines, without a copy, and leaves the rest for later.
    /// client.write(now, b"hello world\nand").unwrap();
    /// exchange(now, &mut client, &mut server);
    /// let (text, wrapped) = server.readable_slices();
    /// assert_eq!((text, wrapped), (&b"hello world\nand"[..], &b""[..]));
    /// let line = text.iter().position(|c| *c == b'\n').unwrap() + 1;
    /// server.consume(now, line);
    /// assert_eq!(server.readable_slices().0, b"and");
    /// ```
    pub fn readable_slices(&self) -> (&[u8], &[u8]) {
        self.rcv.buffer.as_slices()
    }

    /// Gives back the first `n` octets of [`readable_slices`](Self::readable_slices).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!(server.readable_slices().0, b"hello");
    /// server.consume(now, 3);
    /// assert_eq!(server.readable_slices().0, b"lo");
    /// server.consume(now, 100); // no more than there is
    /// assert_eq!(server.readable(), 0);
    /// ```
    pub fn consume(&mut self, now: Instant, n: usize) {
        let n = n.min(self.rcv.buffer.readable());
        self.rcv.buffer.consume(n);
        self.after_read(now, n);
    }

    /// Octets that can be read.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, &[7; 3000]).unwrap();
    /// let packets = drain(&mut client, now);
    /// deliver(&mut server, now, &packets[1..]);
    /// assert_eq!(server.readable(), 0); // behind a gap
    /// deliver(&mut server, now, &packets[..1]);
    /// assert_eq!(server.readable(), 3000);
    /// ```
    pub fn readable(&self) -> usize {
        self.rcv.buffer.readable()
    }

    /// Whether a read would find text, the end, or an error.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert_eq!(server.check_readable(1), Err(UserError::WouldBlock));
    /// assert_eq!(server.check_readable(0), Ok(())); // reading nothing needs nothing
    /// client.close_write().unwrap();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!(server.check_readable(1), Ok(())); // the end is there to be read
    /// ```
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn check_readable(&self, wanted: usize) -> Result<(), UserError> {
        match self.phase {
            // Text of a SYN waits for the handshake: a forged SYN delivers nothing.
            Phase::SynSent | Phase::SynReceived => Err(UserError::NotConnected),
            _ if self.rcv.buffer.readable() > 0 => Ok(()),
            // What the peer has said was complete, whatever failed after it; as Linux.
            _ if self.rcv.fin_received() => Ok(()),
            // MUST-12: an orderly end reads as 0 octets, anything else as its error.
            Phase::Ended(End::Closed) => Ok(()),
            Phase::Ended(e) => Err(UserError::Ended(e)),
            Phase::Synchronized(_) if wanted == 0 || self.reader == Reader::Shut => Ok(()),
            Phase::Synchronized(_) => Err(UserError::WouldBlock),
        }
    }

    /// Whether an ACK is owed at once, so that the connection wants to be drained.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, &[7; 2 * 1448]).unwrap();
    /// let packets = drain(&mut client, now);
    /// deliver(&mut server, now, &packets[..1]);
    /// assert!(!server.wants_ack()); // the ACK of one segment can wait
    /// deliver(&mut server, now, &packets[1..]);
    /// assert!(server.wants_ack());
    /// assert_eq!(drain(&mut server, now).len(), 1);
    /// ```
    pub fn wants_ack(&self) -> bool {
        self.rcv.ack.due() == crate::receive::Due::Now
    }

    /// The peer has closed its direction: what is left to read ends.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// client.close_write().unwrap();
    /// exchange(now, &mut client, &mut server);
    /// assert!(server.peer_closed());
    /// assert_eq!(server.readable(), 5); // there is text to read all the same
    /// ```
    pub fn peer_closed(&self) -> bool {
        self.rcv.fin_received()
    }

    /// The application wants to read no more (`SHUT_RD`): a read that would wait finds the end
    /// instead. As on Linux the peer is not told, and text that comes nevertheless is acknowledged
    /// and can be read, until the window is full.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// server.shutdown_read().unwrap();
    /// let mut out = [0; 16];
    /// assert_eq!(server.read(now, &mut out), Ok(0));
    ///
    /// // The peer does not know, and its text still comes.
    /// client.write(now, b"hello").unwrap();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!(server.read(now, &mut out), Ok(5));
    /// assert_eq!(server.read(now, &mut out), Ok(0));
    /// ```
    ///
    /// # Errors
    /// `NotConnected` before the connection is established, `Ended` after a failure.
    pub fn shutdown_read(&mut self) -> Result<(), UserError> {
        match self.phase {
            Phase::SynSent | Phase::SynReceived => return Err(UserError::NotConnected),
            Phase::Ended(End::Closed) => return Ok(()),
            Phase::Ended(e) => return Err(UserError::Ended(e)),
            Phase::Synchronized(_) => {}
        }
        if self.reader == Reader::Here {
            self.reader = Reader::Shut;
            self.notify(Events::READABLE);
        }
        Ok(())
    }

    /// [`shutdown_read`](Self::shutdown_read) was called.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert!(!server.read_shut());
    /// server.shutdown_read().unwrap();
    /// assert!(server.read_shut() && !server.peer_closed());
    /// ```
    pub fn read_shut(&self) -> bool {
        self.reader == Reader::Shut
    }

    fn after_read(&mut self, now: Instant, n: usize) {
        if n == 0 {
            return;
        }
        self.rcv.pass_urgent();
        self.tune_receive_buffer(now);
        if self.rcv.buffer.readable() == 0 {
            if matches!(self.phase, Phase::Synchronized(_)) {
                self.rcv.ack.on_all_read();
            }
            self.release_ring(now);
        }
        self.offer_room();
    }

    /// Tells the peer of a larger window, if that is due.
    pub(super) fn offer_room(&mut self) {
        self.look_at_memory();
        if let Phase::Synchronized(t) = self.phase
            && t.peer_may_send()
            && self.rcv.update_is_due(self.rcv.segment_size)
        {
            self.rcv.ack.now();
        }
    }
}
