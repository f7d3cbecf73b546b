//! A segment arrived: what now? The steps of RFC 9293 3.10.7.4 in their order, with the checks of
//! RFC 5961. A later step sees only what an earlier one has accepted and trimmed.

use core::ops::ControlFlow::{self, Break, Continue};

use super::{Connection, End, Events, Happening, Owed, Phase, Reader, State, Verdict};
use crate::error::DropReason;
use crate::wire::{Flags, SackBlock, Segment};
use crate::{Instant, SeqNum};

/// A segment that has passed the first step, cut to the window.
struct InWindow<'a, 's> {
    seg: &'a Segment<'s>,
    /// Sequence number of the first octet of `text`.
    seq: SeqNum,
    text: &'s [u8],
    fin: bool,
}

impl Connection {
    /// A segment for this connection arrived; its checksum is verified. `segment_size` is the
    /// size of the pieces that the device merged, or 0 (receive offload).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// let packet = drain(&mut client, now).remove(0);
    /// let segment = Segment::parse(&packet).unwrap();
    ///
    /// assert_eq!(server.on_segment(now, &segment, 0), Verdict::Accepted);
    /// assert_eq!(server.readable(), 5);
    ///
    /// // The network has made a copy. It changes nothing, and is answered by an ACK.
    /// assert_eq!(server.on_segment(now, &segment, 0), Verdict::Dropped(DropReason::OutOfWindow));
    /// assert_eq!(server.readable(), 5);
    /// let answer = drain(&mut server, now).remove(0);
    /// assert_eq!(Segment::parse(&answer).unwrap().ack, segment.seq + 5);
    /// ```
    pub fn on_segment(&mut self, now: Instant, seg: &Segment<'_>, segment_size: u16) -> Verdict {
        let verdict = match self.phase {
            Phase::SynSent => self.arrives_syn_sent(now, seg),
            Phase::Ended(_) => Verdict::DroppedReset(DropReason::Ended),
            Phase::Synchronized(_) if self.state() == State::TimeWait => {
                self.arrives_time_wait(now, seg)
            }
            Phase::SynReceived | Phase::Synchronized(_) => {
                match self.arrives(now, seg, segment_size) {
                    Break(v) => v,
                    Continue(()) => Verdict::Accepted,
                }
            }
        };
        match verdict {
            Verdict::Accepted => self.segments_in += pieces(seg, segment_size),
            Verdict::Dropped(_) | Verdict::DroppedReset(_) => {
                self.drops = self.drops.saturating_add(1);
            }
        }
        self.settle_memory();
        verdict
    }

    fn arrives(&mut self, now: Instant, seg: &Segment<'_>, size: u16) -> ControlFlow<Verdict> {
        let inside = self.check_sequence(now, seg)?;
        self.check_reset(now, &inside)?;
        self.check_syn(now, &inside)?;
        self.last_received = now;
        if self.reader != Reader::Gone {
            self.probes = 0;
        }
        self.check_ack(now, &inside)?;
        self.take_urgent(seg);
        self.accept_text(now, &inside, size)?;
        self.accept_fin(now, &inside);
        Continue(())
    }

    /// First step: acceptability (RFC 9293 3.4), PAWS before it (RFC 7323 5.3).
    fn check_sequence<'a, 's>(
        &mut self,
        now: Instant,
        seg: &'a Segment<'s>,
    ) -> ControlFlow<Verdict, InWindow<'a, 's>> {
        if self.awaits_last_ack() {
            return Continue(self.cut_to_window(seg, seg.seq + seg.seq_len()));
        }
        let is_reset = seg.flags.contains(Flags::RST);
        if !is_reset && self.rcv.timestamps.rejects(now, seg.options.timestamps) {
            self.answer_unacceptable(now, seg);
            return Break(Verdict::Dropped(DropReason::Paws));
        }
        if self.is_crossing_syn_ack(seg) {
            return Continue(InWindow { seg, seq: self.rcv.nxt, text: &[], fin: false });
        }
        let (nxt, wnd) = (self.rcv.nxt, self.rcv.window());
        let len = seg.seq_len();
        let end = seg.seq + len;
        let acceptable = match (len, wnd) {
            _ if self.repeats_crossing_text(seg) => true,
            (0, 0) => seg.seq == nxt,
            (0, _) => seg.seq.within(nxt, wnd),
            // MUST-66: at a zero window, the RST, ACK and URG of a segment at RCV.NXT count.
            (_, 0) => seg.seq == nxt,
            _ => seg.seq.within(nxt, wnd) || (end - 1).within(nxt, wnd),
        };
        if !acceptable {
            if !is_reset {
                self.note_duplicate(seg, end);
                self.note_second_copy(now, seg, end);
                self.answer_unacceptable(now, seg);
            }
            return Break(Verdict::Dropped(DropReason::OutOfWindow));
        }
        Continue(self.cut_to_window(seg, end))
    }

