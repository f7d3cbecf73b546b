//! Memory is short: who gives some back, and who gets it? The stack's part in the budget: one
//! account for all connections, a sweep that collects what they can spare, and writers that wait
//! in line (Linux: `tcp_mem`). The rules of one connection are `tcp_core::memory`'s.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tcp_core::Instant;
use tcp_core::connection::Connection;
use tcp_core::memory::{Level, Memory, MemoryInfo, MemoryLimits};

use super::Stack;
use super::tables::Token;
use crate::cell::ConnId;

/// Connections that are asked to give back, or offered memory, in one go: a bound for how long one
/// drain takes.
const BATCH: usize = 64;

/// How long after a sweep over all connections the next one begins.
const PAUSE: Duration = Duration::from_millis(100);

/// The account, and who waits for it.
#[derive(Debug)]
pub(super) struct Budget {
    account: Arc<Memory>,
    /// Connections with a writer that found no memory, each once, in the order in which they came.
    waiting: VecDeque<ConnId>,
    /// The slot from which the sweep goes on, while one is under way.
    sweep: Option<usize>,
    /// No sweep begins before.
    rest_until: Instant,
    /// The timer that goes on with it is set.
    armed: bool,
}

impl Budget {
    pub(super) fn new(limits: MemoryLimits) -> Budget {
        Budget {
            account: Memory::new(limits),
            waiting: VecDeque::new(),
            sweep: None,
            rest_until: Instant::ZERO,
            armed: false,
        }
    }

    /// From now on the connection is charged to the account.
    pub(super) fn admit(&self, conn: &mut Connection) {
        conn.join_memory(&self.account);
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl Stack {
    /// How much memory the buffers of all connections hold, and how short it is.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// assert_eq!(a.memory().charged, 0);
    /// a.write(now, client, &[7; 1000])?;
    /// assert!(a.memory().charged >= 1000);
    /// assert_eq!((a.memory().holders, a.memory().level), (1, tcp_core::memory::Level::Low));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn memory(&self) -> MemoryInfo {
        self.budget.account.info()
    }

    /// A writer found no memory: it waits in line.
    pub(super) fn await_memory(&mut self, now: Instant, id: ConnId) {
        if let Some(e) = self.connections.entry(id)
            && !std::mem::replace(&mut e.awaits_memory, true)
        {
            self.budget.waiting.push_back(id);
            self.budget.account.set_awaited(true);
            self.arm_budget(now);
            self.forget_the_gone();
        }
    }

    /// Connections may end while nobody is served: the line never grows beyond those that live.
    fn forget_the_gone(&mut self) {
        if self.budget.waiting.len() > 2 * self.connections.len() + BATCH {
            self.budget.waiting.retain(|id| self.connections.cell(*id).is_some());
        }
    }

    /// Goes on with the sweep and serves the line, a batch of each. Returns whether a connection
    /// has to be looked at now.
    #[inline]
    pub(super) fn balance(&mut self, now: Instant) -> bool {
        let level = self.budget.account.level();
        if level == Level::Low && self.budget.waiting.is_empty() {
            return false;
        }
        self.balance_batch(now, level)
    }

    #[cold]
    fn balance_batch(&mut self, now: Instant, level: Level) -> bool {
        if level != Level::Low {
            self.sweep(now);
        }
        let woken = self.serve_line();
        if self.budget.account.level() != Level::Low || !self.budget.waiting.is_empty() {
            self.arm_budget(now);
        }
        woken
    }

    fn sweep(&mut self, now: Instant) {
        if self.budget.sweep.is_none() && now < self.budget.rest_until {
            return;
        }
        let from = self.budget.sweep.unwrap_or(0);
        for e in (from..from + BATCH).filter_map(|place| self.connections.at(place)) {
            e.cell.service_quietly(|c| {
                c.relieve();
            });
        }
        let next = from + BATCH;
        if next < self.connections.places() {
            self.budget.sweep = Some(next);
        } else {
            self.budget.sweep = None;
            self.budget.rest_until = now + PAUSE;
        }
    }

    /// Offers memory to those who have waited longest; who gets none goes to the end of the line.
    fn serve_line(&mut self) -> bool {
        let mut woken = false;
        for _ in 0..self.budget.waiting.len().min(BATCH) {
            if self.budget.account.level() == Level::High {
                break;
            }
            let Some(id) = self.budget.waiting.pop_front() else { break };
            let Some(e) = self.connections.entry(id) else { continue };
            // Its writer is woken by the turn that follows.
            if e.cell.service_quietly(Connection::offer_memory) {
                self.budget.waiting.push_back(id);
            } else {
                e.awaits_memory = false;
                self.activate(id);
                woken = true;
            }
        }
        self.budget.account.set_awaited(!self.budget.waiting.is_empty());
        woken
    }

    /// Memory may come free without a packet: a reader or the end of a connection frees it too.
    fn arm_budget(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.budget.armed, true) {
            let at = if self.budget.sweep.is_some() { now } else { now + PAUSE };
            self.wheel.insert(at, Token::Memory);
        }
    }

    pub(super) fn budget_timeout(&mut self, now: Instant) {
        self.budget.armed = false;
        self.balance(now);
    }
}
