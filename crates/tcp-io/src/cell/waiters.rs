//! Who waits for what? One slot for each `poll_*` direction (the last task wins) and a list of
//! any number of waiting tasks, each of which is woken.

use std::ops::{BitAnd, BitOr};
use std::task::{Context, Poll, Waker};

use slab::Slab;
use smallvec::SmallVec;

/// What can be done without waiting; a set.
///
/// ```
/// use tcp_io::cell::Readiness;
///
/// let ready = Readiness::READABLE | Readiness::WRITABLE;
/// assert!(ready.intersects(Readiness::READABLE));
/// assert!((ready & Readiness::CLOSED).is_empty());
/// // A closed direction is one of the things that no event ends.
/// assert!(Readiness::READ_CLOSED.intersects(Readiness::CLOSED));
/// assert_eq!(Readiness::default(), Readiness::EMPTY);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Readiness(u8);

impl Readiness {
    /// Nothing.
    pub const EMPTY: Readiness = Readiness(0);
    /// Text, the end or an error can be read.
    pub const READABLE: Readiness = Readiness(1);
    /// There is room to write, or writing fails at once.
    pub const WRITABLE: Readiness = Readiness(2);
    /// The peer has closed its direction.
    pub const READ_CLOSED: Readiness = Readiness(4);
    /// Both directions are closed, or the connection has ended.
    pub const WRITE_CLOSED: Readiness = Readiness(8);
    /// An error is pending.
    pub const ERROR: Readiness = Readiness(16);
    /// What no event ends: a direction is closed, or an error is pending.
    pub const CLOSED: Readiness = Readiness(4 | 8 | 16);
    /// Both directions are closed.
    pub const ENDED: Readiness = Readiness(32);
    /// There is urgent text ahead of what was read, though it may not have arrived yet.
    pub const PRIORITY: Readiness = Readiness(64);

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any of `other` is in the set.
    pub const fn intersects(self, other: Readiness) -> bool {
        self.0 & other.0 != 0
    }

    /// The set without `other`.
    pub(crate) const fn without(self, other: Readiness) -> Readiness {
        Readiness(self.0 & !other.0)
    }
}

impl BitOr for Readiness {
    type Output = Readiness;
    fn bitor(self, o: Readiness) -> Readiness {
        Readiness(self.0 | o.0)
    }
}

impl BitAnd for Readiness {
    type Output = Readiness;
    fn bitand(self, o: Readiness) -> Readiness {
        Readiness(self.0 & o.0)
    }
}

/// What a task waits for; a set of directions.
///
/// ```
/// use tcp_io::cell::{Interest, Readiness};
///
/// // Who waits to read hears of text, and of the end as well.
/// assert_eq!(Interest::READABLE.mask(), Readiness::READABLE | Readiness::READ_CLOSED);
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.mask().intersects(Readiness::WRITABLE));
/// assert!(!both.mask().intersects(Readiness::ERROR));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interest(u8);

impl Interest {
    /// Reading.
    pub const READABLE: Interest = Interest(1);
    /// Writing.
    pub const WRITABLE: Interest = Interest(2);
    /// An error.
    pub const ERROR: Interest = Interest(4);
    /// The end of both directions.
    pub const ENDED: Interest = Interest(8);
    /// Urgent text.
    pub const PRIORITY: Interest = Interest(16);

    /// The readiness that satisfies the interest.
    pub const fn mask(self) -> Readiness {
        let mut m = 0;
        if self.0 & 1 != 0 {
            m |= Readiness::READABLE.0 | Readiness::READ_CLOSED.0;
        }
        if self.0 & 2 != 0 {
            m |= Readiness::WRITABLE.0 | Readiness::WRITE_CLOSED.0;
        }
        if self.0 & 4 != 0 {
            m |= Readiness::ERROR.0;
        }
        if self.0 & 8 != 0 {
            m |= Readiness::ENDED.0;
        }
        if self.0 & 16 != 0 {
            m |= Readiness::PRIORITY.0 | Readiness::READ_CLOSED.0;
        }
        Readiness(m)
    }
}

impl BitOr for Interest {
    type Output = Interest;
    fn bitor(self, o: Interest) -> Interest {
        Interest(self.0 | o.0)
    }
}

/// A place in the list of waiting tasks.
///
/// A future keeps it between two polls, and gives the place back when it is dropped:
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
#[doc = include_str!("../../doc/task.rs")]
/// use std::pin::{Pin, pin};
/// use tcp_io::cell::{ConnCell, Interest, WaiterKey};
///
/// struct Readable<'a>(&'a ConnCell, Option<WaiterKey>);
///
/// impl Future for Readable<'_> {
///     type Output = ();
///     fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
///         let Readable(cell, key) = &mut *self;
///         cell.poll_wait(cx, Interest::READABLE, key).map(|_| ())
///     }
/// }
///
/// impl Drop for Readable<'_> {
///     fn drop(&mut self) {
///         self.1.take().into_iter().for_each(|key| self.0.cancel_wait(key));
///     }
/// }
///
/// let mut readable = pin!(Readable(&server, None));
/// assert!(readable.as_mut().poll(cx).is_pending());
/// client.write(now, b"hello")?;
/// stack.settle(now);
/// assert_eq!(task.wakes(), 1);
/// assert!(readable.as_mut().poll(cx).is_ready());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaiterKey(usize);

/// A task in the list; its waker is taken when it is woken.
type Listed = (Interest, Option<Waker>);

#[derive(Debug, Default)]
pub(crate) struct Waiters {
    read: Option<Waker>,
    write: Option<Waker>,
    /// None while nobody is listed: most connections have no such task.
    list: Option<Box<Slab<Listed>>>,
}

