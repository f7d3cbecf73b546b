//! What of half-open and TIME-WAIT records is there, and when do they go? Their tables, timers
//! and bounds (RFC 9293 3.6.1, 3.10.8).

use tcp_core::Instant;
use tcp_core::time_wait::TimeWait;

use super::tables::{HalfOpenEntry, Owner, TimeWaitEntry, Token};
use super::{Stack, ip};
use crate::cell::RequestEnd;

impl Stack {
    pub(super) fn half_open_timeout(&mut self, now: Instant, slot: u32) {
        let tcp = self.tcp.clone();
        let Some(e) = self.half_open.slots.get_mut(slot as usize) else { return };
        if !e.record.on_timeout(now, &tcp) {
            self.counters.half_open_timeouts += 1;
            self.remove_half_open(slot, RequestEnd::Unanswered);
            return;
        }
        let (tuple, s, o) = (e.record.tuple, e.record.syn_ack(now, &tcp), e.ip);
        e.timer = self.wheel.insert(e.record.deadline(), Token::HalfOpen(slot));
        self.counters.syn_ack_retransmissions += 1;
        self.answer(ip::build_bare(&tuple, s, o));
    }

    /// `why` is what whoever has admitted it is told.
    pub(super) fn remove_half_open(&mut self, slot: u32, why: RequestEnd) {
        if let Some(e) = self.take_half_open(slot) {
            self.demux.remove(&e.record.tuple, Owner::HalfOpen(slot));
            if let Some(a) = e.admitted {
                a.cell.end(why);
            }
        }
    }

    /// Takes a record out of every table but the demultiplexer, where its connection follows it.
    pub(super) fn take_half_open(&mut self, slot: u32) -> Option<HalfOpenEntry> {
        let e = self.half_open.slots.try_remove(slot as usize)?;
        self.wheel.cancel(e.timer);
        self.half_open.text -= e.record.early_len();
        self.listeners.half_open_gone(e.listener);
        if self.half_open.slots.is_empty() && self.half_open.slots.capacity() > 1024 {
            self.half_open.slots = slab::Slab::new();
        }
        Some(e)
    }

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
