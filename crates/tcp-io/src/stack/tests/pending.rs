//! Who decides before the SYN-ACK? Requests are shown, admitted, turned away in each way, expire,
//! and are bounded; nothing is answered before the application has decided.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tcp_core::connection::State;
use tcp_core::wire::{Options, Segment, Timestamps};

use super::peer::*;
use crate::cell::{AcceptError, Request, RequestCell, RequestEnd};
use crate::stack::{
    ListenOptions, ListenerId, PacketDrop, PendingOptions, Rejection, StackConfig, Unreachability,
};

fn listen(rig: &mut Rig, addr: &str, pending: PendingOptions) -> ListenerId {
    let options = ListenOptions { pending: Some(pending), ..ListenOptions::default() };
    rig.stack.listen(at(addr), options).unwrap()
}

/// A listener on port 80 of both families, and a request from each given peer, undecided.
fn asked(rig: &mut Rig, peers: &[&str]) -> (ListenerId, Vec<Arc<RequestCell>>) {
    let l = listen(rig, "[::]:80", PendingOptions::default());
    let to = |me: &str| if me.starts_with('[') { "[fd00::1]:80" } else { "10.0.0.1:80" };
    for me in peers {
        rig.say(at(me), at(to(me)), syn());
    }
    rig.silence();
    let all = std::iter::from_fn(|| rig.stack.take_request(l).unwrap()).collect();
    (l, all)
}

fn one(rig: &mut Rig, me: &str) -> (ListenerId, Arc<RequestCell>) {
    let (l, mut all) = asked(rig, &[me]);
    (l, all.remove(0))
}

#[test]
fn a_request_shows_what_its_syn_says() {
    let mut rig = Rig::new();
    let l = listen(&mut rig, "10.0.0.1:80", PendingOptions::default());
    let options = Options {
        mss: Some(1234),
        window_scale: Some(9),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: 77, echo: 0 }),
        ..Options::default()
    };
    let mut p = packet(
        at("10.0.0.2:4000"),
        at("10.0.0.1:80"),
        Segment { options, window: 4321, ..syn() },
        b"early",
    );
    (p[1], p[8]) = (0xb8, 57);
    p[10..12].copy_from_slice(&[0, 0]);
    let sum = tcp_core::wire::checksum::Sum::new().add(&p[..20]).finish();
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    rig.put(&p);
    rig.silence();
    let cell = rig.stack.take_request(l).unwrap().unwrap();
    let Request { tuple, syn, text_len, hop_limit, traffic_class } = *cell.request();
    assert_eq!((tuple.local, tuple.remote), (at("10.0.0.1:80").into(), at("10.0.0.2:4000").into()));
    assert_eq!((syn.mss, syn.window_scale, syn.sack), (Some(1234), Some(9), true));
    assert_eq!((syn.timestamp, syn.window), (Some(77), 4321));
    assert_eq!((text_len, hop_limit, traffic_class), (5, 57, 0xb8));
    assert!(rig.stack.take_request(l).unwrap().is_none());
    assert_eq!((rig.stack.request_count(), rig.records()), (1, (0, 0, 0)));
}

#[test]
fn an_ipv6_request_shows_hop_limit_and_traffic_class() {
    let mut rig = Rig::new();
    let l = listen(&mut rig, "[fd00::1]:80", PendingOptions::default());
    let mut p = packet(at("[fd00::2]:4000"), at("[fd00::1]:80"), syn(), b"");
    (p[0], p[1], p[7]) = (0x6b, 0x80, 3);
    rig.put(&p);
    let cell = rig.stack.take_request(l).unwrap().unwrap();
    assert_eq!((cell.request().traffic_class, cell.request().hop_limit), (0xb8, 3));
}

