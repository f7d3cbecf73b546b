//! What is there? The table of listeners, half-open records, connections and TIME-WAIT records, in
//! slices of bounded cost and through a filter, and its summary, which looks at none of them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tcp_core::connection::{Deadline, Info, State, Timer};
use tcp_core::{Endpoint, Instant, Tuple};

use tcp_core::time_wait::TimeWait;

use super::syn_queue::HalfOpenEntry;
use super::tables::ConnEntry;
use super::{Cidr, Stack};
use crate::cell::ConnId;

/// Rows that one slice holds at most.
pub const SLICE_ROWS: usize = 256;

/// Places of the tables that one slice looks at, at most, whether or not the filter takes them.
pub const SLICE_PLACES: usize = 4_096;

/// One line of the table of connections.
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

/// Which rows are wanted. Empty: all of them. A row must meet every condition, and of several
/// states or labels one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    states: u16,
    ports: Vec<u16>,
    local_port: Option<u16>,
    remote_port: Option<u16>,
    local: Option<Cidr>,
    remote: Option<Cidr>,
    label: Option<Arc<str>>,
}

impl Filter {
    /// All rows.
    pub fn new() -> Filter {
        Filter::default()
    }

    /// Rows in this state; may be said of several.
    pub fn state(mut self, state: State) -> Filter {
        self.states |= 1 << state as u16;
        self
    }

    /// Rows with this port at either end; may be said of several.
    pub fn port(mut self, port: u16) -> Filter {
        self.ports.push(port);
        self
    }

    /// Rows with this local port.
    pub fn local_port(mut self, port: u16) -> Filter {
        self.local_port = Some(port);
        self
    }

    /// Rows with this port at the peer.
    pub fn remote_port(mut self, port: u16) -> Filter {
        self.remote_port = Some(port);
        self
    }

    /// Rows whose local address is in this network.
    pub fn local(mut self, network: Cidr) -> Filter {
        self.local = Some(network);
        self
    }

    /// Rows whose peer is in this network.
    pub fn remote(mut self, network: Cidr) -> Filter {
        self.remote = Some(network);
        self
    }

    /// Rows that the application has given this label.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Filter {
        self.label = Some(label.into());
        self
    }

    fn takes_state(&self, state: State) -> bool {
        self.states == 0 || self.states & 1 << state as u16 != 0
    }

    fn takes_label(&self, label: Option<&Arc<str>>) -> bool {
        self.label.is_none() || self.label.as_ref() == label
    }

    fn takes_ends(&self, local: Endpoint, remote: Option<Endpoint>) -> bool {
        let port = |wanted: Option<u16>, end: Option<Endpoint>| {
            wanted.is_none_or(|w| end.is_some_and(|e| e.port == w))
        };
        let network = |wanted: Option<Cidr>, end: Option<Endpoint>| {
            wanted.is_none_or(|w| end.is_some_and(|e| w.contains(e.ip)))
        };
        let either = self.ports.is_empty()
            || self.ports.contains(&local.port)
            || remote.is_some_and(|r| self.ports.contains(&r.port));
        either
            && port(self.local_port, Some(local))
            && port(self.remote_port, remote)
            && network(self.local, Some(local))
            && network(self.remote, remote)
    }

    fn takes_tuple(&self, t: &Tuple) -> bool {
        self.takes_ends(t.local, Some(t.remote))
    }
}

/// Where the next slice begins.
///
/// The tables are gone through in the order in which a connection moves through them: listeners,
/// half-open records, connections, TIME-WAIT records. So whatever is there from the first slice to
/// the last is in at least one of them; what moves on in between may be in two, and the later one
/// is newer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cursor {
    table: Table,
    place: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Table {
    #[default]
    Listeners,
    Requests,
    HalfOpen,
    Connections,
    TimeWait,
    End,
}

impl Cursor {
    /// Whether there is no slice left.
    pub fn is_at_end(&self) -> bool {
        self.table == Table::End
    }

    fn next_table(&mut self) {
        self.place = 0;
        self.table = match self.table {
            Table::Listeners => Table::Requests,
            Table::Requests => Table::HalfOpen,
            Table::HalfOpen => Table::Connections,
            Table::Connections => Table::TimeWait,
            Table::TimeWait | Table::End => Table::End,
        };
    }
}

/// How many of what there is, as `ss -s` tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    by_state: [u32; State::ALL.len()],
    /// Connections that their application has let go of and that finish on their own.
    pub orphans: u32,
    /// Timers that are set: the next of each connection, half-open and TIME-WAIT record, and the
    /// stack's own.
    pub timers: usize,
    /// Octets that the buffers of all connections hold (`mem` in Linux's `/proc/net/sockstat`, which
    /// counts pages); more of it tells [`Stack::memory`].
    pub memory: usize,
}

