//! How do tasks reach a running stack? The handle that they share: its lock, its clock, and where the
//! runtime stands. No RFC.

use std::sync::{Arc, PoisonError};
use std::task::Waker;

use tcp_core::Instant;

use super::clock::Clock;
use crate::cell::ReadyQueue;
use crate::stack::Stack;
use crate::sync::{AtomicU8, Mutex, MutexGuard, Ordering};

/// Where the runtime stands.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_io::device::{Capabilities, memory_pair};
/// use tcp_io::reactor::{Phase, Reactor};
/// use tcp_io::{Stack, StackConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let stack = Stack::new(Instant::ZERO, StackConfig::default(), [1; 32]);
/// let (device, _peer) = memory_pair(Capabilities::plain(1500));
/// let (reactor, handle) = Reactor::new(stack, device, std::time::Duration::ZERO);
/// assert_eq!(handle.phase(), Phase::Running);
/// handle.begin_shutdown();
/// assert_eq!(handle.phase(), Phase::Closing);
/// reactor.await?;
/// assert_eq!(handle.phase(), Phase::Ended);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Phase {
    /// It runs.
    Running = 0,
    /// It was told to end; connections are closing.
    Closing = 1,
    /// It has ended; nothing will be delivered any more.
    Ended = 2,
}

#[derive(Debug)]
struct Shared {
    stack: Mutex<Stack>,
    ready: Arc<ReadyQueue>,
    clock: Clock,
    phase: AtomicU8,
    device_name: Option<String>,
    ended: tokio::sync::Notify,
}

/// A running stack, as tasks see it; clones are the same stack.
///
/// ```
#[doc = include_str!("../../doc/two_reactors.rs")]
/// use std::future::poll_fn;
/// use tcp_io::cell::Interest;
///
/// // What tasks wait with is in the cells.
/// let listener = server.with_stack(|stack, _| {
///     let id = stack.listen(addr, ListenOptions::default())?;
///     Ok::<_, ListenError>(stack.listener_cell(id).expect("it is open"))
/// })?;
/// let connection = client.open(|stack, now| {
///     let id = stack.connect(now, addr, ConnectOptions::default())?;
///     Ok::<_, OpenError>(stack.connection_cell(id).expect("it is open"))
/// });
/// let connection = connection.expect("the stack runs")?;
/// let accepted = poll_fn(|cx| listener.poll_accept(cx)).await?;
///
/// connection.write(client.now(), b"hello")?; // the reactor sends it
/// poll_fn(|cx| accepted.poll_ready(cx, Interest::READABLE)).await;
/// assert_eq!(accepted.read(server.now(), &mut [0; 16])?, 5);
/// assert_eq!(client.inspect(|stack| stack.connection_count()), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Handle(Arc<Shared>);

impl Handle {
    pub(super) fn new(stack: Stack, clock: Clock, device_name: Option<String>) -> Handle {
        Handle(Arc::new(Shared {
            ready: stack.ready_queue().clone(),
            stack: Mutex::new(stack),
            clock,
            phase: AtomicU8::new(0),
            device_name,
            ended: tokio::sync::Notify::new(),
        }))
    }

    /// The reactor's task, which calls wake.
    pub(super) fn register(&self, waker: &Waker) {
        self.0.ready.register(waker);
    }

    /// When a sleep until `at` ends, on tokio's clock.
    pub(super) fn sleep_until(&self, at: Instant) -> tokio::time::Instant {
        self.0.clock.sleep_until(at)
    }

    /// The time on the stack's clock.
    ///
    /// ```
    #[doc = include_str!("../../doc/two_reactors.rs")]
    /// let before = client.now();
    /// let opened = client.open(|stack, now| (now, stack.connect(now, addr, ConnectOptions::default())));
    /// let (at, _) = opened.expect("the stack runs");
    /// assert!(before <= at && at <= client.now()); // one clock for the caller and the stack
    /// # Ok(())
    /// # }
    /// ```
    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Stack> {
        #[cfg(test)]
        super::tests::before_lock();
        self.0.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts on the stack, then lets the reactor look at what came of it.
    ///
    /// ```
    #[doc = include_str!("../../doc/two_reactors.rs")]
    /// use tcp_core::connection::State;
    ///
    /// let id = client.with_stack(|stack, now| stack.connect(now, addr, ConnectOptions::default()))?;
    /// assert_eq!(client.inspect(|stack| stack.state(id)), State::SynSent); // the reactor has not run
    /// client.with_stack(|stack, _| stack.abort(id));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_stack<R>(&self, act: impl FnOnce(&mut Stack, Instant) -> R) -> R {
        let now = self.now();
        let result = act(&mut self.lock(), now);
        self.0.ready.wake();
        result
    }