/// Wakers picked under the lock, to be woken after it.
#[derive(Default)]
pub(crate) struct WakeList(SmallVec<[Waker; 4]>);

impl WakeList {
    pub(crate) fn push(&mut self, w: Waker) {
        self.0.push(w);
    }

    pub(crate) fn extend(&mut self, w: Option<Waker>) {
        self.0.extend(w);
    }

    pub(crate) fn wake_all(self) {
        for w in self.0 {
            w.wake();
        }
    }
}

impl Waiters {
    /// What `interest` asks for, if it is `ready`; else the task takes the slot of each direction.
    pub(crate) fn poll_slot(
        &mut self,
        cx: &mut Context<'_>,
        ready: Readiness,
        interest: Interest,
    ) -> Poll<Readiness> {
        let ready = ready & interest.mask();
        if ready.is_empty() {
            self.set_slot(interest, cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(ready)
    }

    /// What `interest` asks for, if it is `ready`: the task leaves the list. Else it is in the list.
    pub(crate) fn poll_listed(
        &mut self,
        cx: &mut Context<'_>,
        ready: Readiness,
        interest: Interest,
        key: &mut Option<WaiterKey>,
    ) -> Poll<Readiness> {
        let ready = ready & interest.mask();
        if ready.is_empty() {
            self.register(interest, cx.waker(), key);
            return Poll::Pending;
        }
        if let Some(k) = key.take() {
            self.remove(k);
        }
        Poll::Ready(ready)
    }

    /// Reading and writing have a slot each; a task that waits for both is in both.
    pub(crate) fn set_slot(&mut self, interest: Interest, waker: &Waker) {
        let concerned = interest.mask();
        if concerned.intersects(Readiness::READABLE) {
            store(&mut self.read, waker);
        }
        if concerned.intersects(Readiness::WRITABLE) {
            store(&mut self.write, waker);
        }
    }

    pub(crate) fn register(
        &mut self,
        interest: Interest,
        waker: &Waker,
        key: &mut Option<WaiterKey>,
    ) {
        let list = self.list.get_or_insert_default();
        match key.and_then(|k| list.get_mut(k.0)) {
            Some((_, slot)) => store(slot, waker),
            None => *key = Some(WaiterKey(list.insert((interest, Some(waker.clone()))))),
        }
    }

    pub(crate) fn remove(&mut self, key: WaiterKey) {
        let Some(list) = &mut self.list else { return };
        list.try_remove(key.0);
        if list.is_empty() {
            self.list = None;
        }
    }

    /// Takes the wakers of those whom `concerned` interests. A listed task keeps its place until
    /// it is polled again.
    pub(crate) fn pick(&mut self, concerned: Readiness, wake: &mut WakeList) {
        if concerned.intersects(Readiness::READABLE) {
            wake.extend(self.read.take());
        }
        if concerned.intersects(Readiness::WRITABLE) {
            wake.extend(self.write.take());
        }
        for (_, (interest, slot)) in self.list.iter_mut().flat_map(|l| l.iter_mut()) {
            if concerned.intersects(interest.mask()) {
                wake.extend(slot.take());
            }
        }
    }
}

fn store(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(w) if w.will_wake(waker) => {}
        _ => *slot = Some(waker.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::task::{ArcWake, waker};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl ArcWake for Count {
        fn wake_by_ref(this: &Arc<Self>) {
            this.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counter() -> (Arc<Count>, Waker) {
        let c = Arc::new(Count::default());
        (c.clone(), waker(c))
    }

    fn wake(w: &mut Waiters, r: Readiness) {
        let mut list = WakeList::default();
        w.pick(r, &mut list);
        list.wake_all();
    }

    #[test]
    fn every_listed_task_is_woken_and_the_slot_keeps_the_last() {
        let mut w = Waiters::default();
        let (slot1, k1) = counter();
        let (slot2, k2) = counter();
        w.set_slot(Interest::READABLE, &k1);
        w.set_slot(Interest::READABLE, &k2);
        let (a, ka) = counter();
        let (b, kb) = counter();
        let (mut pa, mut pb) = (None, None);
        w.register(Interest::READABLE, &ka, &mut pa);
        w.register(Interest::WRITABLE | Interest::READABLE, &kb, &mut pb);
        wake(&mut w, Readiness::WRITABLE);
        wake(&mut w, Readiness::READABLE);
        let n = |c: &Arc<Count>| c.0.load(Ordering::SeqCst);
        assert_eq!((n(&slot1), n(&slot2), n(&a), n(&b)), (0, 1, 1, 1));
    }

    #[test]
    fn who_polls_for_several_things_hears_of_each() {
        let text = Interest::READABLE | Interest::PRIORITY;
        let both = Interest::READABLE | Interest::WRITABLE;
        for (interest, event) in
            [(text, Readiness::READABLE), (both, Readiness::READABLE), (both, Readiness::WRITABLE)]
        {
            let mut w = Waiters::default();
            let (task, waker) = counter();
            w.set_slot(interest, &waker);
            wake(&mut w, event);
            assert_eq!(task.0.load(Ordering::SeqCst), 1, "{interest:?}, {event:?}");
        }
    }

    #[test]
    fn a_task_that_gave_up_is_not_woken() {
        let mut w = Waiters::default();
        let (a, ka) = counter();
        let mut key = None;
        w.register(Interest::READABLE, &ka, &mut key);
        w.remove(key.unwrap());
        wake(&mut w, Readiness::READABLE);
        assert_eq!(a.0.load(Ordering::SeqCst), 0);
    }
}
