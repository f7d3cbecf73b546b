//! Does every octet arrive, once and in order? A transfer both ways between two simulated hosts,
//! checked octet by octet, with the states and tables at its end.

use std::time::Duration;

use tcp_core::Instant;
use tcp_core::connection::State;
use tcp_core::error::UserError;
use tcp_io::ConnId;
use tcp_io::stack::{ConnectOptions, ListenOptions, StackConfig};
use tcp_sim::{Host, LinkConfig, SeedGuard, World, pair};

/// One end's application: writes `total` octets of a pattern, closes, reads until the end.
#[derive(Debug)]
pub struct App {
    host: usize,
    conn: ConnId,
    pattern: u64,
    peer_pattern: u64,
    total: u64,
    /// Octets written.
    pub written: u64,
    /// Octets read and found right.
    pub read: u64,
    /// The peer's end was read.
    pub ended: bool,
}

/// Octet `i` of the stream with a pattern: every octet depends on its position.
fn octet(pattern: u64, i: u64) -> u8 {
    let x = (i ^ pattern).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x >> 56) as u8
}

impl App {
    /// An application on a connection of `host`.
    pub fn new(host: usize, conn: ConnId, total: u64, pattern: u64, peer_pattern: u64) -> App {
        App { host, conn, pattern, peer_pattern, total, written: 0, read: 0, ended: false }
    }

    /// Does what can be done now.
    ///
    /// # Panics
    /// If an octet is wrong or the connection fails.
    pub fn run(&mut self, w: &mut World<Host>) {
        let now = w.now();
        let stack = &mut w.node_mut(self.host).stack;
        let mut buf = [0u8; 8192];
        while self.written < self.total {
            let n = (self.total - self.written).min(buf.len() as u64) as usize;
            for (k, b) in buf[..n].iter_mut().enumerate() {
                *b = octet(self.pattern, self.written + k as u64);
            }
            match stack.write(now, self.conn, &buf[..n]) {
                Ok(n) => self.written += n as u64,
                Err(UserError::WouldBlock | UserError::NotConnected) => break,
                Err(e) => panic!("write failed after {} octets: {e}", self.written),
            }
            if self.written == self.total {
                stack.shutdown(self.conn).expect("shutdown");
            }
        }
        while !self.ended {
            match stack.read(now, self.conn, &mut buf) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    for (k, b) in buf[..n].iter().enumerate() {
                        let at = self.read + k as u64;
                        assert_eq!(*b, octet(self.peer_pattern, at), "octet {at}");
                    }
                    self.read += n as u64;
                }
                Err(UserError::WouldBlock | UserError::NotConnected) => break,
                Err(e) => panic!("read failed after {} octets: {e}", self.read),
            }
        }
    }
}

/// Sends `octets` each way at once over links of one kind, closes both ends and waits until
/// nothing is left. Returns the virtual time the transfer took.
///
/// # Panics
/// If anything is not as it must be.
pub fn transfer(seed: u64, link: LinkConfig, config: &StackConfig, octets: u64) -> Duration {
    let _guard = SeedGuard::new(seed, "transfer");
    let mut config = config.clone();
    config.mtu = link.mtu.min(65_535);
    let mut w = pair(seed, link, &config);
    let server = w.node(1).addr(80);
    let listener = w.node_mut(1).stack.listen(server, ListenOptions::default()).expect("listen");
    let start = w.now();
    let options = ConnectOptions::default();
    let conn = w.node_mut(0).stack.connect(start, server, options).expect("connect");
    let mut a = App::new(0, conn, octets, seed, !seed);
    let mut b: Option<App> = None;
    let limit = Instant::ZERO + Duration::from_secs(3600);
    let done = w.run_until(limit, |w| {
        if b.is_none() {
            let accepted = w.node_mut(1).stack.accept(listener).expect("listener");
            b = accepted.map(|c| App::new(1, c, octets, !seed, seed));
        }
        a.run(w);
        if let Some(b) = &mut b {
            b.run(w);
        }
        a.ended && b.as_ref().is_some_and(|b| b.ended)
    });
    let b = b.expect("accepted");
    assert!(done, "not done in {limit:?}: {a:?} {b:?}\n{:?}", w.node(0).stack.info(a.conn));
    assert_eq!((a.read, b.read), (octets, octets));
    let took = w.now().since(start);
    let now = w.now();
    w.node_mut(0).stack.close(now, a.conn);
    w.node_mut(1).stack.close(now, b.conn);
    w.node_mut(1).stack.close_listener(listener);
    // 2MSL and the last retransmissions.
    w.run_for(Duration::from_secs(600));
    for host in [0, 1] {
        let s = &w.node(host).stack;
        assert_eq!(s.state(a.conn), State::Closed);
        assert_eq!(
            (s.connection_count(), s.half_open_count(), s.time_wait_count(), s.demux_count()),
            (0, 0, 0, 0),
            "host {host} keeps records"
        );
        assert_eq!(s.timer_count(), 0, "host {host} keeps timers");
    }
    took
}
