//! Loss recovery as conversations: what is sent, which ACKs come, what follows.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::wire::SackBlock;

const MSS: u32 = 1_000;
const RTT: Duration = Duration::from_millis(100);

/// The sender's side: sequence numbers count from 0 in segments.
struct Talk {
    recovery: Recovery,
    now: Instant,
    una: u32,
    nxt: u32,
    sack_enabled: bool,
}

impl Talk {
    fn new(sack_enabled: bool) -> Talk {
        let recovery = Recovery::new(&RecoveryConfig::default());
        Talk { recovery, now: Instant::from_millis(1), una: 0, nxt: 0, sack_enabled }
    }

    fn send(&mut self, segments: u32) -> &mut Talk {
        self.recovery.on_sent(self.now, SeqNum(self.nxt * MSS), segments * MSS);
        self.nxt += segments;
        self
    }

    fn wait(&mut self, d: Duration) -> &mut Talk {
        self.now += d;
        self
    }

    /// An ACK up to segment `ack` with blocks in segments.
    fn ack(&mut self, ack: u32, blocks: &[(u32, u32)]) -> AckOutcome {
        let sack: Vec<_> = blocks.iter().map(|&(a, b)| block(a * MSS, b * MSS)).collect();
        let duplicate = ack == self.una && self.una != self.nxt;
        let input = AckInput { duplicate, sack: &sack, ..self.input(ack) };
        self.una = ack;
        self.recovery.on_ack(&input)
    }

    fn input(&self, ack: u32) -> AckInput<'static> {
        AckInput {
            now: self.now,
            ack: SeqNum(ack * MSS),
            sack: &[],
            sack_enabled: self.sack_enabled,
            duplicate: false,
            timestamp_rtt: None,
            mss: MSS,
        }
    }

    /// Sends up to `segments` of what is to be sent again: the first and how many went.
    fn resend(&mut self, segments: u32) -> Option<(u32, u32)> {
        let (start, len) = self.recovery.next_retransmission()?;
        let len = len.min(segments * MSS);
        self.recovery.on_retransmitted(self.now, start, len);
        Some((start.0 / MSS, len / MSS))
    }

    fn in_flight(&self) -> u32 {
        self.recovery.in_flight() / MSS
    }
}

fn block(start: u32, end: u32) -> SackBlock {
    SackBlock { start: SeqNum(start), end: SeqNum(end) }
}

#[test]
fn sack_three_ranges_enter_recovery_once() {
    // RFC 6675 2, 4, 5
    let mut t = Talk::new(true);
    t.send(10).wait(RTT);
    assert_eq!(t.ack(0, &[(1, 2)]).transition, Transition::None);
    assert_eq!(t.ack(0, &[(1, 3)]).transition, Transition::None);
    assert_eq!(t.in_flight(), 8);
    let third = t.ack(0, &[(1, 4)]);
    assert_eq!(third.transition, Transition::EnteredRecovery { in_flight: 10 * MSS });
    assert_eq!((third.lost, third.state), (MSS, State::Recovery));
    assert_eq!(t.in_flight(), 6);
    assert_eq!(t.resend(64), Some((0, 1)));
    assert_eq!(t.resend(64), None);
    assert_eq!(t.in_flight(), 7);
    // A second loss in the same window does not reduce again.
    let more = t.ack(0, &[(5, 9), (1, 4)]);
    assert_eq!((more.transition, more.lost), (Transition::None, MSS));
    assert_eq!(t.resend(64), Some((4, 1)));
    t.send(1);
    let partial = t.ack(4, &[(5, 9)]);
    assert_eq!(partial.transition, Transition::PartialAck { acked: 4 * MSS });
    let full = t.ack(10, &[]);
    assert_eq!((full.transition, full.state), (Transition::LeftRecovery, State::Open));
    assert_eq!(t.in_flight(), 1);
}

