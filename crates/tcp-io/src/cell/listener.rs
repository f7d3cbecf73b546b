//! How do tasks and the stack share a listener? The accept queue: established connections, or
//! requests to decide about, that nobody has accepted, bounded by the backlog.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use tcp_core::Endpoint;

use super::ConnCell;
use super::waiters::WakeList;
use crate::sync::{Mutex, MutexGuard};

/// A listener shared between the stack and the tasks that accept. The queue holds established
/// connections, or undecided requests ([`RequestCell`](super::RequestCell)).
///
/// ```
#[doc = include_str!("../../doc/stack.rs")]
#[doc = include_str!("../../doc/task.rs")]
/// let cell = stack.listener_cell(listener).unwrap();
/// assert_eq!(cell.local().to_string(), "10.0.0.1:80");
/// assert_eq!((cell.queued(), cell.backlog()), (0, 128));
/// assert!(cell.poll_accept(cx).is_pending());
/// stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
/// stack.settle(now);
/// assert_eq!((task.wakes(), cell.queued()), (1, 1));
/// let Poll::Ready(Ok(connection)) = cell.poll_accept(cx) else { panic!("one waits") };
/// assert_eq!(connection.tuple().local, cell.local());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ListenerCell<T = Arc<ConnCell>> {
    local: Endpoint,
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    queue: VecDeque<T>,
    backlog: usize,
    open: bool,
    label: Option<Arc<str>>,
    slot: Option<Waker>,
    /// Tasks waiting in `accept`, in the order in which they came: each connection wakes one.
    waiting: VecDeque<(usize, Waker)>,
    next_key: usize,
}

/// Accepting is impossible.
///
/// ```
#[doc = include_str!("../../doc/stack.rs")]
/// use tcp_io::cell::AcceptError;
///
/// let cell = stack.listener_cell(listener).unwrap();
/// assert!(cell.try_accept().is_ok_and(|connection| connection.is_none()));
/// stack.close_listener(listener);
/// assert_eq!(cell.try_accept().unwrap_err(), AcceptError::Closed);
/// assert_eq!(AcceptError::Closed.to_string(), "the listener is closed");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AcceptError {
    /// The listener was closed, or its stack has ended.
    Closed,
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AcceptError::Closed => "the listener is closed",
        })
    }
}

impl std::error::Error for AcceptError {}

