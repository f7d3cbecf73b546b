//! How does the application write? By copy or by reference, as far as the send buffer's limits leave
//! room (RFC 9293 3.9.1.2, 3.10.2). Memory is `memory`'s matter, urgent text `urgent`'s.

use core::time::Duration;

use bytes::{Buf, Bytes};

use super::{Connection, End, Phase, Timer};
use crate::Instant;
use crate::buffer::{CHUNK, LEAST_REFERENCE};
use crate::error::UserError;

/// How long a cork may hold a partial segment (MUST-60); Linux: 200 ms.
const CORK_CEILING: Duration = Duration::from_millis(200);

impl Connection {
    /// Copies as much of `data` as there is room for into the send buffer (RFC 9293 3.10.2).
    /// An empty `data` is written at once, if writing is possible at all.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.set_options(now, |o| o.send_buffer = Some(4096));
    /// assert_eq!(client.write(now, &[7; 5000]), Ok(4096));
    /// assert_eq!(client.write(now, &[7; 904]), Err(UserError::WouldBlock));
    ///
    /// // What the peer has acknowledged makes room.
    /// # client.take_events();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!(client.take_events(), Events::WRITABLE);
    /// assert_eq!(client.write(now, &[7; 904]), Ok(904));
    ///
    /// client.close_write().unwrap();
    /// assert_eq!(client.write(now, b"more"), Err(UserError::BrokenPipe));
    /// ```
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
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use bytes::Bytes;
    ///
    /// let mut file = Bytes::from(vec![7; 10_000]);
    /// let inside = file.as_ptr();
    /// assert_eq!(client.write_bytes(now, &mut file), Ok(10_000));
    /// assert!(file.is_empty());
    ///
    /// // What is sent is the application's own memory.
    /// let mut text = Payload::new();
    /// client.poll_transmit(now, &Limits::default(), &mut text).unwrap();
    /// assert_eq!(text[0].as_ptr(), inside);
    /// ```
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
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.set_options(now, |o| o.send_buffer = Some(4096));
    /// assert_eq!(client.check_writable(), Ok(()));
    /// client.write(now, &[7; 4096]).unwrap();
    /// assert_eq!(client.check_writable(), Err(UserError::WouldBlock));
    /// ```
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