#[test]
fn sack_one_ack_with_enough_octets_is_enough() {
    // RFC 6675 5 step 2, IsLost by octets: one ACK for a whole super-segment
    let mut t = Talk::new(true);
    t.send(40).wait(RTT);
    let first = t.ack(0, &[(2, 40)]);
    assert_eq!(first.transition, Transition::EnteredRecovery { in_flight: 40 * MSS });
    assert_eq!(t.resend(64), Some((0, 2)));
    assert_eq!(t.in_flight(), 2);
}

#[test]
fn sack_news_counts_as_duplicate_even_when_the_ack_moves() {
    // RFC 6675 2
    let mut t = Talk::new(true);
    t.send(10).wait(RTT);
    t.ack(1, &[(2, 3)]);
    assert_eq!(t.recovery.dup_acks, 1);
    t.ack(1, &[(2, 3)]);
    assert_eq!(t.recovery.dup_acks, 1, "nothing new");
    t.ack(1, &[(5, 6), (2, 3)]);
    let third = t.ack(1, &[(8, 9), (5, 6), (2, 3)]);
    assert_eq!(third.transition, Transition::EnteredRecovery { in_flight: 10 * MSS });
    assert_eq!(t.resend(64), Some((1, 1)));
}

#[test]
fn sack_the_flight_is_measured_before_limited_transmit() {
    // RFC 5681 3.2 step 2
    let mut t = Talk::new(true);
    t.send(10).wait(RTT);
    t.ack(0, &[(1, 2)]);
    t.send(1);
    t.ack(0, &[(1, 3)]);
    t.send(1);
    assert_eq!(t.ack(0, &[(1, 4)]).transition, Transition::EnteredRecovery { in_flight: 10 * MSS });
    assert_eq!(t.recovery.limited_transmit_allowance(MSS), 0);
}

#[test]
fn sack_loss_of_what_was_sent_during_recovery_is_a_new_event() {
    let mut t = Talk::new(true);
    t.send(5).wait(RTT);
    t.ack(0, &[(1, 5)]);
    assert_eq!(t.resend(1), Some((0, 1)));
    t.send(5).wait(RTT);
    let out = t.ack(5, &[(6, 10)]);
    assert_eq!(out.transition, Transition::EnteredRecovery { in_flight: 10 * MSS });
    assert_eq!(t.resend(64), Some((5, 1)));
    assert_eq!(t.ack(10, &[]).transition, Transition::LeftRecovery);
}

#[test]
fn sack_the_end_of_a_flight_is_rescued_without_the_timer() {
    // RFC 6675 5 NextSeg rule 4
    let mut t = Talk::new(true);
    t.send(10).wait(RTT);
    t.ack(0, &[(1, 9)]);
    assert_eq!(t.resend(64), Some((0, 1)));
    t.wait(RTT);
    assert!(matches!(t.ack(9, &[]).transition, Transition::PartialAck { .. }));
    assert_eq!(t.resend(64), Some((9, 1)));
    assert_eq!(t.ack(10, &[]).transition, Transition::LeftRecovery);
}

#[test]
fn sack_a_peer_without_blocks_is_still_understood() {
    let mut t = Talk::new(true);
    t.send(10).wait(RTT);
    t.ack(0, &[]);
    t.ack(0, &[]);
    assert!(matches!(t.ack(0, &[]).transition, Transition::EnteredRecovery { .. }));
    assert_eq!(t.resend(64), Some((0, 1)));
}

#[test]
fn sack_a_dsack_is_reported_and_is_no_news() {
    // RFC 2883 4
    let mut t = Talk::new(true);
    t.send(10).wait(RTT);
    t.ack(4, &[]);
    for blocks in [&[(1, 2)][..], &[(6, 7), (5, 7)], &[(3, 4), (5, 7)]] {
        let out = t.ack(4, blocks);
        assert!(out.dsack, "{blocks:?}");
    }
    assert_eq!((t.in_flight(), t.recovery.dup_acks), (4, 1));
    assert!(!t.ack(4, &[(5, 7)]).dsack);
    t.sack_enabled = false;
    assert!(!t.ack(4, &[(1, 2)]).dsack);
}

