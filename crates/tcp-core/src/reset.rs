//! What answers a segment that belongs to nobody? The reset of RFC 9293 3.10.7.1.

use crate::SeqNum;
use crate::wire::{Flags, Options, Segment};

/// The reset for a segment that no connection accepts; `None` for a reset, which is never
/// answered.
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
