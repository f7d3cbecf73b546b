//! Do datagrams that are larger than the path arrive, here and there?

use std::collections::HashSet;

use super::*;
use crate::stack::StackConfig;

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8)) as u8).collect()
}

/// Two stacks: what comes out of one goes into the other.
fn carry(a: &mut Rig, b: &mut Rig) -> Vec<usize> {
    let packets: Vec<_> = std::iter::from_fn(|| a.next()).collect();
    packets.iter().for_each(|p| b.put(p));
    packets.iter().map(Vec::len).collect()
}

fn other(mtu: usize) -> Rig {
    let addresses = vec!["10.0.0.2/24".parse().unwrap(), "fd00::2/64".parse().unwrap()];
    Rig::with(StackConfig { addresses, mtu, ..config() })
}

#[test]
fn the_largest_datagrams_arrive_whole() {
    for (ours, peer, most) in [(OURS, PEER, 65_507), (OURS_V6, PEER_V6, 65_527)] {
        for len in [1472, 1473, 8000, most] {
            let (mut rig, mut there) = (Rig::new(), other(1500));
            let (a, b) = (rig.udp(ours), there.udp(peer));
            rig.send(a, &pattern(len), peer);
            let lens = carry(&mut rig, &mut there);
            assert!(lens.iter().all(|l| *l <= 1500), "{lens:?}");
            there.assert_heard(b, ours, &pattern(len));
            let fragments = if lens.len() > 1 { lens.len() as u64 } else { 0 };
            assert_eq!(rig.counter("IpFragCreates"), fragments);
            assert_eq!(rig.counter("IpFragOKs"), u64::from(fragments > 0));
            assert_eq!(there.stack.fragmented_count(), 0);
        }
    }
}

#[test]
fn the_smallest_link_carries_them_too() {
    let mut rig = Rig::with(StackConfig { mtu: 68, ..config() });
    let mut there = other(1500);
    let (a, b) = (rig.udp(OURS), there.udp(PEER));
    // As many pieces as are put together.
    rig.send(a, &pattern(6000), PEER);
    assert!(carry(&mut rig, &mut there).iter().all(|l| *l <= 68));
    there.assert_heard(b, OURS, &pattern(6000));
}

// RFC 6864 4.3
#[test]
fn fragments_of_different_datagrams_have_different_names() {
    let mut rig = Rig::new();
    let a = rig.udp(OURS);
    let mut names = HashSet::new();
    for _ in 0..50 {
        rig.send(a, &[0; 3000], PEER);
        let all: Vec<_> = std::iter::from_fn(|| rig.next()).collect();
        assert_eq!(all.len(), 3);
        // DF is not set, and they share a name.
        assert!(all.iter().all(|p| p[6] & 0x40 == 0 && p[4..6] == all[0][4..6]));
        assert!(names.insert(all[0][4..6].to_vec()));
    }
    // What goes whole must not be cut on its way.
    rig.send(a, b"x", PEER);
    assert_eq!(rig.next().unwrap()[4..8], [0, 0, 0x40, 0]);
}

#[test]
fn the_largest_datagram_crosses_the_loopback() {
    let mut rig = Rig::new();
    for (a, b, most) in [("127.0.0.1:1", "127.0.0.1:2", 65_507), ("[::1]:1", "[::1]:2", 65_527)] {
        let (from, to) = (rig.udp(a), rig.udp(b));
        rig.send(from, &pattern(most), b);
        rig.silence();
        rig.assert_heard(to, a, &pattern(most));
    }
}

#[test]
fn a_device_that_takes_one_packet_at_a_time_gets_all_in_order() {
    let mut rig = Rig::new();
    let a = rig.udp(OURS);
    for n in 0..4 {
        rig.send(a, &[n; 4000], PEER);
    }
    // `poll_transmit` closes the sink after each packet.
    let all: Vec<_> = std::iter::from_fn(|| rig.next()).collect();
    let offsets: Vec<_> = all.iter().map(|p| (p[6] as usize & 31) << 8 | p[7] as usize).collect();
    assert_eq!(offsets, [0, 185, 370].repeat(4));
    let mut there = other(1500);
    let b = there.udp(PEER);
    all.iter().for_each(|p| there.put(p));
    for n in 0..4 {
        there.assert_heard(b, OURS, &[n; 4000]);
    }
}
