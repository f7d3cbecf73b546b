//! What does the application, and the peer, learn of an end? Lost text (SHLD-3), linger, orphans,
//! TIME-WAIT and the reasons that tell an end from another (RFC 9293 3.6, MUST-12, MUST-13).

use super::super::{Connection, Events, State};
use super::harness::*;
use crate::Instant;
use crate::config::{Linger, Linger2, TcpConfig};
use crate::error::End;
use crate::error::{IcmpError, Unreachable, UserError};
use crate::wire::{Flags, Segment};

use State::{CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, TimeWait};

#[test]
fn closing_with_unread_text_resets() {
    // SHLD-3, whatever was closed before.
    for isns in ISNS {
        for state in [Established, FinWait1, FinWait2] {
            let mut p = Peer::in_state(state, isns);
            let before = p.c.snd.una;
            let text = Segment { ack: before, payload: b"unread", ..p.segment(ACK) };
            p.give_segment(&text);
            p.nxt += 6;
            expect_reset(&mut p);

            // The peer closes behind it.
            let mut p = Peer::in_state(state, isns);
            let text = Segment { ack: before, payload: b"unread", ..p.segment(FIN_ACK) };
            p.give_segment(&text);
            if p.c.state() != TimeWait {
                expect_reset(&mut p);
            }
        }
        let mut p = Peer::established(isns);
        p.give(FIN_ACK, b"unread");
        p.close_write();
        assert_eq!(p.c.state(), LastAck);
        expect_reset(&mut p);
    }
}

#[track_caller]
fn expect_reset(p: &mut Peer) {
    let seq = p.c.snd.nxt;
    p.c.close(p.now);
    let sent = p.drain();
    let [rst] = &sent[..] else { panic!("{sent:?}") };
    assert!(rst.is(RST_ACK));
    assert_eq!(rst.head.seq, seq);
    assert_eq!(p.c.end(), Some(End::Aborted));
}

#[test]
fn text_after_close_resets() {
    // SHLD-3
    for isns in ISNS {
        for state in [Established, FinWait1, FinWait2] {
            for past_gap in [0, 50] {
                let mut p = Peer::in_state(state, isns);
                p.c.close(p.now);
                p.drain();
                let seq = p.nxt + past_gap;
                let seg = Segment { seq, payload: b"too late", ..p.segment(ACK) };
                let reply = p.give_segment(&seg);
                assert!(reply.one().is(RST_ACK));
                assert_eq!(p.c.end(), Some(End::Aborted));
            }
        }
    }
}

#[test]
fn old_text_after_close_does_not_reset() {
    // A retransmission of what was read: nothing is lost.
    for isns in ISNS {
        let mut p = Peer::established(isns);
        p.give(ACK, b"text");
        assert_eq!(p.read(), b"text");
        p.c.close(p.now);
        p.drain();
        let again = Segment { seq: p.nxt - 4, payload: b"text", ..p.segment(ACK) };
        assert!(p.give_segment(&again).one().is(ACK));
        assert_eq!(p.c.state(), FinWait1);
        // Nor do a window probe's ACK, and a FIN.
        p.give(FIN_ACK, b"");
        assert_eq!(p.c.state(), TimeWait);
    }
}

#[test]
fn text_after_half_close_is_read() {
    for state in [FinWait1, FinWait2] {
        let mut p = Peer::in_state(state, ISNS[1]);
        p.give(ACK, b"still here");
        assert_eq!(p.read(), b"still here");
    }
}

#[test]
fn an_orphan_leaves_fin_wait_2_after_a_minute() {
    for isns in ISNS {
        // Closed at once; closed after the half-close was acknowledged; and while it was not.
        let orphans: [fn(Isns) -> Peer; 3] = [
            |isns| {
                let mut p = Peer::established(isns);
                p.c.close(p.now);
                p.drain();
                p.give(ACK, b"");
                p
            },
            |isns| {
                let mut p = Peer::in_state(FinWait2, isns);
                p.wait(secs(10_000));
                p.c.close(p.now);
                p
            },
            |isns| {
                let mut p = Peer::in_state(FinWait1, isns);
                p.c.close(p.now);
                p.give(ACK, b"");
                p
            },
        ];
        for orphan in orphans {
            let mut p = orphan(isns);
            assert_eq!(p.c.state(), FinWait2);
            assert!(p.wait(ms(59_999)).is_empty());
            assert_eq!(p.c.state(), FinWait2);
            assert!(p.wait(ms(1)).is_empty());
            assert_eq!(p.c.end(), Some(End::Closed));
        }
    }
}

