//! Which socket gets a datagram, and what of one that nobody gets?

use super::*;
use crate::device::RxChecksum;
use crate::stack::{Foreign, PacketDrop, StackConfig};

#[test]
fn the_closest_socket_hears() {
    let mut rig = Rig::with(StackConfig {
        addresses: vec!["10.0.0.1/24".parse().unwrap(), "10.0.0.3/24".parse().unwrap()],
        ..config()
    });
    let any = UdpBindOptions {
        share: crate::stack::BindOptions { reuse_port: true, reuse_addr: false },
        ..UdpBindOptions::default()
    };
    let mut bind = |addr: &str| rig.stack.udp_bind(at(addr), any.clone()).unwrap();
    let (both, v4, exact, peers) =
        (bind("[::]:5000"), bind("0.0.0.0:5000"), bind(OURS), bind(OURS));
    rig.stack.udp_connect(peers, at(PEER)).unwrap();
    rig.put(&udp(PEER, OURS, b"connected"));
    rig.put(&udp("10.0.0.2:6001", OURS, b"bound"));
    rig.put(&udp("10.0.0.2:6001", "10.0.0.3:5000", b"any of its family"));
    rig.assert_heard(peers, PEER, b"connected");
    rig.assert_heard(exact, "10.0.0.2:6001", b"bound");
    rig.assert_heard(v4, "10.0.0.2:6001", b"any of its family");
    rig.stack.udp_close(v4);
    rig.put(&udp("10.0.0.2:6001", "10.0.0.3:5000", b"any"));
    // As on Linux.
    rig.assert_heard(both, "[::ffff:10.0.0.2]:6001", b"any");
    for id in [both, exact, peers] {
        rig.assert_silent(id);
    }
    assert_eq!(rig.counter("UdpInDatagrams"), 4);
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    let mut rig = Rig::new();
    let id = rig.udp("0.0.0.0:5000");
    rig.put(&udp("10.0.0.2:6001", OURS, b"before"));
    rig.stack.udp_connect(id, at(PEER)).unwrap();
    let cell = rig.stack.udp_cell(id).unwrap();
    assert_eq!((cell.local(), cell.peer()), (at(OURS), Some(at(PEER))));
    rig.put(&udp("10.0.0.2:6001", OURS, b"after"));
    rig.put(&udp(PEER, OURS, b"peer"));
    rig.assert_heard(id, "10.0.0.2:6001", b"before");
    rig.assert_heard(id, PEER, b"peer");
    assert_eq!(rig.drops(PacketDrop::UdpNoPort), 1);
    // To another peer.
    rig.stack.udp_connect(id, at("10.0.0.2:6001")).unwrap();
    rig.put(&udp("10.0.0.2:6001", OURS, b"again"));
    rig.put(&udp(PEER, OURS, b"gone"));
    rig.assert_heard(id, "10.0.0.2:6001", b"again");
    rig.assert_silent(id);
    // To nobody.
    rig.stack.udp_disconnect(id);
    assert_eq!((cell.local(), cell.peer()), (at("0.0.0.0:5000"), None));
    rig.put(&udp(PEER, OURS, b"back"));
    rig.assert_heard(id, PEER, b"back");
}

#[test]
fn of_two_that_are_connected_alike_the_other_takes_over() {
    let mut rig = Rig::new();
    let share = crate::stack::BindOptions { reuse_port: true, reuse_addr: false };
    let shared = UdpBindOptions { share, ..UdpBindOptions::default() };
    let ids = [(); 2].map(|()| rig.stack.udp_bind(at(OURS), shared.clone()).unwrap());
    for id in ids {
        rig.stack.udp_connect(id, at(PEER)).unwrap();
    }
    rig.put(&udp(PEER, OURS, b"1"));
    rig.assert_heard(ids[1], PEER, b"1");
    rig.stack.udp_close(ids[1]);
    rig.put(&udp(PEER, OURS, b"2"));
    rig.assert_heard(ids[0], PEER, b"2");
}

