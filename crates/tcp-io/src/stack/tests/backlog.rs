//! How many may wait? The arithmetic of backlog and SYN backlog, and what a full queue does.

use std::time::Duration;

use super::peer::*;
use crate::stack::{ListenOptions, PacketDrop, StackConfig, SynCookies};

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
    let syn_cookies = Some(SynCookies::Never);
    let options = ListenOptions { syn_backlog: Some(3), syn_cookies, ..ListenOptions::default() };
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
    let mut rig =
        Rig::with(StackConfig { max_syn_backlog: 1, syn_cookies: SynCookies::Never, ..config() });
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

/// How a listener stands when a peer comes, and what the peer then meets.
#[derive(Clone, Copy, Debug)]
struct Case {
    syn_queue_full: bool,
    accept_queue_full: bool,
    cookies: SynCookies,
    abort_on_overflow: bool,
    /// What its SYN gets.
    syn: Meets,
    /// What the last ACK of a peer gets whose SYN came before the queues filled up.
    ack: Meets,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Meets {
    Record,
    Cookie,
    /// No answer, counted under this reason.
    Silence(PacketDrop),
    Connection,
    Reset,
}

impl Case {
    fn run(&self) -> (Meets, Meets) {
        let mut rig = Rig::new();
        let options = ListenOptions {
            backlog: 0,
            syn_backlog: Some(2),
            syn_cookies: Some(self.cookies),
            abort_on_overflow: Some(self.abort_on_overflow),
            ..ListenOptions::default()
        };
        rig.stack.listen(at("10.0.0.1:80"), options).unwrap();
        let mut early = Peer::half_open(&mut rig, &from(0), "10.0.0.1:80");
        let mut filler = Peer::half_open(&mut rig, &from(1), "10.0.0.1:80");
        if self.accept_queue_full {
            filler.send(&mut rig, ACK, b"");
            if self.syn_queue_full && self.cookies != SynCookies::Always {
                // No SYN comes in any more: fill the place of the filler by hand.
                let l = rig.stack.listeners.ids()[0];
                rig.stack.listeners.listener(l).unwrap().limits.syn_backlog = 1;
            }
        } else if !self.syn_queue_full {
            filler.send(&mut rig, RST, b"");
        }
        rig.hear();
        let syn = self.say(&mut rig, |rig| rig.say(at(&from(2)), at("10.0.0.1:80"), syn()));
        let ack = self.say(&mut rig, |rig| early.send(rig, ACK, b""));
        (syn, ack)
    }

