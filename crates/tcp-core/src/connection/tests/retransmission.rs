//! What is sent again, and when? Time-outs, fast retransmission with and without SACK, and the end
//! of patience (RFC 9293 3.8.1 to 3.8.3, RFC 6298, RFC 6675, RFC 6582).

use std::vec::Vec;

use super::super::{Events, SendReason, Timer};
use super::wire::{MSS, Peer, RTO, RTT, Wire, ms, ranges, times};
use crate::config::TcpConfig;
use crate::error::{End, IcmpError, Unreachable};
use crate::recovery::State;

fn no_sack() -> Wire {
    Wire::open(Peer { sack: false, ..Peer::default() }, TcpConfig::default())
}

/// `n` segments in flight, the first of which left at `w.now`.
fn in_flight(mut w: Wire, n: u32) -> Wire {
    w.write(n * MSS);
    assert_eq!(w.sends().len() as u32, n);
    w
}

// MUST-19, RFC 6298 5.4 to 5.6
#[test]
fn timeouts_double() {
    let mut config = TcpConfig::default();
    config.path_mtu.probing = crate::config::MtuProbing::Off;
    let mut w = in_flight(Wire::open(Peer::default(), config), 1);
    let start = w.now;
    let sent = w.wait(ms(40_000));
    assert_eq!(times(&sent, start), [300, 900, 2100, 4500, 9300, 18_900, 38_100]);
    assert!(sent.iter().all(|s| s.range() == (0, MSS) && s.reason == SendReason::Retransmission));
    let gaps = w.wait_for_end();
    let t = times(&gaps, start);
    assert!(t.windows(2).all(|p| p[1] - p[0] <= 120_000));
}

// RFC 6298 5.3: an ACK of new text starts the timer anew.
#[test]
fn progress_restarts_the_timer() {
    let mut w = in_flight(Wire::new(), 3);
    w.now += RTT;
    w.ack(1000);
    assert_eq!(w.deadline(Timer::Retransmit), Some(RTO));
    w.now += ms(50);
    w.ack(3000);
    assert_eq!(w.deadline(Timer::Retransmit), None, "RFC 6298 5.2");
}

// MUST-18, RFC 6298 3 and 5: Karn. Without timestamps the ACK of text sent twice measures nothing.
#[test]
fn the_ack_of_a_retransmission_is_no_measurement_and_keeps_the_backoff() {
    let mut w = in_flight(Wire::new(), 1);
    w.wait(ms(RTO));
    w.now += ms(5);
    w.ack(1000);
    let info = w.conn.info();
    assert_eq!((info.rtt, info.rto), (RTT, ms(2 * RTO)));
    w.write(MSS);
    w.sends();
    assert_eq!(w.deadline(Timer::Retransmit), Some(2 * RTO));
    w.now += RTT;
    w.ack(2000);
    assert_eq!(w.conn.info().rto, ms(RTO), "a text sent once is a measurement");
}

// RFC 5681 3.1: the loss window is one segment, then slow start.
#[test]
fn after_a_timeout_everything_goes_again_in_slow_start() {
    let mut w = in_flight(Wire::new(), 8);
    let sent = w.wait(ms(RTO));
    assert_eq!(ranges(&sent), [(0, 1000)]);
    w.now += RTT;
    w.ack(1000);
    assert_eq!(ranges(&w.sends()), [(1000, 2000), (2000, 3000)]);
    w.now += RTT;
    w.ack(3000);
    assert_eq!(w.sends().len(), 4);
    w.now += RTT;
    w.ack(8000);
    assert_eq!(w.conn.info().recovery, State::Open);
}

#[test]
fn a_late_ack_ends_the_repair() {
    let mut w = in_flight(Wire::new(), 8);
    w.wait(ms(RTO));
    w.ack(8000);
    w.write(MSS);
    assert_eq!(ranges(&w.sends()), [(8000, 9000)]);
}

#[test]
fn pure_acks_carry_snd_nxt_during_a_repair() {
    let mut w = in_flight(Wire::new(), 3);
    w.wait(ms(RTO));
    w.text(0, 2 * MSS);
    let sent = w.sends();
    assert_eq!((sent.len(), sent[0].seq, sent[0].ack), (1, 3000, 2000));
}

