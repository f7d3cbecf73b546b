//! A deadline was reached: what now? Retransmission, probes, keepalive and the ends of patience
//! (RFC 9293 3.8, 3.10.8; RFC 6298 5).

use core::time::Duration;

use super::{Connection, End, Events, Happening, Phase, Probe, Reader, State, Timer};
use crate::Instant;
use crate::congestion::Controller;

impl Connection {
    /// Time has come to `now`: handles every deadline that has passed. Calling it early does
    /// nothing.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// // A driver's time: from deadline to deadline. Here nobody answers a SYN.
    /// let mut now = Instant::ZERO;
    /// let mut client = Connection::connect(now, CALLER, Arc::new(TcpConfig::default()));
    /// let mut sent_at = Vec::new();
    /// loop {
    ///     sent_at.extend(drain(&mut client, now).iter().map(|_| now.as_millis() / 1000));
    ///     let Some(deadline) = client.poll_timeout() else { break };
    ///     now = deadline.at;
    ///     client.on_timeout(now);
    /// }
    /// assert_eq!(sent_at, [0, 1, 3, 7, 15, 31, 63, 127]);
    /// assert_eq!((client.end(), now), (Some(End::TimedOut), Instant::from_millis(180_000)));
    /// ```
    pub fn on_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_expired(now) {
            match timer {
                Timer::Retransmit => self.on_retransmit_timeout(now),
                Timer::Probe => self.on_probe_timeout(),
                Timer::DelayedAck => {
                    self.note(Happening::DelayedAck);
                    self.rcv.ack.on_delay_over();
                }
                Timer::Cork => self.uncorked = true,
                Timer::Keepalive => self.on_keepalive_timeout(now),
                Timer::UserTimeout => self.give_up(),
                // The peer's side of an orphan is not worth waiting for any longer. Linux says
                // nothing either; what the peer still sends is answered by a reset.
                Timer::FinWait2 | Timer::TimeWait => self.finish(End::Closed),
                Timer::Trim => self.trim(now),
            }
        }
    }

    /// RFC 6298 5.4 to 5.6 and R1, R2 (MUST-20, MUST-22).
    fn on_retransmit_timeout(&mut self, now: Instant) {
        if self.recovery.is_empty() || self.believes_doubt(now) {
            return;
        }
        self.attempts += 1;
        self.note(Happening::Timeout);
        if self.attempts > self.retry_limit() || self.syn_patience_is_over(now) {
            self.give_up();
            return;
        }
        if self.attempts == self.config.retries_r1 {
            // MUST-20 and SHLD-9: IP is advised, and the application told.
            self.notify(Events::TROUBLE);
        }
        let met = self.recovery.on_rto();
        if !self.is_opening() {
            self.detect_black_hole();
            self.congestion.on_timeout(now, met.in_flight, met.repeated);
        }
        self.retransmit_first = true;
        // RFC 6298 5.5: armed again by the retransmission, with the doubled value.
        let mut at = now + self.recovery.rto().current();
        if self.is_opening() {
            at = at.min(self.opened_at + self.config.syn_timeout);
        }
        self.timers.set(Timer::Retransmit, at);
    }

    fn retry_limit(&self) -> u32 {
        if self.is_opening() {
            self.config.syn_retries
        } else if self.reader == Reader::Gone {
            self.config.orphan_retries
        } else if self.options().user_timeout.is_some() {
            // MUST-21: the application's R2 is a time, and takes the place of ours.
            u32::MAX
        } else {
            self.config.retries_r2
        }
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::SynSent | Phase::SynReceived)
    }

    /// MUST-23
    fn syn_patience_is_over(&self, now: Instant) -> bool {
        self.is_opening() && now.since(self.opened_at) >= self.config.syn_timeout
    }

    /// R2, the user timeout or keepalive is over. A soft error tells more than a time-out
    /// (RFC 5461 3).
    fn give_up(&mut self) {
        self.note(Happening::AbortOnTimeout);
        let end = self.soft_error.map_or(End::TimedOut, End::Unreachable);
        self.finish(end);
    }

    /// The window is closed, or what is left was held back: probe or push (MUST-36, SHLD-29).
    fn on_probe_timeout(&mut self) {
        if !self.recovery.is_empty() {
            return;
        }
        // MUST-37: `probes` falls to zero whenever the peer answers.
        if self.probes >= self.retry_limit() {
            self.give_up();
            return;
        }
        self.probes += 1;
        self.probe_backoff = (self.probe_backoff + 1).min(16);
        self.probe = Some(Probe::Window);
        // The probe is not acceptable on purpose: what it says of urgent text is not heard.
        self.urgent_untold = self.snd.has_unsent_urgent();
    }

    /// Turns keepalive on, if the application asked for it (MAY-5).
    pub(super) fn arm_keepalive(&mut self, now: Instant) {
        let live = matches!(self.phase, Phase::Synchronized(_)) && self.state() != State::TimeWait;
        if self.options().keepalive_on && live {
            let idle = at_least_a_tick(self.options().keepalive.idle);
            self.timers.set(Timer::Keepalive, now + idle);
        } else {
            self.timers.cancel(Timer::Keepalive);
        }
    }

    fn on_keepalive_timeout(&mut self, now: Instant) {
        let k = self.options().keepalive;
        let due = self.last_received + at_least_a_tick(k.idle);
        // MUST-26: only when nothing is outstanding and nothing was received for the interval.
        if self.has_undelivered() {
            self.timers.set(Timer::Keepalive, now + at_least_a_tick(k.idle));
        } else if now < due {
            self.timers.set(Timer::Keepalive, due);
        } else if self.probed_in_vain(now) {
            self.note(Happening::AbortOnTimeout);
            self.finish_with_reset(End::TimedOut);
        } else {
            self.probes += 1;
            self.probe = Some(Probe::Keepalive);
            self.timers.set(Timer::Keepalive, now + at_least_a_tick(k.interval));
        }
    }

    /// MUST-29: only after `count` probes without an answer; with a user timeout after that time,
    /// as on Linux, and after one probe at least.
    fn probed_in_vain(&self, now: Instant) -> bool {
        match self.options().user_timeout {
            Some(t) => self.probes > 0 && now.since(self.last_received) >= t,
            None => self.probes >= self.options().keepalive.count.max(1),
        }
    }
}

/// A time that the application set: zero would be due for ever.
fn at_least_a_tick(d: Duration) -> Duration {
    d.max(Duration::from_millis(1))
}
