//! The connection is over: what must the quiet time still answer? TIME-WAIT as a small record
//! (RFC 9293 3.6.1, 3.10.7.4; RFC 1337; RFC 6191).

use core::time::Duration;

use crate::config::TcpConfig;
use crate::receive::TimestampState;
use crate::wire::{Flags, Options, Segment};
use crate::{Instant, SeqNum, Tuple};

/// All that is left of a connection for 2MSL. There may be a million of these: 72 octets.
///
/// ```
/// use core::time::Duration;
/// use tcp_core::connection::State;
/// use tcp_core::time_wait::TimeWaitVerdict;
#[doc = include_str!("../doc/established.rs")]
/// # let config = TcpConfig::default();
/// # let (mut client, mut server) = established(config.clone());
///
/// client.close_write()?;
/// // All that the client has to send reaches the server.
/// deliver(&mut server, now, &drain(&mut client, now));
/// server.close_write()?;
/// let fin = server.poll_transmit(now, &Limits::default(), &mut Payload::new()).unwrap().segment;
/// client.on_segment(now, &fin, 0);
///
/// // The record takes the connection's place.
/// let mut record = client.hand_over_time_wait(now).unwrap();
/// assert_eq!((client.state(), record.expires), (State::Closed, now + config.time_wait));
///
/// // Our ACK got lost: the peer sends its FIN again.
/// let later = now + Duration::from_secs(20);
/// assert_eq!(record.on_segment(later, &fin, &config), TimeWaitVerdict::Ack);
/// server.on_segment(later, &record.ack(later), 0);
/// assert_eq!(server.state(), State::Closed);
/// assert_eq!(record.expires, later + config.time_wait, "the quiet time begins again");
///
/// // The same two endpoints, for a connection that begins a second after the last timestamp.
/// let delay = Duration::from_secs(1);
/// assert!(!record.reusable(later + delay, delay));
/// assert!(record.reusable(later + 2 * delay, delay));
/// assert!(record.successor_isn().after(record.ack(later).seq));
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeWait {
    /// Both endpoints.
    pub tuple: Tuple,
    pub(crate) snd_nxt: SeqNum,
    pub(crate) rcv_nxt: SeqNum,
    pub(crate) window: u16,
    pub(crate) timestamps: bool,
    pub(crate) timestamp_offset: u32,
    pub(crate) ts_recent: u32,
    /// When `ts_recent` was taken, in milliseconds; wraps after 49 days.
    pub(crate) ts_recent_ms: u32,
    /// When the quiet time ends.
    pub expires: Instant,
}

/// What a segment means in TIME-WAIT.
///
/// ```
/// use tcp_core::time_wait::TimeWaitVerdict;
/// use tcp_core::wire::{Flags, Segment};
#[doc = include_str!("../doc/established.rs")]
/// # let config = TcpConfig { timestamps: false, ..TcpConfig::default() };
/// # let (mut client, mut server) = established(config.clone());
/// # client.close_write()?;
/// # deliver(&mut server, now, &drain(&mut client, now));
/// # server.close_write()?;
/// # deliver(&mut client, now, &drain(&mut server, now));
/// # let mut record = client.hand_over_time_wait(now).unwrap();
///
/// let last = record.ack(now).ack;
/// let syn = Segment { flags: Flags::SYN, seq: last + 1, ..Segment::default() };
/// let newer = TimeWaitVerdict::NewConnection(record.successor_isn());
/// assert_eq!(record.on_segment(now, &syn, &config), newer);
/// // An old one, from before: the peer is told where the last connection ended.
/// let old = Segment { seq: last - 1, ..syn };
/// assert_eq!(record.on_segment(now, &old, &config), TimeWaitVerdict::Ack);
///
/// let ack = Segment { flags: Flags::ACK, seq: last, ..Segment::default() };
/// assert_eq!(record.on_segment(now, &ack, &config), TimeWaitVerdict::Ignore);
/// let reset = Segment { flags: Flags::RST, ..ack };
/// assert_eq!(record.on_segment(now, &reset, &config), TimeWaitVerdict::Over);
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeWaitVerdict {
    /// Drop it.
    Ignore,
    /// Send [`TimeWait::ack`]; [`TimeWait::expires`] may have moved.
    Ack,
    /// A new connection may take this one's place (MAY-2, RFC 6191); its ISN must not be before
    /// this number.
    NewConnection(SeqNum),
    /// A reset ends the quiet time.
    Over,
}

