//! How do both ends treat windows? Silly windows, shrunk ones, closed ones and their probes
//! (RFC 9293 3.8.6).

use std::vec::Vec;

use super::super::{SendReason, Timer};
use super::wire::{MSS, Peer, RTO, RTT, Sent, Wire, ms, ranges, times};
use crate::config::{BufferLimits, TcpConfig};
use crate::error::End;

fn with_window(window: u32) -> Wire {
    Wire::open(Peer { window, ..Peer::default() }, TcpConfig::default())
}

fn receiver(buffer: usize) -> Wire {
    let limits = BufferLimits { initial: buffer, max: buffer };
    Wire::open(Peer::default(), TcpConfig { receive_buffer: limits, ..TcpConfig::default() })
}

/// A connection whose peer has just closed its window, with 5,000 octets to send and nothing in
/// flight.
fn closed() -> Wire {
    let mut w = Wire::new();
    w.write(1000);
    w.sends();
    w.now += RTT;
    w.ack_window(1000, 0);
    w.write(5000);
    assert_eq!(w.sends(), []);
    w
}

fn is_probe(s: &Sent) -> bool {
    s.reason == SendReason::WindowProbe && s.len() == 0
}

// MUST-38: sender's silly-window avoidance.
#[test]
fn a_window_below_a_segment_is_left_alone() {
    let mut w = with_window(5_000);
    w.write(20_000);
    assert_eq!(w.sends().len(), 5);
    w.now += RTT;
    w.ack_window(5000, 999);
    assert_eq!(w.sends(), []);
    w.ack_window(5000, 1000);
    assert_eq!(ranges(&w.sends()), [(5000, 6000)]);
}

// MUST-38: half of the largest window the peer has had is worth a segment.
#[test]
fn half_of_the_largest_window_is_used() {
    let mut w = with_window(800);
    w.write(5000);
    assert_eq!(ranges(&w.sends()), [(0, 800)]);
    w.ack_window(800, 399);
    assert_eq!(w.sends(), []);
    w.ack_window(800, 400);
    assert_eq!(ranges(&w.sends()), [(800, 1200)]);
}

// MUST-38: the override time-out keeps a peer that never opens further from being starved.
#[test]
fn a_small_window_is_used_after_the_override_time() {
    let mut w = with_window(5_000);
    w.write(20_000);
    w.sends();
    w.now += RTT;
    w.ack_window(5000, 300);
    let start = w.now;
    let sent = w.wait(ms(RTO));
    assert_eq!((ranges(&sent), times(&sent, start)), (std::vec![(5000, 5300)], std::vec![RTO]));
}

// MUST-39: receiver's silly-window avoidance.
#[test]
fn the_offered_edge_moves_by_whole_segments() {
    let mut w = receiver(10_000);
    for i in 0..10 {
        w.text(i * MSS, MSS);
    }
    assert_eq!(w.sends().last().map(|s| (s.ack, s.window)), Some((10_000, 0)));
    assert_eq!(w.read(999), 999);
    assert_eq!(w.sends(), []);
    w.text(9_000, MSS);
    assert_eq!(w.sends().last().map(|s| s.window), Some(0), "999 octets are not offered");
    w.read(1);
    w.text(9_000, MSS);
    assert_eq!(w.sends().last().map(|s| s.window), Some(1000));
}

#[test]
fn reading_two_segments_reopens_a_closed_window() {
    let mut w = receiver(10_000);
    for i in 0..10 {
        w.text(i * MSS, MSS);
    }
    w.sends();
    w.read(1999);
    assert_eq!(w.sends(), []);
    w.read(1);
    let sent = w.sends();
    assert_eq!(sent.iter().map(|s| (s.ack, s.window)).collect::<Vec<_>>(), [(10_000, 2000)]);
    w.read(10_000);
    assert_eq!(w.sends().last().map(|s| s.window), Some(10_000));
}

// SHLD-14
#[test]
fn our_edge_never_moves_left() {
    let mut w = receiver(10_000);
    w.text(0, MSS);
    w.text(MSS, MSS);
    let before = w.sends().pop().unwrap();
    assert_eq!(before.ack + before.window, 10_000);
    w.set(|o| o.receive_buffer = Some(3_000));
    w.text(2 * MSS, MSS);
    w.text(3 * MSS, MSS);
    let after = w.sends().pop().unwrap();
    assert_eq!((after.ack, after.ack + after.window), (4000, 10_000));
}

// MUST-34, SHLD-15, SHLD-16, MAY-7
#[test]
fn a_shrunk_window_stops_new_text_and_not_retransmissions() {
    let mut w = with_window(5_000);
    w.write(20_000);
    assert_eq!(w.sends().len(), 5);
    w.now += RTT;
    let start = w.now;
    // The right edge moves from 5000 to 2000.
    w.ack_window(1000, 1000);
    assert_eq!(w.sends(), [], "no new text beyond the edge");
    let sent = w.wait(ms(RTO));
    assert_eq!((ranges(&sent), times(&sent, start)), (std::vec![(1000, 2000)], std::vec![RTO]));
    w.now += ms(10);
    w.ack_window(2000, 1000);
    w.now += ms(10);
    // MAY-7: what was sent before the shrink goes again, also where the edge now lies left of it.
    assert_eq!(ranges(&w.sends()), [(2000, 3000), (3000, 4000)]);
    w.now += ms(10);
    w.ack_window(5000, 1000);
    assert_eq!(ranges(&w.sends()), [(5000, 6000)]);
}

