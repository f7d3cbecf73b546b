//! Who decides about a SYN before it is answered? Requests of listeners that leave it to the
//! application: admitted, reset, refused by ICMP or ignored (RFC 9293 3.10.7.2; docs/decisions/0012).

use std::sync::Arc;
use std::time::Duration;

use slab::Slab;
use tcp_core::config::{SocketOptions, TcpConfig};
use tcp_core::listen::PeerSyn;
use tcp_core::wire::{Flags, Segment};
use tcp_core::{Instant, SeqNum, Tuple, reset};

use super::counters::PacketDrop;
use super::receive::Carrier;
use super::syn_queue::Admitted;
use super::tables::{Owner, Token};
use super::{ListenerId, Stack, Unreachability, ip};
use crate::cell::{AcceptError, ListenerCell, Request, RequestCell, RequestEnd};
use crate::wheel::TimerKey;

/// Octets of SYN text that a request keeps at most, as a half-open record does.
const TEXT: usize = 1460;

/// How a connection request is turned away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rejection {
    /// With a reset: the peer's connect is refused at once.
    Reset,
    /// With an ICMP message.
    Unreachable(Unreachability),
    /// With nothing: the peer asks again, which makes a new request, or gives up.
    Ignore,
}

/// How a listener leaves the decision to the application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingOptions {
    /// Undecided requests at most, at least 1, capped by the stack's `max_syn_backlog`. A SYN
    /// beyond them is dropped and counted; its peer asks again.
    pub max_undecided: usize,
    /// How long a request may stay undecided. Linux clients give up after 127 s.
    pub timeout: Duration,
    /// What becomes of a request that nobody has decided by then.
    pub on_timeout: Rejection,
}

impl Default for PendingOptions {
    fn default() -> PendingOptions {
        PendingOptions {
            max_undecided: 1024,
            timeout: Duration::from_secs(60),
            on_timeout: Rejection::Reset,
        }
    }
}

/// A listener's side of it.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) cell: Arc<ListenerCell<Arc<RequestCell>>>,
    options: PendingOptions,
    undecided: usize,
}

impl Desk {
    pub(super) fn new(local: tcp_core::Endpoint, options: PendingOptions, most: usize) -> Desk {
        let max_undecided = options.max_undecided.min(most).max(1);
        let cell = ListenerCell::new(local, max_undecided);
        Desk { cell, options: PendingOptions { max_undecided, ..options }, undecided: 0 }
    }

    pub(super) fn has_room(&self) -> bool {
        self.undecided < self.options.max_undecided
    }

    /// Undecided requests, and how many there may be.
    pub(super) fn queue(&self) -> (usize, usize) {
        (self.undecided, self.options.max_undecided)
    }
}

/// A SYN as it arrived, for an ICMP message to quote and for the answer.
#[derive(Debug)]
pub(super) struct PacketHead {
    pub(super) tuple: Tuple,
    bytes: Box<[u8]>,
    /// Where the segment begins.
    segment: usize,
    /// Octets of text that are here.
    text_len: usize,
    /// Sequence numbers that the whole segment took.
    seq_len: u32,
}