// RFC 6675 5: the third segment SACKed above the hole.
#[test]
fn sack_shows_a_loss() {
    let mut w = in_flight(Wire::new(), 5);
    w.now += RTT;
    w.sack(0, &[(1000, 2000)]);
    w.sack(0, &[(1000, 3000)]);
    assert_eq!(w.sends(), []);
    w.sack(0, &[(1000, 4000)]);
    let sent = w.sends();
    assert_eq!(ranges(&sent), [(0, 1000)]);
    assert_eq!(w.conn.info().recovery, State::Recovery);
    assert_eq!(w.deadline(Timer::Retransmit), Some(RTO));
    w.now += RTT;
    w.ack(5000);
    assert_eq!(w.conn.info().recovery, State::Open);
}

// RFC 6675 5: every hole is repaired in one round trip, new text afterwards.
#[test]
fn several_holes_are_repaired_before_new_text_goes() {
    let mut w = in_flight(Wire::new(), 10);
    w.write(10 * MSS);
    w.now += RTT;
    w.sack(1000, &[(9000, 10_000), (5000, 7000), (2000, 4000)]);
    let sent = ranges(&w.sends());
    assert_eq!(sent[..2], [(1000, 2000), (4000, 5000)], "{sent:?}");
    assert!(sent[2..].iter().all(|r| r.0 >= 10_000), "what is not lost is left: {sent:?}");
}

// RFC 5681 3.2
#[test]
fn three_duplicate_acks_show_a_loss() {
    let mut w = in_flight(no_sack(), 6);
    w.now += RTT;
    w.ack(0);
    w.ack(0);
    assert_eq!(w.sends(), []);
    w.ack(0);
    assert_eq!(ranges(&w.sends()), [(0, 1000)]);
    let info = w.conn.info();
    assert_eq!((info.recovery, info.stats.retransmissions), (State::Recovery, 1));
}

// RFC 5681 2: an ACK with another window is no duplicate.
#[test]
fn window_updates_are_no_duplicate_acks() {
    let mut w = in_flight(no_sack(), 6);
    w.now += RTT;
    for i in 0..8 {
        w.ack_window(0, 50_000 + i);
    }
    assert_eq!(w.sends(), []);
}

// RFC 6582 3.2 step 3
#[test]
fn a_partial_ack_repairs_the_next_hole_at_once() {
    let mut w = in_flight(no_sack(), 8);
    w.now += RTT;
    // 0, 3000 and 5000 are lost: five segments arrive.
    for _ in 0..5 {
        w.ack(0);
    }
    assert_eq!(ranges(&w.sends()), [(0, 1000)]);
    w.now += RTT;
    w.ack(3000);
    assert_eq!(ranges(&w.sends()), [(3000, 4000)]);
    w.now += RTT;
    w.ack(5000);
    assert_eq!(ranges(&w.sends()), [(5000, 6000)]);
    assert_eq!(w.conn.info().recovery, State::Recovery);
    w.now += RTT;
    w.ack(8000);
    let info = w.conn.info();
    assert_eq!((info.recovery, info.stats.timeouts), (State::Open, 0));
}

// RFC 3042
#[test]
fn limited_transmit_sends_a_new_segment_for_each_of_two_duplicates() {
    for sack in [true, false] {
        let mut w = Wire::open(Peer { sack, ..Peer::default() }, TcpConfig::default());
        w.write(20 * MSS);
        assert_eq!(w.sends().len(), 10);
        w.now += RTT;
        for (i, new) in [(0, 10_000), (1, 11_000)] {
            match sack {
                true => w.sack(0, &[(1000, 2000 + i * MSS)]),
                false => w.ack(0),
            };
            assert_eq!(ranges(&w.sends()), [(new, new + 1000)], "sack {sack}");
        }
    }
}

#[test]
fn a_super_segment_is_repaired_in_the_pieces_that_are_missing() {
    let mut w = Wire::new();
    w.limits.segmentation = 65_535;
    w.write(10 * MSS);
    assert_eq!(ranges(&w.sends()), [(0, 10_000)]);
    w.now += RTT;
    w.sack(1000, &[(2000, 4000), (5000, 7000), (8000, 10_000)]);
    let sent = w.sends();
    assert_eq!(ranges(&sent), [(1000, 2000), (4000, 5000)]);
    assert!(sent.iter().all(|s| s.gso.is_none()));
}

