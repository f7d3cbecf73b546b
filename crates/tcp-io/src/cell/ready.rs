//! Which connections did tasks touch? The queue from tasks to the stack: bounded by the number
//! of connections, since each is in it at most once.

use std::sync::PoisonError;
use std::task::Waker;

use super::ConnId;
use crate::sync::{AtomicWaker, Mutex};

/// Connections that the stack should look at.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
#[doc = include_str!("../../doc/task.rs")]
/// let queue = stack.ready_queue().clone();
/// queue.register(&waker);
/// assert!(queue.is_empty());
/// client.write(now, b"hello")?;
/// assert_eq!((task.wakes(), queue.is_empty()), (1, false));
/// stack.settle(now); // the task drains the stack
/// assert!(queue.is_empty());
/// // What does not go through the queue, as a new connection, asks for a drain by itself.
/// queue.register(&waker);
/// queue.wake();
/// assert_eq!(task.wakes(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct ReadyQueue {
    ids: Mutex<Vec<ConnId>>,
    waker: AtomicWaker,
}

// A waker that panics leaves the queue as it was. tokio's sockets may cross `catch_unwind`; so may ours.
impl std::panic::UnwindSafe for ReadyQueue {}
impl std::panic::RefUnwindSafe for ReadyQueue {}

impl ReadyQueue {
    pub(crate) fn push(&self, id: ConnId) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ids.is_empty();
        ids.push(id);
        drop(ids);
        if first {
            self.waker.wake();
        }
    }

    /// Moves everything queued to `out`, which is empty.
    pub(crate) fn swap(&self, out: &mut Vec<ConnId>) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *ids, out);
    }

    /// Registers the task that runs the stack. Register before looking at the queue.
    pub fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Wakes the task that runs the stack.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Forgets the task that ran the stack: it has ended.
    pub(crate) fn unregister(&self) {
        drop(self.waker.take());
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}
