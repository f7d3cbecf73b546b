//! How much may be in the network at once? Congestion controllers behind a narrow trait, fed with
//! values only (RFC 5681, RFC 9438, RFC 6928). What was lost is decided by `recovery`; whoever owns
//! both carries the news over.

mod cubic;
mod custom;
mod reno;

use core::fmt::Debug;
use core::time::Duration;

pub use self::cubic::Cubic;
pub use self::custom::Custom;
pub use self::reno::Reno;
use crate::Instant;
pub use crate::config::Algorithm;

/// No window grows beyond this: the largest that RFC 7323 2.3 lets a peer offer.
const MAX_WINDOW: u32 = 1 << 30;

/// An ACK that moved SND.UNA, as congestion control sees it. Duplicates are none, whatever
/// their SACK blocks report (RFC 5681 3.1).
///
/// ```
/// use core::time::Duration;
/// use tcp_core::Instant;
/// use tcp_core::congestion::{Ack, Algorithm, Congestion, Controller};
///
/// let rtt = Duration::from_millis(30);
/// let ack = Ack {
///     now: Instant::from_millis(30),
///     acked: 2_896,
///     in_flight_before: 14_480,
///     rtt: Some(rtt),
///     smoothed_rtt: rtt,
///     min_rtt: rtt,
///     cwnd_limited: true,
/// };
/// let mut control = Congestion::new(Algorithm::Cubic, 1_448);
/// control.on_ack(&ack);
/// assert_eq!(control.window(), 14_480 + 2_896, "slow start");
///
/// // A sender with little to say has not tried what the path carries.
/// control.on_ack(&Ack { cwnd_limited: false, ..ack });
/// assert_eq!(control.window(), 14_480 + 2_896);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Ack {
    /// When it arrived.
    pub now: Instant,
    /// Octets acknowledged cumulatively; one ACK may cover many segments.
    pub acked: u32,
    /// Octets in flight before it.
    pub in_flight_before: u32,
    /// The RTT sample it brought.
    pub rtt: Option<Duration>,
    /// SRTT; zero before the first sample.
    pub smoothed_rtt: Duration,
    /// The shortest RTT seen; zero before the first sample.
    pub min_rtt: Duration,
    /// The congestion window held the sender back when these octets went out, and not a lack of
    /// data or the peer's window. Without it windows don't grow (RFC 9438 5.8, RFC 7661 4.3).
    pub cwnd_limited: bool,
}

/// A congestion controller. Windows and lengths are octets.
///
/// The order of calls: [`on_loss`](Self::on_loss) or [`on_timeout`](Self::on_timeout), ACKs as they
/// come, [`on_recovered`](Self::on_recovered). ACKs between `on_loss` and `on_recovered` don't
/// open the window.
///
/// ```
/// use tcp_core::congestion::{Algorithm, Congestion, Controller};
/// # use tcp_core::congestion::Ack;
/// # use core::time::Duration;
/// # use tcp_core::Instant;
/// # let (now, rtt) = (Instant::ZERO, Duration::from_millis(30));
/// # let ack_of = |window| Ack {
/// #     now, acked: window, in_flight_before: window, cwnd_limited: true,
/// #     rtt: Some(rtt), smoothed_rtt: rtt, min_rtt: rtt,
/// # };
///
/// let mut reno = Congestion::new(Algorithm::Reno, 1_000);
/// assert_eq!((reno.name(), reno.window()), ("reno", 10_000));
/// assert_eq!(reno.slow_start_threshold(), u32::MAX);
///
/// // All that was in flight is acknowledged: slow start doubles the window.
/// reno.on_ack(&ack_of(10_000));
/// assert_eq!(reno.window(), 20_000);
/// reno.on_loss(now, 20_000);
/// reno.on_recovered(now);
/// assert_eq!((reno.window(), reno.slow_start_threshold()), (10_000, 10_000));
///
/// reno.on_timeout(now, 10_000, false);
/// assert_eq!((reno.window(), reno.slow_start_threshold()), (1_000, 5_000));
/// reno.on_timeout(now, 1_000, true);
/// assert_eq!(reno.slow_start_threshold(), 5_000);
///
/// // Never less than a segment; and after a pause never more than an initial window.
/// reno.set_mss(1_200);
/// assert_eq!(reno.window(), 1_200);
/// let mut reno = Congestion::with_window(Algorithm::Reno, 1_000, 50_000);
/// reno.on_idle_restart(now);
/// assert_eq!(reno.window(), 10_000);
/// ```
pub trait Controller: Debug + Send {
    /// An ACK acknowledged something new.
    fn on_ack(&mut self, ack: &Ack);
    /// Fast recovery begins: `in_flight` is FlightSize when the loss showed. Called again without
    /// `on_recovered` between if one recovery follows directly on another.
    fn on_loss(&mut self, now: Instant, in_flight: u32);
    /// The retransmission timer fired with `in_flight` as FlightSize; `repeated` if the segment had
    /// been retransmitted by the timer before, which leaves the threshold alone (RFC 5681 3.1).
    fn on_timeout(&mut self, now: Instant, in_flight: u32, repeated: bool);
    /// All that was outstanding at the loss or timeout is acknowledged.
    fn on_recovered(&mut self, now: Instant);
    /// Sending resumes after more than an RTO without any (RFC 5681 4.1).
    fn on_idle_restart(&mut self, now: Instant);
    /// The segment size changed.
    fn set_mss(&mut self, mss: u32);
    /// The congestion window.
    fn window(&self) -> u32;
    /// The slow start threshold; `u32::MAX` until the first loss.
    fn slow_start_threshold(&self) -> u32;
    /// For people: `"cubic"`.
    fn name(&self) -> &'static str;
}

