//! How do tasks and the stack share a connection? The one door to it: lock, act, pick wakers,
//! unlock, then wake. Neither a system call nor a wake-up happens under the lock.
//! What a task can do behind the door is in `write`, `read`, `close`, `look` and `wait`.

mod close;
mod hints;
mod listener;
mod look;
mod read;
mod ready;
mod request;
mod udp;
mod wait;
mod waiters;
mod write;

use std::fmt;
use std::sync::{Arc, PoisonError};

use tcp_core::Tuple;
use tcp_core::connection::{Connection, State};
use tcp_core::listen::PeerSyn;

use crate::sync::{AtomicBool, AtomicU8, Mutex, MutexGuard, Ordering};

pub use close::TakenError;
use hints::Hints;
pub use listener::{AcceptError, ListenerCell};
pub use ready::ReadyQueue;
pub use request::{Request, RequestCell, RequestEnd};
pub use udp::{DATAGRAM_COST, Look, UdpCell, UdpError, UdpId, UdpOptions, UdpReceiveError, UdpRow};
pub(crate) use udp::{Outgoing, Pushed, UdpMemory};
pub use waiters::{Interest, Readiness, WaiterKey};
use waiters::{Waiters, WakeList};

/// Names a connection of one stack; never reused while the connection is known.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// assert_eq!((client.id(), id.to_string().as_str()), (id, "0.1"));
/// client.abort();
/// stack.settle(now);
/// assert!(stack.connection_cell(id).is_none());
/// let next = stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
/// assert_ne!(next, id); // though the place in the table may be the same
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// Its calls never wait. What they leave to do, text to send for instance, is done when the stack is
/// drained next; a [`Reactor`](crate::reactor::Reactor) does so by itself.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// use tcp_core::error::UserError;
///
/// assert_eq!(client.id(), id);
/// assert_eq!(client.tuple().remote, server.tuple().local);
/// let mut buf = [0; 16];
/// client.write(now, b"question")?;
/// assert_eq!(server.read(now, &mut buf), Err(UserError::WouldBlock));
/// stack.settle(now); // what a reactor would do now
/// assert_eq!(server.read(now, &mut buf)?, 8);
/// assert_eq!(&buf[..8], b"question");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
        // A panic under this lock is a bug of ours or of a program's own congestion controller; the value
        // itself stays consistent.
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
