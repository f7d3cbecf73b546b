//! Which segments, and which octets of them, belong to the window? The table of RFC 9293 3.4, the
//! trimming of text and FIN (3.10.7.4), and the order of window updates (SND.WL1, SND.WL2).

use alloc::vec;
use alloc::vec::Vec;

use super::super::{State, Verdict};
use super::harness::*;
use crate::error::DropReason;
use crate::wire::{Flags, Segment};

/// Text whose octets tell their place.
fn text(from: u32, len: u32) -> Vec<u8> {
    (from..from + len).map(|i| (i % 251) as u8).collect()
}

/// Established, with the receive buffer full and a window of zero offered.
fn zero_window(isns: Isns) -> Peer {
    let mut p = Peer::established(isns);
    for i in 0..10 {
        p.give(ACK, &text(i * 1000, 1000));
    }
    p.wait(ms(100));
    assert_eq!(p.edge, p.nxt);
    assert_eq!(p.c.rcv.window(), 0);
    p
}

fn accepted(mut p: Peer, at: u32, len: u32) -> bool {
    let octets = vec![1; len as usize];
    let seg = Segment { seq: p.c.rcv.nxt + at, payload: &octets, ..p.segment(ACK) };
    let reply = p.give_segment(&seg);
    let refused = reply.verdict == Verdict::Dropped(DropReason::OutOfWindow);
    if refused {
        assert_eq!(reply.one().head.ack, p.c.rcv.nxt, "an ACK says what would be accepted");
        assert_eq!(p.c.rcv.buffer.out_of_order(), 0);
    }
    assert_eq!(p.c.state(), State::Established);
    !refused
}

#[test]
fn the_four_cases_of_the_table() {
    // RFC 9293 3.4
    const W: u32 = WINDOW;
    const LEFT: u32 = u32::MAX; // RCV.NXT - 1
    for isns in ISNS {
        // SEG.LEN = 0, RCV.WND = 0: SEG.SEQ = RCV.NXT
        for (at, ok) in [(LEFT, false), (0, true), (1, false), (W, false)] {
            assert_eq!(accepted(zero_window(isns), at, 0), ok, "{at}");
        }
        // SEG.LEN = 0, RCV.WND > 0: RCV.NXT =< SEG.SEQ < RCV.NXT+RCV.WND
        for (at, ok) in [
            (LEFT, false),
            (LEFT - W, false),
            (0, true),
            (1, true),
            (W - 1, true),
            (W, false),
            (W + 1, false),
            (0x7fff_ffff, false),
            (0x8000_0000, false),
        ] {
            assert_eq!(accepted(Peer::established(isns), at, 0), ok, "{at}");
        }
        // SEG.LEN > 0, RCV.WND = 0: not acceptable, but see `zero_window_takes_what_is_no_text`.
        for (at, len) in [(LEFT, 1), (LEFT, 2), (1, 1), (W, 1)] {
            assert!(!accepted(zero_window(isns), at, len), "{at} {len}");
        }
        // SEG.LEN > 0, RCV.WND > 0: the first or the last octet lies in the window.
        for (at, len, ok) in [
            (LEFT, 1, false),
            (LEFT - 9, 10, false),
            (LEFT - 9, 11, true),
            (LEFT, 2, true),
            (0, 1, true),
            (0, W, true),
            (0, W + 5, true),
            (5000, 1000, true),
            (W - 1, 1, true),
            (W - 1, 500, true),
            (W, 1, false),
            (W + 1, 10, false),
            // Beyond both edges: not by the letter of the table, and no honest peer sends it.
            (LEFT, W + 2, false),
        ] {
            assert_eq!(accepted(Peer::established(isns), at, len), ok, "{at} {len}");
        }
    }
}

#[test]
fn text_is_cut_to_the_window() {
    for isns in ISNS {
        // (from, len) of the segment, what can be read then.
        for (from, len, readable) in
            [(0u32, 1000, 1000), (0, WINDOW + 700, WINDOW), (WINDOW - 1, 40, 0)]
        {
            let mut p = Peer::established(isns);
            let octets = text(from, len);
            let seg = Segment { seq: p.nxt + from, payload: &octets, ..p.segment(ACK) };
            p.give_segment(&seg);
            assert_eq!(p.read(), text(0, readable));
            assert!(p.c.rcv.nxt.at_or_before(p.edge));
            // Nothing lies beyond the window.
            let held = p.c.rcv.buffer.out_of_order() as u32;
            assert_eq!(held, if from > 0 { 1 } else { 0 });
        }
    }
}