/// The controller of a connection, without indirect calls for the built-in ones.
///
/// ```
/// use tcp_core::congestion::{Algorithm, Congestion, Controller};
/// # use tcp_core::Instant;
/// # let now = Instant::ZERO;
///
/// let mut control = Congestion::new(Algorithm::Reno, 1_000);
/// control.on_loss(now, 10_000);
/// control.change(Algorithm::Cubic, 1_000);
/// assert_eq!((control.name(), control.window()), ("cubic", 5_000));
///
/// let after_lost_syn = Congestion::with_window(Algorithm::Cubic, 1_000, 0);
/// assert_eq!(after_lost_syn.window(), 1_000);
/// ```
#[derive(Debug)]
pub enum Congestion {
    /// RFC 5681.
    Reno(Reno),
    /// RFC 9438.
    Cubic(Cubic),
    /// The user's own.
    Custom(Custom),
}

impl Congestion {
    /// A controller with the initial window of RFC 6928 for segments of `mss` octets.
    pub fn new(algorithm: Algorithm, mss: u32) -> Congestion {
        Congestion::with_window(algorithm, mss, initial_window(mss))
    }

    /// A controller that begins with `window` octets, at least one segment: after a lost SYN one
    /// segment is the limit (RFC 5681 3.1).
    pub fn with_window(algorithm: Algorithm, mss: u32, window: u32) -> Congestion {
        match algorithm {
            Algorithm::Reno => Congestion::Reno(Reno::new(mss, window)),
            Algorithm::Cubic => Congestion::Cubic(Cubic::new(mss, window)),
        }
    }

    /// The segment size is agreed on: a built-in controller begins with `window`, the user's own as it likes.
    pub(crate) fn begin(&mut self, algorithm: Algorithm, mss: u32, window: u32) {
        match self {
            Congestion::Custom(c) => c.set_mss(mss),
            _ => *self = Congestion::with_window(algorithm, mss, window),
        }
    }

    /// Another algorithm takes over, with the window and threshold as they are; as on Linux.
    pub fn change(&mut self, to: Algorithm, mss: u32) {
        let (cwnd, threshold) = (self.window(), self.slow_start_threshold());
        let window = match core::mem::replace(self, Congestion::new(to, mss)) {
            Congestion::Reno(c) => c.into_window(),
            Congestion::Cubic(c) => c.into_window(),
            Congestion::Custom(_) => Window { ssthresh: threshold, ..Window::new(mss, cwnd) },
        };
        *self = match to {
            Algorithm::Reno => Congestion::Reno(Reno::after(window)),
            Algorithm::Cubic => Congestion::Cubic(Cubic::after(window)),
        };
    }
}