    /// In a simultaneous open the peer's SYN-ACK repeats the SYN that we have: its ACK counts.
    fn is_crossing_syn_ack(&self, seg: &Segment<'_>) -> bool {
        self.phase == Phase::SynReceived
            && seg.flags.contains(Flags::SYN | Flags::ACK)
            && !seg.flags.contains(Flags::RST)
            && seg.seq == self.rcv.irs
    }

    /// The half-open record has checked the segment that completes a passive open, against the
    /// window as it was before the text of the SYN was taken: a second opinion, which knows that
    /// text, could only leave a connection whose SYN-ACK nobody repeats. It is the first segment:
    /// SND.UNA alone comes to ISS again after 4 GiB.
    fn awaits_last_ack(&self) -> bool {
        self.segments_in == 0
            && self.snd.una == self.snd.iss
            && matches!(self.phase, Phase::Synchronized(_))
    }

    /// In a simultaneous open the peer's ACK may stand, or begin, in front of the text that came
    /// with its SYN and was taken already.
    fn repeats_crossing_text(&self, seg: &Segment<'_>) -> bool {
        self.phase == Phase::SynReceived
            && seg.seq == self.rcv.irs + 1
            && seg.flags.contains(Flags::ACK)
            && !seg.flags.intersects(Flags::SYN | Flags::RST)
    }

    fn cut_to_window<'a, 's>(&self, seg: &'a Segment<'s>, end: SeqNum) -> InWindow<'a, 's> {
        let syn = u32::from(seg.flags.contains(Flags::SYN));
        let mut seq = seg.seq + syn;
        let mut text = seg.payload;
        let mut fin = seg.flags.contains(Flags::FIN);
        if seq.before(self.rcv.nxt) {
            let old = (self.rcv.nxt.distance_from(seq) as usize).min(text.len());
            text = &text[old..];
            seq = self.rcv.nxt;
        }
        // The FIN of a known end cuts too: nothing lies beyond it.
        let limit = self.rcv.fin.map_or(self.rcv.edge, |f| f.min(self.rcv.edge));
        let text_end = seq + text.len() as u32;
        if text_end.after(limit) {
            let room = if seq.before(limit) { limit.distance_from(seq) as usize } else { 0 };
            text = &text[..room.min(text.len())];
        }
        // A FIN before text that we have is a lie; the text stands.
        if fin && (end.after(self.rcv.edge + 1) || end.at_or_before(self.rcv.nxt)) {
            fin = false;
        }
        InWindow { seg, seq, text, fin }
    }

    /// RFC 2883 4: report a segment that was received before.
    fn note_duplicate(&mut self, seg: &Segment<'_>, end: SeqNum) {
        if self.negotiated.sack && !seg.payload.is_empty() && end.at_or_before(self.rcv.nxt) {
            let start = seg.seq + u32::from(seg.flags.contains(Flags::SYN));
            self.rcv.dsack = Some(SackBlock { start, end: start + seg.payload.len() as u32 });
        }
    }

    /// RFC 2883 4.2: a segment that begins with text received before.
    fn note_overlap(&mut self, s: &InWindow<'_, '_>) {
        let start = s.seg.seq + u32::from(s.seg.flags.contains(Flags::SYN));
        if self.negotiated.sack && start.before(s.seq) {
            self.rcv.dsack = Some(SackBlock { start, end: s.seq });
        }
    }

    /// A second copy of the last segment means that our ACK was lost. Its timestamp is echoed
    /// (RFC 7323 4.3 (2)) although the segment is not acceptable (5.3 R2): else the peer would take
    /// its time-out for a round trip. Linux and FreeBSD do the same. The end must be exact and the
    /// ACK good, so that a forger gains nothing.
    fn note_second_copy(&mut self, now: Instant, seg: &Segment<'_>, end: SeqNum) {
        if !seg.payload.is_empty() && end == self.rcv.nxt && self.has_good_ack(seg) {
            let last_sent = self.rcv.ack.last_sent();
            self.rcv.timestamps.update(now, seg.options.timestamps, seg.seq, last_sent);
        }
    }

