//! What becomes of a connection, seen from outside? States counted and told as `tracing` events
//! with their reasons, sends and drops at trace level. The core reports; here it gets a name.
//!
//! Events are emitted outside of a connection's lock and under the stack's: a subscriber must not
//! call into the same stack. With no subscriber at a level, an event costs one relaxed load; with
//! `tracing`'s `max_level_*` features, nothing.

use std::fmt;

use tcp_core::connection::{SendReason, State, Timer, Transmit};
use tcp_core::error::{DropReason, End};
use tcp_core::time_wait::TimeWait;
use tcp_core::wire::{Flags, Segment};
use tcp_core::{Endpoint, SeqNum, Tuple};
use tracing::Level;

use super::Stack;
use super::counters::PacketDrop;
use super::ip;
use crate::cell::ConnId;

/// Why a connection is in another state than before.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    /// A segment came.
    Segment(Flags),
    /// This deadline was reached.
    Timeout(Option<Timer>),
    /// The network complained.
    Icmp,
    /// The application called, or what was owed went out.
    Turn,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Segment(flags) => write!(f, "segment {flags:?}"),
            Cause::Timeout(Some(timer)) => write!(f, "timer {}", timer.name()),
            Cause::Timeout(None) => f.write_str("timer"),
            Cause::Icmp => f.write_str("icmp"),
            Cause::Turn => f.write_str("call"),
        }
    }
}

/// Connections in each state, kept as they change, so that a summary looks at none of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Population {
    by_state: [u32; State::ALL.len()],
}

impl Population {
    pub(super) fn count(&self, state: State) -> u32 {
        self.by_state[state as usize]
    }

    pub(super) fn enter(&mut self, state: State) {
        self.by_state[state as usize] += 1;
    }

    pub(super) fn leave(&mut self, state: State) {
        self.by_state[state as usize] -= 1;
    }
}

impl Stack {
    /// The connection is in this state now: counts and tells the change, if it is one.
    pub(super) fn note_state(&mut self, id: ConnId, to: State, cause: Cause) {
        let Some(e) = self.connections.entry(id) else { return };
        let from = std::mem::replace(&mut e.state, to);
        if from == to || !e.reachable {
            return;
        }
        let (tuple, end) = (e.cell.tuple(), e.cell.end());
        self.connections.population.leave(from);
        self.connections.population.enter(to);
        if to == State::Closed && end != Some(End::Closed) {
            match from {
                State::SynSent | State::SynReceived => self.counters.attempt_fails += 1,
                State::Established | State::CloseWait => self.counters.established_resets += 1,
                _ => {}
            }
        }
        tracing::debug!(
            conn = %id,
            local = %Shown(tuple.local),
            remote = %Shown(tuple.remote),
            from = from.name(),
            to = to.name(),
            %cause,
            end = end.map(tracing::field::debug),
            "state changed"
        );
    }
}

/// What a connection sent, noted under its lock to be told after it.
#[derive(Debug)]
pub(super) struct Sent {
    reason: SendReason,
    flags: Flags,
    seq: SeqNum,
    ack: SeqNum,
    window: u16,
    octets: u32,
}

impl Sent {
    /// Notes a packet if anybody listens.
    #[inline]
    pub(super) fn note(t: &Transmit, into: &mut Vec<Sent>) {
        let heard = match t.reason {
            SendReason::Retransmission | SendReason::Reset => tracing::enabled!(Level::DEBUG),
            _ => tracing::enabled!(Level::TRACE),
        };
        if heard {
            let s = &t.segment;
            into.push(Sent {
                reason: t.reason,
                flags: s.flags,
                seq: s.seq,
                ack: s.ack,
                window: s.window,
                octets: t.payload_len,
            });
        }
    }

    #[cold]
    pub(super) fn tell(self, id: ConnId, tuple: &Tuple) {
        macro_rules! event {
            ($level:ident, $text:literal) => {
                tracing::$level!(
                    conn = %id,
                    local = %Shown(tuple.local),
                    remote = %Shown(tuple.remote),
                    reason = self.reason.name(),
                    flags = ?self.flags,
                    seq = self.seq.0,
                    ack = self.ack.0,
                    window = self.window,
                    octets = self.octets,
                    $text
                )
            };
        }
        match self.reason {
            SendReason::Retransmission => event!(debug, "retransmitted"),
            SendReason::Reset => event!(debug, "reset sent"),
            _ => event!(trace, "sent"),
        }
    }
}

pub(super) fn timed_out(id: ConnId, tuple: &Tuple, timer: Option<Timer>) {
    tracing::debug!(
        conn = %id,
        local = %Shown(tuple.local),
        remote = %Shown(tuple.remote),
        timer = timer.map_or("none", Timer::name),
        "deadline reached"
    );
}

/// A segment for a connection or record was dropped.
pub(super) fn segment_dropped(tuple: &Tuple, seg: &Segment<'_>, why: DropReason) {
    tracing::trace!(
        local = %Shown(tuple.local),
        remote = %Shown(tuple.remote),
        reason = why.name(),
        flags = ?seg.flags,
        seq = seg.seq.0,
        ack = seg.ack.0,
        octets = seg.payload.len(),
        "segment dropped"
    );
}

/// A packet found no owner, or none that takes it.
pub(super) fn packet_dropped(packet: &[u8], why: PacketDrop) {
    tracing::trace!(
        reason = why.name(),
        octets = packet.len(),
        packet = %Ends(packet),
        "packet dropped"
    );
}

pub(super) fn request_received(tuple: &Tuple) {
    tracing::debug!(
        local = %Shown(tuple.local),
        remote = %Shown(tuple.remote),
        "connection requested"
    );
}

pub(super) fn request_ended(tuple: &Tuple, why: &'static str) {
    tracing::debug!(
        local = %Shown(tuple.local),
        remote = %Shown(tuple.remote),
        why,
        "connection request given up"
    );
}

pub(super) fn established(id: ConnId, tuple: &Tuple) {
    tracing::debug!(
        conn = %id,
        local = %Shown(tuple.local),
        remote = %Shown(tuple.remote),
        "connection accepted"
    );
}

pub(super) fn reset_sent(tuple: &Tuple, seg: &Segment<'_>) {
    tracing::debug!(
        local = %Shown(tuple.local),
        remote = %Shown(tuple.remote),
        to = ?seg.flags,
        "reset sent in answer"
    );
}

pub(super) fn time_wait_refused(record: &TimeWait) {
    let t = &record.tuple;
    tracing::debug!(
        local = %Shown(t.local),
        remote = %Shown(t.remote),
        "TIME-WAIT skipped: the table is full"
    );
}

/// `address:port`, as people write it.
struct Shown(Endpoint);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::from(self.0).fmt(f)
    }
}

/// Both addresses of a packet, if it is one.
struct Ends<'a>(&'a [u8]);

impl fmt::Display for Ends<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ip::parse(self.0) {
            Ok(ip::Parsed::Whole(p)) => write!(f, "{} > {} protocol {}", p.src, p.dst, p.protocol),
            Ok(ip::Parsed::Piece(p)) => write!(f, "{} > {} fragment", p.src, p.dst),
            Err(_) => f.write_str("unreadable"),
        }
    }
}
