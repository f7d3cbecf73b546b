//! Which sequence numbers past RCV.NXT have arrived? A bounded, ordered set of disjoint ranges,
//! and the order in which to report them: RFC 2018 4 (SACK), RFC 2883 4 (duplicates).
//! The bytes themselves lie in the receive buffer.

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;
use core::mem;

use crate::seq::SeqNum;

/// The most ranges held at once. A peer that leaves every other octet out, or lies, costs this
/// much memory and no more.
pub(crate) const MAX_RANGES: usize = 256;

/// Sequence numbers `[start, end)`: a block of a SACK option in the making.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SeqRange {
    /// The first sequence number.
    pub(crate) start: SeqNum,
    /// The one after the last.
    pub(crate) end: SeqNum,
}

impl SeqRange {
    /// Octets in the range.
    #[inline]
    pub(crate) const fn octets(self) -> u32 {
        self.end.distance_from(self.start)
    }
}

impl fmt::Debug for SeqRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// The ranges held past the first gap, at most [`MAX_RANGES`].
///
/// All lie within 2^30 octets after RCV.NXT, so that comparisons on the circle hold, the wrap of
/// 2^32 included. Ranges that touch are one range.
#[derive(Clone, Default)]
pub(crate) struct Assembler {
    /// In order of sequence; gaps of at least one octet lie between them.
    ranges: Vec<Held>,
    /// How many segments changed the set or repeated a part of it: the clock of recency.
    arrivals: u64,
    octets: u32,
}

#[derive(Clone, Copy)]
struct Held {
    range: SeqRange,
    /// `arrivals` when a segment last fell into the range.
    stamp: u64,
}

impl Assembler {
    pub(super) const fn new() -> Assembler {
        Assembler { ranges: Vec::new(), arrivals: 0, octets: 0 }
    }

    /// Whether nothing is held, so that there is no gap.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Octets in all ranges together.
    pub(crate) fn octets(&self) -> u32 {
        self.octets
    }

    /// The sequence number after the last octet held.
    pub(crate) fn highest(&self) -> Option<SeqNum> {
        self.ranges.last().map(|h| h.range.end)
    }

    /// The ranges in order of sequence.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = SeqRange> + '_ {
        self.ranges.iter().map(|h| h.range)
    }

    /// The ranges as a SACK option reports them: first the one that holds the segment that
    /// arrived last, then the ones reported before it, the latest first (RFC 2018 4).
    ///
    /// Each step looks at every range; an option has room for three or four.
    pub(crate) fn most_recent_first(&self) -> impl Iterator<Item = SeqRange> + '_ {
        let mut limit = u64::MAX;
        core::iter::from_fn(move || {
            // Stamps are unique: a segment falls into one range.
            let next = self.ranges.iter().filter(|h| h.stamp < limit).max_by_key(|h| h.stamp)?;
            limit = next.stamp;
            Some(next.range)
        })
    }

    /// The first contiguous part of `range` that is held already. RFC 2883 4: a segment with
    /// several duplicate parts is reported by the first.
    pub(super) fn first_duplicate(&self, range: SeqRange) -> Option<SeqRange> {
        let held = self.ranges.get(self.first_ending_after(range.start))?.range;
        held.start
            .before(range.end)
            .then(|| SeqRange { start: held.start.max(range.start), end: held.end.min(range.end) })
    }

    /// The parts of `range` that are not held, in order.
    pub(super) fn gaps_in(&self, range: SeqRange) -> impl Iterator<Item = SeqRange> + '_ {
        let mut held = self.ranges[self.first_ending_after(range.start)..].iter();
        let mut at = range.start;
        core::iter::from_fn(move || {
            while at.before(range.end) {
                let (next, resume) = match held.next() {
                    Some(h) if h.range.start.before(range.end) => (h.range.start, h.range.end),
                    _ => (range.end, range.end),
                };
                let gap = SeqRange { start: at, end: next };
                at = resume;
                if gap.start.before(gap.end) {
                    return Some(gap);
                }
            }
            None
        })
    }

    /// Whether [`add`](Assembler::add) would hold `range`: it touches a range, or there is room
    /// for another.
    pub(super) fn has_room_for(&self, range: SeqRange) -> bool {
        self.ranges.len() < MAX_RANGES || {
            let (from, to) = self.touching(range);
            from < to
        }
    }

    /// Holds `range`, joined with every range that it touches. It is the most recent one now,
    /// even if all of it was held before (RFC 2018 4: the first block holds the segment that
    /// caused the report). A range without room is ignored.
    pub(super) fn add(&mut self, range: SeqRange) {
        if !self.has_room_for(range) {
            return;
        }
        self.arrivals += 1;
        let (from, to) = self.touching(range);
        let mut joined = Held { range, stamp: self.arrivals };
        if from == to {
            self.ranges.insert(from, joined);
        } else {
            joined.range.start = range.start.min(self.ranges[from].range.start);
            joined.range.end = range.end.max(self.ranges[to - 1].range.end);
            self.octets -= self.ranges[from..to].iter().map(|h| h.range.octets()).sum::<u32>();
            self.ranges[from] = joined;
            self.ranges.drain(from + 1..to);
        }
        self.octets += joined.range.octets();
    }

    /// Everything before `end` has arrived: takes out the ranges that this reaches and returns
    /// the first sequence number that is still missing.
    pub(super) fn fill_front(&mut self, end: SeqNum) -> SeqNum {
        let reached = self.ranges.partition_point(|h| h.range.start.at_or_before(end));
        let mut missing = end;
        for held in self.ranges.drain(..reached) {
            self.octets -= held.range.octets();
            missing = missing.max(held.range.end);
        }
        missing
    }

    /// Octets by which the table grows with one more range.
    pub(super) fn growth(&self) -> usize {
        let (len, room) = (self.ranges.len(), self.ranges.capacity());
        if len < room { 0 } else { room.max(4) * mem::size_of::<Held>() }
    }

    /// Gives back what the ranges that are held do not need.
    pub(super) fn shrink(&mut self) {
        self.ranges.shrink_to_fit();
    }

    /// Octets of memory held.
    pub(super) fn memory(&self) -> usize {
        self.ranges.capacity() * mem::size_of::<Held>()
    }

    /// Index of the first range with an octet at or after `at`.
    fn first_ending_after(&self, at: SeqNum) -> usize {
        self.ranges.partition_point(|h| h.range.end.at_or_before(at))
    }

    /// Indices `[from, to)` of the ranges that overlap `range` or adjoin it.
    fn touching(&self, range: SeqRange) -> (usize, usize) {
        let from = self.ranges.partition_point(|h| h.range.end.before(range.start));
        let to = self.ranges.partition_point(|h| h.range.start.at_or_before(range.end));
        (from, to)
    }
}

impl fmt::Debug for Assembler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.in_order()).finish()
    }
}