    /// Whether its ACK is one that moves things, had the segment been acceptable.
    fn has_good_ack(&self, seg: &Segment<'_>) -> bool {
        let good = seg.ack.at_or_after(self.snd.una) && seg.ack.at_or_before(self.snd.nxt);
        good && seg.flags.contains(Flags::ACK) && !seg.flags.contains(Flags::SYN)
    }

    /// An unacceptable segment is answered by an ACK; without text, at a limited rate, so that
    /// two confused ends don't answer each other for ever.
    fn answer_unacceptable(&mut self, now: Instant, seg: &Segment<'_>) {
        let at_once = if self.phase == Phase::SynReceived {
            // The peer repeats its SYN, and gets the SYN-ACK again; no other SYN does.
            seg.flags.contains(Flags::SYN) && seg.seq == self.rcv.irs
        } else {
            // RFC 5961 4.2 and 7: a SYN is challenged out of the window too.
            !seg.flags.contains(Flags::SYN)
                && (!seg.payload.is_empty() || seg.flags.contains(Flags::FIN))
        };
        if at_once {
            self.rcv.ack.now();
        } else {
            self.challenge(now);
        }
    }

    /// RFC 5961 7
    fn challenge(&mut self, now: Instant) {
        if self.owed == Owed::Nothing && self.challenge.allows(now, &self.config) {
            self.owed = Owed::ChallengeAck;
        }
    }

    /// Second step: RST. RFC 5961 3.2: only the exact number resets; SHLD-2: text is no obstacle.
    fn check_reset(&mut self, now: Instant, s: &InWindow<'_, '_>) -> ControlFlow<Verdict> {
        if !s.seg.flags.contains(Flags::RST) {
            return Continue(());
        }
        if s.seg.seq != self.rcv.nxt {
            self.challenge(now);
            return Break(Verdict::Dropped(DropReason::ResetNotExact));
        }
        let end = match self.state() {
            // MUST-11: an active open that crossed a SYN learns that it was refused.
            State::SynReceived => End::Refused,
            // Both sides had closed: nothing is lost.
            State::Closing | State::LastAck if self.snd.buffer.is_empty() => End::Closed,
            _ => End::Reset,
        };
        self.finish(end);
        Break(Verdict::Accepted)
    }

    /// Fourth step: SYN. RFC 5961 4.2: a challenge ACK whatever its number.
    fn check_syn(&mut self, now: Instant, s: &InWindow<'_, '_>) -> ControlFlow<Verdict> {
        if !s.seg.flags.contains(Flags::SYN) || self.is_crossing_syn_ack(s.seg) {
            return Continue(());
        }
        self.challenge(now);
        Break(Verdict::Dropped(DropReason::UnexpectedSyn))
    }

    /// Fifth step: ACK.
    fn check_ack(&mut self, now: Instant, s: &InWindow<'_, '_>) -> ControlFlow<Verdict> {
        let seg = s.seg;
        if !seg.flags.contains(Flags::ACK) {
            return Break(Verdict::Dropped(DropReason::NoAck));
        }
        if self.phase == Phase::SynReceived
            && let Err(v) = self.synchronize(now, seg)
        {
            return Break(v);
        }
        let oldest = self.snd.una - self.snd.max_wnd.min(i32::MAX as u32);
        if seg.ack.after(self.snd.nxt) || seg.ack.before(oldest) {
            // MAY-12, RFC 5961 5.2: acks what was never sent, or is older than any honest one.
            self.challenge(now);
            return Break(Verdict::Dropped(DropReason::BadAck));
        }
        if seg.ack.at_or_after(self.snd.una) {
            // RFC 7323 4.3, but only now, as Linux: a forged segment must guess the ACK as well
            // to move TS.Recent, and an honest one with an older ACK has no newer timestamp.
            let last_sent = self.rcv.ack.last_sent();
            self.rcv.timestamps.update(now, seg.options.timestamps, seg.seq, last_sent);
            self.take_ack(now, seg);
        }
        if matches!(self.phase, Phase::Ended(_)) || self.state() == State::TimeWait {
            // The ACK of our FIN ended it; the text and FIN of this segment are behind us.
            return Break(Verdict::Accepted);
        }
        Continue(())
    }