#[test]
fn a_half_closed_connection_waits_for_ever() {
    // Only an orphan is given up: here somebody reads.
    let mut p = Peer::in_state(FinWait2, ISNS[1]);
    assert_eq!(p.c.poll_timeout(), None);
    p.wait(secs(1_000_000));
    assert_eq!(p.c.state(), FinWait2);
    p.give(FIN_ACK, b"at last");
    assert_eq!(p.read(), b"at last");
}

#[test]
fn an_orphan_that_nobody_acknowledges_is_given_up() {
    for state in [Established, CloseWait] {
        let mut p = Peer::in_state(state, ISNS[1]);
        p.c.write(p.now, b"anybody?").expect("write");
        p.c.close(p.now);
        assert_eq!(p.drain().len(), 1);
        let again = p.wait(secs(1000));
        assert_eq!(again.len(), TcpConfig::default().orphan_retries as usize);
        assert_eq!(p.c.end(), Some(End::TimedOut));
    }
}

fn linger(p: &mut Peer, linger: Linger) {
    p.c.set_options(p.now, |o| o.linger = linger);
}

#[test]
fn linger_zero_resets() {
    for isns in ISNS {
        for state in [Established, FinWait2, CloseWait] {
            let mut p = Peer::in_state(state, isns);
            linger(&mut p, Linger::For(secs(0)));
            if state != FinWait2 {
                p.c.write(p.now, b"lost").expect("write");
            }
            expect_reset(&mut p);
        }
    }
}

#[test]
fn a_linger_time_costs_no_text() {
    // As on Linux: what is not delivered when it is over goes on in the background.
    for isns in ISNS {
        for state in [Established, CloseWait] {
            let mut p = Peer::in_state(state, isns);
            linger(&mut p, Linger::For(secs(1)));
            p.c.write(p.now, b"slow").expect("write");
            p.c.close(p.now);
            p.drain();
            p.c.take_events();
            let sent = p.wait(secs(10));
            assert!(sent.iter().all(|s| s.text == b"slow"), "{sent:?}");
            assert!(p.c.end().is_none() && !p.c.is_delivered());
            p.give(ACK, b"").assert_silent();
            assert!(p.c.take_events().contains(Events::DELIVERED));
            assert!(p.c.is_delivered());
        }
    }
}

fn linger2(linger2: Linger2) -> Peer {
    let mut p = Peer::established(ISNS[1]);
    p.c.set_options(p.now, |o| o.linger2 = linger2);
    p.c.close(p.now);
    p.drain();
    p
}

#[test]
fn linger2_says_how_long_an_orphan_waits_in_fin_wait_2() {
    let all = [
        (Linger2::Stack, 60),
        (Linger2::Seconds(0), 60),
        (Linger2::Seconds(4), 4),
        (Linger2::Seconds(1000), 120),
    ];
    for (option, seconds) in all {
        let mut p = linger2(option);
        p.give(ACK, b"");
        p.wait(secs(seconds) - ms(1));
        assert_eq!(p.c.state(), FinWait2, "{option:?}");
        assert!(p.wait(ms(1)).is_empty());
        assert_eq!(p.c.end(), Some(End::Closed), "{option:?}");
    }
}

#[test]
fn fin_wait_2_leaves_a_lost_fin_the_time_to_come_again() {
    let mut p = linger2(Linger2::Seconds(1));
    p.wait(secs(5));
    p.give(ACK, b"");
    let limit = p.c.info().rto * 7 / 2;
    assert!(limit > secs(2), "{limit:?}");
    p.wait(limit - ms(1));
    assert_eq!(p.c.state(), FinWait2);
    p.wait(ms(1));
    assert_eq!(p.c.end(), Some(End::Closed));
}

#[test]
fn linger2_may_forbid_fin_wait_2() {
    let mut p = linger2(Linger2::Never);
    assert_eq!(p.c.state(), FinWait1);
    assert!(p.give(ACK, b"").one().is(RST_ACK));
    assert_eq!(p.c.end(), Some(End::Aborted));
    // Closed when it is there already.
    let mut p = Peer::in_state(FinWait2, ISNS[1]);
    p.c.set_options(p.now, |o| o.linger2 = Linger2::Never);
    assert_eq!(p.c.state(), FinWait2, "somebody reads");
    expect_reset(&mut p);
}

