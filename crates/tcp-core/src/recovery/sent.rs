//! Which sent octets are in flight, which has the peer reported, which are lost? The scoreboard of
//! RFC 6675 3 and 4: one record a transmission, in sequence order. When to act on a loss is the
//! matter of [`Recovery`](super::Recovery); no congestion window is known here.

mod memory;
mod record;

use alloc::collections::VecDeque;

pub(super) use self::record::Delivery;
use self::record::{Fate, Record};
use crate::wire::SackBlock;
use crate::{Instant, SeqNum};

/// More records than this are not made: a SACK block that would cut further is ignored, and new
/// data extends the last record. 16,384 records are 384 KiB; honest peers stay far below.
pub(super) const MAX_RECORDS: usize = 16_384;

/// [`Scoreboard::next_lost`] stops joining records at this length; no packet is longer.
const LONGEST_RANGE: u32 = 65_535;

/// The octets from SND.UNA to the highest sent, without gap, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Scoreboard {
    records: VecDeque<Record>,
    /// Octets in records of that fate.
    sacked: u32,
    lost: u32,
    /// The end of the topmost SACKed record; meaningful while `sacked > 0`.
    highest_sacked: SeqNum,
    /// The start of the first lost record; meaningful while `lost > 0`.
    first_lost: SeqNum,
    /// Octets delivered since the connection began, modulo 2^32.
    delivered: u32,
    /// Below this every record that could be inferred lost has been.
    evaluated: SeqNum,
    /// By how much the bound of the records is lowered.
    withheld: u16,
    /// There is no memory for a larger table.
    confined: bool,
}

impl Scoreboard {
    /// Octets not acknowledged cumulatively (FlightSize of RFC 5681).
    pub(super) fn outstanding(&self) -> u32 {
        match (self.records.front(), self.records.back()) {
            (Some(first), Some(last)) => last.end.distance_from(first.start),
            _ => 0,
        }
    }

    /// `pipe` of RFC 6675 4, except that an octet sent twice counts once even where the first copy
    /// is not known to be lost.
    pub(super) fn in_flight(&self) -> u32 {
        self.outstanding() - self.sacked - self.lost
    }

    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    pub(super) fn sacked(&self) -> u32 {
        self.sacked
    }

    /// Counts what an ACK delivered; returns how much was since the newest of it was sent.
    pub(super) fn on_delivered(&mut self, delivery: &Delivery) -> Option<(Instant, u32)> {
        self.delivered = self.delivered.wrapping_add(delivery.delivered);
        delivery.newest.map(|(sent, then)| (sent, self.delivered.wrapping_sub(then)))
    }

    pub(super) fn head(&self) -> Option<&Record> {
        self.records.front()
    }

    /// The highest octet sent, plus one; `None` if nothing is outstanding.
    pub(super) fn end(&self) -> Option<SeqNum> {
        self.records.back().map(|r| r.end)
    }

    /// Whether new data can be noted: in a record of its own or in the last one.
    pub(super) fn can_note(&self) -> bool {
        !self.confined
            || self.records.len() < self.records.capacity()
            || self.records.back().is_none_or(|r| r.fate == Fate::InFlight)
    }

    /// Appends new data. Must follow what was sent before.
    pub(super) fn on_sent(&mut self, now: Instant, start: SeqNum, len: u32) {
        if len == 0 {
            return;
        }
        let full = self.records.len() >= self.most_records();
        let new = Record {
            sent_at: now,
            start,
            end: start + len,
            delivered_then: self.delivered,
            transmissions: 1,
            fate: Fate::InFlight,
            delivered: false,
        };
        match self.records.back_mut() {
            None => self.evaluated = start,
            Some(last) => {
                debug_assert_eq!(last.end, start, "new data follows the old");
                // At the limit the older time stands for both: it overestimates the RTT.
                if last.joins(&new) || (full && last.fate == Fate::InFlight) {
                    last.end = new.end;
                    return;
                }
            }
        }
        self.records.push_back(new);
    }

    /// `[start, start + len)` was sent again: in flight, whatever it was, unless SACKed.
    pub(super) fn on_retransmitted(&mut self, now: Instant, start: SeqNum, len: u32) {
        let from = self.cut(start);
        let end = start + len;
        let to = self.cut(end);
        // A record that can't be cut counts as sent again as a whole; the timer finds the rest.
        let to = (to + usize::from(self.cuts(end))).max(from);
        for r in self.records.range_mut(from..to) {
            match r.fate {
                Fate::Sacked => continue,
                Fate::Lost => self.lost -= r.len(),
                Fate::InFlight => {}
            }
            r.fate = Fate::InFlight;
            r.transmissions = r.transmissions.saturating_add(1);
            r.sent_at = now;
            r.delivered_then = self.delivered;
        }
        self.rejoin(from, to + 1);
        self.settle_first_lost();
    }