    /// Seventh step: the text.
    fn accept_text(
        &mut self,
        now: Instant,
        s: &InWindow<'_, '_>,
        size: u16,
    ) -> ControlFlow<Verdict> {
        let Phase::Synchronized(t) = self.phase else { return Continue(()) };
        if s.seg.payload.is_empty() || !t.peer_may_send() {
            return Continue(());
        }
        if s.text.is_empty() {
            self.rcv.ack.now();
            return Continue(());
        }
        if self.reader == Reader::Gone {
            // SHLD-3: nobody will read it, and the peer must know.
            self.finish_with_reset(End::Aborted);
            return Break(Verdict::Dropped(DropReason::AfterClose));
        }
        let piece = if size == 0 { s.seg.payload.len() as u32 } else { u32::from(size) };
        self.learn_segment_size(piece);
        self.note_overlap(s);
        let in_order = s.seq == self.rcv.nxt;
        let gap_before = self.rcv.buffer.out_of_order() > 0;
        let offset = s.seq.distance_from(self.rcv.nxt);
        let text = self.affordable_text(offset, s.text);
        if text.is_empty() {
            self.rcv.ack.now();
            return Break(Verdict::Dropped(DropReason::NoMemory));
        }
        let taken = self.rcv.buffer.insert(self.rcv.nxt, offset, text);
        if let Some(d) = taken.duplicate.filter(|_| self.negotiated.sack) {
            self.rcv.dsack = Some(SackBlock { start: d.start, end: d.end });
        }
        if !taken.stored {
            self.rcv.ack.now();
            return Break(Verdict::Dropped(DropReason::TooManyRanges));
        }
        self.rcv.nxt += taken.advance;
        self.note_text(now, s.seg, size, taken.advance, in_order);
        if !in_order || gap_before || text.len() < s.seg.payload.len() {
            // MAY-13 and RFC 5681 4.2: a gap, its filling and a duplicate are told at once.
            self.rcv.ack.now();
        }
        if taken.advance > 0 {
            let full = self.rcv.segment_size.min((self.rcv.limit / 4) as u32);
            let pushed = s.seg.flags.contains(Flags::PSH);
            self.rcv.ack.on_text(taken.advance, full, pushed, self.options().quickack);
            self.notify(Events::READABLE);
        }
        Continue(())
    }

    fn note_text(
        &mut self,
        now: Instant,
        seg: &Segment<'_>,
        size: u16,
        advance: u32,
        in_order: bool,
    ) {
        let ledger = self.ledger();
        ledger.stats.octets_in += u64::from(advance);
        ledger.stats.text_segments_in += pieces(seg, size);
        ledger.last_text_in = Some(now);
        if !in_order {
            self.note(Happening::OutOfOrder);
        }
    }

    /// The peer's full segments are as large as the largest it has sent, up to our MSS.
    fn learn_segment_size(&mut self, piece: u32) {
        let first = self.ledger.as_ref().is_none_or(|l| l.stats.octets_in == 0);
        if piece > self.rcv.segment_size || first {
            self.rcv.segment_size = piece.min(self.mss()).max(536);
        }
    }

    /// Eighth step: FIN, in order or kept until the text before it has come.
    fn accept_fin(&mut self, now: Instant, s: &InWindow<'_, '_>) {
        let Phase::Synchronized(t) = self.phase else { return };
        if !t.peer_may_send() {
            return;
        }
        if s.fin {
            let at = s.seg.seq
                + u32::from(s.seg.flags.contains(Flags::SYN))
                + s.seg.payload.len() as u32;
            // A FIN before text that was received beyond it is a lie; the text stands.
            if self.rcv.fin.is_none()
                && self.rcv.buffer.highest().is_none_or(|h| h.at_or_before(at))
            {
                self.rcv.fin = Some(at);
            }
            self.rcv.ack.now();
        }
        self.take_fin(now);
    }

    /// The peer's FIN counts once all text before it has come.
    pub(super) fn take_fin(&mut self, now: Instant) {
        let Phase::Synchronized(mut t) = self.phase else { return };
        if self.rcv.fin != Some(self.rcv.nxt) {
            return;
        }
        self.rcv.nxt += 1;
        self.rcv.edge = self.rcv.edge.max(self.rcv.nxt);
        self.rcv.ack.now();
        let step = t.on_peer_fin();
        self.phase = Phase::Synchronized(t);
        self.notify(Events::READABLE);
        self.take_step(now, step);
    }
}

/// Segments in a packet that the device merged from pieces of `size`, if that is not 0.
fn pieces(seg: &Segment<'_>, size: u16) -> u64 {
    match size {
        0 => 1,
        size => seg.payload.len().div_ceil(usize::from(size)).max(1) as u64,
    }
}
