//! What does one end say on the wire, and may it? Sequence numbers, acknowledgements and windows
//! of everything an end sends (RFC 9293 3.4, 3.8.6; SHLD-14, MUST-34).

use tcp_core::SeqNum;
use tcp_core::wire::{Flags, Segment};

use super::{Who, octet};

/// What an end has said so far.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Its initial sequence number, once its SYN was sent.
    pub(crate) iss: Option<SeqNum>,
    /// One past the last sequence number sent, relative to `iss`.
    pub(crate) sent: u32,
    /// Where its FIN stands relative to `iss`, once sent.
    pub(crate) fin: Option<u32>,
    /// The highest acknowledgement relative to the peer's initial number.
    pub(crate) acked: u32,
    /// The right window edge relative to the peer's initial number.
    pub(crate) edge: u32,
    /// Number of the last segment with text.
    pub(crate) last_text: SeqNum,
}

impl Said {
    /// Notes a segment that `who` sends and checks all that the wire alone shows. `text` is what
    /// it carries, `written` what its application wrote so far, `shift` its window scale.
    pub(crate) fn note(
        &mut self,
        who: Who,
        seg: &Segment<'_>,
        shift: u8,
        peer: &Said,
        written: u64,
    ) {
        if seg.flags.contains(Flags::RST) {
            return;
        }
        let syn = seg.flags.contains(Flags::SYN);
        if syn {
            assert!(self.iss.is_none_or(|i| i == seg.seq), "{who:?}: two initial numbers");
            self.iss = Some(seg.seq);
        }
        let iss = self.iss.expect("a SYN comes first");
        let start = seg.seq.distance_from(iss);
        self.note_text(who, seg, start, written);
        if seg.flags.contains(Flags::ACK) {
            self.note_ack(who, seg, if syn { 0 } else { shift }, peer);
        }
        let end = start.wrapping_add(seg.seq_len());
        if seg.seq_len() > 0 {
            if end > self.sent && !syn {
                // MUST-34: new octets stay left of every edge that the peer ever offered.
                assert!(
                    end <= peer.edge,
                    "{who:?} sent to {end}, the peer's edge is {}",
                    peer.edge
                );
            }
            self.sent = self.sent.max(end);
        }
    }

    fn note_text(&mut self, who: Who, seg: &Segment<'_>, start: u32, written: u64) {
        for (i, b) in seg.payload.iter().enumerate() {
            let at = u64::from(start) + i as u64 - 1;
            assert!(at < written, "{who:?} sent octet {at} that was never written");
            assert_eq!(*b, octet(who, at), "{who:?} sent a wrong octet {at}");
        }
        if !seg.payload.is_empty() {
            self.last_text = seg.seq;
        }
        if seg.flags.contains(Flags::FIN) {
            let at = start + seg.payload.len() as u32;
            assert_eq!(u64::from(at), written + 1, "{who:?}: a FIN before the end of the text");
            assert!(self.fin.is_none_or(|f| f == at), "{who:?}: two FINs");
            self.fin = Some(at);
        }
    }

    fn note_ack(&mut self, who: Who, seg: &Segment<'_>, shift: u8, peer: &Said) {
        let irs = peer.iss.expect("only a SYN that was sent is acknowledged");
        let ack = seg.ack.distance_from(irs);
        assert!(ack <= peer.sent, "{who:?} acknowledges {ack}, only {} was sent", peer.sent);
        assert!(ack >= self.acked, "{who:?} took an acknowledgement back");
        self.acked = ack;
        let edge = ack + (u32::from(seg.window) << shift);
        // SHLD-14: the right edge never moves left.
        assert!(edge >= self.edge, "{who:?} moved its edge from {} to {edge}", self.edge);
        self.edge = edge;
    }
}
