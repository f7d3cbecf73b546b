//! How does a task end a connection, and how does it learn why one has ended? Closing a direction,
//! letting go, resetting; the failure that is told once.

use tcp_core::Instant;
use tcp_core::error::{End, Unreachable, UserError};

use super::waiters::WakeList;
use super::{ConnCell, Handle, Inner, Report, Then};

impl ConnCell {
    /// Closes our direction: a FIN follows what was written.
    ///
    /// # Errors
    /// See [`Connection::close_write`](tcp_core::Connection::close_write).
    pub fn close_write(&self) -> Result<(), UserError> {
        self.call(|i| (i.conn.close_write(), Then::Service))
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

    /// The application lets go: the connection closes in the background.
    pub fn close(&self, now: Instant) {
        self.call(|i| {
            i.handle = Handle::Closed;
            i.conn.close(now);
            ((), Then::Service)
        });
    }

    /// Resets the connection and lets go of it.
    pub fn abort(&self) {
        self.call(|i| {
            i.handle = Handle::Closed;
            i.conn.abort();
            ((), Then::Service)
        });
    }

    /// Why it ended, if it has.
    pub fn end(&self) -> Option<End> {
        self.lock().conn.end()
    }

    /// Takes the pending failure or soft error (`SO_ERROR`).
    pub fn take_error(&self) -> Option<TakenError> {
        let mut inner = self.lock();
        match inner.conn.end() {
            Some(e) if e != End::Closed && inner.report == Report::Pending => {
                inner.report = Report::Done;
                Some(TakenError::Ended(e))
            }
            _ => inner.conn.take_soft_error().map(TakenError::Soft),
        }
    }
}

/// A failure or soft error that [`ConnCell::take_error`] took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakenError {
    /// The connection has failed.
    Ended(End),
    /// The network complained; the connection goes on (MUST-47).
    Soft(Unreachable),
}

impl Inner {
    /// Lets a failure through once, and `after` from then on.
    pub(super) fn once<T>(
        &mut self,
        result: Result<T, UserError>,
        after: Result<T, UserError>,
    ) -> Result<T, UserError> {
        match result {
            Err(UserError::Ended(_)) if self.report == Report::Done => after,
            Err(UserError::Ended(e)) => {
                self.report = Report::Done;
                Err(UserError::Ended(e))
            }
            other => other,
        }
    }
}
