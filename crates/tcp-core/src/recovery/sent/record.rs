//! What is known of one range that was sent, and what an ACK told of all of them?

use crate::{Instant, SeqNum};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::recovery) enum Fate {
    InFlight,
    Sacked,
    /// Taken as lost and not sent again since.
    Lost,
}

/// One range of octets that share a history. A record may be a super-segment; edges of SACK
/// blocks, of partial ACKs and of retransmissions cut it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::recovery) struct Record {
    /// The last transmission.
    pub(in crate::recovery) sent_at: Instant,
    pub(in crate::recovery) start: SeqNum,
    pub(in crate::recovery) end: SeqNum,
    /// Octets delivered when it was last sent, modulo 2^32.
    pub(in crate::recovery) delivered_then: u32,
    /// Saturating.
    pub(in crate::recovery) transmissions: u8,
    pub(in crate::recovery) fate: Fate,
    /// Already counted as delivered; outlives a SACK mark that a timeout wiped.
    pub(in crate::recovery) delivered: bool,
}

const _: () = assert!(size_of::<Record>() <= 24);

impl Record {
    pub(super) fn len(&self) -> u32 {
        self.end.distance_from(self.start)
    }

    pub(super) fn retransmitted(&self) -> bool {
        self.transmissions > 1
    }

    /// In flight for the first time, so that loss can be inferred from later deliveries. A lost
    /// retransmission shows only by the timer.
    pub(super) fn can_be_inferred_lost(&self) -> bool {
        self.fate == Fate::InFlight && !self.retransmitted()
    }

    /// Nothing but the range differs from `next`, which follows directly.
    pub(super) fn joins(&self, next: &Record) -> bool {
        Record { start: next.start, end: next.end, ..*self } == *next
    }
}

/// What one ACK told about the octets sent.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::recovery) struct Delivery {
    /// Octets acknowledged cumulatively.
    pub(in crate::recovery) acked: u32,
    /// Octets newly marked as SACKed.
    pub(in crate::recovery) sacked: u32,
    /// Octets reported in either way for the first time.
    pub(in crate::recovery) delivered: u32,
    /// The cumulative part covered something sent more than once: when the earliest of it was last
    /// sent.
    pub(in crate::recovery) retransmission_acked: Option<Instant>,
    /// When the newest octet was sent that may serve as RTT sample.
    pub(in crate::recovery) sample: Option<Instant>,
    /// The newest of what was delivered: when it was sent, and what had been delivered by then.
    pub(in crate::recovery) newest: Option<(Instant, u32)>,
    /// Something arrived that was sent once, after something sent later.
    pub(in crate::recovery) reordered: bool,
    /// The end of the topmost SACKed record before this ACK.
    pub(super) top: Option<SeqNum>,
}

impl Delivery {
    pub(super) fn note(&mut self, record: &Record) {
        if record.delivered {
            return;
        }
        self.delivered += record.len();
        self.newest = self.newest.max(Some((record.sent_at, record.delivered_then)));
        self.reordered |= !record.retransmitted() && self.top.is_some_and(|t| record.end.before(t));
        // MUST-18, RFC 6298 3 (Karn): what was sent twice measures nothing.
        if !record.retransmitted() {
            self.sample = self.sample.max(Some(record.sent_at));
        }
    }
}
