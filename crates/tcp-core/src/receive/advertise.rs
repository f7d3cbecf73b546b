//! How large a window is offered? The receiver's silly-window avoidance and buffer auto-tuning
//! (RFC 9293 3.8.6.2.2, RFC 7323 2; MUST-39, SHLD-14).

use core::time::Duration;

use super::ReceiveSpace;
use crate::config::BufferLimits;
use crate::{Instant, SeqNum};

/// The first window estimate is doubled at most this often in one go, so that one burst of reads
/// does not jump to the largest buffer.
const GROWTH: usize = 4;

impl ReceiveSpace {
    /// Moves the right edge as far as memory and MUST-39 allow and returns it.
    fn renew_edge(&mut self, mss: u32) -> SeqNum {
        let edge = self.nxt + self.free() as u32;
        // MUST-39: the edge moves by at least min(half of the buffer, one MSS), or stays.
        let step = ((self.ceiling() / 2) as u32).min(mss);
        if edge.after(self.edge) && edge.distance_from(self.edge) >= step {
            self.edge = edge;
        }
        // SHLD-14: otherwise it stays where it is; it never moves left.
        if self.edge.before(self.nxt) {
            self.edge = self.nxt;
        }
        self.edge
    }

    /// The window field of the next segment (not of a SYN). Rounding up keeps the edge from
    /// moving left by a fraction of the scale (RFC 7323 2.4).
    pub(crate) fn window_field(&mut self, mss: u32) -> u16 {
        let wnd = u64::from(self.renew_edge(mss).distance_from(self.nxt));
        let unit = 1u64 << self.shift;
        let field = wnd.div_ceil(unit).min(0xffff) as u16;
        let offered = self.nxt + ((u32::from(field)) << self.shift);
        self.edge = self.edge.max(offered);
        field
    }

    /// The window field of a SYN: never scaled (RFC 7323 2.2).
    pub(crate) fn syn_window_field(&mut self) -> u16 {
        let wnd = self.limit.min(0xffff) as u32;
        // SHLD-14: a SYN-ACK that is sent again takes nothing back that an ACK has offered.
        self.edge = self.edge.max(self.nxt + wnd);
        self.window().min(0xffff) as u16
    }

    /// Room in the buffer that a window can express.
    fn free(&self) -> usize {
        self.ceiling().saturating_sub(self.buffer.readable()).min(self.most())
    }

    /// How much the buffer may hold: its limit, or less while memory is short.
    fn ceiling(&self) -> usize {
        self.limit.min(self.affordable)
    }

    /// The largest window of this connection's scale.
    fn most(&self) -> usize {
        MAX_WINDOW >> (14 - self.shift)
    }

    /// Whether reading has opened the window enough to tell a peer that may be blocked.
    pub(crate) fn update_is_due(&self, mss: u32) -> bool {
        let free = self.free();
        let half = self.ceiling().min(self.most()) / 2;
        let offered = self.window() as usize;
        let gain = free.saturating_sub(offered);
        offered < half && gain >= half.min(mss as usize * 2)
    }

    /// The application has read: once per round trip, let the buffer hold twice what was read in
    /// it, so that the window is never what limits a peer the application keeps up with.
    pub(crate) fn tune(&mut self, now: Instant, rtt: Duration, limits: BufferLimits) {
        if self.limit >= limits.max {
            return;
        }
        let elapsed = now.since(self.tune_at);
        if elapsed < rtt {
            return;
        }
        let read = self.read_seq();
        let octets = read.distance_from(self.tune_read) as usize;
        self.tune_at = now;
        self.tune_read = read;
        // A pause longer than a few round trips measures the pause, not the path.
        if elapsed > rtt.saturating_mul(8).max(Duration::from_millis(100)) {
            return;
        }
        let wanted = octets.saturating_mul(2).min(self.limit.saturating_mul(GROWTH));
        self.limit = self.limit.max(wanted.min(limits.max));
    }
}

/// The largest window the largest scale can express.
const MAX_WINDOW: usize = 0xffff << 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn space(limit: usize, shift: u8) -> ReceiveSpace {
        let mut r = ReceiveSpace::new(BufferLimits { initial: limit, max: 8 * limit });
        r.start(Instant::ZERO, SeqNum(u32::MAX - 10));
        r.shift = shift;
        r
    }

    fn arrive(r: &mut ReceiveSpace, n: usize) {
        let i = r.buffer.insert(r.nxt, 0, &std::vec![1; n]);
        r.nxt += i.advance;
    }

    // MUST-39
    #[test]
    fn edge_moves_in_steps_of_a_segment() {
        let mut r = space(10_000, 0);
        assert_eq!(r.window_field(1000), 10_000);
        arrive(&mut r, 10_000);
        assert_eq!(r.window_field(1000), 0);
        r.buffer.consume(999);
        assert_eq!(r.window_field(1000), 0);
        assert!(!r.update_is_due(1000));
        r.buffer.consume(1001);
        assert!(r.update_is_due(1000));
        assert_eq!(r.window_field(1000), 2000);
    }

    // SHLD-14
    #[test]
    fn edge_never_moves_left() {
        let mut r = space(10_000, 3);
        let field = r.window_field(100);
        assert_eq!(field, 1250);
        let edge = r.edge;
        r.limit = 1000;
        arrive(&mut r, 999);
        let field = r.window_field(100);
        assert!(r.edge.at_or_after(edge));
        assert!((r.nxt + (u32::from(field) << 3)).at_or_after(edge));
    }

    #[test]
    fn no_update_is_due_when_the_scale_is_the_limit() {
        let mut r = space(128 << 10, 0);
        r.window_field(1000);
        for _ in 0..10 {
            arrive(&mut r, 10);
            r.window_field(1000);
            r.buffer.consume(10);
            assert!(!r.update_is_due(1000));
        }
    }

    #[test]
    fn unscaled_window_stops_at_64_kib() {
        let mut r = space(1 << 20, 0);
        assert_eq!(r.window_field(1000), 0xffff);
        assert_eq!(r.window(), 0xffff);
    }

    #[test]
    fn reading_fast_grows_the_buffer_and_pausing_does_not() {
        let mut r = space(10_000, 4);
        let limits = BufferLimits { initial: 10_000, max: 80_000 };
        let rtt = Duration::from_millis(1);
        arrive(&mut r, 9_000);
        r.buffer.consume(9_000);
        r.tune(Instant::from_micros(1500), rtt, limits);
        assert_eq!(r.limit, 18_000);
        arrive(&mut r, 18_000);
        r.buffer.consume(18_000);
        r.tune(Instant::from_millis(5000), rtt, limits);
        assert_eq!(r.limit, 18_000);
    }
}
