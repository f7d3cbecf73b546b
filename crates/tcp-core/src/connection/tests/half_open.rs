//! Does a passive open become a connection, and only when it should? The half-open record of
//! RFC 9293 3.10.7.2 and the SYN-RECEIVED half of 3.10.7.4, and the connection made of it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::{Connection, Events, State, Verdict};
use super::harness::*;
use crate::Instant;
use crate::config::TcpConfig;
use crate::congestion::Controller;
use crate::error::DropReason;
use crate::listen::{HalfOpen, HalfOpenTimeout, HalfOpenVerdict};
use crate::wire::{Flags, Options, Segment, Timestamps};

const NOW: Instant = Instant::from_millis(5000);

/// A record, and the peer's view of it.
struct Record {
    half: HalfOpen,
    isns: Isns,
    config: TcpConfig,
}

impl Record {
    fn new(isns: Isns, text: &[u8], flags: Flags) -> Record {
        let config = small_config();
        let mut r = Record { half: Record::open(isns, &Segment::default(), &config), isns, config };
        let options = Options { mss: Some(1000), ..Options::default() };
        let syn = Segment { seq: isns.theirs, payload: text, options, ..r.segment(flags) };
        r.half = Record::open(isns, &syn, &r.config);
        r
    }

    fn open(isns: Isns, syn: &Segment<'_>, config: &TcpConfig) -> HalfOpen {
        HalfOpen::on_syn(NOW, params(v4(), isns.ours), syn, 1460, config)
    }

    /// As the peer would send it after the SYN-ACK.
    fn segment(&self, flags: Flags) -> Segment<'static> {
        Segment {
            src_port: v4().remote.port,
            dst_port: v4().local.port,
            seq: self.isns.theirs + 1,
            ack: self.isns.ours + 1,
            flags,
            window: 20_000,
            ..Segment::default()
        }
    }

    fn on(&mut self, seg: &Segment<'_>) -> HalfOpenVerdict {
        self.half.on_segment(NOW, seg, &self.config)
    }

    /// The handshake is complete with `seg`.
    fn establish(mut self, seg: &Segment<'_>) -> Connection {
        assert_eq!(self.on(seg), HalfOpenVerdict::Establish);
        let mut c = Connection::from_half_open(NOW, self.half, 1500, Arc::new(self.config));
        c.on_segment(NOW, seg, 0);
        c
    }
}

fn read(c: &mut Connection) -> Vec<u8> {
    let mut buf = [0; 100];
    let n = c.read(NOW, &mut buf).unwrap_or(0);
    buf[..n].to_vec()
}

// SHLD-14, RFC 7323 2.4: scaled or not, the same right edge.
#[test]
fn a_chosen_receive_buffer_is_what_the_syn_ack_offers() {
    for (scale, chosen, offered) in
        [(None, 3000, 3000), (Some(2), 3000, 3072), (None, 1, 1024), (None, 1 << 20, 65_535)]
    {
        let options = Options { window_scale: scale, ..Options::default() };
        let syn = Segment { seq: ISNS[0].theirs, flags: SYN, options, ..Segment::default() };
        let mut config = TcpConfig::default();
        config.options.receive_buffer = Some(chosen);
        let half = Record::open(ISNS[0], &syn, &config);
        let shift = scale.map_or(0, |_| config.window_scale());
        assert_eq!(half.syn_ack(NOW, &config).window, offered);
        assert_eq!(half.ack(NOW, &config).window, offered >> shift);
    }
}

// RFC 9293 3.10.5
#[test]
fn the_reset_of_a_record_has_the_next_number() {
    for isns in ISNS {
        let reset = Record::new(isns, b"text", SYN).half.reset();
        assert_eq!((reset.seq, reset.ack), (isns.ours + 1, isns.theirs + 1));
        assert_eq!(reset.flags, Flags::RST | Flags::ACK);
    }
}

#[test]
fn passive_open_takes_three_segments() {
    for isns in ISNS {
        let r = Record::new(isns, b"", SYN);
        let syn_ack = r.half.syn_ack(NOW, &r.config);
        assert_eq!(syn_ack.flags, SYN_ACK);
        assert_eq!((syn_ack.seq, syn_ack.ack), (isns.ours, isns.theirs + 1));
        assert_eq!(u32::from(syn_ack.window), WINDOW);
        let ack = r.segment(ACK);
        let mut c = r.establish(&ack);
        assert_eq!(c.state(), State::Established);
        assert!(c.take_events().contains(Events::ESTABLISHED | Events::WRITABLE));
        assert!(drain(&mut c, NOW).is_empty());
        assert_eq!(c.poll_timeout(), None);
        assert_eq!((c.snd.una, c.snd.wnd), (isns.ours + 1, 20_000));
    }
}