impl TimeWait {
    /// A segment for this record.
    pub fn on_segment(
        &mut self,
        now: Instant,
        seg: &Segment<'_>,
        config: &TcpConfig,
    ) -> TimeWaitVerdict {
        use TimeWaitVerdict as V;
        let old = self.timestamp_state(now).rejects(now, seg.options.timestamps);
        if seg.flags.contains(Flags::RST) {
            let exact = seg.seq == self.rcv_nxt && !config.rfc1337;
            return if exact { V::Over } else { V::Ignore };
        }
        if seg.flags.contains(Flags::SYN) && !seg.flags.contains(Flags::ACK) {
            let provably_newer = !old && self.is_newer(seg);
            return if provably_newer { V::NewConnection(self.successor_isn()) } else { V::Ack };
        }
        if !old && seg.seq + seg.seq_len() == self.rcv_nxt && self.acks_what_was_sent(seg) {
            // The last segment again, or an ACK behind it: its timestamp is the one to echo.
            self.take_timestamp(now, seg);
            if seg.flags.contains(Flags::FIN) {
                // RFC 9293 3.10.7.4: "a retransmission of the remote FIN" restarts 2MSL, and
                // nothing else does: another FIN is no segment of this connection.
                self.expires = now + config.time_wait;
                return V::Ack;
            }
        }
        // An ACK without text needs no answer: two ends would talk for ever.
        if seg.seq_len() == 0 { V::Ignore } else { V::Ack }
    }

    /// MAY-2, SHLD-4 and RFC 6191 2: a request is newer by timestamp, or by sequence number.
    fn is_newer(&self, seg: &Segment<'_>) -> bool {
        let by_time = seg.options.timestamps.is_some_and(|t| t.value != self.ts_recent);
        (self.timestamps && by_time) || seg.seq.after(self.rcv_nxt)
    }

    fn acks_what_was_sent(&self, seg: &Segment<'_>) -> bool {
        seg.flags.contains(Flags::ACK) && seg.ack.at_or_before(self.snd_nxt)
    }

    fn take_timestamp(&mut self, now: Instant, seg: &Segment<'_>) {
        if let Some(t) = seg.options.timestamps.filter(|_| self.timestamps) {
            self.ts_recent = t.value;
            self.ts_recent_ms = now.as_millis() as u32;
        }
    }

