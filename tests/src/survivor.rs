//! A peer is killed, its link is pulled, or it boots anew: what does the other end learn, and when?
//! One run of a scripted life that a failure meets at a chosen packet (RFC 9293 3.8.3, 3.8.4).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tcp_core::Instant;
use tcp_core::config::Keepalive;
use tcp_core::connection::State;
use tcp_core::error::{End, UserError};
use tcp_io::ConnId;
use tcp_io::stack::{ConnectOptions, ListenOptions, ListenerId, StackConfig};
use tcp_sim::{Host, LinkConfig, World, pair};

/// Time from one end of the link to the other.
pub const DELAY: Duration = Duration::from_millis(10);
/// How long an application thinks between two steps.
pub const THINK: Duration = Duration::from_millis(300);
/// After this an end that has learned nothing never will.
const PATIENCE: Duration = Duration::from_secs(4000);
/// The pace at which thinking ends.
const PACE: Duration = Duration::from_millis(10);

/// What happens to the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Its application dies: the stack closes for it, as a kernel does.
    Kill,
    /// Nothing passes any more, in either direction.
    Pull,
    /// The machine forgets everything and boots, without the application.
    Reboot,
}

/// Where in the life of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What happens.
    pub failure: Failure,
    /// The end that is left: 0 is the client, 1 the server.
    pub survivor: usize,
    /// After so many packets of both ends.
    pub packet: u64,
    /// And so much later.
    pub later: Duration,
}

/// What the surviving application came to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Truth {
    /// It had all that it wanted, and closed.
    Done,
    /// The peer ended before it had said everything.
    EarlyEnd,
    /// An error.
    Failed(End),
    /// The connection was never given to it.
    Nobody,
}

/// How it went.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// What the application came to know.
    pub truth: Truth,
    /// When the failure struck, as time since the client connected.
    pub struck: Duration,
    /// When it was known.
    pub learned: Duration,
    /// When the last record and timer were gone.
    pub gone: Duration,
    /// Text or a FIN waited to be acknowledged after the failure, and this was the
    /// retransmission time-out without its back-off.
    pub undelivered: Option<Duration>,
    /// The survivor was still opening.
    pub opening: bool,
}

/// The numbers from which the promises follow: Linux's, with keepalive on and short.
pub fn config() -> StackConfig {
    let mut config = StackConfig::default();
    config.tcp.options.keepalive_on = true;
    config.tcp.options.keepalive =
        Keepalive { idle: Duration::from_secs(10), interval: Duration::from_secs(2), count: 3 };
    config
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Write(usize),
    Read(usize),
    Think,
    Shutdown,
    /// So much, and then the end.
    ReadEnd(usize),
    Close,
}

/// An application that does one thing after the other.
struct Script {
    host: usize,
    conn: Option<ConnId>,
    steps: VecDeque<Step>,
    thinks_until: Option<Instant>,
    truth: Option<(Instant, Truth)>,
}

impl Script {
    fn new(host: usize, conn: Option<ConnId>, steps: &[Step]) -> Script {
        let steps = steps.iter().copied().collect();
        Script { host, conn, steps, thinks_until: None, truth: None }
    }

    /// Both directions carry text, the client closes first, and the server speaks after that.
    fn client(conn: ConnId) -> Script {
        use Step::{Close, Read, ReadEnd, Shutdown, Think, Write};
        let steps = [Write(3000), Read(3000), Think, Shutdown, ReadEnd(1000), Close];
        Script::new(0, Some(conn), &steps)
    }

    fn server() -> Script {
        use Step::{Close, Read, ReadEnd, Think, Write};
        let steps = [Read(3000), Think, Write(3000), ReadEnd(0), Think, Write(1000), Think, Close];
        Script::new(1, None, &steps)
    }

