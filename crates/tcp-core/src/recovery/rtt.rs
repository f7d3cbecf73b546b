//! How long is a round trip, and how much does it vary? (RFC 6298 2, RFC 7323 4.2 and G)
//! Which segments may be measured is decided by the scoreboard (Karn), what follows for the timer
//! by [`Rto`](super::rto::Rto).

use core::num::NonZeroU64;
use core::time::Duration;

/// The smoothed round-trip time and its variation (RFC 6298 2).
#[derive(Debug, Clone, Default)]
pub(crate) struct RttEstimator {
    estimate: Option<Estimate>,
}

/// All in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Estimate {
    srtt: u64,
    rttvar: u64,
    min: u64,
    /// Plus one: an estimate that is never zero makes the `Option` around it free.
    latest: NonZeroU64,
}

fn plus_one(n: u64) -> NonZeroU64 {
    NonZeroU64::MIN.saturating_add(n)
}

/// Longer samples are cut to this (18 minutes), so that sums stay far from overflow.
const LONGEST_SAMPLE: u64 = 1 << 40;

impl RttEstimator {
    /// Without any sample.
    pub(crate) const fn new() -> RttEstimator {
        RttEstimator { estimate: None }
    }

    /// Takes one measurement. `samples_per_round` says how many such measurements one round trip
    /// brings: gains are divided by it, so that the memory spans the same number of round trips
    /// whether every ACK is measured or one a round (RFC 7323 G). 0 counts as 1.
    pub(crate) fn on_sample(&mut self, rtt: Duration, samples_per_round: u32) {
        let latest = u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX).min(LONGEST_SAMPLE);
        let Some(e) = &mut self.estimate else {
            // RFC 6298 2.2: the first sample sets both.
            self.estimate = Some(Estimate {
                srtt: latest,
                rttvar: latest / 2,
                min: latest,
                latest: plus_one(latest),
            });
            return;
        };
        // RFC 6298 2.3: RTTVAR first, it needs the old SRTT; alpha = 1/8, beta = 1/4.
        let n = u64::from(samples_per_round.max(1));
        e.rttvar = step(e.rttvar, e.srtt.abs_diff(latest), 4 * n);
        e.srtt = step(e.srtt, latest, 8 * n);
        e.min = e.min.min(latest);
        e.latest = plus_one(latest);
    }

    /// SRTT; `None` before the first sample.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.estimate.map(|e| Duration::from_nanos(e.srtt))
    }

    /// RTTVAR; `None` before the first sample.
    pub(crate) fn variation(&self) -> Option<Duration> {
        self.estimate.map(|e| Duration::from_nanos(e.rttvar))
    }

    /// The shortest sample of the connection's life.
    pub(crate) fn min(&self) -> Option<Duration> {
        self.estimate.map(|e| Duration::from_nanos(e.min))
    }

    /// The last sample.
    pub(crate) fn latest(&self) -> Option<Duration> {
        self.estimate.map(|e| Duration::from_nanos(e.latest.get() - 1))
    }
}

/// Moves `from` towards `to` by one `divisor`th of the way.
fn step(from: u64, to: u64, divisor: u64) -> u64 {
    if to >= from { from + (to - from) / divisor } else { from - (from - to) / divisor }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_first_sample_sets_both_values() {
        // RFC 6298 2.2
        let mut rtt = RttEstimator::new();
        assert_eq!(rtt.smoothed(), None);
        rtt.on_sample(ms(100), 1);
        assert_eq!(rtt.smoothed(), Some(ms(100)));
        assert_eq!(rtt.variation(), Some(ms(50)));
    }

    #[test]
    fn later_samples_move_the_variation_first() {
        // RFC 6298 2.3, MUST-18: 3/4 * 50 + 1/4 * |100 - 180|; 7/8 * 100 + 1/8 * 180
        let mut rtt = RttEstimator::new();
        rtt.on_sample(ms(100), 1);
        rtt.on_sample(ms(180), 1);
        assert_eq!(rtt.variation(), Some(Duration::from_micros(57_500)));
        assert_eq!(rtt.smoothed(), Some(ms(110)));
        assert_eq!(rtt.latest(), Some(ms(180)));
        rtt.on_sample(ms(60), 1);
        assert_eq!(rtt.min(), Some(ms(60)));
        assert!(rtt.smoothed() < Some(ms(110)));
    }

    #[test]
    fn many_samples_in_a_round_weigh_like_one() {
        // RFC 7323 G
        let (mut one, mut many) = (RttEstimator::new(), RttEstimator::new());
        one.on_sample(ms(100), 1);
        many.on_sample(ms(100), 1);
        one.on_sample(ms(200), 1);
        for _ in 0..20 {
            many.on_sample(ms(200), 20);
        }
        let diff = one.smoothed().unwrap().abs_diff(many.smoothed().unwrap());
        assert!(diff < ms(2), "{diff:?}");
    }

    #[test]
    fn absurd_samples_are_cut() {
        let mut rtt = RttEstimator::new();
        for _ in 0..100 {
            rtt.on_sample(Duration::MAX, 0);
            rtt.on_sample(Duration::ZERO, u32::MAX);
        }
        assert!(rtt.smoothed() <= Some(Duration::from_nanos(LONGEST_SAMPLE)));
        assert_eq!(rtt.min(), Some(Duration::ZERO));
    }
}
