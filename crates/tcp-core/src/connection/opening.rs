//! How does a connection begin? The active open and the answers to its SYN (RFC 9293 3.5,
//! 3.10.1, 3.10.7.3), and the birth of a connection from a half-open record.

use alloc::sync::Arc;

use super::{Connection, Events, Owed, Phase, Teardown, Verdict};
use crate::config::TcpConfig;
use crate::congestion::initial_window;
use crate::error::{DropReason, End};
use crate::send::SendSpace;
use crate::wire::{Flags, Options, Segment};
use crate::{Instant, SeqNum, Tuple};

/// What an open needs to know beside the configuration.
///
/// ```
/// use std::net::SocketAddr;
///
/// use tcp_core::connection::OpenParams;
/// use tcp_core::isn::IsnGenerator;
/// use tcp_core::{Endpoint, Instant, Tuple};
///
/// let at = |address: &str| Endpoint::from(address.parse::<SocketAddr>().unwrap());
/// let tuple = Tuple { local: at("[fd00::1]:40000"), remote: at("[fd00::2]:80") };
/// let isns = IsnGenerator::new([7; 16]); // 128 random bits, in earnest
/// let open = OpenParams {
///     tuple,
///     isn: isns.isn(Instant::ZERO, &tuple),
///     timestamp_offset: isns.timestamp_offset(&tuple),
///     mtu: 1500,
/// };
///
/// // The same connection, opened a second later, begins with a later number.
/// let later = isns.isn(Instant::from_millis(1000), &tuple);
/// assert_eq!(later, open.isn + 250_000);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OpenParams {
    /// Both endpoints.
    pub tuple: Tuple,
    /// Our initial sequence number, from [`IsnGenerator::isn`](crate::isn::IsnGenerator::isn).
    pub isn: SeqNum,
    /// From [`IsnGenerator::timestamp_offset`](crate::isn::IsnGenerator::timestamp_offset).
    pub timestamp_offset: u32,
    /// Path MTU towards the peer, in octets.
    pub mtu: u32,
}

/// What the two SYNs agreed on.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// let all = Negotiated { sack: true, timestamps: true, window_scaling: true };
/// assert_eq!(client.info().negotiated, all);
///
/// // One end without SACK is enough.
/// let (client, server) = established(TcpConfig { sack: false, ..TcpConfig::default() });
/// assert_eq!(server.info().negotiated, Negotiated { sack: false, ..all });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Negotiated {
    /// Selective acknowledgement (RFC 2018).
    pub sack: bool,
    /// Timestamps (RFC 7323).
    pub timestamps: bool,
    /// Window scaling (RFC 7323).
    pub window_scaling: bool,
}

/// What a completed passive handshake has agreed on.
pub(crate) struct PassiveHandshake<'a> {
    pub(crate) tuple: Tuple,
    pub(crate) isn: SeqNum,
    pub(crate) irs: SeqNum,
    /// Options of the peer's SYN.
    pub(crate) options: Options<'static>,
    /// Window of the peer's SYN.
    pub(crate) window: u16,
    pub(crate) timestamp_offset: u32,
    /// The right edge that our SYN-ACK offered.
    pub(crate) edge: SeqNum,
    pub(crate) mtu: u32,
    pub(crate) syn_ack: SynAckSent,
    /// Text of the SYN, and whether a FIN ends it.
    pub(crate) early: Option<(&'a [u8], bool)>,
}

/// When our SYN-ACK went out first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SynAckSent {
    /// It went out once.
    Once(Instant),
    /// It went out again later: it, or the SYN before it, was lost.
    Again(Instant),
    /// A cookie does not say.
    Unknown,
}

impl Connection {
    /// An active open (RFC 9293 3.10.1): the SYN comes out of
    /// [`poll_transmit`](Self::poll_transmit).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let config = Arc::new(TcpConfig::default());
    /// let open = OpenParams { isn: SeqNum(1000), ..CALLER };
    /// let mut client = Connection::connect(now, open, config);
    /// assert_eq!(client.state(), State::SynSent);
    ///
    /// let t = client.poll_transmit(now, &Limits::default(), &mut Payload::new()).unwrap();
    /// assert_eq!((t.reason, t.segment.flags, t.segment.seq), (SendReason::Syn, Flags::SYN, SeqNum(1000)));
    /// assert_eq!((t.segment.options.mss, t.segment.options.window_scale), (Some(1460), Some(7)));
    /// ```
    pub fn connect(now: Instant, open: OpenParams, config: Arc<TcpConfig>) -> Connection {
        let snd = SendSpace::new(open.isn, open.mtu, default_mss(&open.tuple), config.send_buffer);
        let mut c = Connection::with_phase(now, open.tuple, Phase::SynSent, snd, config);
        c.rcv.timestamps.offset = open.timestamp_offset;
        c
    }

