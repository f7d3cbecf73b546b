//! How does a task wait for a connection? What could be done at once, whom an event concerns, and
//! polling for the end of the handshake and of all that was sent. The lists of tasks are in
//! `waiters`.

use std::task::{Context, Poll};

use tcp_core::connection::{Events, State};
use tcp_core::error::{End, UserError};

use super::waiters::{Interest, Readiness, WaiterKey, WakeList};
use super::{ConnCell, Inner, Report};
use crate::sync::MutexGuard;

impl ConnCell {
    /// What could be done without waiting.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_io::cell::Readiness;
    ///
    /// assert_eq!(server.readiness(), Readiness::WRITABLE);
    /// client.write(now, b"hello")?;
    /// client.close_write()?;
    /// stack.settle(now);
    /// let ready = Readiness::READABLE | Readiness::WRITABLE | Readiness::READ_CLOSED;
    /// assert_eq!(server.readiness(), ready);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn readiness(&self) -> Readiness {
        self.lock().readiness()
    }

    /// Lets the first read and write be tried before they are waited for; for a connection that was
    /// just accepted.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::error::UserError;
    /// use tcp_io::cell::Readiness;
    ///
    /// server.assume_ready();
    /// assert!(server.readiness().intersects(Readiness::READABLE));
    /// // One try tells that nothing is there.
    /// assert_eq!(server.read(now, &mut [0; 8]), Err(UserError::WouldBlock));
    /// assert!(!server.readiness().intersects(Readiness::READABLE));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn assume_ready(&self) {
        self.lock().hints.assume();
    }

    /// What could be done without waiting, and a stamp for [`spend`](Self::spend).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// # client.set_options(now, |options| options.nodelay = true);
    /// use tcp_io::cell::{Interest, Readiness};
    ///
    /// client.write(now, b"half a ")?;
    /// stack.settle(now);
    /// let (ready, seen) = server.readiness_seen();
    /// assert!(ready.intersects(Readiness::READABLE));
    /// // While the task finds that it wants a whole message, the rest arrives.
    /// client.write(now, b"message")?;
    /// stack.settle(now);
    /// server.spend(Interest::READABLE, seen);
    /// assert!(server.readiness().intersects(Readiness::READABLE)); // so it is tried again
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn readiness_seen(&self) -> (Readiness, u16) {
        let inner = self.lock();
        (inner.readiness(), inner.hints.seen())
    }

    /// A task could do nothing with the readiness that it saw at `seen`: it waits for the next
    /// event.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// # client.set_options(now, |options| options.nodelay = true);
    /// use tcp_io::cell::{Interest, Readiness};
    ///
    /// client.write(now, b"half a ")?;
    /// stack.settle(now);
    /// let (_, seen) = server.readiness_seen();
    /// server.spend(Interest::READABLE, seen); // of no use before there is more
    /// assert!(!server.readiness().intersects(Readiness::READABLE));
    /// client.write(now, b"message")?;
    /// stack.settle(now);
    /// assert!(server.readiness().intersects(Readiness::READABLE));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spend(&self, interest: Interest, seen: u16) {
        self.lock().hints.spend(interest, seen);
    }

    /// Polls for readiness on behalf of a `poll_*` function: one task per direction is kept, the
    /// last. `interest` is reading, writing or both; what else there is to wait for has
    /// [`poll_wait`](Self::poll_wait).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// use tcp_io::cell::{Interest, Readiness};
    ///
    /// assert!(server.poll_ready(cx, Interest::READABLE).is_pending());
    /// client.write(now, b"hello")?;
    /// stack.settle(now);
    /// assert_eq!(task.wakes(), 1);
    /// assert_eq!(server.poll_ready(cx, Interest::READABLE), Poll::Ready(Readiness::READABLE));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<Readiness> {
        let mut inner = self.lock();
        let ready = inner.readiness();
        let polled = inner.waiters.poll_slot(cx, ready, interest);
        self.after_poll(inner, interest, polled)
    }

    /// Registers one of any number of waiting tasks, or renews its waker; `None` as key starts.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// use tcp_io::cell::{Interest, Readiness};
    ///
    /// let (mut one, mut another) = (None, None);
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut one).is_pending());
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut another).is_pending());
    /// client.write(now, b"hello")?;
    /// stack.settle(now);
    /// assert_eq!(task.wakes(), 2); // each place in the list
    /// let ready = server.poll_wait(cx, Interest::READABLE, &mut one);
    /// assert_eq!((ready, one), (Poll::Ready(Readiness::READABLE), None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_wait(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        key: &mut Option<WaiterKey>,
    ) -> Poll<Readiness> {
        let mut inner = self.lock();
        let ready = inner.readiness();
        let polled = inner.waiters.poll_listed(cx, ready, interest, key);
        self.after_poll(inner, interest, polled)
    }

    /// A task that waits to write, and does so for memory, is put into the line by the stack.
    fn after_poll(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        interest: Interest,
        polled: Poll<Readiness>,
    ) -> Poll<Readiness> {
        let writes = polled.is_pending() && interest.mask().intersects(Readiness::WRITABLE);
        let awaits_memory = writes && inner.conn.note_waiting_writer();
        drop(inner);
        if awaits_memory {
            self.request_service();
        }
        polled
    }

    /// A waiting task gives up.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// use tcp_io::cell::Interest;
    ///
    /// let mut key = None;
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut key).is_pending());
    /// server.cancel_wait(key.unwrap());
    /// client.write(now, b"hello")?;
    /// stack.settle(now);
    /// assert_eq!(task.wakes(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel_wait(&self, key: WaiterKey) {
        self.lock().waiters.remove(key);
    }

    /// Polls for the end of an active open.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// use tcp_core::error::End;
    ///
    /// let id = stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
    /// let cell = stack.connection_cell(id).unwrap();
    /// assert!(cell.poll_connected(cx).is_pending());
    /// stack.settle(now);
    /// assert_eq!(task.wakes(), 1);
    /// assert_eq!(cell.poll_connected(cx), Poll::Ready(Ok(())));
    ///
    /// let id = stack.connect(now, "10.0.0.1:81".parse()?, ConnectOptions::default())?;
    /// let cell = stack.connection_cell(id).unwrap();
    /// stack.settle(now);
    /// assert_eq!(cell.poll_connected(cx), Poll::Ready(Err(End::Refused)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let mut inner = self.lock();
        match inner.conn.end() {
            Some(End::Closed) => return Poll::Ready(Ok(())),
            Some(e) => {
                inner.report = Report::Done;
                return Poll::Ready(Err(e));
            }
            None => {}
        }
        if matches!(inner.conn.state(), State::SynSent | State::SynReceived) {
            inner.waiters.set_slot(Interest::WRITABLE, cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Polls until the peer has acknowledged our FIN and all that was written before it.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// let mut key = None;
    /// client.write(now, b"the last words")?;
    /// client.close_write()?;
    /// assert!(client.poll_delivered(cx, &mut key).is_pending());
    /// stack.settle(now);
    /// assert_eq!(task.wakes(), 1);
    /// assert_eq!(client.poll_delivered(cx, &mut key), Poll::Ready(Ok(())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Why the connection ended before that.
    pub fn poll_delivered(
        &self,
        cx: &mut Context<'_>,
        key: &mut Option<WaiterKey>,
    ) -> Poll<Result<(), End>> {
        let mut inner = self.lock();
        let done = match inner.conn.end() {
            _ if inner.conn.is_delivered() => Ok(()),
            Some(End::Closed) => Ok(()),
            Some(e) => Err(e),
            None => {
                inner.waiters.register(Interest::ENDED, cx.waker(), key);
                return Poll::Pending;
            }
        };
        if let Some(k) = key.take() {
            inner.waiters.remove(k);
        }
        Poll::Ready(done)
    }
}

impl Inner {
    pub(super) fn pick(&mut self, events: Events, wake: &mut WakeList) {
        if events.is_empty() {
            return;
        }
        let over = Events::ENDED | Events::TIME_WAIT;
        let mut concerned = Readiness::EMPTY;
        if events.intersects(Events::READABLE | over) {
            concerned = concerned | Readiness::READABLE;
        }
        if events.intersects(Events::WRITABLE | Events::ESTABLISHED | over) {
            concerned = concerned | Readiness::WRITABLE;
        }
        if events.intersects(Events::SOFT_ERROR | over) {
            concerned = concerned | Readiness::ERROR;
        }
        if events.intersects(Events::DELIVERED | over) {
            concerned = concerned | Readiness::ENDED;
        }
        if events.intersects(Events::URGENT | over) {
            concerned = concerned | Readiness::PRIORITY;
        }
        if self.conn.peer_closed() {
            concerned = concerned | Readiness::READ_CLOSED;
        }
        self.hints.on_events(concerned);
        self.waiters.pick(concerned, wake);
    }

    pub(super) fn readiness(&self) -> Readiness {
        let mut r = Readiness::EMPTY;
        let c = &self.conn;
        if c.check_readable(1) != Err(UserError::WouldBlock)
            && c.check_readable(1) != Err(UserError::NotConnected)
        {
            r = r | Readiness::READABLE;
        }
        if !matches!(c.check_writable(), Err(UserError::WouldBlock | UserError::NotConnected)) {
            r = r | Readiness::WRITABLE;
        }
        let ended = c.state() == State::Closed;
        if c.urgent_left() > 0 {
            r = r | Readiness::PRIORITY;
        }
        if ended || c.peer_closed() || c.read_shut() {
            r = r | Readiness::READ_CLOSED;
        }
        // As EPOLLHUP, which is what tokio calls so: both directions are closed.
        if ended || (c.write_closed() && c.peer_closed()) {
            r = r | Readiness::WRITE_CLOSED;
        }
        if matches!(c.end(), Some(e) if e != End::Closed) && self.report == Report::Pending {
            r = r | Readiness::ERROR;
        }
        self.hints.apply(r)
    }
}
