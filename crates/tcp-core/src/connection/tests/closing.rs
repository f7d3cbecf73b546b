//! How do the two directions end? CLOSE and FIN in every state and order (RFC 9293 3.6, 3.10.4,
//! 3.10.7.4 eighth step). Why a connection ended, linger and orphans are in `ends`.

use alloc::vec::Vec;

use super::super::{Events, State};
use super::harness::*;
use crate::Instant;
use crate::error::{End, UserError};
use crate::wire::{Flags, Segment};

use State::{
    CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, SynReceived, SynSent, TimeWait,
};

#[test]
fn close_in_every_state() {
    // RFC 9293 3.10.4: what is sent, and where it leads.
    for isns in ISNS {
        for (state, fin, next) in [
            (SynSent, false, State::Closed),
            (SynReceived, false, SynReceived),
            (Established, true, FinWait1),
            (FinWait1, false, FinWait1),
            (FinWait2, false, FinWait2),
            (CloseWait, true, LastAck),
            (Closing, false, Closing),
            (LastAck, false, LastAck),
            (TimeWait, false, TimeWait),
        ] {
            for drop_it in [false, true] {
                if !drop_it && matches!(state, SynSent | SynReceived) {
                    let mut p = Peer::in_state(state, isns);
                    assert_eq!(p.c.close_write(), Err(UserError::NotConnected));
                    continue;
                }
                let mut p = Peer::in_state(state, isns);
                let seq = p.c.snd.nxt;
                if drop_it {
                    p.c.close(p.now);
                } else {
                    assert_eq!(p.c.close_write(), Ok(()));
                }
                let sent = p.drain();
                assert_eq!(p.c.state(), next);
                assert_eq!(sent.len(), usize::from(fin), "{state}: {sent:?}");
                for s in sent {
                    assert!(s.is(FIN_ACK));
                    assert_eq!(s.head.seq, seq);
                }
            }
        }
    }
}

#[test]
fn close_in_syn_received_sends_the_fin_after_the_handshake() {
    // RFC 9293 3.10.4: queued until ESTABLISHED.
    for isns in ISNS {
        let mut p = Peer::in_state(SynReceived, isns);
        p.c.close(p.now);
        assert!(p.drain().is_empty());
        let reply = p.give(ACK, b"");
        assert!(reply.one().is(FIN_ACK));
        assert_eq!(reply.one().head.seq, isns.ours + 1);
        assert_eq!(p.c.state(), FinWait1);
        p.give(FIN_ACK, b"");
        assert_eq!(p.c.state(), TimeWait);
    }
}

#[test]
fn fin_in_every_state() {
    // In order, and after it the same FIN again: acknowledged, and nothing else.
    for isns in ISNS {
        for (state, next) in
            [(SynReceived, CloseWait), (Established, CloseWait), (FinWait2, TimeWait)]
        {
            for text in [&b""[..], b"with text"] {
                let mut p = Peer::in_state(state, isns);
                let fin = Segment { payload: text, ..p.segment(FIN_ACK) };
                let reply = p.give(FIN_ACK, text);
                assert_eq!(reply.one().head.ack, p.nxt);
                assert_eq!(p.c.state(), next);
                assert_eq!(p.give_segment(&fin).one().head.ack, p.nxt);
                assert_eq!(p.c.state(), next);
                assert_eq!(p.read(), text);
                assert_eq!(p.c.read(p.now, &mut [0; 1]), Ok(0));
                assert!(p.c.peer_closed());
            }
        }
    }
}

#[test]
fn fin_and_ack_meet_in_every_order() {
    // From FIN-WAIT-1: our FIN acknowledged before, with, or after the peer's.
    for isns in ISNS {
        let mut p = Peer::in_state(FinWait1, isns);
        p.give(ACK, b"").assert_silent();
        assert_eq!(p.c.state(), FinWait2);
        assert_eq!(p.give(FIN_ACK, b"").one().head.ack, p.nxt);
        assert_eq!(p.c.state(), TimeWait);

        let mut p = Peer::in_state(FinWait1, isns);
        assert_eq!(p.give(FIN_ACK, b"").one().head.ack, p.nxt);
        assert_eq!(p.c.state(), TimeWait);

        let mut p = Peer::in_state(FinWait1, isns);
        let crossing = Segment { ack: p.seen - 1, ..p.segment(FIN_ACK) };
        assert_eq!(p.give_segment(&crossing).one().head.ack, p.nxt + 1);
        assert_eq!(p.c.state(), Closing);
        p.nxt += 1;
        p.give(ACK, b"").assert_silent();
        assert_eq!(p.c.state(), TimeWait);
    }
}

