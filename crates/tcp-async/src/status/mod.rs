//! Who looks into a running program? A server of its tables on a Unix socket, and the client that
//! asks it; the words they use are in `protocol`. The example `netstat` is such a client.
//!
//! A question is one line of JSON, an answer one or more: `{"get":"summary"}` gets
//! `{"is":"summary",..}`. Only the user that runs the program may ask: the socket has mode 0600.

mod client;
mod details;
mod protocol;
mod server;

pub use client::Client;
pub use details::Details;
pub use protocol::{CounterValue, Question, Reply, Row, RowFilter, StateCount, Summary, TimerLeft};
pub use server::{MAX_CLIENTS, StatusServer};
