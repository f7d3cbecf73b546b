//! What goes in and comes out of a stack as octets? Packets built field by field for it, and the
//! proof by another implementation that what it sends is well-formed (MUST-2).

use std::net::IpAddr;

use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket, UdpPacket};
use tcp_core::wire::checksum::Sum;
use tcp_core::wire::{Flags, Segment};
use tcp_core::{Endpoint, SeqNum, Tuple};

const TCP: u8 = 6;
const ICMPV4: u8 = 1;
const ICMPV6: u8 = 58;

/// A TCP header with any fields, from `tuple.remote` to `tuple.local`.
#[derive(Clone, Debug)]
pub(crate) struct Crafted<'a> {
    pub(crate) tuple: Tuple,
    pub(crate) seq: SeqNum,
    pub(crate) ack: SeqNum,
    pub(crate) flags: u16,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    /// The option area as it stands, padded to words; at most 40 octets count.
    pub(crate) options: &'a [u8],
    pub(crate) text: &'a [u8],
}

impl Crafted<'_> {
    /// The whole IP packet with right checksums.
    pub(crate) fn octets(&self) -> Vec<u8> {
        let options = &self.options[..self.options.len().min(40)];
        let header = 20 + options.len().next_multiple_of(4);
        let mut t = vec![0; header];
        t[0..2].copy_from_slice(&self.tuple.remote.port.to_be_bytes());
        t[2..4].copy_from_slice(&self.tuple.local.port.to_be_bytes());
        t[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        t[8..12].copy_from_slice(&self.ack.0.to_be_bytes());
        let word = ((header / 4) as u16) << 12 | self.flags & 0x0fff;
        t[12..14].copy_from_slice(&word.to_be_bytes());
        t[14..16].copy_from_slice(&self.window.to_be_bytes());
        t[18..20].copy_from_slice(&self.urgent.to_be_bytes());
        t[20..20 + options.len()].copy_from_slice(options);
        t.extend_from_slice(self.text);
        let (src, dst) = (self.tuple.remote.ip, self.tuple.local.ip);
        let sum = Sum::pseudo_header(src, dst, TCP, t.len() as u32).add(&t).finish();
        t[16..18].copy_from_slice(&sum.to_be_bytes());
        ip_packet(src, dst, TCP, &t)
    }
}

/// An ICMP error of any kind that quotes a segment of `tuple.local`.
pub(crate) fn icmp_error(tuple: Tuple, seq: SeqNum, kind: u8, code: u8, rest: u32) -> Vec<u8> {
    icmp_error_about(TCP, tuple, seq.0, kind, (code, rest))
}

/// As [`icmp_error`], about a packet of any protocol with ports; `word` follows them.
pub(crate) fn icmp_error_about(
    protocol: u8,
    tuple: Tuple,
    word: u32,
    kind: u8,
    (code, rest): (u8, u32),
) -> Vec<u8> {
    let mut quoted = vec![0; 8];
    quoted[0..2].copy_from_slice(&tuple.local.port.to_be_bytes());
    quoted[2..4].copy_from_slice(&tuple.remote.port.to_be_bytes());
    quoted[4..8].copy_from_slice(&word.to_be_bytes());
    let quoted = ip_packet(tuple.local.ip, tuple.remote.ip, protocol, &quoted);
    let mut b = vec![kind, code, 0, 0];
    b.extend_from_slice(&rest.to_be_bytes());
    b.extend_from_slice(&quoted);
    let (src, dst) = (tuple.remote.ip, tuple.local.ip);
    let (protocol, sum) = if src.is_ipv4() {
        (ICMPV4, Sum::new())
    } else {
        (ICMPV6, Sum::pseudo_header(src, dst, ICMPV6, b.len() as u32))
    };
    let sum = sum.add(&b).finish();
    b[2..4].copy_from_slice(&sum.to_be_bytes());
    ip_packet(src, dst, protocol, &b)
}