#[test]
fn time_wait_lasts_two_msl_from_the_last_fin() {
    // MUST-13; RFC 9293 3.10.7.4: a retransmitted FIN restarts it.
    for isns in ISNS {
        let mut p = Peer::in_state(TimeWait, isns);
        let fin = Segment { seq: p.nxt - 1, ..p.segment(FIN_ACK) };
        assert!(p.wait(secs(50)).is_empty());
        assert_eq!(p.give_segment(&fin).one().head.ack, p.nxt);
        assert!(p.wait(secs(50)).is_empty());
        assert_eq!(p.give_segment(&fin).one().head.ack, p.nxt);
        // Old text is acknowledged and restarts nothing.
        p.wait(secs(30));
        let old = Segment { seq: p.nxt - 4, payload: b"old", ..p.segment(ACK) };
        assert!(p.give_segment(&old).one().is(ACK));
        p.wait(ms(29_999));
        assert_eq!(p.c.state(), TimeWait);
        p.wait(ms(1));
        assert_eq!(p.c.end(), Some(End::Closed));
    }
}

#[test]
fn time_wait_ends_by_an_exact_reset_if_configured() {
    // RFC 1337
    for (rfc1337, state) in [(false, State::Closed), (true, TimeWait)] {
        let mut p = Peer::established_with(TcpConfig { rfc1337, ..small_config() });
        p.close_write();
        p.give(FIN_ACK, b"");
        assert_eq!(p.c.state(), TimeWait);
        let near = Segment { seq: p.nxt + 1, ..p.segment(RST) };
        p.give_segment(&near).assert_silent();
        assert_eq!(p.c.state(), TimeWait);
        p.give(RST, b"").assert_silent();
        assert_eq!(p.c.state(), state);
    }
}

#[test]
fn unread_text_survives_time_wait_and_its_hand_over() {
    for isns in ISNS {
        let mut p = Peer::in_state(FinWait2, isns);
        p.c.take_events();
        p.give(FIN_ACK, b"unread");
        assert!(p.c.take_events().contains(Events::TIME_WAIT | Events::READABLE));
        let record = p.c.hand_over_time_wait(p.now).expect("a record");
        assert_eq!(record.expires, p.now + secs(60));
        let ack = record.ack(p.now);
        assert_eq!((ack.seq, ack.ack), (isns.ours + 2, p.nxt));
        assert_eq!(p.read(), b"unread");
        assert_eq!(p.c.read(p.now, &mut [0; 1]), Ok(0));

        let mut p = Peer::in_state(FinWait2, isns);
        p.give(FIN_ACK, b"unread");
        p.wait(secs(60));
        assert_eq!(p.c.state(), State::Closed);
        assert_eq!(p.read(), b"unread");
        assert_eq!(p.c.write(p.now, b"x"), Err(UserError::BrokenPipe));
    }
}

fn outcome(p: &mut Peer) -> (Option<End>, Result<usize, UserError>) {
    (p.c.end(), p.c.read(p.now, &mut [0; 9]))
}

fn icmp(c: &mut Connection, why: Unreachable) {
    let seq = c.snd.una;
    let now = crate::Instant::from_millis(6000);
    let verdict = c.on_icmp(now, seq, IcmpError::Unreachable(why));
    assert_eq!(verdict, crate::connection::IcmpVerdict::Believed);
}

#[test]
fn every_kind_of_end_can_be_told_from_the_others() {
    // MUST-12, MUST-22, SHLD-25, SHLD-26
    let failed = |end| (Some(end), Err(UserError::Ended(end)));
    let isns = ISNS[1];

    let mut p = Peer::in_state(LastAck, isns);
    p.give(ACK, b"");
    assert_eq!(outcome(&mut p), (Some(End::Closed), Ok(0)));

    let mut p = Peer::established(isns);
    p.give(RST, b"");
    assert_eq!(outcome(&mut p), failed(End::Reset));

    let mut p = Peer::connecting(isns);
    p.give(RST_ACK, b"");
    assert_eq!(outcome(&mut p), failed(End::Refused));

    let mut p = Peer::connecting(isns);
    icmp(&mut p.c, Unreachable::Port);
    assert_eq!(outcome(&mut p), failed(End::Refused));

    let mut p = Peer::connecting(isns);
    icmp(&mut p.c, Unreachable::Host);
    assert_eq!(outcome(&mut p), failed(End::Unreachable(Unreachable::Host)));

    let mut p = Peer::connecting(isns);
    p.wait(secs(180));
    assert_eq!(outcome(&mut p), failed(End::TimedOut));

    let mut p = Peer::established(isns);
    p.c.abort();
    assert_eq!(outcome(&mut p), failed(End::Aborted));
}

