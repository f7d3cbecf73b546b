//! Which addresses can be listened on, and who gets a request for them? Binds, clashes, wildcards.

use super::peer::*;
use crate::stack::{
    BindError, BindOptions, Cidr, ListenError, ListenOptions, ListenerId, StackConfig,
};

const IN_USE: Result<ListenerId, ListenError> = Err(ListenError::Bind(BindError::InUse));

const REUSE: BindOptions = BindOptions { reuse_addr: true, reuse_port: false };

fn try_listen(rig: &mut Rig, addr: &str) -> Result<ListenerId, ListenError> {
    rig.stack.listen(at(addr), ListenOptions::default())
}

fn v6_only(rig: &mut Rig, addr: &str) -> Result<ListenerId, ListenError> {
    rig.stack.listen(at(addr), ListenOptions { v6_only: true, ..ListenOptions::default() })
}

/// Connects and says which listener got it.
fn who(rig: &mut Rig, from: &str, to: &str, all: &[ListenerId]) -> Option<usize> {
    Peer::connect(rig, from, to);
    all.iter().position(|l| rig.accept(*l).is_some())
}

#[test]
fn an_address_is_taken_once() {
    let mut rig = Rig::new();
    let l = try_listen(&mut rig, "10.0.0.1:80").unwrap();
    assert_eq!(try_listen(&mut rig, "10.0.0.1:80"), IN_USE);
    // As on Linux, a wildcard clashes with every address of its families.
    assert_eq!(try_listen(&mut rig, "0.0.0.0:80"), IN_USE);
    assert_eq!(try_listen(&mut rig, "[::]:80"), IN_USE);
    try_listen(&mut rig, "10.0.0.1:81").unwrap();
    try_listen(&mut rig, "[fd00::1]:80").unwrap();
    try_listen(&mut rig, "127.0.0.1:80").unwrap();
    rig.stack.close_listener(l);
    try_listen(&mut rig, "10.0.0.1:80").unwrap();
}

#[test]
fn only_own_addresses_can_be_bound() {
    let mut rig = Rig::new();
    let not_local = Err(ListenError::Bind(BindError::NotLocal));
    for addr in ["10.0.0.2:80", "[fd00::2]:80", "10.0.0.255:80", "224.0.0.1:80"] {
        assert_eq!(try_listen(&mut rig, addr), not_local, "{addr}");
    }
    for addr in ["127.0.0.1:80", "127.1.2.3:80", "[::1]:80"] {
        try_listen(&mut rig, addr).unwrap();
    }
}

#[test]
fn each_address_has_its_own_listener() {
    let two: Vec<Cidr> = vec!["10.0.0.1/24".parse().unwrap(), "10.0.0.7/24".parse().unwrap()];
    let mut rig = Rig::with(StackConfig { addresses: two, ..StackConfig::default() });
    let all = [rig.listen("10.0.0.1:80"), rig.listen("10.0.0.7:80")];
    assert_eq!(who(&mut rig, "10.0.0.2:4000", "10.0.0.7:80", &all), Some(1));
    assert_eq!(who(&mut rig, "10.0.0.2:4000", "10.0.0.1:80", &all), Some(0));
}

#[test]
fn an_ipv6_wildcard_takes_both_families() {
    let mut rig = Rig::new();
    let all = [rig.listen("[::]:80")];
    assert_eq!(who(&mut rig, "10.0.0.2:4000", "10.0.0.1:80", &all), Some(0));
    assert_eq!(who(&mut rig, "[fd00::2]:4000", "[fd00::1]:80", &all), Some(0));
}

#[test]
fn an_ipv6_only_wildcard_leaves_ipv4_to_another() {
    let mut rig = Rig::new();
    let six = v6_only(&mut rig, "[::]:80").unwrap();
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
    assert_eq!(rig.hear_one().flags, RST | ACK);
    let four = try_listen(&mut rig, "0.0.0.0:80").unwrap();
    let all = [six, four];
    assert_eq!(who(&mut rig, "10.0.0.2:4001", "10.0.0.1:80", &all), Some(1));
    assert_eq!(who(&mut rig, "[fd00::2]:4000", "[fd00::1]:80", &all), Some(0));
    assert_eq!(v6_only(&mut rig, "[::]:80"), IN_USE);
    assert_eq!(try_listen(&mut rig, "[::]:80"), IN_USE);
    // The other way round, and after giving both back.
    rig.stack.close_listener(six);
    rig.stack.close_listener(four);
    try_listen(&mut rig, "10.0.0.1:80").unwrap();
    v6_only(&mut rig, "[::]:80").unwrap();
}

#[test]
fn an_ipv4_wildcard_takes_no_ipv6() {
    let mut rig = Rig::new();
    rig.listen("0.0.0.0:80");
    rig.say(at("[fd00::2]:4000"), at("[fd00::1]:80"), syn());
    assert_eq!(rig.hear_one().flags, RST | ACK);
}

#[test]
fn port_0_chooses_a_free_port_of_the_range() {
    let ports = StackConfig { ephemeral_ports: (50_000, 50_002), ..config() };
    let mut rig = Rig::with(ports);
    let mut got = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let l = try_listen(&mut rig, "10.0.0.1:0").unwrap();
        got.push(rig.stack.listener_addr(l).unwrap().port());
        ids.push(l);
    }
    got.sort_unstable();
    assert_eq!(got, [50_000, 50_001, 50_002]);
    let none = Err(ListenError::Bind(BindError::NoPorts));
    assert_eq!(try_listen(&mut rig, "10.0.0.1:0"), none);
    for l in ids {
        rig.stack.close_listener(l);
    }
    rig.assert_empty();
}

#[test]
fn a_failed_listen_leaves_no_bind_behind() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    assert_eq!(try_listen(&mut rig, "0.0.0.0:80"), IN_USE);
    rig.stack.close_listener(l);
    rig.assert_empty();
}

#[test]
fn a_bind_without_reuse_waits_for_old_connections() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    rig.accept(l).unwrap();
    rig.stack.close_listener(l);
    assert_eq!(rig.stack.bind(at("10.0.0.1:80"), BindOptions::default()), Err(BindError::InUse));
    let bound = rig.stack.bind(at("10.0.0.1:80"), REUSE).unwrap();
    // What was bound before is listened on without another bind.
    let options = ListenOptions { bound: true, ..ListenOptions::default() };
    let l = rig.stack.listen(bound.into(), options).unwrap();
    rig.stack.close_listener(l);
    assert!(rig.stack.bind(at("10.0.0.1:80"), REUSE).is_ok());
}