impl<T> ListenerCell<T> {
    pub(crate) fn new(local: Endpoint, backlog: usize) -> Arc<ListenerCell<T>> {
        Arc::new(ListenerCell {
            local,
            inner: Mutex::new(Inner {
                queue: VecDeque::new(),
                backlog,
                open: true,
                label: None,
                slot: None,
                waiting: VecDeque::new(),
                next_key: 0,
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address it listens on.
    pub fn local(&self) -> Endpoint {
        self.local
    }

    /// Whether one more connection fits. As on Linux the queue holds one more than `backlog`, so
    /// that a backlog of 0 lets one connection in.
    pub(crate) fn has_room(&self) -> bool {
        let i = self.lock();
        i.open && i.queue.len() <= i.backlog
    }

    /// Queues an established connection; gives it back if there is no room.
    pub(crate) fn push(&self, conn: T) -> Result<(), T> {
        let mut i = self.lock();
        if !i.open || i.queue.len() > i.backlog {
            return Err(conn);
        }
        i.queue.push_back(conn);
        let mut wake = WakeList::default();
        i.pick(&mut wake);
        drop(i);
        wake.wake_all();
        Ok(())
    }

    /// The next connection, if there is one. A connection that was reset while it waited is
    /// handed out too, as on Linux: its first read tells.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack.rs")]
    /// let cell = stack.listener_cell(listener).unwrap();
    /// assert!(cell.try_accept()?.is_none());
    /// let client = stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
    /// stack.settle(now);
    /// stack.abort(client);
    /// stack.settle(now);
    /// let server = cell.try_accept()?.unwrap();
    /// assert!(server.read(now, &mut [0; 8]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AcceptError::Closed`] after the listener was closed.
    pub fn try_accept(&self) -> Result<Option<T>, AcceptError> {
        let mut i = self.lock();
        match i.queue.pop_front() {
            Some(c) => Ok(Some(c)),
            None if i.open => Ok(None),
            None => Err(AcceptError::Closed),
        }
    }

    /// Polls for the next connection; keeps the waker of the last task that called.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<T, AcceptError>> {
        let mut i = self.lock();
        if let Some(c) = i.queue.pop_front() {
            return Poll::Ready(Ok(c));
        }
        if !i.open {
            return Poll::Ready(Err(AcceptError::Closed));
        }
        i.slot = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Polls for the next connection on behalf of one of any number of waiting tasks.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// let cell = stack.listener_cell(listener).unwrap();
    /// let (mut one, mut another) = (None, None);
    /// assert!(cell.poll_wait(cx, &mut one).is_pending());
    /// assert!(cell.poll_wait(cx, &mut another).is_pending());
    /// stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
    /// stack.settle(now);
    /// assert_eq!(task.wakes(), 1); // one connection wakes one task
    /// assert!(cell.poll_wait(cx, &mut one).is_ready());
    /// assert!(cell.poll_wait(cx, &mut another).is_pending());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_wait(
        &self,
        cx: &mut Context<'_>,
        key: &mut Option<usize>,
    ) -> Poll<Result<T, AcceptError>> {
        let mut i = self.lock();
        let result = match i.queue.pop_front() {
            Some(c) => Ok(c),
            None if !i.open => Err(AcceptError::Closed),
            None => {
                i.wait(cx.waker(), key);
                return Poll::Pending;
            }
        };
        if let Some(k) = key.take() {
            i.waiting.retain(|(n, _)| *n != k);
        }
        Poll::Ready(result)
    }

    /// A waiting task gives up. If a connection had woken it, the next one is woken instead.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack.rs")]
    #[doc = include_str!("../../doc/task.rs")]
    /// let cell = stack.listener_cell(listener).unwrap();
    /// let (mut one, mut another) = (None, None);
    /// assert!(cell.poll_wait(cx, &mut one).is_pending());
    /// assert!(cell.poll_wait(cx, &mut another).is_pending());
    /// stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
    /// stack.settle(now);
    /// assert_eq!(task.wakes(), 1);
    /// cell.cancel_wait(one.unwrap());
    /// assert_eq!(task.wakes(), 1); // the connection is not forgotten
    /// assert!(cell.poll_wait(cx, &mut another).is_ready());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel_wait(&self, key: usize) {
        let mut i = self.lock();
        let before = i.waiting.len();
        i.waiting.retain(|(n, _)| *n != key);
        let mut wake = WakeList::default();
        if i.waiting.len() == before && !i.queue.is_empty() {
            i.pick(&mut wake);
        }
        drop(i);
        wake.wake_all();
    }

    /// Connections that wait to be accepted.
    pub fn queued(&self) -> usize {
        self.lock().queue.len()
    }

    /// Takes out what waits no longer to be accepted.
    pub(crate) fn remove(&self, is: impl Fn(&T) -> bool) {
        let mut i = self.lock();
        if let Some(at) = i.queue.iter().position(is) {
            i.queue.remove(at);
        }
    }

    /// The backlog.
    pub fn backlog(&self) -> usize {
        self.lock().backlog
    }

    /// What the application calls the listener.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack.rs")]
    /// let cell = stack.listener_cell(listener).unwrap();
    /// assert_eq!(cell.label(), None);
    /// cell.set_label(Some("web".into()));
    /// assert_eq!(cell.label().as_deref(), Some("web"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn label(&self) -> Option<Arc<str>> {
        self.lock().label.clone()
    }

    /// Gives the listener, and what it will accept, a name for tables, or takes it away.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack.rs")]
    /// let cell = stack.listener_cell(listener).unwrap();
    /// cell.set_label(Some("web".into()));
    /// assert_eq!(cell.label().as_deref(), Some("web"));
    /// stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
    /// stack.settle(now);
    /// let server = cell.try_accept()?.unwrap();
    /// assert_eq!(server.label().as_deref(), Some("web"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_label(&self, label: Option<Arc<str>>) {
        self.lock().label = label;
    }

    /// Closes it: wakes every waiting task and returns what nobody accepted.
    pub(crate) fn close(&self) -> VecDeque<T> {
        let mut i = self.lock();
        i.open = false;
        let left = std::mem::take(&mut i.queue);
        let mut wake = WakeList::default();
        if let Some(w) = i.slot.take() {
            wake.push(w);
        }
        for (_, w) in i.waiting.drain(..) {
            wake.push(w);
        }
        drop(i);
        wake.wake_all();
        left
    }
}

impl<T> Inner<T> {
    /// Whom a connection concerns: the task that has waited longest, or else the one that polls.
    fn pick(&mut self, wake: &mut WakeList) {
        let first = self.waiting.pop_front().map(|(_, w)| w);
        if let Some(w) = first.or_else(|| self.slot.take()) {
            wake.push(w);
        }
    }

    fn wait(&mut self, waker: &Waker, key: &mut Option<usize>) {
        if let Some(k) = *key
            && let Some((_, w)) = self.waiting.iter_mut().find(|(n, _)| *n == k)
        {
            w.clone_from(waker);
            return;
        }
        let k = self.next_key;
        self.next_key = self.next_key.wrapping_add(1);
        self.waiting.push_back((k, waker.clone()));
        *key = Some(k);
    }
}
