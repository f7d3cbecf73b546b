//! What does a connection do when memory is short? Its buffers ask before they grow, its window
//! promises what it could hold, and it gives back what it can spare (RFC 9293 3.8.6; SHLD-14;
//! RFC 2018 8). The account itself, with its marks, is [`crate::memory`]'s.
//!
//! See docs/decisions/0018 for the rules and where they differ from Linux's.

use alloc::sync::Arc;
use core::time::Duration;

use super::{Connection, Events, State, Timer};
use crate::Instant;
use crate::buffer::{Payload, ReceiveBuffer};
use crate::memory::{FOR_RECORDS, Level, Memory};

/// Records of the scoreboard while memory is short: a peer that reports single octets gets no
/// finer picture than this.
const FEW_RECORDS: usize = 256;

/// Records that one packet may need: its own, and two cuts of what was sent before.
const RECORDS_OF_A_PACKET: usize = 3;

/// How long nothing must be sent or arrive before spare memory is given back.
const QUIET: Duration = Duration::from_secs(1);

/// Chunks that text by reference needs: one for what was written before it, and its own.
const CHUNKS_OF_A_REFERENCE: usize = 2;

impl Connection {
    /// From now on the buffers are charged to `memory`, and grow by its leave. Without this a
    /// connection is limited by its own buffer limits only.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let memory = Memory::new(MemoryLimits::at_most(1 << 20));
    /// client.join_memory(&memory);
    /// server.join_memory(&memory);
    /// client.write(now, &[7; 10_000]).unwrap();
    /// assert_eq!(memory.info().holders, 2);
    /// assert_eq!(memory.info().charged, client.memory() + server.memory());
    ///
    /// drop(client);
    /// assert_eq!(memory.info().charged, server.memory());
    /// ```
    pub fn join_memory(&mut self, memory: &Arc<Memory>) {
        self.account.join(memory);
        self.settle_memory();
    }

    /// Octets of memory that buffers, the table of out-of-order ranges and the scoreboard hold.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, &[7; 10_000]).unwrap();
    /// assert!(client.memory() >= 10_000);
    ///
    /// // A second of quiet after the last of it was acknowledged, nothing is held.
    /// exchange(now, &mut client, &mut server);
    /// while let Some(deadline) = client.poll_timeout() {
    ///     client.on_timeout(deadline.at);
    /// }
    /// assert_eq!(client.memory(), 0);
    /// ```
    pub fn memory(&self) -> usize {
        self.rcv.buffer.memory() + self.sending_memory()
    }

    fn sending_memory(&self) -> usize {
        self.snd.buffer.memory() + self.recovery.memory()
    }

    /// Whether a writer found no memory, and waits for [`offer_memory`](Self::offer_memory).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let memory = Memory::new(MemoryLimits::at_most(32 << 10));
    /// client.join_memory(&memory);
    /// // 32 KiB are all that the stack has.
    /// let n = client.write(now, &[7; 100_000]).unwrap();
    /// assert!(n < 32 << 10);
    /// assert!(!client.awaits_memory());
    /// assert_eq!(client.write(now, &[7; 1]), Err(UserError::WouldBlock));
    /// assert!(client.awaits_memory());
    /// ```
    #[inline]
    pub fn awaits_memory(&self) -> bool {
        self.awaits_memory
    }

    /// Whether somebody else waits for memory, so that freeing some is worth telling the stack.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let memory = Memory::new(MemoryLimits::at_most(32 << 10));
    /// client.join_memory(&memory);
    /// assert!(!client.memory_is_awaited());
    /// memory.set_awaited(true); // by a stack that has found a writer waiting
    /// assert!(client.memory_is_awaited());
    /// ```
    #[inline]
    pub fn memory_is_awaited(&self) -> bool {
        self.account.is_awaited()
    }

