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
    /// for row in net.connections() {
    ///     println!("{row:?}");
    /// }
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
    /// let rows = net.connections_where(&Filter::new());
    /// assert!(rows.is_empty());
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
    /// for rows in net.slices(Filter::new()) {
    ///     println!("{} rows", rows.len());
    ///     tokio::task::yield_now().await;
    /// }
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
    /// println!("{:?}", net.counters());
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
    /// println!("{:?}", net.summary());
    /// # Ok(())
    /// # }
    /// ```
    pub fn summary(&self) -> Summary {
        self.handle.inspect(tcp_io::Stack::summary)
    }
}

/// The table of a stack in parts; see [`Net::slices`].
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