/// An IP header in front of a payload.
pub(crate) fn ip_packet(src: IpAddr, dst: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = match (src, dst) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            let mut h = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0];
            h[2..4].copy_from_slice(&((20 + payload.len()) as u16).to_be_bytes());
            h.extend_from_slice(&s.octets());
            h.extend_from_slice(&d.octets());
            let sum = Sum::new().add(&h).finish();
            h[10..12].copy_from_slice(&sum.to_be_bytes());
            h
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => {
            let mut h = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
            h[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
            h.extend_from_slice(&s.octets());
            h.extend_from_slice(&d.octets());
            h
        }
        _ => return Vec::new(),
    };
    p.extend_from_slice(payload);
    p
}

/// A segment that the stack sent.
#[derive(Clone, Debug)]
pub(crate) struct Emitted {
    /// As the stack names it.
    pub(crate) tuple: Tuple,
    pub(crate) seq: SeqNum,
    pub(crate) seq_end: SeqNum,
    pub(crate) ack: SeqNum,
    pub(crate) flags: Flags,
    pub(crate) window: u16,
}

/// Checks lengths and checksums of a packet of the stack, and takes a segment apart.
///
/// # Panics
/// If the packet is not well-formed.
pub(crate) fn check_emitted(b: &[u8]) -> Option<Emitted> {
    let (src, dst, protocol, payload): (IpAddr, IpAddr, _, &[u8]) = match b[0] >> 4 {
        4 => {
            let p = Ipv4Packet::new_checked(b).expect("an IPv4 packet");
            assert!(p.verify_checksum(), "IPv4 header checksum");
            assert_eq!(usize::from(p.total_len()), b.len());
            if p.more_frags() || p.frag_offset() > 0 {
                return None;
            }
            let payload = &b[usize::from(p.header_len())..];
            (p.src_addr().into(), p.dst_addr().into(), p.next_header(), payload)
        }
        _ => {
            let p = Ipv6Packet::new_checked(b).expect("an IPv6 packet");
            assert_eq!(p.total_len(), b.len());
            (p.src_addr().into(), p.dst_addr().into(), p.next_header(), &b[40..])
        }
    };
    match protocol {
        IpProtocol::Tcp => {}
        IpProtocol::Icmp => {
            assert_eq!(Sum::new().add(payload).fold(), 0xffff, "ICMP checksum");
            return None;
        }
        IpProtocol::Icmpv6 => {
            let sum = Sum::pseudo_header(src, dst, ICMPV6, payload.len() as u32);
            assert_eq!(sum.add(payload).fold(), 0xffff, "ICMPv6 checksum");
            return None;
        }
        IpProtocol::Udp => {
            let d = UdpPacket::new_checked(payload).expect("a datagram");
            assert!(d.checksum() != 0 && usize::from(d.len()) == payload.len());
            assert!(d.verify_checksum(&IpAddress::from(src), &IpAddress::from(dst)), "UDP");
            return None;
        }
        // Put together by whoever gets them.
        IpProtocol::Ipv6Frag => return None,
        other => panic!("a packet of protocol {other}"),
    }
    let t = TcpPacket::new_checked(payload).expect("a TCP segment");
    assert!(t.verify_checksum(&IpAddress::from(src), &IpAddress::from(dst)), "TCP checksum");
    let seg = Segment::parse(payload).expect("a segment");
    assert!(!seg.options.malformed, "malformed options");
    let tuple =
        Tuple { local: Endpoint::new(src, seg.src_port), remote: Endpoint::new(dst, seg.dst_port) };
    let (seq, ack, flags) = (seg.seq, seg.ack, seg.flags);
    let seq_end = seq + seg.seq_len();
    Some(Emitted { tuple, seq, seq_end, ack, flags, window: seg.window })
}

/// Addresses and TCP segment of a packet without extension headers; `None` for any other.
pub(crate) fn open_packet(b: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    match b.first()? >> 4 {
        4 => {
            let p = Ipv4Packet::new_checked(b).ok()?;
            let end = usize::from(p.total_len());
            let payload = b.get(usize::from(p.header_len())..end)?;
            let tcp = p.next_header() == IpProtocol::Tcp;
            tcp.then(|| (p.src_addr().into(), p.dst_addr().into(), payload))
        }
        6 => {
            let p = Ipv6Packet::new_checked(b).ok()?;
            let payload = b.get(40..p.total_len())?;
            let tcp = p.next_header() == IpProtocol::Tcp;
            tcp.then(|| (p.src_addr().into(), p.dst_addr().into(), payload))
        }
        _ => None,
    }
}