    /// The ACK that repeats the end of the connection.
    pub fn ack(&self, now: Instant) -> Segment<'static> {
        Segment {
            src_port: self.tuple.local.port,
            dst_port: self.tuple.remote.port,
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            flags: Flags::ACK,
            window: self.window,
            urgent: 0,
            options: Options {
                timestamps: self.timestamp_state(now).to_send(now),
                ..Options::default()
            },
            payload: &[],
        }
    }

    /// Whether our own new connection may take this one's place: only with timestamps, and more
    /// than `delay` after the last one was seen, so that old segments are told from new
    /// (RFC 6191 3). Linux: 1 s, `tcp_tw_reuse_delay`.
    pub fn reusable(&self, now: Instant, delay: Duration) -> bool {
        let age = (now.as_millis() as u32).wrapping_sub(self.ts_recent_ms);
        self.timestamps && u128::from(age) > delay.as_millis()
    }

    /// The least initial sequence number of a successor.
    pub fn successor_isn(&self) -> SeqNum {
        self.snd_nxt + 65_537
    }

    /// The state as a connection keeps it. It is never outdated: 2MSL are less than 24 days.
    fn timestamp_state(&self, now: Instant) -> TimestampState {
        TimestampState {
            enabled: self.timestamps,
            offset: self.timestamp_offset,
            recent: self.ts_recent,
            recent_at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoint;
    use crate::wire::Timestamps;
    use core::net::{IpAddr, Ipv4Addr};

    fn record() -> TimeWait {
        let at = |n, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), port);
        TimeWait {
            tuple: Tuple { local: at(1, 80), remote: at(2, 4000) },
            snd_nxt: SeqNum(1000),
            rcv_nxt: SeqNum(5000),
            window: 100,
            timestamps: true,
            timestamp_offset: 0,
            ts_recent: 70,
            ts_recent_ms: 0,
            expires: Instant::from_millis(60_000),
        }
    }

    fn seg(seq: u32, flags: Flags, ts: u32) -> Segment<'static> {
        Segment {
            src_port: 4000,
            dst_port: 80,
            seq: SeqNum(seq),
            ack: SeqNum(1000),
            flags,
            window: 100,
            urgent: 0,
            options: Options {
                timestamps: Some(Timestamps { value: ts, echo: 0 }),
                ..Options::default()
            },
            payload: &[],
        }
    }

    // MUST-13: 2MSL, restarted by a retransmitted FIN.
    #[test]
    fn retransmitted_fin_restarts_the_quiet_time() {
        let (mut r, c) = (record(), TcpConfig::default());
        let now = Instant::from_millis(30_000);
        let fin = seg(4999, Flags::FIN | Flags::ACK, 70);
        assert_eq!(r.on_segment(now, &fin, &c), TimeWaitVerdict::Ack);
        assert_eq!(r.expires, now + Duration::from_secs(60));
        assert_eq!((r.ack(now).seq, r.ack(now).ack), (SeqNum(1000), SeqNum(5000)));
    }

    // RFC 9293 3.10.7.4
    #[test]
    fn only_the_peers_own_fin_restarts_the_quiet_time() {
        let (mut r, c) = (record(), TcpConfig::default());
        let (was, now) = (r.expires, Instant::from_millis(30_000));
        let fin = seg(4999, Flags::FIN | Flags::ACK, 70);
        let strangers = [
            Segment { seq: SeqNum(4998), ..fin },
            Segment { seq: SeqNum(5000), ..fin },
            Segment { seq: SeqNum(0x8000_0000), ..fin },
            Segment { ack: SeqNum(1001), ..fin },
            Segment { flags: Flags::FIN, ..fin },
            // RFC 7323 5.3: an older one is no retransmission.
            seg(4999, Flags::FIN | Flags::ACK, 69),
        ];
        for s in strangers {
            assert_eq!(r.on_segment(now, &s, &c), TimeWaitVerdict::Ack, "{s:?}");
            assert_eq!(r.expires, was, "{s:?}");
        }
        // With the text before it, and before it had seen our FIN.
        let again = Segment { seq: SeqNum(4995), ack: SeqNum(999), payload: b"text", ..fin };
        assert_eq!(r.on_segment(now, &again, &c), TimeWaitVerdict::Ack);
        assert_eq!(r.expires, now + Duration::from_secs(60));
    }

    // RFC 7323 4.3
    #[test]
    fn a_retransmitted_fin_gets_its_own_timestamp_back() {
        let (mut r, c) = (record(), TcpConfig::default());
        let now = Instant::from_millis(30_000);
        r.on_segment(now, &seg(4999, Flags::FIN | Flags::ACK, 99), &c);
        assert_eq!(r.ack(now).options.timestamps.map(|t| t.echo), Some(99));
        // RFC 6191 3: the second counts from there.
        let second = Duration::from_secs(1);
        assert!(!r.reusable(now + second, second));
        assert!(r.reusable(now + second + Duration::from_millis(1), second));
    }

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<TimeWait>() <= 72, "{}", size_of::<TimeWait>());
    }

    // MAY-2, SHLD-4
    #[test]
    fn newer_syn_is_let_in_and_an_old_one_is_not() {
        let (mut r, c) = (record(), TcpConfig::default());
        let now = Instant::from_millis(1);
        let new = TimeWaitVerdict::NewConnection(SeqNum(1000 + 65_537));
        assert_eq!(r.on_segment(now, &seg(10, Flags::SYN, 71), &c), new);
        assert_eq!(r.on_segment(now, &seg(5001, Flags::SYN, 70), &c), new);
        assert_eq!(r.on_segment(now, &seg(5001, Flags::SYN, 69), &c), TimeWaitVerdict::Ack);
        assert_eq!(r.on_segment(now, &seg(10, Flags::SYN, 70), &c), TimeWaitVerdict::Ack);
    }

    // RFC 1337
    #[test]
    fn resets_end_it_only_when_exact_and_allowed() {
        let mut c = TcpConfig::default();
        let mut r = record();
        let now = Instant::from_millis(1);
        assert_eq!(r.on_segment(now, &seg(5001, Flags::RST, 70), &c), TimeWaitVerdict::Ignore);
        assert_eq!(r.on_segment(now, &seg(5000, Flags::RST, 70), &c), TimeWaitVerdict::Over);
        c.rfc1337 = true;
        assert_eq!(r.on_segment(now, &seg(5000, Flags::RST, 70), &c), TimeWaitVerdict::Ignore);
    }
}
