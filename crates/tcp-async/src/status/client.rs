//! Who asks? The client side of a status socket.

use std::io;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::protocol::{CounterValue, Question, Reply, Row, RowFilter, Summary};

/// A connection to a status server, for any number of questions.
///
/// ```
#[doc = include_str!("../../doc/status.rs")]
/// let _server = net.serve_status(&path)?;
/// let mut client = Client::connect(&path).await?;
/// let rows = client.connections(RowFilter::default()).await?;
/// assert_eq!(rows[0].state, "LISTEN");
/// let orphans = client.summary().await?.orphans;
/// assert_eq!(orphans, 0);
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// None of its methods: a question that was given up leaves its answer in the way. Connect again.
#[derive(Debug)]
pub struct Client {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Client {
    /// Connects to the socket at `path`.
    ///
    /// ```
    #[doc = include_str!("../../doc/status.rs")]
    /// use std::io::ErrorKind;
    ///
    /// let nobody = Client::connect(&path).await.unwrap_err();
    /// assert_eq!(nobody.kind(), ErrorKind::NotFound);
    /// let _server = net.serve_status(&path)?;
    /// assert!(Client::connect(&path).await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound` or `ConnectionRefused` if nobody serves there, `PermissionDenied` for other
    /// users than the server's.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Client> {
        let (read, write) = UnixStream::connect(path).await?.into_split();
        Ok(Client { read: BufReader::new(read), write })
    }

    /// The table of connections.
    ///
    /// ```
    #[doc = include_str!("../../doc/status.rs")]
    #[doc = include_str!("../../doc/status_client.rs")]
    /// let filter = RowFilter { states: vec!["LISTEN".to_owned()], ..RowFilter::default() };
    /// let rows = client.connections(filter).await?;
    /// assert_eq!(rows.len(), 1);
    /// assert_eq!(rows[0].local, "10.0.0.1:80".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` with the server's words if it refuses the question; otherwise those of the
    /// socket.
    pub async fn connections(&mut self, filter: RowFilter) -> io::Result<Vec<Row>> {
        self.ask(&Question::Connections { filter }).await?;
        let mut all = Vec::new();
        loop {
            match self.hear().await? {
                Reply::Rows { mut rows, more } => {
                    all.append(&mut rows);
                    if !more {
                        return Ok(newest(all));
                    }
                }
                other => return Err(unexpected(other)),
            }
        }
    }

    /// All counters.
    ///
    /// ```
    #[doc = include_str!("../../doc/status.rs")]
    #[doc = include_str!("../../doc/status_client.rs")]
    /// let counters = client.counters().await?;
    /// let opens = counters.iter().find(|c| c.name == "TcpActiveOpens").unwrap();
    /// assert_eq!(opens.value, 1); // the connection of this example
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`connections`](Self::connections).
    pub async fn counters(&mut self) -> io::Result<Vec<CounterValue>> {
        self.ask(&Question::Counters).await?;
        match self.hear().await? {
            Reply::Counters { counters } => Ok(counters),
            other => Err(unexpected(other)),
        }
    }

    /// How many are in which state.
    ///
    /// ```
    #[doc = include_str!("../../doc/status.rs")]
    #[doc = include_str!("../../doc/status_client.rs")]
    /// let summary = client.summary().await?;
    /// let listening = summary.states.iter().find(|s| s.state == "LISTEN").unwrap();
    /// assert_eq!(listening.count, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`connections`](Self::connections).
    pub async fn summary(&mut self) -> io::Result<Summary> {
        self.ask(&Question::Summary).await?;
        match self.hear().await? {
            Reply::Summary(summary) => Ok(summary),
            other => Err(unexpected(other)),
        }
    }

    async fn ask(&mut self, question: &Question) -> io::Result<()> {
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        match self.write.write_all(&line).await {
            // A server that turned us away has said why before it closed.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            r => r,
        }
    }

    async fn hear(&mut self) -> io::Result<Reply> {
        let mut line = Vec::new();
        if self.read.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&line)?)
    }
}

/// What moved on between two slices came twice; the later row is newer.
fn newest(rows: Vec<Row>) -> Vec<Row> {
    let mut places = std::collections::HashMap::new();
    let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let place =
            row.remote.map(|remote| *places.entry((row.local, remote)).or_insert(kept.len()));
        match place.and_then(|p| kept.get_mut(p)) {
            Some(before) => *before = row,
            None => kept.push(row),
        }
    }
    kept
}

fn unexpected(reply: Reply) -> io::Error {
    match reply {
        Reply::Error { message } => io::Error::new(io::ErrorKind::InvalidInput, message),
        _ => io::Error::new(io::ErrorKind::InvalidData, "an answer to another question"),
    }
}
