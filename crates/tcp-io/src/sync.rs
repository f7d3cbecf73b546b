//! Which locks and atomics stand between tasks and the stack? Those of the standard library, or,
//! with `--cfg tcp_loom`, those of loom, which tries every order in which threads can meet
//! (docs/decisions/0028). Reference counts and tokio's own types stay outside.

#[cfg(not(tcp_loom))]
mod imp {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};

    pub(crate) use futures::task::AtomicWaker;
}

#[cfg(tcp_loom)]
mod imp {
    use std::task::Waker;

    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    /// What `AtomicWaker` promises, made of what loom knows: of a registration and a wake-up that
    /// meet, one comes first.
    #[derive(Debug, Default)]
    pub(crate) struct AtomicWaker(Mutex<Option<Waker>>);

    impl AtomicWaker {
        pub(crate) fn register(&self, waker: &Waker) {
            let before = self.0.lock().expect("nothing panics under it").replace(waker.clone());
            drop(before);
        }

        pub(crate) fn wake(&self) {
            self.take().into_iter().for_each(Waker::wake);
        }

        pub(crate) fn take(&self) -> Option<Waker> {
            self.0.lock().expect("nothing panics under it").take()
        }
    }
}

pub(crate) use imp::{AtomicBool, AtomicU8, AtomicWaker, Mutex, MutexGuard, Ordering};