#[test]
fn what_was_received_before_is_cut_off_in_front() {
    for isns in ISNS {
        let mut p = Peer::established(isns);
        p.give(ACK, &text(0, 1000));
        let octets = text(400, 1000);
        let seg = Segment { seq: p.nxt - 600, payload: &octets, ..p.segment(ACK) };
        let reply = p.give_segment(&seg);
        // MAY-13, RFC 5681 4.2: a duplicate is told at once.
        assert_eq!(reply.one().head.ack, isns.theirs + 1401);
        assert_eq!(p.read(), text(0, 1400));
    }
}

#[test]
fn received_octets_keep_their_first_value() {
    let mut p = Peer::established(ISNS[1]);
    p.give(ACK, b"first");
    let again = Segment { seq: p.nxt - 5, payload: b"FORGED and new", ..p.segment(ACK) };
    p.give_segment(&again);
    assert_eq!(p.read(), b"firstD and new");
}

#[test]
fn zero_window_takes_what_is_no_text() {
    // MUST-66: ACK, RST, URG. RFC 9293 3.4: "a TCP receiver with a zero window must still process".
    for isns in ISNS {
        let mut p = zero_window(isns);
        p.c.write(p.now, b"mine").expect("write");
        assert_eq!(p.drain()[0].text, b"mine");
        // The ACK of a window probe counts, its octet does not.
        let probe = Segment { payload: b"x", window: 77, ..p.segment(ACK | Flags::URG) };
        let reply = p.give_segment(&probe);
        assert_eq!((reply.one().head.ack, reply.one().head.window), (p.nxt, 0));
        assert_eq!((p.c.snd.una, p.c.snd.wnd), (p.c.snd.nxt, 77));
        assert_eq!(p.read(), text(0, WINDOW));

        let mut p = zero_window(isns);
        let wrong = Segment { seq: p.nxt + 1, ..p.segment(RST) };
        p.give_segment(&wrong).assert_silent();
        assert_eq!(p.c.state(), State::Established);
        p.give(RST, b"");
        assert_eq!(p.c.state(), State::Closed);
        assert_eq!(p.read(), text(0, WINDOW));
    }
}

#[test]
fn zero_window_takes_a_bare_fin() {
    // By the letter of RFC 9293 3.4 it is out of the window; but it needs no room, and a reader
    // that never makes room would keep the peer from closing. Linux takes it too.
    for isns in ISNS {
        let mut p = zero_window(isns);
        let with_text = Segment { payload: b"x", ..p.segment(FIN_ACK) };
        assert_eq!(p.give_segment(&with_text).one().head.ack, p.nxt);
        assert_eq!(p.c.state(), State::Established);
        let reply = p.give(FIN_ACK, b"");
        assert_eq!((reply.one().head.ack, reply.one().head.window), (p.nxt, 0));
        assert_eq!(p.c.state(), State::CloseWait);
        assert_eq!(p.read(), text(0, WINDOW));
        assert_eq!(p.c.read(p.now, &mut [0; 1]), Ok(0));
    }
}

#[test]
fn a_fin_behind_the_window_is_cut_off() {
    for isns in ISNS {
        // The text fills the window: the FIN behind it needs no room.
        let mut p = Peer::established(isns);
        p.give(FIN_ACK, &text(0, WINDOW));
        assert_eq!(p.c.state(), State::CloseWait);
        assert_eq!(p.acked, p.nxt);
        // One octet more: the text is cut, and the FIN with it.
        let mut p = Peer::established(isns);
        p.give(FIN_ACK, &text(0, WINDOW + 1));
        assert_eq!(p.c.state(), State::Established);
        assert_eq!(p.acked, isns.theirs + 1 + WINDOW);
        assert_eq!(p.read(), text(0, WINDOW));
        p.drain();
        // Both come again once there is room.
        let edge = isns.theirs + 1 + WINDOW;
        let octet = text(WINDOW, 1);
        let rest = Segment { seq: edge, payload: &octet, ..p.segment(FIN_ACK) };
        p.give_segment(&rest);
        assert_eq!(p.c.state(), State::CloseWait);
        assert_eq!(p.read(), octet);
    }
}

