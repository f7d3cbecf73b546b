//! What has a connection done so far? Its counters, how long what held it back, and how fast it
//! delivered: what Linux keeps for `tcp_info` and SNMP. Boxed, and made when there is something to
//! count, so that an idle connection pays a pointer.

use alloc::boxed::Box;
use core::time::Duration;

use super::{Connection, Phase, State};
use crate::Instant;
use crate::recovery::RateSample;
use crate::send::Hold;

/// Counters of one connection.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// client.write(now, b"hello").unwrap();
/// drop(drain(&mut client, now)); // lost
/// now = client.poll_timeout().unwrap().at;
/// client.on_timeout(now);
/// exchange(now, &mut client, &mut server);
///
/// let stats = client.info().stats;
/// assert_eq!((stats.octets_sent, stats.octets_acked), (10, 0)); // the ACK is delayed
/// assert_eq!((stats.octets_retransmitted, stats.timeouts), (5, 1));
/// assert_eq!(server.info().stats.octets_in, 5);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Segments received and accepted; of a packet that the device merged, each.
    pub segments_in: u64,
    /// Segments sent; of a super-segment, each.
    pub segments_out: u64,
    /// Segments among them that carried text.
    pub text_segments_in: u64,
    /// Segments among them that carried text, retransmissions included.
    pub text_segments_out: u64,
    /// Octets of text received in order.
    pub octets_in: u64,
    /// Octets of text sent, retransmissions included.
    pub octets_sent: u64,
    /// Octets of text acknowledged by the peer.
    pub octets_acked: u64,
    /// Octets of text sent again.
    pub octets_retransmitted: u64,
    /// Packets retransmitted; a super-segment counts once.
    pub retransmissions: u64,
    /// Segments retransmitted.
    pub segments_retransmitted: u64,
    /// Retransmission time-outs.
    pub timeouts: u64,
    /// Segments dropped.
    pub drops: u64,
    /// Duplicates the peer reported (RFC 2883).
    pub dsacks: u64,
    /// ACKs that showed segments to have overtaken each other.
    pub reorderings: u64,
    /// Fast recoveries begun.
    pub recoveries: u64,
    /// Segments received ahead of their turn.
    pub out_of_order: u64,
    /// Octets taken as lost.
    pub octets_lost: u64,
}

crate::labels! {
    /// Something worth counting in a whole stack, which only the connection sees.
    ///
    /// ```
    /// use tcp_core::connection::Happening;
    ///
    /// let what = Happening::Timeout;
    /// assert_eq!((what.name(), what.nstat()), ("Timeout", "TcpExtTCPTimeouts"));
    /// assert_eq!(what.meaning(), "A retransmission time-out.");
    ///
    /// // Linux has no counter for every one of them.
    /// assert_eq!(Happening::SynRetransmission.nstat(), "StackSynRetransmission");
    /// assert_eq!(Happening::ALL.len(), Happening::COUNT);
    /// ```
    pub enum Happening, "Stack" {
        /// A retransmission time-out.
        Timeout => "TcpExtTCPTimeouts",
        /// A SYN or SYN-ACK of a connection was sent again.
        SynRetransmission,
        /// A segment was retransmitted in fast recovery.
        FastRetransmission => "TcpExtTCPFastRetrans",
        /// A segment was retransmitted after a time-out.
        SlowStartRetransmission => "TcpExtTCPSlowStartRetrans",
        /// Fast recovery began, with SACK (RFC 6675).
        SackRecovery => "TcpExtTCPSackRecovery",
        /// Fast recovery began, without SACK (RFC 6582).
        RenoRecovery => "TcpExtTCPRenoRecovery",
        /// The peer reported a duplicate (RFC 2883).
        Dsack => "TcpExtTCPDSACKRecv",
        /// An ACK showed that segments had overtaken each other.
        Reordering => "TcpExtTCPSACKReorder",
        /// The timer of a delayed ACK ran out.
        DelayedAck => "TcpExtDelayedACKs",
        /// A segment came ahead of its turn and was kept.
        OutOfOrder => "TcpExtTCPOFOQueue",
        /// A window of zero was offered after one that was not.
        ToZeroWindow => "TcpExtTCPToZeroWindowAdv",
        /// A window was offered after one of zero.
        FromZeroWindow => "TcpExtTCPFromZeroWindowAdv",
        /// Reset at close, since text was unread (SHLD-3).
        AbortOnClose => "TcpExtTCPAbortOnClose",
        /// Given up after time-outs, probes, keepalive or the user timeout.
        AbortOnTimeout => "TcpExtTCPAbortOnTimeout",
        /// Reset when the linger time ended.
        AbortOnLinger => "TcpExtTCPAbortOnLinger",
    }
}

/// What keeps a sender from having more acknowledged than it has (Linux: `tcp_chrono`).
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// let limit = |c: &Connection| c.info().limited.now;
/// assert_eq!(limit(&client), Limit::Idle);
/// client.write(now, b"hello").unwrap();
/// drain(&mut client, now);
/// assert_eq!(limit(&client), Limit::Network);
/// client.write(now, &[7; 100_000]).unwrap();
/// drain(&mut client, now);
/// assert_eq!(limit(&client), Limit::CongestionWindow);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Limit {
    /// Nothing is outstanding: the application has nothing to say.
    #[default]
    Idle,
    /// Text is outstanding, and what was written is sent.
    Network,
    /// The congestion window is used up.
    CongestionWindow,
    /// The peer's window is used up.
    ReceiveWindow,
    /// All is sent, and the application wants to write more than the send buffer holds.
    SendBuffer,
}

const LIMITS: usize = Limit::SendBuffer as usize + 1;

