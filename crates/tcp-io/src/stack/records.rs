//! Which half-open records are there, and when do they go? Their timers and bounds (RFC 9293
//! 3.10.8). TIME-WAIT is in `time_wait`.

use tcp_core::Instant;
use tcp_core::listen::HalfOpen;

use super::Stack;
use super::tables::{Owner, Token};

impl Stack {
    pub(super) fn half_open_timeout(&mut self, now: Instant, slot: u32) {
        let tcp = self.tcp.clone();
        let Some(e) = self.half_open.slots.get_mut(slot as usize) else { return };
        if !e.record.on_timeout(now, &tcp) {
            self.counters.half_open_timeouts += 1;
            self.remove_half_open(slot);
            return;
        }
        let (tuple, s) = (e.record.tuple, e.record.syn_ack(now, &tcp));
        e.timer = self.wheel.insert(e.record.deadline(), Token::HalfOpen(slot));
        self.counters.syn_ack_retransmissions += 1;
        self.answer_bare(&tuple, s);
    }

    pub(super) fn remove_half_open(&mut self, slot: u32) {
        if let Some(record) = self.take_half_open(slot) {
            self.demux.remove(&record.tuple, Owner::HalfOpen(slot));
        }
    }

    /// Takes a record out of every table but the demultiplexer, where its connection follows it.
    pub(super) fn take_half_open(&mut self, slot: u32) -> Option<HalfOpen> {
        let e = self.half_open.slots.try_remove(slot as usize)?;
        self.wheel.cancel(e.timer);
        self.half_open.text -= e.record.early_len();
        self.listeners.half_open_gone(e.listener);
        if self.half_open.slots.is_empty() && self.half_open.slots.capacity() > 1024 {
            self.half_open.slots = slab::Slab::new();
        }
        Some(e.record)
    }
}
