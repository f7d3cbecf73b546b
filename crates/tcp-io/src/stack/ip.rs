//! What is around a segment? IPv4 and IPv6 headers of packets in and out (RFC 791, RFC 8200).

use std::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet};
use tcp_core::Tuple;
use tcp_core::buffer::Payload;
use tcp_core::connection::Transmit;
use tcp_core::wire::checksum::Sum;
use tcp_core::wire::{CHECKSUM_OFFSET, Segment};

use super::counters::PacketDrop;
use crate::device::{TxOffload, TxPacket};

pub(crate) const TCP: u8 = 6;
pub(crate) const ICMPV4: u8 = 1;
pub(crate) const ICMPV6: u8 = 58;

/// An IP packet, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) payload: &'a [u8],
}

/// Takes a packet apart. IPv4 options and IPv6 extension headers that are not understood are
/// skipped (MUST-50).
pub(crate) fn parse(bytes: &[u8]) -> Result<Packet<'_>, PacketDrop> {
    match bytes.first().map(|b| b >> 4) {
        Some(4) => parse_v4(bytes),
        Some(6) => parse_v6(bytes),
        _ => Err(PacketDrop::Malformed),
    }
}

fn parse_v4(bytes: &[u8]) -> Result<Packet<'_>, PacketDrop> {
    let p = Ipv4Packet::new_checked(bytes).map_err(|_| PacketDrop::Malformed)?;
    if Sum::new().add(&bytes[..usize::from(p.header_len())]).fold() != 0xffff {
        return Err(PacketDrop::Malformed);
    }
    if p.more_frags() || p.frag_offset() != 0 {
        return Err(PacketDrop::Fragment);
    }
    Ok(Packet {
        src: IpAddr::V4(p.src_addr()),
        dst: IpAddr::V4(p.dst_addr()),
        protocol: u8::from(p.next_header()),
        payload: p.payload(),
    })
}

fn parse_v6(bytes: &[u8]) -> Result<Packet<'_>, PacketDrop> {
    let p = Ipv6Packet::new_checked(bytes).map_err(|_| PacketDrop::Malformed)?;
    let (protocol, payload) = skip_extensions(p.next_header(), p.payload())?;
    Ok(Packet { src: IpAddr::V6(p.src_addr()), dst: IpAddr::V6(p.dst_addr()), protocol, payload })
}

/// Skips hop-by-hop, routing and destination options (RFC 8200 4); bounded by the packet.
fn skip_extensions(first: IpProtocol, payload: &[u8]) -> Result<(u8, &[u8]), PacketDrop> {
    let (mut next, mut rest) = (u8::from(first), payload);
    loop {
        match next {
            0 | 43 | 60 => {
                let &[following, len, ..] = rest else { return Err(PacketDrop::Malformed) };
                let skip = (usize::from(len) + 1) * 8;
                rest = rest.get(skip..).ok_or(PacketDrop::Malformed)?;
                next = following;
            }
            44 => return Err(PacketDrop::Fragment),
            _ => return Ok((next, rest)),
        }
    }
}

/// Octets of a packet by its header, which [`parse`] has found good: what the link padded is not
/// of it.
pub(crate) fn datagram_len(packet: &[u8]) -> usize {
    let word =
        |at| packet.get(at..at + 2).map_or(0, |b| usize::from(u16::from_be_bytes([b[0], b[1]])));
    match packet.first().map(|b| b >> 4) {
        Some(4) => word(2),
        _ => 40 + word(4),
    }
}

/// TTL or hop limit, and type of service or traffic class, of a packet that [`parse`] has found
/// good.
pub(crate) fn hop_and_class(packet: &[u8]) -> (u8, u8) {
    match packet {
        [first, class, ..] if first >> 4 == 4 => (packet.get(8).copied().unwrap_or(0), *class),
        [first, second, ..] => (packet.get(7).copied().unwrap_or(0), first << 4 | second >> 4),
        _ => (0, 0),
    }
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
    // Don't fragment; such packets need no identification (RFC 6864 4.1).
    b[4..8].copy_from_slice(&[0, 0, 0x40, 0]);
    // MUST-49
    b[8] = o.hop_limit;
    b[9] = protocol;
    b[10..12].copy_from_slice(&[0, 0]);
    b[12..16].copy_from_slice(&src.octets());
    b[16..20].copy_from_slice(&dst.octets());
    let sum = Sum::new().add(b).finish();
    b[10..12].copy_from_slice(&sum.to_be_bytes());
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
mod tests {
    use super::*;

    // MUST-50, MUST-51
    #[test]
    fn unknown_ip_options_are_skipped() {
        let mut p = vec![0u8; 24 + 4];
        let options = IpOptions { hop_limit: 1, traffic_class: 0 };
        let (s, d) = (Ipv4Addr::new(1, 2, 3, 4), Ipv4Addr::new(5, 6, 7, 8));
        emit_v4(&mut p, s, d, TCP, 8, options);
        p[0] = 0x46;
        p[10..12].copy_from_slice(&[0, 0]);
        p[20..24].copy_from_slice(&[0x9e, 4, 1, 2]);
        p[24..].copy_from_slice(&[9, 9, 9, 9]);
        let sum = Sum::new().add(&p[..24]).finish();
        p[10..12].copy_from_slice(&sum.to_be_bytes());
        let got = parse(&p).unwrap();
        assert_eq!((got.src, got.payload), (IpAddr::V4(s), &[9u8, 9, 9, 9][..]));
    }

    #[test]
    fn ipv6_extension_headers_are_skipped() {
        let mut p = vec![0u8; 40 + 8 + 16 + 3];
        let o = IpOptions { hop_limit: 1, traffic_class: 0 };
        let a: IpAddr = "fd00::1".parse().unwrap();
        emit_header(&mut p, a, a, 0, 8 + 16 + 3, o);
        p[40] = 60;
        p[48] = TCP;
        p[49] = 1;
        p[64..].copy_from_slice(&[1, 2, 3]);
        let got = parse(&p).unwrap();
        assert_eq!((got.protocol, got.payload), (TCP, &[1u8, 2, 3][..]));
        p[49] = 200;
        assert_eq!(parse(&p).unwrap_err(), PacketDrop::Malformed);
    }

    #[test]
    fn garbage_is_malformed() {
        for b in [&[][..], &[0x45], &[0x60; 39], &[0x45; 20], &[0xff; 100]] {
            assert_eq!(parse(b).unwrap_err(), PacketDrop::Malformed);
        }
    }
}
