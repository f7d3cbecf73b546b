//! Does a stack that remembers nothing of a SYN make a connection of its last ACK, and of no other?

use std::time::Duration;

use tcp_core::connection::State;
use tcp_core::wire::{Options, Segment, Timestamps};

use super::peer::*;
use crate::stack::{ListenOptions, ListenerId, PacketDrop, StackConfig, SynCookies};

const HERE: &str = "10.0.0.1:80";

fn from(n: u16) -> String {
    format!("10.0.0.2:{}", 4000 + n)
}

fn always() -> Rig {
    Rig::with(StackConfig { syn_cookies: SynCookies::Always, ..config() })
}

/// A stack whose only place in the SYN queue is taken.
fn full(options: ListenOptions) -> (Rig, ListenerId) {
    let mut rig = Rig::new();
    let options = ListenOptions { syn_backlog: Some(1), ..options };
    let l = rig.stack.listen(at(HERE), options).unwrap();
    Peer::half_open(&mut rig, "10.0.9.9:9", HERE);
    (rig, l)
}

#[test]
fn a_full_syn_queue_answers_with_cookies_and_keeps_nothing() {
    let (mut rig, l) = full(ListenOptions::default());
    let mut peers: Vec<_> = (0..50).map(|n| Peer::half_open(&mut rig, &from(n), HERE)).collect();
    assert_eq!((rig.records(), rig.stack.demux_count()), ((1, 0, 0), 1));
    for p in &mut peers {
        p.send(&mut rig, ACK, b"");
        rig.silence();
        let c = rig.accept(l).unwrap();
        assert_eq!(rig.stack.state(c), State::Established);
        p.send(&mut rig, PSH | ACK, b"hello");
        assert_eq!(rig.read(c), b"hello");
        rig.stack.write(rig.now, c, b"world").unwrap();
        let heard = rig.hear();
        assert_eq!(heard.last().unwrap().text, b"world");
    }
    let c = rig.stack.counters();
    let counted = (c.syn_cookies_sent, c.syn_cookies_received, c.syn_cookies_failed, c.syns);
    assert_eq!(counted, (50, 50, 0, 1));
    assert_eq!((c.passive_opens, c.resets_out, c.total_drops()), (50, 0, 0));
}

#[test]
fn text_and_a_fin_with_the_last_ack_are_there_at_accept() {
    let mut rig = always();
    let l = rig.listen(HERE);
    let mut p = Peer::half_open(&mut rig, &from(0), HERE);
    p.send(&mut rig, FIN | PSH | ACK, b"query");
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.read(c), b"query");
    assert_eq!(rig.read(c), b"");
    assert_eq!(rig.stack.state(c), State::CloseWait);
}

// The bare ACK was lost: the text brings the cookie too.
#[test]
fn text_right_after_a_lost_last_ack_opens_the_connection() {
    let mut rig = always();
    let l = rig.listen(HERE);
    let mut p = Peer::half_open(&mut rig, &from(0), HERE);
    p.send(&mut rig, PSH | ACK, b"one ");
    p.send(&mut rig, PSH | ACK, b"two");
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.read(c), b"one two");
}

#[test]
fn a_peer_with_timestamps_keeps_scale_and_sack() {
    let mut rig = always();
    let l = rig.listen(HERE);
    let (me, here) = (at(&from(0)), at(HERE));
    let options = Options {
        mss: Some(1460),
        window_scale: Some(5),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: 1000, echo: 0 }),
        ..Options::default()
    };
    rig.say(me, here, Segment { options, ..syn() });
    let bytes = rig.next().unwrap();
    let answer = Segment::parse(&bytes[20..]).unwrap();
    let (seq, offered) = (answer.seq, answer.options);
    assert_eq!((offered.window_scale, offered.sack_permitted), (Some(7), true));
    let echo = offered.timestamps.unwrap().value;
    rig.now += Duration::from_millis(40);
    let options =
        Options { timestamps: Some(Timestamps { value: 1040, echo }), ..Options::default() };
    let ack = Segment { options, window: 1000, ..segment(ACK, IRS + 1, seq + 1) };
    rig.say(me, here, ack);
    let c = rig.accept(l).unwrap();
    let info = rig.stack.info(c).unwrap();
    assert!(info.negotiated.sack && info.negotiated.timestamps && info.negotiated.window_scaling);
    assert_eq!((info.send_window, info.receive_window), (32_000, 65_408));
    assert_eq!(info.send_mss, 1448);
}

