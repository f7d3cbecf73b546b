//! What does the table of TIME-WAIT records keep, for how long, and who may take a record's place?

use std::time::Duration;

use tcp_core::SeqNum;
use tcp_core::connection::State;
use tcp_core::wire::{Options, Segment, Timestamps};

use super::peer::*;
use crate::cell::ConnId;
use crate::stack::{
    ConnectOptions, ListenOptions, OpenError, PacketDrop, StackConfig, SynCookies, TimeWaitReuse,
};

const SERVER: &str = "10.0.0.1:80";

/// The server closes first and is quiet; the peer's numbers stand behind its FIN.
fn quiet_server(rig: &mut Rig, from: &str) -> Peer {
    let l = rig.listen(SERVER);
    let mut peer = Peer::connect(rig, from, SERVER);
    let c = rig.accept(l).unwrap();
    rig.stack.close_listener(l);
    rig.stack.close(rig.now, c);
    peer.hear(rig);
    peer.send(rig, FIN | ACK, b"");
    peer.hear(rig);
    peer
}

/// The stack connects from port 5000 and closes first. With or without timestamps.
fn quiet_client(rig: &mut Rig, timestamps: bool) -> Heard {
    let c = client(rig).unwrap();
    let first = rig.hear_one();
    let ts = |echo| timestamps.then_some(Timestamps { value: 1000, echo });
    let with = |s: Segment<'static>| {
        let options = Options { timestamps: ts(1), ..s.options };
        Segment { options, ..s }
    };
    rig.say(first.dst, first.src, with(Segment { ack: first.seq + 1, flags: SYN | ACK, ..syn() }));
    rig.stack.close(rig.now, c);
    rig.hear();
    rig.say(first.dst, first.src, with(segment(FIN | ACK, IRS + 1, first.seq + 2)));
    assert_eq!(rig.hear_one().flags, ACK);
    assert_eq!(rig.records(), (0, 0, 1));
    first
}

fn client(rig: &mut Rig) -> Result<ConnId, OpenError> {
    let options = ConnectOptions { local: Some(at("10.0.0.1:5000")), options: None };
    rig.stack.connect(rig.now, at("10.0.0.2:90"), options)
}

// MUST-13
#[test]
fn the_record_stays_for_60_seconds_and_answers_a_repeated_fin() {
    let mut rig = Rig::new();
    let mut peer = quiet_server(&mut rig, "10.0.0.2:4000");
    assert_eq!(rig.records(), (0, 0, 1));
    rig.wait(Duration::from_secs(30));
    peer.nxt = peer.nxt - 1;
    peer.send(&mut rig, FIN | ACK, b"");
    assert_eq!(peer.hear(&mut rig).ack, peer.nxt);
    // 2MSL runs anew.
    rig.wait(Duration::from_millis(59_900));
    assert_eq!(rig.records(), (0, 0, 1));
    rig.wait(Duration::from_millis(200));
    rig.assert_empty();
}

#[test]
fn the_table_is_bounded_and_the_overflow_is_counted() {
    let mut rig = Rig::with(StackConfig { max_time_wait: 2, ..config() });
    for n in 0..4 {
        quiet_server(&mut rig, &format!("10.0.0.2:{}", 4000 + n));
    }
    assert_eq!(rig.records(), (0, 0, 2));
    assert_eq!(rig.stack.counters().time_wait_overflow, 2);
    rig.wait(Duration::from_secs(61));
    rig.assert_empty();
}

// MAY-2
#[test]
fn a_newer_syn_takes_the_place_of_a_record() {
    let mut rig = Rig::new();
    let mut peer = quiet_server(&mut rig, "10.0.0.2:4000");
    let l = rig.listen(SERVER);
    let old_end = peer.rcv;
    peer.nxt += 1000;
    rig.say(peer.me, peer.to, Segment { seq: peer.nxt, ..syn() });
    let answer = rig.hear_one();
    assert_eq!((answer.flags, answer.ack), (SYN | ACK, peer.nxt + 1));
    assert!(answer.seq.after(old_end + 65_535), "beyond everything the old one could send");
    assert_eq!(rig.records(), (1, 0, 0));
    rig.say(peer.me, peer.to, segment(ACK, peer.nxt + 1, answer.seq + 1));
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.stack.state(c), State::Established);
}

#[test]
fn an_old_syn_and_a_syn_without_listener_keep_the_record() {
    let mut rig = Rig::new();
    let mut peer = quiet_server(&mut rig, "10.0.0.2:4000");
    // Nobody listens: the record answers.
    rig.say(peer.me, peer.to, Segment { seq: peer.nxt + 1000, ..syn() });
    assert_eq!(peer.hear(&mut rig).flags, ACK);
    rig.listen(SERVER);
    rig.say(peer.me, peer.to, Segment { seq: peer.nxt - 1000, ..syn() });
    assert_eq!(peer.hear(&mut rig).flags, ACK);
    assert_eq!(rig.records(), (0, 0, 1));
}

