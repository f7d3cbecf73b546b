//! What of TIME-WAIT records is there, and when do they go? Their table, timers and bound
//! (RFC 9293 3.6.1, 3.10.8).

use tcp_core::Instant;
use tcp_core::time_wait::TimeWait;

use super::Stack;
use super::tables::{Owner, TimeWaitEntry, Token};

impl Stack {
    /// MUST-13: the quiet time runs in a record of its own.
    pub(super) fn insert_time_wait(&mut self, now: Instant, record: TimeWait) {
        if self.time_wait.slots.len() >= self.config.max_time_wait {
            self.counters.time_wait_overflow += 1;
            return;
        }
        let slot = self.time_wait.slots.vacant_key() as u32;
        let at = record.expires.max(now);
        let timer = self.wheel.insert(at, Token::TimeWait(slot));
        self.demux.insert(&record.tuple, Owner::TimeWait(slot));
        self.ports.hold_connection(record.tuple.local.port);
        self.time_wait.slots.insert(TimeWaitEntry { record, timer });
    }

    pub(super) fn time_wait_timeout(&mut self, now: Instant, slot: u32) {
        let Some(e) = self.time_wait.slots.get_mut(slot as usize) else { return };
        if e.record.expires > now {
            e.timer = self.wheel.insert(e.record.expires, Token::TimeWait(slot));
            return;
        }
        self.remove_time_wait(slot);
    }

    pub(super) fn remove_time_wait(&mut self, slot: u32) {
        let Some(e) = self.time_wait.slots.try_remove(slot as usize) else { return };
        self.wheel.cancel(e.timer);
        self.demux.remove(&e.record.tuple, Owner::TimeWait(slot));
        self.ports.release_connection(e.record.tuple.local.port);
        if self.time_wait.slots.is_empty() && self.time_wait.slots.capacity() > 1024 {
            self.time_wait.slots = slab::Slab::new();
        }
    }
}
