//! What happens next, and when? Connects nodes by links and moves one virtual clock from event to
//! event. Who is there, and over which links, is told in `members`. How a link treats packets is
//! `link`'s affair; what a node does with them is its own.

mod members;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use tcp_core::Instant;

use crate::link::{Link, LinkConfig};
use crate::trace::{Event, Snapshot, Trace, destination, end_name};

/// Packets remembered of each node unless [`World::set_trace_depth`] says otherwise.
const TRACE_DEPTH: usize = 40;

/// Rounds without the clock moving after which a world gives up, unless
/// [`World::set_round_limit`] says otherwise. A bulk transfer over links without delay needs many.
const ROUND_LIMIT: u32 = 100_000;

/// Packets that a node may send in one call of [`Node::transmit`].
const TRANSMIT_LIMIT: usize = 100_000;

/// Something with IP addresses that a [`World`] can run: a stack, a middlebox, a toy.
pub trait Node {
    /// A packet has arrived. It may be damaged. Answers wait for [`Node::transmit`].
    fn receive(&mut self, now: Instant, packet: &[u8]);

    /// Hands all packets that it wants to send now to `out`. Called after every round of events,
    /// and before the clock moves, so that what a test did to the node gets its answer too.
    fn transmit(&mut self, now: Instant, out: &mut dyn FnMut(Vec<u8>));

    /// When [`Node::on_deadline`] is next wanted; `None` or [`Instant::FAR_FUTURE`] for never.
    fn next_deadline(&self) -> Option<Instant>;

    /// The deadline has come. Afterwards the next one must lie in the future, sooner or later:
    /// a world does not wait forever at one instant.
    fn on_deadline(&mut self, now: Instant);
}

type Router = Box<dyn FnMut(usize, &[u8]) -> Option<usize> + Send>;

/// Nodes, the links between them, one clock, one seed and a trace.
///
/// Nodes are numbered from 0 in the order of [`World::add_node`]. Each pair has a link in each
/// direction. A packet goes to the node that has its destination address, over the one link
/// between the two; packets for nobody, or for their own sender, are counted and dropped.
///
/// If dropped by a panic, a world prints its seed, the counters of its links and the last packets
/// of every node.
///
/// ```
/// use std::time::Duration;
/// use tcp_core::connection::State;
/// use tcp_io::stack::{ConnectOptions, ListenOptions, StackConfig};
/// use tcp_sim::{LinkConfig, pair};
///
/// // Two hosts with 10 ms between them: a world of two nodes.
/// let link = LinkConfig::default().delay(Duration::from_millis(10));
/// let mut world = pair(7, link, &StackConfig::default());
/// assert_eq!((world.seed(), world.nodes().len()), (7, 2));
/// let to = "10.0.0.2:80".parse()?;
/// world.node_mut(1).stack.listen(to, ListenOptions::default())?;
///
/// // The first SYN is lost, and sent again after a second.
/// world.set_link(0, 1, LinkConfig::down());
/// let now = world.now();
/// let client = world.node_mut(0).stack.connect(now, to, ConnectOptions::default())?;
/// world.run_for(Duration::from_millis(500));
/// assert_eq!(world.link(0, 1).stats().outage_dropped, 1);
/// let config = world.link(1, 0).config().clone();
/// world.link_mut(0, 1).set_config(config);
/// world.run_for(Duration::from_millis(600));
/// assert_eq!(world.node(0).stack.state(client), State::Established);
///
/// // SYN, SYN and ACK one way; SYN-ACK the other.
/// let sent: Vec<_> = world.link_stats().map(|(ends, stats)| (ends, stats.sent)).collect();
/// assert_eq!(sent, [((0, 1), 3), ((1, 0), 1)]);
/// assert!(world.trace().lines_of(0).next().unwrap().contains("A > B outage"));
/// assert!(world.report().starts_with("world with seed 7 at "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct World<N: Node> {
    seed: u64,
    now: Instant,
    rounds_at_now: u32,
    round_limit: u32,
    default_link: LinkConfig,
    nodes: Vec<N>,
    addresses: BTreeMap<IpAddr, usize>,
    router: Option<Router>,
    links: BTreeMap<(usize, usize), Link>,
    unroutable: u64,
    trace: Trace,
}