#[test]
fn forged_and_old_acks_are_reset_and_make_nothing() {
    let mut rig = always();
    let l = rig.listen(HERE);
    // None was ever sent: an ACK is an ACK for nobody.
    rig.say(at(&from(1)), at(HERE), segment(ACK, IRS + 1, IRS));
    assert_eq!(rig.hear_one().flags, RST);
    assert_eq!((rig.drops(PacketDrop::NoConnection), rig.drops(PacketDrop::BadCookie)), (1, 0));

    let p = Peer::half_open(&mut rig, &from(0), HERE);
    for n in 0..10_000u32 {
        let guess = segment(ACK, IRS + 1, p.rcv + 1 + n);
        rig.say(p.me, p.to, guess);
        assert_eq!(rig.hear_one().flags, RST);
    }
    // Another peer with this one's number, and the right one with another sequence number.
    rig.say(at(&from(1)), p.to, segment(ACK, p.nxt, p.rcv));
    assert_eq!(rig.hear_one().flags, RST);
    rig.say(p.me, p.to, segment(ACK, p.nxt + 1, p.rcv));
    assert_eq!(rig.hear_one().flags, RST);
    assert_eq!(rig.drops(PacketDrop::BadCookie), 10_002);
    assert_eq!(rig.stack.counters().syn_cookies_failed, 10_002);
    assert_eq!((rig.accept(l), rig.records()), (None, (0, 0, 0)));

    // Too old: others were sent since, so that the stack still looks.
    rig.now += Duration::from_secs(100);
    Peer::half_open(&mut rig, &from(2), HERE);
    rig.now += Duration::from_secs(30);
    rig.put(&p.packet(ACK, b""));
    assert_eq!(rig.hear_one().flags, RST);
    assert_eq!(rig.drops(PacketDrop::BadCookie), 10_003);
    assert_eq!(rig.accept(l), None);
}

#[test]
fn a_last_ack_that_comes_again_after_the_connection_opens_no_second_one() {
    let mut rig = always();
    let l = rig.listen(HERE);
    let mut p = Peer::half_open(&mut rig, &from(0), HERE);
    let ack = p.packet(PSH | ACK, b"pay 100");
    p.send(&mut rig, PSH | ACK, b"pay 100");
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.read(c), b"pay 100");
    rig.hear();
    // The peer closes first, so no record of ours is left.
    p.send(&mut rig, FIN | ACK, b"");
    rig.stack.close(rig.now, c);
    p.rcv = rig.hear().last().unwrap().seq + 1;
    p.send(&mut rig, ACK, b"");
    rig.hear();
    rig.assert_empty_but_for_listeners();
    for later in [1, 60] {
        rig.now += Duration::from_secs(later);
        rig.put(&ack);
        assert_eq!(rig.hear_one().flags, RST);
        assert_eq!((rig.accept(l), rig.records()), (None, (0, 0, 0)));
    }
    assert_eq!(rig.drops(PacketDrop::UsedCookie), 2);
    rig.now += Duration::from_secs(128);
    rig.put(&ack);
    assert_eq!(rig.hear_one().flags, RST);
    assert_eq!(rig.accept(l), None, "too old by now");
}

#[test]
fn a_listener_without_cookies_takes_none() {
    let mut rig = always();
    let never = Some(SynCookies::Never);
    let options = ListenOptions { syn_cookies: never, ..ListenOptions::default() };
    let l = rig.stack.listen(at("10.0.0.1:81"), options).unwrap();
    rig.listen(HERE);
    Peer::half_open(&mut rig, &from(0), HERE);
    let p = Peer::half_open(&mut rig, &from(0), "10.0.0.1:81");
    assert_eq!(rig.records(), (1, 0, 0), "a record at the one, a cookie at the other");
    rig.put(&p.packet(ACK, b""));
    assert!(rig.accept(l).is_some());
}

