//! When does written text go out, and in which packets? Nagle, cork, PSH and super-segments
//! (RFC 9293 3.7.4, 3.9.1.2).

use super::super::SendReason;
use super::wire::{MSS, Wire, ms, ranges, times};
use crate::connection::Timer;
use crate::wire::Flags;

// SHLD-7
#[test]
fn a_small_segment_waits_for_the_ack_of_a_small_one() {
    let mut w = Wire::new();
    w.write(10);
    assert_eq!(ranges(&w.sends()), [(0, 10)]);
    w.write(10);
    w.write(20);
    assert_eq!(ranges(&w.sends()), []);
    w.ack(10);
    assert_eq!(ranges(&w.sends()), [(10, 40)], "both writes in one segment");
}

// SHLD-7, in the form of Minshall: full segments in flight hold nothing back.
#[test]
fn a_small_segment_does_not_wait_for_full_ones() {
    let mut w = Wire::new();
    w.write(2 * MSS);
    assert_eq!(w.sends().len(), 2);
    w.write(10);
    assert_eq!(ranges(&w.sends()), [(2000, 2010)]);
    w.write(MSS + 10);
    assert_eq!(ranges(&w.sends()), [(2010, 3010)], "the full one goes, its tail waits");
    w.ack(2009);
    assert_eq!(ranges(&w.sends()), [], "the small one is not acknowledged yet");
    w.ack(2010);
    assert_eq!(ranges(&w.sends()), [(3010, 3020)]);
}

// MUST-17
#[test]
fn without_nagle_every_write_goes_at_once() {
    let mut w = Wire::new();
    w.write(10);
    w.sends();
    w.write(10);
    assert_eq!(w.sends().len(), 0);
    w.set(|o| o.nodelay = true);
    assert_eq!(ranges(&w.sends()), [(10, 20)], "what was held goes now");
    w.write(10);
    assert_eq!(ranges(&w.sends()), [(20, 30)]);
}

// MAY-16: what is held back is aggregated into one segment.
#[test]
fn writes_that_are_held_back_go_as_one_segment() {
    let mut w = Wire::new();
    w.write(10);
    w.sends();
    for _ in 0..5 {
        w.write(7);
    }
    assert_eq!(w.sends().len(), 0);
    w.ack(10);
    assert_eq!(ranges(&w.sends()), [(10, 45)]);
}

#[test]
fn our_fin_does_not_wait_for_nagle() {
    let mut w = Wire::new();
    w.write(10);
    w.sends();
    w.write(10);
    w.conn.close_write().unwrap();
    let sent = w.sends();
    assert_eq!(ranges(&sent), [(10, 20)]);
    assert!(sent[0].flags.contains(Flags::FIN | Flags::PSH));
}

// MUST-60: held, but never indefinitely.
#[test]
fn a_corked_partial_segment_goes_after_200_ms() {
    let mut w = Wire::new();
    w.set(|o| o.cork = true);
    w.write(100);
    let start = w.now;
    assert_eq!(w.wait(ms(150)), []);
    w.write(100);
    let sent = w.wait(ms(100));
    assert_eq!((ranges(&sent), times(&sent, start)), (std::vec![(0, 200)], std::vec![200]));
    w.ack(200);
    // The next one is held for 200 ms of its own.
    w.write(100);
    let start = w.now;
    assert_eq!(times(&w.wait(ms(250)), start), [200]);
}

#[test]
fn full_segments_pass_the_cork_and_pulling_it_lets_the_rest_go() {
    let mut w = Wire::new();
    w.set(|o| o.cork = true);
    w.write(2 * MSS + 300);
    assert_eq!(ranges(&w.sends()), [(0, 1000), (1000, 2000)]);
    w.set(|o| o.cork = false);
    assert_eq!(ranges(&w.sends()), [(2000, 2300)]);
    assert_eq!(w.deadline(Timer::Cork), None);
}

#[test]
fn closing_pulls_the_cork() {
    let mut w = Wire::new();
    w.set(|o| o.cork = true);
    w.write(300);
    assert_eq!(w.sends(), []);
    w.conn.close_write().unwrap();
    let sent = w.sends();
    assert_eq!(ranges(&sent), [(0, 300)]);
    assert!(sent[0].flags.contains(Flags::FIN));
}

