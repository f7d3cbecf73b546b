//! Which addresses and ports can a UDP socket have?

use super::*;
use crate::stack::ports::BindError;
use crate::stack::{BindOptions, StackConfig, UdpBindError};

fn shared() -> UdpBindOptions {
    let share = BindOptions { reuse_port: true, ..BindOptions::default() };
    UdpBindOptions { share, ..UdpBindOptions::default() }
}

#[test]
fn an_address_is_bound_once() {
    let mut rig = Rig::new();
    let a = rig.udp(OURS);
    let mut bind = |addr: &str| rig.stack.udp_bind(at(addr), UdpBindOptions::default());
    let taken = Err(UdpBindError::Bind(BindError::InUse));
    assert_eq!(bind(OURS), taken);
    assert_eq!(bind("0.0.0.0:5000"), taken);
    assert_eq!(bind("[::]:5000"), taken);
    let foreign = Err(UdpBindError::Bind(BindError::NotLocal));
    assert_eq!(bind("10.0.0.9:5000"), foreign);
    // Another address is another matter, and TCP has ports of its own.
    assert!(bind(OURS_V6).is_ok());
    rig.listen(OURS);
    rig.stack.udp_close(a);
    assert!(rig.stack.udp_bind(at("0.0.0.0:5000"), UdpBindOptions::default()).is_ok());
}

#[test]
fn port_0_is_any_that_nobody_has() {
    let config = StackConfig { ephemeral_ports: (40_000, 40_003), ..config() };
    let mut rig = Rig::with(config);
    let mut ports: Vec<u16> = (0..4)
        .map(|_| {
            let id = rig.udp("10.0.0.1:0");
            rig.stack.udp_cell(id).unwrap().local().port()
        })
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [40_000, 40_001, 40_002, 40_003]);
    // Sharing is for who asks for a port by its number.
    let none = Err(UdpBindError::Bind(BindError::NoPorts));
    assert_eq!(rig.stack.udp_bind(at("10.0.0.1:0"), shared()), none);
}

#[test]
fn sockets_are_as_many_as_the_stack_says() {
    let mut rig = Rig::with(StackConfig { max_udp_sockets: 2, ..config() });
    let first = rig.udp("10.0.0.1:0");
    rig.udp("10.0.0.1:0");
    let mut more = || rig.stack.udp_bind(at("10.0.0.1:0"), UdpBindOptions::default());
    assert_eq!(more(), Err(UdpBindError::TooMany));
    rig.stack.udp_close(first);
    rig.udp("10.0.0.1:0");
    assert_eq!(rig.stack.udp_count(), 2);
}

#[test]
fn who_shares_an_address_gets_some_peers_each_and_each_peer_one() {
    let mut rig = Rig::new();
    let ids: Vec<UdpId> = (0..3).map(|_| rig.stack.udp_bind(at(OURS), shared()).unwrap()).collect();
    let mut heard = [0; 3];
    for n in 0..60 {
        let from = format!("10.0.0.2:{}", 7000 + n);
        rig.put(&udp(&from, OURS, b"1"));
        rig.put(&udp(&from, OURS, b"2"));
        let who = ids.iter().position(|id| rig.heard(*id).is_ok()).unwrap();
        rig.assert_heard(ids[who], &from, b"2");
        heard[who] += 1;
    }
    assert!(heard.iter().all(|n| *n > 8), "{heard:?}");
}

#[test]
fn a_closed_socket_leaves_nothing() {
    let mut rig = Rig::new();
    let id = rig.udp(OURS);
    rig.stack.udp_connect(id, at(PEER)).unwrap();
    rig.put(&udp(PEER, OURS, b"unread"));
    assert!(rig.stack.udp_memory() > 0);
    let cell = rig.stack.udp_cell(id).unwrap();
    rig.stack.udp_close(id);
    assert_eq!((rig.stack.udp_memory(), rig.stack.udp_count()), (0, 0));
    assert_eq!(rig.stack.udp_rows().count(), 0);
    assert!(cell.receive(Look::Take, 9, &mut |_| ()).is_err());
    rig.put(&udp(PEER, OURS, b"late"));
    assert_eq!(rig.drops(crate::stack::PacketDrop::UdpNoPort), 1);
}
