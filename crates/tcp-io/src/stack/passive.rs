//! Who listens, and how does a SYN become a connection? Listeners, their SYN and accept queues
//! (RFC 9293 3.10.1, 3.10.7.2; MUST-41, MUST-42).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use slab::Slab;
use tcp_core::config::SocketOptions;
use tcp_core::connection::{Connection, OpenParams, State};
use tcp_core::listen::HalfOpen;
use tcp_core::wire::Segment;
use tcp_core::{Endpoint, Instant, SeqNum, Tuple};

use super::counters::PacketDrop;
use super::ip::IpOptions;
use super::ports::{BindError, Bound};
use super::tables::{ConnEntry, HalfOpenEntry, Owner, Token};
use super::{ConnectionRow, Stack};
use crate::cell::{ConnCell, ListenerCell};

/// Names a listener of one stack.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListenerId {
    slot: u32,
    generation: u32,
}

/// How to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenOptions {
    /// Connections that may wait to be accepted, capped by `somaxconn`. As on Linux the queue
    /// holds one more, so that 0 lets one wait.
    pub backlog: usize,
    /// Half-open records at most; `None`: the stack's `max_syn_backlog`.
    pub syn_backlog: Option<usize>,
    /// A listener on the unspecified IPv6 address takes IPv6 only.
    pub v6_only: bool,
    /// The port was bound before, with [`Stack::bind`].
    pub bound: bool,
    /// What accepted connections start with; `None`: the stack's options.
    pub options: Option<SocketOptions>,
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: 128,
            syn_backlog: None,
            v6_only: false,
            bound: false,
            options: None,
        }
    }
}

