//! How does a task receive? Text as a copy, in place or as owned bytes, taken or only looked at, and
//! where urgent text ends. The door itself is the parent's.

use bytes::Bytes;
use tcp_core::Instant;
use tcp_core::error::UserError;

use super::{ConnCell, Inner, Then};

impl ConnCell {
    /// Reads what has arrived; 0 is the end.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::error::UserError;
    ///
    /// let mut buf = [0; 16];
    /// assert_eq!(server.read(now, &mut buf), Err(UserError::WouldBlock));
    /// client.write(now, b"hello")?;
    /// client.close_write()?;
    /// stack.settle(now);
    /// assert_eq!(server.read(now, &mut buf)?, 5);
    /// assert_eq!(server.read(now, &mut buf)?, 0); // the end
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello")?;
    /// stack.settle(now);
    /// let mut text = Vec::new();
    /// assert_eq!(server.read_with(now, 4, &mut |piece| text.extend_from_slice(piece))?, 4);
    /// assert_eq!(text, b"hell");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello")?;
    /// client.close_write()?;
    /// stack.settle(now);
    /// assert_eq!(server.read_bytes(now, 65_536)?, "hello");
    /// assert!(server.read_bytes(now, 65_536)?.is_empty()); // the end
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello")?;
    /// stack.settle(now);
    /// let mut first = [0; 1];
    /// server.peek(&mut first)?;
    /// assert_eq!((&first, server.info().receive_queue), (b"h", 5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write_urgent(now, b"stop!")?;
    /// stack.settle(now);
    /// assert_eq!(server.urgent_left(), 5);
    /// assert_eq!(server.read(now, &mut [0; 16])?, 4); // a read stops before the last urgent octet
    /// assert_eq!(server.urgent_left(), 1);
    /// assert_eq!(server.read(now, &mut [0; 16])?, 1);
    /// assert_eq!(server.urgent_left(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn urgent_left(&self) -> u32 {
        self.lock().conn.urgent_left()
    }

    /// The next octet to be read is the last urgent one.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write_urgent(now, b"stop!")?;
    /// stack.settle(now);
    /// assert!(!server.is_at_mark());
    /// assert_eq!(server.read(now, &mut [0; 16])?, 4); // a read stops there
    /// assert!(server.is_at_mark());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
