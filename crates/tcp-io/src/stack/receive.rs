//! A packet arrived: whose is it? From the IP header to a connection, a record, a listener, or a
//! reset (RFC 9293 3.10.7.1, 3.9.2.3).

use std::net::IpAddr;

use tcp_core::config::SocketOptions;
use tcp_core::connection::Verdict;
use tcp_core::error::DropReason;
use tcp_core::listen::{Completion, HalfOpenVerdict};
use tcp_core::wire::{Flags, Segment, checksum};
use tcp_core::{Endpoint, Instant, Tuple, reset};

use super::counters::PacketDrop;
use super::ip::IpOptions;
use super::observe::Cause;
use super::tables::Owner;
use super::{Stack, ip, observe};
use crate::cell::{ConnId, RequestEnd};
use crate::device::{RxChecksum, TxPacket};

/// What carried a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carrier<'a> {
    /// Size of the pieces the device merged, or 0.
    pub(super) piece: u16,
    /// The packet, from its IP header on.
    pub(super) packet: &'a [u8],
    /// Octets of the segment at the packet's end.
    pub(super) segment_len: usize,
}

/// What the device said about a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) checksum: RxChecksum,
    /// Size of the pieces the device merged, or 0.
    pub(super) piece: u16,
    pub(super) looped: bool,
}

