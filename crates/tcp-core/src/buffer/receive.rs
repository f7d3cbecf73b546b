//! What has arrived, and where does it lie? One growable ring of readable bytes up to RCV.NXT and
//! bytes held past the first gap (SHLD-31), each at its place. Acceptance and the window are the
//! caller's (RFC 9293 3.10.7.4); which ranges are held is the assembler's.

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut, Range};

use bytes::Bytes;

use super::assembler::{Assembler, SeqRange};
use crate::seq::SeqNum;

/// The most octets that a ring grows to: the largest window there is (RFC 7323 2.3).
pub(crate) const MAX_CAPACITY: usize = 1 << 30;

/// The least octets of a ring: a request or an answer of common size in one allocation.
const MIN_CAPACITY: usize = 2048;

/// Below this many octets a copy costs less than a new ring.
const LEAST_HANDED_OVER: usize = 16 * 1024;

/// What [`ReceiveBuffer::insert`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Inserted {
    /// By how many octets RCV.NXT moves.
    pub(crate) advance: u32,
    /// The first contiguous part of the data that was held already, to be reported by a D-SACK
    /// block (RFC 2883 4). Data before RCV.NXT never comes here: that duplicate the caller knows.
    pub(crate) duplicate: Option<SeqRange>,
    /// Whether the data is held now. False if it was dropped: it would open one more gap than
    /// the table of ranges has room for, or reach past [`MAX_CAPACITY`].
    pub(crate) stored: bool,
}

impl Inserted {
    const DROPPED: Inserted = Inserted { advance: 0, duplicate: None, stored: false };
}

/// The bytes that have arrived: readable ones, and ones past the first gap.
///
/// Memory is allocated by the first byte, grows by doubling to what has arrived, at most to
/// [`MAX_CAPACITY`], and is kept until [`release_if_empty`](ReceiveBuffer::release_if_empty). The
/// window that the caller grants bounds it.
#[derive(Clone, Default)]
pub(crate) struct ReceiveBuffer {
    ring: Ring,
    /// Octets at the head of the ring that can be read; RCV.NXT follows them.
    readable: usize,
    /// What is held past the first gap.
    beyond: Beyond,
}

impl ReceiveBuffer {
    /// An empty buffer, without an allocation.
    pub(crate) fn new() -> ReceiveBuffer {
        ReceiveBuffer::default()
    }

    /// Octets that can be read now.
    #[inline]
    pub(crate) fn readable(&self) -> usize {
        self.readable
    }

    /// Octets held past the first gap.
    #[inline]
    pub(crate) fn out_of_order(&self) -> usize {
        self.beyond.octets() as usize
    }

    /// Puts `data`, which starts `offset` octets past RCV.NXT, in its place. The caller has
    /// trimmed it to the window, passes RCV.NXT as it stands, and moves it by
    /// [`advance`](Inserted::advance) afterwards.
    ///
    /// Data at RCV.NXT is never dropped for want of a range. Octets that are held already keep
    /// their first value: what a SACK option has reported doesn't change.
    #[inline]
    pub(crate) fn insert(&mut self, rcv_nxt: SeqNum, offset: u32, data: &[u8]) -> Inserted {
        let end = self.readable as u64 + u64::from(offset) + data.len() as u64;
        if end > MAX_CAPACITY as u64 {
            return Inserted::DROPPED;
        }
        if offset > 0 || !self.beyond.is_empty() {
            return self.insert_around_gap(rcv_nxt, offset, data);
        }
        self.ring.reserve(self.readable, end as usize);
        self.ring.write(self.readable, data);
        self.readable = end as usize;
        Inserted { advance: data.len() as u32, duplicate: None, stored: true }
    }

    // SHLD-31: segments past a gap are held. The caller has checked that `offset` and the length
    // stay below MAX_CAPACITY.
    fn insert_around_gap(&mut self, rcv_nxt: SeqNum, offset: u32, data: &[u8]) -> Inserted {
        if data.is_empty() {
            return Inserted { advance: 0, duplicate: None, stored: true };
        }
        let start = rcv_nxt + offset;
        let range = SeqRange { start, end: start + data.len() as u32 };
        if offset > 0 && !self.beyond.has_room_for(range) {
            return Inserted::DROPPED;
        }
        let held = self.beyond.highest().map_or(0, |end| end.distance_from(rcv_nxt) as usize);
        let needed = offset as usize + data.len();
        self.ring.reserve(self.readable + held, self.readable + needed);
        for gap in self.beyond.gaps_in(range) {
            let from = gap.start.distance_from(start) as usize;
            let to = gap.end.distance_from(start) as usize;
            self.ring.write(self.readable + offset as usize + from, &data[from..to]);
        }
        let duplicate = self.beyond.first_duplicate(range);
        let mut advance = 0;
        if offset == 0 {
            advance = self.beyond.fill_front(range.end).distance_from(rcv_nxt);
            self.readable += advance as usize;
            if self.beyond.is_empty() {
                self.beyond = Beyond::default();
            }
        } else {
            self.beyond.add(range);
        }
        Inserted { advance, duplicate, stored: true }
    }

