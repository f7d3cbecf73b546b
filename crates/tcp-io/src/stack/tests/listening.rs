//! Does a listener make one connection of each request, whatever comes between two accepts?

use std::time::Duration;

use tcp_core::connection::State;
use tcp_core::error::{DropReason, End, UserError};
use tcp_core::wire::{Flags, Segment};

use super::peer::*;
use crate::cell::AcceptError;
use crate::stack::{PacketDrop, StackConfig, SynCookies};

fn client(n: usize) -> String {
    format!("10.0.{}.{}:{}", 1 + n / 60_000, 2, 2000 + n % 60_000)
}

// RFC 9293 3.10.7.1
#[test]
fn syn_to_a_closed_port_is_reset_at_once() {
    let mut rig = Rig::new();
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:81"), syn());
    let reset = rig.hear_one();
    assert_eq!((reset.flags, reset.seq.0, reset.ack), (RST | ACK, 0, IRS + 1));
    assert_eq!((reset.src, reset.dst), (at("10.0.0.1:81"), at("10.0.0.2:4000")));
    assert_eq!(rig.drops(PacketDrop::NoConnection), 1);
    assert_eq!(rig.stack.counters().resets_out, 1);
    rig.assert_empty();
}

#[test]
fn a_stray_ack_is_reset_with_its_own_number_and_a_stray_reset_is_not_answered() {
    let mut rig = Rig::new();
    let (me, to) = (at("[fd00::2]:4000"), at("[fd00::1]:81"));
    rig.say(me, to, segment(ACK, IRS, tcp_core::SeqNum(77)));
    let reset = rig.hear_one();
    assert_eq!((reset.flags, reset.seq.0), (RST, 77));
    rig.say(me, to, segment(RST | ACK, IRS, tcp_core::SeqNum(77)));
    rig.silence();
}

// RFC 9293 3.10.7.2, fourth
#[test]
fn a_listener_does_not_answer_what_has_no_syn_ack_or_rst() {
    let mut rig = Rig::new();
    rig.listen("10.0.0.1:80");
    let (me, open, closed) = (at("10.0.0.2:4000"), at("10.0.0.1:80"), at("10.0.0.1:81"));
    for flags in [FIN, PSH, Flags::NONE] {
        rig.say(me, open, segment(flags, IRS, tcp_core::SeqNum(0)));
        rig.silence();
        rig.say(me, closed, segment(flags, IRS, tcp_core::SeqNum(0)));
        assert_eq!(rig.hear_one().flags, RST | ACK);
    }
    assert_eq!(rig.segment_drops(DropReason::NoAck), 3);
}

#[test]
fn a_burst_between_two_accepts_is_not_reset() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    for n in 0..100 {
        rig.say(at(&client(n)), at("10.0.0.1:80"), syn());
    }
    let answers = rig.hear();
    assert_eq!(answers.len(), 100);
    assert!(answers.iter().all(|a| a.flags == SYN | ACK));
    // Nothing is handed out before its handshake is complete.
    assert_eq!(rig.accept(l), None);
    for a in answers {
        rig.say(a.dst, a.src, segment(ACK, a.ack, a.seq + 1));
    }
    rig.silence();
    let mut accepted = 0;
    while let Some(c) = rig.accept(l) {
        assert_eq!(rig.stack.state(c), State::Established);
        accepted += 1;
    }
    assert_eq!((accepted, rig.records()), (100, (0, 100, 0)));
}

