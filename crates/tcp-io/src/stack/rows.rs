//! What is there? The table of listeners, half-open records, connections and TIME-WAIT records, in
//! slices of bounded cost and through a filter. What a row says is `row`'s, and the summary, which
//! looks at none of them, `summary`'s.

mod filter;
mod row;
mod summary;

use tcp_core::Instant;

use super::Stack;

pub use filter::Filter;
pub(super) use row::listener_row;
pub use row::{ConnectionRow, RunningTimer};
use row::{connection_row, half_open_row, request_row, time_wait_row};
pub use summary::Summary;

/// Rows that one slice holds at most.
pub const SLICE_ROWS: usize = 256;

/// Places of the tables that one slice looks at, at most, whether or not the filter takes them.
pub const SLICE_PLACES: usize = 4_096;

/// Where the next slice begins.
///
/// The tables are gone through in the order in which a connection moves through them: listeners,
/// half-open records, connections, TIME-WAIT records. So whatever is there from the first slice to
/// the last is in at least one of them; what moves on in between may be in two, and the later one
/// is newer.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
#[doc = include_str!("../../doc/stack_established.rs")]
/// let mut cursor = Cursor::default();
/// let mut states = Vec::new();
/// while !cursor.is_at_end() {
///     // Between two slices others may use the stack.
///     let rows = b.slice(now, &Filter::new(), &mut cursor);
///     states.extend(rows.iter().map(|row| row.state));
/// }
/// assert_eq!(states, [State::Listen, State::Established]);
/// ```
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

impl Stack {
    /// Everything there is, as a table, as of the last time that the stack was told of. For a
    /// stack with many connections see [`slice`](Self::slice).
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// let rows = b.connections();
    /// assert_eq!((rows[0].state, rows[0].send_queue), (State::Listen, 128)); // its backlog
    /// assert_eq!((rows[1].state, rows[1].id), (State::Established, Some(server)));
    /// ```
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
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// let filter = Filter::new().state(State::Established);
    /// let rows = b.slice(now, &filter, &mut Cursor::default());
    /// assert_eq!(rows.len(), 1);
    /// assert_eq!(rows[0].peer_addr(), Some(a.info(client).unwrap().tuple.local.into()));
    /// ```
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