    /// Opens something on the stack, or returns `None` if the stack is told to end. That is asked
    /// under the lock under which it ends: nothing is opened that nobody would end.
    ///
    /// ```
    #[doc = include_str!("../../doc/two_reactors.rs")]
    /// let open = || client.open(|stack, now| stack.connect(now, addr, ConnectOptions::default()));
    /// assert!(open().is_some_and(|opened| opened.is_ok()));
    /// client.begin_shutdown();
    /// assert!(open().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn open<R>(&self, act: impl FnOnce(&mut Stack, Instant) -> R) -> Option<R> {
        self.with_stack(|stack, now| {
            let running = self.phase() == Phase::Running;
            running.then(|| act(stack, now))
        })
    }

    /// Looks at the stack.
    ///
    /// ```
    #[doc = include_str!("../../doc/two_reactors.rs")]
    /// assert_eq!(client.inspect(|stack| stack.config().mtu), 1500);
    /// assert_eq!(client.inspect(|stack| stack.counters().packets_out), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn inspect<R>(&self, look: impl FnOnce(&Stack) -> R) -> R {
        look(&self.lock())
    }

    /// Where the runtime stands.
    ///
    /// ```
    #[doc = include_str!("../../doc/two_reactors.rs")]
    /// use tcp_io::reactor::Phase;
    ///
    /// assert_eq!(client.phase(), Phase::Running);
    /// client.begin_shutdown();
    /// assert_eq!(client.phase(), Phase::Closing);
    /// client.ended().await;
    /// assert_eq!(client.phase(), Phase::Ended);
    /// # Ok(())
    /// # }
    /// ```
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Closing,
            _ => Phase::Ended,
        }
    }

    /// The device's name, if it has one.
    ///
    /// ```
    #[doc = include_str!("../../doc/two_reactors.rs")]
    /// assert_eq!(client.device_name(), None); // it would be "tun0" for a TUN interface
    /// # Ok(())
    /// # }
    /// ```
    pub fn device_name(&self) -> Option<&str> {
        self.0.device_name.as_deref()
    }

    /// Tells the reactor to end: listeners close, connections close in order, and what is not
    /// closed after the reactor's grace time is reset.
    ///
    /// ```
    #[doc = include_str!("../../doc/two_reactors.rs")]
    /// use tcp_io::reactor::Phase;
    ///
    /// server.with_stack(|stack, _| stack.listen(addr, ListenOptions::default()))?;
    /// server.begin_shutdown();
    /// assert_eq!(server.phase(), Phase::Closing);
    /// server.ended().await;
    /// assert_eq!(server.phase(), Phase::Ended);
    /// assert!(server.inspect(|stack| stack.connections().is_empty())); // no listener either
    /// # Ok(())
    /// # }
    /// ```
    pub fn begin_shutdown(&self) {
        let swap = self.0.phase.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
        if swap.is_ok() {
            self.0.ready.wake();
        }
    }

    /// Waits until the reactor has ended.
    ///
    /// ```
    #[doc = include_str!("../../doc/two_reactors.rs")]
    /// let id = server.with_stack(|stack, _| stack.listen(addr, ListenOptions::default()))?;
    /// let listener = server.inspect(|stack| stack.listener_cell(id)).expect("it is open");
    /// server.begin_shutdown();
    /// server.ended().await;
    /// assert!(listener.try_accept().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ended(&self) {
        let mut wait = std::pin::pin!(self.0.ended.notified());
        wait.as_mut().enable();
        while self.phase() != Phase::Ended {
            wait.as_mut().await;
            wait.set(self.0.ended.notified());
            wait.as_mut().enable();
        }
    }

    /// Nothing will be delivered any more: everything ends, and who waits learns it.
    pub(super) fn end(&self) {
        let mut stack = self.lock();
        let now = self.now();
        stack.close_all(now);
        stack.abort_all();
        // A last drain wakes everybody who waits.
        stack.transmit(now, &mut |_| true);
        // Under the lock: whoever sees another phase there opens nothing that nobody would end.
        self.0.phase.store(2, Ordering::Release);
        drop(stack);
        // Handles may live on; the task's memory need not.
        self.0.ready.unregister();
        self.0.ended.notify_waiters();
    }
}
