//! Who is in its quiet time, and until when? The table of TIME-WAIT records with an index and a
//! queue of its own: a record costs about 90 octets and no timer. What a segment means to a record
//! is the core's affair (RFC 9293 3.6.1).

use std::hash::BuildHasher;
use std::time::Duration;

use hashbrown::HashTable;
use tcp_core::time_wait::{TimeWait, TimeWaitVerdict};
use tcp_core::wire::Segment;
use tcp_core::{Instant, Tuple};

use super::counters::PacketDrop;
use super::paged::Paged;
use super::receive::Carrier;
use super::tables::{Key, Keyed, Token};
use super::{Stack, TimeWaitReuse, observe};
use crate::wheel::TimerKey;

/// Records that end at once. As many as ended together a quiet time ago end together again; a
/// million of them would keep the stack from its packets for a tenth of a second.
const BATCH: usize = 1024;
/// No record.
const NIL: u32 = u32::MAX;

/// A record in the queue of those that will expire.
#[derive(Debug)]
struct Entry {
    record: TimeWait,
    before: u32,
    after: u32,
}

/// The records. All last equally long, so a queue in the order of their end needs one timer: that
/// of its head.
#[derive(Debug)]
pub(super) struct TimeWaits {
    slots: Paged<Entry>,
    index: HashTable<u32>,
    hash: Keyed,
    first: u32,
    last: u32,
    timer: Option<TimerKey>,
}

impl TimeWaits {
    pub(super) fn new(hash: Keyed) -> TimeWaits {
        let (slots, index) = (Paged::new(), HashTable::new());
        TimeWaits { slots, index, hash, first: NIL, last: NIL, timer: None }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// No slot at or beyond this is taken.
    pub(super) fn places(&self) -> usize {
        self.slots.places()
    }

    pub(super) fn find(&self, tuple: &Tuple) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let hash = self.hash.hash_one(Key::from(tuple));
        let same = |slot: &u32| self.get(*slot).is_some_and(|r| r.tuple == *tuple);
        self.index.find(hash, same).copied()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&TimeWait> {
        self.slots.get(slot).map(|e| &e.record)
    }

    fn insert(&mut self, record: TimeWait) {
        let hash = self.hash.hash_one(Key::from(&record.tuple));
        let slot = self.slots.insert(Entry { record, before: NIL, after: NIL });
        let (slots, keyed) = (&self.slots, &self.hash);
        self.index.insert_unique(hash, slot, |s| {
            slots.get(*s).map_or(0, |e| keyed.hash_one(Key::from(&e.record.tuple)))
        });
        self.append(slot);
    }

    fn remove(&mut self, slot: u32) -> Option<TimeWait> {
        let hash = self.hash.hash_one(Key::from(&self.get(slot)?.tuple));
        if let Ok(found) = self.index.find_entry(hash, |s| *s == slot) {
            found.remove();
        }
        self.unlink(slot);
        let gone = self.slots.try_remove(slot).map(|e| e.record);
        self.give_memory_back();
        gone
    }

    /// After a storm.
    fn give_memory_back(&mut self) {
        if self.slots.is_empty() && self.index.capacity() > 1024 {
            self.index = HashTable::new();
        }
    }

    /// Puts a record at the end of the queue. One that was made a moment earlier than the last
    /// one waits for it: never too short, and the order holds.
    fn append(&mut self, slot: u32) {
        let last = self.last;
        let latest = self.get(last).map(|r| r.expires);
        let Some(e) = self.slots.get_mut(slot) else { return };
        e.record.expires = latest.map_or(e.record.expires, |l| e.record.expires.max(l));
        (e.before, e.after) = (last, NIL);
        match self.slots.get_mut(last) {
            Some(l) => l.after = slot,
            None => self.first = slot,
        }
        self.last = slot;
    }

    fn unlink(&mut self, slot: u32) {
        let Some(&Entry { before, after, .. }) = self.slots.get(slot) else { return };
        match self.slots.get_mut(before) {
            Some(b) => b.after = after,
            None => self.first = after,
        }
        match self.slots.get_mut(after) {
            Some(a) => a.before = before,
            None => self.last = before,
        }
    }

    /// A segment for a record; one whose quiet time begins anew goes to the end of the queue.
    fn on_segment(
        &mut self,
        now: Instant,
        slot: u32,
        seg: &Segment<'_>,
        config: &tcp_core::config::TcpConfig,
    ) -> Option<(TimeWaitVerdict, Segment<'static>)> {
        let record = &mut self.slots.get_mut(slot)?.record;
        let was = record.expires;
        let verdict = record.on_segment(now, seg, config);
        let ack = record.ack(now);
        if record.expires != was {
            self.unlink(slot);
            self.append(slot);
        }
        Some((verdict, ack))
    }

    fn first_end(&self) -> Option<Instant> {
        self.get(self.first).map(|r| r.expires)
    }
}

impl Stack {
    /// MUST-13: the quiet time runs in a record of its own. In a full table it is skipped, as on
    /// Linux.
    pub(super) fn insert_time_wait(&mut self, record: TimeWait) {
        if self.time_wait.len() >= self.config.max_time_wait {
            self.counters.time_wait_overflow += 1;
            observe::time_wait_refused(&record);
            return;
        }
        self.ports.hold_connection(record.tuple.local.port);
        self.time_wait.insert(record);
        self.arm_time_wait();
    }

