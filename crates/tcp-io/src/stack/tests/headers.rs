//! What stands in the IP headers of our packets, and in which of theirs do we believe?

use tcp_core::SeqNum;
use tcp_core::wire::{Options, Segment};

use super::peer::*;
use crate::device::RxChecksum;
use crate::stack::{ConnectOptions, PacketDrop, StackConfig};

/// Hop limit and traffic class of a packet.
fn fields(packet: &[u8]) -> (u8, u8) {
    if packet[0] >> 4 == 4 {
        (packet[8], packet[1])
    } else {
        (packet[7], packet[0] << 4 | packet[1] >> 4)
    }
}

// MUST-48, MUST-49, SHLD-21, SHLD-22
#[test]
fn hop_limit_and_traffic_class_are_the_applications() {
    for remote in ["10.0.0.2:80", "[fd00::2]:80"] {
        let mut rig = Rig::new();
        let c = rig.stack.connect(rig.now, at(remote), ConnectOptions::default()).unwrap();
        let mut peer = Peer::answer(&mut rig);
        rig.stack.write(rig.now, c, b"plain").unwrap();
        assert_eq!(fields(&peer.hear(&mut rig).bytes), (64, 0));
        rig.stack.set_options(rig.now, c, |o| {
            o.hop_limit = 3;
            o.traffic_class = 0xb8;
            o.nodelay = true;
        });
        rig.stack.write(rig.now, c, b"marked").unwrap();
        assert_eq!(fields(&peer.hear(&mut rig).bytes), (3, 0xb8));
    }
}

// MUST-48, MUST-49
#[test]
fn answers_without_a_connection_use_the_stacks_values() {
    let mut config = config();
    config.tcp.options.hop_limit = 9;
    config.tcp.options.traffic_class = 0x20;
    let mut rig = Rig::with(config);
    rig.listen("10.0.0.1:80");
    for port in [80, 81] {
        rig.say(at("10.0.0.2:4000"), at(&format!("10.0.0.1:{port}")), syn());
        assert_eq!(fields(&rig.hear_one().bytes), (9, 0x20));
    }
}

#[test]
fn packets_are_not_to_be_fragmented() {
    let mut rig = Rig::new();
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
    assert_eq!(rig.hear_one().bytes[6..8], [0x40, 0]);
}

// MUST-14, MUST-67
#[test]
fn the_mss_follows_from_the_mtu() {
    let mut rig = Rig::new();
    rig.listen("[::]:80");
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
    assert_eq!(rig.hear_one().mss, Some(1460));
    rig.say(at("[fd00::2]:4000"), at("[fd00::1]:80"), syn());
    assert_eq!(rig.hear_one().mss, Some(1440));
}

// MUST-3
#[test]
fn a_wrong_checksum_is_dropped_silently_and_counted() {
    let mut rig = Rig::new();
    rig.listen("10.0.0.1:80");
    let good = packet(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn(), &[]);
    for bit in 0..(good.len() - 20) * 8 {
        let mut bad = good.clone();
        bad[20 + bit / 8] ^= 1 << (bit % 8);
        rig.put(&bad);
        rig.silence();
    }
    assert_eq!(rig.drops(PacketDrop::Checksum), (good.len() as u64 - 20) * 8);
    rig.put(&good);
    assert_eq!(rig.hear_one().flags, SYN | ACK);
}

#[test]
fn a_device_that_vouches_for_a_checksum_is_believed() {
    let mut rig = Rig::new();
    rig.listen("10.0.0.1:80");
    let mut p = packet(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn(), &[]);
    p[36..38].copy_from_slice(&[0xde, 0xad]);
    rig.stack.receive(rig.now, &p, RxChecksum::Good, None);
    assert_eq!(rig.hear_one().flags, SYN | ACK);
    assert_eq!(rig.stack.counters().total_drops(), 0);
}

// MUST-57
#[test]
fn a_syn_to_broadcast_or_multicast_is_dropped_silently() {
    let mut rig = Rig::new();
    rig.listen("[::]:80");
    let to = ["255.255.255.255:80", "10.0.0.255:80", "224.0.0.1:80"];
    for dst in to {
        rig.say(at("10.0.0.2:4000"), at(dst), syn());
    }
    rig.say(at("[fd00::2]:4000"), at("[ff02::1]:80"), syn());
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::NotUnicast), 4);
    rig.stack.listeners.ids().iter().for_each(|l| rig.stack.close_listener(*l));
    rig.assert_empty();
}

// MUST-63
#[test]
fn a_syn_from_an_impossible_source_is_dropped_silently() {
    let mut rig = Rig::new();
    rig.listen("[::]:80");
    let from = [
        "0.0.0.0:4000",
        "255.255.255.255:4000",
        "10.0.0.255:4000",
        "224.0.0.1:4000",
        "127.0.0.1:4000",
        // Our own address cannot come from outside: the "land" packet.
        "10.0.0.1:80",
    ];
    for src in from {
        rig.say(at(src), at("10.0.0.1:80"), syn());
    }
    let from6 = ["[::]:4000", "[ff02::1]:4000", "[::1]:4000", "[fd00::1]:80"];
    for src in from6 {
        rig.say(at(src), at("[fd00::1]:80"), syn());
    }
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::BadSource), (from.len() + from6.len()) as u64);
    assert_eq!(rig.records(), (0, 0, 0));
}

// MUST-63: an IPv4-mapped address has no business on a wire; a peer that could use one would pass
// for an IPv4 host.
#[test]
fn a_mapped_source_is_dropped_silently() {
    let mut rig = Rig::new();
    rig.listen("[::]:80");
    let mut p = packet(at("[fd00::2]:4000"), at("[fd00::1]:80"), syn(), &[]);
    let mapped = std::net::Ipv4Addr::new(10, 0, 0, 2).to_ipv6_mapped();
    p[8..24].copy_from_slice(&mapped.octets());
    rig.stack.receive(rig.now, &p, RxChecksum::Good, None);
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::BadSource), 1);
}

#[test]
fn packets_for_others_are_counted_and_not_answered() {
    let mut rig = Rig::new();
    rig.listen("[::]:80");
    rig.say(at("10.0.0.2:4000"), at("10.0.0.3:80"), syn());
    rig.say(at("[fd00::2]:4000"), at("[fd00::3]:80"), syn());
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::NotForUs), 2);
    // A loopback address is never for us from outside.
    rig.say(at("10.0.0.2:4000"), at("127.0.0.1:80"), syn());
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::BadSource), 1);
}

#[test]
fn segments_with_unusual_ports_and_flags_are_answered_by_resets_at_most() {
    let mut rig = Rig::new();
    for bits in 0..=0x1ff {
        let s = Segment {
            options: Options::default(),
            ..segment(tcp_core::wire::Flags::from_bits(bits), IRS, SeqNum(1))
        };
        rig.say(at("10.0.0.2:0"), at("10.0.0.1:0"), s);
        let all = rig.hear();
        assert!(all.len() <= 1 && all.iter().all(|h| h.flags.contains(RST)), "{bits:#x}");
    }
    rig.assert_empty();
}

#[test]
fn without_checksum_offload_no_packet_exceeds_the_mtu() {
    let mut rig = Rig::with(StackConfig { segmentation_offload: Some(65_535), ..config() });
    let c = rig.stack.connect(rig.now, at("10.0.0.2:80"), ConnectOptions::default()).unwrap();
    Peer::answer(&mut rig);
    rig.stack.write(rig.now, c, &[7; 10_000]).unwrap();
    let packets = rig.hear();
    assert!(packets.len() > 6);
    assert!(packets.iter().all(|p| p.bytes.len() <= 1500));
}