#[test]
fn a_listener_without_room_does_not_cost_the_record_its_quiet_time() {
    let mut rig = Rig::new();
    let peer = quiet_server(&mut rig, "10.0.0.2:4000");
    rig.listen_with(SERVER, 0);
    Peer::connect(&mut rig, "10.0.0.2:4001", SERVER);
    rig.say(peer.me, peer.to, Segment { seq: peer.nxt + 1000, ..syn() });
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::AcceptQueueFull), 1);
    assert_eq!(rig.records(), (0, 1, 1));
    let mut rig = Rig::new();
    let peer = quiet_server(&mut rig, "10.0.0.2:4000");
    let syn_cookies = Some(SynCookies::Never);
    let options = ListenOptions { syn_backlog: Some(0), syn_cookies, ..ListenOptions::default() };
    rig.stack.listen(at(SERVER), options).unwrap();
    rig.say(peer.me, peer.to, Segment { seq: peer.nxt + 1000, ..syn() });
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::SynQueueFull), 1);
    assert_eq!(rig.records(), (0, 0, 1));
}

// RFC 6191
#[test]
fn our_own_connect_waits_a_second_and_needs_timestamps() {
    let mut rig = Rig::new();
    let first = quiet_client(&mut rig, true);
    rig.wait(Duration::from_millis(900));
    assert_eq!(client(&mut rig), Err(OpenError::InUse));
    rig.wait(Duration::from_millis(200));
    let c = client(&mut rig).unwrap();
    let again = rig.hear_one();
    assert_eq!((again.flags, again.src, again.dst), (SYN, first.src, first.dst));
    assert!(again.seq.after(first.seq + 65_535));
    assert_eq!((rig.records(), rig.stack.demux_count()), ((0, 1, 0), 1));
    rig.stack.abort(c);
    rig.silence();
    rig.assert_empty();
}

#[test]
fn without_timestamps_our_own_connect_waits_for_the_end_of_the_quiet_time() {
    let mut rig = Rig::new();
    quiet_client(&mut rig, false);
    rig.wait(Duration::from_millis(59_000));
    assert_eq!(client(&mut rig), Err(OpenError::InUse));
    rig.wait(Duration::from_millis(1_100));
    assert!(client(&mut rig).is_ok());
}

#[test]
fn a_failed_connect_leaves_the_record_alone() {
    let mut rig = Rig::with(StackConfig { max_connections: 1, ..config() });
    quiet_client(&mut rig, true);
    rig.stack.connect(rig.now, at("10.0.0.3:90"), ConnectOptions::default()).unwrap();
    rig.wait(Duration::from_secs(2));
    assert_eq!(client(&mut rig), Err(OpenError::TooMany));
    assert_eq!(rig.records(), (0, 1, 1));
}

#[test]
fn ephemeral_ports_take_free_ones_first_and_then_records() {
    let tw_reuse = TimeWaitReuse::On;
    let range = StackConfig { ephemeral_ports: (5000, 5001), tw_reuse, ..config() };
    let mut rig = Rig::with(range);
    quiet_client(&mut rig, true);
    rig.wait(Duration::from_secs(2));
    let ports: Vec<_> = (0..2)
        .map(|_| {
            let to = at("10.0.0.2:90");
            let c = rig.stack.connect(rig.now, to, ConnectOptions::default()).unwrap();
            rig.stack.info(c).unwrap().tuple.local.port
        })
        .collect();
    assert_eq!(ports, [5001, 5000]);
    assert_eq!(rig.records(), (0, 2, 0));
    let none = rig.stack.connect(rig.now, at("10.0.0.2:90"), ConnectOptions::default());
    assert_eq!(none, Err(OpenError::NoPorts));
}

// RFC 9293 3.10.7.4
#[test]
fn only_the_peers_own_fin_prolongs_the_quiet_time() {
    let mut rig = Rig::new();
    let peer = quiet_server(&mut rig, "10.0.0.2:4000");
    rig.wait(Duration::from_secs(30));
    for wrong in [-2i64, 0, 1, 1 << 20, 1 << 31] {
        let seq = peer.nxt + wrong as u32;
        rig.say(peer.me, peer.to, segment(FIN | ACK, seq, peer.rcv));
        assert_eq!(rig.hear_one().ack, peer.nxt);
    }
    rig.wait(Duration::from_millis(30_100));
    rig.assert_empty();
}

