//! What has been lost, and what is to be sent again? The combination of scoreboard, RTT and RTO:
//! RFC 6675 with SACK, RFC 6582 (NewReno) without, RFC 6298 for the timer. How much may be sent
//! is the congestion controller's answer; the caller carries [`Transition`]s and [`Timeout`]s over.

mod memory;
mod rto;
mod rtt;
mod sent;
mod told;

use core::time::Duration;

use self::rto::Rto;
use self::rtt::RttEstimator;
use self::sent::{Delivery, Scoreboard};
pub use self::told::State;
pub(crate) use self::told::{
    AckInput, AckOutcome, RateSample, RecoveryConfig, Timeout, Transition,
};
use crate::{Instant, SeqNum};

/// Timestamps round both ends of a measurement to milliseconds.
const CLOCK_TICK: Duration = Duration::from_millis(1);

/// [`State`] with the octet that ends it.
#[derive(Debug, Clone, Copy, Hash)]
enum Phase {
    Open,
    /// `point` is RecoveryPoint of RFC 6675 2, `recover` of RFC 6582 3.1.
    Recovery {
        point: SeqNum,
    },
    Loss {
        point: SeqNum,
        /// SND.UNA when the timer fired last.
        una: SeqNum,
    },
}

/// Loss recovery for the octets of one connection, SYN and FIN included.
///
/// The caller tells of transmissions ([`on_sent`](Self::on_sent),
/// [`on_retransmitted`](Self::on_retransmitted)), ACKs and timeouts, then sends what
/// [`next_retransmission`](Self::next_retransmission) names as the window permits, lost ranges
/// before new data.
#[derive(Debug, Clone)]
pub(crate) struct Recovery {
    board: Scoreboard,
    rtt: RttEstimator,
    rto: Rto,
    phase: Phase,
    /// Where the last repair ended, until an ACK covers more (RFC 6582 3.2 step 2).
    repaired_to: Option<SeqNum>,
    dup_threshold: u32,
    /// Duplicate ACKs since SND.UNA moved.
    dup_acks: u32,
    /// FlightSize at the first of these duplicates.
    dup_flight: u32,
    /// Octets that duplicate ACKs without SACK show to have left the network: what RFC 6582 calls
    /// inflating the window.
    departed: u32,
    /// The peer does not report with SACK.
    blind: bool,
}

impl Recovery {
    /// With nothing sent.
    pub(crate) fn new(config: &RecoveryConfig) -> Recovery {
        Recovery {
            board: Scoreboard::default(),
            rtt: RttEstimator::new(),
            rto: Rto::new(config.rto_initial, config.rto_min, config.rto_max),
            phase: Phase::Open,
            repaired_to: None,
            dup_threshold: config.dup_threshold.max(1),
            dup_acks: 0,
            dup_flight: 0,
            departed: 0,
            blind: false,
        }
    }

    /// `len` octets of sequence space went out for the first time, directly after what was sent
    /// before.
    pub(crate) fn on_sent(&mut self, now: Instant, start: SeqNum, len: u32) {
        self.board.on_sent(now, start, len);
    }

    /// `[start, start + len)` went out again, usually a part of
    /// [`next_retransmission`](Self::next_retransmission). What is not outstanding is ignored.
    pub(crate) fn on_retransmitted(&mut self, now: Instant, start: SeqNum, len: u32) {
        self.board.on_retransmitted(now, start, len);
    }

    /// Takes an ACK in.
    pub(crate) fn on_ack(&mut self, input: &AckInput<'_>) -> AckOutcome {
        let in_flight_before = self.in_flight();
        let flight_size = self.board.outstanding();
        let una = self.board.head().map(|r| r.start);
        self.blind = !input.sack_enabled;
        let mut delivery = Delivery::default();
        self.board.on_cumulative_ack(input.ack, &mut delivery);
        let dsack = input.sack_enabled && self.take_sacks(input, &mut delivery);
        let rtt = self.take_sample(input, &delivery, flight_size);
        let rate = self.take_rate(input.now, &delivery);
        if dsack && rtt.is_none() {
            self.end_backoff_if_answered(input, &delivery, una);
        }
        self.count_duplicates(input, &delivery, flight_size);
        let lost_before = self.board.lost();
        if input.sack_enabled {
            self.board.mark_lost(self.dup_threshold, input.mss);
        }
        let transition = self.advance(input, &delivery, flight_size);
        AckOutcome {
            newly_acked: delivery.acked,
            lost: self.board.lost() - lost_before,
            in_flight_before,
            rtt,
            transition,
            dsack,
            reordered: delivery.reordered,
            rate,
            state: self.state(),
        }
    }

