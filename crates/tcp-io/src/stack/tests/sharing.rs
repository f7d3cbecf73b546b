//! Who may listen where beside whom, and who gets the connection (`SO_REUSEADDR`, `SO_REUSEPORT`)?

use super::peer::*;
use crate::stack::{BindError, BindOptions, ListenError, ListenOptions, ListenerId, SynCookies};

const HERE: &str = "10.0.0.1:80";

fn from(n: u16) -> String {
    format!("10.0.0.2:{}", 4000 + n)
}

fn shared() -> ListenOptions {
    ListenOptions { reuse_port: true, backlog: 1000, ..ListenOptions::default() }
}

fn share(rig: &mut Rig, addr: &str) -> ListenerId {
    rig.stack.listen(at(addr), shared()).unwrap()
}

fn queued(rig: &Rig, l: ListenerId) -> usize {
    rig.stack.listener_cell(l).unwrap().queued()
}

#[test]
fn listeners_that_all_say_so_share_an_address_evenly() {
    let mut rig = Rig::new();
    let all: Vec<_> = (0..4).map(|_| share(&mut rig, HERE)).collect();
    for n in 0..800 {
        Peer::connect(&mut rig, &from(n), HERE);
    }
    let counts: Vec<_> = all.iter().map(|l| queued(&rig, *l)).collect();
    assert_eq!(counts.iter().sum::<usize>(), 800);
    assert!(counts.iter().all(|n| (140..260).contains(n)), "{counts:?}");
}

#[test]
fn one_that_does_not_say_so_shares_with_nobody() {
    let mut rig = Rig::new();
    let in_use = Err(ListenError::Bind(BindError::InUse));
    let first = rig.listen(HERE);
    assert_eq!(rig.stack.listen(at(HERE), shared()), in_use);
    rig.stack.close_listener(first);
    share(&mut rig, HERE);
    assert_eq!(rig.stack.listen(at(HERE), ListenOptions::default()), in_use);
    assert_eq!(rig.stack.listen(at("0.0.0.0:80"), ListenOptions::default()), in_use);
    share(&mut rig, "0.0.0.0:80");
}

#[test]
fn the_closest_address_wins_and_then_the_family() {
    let mut rig = Rig::new();
    let both = share(&mut rig, "[::]:80");
    Peer::connect(&mut rig, &from(0), HERE);
    let v4 = share(&mut rig, "0.0.0.0:80");
    Peer::connect(&mut rig, &from(1), HERE);
    let exact = share(&mut rig, HERE);
    Peer::connect(&mut rig, &from(2), HERE);
    Peer::connect(&mut rig, "[fd00::2]:9", "[fd00::1]:80");
    assert_eq!([both, v4, exact].map(|l| queued(&rig, l)), [2, 1, 1]);
}

#[test]
fn closing_one_of_a_group_loses_only_its_own() {
    let mut rig = Rig::new();
    let (gone, stays) = (share(&mut rig, HERE), share(&mut rig, HERE));
    let mut open = Vec::new();
    for n in 0..40 {
        Peer::connect(&mut rig, &from(n), HERE);
        open.push(Peer::half_open(&mut rig, &from(100 + n), HERE));
    }
    let (lost, kept) = (queued(&rig, gone), queued(&rig, stays));
    assert!(lost > 5 && kept > 5, "{lost} {kept}");
    rig.stack.close_listener(gone);
    let resets = rig.hear();
    assert_eq!(resets.len(), lost);
    assert_eq!((queued(&rig, stays), rig.stack.connection_count()), (kept, kept));
    // Half-open records of the other complete, and everything new is its.
    let waiting = rig.stack.half_open_count();
    for p in &mut open {
        p.send(&mut rig, ACK, b"");
    }
    assert_eq!(queued(&rig, stays), kept + waiting);
    rig.hear();
    for n in 200..220 {
        Peer::connect(&mut rig, &from(n), HERE);
    }
    assert_eq!(queued(&rig, stays), kept + waiting + 20);
    rig.stack.close_listener(stays);
    rig.hear();
    rig.assert_empty();
}

// The group may change between a cookie and its ACK.
#[test]
fn a_cookie_is_good_for_the_whole_group() {
    let mut rig = Rig::new();
    let options = ListenOptions { syn_cookies: Some(SynCookies::Always), ..shared() };
    let first = rig.stack.listen(at(HERE), options.clone()).unwrap();
    let mut peers: Vec<_> = (0..20).map(|n| Peer::half_open(&mut rig, &from(n), HERE)).collect();
    let second = rig.stack.listen(at(HERE), options).unwrap();
    for p in &mut peers {
        p.send(&mut rig, ACK, b"");
        rig.silence();
    }
    let (a, b) = (queued(&rig, first), queued(&rig, second));
    assert_eq!(a + b, 20);
    assert!(b > 2);
}

// As on Linux: SO_REUSEADDR shares until one listens.
#[test]
fn binds_share_an_address_until_one_of_them_listens() {
    let mut rig = Rig::new();
    let reuse = BindOptions { reuse_addr: true, reuse_port: false };
    rig.stack.bind(at(HERE), reuse).unwrap();
    assert_eq!(rig.stack.bind(at(HERE), BindOptions::default()), Err(BindError::InUse));
    let here = rig.stack.bind(at(HERE), reuse).unwrap();
    let bound = ListenOptions { bound: true, ..ListenOptions::default() };
    let l = rig.stack.listen(at(HERE), bound.clone()).unwrap();
    let in_use = Err(ListenError::Bind(BindError::InUse));
    assert_eq!(rig.stack.listen(at(HERE), bound.clone()), in_use, "the other one");
    assert_eq!(rig.stack.bind(at(HERE), reuse), Err(BindError::InUse));
    rig.stack.close_listener(l);
    // Its own reservation is still there, and listens now.
    let l = rig.stack.listen(at(HERE), bound).unwrap();
    rig.stack.close_listener(l);
    rig.stack.unbind(here);
    rig.assert_empty();
}

#[test]
fn port_zero_is_nobody_elses() {
    let mut rig = Rig::new();
    let a = share(&mut rig, "10.0.0.1:0");
    let b = share(&mut rig, "10.0.0.1:0");
    assert_ne!(rig.stack.listener_addr(a), rig.stack.listener_addr(b));
}
