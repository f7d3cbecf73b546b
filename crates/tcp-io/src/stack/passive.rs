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
use super::pending::Desk;
use super::ports::{BindError, Bound};
use super::receive::Carrier;
use super::tables::{Admitted, ConnEntry, HalfOpenEntry, Owner, Token};
use super::transparent::AnyListeners;
use super::{ConnectionRow, ListenScope, PendingOptions, Stack, ip};
use crate::cell::{ConnCell, ListenerCell, RequestEnd};

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
    /// Which destinations it takes.
    pub scope: ListenScope,
    /// The application decides about each SYN before it is answered, by
    /// [`Stack::take_request`]; then there is no accept queue.
    pub pending: Option<PendingOptions>,
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: 128,
            syn_backlog: None,
            v6_only: false,
            bound: false,
            options: None,
            scope: ListenScope::Own,
            pending: None,
        }
    }
}

/// Listening is impossible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenError {
    /// The address or port cannot be had.
    Bind(BindError),
    /// A listener for any address was asked for on a certain one.
    NotUnspecified,
    /// The stack takes packets for its own addresses only; see [`Foreign`](super::Foreign).
    OwnAddressesOnly,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Bind(e) => e.fmt(f),
            ListenError::NotUnspecified => {
                f.write_str("a listener for any address listens on the unspecified one")
            }
            ListenError::OwnAddressesOnly => {
                f.write_str("this stack takes packets for its own addresses only")
            }
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
    scope: ListenScope,
    /// Where the application decides about requests.
    desk: Option<Desk>,
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
    pub(super) any: AnyListeners,
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

    pub(super) fn desk(&self, id: ListenerId) -> Option<&Desk> {
        let l = self.slots.get(id.slot as usize)?;
        if l.generation == id.generation { l.desk.as_ref() } else { None }
    }

    pub(super) fn desk_mut(&mut self, id: ListenerId) -> Option<&mut Desk> {
        self.listener(id)?.desk.as_mut()
    }

    /// The listener for a local endpoint: one on exactly this address, then a wildcard if the
    /// address is the stack's own, then one for any address.
    fn find(&self, local: Endpoint, own: bool) -> Option<ListenerId> {
        self.find_bound(local, own).or_else(|| self.any.find(local))
    }

    fn find_bound(&self, local: Endpoint, own: bool) -> Option<ListenerId> {
        let ids = self.by_port.get(&local.port)?;
        let takes = |id: &&ListenerId, exact: bool| {
            let Some(l) = self.slots.get(id.slot as usize) else { return false };
            let at = l.bound();
            if exact { at.ip == local.ip } else { own && at.covers(local.ip) }
        };
        ids.iter()
            .find(|id| takes(id, true))
            .or_else(|| ids.iter().find(|id| takes(id, false)))
            .copied()
    }

    /// The listener that takes a request for a local endpoint, or why it can't; none if nobody
    /// listens there.
    fn admit(&self, local: Endpoint, own: bool) -> Option<Result<ListenerId, PacketDrop>> {
        let id = self.find(local, own)?;
        let l = self.slots.get(id.slot as usize)?;
        Some(if !l.cell.has_room() {
            Err(PacketDrop::AcceptQueueFull)
        } else if l.half_open >= l.syn_backlog {
            Err(PacketDrop::SynQueueFull)
        } else if l.desk.as_ref().is_some_and(|d| !d.has_room()) {
            Err(PacketDrop::PendingQueueFull)
        } else {
            Ok(id)
        })
    }

    pub(super) fn ids(&self) -> Vec<ListenerId> {
        let id = |(slot, l): (usize, &Listener)| ListenerId {
            slot: slot as u32,
            generation: l.generation,
        };
        self.slots.iter().map(id).collect()
    }

    pub(super) fn rows(&self) -> Vec<ConnectionRow> {
        let row = |(_, l): (usize, &Listener)| {
            let accept_queue = || (l.cell.queued(), l.cell.backlog());
            let (receive_queue, send_queue) =
                l.desk.as_ref().map_or_else(accept_queue, Desk::queue);
            ConnectionRow {
                local: l.cell.local(),
                remote: None,
                state: State::Listen,
                receive_queue,
                send_queue,
                timers: Vec::new(),
                info: None,
            }
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
    /// If the address is not the stack's, or the port is taken; if a listener for any address
    /// names one, or the stack takes no foreign ones.
    pub fn listen(
        &mut self,
        addr: std::net::SocketAddr,
        options: ListenOptions,
    ) -> Result<ListenerId, ListenError> {
        let local = match options.scope {
            ListenScope::Own => self.reserve(addr, &options)?,
            ListenScope::Any => self.check_any(addr, &options)?,
        };
        Ok(self.insert_listener(local, options))
    }

    /// Binds an own address for a listener, unless it is bound, and looks for another listener.
    fn reserve(
        &mut self,
        addr: std::net::SocketAddr,
        options: &ListenOptions,
    ) -> Result<Endpoint, ListenError> {
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
        Ok(local)
    }

    fn insert_listener(&mut self, local: Endpoint, options: ListenOptions) -> ListenerId {
        let max_syn_backlog = self.config.max_syn_backlog;
        let l = &mut self.listeners;
        l.generation = l.generation.wrapping_add(1);
        let id = ListenerId { slot: l.slots.vacant_key() as u32, generation: l.generation };
        let backlog = options.backlog.min(self.config.somaxconn);
        l.slots.insert(Listener {
            cell: ListenerCell::new(local, backlog),
            generation: id.generation,
            v6_only: options.v6_only,
            half_open: 0,
            syn_backlog: options.syn_backlog.unwrap_or(max_syn_backlog),
            options: options.options,
            scope: options.scope,
            desk: options.pending.map(|p| Desk::new(local, p, max_syn_backlog)),
        });
        match options.scope {
            ListenScope::Own => l.by_port.entry(local.port).or_default().push(id),
            ListenScope::Any => {
                let at = Bound { ip: local.ip, v6_only: options.v6_only };
                l.any.insert(at, local.port, id);
            }
        }
        id
    }

    /// The shared side of a listener, for tasks that accept.
    pub fn listener_cell(&self, id: ListenerId) -> Option<Arc<ListenerCell>> {
        self.listeners.cell(id).cloned()
    }

    /// Stops listening: undecided requests and connections that nobody accepted are reset,
    /// half-open records go, accepted connections are left alone.
    pub fn close_listener(&mut self, id: ListenerId) {
        if self.listeners.listener(id).is_none() {
            return;
        }
        self.close_requests(id);
        let listener = self.listeners.slots.remove(id.slot as usize);
        let local = listener.cell.local();
        match listener.scope {
            ListenScope::Any => self.listeners.any.remove(local.port, id),
            ListenScope::Own => {
                if let Some(ids) = self.listeners.by_port.get_mut(&local.port) {
                    ids.retain(|i| *i != id);
                    if ids.is_empty() {
                        self.listeners.by_port.remove(&local.port);
                    }
                }
                self.unbind(local);
            }
        }
        let orphans: Vec<u32> = self
            .half_open
            .slots
            .iter()
            .filter(|(_, e)| e.listener == id)
            .map(|(slot, _)| slot as u32)
            .collect();
        for slot in orphans {
            self.remove_half_open(slot, RequestEnd::Closed);
        }
        if let Some(desk) = &listener.desk {
            // Nothing is left in it: this wakes who waits.
            desk.cell.close();
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
        from: &Carrier<'_>,
    ) -> Result<(), PacketDrop> {
        let request = Self::is_request(seg);
        let found = if request { self.admit_to_listener(tuple.local) } else { None };
        let Some(admitted) = found else { return self.refuse(tuple, seg) };
        self.on_request(now, admitted?, tuple, seg, from, None);
        Ok(())
    }

    /// The listener that takes a request, or why it can't; none if nobody listens there.
    pub(super) fn admit_to_listener(
        &self,
        local: Endpoint,
    ) -> Option<Result<ListenerId, PacketDrop>> {
        self.listeners.admit(local, self.is_local(local.ip))
    }

    /// A request becomes a half-open record, for a listener that has admitted it. `least_isn` is
    /// the least initial sequence number of a successor; `admitted` is who waits for it, if not
    /// the accept queue.
    pub(super) fn insert_half_open(
        &mut self,
        now: Instant,
        listener: ListenerId,
        tuple: &Tuple,
        seg: &Segment<'_>,
        least_isn: Option<SeqNum>,
        admitted: Option<Box<Admitted>>,
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
        let options = self.passive_options(listener, admitted.as_deref());
        let options = options.unwrap_or(&self.tcp.options);
        let mut record = HalfOpen::on_syn(now, open, seg, budget.min(1460), &self.tcp);
        if let Some(octets) = options.receive_buffer {
            record.set_receive_buffer(octets, &self.tcp);
        }
        let ip = IpOptions { hop_limit: options.hop_limit, traffic_class: options.traffic_class };
        self.half_open.text += record.early_len();
        let slot = self.half_open.slots.vacant_key() as u32;
        let timer = self.wheel.insert(record.deadline(), Token::HalfOpen(slot));
        self.demux.insert(tuple, Owner::HalfOpen(slot));
        let answer = record.syn_ack(now, &self.tcp);
        self.half_open.slots.insert(HalfOpenEntry { record, listener, timer, ip, admitted });
        self.counters.syns += 1;
        self.answer(ip::build_bare(tuple, answer, ip));
    }

    /// What a connection of a listener starts with, if not with the stack's options.
    fn passive_options<'a>(
        &'a self,
        listener: ListenerId,
        of: Option<&'a Admitted>,
    ) -> Option<&'a SocketOptions> {
        let of = of.and_then(|a| a.options.as_ref());
        let listener = self.listeners.slots.get(listener.slot as usize);
        of.or(listener.and_then(|l| l.options.as_ref()))
    }

    /// The last ACK of a handshake: the record becomes a connection in the accept queue, if there
    /// is room; otherwise the ACK is dropped and the SYN-ACK will be sent again, as on Linux.
    pub(super) fn promote(
        &mut self,
        now: Instant,
        slot: u32,
        tuple: &Tuple,
        seg: &Segment<'_>,
        from: &Carrier<'_>,
    ) -> Result<(), PacketDrop> {
        let Some(e) = self.half_open.slots.get(slot as usize) else { return Ok(()) };
        let id = e.listener;
        let Some(listener) = self.listeners.cell(id).cloned() else { return Ok(()) };
        let options = self.passive_options(id, e.admitted.as_deref()).cloned();
        if e.admitted.is_none() && !listener.has_room() {
            return Err(PacketDrop::AcceptQueueFull);
        }
        if self.connections.len() >= self.config.max_connections {
            return Err(PacketDrop::TooManyConnections);
        }
        let Some(HalfOpenEntry { record, admitted, .. }) = self.take_half_open(slot) else {
            return Ok(());
        };
        let mtu = self.mtu_to(tuple);
        let mut conn = Connection::from_half_open(now, record, mtu, self.tcp.clone());
        if let Some(o) = options {
            conn.set_options(now, |to| *to = o);
        }
        let cell = self.insert_connection(conn);
        self.counters.passive_opens += 1;
        let id = cell.id();
        let result = self.for_connection(now, id, tuple, seg, from);
        let unwanted = match admitted {
            Some(a) => a.cell.establish(cell),
            None => listener.push(cell),
        };
        if let Err(cell) = unwanted {
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
