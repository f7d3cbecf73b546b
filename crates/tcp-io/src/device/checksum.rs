//! What is the Internet checksum of these octets? The little that packets in software need of
//! RFC 1071; the protocol's own arithmetic is tcp-core's.

/// A running ones-complement sum.
#[derive(Clone, Copy, Default)]
pub(super) struct Sum {
    acc: u64,
    odd: bool,
}

impl Sum {
    /// The sum of nothing.
    pub(super) const fn new() -> Sum {
        Sum { acc: 0, odd: false }
    }

    /// The sum after `bytes`, which follow what was added before without a gap.
    pub(super) fn add(self, bytes: &[u8]) -> Sum {
        let (words, rest) = bytes.as_chunks::<4>();
        let mut part: u64 = words.iter().map(|w| u64::from(u32::from_be_bytes(*w))).sum();
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        part += u64::from(u32::from_be_bytes(last));
        // An octet at an odd place belongs to the other half of its word (RFC 1071 2 (B)).
        let folded = u64::from(fold(part));
        let part = if self.odd { folded << 8 } else { folded };
        Sum { acc: self.acc + part, odd: self.odd ^ (bytes.len() % 2 == 1) }
    }

    /// The sum as 16 bits, not complemented.
    pub(super) fn fold(self) -> u16 {
        fold(self.acc)
    }

    /// The checksum: the complement of the sum.
    pub(super) fn finish(self) -> u16 {
        !self.fold()
    }
}

fn fold(mut acc: u64) -> u16 {
    while acc >> 16 != 0 {
        acc = (acc & 0xffff) + (acc >> 16);
    }
    acc as u16
}