    pub(super) fn remove_time_wait(&mut self, slot: u32) {
        if let Some(record) = self.time_wait.remove(slot) {
            self.ports.release_connection(record.tuple.local.port);
            self.arm_time_wait();
        }
    }

    /// The head of the queue has come to its end, and perhaps others with it.
    pub(super) fn time_wait_timeout(&mut self, now: Instant) {
        self.time_wait.timer = None;
        for _ in 0..BATCH {
            if self.time_wait.first_end().is_none_or(|at| at > now) {
                break;
            }
            if let Some(record) = self.time_wait.remove(self.time_wait.first) {
                self.counters.time_wait_ended += 1;
                self.ports.release_connection(record.tuple.local.port);
            }
        }
        let soon = now + Duration::from_millis(1);
        self.arm_time_wait_at(self.time_wait.first_end().map(|at| at.max(soon)));
    }

    /// A new head is never earlier than the old one, so a timer that runs is early enough.
    fn arm_time_wait(&mut self) {
        let at = self.time_wait.first_end();
        self.arm_time_wait_at(at);
    }

    fn arm_time_wait_at(&mut self, at: Option<Instant>) {
        match (at, self.time_wait.timer) {
            (Some(at), None) => {
                self.time_wait.timer = Some(self.wheel.insert(at, Token::TimeWait));
            }
            (None, Some(key)) => {
                self.wheel.cancel(key);
                self.time_wait.timer = None;
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    pub(super) fn for_time_wait(
        &mut self,
        now: Instant,
        slot: u32,
        tuple: &Tuple,
        seg: &Segment<'_>,
        from: &Carrier<'_>,
    ) -> Result<(), PacketDrop> {
        let found = self.time_wait.on_segment(now, slot, seg, &self.tcp);
        let Some((verdict, ack)) = found else { return Ok(()) };
        match verdict {
            TimeWaitVerdict::Ignore => return Err(PacketDrop::InTimeWait),
            TimeWaitVerdict::Ack => self.answer_bare(tuple, ack),
            TimeWaitVerdict::Over => self.remove_time_wait(slot),
            TimeWaitVerdict::NewConnection(least) => match self.listener_for(tuple) {
                Some(listener) => {
                    // A request that is turned away costs the record nothing.
                    self.admit_successor(listener)?;
                    self.counters.time_wait_recycled += 1;
                    self.remove_time_wait(slot);
                    self.on_request(now, listener, tuple, seg, from, Some(least));
                }
                None => self.answer_bare(tuple, ack),
            },
        }
        Ok(())
    }

    /// Whether a connection of our own to a port that the stack chose may take a record's place.
    pub(super) fn may_reuse(&self, now: Instant, record: &TimeWait) -> bool {
        let allowed = match self.config.tw_reuse {
            TimeWaitReuse::Off => false,
            TimeWaitReuse::On => true,
            TimeWaitReuse::Loopback => self.is_local(record.tuple.remote.ip),
        };
        allowed && record.reusable(now, self.config.tw_reuse_delay)
    }
}
