//! Do both kinds of active open reach ESTABLISHED, and only when they should? RFC 9293 3.5,
//! 3.10.7.3 and the SYN-RECEIVED half of 3.10.7.4. Passive opens are in `half_open`.

use alloc::vec::Vec;

use super::super::{Events, SendReason, State, Verdict};
use super::harness::*;
use crate::Instant;
use crate::config::TcpConfig;
use crate::congestion::Controller;
use crate::error::{DropReason, End, UserError};
use crate::wire::{Flags, Segment};

#[test]
fn active_open_takes_three_segments() {
    for isns in ISNS {
        let (mut p, syn) = Peer::connect(v4(), isns, small_config());
        assert!(syn.is(SYN) && syn.text.is_empty());
        assert_eq!((syn.head.seq, syn.head.ack.0), (isns.ours, 0));
        assert_eq!(u32::from(syn.head.window), WINDOW);
        assert_eq!(syn.reason, Some(SendReason::Syn));
        assert_eq!(p.c.write(p.now, b"x"), Err(UserError::NotConnected));
        assert_eq!(p.c.read(p.now, &mut [0; 1]), Err(UserError::NotConnected));

        let reply = p.give(SYN_ACK, b"");
        let ack = reply.one();
        assert!(ack.is(ACK));
        assert_eq!((ack.head.seq, ack.head.ack), (isns.ours + 1, isns.theirs + 1));
        assert_eq!(p.c.state(), State::Established);
        assert!(p.c.take_events().contains(Events::ESTABLISHED | Events::WRITABLE));
        assert_eq!(p.c.poll_timeout(), None);
    }
}

#[test]
fn syn_is_sent_at_1_2_4_8_16_32_64_seconds_and_given_up_after_180() {
    // MUST-22, MUST-23
    let mut p = Peer::connecting(ISNS[0]);
    let opened = p.now;
    let sent = p.wait(secs(179));
    let at: Vec<u64> = sent.iter().map(|s| s.at.since(opened).as_secs()).collect();
    assert_eq!(at, [1, 3, 7, 15, 31, 63, 127]);
    assert!(sent.iter().all(|s| s.is(SYN) && s.head.seq == ISNS[0].ours));
    assert_eq!(p.c.state(), State::SynSent);
    assert_eq!(p.c.poll_timeout().map(|d| d.at), Some(opened + secs(180)));
    assert!(p.wait(secs(1)).is_empty());
    assert_eq!(p.c.end(), Some(End::TimedOut));
    assert_eq!(p.c.read(p.now, &mut [0; 1]), Err(UserError::Ended(End::TimedOut)));
}

#[test]
fn application_learns_of_trouble_before_the_syn_is_given_up() {
    // MUST-22, MUST-20, SHLD-9: R1 is the third retransmission.
    let mut p = Peer::connecting(ISNS[0]);
    p.wait(ms(6_999));
    assert!(!p.c.take_events().contains(Events::TROUBLE));
    p.wait(ms(1));
    assert!(p.c.take_events().contains(Events::TROUBLE));
}

#[test]
fn a_late_syn_ack_still_opens() {
    for isns in ISNS {
        let mut p = Peer::connecting(isns);
        p.wait(secs(100));
        p.accept();
        assert_eq!(p.c.poll_timeout(), None);
    }
}

#[test]
fn after_a_lost_syn_the_first_flight_is_one_segment() {
    // RFC 5681 3.1: IW is one segment; RFC 6298 5.7: RTO begins at 3 s.
    let mut p = Peer::connecting(ISNS[0]);
    assert_eq!(p.wait(secs(1)).len(), 1);
    p.accept();
    assert_eq!(p.c.congestion.window(), 1000);
    assert_eq!(p.c.info().rto, secs(3));
    p.c.write(p.now, &[7; 5000]).expect("write");
    let sent = p.drain();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].text.len(), 1000);
}