#[test]
fn text_and_fin_on_the_last_ack_are_taken() {
    for isns in ISNS {
        let r = Record::new(isns, b"", SYN);
        let seg = Segment { payload: b"GET", ..r.segment(FIN_ACK) };
        let mut c = r.establish(&seg);
        assert_eq!(c.state(), State::CloseWait);
        assert_eq!(read(&mut c), b"GET");
        let sent = drain(&mut c, NOW);
        assert_eq!(sent[0].head.ack, isns.theirs + 5);
    }
}

#[test]
fn handshake_completed_by_text_out_of_order_keeps_it() {
    // The bare ACK was lost or overtaken.
    for isns in ISNS {
        let r = Record::new(isns, b"", SYN);
        let later = Segment { seq: isns.theirs + 4, payload: b"def", ..r.segment(ACK) };
        let first = Segment { payload: b"abc", ..r.segment(ACK) };
        let mut c = r.establish(&later);
        assert_eq!(drain(&mut c, NOW)[0].head.ack, isns.theirs + 1);
        c.on_segment(NOW, &first, 0);
        assert_eq!(read(&mut c), b"abcdef");
    }
}

#[test]
fn text_of_the_syn_is_acknowledged_only_after_the_handshake() {
    // RFC 9293 3.10.7.2: queued until ESTABLISHED.
    for isns in ISNS {
        let r = Record::new(isns, b"hello", SYN);
        assert_eq!(r.half.syn_ack(NOW, &r.config).ack, isns.theirs + 1);
        // The peer goes on behind its text.
        let ack = Segment { seq: isns.theirs + 6, ..r.segment(ACK) };
        let mut c = r.establish(&ack);
        assert_eq!(c.snd.una, isns.ours + 1);
        assert_eq!(drain(&mut c, NOW)[0].head.ack, isns.theirs + 6);
        assert_eq!(read(&mut c), b"hello");
    }
}

#[test]
fn text_of_the_syn_may_come_again_with_the_last_ack() {
    for isns in ISNS {
        for (again, whole) in
            [(&b""[..], &b"hello"[..]), (b"hello", b"hello"), (b"hello, you", b"hello, you")]
        {
            let r = Record::new(isns, b"hello", SYN);
            let ack = Segment { payload: again, ..r.segment(ACK) };
            let mut c = r.establish(&ack);
            assert_eq!((c.snd.una, c.snd.wnd), (isns.ours + 1, 20_000));
            let acked = drain(&mut c, NOW).last().map(|s| s.head.ack);
            assert_eq!(acked, Some(isns.theirs + 1 + whole.len() as u32));
            assert_eq!(read(&mut c), whole);
            assert_eq!(c.state(), State::Established);
        }
    }
}

/// A last ACK that the record takes and that lies, as a whole or in part, before what the
/// connection expects.
fn early_last_acks(isns: Isns) -> Vec<(Record, Segment<'static>)> {
    let mut all = Vec::new();
    for (at, payload, flags) in [
        (2, &b""[..], ACK),
        (2, b"el", ACK),
        (3, b"", FIN_ACK),
        (3, b"ll", FIN_ACK),
        (0, b"?h", ACK),
        (u32::MAX - 3, b"????hel", ACK),
    ] {
        let r = Record::new(isns, b"hello", SYN);
        let seg = Segment { seq: isns.theirs + at, payload, ..r.segment(flags) };
        all.push((r, seg));
    }
    all
}

// A segment that completed the handshake for the record must complete it for the connection: the
// SYN-ACK, which a connection can't repeat, would count as outstanding for ever.
#[test]
fn the_last_ack_may_lie_within_the_text_of_the_syn() {
    for isns in ISNS {
        for (r, seg) in early_last_acks(isns) {
            let mut c = r.establish(&seg);
            assert_eq!((c.snd.una, c.snd.wnd), (isns.ours + 1, 20_000), "{seg:?}");
            assert_eq!(c.write(NOW, b"welcome"), Ok(7));
            let sent = drain(&mut c, NOW);
            assert_eq!(sent[0].text, b"welcome");
            assert_eq!(sent[0].head.ack, isns.theirs + 6);
            assert!(c.poll_timeout().is_some());
            assert_eq!(read(&mut c), b"hello");
        }
    }
}

