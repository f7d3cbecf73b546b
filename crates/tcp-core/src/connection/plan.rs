//! What is to be sent next, and why? A pure decision over the state; nothing changes here
//! (RFC 9293 3.7.4, 3.8, 3.10.2).

use super::{Connection, Limits, Owed, Phase, Probe, State, TIMESTAMP_OPTION, ip_header_len};
use crate::congestion::Controller;
use crate::receive::Due;
use crate::send::{Hold, Offer};
use crate::{SeqNum, wire::Flags};

crate::labels! {
    /// Why a packet is sent.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// let t = client.poll_transmit(now, &Limits::default(), &mut Payload::new()).unwrap();
    /// assert_eq!(t.reason, SendReason::Text);
    ///
    /// // The packet is lost; what goes out after the time-out has another reason.
    /// now = client.poll_timeout().unwrap().at;
    /// client.on_timeout(now);
    /// let t = client.poll_transmit(now, &Limits::default(), &mut Payload::new()).unwrap();
    /// assert_eq!((t.reason, t.reason.name()), (SendReason::Retransmission, "Retransmission"));
    /// assert_eq!(t.reason.meaning(), "Text, FIN or both, again.");
    ///
    /// // Counters have Linux's names where Linux has the counter.
    /// assert_eq!(SendReason::WindowProbe.nstat(), "TcpExtTCPWinProbe");
    /// assert_eq!(SendReason::Text.nstat(), "StackSentText");
    /// ```
    pub enum SendReason, "StackSent" {
        /// The SYN of an active open, or its retransmission.
        Syn,
        /// The SYN-ACK of a simultaneous open.
        SynAck,
        /// New text, possibly with the FIN.
        Text,
        /// A FIN without text.
        Fin,
        /// New text, in a packet larger than what is known to fit (RFC 4821).
        MtuProbe => "TcpExtTCPMTUPProbes",
        /// Text, FIN or both, again.
        Retransmission,
        /// An ACK or window update.
        Ack,
        /// An ACK that asks the peer to prove itself, or answers an unacceptable segment.
        ChallengeAck => "TcpExtTCPChallengeACK",
        /// An ACK that tells where urgent text ends, which can't go yet (RFC 9293 3.8.5).
        Urgent,
        /// A zero-window probe.
        WindowProbe => "TcpExtTCPWinProbe",
        /// A keepalive probe.
        KeepaliveProbe => "TcpExtTCPKeepAlive",
        /// The reset of an abort.
        Reset,
    }
}

/// One packet, decided but not built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) reason: SendReason,
    pub(super) seq: SeqNum,
    /// Octets of text.
    pub(super) len: u32,
    pub(super) flags: Flags,
    /// Payload of one full segment of this packet.
    pub(super) mss: u32,
}

impl Plan {
    /// Segments on the wire.
    pub(super) fn segments(&self) -> u64 {
        if self.len > self.mss { self.len.div_ceil(self.mss.max(1)).into() } else { 1 }
    }

    fn bare(reason: SendReason, seq: SeqNum, flags: Flags) -> Plan {
        Plan { reason, seq, len: 0, flags, mss: 0 }
    }
}

impl Connection {
    /// The next packet, or why there is none.
    pub(super) fn plan(&self, limits: &Limits) -> Result<Plan, Hold> {
        if self.owed == Owed::Reset {
            let flags = Flags::RST | Flags::ACK;
            return Ok(Plan::bare(SendReason::Reset, self.reset_seq(), flags));
        }
        match self.phase {
            Phase::Ended(_) => Err(Hold::Nothing),
            Phase::SynSent => self.plan_syn(SendReason::Syn, Flags::SYN),
            Phase::SynReceived => self
                .plan_syn(SendReason::SynAck, Flags::SYN | Flags::ACK)
                .or_else(|hold| self.plan_ack().ok_or(hold)),
            Phase::Synchronized(_) if self.state() == State::TimeWait => {
                self.plan_ack().ok_or(Hold::Nothing)
            }
            Phase::Synchronized(_) => self.plan_synchronized(limits),
        }
    }

    fn plan_syn(&self, reason: SendReason, flags: Flags) -> Result<Plan, Hold> {
        let first = self.snd.nxt == self.snd.iss;
        let answer = self.phase == Phase::SynReceived && self.rcv.ack.due() == Due::Now;
        if first || answer || self.recovery.next_retransmission().is_some() {
            Ok(Plan::bare(reason, self.snd.iss, flags))
        } else {
            Err(Hold::Nothing)
        }
    }

    fn plan_synchronized(&self, limits: &Limits) -> Result<Plan, Hold> {
        if let Some(p) = self.plan_retransmission(limits) {
            return Ok(p);
        }
        let hold = match self.plan_new(limits) {
            Ok(p) => return Ok(p),
            Err(hold) => hold,
        };
        if self.urgent_untold && self.snd.has_unsent_urgent() {
            return Ok(Plan::bare(SendReason::Urgent, self.snd.nxt, Flags::ACK));
        }
        if let Some(p) = self.plan_probe() {
            return Ok(p);
        }
        self.plan_ack().ok_or(hold)
    }