#[test]
fn an_admitted_request_becomes_a_connection_with_its_text() {
    let mut rig = Rig::new();
    let l = listen(&mut rig, "10.0.0.1:80", PendingOptions::default());
    let (me, to) = (at("10.0.0.2:4000"), at("10.0.0.1:80"));
    rig.put(&packet(me, to, syn(), b"early"));
    let cell = rig.stack.take_request(l).unwrap().unwrap();
    rig.wait(Duration::from_secs(5));
    rig.stack.admit(rig.now, &cell, None).unwrap();
    let answer = rig.hear_one();
    assert_eq!((answer.flags, answer.ack, answer.src), (SYN | ACK, IRS + 1, to));
    assert_eq!((rig.stack.request_count(), rig.records()), (0, (1, 0, 0)));
    assert!(cell.take_established().unwrap().is_none());
    // A repeated SYN is for the half-open record now.
    rig.say(me, to, syn());
    assert_eq!(rig.hear_one().seq, answer.seq);
    rig.say(me, to, segment(ACK, IRS + 6, answer.seq + 1));
    let conn = cell.take_established().unwrap().unwrap().id();
    assert_eq!(rig.stack.state(conn), State::Established);
    assert_eq!(rig.read(conn), b"early");
    // It goes to whoever has admitted it, and only once.
    assert_eq!(rig.accept(l), None);
    assert_eq!(cell.take_established().unwrap_err(), RequestEnd::Decided);
    // The decision took 5 s: our own round trip does not.
    assert!(rig.stack.info(conn).unwrap().rtt < Duration::from_secs(1));
}

#[test]
fn options_hold_from_the_syn_ack_on() {
    let mut rig = Rig::new();
    let (_l, cell) = one(&mut rig, "10.0.0.2:4000");
    let mut o = rig.stack.config().tcp.options.clone();
    (o.receive_buffer, o.hop_limit, o.traffic_class) = (Some(3000), 9, 0x20);
    rig.stack.admit(rig.now, &cell, Some(o.clone())).unwrap();
    let answer = rig.hear_one();
    let header = (answer.bytes[1], answer.bytes[8]);
    let window = u16::from_be_bytes([answer.bytes[34], answer.bytes[35]]);
    assert_eq!((header, window), ((0x20, 9), 3000));
    // So does the SYN-ACK that is sent again.
    let again = rig.wait(Duration::from_millis(1100)).remove(0);
    assert_eq!((again.bytes[1], again.bytes[8]), (0x20, 9));
    rig.say(answer.dst, answer.src, segment(ACK, IRS + 1, answer.seq + 1));
    let conn = cell.take_established().unwrap().unwrap().id();
    assert_eq!(rig.stack.options(conn).unwrap(), o);
}

#[test]
fn so_do_the_options_of_a_listener_that_decides_itself() {
    let mut rig = Rig::new();
    let mut o = rig.stack.config().tcp.options.clone();
    (o.receive_buffer, o.hop_limit, o.traffic_class) = (Some(3000), 9, 0x20);
    let options = ListenOptions { options: Some(o), ..ListenOptions::default() };
    rig.stack.listen(at("10.0.0.1:80"), options).unwrap();
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
    // The first, one for a repeated SYN, and one after a second.
    let mut all = rig.hear();
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
    all.extend(rig.hear());
    all.extend(rig.wait(Duration::from_millis(1100)));
    assert_eq!(all.len(), 3);
    for h in all {
        let window = u16::from_be_bytes([h.bytes[34], h.bytes[35]]);
        assert_eq!((h.flags, h.bytes[1], h.bytes[8], window), (SYN | ACK, 0x20, 9, 3000));
    }
}

#[test]
fn a_reset_refuses_at_once_and_acknowledges_the_whole_syn() {
    for me in ["10.0.0.2:4000", "[fd00::2]:4000"] {
        let mut rig = Rig::new();
        let (l, cell) = one(&mut rig, me);
        rig.stack.reject(rig.now, &cell, Rejection::Reset).unwrap();
        let reset = rig.hear_one();
        assert_eq!((reset.flags, reset.seq.0, reset.ack), (RST | ACK, 0, IRS + 1));
        assert_eq!((reset.dst, cell.is_undecided()), (at(me), false));
        rig.stack.close_listener(l);
        rig.assert_empty();
    }
    // Of text that there was no budget for, too.
    let mut rig = Rig::with(StackConfig { syn_text_budget: 2, ..config() });
    let l = listen(&mut rig, "10.0.0.1:80", PendingOptions::default());
    let with_fin = Segment { flags: SYN | FIN, ..syn() };
    rig.put(&packet(at("10.0.0.2:4000"), at("10.0.0.1:80"), with_fin, b"early"));
    let cell = rig.stack.take_request(l).unwrap().unwrap();
    assert_eq!(rig.stack.half_open.text, 2);
    rig.stack.reject(rig.now, &cell, Rejection::Reset).unwrap();
    assert_eq!(rig.hear_one().ack, IRS + 7);
    assert_eq!(rig.stack.half_open.text, 0);
}

// RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.1
#[test]
fn a_refusal_by_icmp_quotes_the_syn() {
    use Unreachability as U;
    let codes = [(U::Network, 0, 0), (U::Host, 1, 3), (U::Port, 3, 4), (U::AdminProhibited, 13, 1)];
    for (why, v4, v6) in codes {
        for me in ["10.0.0.2:4000", "[fd00::2]:4000"] {
            let mut rig = Rig::new();
            let (_l, cell) = one(&mut rig, me);
            rig.stack.reject(rig.now, &cell, Rejection::Unreachable(why)).unwrap();
            let p = rig.next().unwrap();
            rig.silence();
            let ip = whole(&p);
            assert_eq!(ip.dst, at(me).ip());
            let sum = tcp_core::wire::checksum::Sum::new().add(ip.payload).fold();
            let quoted = if ip.dst.is_ipv4() {
                assert_eq!((ip.payload[0], ip.payload[1], sum), (3, v4, 0xffff));
                assert_eq!(p[1], 0xc0, "RFC 1812 4.3.2.5");
                packet(at(me), at("10.0.0.1:80"), syn(), b"")
            } else {
                assert_eq!((ip.payload[0], ip.payload[1]), (1, v6));
                assert!(tcp_core::wire::checksum::verify(ip.src, ip.dst, 58, ip.payload));
                packet(at(me), at("[fd00::1]:80"), syn(), b"")
            };
            assert_eq!(&ip.payload[8..], quoted);
            assert_eq!(rig.stack.counters().unreachables_out, 1);
        }
    }
}

// The other end of the same message: our own connect fails with the reason.
#[test]
fn a_stack_of_ours_believes_the_refusal() {
    use crate::cell::TakenError;
    use crate::stack::ConnectOptions;
    use tcp_core::error::{End, Unreachable};
    let mut rig = Rig::new();
    let l = listen(&mut rig, "[::]:80", PendingOptions::default());
    let cases = [
        ("10.0.0.1:80", Unreachability::Host, End::Unreachable(Unreachable::Host)),
        ("[fd00::1]:80", Unreachability::Network, End::Unreachable(Unreachable::Network)),
        (
            "[fd00::1]:80",
            Unreachability::AdminProhibited,
            End::Unreachable(Unreachable::Prohibited),
        ),
        ("10.0.0.1:80", Unreachability::Port, End::Refused),
    ];
    for (to, why, end) in cases {
        let c = rig.stack.connect(rig.now, at(to), ConnectOptions::default()).unwrap();
        // Out over loopback, and the answer back.
        rig.silence();
        let cell = rig.stack.take_request(l).unwrap().unwrap();
        rig.stack.reject(rig.now, &cell, Rejection::Unreachable(why)).unwrap();
        rig.silence();
        assert_eq!(rig.stack.take_error(c), Some(TakenError::Ended(end)));
    }
}

#[test]
fn an_icmp_message_is_not_longer_than_a_router_may_send() {
    let mut rig = Rig::new();
    let l = listen(&mut rig, "[::]:80", PendingOptions::default());
    let mut lengths = Vec::new();
    for (me, to) in [("10.0.0.2:4000", "10.0.0.1:80"), ("[fd00::2]:4000", "[fd00::1]:80")] {
        rig.put(&packet(at(me), at(to), syn(), &[7; 1400]));
        let cell = rig.stack.take_request(l).unwrap().unwrap();
        rig.stack.reject(rig.now, &cell, Rejection::Unreachable(Unreachability::Host)).unwrap();
        lengths.push(rig.next().unwrap().len());
    }
    assert_eq!(lengths, [576, 1280]);
}

// RFC 4443 2.4 (f)
#[test]
fn icmp_errors_are_limited() {
    let mut rig = Rig::with(StackConfig { icmp_msgs_burst: 2, ..config() });
    let (_l, all) = asked(&mut rig, &["10.0.0.2:1", "10.0.0.2:2", "[fd00::2]:3"]);
    for cell in &all {
        rig.stack.reject(rig.now, cell, Rejection::Unreachable(Unreachability::Host)).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| rig.next()).count(), 2);
    assert_eq!(rig.drops(PacketDrop::IcmpRateLimit), 1);
}

#[test]
fn an_ignored_request_leaves_nothing_and_may_ask_again() {
    let mut rig = Rig::new();
    let (l, cell) = one(&mut rig, "10.0.0.2:4000");
    rig.stack.reject(rig.now, &cell, Rejection::Ignore).unwrap();
    rig.silence();
    assert_eq!((rig.stack.demux_count(), rig.stack.timer_count()), (0, 0));
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
    assert!(rig.stack.take_request(l).unwrap().is_some());
}

