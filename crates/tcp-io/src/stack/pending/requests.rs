//! Where does a request wait for its decision? The table of undecided requests, a listener's desk,
//! and how a request comes and goes (RFC 9293 3.10.7.2).

use std::sync::Arc;

use slab::Slab;
use tcp_core::listen::PeerSyn;
use tcp_core::wire::{Flags, Segment};
use tcp_core::{Instant, SeqNum, Tuple, reset};

use super::{PendingOptions, Rejection};
use crate::cell::{ListenerCell, Request, RequestCell, RequestEnd};
use crate::stack::counters::PacketDrop;
use crate::stack::receive::Carrier;
use crate::stack::tables::{Owner, Token};
use crate::stack::{ListenerId, Stack, ip};
use crate::wheel::TimerKey;

/// Octets of SYN text that a request keeps at most, as a half-open record does.
const TEXT: usize = 1460;

/// A listener's side of it.
#[derive(Debug)]
pub(in crate::stack) struct Desk {
    pub(in crate::stack) cell: Arc<ListenerCell<Arc<RequestCell>>>,
    options: PendingOptions,
    undecided: usize,
}

impl Desk {
    pub(in crate::stack) fn new(
        local: tcp_core::Endpoint,
        options: PendingOptions,
        most: usize,
    ) -> Desk {
        let max_undecided = options.max_undecided.min(most).max(1);
        let cell = ListenerCell::new(local, max_undecided);
        Desk { cell, options: PendingOptions { max_undecided, ..options }, undecided: 0 }
    }

    pub(in crate::stack) fn has_room(&self) -> bool {
        self.undecided < self.options.max_undecided
    }

    /// Undecided requests, and how many there may be.
    pub(in crate::stack) fn queue(&self) -> (usize, usize) {
        (self.undecided, self.options.max_undecided)
    }
}

/// A SYN as it arrived, for an ICMP message to quote and for the answer.
#[derive(Debug)]
pub(in crate::stack) struct PacketHead {
    pub(in crate::stack) tuple: Tuple,
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

    pub(in crate::stack) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The segment, without the text that was not kept and what follows it.
    pub(super) fn segment(&self) -> Option<Segment<'_>> {
        let mut seg = Segment::parse(self.bytes.get(self.segment..)?).ok()?;
        if seg.seq_len() != self.seq_len {
            seg.flags = seg.flags.without(Flags::FIN);
        }
        Some(seg)
    }
}

#[derive(Debug)]
pub(super) struct RequestEntry {
    pub(super) cell: Arc<RequestCell>,
    pub(super) listener: ListenerId,
    pub(super) packet: PacketHead,
    /// Least initial sequence number of a successor of a TIME-WAIT record.
    pub(super) least_isn: Option<SeqNum>,
    timer: TimerKey,
}

/// Undecided requests in slots.
#[derive(Debug, Default)]
pub(in crate::stack) struct Requests {
    slots: Slab<RequestEntry>,
}

impl Requests {
    pub(in crate::stack) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(in crate::stack) fn tuple_at(&self, place: usize) -> Option<&Tuple> {
        self.slots.get(place).map(|e| &e.packet.tuple)
    }

    /// No slot at or beyond this is taken.
    pub(in crate::stack) fn places(&self) -> usize {
        self.slots.capacity()
    }

    /// The slot of a request, if it is undecided.
    pub(super) fn slot_of(&self, cell: &RequestCell) -> Option<u32> {
        let e = self.slots.get(cell.slot as usize)?;
        std::ptr::eq(&*e.cell, cell).then_some(cell.slot)
    }

    fn of(&self, listener: ListenerId) -> Vec<u32> {
        let all = self.slots.iter().filter(|(_, e)| e.listener == listener);
        all.map(|(slot, _)| slot as u32).collect()
    }
}

impl Stack {
    /// A request for a listener that has admitted it into its queues: answered at once, or left to
    /// the application.
    pub(in crate::stack) fn on_request(
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
    pub(in crate::stack) fn for_request(
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

    pub(in crate::stack) fn request_timeout(&mut self, now: Instant, slot: u32) {
        let Some(e) = self.requests.slots.get(slot as usize) else { return };
        let desk = self.listeners.desk(e.listener);
        let how = desk.map_or(Rejection::Reset, |d| d.options.on_timeout);
        self.counters.request_timeouts += 1;
        self.remove_request(now, slot, RequestEnd::Expired, how);
    }

    /// A listener is closed: what nobody has decided is refused.
    pub(in crate::stack) fn close_requests(&mut self, listener: ListenerId) {
        for slot in self.requests.of(listener) {
            self.reset_request(slot, RequestEnd::Closed);
        }
    }

    pub(super) fn remove_request(
        &mut self,
        now: Instant,
        slot: u32,
        why: RequestEnd,
        how: Rejection,
    ) {
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
    pub(super) fn take_request_entry(&mut self, slot: u32) -> Option<RequestEntry> {
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
