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

/// What the application does with what it has read, as far as it has shown (docs/decisions/0030). Linux:
/// pingpong mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
enum Habit {
    /// It reads: that acknowledges.
    Reading,
    /// The last ACK was for a read; text that is sent next is the answer.
    Read,
    /// It answers: the ACK had better wait for that.
    Answering,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct AckPolicy {
    due: Due,
    /// Octets that arrived in order since the last ACK was sent.
    unacked: u32,
    /// Among the unacknowledged is the end of a write: a small segment, or one with PSH.
    written_end: bool,
    /// Does the application answer what it reads?
    habit: Habit,
    /// Last.ACK.sent of RFC 7323 4.3.
    last_sent: SeqNum,
}

impl AckPolicy {
    pub(crate) const fn new() -> AckPolicy {
        AckPolicy {
            due: Due::No,
            unacked: 0,
            written_end: false,
            habit: Habit::Reading,
            last_sent: SeqNum(0),
        }
    }

    pub(crate) const fn due(&self) -> Due {
        self.due
    }

    pub(crate) const fn last_sent(&self) -> SeqNum {
        self.last_sent
    }

    /// In-order text came: the second full-sized segment is acknowledged at once (SHLD-19).
    pub(crate) fn on_text(&mut self, octets: u32, full_segment: u32, pushed: bool, quick: bool) {
        self.unacked = self.unacked.saturating_add(octets);
        self.written_end |= pushed || octets < full_segment;
        if self.habit == Habit::Read {
            self.habit = Habit::Reading;
        }
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

    /// The application has read everything that has come. A sender who has written all may wait for
    /// the ACK; one in the middle of full segments does not.
    pub(crate) fn on_all_read(&mut self) {
        if self.due == Due::Delayed && self.written_end && self.habit != Habit::Answering {
            self.due = Due::Now;
            self.habit = Habit::Read;
        }
    }

    /// New text is sent: an answer, if something is to be acknowledged or was just read.
    pub(crate) fn on_text_sent(&mut self) {
        if self.due != Due::No || self.habit == Habit::Read {
            self.habit = Habit::Answering;
        }
    }

    /// The delay is over, and no answer has come.
    pub(crate) fn on_delay_over(&mut self) {
        self.habit = Habit::Reading;
        self.due = Due::Now;
    }

    /// A segment with our RCV.NXT was sent.
    pub(crate) fn on_sent(&mut self, ack: SeqNum) {
        self.due = Due::No;
        self.unacked = 0;
        self.written_end = false;
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
        p.on_text(1000, 1000, false, false);
        assert_eq!(p.due(), Due::Delayed);
        p.on_text(1000, 1000, false, false);
        assert_eq!(p.due(), Due::Now);
        p.on_text(1000, 1000, false, false);
        p.on_sent(SeqNum(3000));
        assert_eq!((p.due(), p.last_sent()), (Due::No, SeqNum(3000)));
        p.on_text(1, 1000, false, true);
        assert_eq!(p.due(), Due::Now);
    }

    #[test]
    fn a_read_acknowledges_unless_answers_follow() {
        let mut p = AckPolicy::new();
        p.on_all_read();
        assert_eq!(p.due(), Due::No, "nothing to acknowledge");
        p.on_text(1, 1000, false, false);
        p.on_all_read();
        assert_eq!(p.due(), Due::Now);
        p.on_sent(SeqNum(1));
        p.on_text_sent();
        p.on_text(1, 1000, false, false);
        p.on_all_read();
        assert_eq!(p.due(), Due::Delayed);
        p.on_delay_over();
        assert_eq!(p.due(), Due::Now);
        p.on_sent(SeqNum(2));
        p.on_text(1, 1000, false, false);
        p.on_all_read();
        assert_eq!(p.due(), Due::Now, "the answer did not come");
    }

    #[test]
    fn a_read_in_the_middle_of_full_segments_acknowledges_nothing() {
        let mut p = AckPolicy::new();
        p.on_text(1000, 1000, false, false);
        p.on_all_read();
        assert_eq!(p.due(), Due::Delayed);
        p.on_sent(SeqNum(1000));
        p.on_text(1000, 1000, true, false);
        p.on_all_read();
        assert_eq!(p.due(), Due::Now, "the sender has written no more");
    }

    #[test]
    fn text_that_answers_nothing_shows_nothing() {
        let mut p = AckPolicy::new();
        p.on_text_sent();
        p.on_text(1, 1000, false, false);
        p.on_all_read();
        assert_eq!(p.due(), Due::Now);
        p.on_sent(SeqNum(1));
        p.on_text(1, 1000, false, false);
        p.on_all_read();
        p.on_sent(SeqNum(2));
        // The ACK of the read left before the answer was ready.
        p.on_text_sent();
        p.on_text(1, 1000, false, false);
        p.on_all_read();
        assert_eq!(p.due(), Due::Delayed);
    }
}
