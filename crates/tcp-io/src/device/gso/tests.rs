//! Software segmentation, checked by another implementation of IP and TCP.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket, TcpRepr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const V4: (IpAddr, IpAddr) =
    (IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)), IpAddr::V4(Ipv4Addr::new(10, 9, 8, 7)));
const V6: (IpAddr, IpAddr) = (
    IpAddr::V6(Ipv6Addr::new(0xfd00, 1, 2, 3, 4, 5, 6, 7)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 7, 6, 5, 4, 3, 2, 1)),
);

/// Options: no-operations, so that any multiple of four is a header.
fn headers(ends: (IpAddr, IpAddr), options: usize, payload: usize, flags: u8) -> Vec<u8> {
    let tcp_len = TCP_HEADER + options + payload;
    let mut head = match ends {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut ip = vec![0x45, 0, 0, 0, 0xff, 0xfe, 0x40, 0, 64, 6, 0, 0];
            ip[2..4].copy_from_slice(&((20 + tcp_len) as u16).to_be_bytes());
            ip.extend(src.octets());
            ip.extend(dst.octets());
            ip
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let mut ip = vec![0x60, 0, 0, 0, 0, 0, 6, 64];
            ip[4..6].copy_from_slice(&(tcp_len as u16).to_be_bytes());
            ip.extend(src.octets());
            ip.extend(dst.octets());
            ip
        }
        _ => unreachable!("one family"),
    };
    let addresses = if head[0] >> 4 == 4 { &head[12..20] } else { &head[8..40] };
    let pseudo = Sum::new().add(addresses).add(&[0, 6]).add(&(tcp_len as u32).to_be_bytes());
    let mut tcp = vec![0x12, 0x34, 0, 80, 0xff, 0xff, 0xff, 0x00, 0, 0, 0, 9];
    tcp.extend([((TCP_HEADER + options) / 4 * 16) as u8, flags, 0x20, 0]);
    tcp.extend(pseudo.fold().to_be_bytes());
    tcp.extend([0, 0]);
    tcp.resize(TCP_HEADER + options, 1);
    head.extend(tcp);
    head
}

fn packet(ends: (IpAddr, IpAddr), options: usize, body: &[u8], size: u16, flags: u8) -> TxPacket {
    let head = headers(ends, options, body.len(), flags);
    let (start, header_len) = ((head.len() - TCP_HEADER - options) as u16, head.len() as u16);
    // Some of the payload is copied behind the headers, the rest is in odd slices.
    let (copied, shared) = body.split_at(body.len().min(5));
    let mut packet = TxPacket::from_head(&[&head[..], copied].concat());
    for slice in shared.chunks(777) {
        packet.push_payload(Bytes::copy_from_slice(slice));
    }
    let ipv6 = ends.0.is_ipv6();
    packet.with_offload(TxOffload::Segment { start, offset: 16, size, ipv6, header_len })
}

/// Parses one complete packet, checking every checksum and length on the way.
fn parse(bytes: &[u8], ends: (IpAddr, IpAddr)) -> (u16, u32, u8, Vec<u8>) {
    let (src, dst): (IpAddress, IpAddress) = (ends.0.into(), ends.1.into());
    let (id, tcp) = if ends.0.is_ipv4() {
        let ip = Ipv4Packet::new_checked(bytes).unwrap();
        assert!(ip.verify_checksum());
        assert_eq!(usize::from(ip.total_len()), bytes.len());
        assert_eq!(ip.next_header(), IpProtocol::Tcp);
        (ip.ident(), ip.payload().to_vec())
    } else {
        let ip = Ipv6Packet::new_checked(bytes).unwrap();
        assert_eq!(ip.total_len(), bytes.len());
        (0, ip.payload().to_vec())
    };
    let segment = TcpPacket::new_checked(&tcp[..]).unwrap();
    assert!(segment.verify_checksum(&src, &dst));
    TcpRepr::parse(&segment, &src, &dst, &ChecksumCapabilities::default()).unwrap();
    (id, segment.seq_number().0 as u32, tcp[13], segment.payload().to_vec())
}

proptest! {
    #[test]
    fn segments_are_valid_and_join_to_the_whole(
        v6: bool, options in 0usize..=10, len in 0usize..20_000, size in 1u16..9000, ns: u8,
    ) {
        let ends = if v6 { V6 } else { V4 };
        let size = size.max((len / 200) as u16 + 1);
        let body: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(ns | 1)).collect();
        let whole = packet(ends, options * 4, &body, size, 0x99 & !0x02);
        let segments: Vec<_> = whole.segments().collect();
        prop_assert_eq!(segments.len(), len.div_ceil(size.into()).max(1));
        let (mut joined, count) = (Vec::new(), segments.len());
        for (i, bytes) in segments.iter().enumerate() {
            let (id, seq, flags, payload) = parse(bytes, ends);
            prop_assert_eq!(seq, 0xffff_ff00u32.wrapping_add(joined.len() as u32));
            prop_assert_eq!(id, if v6 { 0 } else { 0xfffeu16.wrapping_add(i as u16) });
            prop_assert_eq!(flags & (FIN | PSH) != 0, i + 1 == count, "at the end only");
            prop_assert_eq!(flags & CWR != 0, i == 0, "RFC 3168 6.1.2");
            prop_assert!(flags & 0x10 != 0);
            prop_assert!(payload.len() <= usize::from(size));
            joined.extend(payload);
        }
        prop_assert_eq!(joined, body);
    }

    #[test]
    fn an_unfinished_checksum_is_finished(v6: bool, body in prop::collection::vec(any::<u8>(), 0..1400)) {
        let ends = if v6 { V6 } else { V4 };
        let mut head = headers(ends, 12, body.len(), 0x10);
        if !v6 {
            let sum = Sum::new().add(&head[..20]).finish();
            head[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        let start = (head.len() - TCP_HEADER - 12) as u16;
        let mut packet = TxPacket::from_head(&head);
        packet.push_payload(Bytes::from(body.clone()));
        let packet = packet.with_offload(TxOffload::Checksum { start, offset: 16 });
        prop_assert_eq!(parse(&packet.to_vec(), ends).3, body);
        prop_assert_eq!(packet.segments().collect::<Vec<_>>(), [packet.to_vec()]);
    }

    #[test]
    fn contradictions_do_not_panic(
        head in prop::collection::vec(any::<u8>(), 0..150), start: u16, offset: u16,
        size: u16, ipv6: bool, header_len: u16, small: bool,
    ) {
        let limit = if small { 64 } else { u16::MAX };
        let (start, offset, header_len) = (start % limit, offset % limit, header_len % limit);
        let segment = TxOffload::Segment { start, offset, size, ipv6, header_len };
        for offload in [segment, TxOffload::Checksum { start, offset }, TxOffload::None] {
            let packet = TxPacket::from_head(&head).with_offload(offload);
            prop_assert_eq!(packet.to_vec().len(), head.len());
            prop_assert!(packet.segments().count() >= 1);
        }
    }
}

#[test]
fn sum_does_not_care_how_the_octets_are_split() {
    let octets: Vec<u8> = (0..=255).collect();
    let whole = Sum::new().add(&octets).fold();
    for at in 0..octets.len() {
        let (a, b) = octets.split_at(at);
        assert_eq!(Sum::new().add(a).add(b).fold(), whole);
    }
    assert_eq!(Sum::new().add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]).fold(), 0xddf2);
}