    /// Joins records `from..to`, and `from` with the one before, where nothing tells them apart.
    fn rejoin(&mut self, from: usize, to: usize) {
        let mut to = to.min(self.records.len());
        let mut i = from.max(1);
        while i < to {
            let next = self.records[i];
            if self.records[i - 1].joins(&next) {
                self.records[i - 1].end = next.end;
                self.records.remove(i);
                to -= 1;
            } else {
                i += 1;
            }
        }
    }

    /// Everything before `ack` has arrived.
    pub(super) fn on_cumulative_ack(&mut self, ack: SeqNum, delivery: &mut Delivery) {
        delivery.top = (self.sacked > 0).then_some(self.highest_sacked);
        while let Some(head) = self.records.front_mut() {
            if ack.at_or_before(head.start) {
                break;
            }
            let part = Record { end: head.end.min(ack), ..*head };
            delivery.note(&part);
            delivery.acked += part.len();
            if part.retransmitted() {
                let first = delivery.retransmission_acked.unwrap_or(part.sent_at);
                delivery.retransmission_acked = Some(first.min(part.sent_at));
            }
            match part.fate {
                Fate::Sacked => self.sacked -= part.len(),
                Fate::Lost => self.lost -= part.len(),
                Fate::InFlight => {}
            }
            self.evaluated = self.evaluated.max(part.end);
            if part.end == head.end {
                self.records.pop_front();
            } else {
                head.start = part.end;
            }
        }
        if delivery.retransmission_acked.is_some() {
            // What lay behind a repaired hole waited for the repair: no measure of the path.
            delivery.sample = None;
        }
        self.settle_first_lost();
    }

    /// The peer holds `block`. Only blocks within (SND.UNA, SND.NXT] count.
    pub(super) fn on_sack(&mut self, block: SackBlock, delivery: &mut Delivery) {
        let Some((start, end)) = self.unreported_part(block) else { return };
        // Hostile patterns can't make records without bound.
        if self.records.len() + 2 > self.most_records() && (self.cuts(start) || self.cuts(end)) {
            return;
        }
        self.highest_sacked = if self.sacked == 0 { end } else { self.highest_sacked.max(end) };
        let (from, to) = (self.cut(start), self.cut(end));
        for r in self.records.range(from..to) {
            match r.fate {
                Fate::Sacked => continue,
                Fate::Lost => self.lost -= r.len(),
                Fate::InFlight => {}
            }
            delivery.note(r);
            delivery.sacked += r.len();
            self.sacked += r.len();
        }
        self.merge_as_sacked(from, to);
        self.settle_first_lost();
    }

    /// `block` without those of its ends that lie in records known as SACKed; `None` if nothing is
    /// left or the block is not one that an honest peer sends.
    fn unreported_part(&self, block: SackBlock) -> Option<(SeqNum, SeqNum)> {
        let una = self.records.front()?.start;
        let valid = block.start.after(una)
            && block.start.before(block.end)
            && block.end.at_or_before(self.end()?);
        if !valid {
            return None;
        }
        let first = self.records[self.index_of(block.start)];
        let start = if first.fate == Fate::Sacked { first.end } else { block.start };
        if block.end.at_or_before(start) {
            return None;
        }
        let last = self.records[self.index_of(block.end - 1)];
        let end = if last.fate == Fate::Sacked { last.start } else { block.end };
        start.before(end).then_some((start, end))
    }

    /// Makes the records `from..to` and SACKed neighbours into one, whose history no longer matters.
    fn merge_as_sacked(&mut self, from: usize, to: usize) {
        let sacked = |r: Option<&Record>| r.is_some_and(|r| r.fate == Fate::Sacked);
        let lo = if from > 0 && sacked(self.records.get(from - 1)) { from - 1 } else { from };
        let hi = if sacked(self.records.get(to)) { to + 1 } else { to };
        let mut whole = self.records[lo];
        for r in self.records.range(lo + 1..hi) {
            whole.end = r.end;
            whole.sent_at = whole.sent_at.min(r.sent_at);
            whole.transmissions = whole.transmissions.max(r.transmissions);
        }
        self.records[lo] = Record { fate: Fate::Sacked, delivered: true, ..whole };
        if hi - lo > 1 {
            self.records.drain(lo + 1..hi);
        }
    }

    /// Marks what RFC 6675 4 `IsLost` calls lost: octets with `threshold` separate SACKed ranges or
    /// more than `(threshold - 1) * mss` SACKed octets above. Returns how many octets are new.
    pub(super) fn mark_lost(&mut self, threshold: u32, mss: u32) -> u32 {
        let Some(edge) = self.loss_edge(threshold, mss) else { return 0 };
        let before = self.lost;
        let mut i = self.index_of(self.evaluated);
        while let Some(r) = self.records.get(i)
            && r.start.before(edge)
        {
            if r.can_be_inferred_lost() {
                self.lose(i);
            }
            i += 1;
        }
        self.evaluated = edge;
        self.lost - before
    }

