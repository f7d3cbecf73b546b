//! How does a SYN become a connection? Opening and closing listeners, and what a segment for one
//! means; the table is in `listeners`, half-open records in `syn_queue` (RFC 9293 3.10.1,
//! 3.10.7.2; MUST-41, MUST-42).

use std::sync::Arc;

use tcp_core::config::{SocketOptions, TcpConfig};
use tcp_core::connection::{Connection, OpenParams};
use tcp_core::error::DropReason;
use tcp_core::listen::{Admission, Completion, HalfOpen};
use tcp_core::wire::{Flags, Segment};
use tcp_core::{Endpoint, Instant, SeqNum, Tuple};

use super::counters::PacketDrop;
use super::listeners::ListenerId;
use super::ports::{BindOptions, Bound};
use super::receive::Carrier;
use super::syn_queue::Admitted;
use super::tables::{ConnEntry, Owner};
use super::{ListenError, ListenOptions, ListenScope, Stack, observe};
use crate::cell::{ConnCell, ListenerCell, RequestEnd};

impl Stack {
    /// Listens on an address (RFC 9293 3.10.1, passive open). Port 0 chooses one; see
    /// [`listener_addr`](Self::listener_addr).
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let web = a.listen("0.0.0.0:80".parse()?, ListenOptions::default())?;
    /// let again = a.listen("10.0.0.1:80".parse()?, ListenOptions::default());
    /// assert_eq!(again, Err(ListenError::Bind(BindError::InUse)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the address is not the stack's, or the port is taken; if a listener for any address
    /// names one, or the stack takes no foreign ones.
    pub fn listen(
        &mut self,
        addr: std::net::SocketAddr,
        options: ListenOptions,
    ) -> Result<ListenerId, ListenError> {
        let share = BindOptions { reuse_addr: true, reuse_port: options.reuse_port };
        let (ip, v6_only) = (addr.ip(), options.v6_only);
        let bound = Bound { ip, v6_only, share, listening: true };
        let local = match options.scope {
            ListenScope::Any => self.check_any(addr.port(), bound, &options)?,
            ListenScope::Own if options.bound => {
                self.bound_listens(addr.port(), bound)?;
                Endpoint::from(addr)
            }
            ListenScope::Own => self.bind_as(addr.port(), bound)?,
        };
        Ok(self.listeners.insert(local, bound, &options, (&self.config, &self.tcp)))
    }

