//! How does a task wait for a UDP socket? What could be done at once, one task for each direction, or
//! any number in a list. The lists themselves are in `waiters`.

use std::task::{Context, Poll};

use super::super::waiters::{Interest, Readiness, WaiterKey};
use super::{Inner, UdpCell};

impl UdpCell {
    /// What could be done without waiting, and a stamp for [`spend`](Self::spend).
    ///
    /// ```
    #[doc = include_str!("../../../doc/udp.rs")]
    /// use tcp_io::cell::{Interest, Readiness};
    ///
    /// let (ready, _) = server.readiness_seen();
    /// assert_eq!(ready, Readiness::WRITABLE);
    /// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
    /// let (ready, seen) = server.readiness_seen();
    /// assert_eq!(ready, Readiness::READABLE | Readiness::WRITABLE);
    /// server.spend(Interest::READABLE, seen);
    /// assert_eq!(server.readiness_seen().0, Readiness::WRITABLE);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn readiness_seen(&self) -> (Readiness, u16) {
        let i = self.lock();
        (i.readiness(), i.hints.seen())
    }

    /// A task could do nothing with the readiness that it saw at `seen`: it waits for the next
    /// event.
    ///
    /// ```
    #[doc = include_str!("../../../doc/udp.rs")]
    /// use tcp_io::cell::{Interest, Readiness};
    ///
    /// stack.udp_send(now, client.id(), "1", Some(server.local()))?;
    /// let (_, seen) = server.readiness_seen();
    /// stack.udp_send(now, client.id(), "2", Some(server.local()))?;
    /// // The second one came in between: nothing is spent.
    /// server.spend(Interest::READABLE, seen);
    /// assert!(server.readiness_seen().0.intersects(Readiness::READABLE));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spend(&self, interest: Interest, seen: u16) {
        self.lock().hints.spend(interest, seen);
    }

    /// Polls for readiness on behalf of a `poll_*` function: one task per direction is kept, the
    /// last. `interest` is reading, writing or both; what else there is to wait for has
    /// [`poll_wait`](Self::poll_wait), and is never ready here.
    ///
    /// ```
    #[doc = include_str!("../../../doc/udp.rs")]
    #[doc = include_str!("../../../doc/task.rs")]
    /// use tcp_io::cell::{Interest, Readiness};
    ///
    /// assert!(server.poll_ready(cx, Interest::READABLE).is_pending());
    /// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
    /// assert_eq!(task.wakes(), 1);
    /// assert_eq!(server.poll_ready(cx, Interest::READABLE), Poll::Ready(Readiness::READABLE));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<Readiness> {
        let mut i = self.lock();
        let ready = i.readiness();
        i.waiters.poll_slot(cx, ready, interest)
    }

    /// Registers one of any number of waiting tasks, or renews its waker; `None` as key starts.
    ///
    /// ```
    #[doc = include_str!("../../../doc/udp.rs")]
    #[doc = include_str!("../../../doc/task.rs")]
    /// use tcp_io::cell::Interest;
    ///
    /// let (mut one, mut another) = (None, None);
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut one).is_pending());
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut another).is_pending());
    /// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
    /// assert_eq!(task.wakes(), 2); // each place in the list
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut one).is_ready());
    /// assert_eq!(one, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_wait(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        key: &mut Option<WaiterKey>,
    ) -> Poll<Readiness> {
        let mut i = self.lock();
        let ready = i.readiness();
        i.waiters.poll_listed(cx, ready, interest, key)
    }

    /// A waiting task gives up.
    ///
    /// ```
    #[doc = include_str!("../../../doc/udp.rs")]
    #[doc = include_str!("../../../doc/task.rs")]
    /// use tcp_io::cell::Interest;
    ///
    /// let mut key = None;
    /// assert!(server.poll_wait(cx, Interest::READABLE, &mut key).is_pending());
    /// server.cancel_wait(key.unwrap());
    /// stack.udp_send(now, client.id(), "question", Some(server.local()))?;
    /// assert_eq!(task.wakes(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel_wait(&self, key: WaiterKey) {
        self.lock().waiters.remove(key);
    }
}

impl Inner {
    fn readiness(&self) -> Readiness {
        let mut r = Readiness::EMPTY;
        let mut add = |is: bool, what: Readiness| {
            if is {
                r = r | what;
            }
        };
        add(!self.received.is_empty() || !self.open, Readiness::READABLE);
        add(!self.blocked || !self.open, Readiness::WRITABLE);
        add(self.error.is_some() || !self.open, Readiness::ERROR);
        add(!self.open, Readiness::READ_CLOSED | Readiness::WRITE_CLOSED);
        self.hints.apply(r)
    }
}
