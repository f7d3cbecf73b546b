//! What is a connection? The value that holds both sequence spaces, recovery, congestion control
//! and timers, with its three families of verbs (RFC 9293 3.3.1, 3.9.1).

mod acknowledges;
mod arrives;
#[cfg(feature = "explore")]
mod canonical;
mod closing;
mod events;
mod icmp;
mod info;
mod ledger;
mod memory;
mod opening;
mod options;
mod path_mtu;
mod phase;
mod plan;
mod reading;
mod time_wait;
mod timeouts;
mod timers;
mod transmit;
mod urgent;
mod writing;

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use crate::config::{SocketOptions, TcpConfig};
use crate::congestion::Congestion;
use crate::error::{DropReason, End, Unreachable};
use crate::memory::Account;
use crate::receive::ReceiveSpace;
use crate::recovery::{Recovery, RecoveryConfig};
use crate::send::SendSpace;
use crate::{Instant, SeqNum, Tuple};

pub use events::Events;
pub use icmp::IcmpVerdict;
pub use info::{Info, ProbeTally, RecoveryState};
pub use ledger::{Happening, Limit, Limited, Stats};
pub use opening::OpenParams;
pub use path_mtu::PathMtuInfo;
pub use phase::State;
pub use plan::SendReason;
pub use timers::{Deadline, Timer};
pub use transmit::{Limits, Transmit};

pub(crate) use opening::{PassiveHandshake, SynAckSent, default_mss};
pub(crate) use transmit::advertised_mss;

use ledger::Ledger;

pub(crate) use phase::{Phase, Step, Teardown};
pub(crate) use timers::Timers;

/// One TCP connection: a value without clock, I/O or lock.
///
/// Three families of verbs drive it: `on_*` says what happened ([`on_segment`](Self::on_segment),
/// [`on_timeout`](Self::on_timeout), [`on_icmp`](Self::on_icmp)); plain verbs are the
/// application's calls ([`write`](Self::write), [`read`](Self::read),
/// [`close_write`](Self::close_write), [`abort`](Self::abort)); `poll_*` and `take_*` ask what now.
///
/// After any number of calls of the first two families, drain
/// [`poll_transmit`](Self::poll_transmit) until it returns `None`, then look at
/// [`poll_timeout`](Self::poll_timeout) and [`take_events`](Self::take_events). Draining late
/// merges packets; it breaks nothing.
#[cfg_attr(feature = "explore", derive(Clone))]
#[derive(Debug)]
pub struct Connection {
    tuple: Tuple,
    phase: Phase,
    pub(crate) snd: SendSpace,
    pub(crate) rcv: ReceiveSpace,
    recovery: Recovery,
    congestion: Congestion,
    timers: Timers,
    config: Arc<TcpConfig>,
    /// What differs from the configuration's options.
    own_options: Option<Box<SocketOptions>>,
    negotiated: Negotiated,
    /// A packet that no other state implies.
    owed: Owed,
    probe: Option<Probe>,
    challenge: ChallengeBudget,
    events: Events,
    soft_error: Option<Unreachable>,
    reader: Reader,
    /// Retransmission time-outs in a row (R1, R2).
    attempts: u32,
    /// Unanswered window or keepalive probes in a row.
    probes: u32,
    /// Window probes since the window closed, up to 16: how often their interval has doubled.
    probe_backoff: u8,
    /// When recovery began and its first retransmission is not out yet.
    retransmit_first: bool,
    /// The cork's 200 ms are over.
    uncorked: bool,
    /// The peer has not been told where urgent text ends.
    urgent_untold: bool,
    /// A writer found no memory.
    awaits_memory: bool,
    /// What the buffers hold of the stack's memory.
    account: Account,
    opened_at: Instant,
    last_sent: Instant,
    last_received: Instant,
    /// The application wanted to write more than there was room for.
    wants_room: bool,
    /// The window last offered was zero.
    offered_zero: bool,
    /// The ledger has something to tell.
    noted: bool,
    drops: u32,
    segments_in: u64,
    segments_out: u64,
    ledger: Option<Box<Ledger>>,
}

/// What the two SYNs agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Negotiated {
    /// Selective acknowledgement (RFC 2018).
    pub sack: bool,
    /// Timestamps (RFC 7323).
    pub timestamps: bool,
    /// Window scaling (RFC 7323).
    pub window_scaling: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
