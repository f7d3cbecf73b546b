//! The application calls: write, read, close, abort, and its options (RFC 9293 3.9.1, 3.10.2 to
//! 3.10.6).

use alloc::boxed::Box;

use bytes::{Buf, Bytes, BytesMut};

use super::{Connection, End, Events, Happening, Phase, Reader, State, Timer};
use crate::Instant;
use crate::buffer::{CHUNK, LEAST_REFERENCE};
use crate::config::{Algorithm, Linger, SocketOptions, buffer_limit};
use crate::error::{Unreachable, UserError};

/// How long a cork may hold a partial segment (MUST-60); Linux: 200 ms.
const CORK_CEILING: core::time::Duration = core::time::Duration::from_millis(200);

impl Connection {
    /// Copies as much of `data` as there is room for into the send buffer (RFC 9293 3.10.2).
    /// An empty `data` is written at once, if writing is possible at all.
    ///
    /// # Errors
    /// `WouldBlock` without room, `NotConnected` before the connection is established,
    /// `BrokenPipe` after our close, `Ended` after a failure.
    pub fn write(&mut self, now: Instant, data: &[u8]) -> Result<usize, UserError> {
        let room = self.take_room(data.len())?;
        let n = self.write_affordable(&data[..room]);
        self.after_write(now, n, data.len())
    }