#[test]
fn after_4_gib_no_segment_is_taken_for_the_last_of_the_handshake() {
    for isns in ISNS {
        let r = Record::new(isns, b"", SYN);
        let ack = r.segment(ACK);
        let later = Segment {
            seq: isns.theirs + 1 + 2 * WINDOW,
            ack: isns.ours,
            payload: b"forged",
            ..r.segment(ACK)
        };
        let mut c = r.establish(&ack);
        let iss = c.snd.iss;
        (c.snd.una, c.snd.nxt, c.snd.buffer_start) = (iss, iss, iss);
        assert_eq!(c.on_segment(NOW, &later, 0), Verdict::Dropped(DropReason::OutOfWindow));
    }
}

// RFC 7323 5.5: to a record that slept through 24 days no timestamp is old.
#[test]
fn a_last_ack_that_is_not_old_for_the_record_is_not_old_for_the_connection() {
    let config = TcpConfig::default();
    let stamp =
        |value| Options { timestamps: Some(Timestamps { value, echo: 0 }), ..Options::default() };
    let syn = Segment { seq: ISNS[0].theirs, options: stamp(100), ..Segment::default() };
    let mut r = Record { half: Record::open(ISNS[0], &syn, &config), isns: ISNS[0], config };
    let ack = Segment { options: stamp(99), ..r.segment(ACK) };
    assert_eq!(r.on(&ack), HalfOpenVerdict::Ack(DropReason::Paws));
    let later = NOW + secs(25 * 24 * 3600);
    assert_eq!(r.half.on_segment(later, &ack, &r.config), HalfOpenVerdict::Establish);
    let mut c = Connection::from_half_open(later, r.half, 1500, Arc::new(r.config));
    c.on_segment(later, &ack, 0);
    assert_eq!(c.snd.una, ISNS[0].ours + 1);
}

#[test]
fn a_contradicting_fin_with_the_last_ack_is_ignored() {
    for isns in ISNS {
        let r = Record::new(isns, b"hello", SYN);
        let fin = Segment { payload: b"he", ..r.segment(FIN_ACK) };
        let mut c = r.establish(&fin);
        assert_eq!(c.state(), State::Established);
        assert!(!c.peer_closed());
        assert_eq!(read(&mut c), b"hello");
    }
}

#[test]
fn fin_of_the_syn_closes_after_the_handshake() {
    for isns in ISNS {
        for (text, seq) in [(&b""[..], 2), (b"hello", 7)] {
            let r = Record::new(isns, text, SYN | Flags::FIN);
            let ack = Segment { seq: isns.theirs + seq, ..r.segment(ACK) };
            let mut c = r.establish(&ack);
            assert_eq!(c.state(), State::CloseWait);
            assert_eq!(drain(&mut c, NOW)[0].head.ack, isns.theirs + seq);
            assert_eq!(read(&mut c), text);
            assert_eq!(c.read(NOW, &mut [0; 1]), Ok(0));
        }
    }
}

#[test]
fn syn_ack_goes_at_1_2_4_8_16_seconds_and_the_record_after_63() {
    // MUST-22
    let mut r = Record::new(ISNS[0], b"", SYN);
    let mut at = Vec::new();
    loop {
        let due = r.half.deadline();
        let next = r.half.on_timeout(due, r.config.syn_ack_retries, &r.config);
        at.push(due.since(NOW).as_secs());
        if next == HalfOpenTimeout::Remove {
            break;
        }
    }
    assert_eq!(at, [1, 3, 7, 15, 31, 63]);
}

#[test]
fn a_lost_syn_ack_makes_the_first_flight_one_segment() {
    // RFC 5681 3.1; RFC 6298 5.7
    let mut r = Record::new(ISNS[0], b"", SYN);
    let next = r.half.on_timeout(r.half.deadline(), 5, &r.config);
    assert_eq!(next, HalfOpenTimeout::SynAck);
    let ack = r.segment(ACK);
    let c = r.establish(&ack);
    assert_eq!(c.congestion.window(), 1000);
    assert_eq!(c.info().rto, secs(3));
}

