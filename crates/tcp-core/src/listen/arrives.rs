//! A segment arrived for a half-open record: what now? RFC 9293 3.10.7.4 for SYN-RECEIVED after a
//! passive open, with the checks of RFC 5961 for resets and SYNs.

use super::{HalfOpen, defer};
use crate::Instant;
use crate::config::TcpConfig;
use crate::error::DropReason;
use crate::wire::{Flags, Segment};

/// What a segment means for a half-open record.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
#[doc = include_str!("../../doc/half_open.rs")]
/// use HalfOpenVerdict as V;
///
/// assert_eq!(half.on_segment(now, &syn, &config), V::SynAck); // again
/// let elsewhere = Segment { seq: last.seq + 100_000, ..last };
/// assert_eq!(half.on_segment(now, &elsewhere, &config), V::Ack(DropReason::OutOfWindow));
/// let no_ack = Segment { flags: Flags::PSH, ..last };
/// assert_eq!(half.on_segment(now, &no_ack, &config), V::Ignore(DropReason::NoAck));
/// let wrong = Segment { ack: last.ack + 1, ..last };
/// assert_eq!(half.on_segment(now, &wrong, &config), V::Reset(DropReason::BadAck));
/// let reset = Segment { flags: Flags::RST, ..last };
/// assert_eq!(half.on_segment(now, &reset, &config), V::Remove);
/// assert_eq!(half.on_segment(now, &last, &config), V::Establish);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HalfOpenVerdict {
    /// Drop it.
    Ignore(DropReason),
    /// A repeated SYN: send the SYN-ACK again.
    SynAck,
    /// Send [`HalfOpen::ack`].
    Ack(DropReason),
    /// Answer with [`reset::reply_to`](crate::reset::reply_to); the record stays.
    Reset(DropReason),
    /// The peer has given up: remove the record (MUST-11, back to LISTEN).
    Remove,
    /// The handshake is complete: make a [`Connection`](crate::Connection) and give it this
    /// segment.
    Establish,
}

impl HalfOpen {
    /// A segment for this record (RFC 9293 3.10.7.4 for SYN-RECEIVED after a passive open).
    pub fn on_segment(
        &mut self,
        now: Instant,
        seg: &Segment<'_>,
        config: &TcpConfig,
    ) -> HalfOpenVerdict {
        use HalfOpenVerdict as V;
        let reset = seg.flags.contains(Flags::RST);
        let (nxt, wnd) = (self.irs + 1, u32::from(self.window).max(1));
        if !reset && self.timestamps(config).rejects(now, seg.options.timestamps) {
            return V::Ack(DropReason::Paws);
        }
        let syn = seg.flags.contains(Flags::SYN);
        if syn && !reset && !seg.flags.contains(Flags::ACK) && seg.seq == self.irs {
            // MUST-41: a repeated SYN never makes a second record.
            self.resent = true;
            return V::SynAck;
        }
        let end = seg.seq + seg.seq_len().max(1) - 1;
        if !(seg.seq.within(nxt, wnd) || end.within(nxt, wnd)) {
            return if reset {
                V::Ignore(DropReason::OutOfWindow)
            } else {
                V::Ack(DropReason::OutOfWindow)
            };
        }
        if reset {
            // RFC 5961 3.2
            return if seg.seq == nxt { V::Remove } else { V::Ack(DropReason::ResetNotExact) };
        }
        if syn {
            // RFC 5961 4.2
            return V::Ack(DropReason::UnexpectedSyn);
        }
        if !seg.flags.contains(Flags::ACK) {
            return V::Ignore(DropReason::NoAck);
        }
        if seg.ack != self.isn + 1 {
            return V::Reset(DropReason::BadAck);
        }
        if self.is_deferred(seg, config) {
            self.acked = true;
            return V::Ignore(DropReason::Deferred);
        }
        V::Establish
    }

    /// `TCP_DEFER_ACCEPT`: an ACK without text does not complete the handshake yet.
    fn is_deferred(&self, seg: &Segment<'_>, config: &TcpConfig) -> bool {
        let bare = seg.payload.is_empty() && !seg.flags.contains(Flags::FIN);
        bare && self.early.is_none() && self.timeouts() < defer::deadlines(config)
    }

    /// The last ACK has come, and the application's queue had no room for it.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// let rules = Backlog {
    ///     syn_backlog: 128,
    ///     proven_backlog: 16,
    ///     syn_cookies: SynCookies::WhenFull,
    ///     abort_on_overflow: false,
    /// };
    /// assert_eq!(half.on_segment(now, &last, &config), HalfOpenVerdict::Establish);
    /// if rules.on_last_ack(false) == Completion::Drop {
    ///     half.on_overflow();
    /// }
    /// // The SYN-ACK goes again; with its ACK, or with text, the peer comes back.
    /// now = half.deadline();
    /// assert_eq!(half.on_timeout(now, 5, &config), HalfOpenTimeout::SynAck);
    /// assert_eq!(half.on_segment(now, &last, &config), HalfOpenVerdict::Establish);
    /// ```
    pub fn on_overflow(&mut self) {
        self.acked = true;
    }
}