#[test]
fn newreno_conversation() {
    // RFC 6582 3.2 steps 2 to 4; RFC 3042
    let mut t = Talk::new(false);
    t.send(10).wait(RTT);
    for dup in 1..=2 {
        assert_eq!(t.ack(0, &[]).transition, Transition::None);
        assert_eq!(t.recovery.limited_transmit_allowance(MSS), dup * MSS);
        assert_eq!(t.in_flight(), 9 + dup);
        t.send(1);
    }
    let third = t.ack(0, &[]);
    assert_eq!(third.transition, Transition::EnteredRecovery { in_flight: 10 * MSS });
    assert_eq!(t.recovery.limited_transmit_allowance(MSS), 0);
    // 12 out, three have left, one is lost.
    assert_eq!(t.in_flight(), 8);
    // Only the first segment of the super-segment is sent again.
    assert_eq!(t.resend(64), Some((0, 1)));
    assert_eq!(t.in_flight(), 9);
    t.ack(0, &[]);
    assert_eq!(t.in_flight(), 8, "each further duplicate inflates by one segment");
    // Partial: segment 4 is missing too. Four duplicates less the three that this ACK explains.
    let partial = t.ack(4, &[]);
    assert_eq!(partial.transition, Transition::PartialAck { acked: 4 * MSS });
    assert_eq!(t.in_flight(), 12 - 4 - 1 - 1);
    assert_eq!(t.resend(64), Some((4, 1)));
    let full = t.ack(12, &[]);
    assert_eq!(full.transition, Transition::LeftRecovery);
    assert_eq!(t.in_flight(), 0);
}

#[test]
fn newreno_duplicates_after_a_repair_are_not_a_loss() {
    // RFC 6582 3.2 step 2 and 4: the careful variant
    let mut t = Talk::new(false);
    t.send(5).wait(RTT);
    let timeout = t.recovery.on_rto();
    assert_eq!(timeout, Timeout { in_flight: 5 * MSS, repeated: false });
    assert_eq!(t.resend(1), Some((0, 1)));
    for _ in 0..5 {
        assert_eq!(t.ack(0, &[]).transition, Transition::None, "in the loss state");
    }
    assert_eq!(t.ack(5, &[]).transition, Transition::LeftLoss);
    t.send(10);
    for _ in 0..4 {
        assert_eq!(t.ack(5, &[]).transition, Transition::None, "nothing beyond the point");
    }
    t.ack(6, &[]);
    t.ack(6, &[]);
    t.ack(6, &[]);
    assert!(matches!(t.ack(6, &[]).transition, Transition::EnteredRecovery { .. }));
}

#[test]
fn newreno_floods_of_duplicates_do_no_harm() {
    let mut t = Talk::new(false);
    t.send(5);
    for _ in 0..10_000 {
        t.ack(0, &[]);
    }
    assert_eq!(t.in_flight(), 0);
    t.send(5);
    assert!(t.in_flight() <= 5);
}

#[test]
fn a_timeout_loses_all_and_forgets_sacks() {
    // RFC 6298 5.4 to 5.6, RFC 2018 8, RFC 5681 3.1
    let mut t = Talk::new(true);
    t.send(10).wait(RTT);
    t.ack(0, &[(3, 5)]);
    t.wait(t.recovery.rto().current());
    let before = t.recovery.rto().current();
    assert_eq!(t.recovery.on_rto(), Timeout { in_flight: 10 * MSS, repeated: false });
    assert_eq!(t.recovery.rto().current(), before * 2);
    assert_eq!((t.in_flight(), t.recovery.state()), (0, State::Loss));
    assert_eq!(t.resend(1), Some((0, 1)));
    assert_eq!(t.in_flight(), 1);
    t.wait(before * 2);
    assert!(t.recovery.on_rto().repeated);
    assert_eq!(t.resend(1), Some((0, 1)));
    let out = t.ack(3, &[]);
    assert_eq!(out.transition, Transition::PartialAck { acked: 3 * MSS });
    assert_eq!(t.resend(1), Some((3, 1)));
    assert!(!t.recovery.on_rto().repeated);
    let out = t.ack(5, &[]);
    assert_eq!(out.newly_acked, 2 * MSS);
    assert_eq!(t.resend(64), Some((5, 5)));
    assert_eq!(t.ack(10, &[]).transition, Transition::LeftLoss);
    assert!(t.recovery.is_empty());
    assert_eq!(t.recovery.on_rto(), Timeout { in_flight: 0, repeated: false });
    assert_eq!(t.recovery.state(), State::Open);
}

