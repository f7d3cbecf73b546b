//! What is around a segment? IPv4 and IPv6 headers of packets in and out (RFC 791, RFC 8200).

use std::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet};
use tcp_core::Tuple;
use tcp_core::buffer::Payload;
use tcp_core::config::SocketOptions;
use tcp_core::connection::Transmit;
use tcp_core::wire::checksum::Sum;
use tcp_core::wire::{CHECKSUM_OFFSET, Segment};

use super::counters::PacketDrop;
use crate::device::{TxOffload, TxPacket};

pub(crate) const TCP: u8 = 6;
pub(crate) const ICMPV4: u8 = 1;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

/// An IP packet, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) payload: &'a [u8],
    /// TTL or hop limit with which it arrived.
    pub(crate) hop_limit: u8,
    /// Where the payload begins, and where the field stands that names its protocol.
    pub(crate) payload_at: usize,
    pub(crate) protocol_at: usize,
}

/// A piece of a packet, well-formed by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) id: u32,
    /// Part of the datagram's name in IPv4 only.
    pub(crate) key_protocol: u8,
    /// Octets of payload in front of it.
    pub(crate) offset: u32,
    /// It is not the last.
    pub(crate) more: bool,
    /// The IP header as it arrived; of IPv6, up to the fragment header and with it.
    pub(crate) header: &'a [u8],
    pub(crate) payload: &'a [u8],
}

/// What arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parsed<'a> {
    Whole(Packet<'a>),
    Piece(Fragment<'a>),
}

impl Parsed<'_> {
    pub(crate) fn addresses(&self) -> (IpAddr, IpAddr) {
        match self {
            Parsed::Whole(p) => (p.src, p.dst),
            Parsed::Piece(f) => (f.src, f.dst),
        }
    }
}

/// Takes a packet apart. IPv4 options and IPv6 extension headers that are not understood are
/// skipped (MUST-50).
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed<'_>, PacketDrop> {
    match bytes.first().map(|b| b >> 4) {
        Some(4) => parse_v4(bytes),
        Some(6) => parse_v6(bytes),
        _ => Err(PacketDrop::Malformed),
    }
}

fn parse_v4(bytes: &[u8]) -> Result<Parsed<'_>, PacketDrop> {
    let p = Ipv4Packet::new_checked(bytes).map_err(|_| PacketDrop::Malformed)?;
    let header = usize::from(p.header_len());
    if Sum::new().add(&bytes[..header]).fold() != 0xffff {
        return Err(PacketDrop::Malformed);
    }
    let (src, dst) = (IpAddr::V4(p.src_addr()), IpAddr::V4(p.dst_addr()));
    let protocol = u8::from(p.next_header());
    let payload = &bytes[header..usize::from(p.total_len())];
    let (offset, more) = (u32::from(p.frag_offset()), p.more_frags());
    if more || offset != 0 {
        check_piece(offset, more, payload, 0xffff - header as u32)?;
        check_tcp_piece(protocol, offset, payload)?;
        let (id, header) = (u32::from(p.ident()), &bytes[..header]);
        let key_protocol = protocol;
        let f = Fragment { src, dst, id, key_protocol, offset, more, header, payload };
        return Ok(Parsed::Piece(f));
    }
    let (hop_limit, payload_at, protocol_at) = (p.hop_limit(), header, 9);
    Ok(Parsed::Whole(Packet { src, dst, protocol, payload, hop_limit, payload_at, protocol_at }))
}

/// What holds for a piece of either family (RFC 791 3.2, RFC 8200 4.5).
fn check_piece(offset: u32, more: bool, payload: &[u8], most: u32) -> Result<(), PacketDrop> {
    if payload.is_empty() || (more && !payload.len().is_multiple_of(8)) {
        return Err(PacketDrop::Malformed);
    }
    if offset + payload.len() as u32 > most {
        return Err(PacketDrop::FragmentTooLong);
    }
    Ok(())
}

/// RFC 1858 3: no honest path cuts within the ports, numbers and flags.
fn check_tcp_piece(protocol: u8, offset: u32, payload: &[u8]) -> Result<(), PacketDrop> {
    let tiny = offset == 8 || (offset == 0 && payload.len() < 20);
    if protocol == TCP && tiny { Err(PacketDrop::FragmentTiny) } else { Ok(()) }
}