#[test]
fn a_repeated_syn_is_a_loss_too() {
    // RFC 5681 3.1: the SYN-ACK was lost, or so late that the peer asked again.
    let mut r = Record::new(ISNS[0], b"", SYN);
    let same = Segment { seq: ISNS[0].theirs, ..r.segment(SYN) };
    assert_eq!(r.on(&same), HalfOpenVerdict::SynAck);
    let ack = r.segment(ACK);
    assert_eq!(r.establish(&ack).congestion.window(), 1000);
}

/// The verdicts on a bare ACK and the deadlines of a record that defers for 5 s: 1, 3 and 7 s.
#[test]
fn a_deferred_record_waits_for_text_and_asks_once_more_at_the_end() {
    let mut r = Record::new(ISNS[0], b"", SYN);
    r.config.defer_accept = Some(secs(5));
    let ack = r.segment(ACK);
    assert_eq!(r.on(&ack), HalfOpenVerdict::Ignore(DropReason::Deferred));
    let mut next = Vec::new();
    for _ in 0..3 {
        let due = r.half.deadline();
        next.push((due.since(NOW).as_secs(), r.half.on_timeout(due, 5, &r.config)));
    }
    use HalfOpenTimeout::{SynAck, Wait};
    assert_eq!(next, [(1, Wait), (3, Wait), (7, SynAck)]);
    // The time is up: the ACK is enough.
    assert_eq!(r.on(&ack), HalfOpenVerdict::Establish);
    // And a peer that is gone costs what it always does.
    let due = r.half.deadline();
    assert_eq!(r.half.on_timeout(due, 5, &r.config), SynAck);
}

#[test]
fn text_a_fin_or_text_of_the_syn_end_the_deferring() {
    for isns in ISNS {
        for seg in [
            |r: &Record| Segment { payload: b"GET", ..r.segment(ACK) },
            |r: &Record| r.segment(FIN_ACK),
        ] {
            let mut r = Record::new(isns, b"", SYN);
            r.config.defer_accept = Some(secs(5));
            let seg = seg(&r);
            assert_eq!(r.on(&seg), HalfOpenVerdict::Establish);
        }
        let mut r = Record::new(isns, b"hello", SYN);
        r.config.defer_accept = Some(secs(5));
        let ack = r.segment(ACK);
        assert_eq!(r.on(&ack), HalfOpenVerdict::Establish);
    }
}

#[test]
fn a_deferred_record_without_an_ack_is_given_up_as_any_other() {
    let mut r = Record::new(ISNS[0], b"", SYN);
    r.config.defer_accept = Some(secs(100));
    for _ in 0..5 {
        let due = r.half.deadline();
        assert_eq!(r.half.on_timeout(due, 5, &r.config), HalfOpenTimeout::SynAck);
    }
    let due = r.half.deadline();
    assert_eq!(r.half.on_timeout(due, 5, &r.config), HalfOpenTimeout::Remove);
}

#[test]
fn options_of_the_listener_shape_the_first_window_and_hold_afterwards() {
    for (wanted, offered) in [(2000, 2000), (1, 1024), (1 << 20, 65_535)] {
        let mut r = Record::new(ISNS[0], b"", SYN);
        r.config.options.receive_buffer = Some(wanted);
        r.config.options.send_buffer = Some(5000);
        let syn = Segment { seq: ISNS[0].theirs, ..r.segment(SYN) };
        r.half = Record::open(ISNS[0], &syn, &r.config);
        assert_eq!(r.half.syn_ack(NOW, &r.config).window, offered);
        let ack = r.segment(ACK);
        let c = r.establish(&ack);
        assert_eq!((c.rcv.window(), c.snd.limit), (u32::from(offered), 5000));
        assert_eq!(c.rcv.limit, wanted.max(1024));
    }
}

#[test]
fn a_reset_of_the_exact_number_removes_the_record() {
    // MUST-11: back to LISTEN. RFC 5961 3.2
    for isns in ISNS {
        for (at, expected) in [
            (0, HalfOpenVerdict::Remove),
            (1, HalfOpenVerdict::Ack(DropReason::ResetNotExact)),
            (WINDOW - 1, HalfOpenVerdict::Ack(DropReason::ResetNotExact)),
            (WINDOW, HalfOpenVerdict::Ignore(DropReason::OutOfWindow)),
            (u32::MAX, HalfOpenVerdict::Ignore(DropReason::OutOfWindow)),
        ] {
            for flags in [RST, RST_ACK] {
                let mut r = Record::new(isns, b"", SYN);
                let seg = Segment { seq: isns.theirs + 1 + at, ..r.segment(flags) };
                assert_eq!(r.on(&seg), expected, "{seg:?}");
            }
        }
    }
}