    /// A task waits until it can write: notes if that is for want of memory. Returns whether it is.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let memory = Memory::new(MemoryLimits::at_most(32 << 10));
    /// client.join_memory(&memory);
    /// client.write(now, &[7; 100_000]).unwrap();
    /// assert!(client.note_waiting_writer()); // for want of memory
    /// assert!(client.awaits_memory());
    ///
    /// // Who has a full send buffer waits for the peer instead.
    /// server.set_options(now, |o| o.send_buffer = Some(4096));
    /// server.write(now, &[7; 4096]).unwrap();
    /// assert!(!server.note_waiting_writer());
    /// ```
    pub fn note_waiting_writer(&mut self) -> bool {
        self.awaits_memory |= self.has_room() && !self.may_grow();
        self.awaits_memory
    }

    /// Memory has come free: a waiting writer is told, if there is some for it. Returns whether it
    /// still waits.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let memory = Memory::new(MemoryLimits::at_most(32 << 10));
    /// client.join_memory(&memory);
    /// client.write(now, &[7; 100_000]).unwrap();
    /// client.note_waiting_writer();
    /// assert!(client.offer_memory()); // still nothing
    ///
    /// // The peer has acknowledged, and what it holds is free again.
    /// exchange(now, &mut client, &mut server);
    /// # client.take_events();
    /// assert!(!client.offer_memory());
    /// assert_eq!(client.take_events(), Events::WRITABLE);
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let memory = Memory::new(MemoryLimits::at_most(32 << 10));
    /// client.join_memory(&memory);
    /// server.join_memory(&memory);
    /// // All was acknowledged; the memory is kept for the next text.
    /// client.write(now, &[7; 3000]).unwrap();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!(client.info().send_queue, 0);
    /// let kept = client.memory();
    /// assert!(kept > 0);
    /// assert_eq!(client.relieve(), 0); // there is enough
    ///
    /// // Now somebody else needs it.
    /// server.write(now, &[7; 100_000]).unwrap();
    /// assert!(memory.level() > Level::Low);
    /// assert_eq!(client.relieve(), kept);
    /// ```
    pub fn relieve(&mut self) -> usize {
        self.settle_memory();
        let (before, level) = (self.account.charged(), self.account.level());
        if level == Level::Low {
            return 0;
        }
        let greedy = self.account.is_over_share();
        let full =
            level == Level::High && self.rcv.buffer.capacity() > self.config.guaranteed_receive();
        if self.rcv.buffer.out_of_order() > 0 && (greedy || full) {
            let pruned = self.rcv.buffer.prune();
            self.account.note_pruned(pruned);
        }
        self.rcv.buffer.shrink(self.rcv.nxt);
        self.release_spare();
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
            let granted = if size <= self.config.guaranteed_receive() {
                self.account.take(more, more) == more
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

    /// What text may hold in any case; the rest of the guarantee is for records of what is sent.
    fn guaranteed_text(&self) -> usize {
        self.config.guaranteed_send() - FOR_RECORDS
    }

    /// Appends what there is memory for.
    pub(super) fn write_affordable(&mut self, data: &[u8]) -> usize {
        let guaranteed = self.guaranteed_text().saturating_sub(self.recovery.memory());
        let account = &mut self.account;
        self.snd.buffer.write_granted(data, |held, wanted| {
            account.take(guaranteed.saturating_sub(held), wanted)
        })
    }

    /// How many of `wanted` octets may be held by reference.
    pub(super) fn affordable_reference(&mut self, wanted: usize) -> usize {
        let table = self.snd.buffer.table_growth(CHUNKS_OF_A_REFERENCE);
        let guaranteed = self.guaranteed_text().saturating_sub(self.sending_memory());
        let granted = self.account.take(guaranteed, wanted + table).saturating_sub(table);
        if granted > 0 {
            self.snd.buffer.reserve_chunks(CHUNKS_OF_A_REFERENCE);
        }
        granted
    }

    /// The text of a packet, by reference where there is memory for the table of chunks.
    pub(super) fn take_slices(&mut self, offset: usize, len: usize, out: &mut Payload) -> usize {
        let account = &mut self.account;
        self.snd
            .buffer
            .slices_granted(offset, len, out, |growth| account.take_for_table(false, growth))
    }

    /// Whether a write of one octet finds memory.
    #[inline]
    pub(super) fn may_grow(&self) -> bool {
        let growth = self.snd.buffer.least_growth();
        growth == 0
            || self.sending_memory() + growth <= self.guaranteed_text()
            || self.account.allowance() >= growth
    }

    /// Asks for the records that the next packet may need.
    #[inline]
    pub(super) fn make_room_to_send(&mut self) {
        if self.recovery.growth(RECORDS_OF_A_PACKET) > 0 {
            self.make_room_for_text();
        }
    }

    #[cold]
    fn make_room_for_text(&mut self) {
        let fin_unsent = self.snd.fin_queued && !self.snd.fin_sent();
        if self.snd.unsent() > 0 || fin_unsent || !self.recovery.is_empty() {
            self.make_room_for_records(RECORDS_OF_A_PACKET);
        }
    }

    /// Lets the scoreboard grow, if there is memory. The first records are there in any case:
    /// without them nothing could be sent.
    #[inline]
    fn make_room_for_records(&mut self, more: usize) {
        let growth = self.recovery.growth(more);
        if growth == 0 {
            return;
        }
        let few = self.recovery.memory() + growth <= FOR_RECORDS;
        let guaranteed = few || self.sending_memory() + growth <= self.config.guaranteed_send();
        if self.account.take_for_table(guaranteed, growth) {
            self.recovery.reserve(more);
        } else {
            self.recovery.confine();
        }
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
        size.max(capacity).max(self.config.guaranteed_receive())
    }

    /// An ACK with so many SACK blocks cuts records: asks for those that it may need. A peer that
    /// reports single octets can't make the scoreboard grow while memory is short.
    #[inline]
    pub(super) fn limit_scoreboard(&mut self, blocks: usize) {
        let few = self.account.level() != Level::Low;
        self.recovery.set_record_limit(few.then_some(FEW_RECORDS));
        if !self.recovery.is_empty() {
            self.make_room_for_records(2 * blocks + 1);
        }
    }

    /// What is kept for speed only is looked at once the connection has been quiet.
    #[inline]
    pub(super) fn arm_trim(&mut self, now: Instant) {
        if !self.timers.is_set(Timer::Trim) && self.memory() > 0 && self.idle_for(now) < QUIET {
            self.timers.set(Timer::Trim, now + QUIET);
        }
    }

    pub(super) fn trim(&mut self, now: Instant) {
        if self.idle_for(now) >= QUIET {
            // If text is unread, reading the last of it releases the ring.
            self.release_idle();
            self.timers.shrink();
        } else {
            self.snd.buffer.release_unused();
            self.timers.set(Timer::Trim, now + QUIET);
        }
        self.settle_memory();
    }

    /// Nothing was sent and nothing has arrived for so long.
    fn idle_for(&self, now: Instant) -> Duration {
        now.since(self.last_received.max(self.last_sent))
    }

    /// The application has read everything. An idle connection holds no buffer; a busy one is not
    /// made to allocate for every batch.
    pub(super) fn release_ring(&mut self, now: Instant) {
        let busy = self.timers.is_set(Timer::Trim) || self.idle_for(now) < QUIET;
        // At an end no timer runs any more that could look at the ring later.
        let over = matches!(self.state(), State::Closed | State::TimeWait);
        if !busy || over || !self.may_tune() {
            self.rcv.buffer.release_if_empty();
        }
        self.settle_memory();
    }

    /// While memory is short, what is acknowledged is given back at once.
    pub(super) fn release_acknowledged(&mut self) {
        if self.may_tune() {
            return;
        }
        self.snd.buffer.release_pool();
        if self.recovery.is_empty() {
            self.recovery.release_memory();
        }
    }

    /// Gives back what the sender keeps for speed only.
    pub(super) fn release_spare(&mut self) {
        self.snd.buffer.release_spare();
        self.recovery.release_memory();
    }

    /// Gives back what is kept for speed only, in both directions.
    pub(super) fn release_idle(&mut self) {
        self.rcv.buffer.release_if_empty();
        self.release_spare();
    }

    /// Linux resets an orphan with text to send when memory is full (`TCPAbortOnMemory`): nobody
    /// is left who could stop writing.
    pub(super) fn is_orphan_too_dear(&self) -> bool {
        let full = self.account.level() == Level::High;
        let dear = full && self.sending_memory() > 2 * self.config.guaranteed_send();
        if dear {
            self.account.note_abort();
        }
        dear
    }
}
