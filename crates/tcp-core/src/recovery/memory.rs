//! How much memory do the records of what is in flight take? They ask before they grow
//! (docs/decisions/0018).

use super::Recovery;

impl Recovery {
    /// Octets of memory held.
    #[inline]
    pub(crate) fn memory(&self) -> usize {
        self.board.memory()
    }

    /// Bounds the scoreboard's records below their usual bound, while memory is short.
    pub(crate) fn set_record_limit(&mut self, limit: Option<usize>) {
        self.board.set_record_limit(limit);
    }

    /// Octets by which the scoreboard grows if it is to note `more` ranges.
    #[inline]
    pub(crate) fn growth(&self, more: usize) -> usize {
        self.board.growth(more)
    }

    /// Makes room for `more` ranges.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.board.reserve(more);
    }

    /// There is no memory for more ranges until the next [`reserve`](Self::reserve): what doesn't
    /// fit is noted more coarsely. Ask [`can_note`](Self::can_note) before sending new data.
    pub(crate) fn confine(&mut self) {
        self.board.confine();
    }

    /// Whether new data can be noted.
    #[inline]
    pub(crate) fn can_note(&self) -> bool {
        self.board.can_note()
    }

    /// Gives memory back that a burst has left. For connections that go idle.
    pub(crate) fn release_memory(&mut self) {
        self.board.release_memory();
    }
}