fn parse_v6(bytes: &[u8]) -> Result<Parsed<'_>, PacketDrop> {
    let p = Ipv6Packet::new_checked(bytes).map_err(|_| PacketDrop::Malformed)?;
    let (src, dst) = (IpAddr::V6(p.src_addr()), IpAddr::V6(p.dst_addr()));
    let bytes = &bytes[..p.total_len()];
    let mut chain = Chain::begin(u8::from(p.next_header()));
    chain.skip(bytes)?;
    if chain.next == FRAGMENT {
        let h = bytes.get(chain.at..chain.at + 8).ok_or(PacketDrop::Malformed)?;
        let field = u16::from_be_bytes([h[2], h[3]]);
        let (offset, more) = (u32::from(field & !7), field & 1 == 1);
        if offset != 0 || more {
            let at = chain.at + 8;
            let id = u32::from_be_bytes([h[4], h[5], h[6], h[7]]);
            let payload = &bytes[at..];
            // The payload length counts the headers that stay in front.
            let most = 0xffff - (chain.at as u32 - 40);
            check_piece(offset, more, payload, most)?;
            if offset == 0 {
                check_chain(h[0], payload)?;
            }
            let header = &bytes[..at];
            let f = Fragment { src, dst, id, key_protocol: 0, offset, more, header, payload };
            return Ok(Parsed::Piece(f));
        }
        // RFC 6946: an atomic fragment is a whole packet, whatever else has its number.
        chain = Chain { next: h[0], named_at: chain.at, at: chain.at + 8 };
        chain.skip(bytes)?;
        if chain.next == FRAGMENT {
            return Err(PacketDrop::Malformed);
        }
    }
    Ok(Parsed::Whole(Packet {
        src,
        dst,
        protocol: chain.next,
        payload: &bytes[chain.at..],
        hop_limit: p.hop_limit(),
        payload_at: chain.at,
        protocol_at: chain.named_at,
    }))
}

/// IPv6's fragment header.
pub(crate) const FRAGMENT: u8 = 44;

/// A walk along IPv6 extension headers (RFC 8200 4).
#[derive(Clone, Copy, Debug)]
struct Chain {
    /// The next header, where it begins, and where the field stands that named it.
    next: u8,
    at: usize,
    named_at: usize,
}

impl Chain {
    fn begin(next: u8) -> Chain {
        Chain { next, at: 40, named_at: 6 }
    }

    /// Skips hop-by-hop, routing and destination options; bounded by the packet.
    fn skip(&mut self, bytes: &[u8]) -> Result<(), PacketDrop> {
        while matches!(self.next, 0 | 43 | 60) {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let &[following, len, ..] = rest else { return Err(PacketDrop::Malformed) };
            let skip = (usize::from(len) + 1) * 8;
            if rest.len() < skip {
                return Err(PacketDrop::Malformed);
            }
            *self = Chain { next: following, named_at: self.at, at: self.at + skip };
        }
        Ok(())
    }
}

/// RFC 7112 5: the first piece holds all headers, the transport's included.
fn check_chain(next: u8, payload: &[u8]) -> Result<(), PacketDrop> {
    let mut chain = Chain { next, at: 0, named_at: 0 };
    let least = match chain.skip(payload) {
        Err(_) => return Err(PacketDrop::FragmentTiny),
        Ok(()) if chain.next == TCP => 20,
        Ok(()) if matches!(chain.next, ICMPV6 | UDP) => 8,
        Ok(()) => 0,
    };
    if payload.len() - chain.at < least { Err(PacketDrop::FragmentTiny) } else { Ok(()) }
}

/// Makes the header of a first piece that of a whole packet: its length, and no trace of the cut.
/// Whether that is possible.
pub(crate) fn finish_reassembled(packet: &mut Vec<u8>, header: usize) -> bool {
    if packet.first().is_some_and(|b| b >> 4 == 4) {
        let Ok(total) = u16::try_from(packet.len()) else { return false };
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        packet[6..8].copy_from_slice(&[0, 0]);
        packet[10..12].copy_from_slice(&[0, 0]);
        let sum = Sum::new().add(&packet[..header]).finish();
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        return true;
    }
    let mut chain = Chain::begin(packet[6]);
    if chain.skip(&packet[..header]).is_err() || chain.at + 8 != header {
        return false;
    }
    packet[chain.named_at] = packet[chain.at];
    packet.drain(chain.at..header);
    let Ok(len) = u16::try_from(packet.len() - 40) else { return false };
    packet[4..6].copy_from_slice(&len.to_be_bytes());
    true
}

/// The destination of a packet of ours.
pub(crate) fn destination(head: &[u8]) -> Option<IpAddr> {
    match head.first()? >> 4 {
        4 => head.get(16..20).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(IpAddr::from),
        _ => head.get(24..40).and_then(|b| <[u8; 16]>::try_from(b).ok()).map(IpAddr::from),
    }
}

/// Options of the IP header of our packets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IpOptions {
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    /// IPv4: routers may fragment the packet, which needs an identification then.
    pub(crate) fragmentable: Option<u16>,
}