/// Listening is impossible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenError {
    /// The address or port cannot be had.
    Bind(BindError),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Bind(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ListenError {}

impl From<BindError> for ListenError {
    fn from(e: BindError) -> ListenError {
        ListenError::Bind(e)
    }
}

#[derive(Debug)]
struct Listener {
    cell: Arc<ListenerCell>,
    generation: u32,
    v6_only: bool,
    half_open: usize,
    syn_backlog: usize,
    options: Option<SocketOptions>,
}

impl Listener {
    fn bound(&self) -> Bound {
        Bound { ip: self.cell.local().ip, v6_only: self.v6_only }
    }
}

#[derive(Debug, Default)]
pub(super) struct Listeners {
    slots: Slab<Listener>,
    by_port: HashMap<u16, Vec<ListenerId>>,
    generation: u32,
}

impl Listeners {
    fn listener(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.slots.get_mut(id.slot as usize).filter(|l| l.generation == id.generation)
    }

    pub(super) fn cell(&self, id: ListenerId) -> Option<&Arc<ListenerCell>> {
        let l = self.slots.get(id.slot as usize)?;
        (l.generation == id.generation).then_some(&l.cell)
    }

    /// The listener for a local endpoint: one on exactly this address before a wildcard.
    fn find(&self, local: Endpoint) -> Option<ListenerId> {
        let ids = self.by_port.get(&local.port)?;
        let takes = |id: &&ListenerId, exact: bool| {
            let Some(l) = self.slots.get(id.slot as usize) else { return false };
            let at = l.bound();
            if exact { at.ip == local.ip } else { at.covers(local.ip) }
        };
        ids.iter()
            .find(|id| takes(id, true))
            .or_else(|| ids.iter().find(|id| takes(id, false)))
            .copied()
    }

    /// The listener that takes a request for a local endpoint, or why it can't; none if nobody
    /// listens there.
    pub(super) fn admit(&self, local: Endpoint) -> Option<Result<ListenerId, PacketDrop>> {
        let id = self.find(local)?;
        let l = self.slots.get(id.slot as usize)?;
        Some(if !l.cell.has_room() {
            Err(PacketDrop::AcceptQueueFull)
        } else if l.half_open >= l.syn_backlog {
            Err(PacketDrop::SynQueueFull)
        } else {
            Ok(id)
        })
    }

    /// What packets for the listener of a local endpoint must have left of their hops.
    pub(super) fn min_hop_limit(&self, local: Endpoint) -> u8 {
        let listener = self.find(local).and_then(|id| self.slots.get(id.slot as usize));
        listener.and_then(|l| l.options.as_ref()).map_or(0, |o| o.min_hop_limit)
    }

    /// The IP header of a listener's answers, if it has options of its own.
    pub(super) fn ip_options(&self, id: ListenerId) -> Option<IpOptions> {
        let l = self.slots.get(id.slot as usize).filter(|l| l.generation == id.generation)?;
        l.options.as_ref().map(IpOptions::from)
    }

    pub(super) fn ids(&self) -> Vec<ListenerId> {
        self.by_port.values().flatten().copied().collect()
    }

    pub(super) fn rows(&self) -> Vec<ConnectionRow> {
        let row = |(_, l): (usize, &Listener)| ConnectionRow {
            local: l.cell.local(),
            remote: None,
            state: State::Listen,
            receive_queue: l.cell.queued(),
            send_queue: l.cell.backlog(),
            timers: Vec::new(),
            info: None,
        };
        self.slots.iter().map(row).collect()
    }

    pub(super) fn half_open_gone(&mut self, id: ListenerId) {
        if let Some(l) = self.listener(id) {
            l.half_open -= 1;
        }
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
        let wanted = Bound { ip: addr.ip(), v6_only: options.v6_only };
        let local = if options.bound {
            Endpoint::from(addr)
        } else {
            self.bind_as(addr.port(), wanted, true)?
        };
        let clash = self.listeners.by_port.get(&local.port).is_some_and(|ids| {
            ids.iter()
                .filter_map(|id| self.listeners.slots.get(id.slot as usize))
                .any(|l| l.bound().clashes(wanted))
        });
        if clash {
            if !options.bound {
                self.unbind(local);
            }
            return Err(ListenError::Bind(BindError::InUse));
        }
        let l = &mut self.listeners;
        l.generation = l.generation.wrapping_add(1);
        let id = ListenerId { slot: l.slots.vacant_key() as u32, generation: l.generation };
        let backlog = options.backlog.min(self.config.somaxconn);
        l.slots.insert(Listener {
            cell: ListenerCell::new(local, backlog),
            generation: id.generation,
            v6_only: options.v6_only,
            half_open: 0,
            syn_backlog: options.syn_backlog.unwrap_or(self.config.max_syn_backlog),
            options: options.options,
        });
        l.by_port.entry(local.port).or_default().push(id);
        Ok(id)
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
        let listener = self.listeners.slots.remove(id.slot as usize);
        let local = listener.cell.local();
        if let Some(ids) = self.listeners.by_port.get_mut(&local.port) {
            ids.retain(|i| *i != id);
            if ids.is_empty() {
                self.listeners.by_port.remove(&local.port);
            }
        }
        self.unbind(local);
        let orphans: Vec<u32> = self
            .half_open
            .slots
            .iter()
            .filter(|(_, e)| e.listener == id)
            .map(|(slot, _)| slot as u32)
            .collect();
        for slot in orphans {
            self.remove_half_open(slot);
        }
        for cell in listener.cell.close() {
            cell.abort();
        }
    }

    /// A segment for no connection: for a listener, if it asks for one (RFC 9293 3.10.7.2).
    pub(super) fn for_listener(
        &mut self,
        now: Instant,
        tuple: &Tuple,
        seg: &Segment<'_>,
    ) -> Result<(), PacketDrop> {
        let found = if Self::is_request(seg) { self.listeners.admit(tuple.local) } else { None };
        let Some(admitted) = found else { return self.refuse(tuple, seg) };
        self.insert_half_open(now, admitted?, tuple, seg, None);
        Ok(())
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
        if let Some(l) = self.listeners.listener(listener) {
            l.half_open += 1;
        }
        let isn = self.isn.isn(now, tuple);
        let open = OpenParams {
            tuple: *tuple,
            isn: least_isn.map_or(isn, |least| isn.max(least)),
            timestamp_offset: self.isn.timestamp_offset(tuple),
            mtu: self.mtu_to(tuple),
        };
        let budget = self.config.syn_text_budget.saturating_sub(self.half_open.text);
        let record = HalfOpen::on_syn(now, open, seg, budget.min(1460), &self.tcp);
        self.half_open.text += record.early_len();
        let slot = self.half_open.slots.vacant_key() as u32;
        let timer = self.wheel.insert(record.deadline(), Token::HalfOpen(slot));
        self.demux.insert(tuple, Owner::HalfOpen(slot));
        let answer = record.syn_ack(now, &self.tcp);
        self.half_open.slots.insert(HalfOpenEntry { record, listener, timer });
        self.counters.syns += 1;
        self.answer_for(listener, tuple, answer);
    }

    /// The last ACK of a handshake: the record becomes a connection in the accept queue, if there
    /// is room; otherwise the ACK is dropped and the SYN-ACK will be sent again, as on Linux.
    pub(super) fn promote(
        &mut self,
        now: Instant,
        slot: u32,
        tuple: &Tuple,
        seg: &Segment<'_>,
        piece: u16,
    ) -> Result<(), PacketDrop> {
        let Some(e) = self.half_open.slots.get(slot as usize) else { return Ok(()) };
        let id = e.listener;
        let Some(listener) = self.listeners.cell(id).cloned() else { return Ok(()) };
        let options = self.listeners.listener(id).and_then(|l| l.options.clone());
        if !listener.has_room() {
            return Err(PacketDrop::AcceptQueueFull);
        }
        if self.connections.len() >= self.config.max_connections {
            return Err(PacketDrop::TooManyConnections);
        }
        let Some(record) = self.take_half_open(slot) else { return Ok(()) };
        let mtu = self.mtu_to(tuple);
        let mut conn = Connection::from_half_open(now, record, mtu, self.tcp.clone());
        if let Some(o) = options {
            conn.set_options(now, |to| *to = o);
        }
        self.limit_path(now, &mut conn);
        let cell = self.insert_connection(conn);
        self.counters.passive_opens += 1;
        let id = cell.id();
        let result = self.for_connection(now, id, tuple, seg, piece);
        if let Err(cell) = listener.push(cell) {
            cell.abort();
        }
        result
    }

    /// Puts a connection into the tables.
    pub(super) fn insert_connection(&mut self, conn: Connection) -> Arc<ConnCell> {
        let id = self.connections.vacant();
        let tuple = conn.tuple();
        let cell = ConnCell::new(id, conn, self.ready.clone());
        let entry = ConnEntry { cell: cell.clone(), timer: None, active: false, reachable: true };
        self.connections.insert(entry);
        self.demux.insert(&tuple, Owner::Connection(id));
        self.ports.hold_connection(tuple.local.port);
        cell
    }
}
