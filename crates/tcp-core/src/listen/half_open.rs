//! A SYN was received and answered: what next? SYN-RECEIVED of a passive open as a record of
//! about 100 octets (RFC 9293 3.10.7.2 and 3.10.7.4; RFC 5961 for its resets and SYNs).

use alloc::boxed::Box;
use core::time::Duration;

use crate::config::TcpConfig;
use crate::connection::{advertised_mss, buffer_limit};
use crate::error::DropReason;
use crate::receive::TimestampState;
use crate::wire::{Flags, Options, Segment, Timestamps};
use crate::{Instant, SeqNum, Tuple};

/// What the peer's SYN said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeerSyn {
    /// Its MSS option.
    pub mss: Option<u16>,
    /// Its window scale, if it offered one.
    pub window_scale: Option<u8>,
    /// It permits SACK.
    pub sack: bool,
    /// Its timestamp, if it offered timestamps.
    pub timestamp: Option<u32>,
    /// Its window, never scaled.
    pub window: u16,
}

impl PeerSyn {
    /// What a SYN says.
    pub fn new(syn: &Segment<'_>) -> PeerSyn {
        PeerSyn {
            mss: syn.options.mss,
            window_scale: syn.options.window_scale,
            sack: syn.options.sack_permitted,
            timestamp: syn.options.timestamps.map(|t| t.value),
            window: syn.window,
        }
    }

    pub(crate) fn as_options(&self) -> Options<'static> {
        Options {
            mss: self.mss,
            window_scale: self.window_scale,
            sack_permitted: self.sack,
            timestamps: self.timestamp.map(|value| Timestamps { value, echo: 0 }),
            ..Options::default()
        }
    }
}

/// A connection request that we have answered, until its last ACK.
#[derive(Debug)]
pub struct HalfOpen {
    /// Both endpoints.
    pub tuple: Tuple,
    /// Our initial sequence number.
    pub isn: SeqNum,
    /// The peer's.
    pub irs: SeqNum,
    /// What the peer's SYN said.
    pub peer: PeerSyn,
    pub(crate) timestamp_offset: u32,
    window: u16,
    mtu: u16,
    retries: u8,
    pub(crate) early_fin: bool,
    pub(crate) sent_at: Instant,
    deadline: Instant,
    /// Text that came with the SYN; acknowledged only once the handshake is complete.
    pub(crate) early: Option<Box<[u8]>>,
}

/// What a segment means for a half-open record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HalfOpenVerdict {
    /// Drop it.
    Ignore(DropReason),
    /// A repeated SYN: send the SYN-ACK again.
    SynAck,
    /// Send [`HalfOpen::ack`].
    Ack(DropReason),
    /// Answer with [`reset::reply_to`](crate::reset::reply_to); the record stays.
    Reset(DropReason),
    /// The peer has given up: remove the record (MUST-11, back to LISTEN).
    Remove,
    /// The handshake is complete: make a [`Connection`](crate::Connection) and give it this
    /// segment.
    Establish,
}

impl HalfOpen {
    /// A SYN arrived for a listener (RFC 9293 3.10.7.2, third step). `keep_text` octets of its
    /// text are kept at most.
    pub fn on_syn(
        now: Instant,
        open: crate::connection::OpenParams,
        syn: &Segment<'_>,
        keep_text: usize,
        config: &TcpConfig,
    ) -> HalfOpen {
        let text = &syn.payload[..syn.payload.len().min(keep_text)];
        let whole = text.len() == syn.payload.len();
        let scaled = config.window_scaling && syn.options.window_scale.is_some();
        HalfOpen {
            tuple: open.tuple,
            isn: open.isn,
            irs: syn.seq,
            peer: PeerSyn::new(syn),
            timestamp_offset: open.timestamp_offset,
            window: first_window(config.receive_buffer.initial, config, scaled),
            mtu: open.mtu.min(0xffff) as u16,
            retries: 0,
            early_fin: syn.flags.contains(Flags::FIN) && whole,
            sent_at: now,
            deadline: now + config.rto_initial,
            early: (!text.is_empty() || syn.flags.contains(Flags::FIN) && whole)
                .then(|| text.into()),
        }
    }

    /// Offers no more than the connection's receive buffer will take, in octets. Before the first
    /// [`syn_ack`](Self::syn_ack): a window that was offered is not taken back (SHLD-14).
    pub fn set_receive_buffer(&mut self, octets: usize, config: &TcpConfig) {
        let scaled = config.window_scaling && self.peer.window_scale.is_some();
        self.window = first_window(buffer_limit(octets), config, scaled);
    }

    /// When [`on_timeout`](Self::on_timeout) is due.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How often the SYN-ACK was sent again.
    pub fn retries(&self) -> u32 {
        u32::from(self.retries)
    }

    /// Octets of SYN text that the record keeps.
    pub fn early_len(&self) -> usize {
        self.early.as_ref().map_or(0, |t| t.len())
    }

    pub(crate) fn retransmitted(&self) -> bool {
        self.retries > 0
    }