#[test]
fn without_a_loss_the_first_flight_is_ten_segments() {
    // RFC 6928 2
    let mut p = Peer::established(ISNS[0]);
    assert_eq!(p.c.congestion.window(), 10_000);
    p.c.write(p.now, &[7; 30_000]).expect("write");
    assert_eq!(p.drain().len(), 10);
}

#[test]
fn ack_of_something_never_sent_is_reset_and_the_open_goes_on() {
    // RFC 9293 3.10.7.3, first step
    for isns in ISNS {
        for (flags, ack) in [
            (ACK, isns.ours),
            (SYN_ACK, isns.ours),
            (SYN_ACK, isns.ours - 1000),
            (SYN_ACK, isns.ours + 2),
            (FIN_ACK, isns.ours + 0x1000_0000),
        ] {
            let mut p = Peer::connecting(isns);
            let seg = Segment { ack, ..p.segment(flags) };
            let reply = p.give_segment(&seg);
            assert_eq!(reply.verdict, Verdict::DroppedReset(DropReason::BadAck));
            assert!(reply.one().is(RST));
            assert_eq!(reply.one().head.seq, ack);
            assert_eq!(p.c.state(), State::SynSent);
            p.accept();
        }
    }
}

#[test]
fn only_a_reset_that_acknowledges_the_syn_refuses() {
    // RFC 9293 3.10.7.3, second step
    for isns in ISNS {
        for (flags, ack) in [(RST, isns.ours + 1), (RST_ACK, isns.ours), (RST_ACK, isns.ours + 2)] {
            let mut p = Peer::connecting(isns);
            let seg = Segment { ack, ..p.segment(flags) };
            p.give_segment(&seg).assert_silent();
            assert_eq!(p.c.state(), State::SynSent);
            p.accept();
        }
        let mut p = Peer::connecting(isns);
        p.give(RST_ACK, b"").assert_silent();
        assert_eq!(p.c.end(), Some(End::Refused));
        assert_eq!(p.c.read(p.now, &mut [0; 1]), Err(UserError::Ended(End::Refused)));
        assert_eq!(p.c.poll_timeout(), None);
    }
}

#[test]
fn segments_without_syn_do_not_open() {
    for flags in [ACK, FIN_ACK, Flags::FIN, Flags::NONE] {
        let mut p = Peer::connecting(ISNS[0]);
        let seg = Segment { payload: b"text", ..p.segment(flags) };
        let reply = p.give_segment(&seg);
        assert_eq!(reply.verdict, Verdict::Dropped(DropReason::NotSyn));
        reply.assert_silent();
        assert_eq!((p.c.state(), p.c.readable()), (State::SynSent, 0));
    }
}

#[test]
fn text_of_a_syn_ack_is_kept() {
    for isns in ISNS {
        let mut p = Peer::connecting(isns);
        let reply = p.give(SYN_ACK, b"hello");
        assert_eq!(reply.one().head.ack, isns.theirs + 6);
        assert!(p.c.take_events().contains(Events::ESTABLISHED | Events::READABLE));
        assert_eq!(p.read(), b"hello");
        p.give(ACK, b", you");
        assert_eq!(p.read(), b", you");
    }
}

#[test]
fn fin_of_a_syn_ack_closes_at_once() {
    // RFC 9293 3.10.7.3: other controls and text of the SYN-ACK are processed too.
    for isns in ISNS {
        for text in [&b""[..], b"bye"] {
            let mut p = Peer::connecting(isns);
            let reply = p.give(SYN_ACK | Flags::FIN, text);
            assert_eq!(reply.one().head.ack, isns.theirs + 2 + text.len() as u32);
            assert_eq!(p.c.state(), State::CloseWait);
            assert_eq!(p.read(), text);
            assert_eq!(p.c.read(p.now, &mut [0; 1]), Ok(0));
            // The other direction is open.
            assert_eq!(p.c.write(p.now, b"still here"), Ok(10));
            assert_eq!(p.drain()[0].text, b"still here");
        }
    }
}

