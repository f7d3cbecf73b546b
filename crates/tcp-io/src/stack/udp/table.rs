//! Which socket does a datagram belong to? The table of UDP sockets: a connected one before one
//! that is bound to the address, and that before one for every address. No RFC: the order is
//! Linux's.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use slab::Slab;
use smallvec::SmallVec;
use tcp_core::{Endpoint, Tuple};

use super::super::StackConfig;
use super::super::path_mtus::PathMtus;
use super::super::ports::Bound;
use super::super::tables::{Key, Keyed};
use crate::cell::{UdpCell, UdpId, UdpMemory, UdpOptions, UdpRow};

/// One socket, as the stack sees it.
#[derive(Debug)]
pub(in crate::stack) struct Entry {
    pub(super) cell: Arc<UdpCell>,
    generation: u32,
    /// What `bind` named.
    pub(super) bound: Bound,
    /// Where its datagrams come from; an unspecified address becomes a certain one with the first
    /// connect.
    pub(super) local: Endpoint,
    pub(super) remote: Option<Endpoint>,
    pub(super) groups: SmallVec<[IpAddr; 1]>,
    /// In the queue of those that have something to send.
    pub(super) active: bool,
    /// The application still holds it.
    open: bool,
}

impl Entry {
    /// How well it fits a datagram to `to` that is of nobody's connected socket, best first.
    fn rank(&self, to: IpAddr, own: bool) -> Option<u8> {
        if self.remote.is_some() || (!own && self.bound.ip != to) {
            return None;
        }
        self.bound.rank(to)
    }
}

/// The UDP sockets of a stack.
#[derive(Debug)]
pub(in crate::stack) struct Udp {
    slots: Slab<Entry>,
    by_port: HashMap<u16, SmallVec<[UdpId; 1]>>,
    connected: HashMap<Key, UdpId, Keyed>,
    /// Sockets with something to send, each once.
    pub(super) active: VecDeque<UdpId>,
    /// The last turn of the stack was one of ours.
    pub(super) had_turn: bool,
    pub(super) memory: Arc<UdpMemory>,
    /// Sockets in each group.
    pub(super) groups: HashMap<IpAddr, usize>,
    /// What ICMP said about datagrams. Apart from TCP's memory of paths, which keeps only what a
    /// connection has believed: here any guess of two ports is believed.
    pub(super) paths: PathMtus,
    /// Names fragmented datagrams (RFC 6864 4.3, RFC 7739 5.2).
    pub(super) ident: u32,
    pub(super) hash: Keyed,
    open: usize,
    generation: u32,
}

impl Udp {
    pub(in crate::stack) fn new(hash_key: [u8; 16], config: &StackConfig) -> Udp {
        Udp {
            slots: Slab::new(),
            by_port: HashMap::new(),
            connected: HashMap::with_hasher(Keyed(hash_key)),
            active: VecDeque::new(),
            had_turn: false,
            memory: UdpMemory::new(config.udp_mem),
            groups: HashMap::new(),
            paths: PathMtus::new(hash_key),
            ident: 0,
            hash: Keyed(hash_key),
            open: 0,
            generation: 0,
        }
    }

    /// Open sockets.
    pub(super) fn len(&self) -> usize {
        self.open
    }

    pub(super) fn insert(&mut self, bound: Bound, port: u16, options: UdpOptions) -> UdpId {
        self.generation = self.generation.wrapping_add(1);
        let id = UdpId { slot: self.slots.vacant_key() as u32, generation: self.generation };
        let local = Endpoint::new(bound.ip, port);
        self.slots.insert(Entry {
            cell: UdpCell::new(id, local.into(), options, self.memory.clone()),
            generation: id.generation,
            bound,
            local,
            remote: None,
            groups: SmallVec::new(),
            active: false,
            open: true,
        });
        self.by_port.entry(port).or_default().push(id);
        self.open += 1;
        id
    }

    pub(super) fn get(&self, id: UdpId) -> Option<&Entry> {
        self.slots.get(id.slot as usize).filter(|e| e.generation == id.generation && e.open)
    }

    pub(super) fn get_mut(&mut self, id: UdpId) -> Option<&mut Entry> {
        self.slots.get_mut(id.slot as usize).filter(|e| e.generation == id.generation && e.open)
    }

    pub(super) fn cell(&self, id: UdpId) -> Option<&Arc<UdpCell>> {
        self.get(id).map(|e| &e.cell)
    }

    pub(super) fn ids(&self) -> Vec<UdpId> {
        // By place: an order that a seed repeats.
        let open = self.slots.iter().filter(|(_, e)| e.open);
        open.map(|(slot, e)| UdpId { slot: slot as u32, generation: e.generation }).collect()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = UdpRow> + '_ {
        self.slots.iter().filter(|(_, e)| e.open).map(|(_, e)| e.cell.row())
    }