/// A controller of the user's can't be copied: the copy is Reno with the same window.
#[cfg(feature = "explore")]
impl Clone for Congestion {
    fn clone(&self) -> Congestion {
        match self {
            Congestion::Reno(c) => Congestion::Reno(c.clone()),
            Congestion::Cubic(c) => Congestion::Cubic(c.clone()),
            Congestion::Custom(c) => Congestion::Reno(Reno::new(c.mss(), c.window())),
        }
    }
}

/// Calls the same method of whichever controller it is.
macro_rules! each {
    ($of:expr, $c:ident => $call:expr) => {
        match $of {
            Congestion::Reno($c) => $call,
            Congestion::Cubic($c) => $call,
            Congestion::Custom($c) => $call,
        }
    };
}

impl Controller for Congestion {
    fn on_ack(&mut self, ack: &Ack) {
        each!(self, c => c.on_ack(ack));
    }

    fn on_loss(&mut self, now: Instant, in_flight: u32) {
        each!(self, c => c.on_loss(now, in_flight));
    }

    fn on_timeout(&mut self, now: Instant, in_flight: u32, repeated: bool) {
        each!(self, c => c.on_timeout(now, in_flight, repeated));
    }

    fn on_recovered(&mut self, now: Instant) {
        each!(self, c => c.on_recovered(now));
    }

    fn on_idle_restart(&mut self, now: Instant) {
        each!(self, c => c.on_idle_restart(now));
    }

    fn set_mss(&mut self, mss: u32) {
        each!(self, c => c.set_mss(mss));
    }

    #[inline]
    fn window(&self) -> u32 {
        each!(self, c => c.window())
    }

    fn slow_start_threshold(&self) -> u32 {
        each!(self, c => c.slow_start_threshold())
    }

    fn name(&self) -> &'static str {
        each!(self, c => c.name())
    }
}

/// The initial window for segments of `mss` octets (RFC 6928 2).
///
/// ```
/// use tcp_core::congestion::initial_window;
///
/// // Ten segments, as long as they are not large.
/// assert_eq!(initial_window(1_460), 14_600);
/// assert_eq!(initial_window(536), 5_360);
/// assert_eq!(initial_window(9_000), 18_000);
/// ```
pub fn initial_window(mss: u32) -> u32 {
    mss.saturating_mul(10).min(mss.saturating_mul(2).max(14_600))
}

/// Whether ACKs open the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    Open,
    /// Between a loss and its repair.
    Held,
}

/// The part that the loss-based controllers share: a window, its threshold, slow start.
#[derive(Debug, Clone)]
struct Window {
    cwnd: u32,
    ssthresh: u32,
    mss: u32,
    growth: Growth,
}

impl Window {
    fn new(mss: u32, window: u32) -> Window {
        let mss = mss.max(1);
        let cwnd = window.clamp(mss, MAX_WINDOW.max(mss));
        Window { cwnd, ssthresh: u32::MAX, mss, growth: Growth::Open }
    }

    /// The octets of `ack` by which the window may grow. An ACK that fills a hole covers data that
    /// left the network long ago; counting at most what was in flight keeps it from releasing a
    /// burst. RFC 3465 2.2 bounds the count to two segments for that, which would starve a
    /// sender that gets one ACK for 64 KiB.
    fn credit(&self, ack: &Ack) -> u32 {
        match self.growth {
            Growth::Open if ack.cwnd_limited => ack.acked.min(ack.in_flight_before.max(self.mss)),
            _ => 0,
        }
    }

    /// Grows by `credit` up to the threshold (RFC 5681 3.1); returns what is left for congestion
    /// avoidance.
    fn slow_start(&mut self, credit: u32) -> u32 {
        let room = self.ssthresh.saturating_sub(self.cwnd);
        self.grow(credit.min(room));
        credit - credit.min(room)
    }

    fn grow(&mut self, octets: u32) {
        self.cwnd = self.cwnd.saturating_add(octets).min(MAX_WINDOW);
    }

    /// What a loss is measured by: the flight, but no more than the window, for a flight may still
    /// contain what an earlier recovery had SACKed.
    fn loaded(&self, in_flight: u32) -> u32 {
        in_flight.min(self.cwnd)
    }

