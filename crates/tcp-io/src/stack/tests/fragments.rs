//! What becomes of fragments, and which ones does the stack send? (RFC 791, RFC 8200 4.5)

use std::net::IpAddr;
use std::time::Duration;

use tcp_core::wire::checksum::Sum;

use super::peer::*;
use crate::stack::{PacketDrop, StackConfig, fragmented, ip};

const V4: (&str, &str) = ("10.0.0.2", "10.0.0.1");
const V6: (&str, &str) = ("fd00::2", "fd00::1");

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The fragments of a whole packet, of at most `mtu` octets.
fn cut(whole: &[u8], id: u32, mtu: usize) -> Vec<Vec<u8>> {
    let ip::Parsed::Whole(p) = ip::parse(whole).unwrap() else { panic!("a fragment") };
    let o = ip::IpOptions { hop_limit: 64, traffic_class: 0, fragmentable: Some(id as u16) };
    fragmented::packets(p.src, p.dst, p.protocol, p.payload, o, id, mtu)
}

fn echo_request((from, to): (&str, &str), len: usize) -> Vec<u8> {
    let kind = if from.contains(':') { (128, 0) } else { (8, 0) };
    let body: Vec<u8> = (0..len).map(|i| i as u8).collect();
    icmp_to(address(from), address(to), kind, 0x0001_0002, &body)
}

/// Puts the fragments that the stack sends together, in order as they come.
fn join(rig: &mut Rig) -> Vec<u8> {
    let (mut text, mut id) = (Vec::new(), None);
    while let Some(p) = rig.next() {
        assert!(p.len() <= rig.stack.config().mtu, "{}", p.len());
        let ip::Parsed::Piece(f) = ip::parse(&p).unwrap() else { panic!("not a fragment") };
        assert_eq!((f.offset, *id.get_or_insert(f.id)), (text.len() as u32, f.id));
        text.extend_from_slice(f.payload);
        if !f.more {
            return text;
        }
    }
    panic!("the last is missing");
}

#[test]
fn a_fragmented_echo_is_answered_in_fragments() {
    for ends in [V4, V6] {
        let mut rig = Rig::new();
        let request = echo_request(ends, 8000);
        let mut pieces = cut(&request, 77, 1500);
        assert_eq!(pieces.len(), 6);
        pieces.rotate_left(2);
        for p in &pieces {
            rig.put(p);
        }
        assert_eq!(rig.stack.counters().reassembled, 1);
        assert_eq!(rig.stack.counters().echoes, 1);
        let reply = join(&mut rig);
        let at = request.len() - 8008;
        assert_eq!((reply[0], &reply[4..]), (if at == 20 { 0 } else { 129 }, &request[at + 4..]));
        rig.silence();
        assert_eq!((rig.stack.fragmented_count(), rig.stack.fragment_memory()), (0, 0));
    }
}

#[test]
fn the_largest_echo_goes_both_ways() {
    for (ends, most) in [(V4, 65_535 - 28), (V6, 65_535 - 8)] {
        let mut rig = Rig::new();
        for p in cut(&echo_request(ends, most), 5, 1500) {
            rig.put(&p);
        }
        let sent: Vec<_> = std::iter::from_fn(|| rig.next()).collect();
        let payload: usize = sent.iter().map(|p| p.len()).sum();
        assert!(payload > most && sent.iter().all(|p| p.len() <= 1500));
    }
}

#[test]
fn a_fragmented_segment_opens_a_connection() {
    let mut rig = Rig::new();
    let l = rig.listen("[::]:80");
    for (me, to) in [("10.0.0.2:4000", "10.0.0.1:80"), ("[fd00::2]:4000", "[fd00::1]:80")] {
        let mut peer = Peer::connect(&mut rig, me, to);
        let whole = peer.packet(ACK, &[b'x'; 900]);
        for p in cut(&whole, 3, 400) {
            rig.put(&p);
        }
        let c = rig.accept(l).unwrap();
        assert_eq!(rig.read(c).len(), 900);
        peer.nxt += 900;
        rig.hear();
    }
    assert_eq!(rig.stack.counters().total_drops(), 0);
}

