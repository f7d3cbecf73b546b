//! How does a task send? Slices, owned bytes and urgent text, copied or handed over as far as there is
//! room. The door itself is the parent's.

use tcp_core::Instant;
use tcp_core::error::UserError;

use super::{ConnCell, Inner, Then};

impl ConnCell {
    /// Copies `data` into the send buffer, as far as there is room.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::error::UserError;
    ///
    /// assert_eq!(client.write(now, b"hello")?, 5);
    /// // Until the buffer is full: then a task waits for `Interest::WRITABLE`.
    /// while client.write(now, &[0; 65_536]).is_ok() {}
    /// assert_eq!(client.write(now, b"more"), Err(UserError::WouldBlock));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Connection::write`](tcp_core::Connection::write); a failure is reported once.
    pub fn write(&self, now: Instant, data: &[u8]) -> Result<usize, UserError> {
        self.call(|i| {
            let r = i.conn.write(now, data);
            let then = i.after_write(&r);
            (i.once(r, Err(UserError::BrokenPipe)), then)
        })
    }

    /// Copies several slices, as far as there is room, in one step.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let parts = [&b"GET "[..], b"/", b" HTTP/1.1\r\n\r\n"];
    /// assert_eq!(client.write_vectored(now, parts.into_iter())?, 18);
    /// stack.settle(now);
    /// assert_eq!(server.info().receive_queue, 18);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_vectored<'a>(
        &self,
        now: Instant,
        slices: impl Iterator<Item = &'a [u8]>,
    ) -> Result<usize, UserError> {
        self.call(|i| {
            let mut total = 0;
            let mut result = Ok(0);
            for s in slices.filter(|s| !s.is_empty()) {
                result = i.conn.write(now, s);
                match result {
                    Ok(n) => total += n,
                    Err(_) => break,
                }
                if result != Ok(s.len()) {
                    break;
                }
            }
            if total > 0 {
                i.hints.on_write(&Ok(total));
                return (Ok(total), Then::Service);
            }
            let then = i.after_write(&result);
            (i.once(result, Err(UserError::BrokenPipe)), then)
        })
    }

    /// Appends `data` to the send buffer by reference; leaves what found no room.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use bytes::Bytes;
    ///
    /// let mut text = Bytes::from_static(b"a page that lies in memory anyway");
    /// assert_eq!(client.write_bytes(now, &mut text)?, 33);
    /// assert!(text.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_bytes(&self, now: Instant, data: &mut bytes::Bytes) -> Result<usize, UserError> {
        self.call(|i| {
            let r = i.conn.write_bytes(now, data);
            let then = i.after_write(&r);
            (i.once(r, Err(UserError::BrokenPipe)), then)
        })
    }

    /// As [`write`](Self::write); what is taken ends in urgent text.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"dat")?;
    /// client.write_urgent(now, b"!")?;
    /// stack.settle(now);
    /// assert_eq!(server.urgent_left(), 4); // the last of four octets is urgent
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_urgent(&self, now: Instant, data: &[u8]) -> Result<usize, UserError> {
        self.call(|i| {
            let r = i.conn.write_urgent(now, data);
            let then = i.after_write(&r);
            (i.once(r, Err(UserError::BrokenPipe)), then)
        })
    }
}

impl Inner {
    /// Written text is sent; a writer that found no memory waits in the stack's line.
    pub(super) fn after_write(&mut self, result: &Result<usize, UserError>) -> Then {
        self.hints.on_write(result);
        let written = matches!(result, Ok(n) if *n > 0);
        if written || self.conn.awaits_memory() { Then::Service } else { Then::Nothing }
    }
}