    /// Moves readable octets into `out` and returns how many: fewer than `out` is long if there
    /// are no more.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> usize {
        let n = self.peek(out);
        self.consume(n);
        n
    }

    /// Copies readable octets into `out` and returns how many; they stay readable.
    pub(crate) fn peek(&self, out: &mut [u8]) -> usize {
        self.peek_at(0, out)
    }

    /// As [`peek`](ReceiveBuffer::peek), past the first `skip` readable octets.
    pub(crate) fn peek_at(&self, skip: usize, out: &mut [u8]) -> usize {
        let skip = skip.min(self.readable);
        let (a, b) = self.ring.slices(skip, self.readable - skip);
        let from_a = a.len().min(out.len());
        let from_b = b.len().min(out.len() - from_a);
        out[..from_a].copy_from_slice(&a[..from_a]);
        out[from_a..from_a + from_b].copy_from_slice(&b[..from_b]);
        from_a + from_b
    }

    /// The readable octets, in order; the second slice is empty unless they run over the ring's
    /// end.
    #[inline]
    pub(crate) fn as_slices(&self) -> (&[u8], &[u8]) {
        self.ring.slices(0, self.readable)
    }

    /// Drops the first `n` readable octets: the application has them. More than is readable
    /// counts as everything.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.readable);
        self.readable -= n;
        if self.readable == 0 && self.beyond.is_empty() {
            // A reader that keeps up stays on the same few pages of a large ring.
            self.ring.head = 0;
        } else {
            self.ring.skip(n);
        }
    }

    /// Hands out everything readable without a copy, together with the ring it lies in; a new ring
    /// of the same size takes its place, or none.
    ///
    /// None if a copy is better: of little text, or of text that fills less than half of the ring,
    /// all of which it would keep; or if the text runs over the ring's end, or a gap follows it.
    pub(crate) fn hand_over(&mut self, replace: bool) -> Option<Bytes> {
        let (size, text) = (self.capacity(), self.ring.head..self.ring.head + self.readable);
        let worth = self.readable >= LEAST_HANDED_OVER && self.readable >= size / 2;
        if !worth || text.end > size || !self.beyond.is_empty() {
            return None;
        }
        let next = if replace { Ring::with_room(size) } else { Ring::default() };
        let ring = core::mem::replace(&mut self.ring, next);
        self.readable = 0;
        Some(Bytes::from(ring.bytes).slice(text))
    }

    /// Octets of memory held: the whole ring and the table of ranges.
    pub(crate) fn memory(&self) -> usize {
        self.ring.bytes.capacity() + self.beyond.allocated()
    }

    /// Octets that the ring holds without growing, from the first readable one on.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.ring.size()
    }

    /// The octets of a ring that has grown to hold `needed`.
    pub(crate) fn ring_size(needed: usize) -> usize {
        needed.next_power_of_two().max(MIN_CAPACITY)
    }

    /// Octets by which the table of ranges grows if one more is held.
    #[inline]
    pub(crate) fn table_growth(&self) -> usize {
        self.beyond.growth() + if self.beyond.0.is_some() { 0 } else { size_of::<Assembler>() }
    }

    /// Drops what is held past the first gap and returns how many octets that were. The peer sends
    /// them again, though a SACK option has reported them (RFC 2018 8 allows this).
    pub(crate) fn prune(&mut self) -> usize {
        core::mem::take(&mut self.beyond).octets() as usize
    }

    /// Gives back what the bytes that are held do not need. `rcv_nxt` is RCV.NXT.
    pub(crate) fn shrink(&mut self, rcv_nxt: SeqNum) {
        let past = self.beyond.highest().map_or(0, |end| end.distance_from(rcv_nxt) as usize);
        let used = self.readable + past;
        if used == 0 {
            *self = ReceiveBuffer::default();
        } else if ReceiveBuffer::ring_size(used) < self.capacity() {
            self.ring.grow(used, used);
        }
        if self.beyond.is_empty() {
            self.beyond = Beyond::default();
        } else {
            self.beyond.shrink();
        }
    }

    /// Gives the memory back if neither readable bytes nor bytes past a gap are held.
    pub(crate) fn release_if_empty(&mut self) {
        if self.readable == 0 && self.beyond.is_empty() {
            *self = ReceiveBuffer::default();
        }
    }

    /// The ranges held past the first gap, for the blocks of a SACK option; see
    /// [`Assembler::most_recent_first`].
    #[inline]
    pub(crate) fn sack_ranges(&self) -> &Assembler {
        &self.beyond
    }

    /// The sequence number after the last octet held past the first gap; `None` without a gap.
    pub(crate) fn highest(&self) -> Option<SeqNum> {
        self.beyond.highest()
    }
}

