//! Can a stranger who does not see our packets end or disturb a connection? RFC 5961 3 (RST),
//! 4 (SYN), 5 (data injection), 7 (rate of challenges), and what an honest peer's resets do.

use super::super::{SendReason, State, Verdict};
use super::harness::*;
use crate::SeqNum;
use crate::config::TcpConfig;
use crate::error::{DropReason, End, UserError};
use crate::wire::{Flags, Segment};

const OPEN: [State; 7] = [
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
];

/// What an exact reset means in a state.
fn end_by_reset(state: State) -> End {
    match state {
        State::SynReceived => End::Refused,
        // Both had closed, and all text was delivered.
        State::Closing | State::LastAck | State::TimeWait => End::Closed,
        _ => End::Reset,
    }
}

#[test]
fn only_the_exact_reset_ends_a_connection() {
    // RFC 5961 3.2; RFC 9293 3.10.7.4, second step
    for isns in ISNS {
        for state in OPEN {
            let challenged = |at: u32| {
                let mut p = Peer::in_state(state, isns);
                let rst = Segment { seq: p.c.rcv.nxt + at, ..p.segment(RST) };
                let reply = p.give_segment(&rst);
                assert_eq!(p.c.state(), state);
                assert_eq!(reply.verdict, Verdict::Dropped(DropReason::ResetNotExact));
                assert_eq!(reply.one().reason, Some(SendReason::ChallengeAck));
                assert_eq!(reply.one().head.ack, p.c.rcv.nxt);
            };
            challenged(1);
            challenged(4000);
            let mut p = Peer::in_state(state, isns);
            let window = p.edge.distance_from(p.c.rcv.nxt);
            challenged(window - 1);
            for at in [window, window + 1, 0x7fff_ffff, u32::MAX, u32::MAX - WINDOW] {
                let rst = Segment { seq: p.c.rcv.nxt + at, ..p.segment(RST) };
                let reply = p.give_segment(&rst);
                assert_eq!(reply.verdict, Verdict::Dropped(DropReason::OutOfWindow));
                reply.assert_silent();
            }
            assert_eq!(p.c.state(), state);
            let rst = Segment { seq: p.c.rcv.nxt, ..p.segment(RST) };
            p.give_segment(&rst).assert_silent();
            assert_eq!(p.c.end(), Some(end_by_reset(state)));
            assert_eq!(p.c.poll_timeout(), None);
        }
    }
}

#[test]
fn a_reset_counts_whatever_it_acknowledges_or_carries() {
    // SHLD-2
    for isns in ISNS {
        for (flags, ack) in [(RST, SeqNum(0)), (RST_ACK, isns.ours - 9), (RST_ACK, isns.ours + 9)] {
            let mut p = Peer::established(isns);
            let rst = Segment { ack, payload: b"why", ..p.segment(flags) };
            p.give_segment(&rst).assert_silent();
            assert_eq!(p.c.end(), Some(End::Reset));
            assert_eq!(p.read(), b"");
        }
    }
}

#[test]
fn text_received_before_a_reset_is_read_before_the_error() {
    let mut p = Peer::established(ISNS[1]);
    p.give(ACK, b"last words");
    p.give(RST, b"");
    assert_eq!(p.read(), b"last words");
    assert_eq!(p.c.read(p.now, &mut [0; 1]), Err(UserError::Ended(End::Reset)));
    assert_eq!(p.c.write(p.now, b"x"), Err(UserError::Ended(End::Reset)));
}

#[test]
fn a_reset_loses_text_in_last_ack_only_if_some_was_undelivered() {
    // RFC 9293 3.10.7.4: in CLOSING and LAST-ACK a reset is no error, but lost text is.
    for (text, end) in [(&b""[..], End::Closed), (b"undelivered", End::Reset)] {
        let mut p = Peer::in_state(State::CloseWait, ISNS[1]);
        p.c.write(p.now, text).expect("write");
        p.close_write();
        p.give(RST, b"");
        assert_eq!(p.c.end(), Some(end));
    }
}

#[test]
fn after_the_end_everything_but_a_reset_is_reset() {
    // RFC 9293 3.10.7.1
    for isns in ISNS {
        let mut p = Peer::established(isns);
        p.give(RST, b"");
        for (flags, answer) in
            [(ACK, RST), (FIN_ACK, RST), (SYN_ACK, RST), (SYN, RST_ACK), (Flags::FIN, RST_ACK)]
        {
            let seg = Segment { payload: b"text", ..p.segment(flags) };
            let reply = p.give_segment(&seg);
            assert!(reply.one().is(answer));
            let head = reply.one().head;
            if flags.contains(ACK) {
                assert_eq!(head.seq, seg.ack);
            } else {
                assert_eq!((head.seq, head.ack), (SeqNum(0), seg.seq + seg.seq_len()));
            }
        }
        p.give(RST, b"").assert_silent();
        p.give(RST_ACK, b"").assert_silent();
    }
}

#[test]
fn a_syn_is_challenged_wherever_it_lies() {
    // RFC 5961 4.2
    for isns in ISNS {
        for state in OPEN.into_iter().filter(|s| *s != State::SynReceived) {
            for at in [0, 1, 100, WINDOW - 1, WINDOW, 0x7fff_ffff, u32::MAX, u32::MAX - WINDOW] {
                for flags in [SYN, SYN_ACK] {
                    let mut p = Peer::in_state(state, isns);
                    let syn = Segment { seq: p.c.rcv.nxt + at, ..p.segment(flags) };
                    let reply = p.give_segment(&syn);
                    assert_eq!(reply.one().reason, Some(SendReason::ChallengeAck));
                    assert_eq!(p.c.state(), state);
                }
            }
        }
    }
}

