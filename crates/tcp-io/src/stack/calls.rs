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
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let listener = b.listen("10.0.0.2:80".parse()?, ListenOptions::default())?;
    /// assert_eq!(b.accept(listener)?, None);
    /// a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
    /// carry(now, &mut a, &mut b);
    /// let server = b.accept(listener)?.unwrap();
    /// assert_eq!(b.state(server), State::Established);
    /// b.close_listener(listener);
    /// assert_eq!(b.accept(listener), Err(AcceptError::Closed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AcceptError::Closed`] if the listener is not there any more.
    pub fn accept(&mut self, id: ListenerId) -> Result<Option<ConnId>, AcceptError> {
        let cell = self.listeners.cell(id).ok_or(AcceptError::Closed)?;
        Ok(cell.try_accept()?.map(|c| c.id()))
    }

    /// The address a listener listens on.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let listener = a.listen("10.0.0.1:0".parse()?, ListenOptions::default())?;
    /// let port = a.listener_addr(listener).unwrap().port();
    /// assert!((32_768..=60_999).contains(&port));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn listener_addr(&self, id: ListenerId) -> Option<SocketAddr> {
        self.listeners.cell(id).map(|c| c.local().into())
    }

    /// The shared side of a connection, for tasks.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// // A task, perhaps of another thread, writes without the stack ..
    /// let cell = b.connection_cell(server).unwrap();
    /// cell.write(now, b"hello")?;
    /// // .. which sees it at its next drain.
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.info(client).unwrap().receive_queue, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connection_cell(&self, id: ConnId) -> Option<Arc<ConnCell>> {
        self.connections.cell(id).cloned()
    }

    fn cell(&self, id: ConnId) -> Result<&ConnCell, UserError> {
        self.connections.cell(id).map(|c| &**c).ok_or(UserError::NotConnected)
    }

    /// Copies as much of `data` as there is room for into the send buffer.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.set_options(now, client, |o| o.send_buffer = Some(4096));
    /// assert_eq!(a.write(now, client, &[7; 10_000])?, 4096);
    /// assert_eq!(a.write(now, client, b"more"), Err(UserError::WouldBlock));
    /// carry(now, &mut a, &mut b); // acknowledged: there is room again
    /// assert_eq!(a.write(now, client, b"more")?, 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Connection::write`](tcp_core::Connection::write).
    pub fn write(&mut self, now: Instant, id: ConnId, data: &[u8]) -> Result<usize, UserError> {
        self.cell(id)?.write(now, data)
    }

    /// Reads what has arrived; 0 is the peer's end.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// let mut buf = [0; 16];
    /// assert_eq!(b.read(now, server, &mut buf), Err(UserError::WouldBlock));
    /// a.write(now, client, b"hello")?;
    /// a.shutdown(client)?;
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(b.read(now, server, &mut buf)?, 5);
    /// assert_eq!(b.read(now, server, &mut buf)?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Connection::read`](tcp_core::Connection::read).
    pub fn read(&mut self, now: Instant, id: ConnId, out: &mut [u8]) -> Result<usize, UserError> {
        self.cell(id)?.read(now, out)
    }

    /// Reads without taking.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.write(now, client, b"hello")?;
    /// carry(now, &mut a, &mut b);
    /// let mut buf = [0; 2];
    /// assert_eq!(b.peek(server, &mut buf)?, 2);
    /// assert_eq!(&buf, b"he");
    /// assert_eq!(b.info(server).unwrap().receive_queue, 5); // all of it is still there
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn peek(&self, id: ConnId, out: &mut [u8]) -> Result<usize, UserError> {
        self.cell(id)?.peek(out)
    }

    /// Closes our direction; reading goes on.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.shutdown(client)?;
    /// carry(now, &mut a, &mut b);
    /// assert_eq!((a.state(client), b.state(server)), (State::FinWait2, State::CloseWait));
    /// assert_eq!(a.write(now, client, b"more"), Err(UserError::BrokenPipe));
    /// // The other direction is open.
    /// b.write(now, server, b"answer")?;
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.read(now, client, &mut [0; 16])?, 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Connection::close_write`](tcp_core::Connection::close_write).
    pub fn shutdown(&mut self, id: ConnId) -> Result<(), UserError> {
        self.cell(id)?.close_write()
    }

    /// Lets go of a connection: it closes in the background, or is reset if text is unread. The
    /// handle is invalid afterwards.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.write(now, client, b"hello")?;
    /// a.close(now, client); // what was written still goes out
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(b.read(now, server, &mut [0; 16])?, 5);
    /// b.close(now, server);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!((a.connection_count(), a.time_wait_count()), (0, 1));
    /// assert_eq!((b.connection_count(), b.time_wait_count()), (0, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&mut self, now: Instant, id: ConnId) {
        if let Ok(c) = self.cell(id) {
            c.close(now);
        }
    }

    /// Resets a connection and lets go of it.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.write(now, client, b"never sent")?;
    /// a.abort(client);
    /// carry(now, &mut a, &mut b);
    /// let told = b.read(now, server, &mut [0; 16]);
    /// assert_eq!(told, Err(UserError::Ended(End::Reset)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort(&mut self, id: ConnId) {
        if let Ok(c) = self.cell(id) {
            c.abort();
        }
    }

    /// Takes the pending failure or soft error of a connection.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// assert_eq!(b.take_error(server), None);
    /// a.abort(client);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(b.take_error(server), Some(TakenError::Ended(End::Reset)));
    /// assert_eq!(b.take_error(server), None); // told once
    /// ```
    pub fn take_error(&mut self, id: ConnId) -> Option<TakenError> {
        self.cell(id).ok()?.take_error()
    }

    /// The state of a connection; `Closed` for a handle that is not known any more.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// assert_eq!(a.state(client), State::Established);
    /// a.shutdown(client)?;
    /// assert_eq!(a.state(client), State::FinWait1);
    /// carry(now, &mut a, &mut b);
    /// b.shutdown(server)?;
    /// carry(now, &mut a, &mut b);
    /// assert_eq!((a.state(client), b.state(server)), (State::TimeWait, State::Closed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.write(now, client, b"hello")?;
    /// let info = a.info(client).unwrap();
    /// assert_eq!((info.send_mss, info.send_queue, info.not_sent), (1448, 5, 5));
    /// assert!(info.negotiated.sack);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn info(&self, id: ConnId) -> Option<Info> {
        self.cell(id).ok().map(ConnCell::info)
    }

    /// A snapshot of a connection with its spans of time counted up to `now`.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.write(now, client, b"hello")?;
    /// carry(now, &mut a, &mut b);
    /// let later = now + Duration::from_millis(150);
    /// let since = |info: Option<tcp_core::connection::Info>| info.unwrap().since_text_sent.unwrap();
    /// assert_eq!(since(a.info_at(later, client)), Duration::from_millis(150));
    /// assert_eq!(since(a.info(client)), Duration::ZERO);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn info_at(&self, now: Instant, id: ConnId) -> Option<Info> {
        self.cell(id).ok().map(|c| c.info_at(now))
    }

    /// Options of a connection.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// let options = a.options(client).unwrap();
    /// assert_eq!((options.hop_limit, options.nodelay), (64, false));
    /// ```
    pub fn options(&self, id: ConnId) -> Option<SocketOptions> {
        self.cell(id).ok().map(|c| c.inspect(|c| c.options().clone()))
    }

    /// Changes options of a connection; takes effect at once.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.set_options(now, client, |o| o.hop_limit = 9);
    /// a.write(now, client, b"hello")?;
    /// let packet = a.poll_transmit(now).unwrap().to_vec();
    /// assert_eq!(packet[8], 9); // the TTL of IPv4
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// b.close_all(now);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(b.listener_addr(listener), None);
    /// assert_eq!(b.connection_count(), 1); // until the peer closes too
    /// a.close(now, client);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(b.connection_count(), 0);
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// b.abort_all();
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(b.connection_count(), 0);
    /// assert_eq!(a.take_error(client), Some(TakenError::Ended(End::Reset)));
    /// ```
    pub fn abort_all(&mut self) {
        let cells: Vec<_> = self.connections.iter().map(|e| e.cell.clone()).collect();
        for c in cells {
            c.abort();
        }
    }
}
