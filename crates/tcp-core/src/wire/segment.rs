//! What does a segment say? The fixed header of RFC 9293 3.1 as a value, with its options and its
//! text. The checksum is `checksum`'s; whether the segment is acceptable is the connection's.

use core::fmt;

use super::{Flags, MAX_OPTIONS_LEN, Options};
use crate::SeqNum;

/// Octets of a header without options.
pub const MIN_HEADER_LEN: usize = 20;
/// Octets of the longest header: the data offset has four bits and counts 32-bit words.
pub const MAX_HEADER_LEN: usize = MIN_HEADER_LEN + MAX_OPTIONS_LEN;
/// Where in the header the checksum's two octets lie.
pub const CHECKSUM_OFFSET: usize = 16;

/// One segment; options and text are borrowed from the packet.
///
/// ```
/// use tcp_core::SeqNum;
/// use tcp_core::wire::{Flags, MAX_HEADER_LEN, Options, Segment, SegmentError};
///
/// let syn = Segment {
///     src_port: 4000,
///     dst_port: 80,
///     seq: SeqNum(7),
///     flags: Flags::SYN,
///     window: 65_535,
///     options: Options { mss: Some(1460), ..Options::default() },
///     ..Segment::default()
/// };
/// assert_eq!((syn.seq_len(), syn.header_len()), (1, 24));
/// let mut packet = [0; MAX_HEADER_LEN];
/// let len = syn.emit_header(&mut packet);
/// assert_eq!(Segment::parse(&packet[..len])?, syn);
///
/// // What lies behind the header is text.
/// packet[len..][..5].copy_from_slice(b"hello");
/// let with_text = Segment::parse(&packet[..len + 5])?;
/// assert_eq!((with_text.payload, with_text.seq_len()), (&b"hello"[..], 6));
/// # Ok::<(), SegmentError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Segment<'a> {
    /// The sender's port. Zero is possible.
    pub src_port: u16,
    /// The receiver's port. Zero is possible.
    pub dst_port: u16,
    /// The sequence number of the first octet of text, or of the SYN.
    pub seq: SeqNum,
    /// The next sequence number that the sender expects; zero and meaningless without ACK.
    pub ack: SeqNum,
    /// The control bits.
    pub flags: Flags,
    /// The window field as it stands: in octets shifted by the sender's scale, never on a SYN
    /// (RFC 7323 2.2).
    pub window: u16,
    /// The urgent pointer; meaningless without URG.
    pub urgent: u16,
    /// The options.
    pub options: Options<'a>,
    /// The text.
    pub payload: &'a [u8],
}

/// Why octets are no segment.
///
/// ```
/// use tcp_core::wire::{Segment, SegmentError};
///
/// assert_eq!(Segment::parse(&[0; 19]), Err(SegmentError::TooShort));
/// // A header that says of itself that it has no words.
/// assert_eq!(Segment::parse(&[0; 20]), Err(SegmentError::BadDataOffset));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegmentError {
    /// There is not even a whole fixed header.
    TooShort,
    /// The data offset points into the fixed header or past the end.
    BadDataOffset,
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SegmentError::TooShort => "segment shorter than a TCP header",
            SegmentError::BadDataOffset => "data offset outside the segment",
        })
    }
}

impl core::error::Error for SegmentError {}

impl<'a> Segment<'a> {
    /// Reads header, options and text of the payload of one IP packet. The checksum is not looked
    /// at (see [`checksum::verify`](super::checksum::verify)), the reserved bits are ignored, and
    /// malformed options are no error (see [`Options::malformed`]).
    ///
    /// # Errors
    ///
    /// [`SegmentError`], if there is no telling where the text begins.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Segment<'a>, SegmentError> {
        let fixed = bytes.first_chunk::<MIN_HEADER_LEN>().ok_or(SegmentError::TooShort)?;
        let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let long =
            |at| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);

        let header_len = usize::from(fixed[12] >> 4) * 4;
        if header_len < MIN_HEADER_LEN {
            return Err(SegmentError::BadDataOffset);
        }
        let (header, payload) =
            bytes.split_at_checked(header_len).ok_or(SegmentError::BadDataOffset)?;
        let flags = Flags::from_bits(word(12));
        Ok(Segment {
            src_port: word(0),
            dst_port: word(2),
            seq: SeqNum(long(4)),
            ack: SeqNum(if flags.contains(Flags::ACK) { long(8) } else { 0 }),
            flags,
            window: word(14),
            urgent: word(18),
            options: Options::parse(&header[MIN_HEADER_LEN..]),
            payload,
        })
    }

    /// Sequence numbers that the segment takes: text, SYN and FIN (SEG.LEN of RFC 9293 3.4).
    #[inline]
    pub fn seq_len(&self) -> u32 {
        self.payload.len() as u32
            + u32::from(self.flags.contains(Flags::SYN))
            + u32::from(self.flags.contains(Flags::FIN))
    }

    /// Octets that [`emit_header`](Segment::emit_header) writes.
    #[inline]
    pub fn header_len(&self) -> usize {
        MIN_HEADER_LEN + self.options.emitted_len()
    }

    /// Writes everything but the text and returns [`header_len`](Segment::header_len). The
    /// checksum field becomes zero and so do the reserved bits; the acknowledgment field becomes
    /// zero unless ACK is set.
    ///
    /// # Panics
    ///
    /// If `buf` is shorter than `header_len`; [`MAX_HEADER_LEN`] octets are always enough.
    #[inline]
    pub fn emit_header(&self, buf: &mut [u8]) -> usize {
        let (fixed, options) = buf.split_at_mut(MIN_HEADER_LEN);
        let len = MIN_HEADER_LEN + self.options.emit(options);
        let ack = if self.flags.contains(Flags::ACK) { self.ack.0 } else { 0 };
        // Words of four octets: the offset counts them, so they fill its four bits at most.
        let offset_and_flags = ((len / 4) as u16) << 12 | self.flags.bits();
        fixed[0..2].copy_from_slice(&self.src_port.to_be_bytes());
        fixed[2..4].copy_from_slice(&self.dst_port.to_be_bytes());
        fixed[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        fixed[8..12].copy_from_slice(&ack.to_be_bytes());
        fixed[12..14].copy_from_slice(&offset_and_flags.to_be_bytes());
        fixed[14..16].copy_from_slice(&self.window.to_be_bytes());
        fixed[16..18].fill(0);
        fixed[18..20].copy_from_slice(&self.urgent.to_be_bytes());
        len
    }
}

impl fmt::Debug for Segment<'_> {
    /// One line, as in a packet trace: the text only by its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{} {:?} seq {}", self.src_port, self.dst_port, self.flags, self.seq)?;
        if self.flags.contains(Flags::ACK) {
            write!(f, " ack {}", self.ack)?;
        }
        write!(f, " win {} len {}", self.window, self.payload.len())?;
        if self.flags.contains(Flags::URG) {
            write!(f, " urg {}", self.urgent)?;
        }
        if self.options != Options::default() {
            write!(f, " {:?}", self.options)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
