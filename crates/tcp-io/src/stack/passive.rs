//! Who listens, and how does a SYN become a connection? Listeners, their SYN and accept queues
//! (RFC 9293 3.10.1, 3.10.7.2; MUST-41, MUST-42).

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;
use tcp_core::config::{SocketOptions, TcpConfig};
use tcp_core::connection::{Connection, OpenParams};
use tcp_core::error::DropReason;
use tcp_core::listen::{Admission, Backlog, Completion, HalfOpen};
use tcp_core::wire::{Flags, Segment};
use tcp_core::{Endpoint, Instant, SeqNum, Tuple};

use super::counters::PacketDrop;
use super::ports::{BindOptions, Bound};
use super::rows::listener_row;
use super::syn_queue::SynQueue;
use super::tables::{ConnEntry, Owner};
use super::{ConnectionRow, Filter, ListenError, ListenOptions, Stack, observe};
use crate::cell::{ConnCell, ListenerCell};

/// Names a listener of one stack.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListenerId {
    slot: u32,
    generation: u32,
}

#[derive(Debug)]
pub(super) struct Listener {
    cell: Arc<ListenerCell>,
    generation: u32,
    bound: Bound,
    pub(super) limits: Backlog,
    pub(super) queue: SynQueue,
    /// What its records and connections live by.
    pub(super) tcp: Arc<TcpConfig>,
}

#[derive(Debug, Default)]
pub(super) struct Listeners {
    slots: Slab<Listener>,
    by_port: HashMap<u16, Vec<ListenerId>>,
    generation: u32,
}

impl Listeners {
    pub(super) fn listener(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.slots.get_mut(id.slot as usize).filter(|l| l.generation == id.generation)
    }

    fn known(&self, id: ListenerId) -> Option<&Listener> {
        self.slots.get(id.slot as usize).filter(|l| l.generation == id.generation)
    }

    pub(super) fn cell(&self, id: ListenerId) -> Option<&Arc<ListenerCell>> {
        self.known(id).map(|l| &l.cell)
    }

    pub(super) fn tcp(&self, id: ListenerId) -> Option<&Arc<TcpConfig>> {
        self.known(id).map(|l| &l.tcp)
    }

    pub(super) fn limits(&self, id: ListenerId) -> Option<&Backlog> {
        self.known(id).map(|l| &l.limits)
    }

    /// A listener for a local endpoint: one on exactly this address before a wildcard, one of its
    /// family before one of both. Of several that share the address, the one at `spread` of 2^32
    /// of the way; it is asked for only then.
    fn find(&self, local: Endpoint, spread: impl FnOnce() -> u32) -> Option<ListenerId> {
        let ids = self.by_port.get(&local.port)?;
        let rank = |id: &ListenerId| self.known(*id).and_then(|l| l.bound.rank(local.ip));
        let best = ids.iter().filter_map(rank).min()?;
        let fit = || ids.iter().filter(|id| rank(id) == Some(best));
        match fit().count() as u64 {
            1 => fit().next().copied(),
            many => fit().nth(((many * u64::from(spread())) >> 32) as usize).copied(),
        }
    }

    /// What becomes of a request to a listener.
    pub(super) fn admit(&self, id: ListenerId) -> Result<Admission, PacketDrop> {
        let l = self.known(id).ok_or(PacketDrop::NoConnection)?;
        Ok(l.limits.on_syn(l.queue.len(), l.cell.has_room()))
    }

    pub(super) fn keeps_proven(&self, id: ListenerId) -> bool {
        self.known(id).is_some_and(|l| l.limits.keeps_proven(l.queue.len()))
    }

    pub(super) fn ids(&self) -> Vec<ListenerId> {
        self.by_port.values().flatten().copied().collect()
    }

    pub(super) fn row(&self, place: usize, filter: &Filter) -> Option<ConnectionRow> {
        let l = self.slots.get(place)?;
        listener_row(&l.cell, l.queue.len(), filter)
    }

