//! How far does urgent text reach, and who learns of it when? The pointer on what is sent, and the
//! mark in what is read (RFC 9293 3.8.5, RFC 6093).

use super::super::{Events, SendReason};
use super::wire::{MSS, Peer, RTO, Wire, ms, ranges};
use crate::SeqNum;
use crate::config::TcpConfig;
use crate::connection::{Limits, Verdict};
use crate::error::{DropReason, UserError};
use crate::receive::ReceiveSpace;
use crate::send::SendSpace;
use crate::wire::{Flags, Segment};
use std::{vec, vec::Vec};

use proptest::prelude::*;

fn is_told(w: &mut Wire) -> bool {
    w.conn.take_events().contains(Events::URGENT)
}

// MUST-30, MUST-62: the pointer is that of the octet behind the urgent text.
#[test]
fn segments_up_to_the_end_of_urgent_text_carry_its_pointer() {
    let mut w = Wire::new();
    w.write(10);
    assert_eq!(w.sends()[0].urgent, None);
    w.write_urgent(MSS + 5);
    w.write(7);
    let sent = w.sends();
    assert_eq!(ranges(&sent), [(10, 10 + MSS), (10 + MSS, 22 + MSS)]);
    assert!(sent.iter().all(|s| s.urgent == Some(15 + MSS)), "{sent:?}");
    w.write(2 * MSS);
    assert!(w.sends().iter().all(|s| s.urgent.is_none()), "what follows is not urgent");
}

#[test]
fn a_retransmission_says_it_again_until_it_is_acknowledged() {
    let mut w = Wire::new();
    w.write_urgent(20);
    assert_eq!(w.sends()[0].urgent, Some(20));
    let again = w.wait(ms(RTO));
    assert_eq!((again[0].reason, again[0].urgent), (SendReason::Retransmission, Some(20)));
    w.ack(20);
    w.write(5);
    assert_eq!(w.sends()[0].urgent, None);
}

#[test]
fn urgent_text_waits_neither_for_nagle_nor_for_the_cork() {
    let mut w = Wire::new();
    w.write(1);
    w.sends();
    w.write(1);
    assert_eq!(ranges(&w.sends()), []);
    w.write_urgent(1);
    assert_eq!(ranges(&w.sends()), [(1, 3)]);
    w.set(|o| o.cork = true);
    w.write_urgent(1);
    assert_eq!(ranges(&w.sends()), [(3, 4)]);
    w.write(1);
    assert_eq!(ranges(&w.sends()), []);
}

// MUST-32: the peer's application learns of urgent text that can't be sent yet.
#[test]
fn behind_a_closed_window_an_ack_tells_and_every_probe_tells_again() {
    let mut w = Wire::new();
    w.ack_window(0, 0);
    w.write_urgent(30);
    let sent = w.sends();
    assert_eq!(sent.len(), 1, "{sent:?}");
    let told = |s: &super::wire::Sent| (s.reason, s.range(), s.urgent);
    assert_eq!(told(&sent[0]), (SendReason::Urgent, (0, 0), Some(30)));
    assert_eq!(w.sends(), [], "once is enough");
    let probes = w.wait(ms(RTO));
    let reasons: Vec<_> = probes.iter().map(|s| s.reason).collect();
    assert_eq!(reasons, [SendReason::Urgent, SendReason::WindowProbe]);
    assert_eq!(probes[0].urgent, Some(30));
    w.ack_window(0, 20_000);
    let sent = w.sends();
    assert_eq!((ranges(&sent), sent[0].urgent), (vec![(0, 30)], Some(30)));
}

// MUST-31: a run of any length. 16 bits say as much as they can; the end moves on with the text.
#[test]
fn an_end_beyond_16_bits_is_told_as_far_as_can_be() {
    let peer = Peer { window: 1 << 20, ..Peer::default() };
    let mut w = Wire::open(peer, TcpConfig::default());
    w.grow_window(200 * MSS);
    let (from, len) = (w.written(), 150 * MSS);
    assert_eq!(w.write_urgent(len), len);
    let (sent, end) = (w.sends(), from + len);
    assert_eq!(sent.len(), 150);
    for s in &sent {
        assert_eq!(s.urgent, Some(end.min(s.seq + 65_535)), "{s:?}");
    }
    // Sent again, 65,535 would name text that was not the end.
    w.ack(from);
    let again = w.wait(ms(2 * RTO));
    assert_eq!((again[0].seq, again[0].urgent), (from, None));
}

