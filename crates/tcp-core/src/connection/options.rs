//! What may the application choose? A connection's options, in force as soon as they are set
//! (RFC 9293 3.9.1.9).

use alloc::boxed::Box;

use super::{Connection, Phase, Timer};
use crate::Instant;
use crate::config::{Algorithm, SocketOptions, buffer_limit};
use crate::congestion::{Congestion, Controller, Custom};

impl Connection {
    /// The options as they are.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert_eq!(client.options(), &SocketOptions::default());
    /// client.set_options(now, |o| o.hop_limit = 3);
    /// assert_eq!(client.options().hop_limit, 3);
    /// ```
    pub fn options(&self) -> &SocketOptions {
        self.own_options.as_deref().unwrap_or(&self.config.options)
    }

    /// Which congestion control the connection uses, or will once it is established.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.options().congestion.unwrap_or(self.config.congestion)
    }

    /// Changes options; the change takes effect at once.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// // A corked connection sends full segments only.
    /// client.set_options(now, |o| o.cork = true);
    /// client.write(now, b"header").unwrap();
    /// assert!(drain(&mut client, now).is_empty());
    /// client.write(now, b" and body").unwrap();
    /// client.set_options(now, |o| o.cork = false);
    /// let packets = drain(&mut client, now);
    /// assert_eq!(packets.len(), 1);
    /// assert_eq!(Segment::parse(&packets[0]).unwrap().payload, b"header and body");
    /// ```
    pub fn set_options(&mut self, now: Instant, change: impl FnOnce(&mut SocketOptions)) {
        let was = self.options().clone();
        let mut o = was.clone();
        change(&mut o);
        let o = o.normalized();
        // Most connections keep the configuration's, and share them.
        self.own_options = (o != self.config.options).then(|| Box::new(o.clone()));
        if matches!(self.phase, Phase::Ended(_)) {
            // Nothing runs any more; a timer armed now would end it a second time.
            return;
        }
        if o.quickack && !was.quickack && self.rcv.ack.due() != crate::receive::Due::No {
            self.rcv.ack.now();
        }
        if o.congestion != was.congestion {
            let mss = self.mss();
            self.congestion.change(self.algorithm(), mss);
        }
        if let Some(n) = o.send_buffer {
            self.snd.limit = buffer_limit(n);
        }
        if let Some(n) = o.receive_buffer {
            self.rcv.limit = buffer_limit(n);
        }
        if (o.keepalive_on, o.keepalive) != (was.keepalive_on, was.keepalive) {
            self.arm_keepalive(now.min(self.last_received.max(self.opened_at)));
        }
        if self.options().user_timeout != was.user_timeout {
            match self.options().user_timeout {
                Some(t) if self.has_undelivered() => self.timers.set(Timer::UserTimeout, now + t),
                _ => self.timers.cancel(Timer::UserTimeout),
            }
        }
        if !self.options().cork {
            self.timers.cancel(Timer::Cork);
            self.uncorked = false;
        }
        self.after_buffer_change(&was);
    }

    /// Lets a congestion controller of the caller's own decide how much may be in flight. It hears of the segment
    /// size now, and of everything that follows; its window counts as at least one segment. Choosing a
    /// built-in algorithm afterwards ([`SocketOptions::congestion`]) takes over its window and threshold.
    /// It must not panic. One that is set in the middle of a recovery hears of its end only, and one that is set
    /// before the handshake is not told of a lost SYN.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use tcp_core::congestion::{Ack, Controller};
    ///
    /// /// Four segments, whatever happens.
    /// #[derive(Debug)]
    /// struct Four {
    ///     mss: u32,
    /// }
    ///
    /// impl Controller for Four {
    ///     fn on_ack(&mut self, _ack: &Ack) {}
    ///     fn on_loss(&mut self, _now: Instant, _in_flight: u32) {}
    ///     fn on_timeout(&mut self, _now: Instant, _in_flight: u32, _repeated: bool) {}
    ///     fn on_recovered(&mut self, _now: Instant) {}
    ///     fn on_idle_restart(&mut self, _now: Instant) {}
    ///     fn set_mss(&mut self, mss: u32) {
    ///         self.mss = mss;
    ///     }
    ///     fn window(&self) -> u32 {
    ///         4 * self.mss
    ///     }
    ///     fn slow_start_threshold(&self) -> u32 {
    ///         u32::MAX
    ///     }
    ///     fn name(&self) -> &'static str {
    ///         "four"
    ///     }
    /// }
    ///
    /// client.set_controller(now, Box::new(Four { mss: 0 }));
    /// client.write(now, &[7; 100_000]).unwrap();
    /// assert_eq!(drain(&mut client, now).len(), 4);
    /// assert_eq!(client.info().congestion, "four");
    ///
    /// client.set_options(now, |o| o.congestion = Some(Algorithm::Reno));
    /// assert_eq!(client.info().congestion_window, 4 * 1448);
    /// ```
    pub fn set_controller(&mut self, now: Instant, controller: Box<dyn Controller>) {
        // A built-in one that is chosen later is then a change.
        self.set_options(now, |o| o.congestion = None);
        self.congestion = Congestion::Custom(Custom::new(controller, self.mss()));
    }

    /// A larger buffer lets a writer or the peer go on that found the smaller one full.
    fn after_buffer_change(&mut self, was: &SocketOptions) {
        let o = self.options();
        let (send, receive) = (o.send_buffer, o.receive_buffer);
        if (send, o.notsent_lowat) != (was.send_buffer, was.notsent_lowat) {
            self.notify_room();
        }
        if receive != was.receive_buffer {
            self.offer_room();
        }
    }
}
