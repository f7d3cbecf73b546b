//! What do timestamps tell? Protection against old segments, the echo, and round trips that
//! retransmissions don't hide (RFC 7323 3 to 5).

use super::super::{SendReason, Timer, Verdict};
use super::wire::{MSS, Peer, RTO, RTT, Wire, ms, ranges};
use crate::config::TcpConfig;
use crate::error::DropReason;
use crate::wire::Segment;

/// Payload of a full segment beside timestamps.
const FULL: u32 = MSS - 12;

fn wire() -> Wire {
    Wire::open(Peer { timestamps: true, ..Peer::default() }, TcpConfig::default())
}

fn clock(w: &Wire) -> u32 {
    w.now.as_millis() as u32
}

// RFC 7323 3.2: once agreed on, in every segment; our clock ticks in milliseconds from an offset.
#[test]
fn every_segment_carries_them() {
    let mut w = wire();
    let recent = clock(&w);
    w.write(FULL + 10);
    let sent = w.sends();
    assert_eq!(ranges(&sent), [(0, FULL), (FULL, FULL + 10)]);
    for s in &sent {
        let ts = s.timestamps.unwrap();
        assert_eq!((ts.value, ts.echo), (clock(&w) + 77, recent));
    }
}

// RFC 7323 5.3
#[test]
fn an_older_segment_is_dropped_and_answered() {
    let mut w = wire();
    w.now += ms(50);
    w.text(0, 100);
    w.sends();
    w.now = w.now - ms(20);
    assert_eq!(w.text(100, 100), Verdict::Dropped(DropReason::Paws));
    w.now += ms(20);
    let sent = w.sends();
    assert_eq!((sent.len(), sent[0].ack), (1, 100));
    assert_eq!(w.text(100, 100), Verdict::Accepted, "equal is not older");
}

// RFC 7323 5.3: a reset needs no timestamp.
#[test]
fn a_reset_is_not_checked() {
    let mut w = wire();
    let mut rst = Segment { flags: crate::wire::Flags::RST, ..w.segment() };
    rst.options.timestamps = None;
    assert_eq!(w.deliver(&rst), Verdict::Accepted);
    assert!(w.end().is_some());
}

// RFC 7323 5.5: after 24 days the memory is void.
#[test]
fn after_24_days_a_peer_with_a_slow_clock_is_heard_again() {
    let mut w = wire();
    let mut seg = w.segment();
    w.now += ms(25 * 24 * 3600 * 1000);
    if let Some(ts) = &mut seg.options.timestamps {
        ts.value -= 1000;
    }
    assert_eq!(w.deliver(&seg), Verdict::Accepted);
}

// RFC 7323 4.3: of several segments acknowledged at once, the earliest is echoed.
#[test]
fn a_delayed_ack_echoes_the_first_segment() {
    let mut w = wire();
    w.now += ms(10);
    let first = clock(&w);
    w.text(0, FULL);
    w.now += ms(10);
    w.text(FULL, FULL);
    assert_eq!(w.sends()[0].timestamps.map(|t| t.echo), Some(first));
}

// RFC 7323 4.3: a segment behind a gap is not echoed, the one that fills it is.
#[test]
fn the_filling_of_a_gap_is_echoed() {
    let mut w = wire();
    let before = clock(&w);
    w.now += ms(10);
    w.text(FULL, FULL);
    assert_eq!(w.sends()[0].timestamps.map(|t| t.echo), Some(before));
    w.now += ms(10);
    w.text(0, FULL);
    assert_eq!(w.sends()[0].timestamps.map(|t| t.echo), Some(clock(&w)));
}

// The ACK of the last segment was lost: the second copy is the one to echo, or the peer would
// take its time-out for a round trip. Its end is RCV.NXT, so it is no older than what was last
// acknowledged (RFC 7323 4.3 (2)).
#[test]
fn the_second_copy_of_the_last_segment_is_echoed() {
    let mut w = wire();
    w.text(0, FULL);
    w.text(FULL, FULL);
    w.sends();
    let before = clock(&w);
    w.now += ms(700);
    w.text(0, FULL);
    assert_eq!(w.sends()[0].timestamps.map(|t| t.echo), Some(before));
    w.text(FULL, FULL);
    assert_eq!(w.sends()[0].timestamps.map(|t| t.echo), Some(clock(&w)));
}

// MUST-18, RFC 6298 3: the echo tells which copy was acknowledged.
#[test]
fn a_retransmission_is_measured() {
    let mut w = wire();
    w.write(FULL);
    assert_eq!(w.sends().len(), 1);
    assert_eq!(w.wait(ms(3 * RTO)).len(), 2);
    assert_eq!(w.conn.info().rto, ms(4 * RTO));
    w.now += RTT;
    // The echo of the second retransmission, just sent.
    w.ack(FULL);
    let info = w.conn.info();
    assert_eq!((info.rtt, info.rto), (RTT, ms(RTO)), "the back-off is gone");
}

// MUST-18: the first copy had arrived and its ACK was lost. The echo spans the whole back-off,
// which is not the path's round trip.
#[test]
fn a_lost_ack_is_not_taken_for_a_long_round_trip() {
    let mut w = wire();
    w.write(FULL);
    w.sends();
    let first = w.echo;
    w.wait(ms(5_000));
    assert!(w.conn.info().stats.retransmissions > 3);
    w.now += RTT;
    w.echo = first;
    let backed_off = w.conn.info().rto;
    w.ack(FULL);
    let info = w.conn.info();
    assert_eq!((info.rtt, info.rto), (RTT, backed_off), "Karn: nothing is learned");
    w.write(FULL);
    w.sends();
    w.now += RTT;
    w.ack(2 * FULL);
    assert_eq!(w.conn.info().rto, ms(RTO));
}

// The same with the peer's word that it has the octets twice: the answer to the retransmission
// came within the plain time-out, so there is no reason to wait longer next time.
#[test]
fn a_reported_duplicate_ends_the_backoff() {
    let mut w = wire();
    w.write(2 * FULL);
    w.sends();
    let first = w.echo;
    w.wait(ms(9 * RTO));
    let late = w.deadline(Timer::Retransmit).unwrap();
    assert!(late > RTO);
    w.wait(ms(late));
    w.now += RTT;
    w.echo = first;
    w.sack(2 * FULL, &[(0, FULL)]);
    let info = w.conn.info();
    assert_eq!((info.rtt, info.rto), (RTT, ms(RTO)));
}

// Too late for the plain time-out, the answer proves that the back-off is needed.
#[test]
fn a_reported_duplicate_that_comes_late_keeps_the_backoff() {
    let mut w = wire();
    w.write(2 * FULL);
    w.sends();
    let first = w.echo;
    w.wait(ms(3 * RTO));
    let backed_off = w.conn.info().rto;
    w.now += ms(RTO + 50);
    w.echo = first;
    w.sack(2 * FULL, &[(0, FULL)]);
    assert_eq!(w.conn.info().rto, backed_off);
}

#[test]
fn probes_carry_them_too() {
    let mut w = wire();
    w.now += RTT;
    w.ack_window(0, 0);
    w.write(10);
    let sent = w.wait(ms(RTO));
    assert_eq!((sent.len(), sent[0].reason), (1, SendReason::WindowProbe));
    assert!(sent[0].timestamps.is_some());
}