/// How long which limit held, since the connection began.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// // Ten segments go at once; then the congestion window waits for a round trip.
/// client.write(now, &[7; 20_000]).unwrap();
/// let flight = drain(&mut client, now);
/// now += Duration::from_millis(20);
/// deliver(&mut server, now, &flight);
/// deliver(&mut client, now, &drain(&mut server, now));
/// exchange(now, &mut client, &mut server);
///
/// let limited = client.info_at(now).limited;
/// assert_eq!(limited.congestion_window, Duration::from_millis(20));
/// assert_eq!((limited.busy, limited.receive_window), (limited.congestion_window, Duration::ZERO));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limited {
    /// Text was outstanding, whatever limited it; the sum of the following and of waiting for the
    /// network alone. Linux: `tcpi_busy_time`.
    pub busy: Duration,
    /// The peer's window was the limit. Linux: `tcpi_rwnd_limited`.
    pub receive_window: Duration,
    /// The send buffer was the limit. Linux: `tcpi_sndbuf_limited`.
    pub send_buffer: Duration,
    /// The congestion window was the limit.
    pub congestion_window: Duration,
    /// What limits now.
    pub now: Limit,
}

#[cfg_attr(feature = "explore", derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) stats: Stats,
    pub(super) last_text_in: Option<Instant>,
    pub(super) last_text_out: Option<Instant>,
    pub(super) rate: Option<RateSample>,
    limit: Limit,
    limit_since: Instant,
    /// Nanoseconds under each limit before the present one.
    spent: [u64; LIMITS],
    totals: [u32; Happening::COUNT],
    reported: [u32; Happening::COUNT],
}

impl Ledger {
    fn limited(&self, now: Instant) -> Limited {
        let running = now.since(self.limit_since);
        let spent = |l: Limit| {
            let before = Duration::from_nanos(self.spent[l as usize]);
            if l == self.limit { before + running } else { before }
        };
        let receive_window = spent(Limit::ReceiveWindow);
        let send_buffer = spent(Limit::SendBuffer);
        let congestion_window = spent(Limit::CongestionWindow);
        Limited {
            busy: receive_window + send_buffer + congestion_window + spent(Limit::Network),
            receive_window,
            send_buffer,
            congestion_window,
            now: self.limit,
        }
    }

    fn change_limit(&mut self, now: Instant, to: Limit) {
        let ns = u64::try_from(now.since(self.limit_since).as_nanos()).unwrap_or(u64::MAX);
        let spent = &mut self.spent[self.limit as usize];
        *spent = spent.saturating_add(ns);
        self.limit = to;
        self.limit_since = now;
    }
}

impl Connection {
    /// The ledger, made at the first entry.
    pub(super) fn ledger(&mut self) -> &mut Ledger {
        self.ledger.get_or_insert_with(Box::default)
    }

    /// Counts something, for this connection and for whoever asks next.
    pub(super) fn note(&mut self, what: Happening) {
        self.note_many(what, 1);
    }

    pub(super) fn note_many(&mut self, what: Happening, times: u32) {
        let total = &mut self.ledger().totals[what as usize];
        *total = total.wrapping_add(times);
        self.noted = true;
    }

    /// Hands out what has happened since the last call, with how often.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// drop(drain(&mut client, now)); // lost
    /// now = client.poll_timeout().unwrap().at;
    /// client.on_timeout(now);
    /// drain(&mut client, now);
    ///
    /// let mut told = Vec::new();
    /// client.take_happenings(&mut |what, times| told.push((what, times)));
    /// assert_eq!(told, [(Happening::Timeout, 1), (Happening::SlowStartRetransmission, 1)]);
    /// ```
    #[inline]
    pub fn take_happenings(&mut self, out: &mut dyn FnMut(Happening, u32)) {
        if core::mem::take(&mut self.noted)
            && let Some(ledger) = &mut self.ledger
        {
            for what in Happening::ALL {
                let (total, told) =
                    (ledger.totals[*what as usize], &mut ledger.reported[*what as usize]);
                if total != *told {
                    out(*what, total.wrapping_sub(*told));
                    *told = total;
                }
            }
        }
    }

    /// Nothing more goes out now, for this reason: from here on it is what limits the sender.
    pub(super) fn note_limit(&mut self, now: Instant, hold: Hold) {
        let live = matches!(self.phase, Phase::Synchronized(_)) && self.state() != State::TimeWait;
        let limit = match hold {
            _ if !live || !self.has_undelivered() => Limit::Idle,
            Hold::Window => Limit::ReceiveWindow,
            Hold::Congestion => Limit::CongestionWindow,
            _ if self.recovery.next_retransmission().is_some() => Limit::CongestionWindow,
            Hold::Nothing if self.wants_room => Limit::SendBuffer,
            _ => Limit::Network,
        };
        match &mut self.ledger {
            Some(ledger) if ledger.limit != limit => ledger.change_limit(now, limit),
            None if limit != Limit::Idle => self.ledger().change_limit(now, limit),
            _ => {}
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let inline = Stats {
            segments_in: self.segments_in,
            segments_out: self.segments_out,
            drops: self.drops.into(),
            ..Stats::default()
        };
        let Some(ledger) = &self.ledger else { return inline };
        let total = |h: Happening| u64::from(ledger.totals[h as usize]);
        Stats {
            segments_in: inline.segments_in,
            segments_out: inline.segments_out,
            drops: inline.drops,
            timeouts: total(Happening::Timeout),
            dsacks: total(Happening::Dsack),
            reorderings: total(Happening::Reordering),
            recoveries: total(Happening::SackRecovery) + total(Happening::RenoRecovery),
            out_of_order: total(Happening::OutOfOrder),
            ..ledger.stats
        }
    }

    pub(super) fn limited(&self, now: Instant) -> Limited {
        self.ledger.as_ref().map(|l| l.limited(now)).unwrap_or_default()
    }
}
