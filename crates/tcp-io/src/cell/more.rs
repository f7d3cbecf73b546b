//! What can a task do with a connection beyond reading and writing slices? Urgent text, owned
//! bytes, closing the direction that is read, and what the peer's SYN said. The door itself is the
//! parent's.

use bytes::Bytes;
use tcp_core::Instant;
use tcp_core::error::UserError;
use tcp_core::listen::PeerSyn;

use super::ConnCell;
use super::waiters::WakeList;

impl ConnCell {
    /// As [`write`](Self::write); what is taken ends in urgent text.
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

    /// Octets from the next one to be read to the end of urgent text; see
    /// [`Connection::urgent_left`](tcp_core::Connection::urgent_left).
    pub fn urgent_left(&self) -> u32 {
        self.lock().conn.urgent_left()
    }

    /// The next octet to be read is the last urgent one.
    pub fn is_at_mark(&self) -> bool {
        self.lock().conn.is_at_mark()
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

    /// The application wants to read no more; who waits to read finds the end.
    ///
    /// # Errors
    /// See [`Connection::shutdown_read`](tcp_core::Connection::shutdown_read).
    pub fn shutdown_read(&self) -> Result<(), UserError> {
        let mut inner = self.lock();
        let result = inner.conn.shutdown_read();
        let mut wake = WakeList::default();
        let events = inner.conn.take_events();
        inner.pick(events, &mut wake);
        drop(inner);
        wake.wake_all();
        result
    }

    /// What the peer's SYN said, if the listener keeps it (`TCP_SAVED_SYN`).
    pub fn saved_syn(&self) -> Option<PeerSyn> {
        self.lock().extras.as_ref()?.syn
    }

    pub(crate) fn keep_syn(&self, syn: PeerSyn) {
        self.lock().extras.get_or_insert_default().syn = Some(syn);
    }
}