impl PacketHead {
    /// Keeps the headers and at most `text` octets of the text.
    fn new(tuple: Tuple, from: &Carrier<'_>, seg: &Segment<'_>, text: usize) -> PacketHead {
        let end = ip::datagram_len(from.packet).min(from.packet.len());
        let dropped = seg.payload.len().saturating_sub(text);
        PacketHead {
            tuple,
            bytes: from.packet[..end.saturating_sub(dropped)].into(),
            segment: end.saturating_sub(from.segment_len),
            text_len: seg.payload.len() - dropped,
            seq_len: seg.seq_len(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The segment, without the text that was not kept and what follows it.
    fn segment(&self) -> Option<Segment<'_>> {
        let mut seg = Segment::parse(self.bytes.get(self.segment..)?).ok()?;
        if seg.seq_len() != self.seq_len {
            seg.flags = seg.flags.without(Flags::FIN);
        }
        Some(seg)
    }
}

#[derive(Debug)]
pub(super) struct RequestEntry {
    cell: Arc<RequestCell>,
    listener: ListenerId,
    packet: PacketHead,
    /// Least initial sequence number of a successor of a TIME-WAIT record.
    least_isn: Option<SeqNum>,
    timer: TimerKey,
}

/// Undecided requests in slots.
#[derive(Debug, Default)]
pub(super) struct Requests {
    slots: Slab<RequestEntry>,
}

impl Requests {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn tuple_at(&self, place: usize) -> Option<&Tuple> {
        self.slots.get(place).map(|e| &e.packet.tuple)
    }

    /// No slot at or beyond this is taken.
    pub(super) fn places(&self) -> usize {
        self.slots.capacity()
    }

    /// The slot of a request, if it is undecided.
    fn slot_of(&self, cell: &RequestCell) -> Option<u32> {
        let e = self.slots.get(cell.slot as usize)?;
        std::ptr::eq(&*e.cell, cell).then_some(cell.slot)
    }

    fn of(&self, listener: ListenerId) -> Vec<u32> {
        let all = self.slots.iter().filter(|(_, e)| e.listener == listener);
        all.map(|(slot, _)| slot as u32).collect()
    }
}

impl Stack {
    /// The shared side of a listener that leaves the decision to the application (see
    /// [`ListenOptions::pending`](super::ListenOptions::pending)); none for another one.
    pub fn request_queue(&self, id: ListenerId) -> Option<Arc<ListenerCell<Arc<RequestCell>>>> {
        self.listeners.desk(id).map(|d| d.cell.clone())
    }

    /// The next request to decide about, of a listener with
    /// [`ListenOptions::pending`](super::ListenOptions::pending).
    ///
    /// # Errors
    /// [`AcceptError::Closed`] if the listener is not there any more, or hands out connections.
    pub fn take_request(
        &mut self,
        id: ListenerId,
    ) -> Result<Option<Arc<RequestCell>>, AcceptError> {
        self.listeners.desk(id).ok_or(AcceptError::Closed)?.cell.try_accept()
    }

    /// Admits a request: the SYN-ACK is sent, and [`RequestCell::take_established`] hands out the
    /// connection when the handshake is complete. `options` hold from the SYN-ACK on; none: those
    /// of the listener.
    ///
    /// # Errors
    /// If it was decided, has expired or was withdrawn.
    pub fn admit(
        &mut self,
        now: Instant,
        request: &RequestCell,
        options: Option<SocketOptions>,
    ) -> Result<(), RequestEnd> {
        request.decide()?;
        let entry = self.requests.slot_of(request).and_then(|slot| self.take_request_entry(slot));
        let entry = entry.ok_or(RequestEnd::Closed)?;
        let RequestEntry { cell, listener, packet, least_isn, .. } = entry;
        let (Some(seg), Some(shared)) = (packet.segment(), self.listeners.tcp(listener)) else {
            // Never: it was parsed before, and goes with its listener. Nobody shall wait for it.
            request.end(RequestEnd::Closed);
            return Err(RequestEnd::Closed);
        };
        let tcp = options
            .filter(|o| *o != shared.options)
            .map(|options| Arc::new(TcpConfig { options, ..TcpConfig::clone(shared) }));
        let admitted = Some(Admitted { cell, tcp });
        self.insert_half_open(now, listener, &packet.tuple, &seg, least_isn, admitted);
        Ok(())
    }

    /// Turns a request away.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub fn reject(
        &mut self,
        now: Instant,
        request: &RequestCell,
        how: Rejection,
    ) -> Result<(), RequestEnd> {
        request.decide()?;
        let slot = self.requests.slot_of(request).ok_or(RequestEnd::Closed)?;
        self.remove_request(now, slot, RequestEnd::Decided, how);
        Ok(())
    }

    /// Nobody wants to know of a request any more: an undecided one, an unfinished handshake and
    /// a connection that nobody fetched are reset.
    pub fn abandon(&mut self, now: Instant, request: &RequestCell) {
        if let Some(slot) = self.requests.slot_of(request) {
            self.remove_request(now, slot, RequestEnd::Decided, Rejection::Reset);
            return;
        }
        if let Some(conn) = request.end(RequestEnd::Decided) {
            conn.abort();
        }
        let tuple = request.request().tuple;
        let Some(slot) = self.half_open.find(&tuple) else { return };
        let ours = self.half_open.admitted(slot).is_some_and(|a| std::ptr::eq(&*a.cell, request));
        let Some(e) = self.half_open.get(slot) else { return };
        if ours {
            let reset = e.record.reset();
            self.counters.resets_out += 1;
            self.answer_bare(&tuple, reset);
            self.remove_half_open(slot, RequestEnd::Decided);
        }
    }

    /// Undecided requests.
    pub fn request_count(&self) -> usize {
        self.requests.len()
    }

    /// A request for a listener that has admitted it into its queues: answered at once, or left to
    /// the application.
    pub(super) fn on_request(
        &mut self,
        now: Instant,
        listener: ListenerId,
        tuple: &Tuple,
        seg: &Segment<'_>,
        from: &Carrier<'_>,
        least_isn: Option<SeqNum>,
    ) {
        if self.listeners.desk(listener).is_none() {
            self.insert_half_open(now, listener, tuple, seg, least_isn, None);
            return;
        }
        let budget = self.config.syn_text_budget.saturating_sub(self.half_open.text);
        let packet = PacketHead::new(*tuple, from, seg, budget.min(TEXT));
        let slot = self.requests.slots.vacant_key() as u32;
        let (hop_limit, traffic_class) = ip::hop_and_class(from.packet);
        let syn = PeerSyn::of(seg);
        let text_len = seg.payload.len();
        let request = Request { tuple: *tuple, syn, text_len, hop_limit, traffic_class };
        let cell = RequestCell::new(slot, request);
        let Some(desk) = self.listeners.desk_mut(listener) else { return };
        desk.undecided += 1;
        let timer = self.wheel.insert(now + desk.options.timeout, Token::Request(slot));
        // There is room: a request is undecided for at least as long as it is queued.
        let _ = desk.cell.push(cell.clone());
        self.half_open.text += packet.text_len;
        self.demux.insert(tuple, Owner::Request(slot));
        self.requests.slots.insert(RequestEntry { cell, listener, packet, least_isn, timer });
        self.counters.requests += 1;
    }

    /// A segment for an undecided request: its SYN again, its end, or a mistake.
    pub(super) fn for_request(
        &mut self,
        now: Instant,
        slot: u32,
        tuple: &Tuple,
        seg: &Segment<'_>,
    ) -> Result<(), PacketDrop> {
        let irs = self.requests.slots.get(slot as usize).and_then(|e| e.packet.segment());
        let Some(irs) = irs.map(|s| s.seq) else { return Ok(()) };
        if seg.flags.contains(Flags::RST) {
            // RFC 5961 3.2: as in SYN-RECEIVED, only the exact number counts.
            if seg.seq == irs + 1 {
                self.remove_request(now, slot, RequestEnd::Withdrawn, Rejection::Ignore);
                return Ok(());
            }
        } else if !Self::is_request(seg) {
            // RFC 9293 3.10.7.2, second step: nothing was sent that could be acknowledged.
            return self.refuse(tuple, seg);
        }
        // MUST-41: a repeated SYN never makes a second request.
        Err(PacketDrop::Undecided)
    }

    pub(super) fn request_timeout(&mut self, now: Instant, slot: u32) {
        let Some(e) = self.requests.slots.get(slot as usize) else { return };
        let desk = self.listeners.desk(e.listener);
        let how = desk.map_or(Rejection::Reset, |d| d.options.on_timeout);
        self.counters.request_timeouts += 1;
        self.remove_request(now, slot, RequestEnd::Expired, how);
    }

    /// A listener is closed: what nobody has decided is refused.
    pub(super) fn close_requests(&mut self, listener: ListenerId) {
        for slot in self.requests.of(listener) {
            self.reset_request(slot, RequestEnd::Closed);
        }
    }

    fn remove_request(&mut self, now: Instant, slot: u32, why: RequestEnd, how: Rejection) {
        match how {
            Rejection::Reset => self.reset_request(slot, why),
            Rejection::Ignore => {
                self.end_request(slot, why);
            }
            Rejection::Unreachable(code) => {
                if let Some(packet) = self.end_request(slot, why) {
                    self.send_unreachable(now, &packet, code);
                }
            }
        }
    }

    fn reset_request(&mut self, slot: u32, why: RequestEnd) {
        let Some(packet) = self.end_request(slot, why) else { return };
        let Some(syn) = packet.segment() else { return };
        if let Some(r) = reset::reply_to(&syn) {
            // The whole SYN is answered, not what was kept of it.
            let r = Segment { ack: syn.seq + packet.seq_len, ..r };
            self.counters.resets_out += 1;
            self.answer_bare(&packet.tuple, r);
        }
    }

    /// Takes a request out of every table and tells who waits for it.
    fn end_request(&mut self, slot: u32, why: RequestEnd) -> Option<PacketHead> {
        let e = self.take_request_entry(slot)?;
        e.cell.end(why);
        Some(e.packet)
    }

    /// Takes a request out of every table, for a record to follow it or nothing.
    fn take_request_entry(&mut self, slot: u32) -> Option<RequestEntry> {
        let e = self.requests.slots.try_remove(slot as usize)?;
        self.wheel.cancel(e.timer);
        self.demux.remove(&e.packet.tuple, Owner::Request(slot));
        self.half_open.text -= e.packet.text_len;
        if let Some(desk) = self.listeners.desk_mut(e.listener) {
            desk.undecided -= 1;
            desk.cell.remove(|queued| Arc::ptr_eq(queued, &e.cell));
        }
        if self.requests.slots.is_empty() && self.requests.slots.capacity() > 1024 {
            self.requests.slots = Slab::new();
        }
        Some(e)
    }
}