#[test]
fn records_expire_each_in_its_turn() {
    let mut rig = Rig::new();
    let mut peers: Vec<_> = (0..5)
        .map(|n| {
            let peer = quiet_server(&mut rig, &format!("10.0.0.2:{}", 4000 + n));
            rig.wait(Duration::from_secs(1));
            peer
        })
        .collect();
    // One timer for all of them.
    assert_eq!((rig.stack.timer_count(), rig.stack.demux_count()), (1, 5));
    // The second begins anew, at 5 s; the third is reset.
    peers[1].nxt = peers[1].nxt - 1;
    peers[1].send(&mut rig, FIN | ACK, b"");
    peers[1].hear(&mut rig);
    rig.say(peers[2].me, peers[2].to, segment(RST, peers[2].nxt, SeqNum(0)));
    let mut left = Vec::new();
    for _ in 0..7 {
        rig.wait(Duration::from_millis(if left.is_empty() { 55_100 } else { 1000 }));
        left.push(rig.records().2);
    }
    assert_eq!(left, [3, 3, 3, 2, 1, 0, 0]);
    rig.assert_empty();
}

#[test]
fn after_the_quiet_time_a_late_segment_is_reset() {
    let mut rig = Rig::new();
    let mut peer = quiet_server(&mut rig, "10.0.0.2:4000");
    rig.wait(Duration::from_secs(61));
    rig.assert_empty();
    peer.nxt = peer.nxt - 1;
    peer.send(&mut rig, FIN | ACK, b"");
    let reset = rig.hear_one();
    // RFC 9293 3.5.2, group 1
    assert_eq!((reset.flags, reset.seq), (RST, peer.rcv));
    assert_eq!(rig.drops(PacketDrop::NoConnection), 1);
}

// The peer of a connection that is over may open the next one before the stack had a turn.
#[test]
fn a_newer_syn_in_the_batch_of_the_last_fin_is_let_in() {
    let mut rig = Rig::new();
    let l = rig.listen(SERVER);
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", SERVER);
    let c = rig.accept(l).unwrap();
    rig.stack.close(rig.now, c);
    peer.hear(&mut rig);
    peer.send(&mut rig, FIN | ACK, b"");
    // Nothing was drained: the connection itself is still in TIME-WAIT.
    assert_eq!(rig.records(), (0, 1, 0));
    let next = peer.nxt + 1000;
    rig.say(peer.me, peer.to, Segment { seq: next, ..syn() });
    let answers = rig.hear();
    let syn_ack = answers.iter().find(|h| h.flags == SYN | ACK).expect("a SYN-ACK");
    assert_eq!(syn_ack.ack, next + 1);
    assert!(syn_ack.seq.after(peer.rcv + 65_535));
    assert_eq!(rig.records(), (1, 0, 0));
    rig.say(peer.me, peer.to, segment(ACK, next + 1, syn_ack.seq + 1));
    assert!(rig.accept(l).is_some());
}

// And an old one is not, wherever the quiet time stands.
#[test]
fn an_old_syn_in_the_batch_of_the_last_fin_is_not_let_in() {
    let mut rig = Rig::new();
    let l = rig.listen(SERVER);
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", SERVER);
    let c = rig.accept(l).unwrap();
    rig.stack.close(rig.now, c);
    peer.hear(&mut rig);
    peer.send(&mut rig, FIN | ACK, b"");
    rig.say(peer.me, peer.to, Segment { seq: peer.nxt - 1000, ..syn() });
    assert!(rig.hear().iter().all(|h| h.flags == ACK && h.ack == peer.nxt));
    assert_eq!(rig.records(), (0, 0, 1));
}

#[test]
fn unread_text_outlives_a_record_whose_place_is_taken() {
    let mut rig = Rig::new();
    let l = rig.listen(SERVER);
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", SERVER);
    let old = rig.accept(l).unwrap();
    rig.stack.shutdown(old).unwrap();
    peer.hear(&mut rig);
    peer.send(&mut rig, FIN | PSH | ACK, b"kept");
    peer.hear(&mut rig);
    assert_eq!(rig.stack.state(old), State::TimeWait);
    // The successor from the same port.
    let next = peer.nxt + 1000;
    rig.say(peer.me, peer.to, Segment { seq: next, ..syn() });
    let syn_ack = rig.hear_one();
    let text = packet(peer.me, peer.to, segment(PSH | ACK, next + 1, syn_ack.seq + 1), b"new");
    rig.put(&text);
    let new = rig.accept(l).unwrap();
    assert_eq!((rig.read(old), rig.read(new)), (b"kept".to_vec(), b"new".to_vec()));
    assert_eq!(rig.read(old), b"");
    assert_eq!(rig.stack.state(new), State::Established);
}

fn connect(rig: &mut Rig, to: &str) -> Result<ConnId, OpenError> {
    rig.stack.connect(rig.now, at(to), ConnectOptions::default())
}

