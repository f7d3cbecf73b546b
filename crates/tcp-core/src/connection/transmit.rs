//! A planned packet becomes octets, then state: `emit` writes the header and points at the text,
//! `commit` notes that it was sent (RFC 9293 3.10.2; RFC 6298 5.1).

use super::plan::{Plan, SendReason};
use super::{Connection, Happening, Owed, Phase, Probe, RecoveryState, State, Timer};
use crate::Instant;
use crate::buffer::Payload;
use crate::congestion::Controller;
use crate::receive::Due;
use crate::send::Hold;
use crate::wire::{Flags, Options, SackBlock, SackBlocks, Segment};

/// What the device can take.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// client.write(now, &[7; 10_000]).unwrap();
///
/// // A device that cuts gets one super-segment, and the size of the pieces.
/// let limits = Limits { segmentation: 65_535 };
/// let t = client.poll_transmit(now, &limits, &mut Payload::new()).unwrap();
/// assert_eq!((t.payload_len, t.gso_size), (10_000, Some(1448)));
/// assert_eq!(client.info().stats.segments_out, 2 + 7);
///
/// // Another one gets a segment at a time.
/// server.write(now, &[7; 10_000]).unwrap();
/// let t = server.poll_transmit(now, &Limits::default(), &mut Payload::new()).unwrap();
/// assert_eq!((t.payload_len, t.gso_size), (1448, None));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// Largest IP packet that the device cuts into segments (TSO), in octets; 0: it cuts none.
    pub segmentation: u32,
}

/// A packet to send: header fields here, text in the `payload` argument of
/// [`Connection::poll_transmit`].
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// client.write(now, b"hello").unwrap();
/// let mut text = Payload::new();
/// let t = client.poll_transmit(now, &Limits::default(), &mut text).unwrap();
///
/// // The header is written, the text is referred to: together they are one vectored write.
/// let mut header = [0; MAX_HEADER_LEN];
/// let len = t.segment.emit_header(&mut header);
/// assert_eq!(len, 20 + 12); // with timestamps
/// assert_eq!((t.payload_len, &text[0][..]), (5, &b"hello"[..]));
/// ```
#[derive(Clone, Debug)]
pub struct Transmit {
    /// The header; `payload` is empty, the text stands in the caller's buffer.
    pub segment: Segment<'static>,
    /// Octets of text.
    pub payload_len: u32,
    /// The text must be cut into pieces of this size (segmentation offload).
    pub gso_size: Option<u16>,
    /// Why it is sent.
    pub reason: SendReason,
}