#[test]
fn karn_measures_only_what_was_sent_once() {
    // MUST-18, RFC 6298 3
    let mut t = Talk::new(true);
    t.send(1).wait(RTT);
    assert_eq!(t.ack(1, &[]).rtt, Some(RTT));
    let rto = t.recovery.rto().current();
    t.send(3).wait(rto);
    t.recovery.on_rto();
    assert_eq!(t.resend(1), Some((1, 1)));
    t.wait(RTT);
    assert_eq!(t.ack(2, &[]).rtt, None);
    assert_eq!(t.recovery.rto().current(), rto * 2, "the back-off lasts until a measurement");
    // With a timestamp that echoes the second copy the measurement is valid.
    assert_eq!(t.resend(1), Some((2, 1)));
    t.wait(RTT);
    let input = AckInput { timestamp_rtt: Some(RTT), ..t.input(3) };
    assert_eq!(t.recovery.on_ack(&input).rtt, Some(RTT));
    assert!(t.recovery.rto().current() < rto * 2);
    // One that echoes the first, or comes without progress, is not.
    t.send(1).wait(rto);
    t.recovery.on_rto();
    assert_eq!(t.resend(1), Some((3, 1)));
    t.wait(RTT);
    let input = AckInput { timestamp_rtt: Some(rto + RTT), ..t.input(4) };
    assert_eq!(t.recovery.on_ack(&input).rtt, None);
    let input = AckInput { timestamp_rtt: Some(RTT), ..t.input(4) };
    assert_eq!(t.recovery.on_ack(&input).rtt, None);
}

#[test]
fn the_newest_delivery_is_measured_also_by_sack() {
    let mut t = Talk::new(true);
    t.send(1).wait(RTT / 2).send(1).send(1).wait(RTT / 2);
    assert_eq!(t.ack(0, &[(2, 3)]).rtt, Some(RTT / 2));
    assert_eq!(t.ack(1, &[(2, 3)]).rtt, Some(RTT));
}

#[test]
fn memory_of_a_burst_is_given_back() {
    let mut t = Talk::new(true);
    for _ in 0..1_000 {
        t.send(1).wait(Duration::from_micros(1));
    }
    t.ack(1_000, &[]);
    t.recovery.release_memory();
    assert!(t.recovery.is_empty());
    assert!(size_of::<Recovery>() <= 256, "{}", size_of::<Recovery>());
}

/// A receiver at the far end of a link that drops what `drops` says, one entry a transmission of
/// one segment; a round trip is one turn of the loop.
struct Link {
    talk: Talk,
    received: Vec<bool>,
    drops: Vec<bool>,
    sent: usize,
}

impl Link {
    fn transmit(&mut self, segment: u32) -> bool {
        let dropped = self.drops.get(self.sent).copied().unwrap_or(false);
        self.sent += 1;
        !dropped && !std::mem::replace(&mut self.received[segment as usize], true)
    }

