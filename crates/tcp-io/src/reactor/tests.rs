//! What happens between two steps of the reactor's handle?

use std::cell::RefCell;
use std::time::Duration;

use tcp_core::Instant;

use super::{Handle, Phase, Reactor};
use crate::device::{Capabilities, memory_pair};
use crate::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};

type Act = Box<dyn FnOnce()>;

std::thread_local! {
    static BEFORE_LOCK: RefCell<Option<Act>> = const { RefCell::new(None) };
}

/// Called when a task of a test is about to take the stack's lock.
pub(super) fn before_lock() {
    // Taken out first: what it does may take the lock too.
    let act = BEFORE_LOCK.with_borrow_mut(Option::take);
    if let Some(act) = act {
        act();
    }
}

/// Lets `act` come between a call and the lock that it takes.
fn overtake(act: impl FnOnce() + 'static) {
    BEFORE_LOCK.set(Some(Box::new(act)));
}

fn handle() -> (Reactor<crate::device::MemoryDevice>, Handle) {
    let config =
        StackConfig { addresses: vec!["10.0.0.1/24".parse().unwrap()], ..StackConfig::default() };
    let stack = Stack::new(Instant::ZERO, config, [1; 32]);
    let (device, _other) = memory_pair(Capabilities::plain(1500));
    Reactor::new(stack, device, Duration::ZERO)
}

#[tokio::test]
async fn a_shutdown_between_call_and_lock_lets_nothing_be_opened() {
    let (_reactor, h) = handle();
    let ends = h.clone();
    overtake(move || ends.begin_shutdown());
    let opened = h.open(|stack, now| {
        let listener = stack.listen("10.0.0.1:80".parse().unwrap(), ListenOptions::default());
        let remote = "10.0.0.2:80".parse().unwrap();
        (listener.is_ok(), stack.connect(now, remote, ConnectOptions::default()).is_ok())
    });
    assert_eq!(opened, None);
    assert_eq!(h.inspect(Stack::connection_count), 0);
    assert!(h.inspect(|s| s.connections().is_empty()));
}

#[tokio::test]
async fn a_stack_that_ended_between_call_and_lock_lets_nothing_be_opened() {
    let (reactor, h) = handle();
    overtake(move || drop(reactor));
    let remote = "10.0.0.2:80".parse().unwrap();
    let opened = h.open(|stack, now| stack.connect(now, remote, ConnectOptions::default()));
    assert_eq!((opened, h.phase()), (None, Phase::Ended));
    assert_eq!(h.inspect(Stack::connection_count), 0);
}

#[tokio::test]
async fn a_running_stack_opens() {
    let (_reactor, h) = handle();
    let remote = "10.0.0.2:80".parse().unwrap();
    let opened = h.open(|stack, now| stack.connect(now, remote, ConnectOptions::default()));
    assert!(opened.is_some_and(|r| r.is_ok()));
}