#[test]
fn nothing_is_accepted_before_its_handshake_is_complete() {
    for syn_cookies in [SynCookies::Never, SynCookies::Always] {
        let mut rig = Rig::with(StackConfig { syn_cookies, ..config() });
        let l = rig.listen("10.0.0.1:80");
        let mut peer = Peer::half_open(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
        assert_eq!((rig.accept(l), rig.stack.connection_count()), (None, 0));
        rig.wait(Duration::from_secs(10));
        assert_eq!((rig.accept(l), rig.stack.connection_count()), (None, 0));
        peer.send(&mut rig, ACK, b"");
        assert!(rig.accept(l).is_some());
        assert_eq!(rig.accept(l), None);
    }
}

#[test]
fn a_peer_that_half_closes_before_accept_is_accepted_with_its_text() {
    let mut rig = Rig::new();
    let l = rig.listen("0.0.0.0:80");
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    peer.send(&mut rig, FIN | PSH | ACK, b"query");
    assert_eq!(rig.hear_one().ack, peer.nxt);
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.stack.state(c), State::CloseWait);
    assert_eq!(rig.read(c), b"query");
    assert_eq!(rig.read(c), b"");
    // Our direction is open until we close it, too.
    rig.stack.write(rig.now, c, b"answer").unwrap();
    let answer = peer.hear(&mut rig);
    assert_eq!((answer.text.as_slice(), answer.flags), (&b"answer"[..], PSH | ACK));
    // The listener goes on.
    Peer::connect(&mut rig, "10.0.0.3:4000", "10.0.0.1:80");
    assert!(rig.accept(l).is_some());
}

#[test]
fn text_with_the_last_ack_is_there_at_accept() {
    let mut rig = Rig::new();
    let l = rig.listen("[::]:80");
    let mut peer = Peer::half_open(&mut rig, "[fd00::2]:4000", "[fd00::1]:80");
    peer.send(&mut rig, PSH | ACK, b"hello");
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.read(c), b"hello");
}

// MUST-41: a repeated SYN disturbs no record and makes no second one.
#[test]
fn ten_thousand_repeated_syns_make_one_record() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut numbers = Vec::new();
    for _ in 0..10_000 {
        rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
        numbers.extend(rig.hear().iter().map(|h| (h.flags, h.seq)));
    }
    numbers.dedup();
    assert_eq!(numbers.len(), 1, "every SYN-ACK is the same");
    assert_eq!((rig.records(), rig.stack.demux_count()), ((1, 0, 0), 1));
    assert_eq!(rig.stack.timer_count(), 1);
    assert_eq!(rig.stack.counters().syns, 1);
    let ack = segment(ACK, IRS + 1, numbers[0].1 + 1);
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), ack);
    assert!(rig.accept(l).is_some());
    // After the handshake a repeated SYN is challenged and changes nothing (RFC 5961 4).
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
    assert_eq!(rig.hear_one().flags, ACK);
    assert_eq!(rig.accept(l), None);
    assert_eq!(rig.segment_drops(DropReason::UnexpectedSyn), 0, "it is outside of the window");
    assert_eq!(rig.records(), (0, 1, 0));
}

// MUST-11: a passive open falls back to LISTEN.
#[test]
fn a_reset_in_syn_received_leaves_the_listener_listening() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut peer = Peer::half_open(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    peer.send(&mut rig, RST, b"");
    rig.silence();
    assert_eq!(rig.records(), (0, 0, 0));
    Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    assert!(rig.accept(l).is_some());
}

#[test]
fn a_silent_peer_costs_a_record_for_63_seconds_and_six_packets() {
    let mut rig = Rig::new();
    rig.listen("10.0.0.1:80");
    let began = rig.now;
    Peer::half_open(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let again = rig.wait(Duration::from_secs(62));
    let times: Vec<_> = again.iter().map(|h| h.when.since(began).as_secs()).collect();
    assert_eq!(times, [1, 3, 7, 15, 31]);
    assert_eq!(rig.records(), (1, 0, 0));
    assert!(rig.wait(Duration::from_secs(2)).is_empty());
    assert_eq!(rig.records(), (0, 0, 0));
    assert_eq!(rig.stack.counters().half_open_timeouts, 1);
}

#[test]
fn closing_a_listener_resets_what_nobody_accepted_and_nothing_else() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut accepted = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let c = rig.accept(l).unwrap();
    let mut waiting = Peer::connect(&mut rig, "10.0.0.2:4001", "10.0.0.1:80");
    let mut opening = Peer::half_open(&mut rig, "10.0.0.2:4002", "10.0.0.1:80");
    rig.stack.close_listener(l);
    let reset = waiting.hear(&mut rig);
    assert!(reset.flags.contains(RST));
    assert_eq!(rig.records(), (0, 1, 0), "only the accepted one is left");
    assert_eq!(rig.stack.accept(l), Err(AcceptError::Closed));
    assert_eq!(rig.stack.listener_addr(l), None);
    // The last ACK of a request that was forgotten, and new requests, are refused.
    opening.send(&mut rig, ACK, b"");
    assert_eq!(opening.hear(&mut rig).flags, RST);
    rig.say(at("10.0.0.2:4003"), at("10.0.0.1:80"), syn());
    assert_eq!(rig.hear_one().flags, RST | ACK);
    // The accepted one works.
    accepted.send(&mut rig, PSH | ACK, b"still here");
    assert_eq!(rig.read(c), b"still here");
    // Its port is free for another listener at once.
    rig.listen("10.0.0.1:80");
}