// MUST-61, SHLD-27
#[test]
fn only_the_last_buffered_segment_is_pushed() {
    let mut w = Wire::new();
    w.write(1200);
    w.write(1300);
    let sent = w.sends();
    assert_eq!(ranges(&sent), [(0, 1000), (1000, 2000), (2000, 2500)]);
    let pushed: std::vec::Vec<_> = sent.iter().map(|s| s.pushed()).collect();
    assert_eq!(pushed, [false, false, true]);
}

// SHLD-28
#[test]
fn small_writes_become_full_segments() {
    let mut w = Wire::new();
    for _ in 0..45 {
        w.write(100);
    }
    let full: std::vec::Vec<_> = (0..4).map(|i| (i * MSS, (i + 1) * MSS)).collect();
    let sent = w.sends();
    assert_eq!(ranges(&sent)[..4], full);
    assert_eq!(sent[4].range(), (4000, 4500));
}

#[test]
fn the_congestion_window_limits_a_burst_to_ten_segments() {
    // RFC 6928 2
    let mut w = Wire::new();
    w.write(30_000);
    let sent = w.sends();
    assert_eq!(sent.len(), 10);
    assert!(sent.iter().all(|s| s.len() == MSS && s.reason == SendReason::Text));
    w.ack(2 * MSS);
    assert_eq!(w.sends().len(), 4, "slow start: two for each one acknowledged");
}

#[test]
fn a_super_segment_carries_what_the_congestion_window_allows() {
    let mut w = Wire::new();
    w.limits.segmentation = 65_535;
    w.write(30_000);
    let sent = w.sends();
    assert_eq!(ranges(&sent), [(0, 10_000)]);
    assert_eq!(sent[0].gso, Some(1000));
    assert!(!sent[0].pushed());
}

#[test]
fn a_super_segment_ends_with_its_partial_segment() {
    let mut w = Wire::new();
    w.limits.segmentation = 65_535;
    w.write(4_500);
    let sent = w.sends();
    assert_eq!(ranges(&sent), [(0, 4_500)]);
    assert_eq!(sent[0].gso, Some(1000));
    assert!(sent[0].pushed());
    w.write(800);
    assert_eq!(w.sends(), [], "its small end counts for Nagle");
    w.ack(4_500);
    let sent = w.sends();
    assert_eq!((ranges(&sent), sent[0].gso), (std::vec![(4_500, 5_300)], None));
}

// SHLD-28: the peer's window cuts to whole segments.
#[test]
fn a_super_segment_is_cut_at_the_peers_window() {
    let mut w =
        Wire::open(super::wire::Peer { window: 3_500, ..Default::default() }, Default::default());
    w.limits.segmentation = 65_535;
    w.write(9_000);
    assert_eq!(ranges(&w.sends()), [(0, 3_000)]);
    w.ack(1_000);
    assert_eq!(ranges(&w.sends()), [(3_000, 4_000)]);
}

#[test]
fn a_super_segment_is_cut_at_the_devices_limit() {
    let mut w = Wire::new();
    w.grow_window(40_000);
    let from = w.written();
    // Room for headers with all options, then whole segments: 16,384 - 80 = 16,304.
    w.limits.segmentation = 16_384;
    w.write(40_000);
    let sent = w.sends();
    assert_eq!(sent[0].range(), (from, from + 16_000));
    assert_eq!(sent[1].range(), (from + 16_000, from + 32_000));
}

// SHLD-28: a packet of many pieces is cut to a whole number of segments.
#[test]
fn many_small_writes_by_reference_still_fill_segments() {
    let mut w = Wire::new();
    w.grow_window(60_000);
    w.limits.segmentation = 65_535;
    let from = w.written();
    for _ in 0..40 {
        w.write_bytes(1_100);
    }
    let sent = w.sends();
    // 16 slices hold 17,600 octets.
    assert_eq!(sent[0].range(), (from, from + 17_000));
    assert_eq!(sent[1].range().0, from + 17_000);
    assert_eq!(sent.last().map(|s| s.range().1), Some(from + 44_000));
    for s in &sent[..sent.len() - 1] {
        assert_eq!(s.len() % MSS, 0);
        assert!(!s.pushed());
    }
    assert!(sent.last().is_some_and(|s| s.pushed()));
}

// After 2^31 octets of full segments, the last small one would seem to lie ahead.
#[test]
fn the_end_of_the_last_small_segment_keeps_up() {
    let mut w = Wire::new();
    w.write(10);
    w.sends();
    w.ack(10);
    for n in 1..4 {
        w.write(2 * MSS);
        w.sends();
        w.ack(10 + n * 2 * MSS);
        assert_eq!(w.conn.snd.small_end, w.conn.snd.una);
    }
}