#[test]
fn a_fin_past_a_gap_waits_for_the_text() {
    for isns in ISNS {
        for (state, next) in [(Established, CloseWait), (FinWait1, Closing), (FinWait2, TimeWait)] {
            let mut p = Peer::in_state(state, isns);
            let before = p.c.snd.una;
            let start = p.nxt;
            for (from, text, flags) in
                [(10, &b""[..], FIN_ACK), (5, b"world", ACK), (10, b"", FIN_ACK)]
            {
                let seg =
                    Segment { seq: start + from, ack: before, payload: text, ..p.segment(flags) };
                assert_eq!(p.give_segment(&seg).one().head.ack, start);
                assert_eq!(p.c.state(), state);
                assert!(!p.c.peer_closed());
            }
            let fill = Segment { ack: before, payload: b"hello", ..p.segment(ACK) };
            assert_eq!(p.give_segment(&fill).one().head.ack, start + 11);
            assert_eq!(p.c.state(), next);
            assert_eq!(p.read(), b"helloworld");
            assert_eq!(p.c.read(p.now, &mut [0; 1]), Ok(0));
        }
    }
}

#[test]
fn the_fin_rides_on_the_last_text() {
    for isns in ISNS {
        let mut p = Peer::established(isns);
        p.c.write(p.now, &[5; 2500]).expect("write");
        p.c.close_write().expect("close");
        assert_eq!(p.c.write(p.now, b"more"), Err(UserError::BrokenPipe));
        let sent = p.drain();
        let fins: Vec<bool> = sent.iter().map(|s| s.head.flags.contains(Flags::FIN)).collect();
        assert_eq!(fins, [false, false, true]);
        assert_eq!((sent[2].text.len(), sent[2].end()), (500, isns.ours + 2502));
        p.give(ACK, b"");
        assert_eq!(p.c.state(), FinWait2);
    }
}

#[test]
fn text_waits_for_the_window_and_the_fin_for_the_text() {
    let mut p = Peer::established(ISNS[1]);
    let narrow = Segment { window: 1000, ..p.segment(ACK) };
    p.give_segment(&narrow);
    p.c.write(p.now, &[5; 1500]).expect("write");
    p.c.close(p.now);
    assert_eq!(p.drain().len(), 1);
    assert_eq!(p.c.state(), FinWait1);
    let reply = p.give(ACK, b"");
    assert_eq!(reply.one().text.len(), 500);
    assert!(reply.one().head.flags.contains(Flags::FIN));
}

#[test]
fn a_lost_fin_is_sent_again() {
    for isns in ISNS {
        for state in [FinWait1, Closing, LastAck] {
            let mut p = Peer::in_state(state, isns);
            let fin_at = p.c.snd.nxt - 1;
            let sent = p.wait(secs(10));
            assert!(sent.len() >= 2);
            assert!(sent.iter().all(|s| s.is(FIN_ACK) && s.head.seq == fin_at), "{sent:?}");
            assert_eq!(p.c.state(), state);
        }
    }
}

#[test]
fn events_tell_of_both_ends() {
    let mut p = Peer::established(ISNS[1]);
    p.c.take_events();
    p.give(FIN_ACK, b"");
    assert_eq!(p.c.take_events(), Events::READABLE);
    p.close_write();
    assert!(p.c.write_closed());
    p.give(ACK, b"");
    assert!(p.c.take_events().contains(Events::ENDED | Events::READABLE | Events::WRITABLE));
    assert_eq!(p.c.end(), Some(End::Closed));
}