// RFC 768, RFC 8200 8.1
#[test]
fn a_checksum_may_be_left_out_over_ipv4_only() {
    let mut rig = Rig::new();
    let (v4, v6) = (rig.udp(OURS), rig.udp(OURS_V6));
    let without = |from, to| {
        let mut d = datagram(at(from), at(to), b"no checksum");
        d[6..8].copy_from_slice(&[0, 0]);
        around(at(from), at(to), &d)
    };
    rig.put(&without(PEER, OURS));
    rig.put(&without(PEER_V6, OURS_V6));
    rig.assert_heard(v4, PEER, b"no checksum");
    rig.assert_silent(v6);
    let mut damaged = udp(PEER, OURS, b"text");
    damaged[30] ^= 1;
    rig.put(&damaged);
    assert_eq!(rig.drops(PacketDrop::UdpChecksum), 2);
    assert_eq!((rig.counter("UdpInCsumErrors"), rig.counter("UdpInErrors")), (2, 2));
    // The device has looked already.
    rig.stack.receive(rig.now, &damaged, RxChecksum::Good, None);
    assert!(rig.heard(v4).is_ok());
    rig.silence();
}

#[test]
fn the_header_says_how_long_a_datagram_is() {
    let mut rig = Rig::new();
    let id = rig.udp(OURS);
    let padded = [datagram(at(PEER), at(OURS), b"text"), vec![9; 6]].concat();
    rig.put(&around(at(PEER), at(OURS), &padded));
    rig.assert_heard(id, PEER, b"text");
    rig.put(&udp(PEER, OURS, b""));
    rig.assert_heard(id, PEER, b"");
    let cut = datagram(at(PEER), at(OURS), b"text");
    rig.put(&around(at(PEER), at(OURS), &cut[..11]));
    rig.put(&around(at(PEER), at(OURS), &cut[..7]));
    let mut short = cut;
    short[5] = 7;
    rig.put(&around(at(PEER), at(OURS), &short));
    assert_eq!(rig.drops(PacketDrop::UdpMalformed), 3);
    rig.silence();
}

#[test]
fn what_the_device_has_joined_is_taken_apart() {
    let mut rig = Rig::new();
    let id = rig.udp(OURS);
    let burst = udp(PEER, OURS, &[&[1; 100][..], &[2; 100], &[3; 40]].concat());
    rig.stack.receive(rig.now, &burst, RxChecksum::Good, Some(100));
    for text in [vec![1; 100], vec![2; 100], vec![3; 40]] {
        rig.assert_heard(id, PEER, &text);
    }
    rig.assert_silent(id);
    assert_eq!(rig.counter("UdpInDatagrams"), 3);
}

// RFC 1122 4.1.3.1
#[test]
fn a_datagram_for_nobody_is_answered() {
    let mut rig = Rig::new();
    let p = udp(PEER, OURS, b"hello?");
    rig.put(&p);
    let answer = rig.next().unwrap();
    assert_eq!(whole(&answer).payload[..2], [3, 3]);
    assert_eq!(whole(&answer).payload[8..], p);
    rig.put(&udp(PEER_V6, OURS_V6, b"hello?"));
    assert_eq!(whole(&rig.next().unwrap()).payload[..2], [1, 4]);
    assert_eq!((rig.counter("UdpNoPorts"), rig.counter("UdpInErrors")), (2, 0));
}

#[test]
fn a_foreign_address_is_for_who_has_bound_it() {
    let foreign = Foreign::Take { echo: false };
    let mut rig = Rig::with(StackConfig { foreign, ..config() });
    let (any, one) = (rig.udp("0.0.0.0:5000"), rig.udp("192.0.2.7:5001"));
    rig.put(&udp(PEER, "192.0.2.7:5000", b"not for the own addresses"));
    rig.put(&udp(PEER, "192.0.2.7:5001", b"bound"));
    rig.assert_silent(any);
    rig.assert_heard(one, PEER, b"bound");
    rig.next();
    rig.send(one, b"from it", PEER);
    let p = rig.next().unwrap();
    assert_eq!(opened(&p).0, at("192.0.2.7:5001"));
}
