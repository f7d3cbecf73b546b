//! Which bytes has the application written that the peer has not acknowledged, and where do they
//! lie? Chunks in order of sequence from SND.UNA on (RFC 9293 3.3.1), handed out by reference.
//! How much may be written, and what is sent when, is the caller's.

mod backlog;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;
use core::mem;
use core::ops::Range;

use bytes::{Bytes, BytesMut};

use super::Payload;
use backlog::{Backlog, Chunk, Origin};

/// Octets of a full chunk: about one super-segment, so that most of them are one or two slices.
pub(crate) const CHUNK: usize = 64 * 1024;

/// The most slices that [`SendBuffer::slices_granted`] hands out for one segment: a bound for the
/// vector of a vectored write, and for the work of one segment.
pub(crate) const MAX_SLICES: usize = 16;

/// Below this many octets a copy costs less than a reference count, and many small references
/// cost more memory than the bytes behind them.
pub(crate) const LEAST_REFERENCE: usize = 1024;

/// Full chunks kept for reuse while a connection is in use. Giving them to the allocator and
/// asking for them again costs page faults that bound the speed.
pub(crate) const POOL: usize = 16;

/// The least allocation, in octets: what an application that writes single octets starts with.
pub(crate) const SMALLEST: usize = 64;

/// The bytes from SND.UNA on: written by the application, not yet acknowledged.
///
/// Offsets count octets from the first unacknowledged one. Nothing is allocated before the first
/// write. What is acknowledged is kept for the next writes, up to [`POOL`] full chunks and the
/// last allocation, until [`release_spare`](SendBuffer::release_spare).
///
/// Finding an offset costs a binary search over chunks, whatever lies before it: the next
/// super-segment of a 16 MiB backlog costs what the first did.
#[derive(Clone, Default)]
pub(crate) struct SendBuffer {
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

impl SendBuffer {
    /// An empty buffer, without an allocation.
    pub(crate) fn new() -> SendBuffer {
        SendBuffer::default()
    }

    /// Octets held, acknowledged ones excluded.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        (self.end() - self.una) as usize
    }

