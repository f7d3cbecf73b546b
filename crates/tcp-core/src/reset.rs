//! What answers a segment that belongs to nobody? The reset of RFC 9293 3.10.7.1.

use crate::SeqNum;
use crate::wire::{Flags, Options, Segment};

/// The reset for a segment that no connection accepts; `None` for a reset, which is never
/// answered.
///
/// ```
/// use tcp_core::SeqNum;
/// use tcp_core::reset::reply_to;
/// use tcp_core::wire::{Flags, Segment};
///
/// let syn = Segment { dst_port: 81, seq: SeqNum(7), flags: Flags::SYN, ..Segment::default() };
/// let refusal = reply_to(&syn).unwrap();
/// assert_eq!(refusal.src_port, 81);
/// assert_eq!((refusal.flags, refusal.ack), (Flags::RST | Flags::ACK, SeqNum(8)));
/// // It can be no connection's own, so it has the number that the ACK waits for.
/// let ack = Segment { flags: Flags::ACK, ack: SeqNum(99), ..syn };
/// let refusal = reply_to(&ack).unwrap();
/// assert_eq!((refusal.flags, refusal.seq), (Flags::RST, SeqNum(99)));
///
/// assert_eq!(reply_to(&refusal), None);
/// ```
pub fn reply_to(seg: &Segment<'_>) -> Option<Segment<'static>> {
    if seg.flags.contains(Flags::RST) {
        return None;
    }
    let (seq, ack, flags) = if seg.flags.contains(Flags::ACK) {
        (seg.ack, SeqNum(0), Flags::RST)
    } else {
        (SeqNum(0), seg.seq + seg.seq_len(), Flags::RST | Flags::ACK)
    };
    Some(Segment {
        src_port: seg.dst_port,
        dst_port: seg.src_port,
        seq,
        ack,
        flags,
        window: 0,
        urgent: 0,
        options: Options::default(),
        payload: &[],
    })
}