// RFC 791 3.2, RFC 8200 4.5, RFC 792, RFC 4443 3.3
#[test]
fn who_sent_the_first_fragment_is_told_when_time_is_over() {
    for (ends, patience, kind) in [(V4, 30, 11), (V6, 60, 3)] {
        let mut rig = Rig::new();
        let pieces = cut(&echo_request(ends, 3000), 9, 1500);
        rig.put(&pieces[0]);
        rig.put(&pieces[1]);
        let other = cut(&echo_request(ends, 3000), 10, 1500);
        rig.put(&other[1]);
        assert_eq!(rig.stack.timer_count(), 1);
        let end = rig.now + Duration::from_secs(patience);
        rig.now = end - Duration::from_millis(5);
        rig.stack.on_deadline(rig.now);
        rig.silence();
        rig.now = end + Duration::from_millis(5);
        rig.stack.on_deadline(rig.now);
        let told = rig.next().unwrap();
        let at = if told[0] >> 4 == 4 { 20 } else { 40 };
        assert_eq!(told[at..at + 2], [kind, 1]);
        assert_eq!(told[at + 8] >> 4, told[0] >> 4, "quotes the packet");
        rig.silence();
        assert_eq!(rig.drops(PacketDrop::FragmentTimeout), 3);
        assert_eq!((rig.stack.fragmented_count(), rig.stack.timer_count()), (0, 0));
    }
}

#[test]
fn no_error_is_sent_about_the_fragments_of_an_error() {
    let mut rig = Rig::new();
    let error = icmp_to(address(V4.0), address(V4.1), (3, 3), 0, &[0x45; 3000]);
    rig.put(&cut(&error, 1, 1500)[0]);
    rig.wait_quietly(Duration::from_secs(31));
    assert_eq!(rig.stack.counters().icmp_errors_out, 0);
}

/// A fragment of IPv6 as it stands.
fn v6_piece(next: u8, field: u16, body: &[u8]) -> Vec<u8> {
    let mut h = vec![next, 0, 0, 0, 0, 0, 0, 1];
    h[2..4].copy_from_slice(&field.to_be_bytes());
    h.extend_from_slice(body);
    let mut b = vec![0; 40];
    let o = ip::IpOptions { hop_limit: 64, traffic_class: 0, fragmentable: None };
    ip::emit_header(&mut b, address(V6.0), address(V6.1), ip::FRAGMENT, h.len(), o);
    b.extend_from_slice(&h);
    b
}

fn v4_piece(protocol: u8, field: u16, body: &[u8]) -> Vec<u8> {
    let o = ip::IpOptions { hop_limit: 64, traffic_class: 0, fragmentable: Some(1) };
    let mut b = vec![0; 20];
    ip::emit_header(&mut b, address(V4.0), address(V4.1), protocol, body.len(), o);
    b[6..8].copy_from_slice(&field.to_be_bytes());
    b[10..12].copy_from_slice(&[0, 0]);
    let sum = Sum::new().add(&b[..20]).finish();
    b[10..12].copy_from_slice(&sum.to_be_bytes());
    b.extend_from_slice(body);
    b
}

// RFC 6946 4
#[test]
fn atomic_fragments_are_whole_whatever_else_has_their_number() {
    let mut rig = Rig::new();
    rig.put(&v6_piece(58, 1, &[128; 16]));
    let request = echo_request(V6, 10);
    rig.put(&v6_piece(58, 0, &request[40..]));
    assert_eq!(rig.stack.counters().echoes, 1);
    assert_eq!(rig.stack.fragmented_count(), 1);
}

