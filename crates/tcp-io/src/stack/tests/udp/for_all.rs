//! Who hears broadcast and multicast datagrams, and who may send them?

use super::*;
use crate::stack::{GroupError, MAX_GROUPS, PacketDrop, UdpSendError};

const GROUP: &str = "224.0.0.251:5353";
const GROUP_V6: &str = "[ff02::fb]:5353";

fn join(rig: &mut Rig, id: UdpId, group: &str) -> Result<(), GroupError> {
    rig.stack.udp_join(id, at(group).ip())
}

#[test]
fn a_broadcast_is_for_every_socket_on_the_port() {
    let mut rig = Rig::new();
    let shared = UdpBindOptions {
        share: crate::stack::BindOptions { reuse_port: true, reuse_addr: false },
        ..UdpBindOptions::default()
    };
    let mut bind = |addr: &str| rig.stack.udp_bind(at(addr), shared.clone()).unwrap();
    let (a, b, exact, other) =
        (bind("0.0.0.0:67"), bind("[::]:67"), bind("10.0.0.1:67"), bind("0.0.0.0:68"));
    for to in ["10.0.0.255:67", "255.255.255.255:67"] {
        rig.put(&udp(PEER, to, b"all"));
        rig.assert_heard(a, PEER, b"all");
        rig.assert_heard(b, "[::ffff:10.0.0.2]:6000", b"all");
        rig.assert_silent(exact);
        rig.assert_silent(other);
    }
    // Never answered: RFC 1122 3.2.2.
    rig.put(&udp(PEER, "10.0.0.255:99", b"nobody"));
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::NotUnicast), 1);
    // Our own does not come back if nobody here would hear it.
    rig.stack.udp_cell(other).unwrap().set_options(|o| o.broadcast = true);
    rig.send(other, b"out", "10.0.0.255:99");
    rig.next().unwrap();
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::NotUnicast), 1);
}

#[test]
fn sending_a_broadcast_needs_the_option() {
    let mut rig = Rig::new();
    let (id, near) = (rig.udp("0.0.0.0:67"), rig.udp("0.0.0.0:68"));
    for to in ["10.0.0.255:68", "255.255.255.255:68"] {
        let cell = rig.stack.udp_cell(id).unwrap();
        cell.set_options(|o| o.broadcast = false);
        let send = |rig: &mut Rig| rig.stack.udp_send(rig.now, id, &b"x"[..], Some(at(to)));
        assert_eq!(send(&mut rig), Err(UdpSendError::NoBroadcast));
        assert_eq!(rig.stack.udp_connect(id, at(to)), Err(UdpSendError::NoBroadcast));
        cell.set_options(|o| o.broadcast = true);
        send(&mut rig).unwrap();
        assert_eq!(opened(&rig.next().unwrap()), (at("10.0.0.1:67"), at(to), b"x".to_vec()));
        // We are of all.
        rig.silence();
        rig.assert_heard(near, "10.0.0.1:67", b"x");
    }
}

#[test]
fn a_group_is_heard_while_somebody_is_in_it() {
    let mut rig = Rig::new();
    for (any, group, peer) in [("0.0.0.0:5353", GROUP, PEER), ("[::]:5353", GROUP_V6, PEER_V6)] {
        let v6_only = UdpBindOptions { v6_only: true, ..UdpBindOptions::default() };
        let id = rig.stack.udp_bind(at(any), v6_only).unwrap();
        let before = rig.drops(PacketDrop::NotUnicast);
        rig.put(&udp(peer, group, b"early"));
        rig.assert_silent(id);
        join(&mut rig, id, group).unwrap();
        assert_eq!(join(&mut rig, id, group), Err(GroupError::Joined));
        rig.put(&udp(peer, group, b"hello"));
        rig.assert_heard(id, peer, b"hello");
        rig.stack.udp_leave(id, at(group).ip()).unwrap();
        assert_eq!(rig.stack.udp_leave(id, at(group).ip()), Err(GroupError::NotJoined));
        rig.put(&udp(peer, group, b"late"));
        rig.assert_silent(id);
        // A socket leaves with its end.
        join(&mut rig, id, group).unwrap();
        rig.stack.udp_close(id);
        rig.put(&udp(peer, group, b"gone"));
        assert_eq!(rig.drops(PacketDrop::NotUnicast), before + 3);
    }
    rig.silence();
}

#[test]
fn groups_are_counted() {
    let mut rig = Rig::new();
    let (a, b) = (rig.udp("0.0.0.0:1"), rig.udp("0.0.0.0:2"));
    join(&mut rig, a, GROUP).unwrap();
    join(&mut rig, b, GROUP).unwrap();
    rig.stack.udp_close(a);
    rig.put(&udp(PEER, "224.0.0.251:2", b"still"));
    rig.assert_heard(b, PEER, b"still");
    assert_eq!(join(&mut rig, b, "10.0.0.2:1"), Err(GroupError::NotMulticast));
    for n in 1..MAX_GROUPS {
        join(&mut rig, b, &format!("239.0.0.{n}:1")).unwrap();
    }
    assert_eq!(join(&mut rig, b, "239.0.1.1:1"), Err(GroupError::TooMany));
}

#[test]
fn a_group_is_sent_to_with_a_short_life_and_a_copy_for_us() {
    let mut rig = Rig::new();
    let (from, near) = (rig.udp("0.0.0.0:5000"), rig.udp("0.0.0.0:5353"));
    rig.send(from, b"out", GROUP);
    let p = rig.next().unwrap();
    assert_eq!((p[8], opened(&p).0), (1, at(OURS)));
    rig.assert_silent(near);
    join(&mut rig, near, GROUP).unwrap();
    rig.send(from, b"both", GROUP);
    assert_eq!(opened(&rig.next().unwrap()).2, b"both");
    rig.silence();
    rig.assert_heard(near, OURS, b"both");
    let cell = rig.stack.udp_cell(from).unwrap();
    cell.set_options(|o| o.multicast_ttl_v4 = 0);
    rig.send(from, b"here only", GROUP);
    rig.silence();
    rig.assert_heard(near, OURS, b"here only");
    cell.set_options(|o| (o.multicast_ttl_v4, o.multicast_loop_v4) = (9, false));
    rig.send(from, b"there only", GROUP);
    assert_eq!(rig.next().unwrap()[8], 9);
    rig.silence();
    rig.assert_silent(near);
}

// MUST-57
#[test]
fn nothing_but_udp_is_for_a_group() {
    let mut rig = Rig::new();
    let id = rig.udp("0.0.0.0:80");
    rig.listen("0.0.0.0:80");
    join(&mut rig, id, GROUP).unwrap();
    rig.put(&packet(at(PEER), at("224.0.0.251:80"), syn(), &[]));
    rig.put(&udp("224.0.0.1:9", "224.0.0.251:80", b"from a group"));
    rig.silence();
    let drops = (rig.drops(PacketDrop::NotUnicast), rig.drops(PacketDrop::BadSource));
    assert_eq!(drops, (1, 1));
}