#[test]
fn text_behind_the_syn_ack_in_one_batch_is_kept() {
    // The window that our SYN offered holds for it.
    for isns in ISNS {
        let mut p = Peer::connecting(isns);
        let syn_ack = p.segment(SYN_ACK);
        p.c.on_segment(p.now, &syn_ack, 0);
        p.nxt += 1;
        let reply = p.give(ACK, b"hello");
        assert_eq!(reply.one().head.ack, isns.theirs + 6);
        assert_eq!(p.read(), b"hello");
    }
}

// MUST-10: simultaneous open.
#[test]
fn a_syn_for_a_syn_gives_a_syn_ack() {
    for isns in ISNS {
        let mut p = Peer::connecting(isns);
        let reply = p.give(SYN, b"");
        let answer = reply.one();
        assert!(answer.is(SYN_ACK));
        assert_eq!((answer.head.seq, answer.head.ack), (isns.ours, isns.theirs + 1));
        assert_eq!(p.c.state(), State::SynReceived);
        assert!(!p.c.take_events().contains(Events::ESTABLISHED));
        // Its repetition gets the SYN-ACK again.
        let syn = Segment { seq: isns.theirs, ..p.segment(SYN) };
        assert!(p.give_segment(&syn).one().is(SYN_ACK));

        p.give(ACK, b"").assert_silent();
        assert_eq!(p.c.state(), State::Established);
        assert!(p.c.take_events().contains(Events::ESTABLISHED | Events::WRITABLE));
    }
}

#[test]
fn crossing_syn_acks_complete_a_simultaneous_open() {
    // MUST-10
    for isns in ISNS {
        let mut p = Peer::in_state(State::SynReceived, isns);
        let crossing = Segment { seq: isns.theirs, ..p.segment(SYN_ACK) };
        let reply = p.give_segment(&crossing);
        assert!(reply.one().is(ACK));
        assert_eq!(reply.one().head.ack, isns.theirs + 1);
        assert_eq!(p.c.state(), State::Established);
        p.give(ACK, b"text");
        assert_eq!(p.read(), b"text");
    }
}

#[test]
fn window_of_a_crossing_syn_ack_is_not_scaled() {
    // RFC 7323 2.2; a maximum that never was would hold text back for ever (MUST-38).
    let (mut p, _) = Peer::connect(v4(), ISNS[0], TcpConfig::default());
    p.options.window_scale = Some(7);
    let syn = Segment { window: 600, ..p.segment(SYN) };
    p.nxt += 1;
    p.give_segment(&syn);
    let crossing = Segment { seq: ISNS[0].theirs, window: 600, ..p.segment(SYN_ACK) };
    p.give_segment(&crossing);
    assert_eq!((p.c.snd.wnd, p.c.snd.max_wnd), (600, 600));
}

#[test]
fn bad_ack_in_syn_received_is_reset_and_the_open_goes_on() {
    // RFC 9293 3.10.7.4, fifth step, SYN-RECEIVED
    for isns in ISNS {
        for ack in [isns.ours, isns.ours + 2, isns.ours - 7] {
            let mut p = Peer::in_state(State::SynReceived, isns);
            let seg = Segment { ack, ..p.segment(ACK) };
            let reply = p.give_segment(&seg);
            assert!(reply.one().is(RST));
            assert_eq!(reply.one().head.seq, ack);
            assert_eq!(p.c.state(), State::SynReceived);
            p.give(ACK, b"");
            assert_eq!(p.c.state(), State::Established);
        }
    }
}

#[test]
fn a_crossing_syn_ack_with_a_bad_ack_gets_a_reset_only() {
    for isns in ISNS {
        let mut p = Peer::in_state(State::SynReceived, isns);
        let bad = Segment { seq: isns.theirs, ack: isns.ours + 9, ..p.segment(SYN_ACK) };
        let reply = p.give_segment(&bad);
        assert!(reply.one().is(RST));
        assert_eq!(reply.one().head.seq, isns.ours + 9);
        assert_eq!(p.c.state(), State::SynReceived);
    }
}