    fn act(&mut self, w: &mut World<Host>, listener: ListenerId) {
        if self.conn.is_none() && self.host == 1 {
            self.conn = w.node_mut(1).stack.accept(listener).ok().flatten();
        }
        let Some(conn) = self.conn else { return };
        while self.truth.is_none() {
            let truth = match self.step(w, conn) {
                Ok(true) => continue,
                Ok(false) | Err(UserError::WouldBlock | UserError::NotConnected) => return,
                Err(UserError::Ended(end)) => Truth::Failed(end),
                // A reset behind the peer's FIN, as on Linux.
                Err(UserError::BrokenPipe) => Truth::Failed(End::Reset),
            };
            self.learn(w, truth);
        }
    }

    fn learn(&mut self, w: &mut World<Host>, truth: Truth) {
        let now = w.now();
        self.truth = Some((now, truth));
        if let Some(conn) = self.conn {
            w.node_mut(self.host).stack.close(now, conn);
        }
    }

    /// Takes one step, or a part of one; `false` if it has to wait.
    fn step(&mut self, w: &mut World<Host>, conn: ConnId) -> Result<bool, UserError> {
        let now = w.now();
        let stack = &mut w.node_mut(self.host).stack;
        let mut buf = [0; 8192];
        match self.steps.front_mut() {
            Some(Step::Write(left)) if *left > 0 => {
                *left -= stack.write(now, conn, &buf[..*left])?
            }
            Some(Step::Read(left)) if *left > 0 => {
                match stack.read(now, conn, &mut buf[..*left])? {
                    0 => self.learn(w, Truth::EarlyEnd),
                    n => *left -= n,
                }
            }
            Some(Step::ReadEnd(left)) => match stack.read(now, conn, &mut buf)? {
                0 if *left > 0 => self.learn(w, Truth::EarlyEnd),
                0 => {
                    self.steps.pop_front();
                }
                n => *left -= n,
            },
            Some(Step::Think) => {
                let until = *self.thinks_until.get_or_insert(now + THINK);
                if now < until {
                    return Ok(false);
                }
                self.thinks_until = None;
                self.steps.pop_front();
            }
            Some(Step::Shutdown) => {
                stack.shutdown(conn)?;
                self.steps.pop_front();
            }
            Some(Step::Close) | None => self.learn(w, Truth::Done),
            Some(Step::Write(_) | Step::Read(_)) => {
                self.steps.pop_front();
            }
        }
        Ok(true)
    }
}

/// A life and what may happen to it.
struct Life {
    world: World<Host>,
    listener: ListenerId,
    scripts: [Script; 2],
    packets: Arc<AtomicU64>,
}

impl Life {
    /// From packet number `pulled` on, nothing passes.
    fn begin(pulled: Arc<AtomicU64>) -> Life {
        let mut world = pair(1, LinkConfig::default().delay(DELAY), &config());
        let packets = Arc::new(AtomicU64::new(0));
        let count = packets.clone();
        world.route_by(move |from, _| {
            let n = count.fetch_add(1, Ordering::Relaxed);
            (n < pulled.load(Ordering::Relaxed)).then_some(1 - from)
        });
        let (now, server) = (world.now(), world.node(1).addr(80));
        let stack = &mut world.node_mut(1).stack;
        let listener = stack.listen(server, ListenOptions::default()).expect("listen");
        let stack = &mut world.node_mut(0).stack;
        let client = stack.connect(now, server, ConnectOptions::default()).expect("connect");
        Life { world, listener, scripts: [Script::client(client), Script::server()], packets }
    }

    /// Lets the given ends act until `done`.
    fn until(&mut self, ends: &[usize], mut done: impl FnMut(&World<Host>, &[Script; 2]) -> bool) {
        let limit = self.world.now() + PATIENCE;
        let Life { world, listener, scripts, .. } = self;
        let mut happened = false;
        while !happened && world.now() < limit {
            let next = world.now() + PACE;
            happened = world.run_until(next, |w| {
                for end in ends {
                    scripts[*end].act(w, *listener);
                }
                done(w, scripts)
            });
        }
    }