    /// The connection that a passive handshake has become; the segment that completed it comes
    /// next.
    pub(crate) fn passive(now: Instant, h: PassiveHandshake<'_>, config: Arc<TcpConfig>) -> Self {
        let mss = h.options.mss.unwrap_or(default_mss(&h.tuple));
        let mut snd = SendSpace::new(h.isn, h.mtu, mss, config.send_buffer);
        snd.nxt = h.isn + 1;
        let phase = Phase::Synchronized(Teardown::Open);
        let mut c = Connection::with_phase(now, h.tuple, phase, snd, config);
        c.rcv.timestamps.offset = h.timestamp_offset;
        c.rcv.start(now, h.irs);
        c.rcv.edge = h.edge;
        c.rcv.ack.on_sent(c.rcv.nxt);
        c.negotiate(now, &h.options);
        // RFC 9293 3.10.7.2: the window of a SYN is never scaled; the ACK to come renews it.
        c.take_peer_window(h.irs, h.isn + 1, u32::from(h.window));
        match h.syn_ack {
            SynAckSent::Once(at) => c.recovery.on_sent(at, h.isn, 1),
            SynAckSent::Again(at) => {
                c.recovery.on_sent(at, h.isn, 1);
                c.recovery.on_retransmitted(at, h.isn, 1);
                c.begin_slowly();
            }
            // Nothing is measured: the timestamp in the cookie's SYN-ACK was not the time.
            SynAckSent::Unknown => c.snd.una = h.isn + 1,
        }
        if let Some((text, fin)) = h.early {
            c.keep_syn_text(text, fin);
        }
        c.notify(Events::ESTABLISHED | Events::WRITABLE);
        c.arm_keepalive(now);
        c
    }

    /// RFC 9293 3.10.7.3, in its order.
    pub(super) fn arrives_syn_sent(&mut self, now: Instant, seg: &Segment<'_>) -> Verdict {
        let acks = seg.flags.contains(Flags::ACK);
        // First: an ACK of something we have not sent.
        if acks && (seg.ack.at_or_before(self.snd.iss) || seg.ack.after(self.snd.nxt)) {
            return if seg.flags.contains(Flags::RST) {
                Verdict::Dropped(DropReason::BadAck)
            } else {
                Verdict::DroppedReset(DropReason::BadAck)
            };
        }
        // Second: a reset counts only with an acceptable ACK (RFC 5961 3.2, RFC 9293 3.10.7.3).
        if seg.flags.contains(Flags::RST) {
            if !acks || seg.ack != self.snd.nxt {
                return Verdict::Dropped(DropReason::ResetNotExact);
            }
            self.finish(End::Refused);
            return Verdict::Accepted;
        }
        // Fourth: the SYN.
        if !seg.flags.contains(Flags::SYN) {
            return Verdict::Dropped(DropReason::NotSyn);
        }
        self.rcv.start(now, seg.seq);
        self.negotiate(now, &seg.options);
        self.take_peer_window(seg.seq, seg.ack, u32::from(seg.window));
        if acks {
            self.establish(now, seg);
        } else {
            // MUST-10: simultaneous open. Our SYN was sent once already; what goes out next has
            // the same number and an ACK.
            self.phase = Phase::SynReceived;
            self.snd.wl2 = self.snd.una;
            self.rcv.ack.now();
        }
        if !seg.payload.is_empty() || seg.flags.contains(Flags::FIN) {
            self.keep_syn_text(seg.payload, seg.flags.contains(Flags::FIN));
            self.take_fin(now);
        }
        self.last_received = now;
        Verdict::Accepted
    }

    /// A SYN-ACK answers our SYN: ESTABLISHED.
    fn establish(&mut self, now: Instant, seg: &Segment<'_>) {
        self.phase = Phase::Synchronized(Teardown::Open);
        if self.attempts > 0 {
            self.begin_slowly();
        }
        self.take_ack(now, seg);
        self.rcv.ack.now();
        self.after_synchronized(now);
    }