#[test]
fn a_synchronized_connection_survives_unreachability_and_names_it_if_it_dies() {
    // MUST-56, SHLD-26 with RFC 5927 5.2, MUST-47; RFC 5461 3
    for why in [Unreachable::Network, Unreachable::Port, Unreachable::Protocol] {
        let mut p = Peer::established(ISNS[1]);
        p.c.write(p.now, b"text").expect("write");
        p.drain();
        icmp(&mut p.c, why);
        assert_eq!(p.c.state(), Established);
        assert!(p.c.take_events().contains(Events::SOFT_ERROR));
        p.wait(secs(3600));
        assert_eq!(p.c.end(), Some(End::Unreachable(why)));
    }
}

#[test]
fn an_open_can_ride_out_unreachability() {
    // MUST-56 to the letter, if configured.
    let config = TcpConfig { soft_errors_end_connect: false, ..small_config() };
    let (mut p, _) = Peer::connect(v4(), ISNS[1], config);
    icmp(&mut p.c, Unreachable::Host);
    assert_eq!(p.c.state(), State::SynSent);
    assert_eq!(p.c.take_soft_error(), Some(Unreachable::Host));
    p.accept();
}

#[test]
fn nothing_is_left_to_do_after_the_end() {
    // No timer, no packet, no memory for the send side.
    for isns in ISNS {
        for state in [Established, FinWait1, FinWait2, CloseWait, Closing, LastAck] {
            let mut p = Peer::in_state(state, isns);
            if p.c.check_writable().is_ok() {
                p.c.write(p.now, &[1; 5000]).expect("write");
                p.drain();
            }
            let rst = Segment { seq: p.c.rcv.nxt, ..p.segment(RST) };
            p.give_segment(&rst).assert_silent();
            assert_eq!(p.c.poll_timeout(), None);
            assert!(p.wait(secs(100_000)).is_empty());
            assert_eq!(p.c.info().send_queue, 0);
            assert!(p.c.take_events().contains(Events::ENDED));
            // Calls that come late are refused, not obeyed.
            p.c.close(p.now);
            p.c.abort();
            assert!(p.drain().is_empty());
            p.c.on_timeout(Instant::FAR_FUTURE);
            assert!(p.drain().is_empty());
        }
    }
}

// What the peer sent before its FIN was complete: a reset after it hides nothing (as Linux).
#[test]
fn a_reset_after_the_peers_fin_reads_as_its_end() {
    for isns in ISNS {
        let mut p = Peer::established(isns);
        p.give(Flags::FIN | ACK, b"answer");
        p.nxt = p.c.rcv.nxt;
        p.give(RST, b"");
        assert_eq!(p.c.end(), Some(End::Reset));
        assert_eq!(p.read(), b"answer");
        assert_eq!(p.c.read(p.now, &mut [0; 1]), Ok(0));
        assert_eq!(p.c.write(p.now, b"x"), Err(UserError::BrokenPipe));
    }
}

// Text beyond a gap was never acknowledged; closing over it loses nothing.
#[test]
fn closing_with_text_beyond_a_gap_is_orderly() {
    for isns in ISNS {
        let mut p = Peer::established(isns);
        let beyond = Segment { seq: p.nxt + 10, payload: b"later", ..p.segment(ACK) };
        p.give_segment(&beyond);
        p.c.write(p.now, b"answer").unwrap();
        p.c.close(p.now);
        let sent = p.drain();
        assert!(sent.iter().all(|s| !s.is(RST_ACK)));
        assert_eq!(p.c.state(), State::FinWait1);
        // When the gap is filled, the text is for nobody (SHLD-3).
        let reply = p.give(ACK, b"0123456789");
        assert!(reply.sent.iter().any(|s| s.is(RST_ACK)));
    }
}

// MUST-13: another timer does not end the quiet time.
#[test]
fn time_wait_lasts_whatever_else_is_armed() {
    let mut p = Peer::in_state(State::TimeWait, ISNS[0]);
    let record = p.c.time_wait(p.now).unwrap();
    assert_eq!(record.expires, p.c.poll_timeout().unwrap().at);
    p.c.timers.set(super::super::Timer::Trim, p.now);
    assert_eq!(p.c.time_wait(p.now).unwrap().expires, record.expires);
}
