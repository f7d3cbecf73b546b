//! How do tasks and the stack share a connection? The one door to it: lock, act, pick wakers,
//! unlock, then wake. Neither a system call nor a wake-up happens under the lock.

mod hints;
mod listener;
mod more;
mod ready;
mod request;
mod udp;
mod waiters;

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use tcp_core::connection::{Connection, Events, Info, State};
use tcp_core::error::{End, Unreachable, UserError};
use tcp_core::listen::PeerSyn;
use tcp_core::{Instant, Tuple};

use crate::sync::{AtomicBool, AtomicU8, Mutex, MutexGuard, Ordering};

pub use listener::{AcceptError, ListenerCell};

use hints::Hints;
pub use ready::ReadyQueue;
pub use request::{Request, RequestCell, RequestEnd};
pub use udp::{DATAGRAM_COST, Look, UdpCell, UdpError, UdpId, UdpOptions, UdpReceiveError, UdpRow};
pub(crate) use udp::{Outgoing, Pushed, UdpMemory};
pub use waiters::{Interest, Readiness, WaiterKey};
use waiters::{Waiters, WakeList};

/// Names a connection of one stack; never reused while the connection is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConnId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// A connection shared between the stack and the tasks that use it.
#[derive(Debug)]
pub struct ConnCell {
    id: ConnId,
    tuple: Tuple,
    ready: Arc<ReadyQueue>,
    /// Already in the ready queue.
    queued: AtomicBool,
    /// A copy of the option, to be asked without the lock.
    min_hop_limit: AtomicU8,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    conn: Connection,
    waiters: Waiters,
    handle: Handle,
    report: Report,
    hints: Hints,
    /// What few connections have.
    extras: Option<Box<Extras>>,
}

/// What few connections have.
#[derive(Debug, Default)]
struct Extras {
    /// What the application calls the connection.
    label: Option<Arc<str>>,
    /// What the peer's SYN said, if the listener keeps it.
    syn: Option<PeerSyn>,
}

impl Inner {
    fn label(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.label.as_ref()
    }
}

/// Whether the application still holds the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Handle {
    Open,
    Closed,
}

/// A failure is told once; after it, reads see the end and writes a broken pipe, as on Linux.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Report {
    Pending,
    Done,
}

impl ConnCell {
    pub(crate) fn new(id: ConnId, conn: Connection, ready: Arc<ReadyQueue>) -> Arc<ConnCell> {
        Arc::new(ConnCell {
            id,
            tuple: conn.tuple(),
            ready,
            queued: AtomicBool::new(false),
            min_hop_limit: AtomicU8::new(conn.options().min_hop_limit),
            inner: Mutex::new(Inner {
                conn,
                waiters: Waiters::default(),
                handle: Handle::Open,
                report: Report::Pending,
                hints: Hints::default(),
                extras: None,
            }),
        })
    }

