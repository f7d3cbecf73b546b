//! What does a connection do when memory is short? Its buffers ask before they grow, its window
//! promises what it could hold, and it gives back what it can spare (RFC 9293 3.8.6; SHLD-14;
//! RFC 2018 8). The account itself, with its marks, is [`crate::memory`]'s.
//!
//! See docs/decisions/0018 for the rules and where they differ from Linux's.

use alloc::sync::Arc;

use super::{Connection, Events};
use crate::buffer::{ReceiveBuffer, SMALLEST};
use crate::memory::{GUARANTEED, Level, Memory};

/// Records of the scoreboard while memory is short: a peer that reports single octets gets no
/// finer picture than this.
const FEW_RECORDS: usize = 256;

impl Connection {
    /// From now on the buffers are charged to `memory`, and grow by its leave. Without this a
    /// connection is limited by its own buffer limits only.
    pub fn join_memory(&mut self, memory: &Arc<Memory>) {
        self.account.join(memory);
        self.settle_memory();
    }

    /// Octets of memory that buffers, the table of out-of-order ranges and the scoreboard hold.
    pub fn memory(&self) -> usize {
        self.rcv.buffer.memory() + self.sending_memory()
    }

    fn sending_memory(&self) -> usize {
        self.snd.buffer.memory() + self.recovery.memory()
    }

    /// Whether a writer found no memory, and waits for [`offer_memory`](Self::offer_memory).
    #[inline]
    pub fn awaits_memory(&self) -> bool {
        self.awaits_memory
    }

    /// Whether somebody else waits for memory, so that freeing some is worth telling the stack.
    #[inline]
    pub fn memory_is_awaited(&self) -> bool {
        self.account.is_awaited()
    }

    /// A task waits until it can write: notes if that is for want of memory. Returns whether it is.
    pub fn note_waiting_writer(&mut self) -> bool {
        self.awaits_memory |= self.has_room() && !self.may_grow();
        self.awaits_memory
    }

    /// Memory has come free: a waiting writer is told, if there is some for it. Returns whether it
    /// still waits.
    pub fn offer_memory(&mut self) -> bool {
        if self.awaits_memory && (!self.has_room() || self.may_grow()) {
            self.awaits_memory = false;
            self.notify(Events::WRITABLE);
        }
        self.awaits_memory
    }

    /// Memory is short: gives back what is kept for speed only and, if this connection holds more
    /// than its part or memory is full, the text past a gap. Returns how many octets came free.
    ///
    /// The pruned text may have been reported by SACK. RFC 2018 8 allows to renege, and asks the
    /// sender to send it again after a time-out; Linux prunes likewise.
    pub fn relieve(&mut self) -> usize {
        self.settle_memory();
        let (before, level) = (self.account.charged(), self.account.level());
        if level == Level::Low {
            return 0;
        }
        let greedy = self.account.is_over_share();
        let full = level == Level::High && self.rcv.buffer.capacity() > GUARANTEED;
        if self.rcv.buffer.out_of_order() > 0 && (greedy || full) {
            let pruned = self.rcv.buffer.prune();
            self.account.note_pruned(pruned);
        }
        self.rcv.buffer.shrink(self.rcv.nxt);
        self.snd.buffer.release_spare();
        self.recovery.release_memory();
        self.settle_memory();
        before.saturating_sub(self.account.charged())
    }

    /// Makes the charge what the buffers hold. Cheap, if nothing has changed.
    #[inline]
    pub(super) fn settle_memory(&mut self) {
        let held = self.memory();
        self.account.settle(held);
    }

    /// The part of `text`, `offset` octets past RCV.NXT, for which there is memory.
    #[inline]
    pub(super) fn affordable_text<'s>(&mut self, offset: u32, text: &'s [u8]) -> &'s [u8] {
        let buffer = &self.rcv.buffer;
        let end = buffer.readable() + offset as usize + text.len();
        let fits = end <= buffer.capacity();
        if fits && (offset == 0 || buffer.table_growth() == 0) {
            return text;
        }
        self.grow_for_text(offset, text, end)
    }

    #[cold]
    fn grow_for_text<'s>(&mut self, offset: u32, text: &'s [u8], end: usize) -> &'s [u8] {
        let capacity = self.rcv.buffer.capacity();
        if offset > 0 {
            let ring = ReceiveBuffer::ring_size(end).saturating_sub(capacity);
            let growth = ring + self.rcv.buffer.table_growth();
            return if self.account.take_all(growth) { text } else { &[] };
        }
        // A part of a segment in order is better than nothing: with a large MSS the whole of it
        // might never fit.
        let room = self.grow_ring(end, capacity) - self.rcv.buffer.readable();
        &text[..text.len().min(room)]
    }

    /// The size that the ring may have, at best one that holds `needed` octets.
    fn grow_ring(&mut self, needed: usize, capacity: usize) -> usize {
        let mut size = ReceiveBuffer::ring_size(needed);
        while size > capacity {
            let more = size - capacity;
            let granted = if size <= GUARANTEED {
                self.account.take(capacity, more) == more
            } else {
                self.account.take_all(more)
            };
            if granted {
                return size;
            }
            size /= 2;
        }
        capacity
    }

    /// Appends what there is memory for.
    pub(super) fn write_affordable(&mut self, data: &[u8]) -> usize {
        let (account, others) = (&mut self.account, self.recovery.memory());
        self.snd.buffer.write_granted(data, |held, wanted| account.take(held + others, wanted))
    }

    /// How many of `wanted` octets may be held by reference.
    pub(super) fn affordable_reference(&mut self, wanted: usize) -> usize {
        let held = self.sending_memory();
        self.account.take(held, wanted)
    }

    /// Whether a write of one octet finds memory.
    #[inline]
    pub(super) fn may_grow(&self) -> bool {
        self.snd.buffer.spare() > 0
            || self.sending_memory() + SMALLEST <= GUARANTEED
            || self.account.allowance() >= SMALLEST
    }

    /// Buffers are tuned up only while there is enough.
    #[inline]
    pub(super) fn may_tune(&self) -> bool {
        self.account.level() == Level::Low
    }

    /// Looks at how much the receive buffer may hold before the next window is offered: what it
    /// holds already, what it could get, and in any case the guaranteed part. The edge that was
    /// offered before stays (SHLD-14); text for which there is no memory is dropped, and comes
    /// again.
    #[inline]
    pub(super) fn look_at_memory(&mut self) {
        self.rcv.affordable = match self.account.level() {
            Level::Low => usize::MAX,
            _ => self.affordable_ring(),
        };
    }

    #[cold]
    fn affordable_ring(&self) -> usize {
        let capacity = self.rcv.buffer.capacity();
        let most = capacity.saturating_add(self.account.allowance());
        // Rings are powers of two.
        let size = if most.is_power_of_two() { most } else { most.next_power_of_two() / 2 };
        size.max(capacity).max(GUARANTEED)
    }

    /// A peer that reports single octets can't make the scoreboard grow while memory is short.
    #[inline]
    pub(super) fn limit_scoreboard(&mut self) {
        let few = self.account.level() != Level::Low;
        self.recovery.set_record_limit(few.then_some(FEW_RECORDS));
    }

    /// Linux resets an orphan with text to send when memory is full (`TCPAbortOnMemory`): nobody
    /// is left who could stop writing.
    pub(super) fn is_orphan_too_dear(&self) -> bool {
        let dear = self.account.level() == Level::High && self.sending_memory() > 2 * GUARANTEED;
        if dear {
            self.account.note_abort();
        }
        dear
    }
}
