//! Is a segment old? Timestamps, their echo and protection against wrapped sequence numbers
//! (RFC 7323 3 to 5).

use core::time::Duration;

use crate::wire::Timestamps;
use crate::{Instant, SeqNum};

/// After this long without a segment, TS.Recent is no longer trusted (RFC 7323 5.5).
const OUTDATED: Duration = Duration::from_secs(24 * 24 * 3600);

/// State of the timestamps option of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimestampState {
    /// Both sides offered it.
    pub(crate) enabled: bool,
    /// Added to our millisecond clock (RFC 7323 5.4).
    pub(crate) offset: u32,
    /// TS.Recent.
    pub(crate) recent: u32,
    /// When TS.Recent was taken.
    pub(crate) recent_at: Instant,
}

/// Whether timestamp `a` is before `b` on their circle.
pub(crate) const fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

impl TimestampState {
    /// Our clock: one tick a millisecond (RFC 7323 5.4: 1 ms to 1 s).
    pub(crate) const fn clock(&self, now: Instant) -> u32 {
        (now.as_millis() as u32).wrapping_add(self.offset)
    }

    /// The option to send.
    pub(crate) fn to_send(&self, now: Instant) -> Option<Timestamps> {
        self.enabled.then(|| Timestamps { value: self.clock(now), echo: self.recent })
    }

    /// RFC 7323 5.3 R1: the segment is older than what we have.
    pub(crate) fn rejects(&self, now: Instant, ts: Option<Timestamps>) -> bool {
        match ts {
            Some(ts) if self.enabled => {
                before(ts.value, self.recent) && now.since(self.recent_at) < OUTDATED
            }
            _ => false,
        }
    }

    /// RFC 7323 4.3: take the timestamp of a segment that covers Last.ACK.sent.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        ts: Option<Timestamps>,
        seq: SeqNum,
        last_ack_sent: SeqNum,
    ) {
        let Some(ts) = ts.filter(|_| self.enabled) else { return };
        let outdated = now.since(self.recent_at) >= OUTDATED;
        if seq.at_or_before(last_ack_sent) && (outdated || !before(ts.value, self.recent)) {
            self.recent = ts.value;
            self.recent_at = now;
        }
    }

    /// The round trip that an echo proves, in the clock's ticks (RFC 7323 4.1). An echo from the
    /// future or of zero proves nothing.
    pub(crate) fn rtt(&self, now: Instant, ts: Option<Timestamps>) -> Option<Duration> {
        let ts = ts.filter(|t| self.enabled && t.echo != 0)?;
        let ticks = self.clock(now).wrapping_sub(ts.echo);
        (ticks < 1 << 30).then(|| Duration::from_millis(u64::from(ticks).max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> TimestampState {
        TimestampState { enabled: true, offset: 0, recent: 100, recent_at: Instant::ZERO }
    }

    fn ts(value: u32) -> Option<Timestamps> {
        Some(Timestamps { value, echo: 0 })
    }

    // RFC 7323 5.3
    #[test]
    fn older_timestamps_are_rejected_for_24_days() {
        let s = state();
        let now = Instant::from_millis(1);
        assert!(s.rejects(now, ts(99)));
        assert!(!s.rejects(now, ts(100)));
        assert!(!s.rejects(now, None));
        assert!(s.rejects(now, ts(100u32.wrapping_sub(1 << 30))));
        assert!(!s.rejects(now + OUTDATED, ts(99)));
    }

    // RFC 7323 4.3
    #[test]
    fn only_the_segment_at_last_ack_sent_is_echoed() {
        let mut s = state();
        let now = Instant::from_millis(1);
        s.update(now, ts(200), SeqNum(11), SeqNum(10));
        assert_eq!(s.recent, 100);
        s.update(now, ts(200), SeqNum(10), SeqNum(10));
        assert_eq!(s.recent, 200);
        s.update(now, ts(150), SeqNum(10), SeqNum(10));
        assert_eq!(s.recent, 200);
    }

    // RFC 7323 4.1
    #[test]
    fn echo_gives_the_round_trip() {
        let s = state();
        let echo = |echo| Some(Timestamps { value: 1, echo });
        let now = Instant::from_millis(500);
        assert_eq!(s.rtt(now, echo(470)), Some(Duration::from_millis(30)));
        assert_eq!(s.rtt(now, echo(501)), None);
        assert_eq!(s.rtt(now, echo(0)), None);
    }
}
