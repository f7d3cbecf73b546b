//! How does the window move under RFC 5681? Slow start, congestion avoidance by octets counted
//! (RFC 3465), halving on loss.

use super::{Ack, Controller, Growth, Window};
use crate::Instant;

/// Standard congestion control, sometimes called NewReno for the recovery that goes with it.
///
/// ```
/// use tcp_core::congestion::{Controller, Reno};
/// # use tcp_core::congestion::Ack;
/// # use core::time::Duration;
/// # use tcp_core::Instant;
/// # let (mut now, rtt) = (Instant::ZERO, Duration::from_millis(100));
/// # let ack_of = |now, window| Ack {
/// #     now, acked: window, in_flight_before: window, cwnd_limited: true,
/// #     rtt: Some(rtt), smoothed_rtt: rtt, min_rtt: rtt,
/// # };
///
/// let mut reno = Reno::new(1_000, 100_000);
/// reno.on_loss(now, 100_000);
/// reno.on_recovered(now);
/// assert_eq!(reno.window(), 50_000);
///
/// // One segment for each window acknowledged.
/// for _ in 0..30 {
///     now += rtt;
///     reno.on_ack(&ack_of(now, reno.window()));
/// }
/// assert_eq!(reno.window(), 80_000);
/// ```
// MUST-19: slow start and congestion avoidance as in RFC 5681.
#[derive(Debug, Clone)]
pub struct Reno {
    window: Window,
    /// Octets acknowledged in congestion avoidance that the window has not answered yet.
    credit: u32,
}

impl Reno {
    /// For segments of `mss` octets, with an initial window of `window` octets.
    pub fn new(mss: u32, window: u32) -> Reno {
        Reno { window: Window::new(mss, window), credit: 0 }
    }

    /// Takes over from another controller.
    pub(super) fn after(window: Window) -> Reno {
        Reno { window, credit: 0 }
    }

    pub(super) fn into_window(self) -> Window {
        self.window
    }

    /// RFC 5681 3.1 equation 4, without the floor.
    fn half(&self, in_flight: u32) -> u32 {
        self.window.loaded(in_flight) / 2
    }
}

impl Controller for Reno {
    fn on_ack(&mut self, ack: &Ack) {
        let credit = self.window.credit(ack);
        let left = self.window.slow_start(credit);
        // RFC 5681 3.1: one segment for each window acknowledged, counted in octets.
        self.credit = self.credit.saturating_add(left);
        if self.credit >= self.window.cwnd {
            self.credit = (self.credit - self.window.cwnd).min(self.window.cwnd);
            self.window.grow(self.window.mss);
        }
    }

    fn on_loss(&mut self, _now: Instant, in_flight: u32) {
        self.window.hold_at(self.half(in_flight));
        self.credit = 0;
    }

    fn on_timeout(&mut self, _now: Instant, in_flight: u32, repeated: bool) {
        let threshold = (!repeated).then(|| self.half(in_flight));
        self.window.collapse(threshold);
        self.credit = 0;
    }

    fn on_recovered(&mut self, _now: Instant) {
        // RFC 6582 3.2 step 3: the window is the threshold already.
        self.window.growth = Growth::Open;
    }

    fn on_idle_restart(&mut self, _now: Instant) {
        self.window.restart();
        self.credit = 0;
    }

    fn set_mss(&mut self, mss: u32) {
        self.window.set_mss(mss);
    }

    #[inline]
    fn window(&self) -> u32 {
        self.window.cwnd
    }

    fn slow_start_threshold(&self) -> u32 {
        self.window.ssthresh
    }

    fn name(&self) -> &'static str {
        "reno"
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const MSS: u32 = 1_000;

    fn ack(reno: &mut Reno, acked: u32) -> u32 {
        reno.on_ack(&Ack {
            now: Instant::ZERO,
            acked,
            in_flight_before: reno.window(),
            rtt: None,
            smoothed_rtt: Duration::ZERO,
            min_rtt: Duration::ZERO,
            cwnd_limited: true,
        });
        reno.window()
    }

    #[test]
    fn slow_start_doubles_then_avoidance_adds_a_segment_a_window() {
        // RFC 5681 3.1, MUST-19
        let mut reno = Reno::new(MSS, 10 * MSS);
        assert_eq!(ack(&mut reno, 10 * MSS), 20 * MSS);
        reno.on_loss(Instant::ZERO, 20 * MSS);
        assert_eq!((reno.window(), reno.slow_start_threshold()), (10 * MSS, 10 * MSS));
        assert_eq!(ack(&mut reno, 5 * MSS), 10 * MSS, "no growth during recovery");
        reno.on_recovered(Instant::ZERO);
        for _ in 0..9 {
            assert_eq!(ack(&mut reno, MSS), 10 * MSS);
        }
        assert_eq!(ack(&mut reno, MSS), 11 * MSS);
        assert_eq!(ack(&mut reno, 11 * MSS), 12 * MSS, "one ACK for a whole window");
    }

    #[test]
    fn what_exceeds_the_threshold_counts_for_avoidance() {
        let mut reno = Reno::new(MSS, 10 * MSS);
        reno.on_timeout(Instant::ZERO, 10 * MSS, false);
        assert_eq!(reno.window(), MSS);
        assert_eq!(ack(&mut reno, MSS), 2 * MSS);
        assert_eq!(ack(&mut reno, 2 * MSS), 4 * MSS);
        assert_eq!(ack(&mut reno, 4 * MSS), 5 * MSS);
        assert_eq!(ack(&mut reno, 2 * MSS), 6 * MSS, "three left over and two make five");
    }

    #[test]
    fn losses_never_go_below_the_floor() {
        // RFC 5681 3.1 equation 4
        let mut reno = Reno::new(MSS, 10 * MSS);
        reno.on_loss(Instant::ZERO, MSS);
        assert_eq!(reno.window(), 2 * MSS);
        reno.on_timeout(Instant::ZERO, MSS, false);
        assert_eq!((reno.window(), reno.slow_start_threshold()), (MSS, 2 * MSS));
    }

    #[test]
    fn a_repeated_timeout_leaves_the_threshold() {
        // RFC 5681 3.1
        let mut reno = Reno::new(MSS, 40 * MSS);
        reno.on_timeout(Instant::ZERO, 40 * MSS, false);
        reno.on_timeout(Instant::ZERO, 40 * MSS, true);
        assert_eq!((reno.window(), reno.slow_start_threshold()), (MSS, 20 * MSS));
    }

    #[test]
    fn idle_time_shrinks_to_the_restart_window() {
        // RFC 5681 4.1
        let mut reno = Reno::new(MSS, 100 * MSS);
        reno.on_idle_restart(Instant::ZERO);
        assert_eq!(reno.window(), 10 * MSS);
        let mut reno = Reno::new(MSS, 4 * MSS);
        reno.on_idle_restart(Instant::ZERO);
        assert_eq!(reno.window(), 4 * MSS);
    }
}
