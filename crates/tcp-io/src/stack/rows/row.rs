//! What does one line of the table say? A listener, request, half-open record, connection or
//! TIME-WAIT record as a row of one shape; which rows are wanted is `filter`'s.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tcp_core::connection::{Deadline, Info, State, Timer};
use tcp_core::time_wait::TimeWait;
use tcp_core::{Endpoint, Instant, Tuple};

use super::Filter;
use crate::cell::ConnId;
use crate::stack::syn_queue::HalfOpenEntry;
use crate::stack::tables::ConnEntry;

/// One line of the table of connections.
///
/// ```
#[doc = include_str!("../../../doc/stack_pair.rs")]
#[doc = include_str!("../../../doc/stack_established.rs")]
/// a.write(now, client, b"hello")?;
/// assert!(a.poll_transmit(now).is_some());
/// let row = &a.connections()[0];
/// assert_eq!((row.state, row.send_queue, row.receive_queue), (State::Established, 5, 0));
/// assert_eq!(row.local_addr().ip().to_string(), "10.0.0.1");
/// assert_eq!(row.peer_addr(), Some("10.0.0.2:80".parse()?));
/// assert!(row.is_ipv4());
/// assert_eq!(row.next_timer().unwrap().timer, Timer::Retransmit);
/// assert_eq!(row.info.as_ref().unwrap().congestion, "cubic");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConnectionRow {
    /// What the stack calls the connection; none for listeners and records.
    pub id: Option<ConnId>,
    /// Our end; for a listener, what it listens on.
    pub local: Endpoint,
    /// The peer's end; none for a listener.
    pub remote: Option<Endpoint>,
    /// The state.
    pub state: State,
    /// Octets that wait to be read; for a listener, connections that wait to be accepted.
    pub receive_queue: usize,
    /// Octets not acknowledged; for a listener, its backlog.
    pub send_queue: usize,
    /// For a listener: its half-open records.
    pub half_open: usize,
    /// Deadlines that are set.
    pub timers: Vec<RunningTimer>,
    /// How often what is outstanding was sent again (the timer's attempts, or a SYN-ACK).
    pub attempts: u32,
    /// What the application calls it.
    pub label: Option<Arc<str>>,
    /// The application has let go of it.
    pub orphan: bool,
    /// Details of a connection.
    pub info: Option<Box<Info>>,
}

/// A deadline of a row.
///
/// ```
#[doc = include_str!("../../../doc/stack_pair.rs")]
#[doc = include_str!("../../../doc/stack_established.rs")]
/// a.write(now, client, b"hello")?;
/// assert!(a.poll_transmit(now).is_some());
/// let soon = now + Duration::from_millis(50);
/// let rows = a.slice(soon, &Filter::new(), &mut Cursor::default());
/// let rto = a.info(client).unwrap().rto;
/// let timer = RunningTimer { timer: Timer::Retransmit, remaining: rto - Duration::from_millis(50) };
/// assert!(rows[0].timers.contains(&timer));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunningTimer {
    /// What will happen.
    pub timer: Timer,
    /// In what time; zero if it is due.
    pub remaining: Duration,
}

impl RunningTimer {
    fn new(now: Instant, d: Deadline) -> RunningTimer {
        RunningTimer { timer: d.timer, remaining: d.at.since(now) }
    }
}

impl ConnectionRow {
    /// Our end.
    pub fn local_addr(&self) -> SocketAddr {
        self.local.into()
    }

    /// The peer's end; none for a listener.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.remote.map(SocketAddr::from)
    }

    /// The earliest deadline.
    pub fn next_timer(&self) -> Option<RunningTimer> {
        self.timers.iter().copied().min_by_key(|t| t.remaining)
    }

    /// Whether both ends are of this IP version.
    pub fn is_ipv4(&self) -> bool {
        matches!(self.local.ip, IpAddr::V4(_))
    }
}

/// A row without what only connections have.
fn bare(local: Endpoint, remote: Option<Endpoint>, state: State) -> ConnectionRow {
    ConnectionRow {
        id: None,
        local,
        remote,
        state,
        receive_queue: 0,
        send_queue: 0,
        half_open: 0,
        timers: Vec::new(),
        attempts: 0,
        label: None,
        orphan: false,
        info: None,
    }
}

/// A listener's row.
pub(in crate::stack) fn listener_row(
    cell: &crate::cell::ListenerCell,
    half_open: usize,
    filter: &Filter,
) -> Option<ConnectionRow> {
    let (local, label) = (cell.local(), cell.label());
    let wanted = filter.takes_state(State::Listen)
        && filter.takes_ends(local, None)
        && filter.takes_label(label.as_ref());
    wanted.then(|| ConnectionRow {
        receive_queue: cell.queued(),
        send_queue: cell.backlog(),
        half_open,
        label,
        ..bare(local, None, State::Listen)
    })
}

/// A request that nobody has answered yet.
pub(super) fn request_row(tuple: &Tuple, filter: &Filter) -> Option<ConnectionRow> {
    let wanted = filter.takes_state(State::SynReceived)
        && filter.takes_tuple(tuple)
        && filter.takes_label(None);
    wanted.then(|| bare(tuple.local, Some(tuple.remote), State::SynReceived))
}

pub(super) fn half_open_row(
    now: Instant,
    e: &HalfOpenEntry,
    filter: &Filter,
) -> Option<ConnectionRow> {
    let tuple = &e.record.tuple;
    let wanted = filter.takes_state(State::SynReceived)
        && filter.takes_tuple(tuple)
        && filter.takes_label(None);
    let timer = Deadline { at: e.record.deadline(), timer: Timer::Retransmit };
    wanted.then(|| ConnectionRow {
        timers: vec![RunningTimer::new(now, timer)],
        attempts: e.record.timeouts(),
        ..bare(tuple.local, Some(tuple.remote), State::SynReceived)
    })
}

pub(super) fn connection_row(
    now: Instant,
    e: &ConnEntry,
    filter: &Filter,
) -> Option<ConnectionRow> {
    if !e.reachable || !filter.takes_tuple(&e.cell.tuple()) {
        return None;
    }
    e.cell.look(|c, label| {
        if !filter.takes_state(c.state()) || !filter.takes_label(label) {
            return None;
        }
        let info = Box::new(c.info_at(now));
        Some(ConnectionRow {
            id: Some(e.cell.id()),
            receive_queue: info.receive_queue,
            send_queue: info.send_queue,
            timers: c.deadlines().map(|d| RunningTimer::new(now, d)).collect(),
            attempts: info.attempts,
            label: label.cloned(),
            orphan: info.orphan,
            info: Some(info),
            ..bare(c.tuple().local, Some(c.tuple().remote), c.state())
        })
    })
}

pub(super) fn time_wait_row(
    now: Instant,
    record: &TimeWait,
    filter: &Filter,
) -> Option<ConnectionRow> {
    let tuple = &record.tuple;
    let wanted = filter.takes_state(State::TimeWait)
        && filter.takes_tuple(tuple)
        && filter.takes_label(None);
    let timer = Deadline { at: record.expires, timer: Timer::TimeWait };
    wanted.then(|| ConnectionRow {
        timers: vec![RunningTimer::new(now, timer)],
        ..bare(tuple.local, Some(tuple.remote), State::TimeWait)
    })
}
