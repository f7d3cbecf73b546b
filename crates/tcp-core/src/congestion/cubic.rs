//! How does the window move under CUBIC (RFC 9438)? A cubic function of the time since the last
//! reduction, never slower than Reno. All in integers: octets, and time in 2^-16 s.

use alloc::boxed::Box;
use core::time::Duration;

use super::{Ack, Controller, Growth, Window};
use crate::Instant;

/// beta_cubic = 0.7 (RFC 9438 4.6).
const BETA: (u32, u32) = (7, 10);
/// alpha_cubic = 3 * (1 - beta) / (1 + beta) = 9 / 17 (RFC 9438 4.3).
const ALPHA: (u64, u64) = (9, 17);
/// C = 0.4 (RFC 9438 5.1).
const C: (u32, u32) = (2, 5);
/// A second in units of [`ticks`].
const TICK_BITS: u32 = 16;
/// Longer spans are cut to this (18 hours), so that a cube fits.
const MAX_TICKS: i64 = 1 << 32;

/// RFC 9438, with fast convergence.
///
/// ```
/// use tcp_core::congestion::{Controller, Cubic};
/// # use tcp_core::congestion::Ack;
/// # use core::time::Duration;
/// # use tcp_core::Instant;
/// # let (mut now, rtt) = (Instant::ZERO, Duration::from_millis(100));
/// # let ack_of = |now, window| Ack {
/// #     now, acked: window, in_flight_before: window, cwnd_limited: true,
/// #     rtt: Some(rtt), smoothed_rtt: rtt, min_rtt: rtt,
/// # };
///
/// let mut cubic = Cubic::new(1_000, 100_000);
/// cubic.on_loss(now, 100_000);
/// cubic.on_recovered(now);
/// assert_eq!(cubic.window(), 70_000);
///
/// // Three seconds later it is nearly where it was.
/// for _ in 0..30 {
///     now += rtt;
///     cubic.on_ack(&ack_of(now, cubic.window()));
/// }
/// assert!((99_000..=100_000).contains(&cubic.window()));
/// ```
// MAY-18
#[derive(Debug, Clone)]
pub struct Cubic {
    window: Window,
    /// W_max; 0 if there is no plateau to return to.
    w_max: u32,
    /// cwnd_prior: the window before the last reduction.
    prior: u32,
    /// The current stage of congestion avoidance, from its first ACK.
    epoch: Option<Box<Epoch>>,
}

/// A stage of congestion avoidance.
#[derive(Debug, Clone)]
struct Epoch {
    /// t_epoch, moved on by the time in which the window was not the limit (RFC 9438 5.8).
    start: Instant,
    /// When the window ceased to be the limit.
    paused: Option<Instant>,
    /// K in ticks.
    k: i64,
    /// W_max of this stage: where the curve is flat.
    plateau: u32,
    /// The numerator of growth below one octet; the denominator is the window.
    fraction: u64,
    /// W_est: what Reno would have.
    estimate: u32,
    /// As `fraction`, for the estimate.
    estimate_fraction: u64,
}

impl Cubic {
    /// For segments of `mss` octets, with an initial window of `window` octets.
    pub fn new(mss: u32, window: u32) -> Cubic {
        Cubic { window: Window::new(mss, window), w_max: 0, prior: 0, epoch: None }
    }

    /// Takes over from another controller.
    pub(super) fn after(window: Window) -> Cubic {
        Cubic { window, w_max: 0, prior: 0, epoch: None }
    }

    pub(super) fn into_window(self) -> Window {
        self.window
    }