#[test]
fn a_repeated_syn_gets_the_syn_ack_and_another_one_a_challenge() {
    // MUST-41; RFC 5961 4.2
    for isns in ISNS {
        let mut r = Record::new(isns, b"", SYN);
        let syn = |r: &Record, at| Segment { seq: isns.theirs + at, ..r.segment(SYN) };
        let same = syn(&r, 0);
        assert_eq!(r.on(&same), HalfOpenVerdict::SynAck);
        for (at, why) in [
            (1, DropReason::UnexpectedSyn),
            (500, DropReason::UnexpectedSyn),
            (WINDOW + 1, DropReason::OutOfWindow),
            (0x4000_0000, DropReason::OutOfWindow),
            (u32::MAX - 3, DropReason::OutOfWindow),
        ] {
            let other = syn(&r, at);
            assert_eq!(r.on(&other), HalfOpenVerdict::Ack(why));
        }
        let challenge = r.half.ack(NOW, &r.config);
        assert_eq!(challenge.flags, ACK);
        assert_eq!((challenge.seq, challenge.ack), (isns.ours + 1, isns.theirs + 1));
        assert_eq!(u32::from(challenge.window), WINDOW);
        // The peer can still finish.
        let ack = r.segment(ACK);
        assert_eq!(r.establish(&ack).state(), State::Established);
    }
}

#[test]
fn only_the_right_ack_in_the_window_completes_the_handshake() {
    for isns in ISNS {
        let mut r = Record::new(isns, b"", SYN);
        let bad = HalfOpenVerdict::Reset(DropReason::BadAck);
        for ack in [isns.ours, isns.ours + 2, isns.ours - 1, isns.ours + 0x7fff_ffff] {
            let seg = Segment { ack, ..r.segment(ACK) };
            assert_eq!(r.on(&seg), bad);
        }
        let outside = HalfOpenVerdict::Ack(DropReason::OutOfWindow);
        for at in [0, WINDOW + 1, u32::MAX - 9] {
            let seg = Segment { seq: isns.theirs + at, ..r.segment(ACK) };
            assert_eq!(r.on(&seg), outside);
        }
        let without = Segment { payload: b"text", ..r.segment(Flags::NONE) };
        assert_eq!(r.on(&without), HalfOpenVerdict::Ignore(DropReason::NoAck));
        let right = r.segment(ACK);
        assert_eq!(r.on(&right), HalfOpenVerdict::Establish);
    }
}

#[test]
fn a_pair_opens_passively_through_every_single_loss() {
    let hooks: [fn(usize, &Sent) -> Fate; 4] = [
        |_, _| Fate::Deliver,
        |_, s| {
            if s.is(SYN) && s.at < Instant::from_millis(5500) { Fate::Drop } else { Fate::Deliver }
        },
        |_, s| {
            if s.is(SYN_ACK) && s.at < Instant::from_millis(5500) {
                Fate::Drop
            } else {
                Fate::Deliver
            }
        },
        |_, s| {
            if s.is(ACK) && s.at < Instant::from_millis(5500) { Fate::Drop } else { Fate::Deliver }
        },
    ];
    for isns in ISNS {
        for hook in hooks {
            let mut p = Pair::new(isns, TcpConfig::default());
            p.hook = hook;
            p.connect(0);
            p.run(secs(4));
            assert_eq!(p.states(), [State::Established; 2]);
            p.write(1, b"welcome");
            p.run(secs(4));
            assert_eq!(p.read(0), b"welcome");
        }
    }
}

#[test]
fn a_peer_that_vanishes_leaves_nothing_behind() {
    let mut p = Pair::new(ISNS[0], TcpConfig::default());
    p.hook = |from, s| if from == 0 && !s.is(SYN) { Fate::Drop } else { Fate::Deliver };
    p.connect(0);
    p.run(secs(62));
    assert_eq!(p.states()[1], State::SynReceived);
    p.run(secs(2));
    assert_eq!(p.states()[1], State::Listen);
}
