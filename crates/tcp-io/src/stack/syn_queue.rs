//! Where do half-open records wait, and when is one's deadline? A table for the whole stack, and in
//! it a queue for each listener, sorted by deadline without a timer a record. What a record does
//! then says tcp-core (RFC 9293 3.10.7.4, 3.8.3).

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use tcp_core::config::TcpConfig;
use tcp_core::listen::{HalfOpen, HalfOpenTimeout};
use tcp_core::{Instant, Tuple};

use super::paged::Paged;
use super::tables::{Armed, Key, Keyed, Token};
use super::{ListenerId, Stack, observe};
use crate::cell::{RequestCell, RequestEnd};

/// Deadlines after the same wait stand in one list, which is sorted as it grows: the waits double
/// sixteen times at most.
const WAITS: usize = 17;
/// Records whose deadline is handled at once; a queue of many thousands takes milliseconds more,
/// and the device is not flooded.
const BATCH: usize = 256;
const NIL: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct HalfOpenEntry {
    pub(super) record: HalfOpen,
    pub(super) listener: ListenerId,
    prev: u32,
    next: u32,
}

/// A request that the application has admitted, and that has become a record.
#[derive(Debug)]
pub(super) struct Admitted {
    /// Who waits for the connection, in place of the accept queue.
    pub(super) cell: Arc<RequestCell>,
    /// What the record and its connection live by; none: by what their listener does.
    pub(super) tcp: Option<Arc<TcpConfig>>,
}

/// Records in slots, found by their endpoints, with the text they keep counted.
#[derive(Debug)]
pub(super) struct HalfOpens {
    slots: Paged<HalfOpenEntry>,
    index: HashTable<u32>,
    keyed: Keyed,
    /// By slot, beside the records: most have none, and stay small.
    admitted: HashMap<u32, Admitted, Keyed>,
    pub(super) text: usize,
}

/// The records of one listener.
#[derive(Debug)]
pub(super) struct SynQueue {
    lists: [List; WAITS],
    len: usize,
    /// Records whose first deadline has not passed.
    young: usize,
    timer: Option<Armed>,
}

#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