    fn say(&self, rig: &mut Rig, say: impl FnOnce(&mut Rig)) -> Meets {
        let (before, connections) = (rig.stack.counters().clone(), rig.stack.connection_count());
        say(rig);
        let answer = rig.hear().pop().map(|a| a.flags);
        let after = rig.stack.counters();
        let silences = [PacketDrop::SynQueueFull, PacketDrop::AcceptQueueFull];
        let dropped =
            silences.into_iter().find(|d| after.packet_drops(*d) > before.packet_drops(*d));
        match (answer, dropped) {
            (Some(f), _) if f.contains(RST) => Meets::Reset,
            (Some(_), None) if after.syn_cookies_sent > before.syn_cookies_sent => Meets::Cookie,
            (Some(_), None) => Meets::Record,
            (None, Some(why)) => Meets::Silence(why),
            (None, None) if rig.stack.connection_count() > connections => Meets::Connection,
            other => panic!("{other:?}"),
        }
    }
}

// listen(2), tcp(7) and ip-sysctl of Linux: tcp_max_syn_backlog, tcp_syncookies,
// tcp_abort_on_overflow. A full accept queue drops SYNs, with cookies too; what has completed by
// then is told by abort_on_overflow.
#[test]
fn what_a_peer_meets_by_the_queues_and_policies() {
    use Meets::{Connection, Cookie, Record, Reset, Silence};
    use SynCookies::{Always, Never, WhenFull};
    const ACCEPT: Meets = Silence(PacketDrop::AcceptQueueFull);
    const SYNS: Meets = Silence(PacketDrop::SynQueueFull);
    let (no, yes) = (false, true);
    // SYN queue full, accept queue full, cookies, abort: the SYN, the last ACK.
    let table = [
        (no, no, Never, no, Record, Connection),
        (no, no, WhenFull, no, Record, Connection),
        (no, no, Always, no, Cookie, Connection),
        (no, no, Never, yes, Record, Connection),
        (no, no, WhenFull, yes, Record, Connection),
        (no, no, Always, yes, Cookie, Connection),
        (yes, no, Never, no, SYNS, Connection),
        (yes, no, WhenFull, no, Cookie, Connection),
        (yes, no, Always, no, Cookie, Connection),
        (yes, no, Never, yes, SYNS, Connection),
        (yes, no, WhenFull, yes, Cookie, Connection),
        (yes, no, Always, yes, Cookie, Connection),
        (no, yes, Never, no, ACCEPT, ACCEPT),
        (no, yes, WhenFull, no, ACCEPT, ACCEPT),
        (no, yes, Always, no, ACCEPT, ACCEPT),
        (no, yes, Never, yes, ACCEPT, Reset),
        (no, yes, WhenFull, yes, ACCEPT, Reset),
        (no, yes, Always, yes, ACCEPT, Reset),
        (yes, yes, Never, no, ACCEPT, ACCEPT),
        (yes, yes, WhenFull, no, ACCEPT, ACCEPT),
        (yes, yes, Always, no, ACCEPT, ACCEPT),
        (yes, yes, Never, yes, ACCEPT, Reset),
        (yes, yes, WhenFull, yes, ACCEPT, Reset),
        (yes, yes, Always, yes, ACCEPT, Reset),
    ];
    for (syn_queue_full, accept_queue_full, cookies, abort_on_overflow, syn, ack) in table {
        let case = Case { syn_queue_full, accept_queue_full, cookies, abort_on_overflow, syn, ack };
        assert_eq!(case.run(), (case.syn, case.ack), "{case:?}");
    }
}

#[test]
fn an_aborted_overflow_leaves_no_record() {
    let mut rig = Rig::with(StackConfig { abort_on_overflow: true, ..config() });
    let l = rig.listen_with("10.0.0.1:80", 0);
    let mut first = Peer::half_open(&mut rig, &from(0), "10.0.0.1:80");
    let mut second = Peer::half_open(&mut rig, &from(1), "10.0.0.1:80");
    first.send(&mut rig, ACK, b"");
    second.send(&mut rig, ACK, b"");
    let reset = rig.hear_one();
    assert_eq!((reset.flags, reset.seq, reset.dst), (RST, second.rcv, second.me));
    assert_eq!((rig.records(), rig.stack.timer_count()), ((0, 1, 0), 0));
    assert!(rig.accept(l).is_some());
}

#[test]
fn each_listener_has_its_own_number_of_retries() {
    let mut rig = Rig::new();
    for (port, retries, times) in
        [(80, 0, &[][..]), (81, 2, &[1, 3]), (82, 6, &[1, 3, 7, 15, 31, 63])]
    {
        let syn_ack_retries = Some(retries);
        let options = ListenOptions { syn_ack_retries, ..ListenOptions::default() };
        let here = format!("10.0.0.1:{port}");
        rig.stack.listen(at(&here), options).unwrap();
        Peer::half_open(&mut rig, &from(0), &here);
        let began = rig.now;
        let again = rig.wait(Duration::from_secs(130));
        let at: Vec<_> = again.iter().map(|h| h.when.since(began).as_secs()).collect();
        assert_eq!((&at[..], rig.records()), (times, (0, 0, 0)));
    }
}

// As on Linux: half of the queue is kept for those whose first second has not passed.
#[test]
fn old_records_make_room_when_the_queue_is_crowded() {
    let mut rig = Rig::new();
    let options = ListenOptions {
        syn_backlog: Some(100),
        syn_cookies: Some(SynCookies::Never),
        ..ListenOptions::default()
    };
    rig.stack.listen(at("10.0.0.1:80"), options).unwrap();
    for n in 0..60 {
        Peer::half_open(&mut rig, &from(n), "10.0.0.1:80");
    }
    Peer::half_open(&mut rig, &from(99), "10.0.0.1:80");
    // Two retries, after 1 and 3 s, and at 7 s the end for as many as make the queue half empty.
    rig.wait(Duration::from_millis(6900));
    assert_eq!(rig.records(), (61, 0, 0));
    rig.wait(Duration::from_millis(200));
    assert_eq!(rig.records(), (50, 0, 0));
}

#[test]
fn options_of_the_listener_shape_its_syn_acks() {
    use tcp_core::config::{SocketOptions, TcpConfig};
    let mut rig = Rig::new();
    let own = SocketOptions {
        hop_limit: 7,
        traffic_class: 0x20,
        receive_buffer: Some(3000),
        ..SocketOptions::default()
    };
    let tcp = TcpConfig { timestamps: false, sack: false, ..TcpConfig::default() };
    for syn_cookies in [SynCookies::Never, SynCookies::Always] {
        let options = ListenOptions {
            options: Some(own.clone()),
            tcp: Some(tcp.clone().into()),
            syn_cookies: Some(syn_cookies),
            ..ListenOptions::default()
        };
        let l = rig.stack.listen(at("10.0.0.1:80"), options).unwrap();
        let me = at(&from(0));
        let rich = tcp_core::wire::Options {
            sack_permitted: true,
            timestamps: Some(tcp_core::wire::Timestamps { value: 1, echo: 0 }),
            ..syn().options
        };
        rig.say(me, at("10.0.0.1:80"), tcp_core::wire::Segment { options: rich, ..syn() });
        let check = |bytes: &[u8]| {
            assert_eq!((bytes[8], bytes[1]), (7, 0x20), "TTL and traffic class");
            let s = tcp_core::wire::Segment::parse(&bytes[20..]).unwrap();
            assert_eq!(
                (s.window, s.options.timestamps, s.options.sack_permitted),
                (3000, None, false)
            );
            s.seq
        };
        let isn = check(&rig.next().unwrap());
        if syn_cookies == SynCookies::Never {
            let again = rig.wait(Duration::from_millis(1100));
            check(&again[0].bytes);
        }
        rig.say(me, at("10.0.0.1:80"), segment(ACK, IRS + 1, isn + 1));
        let c = rig.accept(l).unwrap();
        assert_eq!(rig.stack.options(c).unwrap(), own);
        assert_eq!(rig.stack.info(c).unwrap().receive_window, 3000);
        // What is set later holds for those that come later.
        rig.stack.set_listener_options(l, |o| o.hop_limit = 9);
        rig.say(at(&from(1)), at("10.0.0.1:80"), syn());
        assert_eq!(rig.next().unwrap()[8], 9);
        rig.stack.abort(c);
        rig.stack.close_listener(l);
        rig.hear();
    }
}
