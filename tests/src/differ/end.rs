//! What can a case do with an end, whichever it is? Packets in and out, application calls, and the
//! state it says it is in.

use std::io::{self, ErrorKind};

use tcp_core::Tuple;
use tcp_core::connection::State;

use super::script::{Call, Case};

/// What an application call came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The application has no connection, or not yet.
    Nothing,
    /// So many octets were written.
    Wrote(usize),
    /// These octets were read; none is the end.
    Read(Vec<u8>),
    /// It was done.
    Done,
    /// It has to wait.
    Waits,
    /// It failed.
    Failed(ErrorKind),
}

impl Outcome {
    /// Of a call that returned a count or an error.
    pub(super) fn of<T>(result: io::Result<T>, done: impl FnOnce(T) -> Outcome) -> Outcome {
        match result.map_err(|e| e.kind()) {
            Ok(value) => done(value),
            // The kernel's sockets exist before the connection does, our streams don't.
            Err(ErrorKind::WouldBlock | ErrorKind::NotConnected) => Outcome::Waits,
            Err(kind) => Outcome::Failed(kind),
        }
    }
}

/// One implementation of TCP with an application on it.
pub(super) trait End {
    /// Starts a case: listens or connects. The tuple is as the end names it.
    fn open(&mut self, case: &Case) -> Tuple;

    /// A packet arrives.
    fn put(&mut self, packet: &[u8]);

    /// The application calls.
    fn call(&mut self, call: Call) -> Outcome;

    /// The packets that came out since the last call. `expected` are known to come, so that it is
    /// worth to wait a little.
    fn take(&mut self, expected: usize) -> Vec<Vec<u8>>;

    /// The state of the connection.
    fn state(&mut self) -> State;

    /// The case is over: `farewell` resets what is left.
    fn end(&mut self, farewell: &[u8]);
}

/// What is written, from the first octet on.
pub(super) fn written(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(|i| (i as u8).wrapping_mul(37)).collect()
}
