//! What do a status server and its clients say? One JSON value a line; spans of time are in
//! milliseconds, lengths in octets. Fields may be added; a reader ignores what it does not know.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tcp_core::connection::State;
use tcp_io::stack::{Cidr, ConnectionRow, Counters, Filter, Summary as StackSummary};

use super::details::{Details, ms};

/// What a client asks for.
///
/// ```
/// # use tcp_async::status::*;
/// # fn main() -> serde_json::Result<()> {
/// assert_eq!(serde_json::to_string(&Question::Counters)?, r#"{"get":"counters"}"#);
/// let line = r#"{"get":"connections","filter":{"ports":[80]}}"#;
/// let filter = RowFilter { ports: vec![80], ..RowFilter::default() };
/// assert_eq!(serde_json::from_str::<Question>(line)?, Question::Connections { filter });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "get", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Question {
    /// The table of connections; answered by one or more [`Reply::Rows`].
    Connections {
        /// Which of them.
        #[serde(default)]
        filter: RowFilter,
    },
    /// All counters; answered by [`Reply::Counters`].
    Counters,
    /// How many are in which state; answered by [`Reply::Summary`].
    Summary,
}

/// Which rows are wanted; see [`Filter`].
///
/// ```
#[doc = include_str!("../../doc/status.rs")]
#[doc = include_str!("../../doc/status_client.rs")]
/// stream.set_label("upstream");
/// let filter = RowFilter { label: Some("upstream".to_owned()), ..RowFilter::default() };
/// let rows = client.connections(filter).await?;
/// assert_eq!((rows.len(), rows[0].local), (1, stream.local_addr()?));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RowFilter {
    /// Names of states as the RFC writes them (`CLOSE-WAIT`); none: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// Ports of either end; none: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// The local network, such as `10.0.0.0/8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
    /// The peer's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The application's label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl RowFilter {
    /// The filter it describes.
    ///
    /// ```
    #[doc = include_str!("../../doc/status.rs")]
    /// let listening = RowFilter { states: vec!["LISTEN".to_owned()], ..RowFilter::default() };
    /// assert_eq!(net.connections_where(&listening.to_filter()?).len(), 1);
    /// let wrong = RowFilter { states: vec!["OPEN".to_owned()], ..RowFilter::default() };
    /// assert_eq!(wrong.to_filter().unwrap_err(), "`OPEN` is not a state");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn to_filter(&self) -> Result<Filter, String> {
        let mut filter = Filter::new();
        for name in &self.states {
            let known = State::ALL.into_iter().find(|s| s.name().eq_ignore_ascii_case(name));
            filter = filter.state(known.ok_or_else(|| format!("`{name}` is not a state"))?);
        }
        for port in &self.ports {
            filter = filter.port(*port);
        }
        let network = |text: &String| text.parse::<Cidr>().map_err(|e| e.to_string());
        if let Some(text) = &self.local {
            filter = filter.local(network(text)?);
        }
        if let Some(text) = &self.remote {
            filter = filter.remote(network(text)?);
        }
        if let Some(label) = &self.label {
            filter = filter.label(label.as_str());
        }
        Ok(filter)
    }
}

/// One line of an answer.
///
/// ```
#[doc = include_str!("../../doc/status.rs")]
/// # let _server = net.serve_status(&path)?;
/// use tokio::io::BufReader;
/// use tokio::net::UnixStream;
///
/// let mut socket = BufReader::new(UnixStream::connect(&path).await?);
/// socket.write_all(b"{\"get\":\"passwords\"}\n").await?;
/// let mut line = String::new();
/// socket.read_line(&mut line).await?;
/// let Reply::Error { message } = serde_json::from_str(&line)? else { panic!("{line}") };
/// assert!(message.contains("unknown variant `passwords`"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Reply {
    /// A part of the table of connections.
    Rows {
        /// The rows.
        rows: Vec<Row>,
        /// Whether another line follows.
        more: bool,
    },
    /// All counters.
    Counters {
        /// The counters, each name once.
        counters: Vec<CounterValue>,
    },
    /// How many are in which state.
    Summary(Summary),
    /// The question was not understood, or cannot be answered.
    Error {
        /// Why.
        message: String,
    },
}