#[test]
fn a_reset_in_syn_received_refuses_an_active_open() {
    // MUST-11: an active open does not fall back to LISTEN.
    for isns in ISNS {
        let mut p = Peer::in_state(State::SynReceived, isns);
        p.give(RST, b"").assert_silent();
        assert_eq!(p.c.end(), Some(End::Refused));
    }
}

#[test]
fn both_ends_connect_at_once() {
    // MUST-10
    for isns in ISNS {
        let mut p = Pair::new(isns, TcpConfig::default());
        p.connect(0);
        p.connect(1);
        p.run(secs(1));
        assert_eq!(p.states(), [State::Established; 2]);
        p.write(0, b"ping");
        p.write(1, b"pong");
        p.run(secs(1));
        assert_eq!((p.read(1), p.read(0)), (b"ping".to_vec(), b"pong".to_vec()));
    }
}

/// Whether a packet is one of the first handshake round.
fn early(s: &Sent) -> bool {
    s.at < Instant::from_millis(5_500)
}

#[test]
fn a_simultaneous_open_survives_lost_syn_acks() {
    // MUST-10
    let hooks: [fn(usize, &Sent) -> Fate; 3] = [
        |from, s| if from == 0 && s.is(SYN_ACK) && early(s) { Fate::Drop } else { Fate::Deliver },
        |_, s| if s.is(SYN_ACK) && early(s) { Fate::Drop } else { Fate::Deliver },
        |from, s| {
            if from == 0 && s.is(SYN) && early(s) { Fate::Late(ms(300)) } else { Fate::Deliver }
        },
    ];
    for isns in ISNS {
        for hook in hooks {
            let mut p = Pair::new(isns, TcpConfig::default());
            p.hook = hook;
            p.connect(0);
            p.connect(1);
            p.run(secs(10));
            assert_eq!(p.states(), [State::Established; 2]);
            p.write(0, b"ping");
            p.run(secs(5));
            assert_eq!(p.read(1), b"ping");
        }
    }
}

#[test]
fn syn_ack_of_a_simultaneous_open_is_repeated_and_given_up() {
    let mut p = Peer::in_state(State::SynReceived, ISNS[1]);
    let opened = p.now;
    let sent = p.wait(secs(180));
    let at: Vec<u64> = sent.iter().map(|s| s.at.since(opened).as_secs()).collect();
    assert_eq!(at, [1, 3, 7, 15, 31, 63, 127]);
    assert!(sent.iter().all(|s| s.is(SYN_ACK)));
    assert_eq!(p.c.end(), Some(End::TimedOut));
}

#[test]
fn text_and_fin_of_a_syn_wait_for_the_handshake() {
    // RFC 9293 3.10.7.3: queued until ESTABLISHED, so that a forged SYN delivers nothing.
    for isns in ISNS {
        let mut p = Peer::connecting(isns);
        p.give(SYN | Flags::FIN, b"hi");
        assert_eq!(p.c.state(), State::SynReceived);
        assert_eq!(p.c.read(p.now, &mut [0; 9]), Err(UserError::NotConnected));
        assert!(!p.c.take_events().contains(Events::READABLE));
        let reply = p.give(ACK, b"");
        assert_eq!(reply.one().head.ack, isns.theirs + 4);
        assert_eq!(p.c.state(), State::CloseWait);
        assert!(p.c.take_events().contains(Events::READABLE));
        assert_eq!(p.read(), b"hi");
    }
}

#[test]
fn a_fin_behind_syn_text_that_did_not_fit_is_not_taken() {
    let mut p = Peer::connecting(ISNS[0]);
    let long = alloc::vec![1; WINDOW as usize + 5];
    p.give(SYN_ACK | Flags::FIN, &long);
    assert_eq!(p.c.state(), State::Established);
    assert_eq!(p.acked, ISNS[0].theirs + 1 + WINDOW);
}
