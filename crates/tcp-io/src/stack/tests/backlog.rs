//! How many may wait? The arithmetic of backlog and SYN backlog, and what a full queue does.

use std::time::Duration;

use super::peer::*;
use crate::stack::{ListenOptions, PacketDrop, StackConfig};

fn from(n: u16) -> String {
    format!("10.0.0.2:{}", 4000 + n)
}

/// Lets peers connect until one gets no answer; returns how many did.
fn fill(rig: &mut Rig) -> u16 {
    for n in 0.. {
        rig.say(at(&from(n)), at("10.0.0.1:80"), syn());
        let Some(answer) = rig.hear().pop() else { return n };
        rig.say(answer.dst, answer.src, segment(ACK, answer.ack, answer.seq + 1));
    }
    unreachable!()
}

#[test]
fn a_backlog_of_n_holds_one_more() {
    for backlog in [0, 1, 5] {
        let mut rig = Rig::new();
        rig.listen_with("10.0.0.1:80", backlog);
        assert_eq!(usize::from(fill(&mut rig)), backlog + 1);
        assert_eq!(rig.drops(PacketDrop::AcceptQueueFull), 1);
        assert_eq!(rig.records(), (0, backlog + 1, 0));
    }
}

#[test]
fn somaxconn_caps_the_backlog() {
    let mut rig = Rig::with(StackConfig { somaxconn: 2, ..config() });
    rig.listen_with("10.0.0.1:80", usize::MAX);
    assert_eq!(fill(&mut rig), 3);
}

#[test]
fn a_full_accept_queue_drops_the_last_ack_and_the_connection_succeeds_later() {
    let mut rig = Rig::new();
    let l = rig.listen_with("10.0.0.1:80", 0);
    // Both requests were let in while there was room for one more.
    let mut first = Peer::half_open(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let mut second = Peer::half_open(&mut rig, "10.0.0.2:4001", "10.0.0.1:80");
    first.send(&mut rig, ACK, b"");
    second.send(&mut rig, ACK, b"");
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::AcceptQueueFull), 1);
    assert_eq!(rig.records(), (1, 1, 0));
    // Its text is not taken either: it would be lost.
    let text = second.packet(PSH | ACK, b"text");
    rig.put(&text);
    assert_eq!(rig.drops(PacketDrop::AcceptQueueFull), 2);
    rig.accept(l).unwrap();
    let again = rig.wait(Duration::from_millis(1100));
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].flags, again[0].dst), (SYN | ACK, second.me));
    rig.put(&text);
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.read(c), b"text");
    assert_eq!(rig.stack.counters().syn_ack_retransmissions, 1);
}

#[test]
fn a_full_syn_backlog_drops_requests_and_keeps_the_records() {
    let mut rig = Rig::new();
    let options = ListenOptions { syn_backlog: Some(3), ..ListenOptions::default() };
    let l = rig.stack.listen(at("10.0.0.1:80"), options).unwrap();
    let mut opening: Vec<_> =
        (0..3).map(|n| Peer::half_open(&mut rig, &from(n), "10.0.0.1:80")).collect();
    rig.say(at(&from(3)), at("10.0.0.1:80"), syn());
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::SynQueueFull), 1);
    assert_eq!(rig.records(), (3, 0, 0));
    // One completes: there is room for one more.
    opening[0].send(&mut rig, ACK, b"");
    assert!(rig.accept(l).is_some());
    Peer::half_open(&mut rig, &from(3), "10.0.0.1:80");
}

#[test]
fn the_syn_backlog_of_the_stack_holds_for_each_listener() {
    let mut rig = Rig::with(StackConfig { max_syn_backlog: 1, ..config() });
    rig.listen("10.0.0.1:80");
    rig.listen("10.0.0.1:81");
    Peer::half_open(&mut rig, &from(0), "10.0.0.1:80");
    Peer::half_open(&mut rig, &from(0), "10.0.0.1:81");
    rig.say(at(&from(1)), at("10.0.0.1:80"), syn());
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::SynQueueFull), 1);
}

#[test]
fn the_connection_limit_holds_for_both_opens() {
    use crate::stack::{ConnectOptions, OpenError};
    let mut rig = Rig::with(StackConfig { max_connections: 1, ..config() });
    let l = rig.listen("10.0.0.1:80");
    let mut second = Peer::half_open(&mut rig, &from(1), "10.0.0.1:80");
    Peer::connect(&mut rig, &from(0), "10.0.0.1:80");
    second.send(&mut rig, ACK, b"");
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::TooManyConnections), 1);
    let refused = rig.stack.connect(rig.now, at("10.0.0.2:1"), ConnectOptions::default());
    assert_eq!(refused, Err(OpenError::TooMany));
    // A place becomes free: the SYN-ACK comes again, and the handshake completes.
    let c = rig.accept(l).unwrap();
    rig.stack.abort(c);
    assert_eq!(rig.wait(Duration::from_millis(1100)).len(), 2, "a reset and a SYN-ACK");
    second.nxt = IRS + 1;
    second.send(&mut rig, ACK, b"");
    assert!(rig.accept(l).is_some());
}

#[test]
fn text_of_syns_is_kept_within_a_budget() {
    let mut rig = Rig::with(StackConfig { syn_text_budget: 10, ..config() });
    let l = rig.listen("10.0.0.1:80");
    let mut kept = Vec::new();
    for n in 0..3 {
        rig.put(&packet(at(&from(n)), at("10.0.0.1:80"), syn(), b"sixsix"));
        let a = rig.hear_one();
        // RFC 9293 3.10.7.2: text waits for the handshake; only the SYN is acknowledged.
        assert_eq!(a.ack, IRS + 1);
        rig.say(a.dst, a.src, segment(ACK, IRS + 7, a.seq + 1));
        rig.hear();
        let c = rig.accept(l).unwrap();
        kept.push(rig.stack.info(c).unwrap().receive_queue);
    }
    assert_eq!(kept, [6, 6, 6], "each was given back before the next came");
    for n in 3..6 {
        rig.put(&packet(at(&from(n)), at("10.0.0.1:80"), syn(), b"sixsix"));
    }
    assert_eq!(rig.stack.half_open.text, 10);
    rig.hear();
    rig.stack.close_listener(l);
    assert_eq!(rig.stack.half_open.text, 0);
}