impl SynQueue {
    pub(super) fn new() -> SynQueue {
        SynQueue { lists: [List { head: NIL, tail: NIL }; WAITS], len: 0, young: 0, timer: None }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn list(&mut self, record: &HalfOpen) -> &mut List {
        &mut self.lists[(record.timeouts() as usize).min(WAITS - 1)]
    }
}

impl HalfOpens {
    pub(super) fn new(keyed: Keyed) -> HalfOpens {
        let (slots, index) = (Paged::new(), HashTable::new());
        let admitted = HashMap::with_hasher(keyed.clone());
        HalfOpens { slots, index, keyed, admitted, text: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// No slot at or beyond this is taken.
    pub(super) fn places(&self) -> usize {
        self.slots.places()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&HalfOpenEntry> {
        self.slots.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut HalfOpenEntry> {
        self.slots.get_mut(slot)
    }

    /// Who waits for a record's connection, if not the accept queue.
    pub(super) fn admitted(&self, slot: u32) -> Option<&Admitted> {
        if self.admitted.is_empty() { None } else { self.admitted.get(&slot) }
    }

    pub(super) fn find(&self, tuple: &Tuple) -> Option<u32> {
        if self.index.is_empty() {
            return None;
        }
        let same = |slot: &u32| self.get(*slot).is_some_and(|e| e.record.tuple == *tuple);
        self.index.find(self.hash(tuple), same).copied()
    }

    fn hash(&self, tuple: &Tuple) -> u64 {
        self.keyed.hash_one(Key::from(tuple))
    }

    fn insert(&mut self, record: HalfOpen, listener: ListenerId, queue: &mut SynQueue) -> u32 {
        let hash = self.hash(&record.tuple);
        self.text += record.early_len();
        let entry = HalfOpenEntry { record, listener, prev: NIL, next: NIL };
        let slot = self.slots.insert(entry);
        let (slots, keyed) = (&self.slots, &self.keyed);
        let rehash =
            |s: &u32| slots.get(*s).map_or(0, |e| keyed.hash_one(Key::from(&e.record.tuple)));
        self.index.insert_unique(hash, slot, rehash);
        queue.len += 1;
        self.append(slot, queue);
        slot
    }

    fn remove(&mut self, slot: u32, queue: &mut SynQueue) -> Option<(HalfOpen, Option<Admitted>)> {
        let admitted = if self.admitted.is_empty() { None } else { self.admitted.remove(&slot) };
        self.unlink(slot, queue);
        let e = self.slots.try_remove(slot)?;
        queue.len -= 1;
        self.text -= e.record.early_len();
        let hash = self.hash(&e.record.tuple);
        if let Ok(found) = self.index.find_entry(hash, |s| *s == slot) {
            found.remove();
        }
        if self.slots.is_empty() && self.index.capacity() > 1024 {
            // Give memory back after a flood.
            self.index = HashTable::new();
            self.admitted.shrink_to_fit();
        }
        Some((e.record, admitted))
    }

    /// To the end of the list of its wait; a record's deadline is never before those there, since
    /// all of a listener's records wait by the same numbers.
    fn append(&mut self, slot: u32, queue: &mut SynQueue) {
        let Some(e) = self.slots.get_mut(slot) else { return };
        queue.young += usize::from(e.record.timeouts() == 0);
        let list = queue.list(&e.record);
        (e.prev, e.next) = (list.tail, NIL);
        let last = std::mem::replace(&mut list.tail, slot);
        match self.slots.get_mut(last) {
            Some(before) => before.next = slot,
            None => list.head = slot,
        }
    }

    fn unlink(&mut self, slot: u32, queue: &mut SynQueue) {
        let Some(e) = self.slots.get(slot) else { return };
        queue.young -= usize::from(e.record.timeouts() == 0);
        let (prev, next) = (e.prev, e.next);
        let list = queue.list(&e.record);
        match self.slots.get_mut(prev) {
            Some(before) => before.next = next,
            None => list.head = next,
        }
        match self.slots.get_mut(next) {
            Some(after) => after.prev = prev,
            None => list.tail = prev,
        }
    }

    fn deadline(&self, slot: u32) -> Option<Instant> {
        self.get(slot).map(|e| e.record.deadline())
    }

    fn earliest(&self, queue: &SynQueue) -> Option<Instant> {
        queue.lists.iter().filter_map(|l| self.deadline(l.head)).min()
    }

    /// The first record of a list, if its deadline has passed.
    fn due(&self, now: Instant, list: List) -> Option<u32> {
        self.deadline(list.head).filter(|at| *at <= now).map(|_| list.head)
    }
}

impl Stack {
    /// Queues a record of a listener.
    pub(super) fn queue_half_open(
        &mut self,
        id: ListenerId,
        record: HalfOpen,
        admitted: Option<Admitted>,
    ) {
        let Some(l) = self.listeners.listener(id) else { return };
        let slot = self.half_open.insert(record, id, &mut l.queue);
        if let Some(admitted) = admitted {
            self.half_open.admitted.insert(slot, admitted);
        }
        self.arm_syn_queue(id, None);
    }

    /// What a record lives by: the options it was admitted with, or its listener's.
    pub(super) fn half_open_tcp(&self, slot: u32) -> Option<Arc<TcpConfig>> {
        let listener = self.half_open.get(slot)?.listener;
        let own = self.half_open.admitted(slot).and_then(|a| a.tcp.as_ref());
        own.or_else(|| self.listeners.tcp(listener)).cloned()
    }

    /// A record goes; `why` is what whoever has admitted it is told. Returns whether it was there.
    pub(super) fn remove_half_open(&mut self, slot: u32, why: RequestEnd) -> bool {
        let Some((_, admitted)) = self.take_half_open(slot) else { return false };
        if let Some(a) = admitted {
            a.cell.end(why);
        }
        true
    }

    /// Takes a record out of every table, for its connection to follow it.
    pub(super) fn take_half_open(&mut self, slot: u32) -> Option<(HalfOpen, Option<Admitted>)> {
        let id = self.half_open.get(slot)?.listener;
        let l = self.listeners.listener(id)?;
        let gone = self.half_open.remove(slot, &mut l.queue);
        if l.queue.len == 0
            && let Some(armed) = l.queue.timer.take()
        {
            self.wheel.cancel(armed.key);
        }
        gone
    }

    /// All records of a listener go, silently towards the peers: nothing was promised yet.
    pub(super) fn clear_syn_queue(&mut self, id: ListenerId) {
        for wait in 0..WAITS {
            while let Some(l) = self.listeners.listener(id)
                && let head = l.queue.lists[wait].head
                && self.remove_half_open(head, RequestEnd::Closed)
            {}
        }
    }

    /// The first deadline of a listener's queue has come.
    pub(super) fn syn_queue_timeout(&mut self, now: Instant, id: ListenerId) {
        let Some(l) = self.listeners.listener(id) else { return };
        l.queue.timer = None;
        let mut left = BATCH;
        for wait in 0..WAITS {
            while let Some(l) = self.listeners.listener(id)
                && let Some(slot) = self.half_open.due(now, l.queue.lists[wait])
            {
                if left == 0 {
                    let soon = now + std::time::Duration::from_millis(1);
                    self.arm_syn_queue(id, Some(soon));
                    return;
                }
                left -= 1;
                self.half_open_timeout(now, id, slot);
            }
        }
        self.arm_syn_queue(id, None);
    }

    fn half_open_timeout(&mut self, now: Instant, id: ListenerId, slot: u32) {
        let Some(tcp) = self.half_open_tcp(slot) else { return };
        let Some(l) = self.listeners.listener(id) else { return };
        let hurried = l.limits.retries(tcp.syn_ack_retries, l.queue.len, l.queue.young);
        self.half_open.unlink(slot, &mut l.queue);
        let Some(e) = self.half_open.get_mut(slot) else { return };
        // Who has answered waits for the application, not in a flood.
        let retries = if e.record.is_proven() { tcp.syn_ack_retries } else { hurried };
        let next = e.record.on_timeout(now, retries, &tcp);
        self.half_open.append(slot, &mut l.queue);
        match next {
            HalfOpenTimeout::Wait => {}
            HalfOpenTimeout::SynAck => self.send_syn_ack_again(now, slot, &tcp),
            HalfOpenTimeout::Remove => {
                self.counters.half_open_timeouts += 1;
                self.counters.attempt_fails += 1;
                let tuple = self.half_open.get(slot).map(|e| e.record.tuple);
                if let Some(tuple) = tuple {
                    observe::request_ended(&tuple, "no answer");
                }
                self.remove_half_open(slot, RequestEnd::Unanswered);
            }
        }
    }

    /// One wheel entry a listener, for the earliest deadline or for `at`.
    fn arm_syn_queue(&mut self, id: ListenerId, at: Option<Instant>) {
        let Some(l) = self.listeners.listener(id) else { return };
        let Some(at) = at.or_else(|| match l.queue.timer {
            // A new record is due after the others, but for those that wait longer.
            Some(_) => self.half_open.deadline(l.queue.lists[0].head),
            None => self.half_open.earliest(&l.queue),
        }) else {
            return;
        };
        match &mut l.queue.timer {
            Some(armed) if armed.at <= at => {}
            Some(armed) => {
                armed.at = at;
                let key = armed.key;
                self.wheel.reschedule(key, at);
            }
            None => {
                let key = self.wheel.insert(at, Token::SynQueue(id));
                l.queue.timer = Some(Armed { key, at });
            }
        }
    }
}