    /// The retransmission timer fired: backs the timeout off (RFC 6298 5.5), takes everything as
    /// lost and repairs until all that is outstanding now is acknowledged.
    pub(crate) fn on_rto(&mut self) -> Timeout {
        self.rto.on_timeout();
        let in_flight = self.board.outstanding();
        let (Some(head), Some(point)) = (self.board.head(), self.board.end()) else {
            return Timeout { in_flight, repeated: false };
        };
        let una = head.start;
        let repeated = matches!(self.phase, Phase::Loss { una: before, .. } if before == una);
        self.phase = Phase::Loss { point, una };
        self.board.lose_all();
        self.dup_acks = 0;
        self.departed = 0;
        Timeout { in_flight, repeated }
    }

    /// What is in flight of `[from, to)` was too large for the path: lost, but not to congestion.
    /// It is repaired as in fast recovery; the congestion window has no part in it (RFC 1191 6.4,
    /// RFC 4821 7.6.2).
    pub(crate) fn on_too_big(&mut self, from: SeqNum, to: SeqNum) {
        self.board.lose_range(from, to);
        let Some(point) = self.board.end() else { return };
        if self.board.lost() > 0 && !matches!(self.phase, Phase::Loss { .. }) {
            self.phase = Phase::Recovery { point };
            self.dup_acks = 0;
            self.departed = self.departed.min(self.board.in_flight());
        }
    }

    /// The first lost range not sent again yet: its start and its length in octets. Cut it to what
    /// may be sent now and report that to [`on_retransmitted`](Self::on_retransmitted). Not joined
    /// with what follows beyond 64 KiB.
    pub(crate) fn next_retransmission(&self) -> Option<(SeqNum, u32)> {
        self.board.next_lost()
    }

    /// Octets in the network by our best knowledge: `pipe` of RFC 6675 4. What the congestion
    /// window is compared with.
    #[inline]
    pub(crate) fn in_flight(&self) -> u32 {
        self.board.in_flight().saturating_sub(self.departed)
    }

    /// Octets taken as lost and not sent again yet.
    pub(crate) fn lost(&self) -> u32 {
        self.board.lost()
    }

    /// Octets that the peer holds beyond a gap.
    pub(crate) fn sacked(&self) -> u32 {
        self.board.sacked()
    }

