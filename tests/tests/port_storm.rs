//! A storm of connects to one destination over the whole range of ports: is any port used too
//! early, or exhaustion reported too early? In virtual time.

use std::collections::HashMap;
use std::time::Duration;

use tcp_core::Instant;
use tcp_io::stack::{
    ConnectOptions, ListenOptions, ListenerId, OpenError, StackConfig, TimeWaitReuse,
};
use tcp_sim::{Host, LinkConfig, World, pair};

/// Linux's range: 32768 to 60999.
const RANGE: usize = 28_232;
const QUIET: Duration = Duration::from_secs(60);
/// Connections opened and closed at once.
const BATCH: usize = 200;

struct Storm {
    world: World<Host>,
    listener: ListenerId,
    /// When the last connection from a port was over.
    closed: HashMap<u16, Instant>,
}

impl Storm {
    fn new(tw_reuse: TimeWaitReuse) -> Storm {
        let config = StackConfig { tw_reuse, ..StackConfig::default() };
        // Without delay, a connection is over in the instant in which it was opened.
        let mut world = pair(1, LinkConfig::default(), &config);
        world.set_trace_depth(0);
        let server = world.node(1).addr(80);
        let options = ListenOptions { backlog: BATCH, ..ListenOptions::default() };
        let listener = world.node_mut(1).stack.listen(server, options).expect("listen");
        Storm { world, listener, closed: HashMap::new() }
    }

    /// Opens and closes as many connections as there are ports, at most `most`; the client closes
    /// first. Calls `used` with each port and the time since it was used last.
    fn batch(&mut self, most: usize, mut used: impl FnMut(u16, Option<Duration>)) -> usize {
        let now = self.world.now();
        let w = &mut self.world;
        let server = w.node(1).addr(80);
        let mut clients = Vec::new();
        while clients.len() < most {
            match w.node_mut(0).stack.connect(now, server, ConnectOptions::default()) {
                Ok(c) => clients.push(c),
                Err(e) => {
                    assert_eq!(e, OpenError::NoPorts);
                    break;
                }
            }
        }
        for c in &clients {
            let port = w.node(0).stack.info(*c).expect("open").tuple.local.port;
            used(port, self.closed.insert(port, now).map(|at| now.since(at)));
        }
        let (mut accepted, listener) = (Vec::new(), self.listener);
        let mut closed = false;
        w.run_until(now, |w| {
            while let Some(c) = w.node_mut(1).stack.accept(listener).expect("listener") {
                accepted.push(c);
            }
            if accepted.len() == clients.len() && !closed {
                closed = true;
                for c in &clients {
                    w.node_mut(0).stack.close(now, *c);
                }
            }
            let over = |s| w.node(1).stack.info(s).is_some_and(|i| i.state.name() == "CLOSE-WAIT");
            let ready: Vec<_> = accepted.iter().copied().filter(|s| over(*s)).collect();
            for s in ready {
                w.node_mut(1).stack.close(now, s);
            }
            closed && w.node(0).stack.connection_count() + w.node(1).stack.connection_count() == 0
        });
        let left = (w.node(0).stack.connection_count(), w.node(1).stack.connection_count());
        assert_eq!((left, accepted.len()), ((0, 0), clients.len()));
        clients.len()
    }

    fn quiet(&self) -> usize {
        self.world.node(0).stack.time_wait_count()
    }

    /// The whole range once.
    fn fill(&mut self, pause: Duration) {
        let mut left = RANGE;
        while left > 0 {
            let n = self.batch(left.min(BATCH), |port, last| {
                assert_eq!(last, None, "port {port} is used again while others are free");
            });
            assert!(n > 0, "exhausted with {left} ports left");
            left -= n;
            self.world.run_for(pause);
        }
    }
}

#[test]
fn every_port_is_used_once_until_its_quiet_time_ends() {
    let mut s = Storm::new(TimeWaitReuse::Off);
    let start = s.world.now();
    s.fill(Duration::from_millis(100));
    assert_eq!((s.quiet(), s.closed.len()), (RANGE, RANGE));
    assert!(s.world.now().since(start) < QUIET);
    // All of them are in their quiet time, towards this destination.
    assert_eq!(s.batch(1, |_, _| {}), 0);
    let (now, other) = (s.world.now(), s.world.node(1).addr(81));
    let stack = &mut s.world.node_mut(0).stack;
    let elsewhere = stack.connect(now, other, ConnectOptions::default());
    stack.abort(elsewhere.expect("towards another one all are free"));
    // From then on as many can be opened as have ended, and those.
    let mut again = 0;
    while again < RANGE {
        s.world.run_for(Duration::from_millis(50));
        let now = s.world.now();
        let ended = s.closed.values().filter(|at| now.since(**at) > QUIET).count();
        let mut n = 0;
        loop {
            let opened = s.batch(BATCH, |port, last| {
                let last = last.expect("all were used");
                assert!(last >= QUIET, "port {port} after {last:?}");
            });
            n += opened;
            if opened < BATCH {
                break;
            }
        }
        assert!(n >= ended, "{ended} ports are free, {n} were given");
        again += n;
    }
    assert_eq!((again, s.quiet()), (RANGE, RANGE));
    s.world.run_for(QUIET + Duration::from_secs(1));
    assert_eq!(s.quiet(), 0);
}

// RFC 6191 3; Linux: tcp_tw_reuse = 1
#[test]
fn with_reuse_a_port_waits_for_a_second_and_none_is_missing() {
    let mut s = Storm::new(TimeWaitReuse::On);
    s.fill(Duration::from_millis(100));
    let mut least = Duration::MAX;
    for _ in 0..RANGE / BATCH {
        s.world.run_for(Duration::from_millis(10));
        let n = s.batch(BATCH, |_, last| least = least.min(last.expect("all were used")));
        assert_eq!(n, BATCH);
        assert!(s.quiet() <= RANGE);
    }
    assert!(least > Duration::from_secs(1), "{least:?}");
}