    /// RFC 9438 4.2 to 4.5.
    fn avoid_congestion(&mut self, ack: &Ack, credit: u32) {
        let Cubic { window, w_max, prior, epoch } = self;
        let epoch = epoch.get_or_insert_with(|| Box::new(Epoch::begin(ack.now, window, *w_max)));
        epoch.resume(ack.now);
        let credit = credit.min(window.cwnd);
        epoch.follow_reno(window, *prior, credit);
        let t = ticks(ack.now.since(epoch.start));
        if epoch.curve(t, window.mss) < epoch.estimate {
            // RFC 9438 4.3: the Reno-friendly region.
            window.cwnd = window.cwnd.max(epoch.estimate);
            return;
        }
        // RFC 9438 4.4, 4.5: (target - cwnd) / cwnd for each octet acknowledged.
        let target = epoch
            .curve((t + ticks(ack.smoothed_rtt)).min(MAX_TICKS), window.mss)
            .clamp(window.cwnd, window.cwnd.saturating_add(window.cwnd / 2));
        epoch.fraction += u64::from(target - window.cwnd) * u64::from(credit);
        let grown = epoch.fraction / u64::from(window.cwnd);
        epoch.fraction %= u64::from(window.cwnd);
        window.grow(u32::try_from(grown).unwrap_or(u32::MAX));
    }

    /// RFC 9438 4.6, without the floor.
    fn reduced(&self, in_flight: u32) -> u32 {
        scaled(self.window.loaded(in_flight), BETA)
    }
}

impl Controller for Cubic {
    fn on_ack(&mut self, ack: &Ack) {
        if !ack.cwnd_limited
            && let Some(epoch) = &mut self.epoch
        {
            epoch.paused.get_or_insert(ack.now);
        }
        let credit = self.window.credit(ack);
        let left = self.window.slow_start(credit);
        if left > 0 {
            self.avoid_congestion(ack, left);
        }
    }

    fn on_loss(&mut self, _now: Instant, in_flight: u32) {
        let cwnd = self.window.cwnd;
        // RFC 9438 4.7, fast convergence: whoever lost below the last plateau leaves room.
        self.w_max =
            if cwnd < self.w_max { scaled(cwnd, (BETA.0 + BETA.1, 2 * BETA.1)) } else { cwnd };
        self.prior = cwnd;
        self.epoch = None;
        self.window.hold_at(self.reduced(in_flight));
    }

    fn on_timeout(&mut self, _now: Instant, in_flight: u32, repeated: bool) {
        // RFC 9438 4.8: Reno's window, CUBIC's threshold; no plateau for the next stage.
        if !repeated {
            self.prior = self.window.cwnd;
        }
        self.w_max = 0;
        self.epoch = None;
        let threshold = (!repeated).then(|| self.reduced(in_flight));
        self.window.collapse(threshold);
    }

    fn on_recovered(&mut self, _now: Instant) {
        self.window.growth = Growth::Open;
    }

    fn on_idle_restart(&mut self, _now: Instant) {
        self.epoch = None;
        self.window.restart();
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
        "cubic"
    }
}

impl Epoch {
    fn begin(now: Instant, window: &Window, w_max: u32) -> Epoch {
        // RFC 9438 4.8, 4.10: without a plateau above, the curve starts flat from here.
        let plateau = w_max.max(window.cwnd);
        Epoch {
            start: now,
            paused: None,
            k: time_to_climb(plateau - window.cwnd, window.mss),
            plateau,
            fraction: 0,
            estimate: window.cwnd,
            estimate_fraction: 0,
        }
    }

    /// The window is the limit again: time in which it was not does not count.
    fn resume(&mut self, now: Instant) {
        if let Some(since) = self.paused.take() {
            self.start += now.since(since);
        }
    }

    /// W_cubic(t) = C * (t - K)^3 + W_max of RFC 9438 4.2, in octets.
    fn curve(&self, t: i64, mss: u32) -> u32 {
        let d = i128::from((t - self.k).clamp(-MAX_TICKS, MAX_TICKS));
        // 96 bits times at most 27; segments become octets with ten bits below the point.
        let c = ((i64::from(mss.min(1 << 17)) * i64::from(C.0)) << 10) / i64::from(C.1);
        let rise = (d * d * d * i128::from(c)) >> (3 * TICK_BITS + 10);
        u32::try_from((i128::from(self.plateau) + rise).max(0)).unwrap_or(u32::MAX)
    }