#[test]
fn the_device_cuts_no_segment_with_an_urgent_pointer() {
    let mut w = Wire::new();
    w.limits = Limits { segmentation: 65_535 };
    w.grow_window(20 * MSS);
    let from = w.written();
    w.write_urgent(3 * MSS);
    w.write(4 * MSS);
    let sent = w.sends();
    let urgent: Vec<_> = sent.iter().map(|s| (s.len(), s.urgent.is_some(), s.gso)).collect();
    let one = (MSS, true, None);
    assert_eq!(urgent, [one, one, one, (4 * MSS, false, Some(MSS as u16))]);
    assert_eq!(sent[0].urgent, Some(from + 3 * MSS));
    w.ack(from);
    let again = w.wait(ms(2 * RTO));
    assert_eq!((again[0].len(), again[0].gso), (MSS, None));
}

#[test]
fn a_short_write_marks_what_was_taken() {
    let mut w = Wire::new();
    w.set(|o| o.send_buffer = Some(4096));
    w.ack_window(0, 0);
    assert_eq!(w.write_urgent(5000), 4096);
    assert_eq!(w.sends()[0].urgent, Some(4096));
    assert_eq!(w.conn.write_urgent(w.now, b"x"), Err(UserError::WouldBlock));
    assert_eq!(w.sends(), []);
}

// MUST-32: told when it is first pending, and when its end moves on; not again for the same.
#[test]
fn the_application_is_told_once_for_every_end() {
    let mut w = Wire::new();
    assert!(!is_told(&mut w));
    w.urgent_text(0, 10, 30);
    assert!(is_told(&mut w), "before the octets themselves have come");
    w.urgent_text(10, 10, 30);
    assert!(!is_told(&mut w));
    w.urgent_text(20, 10, 31);
    assert!(is_told(&mut w), "it moves on");
    // The pointer of an earlier one, late.
    w.urgent_text(30, 1, 31);
    assert!(!is_told(&mut w));
    assert_eq!(w.conn.urgent_left(), 31);
}

// MUST-33: how much remains. A read stops at the mark, so that it can be seen.
#[test]
fn a_read_stops_in_front_of_the_last_urgent_octet() {
    let mut w = Wire::new();
    w.urgent_text(0, 20, 11);
    w.text(20, 5);
    assert_eq!((w.conn.urgent_left(), w.conn.is_at_mark()), (11, false));
    assert_eq!(w.read(4), 4);
    assert_eq!(w.conn.urgent_left(), 7);
    let mut seen = [0; 100];
    assert_eq!(w.conn.peek(&mut seen), Ok(6));
    assert_eq!(w.read(100), 6);
    assert_eq!((w.conn.urgent_left(), w.conn.is_at_mark()), (1, true));
    assert_eq!(w.read(100), 15, "the urgent octet is in its place");
    assert_eq!((w.conn.urgent_left(), w.conn.is_at_mark()), (0, false));
}

#[test]
fn the_mark_moves_with_the_pointer() {
    let mut w = Wire::new();
    w.urgent_text(0, 20, 5);
    assert_eq!(w.read(100), 4);
    w.urgent_text(20, 10, 30);
    assert!(!w.conn.is_at_mark());
    assert_eq!((w.conn.urgent_left(), w.read(100)), (26, 25));
    assert!(w.conn.is_at_mark());
}

// MUST-66: URG of a segment at a zero window counts; RFC 9293 3.8.5: however far beyond it ends.
#[test]
fn an_end_beyond_the_window_is_told() {
    let mut w = Wire::new();
    w.set(|o| o.receive_buffer = Some(1024));
    let edge = w.conn.info().receive_window;
    w.text(0, edge);
    w.sends();
    while w.conn.info().receive_window > 0 {
        let (from, more) = (w.conn.info().receive_queue as u32, w.conn.info().receive_window);
        w.text(from, more);
        w.sends();
    }
    w.conn.take_events();
    let from = w.conn.info().receive_queue as u32;
    assert_eq!(w.urgent_text(from, 0, from + 500), Verdict::Accepted);
    assert!(is_told(&mut w));
    assert_eq!(w.conn.urgent_left(), from + 500);
}