impl fmt::Debug for ReceiveBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveBuffer")
            .field("readable", &self.readable)
            .field("beyond", &*self.beyond)
            .field("memory", &self.memory())
            .finish()
    }
}

/// The ranges past the first gap; none are there most of the time.
#[derive(Clone, Default)]
struct Beyond(Option<Box<Assembler>>);

static NOTHING: Assembler = Assembler::new();

impl Beyond {
    fn allocated(&self) -> usize {
        self.0.as_ref().map_or(0, |a| size_of::<Assembler>() + a.memory())
    }
}

impl Deref for Beyond {
    type Target = Assembler;

    #[inline]
    fn deref(&self) -> &Assembler {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Beyond {
    fn deref_mut(&mut self) -> &mut Assembler {
        self.0.get_or_insert_default()
    }
}

/// Bytes at offsets from a head that moves. The size is zero or a power of two; memory that was
/// never written to is not touched, and lies behind `bytes`.
#[derive(Default)]
struct Ring {
    bytes: Vec<u8>,
    head: usize,
}

impl Clone for Ring {
    fn clone(&self) -> Ring {
        let mut ring = Ring::with_room(self.size());
        ring.bytes.extend_from_slice(&self.bytes);
        ring.head = self.head;
        ring
    }
}

impl Ring {
    fn with_room(size: usize) -> Ring {
        Ring { bytes: Vec::with_capacity(size), head: 0 }
    }

    #[inline]
    fn size(&self) -> usize {
        // The allocator may have given more than was asked for.
        self.bytes.capacity().checked_ilog2().map_or(0, |bits| 1 << bits)
    }

    /// Makes room for `needed` octets from the head on, keeping the first `used` in place.
    #[inline]
    fn reserve(&mut self, used: usize, needed: usize) {
        if needed > self.size() {
            self.grow(used, needed);
        }
    }

    #[cold]
    fn grow(&mut self, used: usize, needed: usize) {
        let mut next = Ring::with_room(ReceiveBuffer::ring_size(needed));
        let (a, b) = self.split(0, used);
        let (end_of_a, a, b) = (a.len(), self.written(a), self.written(b));
        next.bytes.extend_from_slice(a);
        next.bytes.resize(end_of_a, 0);
        next.bytes.extend_from_slice(b);
        *self = next;
    }

    /// Of a range, what was ever written to: a gap need not be.
    fn written(&self, range: Range<usize>) -> &[u8] {
        let end = self.bytes.len();
        &self.bytes[range.start.min(end)..range.end.min(end)]
    }

    /// Writes `data` at `offset` from the head; `reserve` has made the room.
    #[inline]
    fn write(&mut self, offset: usize, data: &[u8]) {
        let (first, second) = self.split(offset, data.len());
        let (a, b) = data.split_at(first.len());
        self.put(first.start, a);
        self.put(second.start, b);
    }

    /// Writes `data` at a place, in memory that the ring has.
    #[inline]
    fn put(&mut self, at: usize, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        if at > self.bytes.len() {
            self.bytes.resize(at, 0);
        }
        let (over, beyond) = data.split_at(data.len().min(self.bytes.len() - at));
        self.bytes[at..at + over.len()].copy_from_slice(over);
        self.bytes.extend_from_slice(beyond);
    }

    #[inline]
    fn slices(&self, offset: usize, len: usize) -> (&[u8], &[u8]) {
        let (first, second) = self.split(offset, len);
        (&self.bytes[first], &self.bytes[second])
    }

    /// Indices of the `len` octets at `offset` from the head: up to the end of the memory, and
    /// from its start on. `len` is at most the length of the ring.
    #[inline]
    fn split(&self, offset: usize, len: usize) -> (Range<usize>, Range<usize>) {
        let at = self.place(offset);
        let first = len.min(self.size() - at);
        (at..at + first, 0..len - first)
    }

    #[inline]
    fn skip(&mut self, n: usize) {
        self.head = self.place(n);
    }

    #[inline]
    fn place(&self, offset: usize) -> usize {
        // A ring without memory has one place, zero, for slices of no octets.
        (self.head + offset) & self.size().saturating_sub(1)
    }
}
