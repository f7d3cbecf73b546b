//! What does a connection keep only while it sends much? The table of chunks that lie behind the
//! one being filled, and the pool of those that are empty again. Which octets they hold, and how
//! many may, is the [`SendBuffer`](super::SendBuffer)'s and its caller's.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::{CHUNK, POOL};

/// What a connection needs only while it sends much.
#[derive(Clone, Default)]
pub(super) struct Backlog {
    pub(super) chunks: VecDeque<Chunk>,
    /// Acknowledged full chunks, empty and ready to be filled again.
    pub(super) pool: Vec<BytesMut>,
    /// The fewest that the pool has held since [`release_unused`](Backlog::release_unused) looked last.
    unused: usize,
}

#[derive(Clone)]
pub(super) struct Chunk {
    /// Position in the stream of the first octet.
    pub(super) start: u64,
    pub(super) bytes: Bytes,
    /// Octets of memory that come free when this chunk goes. An allocation shared by several
    /// chunks is charged to the last of them: it is the last to go.
    pub(super) charge: u32,
    pub(super) origin: Origin,
}

/// Whose allocation a chunk lies in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Own,
    /// The application's: how large it really is, we can't know, so it is never filled again.
    Foreign,
}

impl Chunk {
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// The allocation, empty, if it is ours and no slice of it is out any more.
    pub(super) fn reclaim(self) -> Option<BytesMut> {
        if self.origin == Origin::Foreign {
            return None;
        }
        let mut empty = self.bytes.try_into_mut().ok()?;
        empty.clear();
        // The chunk may be the last part of its allocation: the whole of it comes back.
        empty.try_reclaim(self.charge as usize).then_some(empty)
    }
}

impl Backlog {
    pub(super) const NEW: Backlog =
        Backlog { chunks: VecDeque::new(), pool: Vec::new(), unused: 0 };

    pub(super) fn memory(&self) -> usize {
        size_of::<Backlog>()
            + self.pool.len() * CHUNK
            + self.pool.capacity() * size_of::<BytesMut>()
            + self.chunks.capacity() * size_of::<Chunk>()
    }

    /// Keeps the allocation of a full chunk.
    pub(super) fn keep(&mut self, chunk: Chunk) {
        if self.pool.len() < POOL
            && let Some(empty) = chunk.reclaim()
        {
            self.pool.push(empty);
        }
    }
    /// An allocation of a full chunk, from those kept.
    pub(super) fn refill(&mut self) -> BytesMut {
        let empty = self.pool.pop().unwrap_or_default();
        self.unused = self.unused.min(self.pool.len());
        empty
    }

    pub(super) fn release_pool(&mut self) {
        self.pool = Vec::new();
        self.unused = 0;
    }

    /// Gives back the spare chunks that were not needed since the last call.
    pub(super) fn release_unused(&mut self) {
        self.pool.truncate(self.pool.len() - self.unused);
        self.unused = self.pool.len();
    }

    /// Octets by which the table grows with `more` chunks.
    pub(super) fn growth(&self, more: usize) -> usize {
        let (len, now) = (self.chunks.len(), self.chunks.capacity());
        if len + more <= now { 0 } else { (self.next_capacity(more) - now) * size_of::<Chunk>() }
    }

    fn next_capacity(&self, more: usize) -> usize {
        (self.chunks.capacity() * 2).max(self.chunks.len() + more).max(4)
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.chunks.reserve_exact(self.next_capacity(more) - self.chunks.len());
    }
}