    /// Below which octet does `IsLost` hold? `None` if not above [`evaluated`](Self::evaluated).
    /// Walks down from the top only as far as the answer needs.
    fn loss_edge(&self, threshold: u32, mss: u32) -> Option<SeqNum> {
        if self.sacked == 0 {
            return None;
        }
        let enough = u64::from(threshold.saturating_sub(1)) * u64::from(mss);
        let (mut ranges, mut octets) = (0, 0);
        let mut above = None;
        let top = self.index_of(self.highest_sacked - 1);
        for r in self.records.range(..=top).rev() {
            if r.start.at_or_before(self.evaluated) {
                return None;
            }
            if r.fate == Fate::Sacked {
                ranges += u32::from(above != Some(Fate::Sacked));
                octets += u64::from(r.len());
                if ranges >= threshold || octets > enough {
                    return Some(r.start);
                }
            }
            above = Some(r.fate);
        }
        None
    }

    /// Marks the first `len` octets outstanding as lost if they were sent once and not reported.
    /// Returns how many were marked.
    pub(super) fn mark_head_lost(&mut self, len: u32) -> u32 {
        let Some(head) = self.records.front().copied() else { return 0 };
        if len == 0 || !head.can_be_inferred_lost() {
            return 0;
        }
        if len < head.len() {
            self.cut(head.start + len);
        }
        self.lose(0);
        self.records[0].len()
    }

    /// Takes everything in flight of `[from, to)` as lost, also what was sent more than once.
    pub(super) fn lose_range(&mut self, from: SeqNum, to: SeqNum) {
        let (Some(head), Some(end)) = (self.records.front(), self.end()) else { return };
        let (from, to) = (from.max(head.start), to.min(end));
        if to.at_or_before(from) {
            return;
        }
        let (first, last) = (self.cut(from), self.cut(to));
        for i in first..last {
            if self.records[i].fate == Fate::InFlight {
                self.lose(i);
            }
        }
    }

    /// After a timeout: forgets every SACK, for the peer may have dropped what it had reported
    /// (RFC 2018 8), and takes all as lost.
    pub(super) fn lose_all(&mut self) {
        for r in &mut self.records {
            r.fate = Fate::Lost;
        }
        self.sacked = 0;
        self.lost = self.outstanding();
        if let (Some(head), Some(end)) = (self.records.front(), self.end()) {
            self.first_lost = head.start;
            self.evaluated = end;
        }
    }

    /// The first lost range, of 64 KiB or what one record holds if that is more.
    pub(super) fn next_lost(&self) -> Option<(SeqNum, u32)> {
        if self.lost == 0 {
            return None;
        }
        let mut len = 0;
        for r in self.records.range(self.index_of(self.first_lost)..) {
            if r.fate != Fate::Lost || len >= LONGEST_RANGE {
                break;
            }
            len += r.len();
        }
        Some((self.first_lost, len))
    }

    /// Gives back the memory that a burst has left, for a connection that went idle.
    #[cfg(feature = "explore")]
    pub(super) fn canonical<H: core::hash::Hasher>(&self, now: Option<Instant>, h: &mut H) {
        use core::hash::Hash;
        // The rest are sums over the records and places to go on from.
        let Scoreboard { records, highest_sacked, first_lost: _, evaluated, .. } = self;
        for r in records {
            let Record { sent_at, start, end, transmissions, fate, delivered, delivered_then: _ } =
                r;
            let ago = now.map(|now| now.since(*sent_at));
            (ago, start, end, transmissions, fate, delivered).hash(h);
        }
        (records.len(), (self.sacked > 0).then_some(highest_sacked)).hash(h);
        (!records.is_empty()).then_some(evaluated).hash(h);
    }

    /// The record that holds `seq`; the number of records if `seq` is beyond all.
    fn index_of(&self, seq: SeqNum) -> usize {
        self.records.partition_point(|r| r.end.at_or_before(seq))
    }

    fn cuts(&self, seq: SeqNum) -> bool {
        self.records.get(self.index_of(seq)).is_some_and(|r| r.start.before(seq))
    }

    /// Lets a record begin at `seq`, if there is room for one more; returns its index, or else that
    /// of the record which holds it.
    fn cut(&mut self, seq: SeqNum) -> usize {
        let i = self.index_of(seq);
        let room = !self.confined || self.records.len() < self.records.capacity();
        match self.records.get_mut(i) {
            Some(r) if room && r.start.before(seq) => {
                let upper = Record { start: seq, ..*r };
                r.end = seq;
                self.records.insert(i + 1, upper);
                i + 1
            }
            _ => i,
        }
    }

    fn lose(&mut self, index: usize) {
        let r = &mut self.records[index];
        r.fate = Fate::Lost;
        if self.lost == 0 || r.start.before(self.first_lost) {
            self.first_lost = r.start;
        }
        self.lost += r.len();
    }

    /// Moves [`first_lost`](Self::first_lost) on to the first record that still is.
    fn settle_first_lost(&mut self) {
        if self.lost == 0 {
            return;
        }
        let from = self.index_of(self.first_lost);
        if let Some(r) = self.records.range(from..).find(|r| r.fate == Fate::Lost) {
            self.first_lost = r.start;
        }
    }
}

#[cfg(test)]
mod tests;