impl From<&SocketOptions> for IpOptions {
    fn from(o: &SocketOptions) -> IpOptions {
        IpOptions { hop_limit: o.hop_limit, traffic_class: o.traffic_class, fragmentable: None }
    }
}

/// Writes an IP header without options in front of `len` octets and returns its length.
pub(crate) fn emit_header(
    buf: &mut [u8],
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    len: usize,
    o: IpOptions,
) -> usize {
    match (src, dst) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            emit_v4(buf, s, d, protocol, len, o);
            20
        }
        (s, d) => {
            let v6 = |a: IpAddr| match a {
                IpAddr::V4(a) => a.to_ipv6_mapped(),
                IpAddr::V6(a) => a,
            };
            let mut p = Ipv6Packet::new_unchecked(&mut buf[..40]);
            p.set_version(6);
            p.set_traffic_class(o.traffic_class);
            p.set_flow_label(0);
            p.set_payload_len(len as u16);
            p.set_next_header(IpProtocol::from(protocol));
            p.set_hop_limit(o.hop_limit);
            p.set_src_addr(v6(s));
            p.set_dst_addr(v6(d));
            40
        }
    }
}

fn emit_v4(b: &mut [u8], src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, len: usize, o: IpOptions) {
    let b = &mut b[..20];
    b[0] = 0x45;
    // SHLD-22: the Diffserv field goes out as the application set it.
    b[1] = o.traffic_class;
    b[2..4].copy_from_slice(&((20 + len) as u16).to_be_bytes());
    match o.fragmentable {
        // Don't fragment; such packets need no identification (RFC 6864 4.1).
        None => b[4..8].copy_from_slice(&[0, 0, 0x40, 0]),
        Some(id) => {
            b[4..6].copy_from_slice(&id.to_be_bytes());
            b[6..8].copy_from_slice(&[0, 0]);
        }
    }
    // MUST-49
    b[8] = o.hop_limit;
    b[9] = protocol;
    b[10..12].copy_from_slice(&[0, 0]);
    b[12..16].copy_from_slice(&src.octets());
    b[16..20].copy_from_slice(&dst.octets());
    let sum = Sum::new().add(b).finish();
    b[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Makes a whole IPv4 packet without options a fragment.
pub(crate) fn mark_fragment(packet: &mut [u8], offset: usize, more: bool) {
    let field = (offset / 8) as u16 | u16::from(more) << 13;
    packet[6..8].copy_from_slice(&field.to_be_bytes());
    packet[10..12].copy_from_slice(&[0, 0]);
    let sum = Sum::new().add(&packet[..20]).finish();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Builds the packet of a planned transmission. With `offload` the checksum stays unfinished.
pub(crate) fn build(
    tuple: &Tuple,
    t: &Transmit,
    payload: Payload,
    o: IpOptions,
    offload: bool,
) -> TxPacket {
    let mut head = [0u8; 128];
    let (src, dst) = (tuple.local.ip, tuple.remote.ip);
    let header_len = t.segment.header_len();
    let tcp_len = header_len + t.payload_len as usize;
    let ip_len = emit_header(&mut head, src, dst, TCP, tcp_len, o);
    t.segment.emit_header(&mut head[ip_len..]);
    // MUST-2
    let pseudo = Sum::pseudo_header(src, dst, TCP, tcp_len as u32);
    let at = ip_len + CHECKSUM_OFFSET;
    let (start, offset) = (ip_len as u16, CHECKSUM_OFFSET as u16);
    let end = ip_len + header_len;
    let how = if offload {
        head[at..at + 2].copy_from_slice(&pseudo.fold().to_be_bytes());
        match t.gso_size {
            Some(size) => TxOffload::Segment {
                start,
                offset,
                size,
                ipv6: ip_len == 40,
                header_len: end as u16,
            },
            None => TxOffload::Checksum { start, offset },
        }
    } else {
        let sum = payload.iter().fold(pseudo.add(&head[ip_len..end]), |s, b| s.add(b));
        head[at..at + 2].copy_from_slice(&sum.finish().to_be_bytes());
        TxOffload::None
    };
    packet(&head[..end], payload, how)
}

fn packet(head: &[u8], payload: Payload, offload: TxOffload) -> TxPacket {
    let mut p = TxPacket::from_head(head).with_offload(offload);
    for slice in payload {
        p.push_payload(slice);
    }
    p
}

/// Builds a packet without text: a reset, a SYN-ACK, an ACK of a record.
pub(crate) fn build_bare(tuple: &Tuple, segment: Segment<'static>, o: IpOptions) -> TxPacket {
    let t = Transmit {
        segment,
        payload_len: 0,
        gso_size: None,
        reason: tcp_core::connection::SendReason::Ack,
    };
    build(tuple, &t, Payload::new(), o, false)
}

#[cfg(test)]
mod tests;