/// One port, which is in TIME-WAIT towards 10.0.0.2:90 for two seconds.
fn one_port(tw_reuse: TimeWaitReuse) -> Rig {
    let mut rig = Rig::with(StackConfig { ephemeral_ports: (5000, 5000), tw_reuse, ..config() });
    quiet_client(&mut rig, true);
    rig.wait(Duration::from_secs(2));
    rig
}

// RFC 6191 3; Linux: tcp_tw_reuse
#[test]
fn reuse_towards_others_has_to_be_switched_on() {
    for off in [TimeWaitReuse::Off, TimeWaitReuse::Loopback] {
        let mut rig = one_port(off);
        assert_eq!(connect(&mut rig, "10.0.0.2:90"), Err(OpenError::NoPorts), "{off:?}");
        // The port serves another destination all the while.
        assert!(connect(&mut rig, "10.0.0.2:91").is_ok());
        // An application that names the port knows what it does, as on Linux.
        assert!(client(&mut rig).is_ok());
    }
    assert!(connect(&mut one_port(TimeWaitReuse::On), "10.0.0.2:90").is_ok());
}

#[test]
fn reuse_waits_until_the_peer_has_been_silent_for_a_second() {
    let mut rig = one_port(TimeWaitReuse::On);
    // Its FIN again, with a newer timestamp: the second begins anew.
    let options =
        Options { timestamps: Some(Timestamps { value: 1001, echo: 1 }), ..Options::default() };
    let (me, to) = (at("10.0.0.2:90"), at("10.0.0.1:5000"));
    // What the record expects is in the answer to any old segment.
    rig.say(me, to, segment(FIN | ACK, IRS, SeqNum(0)));
    let ack = rig.hear_one().seq;
    rig.say(me, to, Segment { options, ..segment(FIN | ACK, IRS + 1, ack) });
    assert_eq!(rig.hear_one().flags, ACK);
    rig.wait(Duration::from_millis(900));
    assert_eq!(connect(&mut rig, "10.0.0.2:90"), Err(OpenError::NoPorts));
    rig.wait(Duration::from_millis(200));
    assert!(connect(&mut rig, "10.0.0.2:90").is_ok());
}

#[test]
fn the_stack_reuses_towards_itself_by_default() {
    for (tw_reuse, allowed) in [(TimeWaitReuse::Off, false), (TimeWaitReuse::Loopback, true)] {
        let mut rig =
            Rig::with(StackConfig { ephemeral_ports: (5000, 5000), tw_reuse, ..config() });
        let l = rig.listen(SERVER);
        let c = connect(&mut rig, SERVER).unwrap();
        rig.silence();
        let s = rig.accept(l).unwrap();
        rig.stack.close(rig.now, c);
        rig.silence();
        rig.stack.close(rig.now, s);
        rig.silence();
        assert_eq!(rig.records(), (0, 0, 1));
        rig.wait(Duration::from_millis(900));
        assert_eq!(connect(&mut rig, SERVER), Err(OpenError::NoPorts));
        rig.wait(Duration::from_millis(200));
        assert_eq!(connect(&mut rig, SERVER).is_ok(), allowed, "{tw_reuse:?}");
    }
}

// RFC 1337
#[test]
fn a_reset_ends_the_record_only_if_exact() {
    let mut rig = Rig::new();
    let peer = quiet_server(&mut rig, "10.0.0.2:4000");
    rig.say(peer.me, peer.to, segment(RST, peer.nxt + 1, SeqNum(0)));
    assert_eq!(rig.records(), (0, 0, 1));
    rig.say(peer.me, peer.to, segment(RST, peer.nxt, SeqNum(0)));
    rig.silence();
    rig.assert_empty();
}

// RFC 5082 3: a record has no options of its own; who takes its place is the listener's matter.
#[test]
fn a_request_from_too_far_away_does_not_take_a_records_place() {
    let mut rig = Rig::new();
    quiet_server(&mut rig, "10.0.0.2:4000");
    let l = rig.listen(SERVER);
    let request = Segment { seq: IRS + 100_000, ..syn() };
    // The peers of the tests send with 64.
    rig.stack.set_listener_options(l, |o| o.min_hop_limit = 65);
    rig.say(at("10.0.0.2:4000"), at(SERVER), request);
    rig.silence();
    assert_eq!((rig.records(), rig.drops(PacketDrop::HopLimit)), ((0, 0, 1), 1));
    rig.stack.set_listener_options(l, |o| o.min_hop_limit = 64);
    rig.say(at("10.0.0.2:4000"), at(SERVER), request);
    assert_eq!(rig.hear_one().flags, SYN | ACK);
    assert_eq!(rig.records(), (1, 0, 0));
}
