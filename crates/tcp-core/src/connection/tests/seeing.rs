//! What does a connection tell of itself? Counters, the times under each limit, the delivery
//! rate, and what happened since it was asked last.

use core::time::Duration;
use std::vec::Vec;

use super::super::{Connection, Happening, Info, Limit};
use super::wire::{MSS, Peer, RTT, Wire, ms};
use crate::config::{BufferLimits, TcpConfig};

impl Wire {
    fn seen(&self) -> Info {
        self.conn.info_at(self.now)
    }

    /// What limits now, and how long each limit held: busy, receive window, send buffer,
    /// congestion window, in milliseconds.
    fn limited(&self) -> (Limit, [u64; 4]) {
        let l = self.seen().limited;
        let all = [l.busy, l.receive_window, l.send_buffer, l.congestion_window];
        (l.now, all.map(|d| d.as_millis() as u64))
    }
}

fn happenings(c: &mut Connection) -> Vec<(Happening, u32)> {
    let mut all = Vec::new();
    c.take_happenings(&mut |what, times| all.push((what, times)));
    all
}

#[test]
fn a_closed_window_limits_until_it_opens() {
    let mut w = Wire::open(Peer { window: 2_000, ..Peer::default() }, TcpConfig::default());
    assert_eq!(w.limited(), (Limit::Idle, [0; 4]));
    w.write(5 * MSS);
    w.sends();
    w.now += ms(150);
    assert_eq!(w.limited(), (Limit::ReceiveWindow, [150, 150, 0, 0]));
    // All is taken and nothing more allowed: still the window.
    w.ack_window(2 * MSS, 0);
    w.sends();
    w.now += ms(50);
    assert_eq!(w.limited(), (Limit::ReceiveWindow, [200, 200, 0, 0]));
    w.ack_window(2 * MSS, 60_000);
    w.sends();
    w.now += ms(100);
    assert_eq!(w.limited(), (Limit::Network, [300, 200, 0, 0]));
    w.ack(5 * MSS);
    w.sends();
    w.now += ms(1000);
    assert_eq!(w.limited(), (Limit::Idle, [300, 200, 0, 0]));
}

#[test]
fn the_congestion_window_limits_until_an_ack() {
    let mut w = Wire::new();
    w.write(15 * MSS);
    w.sends();
    w.now += RTT;
    assert_eq!(w.limited(), (Limit::CongestionWindow, [100, 0, 0, 100]));
    w.ack(10 * MSS);
    w.sends();
    w.now += ms(40);
    assert_eq!(w.limited(), (Limit::Network, [140, 0, 0, 100]));
}

#[test]
fn the_send_buffer_limits_who_wants_to_write_more() {
    let buffer = BufferLimits { initial: 5_000, max: 5_000 };
    let config = TcpConfig { send_buffer: buffer, ..TcpConfig::default() };
    let mut w = Wire::open(Peer::default(), config);
    // Full to the last octet, but nobody wants more.
    assert_eq!(w.write(5_000), 5_000);
    w.sends();
    w.now += ms(60);
    assert_eq!(w.limited(), (Limit::Network, [60, 0, 0, 0]));
    w.ack(5_000);
    w.sends();
    assert_eq!(w.write(8_000), 5_000);
    w.sends();
    w.now += ms(70);
    assert_eq!(w.limited(), (Limit::SendBuffer, [130, 0, 70, 0]));
    w.ack(10_000);
    w.sends();
    w.now += ms(500);
    assert_eq!(w.limited(), (Limit::Idle, [130, 0, 70, 0]));
}

#[test]
fn an_end_stops_the_clocks() {
    let mut w = Wire::open(Peer { window: 1_000, ..Peer::default() }, TcpConfig::default());
    w.write(5 * MSS);
    w.sends();
    w.now += ms(80);
    w.conn.abort();
    w.sends();
    w.now += ms(500);
    assert_eq!(w.limited(), (Limit::Idle, [80, 80, 0, 0]));
}

#[test]
fn octets_and_segments_are_counted_both_ways() {
    let mut w = Wire::new();
    let before = w.seen().stats;
    // SYN and the ACK of the SYN-ACK; the SYN-ACK.
    assert_eq!((before.segments_out, before.segments_in), (2, 1));
    w.limits.segmentation = 65_535;
    w.write(4 * MSS + 10);
    assert_eq!(w.sends().len(), 1, "one super-segment");
    w.text(0, 300);
    w.text(300, 300);
    w.ack(MSS);
    let s = w.seen().stats;
    assert_eq!((s.segments_out, s.text_segments_out, s.octets_sent), (2 + 5, 5, 4_010));
    assert_eq!((s.segments_in, s.text_segments_in, s.octets_in), (1 + 3, 2, 600));
    assert_eq!((s.octets_acked, s.octets_retransmitted, s.drops), (1_000, 0, 0));
    let i = w.seen();
    assert_eq!((i.outstanding, i.not_sent, i.send_queue), (3_010, 0, 3_010));
}