// MUST-41
#[test]
fn a_repeated_syn_makes_no_second_request() {
    let mut rig = Rig::new();
    let (l, cell) = one(&mut rig, "10.0.0.2:4000");
    for n in 0..1000 {
        let seq = IRS + n % 2;
        rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), Segment { seq, ..syn() });
    }
    rig.silence();
    assert!(rig.stack.take_request(l).unwrap().is_none());
    assert_eq!((rig.stack.request_count(), rig.stack.timer_count()), (1, 1));
    assert_eq!(rig.drops(PacketDrop::Undecided), 1000);
    rig.stack.admit(rig.now, &cell, None).unwrap();
    assert_eq!(rig.hear_one().ack, IRS + 1);
}

#[test]
fn an_undecided_request_expires_as_its_listener_says() {
    for (how, out) in [
        (Rejection::Reset, 1),
        (Rejection::Unreachable(Unreachability::Host), 1),
        (Rejection::Ignore, 0),
    ] {
        let mut rig = Rig::new();
        let timeout = Duration::from_secs(7);
        let options = PendingOptions { timeout, on_timeout: how, ..PendingOptions::default() };
        let l = listen(&mut rig, "10.0.0.1:80", options);
        rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
        rig.say(at("10.0.0.2:4001"), at("10.0.0.1:80"), syn());
        let held = rig.stack.take_request(l).unwrap().unwrap();
        rig.wait(timeout - Duration::from_millis(1));
        assert!(held.is_undecided());
        // The wheel's ticks are coarser than this.
        rig.now += Duration::from_millis(20);
        rig.stack.on_deadline(rig.now);
        assert_eq!(std::iter::from_fn(|| rig.next()).count(), 2 * out);
        // Neither the one in the queue nor the one that is held can be decided any more.
        assert!(rig.stack.take_request(l).unwrap().is_none());
        let late = rig.stack.admit(rig.now, &held, None);
        assert_eq!(late, Err(RequestEnd::Expired));
        assert_eq!(rig.stack.reject(rig.now, &held, Rejection::Reset), late);
        assert_eq!(rig.stack.counters().request_timeouts, 2);
        rig.stack.close_listener(l);
        rig.silence();
        rig.assert_empty();
    }
}

#[test]
fn undecided_requests_are_bounded() {
    let mut rig = Rig::new();
    let options = PendingOptions { max_undecided: 2, ..PendingOptions::default() };
    let l = listen(&mut rig, "10.0.0.1:80", options);
    for n in 1..=4 {
        rig.say(at(&format!("10.0.0.2:{n}")), at("10.0.0.1:80"), syn());
    }
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::PendingQueueFull), 2);
    assert_eq!(rig.stack.request_count(), 2);
    // Held ones count as long as they are undecided.
    let first = rig.stack.take_request(l).unwrap().unwrap();
    rig.say(at("10.0.0.2:5"), at("10.0.0.1:80"), syn());
    assert_eq!(rig.drops(PacketDrop::PendingQueueFull), 3);
    let row = rig.stack.connections().remove(0);
    assert_eq!((row.receive_queue, row.send_queue), (2, 2));
    rig.stack.admit(rig.now, &first, None).unwrap();
    rig.say(at("10.0.0.2:5"), at("10.0.0.1:80"), syn());
    assert_eq!(rig.stack.request_count(), 2);
    let ports = std::iter::from_fn(|| rig.stack.take_request(l).unwrap());
    let ports: Vec<_> = ports.map(|c| c.request().tuple.remote.port).collect();
    assert_eq!(ports, [2, 5]);
}

#[test]
fn at_least_one_request_may_be_undecided() {
    let mut rig = Rig::new();
    let options = PendingOptions { max_undecided: 0, ..PendingOptions::default() };
    let l = listen(&mut rig, "10.0.0.1:80", options);
    rig.say(at("10.0.0.2:1"), at("10.0.0.1:80"), syn());
    rig.say(at("10.0.0.2:2"), at("10.0.0.1:80"), syn());
    assert!(rig.stack.take_request(l).unwrap().is_some());
    assert_eq!(rig.drops(PacketDrop::PendingQueueFull), 1);
}