impl<N: Node> World<N> {
    /// An empty world at [`Instant::ZERO`]. Each link begins with a copy of `default_link` and
    /// with randomness derived from `seed` and the numbers of its ends.
    pub fn new(seed: u64, default_link: LinkConfig) -> World<N> {
        World {
            seed,
            now: Instant::ZERO,
            rounds_at_now: 0,
            round_limit: ROUND_LIMIT,
            default_link,
            nodes: Vec::new(),
            addresses: BTreeMap::new(),
            router: None,
            links: BTreeMap::new(),
            unroutable: 0,
            trace: Trace::new(TRACE_DEPTH),
        }
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The seed, as given.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The last packets of every node.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Begins a new trace that keeps `packets` of each node; 0 switches tracing off, for speed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tcp_io::stack::ConnectOptions;
    /// # use tcp_sim::{LinkConfig, pair};
    /// let mut world = pair(1, LinkConfig::default(), &Default::default());
    /// world.set_trace_depth(0);
    /// let (now, to) = (world.now(), world.node(1).addr(80));
    /// world.node_mut(0).stack.connect(now, to, ConnectOptions::default())?;
    /// world.run_for(Duration::from_millis(10)); // a SYN and a reset, which nobody remembers
    /// assert_eq!((world.trace().recorded(), world.link(0, 1).stats().delivered), (0, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_trace_depth(&mut self, packets: usize) {
        self.trace = Trace::new(packets);
    }

    /// Sets after how many rounds of events without time passing the world panics (100,000).
    ///
    /// ```
    /// use tcp_core::Instant;
    /// use tcp_sim::{LinkConfig, Node, World};
    ///
    /// /// A node that wants to be called again at once, for ever.
    /// struct Restless(Instant);
    /// impl Node for Restless {
    ///     fn receive(&mut self, _now: Instant, _packet: &[u8]) {}
    ///     fn transmit(&mut self, _now: Instant, _out: &mut dyn FnMut(Vec<u8>)) {}
    ///     fn next_deadline(&self) -> Option<Instant> {
    ///         Some(self.0)
    ///     }
    ///     fn on_deadline(&mut self, now: Instant) {
    ///         self.0 = now;
    ///     }
    /// }
    ///
    /// let mut world = World::new(1, LinkConfig::default());
    /// world.add_node(Restless(Instant::ZERO), &[]);
    /// world.set_round_limit(10);
    /// assert!((0..10).all(|_| world.step()));
    /// // The next panics: "10 rounds of events at .. without time passing".
    /// let next = std::panic::AssertUnwindSafe(|| world.step());
    /// assert!(std::panic::catch_unwind(next).is_err());
    /// ```
    pub fn set_round_limit(&mut self, rounds: u32) {
        self.round_limit = rounds;
    }

