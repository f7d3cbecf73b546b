//! Which ranges does a SACK option name? Up to four blocks, inline (RFC 2018 3). Their order and
//! their sense, and what a duplicate means (RFC 2883), are left to the scoreboard.

use core::fmt;
use core::ops::Deref;

use crate::SeqNum;

/// Octets of one block on the wire.
pub(super) const BLOCK_LEN: usize = 8;

/// A range that the receiver holds: `[start, end)` (RFC 2018 3).
///
/// ```
/// use tcp_core::SeqNum;
/// use tcp_core::wire::{Options, SackBlock};
///
/// let options = Options::parse(&[1, 1, 5, 10, 0, 0, 0x07, 0xd0, 0, 0, 0x0b, 0xb8]);
/// assert_eq!(options.sack[0], SackBlock { start: SeqNum(2000), end: SeqNum(3000) });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SackBlock {
    /// The first sequence number of the range.
    pub start: SeqNum,
    /// The number after its last.
    pub end: SeqNum,
}

/// The blocks of one SACK option, in the order of the option: the most recent first (RFC 2018 4).
///
/// ```
/// use tcp_core::SeqNum;
/// use tcp_core::wire::{Options, SackBlock, SackBlocks, Timestamps};
///
/// let block = |n: u32| SackBlock { start: SeqNum(n * 2000), end: SeqNum(n * 2000 + 1000) };
/// let mut sack = SackBlocks::default();
/// assert!((1..=4).rev().all(|n| sack.push(block(n))));
/// assert!(!sack.push(block(5)));
/// assert_eq!(*sack, [block(4), block(3), block(2), block(1)]);
///
/// // Beside timestamps the last one has no room.
/// let options = Options { sack, timestamps: Some(Timestamps::default()), ..Options::default() };
/// let mut area = [0; 40];
/// options.emit(&mut area);
/// assert_eq!(*Options::parse(&area).sack, [block(4), block(3), block(2)]);
/// ```
#[derive(Clone, Copy, Default)]
pub struct SackBlocks {
    blocks: [SackBlock; SackBlocks::CAPACITY],
    len: u8,
}

impl SackBlocks {
    /// RFC 2018 3: the 40 octets of the option area hold four blocks, three beside timestamps.
    pub const CAPACITY: usize = 4;

    /// Puts `block` behind the others; `false` if there is no room.
    pub fn push(&mut self, block: SackBlock) -> bool {
        let Some(slot) = self.blocks.get_mut(usize::from(self.len)) else { return false };
        *slot = block;
        self.len += 1;
        true
    }

    /// `None` unless `text` holds one to four whole blocks.
    pub(super) fn parse(text: &[u8]) -> Option<SackBlocks> {
        let (octets, []) = text.as_chunks::<BLOCK_LEN>() else { return None };
        let mut blocks = SackBlocks::default();
        for &[a, b, c, d, e, f, g, h] in octets {
            let start = SeqNum(u32::from_be_bytes([a, b, c, d]));
            let end = SeqNum(u32::from_be_bytes([e, f, g, h]));
            if !blocks.push(SackBlock { start, end }) {
                return None;
            }
        }
        (!blocks.is_empty()).then_some(blocks)
    }
}

impl Deref for SackBlocks {
    type Target = [SackBlock];

    #[inline]
    fn deref(&self) -> &[SackBlock] {
        &self.blocks[..usize::from(self.len)]
    }
}

impl<'a> IntoIterator for &'a SackBlocks {
    type Item = &'a SackBlock;
    type IntoIter = core::slice::Iter<'a, SackBlock>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for SackBlocks {
    fn eq(&self, other: &SackBlocks) -> bool {
        **self == **other
    }
}

impl Eq for SackBlocks {}

impl fmt::Debug for SackBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|block| block.start..block.end)).finish()
    }
}