    /// The ACK for the arrival of `segment`: the block with it first (RFC 2018 4), three at most.
    fn answer(&mut self, segment: u32) {
        let total = self.received.len() as u32;
        let ack = (0..total).find(|&s| !self.received[s as usize]).unwrap_or(total);
        let mut blocks = Vec::new();
        let mut s = ack;
        while s < total {
            let end = (s..total).find(|&e| !self.received[e as usize]).unwrap_or(total);
            if end > s {
                blocks.push((s, end));
            }
            s = end.max(s) + 1;
        }
        blocks.sort_by_key(|&(a, b)| !(a..b).contains(&segment));
        blocks.truncate(if self.talk.sack_enabled { 3 } else { 0 });
        self.talk.ack(ack, &blocks);
    }

    /// Sends as a window of `cwnd` segments permits; returns what arrived.
    fn burst(&mut self, cwnd: u32) -> Vec<u32> {
        let mut arrived = Vec::new();
        while self.talk.in_flight() < cwnd {
            let segment = match self.talk.resend(1) {
                Some((segment, 1)) => segment,
                Some(other) => panic!("a segment was asked for: {other:?}"),
                None if self.talk.nxt < self.received.len() as u32 => {
                    self.talk.send(1);
                    self.talk.nxt - 1
                }
                None => break,
            };
            if self.transmit(segment) {
                arrived.push(segment);
            }
        }
        arrived
    }
}

proptest! {
    #[test]
    fn everything_arrives_whatever_is_dropped(
        drops in prop::collection::vec(prop::bool::weighted(0.25), 0..150),
        sack in any::<bool>(),
        cwnd in 1u32..30,
    ) {
        let received = vec![false; 100];
        let mut link = Link { talk: Talk::new(sack), received, drops, sent: 0 };
        for _ in 0..600 {
            let arrived = link.burst(cwnd);
            link.talk.wait(RTT);
            if arrived.is_empty() {
                let rto = link.talk.recovery.rto().current();
                link.talk.wait(rto);
                link.talk.recovery.on_rto();
            }
            for segment in arrived {
                link.answer(segment);
            }
            if link.talk.una == 100 {
                break;
            }
        }
        prop_assert_eq!(link.talk.una, 100);
        prop_assert!(link.talk.recovery.is_empty());
        prop_assert_eq!(link.talk.recovery.in_flight(), 0);
        // Nothing is sent much more often than the drops and timeouts explain.
        prop_assert!(link.sent < 1_000, "{}", link.sent);
    }

    #[test]
    fn a_hostile_peer_breaks_nothing(
        isn: u32,
        acks in prop::collection::vec(
            (any::<bool>(), 0u32..70_000, 0u32..70_000, 0u32..70_000, 0u8..4, 0u32..3_000), 1..80),
    ) {
        let mut recovery = Recovery::new(&RecoveryConfig::default());
        let mut now = Instant::ZERO;
        let (mut una, mut nxt) = (SeqNum(isn), SeqNum(isn));
        for (sack_enabled, a, b, c, act, mss) in acks {
            now += Duration::from_millis(u64::from(a % 7));
            recovery.on_sent(now, nxt, b / 4);
            nxt += b / 4;
            let ack = una + (c % 5_000).min(nxt.distance_from(una));
            una = ack;
            let at = |x: u32| una - 1_000 + x;
            let sack = [
                SackBlock { start: at(a), end: at(b) },
                SackBlock { start: at(b.min(c)), end: at(c.max(b)) },
            ];
            recovery.on_ack(&AckInput {
                now,
                ack,
                sack: &sack,
                sack_enabled,
                duplicate: act == 1,
                timestamp_rtt: (act == 2).then_some(Duration::from_millis(u64::from(c))),
                mss: mss + 1,
            });
            if act == 3 && a % 5 == 0 {
                recovery.on_rto();
            }
            if let Some((start, len)) = recovery.next_retransmission() {
                prop_assert!(len > 0 && start.at_or_after(una));
                prop_assert!((start + len).at_or_before(nxt));
                recovery.on_retransmitted(now, start, len.min(mss + 1));
            }
            prop_assert!(recovery.in_flight() <= nxt.distance_from(una));
            prop_assert_eq!(recovery.is_empty(), una == nxt);
        }
    }
}