    /// What recovery believes lost goes first, within the congestion window (RFC 6675 5); the
    /// first retransmission of an episode regardless of it.
    fn plan_retransmission(&self, limits: &Limits) -> Option<Plan> {
        let (start, len) = self.recovery.next_retransmission()?;
        let mss = self.mss_now();
        let room = self.cwnd_room();
        if room < mss && !self.retransmit_first {
            return None;
        }
        let most =
            if self.retransmit_first { mss.max(room - room % mss) } else { room - room % mss };
        let seq = start.max(self.snd.buffer_start);
        let most = most.min(self.max_payload(limits, mss, seq));
        let text_end = self.snd.end();
        let text = if seq.before(text_end) { text_end.distance_from(seq) } else { 0 };
        let range = (start + len).distance_from(seq);
        // SHLD-16, MAY-7: old text is resent whether or not the window still covers it; at a
        // closed window it is one segment, which is a probe too (MUST-35).
        let most = if self.snd.wnd == 0 { most.min(mss) } else { most };
        let len = text.min(range).min(most);
        let mut flags = Flags::ACK;
        let fin = self.snd.fin_seq();
        if fin.is_some_and(|f| seq + len == f && range > len && self.snd.nxt.after(f)) {
            flags |= Flags::FIN;
        }
        if seq + len == text_end {
            flags |= Flags::PSH;
        }
        (len > 0 || flags.contains(Flags::FIN)).then_some(Plan {
            reason: SendReason::Retransmission,
            seq,
            len,
            flags,
            mss,
        })
    }

    fn plan_new(&self, limits: &Limits) -> Result<Plan, Hold> {
        let s = &self.snd;
        let fin_unsent = s.fin_queued && !s.fin_sent();
        if let Some(probe) = self.plan_mtu_probe() {
            return probe;
        }
        let mss = self.mss_now();
        // As on Linux, urgent text waits neither for Nagle's ACK nor for the cork.
        let now = fin_unsent || s.has_unsent_urgent();
        let offer = Offer {
            unsent: s.unsent(),
            window_room: s.window_room(),
            cwnd_room: self.cwnd_room_for_new(),
            outstanding: s.outstanding(),
            mss,
            max_payload: self.max_payload(limits, mss, s.nxt),
            max_wnd: s.max_wnd,
            small_in_flight: s.small_end.after(s.una),
            nodelay: self.options().nodelay || now || self.probe == Some(Probe::Window),
            cork: self.options().cork && !self.uncorked && !now,
        };
        let len = match offer.decide() {
            Ok(_) if !self.recovery.can_note() => return Err(Hold::Memory),
            Ok(len) => len,
            // The probe timer overrides silly-window avoidance (RFC 9293 3.8.6.2.1).
            Err(Hold::Window) if self.probe == Some(Probe::Window) && offer.window_room > 0 => {
                offer.window_room.min(offer.unsent).min(mss)
            }
            Err(Hold::Nothing) if fin_unsent => {
                return if !self.recovery.can_note() {
                    Err(Hold::Memory)
                } else if offer.window_room > 0 {
                    Ok(Plan { mss, ..Plan::bare(SendReason::Fin, s.nxt, Flags::FIN | Flags::ACK) })
                } else {
                    Err(Hold::Window)
                };
            }
            Err(hold) => return Err(hold),
        };
        let mut flags = Flags::ACK;
        if len == offer.unsent {
            // MUST-61, SHLD-27: the last buffered segment carries PSH.
            flags |= Flags::PSH;
            if fin_unsent && len < offer.window_room {
                flags |= Flags::FIN;
            }
        }
        Ok(Plan { reason: SendReason::Text, seq: s.nxt, len, flags, mss })
    }

    /// A probe or keepalive is an empty segment one below SND.NXT: every receiver answers it,
    /// and it carries no data (SHLD-12). See docs/decisions for the window probe.
    fn plan_probe(&self) -> Option<Plan> {
        let reason = match self.probe? {
            Probe::Window => SendReason::WindowProbe,
            Probe::Keepalive => SendReason::KeepaliveProbe,
        };
        Some(Plan::bare(reason, self.snd.nxt - 1, Flags::ACK))
    }

    fn plan_ack(&self) -> Option<Plan> {
        let reason = if self.owed == Owed::ChallengeAck {
            SendReason::ChallengeAck
        } else if self.rcv.ack.due() == Due::Now {
            SendReason::Ack
        } else {
            return None;
        };
        Some(Plan::bare(reason, self.snd.nxt, Flags::ACK))
    }

    fn cwnd_room(&self) -> u32 {
        self.congestion.window().saturating_sub(self.recovery.in_flight())
    }

    /// RFC 3042: the first two duplicate ACKs each let one new segment go beyond the window.
    fn cwnd_room_for_new(&self) -> u32 {
        let beyond = self.recovery.limited_transmit_allowance(self.mss());
        let window = self.congestion.window().saturating_add(beyond);
        window.saturating_sub(self.recovery.in_flight())
    }

    /// Payload of a full segment with the options that the next segment carries.
    pub(super) fn mss_now(&self) -> u32 {
        let mut options = if self.rcv.timestamps.enabled { TIMESTAMP_OPTION } else { 0 };
        options += self.sack_option_len(options);
        self.snd.mss(ip_header_len(&self.tuple), options)
    }

    /// The most payload one packet to the device may carry, from `seq` on. The device repeats the
    /// header on each segment that it cuts: an urgent pointer, which counts from the segment, would
    /// be wrong on all but the first.
    fn max_payload(&self, limits: &Limits, mss: u32, seq: SeqNum) -> u32 {
        if self.snd.urgent_pointer(seq).is_some() {
            return mss;
        }
        let headers = ip_header_len(&self.tuple) + 60;
        let room = limits.segmentation.saturating_sub(headers);
        (room - room % mss).max(mss)
    }
}
