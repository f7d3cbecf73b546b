//! How many records are there room and memory for?

use super::{MAX_RECORDS, Record, Scoreboard};

impl Scoreboard {
    /// Octets of memory held.
    #[inline]
    pub(in crate::recovery) fn memory(&self) -> usize {
        self.records.capacity() * size_of::<Record>()
    }

    pub(in crate::recovery) fn set_record_limit(&mut self, limit: Option<usize>) {
        self.withheld = limit.map_or(0, |n| MAX_RECORDS.saturating_sub(n)) as u16;
    }

    pub(super) fn most_records(&self) -> usize {
        let most = MAX_RECORDS - usize::from(self.withheld);
        if self.confined { most.min(self.records.capacity()) } else { most }
    }

    /// Octets by which the table grows if it is to hold `more` records.
    #[inline]
    pub(in crate::recovery) fn growth(&self, more: usize) -> usize {
        let (len, now) = (self.records.len(), self.records.capacity());
        if len + more <= now { 0 } else { (self.next_capacity(more) - now) * size_of::<Record>() }
    }

    fn next_capacity(&self, more: usize) -> usize {
        (self.records.capacity() * 2).max(self.records.len() + more).max(4)
    }

    /// Makes room for `more` records. The table doesn't grow but here, if every change of it is
    /// preceded by this or by [`confine`](Self::confine).
    pub(in crate::recovery) fn reserve(&mut self, more: usize) {
        self.confined = false;
        if self.growth(more) > 0 {
            self.records.reserve_exact(self.next_capacity(more) - self.records.len());
        }
    }

    /// There is no memory for more: what doesn't fit is noted more coarsely.
    pub(in crate::recovery) fn confine(&mut self) {
        self.confined = true;
    }

    pub(in crate::recovery) fn release_memory(&mut self) {
        self.records.shrink_to_fit();
    }
}
