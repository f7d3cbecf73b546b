//! What do the octets of a segment mean? Bytes to values and back, without state.
//!
//! Only what loss recovery needs stands here so far.

use crate::SeqNum;

/// One block of a SACK option: the peer holds the octets `[start, end)` (RFC 2018 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SackBlock {
    /// First octet of the block.
    pub start: SeqNum,
    /// The octet after the block.
    pub end: SeqNum,
}