#[test]
fn the_key_changes_now_and_then_and_nobody_notices() {
    let mut rig = always();
    let l = rig.listen(HERE);
    let mut isns = std::collections::HashSet::new();
    for n in 0..600 {
        // Every cookie comes back just before it is too old, often across a change.
        let p = Peer::half_open(&mut rig, &from(n), HERE);
        assert!(isns.insert(p.rcv));
        rig.now += Duration::from_secs(63);
        rig.put(&p.packet(ACK, b""));
        let c = rig.accept(l).expect("an honest peer");
        rig.stack.abort(c);
        rig.hear();
    }
    assert_eq!(rig.stack.counters().syn_cookies_failed, 0);
}

// A cookie went out while the queue was full; the peer's second SYN found room and got a record.
#[test]
fn the_answer_to_a_cookie_counts_although_a_record_came_later() {
    let (mut rig, l) = full(ListenOptions::default());
    let mut p = Peer::half_open(&mut rig, &from(0), HERE);
    rig.say(at("10.0.9.9:9"), at(HERE), segment(RST, IRS + 1, IRS));
    assert_eq!(rig.records(), (0, 0, 0));
    rig.say(p.me, p.to, syn());
    assert_ne!(rig.hear_one().seq + 1, p.rcv, "another number");
    assert_eq!(rig.records(), (1, 0, 0));
    p.send(&mut rig, PSH | ACK, b"hello");
    assert_eq!(rig.records(), (0, 1, 0));
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.read(c), b"hello");
    assert_eq!(rig.stack.counters().resets_out, 0);
}

#[test]
fn a_full_accept_queue_gets_no_cookies_and_remembers_who_brings_one_back() {
    let options = ListenOptions { backlog: 0, ..ListenOptions::default() };
    let (mut rig, l) = full(options);
    let mut peers: Vec<_> = (0..3).map(|n| Peer::half_open(&mut rig, &from(n), HERE)).collect();
    peers[0].send(&mut rig, ACK, b"");
    // As on Linux: dropped, not answered.
    rig.say(at(&from(9)), at(HERE), syn());
    peers[1].send(&mut rig, ACK, b"");
    let text = peers[2].packet(PSH | ACK, b"text");
    rig.put(&text);
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::AcceptQueueFull), 3);
    // Beyond Linux: they are no spoofed addresses, so they get a record, one each.
    rig.put(&text);
    assert_eq!((rig.records(), rig.stack.counters().syn_cookies_received), ((3, 1, 0), 3));
    rig.accept(l).unwrap();
    // The one sends its text again, the other is asked again, though the server would speak first.
    rig.put(&text);
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.read(c), b"text");
    let again = rig.wait(Duration::from_millis(1100));
    assert!(
        again
            .iter()
            .any(|h| h.dst == peers[1].me && h.flags == SYN | ACK && h.seq + 1 == peers[1].rcv)
    );
    rig.put(&peers[1].packet(ACK, b""));
    assert!(rig.accept(l).is_some());
    assert_eq!(rig.stack.counters().resets_out, 0);
}

#[test]
fn a_full_accept_queue_may_reset_who_brings_a_cookie_back() {
    let abort_on_overflow = Some(true);
    let options = ListenOptions { backlog: 0, abort_on_overflow, ..ListenOptions::default() };
    let (mut rig, _) = full(options);
    let mut peers: Vec<_> = (0..2).map(|n| Peer::half_open(&mut rig, &from(n), HERE)).collect();
    peers[0].send(&mut rig, ACK, b"");
    peers[1].send(&mut rig, ACK, b"");
    assert_eq!(rig.hear_one().flags, RST);
    assert_eq!(rig.records(), (1, 1, 0));
}

#[test]
fn a_port_in_time_wait_is_taken_over_with_a_record_and_a_number_beyond_the_old() {
    let mut rig = always();
    let l = rig.listen(HERE);
    let mut p = Peer::half_open(&mut rig, &from(0), HERE);
    p.send(&mut rig, ACK, b"");
    let c = rig.accept(l).unwrap();
    rig.stack.close(rig.now, c);
    let fin = p.hear(&mut rig);
    p.send(&mut rig, FIN | ACK, b"");
    rig.hear();
    assert_eq!(rig.records(), (0, 0, 1));
    rig.say(p.me, p.to, Segment { seq: p.nxt + 100_000, ..syn() });
    let answer = rig.hear_one();
    assert!(answer.seq.after(fin.seq), "{:?} {:?}", answer.seq, fin.seq);
    assert_eq!(rig.records(), (1, 0, 0));
}
