//! Which datagrams leave, from where, and which are refused?

use super::*;
use crate::cell::UdpOptions;
use crate::device::TxOffload;
use crate::stack::{Routes, StackConfig, UdpSendError};

#[test]
fn a_datagram_goes_out_as_it_is() {
    let mut rig = Rig::new();
    for (ours, peer) in [(OURS, PEER), (OURS_V6, PEER_V6)] {
        let id = rig.udp(ours);
        for text in [&b"hello"[..], b"", &[7; 1400]] {
            rig.send(id, text, peer);
            assert_eq!(opened(&rig.next().unwrap()), (at(ours), at(peer), text.to_vec()));
        }
        rig.silence();
    }
    assert_eq!((rig.counter("UdpOutDatagrams"), rig.counter("IpFragCreates")), (6, 0));
}

#[test]
fn a_wildcard_sends_from_the_address_that_fits() {
    let mut rig = Rig::new();
    let id = rig.udp("[::]:5000");
    for (to, from) in
        [(PEER, OURS), (PEER_V6, OURS_V6), ("[::ffff:10.0.0.2]:6000", OURS), ("192.0.2.1:53", OURS)]
    {
        rig.send(id, b"x", to);
        assert_eq!(opened(&rig.next().unwrap()).0, at(from), "{to}");
    }
}

#[test]
fn the_peer_is_the_destination_unless_another_is_named() {
    let mut rig = Rig::new();
    let id = rig.udp("0.0.0.0:5000");
    let send = |rig: &mut Rig| rig.stack.udp_send(rig.now, id, &b"x"[..], None);
    assert_eq!(send(&mut rig), Err(UdpSendError::NotConnected));
    rig.stack.udp_connect(id, at(PEER)).unwrap();
    send(&mut rig).unwrap();
    assert_eq!(opened(&rig.next().unwrap()).1, at(PEER));
    rig.send(id, b"x", "10.0.0.2:9");
    assert_eq!(opened(&rig.next().unwrap()).1, at("10.0.0.2:9"));
}

#[test]
fn what_cannot_be_sent_is_refused_at_once() {
    let routes = Routes::Only(Vec::new());
    let mut rig = Rig::with(StackConfig { routes, ..config() });
    let (v4, any, v6, lo) =
        (rig.udp(OURS), rig.udp("[::]:5001"), rig.udp(OURS_V6), rig.udp("127.0.0.1:5000"));
    let mut send =
        |id, to: &str, len: usize| rig.stack.udp_send(rig.now, id, vec![0; len], Some(at(to)));
    assert_eq!(send(v4, "10.0.0.2:0", 1), Err(UdpSendError::BadRemote));
    assert_eq!(send(v4, PEER_V6, 1), Err(UdpSendError::BadRemote));
    assert_eq!(send(v4, "[::ffff:10.0.0.2]:6000", 1), Err(UdpSendError::BadRemote));
    assert_eq!(send(v6, PEER, 1), Err(UdpSendError::BadRemote));
    assert_eq!(send(v4, "192.0.2.1:53", 1), Err(UdpSendError::NoRoute));
    assert_eq!(send(lo, PEER, 1), Err(UdpSendError::BadLocal));
    assert_eq!(send(v4, "10.0.0.255:9", 1), Err(UdpSendError::NoBroadcast));
    assert_eq!(send(v4, PEER, 65_508), Err(UdpSendError::TooLong));
    assert_eq!(send(any, PEER, 65_508), Err(UdpSendError::TooLong));
    assert_eq!(send(any, PEER_V6, 65_528), Err(UdpSendError::TooLong));
    assert_eq!(rig.stack.udp_connect(v4, at("10.0.0.2:0")), Err(UdpSendError::BadRemote));
    assert_eq!(rig.stack.udp_cell(v4).unwrap().peer(), None);
    rig.silence();
    rig.stack.udp_close(v4);
    let closed = rig.stack.udp_send(rig.now, v4, &b"x"[..], Some(at(PEER)));
    assert_eq!(closed, Err(UdpSendError::Closed));
}

#[test]
fn options_are_in_the_header() {
    let mut rig = Rig::new();
    let (v4, v6) = (rig.udp(OURS), rig.udp(OURS_V6));
    for id in [v4, v6] {
        let o = UdpOptions { hop_limit: 7, tos: 0x10, traffic_class: 0x20, ..Default::default() };
        rig.stack.udp_cell(id).unwrap().set_options(|to| *to = o);
    }
    rig.send(v4, b"x", PEER);
    let p = rig.next().unwrap();
    assert_eq!((p[8], p[1]), (7, 0x10));
    rig.send(v6, b"x", PEER_V6);
    let p = rig.next().unwrap();
    assert_eq!((p[7], p[0] << 4 | p[1] >> 4), (7, 0x20));
}

#[test]
fn a_device_that_can_finishes_the_checksum() {
    let mut rig = Rig::with(StackConfig { checksum_offload: true, ..config() });
    let id = rig.udp(OURS);
    rig.send(id, b"hello", PEER);
    let p = rig.stack.poll_transmit(rig.now).unwrap();
    assert_eq!(p.offload(), TxOffload::Checksum { start: 20, offset: 6 });
    opened(&p.to_vec());
}

// As on Linux.
#[test]
fn what_is_for_us_is_there_at_once() {
    let mut rig = Rig::new();
    let (a, b) = (rig.udp(OURS), rig.udp("127.0.0.1:7000"));
    rig.send(a, b"in", "127.0.0.1:7000");
    rig.assert_heard(b, OURS, b"in");
    rig.send(b, b"back", OURS);
    rig.assert_heard(a, "127.0.0.1:7000", b"back");
    // An unspecified destination is this host.
    rig.send(b, b"self", "0.0.0.0:7000");
    rig.assert_heard(b, "127.0.0.1:7000", b"self");
    rig.silence();
}

#[test]
fn what_was_sent_before_the_close_still_goes() {
    let mut rig = Rig::new();
    let id = rig.udp(OURS);
    for n in 0..20 {
        rig.send(id, &[n], PEER);
    }
    rig.stack.udp_close(id);
    let all: Vec<_> = std::iter::from_fn(|| rig.next()).map(|p| opened(&p).2[0]).collect();
    assert_eq!(all, (0..20).collect::<Vec<u8>>());
    assert!(!rig.stack.has_work());
}

#[test]
fn what_leaves_from_a_removed_address_is_lost() {
    let mut rig = Rig::new();
    let id = rig.udp(OURS);
    rig.send(id, b"queued", PEER);
    assert!(rig.stack.remove_address(at(OURS).ip()));
    rig.silence();
    assert_eq!(rig.drops(crate::stack::PacketDrop::NoSource), 1);
    let sent = rig.stack.udp_send(rig.now, id, &b"x"[..], Some(at(PEER)));
    assert_eq!(sent, Err(UdpSendError::BadLocal));
}

#[test]
fn datagrams_and_segments_take_turns() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    peer.send(&mut rig, ACK | PSH, b"GET");
    let c = rig.accept(l).unwrap();
    let id = rig.udp(OURS);
    for _ in 0..40 {
        rig.send(id, b"datagram", PEER);
    }
    rig.stack.write(rig.now, c, &[1; 9000]).unwrap();
    let all: Vec<_> = std::iter::from_fn(|| rig.next()).map(|p| whole(&p).protocol).collect();
    let first = |protocol| all.iter().position(|p| *p == protocol).unwrap();
    assert!(first(ip::TCP) <= 8 && first(ip::UDP) <= 8, "{all:?}");
}