impl Stack {
    /// An IP packet came from the device. `gso_size` is the size of the pieces if the device
    /// merged several segments into one.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.write(now, client, b"hello")?;
    /// let mut packet = a.poll_transmit(now).unwrap().to_vec();
    /// *packet.last_mut().unwrap() ^= 1; // damaged on its way
    /// b.receive(now, &packet, RxChecksum::Unknown, None);
    /// assert_eq!(b.counters().checksum_errors, 1);
    /// // The device has looked at the checksum already: the stack believes it.
    /// b.receive(now, &packet, RxChecksum::Good, None);
    /// let mut buf = [0; 5];
    /// b.read(now, server, &mut buf)?;
    /// assert_eq!(&buf, b"helln");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive(
        &mut self,
        now: Instant,
        packet: &[u8],
        checksum: RxChecksum,
        gso_size: Option<u16>,
    ) {
        let origin = Origin { checksum, piece: gso_size.unwrap_or(0), looped: false };
        self.receive_from(now, packet, origin);
    }

    pub(super) fn receive_loopback(&mut self, now: Instant, packet: &TxPacket) {
        let bytes = packet.to_vec();
        let origin = Origin { checksum: RxChecksum::Good, piece: 0, looped: true };
        self.receive_from(now, &bytes, origin);
    }

    fn receive_from(&mut self, now: Instant, bytes: &[u8], origin: Origin) {
        self.told = now;
        self.counters.packets_in += 1;
        if let Err(why) = self.dispatch(now, bytes, origin) {
            self.counters.drop_packet(why);
            observe::packet_dropped(bytes, why);
        }
    }

    fn dispatch(&mut self, now: Instant, bytes: &[u8], from: Origin) -> Result<(), PacketDrop> {
        let parsed = ip::parse(bytes)?;
        let (src, dst) = parsed.addresses();
        match self.check_addresses(src, dst, from.looped) {
            Ok(()) => {}
            Err(PacketDrop::NotUnicast) => return self.receive_for_all(&parsed, from),
            Err(why) => return Err(why),
        }
        match &parsed {
            ip::Parsed::Whole(p) => self.deliver(now, p, bytes, from),
            ip::Parsed::Piece(f) => self.receive_fragment(now, f, from),
        }
    }

    /// A whole packet for an address of ours.
    pub(super) fn deliver(
        &mut self,
        now: Instant,
        p: &ip::Packet<'_>,
        bytes: &[u8],
        from: Origin,
    ) -> Result<(), PacketDrop> {
        match (p.protocol, p.src) {
            (ip::TCP, _) => self.receive_tcp(now, p, bytes, from),
            (ip::UDP, _) => self.receive_udp(now, p, bytes, from),
            (ip::ICMPV4, IpAddr::V4(_)) => self.receive_icmp_v4(now, p),
            (ip::ICMPV6, IpAddr::V6(_)) => self.receive_icmp_v6(now, p),
            _ => Err(self.refuse_protocol(now, p, bytes)),
        }
    }

    fn check_addresses(&self, src: IpAddr, dst: IpAddr, looped: bool) -> Result<(), PacketDrop> {
        // MUST-57
        if dst.is_multicast() || self.is_broadcast(dst) {
            return Err(PacketDrop::NotUnicast);
        }
        self.check_source(src, looped)?;
        if !looped && dst.is_loopback() {
            return Err(PacketDrop::BadSource);
        }
        if !self.is_local(dst) {
            self.check_foreign(dst)?;
        }
        // What could not be answered is not taken (RFC 3704 2.4, loose mode).
        if self.has_route(src) { Ok(()) } else { Err(PacketDrop::NoRoute) }
    }

    /// MUST-63, RFC 1122 3.2.1.3
    pub(super) fn check_source(&self, src: IpAddr, looped: bool) -> Result<(), PacketDrop> {
        let stray = src.is_multicast() || src.is_unspecified();
        if stray || self.is_broadcast(src) || is_mapped(src) {
            return Err(PacketDrop::BadSource);
        }
        let ours = !looped && (src.is_loopback() || self.is_local(src));
        if ours { Err(PacketDrop::BadSource) } else { Ok(()) }
    }

    fn receive_tcp(
        &mut self,
        now: Instant,
        p: &ip::Packet<'_>,
        packet: &[u8],
        from: Origin,
    ) -> Result<(), PacketDrop> {
        // MUST-3; a merged or local packet has an unfinished checksum and was never on a wire.
        if from.checksum == RxChecksum::Unknown
            && !checksum::verify(p.src, p.dst, ip::TCP, p.payload)
        {
            self.counters.segments_in += 1;
            self.counters.checksum_errors += 1;
            return Err(PacketDrop::Checksum);
        }
        let parsed = Segment::parse(p.payload).map_err(|_| PacketDrop::BadSegment);
        self.counters.segments_in += pieces(&parsed, from.piece);
        let seg = parsed?;
        let tuple = Tuple {
            local: Endpoint::new(p.dst, seg.dst_port),
            remote: Endpoint::new(p.src, seg.src_port),
        };
        let owner = self.owner(&tuple);
        if p.hop_limit < self.least_hop_limit(owner, &tuple) {
            return Err(PacketDrop::HopLimit);
        }
        let from = Carrier { piece: from.piece, packet, segment_len: p.payload.len() };
        match owner {
            Some(Owner::Connection(id)) => self.for_connection(now, id, &tuple, &seg, &from),
            Some(Owner::HalfOpen(slot)) => self.for_half_open(now, slot, &tuple, &seg, &from),
            Some(Owner::TimeWait(slot)) => self.for_time_wait(now, slot, &tuple, &seg, &from),
            Some(Owner::Request(slot)) => self.for_request(now, slot, &tuple, &seg),
            None => self.for_listener(now, &tuple, &seg, &from),
        }
    }

    /// Most segments are for connections; the others pay for a second look.
    pub(super) fn owner(&self, tuple: &Tuple) -> Option<Owner> {
        let known = self.demux.find(tuple);
        let known = known.or_else(|| self.half_open.find(tuple).map(Owner::HalfOpen));
        known.or_else(|| self.time_wait.find(tuple).map(Owner::TimeWait))
    }

    /// RFC 5082 3: what a packet for this owner must have left (`IP_MINTTL`), also if it is from
    /// ourselves: so it is on Linux's loopback device.
    /// Records and what nobody owns are their listener's matter.
    fn least_hop_limit(&self, owner: Option<Owner>, tuple: &Tuple) -> u8 {
        let listener = match owner {
            Some(Owner::Connection(id)) => {
                return self.connections.cell(id).map_or(0, |c| c.min_hop_limit());
            }
            Some(Owner::HalfOpen(slot)) => self.half_open.get(slot).map(|e| e.listener),
            Some(Owner::TimeWait(_) | Owner::Request(_)) | None => self.listener_for(tuple),
        };
        let options = listener.and_then(|id| self.listener_options(id));
        options.map_or(0, |o| o.min_hop_limit)
    }

    pub(super) fn for_connection(
        &mut self,
        now: Instant,
        id: ConnId,
        tuple: &Tuple,
        seg: &Segment<'_>,
        from: &Carrier<'_>,
    ) -> Result<(), PacketDrop> {
        let Some(cell) = self.connections.cell(id) else { return Ok(()) };
        // A new SYN may come before the turn in which the record takes over.
        let record = match Self::is_request(seg) {
            true => cell.service_quietly(|c| c.hand_over_time_wait(now)),
            false => None,
        };
        if let Some(record) = record {
            self.activate(id);
            self.detach(id);
            self.insert_time_wait(record);
            return match self.owner(tuple) {
                Some(Owner::TimeWait(slot)) => self.for_time_wait(now, slot, tuple, seg, from),
                _ => self.for_listener(now, tuple, seg, from),
            };
        }
        let (verdict, state) =
            cell.service_quietly(|c| (c.on_segment(now, seg, from.piece), c.state()));
        self.activate(id);
        self.note_state(id, state, Cause::Segment(seg.flags));
        match verdict {
            Verdict::Accepted => {}
            Verdict::Dropped(why) => self.drop_segment(tuple, seg, why),
            Verdict::DroppedReset(DropReason::Ended) => {
                // It ended within this batch: the segment is for whoever comes next.
                self.detach(id);
                return self.for_listener(now, tuple, seg, from);
            }
            Verdict::DroppedReset(why) => {
                self.drop_segment(tuple, seg, why);
                self.send_reset(tuple, seg);
            }
        }
        Ok(())
    }

    fn for_half_open(
        &mut self,
        now: Instant,
        slot: u32,
        tuple: &Tuple,
        seg: &Segment<'_>,
        from: &Carrier<'_>,
    ) -> Result<(), PacketDrop> {
        let Some(tcp) = self.half_open_tcp(slot) else { return Ok(()) };
        let Some(e) = self.half_open.get_mut(slot) else { return Ok(()) };
        let listener = e.listener;
        match e.record.on_segment(now, seg, &tcp) {
            HalfOpenVerdict::Ignore(why) => self.drop_segment(tuple, seg, why),
            HalfOpenVerdict::SynAck => self.send_syn_ack_again(now, slot, &tcp),
            HalfOpenVerdict::Ack(why) => {
                let s = e.record.ack(now, &tcp);
                self.drop_segment(tuple, seg, why);
                self.answer_as(tuple, s, &tcp.options);
            }
            HalfOpenVerdict::Reset(why) => {
                // Its first SYN got a cookie, a repeated one the record; it has answered the
                // first.
                if self.may_be_cookie(now, listener, seg)
                    && self.cookie_record(now, listener, tuple, seg).is_some()
                    && self.completion(listener)? == Completion::Queue
                {
                    self.remove_half_open(slot, RequestEnd::Withdrawn);
                    return self.on_cookie(now, listener, tuple, seg, from);
                }
                self.drop_segment(tuple, seg, why);
                self.send_reset(tuple, seg);
            }
            HalfOpenVerdict::Remove => {
                self.counters.half_open_resets += 1;
                self.counters.attempt_fails += 1;
                observe::request_ended(tuple, "reset by the peer");
                self.remove_half_open(slot, RequestEnd::Withdrawn);
            }
            HalfOpenVerdict::Establish => return self.promote(now, slot, tuple, seg, from),
        }
        Ok(())
    }

    /// Nobody owns the segment: RFC 9293 3.10.7.1.
    pub(super) fn refuse(&mut self, tuple: &Tuple, seg: &Segment<'_>) -> Result<(), PacketDrop> {
        self.send_reset(tuple, seg);
        Err(PacketDrop::NoConnection)
    }

    pub(super) fn send_reset(&mut self, tuple: &Tuple, seg: &Segment<'_>) {
        if let Some(r) = reset::reply_to(seg) {
            self.counters.resets_out += 1;
            observe::reset_sent(tuple, seg);
            self.answer_bare(tuple, r);
        }
    }

    pub(super) fn drop_segment(&mut self, tuple: &Tuple, seg: &Segment<'_>, why: DropReason) {
        self.counters.drop_segment(why);
        observe::segment_dropped(tuple, seg, why);
    }

    pub(super) fn answer_bare(&mut self, tuple: &Tuple, s: Segment<'static>) {
        let options = self.ip_options();
        self.answer_with(tuple, s, options);
    }

    /// An answer with the IP options of its listener.
    pub(super) fn answer_as(&mut self, tuple: &Tuple, s: Segment<'static>, o: &SocketOptions) {
        self.answer_with(tuple, s, IpOptions::from(o));
    }

    fn answer_with(&mut self, tuple: &Tuple, s: Segment<'static>, options: IpOptions) {
        self.counters.answered();
        self.answer(ip::build_bare(tuple, s, options));
    }

    /// Whether a segment may open a connection: a SYN and nothing against it.
    pub(super) fn is_request(seg: &Segment<'_>) -> bool {
        seg.flags.contains(Flags::SYN) && !seg.flags.intersects(Flags::ACK | Flags::RST)
    }
}

/// Segments in a packet that the device merged from pieces of `size`, if that is not 0.
fn pieces<E>(segment: &Result<Segment<'_>, E>, size: u16) -> u64 {
    match segment {
        Ok(s) if size > 0 => s.payload.len().div_ceil(usize::from(size)).max(1) as u64,
        _ => 1,
    }
}

/// An IPv4-mapped address in an IPv6 header: no host has it, and the application would take the
/// peer for an IPv4 host.
fn is_mapped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(a) if a.to_ipv4_mapped().is_some())
}
