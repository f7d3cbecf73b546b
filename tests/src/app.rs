//! What does an application at one end of a simulated connection do? It writes a pattern of which
//! every octet depends on its position, and checks every octet it reads against the peer's.

use tcp_core::error::UserError;
use tcp_io::ConnId;
use tcp_sim::{Host, World};

/// When an application begins to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Starts {
    /// As soon as the connection is there.
    AtOnce,
    /// After the peer's end was read: the second half of a half-close.
    AfterPeer,
}

/// What an application does when it has written everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// Closes its direction.
    Shutdown,
    /// Nothing: the test closes.
    Wait,
}

/// One end's application.
#[derive(Debug)]
pub struct App {
    host: usize,
    /// The connection.
    pub conn: ConnId,
    pattern: u64,
    peer_pattern: u64,
    total: u64,
    starts: Starts,
    then: Then,
    /// Octets written.
    pub written: u64,
    /// Octets read and found right.
    pub read: u64,
    /// The peer's end was read.
    pub ended: bool,
}

/// Octet `i` of the stream with a pattern.
fn octet(pattern: u64, i: u64) -> u8 {
    let x = (i ^ pattern).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x >> 56) as u8
}

impl App {
    /// An application on `conn` of host 0 (the client) or 1 (the server) that writes `total`
    /// octets at once and then closes its direction. `seed` chooses both patterns.
    pub fn new(host: usize, conn: ConnId, total: u64, seed: u64) -> App {
        let (pattern, peer_pattern) = if host == 0 { (seed, !seed) } else { (!seed, seed) };
        App {
            host,
            conn,
            pattern,
            peer_pattern,
            total,
            starts: Starts::AtOnce,
            then: Then::Shutdown,
            written: 0,
            read: 0,
            ended: false,
        }
    }

    /// Changes when it writes, and what it does afterwards.
    #[must_use]
    pub fn behaving(mut self, starts: Starts, then: Then) -> App {
        self.starts = starts;
        self.then = then;
        self
    }

    /// Does what can be done now.
    ///
    /// # Errors
    /// If the connection has failed.
    ///
    /// # Panics
    /// If an octet is wrong.
    pub fn run(&mut self, w: &mut World<Host>) -> Result<(), UserError> {
        if self.starts == Starts::AtOnce || self.ended {
            self.write(w)?;
        }
        self.read(w)?;
        if self.starts == Starts::AfterPeer && self.ended {
            self.write(w)?;
        }
        Ok(())
    }

    fn write(&mut self, w: &mut World<Host>) -> Result<(), UserError> {
        let now = w.now();
        let stack = &mut w.node_mut(self.host).stack;
        let mut buf = [0u8; 8192];
        while self.written < self.total {
            let n = (self.total - self.written).min(buf.len() as u64) as usize;
            for (k, b) in buf[..n].iter_mut().enumerate() {
                *b = octet(self.pattern, self.written + k as u64);
            }
            match waits(stack.write(now, self.conn, &buf[..n]))? {
                Some(n) => self.written += n as u64,
                None => break,
            }
            if self.written == self.total && self.then == Then::Shutdown {
                stack.shutdown(self.conn)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, w: &mut World<Host>) -> Result<(), UserError> {
        let now = w.now();
        let stack = &mut w.node_mut(self.host).stack;
        let mut buf = [0u8; 8192];
        while !self.ended {
            match waits(stack.read(now, self.conn, &mut buf))? {
                Some(0) => self.ended = true,
                Some(n) => {
                    for (k, b) in buf[..n].iter().enumerate() {
                        let at = self.read + k as u64;
                        assert_eq!(*b, octet(self.peer_pattern, at), "octet {at}");
                    }
                    self.read += n as u64;
                }
                None => break,
            }
        }
        Ok(())
    }
}

/// Tells waiting from failing.
fn waits(result: Result<usize, UserError>) -> Result<Option<usize>, UserError> {
    match result {
        Ok(n) => Ok(Some(n)),
        Err(UserError::WouldBlock | UserError::NotConnected) => Ok(None),
        Err(e) => Err(e),
    }
}
