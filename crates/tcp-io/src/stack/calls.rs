//! The application's calls by handle: what tests, simulators and external rigs drive the stack
//! with. Tasks use the shared cells instead.

use std::net::SocketAddr;
use std::sync::Arc;

use tcp_core::config::SocketOptions;
use tcp_core::connection::{Info, State};
use tcp_core::error::UserError;
use tcp_core::{Instant, Tuple};

use super::{ListenerId, Stack};
use crate::cell::{AcceptError, ConnCell, ConnId, TakenError};

impl Stack {
    /// The next connection of a listener's accept queue.
    ///
    /// # Errors
    /// [`AcceptError::Closed`] if the listener is not there any more.
    pub fn accept(&mut self, id: ListenerId) -> Result<Option<ConnId>, AcceptError> {
        let cell = self.listeners.cell(id).ok_or(AcceptError::Closed)?;
        Ok(cell.try_accept()?.map(|c| c.id()))
    }

    /// The address a listener listens on.
    pub fn listener_addr(&self, id: ListenerId) -> Option<SocketAddr> {
        self.listeners.cell(id).map(|c| c.local().into())
    }

    /// The shared side of a connection, for tasks.
    pub fn connection_cell(&self, id: ConnId) -> Option<Arc<ConnCell>> {
        self.connections.cell(id).cloned()
    }

    fn cell(&self, id: ConnId) -> Result<&ConnCell, UserError> {
        self.connections.cell(id).map(|c| &**c).ok_or(UserError::NotConnected)
    }

    /// Copies as much of `data` as there is room for into the send buffer.
    ///
    /// # Errors
    /// See [`Connection::write`](tcp_core::Connection::write).
    pub fn write(&mut self, now: Instant, id: ConnId, data: &[u8]) -> Result<usize, UserError> {
        self.cell(id)?.write(now, data)
    }

    /// Reads what has arrived; 0 is the peer's end.
    ///
    /// # Errors
    /// See [`Connection::read`](tcp_core::Connection::read).
    pub fn read(&mut self, now: Instant, id: ConnId, out: &mut [u8]) -> Result<usize, UserError> {
        self.cell(id)?.read(now, out)
    }

    /// Reads without taking.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn peek(&self, id: ConnId, out: &mut [u8]) -> Result<usize, UserError> {
        self.cell(id)?.peek(out)
    }

    /// Closes our direction; reading goes on.
    ///
    /// # Errors
    /// See [`Connection::close_write`](tcp_core::Connection::close_write).
    pub fn shutdown(&mut self, id: ConnId) -> Result<(), UserError> {
        self.cell(id)?.close_write()
    }

    /// Lets go of a connection: it closes in the background, or is reset if text is unread. The
    /// handle is invalid afterwards.
    pub fn close(&mut self, now: Instant, id: ConnId) {
        if let Ok(c) = self.cell(id) {
            c.close(now);
        }
    }

    /// Resets a connection and lets go of it.
    pub fn abort(&mut self, id: ConnId) {
        if let Ok(c) = self.cell(id) {
            c.abort();
        }
    }

    /// Takes the pending failure or soft error of a connection.
    pub fn take_error(&mut self, id: ConnId) -> Option<TakenError> {
        self.cell(id).ok()?.take_error()
    }

    /// The state of a connection; `Closed` for a handle that is not known any more.
    pub fn state(&self, id: ConnId) -> State {
        let Ok(c) = self.cell(id) else { return State::Closed };
        match c.state() {
            State::Closed if self.is_in_time_wait(&c.tuple()) => State::TimeWait,
            s => s,
        }
    }

    fn is_in_time_wait(&self, tuple: &Tuple) -> bool {
        self.time_wait.find(tuple).is_some()
    }

    /// A snapshot of a connection.
    pub fn info(&self, id: ConnId) -> Option<Info> {
        self.cell(id).ok().map(ConnCell::info)
    }

    /// A snapshot of a connection with its spans of time counted up to `now`.
    pub fn info_at(&self, now: Instant, id: ConnId) -> Option<Info> {
        self.cell(id).ok().map(|c| c.info_at(now))
    }

    /// Options of a connection.
    pub fn options(&self, id: ConnId) -> Option<SocketOptions> {
        self.cell(id).ok().map(|c| c.inspect(|c| c.options().clone()))
    }

    /// Changes options of a connection; takes effect at once.
    pub fn set_options(
        &mut self,
        now: Instant,
        id: ConnId,
        change: impl FnOnce(&mut SocketOptions),
    ) {
        if let Ok(c) = self.cell(id) {
            c.set_options(now, change);
        }
    }

    /// Closes everything: listeners go, and connections close in order, or are reset if text is
    /// unread. Drain the stack until [`connection_count`](Self::connection_count) is 0 or
    /// patience ends; then [`abort_all`](Self::abort_all).
    pub fn close_all(&mut self, now: Instant) {
        for id in self.listeners.ids() {
            self.close_listener(id);
        }
        self.udp_close_all();
        let cells: Vec<_> = self.connections.iter().map(|e| e.cell.clone()).collect();
        for c in cells {
            c.close(now);
        }
    }

    /// Resets everything that is left.
    pub fn abort_all(&mut self) {
        let cells: Vec<_> = self.connections.iter().map(|e| e.cell.clone()).collect();
        for c in cells {
            c.abort();
        }
    }
}
