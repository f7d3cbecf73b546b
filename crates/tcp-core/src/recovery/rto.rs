//! How long to wait before retransmitting? RFC 6298 2 and 5: the timeout and its back-off.
//! The timer itself belongs to the connection, the measurement to
//! [`RttEstimator`].

use core::time::Duration;

use super::rtt::RttEstimator;

/// RFC 6298 2.1: before any measurement.
pub(crate) const INITIAL: Duration = Duration::from_secs(1);
/// Linux's floor; see [`Rto`] for how it applies. RFC 6298 2.4 says one second.
pub(crate) const MIN: Duration = Duration::from_millis(200);
/// RFC 6298 2.5: a maximum is allowed from 60 s on; Linux has 120 s.
pub(crate) const MAX: Duration = Duration::from_secs(120);
/// RFC 6298 5.7: the timeout with which data starts after a lost SYN.
const AFTER_LOST_SYN: Duration = Duration::from_secs(3);
/// RFC 6298 2: the clock granularity G; deadlines are not kept more exactly.
const GRANULARITY: Duration = Duration::from_millis(1);

/// The retransmission timeout with its back-off.
///
/// The floor departs from RFC 6298 2.4, which rounds up to one second, and follows Linux: the term
/// `4 * RTTVAR` is never below `min`, so the timeout is at least `SRTT + min`. On a steady path
/// RTTVAR falls to nothing, and a floor under the sum would then fire on every delayed ACK as soon
/// as SRTT exceeds it.
#[derive(Debug, Clone)]
pub(crate) struct Rto {
    /// In nanoseconds, as the bounds: a connection is to be small.
    base: u64,
    min: u64,
    max: u64,
    /// How often [`base`](Self::base) is doubled.
    backoff: u8,
}

impl Rto {
    /// A timeout of `initial` until the first measurement, with `min` below its variation term and
    /// never above `max`.
    pub(crate) fn new(initial: Duration, min: Duration, max: Duration) -> Rto {
        let (initial, min, max) = (nanos(initial), nanos(min), nanos(max));
        Rto { base: initial.min(max), min: min.min(max), max, backoff: 0 }
    }

    /// The timeout to arm now, back-off included.
    pub(crate) fn current(&self) -> Duration {
        // RFC 6298 2.5: the maximum bounds the backed-off value too.
        Duration::from_nanos(self.base.saturating_mul(1 << self.backoff).min(self.max))
    }

    /// The timeout without back-off.
    pub(crate) fn base(&self) -> Duration {
        Duration::from_nanos(self.base)
    }

    /// How many times in a row the timer has fired.
    pub(crate) fn backoff(&self) -> u8 {
        self.backoff
    }

    /// A new measurement went into `rtt`: computes the timeout anew and drops the back-off, which
    /// lasted until a valid measurement (RFC 6298 2.3 and 5, Karn).
    pub(crate) fn on_sample(&mut self, rtt: &RttEstimator) {
        let (Some(srtt), Some(var)) = (rtt.smoothed(), rtt.variation()) else { return };
        // RFC 6298 2.3: SRTT + max(G, K * RTTVAR), K = 4
        let margin = nanos(var).saturating_mul(4).max(self.min).max(nanos(GRANULARITY));
        self.base = nanos(srtt).saturating_add(margin).min(self.max);
        self.on_progress();
    }

    /// The timer fired: doubles the timeout (RFC 6298 5.5, MUST-19), up to the maximum.
    pub(crate) fn on_timeout(&mut self) {
        if nanos(self.current()) < self.max {
            // 2^31 times the least base is beyond any sensible maximum.
            self.backoff = (self.backoff + 1).min(31);
        }
    }

    /// A valid new ACK arrived: drops the back-off.
    pub(crate) fn on_progress(&mut self) {
        self.backoff = 0;
    }

    /// Data transfer begins and the SYN had timed out: at least 3 s from here to the first
    /// measurement (RFC 6298 5.7).
    pub(crate) fn on_syn_timed_out(&mut self) {
        self.base = self.base.max(nanos(AFTER_LOST_SYN)).min(self.max);
        self.backoff = 0;
    }
}

/// 584 years at most.
fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn doubles_up_to_the_maximum_and_collapses_on_a_measurement() {
        // RFC 6298 2.1, 2.5, 5.5; MUST-19
        let mut rto = Rto::new(INITIAL, MIN, MAX);
        let mut waits = std::vec::Vec::new();
        for _ in 0..10 {
            waits.push(rto.current().as_secs());
            rto.on_timeout();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]);
        let mut rtt = RttEstimator::new();
        rtt.on_sample(ms(300), 1);
        rto.on_sample(&rtt);
        assert_eq!(rto.current(), ms(300 + 4 * 150));
        assert_eq!(rto.backoff(), 0);
    }

    #[test]
    fn a_steady_path_keeps_the_floor_above_the_round_trip() {
        let mut rto = Rto::new(INITIAL, MIN, MAX);
        let mut rtt = RttEstimator::new();
        for _ in 0..200 {
            rtt.on_sample(ms(400), 1);
        }
        rto.on_sample(&rtt);
        assert_eq!(rto.current().as_millis(), 600);
    }

    #[test]
    fn three_seconds_after_a_lost_syn() {
        // RFC 6298 5.7
        let mut rto = Rto::new(INITIAL, MIN, MAX);
        rto.on_timeout();
        rto.on_syn_timed_out();
        assert_eq!(rto.current(), Duration::from_secs(3));
        let mut tight = Rto::new(INITIAL, MIN, Duration::from_secs(2));
        tight.on_syn_timed_out();
        assert_eq!(tight.current(), Duration::from_secs(2));
    }

    #[test]
    fn odd_bounds_do_no_harm() {
        let mut rto = Rto::new(Duration::ZERO, Duration::MAX, Duration::MAX);
        for _ in 0..300 {
            rto.on_timeout();
        }
        let mut rtt = RttEstimator::new();
        rtt.on_sample(ms(1), 1);
        rto.on_sample(&rtt);
        assert_eq!(rto.current(), Duration::from_nanos(u64::MAX), "584 years are for ever");
    }
}