#[test]
fn a_connection_reset_in_the_queue_is_accepted_with_its_text_and_then_its_error() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    peer.send(&mut rig, PSH | ACK, b"last words");
    peer.send(&mut rig, RST, b"");
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.read(c), b"last words");
    // MUST-12
    let e = rig.stack.read(rig.now, c, &mut [0; 8]).unwrap_err();
    assert_eq!(e, UserError::Ended(End::Reset));
    rig.stack.close(rig.now, c);
    rig.hear();
    assert_eq!(rig.records(), (0, 0, 0));
}

// MUST-42
#[test]
fn listening_is_possible_while_the_port_connects_out() {
    use crate::stack::ConnectOptions;
    let mut rig = Rig::new();
    let options = ConnectOptions { local: Some(at("10.0.0.1:80")), options: None };
    let c = rig.stack.connect(rig.now, at("10.0.0.9:90"), options).unwrap();
    let first = rig.hear_one();
    let l = rig.listen("10.0.0.1:80");
    // MUST-41: the new listener does not disturb the record in SYN-SENT.
    Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    assert!(rig.accept(l).is_some());
    assert_eq!(rig.stack.state(c), State::SynSent);
    let answer = tcp_core::wire::Segment { ack: first.seq + 1, flags: SYN | ACK, ..syn() };
    rig.say(first.dst, first.src, answer);
    assert_eq!(rig.stack.state(c), State::Established);
    assert_eq!(rig.accept(l), None, "an active open is not accepted");
}

// MUST-42
#[test]
fn listening_again_is_possible_while_an_old_record_is_in_syn_received() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    rig.accept(l).unwrap();
    rig.stack.close_listener(l);
    let again = rig.listen("0.0.0.0:80");
    Peer::half_open(&mut rig, "10.0.0.2:4001", "10.0.0.1:80");
    assert_eq!(rig.records(), (1, 1, 0));
    rig.stack.close_listener(again);
    assert_eq!(rig.records(), (0, 1, 0));
}

#[test]
fn the_table_of_connections_shows_listeners_and_records() {
    let mut rig = Rig::new();
    rig.listen_with("10.0.0.1:80", 5);
    Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    Peer::half_open(&mut rig, "10.0.0.2:4001", "10.0.0.1:80");
    let rows: Vec<_> =
        rig.stack.connections().iter().map(|r| (r.state, r.receive_queue, r.send_queue)).collect();
    let expected = [(State::Listen, 1, 5), (State::SynReceived, 0, 0), (State::Established, 0, 0)];
    assert_eq!(rows, expected);
}

// The reset and the next SYN of one port come in the same batch, before the connection's turn.
#[test]
fn a_syn_right_behind_a_reset_reaches_the_listener() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    rig.accept(l).unwrap();
    let (src, dst) = (at("10.0.0.2:4000"), at("10.0.0.1:80"));
    peer.send(&mut rig, RST, b"");
    rig.say(src, dst, Segment { seq: peer.nxt + 1_000_000, ..syn() });
    assert_eq!(rig.hear_one().flags, SYN | ACK);
    assert_eq!(rig.stack.counters().failures, 1);
}