#[test]
fn what_came_before_does_not_become_urgent() {
    let mut w = Wire::new();
    w.text(0, 100);
    w.urgent_text(100, 10, 100);
    assert!(!is_told(&mut w));
    assert_eq!(w.conn.urgent_left(), 0);
}

#[test]
fn an_unacceptable_segment_says_nothing_of_urgent_text() {
    let mut w = Wire::new();
    w.text(0, 100);
    let far = w.conn.info().receive_window + 200;
    assert_eq!(w.urgent_text(far, 10, far + 5), Verdict::Dropped(DropReason::OutOfWindow));
    assert_eq!(w.conn.urgent_left(), 0);
}

#[test]
fn nothing_urgent_lies_behind_the_fin() {
    let mut w = Wire::new();
    let fin = Segment {
        flags: Flags::ACK | Flags::FIN | Flags::URG,
        urgent: 1000,
        payload: b"text",
        ..w.segment()
    };
    w.deliver(&fin);
    assert_eq!(w.conn.urgent_left(), 4);
    // As on Linux, the mark is where the peer said, and never reached.
    assert_eq!((w.read(100), w.conn.is_at_mark()), (4, false));
    assert_eq!((w.conn.urgent_left(), w.conn.read(w.now, &mut [0])), (0, Ok(0)));
}

// A pointer that stays 2^31 behind would seem to be ahead.
#[test]
fn an_old_end_never_comes_back() {
    let mut rcv = ReceiveSpace::new(TcpConfig::default().receive_buffer);
    rcv.start(crate::Instant::ZERO, SeqNum(7));
    assert!(rcv.advance_urgent(rcv.nxt + 3));
    for _ in 0..5 {
        rcv.nxt += 1 << 30;
        rcv.pass_urgent();
        assert_eq!(rcv.urgent_left(), 0);
    }
}

proptest! {
    // MUST-62, around the wrap of sequence numbers.
    #[test]
    fn the_pointer_names_the_end(
        una in any::<u32>(),
        sent in 0u32..1 << 20,
        urgent in 0u32..1 << 20,
        at in 0u32..1 << 20,
    ) {
        let una = SeqNum(una);
        let mut snd = SendSpace::new(una, 1500, 1460, TcpConfig::default().send_buffer);
        snd.nxt = una + sent;
        snd.up = una + urgent;
        let seq = una + at.min(sent);
        match snd.urgent_pointer(seq) {
            Some(u16::MAX) => prop_assert!(snd.up.at_or_after(seq + 65_535)),
            Some(p) => prop_assert_eq!(seq + u32::from(p), snd.up),
            None => {
                let far = urgent > at.min(sent) + 65_535 && at.min(sent) + 65_535 <= sent;
                prop_assert!(urgent <= at.min(sent) || far);
            }
        }
        prop_assert_eq!(snd.has_unsent_urgent(), urgent > sent);
    }

    // MUST-33, around the wrap: what is left is the distance to the furthest end heard of.
    #[test]
    fn what_is_left_falls_with_every_octet_read(
        irs in any::<u32>(),
        ends in proptest::collection::vec((0u32..50, 0u16..300, 0u32..60), 1..40),
    ) {
        let mut rcv = ReceiveSpace::new(TcpConfig::default().receive_buffer);
        rcv.start(crate::Instant::ZERO, SeqNum(irs));
        let start = rcv.nxt;
        let (mut arrived, mut read, mut end) = (0u32, 0u32, 0u32);
        for (text, pointer, wanted) in ends {
            let up = arrived + u32::from(pointer);
            let told = rcv.advance_urgent(start + up);
            prop_assert_eq!(told, up > arrived && up > end);
            end = if told { up } else { end };
            let taken = rcv.buffer.insert(rcv.nxt, 0, &vec![0; text as usize]).advance;
            (rcv.nxt, arrived) = (rcv.nxt + taken, arrived + taken);
            let n = wanted.min(arrived - read);
            rcv.buffer.consume(n as usize);
            read += n;
            rcv.pass_urgent();
            prop_assert_eq!(rcv.urgent_left(), end.saturating_sub(read));
        }
    }
}