#[test]
fn closing_the_listener_refuses_what_is_undecided() {
    let mut rig = Rig::new();
    let (l, held) = one(&mut rig, "10.0.0.2:4000");
    rig.say(at("10.0.0.2:4001"), at("10.0.0.1:80"), syn());
    rig.say(at("10.0.0.2:4002"), at("10.0.0.1:80"), syn());
    let opening = rig.stack.take_request(l).unwrap().unwrap();
    rig.stack.admit(rig.now, &opening, None).unwrap();
    let answer = rig.hear_one();
    rig.stack.close_listener(l);
    let resets: Vec<_> = rig.hear().iter().map(|h| (h.flags, h.dst.port())).collect();
    assert_eq!(resets, [(RST | ACK, 4000), (RST | ACK, 4002)]);
    assert_eq!(rig.stack.admit(rig.now, &held, None), Err(RequestEnd::Closed));
    assert_eq!(opening.take_established().unwrap_err(), RequestEnd::Closed);
    assert_eq!(rig.stack.take_request(l).unwrap_err(), AcceptError::Closed);
    rig.assert_empty();
    // As the last ACK of any half-open record that went with its listener.
    rig.say(answer.dst, answer.src, segment(ACK, IRS + 1, answer.seq + 1));
    assert_eq!(rig.hear_one().flags, RST);
}

#[test]
fn a_connection_that_was_admitted_outlives_its_listener() {
    let mut rig = Rig::new();
    let (l, cell) = one(&mut rig, "10.0.0.2:4000");
    rig.stack.admit(rig.now, &cell, None).unwrap();
    let answer = rig.hear_one();
    rig.say(answer.dst, answer.src, segment(ACK, IRS + 1, answer.seq + 1));
    rig.stack.close_listener(l);
    rig.silence();
    let conn = cell.take_established().unwrap().unwrap().id();
    assert_eq!(rig.stack.state(conn), State::Established);
}

#[test]
fn a_peer_may_withdraw() {
    let mut rig = Rig::new();
    let (l, cell) = one(&mut rig, "10.0.0.2:4000");
    let (me, to) = (at("10.0.0.2:4000"), at("10.0.0.1:80"));
    // RFC 5961 3.2: not from out of the window.
    rig.say(me, to, segment(RST, IRS + 2, tcp_core::SeqNum(0)));
    assert!(cell.is_undecided());
    rig.say(me, to, segment(RST, IRS + 1, tcp_core::SeqNum(0)));
    rig.silence();
    assert_eq!(rig.stack.admit(rig.now, &cell, None), Err(RequestEnd::Withdrawn));
    rig.stack.close_listener(l);
    rig.assert_empty();
}

#[test]
fn an_ack_of_what_was_never_sent_is_reset_and_changes_nothing() {
    let mut rig = Rig::new();
    let (_l, cell) = one(&mut rig, "10.0.0.2:4000");
    let (me, to) = (at("10.0.0.2:4000"), at("10.0.0.1:80"));
    rig.say(me, to, segment(ACK, IRS + 1, tcp_core::SeqNum(99)));
    let reset = rig.hear_one();
    assert_eq!((reset.flags, reset.seq.0), (RST, 99));
    assert!(cell.is_undecided());
}

#[test]
fn a_handshake_that_is_not_completed_says_so() {
    let mut rig = Rig::new();
    let (_l, all) = asked(&mut rig, &["10.0.0.2:1", "10.0.0.2:2"]);
    for cell in &all {
        rig.stack.admit(rig.now, cell, None).unwrap();
    }
    rig.hear();
    rig.say(at("10.0.0.2:1"), at("10.0.0.1:80"), segment(RST, IRS + 1, tcp_core::SeqNum(0)));
    assert_eq!(all[0].take_established().unwrap_err(), RequestEnd::Withdrawn);
    rig.wait(Duration::from_secs(64));
    assert_eq!(all[1].take_established().unwrap_err(), RequestEnd::Unanswered);
    assert_eq!(rig.records(), (0, 0, 0));
}

#[test]
fn abandoning_resets_at_every_stage() {
    let mut rig = Rig::new();
    let (l, all) = asked(&mut rig, &["10.0.0.2:1", "10.0.0.2:2", "10.0.0.2:3"]);
    rig.stack.abandon(rig.now, &all[0]);
    assert_eq!(rig.hear_one().flags, RST | ACK);
    rig.stack.admit(rig.now, &all[1], None).unwrap();
    let answer = rig.hear_one();
    rig.stack.abandon(rig.now, &all[1]);
    let reset = rig.hear_one();
    assert_eq!((reset.flags, reset.seq, reset.ack), (RST | ACK, answer.seq + 1, IRS + 1));
    rig.stack.admit(rig.now, &all[2], None).unwrap();
    let answer = rig.hear_one();
    rig.say(answer.dst, answer.src, segment(ACK, IRS + 1, answer.seq + 1));
    rig.stack.abandon(rig.now, &all[2]);
    assert!(rig.hear_one().flags.contains(RST));
    for cell in &all {
        rig.stack.abandon(rig.now, cell);
        assert_eq!(rig.stack.admit(rig.now, cell, None), Err(RequestEnd::Decided));
    }
    rig.stack.close_listener(l);
    rig.silence();
    rig.assert_empty();
}

