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
mod tuning;
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
pub use opening::{Negotiated, OpenParams};
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
///
/// # Example
///
/// A connection from the SYN to the end of TIME-WAIT, with a lost packet on the way. There is no clock: time
/// is what the caller says it is. Packets begin with the TCP header; IP and the checksum are the caller's.
///
/// ```
/// use std::net::SocketAddr;
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use tcp_core::buffer::Payload;
/// use tcp_core::config::TcpConfig;
/// use tcp_core::connection::{Events, Limits, OpenParams, State, Timer, Verdict};
/// use tcp_core::error::End;
/// use tcp_core::isn::IsnGenerator;
/// use tcp_core::listen::{HalfOpen, HalfOpenVerdict};
/// use tcp_core::wire::Segment;
/// use tcp_core::{Connection, Endpoint, Instant, Tuple};
///
/// /// The drain rule: after any number of calls, everything that the connection wants to send.
/// fn drain(c: &mut Connection, now: Instant) -> Vec<Vec<u8>> {
///     let (mut packets, mut text) = (Vec::new(), Payload::new());
///     while let Some(t) = c.poll_transmit(now, &Limits::default(), &mut text) {
///         let mut packet = vec![0; t.segment.header_len()];
///         t.segment.emit_header(&mut packet);
///         packet.extend(text.drain(..).flatten());
///         packets.push(packet);
///     }
///     packets
/// }
///
/// /// The other direction: packets arrive.
/// fn deliver(c: &mut Connection, now: Instant, packets: &[Vec<u8>]) {
///     for packet in packets {
///         let segment = Segment::parse(packet).unwrap();
///         assert_eq!(c.on_segment(now, &segment, 0), Verdict::Accepted);
///     }
/// }
///
/// let mut now = Instant::ZERO;
/// let config = Arc::new(TcpConfig::default());
/// let isns = IsnGenerator::new([7; 16]); // 128 random bits, in earnest
/// let open = |tuple: Tuple| OpenParams {
///     tuple,
///     isn: isns.isn(now, &tuple),
///     timestamp_offset: isns.timestamp_offset(&tuple),
///     mtu: 1500,
/// };
/// let at = |address: &str| Endpoint::from(address.parse::<SocketAddr>().unwrap());
/// let tuple = Tuple { local: at("10.0.0.1:40000"), remote: at("10.0.0.2:80") };
///
/// // The handshake. A passive end is a half-open record until the last ACK has come.
/// let mut client = Connection::connect(now, open(tuple), config.clone());
/// let syn = drain(&mut client, now);
/// let syn = Segment::parse(&syn[0]).unwrap();
/// let mut half = HalfOpen::on_syn(now, open(tuple.flipped()), &syn, 0, &config);
/// client.on_segment(now, &half.syn_ack(now, &config), 0);
/// let ack = drain(&mut client, now);
/// let last = Segment::parse(&ack[0]).unwrap();
/// assert_eq!(half.on_segment(now, &last, &config), HalfOpenVerdict::Establish);
/// let mut server = Connection::from_half_open(now, half, 1500, config);
/// deliver(&mut server, now, &ack);
/// assert_eq!((client.state(), server.state()), (State::Established, State::Established));
/// server.take_events();
///
/// // Text, whose packet is lost. Nothing happens until the deadline; then it is sent again.
/// assert_eq!(client.write(now, b"hello"), Ok(5));
/// drop(drain(&mut client, now));
/// let deadline = client.poll_timeout().unwrap();
/// assert_eq!(deadline.timer, Timer::Retransmit);
/// now = deadline.at;
/// client.on_timeout(now);
/// deliver(&mut server, now, &drain(&mut client, now));
/// assert_eq!(server.take_events(), Events::READABLE);
/// let mut text = [0; 16];
/// assert_eq!(server.read(now, &mut text), Ok(5));
/// assert_eq!(&text[..5], b"hello");
///
/// // The client closes: a FIN, its ACK, and the server reads the end.
/// client.close(now);
/// deliver(&mut server, now, &drain(&mut client, now));
/// deliver(&mut client, now, &drain(&mut server, now));
/// assert_eq!((client.state(), server.state()), (State::FinWait2, State::CloseWait));
/// assert_eq!(server.read(now, &mut text), Ok(0));
///
/// // The server closes. Its end is over at once, the client's after 2MSL.
/// server.close(now);
/// deliver(&mut client, now, &drain(&mut server, now));
/// deliver(&mut server, now, &drain(&mut client, now));
/// assert_eq!((client.state(), server.end()), (State::TimeWait, Some(End::Closed)));
/// let deadline = client.poll_timeout().unwrap();
/// assert_eq!(deadline.at, now + Duration::from_secs(60));
/// client.on_timeout(deadline.at);
/// assert_eq!(client.end(), Some(End::Closed));
/// ```
///
/// The examples of the methods use these two functions; `exchange`, which drains and delivers in both
/// directions until nobody has anything to say; and `established`, which makes two connected ends.
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
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// client.abort();
/// let reset = drain(&mut client, now).remove(0);
/// let reset = Segment::parse(&reset).unwrap();
///
/// // A reset with a number in the window, but not the next one, is no reset: who sent it is asked.
/// let blind = Segment { seq: reset.seq + 1, ..reset };
/// assert_eq!(server.on_segment(now, &blind, 0), Verdict::Dropped(DropReason::ResetNotExact));
/// assert_eq!(drain(&mut server, now).len(), 1);
///
/// assert_eq!(server.on_segment(now, &reset, 0), Verdict::Accepted);
/// assert_eq!(server.end(), Some(End::Reset));
///
/// // What comes later belongs to nobody, and the caller has to say so.
/// let late = Segment { flags: Flags::ACK, ..reset };
/// assert_eq!(server.on_segment(now, &late, 0), Verdict::DroppedReset(DropReason::Ended));
/// assert!(tcp_core::reset::reply_to(&late).is_some());
/// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert_eq!(client.tuple().remote.to_string(), "10.0.0.2:80");
    /// assert_eq!(server.tuple(), client.tuple().flipped());
    /// ```
    pub fn tuple(&self) -> Tuple {
        self.tuple
    }

    /// The state by RFC 9293 3.3.2.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert_eq!(client.state(), State::Established);
    /// client.close_write().unwrap();
    /// assert_eq!(client.state(), State::FinWait1);
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!((client.state(), server.state()), (State::FinWait2, State::CloseWait));
    /// ```
    pub fn state(&self) -> State {
        self.phase.state()
    }

    /// Why it ended, if it has.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert_eq!(client.end(), None);
    /// client.abort();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!(client.end(), Some(End::Aborted));
    /// assert_eq!(server.end(), Some(End::Reset));
    /// ```
    pub fn end(&self) -> Option<End> {
        match self.phase {
            Phase::Ended(e) => Some(e),
            _ => None,
        }
    }

    /// The next deadline, with its name. Call [`on_timeout`](Self::on_timeout) when it is reached.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// drain(&mut client, now);
    /// let deadline = client.poll_timeout().unwrap();
    /// assert_eq!(deadline.timer, Timer::Retransmit);
    /// assert!(deadline.at > now);
    /// ```
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.timers.earliest()
    }

    /// All deadlines that are set, for tables.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.set_options(now, |o| o.keepalive_on = true);
    /// client.write(now, b"hello").unwrap();
    /// drain(&mut client, now);
    /// let names: Vec<_> = client.deadlines().map(|d| d.timer.name()).collect();
    /// assert!(names.contains(&"retransmit") && names.contains(&"keepalive"));
    /// ```
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
