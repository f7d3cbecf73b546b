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
    /// fills most of it, else a copy. What is handed out is the application's memory; it is never
    /// more than twice its length. Empty is the end, or a `max` of 0.
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
    /// # Errors
    /// As [`read`](Self::read).
    pub fn peek(&self, out: &mut [u8]) -> Result<usize, UserError> {
        self.check_readable(out.len())?;
        let most = out.len().min(self.readable_before_mark());
        Ok(self.rcv.buffer.peek(&mut out[..most]))
    }

    /// What can be read, without a copy, as the two parts of the ring, over the mark of urgent text;
    /// then [`consume`](Self::consume).
    pub fn readable_slices(&self) -> (&[u8], &[u8]) {
        self.rcv.buffer.as_slices()
    }

    /// Gives back the first `n` octets of [`readable_slices`](Self::readable_slices).
    pub fn consume(&mut self, now: Instant, n: usize) {
        let n = n.min(self.rcv.buffer.readable());
        self.rcv.buffer.consume(n);
        self.after_read(now, n);
    }

    /// Octets that can be read.
    pub fn readable(&self) -> usize {
        self.rcv.buffer.readable()
    }

    /// Whether a read would find text, the end, or an error.
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
    pub fn wants_ack(&self) -> bool {
        self.rcv.ack.due() == crate::receive::Due::Now
    }

    /// The peer has closed its direction: what is left to read ends.
    pub fn peer_closed(&self) -> bool {
        self.rcv.fin_received()
    }

    /// The application wants to read no more (`SHUT_RD`): a read that would wait finds the end
    /// instead. As on Linux the peer is not told, and text that comes nevertheless is acknowledged
    /// and can be read, until the window is full.
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
    pub fn read_shut(&self) -> bool {
        self.reader == Reader::Shut
    }

    fn after_read(&mut self, now: Instant, n: usize) {
        if n == 0 {
            return;
        }
        self.rcv.pass_urgent();
        if self.options().receive_buffer.is_none() && self.may_tune() {
            let rtt = self.recovery.rtt().smoothed().unwrap_or_default();
            self.rcv.tune(now, rtt, self.config.receive_buffer);
        }
        if self.rcv.buffer.readable() == 0 {
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