    /// Whether everything sent has been acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.board.head().is_none()
    }

    /// What is known of the round trip.
    pub(crate) fn rtt(&self) -> &RttEstimator {
        &self.rtt
    }

    /// The retransmission timeout.
    pub(crate) fn rto(&self) -> &Rto {
        &self.rto
    }

    /// The retransmission timeout, for events that only the connection sees: a lost SYN, the
    /// back-off of window probes.
    pub(crate) fn rto_mut(&mut self) -> &mut Rto {
        &mut self.rto
    }

    /// Where the repair stands.
    pub(crate) fn state(&self) -> State {
        match self.phase {
            Phase::Open => State::Open,
            Phase::Recovery { .. } => State::Recovery,
            Phase::Loss { .. } => State::Loss,
        }
    }

    /// Octets of new data that may go out beyond the congestion window: one segment for each of
    /// the first two duplicate ACKs (RFC 3042). Always 0 with SACK, where the duplicates' blocks
    /// have lowered [`in_flight`](Self::in_flight) already (RFC 6675 5 step 3).
    pub(crate) fn limited_transmit_allowance(&self, mss: u32) -> u32 {
        match self.phase {
            Phase::Open if self.blind => self.dup_acks.min(2).saturating_mul(mss),
            _ => 0,
        }
    }

    /// The connection is over: nothing that was sent is waited for.
    pub(crate) fn forget(&mut self) {
        self.board = Scoreboard::default();
    }

    /// Writes all that decides the future, with times as distances from `now`, or without times.
    #[cfg(feature = "explore")]
    pub(crate) fn canonical<H: core::hash::Hasher>(&self, now: Option<Instant>, h: &mut H) {
        use core::hash::Hash;
        let Recovery { board, rtt, rto, phase, repaired_to, dup_threshold: _, .. } = self;
        board.canonical(now, h);
        now.map(|_| (rtt.smoothed(), rtt.variation(), rto.base(), rto.backoff())).hash(h);
        (phase, repaired_to).hash(h);
        (self.dup_acks, self.dup_flight, self.departed, self.blind).hash(h);
    }

    /// Marks what the SACK blocks report; tells whether the first one is a DSACK.
    fn take_sacks(&mut self, input: &AckInput<'_>, delivery: &mut Delivery) -> bool {
        let Some((first, rest)) = input.sack.split_first() else { return false };
        // RFC 2883 4: below the cumulative ACK, or within the second block.
        let dsack = first.start.before(input.ack)
            || rest.first().is_some_and(|second| {
                first.start.at_or_after(second.start) && first.end.at_or_before(second.end)
            });
        for block in if dsack { rest } else { input.sack } {
            self.board.on_sack(*block, delivery);
        }
        dsack
    }

    /// Feeds estimator and timeout. The scoreboard's measurement comes first, a timestamp has only
    /// milliseconds; but it is there after retransmissions too (RFC 7323 4.1).
    fn take_sample(
        &mut self,
        input: &AckInput<'_>,
        delivery: &Delivery,
        flight_size: u32,
    ) -> Option<Duration> {
        // Karn's rule with timestamps: an echo older than the retransmission tells that the first
        // copy had arrived, and the wait was for an ACK that was lost, or for a time-out that
        // came too early. Neither is a round trip; taken as one, each lost ACK of a bad path
        // would add a whole back-off to the timeout.
        let path = |rtt: &Duration| match delivery.retransmission_acked {
            Some(again) => *rtt <= input.now.since(again) + CLOCK_TICK,
            None => true,
        };
        let echoed = input.timestamp_rtt.filter(|_| delivery.acked > 0).filter(path);
        let rtt = delivery.sample.map(|sent| input.now.since(sent)).or(echoed)?;
        // Each ACK weighs as much as its share of the flight.
        self.rtt.on_sample(rtt, flight_size / delivery.delivered.max(delivery.acked).max(1));
        self.rto.on_sample(&self.rtt);
        Some(rtt)
    }

    /// A sample shorter than the shortest round trip is of a retransmission whose first copy was
    /// acknowledged.
    fn take_rate(&mut self, now: Instant, delivery: &Delivery) -> Option<RateSample> {
        let (sent, octets) = self.board.on_delivered(delivery)?;
        let interval = now.since(sent);
        let least = self.rtt.min().unwrap_or_default().max(Duration::from_nanos(1));
        (octets > 0 && interval >= least).then_some(RateSample { octets, interval })
    }

    /// The ACK moves only now because an earlier one was lost: the peer reports as a duplicate
    /// what was just sent again (RFC 2883 4). If its answer came within the plain timeout, a
    /// longer one has no reason any more, although nothing could be measured. Otherwise each lost
    /// ACK of a bad path would leave its back-off to the next loss.
    fn end_backoff_if_answered(
        &mut self,
        input: &AckInput<'_>,
        delivery: &Delivery,
        una: Option<SeqNum>,
    ) {
        let (Some(again), Some(una)) = (delivery.retransmission_acked, una) else { return };
        let reported = input.sack.first().is_some_and(|b| b.start.at_or_after(una));
        if reported && input.now.since(again) <= self.rto.base() {
            self.rto.on_progress();
        }
    }

    fn count_duplicates(&mut self, input: &AckInput<'_>, delivery: &Delivery, flight_size: u32) {
        if delivery.acked > 0 {
            self.dup_acks = 0;
            if self.repaired_to.is_some_and(|p| input.ack.after(p)) {
                self.repaired_to = None;
            }
        }
        // With SACK a duplicate is what brings news (RFC 6675 2), whether the ACK moves or not. A
        // peer that permitted SACK but sends no block is still understood.
        let duplicate = match input.sack_enabled {
            true => delivery.sacked > 0 || (input.duplicate && input.sack.is_empty()),
            false => input.duplicate,
        };
        if duplicate && !self.is_empty() {
            if self.dup_acks == 0 {
                self.dup_flight = flight_size;
            }
            self.dup_acks = self.dup_acks.saturating_add(1);
        }
    }

    /// Moves the phase on.
    fn advance(&mut self, input: &AckInput<'_>, delivery: &Delivery, flight: u32) -> Transition {
        let acked = delivery.acked;
        match self.phase {
            Phase::Open if self.shows_loss(input, delivery) => self.enter(input, flight),
            Phase::Open => Transition::None,
            Phase::Recovery { point } if acked > 0 && input.ack.at_or_after(point) => {
                self.leave(input, point, flight, Transition::LeftRecovery)
            }
            Phase::Loss { point, .. } if acked > 0 && input.ack.at_or_after(point) => {
                self.leave(input, point, flight, Transition::LeftLoss)
            }
            Phase::Recovery { .. } if acked > 0 => {
                self.on_partial_ack(input, delivery);
                Transition::PartialAck { acked }
            }
            Phase::Loss { .. } if acked > 0 => Transition::PartialAck { acked },
            Phase::Recovery { .. } if self.blind && input.duplicate => {
                // RFC 6582 3.2 step 4 (RFC 5681 3.2 step 4): another segment has left.
                self.depart(input.mss);
                Transition::None
            }
            Phase::Recovery { .. } | Phase::Loss { .. } => Transition::None,
        }
    }

    /// RFC 6675 5 steps 1 and 2; RFC 6582 3.2 step 2.
    fn shows_loss(&self, input: &AckInput<'_>, delivery: &Delivery) -> bool {
        if self.board.lost() > 0 {
            return true;
        }
        // Duplicates of the ACK that ended a repair come from what was sent again in vain, also
        // after a timeout (RFC 6582 3.2 step 2 and 4). News in SACK blocks can't.
        let careful = delivery.sacked == 0 && self.repaired_to == Some(input.ack);
        self.dup_acks >= self.dup_threshold && !careful && !self.is_empty()
    }

    fn enter(&mut self, input: &AckInput<'_>, flight_size: u32) -> Transition {
        let Some(point) = self.board.end() else { return Transition::None };
        self.phase = Phase::Recovery { point };
        // RFC 6675 5 step 4.3, RFC 5681 3.2 step 3: the first segment is presumed lost.
        self.board.mark_head_lost(input.mss);
        self.departed = 0;
        if self.blind {
            // RFC 5681 3.2 step 3: the segments that caused the duplicates have left.
            self.depart(self.dup_acks.saturating_mul(input.mss));
        }
        let in_flight = if self.dup_acks > 0 { self.dup_flight } else { flight_size };
        Transition::EnteredRecovery { in_flight }
    }

    fn leave(
        &mut self,
        input: &AckInput<'_>,
        point: SeqNum,
        flight_size: u32,
        left: Transition,
    ) -> Transition {
        self.phase = Phase::Open;
        self.departed = 0;
        self.repaired_to = (input.ack == point).then_some(point);
        if self.board.lost() > 0 { self.enter(input, flight_size) } else { left }
    }

    fn on_partial_ack(&mut self, input: &AckInput<'_>, delivery: &Delivery) {
        if self.blind {
            // RFC 6582 3.2 step 3: deflate by what was acknowledged, less one segment: the
            // repaired one had produced no duplicate.
            let deflated = delivery.acked.saturating_sub(input.mss);
            self.departed = self.departed.saturating_sub(deflated);
        }
        // The ACK stops at what is missing next (RFC 6582 3.2 step 3). With SACK this takes the
        // place of the rescue retransmission of RFC 6675 5 NextSeg rule 4, for the end of a flight
        // that too little data follows.
        if self.blind || (delivery.retransmission_acked.is_some() && self.board.lost() == 0) {
            self.board.mark_head_lost(input.mss);
        }
        self.depart(0);
    }

    /// Counts `octets` as departed, at most what is in flight.
    fn depart(&mut self, octets: u32) {
        self.departed = self.departed.saturating_add(octets).min(self.board.in_flight());
    }
}

#[cfg(test)]
mod tests;