/// A row of the table of connections; see [`ConnectionRow`].
///
/// ```
#[doc = include_str!("../../doc/status.rs")]
#[doc = include_str!("../../doc/status_client.rs")]
/// let rows = client.connections(RowFilter::default()).await?;
/// let listener = rows.iter().find(|row| row.remote.is_none()).unwrap();
/// assert_eq!((listener.state.as_str(), listener.receive_queue), ("LISTEN", 1));
/// let connection = rows.iter().find(|row| row.local == stream.local_addr().unwrap()).unwrap();
/// assert_eq!(connection.state, "ESTABLISHED");
/// assert!(connection.details.is_some() && listener.details.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The stack's name for the connection.
    pub id: Option<String>,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end; none for a listener.
    pub remote: Option<SocketAddr>,
    /// The state's name by the RFC.
    pub state: String,
    /// Octets to read, or connections to accept.
    pub receive_queue: usize,
    /// Octets not acknowledged, or a listener's backlog.
    pub send_queue: usize,
    /// A listener's half-open records.
    pub half_open: usize,
    /// Deadlines, the earliest first.
    pub timers: Vec<TimerLeft>,
    /// How often what is outstanding was sent again.
    pub attempts: u32,
    /// The application's label.
    pub label: Option<String>,
    /// Its application has let go of it.
    pub orphan: bool,
    /// What only a connection has.
    pub details: Option<Details>,
}

/// A deadline.
///
/// ```
#[doc = include_str!("../../doc/status.rs")]
/// stream.set_keepalive(Some(tcp_async::Keepalive::default()))?; // after two hours
/// let mut rows = net.connections().into_iter().map(Row::from);
/// let row = rows.find(|row| row.remote == stream.peer_addr().ok()).unwrap();
/// let [TimerLeft { name, remaining_ms }] = &row.timers[..] else { panic!("{row:?}") };
/// assert_eq!(name, "keepalive");
/// assert!((7_100_000.0..=7_200_000.0).contains(remaining_ms));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TimerLeft {
    /// The timer's name.
    pub name: String,
    /// Milliseconds until it runs out.
    pub remaining_ms: f64,
}

/// A counter.
///
/// ```
#[doc = include_str!("../../doc/status.rs")]
#[doc = include_str!("../../doc/status_client.rs")]
/// let counters = client.counters().await?;
/// let opens = counters.iter().find(|c| c.name == "TcpActiveOpens").unwrap();
/// println!("{} {} ({})", opens.name, opens.value, opens.meaning);
/// assert_eq!(opens.value, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CounterValue {
    /// Its name as `nstat` prints it.
    pub name: String,
    /// What it counts.
    pub meaning: String,
    /// How often.
    pub value: u64,
}

/// How many are in which state.
///
/// ```
#[doc = include_str!("../../doc/status.rs")]
/// let summary = Summary::from(net.summary());
/// let (states, orphans) = (summary.states, summary.orphans);
/// assert_eq!((states.len(), orphans), (11, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Each state, also those in which nothing is.
    pub states: Vec<StateCount>,
    /// Connections whose application has let go.
    pub orphans: u32,
}

/// How many are in a state.
///
/// ```
#[doc = include_str!("../../doc/status.rs")]
/// let summary = Summary::from(net.summary());
/// for StateCount { state, count } in summary.states.iter().filter(|s| s.count > 0) {
///     println!("{state} {count}");
/// }
/// let listening = StateCount { state: "LISTEN".to_owned(), count: 1 };
/// assert!(summary.states.contains(&listening));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StateCount {
    /// The state's name.
    pub state: String,
    /// How many.
    pub count: u32,
}

impl From<ConnectionRow> for Row {
    fn from(r: ConnectionRow) -> Row {
        let mut timers: Vec<TimerLeft> = r
            .timers
            .iter()
            .map(|t| TimerLeft { name: t.timer.name().to_owned(), remaining_ms: ms(t.remaining) })
            .collect();
        timers.sort_by(|a, b| a.remaining_ms.total_cmp(&b.remaining_ms));
        Row {
            id: r.id.map(|id| id.to_string()),
            local: r.local_addr(),
            remote: r.peer_addr(),
            state: r.state.name().to_owned(),
            receive_queue: r.receive_queue,
            send_queue: r.send_queue,
            half_open: r.half_open,
            timers,
            attempts: r.attempts,
            label: r.label.map(|l| l.to_string()),
            orphan: r.orphan,
            details: r.info.as_deref().map(Details::from),
        }
    }
}

impl From<&Counters> for Reply {
    fn from(c: &Counters) -> Reply {
        let value = |r: tcp_io::stack::CounterRow| CounterValue {
            name: r.name.to_owned(),
            meaning: r.meaning.to_owned(),
            value: r.value,
        };
        Reply::Counters { counters: c.rows().map(value).collect() }
    }
}

impl From<StackSummary> for Summary {
    fn from(s: StackSummary) -> Summary {
        let count =
            |state: State| StateCount { state: state.name().to_owned(), count: s.count(state) };
        Summary { states: State::ALL.into_iter().map(count).collect(), orphans: s.orphans }
    }
}