impl Summary {
    /// How many are in a state: listeners in LISTEN, half-open records in SYN-RECEIVED, TIME-WAIT
    /// records in TIME-WAIT; in CLOSED, ended connections that their application still holds.
    pub fn count(&self, state: State) -> u32 {
        self.by_state[state as usize]
    }

    /// All of them but listeners.
    pub fn total(&self) -> u32 {
        self.by_state.iter().sum::<u32>() - self.count(State::Listen)
    }

    /// Connections in ESTABLISHED or CLOSE-WAIT (RFC 4022, `tcpCurrEstab`).
    pub fn established(&self) -> u32 {
        self.count(State::Established) + self.count(State::CloseWait)
    }
}

impl Stack {
    /// How many of what there is. Constant cost. A call of the application counts once the stack
    /// has looked at the connection, which it does at once.
    pub fn summary(&self) -> Summary {
        let people = &self.connections.population;
        let mut by_state = State::ALL.map(|s| people.count(s));
        let mut add = |state: State, n: usize| by_state[state as usize] += n as u32;
        let reachable: usize = State::ALL.iter().map(|s| people.count(*s) as usize).sum();
        add(State::Listen, self.listeners.len());
        add(State::SynReceived, self.half_open.len() + self.requests.len());
        add(State::TimeWait, self.time_wait.len());
        add(State::Closed, self.connections.len() - reachable);
        Summary {
            by_state,
            orphans: self.connections.orphans() as u32,
            timers: self.timer_count(),
            memory: self.memory().charged,
        }
    }

    /// Everything there is, as a table, as of the last time that the stack was told of. For a
    /// stack with many connections see [`slice`](Self::slice).
    pub fn connections(&self) -> Vec<ConnectionRow> {
        let (filter, mut cursor) = (Filter::new(), Cursor::default());
        let mut rows = Vec::new();
        while !cursor.is_at_end() {
            rows.append(&mut self.slice(self.told, &filter, &mut cursor));
        }
        rows
    }

    /// The next part of the table: at most [`SLICE_ROWS`] rows out of at most [`SLICE_PLACES`]
    /// places, so that the stack is not held up however many connections there are. Each row is
    /// consistent in itself; within one slice all rows are of one moment.
    pub fn slice(&self, now: Instant, filter: &Filter, cursor: &mut Cursor) -> Vec<ConnectionRow> {
        let mut rows = Vec::new();
        for _ in 0..SLICE_PLACES {
            if rows.len() >= SLICE_ROWS || cursor.is_at_end() {
                break;
            }
            let at = cursor.place;
            cursor.place += 1;
            let row = match cursor.table {
                Table::Listeners => self.listeners.row(at, filter),
                Table::Requests => self.requests.tuple_at(at).and_then(|t| request_row(t, filter)),
                Table::HalfOpen => {
                    self.half_open.get(at as u32).and_then(|e| half_open_row(now, e, filter))
                }
                Table::Connections => {
                    self.connections.at(at).and_then(|e| connection_row(now, e, filter))
                }
                Table::TimeWait => {
                    self.time_wait.get(at as u32).and_then(|e| time_wait_row(now, e, filter))
                }
                Table::End => None,
            };
            // Most places are empty, and a row is large: nothing is moved for them.
            if let Some(row) = row {
                rows.push(row);
            }
            if cursor.place >= self.places(cursor.table) {
                cursor.next_table();
            }
        }
        rows
    }

    fn places(&self, table: Table) -> usize {
        match table {
            Table::Listeners => self.listeners.places(),
            Table::Requests => self.requests.places(),
            Table::HalfOpen => self.half_open.places(),
            Table::Connections => self.connections.places(),
            Table::TimeWait => self.time_wait.places(),
            Table::End => 0,
        }
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
pub(super) fn listener_row(
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
fn request_row(tuple: &Tuple, filter: &Filter) -> Option<ConnectionRow> {
    let wanted = filter.takes_state(State::SynReceived)
        && filter.takes_tuple(tuple)
        && filter.takes_label(None);
    wanted.then(|| bare(tuple.local, Some(tuple.remote), State::SynReceived))
}

fn half_open_row(now: Instant, e: &HalfOpenEntry, filter: &Filter) -> Option<ConnectionRow> {
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

fn connection_row(now: Instant, e: &ConnEntry, filter: &Filter) -> Option<ConnectionRow> {
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

fn time_wait_row(now: Instant, record: &TimeWait, filter: &Filter) -> Option<ConnectionRow> {
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