    pub(crate) fn window_edge(&self) -> SeqNum {
        self.irs + 1 + u32::from(self.window)
    }

    /// The SYN-ACK. It offers what both sides can (RFC 7323 2.2 and 3.2; RFC 2018 2).
    pub fn syn_ack(&self, now: Instant, config: &TcpConfig) -> Segment<'static> {
        let mut options = Options {
            // MUST-14, SHLD-5
            mss: Some(advertised_mss(u32::from(self.mtu), &self.tuple)),
            sack_permitted: config.sack && self.peer.sack,
            ..Options::default()
        };
        if config.window_scaling && self.peer.window_scale.is_some() {
            options.window_scale = Some(config.window_scale());
        }
        options.timestamps = self.timestamps(config).to_send(now);
        self.segment(self.isn, Flags::SYN | Flags::ACK, self.window, options)
    }

    /// An ACK that states what we expect.
    pub fn ack(&self, now: Instant, config: &TcpConfig) -> Segment<'static> {
        let timestamps = self.timestamps(config);
        let options = Options { timestamps: timestamps.to_send(now), ..Options::default() };
        let scaled = config.window_scaling && self.peer.window_scale.is_some();
        let shift = if scaled { config.window_scale() } else { 0 };
        self.segment(self.isn + 1, Flags::ACK, self.window >> shift, options)
    }

    /// The reset of an application that wants the connection no more (RFC 9293 3.10.5).
    pub fn reset(&self) -> Segment<'static> {
        self.segment(self.isn + 1, Flags::RST | Flags::ACK, 0, Options::default())
    }

    fn segment(
        &self,
        seq: SeqNum,
        flags: Flags,
        window: u16,
        options: Options<'static>,
    ) -> Segment<'static> {
        Segment {
            src_port: self.tuple.local.port,
            dst_port: self.tuple.remote.port,
            seq,
            ack: self.irs + 1,
            flags,
            window,
            urgent: 0,
            options,
            payload: &[],
        }
    }

    fn timestamps(&self, config: &TcpConfig) -> TimestampState {
        TimestampState {
            enabled: config.timestamps && self.peer.timestamp.is_some(),
            offset: self.timestamp_offset,
            recent: self.peer.timestamp.unwrap_or(0),
            recent_at: self.sent_at,
        }
    }

    /// A segment for this record (RFC 9293 3.10.7.4 for SYN-RECEIVED after a passive open).
    pub fn on_segment(
        &mut self,
        now: Instant,
        seg: &Segment<'_>,
        config: &TcpConfig,
    ) -> HalfOpenVerdict {
        use HalfOpenVerdict as V;
        let reset = seg.flags.contains(Flags::RST);
        let (nxt, wnd) = (self.irs + 1, u32::from(self.window).max(1));
        if !reset && self.timestamps(config).rejects(now, seg.options.timestamps) {
            return V::Ack(DropReason::Paws);
        }
        let syn = seg.flags.contains(Flags::SYN);
        if syn && !reset && !seg.flags.contains(Flags::ACK) && seg.seq == self.irs {
            // MUST-41: a repeated SYN never makes a second record.
            return V::SynAck;
        }
        let end = seg.seq + seg.seq_len().max(1) - 1;
        if !(seg.seq.within(nxt, wnd) || end.within(nxt, wnd)) {
            return if reset {
                V::Ignore(DropReason::OutOfWindow)
            } else {
                V::Ack(DropReason::OutOfWindow)
            };
        }
        if reset {
            // RFC 5961 3.2
            return if seg.seq == nxt { V::Remove } else { V::Ack(DropReason::ResetNotExact) };
        }
        if syn {
            // RFC 5961 4.2
            return V::Ack(DropReason::UnexpectedSyn);
        }
        if !seg.flags.contains(Flags::ACK) {
            return V::Ignore(DropReason::NoAck);
        }
        if seg.ack != self.isn + 1 {
            return V::Reset(DropReason::BadAck);
        }
        V::Establish
    }

    /// The deadline was reached: whether to send the SYN-ACK again (after 1, 2, 4, 8, 16 s; R2
    /// after 63 s), or to give up and remove the record.
    pub fn on_timeout(&mut self, now: Instant, config: &TcpConfig) -> bool {
        if self.retries() >= config.syn_ack_retries {
            return false;
        }
        self.retries = self.retries.saturating_add(1);
        let factor = 1u32 << self.retries.min(16);
        let wait: Duration = config.rto_initial.saturating_mul(factor).min(config.rto_max);
        self.deadline = now + wait;
        true
    }
}

/// The window of the SYN-ACK, where it is not scaled, and of later ACKs, where it may be: a
/// multiple of the scale's unit, so that both mean the same right edge (SHLD-14, RFC 7323 2.4).
fn first_window(buffer: usize, config: &TcpConfig, scaled: bool) -> u16 {
    let unit = if scaled { 1usize << config.window_scale() } else { 1 };
    let most = 0xffff / unit * unit;
    buffer.min(most).next_multiple_of(unit) as u16
}