    /// Moves W_est by `credit` octets acknowledged (RFC 9438 4.3 equation 4).
    fn follow_reno(&mut self, window: &Window, prior: u32, credit: u32) {
        // Once past the old window, as fast as Reno.
        let numerator = if self.estimate >= prior { ALPHA.1 } else { ALPHA.0 };
        let per_octet = u64::from(window.cwnd) * ALPHA.1;
        self.estimate_fraction +=
            u64::from(credit) * u64::from(window.mss.min(1 << 17)) * numerator;
        let grown = u32::try_from(self.estimate_fraction / per_octet).unwrap_or(u32::MAX);
        self.estimate = self.estimate.saturating_add(grown);
        self.estimate_fraction %= per_octet;
    }
}

/// K of RFC 9438 4.2 equation 2, in ticks: the cube root of `below / (C * mss)`.
fn time_to_climb(below: u32, mss: u32) -> i64 {
    let scaled = (u128::from(below) * u128::from(C.1)) << (3 * TICK_BITS);
    let root = cube_root(scaled / (u128::from(mss.max(1)) * u128::from(C.0)));
    i64::try_from(root).unwrap_or(MAX_TICKS).min(MAX_TICKS)
}

/// The greatest integer whose cube is at most `n`, for `n` below 2^126.
fn cube_root(n: u128) -> u64 {
    let mut root: u64 = 0;
    for bit in (0..42).rev() {
        let tried = root | 1 << bit;
        if u128::from(tried).pow(3) <= n {
            root = tried;
        }
    }
    root
}

fn ticks(d: Duration) -> i64 {
    let whole = d.as_secs().min(1 << (32 - TICK_BITS)) << TICK_BITS;
    let part = (u64::from(d.subsec_nanos()) << TICK_BITS) / 1_000_000_000;
    i64::try_from(whole + part).unwrap_or(MAX_TICKS).min(MAX_TICKS)
}