    /// Like [`write`](Self::write), but by reference: nothing is copied, unless `data` is short, or
    /// the only part in use of an allocation more than twice its length. Takes a prefix of `data`
    /// and leaves the rest.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_bytes(&mut self, now: Instant, data: &mut Bytes) -> Result<usize, UserError> {
        let n = self.take_room(data.len())?;
        let copy = n < LEAST_REFERENCE || is_mostly_unused(data);
        let by_reference = if copy { 0 } else { self.affordable_reference(n) };
        let n = if by_reference < LEAST_REFERENCE {
            let n = self.write_affordable(&data[..n]);
            data.advance(n);
            n
        } else {
            self.snd.buffer.write_bytes(data.split_to(by_reference));
            by_reference
        };
        self.after_write(now, n, data.len())
    }

    /// Whether a write would find room, or an error.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn check_writable(&self) -> Result<(), UserError> {
        self.room(1)?;
        if self.may_grow() { Ok(()) } else { Err(UserError::WouldBlock) }
    }

    /// Whether the buffer's limit leaves room.
    pub(super) fn has_room(&self) -> bool {
        self.room(1).is_ok()
    }

    /// How much of `wanted` octets fits, remembering that more was wanted.
    fn take_room(&mut self, wanted: usize) -> Result<usize, UserError> {
        let room = self.room(wanted);
        self.wants_room = match room {
            Ok(room) => room < wanted,
            Err(e) => e == UserError::WouldBlock,
        };
        Ok(room?.min(wanted))
    }

    fn room(&self, wanted: usize) -> Result<usize, UserError> {
        match self.phase {
            Phase::SynSent | Phase::SynReceived => return Err(UserError::NotConnected),
            Phase::Ended(End::Closed) => return Err(UserError::BrokenPipe),
            // The peer had closed before: as Linux, its reset only says that it takes nothing more.
            Phase::Ended(End::Reset) if self.rcv.fin_received() => {
                return Err(UserError::BrokenPipe);
            }
            Phase::Ended(e) => return Err(UserError::Ended(e)),
            Phase::Synchronized(t) if !t.may_write() => return Err(UserError::BrokenPipe),
            Phase::Synchronized(_) => {}
        }
        let room = self.snd.limit.saturating_sub(self.snd.buffer.len());
        let room = room.min(self.unsent_room());
        if room == 0 && wanted > 0 { Err(UserError::WouldBlock) } else { Ok(room) }
    }

    /// How much more may wait to be sent (`TCP_NOTSENT_LOWAT`).
    fn unsent_room(&self) -> usize {
        let low = self.options().notsent_lowat;
        low.map_or(usize::MAX, |low| low.saturating_sub(self.snd.unsent()) as usize)
    }

    /// Whether so little waits to be sent that waking a writer is worth it: half of the mark, as
    /// on Linux.
    pub(super) fn is_unsent_low(&self) -> bool {
        self.options().notsent_lowat.is_none_or(|low| self.snd.unsent() < low.div_ceil(2))
    }

    /// `n` octets were taken, of more if memory was short.
    fn after_write(&mut self, now: Instant, n: usize, more: usize) -> Result<usize, UserError> {
        self.settle_memory();
        if n == 0 && more > 0 {
            self.awaits_memory = true;
            return Err(UserError::WouldBlock);
        }
        if let Some(t) = self.options().user_timeout {
            self.timers.set_if_idle(Timer::UserTimeout, now + t);
        }
        Ok(n)
    }

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

    /// The peer has acknowledged our FIN and all that was written before it.
    pub fn is_delivered(&self) -> bool {
        self.snd.fin_seq().is_some_and(|fin| self.snd.una.after(fin))
    }

    /// We have closed our direction.
    pub fn write_closed(&self) -> bool {
        self.snd.fin_queued
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

    /// Our side has nothing more to write: a FIN follows what was written (RFC 9293 3.10.4).
    /// Reading goes on (half-close). Closing twice does nothing.
    ///
    /// # Errors
    /// `NotConnected` before the connection is established, `Ended` after a failure.
    pub fn close_write(&mut self) -> Result<(), UserError> {
        match self.phase {
            Phase::SynSent | Phase::SynReceived => return Err(UserError::NotConnected),
            Phase::Ended(End::Closed) => return Ok(()),
            Phase::Ended(e) => return Err(UserError::Ended(e)),
            Phase::Synchronized(_) => {}
        }
        self.snd.fin_queued = true;
        // Who waits for room has to learn that there will be none.
        self.notify(Events::WRITABLE);
        self.on_close_in_order();
        Ok(())
    }

    pub(super) fn on_close_in_order(&mut self) {
        if let Phase::Synchronized(mut t) = self.phase {
            t.on_close();
            self.phase = Phase::Synchronized(t);
        }
    }

    /// The application lets go of the connection: it closes in the background, or is reset if
    /// text is unread (SHLD-3) or linger is zero. Whoever wants to wait for the delivery, as
    /// linger may say, waits for [`Events::DELIVERED`] or [`Events::ENDED`].
    pub fn close(&mut self, now: Instant) {
        self.reader = Reader::Gone;
        match self.phase {
            Phase::Ended(_) => {}
            // RFC 9293 3.10.4: before anything was synchronized, nobody has to know.
            Phase::SynSent => self.finish(End::Aborted),
            Phase::Synchronized(_) if self.state() == State::TimeWait => {}
            // RFC 9293 3.10.4: in SYN-RECEIVED the FIN waits for ESTABLISHED.
            Phase::SynReceived | Phase::Synchronized(_) => self.close_live(now),
        }
    }

    fn close_live(&mut self, now: Instant) {
        // Text beyond a gap was never acknowledged; if the gap is filled, that text resets.
        if self.rcv.buffer.readable() > 0 {
            // SHLD-3, in CLOSING and LAST-ACK too, where an abort would be silent.
            self.discard_received();
            self.note(Happening::AbortOnClose);
            self.finish_with_reset(End::Aborted);
            return;
        }
        if self.options().linger == Linger::For(core::time::Duration::ZERO) {
            self.abort();
            return;
        }
        if self.is_orphan_too_dear() {
            self.finish_with_reset(End::Aborted);
            return;
        }
        self.snd.fin_queued = true;
        self.on_close_in_order();
        self.timers.cancel(Timer::Keepalive);
        self.arm_fin_wait2(now);
    }

    /// Ends the connection at once: a reset in every state in which the peer may still expect
    /// something of us (RFC 9293 3.10.5). What the application had not read is discarded.
    pub fn abort(&mut self) {
        self.reader = Reader::Gone;
        self.discard_received();
        match self.state() {
            State::Closed => {}
            State::SynSent | State::TimeWait => self.finish(End::Aborted),
            State::Closing | State::LastAck if self.snd.buffer.is_empty() => {
                self.finish(End::Aborted);
            }
            _ => self.finish_with_reset(End::Aborted),
        }
    }

    /// There is no room for a connection whose application is gone: a reset tells the peer, in
    /// every state but TIME-WAIT, which needs none.
    pub fn drop_orphan(&mut self) {
        match self.state() {
            State::Closed | State::TimeWait => {}
            State::SynSent => self.finish(End::Aborted),
            _ => self.finish_with_reset(End::Aborted),
        }
    }

    fn discard_received(&mut self) {
        let left = self.rcv.buffer.readable();
        self.rcv.buffer.consume(left);
        self.rcv.buffer.release_if_empty();
        self.settle_memory();
    }

    /// The options as they are.
    pub fn options(&self) -> &SocketOptions {
        self.own_options.as_deref().unwrap_or(&self.config.options)
    }

    /// Which congestion control the connection uses, or will once it is established.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.options().congestion.unwrap_or(self.config.congestion)
    }

    /// Changes options; the change takes effect at once.
    pub fn set_options(&mut self, now: Instant, change: impl FnOnce(&mut SocketOptions)) {
        let was = self.options().clone();
        let mut o = was.clone();
        change(&mut o);
        let o = o.normalized();
        // Most connections keep the configuration's, and share them.
        self.own_options = (o != self.config.options).then(|| Box::new(o.clone()));
        if matches!(self.phase, Phase::Ended(_)) {
            // Nothing runs any more; a timer armed now would end it a second time.
            return;
        }
        if o.quickack && !was.quickack && self.rcv.ack.due() != crate::receive::Due::No {
            self.rcv.ack.now();
        }
        if o.congestion != was.congestion {
            let mss = self.mss();
            self.congestion.change(self.algorithm(), mss);
        }
        if let Some(n) = o.send_buffer {
            self.snd.limit = buffer_limit(n);
        }
        if let Some(n) = o.receive_buffer {
            self.rcv.limit = buffer_limit(n);
        }
        if (o.keepalive_on, o.keepalive) != (was.keepalive_on, was.keepalive) {
            self.arm_keepalive(now.min(self.last_received.max(self.opened_at)));
        }
        if self.options().user_timeout != was.user_timeout {
            match self.options().user_timeout {
                Some(t) if self.has_undelivered() => self.timers.set(Timer::UserTimeout, now + t),
                _ => self.timers.cancel(Timer::UserTimeout),
            }
        }
        if !self.options().cork {
            self.timers.cancel(Timer::Cork);
            self.uncorked = false;
        }
        self.after_buffer_change(&was);
    }

    /// A larger buffer lets a writer or the peer go on that found the smaller one full.
    fn after_buffer_change(&mut self, was: &SocketOptions) {
        let o = self.options();
        let (send, receive) = (o.send_buffer, o.receive_buffer);
        if (send, o.notsent_lowat) != (was.send_buffer, was.notsent_lowat) {
            self.notify_room();
        }
        if receive != was.receive_buffer {
            self.offer_room();
        }
    }

    /// Tells the peer of a larger window, if that is due.
    fn offer_room(&mut self) {
        self.look_at_memory();
        if let Phase::Synchronized(t) = self.phase
            && t.peer_may_send()
            && self.rcv.update_is_due(self.rcv.segment_size)
        {
            self.rcv.ack.now();
        }
    }

    /// Takes the last soft error (MUST-47).
    pub fn take_soft_error(&mut self) -> Option<Unreachable> {
        self.soft_error.take()
    }

    pub(super) fn arm_cork(&mut self, now: Instant) {
        self.timers.set_if_idle(Timer::Cork, now + CORK_CEILING);
    }
}

/// Whether `data` is the only part in use of an allocation more than twice its length: a reference
/// would keep memory that nobody accounts for. Whoever holds other parts keeps it anyway, and long
/// parts are worth it.
fn is_mostly_unused(data: &mut Bytes) -> bool {
    if data.len() > CHUNK / 2 || !data.is_unique() {
        return false;
    }
    match core::mem::take(data).try_into_mut() {
        Ok(own) => {
            let unused = own.capacity() > 2 * own.len();
            *data = own.freeze();
            unused
        }
        Err(shared) => {
            *data = shared;
            false
        }
    }
}
