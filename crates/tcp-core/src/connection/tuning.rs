//! How large may buffers become by themselves? The limits that grow with what a path carries, between those of
//! [`BufferLimits`](crate::config::BufferLimits). Whether there is memory is `memory.rs`'s question.

use core::time::Duration;

use super::Connection;
use crate::Instant;
use crate::congestion::Controller;

/// A path with a shorter round trip than this is filled by little text: 256 KiB in it are 8 Gbit/s.
const SHORT: Duration = Duration::from_micros(250);

/// A path has become a long one if its smoothed round trip is above this; below, it is our own queue.
const LONG: Duration = Duration::from_millis(16);

/// Octets in all buffers of the stack beyond which more of them leave the caches that the cores share, and cost
/// more than they bring (docs/decisions/0029).
const WARM: usize = 4 << 20;

/// What a connection over a short path gets in any case.
const ENOUGH: usize = 256 << 10;

impl Connection {
    /// The buffer holds two congestion windows, so that an ACK always finds something to send.
    pub(super) fn tune_send_buffer(&mut self) {
        if self.options().send_buffer.is_some() || !self.may_tune() {
            return;
        }
        let wanted = (self.congestion.window() as usize).saturating_mul(2);
        let wanted = wanted.min(self.config.send_buffer.max);
        if wanted > self.snd.limit {
            let most = if self.is_crowded() { ENOUGH } else { wanted };
            self.snd.limit = self.snd.limit.max(wanted.min(most));
        }
    }

    /// The window that the application's reading deserves.
    pub(super) fn tune_receive_buffer(&mut self, now: Instant) {
        if self.options().receive_buffer.is_none() && self.may_tune() {
            let rtt = self.recovery.rtt().smoothed().unwrap_or_default();
            self.rcv.tune(now, rtt, self.config.receive_buffer);
        }
    }

    /// Whether the congestion window of a short path says nothing about what its buffer should hold: without losses
    /// it grows with the buffer, and the buffer with it.
    fn is_crowded(&self) -> bool {
        let rtt = self.recovery.rtt();
        rtt.min().is_some_and(|rtt| rtt < SHORT)
            && rtt.smoothed().is_some_and(|rtt| rtt < LONG)
            && self.account.all_charged() > WARM
    }
}
