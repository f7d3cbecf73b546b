//! How does a task end a connection, and how does it learn why one has ended? Closing a direction,
//! letting go, resetting; the failure that is told once.

use tcp_core::Instant;
use tcp_core::error::{End, Unreachable, UserError};

use super::waiters::WakeList;
use super::{ConnCell, Handle, Inner, Report, Then};

impl ConnCell {
    /// Closes our direction: a FIN follows what was written.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::connection::State;
    ///
    /// client.write(now, b"the last words")?;
    /// client.close_write()?;
    /// stack.settle(now);
    /// assert_eq!((client.state(), server.state()), (State::FinWait2, State::CloseWait));
    /// // The other direction is open still.
    /// assert_eq!(server.write(now, b"an answer")?, 9);
    /// assert!(client.write(now, b"more").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Connection::close_write`](tcp_core::Connection::close_write).
    pub fn close_write(&self) -> Result<(), UserError> {
        self.call(|i| (i.conn.close_write(), Then::Service))
    }

    /// The application wants to read no more; who waits to read finds the end.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// server.shutdown_read()?;
    /// assert_eq!(server.read(now, &mut [0; 8])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::connection::State;
    ///
    /// client.write(now, b"the last words")?;
    /// client.close(now);
    /// stack.settle(now);
    /// assert_eq!(server.state(), State::CloseWait);
    /// assert_eq!(server.read(now, &mut [0; 32])?, 14); // nothing of it is lost
    /// assert_eq!((stack.orphan_count(), stack.state(id)), (1, State::FinWait2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self, now: Instant) {
        self.call(|i| {
            i.handle = Handle::Closed;
            i.conn.close(now);
            ((), Then::Service)
        });
    }

    /// Resets the connection and lets go of it.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::error::{End, UserError};
    ///
    /// client.abort();
    /// stack.settle(now);
    /// assert_eq!(client.end(), Some(End::Aborted));
    /// assert_eq!(server.read(now, &mut [0; 8]), Err(UserError::Ended(End::Reset)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort(&self) {
        self.call(|i| {
            i.handle = Handle::Closed;
            i.conn.abort();
            ((), Then::Service)
        });
    }

    /// Why it ended, if it has.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::error::End;
    ///
    /// assert_eq!(server.end(), None);
    /// client.abort();
    /// stack.settle(now);
    /// assert_eq!((client.end(), server.end()), (Some(End::Aborted), Some(End::Reset)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn end(&self) -> Option<End> {
        self.lock().conn.end()
    }

    /// Takes the pending failure or soft error (`SO_ERROR`).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::error::End;
    /// use tcp_io::cell::TakenError;
    ///
    /// client.abort();
    /// stack.settle(now);
    /// assert_eq!(server.take_error(), Some(TakenError::Ended(End::Reset)));
    /// // It is told once: from now on reads see the end.
    /// assert_eq!(server.take_error(), None);
    /// assert_eq!(server.read(now, &mut [0; 8])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
///
/// ```
#[doc = include_str!("../../doc/stack.rs")]
/// use tcp_core::error::End;
/// use tcp_io::cell::TakenError;
///
/// let id = stack.connect(now, "10.0.0.1:81".parse()?, ConnectOptions::default())?;
/// let cell = stack.connection_cell(id).unwrap();
/// stack.settle(now);
/// let goes_on = match cell.take_error() {
///     Some(TakenError::Ended(why)) => {
///         assert_eq!(why, End::Refused); // nobody listens there
///         false
///     }
///     Some(TakenError::Soft(_)) | None => true,
/// };
/// assert!(!goes_on);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