    /// Whether a socket keeps another one from coming.
    pub(super) fn clashes(&self, wanted: Bound, port: u16) -> bool {
        let there = self.by_port.get(&port).into_iter().flatten();
        there.filter_map(|id| self.get(*id)).any(|e| e.bound.clashes(wanted))
    }

    /// Whether any socket has this port.
    pub(super) fn has_port(&self, port: u16) -> bool {
        self.by_port.contains_key(&port)
    }

    /// Sockets on a port.
    pub(super) fn on_port(&self, port: u16) -> impl Iterator<Item = (UdpId, &Entry)> {
        let ids = self.by_port.get(&port).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.get(*id)?)))
    }

    /// The socket for a datagram, `own` if it is for an address of the stack itself. Of several
    /// that share an address, the one at a hash of both ends.
    pub(super) fn find(&self, t: &Tuple, own: bool) -> Option<UdpId> {
        if !self.connected.is_empty()
            && let Some(id) = self.connected.get(&Key::from(t))
        {
            return Some(*id);
        }
        let ids = self.by_port.get(&t.local.port)?;
        let rank = |id: &UdpId| self.get(*id)?.rank(t.local.ip, own);
        if let [only] = ids[..] {
            return rank(&only).map(|_| only);
        }
        let best = ids.iter().filter_map(rank).min()?;
        let fit = || ids.iter().filter(|id| rank(id) == Some(best));
        match fit().count() as u64 {
            1 => fit().next().copied(),
            many => {
                let spread = self.hash.hash_one(Key::from(t)) >> 32;
                fit().nth(((many * spread) >> 32) as usize).copied()
            }
        }
    }

    pub(super) fn connect(&mut self, id: UdpId, from: Endpoint, to: Endpoint) {
        self.forget_peer(id);
        let Some(e) = self.get_mut(id) else { return };
        (e.local, e.remote) = (from, Some(to));
        e.cell.set_addresses(from, Some(to));
        self.connected.insert(Key::from(&Tuple { local: from, remote: to }), id);
    }

    pub(super) fn disconnect(&mut self, id: UdpId) {
        self.forget_peer(id);
        let Some(e) = self.get_mut(id) else { return };
        e.local.ip = e.bound.ip;
        e.cell.set_addresses(e.local, None);
    }

    fn forget_peer(&mut self, id: UdpId) {
        let Some(e) = self.get_mut(id) else { return };
        let Some(remote) = e.remote.take() else { return };
        let t = Tuple { local: e.local, remote };
        let key = Key::from(&t);
        if self.connected.get(&key) != Some(&id) {
            return;
        }
        self.connected.remove(&key);
        // Of sockets that share an address, another one may be connected to the same peer.
        let same = |e: &Entry| e.remote == Some(remote) && e.local == t.local;
        let heir = self.on_port(t.local.port).find(|(_, e)| same(e)).map(|(id, _)| id);
        if let Some(heir) = heir {
            self.connected.insert(key, heir);
        }
    }

    /// Nothing arrives for the socket any more, and its address is free.
    pub(super) fn detach(&mut self, id: UdpId) {
        self.forget_peer(id);
        let Some(e) = self.get(id) else { return };
        let (port, groups) = (e.local.port, e.groups.clone());
        for group in groups {
            self.leave(group);
        }
        if let Some(ids) = self.by_port.get_mut(&port) {
            ids.retain(|i| *i != id);
            if ids.is_empty() {
                self.by_port.remove(&port);
            }
        }
        self.open -= 1;
        if let Some(e) = self.get_mut(id) {
            e.open = false;
            if !e.active {
                self.slots.remove(id.slot as usize);
            }
        }
    }

    /// As [`detach`](Self::detach), for an application that will not read either.
    pub(super) fn close(&mut self, id: UdpId) {
        if let Some(cell) = self.cell(id) {
            cell.close();
        }
        self.detach(id);
    }

    /// A socket in the group less.
    pub(super) fn leave(&mut self, group: IpAddr) {
        if let Some(n) = self.groups.get_mut(&group) {
            *n -= 1;
            if *n == 0 {
                self.groups.remove(&group);
            }
        }
    }

    /// The socket has something to send.
    pub(super) fn activate(&mut self, id: UdpId) {
        if let Some(e) = self.get_mut(id)
            && !std::mem::replace(&mut e.active, true)
        {
            self.active.push_back(id);
        }
    }

    /// The next socket with something to send, even if it is closed by now.
    pub(super) fn next_active(&mut self) -> Option<(UdpId, Arc<UdpCell>)> {
        let id = self.active.pop_front()?;
        let e = self.slots.get(id.slot as usize)?;
        Some((id, e.cell.clone()))
    }

    /// A turn is over; `more`: another one is wanted.
    pub(super) fn after_turn(&mut self, id: UdpId, more: bool) {
        if more {
            self.active.push_back(id);
            return;
        }
        if let Some(e) = self.slots.get_mut(id.slot as usize) {
            e.active = false;
            if !e.open {
                self.slots.remove(id.slot as usize);
            }
        }
    }
}
