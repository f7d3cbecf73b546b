//! Does the checksum of a segment hold, and what must it be? Ones-complement sums over the
//! pseudo-header and any split of the text (RFC 9293 3.1, RFC 1071, RFC 8200 8.1).

use core::net::IpAddr;

/// Octets that one round of the long loop takes: enough lanes to keep two vector units busy.
const BLOCK: usize = 64;
/// 32-bit lanes of a block.
const LANES: usize = BLOCK / 4;
/// Blocks after which the lanes are emptied: a lane gains at most 2^16 - 1 a block and half, so
/// it would hold 2^16 blocks; a sixteenth of that costs nothing measurable.
const BLOCKS_PER_RUN: usize = 1 << 12;

/// A running ones-complement sum. It remembers whether an odd number of octets has been added, so
/// that the slices of one segment may be added one after the other, whatever their lengths.
///
/// Words are added in the byte order of the machine and swapped once, at the end, which the
/// arithmetic allows (RFC 1071 2 (B)).
///
/// ```
/// use tcp_core::wire::checksum::{Sum, verify};
/// use tcp_core::wire::{CHECKSUM_OFFSET, Flags, Segment};
///
/// // The numbers of RFC 1071 3, in pieces of any length.
/// let sum = Sum::new().add(&[0x00, 0x01, 0xf2]).add(&[0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
/// assert_eq!((sum.fold(), sum.finish()), (0xddf2, 0x220d));
///
/// // A segment's: the pseudo-header, the header with a field of zero, the text.
/// let (src, dst) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
/// let mut packet = *b"....................hello";
/// Segment { flags: Flags::ACK, ..Segment::default() }.emit_header(&mut packet);
/// let sum = Sum::pseudo_header(src, dst, 6, 25).add(&packet).finish();
/// packet[CHECKSUM_OFFSET..][..2].copy_from_slice(&sum.to_be_bytes());
/// assert!(verify(src, dst, 6, &packet));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Congruent to the sum of all words modulo 2^16 - 1, and zero only if all were.
    acc: u64,
    odd: bool,
}

impl Sum {
    /// The sum of nothing.
    #[inline]
    pub const fn new() -> Sum {
        Sum { acc: 0, odd: false }
    }

    /// The sum of the pseudo-header of IPv4 (RFC 9293 3.1) or IPv6 (RFC 8200 8.1): addresses, the
    /// protocol number and the length of header and text in octets. Both addresses are meant to
    /// be of one family.
    #[inline]
    pub fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, len: u32) -> Sum {
        let numbers = u64::from(len.to_be()) + u64::from(u16::from(protocol).to_be());
        Sum { acc: add_wrapped(add_wrapped(address(src), address(dst)), numbers), odd: false }
    }

    /// The sum after `bytes`, which follow what was added before without a gap.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "a sum and a slice are no group")]
    pub fn add(self, bytes: &[u8]) -> Sum {
        let (long, short) =
            if bytes.len() < BLOCK { (0, bytes) } else { sum_blocks(bytes.as_chunks()) };
        let part = add_wrapped(long, sum_short(short));
        // An octet that starts at an odd place belongs to the other half of its word, for the
        // whole slice: times 2^8, which a rotation is modulo 2^64 - 1 (RFC 1071 2 (B)).
        let part = if self.odd { part.rotate_left(8) } else { part };
        Sum { acc: add_wrapped(self.acc, part), odd: self.odd ^ (bytes.len() % 2 == 1) }
    }

    /// The sum as 16 bits, not complemented, to be written with `to_be_bytes`. Of a pseudo-header
    /// alone this is what a device that completes the checksum expects in the field.
    #[inline]
    pub fn fold(self) -> u16 {
        let acc = (self.acc & 0xffff_ffff) + (self.acc >> 32);
        let acc = (acc & 0xffff) + (acc >> 16);
        let acc = (acc & 0xffff) + (acc >> 16);
        let acc = (acc & 0xffff) + (acc >> 16);
        u16::from_be(acc as u16)
    }

    /// MUST-2: the checksum that a header with these contents carries, complemented, to be
    /// written with `to_be_bytes`. The field itself must have been zero when it was added.
    #[inline]
    pub fn finish(self) -> u16 {
        !self.fold()
    }
}

