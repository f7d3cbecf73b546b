//! Which datagram does a fragment belong to, and is it whole? Reassembly within a bound on memory,
//! time and pieces (RFC 791 3.2, RFC 815, RFC 8200 4.5; RFC 5722, RFC 6946, RFC 7112). A datagram
//! that contradicts itself is refused with all that is still to come of it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use tcp_core::Instant;

use super::counters::PacketDrop;
use super::ip::Fragment;
use super::tables::Keyed;

/// Pieces of one datagram at most: 65,535 octets in packets of 576 are 119.
pub(super) const MAX_PIECES: usize = 128;

/// What a datagram costs beside its octets, at least: so that empty ones are bounded too.
const DATAGRAM_COST: usize = 512;
/// What a piece costs beside its octets.
const PIECE_COST: usize = 64;

/// What names a datagram (RFC 791 3.2; RFC 8200 4.5, where the protocol does not count).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    protocol: u8,
}

#[derive(Debug)]
struct Piece {
    start: u32,
    octets: Box<[u8]>,
}

impl Piece {
    fn end(&self) -> u32 {
        self.start + self.octets.len() as u32
    }
}

#[derive(Debug)]
enum State {
    Collecting {
        /// Sorted and apart.
        pieces: Vec<Piece>,
        /// Octets of text, known with the last piece.
        total: Option<u32>,
        /// The IP header of the first piece.
        header: Option<Box<[u8]>>,
        octets: u32,
    },
    /// RFC 5722: what is still to come of it is dropped in silence.
    Refused,
}

#[derive(Debug)]
struct Datagram {
    key: Key,
    expires: Instant,
    state: State,
    cost: usize,
}

/// What became of a fragment.
#[derive(Debug)]
pub(super) enum Outcome {
    /// More is missing.
    Kept,
    /// The last missing piece: the whole packet, with a header as if it had never been cut.
    Whole(Vec<u8>),
    Refused(PacketDrop),
}

/// A datagram whose patience is over.
#[derive(Debug)]
pub(super) struct Expired {
    /// Pieces that had come.
    pub(super) pieces: u64,
    /// The first packet, if it had come: its sender is told (RFC 792, RFC 4443 3.3).
    pub(super) first: Option<Vec<u8>>,
}

/// The datagrams of one family that are not whole yet.
#[derive(Debug)]
pub(super) struct Reassembly {
    index: HashMap<Key, u64, Keyed>,
    /// In the order of arrival, which is that of expiry.
    datagrams: BTreeMap<u64, Datagram>,
    next: u64,
    cost: usize,
    /// Linux: `ipfrag_high_thresh`.
    most: usize,
    /// Linux: `ipfrag_time`.
    patience: Duration,
    /// Pieces dropped to make room.
    evicted: u64,
}

impl Reassembly {
    pub(super) fn new(hash_key: [u8; 16], most: usize, patience: Duration) -> Reassembly {
        Reassembly {
            index: HashMap::with_hasher(Keyed(hash_key)),
            datagrams: BTreeMap::new(),
            next: 0,
            cost: 0,
            most,
            patience,
            evicted: 0,
        }
    }

    /// Datagrams that wait for pieces, or whose pieces are refused.
    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// What all of them cost, in octets.
    pub(super) fn memory(&self) -> usize {
        self.cost
    }

    /// When the patience with the oldest is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.datagrams.first_key_value().map(|(_, d)| d.expires)
    }

    /// Pieces that gave way to newer datagrams since the last call.
    pub(super) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// A fragment arrived; it is well-formed by itself.
    pub(super) fn on_fragment(&mut self, now: Instant, f: &Fragment<'_>) -> Outcome {
        let key = Key { src: f.src, dst: f.dst, id: f.id, protocol: f.key_protocol };
        let Some(n) = self.find_or_insert(now, key) else {
            return Outcome::Refused(PacketDrop::FragmentMemory);
        };
        let Some(d) = self.datagrams.get_mut(&n) else { return Outcome::Kept };
        match d.add(f) {
            Ok(added) => self.cost += added,
            Err(Refusal::Piece(why)) => return Outcome::Refused(why),
            Err(Refusal::Datagram(why)) => {
                self.cost -= d.refuse();
                return Outcome::Refused(why);
            }
        }
        if d.is_whole() {
            let whole = self.remove(n).and_then(Datagram::assemble);
            return whole.map_or(Outcome::Refused(PacketDrop::Malformed), Outcome::Whole);
        }
        self.make_room(n)
    }

    fn find_or_insert(&mut self, now: Instant, key: Key) -> Option<u64> {
        if let Some(n) = self.index.get(&key) {
            return Some(*n);
        }
        if self.most < DATAGRAM_COST {
            return None;
        }
        let n = self.next;
        self.next += 1;
        let state = State::Collecting { pieces: Vec::new(), total: None, header: None, octets: 0 };
        let expires = now + self.patience;
        self.datagrams.insert(n, Datagram { key, expires, state, cost: DATAGRAM_COST });
        self.index.insert(key, n);
        self.cost += DATAGRAM_COST;
        Some(n)
    }

    /// The oldest gives way: what is not whole soon will hardly ever be.
    fn make_room(&mut self, newest: u64) -> Outcome {
        while self.cost > self.most {
            let Some((&oldest, _)) = self.datagrams.first_key_value() else { break };
            let pieces = self.remove(oldest).map_or(0, |d| d.pieces());
            if oldest == newest {
                // It is counted by its last piece.
                self.evicted += pieces.saturating_sub(1);
                return Outcome::Refused(PacketDrop::FragmentMemory);
            }
            self.evicted += pieces;
        }
        Outcome::Kept
    }

    fn remove(&mut self, n: u64) -> Option<Datagram> {
        let d = self.datagrams.remove(&n)?;
        self.index.remove(&d.key);
        self.cost -= d.cost;
        if self.index.is_empty() && self.index.capacity() > 1024 {
            self.index.shrink_to(0);
        }
        Some(d)
    }

    /// The oldest datagram, if its patience is over.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<Expired> {
        let (&n, _) = self.datagrams.first_key_value().filter(|(_, d)| d.expires <= now)?;
        let d = self.remove(n)?;
        Some(Expired { pieces: d.pieces(), first: d.first_packet() })
    }
}

