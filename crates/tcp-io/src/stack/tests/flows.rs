//! Does each segment reach its own connection, and no other?

use tcp_core::connection::State;

use super::peer::*;

#[test]
fn segments_of_many_flows_are_told_apart() {
    let mut rig = Rig::new();
    let l = rig.listen("[::]:80");
    let mut flows = Vec::new();
    for n in 0..50u16 {
        let (me, to) = match n % 2 {
            0 => (format!("10.0.0.{}:{}", 2 + n % 3, 4000 + n / 6), "10.0.0.1:80"),
            _ => (format!("[fd00::{}]:{}", 2 + n % 3, 4000 + n / 6), "[fd00::1]:80"),
        };
        let peer = Peer::connect(&mut rig, &me, to);
        flows.push((peer, rig.accept(l).unwrap()));
    }
    for (n, (peer, _)) in flows.iter_mut().enumerate() {
        peer.send(&mut rig, PSH | ACK, format!("flow {n}").as_bytes());
    }
    for (n, (_, c)) in flows.iter().enumerate() {
        assert_eq!(rig.read(*c), format!("flow {n}").as_bytes());
    }
    assert_eq!(rig.stack.demux_count(), 50);
}

#[test]
fn a_reset_ends_its_own_connection_only() {
    let mut rig = Rig::new();
    let l = rig.listen("0.0.0.0:80");
    let mut a = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let ac = rig.accept(l).unwrap();
    Peer::connect(&mut rig, "10.0.0.2:4001", "10.0.0.1:80");
    let bc = rig.accept(l).unwrap();
    a.send(&mut rig, RST, b"");
    assert_eq!((rig.stack.state(ac), rig.stack.state(bc)), (State::Closed, State::Established));
}