enum Owed {
    Nothing,
    /// A challenge ACK, or the answer to an unacceptable segment.
    ChallengeAck,
    /// The reset of an abort.
    Reset,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
enum Probe {
    Window,
    Keepalive,
}

/// Who reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
enum Reader {
    /// The application holds the connection.
    Here,
    /// It holds it, and has said that it wants to read no more.
    Shut,
    /// It has closed: the connection finishes on its own, and new text is answered by a reset
    /// (SHLD-3).
    Gone,
}

/// What happened to a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was processed.
    Accepted,
    /// It was dropped; an ACK may be owed and comes out of `poll_transmit`.
    Dropped(DropReason),
    /// It was dropped, and the caller must answer with [`reset::reply_to`](crate::reset::reply_to).
    DroppedReset(DropReason),
}

/// RFC 5961 7: bounds the ACKs that a forger can make us send.
#[derive(Clone, Copy, Debug)]
struct ChallengeBudget {
    since: Instant,
    used: u32,
}

impl ChallengeBudget {
    fn allows(&mut self, now: Instant, config: &TcpConfig) -> bool {
        if now.since(self.since) >= config.challenge_period {
            *self = ChallengeBudget { since: now, used: 0 };
        }
        self.used += 1;
        self.used <= config.challenge_limit
    }
}

impl Connection {
    fn with_phase(
        now: Instant,
        tuple: Tuple,
        phase: Phase,
        mut snd: SendSpace,
        config: Arc<TcpConfig>,
    ) -> Connection {
        let mut rcv = ReceiveSpace::new(config.receive_buffer);
        rcv.limit = config.first_receive_limit();
        snd.limit = config.first_send_limit();
        let recovery = Recovery::new(&RecoveryConfig {
            rto_initial: config.rto_initial,
            rto_min: config.rto_min,
            rto_max: config.rto_max,
            dup_threshold: config.dup_threshold,
        });
        let mss = snd.mss(ip_header_len(&tuple), 0);
        Connection {
            tuple,
            phase,
            snd,
            rcv,
            recovery,
            congestion: Congestion::new(
                config.options.congestion.unwrap_or(config.congestion),
                mss,
            ),
            timers: Timers::new(),
            // The application may have written zero for "none".
            own_options: (config.options.user_timeout == Some(Duration::ZERO))
                .then(|| Box::new(config.options.clone().normalized())),
            config,
            negotiated: Negotiated::default(),
            owed: Owed::Nothing,
            probe: None,
            challenge: ChallengeBudget { since: now, used: 0 },
            events: Events::NONE,
            soft_error: None,
            reader: Reader::Here,
            attempts: 0,
            probes: 0,
            probe_backoff: 0,
            retransmit_first: false,
            uncorked: false,
            urgent_untold: false,
            awaits_memory: false,
            account: Account::default(),
            opened_at: now,
            last_sent: now,
            last_received: now,
            wants_room: false,
            offered_zero: false,
            noted: false,
            drops: 0,
            segments_in: 0,
            segments_out: 0,
            ledger: None,
        }
    }

    /// The two endpoints.
    pub fn tuple(&self) -> Tuple {
        self.tuple
    }

    /// The state by RFC 9293 3.3.2.
    pub fn state(&self) -> State {
        self.phase.state()
    }

    /// Why it ended, if it has.
    pub fn end(&self) -> Option<End> {
        match self.phase {
            Phase::Ended(e) => Some(e),
            _ => None,
        }
    }

    /// The next deadline, with its name. Call [`on_timeout`](Self::on_timeout) when it is reached.
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.timers.earliest()
    }

    /// All deadlines that are set, for tables.
    pub fn deadlines(&self) -> impl Iterator<Item = Deadline> + '_ {
        self.timers.iter()
    }

    /// Effective payload of a full segment without SACK blocks.
    pub(crate) fn mss(&self) -> u32 {
        let options = if self.rcv.timestamps.enabled { TIMESTAMP_OPTION } else { 0 };
        self.snd.mss(ip_header_len(&self.tuple), options)
    }

    /// The sequence number a reset of ours carries: SND.NXT (RFC 9293 3.10.5).
    fn reset_seq(&self) -> SeqNum {
        self.snd.nxt
    }
}

/// Octets of the timestamps option with its padding.
pub(crate) const TIMESTAMP_OPTION: u32 = 12;

pub(crate) const fn ip_header_len(tuple: &Tuple) -> u32 {
    if tuple.is_ipv4() { 20 } else { 40 }
}