    /// Packets dropped because no node, or only the sender itself, has the destination.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tcp_io::stack::ConnectOptions;
    /// # use tcp_sim::{LinkConfig, pair};
    /// let mut world = pair(1, LinkConfig::default(), &Default::default());
    /// let (now, nobody) = (world.now(), "10.0.0.99:80".parse()?);
    /// world.node_mut(0).stack.connect(now, nobody, ConnectOptions::default())?;
    /// world.run_for(Duration::from_millis(10));
    /// assert_eq!(world.unroutable(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unroutable(&self) -> u64 {
        self.unroutable
    }

    /// Collects what the nodes have to send, moves the clock to the next event, delivers every
    /// packet that is due then, calls every deadline that has come, and collects again. Returns
    /// false, and does nothing more than the first collecting, if nothing will ever happen.
    ///
    /// ```
    /// # use tcp_io::stack::ConnectOptions;
    /// # use tcp_sim::{LinkConfig, pair};
    /// let link = LinkConfig::default().delay(std::time::Duration::from_millis(10));
    /// let mut world = pair(1, link, &Default::default());
    /// assert!(!world.step()); // nothing will ever happen
    /// let (now, to) = (world.now(), world.node(1).addr(80));
    /// world.node_mut(0).stack.connect(now, to, ConnectOptions::default())?;
    /// let mut times = Vec::new();
    /// while world.step() {
    ///     times.push(world.now().as_millis());
    /// }
    /// assert_eq!(times, [10, 20]); // the SYN, and the reset of a host where nobody listens
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the clock has not moved for too many rounds.
    pub fn step(&mut self) -> bool {
        self.collect();
        match self.next_event() {
            Some(at) => {
                self.round(at);
                true
            }
            None => false,
        }
    }

    /// Steps until `condition` holds, at most until `limit` inclusive; returns whether it holds.
    /// The condition is asked before each step and may act on the nodes. If it never held the
    /// clock stands at `limit` (or, with [`Instant::FAR_FUTURE`], at the last event).
    ///
    /// ```
    /// # use tcp_core::Instant;
    /// # use tcp_core::connection::State;
    /// # use tcp_io::stack::ConnectOptions;
    /// # use tcp_sim::{Host, LinkConfig, World, pair};
    /// let mut world = pair(1, LinkConfig::down(), &Default::default());
    /// let (now, to) = (world.now(), world.node(1).addr(80));
    /// let client = world.node_mut(0).stack.connect(now, to, ConnectOptions::default())?;
    /// let given_up = |w: &mut World<Host>| w.node(0).stack.state(client) == State::Closed;
    /// assert!(!world.run_until(Instant::from_millis(60_000), given_up));
    /// assert_eq!(world.now(), Instant::from_millis(60_000));
    /// assert!(world.run_until(Instant::FAR_FUTURE, given_up));
    /// assert_eq!(world.now().as_millis() / 1000, 180); // the SYN's patience
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the clock has not moved for too many rounds.
    pub fn run_until(
        &mut self,
        limit: Instant,
        mut condition: impl FnMut(&mut World<N>) -> bool,
    ) -> bool {
        loop {
            if condition(self) {
                return true;
            }
            self.collect();
            match self.next_event() {
                Some(at) if at <= limit => self.round(at),
                _ => break,
            }
        }
        if limit != Instant::FAR_FUTURE && limit > self.now {
            self.move_clock(limit);
            return condition(self);
        }
        false
    }

    /// Runs all events of the next `span`; afterwards the clock stands at its end.
    ///
    /// # Panics
    /// If the clock has not moved for too many rounds.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        self.run_until(end, |_| false);
    }

    /// The earliest delivery or deadline; never in the past.
    fn next_event(&self) -> Option<Instant> {
        let deliveries = self.links.values().filter_map(Link::next_delivery);
        let deadlines = self.nodes.iter().filter_map(N::next_deadline);
        let first = deliveries.chain(deadlines).min()?;
        (first != Instant::FAR_FUTURE).then(|| first.max(self.now))
    }

    fn round(&mut self, at: Instant) {
        self.move_clock(at);
        self.deliver();
        for node in &mut self.nodes {
            if node.next_deadline().is_some_and(|deadline| deadline <= at) {
                node.on_deadline(at);
            }
        }
        self.collect();
    }

    fn move_clock(&mut self, to: Instant) {
        if to > self.now {
            self.now = to;
            self.rounds_at_now = 0;
            return;
        }
        self.rounds_at_now += 1;
        assert!(
            self.rounds_at_now <= self.round_limit,
            "{} rounds of events at {:?} without time passing",
            self.round_limit,
            self.now,
        );
    }

    fn deliver(&mut self) {
        for (&(from, to), link) in &mut self.links {
            while let Some(packet) = link.pop(self.now) {
                self.trace.record(self.now, to, Event::Received { from }, Snapshot::of(&packet));
                self.nodes[to].receive(self.now, &packet);
            }
        }
    }

    fn collect(&mut self) {
        for from in 0..self.nodes.len() {
            let mut out = Vec::new();
            self.nodes[from].transmit(self.now, &mut |packet| {
                assert!(out.len() < TRANSMIT_LIMIT, "node {} never stops", end_name(from));
                out.push(packet);
            });
            for packet in out {
                self.send(from, packet);
            }
        }
    }

    fn send(&mut self, from: usize, packet: Vec<u8>) {
        let to = match &mut self.router {
            Some(router) => router(from, &packet),
            None => destination(&packet).and_then(|ip| self.addresses.get(&ip).copied()),
        };
        let Some((to, link)) =
            to.and_then(|to| self.links.get_mut(&(from, to)).map(|link| (to, link)))
        else {
            self.unroutable += 1;
            self.trace.record(self.now, from, Event::NoRoute, Snapshot::of(&packet));
            return;
        };
        // The fate is known only after the link has taken the packet.
        let sent = Snapshot::of(&packet);
        let fate = link.push(self.now, packet);
        self.trace.record(self.now, from, Event::Sent { to, fate }, sent);
    }
}

impl<N: Node> World<N> {
    /// Everything that helps after a failure: seed, time, counters of the links that were used,
    /// and the last packets of every node.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tcp_io::stack::ConnectOptions;
    /// # use tcp_sim::{LinkConfig, pair};
    /// let mut world = pair(7, LinkConfig::default(), &Default::default());
    /// let (now, to) = (world.now(), world.node(1).addr(80));
    /// world.node_mut(0).stack.connect(now, to, ConnectOptions::default())?;
    /// world.run_for(Duration::from_millis(10));
    /// let report = world.report();
    /// let first = report.lines().next().unwrap();
    /// assert!(first.starts_with("world with seed 7 at "));
    /// assert!(report.contains("A > B LinkStats { sent: 1, delivered: 1,"));
    /// assert!(report.contains("B > A received   10.0.0.2:80 > "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn report(&self) -> String {
        let mut text = format!("world with seed {} at {:?}\n", self.seed, self.now);
        for ((from, to), stats) in self.link_stats().filter(|(_, stats)| stats.sent > 0) {
            text += &format!("{} > {} {stats:?}\n", end_name(from), end_name(to));
        }
        if self.unroutable > 0 {
            text += &format!("{} packets without a route\n", self.unroutable);
        }
        text + &self.trace.to_string()
    }
}

impl<N: Node> Drop for World<N> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.report());
        }
    }
}
