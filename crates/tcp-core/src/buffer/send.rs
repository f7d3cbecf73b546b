//! Which bytes has the application written that the peer has not acknowledged, and where do they
//! lie? Chunks in order of sequence from SND.UNA on (RFC 9293 3.3.1), handed out by reference.
//! How much may be written, and what is sent when, is the caller's.

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::ops::Range;

use bytes::{Bytes, BytesMut};

use super::Payload;

/// Octets of a full chunk: about one super-segment, so that most of them are one or two slices.
pub const CHUNK: usize = 64 * 1024;

/// The most slices that [`SendBuffer::slices`] hands out for one segment: a bound for the vector
/// of a vectored write, and for the work of one segment.
pub const MAX_SLICES: usize = 16;

/// Below this many octets a copy costs less than a reference count, and many small references
/// cost more memory than the bytes behind them.
const CRUMB: usize = 1024;

/// Full chunks kept for reuse while a connection sends in bulk. Giving them to the allocator and
/// asking for them again costs page faults that bound the speed.
const POOL: usize = 16;

/// The least allocation, in octets: what an application that writes single octets starts with.
pub const SMALLEST: usize = 64;

/// The bytes from SND.UNA on: written by the application, not yet acknowledged.
///
/// Offsets count octets from the first unacknowledged one. Nothing is allocated before the first
/// write, and nothing is held once everything is acknowledged.
///
/// Finding an offset costs a binary search over chunks, whatever lies before it: the next
/// super-segment of a 16 MiB backlog costs what the first did.
#[derive(Clone, Default)]
pub struct SendBuffer {
    /// Bytes that won't be appended to any more, in order; none while little is written.
    backlog: Option<Box<Backlog>>,
    /// What is being filled; it follows the last chunk.
    tail: BytesMut,
    /// Size of the allocation that `tail` lies in; zero without one.
    tail_charge: usize,
    /// Position in the stream of the first octet in `tail`.
    tail_start: u64,
    /// Position in the stream of the first unacknowledged octet.
    una: u64,
    /// Sum of the charges of all chunks and the tail.
    charged: usize,
}

/// What a connection needs only while it sends much.
#[derive(Clone, Default)]
struct Backlog {
    chunks: VecDeque<Chunk>,
    /// Acknowledged full chunks, empty and ready to be filled again.
    pool: Vec<BytesMut>,
}

static NO_CHUNKS: VecDeque<Chunk> = VecDeque::new();

#[derive(Clone)]
struct Chunk {
    /// Position in the stream of the first octet.
    start: u64,
    bytes: Bytes,
    /// Octets of memory that come free when this chunk goes. An allocation shared by several
    /// chunks is charged to the last of them: it is the last to go.
    charge: usize,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl SendBuffer {
    /// An empty buffer, without an allocation.
    pub fn new() -> SendBuffer {
        SendBuffer::default()
    }

    /// Octets held, acknowledged ones excluded.
    #[inline]
    pub fn len(&self) -> usize {
        (self.end() - self.una) as usize
    }

    /// Whether every octet written has been acknowledged.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.end() == self.una
    }

    /// Appends a copy of all of `data`, which the caller has limited to the room that it grants.
    ///
    /// A new allocation is as large as what the buffer already holds, within [`CHUNK`], or as
    /// `data`: single octets in a ping-pong never cost a full chunk, a backlog of small writes
    /// soon fills full ones.
    pub fn write(&mut self, data: &[u8]) {
        self.write_granted(data, |_, wanted| wanted);
    }

    /// As [`write`](SendBuffer::write), but asks `grant` before every allocation: it gets the
    /// octets of memory held and those wanted, and says how many may be allocated. Returns how many
    /// octets of `data` found room.
    pub fn write_granted(
        &mut self,
        data: &[u8],
        mut grant: impl FnMut(usize, usize) -> usize,
    ) -> usize {
        let mut rest = data;
        while !rest.is_empty() {
            if self.spare() == 0 && !self.open_tail(rest.len(), &mut grant) {
                break;
            }
            let (now, later) = rest.split_at(rest.len().min(self.spare()));
            self.tail.extend_from_slice(now);
            rest = later;
        }
        data.len() - rest.len()
    }

    /// Appends all of `data` by reference; below 1 KiB by copy, which costs less.
    ///
    /// A reference keeps the whole allocation behind `data` alive until it is acknowledged, of
    /// which [`memory`](SendBuffer::memory) can only see the length of `data`.
    pub fn write_bytes(&mut self, data: Bytes) {
        if data.len() < CRUMB {
            return self.write(&data);
        }
        self.freeze_tail();
        let charge = data.len();
        self.charged += charge;
        self.push(data, charge);
    }

    /// Appends to `out` slices of the octets `[offset, offset + len)` and returns how many octets
    /// they cover: fewer than `len` where the buffer ends, or once `out` holds [`MAX_SLICES`]
    /// slices. The caller then sends a shorter segment.
    ///
    /// Nothing is copied but the last piece of a range, if it is shorter than 1 KiB and still
    /// being appended to. Later writes go on behind the slices without touching them.
    pub fn slices(&mut self, offset: usize, len: usize, out: &mut Payload) -> usize {
        let from = self.una.saturating_add(offset as u64);
        let to = from.saturating_add(len as u64).min(self.end());
        if from >= to {
            return 0;
        }
        let mut at = from;
        let mut index = self.chunk_at(at);
        while at < to && out.len() < MAX_SLICES {
            if index == self.chunks().len() {
                if ((to - at) as usize) < CRUMB {
                    out.push(Bytes::copy_from_slice(&self.tail[self.tail_range(at, to)]));
                    at = to;
                    break;
                }
                // At least CRUMB octets are frozen at a time, which bounds how many chunks
                // single-octet writes can make.
                self.freeze_tail();
            }
            let chunk = &self.chunks()[index];
            let end = chunk.end().min(to);
            let range = (at - chunk.start) as usize..(end - chunk.start) as usize;
            out.push(chunk.bytes.slice(range));
            at = end;
            index += 1;
        }
        (at - from) as usize
    }