#[test]
fn text_behind_the_fin_is_ignored() {
    for isns in ISNS {
        // The FIN stands at 10, past a gap; what claims to be text behind it is not.
        let mut p = Peer::established(isns);
        let start = p.nxt;
        let fin = Segment { seq: start + 5, payload: b"world", ..p.segment(FIN_ACK) };
        p.give_segment(&fin);
        assert_eq!(p.c.state(), State::Established);
        let beyond = Segment { seq: start + 8, payload: b"ld and more", ..p.segment(ACK) };
        p.give_segment(&beyond);
        let behind = Segment { seq: start + 11, payload: b"more", ..p.segment(ACK) };
        p.give_segment(&behind);
        p.give(ACK, b"hello");
        assert_eq!(p.acked, start + 11);
        assert_eq!(p.c.state(), State::CloseWait);
        assert_eq!(p.read(), b"helloworld");
        // Nor once the FIN is in order.
        let behind = Segment { seq: start + 11, payload: b"more", ..p.segment(ACK) };
        p.give_segment(&behind);
        assert_eq!(p.c.read(p.now, &mut [0; 9]), Ok(0));
        assert_eq!(p.c.rcv.nxt, start + 11);
    }
}

#[test]
fn a_fin_before_text_that_is_there_is_ignored() {
    for isns in ISNS {
        let mut p = Peer::established(isns);
        let start = p.nxt;
        let later = Segment { seq: start + 5, payload: b"world", ..p.segment(ACK) };
        p.give_segment(&later);
        let lie = Segment { seq: start + 2, ..p.segment(FIN_ACK) };
        p.give_segment(&lie);
        p.give(ACK, b"hello");
        assert_eq!(p.c.state(), State::Established);
        assert_eq!(p.read(), b"helloworld");
        p.nxt = start + 10;
        p.give(FIN_ACK, b"!");
        assert_eq!(p.c.state(), State::CloseWait);
        assert_eq!(p.read(), b"!");
    }
}

#[test]
fn new_text_with_an_old_ack_is_kept() {
    for isns in ISNS {
        let mut p = Peer::established(isns);
        let old = p.seen;
        p.c.write(p.now, b"ours").expect("write");
        p.drain();
        p.give(ACK, b"");
        assert_eq!(p.c.snd.una, old + 4);
        let seg = Segment { ack: old, payload: b"theirs", window: 5, ..p.segment(ACK) };
        p.give_segment(&seg);
        assert_eq!(p.read(), b"theirs");
        // But neither its ACK nor its window counts.
        assert_eq!((p.c.snd.una, p.c.snd.wnd), (old + 4, 20_000));
    }
}

#[test]
fn only_newer_segments_update_the_window() {
    // RFC 9293 3.10.7.4, fifth step: SND.WL1 and SND.WL2
    for isns in ISNS {
        let mut p = Peer::established(isns);
        let (start, old_ack) = (p.nxt, p.seen);
        p.c.write(p.now, b"ours").expect("write");
        p.drain();
        let ack = p.seen;
        let mut update = |seq, ack, window| {
            let seg = Segment { seq, ack, window, payload: b"0123456789", ..p.segment(ACK) };
            p.give_segment(&seg);
            p.c.snd.wnd
        };
        // All past a gap, so that all stay in the window.
        assert_eq!(update(start + 40, ack, 300), 300);
        // Overtaken by the one before.
        assert_eq!(update(start + 10, ack, 4000), 300);
        assert_eq!(update(start + 39, ack, 4000), 300);
        // The same number: not with an older ACK, but with the same.
        assert_eq!(update(start + 40, old_ack, 5000), 300);
        assert_eq!(update(start + 40, ack, 600), 600);
        assert_eq!(update(start + 41, ack, 0), 0);
        assert_eq!(update(start + 60, ack, 65_535), 65_535);
    }
}

#[test]
fn every_octet_arrives_over_the_wrap_in_any_order() {
    // The window of every connection passes 2^32, segments come in a scrambled order.
    for isns in ISNS {
        let mut p = Peer::established(isns);
        let total = 40_000;
        let mut got = Vec::new();
        for base in (0..total).step_by(8_000) {
            for k in [3, 0, 7, 5, 1, 6, 2, 4, 3] {
                let from = base + k * 1000;
                let octets = text(from, 1000);
                let seg = Segment { seq: p.nxt + from, payload: &octets, ..p.segment(ACK) };
                p.give_segment(&seg);
            }
            got.extend(p.read());
            p.drain();
        }
        assert_eq!(got, text(0, total));
    }
}