#[test]
fn half_closed_by_us_the_peer_may_go_on_for_ever() {
    // RFC 9293 3.6: the side that has not closed may send, for as long as it likes.
    for isns in ISNS {
        let mut p = Peer::in_state(FinWait2, isns);
        for round in 0..200u32 {
            assert!(p.wait(secs(100)).is_empty());
            p.give(ACK, &round.to_be_bytes());
            assert_eq!(p.read(), round.to_be_bytes());
            p.wait(ms(50));
            assert_eq!(p.acked, p.nxt);
        }
        assert_eq!(p.c.state(), FinWait2);
        p.give(FIN_ACK, b"end");
        assert_eq!(p.c.state(), TimeWait);
    }
}

#[test]
fn half_closed_by_the_peer_we_may_go_on_for_ever() {
    for isns in ISNS {
        let mut p = Peer::in_state(CloseWait, isns);
        for round in 0..200u32 {
            assert!(p.wait(secs(100)).is_empty());
            p.c.write(p.now, &round.to_be_bytes()).expect("write");
            let sent = p.drain();
            assert_eq!(sent[0].text, round.to_be_bytes());
            p.give(ACK, b"").assert_silent();
            // Reading goes on to say that this was the end.
            assert_eq!(p.c.read(p.now, &mut [0; 1]), Ok(0));
        }
        assert_eq!(p.c.state(), CloseWait);
        p.close_write();
        p.give(ACK, b"").assert_silent();
        assert_eq!(p.c.end(), Some(End::Closed));
    }
}

#[test]
fn a_pair_closes_in_every_order() {
    for isns in ISNS {
        // One after the other.
        let mut p = Pair::established(isns);
        p.write(0, b"bye");
        p.c(0).close_write().expect("close");
        p.run(secs(1));
        assert_eq!(p.states(), [FinWait2, CloseWait]);
        assert_eq!(p.read(1), b"bye");
        p.write(1, b"you too");
        p.c(1).close_write().expect("close");
        p.run(secs(1));
        assert_eq!(p.states(), [TimeWait, State::Closed]);
        assert_eq!(p.read(0), b"you too");
        p.run(secs(60));
        assert_eq!(p.states(), [State::Closed; 2]);
        // Both at once: simultaneous close.
        let mut p = Pair::established(isns);
        for host in 0..2 {
            p.write(host, b"last words");
            p.c(host).close_write().expect("close");
        }
        p.run(secs(1));
        assert_eq!(p.states(), [TimeWait; 2]);
        for host in 0..2 {
            assert_eq!(p.read(host), b"last words");
        }
    }
}

#[test]
fn a_pair_closes_over_losses_and_disorder() {
    /// The FINs of the first round.
    fn early_fin(s: &Sent) -> bool {
        s.head.flags.contains(Flags::FIN) && s.at < Instant::from_millis(6_100)
    }
    let hooks: [fn(usize, &Sent) -> Fate; 4] = [
        |from, s| if from == 0 && early_fin(s) { Fate::Drop } else { Fate::Deliver },
        |_, s| if early_fin(s) { Fate::Drop } else { Fate::Deliver },
        // The FIN overtakes the text.
        |_, s| {
            let late = s.text.len() == 1448 && s.at < Instant::from_millis(6_100);
            if late { Fate::Late(ms(100)) } else { Fate::Deliver }
        },
        // The last ACKs are lost.
        |_, s| {
            let lost = s.is(ACK) && s.text.is_empty() && s.at < Instant::from_millis(6_500);
            if lost && s.at > Instant::from_millis(6_000) { Fate::Drop } else { Fate::Deliver }
        },
    ];
    for isns in ISNS {
        for hook in hooks {
            let mut p = Pair::established(isns);
            p.hook = hook;
            for host in 0..2 {
                p.write(host, &[7; 3000]);
                p.c(host).close_write().expect("close");
            }
            p.run(secs(20));
            assert_eq!(p.states(), [TimeWait; 2]);
            for host in 0..2 {
                assert_eq!(p.read(host), [7; 3000]);
                assert_eq!(p.c(host).read(Instant::ZERO, &mut [0; 1]), Ok(0));
            }
        }
    }
}
