//! How does a task receive? Text as a copy, in place or as owned bytes, taken or only looked at, and
//! where urgent text ends. The door itself is the parent's.

use bytes::Bytes;
use tcp_core::Instant;
use tcp_core::error::UserError;

use super::{ConnCell, Inner, Then};

impl ConnCell {
    /// Reads what has arrived; 0 is the end.
    ///
    /// # Errors
    /// See [`Connection::read`](tcp_core::Connection::read); a failure is reported once.
    pub fn read(&self, now: Instant, out: &mut [u8]) -> Result<usize, UserError> {
        self.call(|i| {
            let r = i.conn.read(now, out);
            i.hints.on_read(out.len(), &r);
            let then = i.after_read();
            (i.once(r, Ok(0)), then)
        })
    }

    /// Like [`read`](Self::read), but hands at most `max` octets to `take` in one or two pieces.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_with(
        &self,
        now: Instant,
        max: usize,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, UserError> {
        self.call(|i| {
            let r = i.conn.read_with(now, max, take);
            i.hints.on_read(max, &r);
            let then = i.after_read();
            (i.once(r, Ok(0)), then)
        })
    }

    /// Reads what has arrived, at most `max` octets, without a copy where that is possible; see
    /// [`Connection::read_bytes`](tcp_core::Connection::read_bytes). Empty is the end.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_bytes(&self, now: Instant, max: usize) -> Result<Bytes, UserError> {
        self.call(|i| {
            let r = i.conn.read_bytes(now, max);
            i.hints.on_read(max, &r.as_ref().map(Bytes::len).map_err(|e| *e));
            let then = i.after_read();
            (i.once(r, Ok(Bytes::new())), then)
        })
    }

    /// Reads without taking.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn peek(&self, out: &mut [u8]) -> Result<usize, UserError> {
        self.call(|i| {
            let r = i.conn.peek(out);
            if r == Err(UserError::WouldBlock) {
                i.hints.on_read(out.len(), &r);
            }
            (i.once(r, Ok(0)), Then::Nothing)
        })
    }

    /// Octets from the next one to be read to the end of urgent text; see
    /// [`Connection::urgent_left`](tcp_core::Connection::urgent_left).
    pub fn urgent_left(&self) -> u32 {
        self.lock().conn.urgent_left()
    }

    /// The next octet to be read is the last urgent one.
    pub fn is_at_mark(&self) -> bool {
        self.lock().conn.is_at_mark()
    }
}

impl Inner {
    /// A window may have opened, or memory come free that somebody waits for.
    pub(super) fn after_read(&self) -> Then {
        let tell = self.conn.wants_ack() || self.conn.memory_is_awaited();
        if tell { Then::Service } else { Then::Nothing }
    }
}