fn scaled(octets: u32, (n, d): (u32, u32)) -> u32 {
    u32::try_from(u64::from(octets) * u64::from(n) / u64::from(d)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1_460;

    /// Lets the window be used fully for `rounds` round trips, one ACK for `per_ack` octets.
    fn run(c: &mut Cubic, now: &mut Instant, rounds: u32, rtt: Duration, per_ack: u32) {
        for _ in 0..rounds {
            let window = c.window();
            let acks = window.div_ceil(per_ack);
            for _ in 0..acks {
                *now += rtt / acks;
                c.on_ack(&at(*now, per_ack.min(window), window, rtt));
            }
        }
    }

    fn at(now: Instant, acked: u32, in_flight_before: u32, rtt: Duration) -> Ack {
        Ack {
            now,
            acked,
            in_flight_before,
            rtt: Some(rtt),
            smoothed_rtt: rtt,
            min_rtt: rtt,
            cwnd_limited: true,
        }
    }

    fn recovered_from(segments: u32) -> Cubic {
        let mut c = Cubic::new(MSS, segments * MSS);
        c.on_loss(Instant::ZERO, segments * MSS);
        c.on_recovered(Instant::ZERO);
        c
    }

    /// RFC 9438 4.2, in segments and seconds.
    fn formula(t: f64, w_max: f64, cwnd: f64) -> f64 {
        let k = ((w_max - cwnd) / 0.4).cbrt();
        0.4 * (t - k).powi(3) + w_max
    }

    #[test]
    fn the_curve_is_that_of_the_formula() {
        // RFC 9438 4.2 equations 1 and 2
        for (segments, mss) in [(10_u32, 536_u32), (1_000, 1_460), (70_000, 9_000)] {
            let mut c = Cubic::new(mss, segments * mss);
            c.on_loss(Instant::ZERO, segments * mss);
            let epoch = Epoch::begin(Instant::ZERO, &c.window, c.w_max);
            for tenths in 0..600_u32 {
                let t = f64::from(tenths) / 10.0;
                let want = formula(t, f64::from(segments), f64::from(segments) * 0.7);
                let got = epoch.curve(ticks(Duration::from_secs_f64(t)), mss);
                let got = f64::from(got) / f64::from(mss);
                assert!((got - want).abs() <= 0.01 * want.abs().max(1.0), "{t}: {got} {want}");
            }
        }
    }

    #[test]
    fn the_window_follows_the_curve() {
        // RFC 9438 4.4, 4.5: whether ACKs come for each segment or for each super-segment
        let rtt = Duration::from_millis(100);
        for per_ack in [MSS, 45 * MSS] {
            let mut c = recovered_from(1_000);
            let mut now = Instant::ZERO;
            for round in 1..200 {
                run(&mut c, &mut now, 1, rtt, per_ack);
                let got = f64::from(c.window()) / f64::from(MSS);
                let t = f64::from(round) / 10.0;
                let (low, high) = (formula(t, 1e3, 700.0), formula(t + 0.1, 1e3, 700.0));
                assert!(got > low * 0.99 && got < high * 1.01, "{t}: {low} {got} {high}");
            }
        }
    }

    #[test]
    fn short_round_trips_grow_like_reno() {
        // RFC 9438 4.3: alpha = 9/17 of a segment a round trip up to the old window, then 1
        let mut c = recovered_from(100);
        let mut now = Instant::ZERO;
        let rtt = Duration::from_millis(1);
        run(&mut c, &mut now, 34, rtt, MSS);
        let grown = f64::from(c.window() - 70 * MSS) / f64::from(MSS);
        assert!((grown - 18.0).abs() < 0.5, "{grown}");
        run(&mut c, &mut now, 23, rtt, MSS);
        let before = c.window();
        run(&mut c, &mut now, 20, rtt, MSS);
        let grown = f64::from(c.window() - before) / f64::from(MSS);
        assert!((grown - 20.0).abs() < 0.7, "{grown}");
    }

    #[test]
    fn losses_reduce_by_three_tenths_and_converge_fast() {
        // RFC 9438 4.6, 4.7
        let mut c = recovered_from(1_000);
        assert_eq!((c.window(), c.w_max), (700 * MSS, 1_000 * MSS));
        c.on_loss(Instant::ZERO, 700 * MSS);
        assert_eq!((c.window(), c.w_max), (490 * MSS, 595 * MSS));
        c.on_loss(Instant::ZERO, MSS);
        assert_eq!(c.window(), 2 * MSS);
    }

    #[test]
    fn a_timeout_starts_over_without_plateau() {
        // RFC 9438 4.8
        let mut c = recovered_from(1_000);
        c.on_timeout(Instant::ZERO, 700 * MSS, false);
        assert_eq!((c.window(), c.slow_start_threshold()), (MSS, 490 * MSS));
        c.on_timeout(Instant::ZERO, 700 * MSS, true);
        assert_eq!(c.slow_start_threshold(), 490 * MSS);
        let mut now = Instant::ZERO;
        run(&mut c, &mut now, 10, Duration::from_millis(100), MSS);
        let epoch = c.epoch.as_ref().unwrap();
        assert_eq!((epoch.k, epoch.plateau), (0, 490 * MSS));
    }

    #[test]
    fn time_without_pressure_does_not_count() {
        // RFC 9438 5.8
        let rtt = Duration::from_millis(100);
        let (mut busy, mut lazy) = (recovered_from(1_000), recovered_from(1_000));
        let mut now = Instant::ZERO;
        run(&mut busy, &mut now, 50, rtt, MSS);
        let mut now = Instant::ZERO;
        run(&mut lazy, &mut now, 20, rtt, MSS);
        let before = lazy.window();
        for _ in 0..100 {
            lazy.on_ack(&Ack { cwnd_limited: false, ..at(now, MSS, MSS, rtt) });
            now += rtt;
        }
        assert_eq!(lazy.window(), before);
        run(&mut lazy, &mut now, 30, rtt, MSS);
        assert!(lazy.window().abs_diff(busy.window()) < 3 * MSS);
    }

    #[test]
    fn cube_roots_are_exact() {
        for r in [0_u64, 1, 2, 3, 999, 1 << 20, (1 << 41) + 12_345] {
            let cube = u128::from(r).pow(3);
            assert_eq!(cube_root(cube), r);
            assert_eq!(cube_root(cube + 1), if r == 0 { 1 } else { r });
            assert_eq!(cube_root(cube.saturating_sub(1)), r.saturating_sub(1));
        }
    }
}