/// MUST-3: whether the checksum of `segment` (header and text) is right.
///
/// ```
/// use tcp_core::wire::checksum::{Sum, verify};
///
/// let (src, dst) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
/// // A UDP datagram, protocol 17, has its checksum at octet 6.
/// let mut datagram = *b"\x0f\xa0\x00\x35\x00\x0d\0\0hello";
/// let sum = Sum::pseudo_header(src, dst, 17, 13).add(&datagram).finish();
/// datagram[6..8].copy_from_slice(&sum.to_be_bytes());
/// assert!(verify(src, dst, 17, &datagram));
///
/// datagram[12] ^= 1;
/// assert!(!verify(src, dst, 17, &datagram));
/// ```
#[inline]
pub fn verify(src: IpAddr, dst: IpAddr, protocol: u8, segment: &[u8]) -> bool {
    // No IP packet is longer than its 32-bit jumbo length says; a longer slice can't be right.
    u32::try_from(segment.len())
        .is_ok_and(|len| Sum::pseudo_header(src, dst, protocol, len).add(segment).fold() == 0xffff)
}

/// Addition modulo 2^64 - 1: the carry comes in again at the bottom.
#[inline]
const fn add_wrapped(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u64
}

#[inline]
fn address(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => u64::from(u32::from_ne_bytes(ip.octets())),
        IpAddr::V6(ip) => {
            let bits = u128::from_ne_bytes(ip.octets());
            add_wrapped(bits as u64, (bits >> 64) as u64)
        }
    }
}

/// Sums slices shorter than a block. Of so few words, halves or not, no sum overflows 64 bits.
#[inline]
fn sum_short(mut bytes: &[u8]) -> u64 {
    let mut acc = 0;
    // By halving lengths: every branch is taken at most once.
    if let Some((words, after)) = bytes.split_first_chunk::<32>() {
        acc += sum_words(words);
        bytes = after;
    }
    if let Some((words, after)) = bytes.split_first_chunk::<16>() {
        acc += sum_words(words);
        bytes = after;
    }
    if let Some((words, after)) = bytes.split_first_chunk::<8>() {
        acc += sum_words(words);
        bytes = after;
    }
    if let Some((word, after)) = bytes.split_first_chunk() {
        acc += u64::from(u32::from_ne_bytes(*word));
        bytes = after;
    }
    if let Some((word, after)) = bytes.split_first_chunk() {
        acc += u64::from(u16::from_ne_bytes(*word));
        bytes = after;
    }
    if let [octet] = bytes {
        acc += u64::from(u16::from_ne_bytes([*octet, 0]));
    }
    acc
}

/// Sums 32-bit words; their number is a constant, so there is no loop left.
#[inline]
fn sum_words(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum()
}

/// Sums whole blocks and hands back the octets that fill none.
///
/// Each lane adds its 32-bit words without regard to overflow and, apart, their upper halves.
/// The lower halves then are the difference: one shift and two additions a vector, where masking
/// both halves would take a fourth step.
fn sum_blocks<'a>((blocks, rest): (&[[u8; BLOCK]], &'a [u8])) -> (u64, &'a [u8]) {
    let mut acc = 0;
    for run in blocks.chunks(BLOCKS_PER_RUN) {
        let mut whole = [0u32; LANES];
        let mut upper = [0u32; LANES];
        for block in run {
            let (words, _) = block.as_chunks::<4>();
            for ((whole, upper), word) in whole.iter_mut().zip(&mut upper).zip(words) {
                let word = u32::from_ne_bytes(*word);
                *whole = whole.wrapping_add(word);
                *upper = upper.wrapping_add(word >> 16);
            }
        }
        // Plain additions, which can't overflow here: with a carry to bring in again, the
        // compiler gives up the vectors of the loop above too, and it takes five times as long.
        let mut lanes = 0;
        for (whole, upper) in whole.iter().zip(upper) {
            let lower = whole.wrapping_sub(upper << 16);
            lanes += u64::from(lower) + u64::from(upper);
        }
        acc = add_wrapped(acc, lanes);
    }
    (acc, rest)
}

#[cfg(test)]
mod tests;
