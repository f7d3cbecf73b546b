//! When is an ACK due? Delayed and immediate acknowledgement (RFC 9293 3.8.6.3, RFC 5681 4.2;
//! SHLD-18, SHLD-19, MUST-58, MUST-59). The ACK itself is made when the caller asks for packets,
//! so everything that arrived in one batch is covered by one ACK.

use crate::SeqNum;

/// Whether an ACK is owed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Due {
    /// Everything is acknowledged.
    No,
    /// Within the delay, or with the next text we send.
    Delayed,
    /// With the next packet, which is sent at once.
    Now,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct AckPolicy {
    due: Due,
    /// Octets that arrived in order since the last ACK was sent.
    unacked: u32,
    /// The application answers what it reads: an ACK had better wait for the answer. Until it has
    /// shown that, a read acknowledges (docs/decisions/0030). Linux: pingpong mode.
    answering: bool,
    /// Last.ACK.sent of RFC 7323 4.3.
    last_sent: SeqNum,
}

impl AckPolicy {
    pub(crate) const fn new() -> AckPolicy {
        AckPolicy { due: Due::No, unacked: 0, answering: false, last_sent: SeqNum(0) }
    }

    pub(crate) const fn due(&self) -> Due {
        self.due
    }

    pub(crate) const fn last_sent(&self) -> SeqNum {
        self.last_sent
    }

    /// In-order text came: the second full-sized segment is acknowledged at once (SHLD-19).
    pub(crate) fn on_text(&mut self, octets: u32, full_segment: u32, quick: bool) {
        self.unacked = self.unacked.saturating_add(octets);
        if quick || self.unacked >= full_segment.saturating_mul(2) {
            self.due = Due::Now;
        } else if self.due == Due::No {
            self.due = Due::Delayed;
        }
    }

    /// Something must be acknowledged at once: a FIN, a gap, a duplicate, a window update
    /// (MAY-13, RFC 5681 4.2).
    pub(crate) fn now(&mut self) {
        self.due = Due::Now;
    }

    /// The application has read everything that has come.
    pub(crate) fn on_all_read(&mut self) {
        if self.due == Due::Delayed && !self.answering {
            self.due = Due::Now;
        }
    }

    /// Text was sent within the delay after the last segment of the peer.
    pub(crate) fn on_answer(&mut self) {
        self.answering = true;
    }

    /// The delay is over, and no answer has come.
    pub(crate) fn on_delay_over(&mut self) {
        self.answering = false;
        self.due = Due::Now;
    }

    /// A segment with our RCV.NXT was sent.
    pub(crate) fn on_sent(&mut self, ack: SeqNum) {
        self.due = Due::No;
        self.unacked = 0;
        self.last_sent = ack;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SHLD-18, SHLD-19, MUST-58
    #[test]
    fn every_second_full_segment_is_acknowledged_at_once() {
        let mut p = AckPolicy::new();
        p.on_text(1000, 1000, false);
        assert_eq!(p.due(), Due::Delayed);
        p.on_text(1000, 1000, false);
        assert_eq!(p.due(), Due::Now);
        p.on_text(1000, 1000, false);
        p.on_sent(SeqNum(3000));
        assert_eq!((p.due(), p.last_sent()), (Due::No, SeqNum(3000)));
        p.on_text(1, 1000, true);
        assert_eq!(p.due(), Due::Now);
    }

    #[test]
    fn a_read_acknowledges_unless_answers_follow() {
        let mut p = AckPolicy::new();
        p.on_all_read();
        assert_eq!(p.due(), Due::No, "nothing to acknowledge");
        p.on_text(1, 1000, false);
        p.on_all_read();
        assert_eq!(p.due(), Due::Now);
        p.on_sent(SeqNum(1));
        p.on_answer();
        p.on_text(1, 1000, false);
        p.on_all_read();
        assert_eq!(p.due(), Due::Delayed);
        p.on_delay_over();
        assert_eq!(p.due(), Due::Now);
        p.on_sent(SeqNum(2));
        p.on_text(1, 1000, false);
        p.on_all_read();
        assert_eq!(p.due(), Due::Now, "the answer did not come");
    }
}
