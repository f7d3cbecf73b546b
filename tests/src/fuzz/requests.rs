//! What if an application decides about each SYN, and does so late, twice or never? One listener of
//! a fuzzed stack leaves its requests to calls in any order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use tcp_core::Instant;
use tcp_core::config::SocketOptions;
use tcp_io::ConnId;
use tcp_io::cell::RequestCell;
use tcp_io::stack::{ListenOptions, ListenerId, PendingOptions, Rejection, Stack, Unreachability};

/// Undecided requests at most.
const UNDECIDED: usize = 3;
/// Requests that the application keeps at most.
const HELD: usize = 8;

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Call {
    Take,
    Admit(u8, bool),
    Reject(u8, u8),
    Fetch(u8),
    Abandon(u8),
    Drop(u8),
    /// The listener goes, or another comes.
    Toggle,
}

/// The listener and what the application holds of its requests.
pub(crate) struct Desk {
    at: SocketAddr,
    listener: Option<ListenerId>,
    held: Vec<Arc<RequestCell>>,
}

impl Desk {
    pub(crate) fn new(stack: &mut Stack, at: SocketAddr) -> Desk {
        let mut desk = Desk { at, listener: None, held: Vec::new() };
        desk.toggle(stack);
        desk
    }

    fn toggle(&mut self, stack: &mut Stack) {
        if let Some(id) = self.listener.take() {
            stack.close_listener(id);
            return;
        }
        let pending = PendingOptions {
            max_undecided: UNDECIDED,
            timeout: Duration::from_secs(2),
            on_timeout: Rejection::Ignore,
        };
        let options = ListenOptions { pending: Some(pending), ..ListenOptions::default() };
        self.listener = stack.listen(self.at, options).ok();
    }

    /// Makes a call; returns a connection that it hands out.
    pub(crate) fn call(&mut self, now: Instant, stack: &mut Stack, call: Call) -> Option<ConnId> {
        match call {
            Call::Take => {
                let taken = self.listener.and_then(|id| stack.take_request(id).ok().flatten());
                self.held.extend(taken.filter(|_| self.held.len() < HELD));
            }
            Call::Admit(n, other) => {
                let request = self.nth(n)?;
                let was = request.is_undecided();
                let nodelay = SocketOptions { nodelay: true, ..SocketOptions::default() };
                let admitted = stack.admit(now, request, other.then_some(nodelay));
                assert!(admitted.is_err() || was, "decided twice");
            }
            Call::Reject(n, how) => {
                let request = self.nth(n)?;
                let was = request.is_undecided();
                let rejected = stack.reject(now, request, rejection(how));
                assert!(rejected.is_err() || was, "decided twice");
            }
            Call::Fetch(n) => {
                let request = self.nth(n)?;
                match request.take_established() {
                    Ok(Some(conn)) => return Some(conn.id()),
                    Ok(None) => assert!(!request.is_over()),
                    Err(_) => assert!(request.is_over()),
                }
            }
            Call::Abandon(n) => stack.abandon(now, self.nth(n)?),
            // As the application's own handle does when it is dropped.
            Call::Drop(n) if !self.held.is_empty() => {
                let request = self.held.swap_remove(usize::from(n) % self.held.len());
                stack.abandon(now, &request);
            }
            Call::Drop(_) => {}
            Call::Toggle => self.toggle(stack),
        }
        None
    }

    fn nth(&self, n: u8) -> Option<&Arc<RequestCell>> {
        self.held.get(usize::from(n) % self.held.len().max(1))
    }

    pub(crate) fn check(&self, stack: &Stack) {
        assert!(stack.request_count() <= UNDECIDED, "{}", stack.request_count());
        if self.listener.is_none() {
            let open = self.held.iter().filter(|r| r.is_undecided()).count();
            assert_eq!((open, stack.request_count()), (0, 0), "undecided without a listener");
        }
    }

    pub(crate) fn end(&mut self, now: Instant, stack: &mut Stack) {
        if self.listener.is_some() {
            self.toggle(stack);
        }
        for request in self.held.drain(..) {
            stack.abandon(now, &request);
        }
    }
}

fn rejection(n: u8) -> Rejection {
    match n % 4 {
        0 => Rejection::Reset,
        1 => Rejection::Ignore,
        2 => Rejection::Unreachable(Unreachability::Host),
        _ => Rejection::Unreachable(Unreachability::AdminProhibited),
    }
}
