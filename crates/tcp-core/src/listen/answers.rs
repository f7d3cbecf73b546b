//! What does a half-open record say? The SYN-ACK, the ACK that states what is expected, and the reset
//! (RFC 9293 3.10.7.2 and 3.10.7.4; the options of RFC 7323 and RFC 2018).

use super::HalfOpen;
use crate::Instant;
use crate::SeqNum;
use crate::config::TcpConfig;
use crate::connection::advertised_mss;
use crate::receive::TimestampState;
use crate::wire::{Flags, Options, Segment};

impl HalfOpen {
    /// The SYN-ACK. It offers what both sides can (RFC 7323 2.2 and 3.2; RFC 2018 2).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// let answer = half.syn_ack(now, &config);
    /// assert_eq!(answer.flags, Flags::SYN | Flags::ACK);
    /// assert_eq!((answer.options.mss, answer.options.window_scale), (Some(1460), Some(7)));
    ///
    /// // What the peer did not offer, it is not offered.
    /// let options = Options { window_scale: None, ..syn.options };
    /// let half = HalfOpen::on_syn(now, LISTENER, &Segment { options, ..syn }, 0, &config);
    /// assert_eq!(half.syn_ack(now, &config).options.window_scale, None);
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// let elsewhere = Segment { seq: last.seq + 100_000, ..last };
    /// let verdict = half.on_segment(now, &elsewhere, &config);
    /// assert_eq!(verdict, HalfOpenVerdict::Ack(DropReason::OutOfWindow));
    /// let answer = half.ack(now, &config);
    /// assert_eq!((answer.flags, answer.seq, answer.ack), (Flags::ACK, half.isn + 1, half.irs + 1));
    /// ```
    pub fn ack(&self, now: Instant, config: &TcpConfig) -> Segment<'static> {
        let timestamps = self.timestamps(config);
        let options = Options { timestamps: timestamps.to_send(now), ..Options::default() };
        let scaled = config.window_scaling && self.peer.window_scale.is_some();
        let shift = if scaled { config.window_scale() } else { 0 };
        self.segment(self.isn + 1, Flags::ACK, self.window >> shift, options)
    }

    /// The reset of an application that wants the connection no more (RFC 9293 3.10.5).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    #[doc = include_str!("../../doc/half_open.rs")]
    /// // The application has looked at the request, and does not want it.
    /// let answer = half.reset();
    /// assert_eq!((answer.flags, answer.ack), (Flags::RST | Flags::ACK, syn.seq + 1));
    /// client.on_segment(now, &answer, 0);
    /// assert_eq!(client.end(), Some(End::Refused));
    /// ```
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

    pub(super) fn timestamps(&self, config: &TcpConfig) -> TimestampState {
        TimestampState {
            enabled: config.timestamps && self.peer.timestamp.is_some(),
            offset: self.timestamp_offset,
            recent: self.peer.timestamp.unwrap_or(0),
            recent_at: self.sent_at,
        }
    }
}