    /// The connection's name.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// Both endpoints.
    pub fn tuple(&self) -> Tuple {
        self.tuple
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under this lock is a bug of ours; the value itself stays consistent.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stack's side of the door: acts on the connection, then wakes whom the events concern.
    pub(crate) fn service<R>(&self, act: impl FnOnce(&mut Connection) -> R) -> (R, Serviced) {
        let mut inner = self.lock();
        let result = act(&mut inner.conn);
        let events = inner.conn.take_events();
        let mut wake = WakeList::default();
        inner.pick(events, &mut wake);
        let serviced = Serviced {
            abandoned: inner.handle == Handle::Closed,
            ended: inner.conn.state() == State::Closed,
            state: inner.conn.state(),
        };
        drop(inner);
        wake.wake_all();
        (result, serviced)
    }

    /// Acts without looking at events: they wait for the turn that follows.
    pub(crate) fn service_quietly<R>(&self, act: impl FnOnce(&mut Connection) -> R) -> R {
        act(&mut self.lock().conn)
    }

    /// A task's side of the door: acts, then puts the connection into the ready queue if the
    /// stack has to do something about it.
    fn call<R>(&self, act: impl FnOnce(&mut Inner) -> (R, Then)) -> R {
        let mut inner = self.lock();
        let (result, then) = act(&mut inner);
        drop(inner);
        if then == Then::Service {
            self.request_service();
        }
        result
    }

    /// Asks the stack to look at this connection.
    pub(crate) fn request_service(&self) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.ready.push(self.id);
        }
    }

    /// The stack has taken the connection out of the ready queue.
    pub(crate) fn taken_from_ready(&self) {
        // Not a plain store, which loom lets slip between the two halves of a swap (its issue 254).
        self.queued.swap(false, Ordering::AcqRel);
    }

    /// Copies `data` into the send buffer, as far as there is room.
    ///
    /// # Errors
    /// See [`Connection::write`]; a failure is reported once.
    pub fn write(&self, now: Instant, data: &[u8]) -> Result<usize, UserError> {
        self.call(|i| {
            let r = i.conn.write(now, data);
            let then = i.after_write(&r);
            (i.once(r, Err(UserError::BrokenPipe)), then)
        })
    }

    /// Copies several slices, as far as there is room, in one step.
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
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_bytes(&self, now: Instant, data: &mut bytes::Bytes) -> Result<usize, UserError> {
        self.call(|i| {
            let r = i.conn.write_bytes(now, data);
            let then = i.after_write(&r);
            (i.once(r, Err(UserError::BrokenPipe)), then)
        })
    }

    /// Reads what has arrived; 0 is the end.
    ///
    /// # Errors
    /// See [`Connection::read`]; a failure is reported once.
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

    /// Closes our direction: a FIN follows what was written.
    ///
    /// # Errors
    /// See [`Connection::close_write`].
    pub fn close_write(&self) -> Result<(), UserError> {
        self.call(|i| (i.conn.close_write(), Then::Service))
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

    /// The state.
    pub fn state(&self) -> State {
        self.lock().conn.state()
    }

    /// Why it ended, if it has.
    pub fn end(&self) -> Option<End> {
        self.lock().conn.end()
    }

    /// A snapshot.
    pub fn info(&self) -> Info {
        self.lock().conn.info()
    }

    /// A snapshot with its spans of time counted up to `now`.
    pub fn info_at(&self, now: Instant) -> Info {
        self.lock().conn.info_at(now)
    }

    /// What the application calls the connection.
    pub fn label(&self) -> Option<Arc<str>> {
        self.lock().label().cloned()
    }

    /// Gives the connection a name for tables, or takes it away.
    pub fn set_label(&self, label: Option<Arc<str>>) {
        let mut inner = self.lock();
        if label.is_some() || inner.extras.is_some() {
            inner.extras.get_or_insert_default().label = label;
        }
    }

    /// Takes over a listener's label.
    pub(crate) fn inherit_label(&self, label: Option<Arc<str>>) {
        if label.is_some() {
            self.set_label(label);
        }
    }

    /// Looks at the connection and its label, for tables.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Connection, Option<&Arc<str>>) -> R) -> R {
        let inner = self.lock();
        look(&inner.conn, inner.label())
    }

    /// Looks at the connection; for option getters and tables.
    pub fn inspect<R>(&self, look: impl FnOnce(&Connection) -> R) -> R {
        look(&self.lock().conn)
    }

    /// Changes options; takes effect at once.
    pub fn set_options(
        &self,
        now: Instant,
        change: impl FnOnce(&mut tcp_core::config::SocketOptions),
    ) {
        self.call(|i| {
            i.conn.set_options(now, change);
            self.min_hop_limit.store(i.conn.options().min_hop_limit, Ordering::Relaxed);
            ((), Then::Service)
        });
    }

    /// Hops that packets for this connection must have left (`IP_MINTTL`).
    pub(crate) fn min_hop_limit(&self) -> u8 {
        self.min_hop_limit.load(Ordering::Relaxed)
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

    /// What could be done without waiting.
    pub fn readiness(&self) -> Readiness {
        self.lock().readiness()
    }

    /// Lets the first read and write be tried before they are waited for; for a connection that was
    /// just accepted.
    pub fn assume_ready(&self) {
        self.lock().hints.assume();
    }

    /// What could be done without waiting, and a stamp for [`spend`](Self::spend).
    pub fn readiness_seen(&self) -> (Readiness, u16) {
        let inner = self.lock();
        (inner.readiness(), inner.hints.seen())
    }

    /// A task could do nothing with the readiness that it saw at `seen`: it waits for the next
    /// event.
    pub fn spend(&self, interest: Interest, seen: u16) {
        self.lock().hints.spend(interest, seen);
    }

    /// Polls for readiness on behalf of a `poll_*` function: one task per direction is kept, the
    /// last.
    pub fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<Readiness> {
        let mut inner = self.lock();
        let ready = inner.readiness() & interest.mask();
        if !ready.is_empty() {
            return Poll::Ready(ready);
        }
        inner.waiters.set_slot(interest, cx.waker());
        self.after_wait(inner, interest);
        Poll::Pending
    }

    /// Registers one of any number of waiting tasks, or renews its waker; `None` as key starts.
    pub fn poll_wait(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        key: &mut Option<WaiterKey>,
    ) -> Poll<Readiness> {
        let mut inner = self.lock();
        let ready = inner.readiness() & interest.mask();
        if !ready.is_empty() {
            if let Some(k) = key.take() {
                inner.waiters.remove(k);
            }
            return Poll::Ready(ready);
        }
        inner.waiters.register(interest, cx.waker(), key);
        self.after_wait(inner, interest);
        Poll::Pending
    }

    /// A task waits to write: if that is for memory, the stack puts it into the line.
    fn after_wait(&self, mut inner: MutexGuard<'_, Inner>, interest: Interest) {
        let writes = interest.mask().intersects(Readiness::WRITABLE);
        let awaits_memory = writes && inner.conn.note_waiting_writer();
        drop(inner);
        if awaits_memory {
            self.request_service();
        }
    }

    /// A waiting task gives up.
    pub fn cancel_wait(&self, key: WaiterKey) {
        self.lock().waiters.remove(key);
    }

    /// Polls for the end of an active open.
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

/// A failure or soft error that [`ConnCell::take_error`] took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakenError {
    /// The connection has failed.
    Ended(End),
    /// The network complained; the connection goes on (MUST-47).
    Soft(Unreachable),
}

/// What the stack learns from a visit.
pub(crate) struct Serviced {
    pub(crate) abandoned: bool,
    pub(crate) ended: bool,
    pub(crate) state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    Service,
}

impl Inner {
    /// Written text is sent; a writer that found no memory waits in the stack's line.
    fn after_write(&mut self, result: &Result<usize, UserError>) -> Then {
        self.hints.on_write(result);
        let written = matches!(result, Ok(n) if *n > 0);
        if written || self.conn.awaits_memory() { Then::Service } else { Then::Nothing }
    }

    /// A window may have opened, or memory come free that somebody waits for.
    fn after_read(&self) -> Then {
        let tell = self.conn.wants_ack() || self.conn.memory_is_awaited();
        if tell { Then::Service } else { Then::Nothing }
    }

    fn pick(&mut self, events: Events, wake: &mut WakeList) {
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

    fn readiness(&self) -> Readiness {
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

    /// Lets a failure through once, and `after` from then on.
    fn once<T>(
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