    /// Our SYN or SYN-ACK was lost: the first flight is one segment (RFC 5681 3.1) and the RTO
    /// begins at 3 s, until the first measurement (RFC 6298 5.7).
    fn begin_slowly(&mut self) {
        let mss = self.mss();
        self.congestion.begin(self.algorithm(), mss, mss);
        self.recovery.rto_mut().on_syn_timed_out();
    }

    /// Both ends agree on the sequence numbers.
    pub(super) fn after_synchronized(&mut self, now: Instant) {
        self.attempts = 0;
        if self.snd.fin_queued {
            self.on_close_in_order();
        }
        self.notify(Events::ESTABLISHED | Events::WRITABLE);
        self.arm_keepalive(now);
    }

    /// Takes the options of the peer's SYN (MUST-14, MUST-15).
    fn negotiate(&mut self, now: Instant, o: &Options<'_>) {
        let mss = o.mss.unwrap_or(default_mss(&self.tuple));
        self.snd.peer_mss = mss;
        let scaling = self.config.window_scaling && o.window_scale.is_some();
        if let (true, Some(shift)) = (scaling, o.window_scale) {
            // RFC 7323 2.3: a shift above 14 counts as 14.
            self.snd.shift = shift.min(14);
            self.rcv.shift = self.config.window_scale();
        }
        let timestamps = self.config.timestamps && o.timestamps.is_some();
        self.rcv.timestamps.enabled = timestamps;
        if let (true, Some(ts)) = (timestamps, o.timestamps) {
            self.rcv.timestamps.recent = ts.value;
            self.rcv.timestamps.recent_at = now;
        }
        let sack = self.config.sack && o.sack_permitted;
        self.negotiated = Negotiated { sack, timestamps, window_scaling: scaling };
        let mss = self.mss();
        // RFC 6928 2: the initial window follows from the negotiated MSS.
        self.congestion.begin(self.algorithm(), mss, initial_window(mss));
        self.rcv.segment_size = mss;
        self.begin_path_mtu();
    }

    fn take_peer_window(&mut self, seq: SeqNum, ack: SeqNum, wnd: u32) {
        self.snd.wnd = wnd;
        self.snd.max_wnd = wnd;
        self.snd.wl1 = seq;
        self.snd.wl2 = ack;
    }

    /// Text and FIN of a SYN wait until the connection is synchronized (RFC 9293 3.10.7.2 and
    /// 3.10.7.3); the window we offer later covers them.
    fn keep_syn_text(&mut self, text: &[u8], fin: bool) {
        let fits = &text[..text.len().min(self.rcv.limit)];
        let taken = self.rcv.buffer.insert(self.rcv.nxt, 0, fits).advance;
        self.rcv.nxt += taken;
        self.rcv.edge = self.rcv.edge.max(self.rcv.nxt);
        if taken > 0 {
            self.ledger().stats.octets_in += u64::from(taken);
        }
        if fin && taken as usize == text.len() {
            self.rcv.fin = Some(self.rcv.nxt);
        }
        self.rcv.ack.now();
        if self.state() != super::State::SynReceived {
            self.finish_syn_text();
        }
    }

    /// Makes what came with the SYN visible to the application.
    pub(super) fn finish_syn_text(&mut self) {
        if self.rcv.buffer.readable() > 0 {
            self.notify(Events::READABLE);
        }
    }

    /// In SYN-RECEIVED of a simultaneous open: the peer's ACK of our SYN, or a reset.
    pub(super) fn synchronize(&mut self, now: Instant, seg: &Segment<'_>) -> Result<(), Verdict> {
        let fits = self.snd.una.before(seg.ack) && seg.ack.at_or_before(self.snd.nxt);
        if !fits {
            return Err(Verdict::DroppedReset(DropReason::BadAck));
        }
        self.phase = Phase::Synchronized(Teardown::Open);
        if self.attempts > 0 {
            self.begin_slowly();
        }
        // RFC 7323 2.2: a crossing SYN-ACK is a SYN, its window is not scaled.
        let crossing = seg.flags.contains(Flags::SYN);
        let shift = if crossing { 0 } else { self.snd.shift };
        self.take_peer_window(seg.seq, seg.ack, u32::from(seg.window) << shift);
        self.after_synchronized(now);
        self.finish_syn_text();
        self.owed = Owed::Nothing;
        if crossing {
            self.rcv.ack.now();
        }
        Ok(())
    }
}

/// MUST-15: the send MSS when the peer does not say one.
pub(crate) const fn default_mss(tuple: &Tuple) -> u16 {
    if tuple.is_ipv4() { 536 } else { 1220 }
}
