//! Does anything that arrives do harm? Cut and random packets: counted, never a panic, never a
//! record.

use proptest::prelude::*;

use super::peer::*;
use crate::device::RxChecksum;
use crate::stack::PacketDrop;

/// Corrects the checksum of an IPv4 header.
fn fix_header(p: &mut [u8]) {
    p[10..12].copy_from_slice(&[0, 0]);
    let sum = tcp_core::wire::checksum::Sum::new().add(&p[..20]).finish();
    p[10..12].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn every_kind_of_nonsense_has_its_counter() {
    let mut rig = Rig::new();
    let good = packet(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn(), &[]);
    rig.put(&[]);
    rig.put(&good[..19]);
    rig.put(&good[..30]);
    let mut header = good.clone();
    header[8] ^= 1;
    rig.put(&header);
    assert_eq!(rig.drops(PacketDrop::Malformed), 4);
    let mut udp = good.clone();
    udp[9] = 17;
    fix_header(&mut udp);
    rig.put(&udp);
    assert_eq!(rig.drops(PacketDrop::UdpMalformed), 1);
    let mut other = good.clone();
    other[9] = 99;
    fix_header(&mut other);
    rig.put(&other);
    assert_eq!(rig.next().unwrap()[20..22], [3, 2]);
    assert_eq!(rig.drops(PacketDrop::Protocol), 1);
    let mut offset = good;
    offset[32] = 0x40;
    rig.stack.receive(rig.now, &offset, RxChecksum::Good, None);
    assert_eq!(rig.drops(PacketDrop::BadSegment), 1);
    rig.silence();
    assert_eq!((rig.stack.counters().packets_in, rig.stack.counters().total_drops()), (7, 7));
}

#[test]
fn answers_that_nobody_drains_are_bounded() {
    let mut rig = Rig::new();
    for n in 0..10_000u32 {
        let from = format!("10.0.0.2:{}", 1 + n);
        rig.say(at(&from), at("10.0.0.1:80"), syn());
    }
    assert_eq!(rig.stack.answers.len(), super::super::ANSWERS);
    let dropped = rig.drops(PacketDrop::AnswerQueueFull);
    assert_eq!(dropped as usize, 10_000 - super::super::ANSWERS);
}

/// A packet that is nearly right, with some octets changed and its checksums ignored.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let change = (0usize..120, any::<u8>());
    (any::<bool>(), prop::collection::vec(change, 0..8), prop::collection::vec(any::<u8>(), 0..60))
        .prop_map(|(v6, changes, text)| {
            let (from, to) = if v6 {
                ("[fd00::2]:4000", "[fd00::1]:80")
            } else {
                ("10.0.0.2:4000", "10.0.0.1:80")
            };
            let mut p = packet(at(from), at(to), syn(), &text);
            for (place, value) in changes {
                if let Some(b) = p.get_mut(place) {
                    *b = value;
                }
            }
            if !v6 {
                fix_header(&mut p);
            }
            p
        })
}

proptest! {
    #[test]
    fn random_octets_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut rig = Rig::new();
        rig.listen("[::]:80");
        rig.put(&bytes);
        prop_assert_eq!(rig.stack.counters().packets_in, 1);
        while rig.next().is_some() {}
        prop_assert_eq!(rig.records(), (0, 0, 0));
    }

    #[test]
    fn mangled_packets_do_no_harm(packets in prop::collection::vec(mangled(), 1..20)) {
        let mut rig = Rig::new();
        let l = rig.listen("[::]:80");
        for p in packets {
            rig.stack.receive(rig.now, &p, RxChecksum::Good, None);
            while rig.next().is_some() {}
        }
        rig.stack.close_all(rig.now);
        rig.stack.abort_all();
        while rig.next().is_some() {}
        rig.wait_quietly(std::time::Duration::from_secs(600));
        prop_assert_eq!(rig.stack.accept(l), Err(crate::cell::AcceptError::Closed));
        rig.assert_empty();
    }

    #[test]
    fn quotes_of_icmp_errors_are_read_with_care(
        kind in any::<u8>(),
        code in any::<u8>(),
        rest in any::<u32>(),
        quoted in prop::collection::vec(any::<u8>(), 0..80),
        v6 in any::<bool>(),
    ) {
        let mut rig = Rig::new();
        let (from, to) = if v6 { ("fd00::2", "fd00::1") } else { ("10.0.0.2", "10.0.0.1") };
        let p = icmp_to(from.parse().unwrap(), to.parse().unwrap(), (kind, code), rest, &quoted);
        rig.put(&p);
        while rig.next().is_some() {}
    }
}