#[test]
fn a_retransmission_is_counted_once_and_told_once() {
    let mut w = Wire::new();
    w.write(MSS);
    w.sends();
    assert_eq!(happenings(&mut w.conn), []);
    assert_eq!(w.wait(ms(300)).len(), 1);
    let s = w.seen().stats;
    assert_eq!((s.timeouts, s.retransmissions, s.segments_retransmitted), (1, 1, 1));
    assert_eq!((s.octets_sent, s.octets_retransmitted), (2_000, 1_000));
    let told = [(Happening::Timeout, 1), (Happening::SlowStartRetransmission, 1)];
    assert_eq!(happenings(&mut w.conn), told);
    assert_eq!(happenings(&mut w.conn), []);
    // RFC 2883: both copies arrived.
    w.sack(1_000, &[(0, 1_000)]);
    assert_eq!(happenings(&mut w.conn), [(Happening::Dsack, 1)]);
    assert_eq!(w.seen().stats.dsacks, 1);
    assert_eq!((w.seen().backoff, w.seen().attempts), (0, 0));
}

#[test]
fn segments_that_overtake_each_other_are_reordering() {
    let mut w = Wire::new();
    w.write(4 * MSS);
    w.sends();
    w.sack(0, &[(MSS, 2 * MSS)]);
    assert_eq!((w.seen().sacked, w.seen().stats.reorderings), (1_000, 0));
    // The first arrives late; it was never sent again.
    w.ack(2 * MSS);
    assert_eq!(w.seen().stats.reorderings, 1);
    // A later segment before an earlier one, told by SACK alone.
    w.sack(2 * MSS, &[(3 * MSS, 4 * MSS)]);
    w.ack(4 * MSS);
    assert_eq!(w.seen().stats.reorderings, 2);
    assert_eq!(happenings(&mut w.conn), [(Happening::Reordering, 2)]);
}

#[test]
fn a_repaired_loss_is_no_reordering() {
    let mut w = Wire::new();
    w.write(6 * MSS);
    w.sends();
    w.sack(0, &[(MSS, 5 * MSS)]);
    assert_eq!(w.seen().lost, 1_000);
    assert_eq!(w.sends().len(), 1, "the first, again");
    assert_eq!((w.seen().lost, w.seen().stats.octets_lost), (0, 1_000));
    w.ack(6 * MSS);
    let s = w.seen().stats;
    assert_eq!((s.reorderings, s.recoveries, s.segments_retransmitted), (0, 1, 1));
    let told = [(Happening::FastRetransmission, 1), (Happening::SackRecovery, 1)];
    assert_eq!(happenings(&mut w.conn), told);
}

#[test]
fn the_delivery_rate_is_what_arrived_in_a_round_trip() {
    let mut w = Wire::new();
    assert_eq!(w.seen().delivery_rate, 0);
    w.write(10 * MSS);
    w.sends();
    w.now += RTT;
    w.ack(10 * MSS);
    assert_eq!(w.seen().delivery_rate, 100_000);
    // A slower path: the same in twice the time.
    w.write(10 * MSS);
    w.sends();
    w.now += 2 * RTT;
    w.ack(20 * MSS);
    assert_eq!(w.seen().delivery_rate, 50_000);
}

#[test]
fn the_ages_count_from_the_last_of_each() {
    let mut w = Wire::new();
    assert_eq!((w.seen().since_text_sent, w.seen().since_text_received), (None, None));
    w.write(MSS);
    w.sends();
    w.now += ms(30);
    w.text(0, 100);
    w.now += ms(20);
    w.ack(MSS);
    w.now += ms(5);
    let i = w.seen();
    assert_eq!((i.since_text_sent, i.since_text_received), (Some(ms(55)), Some(ms(25))));
    assert_eq!((i.since_ack_received, i.age), (ms(5), RTT + ms(55)));
    // Without a clock: as of the last event.
    assert_eq!(w.conn.info().since_ack_received, Duration::ZERO);
}

#[test]
fn a_reader_that_stops_shows_as_a_window_of_zero() {
    let buffer = BufferLimits { initial: 2_000, max: 2_000 };
    let config = TcpConfig { receive_buffer: buffer, ..TcpConfig::default() };
    let mut w = Wire::open(Peer::default(), config);
    w.text(0, 1_000);
    w.text(1_000, 1_000);
    w.wait(ms(300));
    assert_eq!((w.seen().receive_window, w.seen().receive_queue), (0, 2_000));
    w.read(2_000);
    w.sends();
    let told = happenings(&mut w.conn);
    assert!(told.contains(&(Happening::ToZeroWindow, 1)), "{told:?}");
    assert!(told.contains(&(Happening::FromZeroWindow, 1)), "{told:?}");
}

#[test]
fn an_idle_connection_has_no_ledger() {
    let mut w = Wire::new();
    w.wait(ms(1000));
    assert!(w.conn.ledger.is_none());
    w.write(1);
    w.sends();
    assert!(w.conn.ledger.is_some());
}