    fn strike(&mut self, case: &Case, pulled: &AtomicU64) {
        let now = self.world.now();
        let victim = 1 - case.survivor;
        match case.failure {
            Failure::Kill => {
                let (conn, listener) = (self.scripts[victim].conn, self.listener);
                let stack = &mut self.world.node_mut(victim).stack;
                if victim == 1 {
                    stack.close_listener(listener);
                }
                if let Some(c) = conn {
                    stack.close(now, c);
                }
            }
            Failure::Pull => pulled.store(0, Ordering::Relaxed),
            Failure::Reboot => {
                let config = self.world.node(victim).stack.config().clone();
                *self.world.node_mut(victim) = Host::new(now, config, 99);
            }
        }
    }

    fn is_empty(&self, host: usize) -> bool {
        nothing_left(&self.world, host)
    }
}

fn nothing_left(w: &World<Host>, host: usize) -> bool {
    let s = &w.node(host).stack;
    let records = s.connection_count() + s.half_open_count() + s.time_wait_count();
    records + s.demux_count() + s.timer_count() == 0
}

/// Packets of both ends in a life without a failure.
///
/// # Panics
/// If that life does not end well.
pub fn packets() -> u64 {
    let mut life = Life::begin(Arc::new(AtomicU64::new(u64::MAX)));
    life.until(&[0, 1], |w, scripts| {
        scripts.iter().all(|s| s.truth.is_some()) && nothing_left(w, 0) && nothing_left(w, 1)
    });
    for s in &life.scripts {
        assert!(matches!(s.truth, Some((_, Truth::Done))), "{:?}", s.truth);
    }
    life.packets.load(Ordering::Relaxed)
}

/// Runs a life into its failure.
///
/// # Panics
/// If the survivor never learns of it, or keeps something for ever.
pub fn run(case: &Case) -> Outcome {
    // A link is pulled exactly at its packet; the others see that it was sent.
    let exact = case.failure == Failure::Pull && case.later.is_zero();
    let pulled = Arc::new(AtomicU64::new(if exact { case.packet } else { u64::MAX }));
    let mut life = Life::begin(pulled.clone());
    let (count, packet) = (life.packets.clone(), case.packet + u64::from(exact));
    life.until(&[0, 1], |_, _| count.load(Ordering::Relaxed) >= packet);
    let strikes = life.world.now() + case.later;
    life.until(&[0, 1], |w, _| w.now() >= strikes);
    let struck = life.world.now();
    life.strike(case, &pulled);
    let survivor = [case.survivor];

    // Once what was under way has arrived and been answered.
    let settled = struck + THINK + THINK + 2 * DELAY;
    life.until(&survivor, |w, _| w.now() >= settled);
    let (undelivered, opening) = life.delivery(case.survivor);
    life.until(&survivor, |w, scripts| {
        let script = &scripts[case.survivor];
        script.truth.is_some() || (script.conn.is_none() && nothing_left(w, case.survivor))
    });
    let now = life.world.now();
    let script = &life.scripts[case.survivor];
    let (learned, truth) = match (script.truth, script.conn) {
        (Some(known), _) => known,
        (None, None) => (now, Truth::Nobody),
        (None, Some(_)) => panic!("{case:?}: the survivor knows nothing after {PATIENCE:?}"),
    };
    life.until(&survivor, |w, _| nothing_left(w, case.survivor));
    assert!(life.is_empty(case.survivor), "{case:?}: something is left for ever");
    let since = |at: Instant| at.since(Instant::ZERO);
    let gone = since(life.world.now());
    Outcome { truth, struck: since(struck), learned: since(learned), gone, undelivered, opening }
}

impl Life {
    /// Whether the survivor waits for an acknowledgement, with its first time-out; and whether it
    /// is opening.
    fn delivery(&self, host: usize) -> (Option<Duration>, bool) {
        let Some(conn) = self.scripts[host].conn else { return (None, false) };
        let Some(i) = self.world.node(host).stack.info(conn) else { return (None, false) };
        let fin = matches!(i.state, State::FinWait1 | State::Closing | State::LastAck);
        let waits = fin || i.send_queue > 0;
        let first = i.rto / (1 << i.attempts.min(16));
        (waits.then_some(first), i.state == State::SynSent)
    }
}
