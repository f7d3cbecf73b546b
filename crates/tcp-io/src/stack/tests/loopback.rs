//! Does the stack reach itself? 127.0.0.0/8, ::1 and its own addresses; nothing comes out.

use std::time::Duration;

use tcp_core::config::SocketOptions;
use tcp_core::connection::State;
use tcp_core::error::{End, UserError};

use super::peer::*;
use crate::cell::TakenError;
use crate::stack::{ConnectOptions, ListenOptions, PacketDrop};

#[test]
fn every_local_address_is_reached_inside() {
    for to in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "10.0.0.1:80", "[fd00::1]:80"] {
        let mut rig = Rig::new();
        let l = rig.listen("[::]:80");
        let a = rig.stack.connect(rig.now, at(to), ConnectOptions::default()).unwrap();
        rig.silence();
        let b = rig.accept(l).unwrap();
        let tuple = rig.stack.info(a).unwrap().tuple;
        assert_eq!(tuple.local.ip, tuple.remote.ip, "the source is the destination");
        rig.stack.write(rig.now, a, b"there").unwrap();
        rig.stack.write(rig.now, b, b"and back").unwrap();
        rig.silence();
        assert_eq!((rig.read(b), rig.read(a)), (b"there".to_vec(), b"and back".to_vec()));
        rig.stack.close(rig.now, a);
        rig.silence();
        assert_eq!(rig.read(b), b"");
        rig.stack.close(rig.now, b);
        rig.silence();
        rig.stack.close_listener(l);
        assert_eq!(rig.records(), (0, 0, 1));
        rig.wait(Duration::from_secs(61));
        rig.assert_empty();
    }
}

#[test]
fn settling_passes_on_what_is_for_ourselves_and_keeps_what_is_for_the_device() {
    let mut rig = Rig::new();
    let l = rig.listen("127.0.0.1:80");
    let a = rig.stack.connect(rig.now, at("127.0.0.1:80"), ConnectOptions::default()).unwrap();
    rig.stack.settle(rig.now);
    let b = rig.accept(l).unwrap();
    rig.stack.write(rig.now, a, b"there").unwrap();
    rig.stack.settle(rig.now);
    assert_eq!(rig.read(b), b"there");
    let before = rig.stack.counters().packets_out;
    // A SYN for the device stays where it is, in front of all others, until it is asked for.
    rig.stack.connect(rig.now, at("10.0.0.9:80"), ConnectOptions::default()).unwrap();
    rig.stack.settle(rig.now);
    rig.stack.settle(rig.now);
    assert_eq!(rig.stack.counters().packets_out, before);
    assert!(rig.stack.has_work());
    assert!(rig.stack.poll_transmit(rig.now).is_some(), "the SYN");
    assert_eq!(rig.stack.counters().packets_out, before + 1);
    assert!(rig.stack.poll_transmit(rig.now).is_none(), "and nothing twice");
}

#[test]
fn a_closed_local_port_refuses_at_once() {
    let mut rig = Rig::new();
    let c = rig.stack.connect(rig.now, at("127.0.0.1:81"), ConnectOptions::default()).unwrap();
    rig.silence();
    assert_eq!(rig.stack.take_error(c), Some(TakenError::Ended(End::Refused)));
}

// RFC 5082 3: as on Linux, whose loopback device is one like the others.
#[test]
fn what_comes_from_ourselves_is_dropped_if_its_hop_limit_is_too_small() {
    for to in ["127.0.0.1:80", "[::1]:80", "10.0.0.1:80"] {
        let mut rig = Rig::new();
        let near = SocketOptions { hop_limit: 255, min_hop_limit: 255, ..Default::default() };
        let options = ListenOptions { options: Some(near.clone()), ..Default::default() };
        let l = rig.stack.listen(at(to), options).unwrap();
        rig.stack.connect(rig.now, at(to), ConnectOptions::default()).unwrap();
        rig.silence();
        assert_eq!((rig.drops(PacketDrop::HopLimit), rig.records()), (1, (0, 1, 0)), "its SYN");

        let own = ConnectOptions { local: None, options: Some(near) };
        let a = rig.stack.connect(rig.now, at(to), own).unwrap();
        rig.silence();
        let b = rig.accept(l).unwrap();
        rig.stack.write(rig.now, a, b"near").unwrap();
        rig.silence();
        assert_eq!((rig.read(b), rig.drops(PacketDrop::HopLimit)), (b"near".to_vec(), 1));

        rig.stack.set_options(rig.now, a, |o| o.hop_limit = 254);
        rig.stack.write(rig.now, a, b"far").unwrap();
        rig.silence();
        let read = rig.stack.read(rig.now, b, &mut [0; 10]);
        assert_eq!((read, rig.drops(PacketDrop::HopLimit)), (Err(UserError::WouldBlock), 2));
    }
}

#[test]
fn a_mebibyte_to_ourselves_arrives_in_one_drain_after_each_read() {
    let mut rig = Rig::new();
    let l = rig.listen("127.0.0.1:80");
    let a = rig.stack.connect(rig.now, at("127.0.0.1:80"), ConnectOptions::default()).unwrap();
    rig.silence();
    let b = rig.accept(l).unwrap();
    let text: Vec<u8> = (0..1 << 20).map(|i: u32| (i ^ i >> 8) as u8).collect();
    let (mut sent, mut got) = (0, Vec::new());
    let mut buf = vec![0; 1 << 16];
    while got.len() < text.len() {
        sent += rig.stack.write(rig.now, a, &text[sent..]).unwrap_or(0);
        rig.silence();
        while let Ok(n) = rig.stack.read(rig.now, b, &mut buf) {
            got.extend_from_slice(&buf[..n]);
            rig.silence();
        }
    }
    assert!(got == text);
    assert_eq!(rig.stack.info(a).unwrap().stats.retransmissions, 0);
}

#[test]
fn a_connection_with_itself_opens_and_closes() {
    let mut rig = Rig::new();
    let options = ConnectOptions { local: Some(at("127.0.0.1:5000")), options: None };
    let c = rig.stack.connect(rig.now, at("127.0.0.1:5000"), options).unwrap();
    rig.silence();
    // MUST-10: both SYNs are the same segment; Linux does the same.
    assert_eq!(rig.stack.state(c), State::Established);
    rig.stack.write(rig.now, c, b"echo").unwrap();
    rig.silence();
    assert_eq!(rig.read(c), b"echo");
    rig.stack.close(rig.now, c);
    rig.silence();
    rig.wait(Duration::from_secs(300));
    rig.assert_empty();
}

#[test]
fn an_ephemeral_port_never_connects_to_itself() {
    let ports = crate::stack::StackConfig { ephemeral_ports: (50_000, 50_001), ..config() };
    for n in 1..9 {
        let mut rig = Rig::with(ports.clone());
        let to = at(&format!("127.0.0.{n}:50000"));
        let c = rig.stack.connect(rig.now, to, ConnectOptions::default()).unwrap();
        assert_eq!(rig.stack.info(c).unwrap().tuple.local.port, 50_001);
        rig.silence();
        assert_eq!(rig.stack.take_error(c), Some(TakenError::Ended(End::Refused)));
    }
}

#[test]
fn pings_to_ourselves_are_not_forwarded() {
    let mut rig = Rig::new();
    let p = icmp_to("10.0.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap(), (8, 0), 1, b"x");
    rig.put(&p);
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::BadSource), 1);
}