/// What a refused fragment costs.
enum Refusal {
    /// Only itself.
    Piece(PacketDrop),
    /// All of its datagram.
    Datagram(PacketDrop),
}

impl Datagram {
    /// Takes a piece in; returns what it costs.
    fn add(&mut self, f: &Fragment<'_>) -> Result<usize, Refusal> {
        let State::Collecting { pieces, total, header, octets } = &mut self.state else {
            return Err(Refusal::Piece(PacketDrop::FragmentOverlap));
        };
        let (start, end) = (f.offset, f.offset + f.payload.len() as u32);
        let i = pieces.partition_point(|p| p.end() <= start);
        if let Some(p) = pieces.get(i)
            && p.start == start
            && p.end() == end
            && f.more != (*total == Some(end))
        {
            // RFC 8200 4.5: an exact copy may be dropped alone; what came first stands.
            return Err(Refusal::Piece(PacketDrop::FragmentDuplicate));
        }
        // RFC 5722 4, and Linux for IPv4 too.
        let overlaps = pieces.get(i).is_some_and(|p| p.start < end);
        let beyond = total.is_some_and(|t| end > t || (!f.more && end != t));
        let short = !f.more && pieces.last().is_some_and(|p| p.end() > end);
        if overlaps || beyond || short {
            return Err(Refusal::Datagram(PacketDrop::FragmentOverlap));
        }
        if pieces.len() >= MAX_PIECES {
            return Err(Refusal::Datagram(PacketDrop::FragmentTooMany));
        }
        if !f.more {
            *total = Some(end);
        }
        let mut added = f.payload.len() + PIECE_COST;
        if start == 0 {
            added += f.header.len();
            *header = Some(f.header.into());
        }
        *octets += f.payload.len() as u32;
        pieces.insert(i, Piece { start, octets: f.payload.into() });
        self.cost += added;
        Ok(added)
    }

    /// Forgets the pieces; returns what that gives back.
    fn refuse(&mut self) -> usize {
        self.state = State::Refused;
        let freed = self.cost - DATAGRAM_COST;
        self.cost = DATAGRAM_COST;
        freed
    }

    fn pieces(&self) -> u64 {
        match &self.state {
            State::Collecting { pieces, .. } => pieces.len() as u64,
            State::Refused => 0,
        }
    }

    fn is_whole(&self) -> bool {
        matches!(&self.state, State::Collecting { total: Some(t), octets, .. } if t == octets)
    }

    fn assemble(self) -> Option<Vec<u8>> {
        let State::Collecting { pieces, header: Some(header), octets, .. } = self.state else {
            return None;
        };
        let mut whole = Vec::with_capacity(header.len() + octets as usize);
        whole.extend_from_slice(&header);
        for p in &pieces {
            whole.extend_from_slice(&p.octets);
        }
        super::ip::finish_reassembled(&mut whole, header.len()).then_some(whole)
    }

    fn first_packet(self) -> Option<Vec<u8>> {
        let State::Collecting { pieces, header: Some(header), .. } = self.state else {
            return None;
        };
        let first = pieces.first().filter(|p| p.start == 0)?;
        let mut packet = [&*header, &*first.octets].concat();
        super::ip::finish_reassembled(&mut packet, header.len()).then_some(packet)
    }
}

#[cfg(test)]
mod tests;