    pub(super) fn places(&self) -> usize {
        self.slots.capacity()
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

impl Stack {
    /// Listens on an address (RFC 9293 3.10.1, passive open). Port 0 chooses one; see
    /// [`listener_addr`](Self::listener_addr).
    ///
    /// # Errors
    /// If the address is not the stack's, or the port is taken.
    pub fn listen(
        &mut self,
        addr: std::net::SocketAddr,
        options: ListenOptions,
    ) -> Result<ListenerId, ListenError> {
        let share = BindOptions { reuse_addr: true, reuse_port: options.reuse_port };
        let (ip, v6_only) = (addr.ip(), options.v6_only);
        let bound = Bound { ip, v6_only, share, listening: true };
        let local = if options.bound {
            self.bound_listens(addr.port(), bound)?;
            Endpoint::from(addr)
        } else {
            self.bind_as(addr.port(), bound)?
        };
        let backlog = options.backlog.min(self.config.somaxconn);
        let l = &mut self.listeners;
        l.generation = l.generation.wrapping_add(1);
        let id = ListenerId { slot: l.slots.vacant_key() as u32, generation: l.generation };
        l.slots.insert(Listener {
            cell: ListenerCell::new(local, backlog),
            generation: id.generation,
            bound,
            limits: options.limits(&self.config),
            queue: SynQueue::new(),
            tcp: options.numbers(&self.tcp),
        });
        l.by_port.entry(local.port).or_default().push(id);
        Ok(id)
    }

    /// What accepted connections start with.
    pub fn listener_options(&self, id: ListenerId) -> Option<&SocketOptions> {
        self.listeners.tcp(id).map(|tcp| &tcp.options)
    }

    /// Changes what connections start with that are not established yet.
    pub fn set_listener_options(
        &mut self,
        id: ListenerId,
        change: impl FnOnce(&mut SocketOptions),
    ) {
        if let Some(l) = self.listeners.listener(id) {
            change(&mut Arc::make_mut(&mut l.tcp).options);
        }
    }

    /// The shared side of a listener, for tasks that accept.
    pub fn listener_cell(&self, id: ListenerId) -> Option<Arc<ListenerCell>> {
        self.listeners.cell(id).cloned()
    }

    /// Stops listening: half-open records go, connections that nobody accepted are reset,
    /// accepted ones are left alone.
    pub fn close_listener(&mut self, id: ListenerId) {
        if self.listeners.listener(id).is_none() {
            return;
        }
        self.clear_syn_queue(id);
        let listener = self.listeners.slots.remove(id.slot as usize);
        let local = listener.cell.local();
        if let Some(ids) = self.listeners.by_port.get_mut(&local.port) {
            ids.retain(|i| *i != id);
            if ids.is_empty() {
                self.listeners.by_port.remove(&local.port);
            }
        }
        self.unbind_listener(local);
        for cell in listener.cell.close() {
            cell.abort();
        }
    }

    /// The listener that a peer's segments without an owner go to.
    pub(super) fn listener_for(&self, tuple: &Tuple) -> Option<ListenerId> {
        self.listeners.find(tuple.local, || self.isn.hash(tuple, 4) as u32)
    }

    /// A segment for no connection: for a listener, if it asks for one or brings back a cookie
    /// (RFC 9293 3.10.7.2).
    pub(super) fn for_listener(
        &mut self,
        now: Instant,
        tuple: &Tuple,
        seg: &Segment<'_>,
    ) -> Result<(), PacketDrop> {
        let Some(id) = self.listener_for(tuple) else { return self.refuse(tuple, seg) };
        if Self::is_request(seg) {
            return match self.listeners.admit(id)? {
                Admission::Record => {
                    self.insert_half_open(now, id, tuple, seg, None);
                    Ok(())
                }
                Admission::Cookie => self.answer_with_cookie(now, id, tuple, seg),
                Admission::SynQueueFull => Err(PacketDrop::SynQueueFull),
                Admission::AcceptQueueFull => Err(PacketDrop::AcceptQueueFull),
            };
        }
        if !seg.flags.intersects(Flags::SYN | Flags::ACK | Flags::RST) {
            // RFC 9293 3.10.7.2, fourth: neither request nor answer to one; as Linux, no reset.
            self.drop_segment(tuple, seg, DropReason::NoAck);
            return Ok(());
        }
        if self.may_be_cookie(now, id, seg) {
            return self.on_cookie(now, id, tuple, seg);
        }
        self.refuse(tuple, seg)
    }

    /// Whether a request that takes a TIME-WAIT record's place gets a half-open record. A cookie
    /// can't promise a number beyond the old one's: as on Linux there is a record then.
    pub(super) fn admit_successor(&self, id: ListenerId) -> Result<(), PacketDrop> {
        match self.listeners.admit(id)? {
            Admission::Record => Ok(()),
            Admission::Cookie if self.listeners.keeps_proven(id) => Ok(()),
            Admission::Cookie | Admission::SynQueueFull => Err(PacketDrop::SynQueueFull),
            Admission::AcceptQueueFull => Err(PacketDrop::AcceptQueueFull),
        }
    }

    /// A request becomes a half-open record, for a listener that has admitted it. `least_isn` is
    /// the least initial sequence number of a successor.
    pub(super) fn insert_half_open(
        &mut self,
        now: Instant,
        listener: ListenerId,
        tuple: &Tuple,
        seg: &Segment<'_>,
        least_isn: Option<SeqNum>,
    ) {
        let Some(tcp) = self.listeners.tcp(listener).cloned() else { return };
        let isn = self.isn.isn(now, tuple);
        let open = OpenParams {
            tuple: *tuple,
            isn: least_isn.map_or(isn, |least| isn.max(least)),
            timestamp_offset: self.isn.timestamp_offset(tuple),
            mtu: self.mtu_to(tuple),
        };
        let budget = self.config.syn_text_budget.saturating_sub(self.half_open.text);
        let record = HalfOpen::on_syn(now, open, seg, budget.min(1460), &tcp);
        let answer = record.syn_ack(now, &tcp);
        self.queue_half_open(listener, record);
        self.counters.syns += 1;
        observe::request_received(tuple);
        self.answer_as(tuple, answer, &tcp.options);
    }

    pub(super) fn send_syn_ack_again(&mut self, now: Instant, slot: u32, tcp: &TcpConfig) {
        let Some(e) = self.half_open.get(slot) else { return };
        let (tuple, answer) = (e.record.tuple, e.record.syn_ack(now, tcp));
        self.counters.syn_ack_retransmissions += 1;
        self.answer_as(&tuple, answer, &tcp.options);
    }

    /// What becomes of the last ACK of a handshake with a listener.
    pub(super) fn completion(&self, id: ListenerId) -> Result<Completion, PacketDrop> {
        let l = self.listeners.known(id).ok_or(PacketDrop::NoConnection)?;
        let next = l.limits.on_last_ack(l.cell.has_room());
        if next == Completion::Queue && self.connections.len() >= self.config.max_connections {
            return Err(PacketDrop::TooManyConnections);
        }
        Ok(next)
    }

    /// The last ACK of a handshake: the record becomes a connection in the accept queue, if there
    /// is room; otherwise, as on Linux, the ACK is dropped and the SYN-ACK will be sent again, or
    /// the peer is reset.
    pub(super) fn promote(
        &mut self,
        now: Instant,
        slot: u32,
        tuple: &Tuple,
        seg: &Segment<'_>,
        piece: u16,
    ) -> Result<(), PacketDrop> {
        let Some(e) = self.half_open.get(slot) else { return Ok(()) };
        let id = e.listener;
        match self.completion(id)? {
            Completion::Queue => {
                let Some(record) = self.take_half_open(slot) else { return Ok(()) };
                self.establish(now, id, record, seg, piece)
            }
            Completion::Drop => {
                if let Some(e) = self.half_open.get_mut(slot) {
                    e.record.on_overflow();
                }
                Err(PacketDrop::AcceptQueueFull)
            }
            Completion::Reset => {
                self.take_half_open(slot);
                self.send_reset(tuple, seg);
                Err(PacketDrop::AcceptQueueFull)
            }
        }
    }

    /// A handshake is complete with `seg`, and there is room.
    pub(super) fn establish(
        &mut self,
        now: Instant,
        id: ListenerId,
        record: HalfOpen,
        seg: &Segment<'_>,
        piece: u16,
    ) -> Result<(), PacketDrop> {
        let Some(l) = self.listeners.known(id) else { return Ok(()) };
        let (queue, tcp) = (l.cell.clone(), l.tcp.clone());
        let tuple = record.tuple;
        let mtu = self.mtu_to(&tuple);
        let mut conn = Connection::from_half_open(now, record, mtu, tcp);
        self.limit_path(now, &mut conn);
        let cell = self.insert_connection(conn);
        self.counters.passive_opens += 1;
        let id = cell.id();
        cell.inherit_label(queue.label());
        observe::established(id, &tuple);
        let result = self.for_connection(now, id, &tuple, seg, piece);
        if let Err(cell) = queue.push(cell) {
            cell.abort();
        }
        result
    }

    /// Puts a connection into the tables.
    pub(super) fn insert_connection(&mut self, mut conn: Connection) -> Arc<ConnCell> {
        self.budget.admit(&mut conn);
        let id = self.connections.vacant();
        let (tuple, state) = (conn.tuple(), conn.state());
        let cell = ConnCell::new(id, conn, self.ready.clone());
        let entry = ConnEntry {
            cell: cell.clone(),
            timer: None,
            active: false,
            reachable: true,
            orphan: false,
            awaits_memory: false,
            state,
        };
        self.connections.insert(entry);
        self.demux.insert(&tuple, Owner::Connection(id));
        self.ports.hold_connection(tuple.local.port);
        cell
    }
}