#[test]
fn a_peer_that_rebooted_can_connect_again() {
    // RFC 5961 4.2: its SYN is challenged, its answer to the challenge is an exact reset.
    for isns in ISNS {
        let mut p = Peer::established(isns);
        let syn = Segment { seq: isns.theirs + 123_456, ..p.segment(SYN) };
        let reply = p.give_segment(&syn);
        let answer = crate::reset::reply_to(&reply.one().segment()).expect("a reset");
        p.give_segment(&answer);
        assert_eq!(p.c.end(), Some(End::Reset));
    }
}

#[test]
fn challenges_are_limited_in_rate() {
    // RFC 5961 7 and 10: ten in 5 s, whatever asks for them.
    let c = TcpConfig::default();
    assert_eq!((c.challenge_limit, c.challenge_period), (10, secs(5)));
    let kinds: [fn(&Peer) -> Segment<'static>; 6] = [
        |p| Segment { seq: p.nxt + 5, ..p.segment(RST) },
        |p| Segment { seq: p.nxt + 5, ..p.segment(SYN) },
        |p| Segment { seq: p.nxt + 0x4000_0000, ..p.segment(SYN) },
        |p| Segment { ack: p.seen + 1, ..p.segment(ACK) },
        |p| Segment { ack: p.seen - 100_000, ..p.segment(ACK) },
        |p| Segment { seq: p.nxt - 100, ..p.segment(ACK) },
    ];
    for make in kinds {
        let mut p = Peer::established(ISNS[1]);
        for round in 0..3 {
            let answers: usize = (0..50)
                .map(|_| {
                    let seg = make(&p);
                    p.give_segment(&seg).sent.len()
                })
                .sum();
            assert_eq!(answers, 10, "round {round}");
            p.wait(secs(5));
        }
        assert_eq!(p.c.state(), State::Established);
        p.give(FIN_ACK, b"");
        assert_eq!(p.c.state(), State::CloseWait);
    }
}

#[test]
fn challenges_of_one_batch_are_one_packet_and_count_once() {
    // MUST-58, MUST-59
    let mut p = Peer::established(ISNS[1]);
    for _ in 0..9 {
        for _ in 0..30 {
            let rst = Segment { seq: p.nxt + 5, ..p.segment(RST) };
            p.c.on_segment(p.now, &rst, 0);
        }
        assert_eq!(p.drain().len(), 1);
    }
    let rst = Segment { seq: p.nxt + 5, ..p.segment(RST) };
    assert_eq!(p.give_segment(&rst).sent.len(), 1);
    p.give_segment(&rst).assert_silent();
}

#[test]
fn old_text_is_always_acknowledged() {
    // The limit is not for retransmissions: the peer needs the ACK that it lost.
    let mut p = Peer::established(ISNS[1]);
    p.give(ACK, b"text");
    for _ in 0..50 {
        let again = Segment { seq: p.nxt - 4, payload: b"text", ..p.segment(ACK) };
        assert_eq!(p.give_segment(&again).one().head.ack, p.nxt);
    }
}

#[test]
fn acks_of_unsent_or_ancient_octets_inject_nothing() {
    // MAY-12, RFC 5961 5.2: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT
    for isns in ISNS {
        for (offset, taken) in [
            (1, false),
            (0x7fff_ffff, false),
            (0, true),
            (u32::MAX, true),
            (20_000u32.wrapping_neg(), true),
            (20_001u32.wrapping_neg(), false),
            (0x8000_0000, false),
        ] {
            let mut p = Peer::established(isns);
            let seg = Segment { ack: p.seen + offset, payload: b"text", ..p.segment(ACK) };
            let reply = p.give_segment(&seg);
            assert_eq!(p.read(), if taken { &b"text"[..] } else { b"" }, "{offset}");
            if !taken {
                assert_eq!(reply.verdict, Verdict::Dropped(DropReason::BadAck));
                assert_eq!(reply.one().head.ack, p.nxt);
            }
            assert_eq!(p.c.snd.una, isns.ours + 1);
        }
    }
}

#[test]
fn an_abort_resets_with_the_numbers_of_the_connection() {
    // RFC 9293 3.10.5: <SEQ=SND.NXT><CTL=RST>
    for isns in ISNS {
        for state in OPEN {
            let mut p = Peer::in_state(state, isns);
            let (seq, ack) = (p.c.snd.nxt, p.c.rcv.nxt);
            p.c.abort();
            assert_eq!(p.c.end(), Some(End::Aborted));
            let sent = p.drain();
            if matches!(state, State::Closing | State::LastAck) {
                assert!(sent.is_empty(), "the peer expects nothing more");
                continue;
            }
            let [rst] = &sent[..] else { panic!("{state}: {sent:?}") };
            assert!(rst.is(RST_ACK));
            assert_eq!((rst.head.seq, rst.head.ack), (seq, ack));
            assert_eq!(p.c.poll_timeout(), None);
        }
        for state in [State::SynSent, State::TimeWait] {
            let mut p = Peer::in_state(state, isns);
            p.c.abort();
            assert_eq!(p.c.end(), Some(End::Aborted));
            assert!(p.drain().is_empty());
        }
    }
}

#[test]
fn an_abort_is_heard_as_a_reset() {
    // MUST-12
    for isns in ISNS {
        let mut p = Pair::established(isns);
        p.write(0, b"text");
        p.c(0).abort();
        p.run(secs(1));
        assert_eq!(p.c(1).end(), Some(End::Reset));
        assert_eq!(p.c(0).end(), Some(End::Aborted));
    }
}
