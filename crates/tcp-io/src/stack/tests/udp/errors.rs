//! What does a socket learn from ICMP?

use std::net::IpAddr;

use super::*;
use crate::cell::UdpError;
use crate::stack::{PacketDrop, UdpSendError};

const ROUTER: &str = "10.0.0.254";
const ROUTER_V6: &str = "fd00::fe";

fn ip_of(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A connected socket that has sent, and its packet.
fn sent(rig: &mut Rig, ours: &str, peer: &str) -> (UdpId, Vec<u8>) {
    let id = rig.udp(ours);
    rig.stack.udp_connect(id, at(peer)).unwrap();
    rig.stack.udp_send(rig.now, id, &b"hello"[..], None).unwrap();
    (id, rig.next().unwrap())
}

#[test]
fn a_connected_socket_is_told_that_nobody_is_there_once() {
    let mut rig = Rig::new();
    for (ours, peer, router, kind) in
        [(OURS, PEER, ROUTER, (3, 3)), (OURS_V6, PEER_V6, ROUTER_V6, (1, 4))]
    {
        let (id, p) = sent(&mut rig, ours, peer);
        rig.put(&icmp(ip_of(router), kind.0, kind.1, 0, &p));
        // What has arrived waits behind it.
        rig.put(&udp(peer, ours, b"text"));
        assert_eq!(rig.heard(id), Err(UdpReceiveError::Pending(UdpError::Refused)));
        rig.assert_heard(id, peer, b"text");
        rig.assert_silent(id);
        rig.put(&icmp(ip_of(router), kind.0, kind.1, 0, &p));
        let send = |rig: &mut Rig| rig.stack.udp_send(rig.now, id, &b"x"[..], None);
        assert_eq!(send(&mut rig), Err(UdpSendError::Pending(UdpError::Refused)));
        rig.silence();
        assert_eq!(send(&mut rig), Ok(()));
        rig.next();
        rig.put(&icmp(ip_of(router), kind.0, kind.1, 0, &p));
        let cell = rig.stack.udp_cell(id).unwrap();
        assert_eq!((cell.take_error(), cell.take_error()), (Some(UdpError::Refused), None));
    }
}

#[test]
fn an_unconnected_socket_is_told_nothing() {
    let mut rig = Rig::new();
    let id = rig.udp(OURS);
    rig.send(id, b"hello", PEER);
    let p = rig.next().unwrap();
    rig.put(&icmp(ip_of(ROUTER), 3, 3, 0, &p));
    rig.assert_silent(id);
    assert_eq!(rig.drops(PacketDrop::IcmpIgnored), 1);
    // Nor is one about a datagram of nobody's, to another peer, or of somebody else's address.
    let (_, q) = sent(&mut rig, "10.0.0.1:5001", PEER);
    let elsewhere = udp("10.0.0.1:5001", "10.0.0.2:6001", b"x");
    rig.put(&icmp(ip_of(ROUTER), 3, 3, 0, &elsewhere));
    rig.put(&icmp(ip_of(ROUTER), 3, 3, 0, &udp("10.0.0.1:5002", PEER, b"x")));
    rig.put(&icmp_to(ip_of(ROUTER), ip_of("10.0.0.1"), (3, 3), 0, &udp(PEER, OURS, b"x")));
    assert_eq!(rig.drops(PacketDrop::IcmpNotBelieved), 3);
    // A later fragment does not say whose it is.
    let mut later = q;
    later[7] = 10;
    rig.put(&icmp(ip_of(ROUTER), 3, 3, 0, &later));
    assert_eq!(rig.drops(PacketDrop::IcmpIgnored), 2);
}

// Linux: `icmp_err_convert`, `icmpv6_err_convert`.
#[test]
fn what_may_pass_is_not_told() {
    let mut rig = Rig::new();
    let (v4, p) = sent(&mut rig, OURS, PEER);
    let (v6, q) = sent(&mut rig, OURS_V6, PEER_V6);
    let ours = [(v4, &p, ROUTER), (v6, &q, ROUTER_V6)];
    let mut told = |family: usize, kind, code| {
        let (id, p, router) = ours[family];
        rig.put(&icmp(ip_of(router), kind, code, 0, p));
        rig.stack.udp_cell(id).unwrap().take_error()
    };
    for (kind, code, error) in [
        (3, 0, None),
        (3, 1, None),
        (3, 2, Some(UdpError::Protocol)),
        (3, 6, Some(UdpError::Network)),
        (3, 10, Some(UdpError::Host)),
        (3, 13, Some(UdpError::Host)),
        (11, 0, None),
        (12, 0, Some(UdpError::Protocol)),
    ] {
        assert_eq!(told(0, kind, code), error, "{kind}.{code}");
    }
    for (kind, code, error) in [
        (1, 0, None),
        (1, 1, Some(UdpError::Prohibited)),
        (1, 3, None),
        (3, 0, None),
        (4, 0, Some(UdpError::Protocol)),
        (4, 1, Some(UdpError::Protocol)),
    ] {
        assert_eq!(told(1, kind, code), error, "{kind}.{code}");
    }
}

// RFC 1191, RFC 8201
#[test]
fn a_narrow_path_is_told_and_the_next_datagram_is_cut() {
    let mut rig = Rig::new();
    for (ours, peer, router, kind, mtu) in
        [(OURS, PEER, ROUTER, (3, 4), 1000), (OURS_V6, PEER_V6, ROUTER_V6, (2, 0), 1300)]
    {
        let id = rig.udp(ours);
        rig.stack.udp_connect(id, at(peer)).unwrap();
        let send = |rig: &mut Rig| -> Vec<_> {
            rig.stack.udp_send(rig.now, id, vec![1; 1400], None).unwrap();
            std::iter::from_fn(|| rig.next()).collect()
        };
        let p = send(&mut rig).remove(0);
        // Smaller than what was sent, or it is nonsense.
        rig.put(&icmp(ip_of(router), kind.0, kind.1, 1490, &p));
        assert_eq!(send(&mut rig).len(), 1);
        rig.put(&icmp(ip_of(router), kind.0, kind.1, mtu, &p));
        assert_eq!(rig.heard(id), Err(UdpReceiveError::Pending(UdpError::TooBig)));
        let cut = send(&mut rig);
        assert_eq!(cut.len(), 2);
        assert!(cut.iter().all(|p| p.len() <= mtu as usize));
        // In IPv6, a fragment may be too large as well, and says so behind its header.
        if peer == PEER_V6 {
            rig.put(&icmp(ip_of(router), 1, 4, 0, &cut[0]));
            assert_eq!(rig.heard(id), Err(UdpReceiveError::Pending(UdpError::Refused)));
        }
    }
}

#[test]
fn a_path_is_not_believed_to_carry_next_to_nothing() {
    let mut rig = Rig::new();
    let id = rig.udp(OURS);
    rig.send(id, &[1; 1400], PEER);
    let p = rig.next().unwrap();
    rig.put(&icmp(ip_of(ROUTER), 3, 4, 68, &p));
    rig.assert_silent(id);
    rig.send(id, &[1; 1400], PEER);
    let all: Vec<_> = std::iter::from_fn(|| rig.next()).collect();
    assert_eq!(all.iter().map(Vec::len).max(), Some(548));
    // From then on routers may cut what fits.
    rig.send(id, &[1; 100], PEER);
    assert_eq!(rig.next().unwrap()[6] & 0x40, 0);
    // Nor does a connection learn of it.
    let c = rig.stack.connect(rig.now, at("10.0.0.2:80"), Default::default()).unwrap();
    assert_eq!(rig.stack.info(c).unwrap().path_mtu, 1500);
}

// Linux limits no ICMP on its loopback.
#[test]
fn the_loopback_says_it_each_time() {
    let mut rig = Rig::new();
    let id = rig.udp("127.0.0.1:1");
    rig.stack.udp_connect(id, at("127.0.0.1:2")).unwrap();
    for _ in 0..100 {
        rig.stack.udp_send(rig.now, id, &b"anybody?"[..], None).unwrap();
        assert_eq!(rig.heard(id), Err(UdpReceiveError::Pending(UdpError::Refused)));
    }
    assert_eq!(rig.drops(PacketDrop::IcmpRateLimit), 0);
}

#[test]
fn the_loopback_says_it_too() {
    let mut rig = Rig::new();
    let id = rig.udp("127.0.0.1:1");
    rig.stack.udp_connect(id, at("127.0.0.1:2")).unwrap();
    rig.stack.udp_send(rig.now, id, &b"anybody?"[..], None).unwrap();
    assert_eq!(rig.heard(id), Err(UdpReceiveError::Pending(UdpError::Refused)));
    rig.silence();
}
