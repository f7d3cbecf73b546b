//! Who owns a segment, and where does everything stand? The demultiplexing map and the tables it
//! points into, with their timers' tokens.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use siphasher::sip::SipHasher13;
use slab::Slab;
use tcp_core::connection::State;
use tcp_core::{Instant, Tuple};

use super::ListenerId;
use super::observe::Population;
use crate::cell::{ConnCell, ConnId};
use crate::wheel::TimerKey;

/// What a timer of the wheel belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token {
    Connection(ConnId),
    /// The half-open records of a listener.
    SynQueue(ListenerId),
    /// The earliest end of all records.
    TimeWait,
    /// The oldest incomplete datagram of IPv4 (false) or IPv6.
    Fragments {
        ipv6: bool,
    },
    /// The budget goes on.
    Memory,
}

/// Who owns the segments between two endpoints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    Connection(ConnId),
    HalfOpen(u32),
    TimeWait(u32),
}

/// A keyed hash, so that peers can't choose ports that collide.
#[derive(Clone, Debug)]
pub(super) struct Keyed(pub(super) [u8; 16]);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

/// The tuple in the form that is hashed: a few words instead of nested enums.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key {
    /// The addresses in words: a `u128` would make every entry 16 octets larger.
    local: [u32; 4],
    remote: [u32; 4],
    ports: u32,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, h: &mut H) {
        h.write_u64(halves(self.local, 17));
        h.write_u64(halves(self.remote, 31));
        h.write_u32(self.ports);
    }
}

/// Both halves of an address in one word; `turn` keeps the two addresses apart.
fn halves([a, b, c, d]: [u32; 4], turn: u32) -> u64 {
    let join = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    join(c, d) ^ join(a, b).rotate_left(turn)
}

impl From<&Tuple> for Key {
    fn from(t: &Tuple) -> Key {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(a) => [0, 0, 0xffff, a.to_bits()],
            IpAddr::V6(a) => {
                let b = a.to_bits();
                [(b >> 96) as u32, (b >> 64) as u32, (b >> 32) as u32, b as u32]
            }
        };
        Key {
            local: bits(t.local.ip),
            remote: bits(t.remote.ip),
            ports: u32::from(t.local.port) << 16 | u32::from(t.remote.port),
        }
    }
}

/// Connections and half-open records by their endpoints.
#[derive(Debug)]
pub(super) struct Demux {
    map: HashMap<Key, Owner, Keyed>,
}

impl Demux {
    pub(super) fn new(key: [u8; 16]) -> Demux {
        Demux { map: HashMap::with_hasher(Keyed(key)) }
    }

    /// A connection or half-open record; TIME-WAIT has an index of its own.
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
    /// In the line of those that wait for memory.
    pub(super) awaits_memory: bool,
    /// The demultiplexer still points here.
    pub(super) reachable: bool,
    /// As the stack saw it last.
    pub(super) state: State,
    /// The application has let go of it, and it is counted as an orphan.
    pub(super) orphan: bool,
}

/// All connections, by slot; a generation tells a slot's successive owners apart.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Slab<ConnEntry>,
    /// Those that the demultiplexer points to.
    pub(super) population: Population,
    generation: u32,
    orphans: usize,
}

impl Connections {
    pub(super) fn vacant(&mut self) -> ConnId {
        self.generation = self.generation.wrapping_add(1);
        ConnId { slot: self.slots.vacant_key() as u32, generation: self.generation }
    }

    pub(super) fn insert(&mut self, entry: ConnEntry) {
        self.population.enter(entry.state);
        self.slots.insert(entry);
    }

    pub(super) fn entry(&mut self, id: ConnId) -> Option<&mut ConnEntry> {
        self.slots.get_mut(id.slot as usize).filter(|e| e.cell.id() == id)
    }

    pub(super) fn cell(&self, id: ConnId) -> Option<&Arc<ConnCell>> {
        self.slots.get(id.slot as usize).map(|e| &e.cell).filter(|c| c.id() == id)
    }

    pub(super) fn remove(&mut self, id: ConnId) -> Option<ConnEntry> {
        let orphan = self.entry(id)?.orphan;
        self.orphans -= usize::from(orphan);
        let gone = self.slots.try_remove(id.slot as usize);
        if self.slots.is_empty() && self.slots.capacity() > 1024 {
            self.slots = Slab::new();
        }
        gone
    }

    /// The application has let go of a connection that goes on; returns whether that is news.
    pub(super) fn note_orphan(&mut self, id: ConnId) -> bool {
        let Some(e) = self.entry(id) else { return false };
        let news = !std::mem::replace(&mut e.orphan, true);
        self.orphans += usize::from(news);
        news
    }

    pub(super) fn orphans(&self) -> usize {
        self.orphans
    }

    /// What stands at a place of the table, for going through it in parts.
    pub(super) fn at(&self, place: usize) -> Option<&ConnEntry> {
        self.slots.get(place)
    }

    pub(super) fn places(&self) -> usize {
        self.slots.capacity()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ConnEntry> {
        self.slots.iter().map(|(_, e)| e)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}