    /// Continues with `window` after a loss, at least two segments (RFC 5681 3.1 equation 4).
    fn hold_at(&mut self, window: u32) {
        self.ssthresh = window.max(self.mss.saturating_mul(2));
        self.cwnd = self.ssthresh;
        self.growth = Growth::Held;
    }

    /// RFC 5681 3.1: the loss window is one segment. `ssthresh` is `None` to leave it.
    fn collapse(&mut self, ssthresh: Option<u32>) {
        if let Some(threshold) = ssthresh {
            self.ssthresh = threshold.max(self.mss.saturating_mul(2));
        }
        self.cwnd = self.mss;
        self.growth = Growth::Open;
    }

    /// RFC 5681 4.1: the restart window. The threshold remembers three quarters of the window
    /// that had been in use (RFC 7661 4.4.3; Linux the same).
    fn restart(&mut self) {
        let remembered = self.cwnd / 4 * 3;
        self.ssthresh = self.ssthresh.max(remembered);
        self.cwnd = self.cwnd.min(initial_window(self.mss));
    }

    fn set_mss(&mut self, mss: u32) {
        self.mss = mss.max(1);
        self.cwnd = self.cwnd.max(self.mss);
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;

    use super::*;

    #[test]
    fn the_initial_window_is_ten_segments_within_bounds() {
        // RFC 6928 2
        assert_eq!(initial_window(1_460), 14_600);
        assert_eq!(initial_window(536), 5_360);
        assert_eq!(initial_window(9_000), 18_000);
        assert_eq!(initial_window(2_000), 14_600);
        assert_eq!(initial_window(u32::MAX), u32::MAX);
    }

    #[test]
    fn cubic_is_the_default_and_the_choice_is_kept() {
        // MAY-18
        let c = Congestion::new(Algorithm::default(), 1_460);
        assert_eq!((c.name(), c.window(), c.slow_start_threshold()), ("cubic", 14_600, u32::MAX));
        let r = Congestion::with_window(Algorithm::Reno, 1_460, 0);
        assert_eq!((r.name(), r.window()), ("reno", 1_460));
        let own = Congestion::Custom(Custom::new(Box::new(Reno::new(1_000, 3_000)), 1_000));
        assert_eq!(own.window(), 3_000);
    }

    #[test]
    fn an_ack_that_fills_a_hole_does_not_release_a_burst() {
        // RFC 3465 2.3
        let mut w = Window::new(1_000, 100_000);
        w.collapse(Some(50_000));
        let ack = Ack {
            now: Instant::ZERO,
            acked: 90_000,
            in_flight_before: 1_000,
            rtt: None,
            smoothed_rtt: Duration::ZERO,
            min_rtt: Duration::ZERO,
            cwnd_limited: true,
        };
        assert_eq!(w.credit(&ack), 1_000);
        assert_eq!(w.credit(&Ack { cwnd_limited: false, ..ack }), 0);
    }

    #[test]
    fn extremes_do_not_overflow() {
        for algorithm in [Algorithm::Reno, Algorithm::Cubic] {
            let mut c = Congestion::with_window(algorithm, 0, u32::MAX);
            let ack = Ack {
                now: Instant::FAR_FUTURE,
                acked: u32::MAX,
                in_flight_before: u32::MAX,
                rtt: Some(Duration::MAX),
                smoothed_rtt: Duration::MAX,
                min_rtt: Duration::ZERO,
                cwnd_limited: true,
            };
            for mss in [1, 1_460, u32::MAX / 4, 1] {
                c.set_mss(mss);
                c.on_ack(&ack);
                c.on_loss(Instant::ZERO, u32::MAX);
                c.on_recovered(Instant::ZERO);
                c.on_ack(&Ack { now: Instant::ZERO, ..ack });
                c.on_ack(&ack);
                c.on_timeout(Instant::ZERO, u32::MAX, false);
                c.on_ack(&ack);
                c.on_ack(&ack);
                c.on_ack(&ack);
                c.on_idle_restart(Instant::ZERO);
                assert!(c.window() >= mss);
            }
        }
    }
}