    /// What accepted connections start with.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let listener = a.listen("10.0.0.1:80".parse()?, ListenOptions::default())?;
    /// assert_eq!(a.listener_options(listener).unwrap().hop_limit, 64);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn listener_options(&self, id: ListenerId) -> Option<&SocketOptions> {
        self.listeners.tcp(id).map(|tcp| &tcp.options)
    }

    /// Changes what connections start with that are not established yet.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let listener = b.listen("10.0.0.2:80".parse()?, ListenOptions::default())?;
    /// b.set_listener_options(listener, |o| o.nodelay = true);
    /// a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
    /// carry(now, &mut a, &mut b);
    /// let server = b.accept(listener)?.unwrap();
    /// assert!(b.options(server).unwrap().nodelay);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let listener = b.listen("10.0.0.2:80".parse()?, ListenOptions::default())?;
    /// a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
    /// carry(now, &mut a, &mut b);
    /// // A task accepts without the stack.
    /// let cell = b.listener_cell(listener).unwrap();
    /// assert_eq!((cell.queued(), cell.backlog()), (1, 128));
    /// let server = cell.try_accept()?.unwrap();
    /// assert_eq!(server.state(), State::Established);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn listener_cell(&self, id: ListenerId) -> Option<Arc<ListenerCell>> {
        self.listeners.cell(id).cloned()
    }

    /// Stops listening: undecided requests and connections that nobody accepted are reset,
    /// half-open records go, accepted connections are left alone.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// let waits = a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
    /// carry(now, &mut a, &mut b);
    /// b.close_listener(listener);
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.take_error(waits), Some(TakenError::Ended(End::Reset)));
    /// assert_eq!(b.state(server), State::Established); // accepted before
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close_listener(&mut self, id: ListenerId) {
        self.close_requests(id);
        self.clear_syn_queue(id);
        let Some(listener) = self.listeners.remove(id) else { return };
        if listener.scope == ListenScope::Own {
            self.unbind_listener(listener.cell.local());
        }
        if let Some(desk) = &listener.desk {
            // Nothing is left in it: this wakes who waits.
            desk.cell.close();
        }
        for cell in listener.cell.close() {
            cell.abort();
        }
    }

    /// The listener that a peer's segments without an owner go to.
    pub(super) fn listener_for(&self, tuple: &Tuple) -> Option<ListenerId> {
        let own = self.is_local(tuple.local.ip);
        self.listeners.find(tuple.local, own, || self.isn.hash(tuple, 4) as u32)
    }

    /// A segment for no connection: for a listener, if it asks for one or brings back a cookie
    /// (RFC 9293 3.10.7.2).
    pub(super) fn for_listener(
        &mut self,
        now: Instant,
        tuple: &Tuple,
        seg: &Segment<'_>,
        from: &Carrier<'_>,
    ) -> Result<(), PacketDrop> {
        let Some(id) = self.listener_for(tuple) else { return self.refuse(tuple, seg) };
        if Self::is_request(seg) {
            return match self.listeners.admit(id)? {
                Admission::Record => {
                    self.on_request(now, id, tuple, seg, from, None);
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
            return self.on_cookie(now, id, tuple, seg, from);
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
    /// the least initial sequence number of a successor; `admitted` is who waits for it, if not the
    /// accept queue.
    pub(super) fn insert_half_open(
        &mut self,
        now: Instant,
        listener: ListenerId,
        tuple: &Tuple,
        seg: &Segment<'_>,
        least_isn: Option<SeqNum>,
        admitted: Option<Admitted>,
    ) {
        let own = admitted.as_ref().and_then(|a| a.tcp.as_ref());
        let Some(tcp) = own.or_else(|| self.listeners.tcp(listener)).cloned() else { return };
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
        self.queue_half_open(listener, record, admitted);
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
        let next = self.listeners.on_last_ack(id)?;
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
        from: &Carrier<'_>,
    ) -> Result<(), PacketDrop> {
        let Some(e) = self.half_open.get(slot) else { return Ok(()) };
        let id = e.listener;
        match self.completion(id)? {
            Completion::Queue => {
                let Some((record, admitted)) = self.take_half_open(slot) else { return Ok(()) };
                self.establish(now, id, record, admitted, seg, from)
            }
            Completion::Drop => {
                if let Some(e) = self.half_open.get_mut(slot) {
                    e.record.on_overflow();
                }
                Err(PacketDrop::AcceptQueueFull)
            }
            Completion::Reset => {
                self.remove_half_open(slot, RequestEnd::Closed);
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
        admitted: Option<Admitted>,
        seg: &Segment<'_>,
        from: &Carrier<'_>,
    ) -> Result<(), PacketDrop> {
        let Some(l) = self.listeners.known(id) else { return Ok(()) };
        let queue = l.cell.clone();
        let own = admitted.as_ref().and_then(|a| a.tcp.as_ref());
        let tcp = own.unwrap_or(&l.tcp).clone();
        let saved = if l.save_syn { record.saved_syn() } else { None };
        let tuple = record.tuple;
        let mtu = self.mtu_to(&tuple);
        let mut conn = Connection::from_half_open(now, record, mtu, tcp);
        self.limit_path(now, &mut conn);
        let cell = self.insert_connection(conn);
        self.counters.passive_opens += 1;
        let id = cell.id();
        cell.inherit_label(queue.label());
        if let Some(syn) = saved {
            cell.keep_syn(syn);
        }
        observe::established(id, &tuple);
        let result = self.for_connection(now, id, &tuple, seg, from);
        let unwanted = match admitted {
            Some(a) => a.cell.establish(cell),
            None => queue.push(cell),
        };
        if let Err(cell) = unwanted {
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