#[test]
fn after_a_timeout_a_super_segment_begins_with_one_segment() {
    let mut w = Wire::new();
    w.limits.segmentation = 65_535;
    w.write(10 * MSS);
    w.sends();
    let sent = w.wait(ms(RTO));
    assert_eq!((ranges(&sent), sent[0].gso), (std::vec![(0, 1000)], None));
    w.now += RTT;
    w.ack(1000);
    let sent = w.sends();
    assert_eq!((ranges(&sent), sent[0].gso), (std::vec![(1000, 3000)], Some(1000)));
}

#[test]
fn the_fin_is_sent_again_with_the_text_before_it() {
    let mut w = in_flight(Wire::new(), 1);
    w.conn.close_write().unwrap();
    assert_eq!(w.sends().len(), 1);
    let sent = w.wait(ms(RTO));
    assert_eq!(
        sent.iter()
            .map(|s| (s.range(), s.flags.contains(crate::wire::Flags::FIN)))
            .collect::<Vec<_>>(),
        [((0, 1000), true)]
    );
}

// MUST-20, SHLD-9, SHLD-10, SHLD-11
#[test]
fn r1_tells_and_r2_gives_up() {
    let mut w = in_flight(Wire::new(), 1);
    let start = w.now;
    w.conn.take_events();
    let mut sent = w.wait(ms(2000));
    assert_eq!(sent.len(), 2);
    assert!(!w.conn.take_events().contains(Events::TROUBLE));
    sent.extend(w.wait(ms(100)));
    assert_eq!(sent.len(), 3);
    assert!(w.conn.take_events().contains(Events::TROUBLE), "after three retransmissions");
    sent.extend(w.wait_for_end());
    assert_eq!(sent.len(), 15);
    assert!(w.now.since(start) > ms(100_000));
    assert_eq!(w.end(), Some(End::TimedOut));
    assert!(w.conn.take_events().contains(Events::ENDED));
}

// MUST-22: the SYN has the same two thresholds.
#[test]
fn a_syn_has_r1_and_r2_too() {
    let mut w = Wire::dial(Peer::default(), TcpConfig::default());
    let start = w.now;
    let sent = w.wait(ms(7000));
    assert_eq!(times(&sent, start), [1000, 3000, 7000]);
    assert!(w.conn.take_events().contains(Events::TROUBLE));
    w.wait_for_end();
    assert_eq!(w.end(), Some(End::TimedOut));
    // MUST-23
    assert!(w.now.since(start) >= ms(180_000));
}

#[test]
fn progress_gives_the_connection_all_its_retries_back() {
    let mut w = in_flight(Wire::new(), 2);
    w.wait(ms(10_000));
    assert_eq!(w.conn.info().attempts, 5);
    w.ack(1000);
    assert_eq!(w.conn.info().attempts, 0);
}

#[test]
fn an_orphan_is_given_fewer_retries() {
    let mut w = in_flight(Wire::new(), 1);
    w.conn.close(w.now);
    let sent = w.wait_for_end();
    // The FIN goes once beside the text, and with each of the eight retransmissions.
    assert_eq!(sent.iter().filter(|s| s.reason == SendReason::Retransmission).count(), 8);
    assert_eq!(w.end(), Some(End::TimedOut));
}

// RFC 5461 3: what ICMP said tells more than a time-out.
#[test]
fn a_soft_error_names_the_end_of_patience() {
    let mut w = in_flight(Wire::new(), 1);
    let host = Unreachable::Host;
    assert!(w.icmp(0, IcmpError::Unreachable(host)));
    let sent = w.wait_for_end();
    assert_eq!((sent.len(), w.end()), (15, Some(End::Unreachable(host))));
}

// What was unreachable before the peer answered is forgotten.
#[test]
fn a_soft_error_before_progress_is_no_reason_for_a_later_end() {
    let mut w = in_flight(Wire::new(), 1);
    assert!(w.icmp(0, IcmpError::Unreachable(Unreachable::Host)));
    w.ack(1000);
    w.write(MSS);
    w.wait_for_end();
    assert_eq!(w.end(), Some(End::TimedOut));
}