// MUST-35, SHLD-17, MUST-37: text in flight when the window closes is the probe, and a peer that
// answers is alive.
#[test]
fn a_window_shrunk_to_zero_is_probed_with_the_outstanding_text() {
    let mut w = with_window(5_000);
    w.write(5_000);
    w.sends();
    w.now += RTT;
    w.ack_window(1000, 0);
    let start = w.now;
    let mut probes = Vec::new();
    for _ in 0..50 {
        let next = w.deadline(Timer::Retransmit).unwrap();
        let sent = w.wait(ms(next));
        assert_eq!(ranges(&sent), [(1000, 2000)], "one segment at a time");
        probes.extend(times(&sent, start));
        w.ack(1000);
        assert_eq!(w.sends(), []);
    }
    assert_eq!(probes[..4], [300, 900, 2100, 4500]);
    assert_eq!(probes[49] - probes[48], 120_000);
    assert_eq!(w.end(), None);
    w.ack_window(1000, 5000);
    w.wait(ms(120_000));
    w.ack(2000);
    assert!(!w.sends().is_empty());
}

// MUST-36, SHLD-29, SHLD-30
#[test]
fn a_closed_window_is_probed_after_one_rto_then_ever_less() {
    let mut w = closed();
    let start = w.now;
    let mut sent = Vec::new();
    for _ in 0..12 {
        let next = w.deadline(Timer::Probe).unwrap();
        sent.extend(w.wait(ms(next)));
        // The peer is alive and its window stays closed.
        w.ack(1000);
        w.sends();
    }
    assert!(sent.iter().all(is_probe), "{sent:?}");
    assert!(sent.iter().all(|s| s.seq == 999), "one below SND.NXT: every peer answers");
    let t = times(&sent, start);
    assert_eq!(t[..5], [300, 900, 2100, 4500, 9300]);
    let gaps: Vec<_> = t.windows(2).map(|p| p[1] - p[0]).collect();
    assert!(gaps.windows(2).all(|g| g[1] == (2 * g[0]).min(120_000)), "{gaps:?}");
}

// MUST-37
#[test]
fn probing_never_ends_while_the_peer_answers() {
    let mut w = closed();
    for _ in 0..200 {
        let next = w.deadline(Timer::Probe).unwrap();
        assert_eq!(w.wait(ms(next)).len(), 1);
        w.ack(1000);
        assert_eq!(w.sends(), []);
    }
    assert_eq!(w.end(), None);
    w.ack_window(1000, 60_000);
    assert_eq!(ranges(&w.sends()).len(), 5);
}

#[test]
fn probing_a_silent_peer_ends_at_r2() {
    let mut w = closed();
    let sent = w.wait_for_end();
    assert_eq!(sent.iter().filter(|s| is_probe(s)).count(), 15);
    assert_eq!(w.end(), Some(End::TimedOut));
}

#[test]
fn the_answer_to_a_probe_makes_up_for_a_lost_window_update() {
    let mut w = closed();
    // The update is lost; the answer to the first probe tells the same.
    w.wait(ms(RTO));
    w.ack_window(1000, 3000);
    assert_eq!(ranges(&w.sends()), [(1000, 2000), (2000, 3000), (3000, 4000)]);
    assert_eq!(w.deadline(Timer::Probe), None);
    // The next closed window begins with one RTO again.
    w.now += RTT;
    w.ack_window(4000, 0);
    assert_eq!(w.sends(), []);
    assert_eq!(w.deadline(Timer::Probe), Some(RTO));
}

#[test]
fn our_fin_waits_for_the_window_too() {
    let mut w = Wire::new();
    w.write(1000);
    w.sends();
    w.now += RTT;
    w.ack_window(1000, 0);
    w.conn.close_write().unwrap();
    assert_eq!(w.sends(), []);
    assert_eq!(w.deadline(Timer::Probe), Some(RTO));
    w.ack_window(1000, 10);
    assert_eq!(w.sends().len(), 1);
}

// MUST-1, REC-1
#[test]
fn a_window_of_a_gigabyte_is_no_negative_number() {
    let mut w = with_window(65_535 << 7);
    assert_eq!(w.conn.info().send_window, 65_535, "the window of a SYN is not scaled");
    w.ack(0);
    assert_eq!(w.conn.info().send_window, 65_535 << 7);
    w.write(10);
    assert_eq!(w.sends().len(), 1);
}

// MUST-37 is for an application that waits; nobody waits for an orphan.
#[test]
fn an_orphan_behind_a_closed_window_is_given_up_although_the_peer_answers() {
    let mut w = Wire::new();
    w.ack_window(0, 0);
    w.write(10);
    w.conn.close(w.now);
    for _ in 0..30 {
        if w.end().is_some() {
            break;
        }
        w.wait(ms(130_000));
        w.ack_window(0, 0);
    }
    assert_eq!(w.end(), Some(End::TimedOut));
}

#[test]
fn a_syn_ack_with_window_0_opens_and_the_first_text_waits_for_the_window() {
    let mut w = Wire::open(Peer { window: 0, ..Peer::default() }, TcpConfig::default());
    w.write(3000);
    assert!(w.sends().is_empty());
    assert!(is_probe(&w.wait(ms(2000))[0]));
    w.ack_window(0, 60_000);
    assert_eq!(w.sends().iter().map(Sent::len).sum::<u32>(), 3000);
}

// RFC 7323 2.2: the window of a SYN is never scaled, that of every later segment is.
#[test]
fn the_window_of_a_syn_ack_is_not_shifted_and_that_of_later_acks_is() {
    let mut w = Wire::open(Peer { window: 1 << 20, ..Peer::default() }, TcpConfig::default());
    assert_eq!(w.conn.info().send_window, 0xffff);
    w.write(10);
    w.sends();
    w.ack(10);
    assert_eq!(w.conn.info().send_window, 1 << 20);
}