#[test]
fn a_slot_that_is_used_again_does_not_answer_for_its_predecessor() {
    let mut rig = Rig::new();
    let (l, old) = one(&mut rig, "10.0.0.2:1");
    rig.stack.reject(rig.now, &old, Rejection::Ignore).unwrap();
    rig.say(at("10.0.0.2:2"), at("10.0.0.1:80"), syn());
    let new = rig.stack.take_request(l).unwrap().unwrap();
    rig.stack.abandon(rig.now, &old);
    rig.silence();
    assert!(new.is_undecided());
}

// RFC 6191: the successor of a TIME-WAIT record waits for its decision like any other.
#[test]
fn a_request_in_time_wait_gets_a_later_sequence_number() {
    let mut rig = Rig::new();
    let (l, cell) = one(&mut rig, "10.0.0.2:4000");
    rig.stack.admit(rig.now, &cell, None).unwrap();
    let answer = rig.hear_one();
    let mut peer = Peer { me: answer.dst, to: answer.src, nxt: IRS + 1, rcv: answer.seq + 1 };
    peer.send(&mut rig, ACK, b"");
    let conn = cell.take_established().unwrap().unwrap().id();
    rig.stack.close(rig.now, conn);
    peer.hear(&mut rig);
    peer.send(&mut rig, FIN | ACK, b"");
    peer.hear(&mut rig);
    assert_eq!(rig.records(), (0, 0, 1));
    rig.say(peer.me, peer.to, Segment { seq: peer.nxt + 1000, ..syn() });
    rig.silence();
    assert_eq!((rig.records(), rig.stack.request_count()), ((0, 0, 0), 1));
    let cell = rig.stack.take_request(l).unwrap().unwrap();
    rig.stack.admit(rig.now, &cell, None).unwrap();
    let second = rig.hear_one();
    assert!(second.seq.after(peer.rcv), "{:?} after {:?}", second.seq, peer.rcv);
}

#[test]
fn requests_and_connections_are_handed_out_apart() {
    let mut rig = Rig::new();
    let plain = rig.listen("10.0.0.1:81");
    assert_eq!(rig.stack.take_request(plain).unwrap_err(), AcceptError::Closed);
    assert!(rig.stack.request_queue(plain).is_none());
    let l = listen(&mut rig, "10.0.0.1:80", PendingOptions::default());
    assert_eq!(rig.accept(l), None);
}

#[test]
fn the_end_of_the_stack_refuses_requests() {
    let mut rig = Rig::new();
    let (_l, cell) = one(&mut rig, "[fd00::2]:4000");
    rig.stack.close_all(rig.now);
    assert_eq!(rig.hear_one().flags, RST | ACK);
    assert_eq!(rig.stack.admit(rig.now, &cell, None), Err(RequestEnd::Closed));
    rig.assert_empty();
}

#[test]
fn an_icmp_message_comes_from_this_stack_or_the_closed_port_itself() {
    use crate::stack::{Foreign, ListenScope};
    let foreign = Foreign::Take { echo: false };
    let mut rig = Rig::with(StackConfig { foreign, ..config() });
    let options = ListenOptions {
        pending: Some(PendingOptions::default()),
        scope: ListenScope::Any,
        ..ListenOptions::default()
    };
    let l = rig.stack.listen(at("[::]:0"), options).unwrap();
    let own: IpAddr = "10.0.0.1".parse().unwrap();
    let theirs = at("192.0.2.7:443");
    for (why, from) in [(Unreachability::Host, own), (Unreachability::Port, theirs.ip())] {
        rig.say(at("10.0.0.2:4000"), theirs, syn());
        let cell = rig.stack.take_request(l).unwrap().unwrap();
        rig.stack.reject(rig.now, &cell, Rejection::Unreachable(why)).unwrap();
        assert_eq!(whole(&rig.next().unwrap()).src, from);
    }
}