    /// Whether every octet written has been acknowledged.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.end() == self.una
    }

    /// Appends a copy of all of `data`, which the caller has limited to the room that it grants.
    ///
    /// A new allocation is as large as what the buffer already holds, within [`CHUNK`], or as
    /// `data`: single octets in a ping-pong never cost a full chunk, a backlog of small writes
    /// soon fills full ones.
    pub(crate) fn write(&mut self, data: &[u8]) {
        self.write_granted(data, |_, wanted| wanted);
    }

    /// As [`write`](SendBuffer::write), but asks `grant` before every allocation: it gets the
    /// octets of memory held and those wanted, and says how many may be allocated. Returns how many
    /// octets of `data` found room.
    pub(crate) fn write_granted(
        &mut self,
        data: &[u8],
        mut grant: impl FnMut(usize, usize) -> usize,
    ) -> usize {
        if self.is_empty() && self.tail_charge < data.len().min(CHUNK) {
            // What small messages have left would cut a large one.
            self.drop_tail();
        }
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
    pub(crate) fn write_bytes(&mut self, data: Bytes) {
        if data.len() < LEAST_REFERENCE {
            return self.write(&data);
        }
        self.freeze_tail();
        let charge = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.charged += charge as usize;
        self.push(data, charge, Origin::Foreign);
    }

    /// Appends to `out` slices of the octets `[offset, offset + len)` and returns how many octets
    /// they cover: fewer than `len` where the buffer ends, or once `out` holds [`MAX_SLICES`]
    /// slices. The caller then sends a shorter segment.
    ///
    /// Nothing is copied but the last piece of a range, if it is shorter than 1 KiB and still
    /// being appended to. Later writes go on behind the slices without touching them. Before the
    /// table of chunks grows, `grant` is asked for so many octets: without leave, what is still
    /// being appended to is copied.
    pub(crate) fn slices_granted(
        &mut self,
        offset: usize,
        len: usize,
        out: &mut Payload,
        mut grant: impl FnMut(usize) -> bool,
    ) -> usize {
        let from = self.una.saturating_add(offset as u64);
        let to = from.saturating_add(len as u64).min(self.end());
        if from >= to {
            return 0;
        }
        let mut at = from;
        let mut index = self.chunk_at(at);
        while at < to && out.len() < MAX_SLICES {
            if index == self.chunks().len() {
                // At least LEAST_REFERENCE octets are frozen at a time, which bounds how many chunks
                // single-octet writes can make.
                if ((to - at) as usize) < LEAST_REFERENCE || !self.reserve_granted(1, &mut grant) {
                    out.push(Bytes::copy_from_slice(&self.tail[self.tail_range(at, to)]));
                    at = to;
                    break;
                }
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

    /// The first `n` octets are acknowledged: SND.UNA moves past them and the chunks before it
    /// are released. More than is held counts as everything.
    pub(crate) fn advance(&mut self, n: usize) {
        self.una = self.una.saturating_add(n as u64).min(self.end());
        if self.backlog.is_some() {
            self.release_chunks();
        }
        if self.is_empty() {
            // The whole of the last allocation is filled again, or what is left of it while slices
            // of it are out.
            self.tail_start = self.una;
            self.tail.clear();
            let _ = self.tail.try_reclaim(self.tail_charge);
        }
    }

    fn release_chunks(&mut self) {
        let Some(backlog) = &mut self.backlog else { return };
        while let Some(front) = backlog.chunks.front()
            && front.end() <= self.una
        {
            let charge = front.charge as usize;
            self.charged -= charge;
            let Some(chunk) = backlog.chunks.pop_front() else { return };
            // A message that fills its allocation leaves it to the next one.
            let is_last = backlog.chunks.is_empty() && self.tail_charge == 0;
            if charge == CHUNK && !is_last {
                backlog.keep(chunk);
            } else if is_last
                && charge >= SMALLEST
                && let Some(empty) = chunk.reclaim()
            {
                self.tail = empty;
                self.tail_charge = charge;
                self.charged += charge;
            }
        }
    }

    /// Octets of memory held: whole allocations, however little of them is still unacknowledged,
    /// and the table of chunks. Slices handed out may hold chunks longer; those don't count.
    pub(crate) fn memory(&self) -> usize {
        self.charged + self.backlog.as_ref().map_or(0, |b| b.memory())
    }

    #[inline]
    fn chunks(&self) -> &VecDeque<Chunk> {
        static NONE: VecDeque<Chunk> = VecDeque::new();
        self.backlog.as_ref().map_or(&NONE, |b| &b.chunks)
    }

    /// Octets that can be written without an allocation.
    #[inline]
    pub(crate) fn spare(&self) -> usize {
        self.tail.capacity() - self.tail.len()
    }

    /// Gives back what is kept for speed only.
    pub(crate) fn release_spare(&mut self) {
        self.release_pool();
        if let Some(b) = &mut self.backlog {
            b.chunks.shrink_to_fit();
        }
    }

    /// Gives back spare chunks, and everything if everything is acknowledged.
    pub(crate) fn release_pool(&mut self) {
        if self.is_empty() {
            *self = SendBuffer::default();
        } else if let Some(b) = &mut self.backlog {
            b.release_pool();
        }
    }

    /// Gives back the spare chunks that were not needed since the last call.
    pub(crate) fn release_unused(&mut self) {
        if let Some(b) = &mut self.backlog {
            b.release_unused();
        }
    }

    /// Octets by which the table of chunks grows with `more` of them.
    pub(crate) fn table_growth(&self, more: usize) -> usize {
        match &self.backlog {
            Some(b) => b.growth(more),
            None => mem::size_of::<Backlog>() + Backlog::NEW.growth(more),
        }
    }

    /// Octets that the least write takes: none, if there is room.
    pub(crate) fn least_growth(&self) -> usize {
        if self.spare() > 0 { 0 } else { SMALLEST + self.table_growth(1) }
    }

    /// Makes room in the table for `more` chunks.
    pub(crate) fn reserve_chunks(&mut self, more: usize) {
        if self.table_growth(more) > 0 {
            self.backlog.get_or_insert_default().reserve(more);
        }
    }

    fn reserve_granted(&mut self, more: usize, grant: &mut impl FnMut(usize) -> bool) -> bool {
        let growth = self.table_growth(more);
        let granted = growth == 0 || grant(growth);
        if granted {
            self.reserve_chunks(more);
        }
        granted
    }

    fn drop_tail(&mut self) {
        self.charged -= mem::take(&mut self.tail_charge);
        self.tail = BytesMut::new();
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
        let table = if self.tail.is_empty() { 0 } else { self.table_growth(1) };
        let pooled = size == CHUNK && self.backlog.as_ref().is_some_and(|b| !b.pool.is_empty());
        let wanted = table + if pooled { 0 } else { size };
        let granted = if wanted == 0 { 0 } else { grant(self.memory(), wanted) };
        let tail = match granted.checked_sub(table) {
            Some(_) if pooled => self.backlog.get_or_insert_default().refill(),
            Some(room) if room >= SMALLEST => BytesMut::with_capacity(room.min(size)),
            _ => return false,
        };
        if table > 0 {
            self.reserve_chunks(1);
        }
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
            let charge = mem::take(&mut self.tail_charge) as u32;
            let full = mem::take(&mut self.tail).freeze();
            self.push(full, charge, Origin::Own);
        } else {
            let filled = self.tail.split().freeze();
            self.push(filled, 0, Origin::Own);
        }
    }

    /// Appends a chunk. The tail is empty, and follows it.
    fn push(&mut self, bytes: Bytes, charge: u32, origin: Origin) {
        let chunk = Chunk { start: self.tail_start, bytes, charge, origin };
        self.tail_start = chunk.end();
        self.backlog.get_or_insert_default().chunks.push_back(chunk);
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
