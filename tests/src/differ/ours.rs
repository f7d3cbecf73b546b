//! How does our stack take part? A new sans-IO stack for each case, under virtual time.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tcp_core::connection::State;
use tcp_core::error::{End as Ended, UserError};
use tcp_core::{Endpoint, Instant, Tuple};
use tcp_io::cell::ConnId;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{ConnectOptions, ListenOptions, ListenerId, Stack, StackConfig};

use super::end::{End, Outcome, written};
use super::net;
use super::script::{Call, Case, Opening};

/// Our end.
pub(super) struct Ours {
    now: Instant,
    stack: Stack,
    listener: Option<ListenerId>,
    conn: Option<ConnId>,
    tuple: Tuple,
    written: usize,
}

fn config() -> StackConfig {
    let addresses = [net::LOCAL_V4, net::LOCAL_V6];
    let mut config = StackConfig {
        addresses: addresses.map(|a| a.parse().expect("an address")).to_vec(),
        ..StackConfig::default()
    };
    // The kernel's limits are off as well.
    config.tcp.challenge_limit = u32::MAX;
    // The kernel's route says so too: when to acknowledge is not compared.
    config.tcp.options.quickack = true;
    config
}

impl Ours {
    pub(super) fn new() -> Ours {
        let now = Instant::from_millis(5000);
        let nowhere = Endpoint::new([0, 0, 0, 0].into(), 0);
        let tuple = Tuple { local: nowhere, remote: nowhere };
        let stack = Stack::new(now, config(), [7; 32]);
        Ours { now, stack, listener: None, conn: None, tuple, written: 0 }
    }

    fn accept(&mut self) {
        if let (None, Some(listener)) = (self.conn, self.listener) {
            self.conn = self.stack.accept(listener).ok().flatten();
        }
    }

    fn read(&mut self, id: ConnId, len: usize) -> Outcome {
        let mut text = vec![0; len];
        let result = self.stack.read(self.now, id, &mut text);
        Outcome::of(result.map_err(io_error), |n| {
            text.truncate(n);
            Outcome::Read(text)
        })
    }

    fn write(&mut self, id: ConnId, len: usize) -> Outcome {
        let result = self.stack.write(self.now, id, &written(self.written, len));
        let outcome = Outcome::of(result.map_err(io_error), Outcome::Wrote);
        if let Outcome::Wrote(n) = outcome {
            self.written += n;
        }
        outcome
    }
}

/// The error as a stream of ours gives it to the application.
fn io_error(e: UserError) -> io::Error {
    io::Error::from(match e {
        UserError::WouldBlock => ErrorKind::WouldBlock,
        UserError::NotConnected => ErrorKind::NotConnected,
        UserError::BrokenPipe => ErrorKind::BrokenPipe,
        UserError::Ended(Ended::Reset) => ErrorKind::ConnectionReset,
        UserError::Ended(Ended::Refused) => ErrorKind::ConnectionRefused,
        UserError::Ended(Ended::TimedOut) => ErrorKind::TimedOut,
        UserError::Ended(Ended::Aborted) => ErrorKind::ConnectionAborted,
        UserError::Ended(Ended::Closed) => ErrorKind::NotConnected,
        UserError::Ended(Ended::Unreachable(_)) => ErrorKind::HostUnreachable,
    })
}

impl End for Ours {
    fn open(&mut self, case: &Case) -> Tuple {
        *self = Ours::new();
        self.tuple = net::tuple(case, net::PEER_PORT);
        match case.opening {
            Opening::Nobody => {}
            Opening::Passive => {
                let options = ListenOptions::default();
                let local = self.tuple.local.into();
                self.listener = Some(self.stack.listen(local, options).expect("a free port"));
            }
            Opening::Active => {
                let local = Some(self.tuple.local.into());
                let options = ConnectOptions { local, options: None };
                let remote = self.tuple.remote.into();
                let conn = self.stack.connect(self.now, remote, options);
                self.conn = Some(conn.expect("an address"));
            }
        }
        self.tuple
    }

    fn put(&mut self, packet: &[u8]) {
        self.now += Duration::from_millis(1);
        self.stack.receive(self.now, packet, RxChecksum::Unknown, None);
    }

    fn call(&mut self, call: Call) -> Outcome {
        self.now += Duration::from_millis(1);
        let Some(id) = self.conn else { return Outcome::Nothing };
        match call {
            Call::Read(len) => self.read(id, len.into()),
            Call::Write(len) => self.write(id, len.into()),
            Call::Shutdown => {
                let result = self.stack.shutdown(id).map_err(io_error);
                Outcome::of(result, |()| Outcome::Done)
            }
            Call::Close => {
                self.stack.close(self.now, id);
                (self.conn, self.listener) = (None, None);
                Outcome::Done
            }
            Call::Abort => {
                self.stack.abort(id);
                (self.conn, self.listener) = (None, None);
                Outcome::Done
            }
        }
    }

    fn take(&mut self, _expected: usize) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(packet) = self.stack.poll_transmit(self.now) {
            all.extend(packet.segments());
        }
        self.accept();
        all
    }

    fn state(&mut self) -> State {
        let (local, remote) = (self.tuple.local, Some(self.tuple.remote));
        let rows = self.stack.connections();
        let row = rows.iter().find(|r| (r.local, r.remote) == (local, remote));
        row.map_or(State::Closed, |r| r.state)
    }

    fn end(&mut self, _farewell: &[u8]) {}
}
