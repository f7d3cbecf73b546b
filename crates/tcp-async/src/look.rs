//! What goes on in a running stack? Tables of connections, counters and the summary of a [`Net`],
//! each with its cost; over a socket they go with `status`, to metrics with `metrics`.

use std::collections::HashMap;

use tcp_io::reactor::Handle;
use tcp_io::stack::{ConnectionRow, Counters, Cursor, Filter, Summary};

use crate::net::Net;

impl Net {
    /// Every listener, half-open record, connection and TIME-WAIT record there is now, each once.
    ///
    /// Cost: about a quarter of a microsecond and 700 octets a row. The stack is held up for one slice at a
    /// time, however many there are (see [`slices`](Self::slices)); up to 256 rows, the table is of
    /// one moment.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// for row in net.connections() {
    ///     println!("{} {} {:?}", row.state, row.local_addr(), row.peer_addr());
    /// }
    /// let states: Vec<State> = net.connections().iter().map(|row| row.state).collect();
    /// assert_eq!(states, [State::Listen, State::Established, State::Established]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn connections(&self) -> Vec<ConnectionRow> {
        self.connections_where(&Filter::new())
    }

    /// Like [`connections`](Self::connections), but only what `filter` takes: what it doesn't take
    /// is not copied.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// let rows = net.connections_where(&Filter::new().remote_port(80));
    /// assert_eq!(rows.len(), 1); // the client's end
    /// assert_eq!(rows[0].local_addr(), stream.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn connections_where(&self, filter: &Filter) -> Vec<ConnectionRow> {
        let mut slices = self.slices(filter.clone());
        let mut rows = slices.next().unwrap_or_default();
        if slices.cursor.is_at_end() {
            return rows;
        }
        // What moved on between two slices is in both; the later one is newer.
        let ends = |r: &ConnectionRow| r.remote.map(|remote| (r.local, remote));
        let mut places: HashMap<_, usize> =
            rows.iter().enumerate().filter_map(|(i, r)| Some((ends(r)?, i))).collect();
        for row in slices.flatten() {
            let place = ends(&row).map_or(rows.len(), |e| *places.entry(e).or_insert(rows.len()));
            match rows.get_mut(place) {
                Some(before) => *before = row,
                None => rows.push(row),
            }
        }
        rows
    }

    /// The table in parts of at most 256 rows, for stacks with very many connections: each step
    /// holds the stack up for at most about 0.2 ms, and the caller may rest, or yield to its
    /// runtime, in between.
    ///
    /// Whatever is there from the first step to the last is seen. What moves on in between, from
    /// half-open to connection or on to TIME-WAIT, may be seen twice; the later row is newer.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// # let listener = net.listen("10.0.0.1:80").await?;
    /// # let stream = net.connect("10.0.0.1:80").await?;
    /// let mut seen = 0;
    /// for rows in net.slices(Filter::new()) {
    ///     seen += rows.len();
    ///     tokio::task::yield_now().await; // others have their turn
    /// }
    /// assert_eq!(seen, 3); // a listener and both ends of a connection
    /// # Ok(())
    /// # }
    /// ```
    pub fn slices(&self, filter: Filter) -> Slices {
        Slices { handle: self.handle.clone(), filter, cursor: Cursor::default(), begun: false }
    }

    /// Counters since the start, each drop under its reason. Constant cost.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let refused = net.connect("10.0.0.1:80").await; // nobody listens
    /// let counters = net.counters();
    /// assert_eq!((counters.active_opens, counters.attempt_fails), (1, 1));
    /// assert_eq!(counters.by_name("TcpActiveOpens"), Some(1)); // the name that `nstat` has for it
    /// # Ok(())
    /// # }
    /// ```
    pub fn counters(&self) -> Counters {
        self.handle.inspect(|s| s.counters().clone())
    }

    /// How many connections are in each state, how many are orphans, how many timers are set, and how
    /// many octets all buffers hold. Constant cost.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// let summary = net.summary();
    /// assert_eq!(summary.count(State::Listen), 1);
    /// assert_eq!(summary.established(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn summary(&self) -> Summary {
        self.handle.inspect(tcp_io::Stack::summary)
    }
}

/// The table of a stack in parts; see [`Net::slices`].
///
/// ```
/// # use tcp_async::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
/// let listener = net.listen("10.0.0.1:80").await?;
/// let mut slices = net.slices(Filter::new().state(State::Listen));
/// let rows = slices.next().expect("the first part");
/// assert_eq!(rows[0].local_addr(), listener.local_addr()?);
/// assert!(slices.next().is_none()); // so few are in one part
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Slices {
    handle: Handle,
    filter: Filter,
    cursor: Cursor,
    begun: bool,
}

impl Iterator for Slices {
    type Item = Vec<ConnectionRow>;

    fn next(&mut self) -> Option<Vec<ConnectionRow>> {
        if self.cursor.is_at_end() {
            return None;
        }
        if std::mem::replace(&mut self.begun, true) {
            // The lock is not fair: whoever waits for it gets a chance.
            std::thread::yield_now();
        }
        let now = self.handle.now();
        Some(self.handle.inspect(|s| s.slice(now, &self.filter, &mut self.cursor)))
    }
}
