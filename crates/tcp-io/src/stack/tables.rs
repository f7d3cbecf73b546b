//! Who owns a segment, and where does everything stand? The demultiplexing map and the tables it
//! points into, with their timers' tokens.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use siphasher::sip::SipHasher13;
use slab::Slab;
use tcp_core::config::SocketOptions;
use tcp_core::listen::HalfOpen;
use tcp_core::time_wait::TimeWait;
use tcp_core::{Instant, Tuple};

use super::ListenerId;
use super::ip::IpOptions;
use crate::cell::{ConnCell, ConnId, RequestCell};
use crate::wheel::TimerKey;

/// What a timer of the wheel belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token {
    Connection(ConnId),
    HalfOpen(u32),
    TimeWait(u32),
    Request(u32),
}

/// Who owns the segments between two endpoints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    Connection(ConnId),
    HalfOpen(u32),
    TimeWait(u32),
    Request(u32),
}

/// A keyed hash, so that peers can't choose ports that collide.
#[derive(Clone, Debug)]
pub(super) struct Keyed([u8; 16]);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

/// The tuple in the form that is hashed: a few words instead of nested enums.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key {
    local: u128,
    remote: u128,
    ports: u32,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, h: &mut H) {
        h.write_u64(self.local as u64 ^ ((self.local >> 64) as u64).rotate_left(17));
        h.write_u64(self.remote as u64 ^ ((self.remote >> 64) as u64).rotate_left(31));
        h.write_u32(self.ports);
    }
}

impl From<&Tuple> for Key {
    fn from(t: &Tuple) -> Key {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(a) => u128::from(a.to_bits()) | 0xffff_0000_0000,
            IpAddr::V6(a) => a.to_bits(),
        };
        Key {
            local: bits(t.local.ip),
            remote: bits(t.remote.ip),
            ports: u32::from(t.local.port) << 16 | u32::from(t.remote.port),
        }
    }
}

#[derive(Debug)]
pub(super) struct Demux {
    map: HashMap<Key, Owner, Keyed>,
}

impl Demux {
    pub(super) fn new(key: [u8; 16]) -> Demux {
        Demux { map: HashMap::with_hasher(Keyed(key)) }
    }

    pub(super) fn find(&self, t: &Tuple) -> Option<Owner> {
        self.map.get(&Key::from(t)).copied()
    }

    pub(super) fn insert(&mut self, t: &Tuple, owner: Owner) {
        self.map.insert(Key::from(t), owner);
    }

    /// Removes the entry if it still belongs to `owner`.
    pub(super) fn remove(&mut self, t: &Tuple, owner: Owner) {
        let key = Key::from(t);
        if self.map.get(&key) == Some(&owner) {
            self.map.remove(&key);
        }
        // Give memory back after a flood or storm.
        if self.map.capacity() > 4096 && self.map.len() * 8 < self.map.capacity() {
            self.map.shrink_to(self.map.len() * 2);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }
}

/// One timer of the wheel and when it will fire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Armed {
    pub(super) key: TimerKey,
    pub(super) at: Instant,
}

#[derive(Debug)]
pub(super) struct ConnEntry {
    pub(super) cell: Arc<ConnCell>,
    pub(super) timer: Option<Armed>,
    /// In the stack's `active` queue.
    pub(super) active: bool,
    /// The demultiplexer still points here.
    pub(super) reachable: bool,
}

/// All connections, by slot; a generation tells a slot's successive owners apart.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Slab<ConnEntry>,
    generation: u32,
}

impl Connections {
    pub(super) fn vacant(&mut self) -> ConnId {
        self.generation = self.generation.wrapping_add(1);
        ConnId { slot: self.slots.vacant_key() as u32, generation: self.generation }
    }

    pub(super) fn insert(&mut self, entry: ConnEntry) {
        self.slots.insert(entry);
    }

    pub(super) fn entry(&mut self, id: ConnId) -> Option<&mut ConnEntry> {
        self.slots.get_mut(id.slot as usize).filter(|e| e.cell.id() == id)
    }

    pub(super) fn cell(&self, id: ConnId) -> Option<&Arc<ConnCell>> {
        self.slots.get(id.slot as usize).map(|e| &e.cell).filter(|c| c.id() == id)
    }

    pub(super) fn remove(&mut self, id: ConnId) -> Option<ConnEntry> {
        self.entry(id)?;
        let gone = self.slots.try_remove(id.slot as usize);
        if self.slots.is_empty() && self.slots.capacity() > 1024 {
            self.slots = Slab::new();
        }
        gone
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ConnEntry> {
        self.slots.iter().map(|(_, e)| e)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

#[derive(Debug)]
pub(super) struct HalfOpenEntry {
    pub(super) record: HalfOpen,
    pub(super) listener: ListenerId,
    pub(super) timer: TimerKey,
    /// Of our SYN-ACK.
    pub(super) ip: IpOptions,
    /// Who waits for the connection, if not the accept queue.
    pub(super) admitted: Option<Box<Admitted>>,
}

/// A request that the application has admitted.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) cell: Arc<RequestCell>,
    /// What its connection starts with; none: the options of its listener.
    pub(super) options: Option<SocketOptions>,
}

/// Records in slots, with the text they keep counted.
#[derive(Debug, Default)]
pub(super) struct HalfOpens {
    pub(super) slots: Slab<HalfOpenEntry>,
    pub(super) text: usize,
}

#[derive(Debug)]
pub(super) struct TimeWaitEntry {
    pub(super) record: TimeWait,
    pub(super) timer: TimerKey,
}

#[derive(Debug, Default)]
pub(super) struct TimeWaits {
    pub(super) slots: Slab<TimeWaitEntry>,
}