impl Connection {
    /// The next packet to send now, or `None`. The text is appended to `payload` by reference.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, &[7; 3000]).unwrap();
    /// let (mut sizes, mut text) = (Vec::new(), Payload::new());
    /// while let Some(t) = client.poll_transmit(now, &Limits::default(), &mut text) {
    ///     sizes.push(t.payload_len);
    ///     text.clear(); // sent, with its header
    /// }
    /// assert_eq!(sizes, [1448, 1448, 104]);
    ///
    /// // Nothing more to say now; later there may be, at a deadline.
    /// assert_eq!(client.poll_timeout().unwrap().timer, Timer::Retransmit);
    /// ```
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        limits: &Limits,
        payload: &mut Payload,
    ) -> Option<Transmit> {
        self.restart_after_idle(now);
        self.make_room_to_send();
        self.refresh_path(now);
        match self.plan(limits) {
            Ok(mut plan) => {
                let transmit = self.emit(now, &mut plan, payload);
                self.commit(now, &plan);
                Some(transmit)
            }
            Err(hold) => {
                self.settle(now, hold);
                None
            }
        }
    }

    /// RFC 5681 4.1: after an idle time of one RTO, start from the restart window.
    fn restart_after_idle(&mut self, now: Instant) {
        if self.recovery.is_empty()
            && self.snd.unsent() > 0
            && now.since(self.last_sent) > self.recovery.rto().current()
        {
            self.congestion.on_idle_restart(now);
        }
    }

    fn emit(&mut self, now: Instant, plan: &mut Plan, payload: &mut Payload) -> Transmit {
        if plan.len > 0 {
            let offset = plan.seq.distance_from(self.snd.buffer_start) as usize;
            let got = self.take_slices(offset, plan.len as usize, payload) as u32;
            if got < plan.len {
                // Many small pieces: a shorter packet, without the end's flags, but still of whole
                // segments (SHLD-28).
                let excess = if got > plan.mss { got % plan.mss } else { 0 };
                drop_tail(payload, excess as usize);
                plan.len = got - excess;
                plan.flags = plan.flags.without(Flags::FIN | Flags::PSH);
            }
        }
        let syn = plan.flags.contains(Flags::SYN);
        let acks = plan.flags.contains(Flags::ACK);
        self.look_at_memory();
        let window = match plan.reason {
            SendReason::Reset => 0,
            _ if syn => self.rcv.syn_window_field(),
            _ => {
                let step = self.rcv.segment_size;
                self.rcv.window_field(step)
            }
        };
        if plan.reason != SendReason::Reset {
            self.note_window(window);
        }
        let mut flags = plan.flags;
        let urgent = self.mark_urgent(plan.seq, &mut flags);
        let segment = Segment {
            src_port: self.tuple.local.port,
            dst_port: self.tuple.remote.port,
            seq: plan.seq,
            // A reset or ACK of a connection in SYN-SENT has nothing to acknowledge.
            ack: if acks { self.rcv.nxt } else { Default::default() },
            flags,
            window,
            urgent,
            options: self.options_for(now, plan),
            payload: &[],
        };
        Transmit {
            segment,
            payload_len: plan.len,
            gso_size: (plan.len > plan.mss).then_some(plan.mss as u16),
            reason: plan.reason,
        }
    }

    fn options_for(&self, now: Instant, plan: &Plan) -> Options<'static> {
        let mut o = Options::default();
        if plan.flags.contains(Flags::SYN) {
            self.syn_options(now, plan.reason, &mut o);
            return o;
        }
        o.timestamps = self.rcv.timestamps.to_send(now);
        if plan.flags.contains(Flags::ACK) && !plan.flags.contains(Flags::RST) {
            o.sack = self.sack_blocks();
        }
        o
    }

    /// MUST-14, SHLD-5, MAY-3: every SYN carries an MSS; MUST-65: only a SYN does. A SYN-ACK
    /// echoes only what the peer offered (RFC 7323 2.2, 3.2; RFC 2018 2).
    fn syn_options(&self, now: Instant, reason: SendReason, o: &mut Options<'static>) {
        let answer = reason == SendReason::SynAck;
        let (c, n) = (&self.config, &self.negotiated);
        o.mss = Some(advertised_mss(self.snd.path.link(), &self.tuple));
        o.sack_permitted = if answer { n.sack } else { c.sack };
        if if answer { n.window_scaling } else { c.window_scaling } {
            o.window_scale = Some(c.window_scale());
        }
        if if answer { n.timestamps } else { c.timestamps } {
            let t = &self.rcv.timestamps;
            o.timestamps = Some(crate::wire::Timestamps {
                value: t.clock(now),
                echo: if answer { t.recent } else { 0 },
            });
        }
    }

    /// RFC 2018 4: the most recent block first; RFC 2883 4: a duplicate before all.
    fn sack_blocks(&self) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        if !self.negotiated.sack
            || (self.rcv.dsack.is_none() && self.rcv.buffer.out_of_order() == 0)
        {
            return blocks;
        }
        let most = if self.rcv.timestamps.enabled { 3 } else { 4 };
        let ranges = self.rcv.buffer.sack_ranges().most_recent_first();
        let all = self
            .rcv
            .dsack
            .into_iter()
            .chain(ranges.map(|r| SackBlock { start: r.start, end: r.end }));
        for b in all.take(most) {
            blocks.push(b);
        }
        blocks
    }

    /// Octets of the SACK option that the next segment carries.
    pub(super) fn sack_option_len(&self, _others: u32) -> u32 {
        if !self.negotiated.sack {
            return 0;
        }
        let held = self.rcv.buffer.out_of_order();
        if held == 0 && self.rcv.dsack.is_none() {
            return 0;
        }
        let n = self.sack_blocks().len() as u32;
        if n == 0 { 0 } else { 4 + 8 * n }
    }

    fn commit(&mut self, now: Instant, plan: &Plan) {
        self.segments_out += plan.segments();
        if plan.len > 0 && (plan.seq + plan.len).after(self.snd.nxt) {
            self.rcv.ack.on_text_sent();
        }
        self.note_ack_sent(plan);
        match plan.reason {
            SendReason::Ack | SendReason::ChallengeAck | SendReason::Urgent => {}
            SendReason::Reset => self.owed = Owed::Nothing,
            SendReason::WindowProbe | SendReason::KeepaliveProbe => self.probe = None,
            _ => self.commit_sequence(now, plan),
        }
    }

    /// Every segment with an ACK flag carries RCV.NXT, the window and the SACK blocks.
    fn note_ack_sent(&mut self, plan: &Plan) {
        if !plan.flags.contains(Flags::ACK) || plan.reason == SendReason::Reset {
            return;
        }
        self.rcv.ack.on_sent(self.rcv.nxt);
        self.rcv.dsack = None;
        self.timers.cancel(Timer::DelayedAck);
        if self.owed == Owed::ChallengeAck {
            self.owed = Owed::Nothing;
        }
    }

    /// A packet that takes sequence numbers: SYN, text, FIN.
    fn commit_sequence(&mut self, now: Instant, plan: &Plan) {
        let phantom =
            u32::from(plan.flags.contains(Flags::SYN)) + u32::from(plan.flags.contains(Flags::FIN));
        let len = plan.len + phantom;
        let end = plan.seq + len;
        if self.probe == Some(Probe::Window) {
            self.probe = None;
        }
        if end.after(self.snd.nxt) {
            self.recovery.on_sent(now, plan.seq, len);
            self.note_size_sent(plan);
            self.snd.nxt = end;
            if plan.len > 0 && !plan.len.is_multiple_of(plan.mss) {
                self.snd.small_end = end;
            }
        } else {
            self.recovery.on_retransmitted(now, plan.seq, len);
            self.snd.path.on_resent(plan.seq, end);
            self.note_retransmission(plan);
            self.retransmit_first = false;
        }
        if plan.len > 0 {
            self.note_text_sent(now, plan);
        }
        self.last_sent = now;
        // RFC 6298 5.1
        let rto = self.recovery.rto().current();
        self.timers.set_if_idle(Timer::Retransmit, now + rto);
        self.timers.cancel(Timer::Probe);
        if let Some(t) = self.options().user_timeout {
            self.timers.set_if_idle(Timer::UserTimeout, now + t);
        }
    }

    fn note_text_sent(&mut self, now: Instant, plan: &Plan) {
        let ledger = self.ledger();
        ledger.stats.text_segments_out += plan.segments();
        ledger.stats.octets_sent += u64::from(plan.len);
        ledger.last_text_out = Some(now);
    }

    fn note_retransmission(&mut self, plan: &Plan) {
        let stats = &mut self.ledger().stats;
        stats.retransmissions += 1;
        stats.segments_retransmitted += plan.segments();
        stats.octets_retransmitted += u64::from(plan.len);
        let what = if plan.flags.contains(Flags::SYN) {
            Happening::SynRetransmission
        } else if self.recovery.state() == RecoveryState::Loss {
            Happening::SlowStartRetransmission
        } else {
            Happening::FastRetransmission
        };
        self.note_many(what, plan.segments() as u32);
    }

    /// A window of zero stops the peer: how often that happens tells of a slow reader.
    fn note_window(&mut self, window: u16) {
        let zero = window == 0;
        if zero != self.offered_zero {
            self.offered_zero = zero;
            self.note(if zero { Happening::ToZeroWindow } else { Happening::FromZeroWindow });
        }
    }

    /// Nothing more goes now: arms the timers that make sure something does later.
    fn settle(&mut self, now: Instant, hold: Hold) {
        self.settle_memory();
        if self.options().notsent_lowat.is_some() {
            // What was sent makes room, before anything is acknowledged.
            self.notify_room();
        }
        // What recovery has left waits for the congestion window too, whether or not new text does.
        self.snd.cwnd_limited = matches!(hold, Hold::Congestion | Hold::SuperSegment)
            || self.recovery.next_retransmission().is_some();
        self.note_limit(now, hold);
        let live = matches!(self.phase, Phase::Synchronized(_));
        if !live || self.state() == State::TimeWait {
            return;
        }
        if self.rcv.ack.due() == Due::Delayed {
            // MUST-40
            self.timers.set_if_idle(Timer::DelayedAck, now + self.config.delayed_ack);
        }
        self.arm_trim(now);
        match hold {
            Hold::Cork => self.arm_cork(now),
            Hold::Window if self.recovery.is_empty() => {
                // SHLD-29, SHLD-30: after one RTO, then with exponential back-off, answered or not.
                let base = self.recovery.rto().current();
                let wait = base.saturating_mul(1 << self.probe_backoff).min(self.config.rto_max);
                self.timers.set_if_idle(Timer::Probe, now + wait);
                if let Some(t) = self.options().user_timeout {
                    self.timers.set_if_idle(Timer::UserTimeout, now + t);
                }
            }
            Hold::Nothing => {
                self.uncorked = false;
                self.probe = self.probe.filter(|p| *p != Probe::Window);
            }
            _ => {}
        }
    }
}

/// Takes the last `excess` octets off.
fn drop_tail(payload: &mut Payload, mut excess: usize) {
    while excess > 0
        && let Some(last) = payload.last_mut()
    {
        let cut = excess.min(last.len());
        last.truncate(last.len() - cut);
        excess -= cut;
        if last.is_empty() {
            payload.pop();
        }
    }
}

/// MUST-67, SHLD-6: what we can receive in one packet, less the headers without options.
pub(crate) fn advertised_mss(mtu: u32, tuple: &crate::Tuple) -> u16 {
    mtu.saturating_sub(super::ip_header_len(tuple) + 20).min(0xffff) as u16
}