    /// Copies octets from `offset` on into `out` and returns how many: fewer than `out` is long
    /// where the buffer ends.
    pub fn copy(&self, offset: usize, out: &mut [u8]) -> usize {
        let from = self.una.saturating_add(offset as u64);
        let to = from.saturating_add(out.len() as u64).min(self.end());
        if from >= to {
            return 0;
        }
        let mut at = from;
        for chunk in self.chunks().range(self.chunk_at(at)..) {
            if at == to {
                break;
            }
            let end = chunk.end().min(to);
            let piece = &chunk.bytes[(at - chunk.start) as usize..(end - chunk.start) as usize];
            out[(at - from) as usize..(end - from) as usize].copy_from_slice(piece);
            at = end;
        }
        if at < to {
            let piece = &self.tail[self.tail_range(at, to)];
            out[(at - from) as usize..(to - from) as usize].copy_from_slice(piece);
        }
        (to - from) as usize
    }

    /// The first `n` octets are acknowledged: SND.UNA moves past them and the chunks before it
    /// are released. More than is held counts as everything.
    pub fn advance(&mut self, n: usize) {
        self.una = self.una.saturating_add(n as u64).min(self.end());
        if self.is_empty() {
            *self = SendBuffer::default();
            return;
        }
        let Some(backlog) = &mut self.backlog else { return };
        while let Some(chunk) = backlog.chunks.front()
            && chunk.end() <= self.una
        {
            self.charged -= chunk.charge;
            if let Some(chunk) = backlog.chunks.pop_front() {
                backlog.recycle(chunk);
            }
        }
    }

    /// Octets of memory held: whole allocations, however little of them is still unacknowledged,
    /// and the table of chunks. Slices handed out may hold chunks longer; those don't count.
    pub fn memory(&self) -> usize {
        self.charged + self.backlog.as_ref().map_or(0, |b| b.memory())
    }

    #[inline]
    fn chunks(&self) -> &VecDeque<Chunk> {
        self.backlog.as_ref().map_or(&NO_CHUNKS, |b| &b.chunks)
    }

    /// Octets that can be written without an allocation.
    #[inline]
    pub fn spare(&self) -> usize {
        self.tail.capacity() - self.tail.len()
    }

    /// Gives back what is kept for speed only.
    pub fn release_spare(&mut self) {
        if let Some(b) = &mut self.backlog {
            b.pool = Vec::new();
            b.chunks.shrink_to_fit();
        }
    }

    fn end(&self) -> u64 {
        self.tail_start + self.tail.len() as u64
    }

    /// Index of the chunk that holds the octet at a position in the stream; one past the last
    /// chunk if the tail does.
    fn chunk_at(&self, position: u64) -> usize {
        self.chunks().partition_point(|c| c.end() <= position)
    }

    fn tail_range(&self, from: u64, to: u64) -> Range<usize> {
        (from - self.tail_start) as usize..(to - self.tail_start) as usize
    }

    /// Replaces a full tail, or none, by an empty one for a write of `wanted` octets, if it is
    /// granted.
    fn open_tail(&mut self, wanted: usize, grant: &mut impl FnMut(usize, usize) -> usize) -> bool {
        let size = wanted.max(self.len()).clamp(SMALLEST, CHUNK);
        let pooled = self.backlog.as_mut().filter(|_| size == CHUNK).and_then(|b| b.pool.pop());
        let tail = match pooled {
            Some(tail) => tail,
            None => match grant(self.memory(), size) {
                0..SMALLEST => return false,
                granted => BytesMut::with_capacity(granted.min(size)),
            },
        };
        self.freeze_tail();
        self.tail = tail;
        self.tail_charge = self.tail.capacity();
        self.charged += self.tail_charge;
        true
    }

    /// Makes the filled part of the tail a chunk; the spare part stays the tail.
    fn freeze_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        if self.spare() == 0 {
            let charge = mem::take(&mut self.tail_charge);
            let full = mem::take(&mut self.tail).freeze();
            self.push(full, charge);
        } else {
            let filled = self.tail.split().freeze();
            self.push(filled, 0);
        }
    }

    /// Appends a chunk. The tail is empty, and follows it.
    fn push(&mut self, bytes: Bytes, charge: usize) {
        let chunk = Chunk { start: self.tail_start, bytes, charge };
        self.tail_start = chunk.end();
        self.backlog.get_or_insert_default().chunks.push_back(chunk);
    }
}

impl Backlog {
    fn memory(&self) -> usize {
        mem::size_of::<Backlog>()
            + self.pool.len() * CHUNK
            + self.chunks.capacity() * mem::size_of::<Chunk>()
    }

    /// Keeps the allocation of a full chunk, if no slice of it is out any more.
    fn recycle(&mut self, chunk: Chunk) {
        if chunk.charge != CHUNK || self.pool.len() >= POOL {
            return;
        }
        if let Ok(mut empty) = chunk.bytes.try_into_mut() {
            empty.clear();
            // The chunk may be the last part of its allocation: the whole of it comes back.
            if empty.try_reclaim(CHUNK) {
                self.pool.push(empty);
            }
        }
    }
}

impl fmt::Debug for SendBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBuffer")
            .field("len", &self.len())
            .field("chunks", &self.chunks().len())
            .field("memory", &self.memory())
            .finish()
    }
}
