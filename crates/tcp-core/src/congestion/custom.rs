//! How does a controller of the user's own stand beside the built-in ones? With the segment size, which the trait
//! tells it and does not ask back.

use alloc::boxed::Box;

use super::{Ack, Controller};
use crate::Instant;

/// A controller that the built-in algorithms know nothing of. Its window counts as at least one segment: with
/// nothing in flight no ACK would ever open a closed one (RFC 5681 3.1: the loss window).
///
/// ```
/// use tcp_core::congestion::{Controller, Custom, Reno};
///
/// let own = Custom::new(Box::new(Reno::new(1_000, 3_000)), 1_460);
/// assert_eq!((own.name(), own.window()), ("reno", 3_000));
/// ```
#[derive(Debug)]
pub struct Custom {
    controller: Box<dyn Controller>,
    mss: u32,
}

impl Custom {
    /// Tells `controller` of the segment size, in octets.
    pub fn new(mut controller: Box<dyn Controller>, mss: u32) -> Custom {
        controller.set_mss(mss);
        Custom { controller, mss }
    }

    /// What `set_mss` said last.
    #[cfg(feature = "explore")]
    pub(super) fn mss(&self) -> u32 {
        self.mss
    }
}

impl Controller for Custom {
    fn on_ack(&mut self, ack: &Ack) {
        self.controller.on_ack(ack);
    }

    fn on_loss(&mut self, now: Instant, in_flight: u32) {
        self.controller.on_loss(now, in_flight);
    }

    fn on_timeout(&mut self, now: Instant, in_flight: u32, repeated: bool) {
        self.controller.on_timeout(now, in_flight, repeated);
    }

    fn on_recovered(&mut self, now: Instant) {
        self.controller.on_recovered(now);
    }

    fn on_idle_restart(&mut self, now: Instant) {
        self.controller.on_idle_restart(now);
    }

    fn set_mss(&mut self, mss: u32) {
        self.mss = mss;
        self.controller.set_mss(mss);
    }

    fn window(&self) -> u32 {
        self.controller.window().max(self.mss)
    }

    fn slow_start_threshold(&self) -> u32 {
        self.controller.slow_start_threshold()
    }

    fn name(&self) -> &'static str {
        self.controller.name()
    }
}