#[test]
fn every_refusal_has_its_counter() {
    let mut rig = Rig::new();
    let expect = |rig: &mut Rig, packet: Vec<u8>, why: PacketDrop| {
        let before = rig.drops(why);
        rig.put(&packet);
        assert_eq!(rig.drops(why), before + 1, "{why:?}");
    };
    const MORE: u16 = 0x2000;
    // Not a multiple of 8, and nothing at all.
    expect(&mut rig, v4_piece(17, MORE, &[0; 12]), PacketDrop::Malformed);
    expect(&mut rig, v4_piece(17, 1, &[]), PacketDrop::Malformed);
    expect(&mut rig, v6_piece(17, 1, &[0; 12]), PacketDrop::Malformed);
    // The ping of death.
    expect(&mut rig, v4_piece(17, 0x1fff, &[0; 16]), PacketDrop::FragmentTooLong);
    expect(&mut rig, v6_piece(17, 0xfff8, &[0; 16]), PacketDrop::FragmentTooLong);
    // RFC 1858 3 and RFC 7112 5
    expect(&mut rig, v4_piece(6, MORE, &[0; 16]), PacketDrop::FragmentTiny);
    expect(&mut rig, v4_piece(6, MORE | 1, &[0; 16]), PacketDrop::FragmentTiny);
    expect(&mut rig, v6_piece(6, 1, &[0; 16]), PacketDrop::FragmentTiny);
    expect(&mut rig, v6_piece(60, 1, &[6, 0, 0, 0, 0, 0, 0, 0]), PacketDrop::FragmentTiny);
    expect(&mut rig, v6_piece(60, 1, &[6, 9, 0, 0, 0, 0, 0, 0]), PacketDrop::FragmentTiny);
    assert_eq!(rig.stack.fragmented_count(), 0);
    rig.put(&v4_piece(17, MORE, &[0; 16]));
    expect(&mut rig, v4_piece(17, MORE, &[0; 16]), PacketDrop::FragmentDuplicate);
    expect(&mut rig, v4_piece(17, MORE | 1, &[0; 16]), PacketDrop::FragmentOverlap);
    expect(&mut rig, v4_piece(17, 9, &[0; 16]), PacketDrop::FragmentOverlap);
    rig.silence();
    // A fragment within a fragment.
    let mut inner = vec![44, 0, 0, 0, 0, 0, 0, 0];
    inner.extend_from_slice(&[0; 16]);
    expect(&mut rig, v6_piece(44, 0, &inner), PacketDrop::Malformed);
}

#[test]
fn fragments_for_others_and_from_nobody_are_not_kept() {
    let mut rig = Rig::new();
    let mut p = v4_piece(17, 0x2000, &[0; 16]);
    p[19] = 9;
    fix(&mut p);
    rig.put(&p);
    p[19] = 255;
    fix(&mut p);
    rig.put(&p);
    assert_eq!((rig.drops(PacketDrop::NotForUs), rig.drops(PacketDrop::NotUnicast)), (1, 1));
    assert_eq!(rig.stack.fragmented_count(), 0);
}

fn fix(p: &mut [u8]) {
    p[10..12].copy_from_slice(&[0, 0]);
    let sum = Sum::new().add(&p[..20]).finish();
    p[10..12].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn a_flood_of_fragments_stays_within_its_memory() {
    let small = StackConfig { ipfrag_high_thresh: 50_000, ..config() };
    let mut rig = Rig::with(small);
    for id in 0..5000u16 {
        let mut p = v4_piece(17, 0x2000, &[0; 1000]);
        p[4..6].copy_from_slice(&id.to_be_bytes());
        fix(&mut p);
        rig.put(&p);
        assert!(rig.stack.fragment_memory() <= 50_000);
    }
    let kept = rig.stack.fragmented_count() as u64;
    assert_eq!(rig.drops(PacketDrop::FragmentMemory) + kept, 5000);
    assert_eq!(rig.stack.timer_count(), 1);
    rig.wait_quietly(Duration::from_secs(31));
    assert_eq!((rig.stack.fragmented_count(), rig.stack.timer_count()), (0, 0));
}
