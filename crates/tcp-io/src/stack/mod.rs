//! How do packets, connections and time come together? The sans-IO stack: it owns the tables
//! (demultiplexing, half-open and TIME-WAIT records, ports, timers) and composes the machines of
//! tcp-core. Every call takes `now`; there is no thread, clock, global state or runtime here.
//!
//! In the examples below `a` is a stack with the address 10.0.0.1 and `b` one with 10.0.0.2. The
//! function `carry` takes their packets to each other until both are silent, at one moment of
//! virtual time. Where they are connected, `client` is the end at `a` and `server` the one at `b`,
//! accepted from `listener`. `ours` and `theirs` are UDP sockets on 10.0.0.1:5000 and 10.0.0.2:6000,
//! and `heard` takes the next datagram of one. How time passes between two stacks shows the
//! example of [`Stack`].

mod active;
mod calls;
mod config;
mod cookies;
mod counters;
mod counts;
mod fragmented;
mod fragments;
mod icmp;
mod icmp_out;
mod ip;
mod listen_options;
mod listeners;
mod memory;
mod observe;
mod paged;
mod passive;
mod path_mtus;
mod pending;
mod ports;
mod receive;
mod routes;
mod rows;
mod service;
mod syn_queue;
mod tables;
mod time_wait;
mod transparent;
mod udp;
mod unreachable;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use tcp_core::config::TcpConfig;
use tcp_core::connection::Limits;
use tcp_core::isn::IsnGenerator;
use tcp_core::{Instant, Tuple};

use crate::cell::{ConnId, ReadyQueue};
use crate::device::TxPacket;
use crate::wheel::TimerWheel;

pub use active::{ConnectOptions, OpenError};
pub use config::{Cidr, CidrError, StackConfig, TimeWaitReuse};
pub use counters::{CounterRow, Counters, PacketDrop};
pub use listen_options::{ListenError, ListenOptions};
pub use listeners::ListenerId;
pub use pending::{PendingOptions, Rejection};
pub use ports::{BindError, BindOptions};
pub use routes::{Network, Routes};
pub use rows::{ConnectionRow, Cursor, Filter, RunningTimer, SLICE_PLACES, SLICE_ROWS, Summary};
pub use tcp_core::listen::SynCookies;
pub use transparent::{Foreign, ListenScope};
pub use udp::{GroupError, MAX_GROUPS, UdpBindError, UdpBindOptions, UdpSendError};
pub use unreachable::Unreachability;

use cookies::Cookies;
use fragmented::Fragments;
use icmp_out::IcmpLimit;
use ip::IpOptions;
use listeners::Listeners;
use memory::Budget;
use path_mtus::PathMtus;
use pending::{PacketHead, Requests};
use ports::Ports;
use syn_queue::HalfOpens;
use tables::{Connections, Demux, Keyed, Token};
use time_wait::TimeWaits;
use udp::Udp;

/// Answers that wait to be sent (resets, SYN-ACKs, ACKs of records, ICMP) at most.
const ANSWERS: usize = 4096;

/// Packets that one connection may send before another gets its turn.
const TURN: usize = 8;

/// A TCP/IP stack without I/O.
///
/// Feed it packets with [`receive`](Self::receive), tell it when
/// [`next_deadline`](Self::next_deadline) is reached with [`on_deadline`](Self::on_deadline), and
/// after either, and after any user call, drain [`poll_transmit`](Self::poll_transmit) until it
/// returns `None`. Packets for the stack's own addresses never come out: they loop back inside.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};
///
/// let config = StackConfig { addresses: vec!["10.0.0.1/24".parse()?], ..Default::default() };
/// let mut stack = Stack::new(Instant::ZERO, config, [1; 32]);
/// let now = Instant::ZERO;
/// let listener = stack.listen("10.0.0.1:80".parse()?, ListenOptions::default())?;
/// let client = stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
/// assert!(stack.poll_transmit(now).is_none()); // all of it loops back
/// let server = stack.accept(listener)?.unwrap();
/// stack.write(now, client, b"hello")?;
/// assert!(stack.poll_transmit(now).is_none());
/// let mut buf = [0; 16];
/// assert_eq!(stack.read(now, server, &mut buf)?, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Two stacks with 10 ms between them, under virtual time. The [`reactor`](crate::reactor) does the
/// same with a clock and a device in the place of the queue.
///
/// ```
/// use std::collections::VecDeque;
/// use std::time::Duration;
///
/// use tcp_core::Instant;
/// use tcp_core::connection::State;
/// use tcp_io::device::RxChecksum;
/// use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};
///
/// struct Net {
///     now: Instant,
///     stacks: [Stack; 2],
///     /// When what arrives at whom; all take as long, so the first comes first.
///     wire: VecDeque<(Instant, usize, Vec<u8>)>,
/// }
///
/// impl Net {
///     fn run_until(&mut self, end: Instant) {
///         loop {
///             // What the stacks have to say, after every change.
///             for (from, stack) in self.stacks.iter_mut().enumerate() {
///                 while let Some(packet) = stack.poll_transmit(self.now) {
///                     let arrival = self.now + Duration::from_millis(10);
///                     self.wire.push_back((arrival, 1 - from, packet.to_vec()));
///                 }
///             }
///             // The next event: a packet or a deadline.
///             let arrival = self.wire.front().map(|(at, ..)| *at);
///             let deadlines = self.stacks.iter().filter_map(|s| s.next_deadline());
///             let Some(next) = deadlines.chain(arrival).min().filter(|at| *at <= end) else { break };
///             self.now = next.max(self.now);
///             while self.wire.front().is_some_and(|(at, ..)| *at <= self.now) {
///                 let Some((_, to, packet)) = self.wire.pop_front() else { break };
///                 self.stacks[to].receive(self.now, &packet, RxChecksum::Unknown, None);
///             }
///             for stack in &mut self.stacks {
///                 stack.on_deadline(self.now);
///             }
///         }
///         self.now = end;
///     }
/// }
///
/// let stack = |address: &str, seed| {
///     let config = StackConfig { addresses: vec![address.parse().unwrap()], ..Default::default() };
///     Stack::new(Instant::ZERO, config, [seed; 32])
/// };
/// let stacks = [stack("10.0.0.1/24", 1), stack("10.0.0.2/24", 2)];
/// let mut net = Net { now: Instant::ZERO, stacks, wire: VecDeque::new() };
///
/// let to = "10.0.0.2:80".parse()?;
/// let listener = net.stacks[1].listen(to, ListenOptions::default())?;
/// let client = net.stacks[0].connect(net.now, to, ConnectOptions::default())?;
/// net.run_until(Instant::from_millis(20)); // SYN and SYN-ACK
/// assert_eq!(net.stacks[0].state(client), State::Established);
/// assert_eq!(net.stacks[0].info(client).unwrap().rtt, Duration::from_millis(20));
///
/// net.stacks[0].write(net.now, client, b"hello")?;
/// net.run_until(Instant::from_millis(30));
/// let server = net.stacks[1].accept(listener)?.unwrap();
/// let mut buf = [0; 16];
/// let n = net.stacks[1].read(net.now, server, &mut buf)?;
/// assert_eq!(&buf[..n], b"hello");
///
/// let [a, b] = &mut net.stacks;
/// a.close(net.now, client);
/// b.close(net.now, server);
/// net.run_until(Instant::from_millis(100_000)); // TIME-WAIT, which takes no time here
/// for stack in &net.stacks {
///     assert_eq!((stack.connection_count(), stack.time_wait_count()), (0, 0));
///     assert_eq!((stack.demux_count(), stack.timer_count()), (0, 0));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Stack {
    config: StackConfig,
    tcp: Arc<TcpConfig>,
    limits: Limits,
    isn: IsnGenerator,
    rng: SmallRng,
    demux: Demux,
    connections: Connections,
    half_open: HalfOpens,
    requests: Requests,
    cookies: Cookies,
    time_wait: TimeWaits,
    listeners: Listeners,
    ports: Ports,
    wheel: TimerWheel<Token>,
    /// Connections touched since they were last drained, each once.
    active: VecDeque<ConnId>,
    /// Scratch for the exchange with the ready queue.
    taken: Vec<ConnId>,
    ready: Arc<ReadyQueue>,
    /// Bare packets to send before any text.
    answers: VecDeque<TxPacket>,
    /// Packets to ourselves.
    loopback: VecDeque<TxPacket>,
    fragments: Fragments,
    path_mtus: PathMtus,
    udp: Udp,
    icmp_limit: IcmpLimit,
    counters: Counters,
    budget: Budget,
    /// The last time that the stack was told of, for tables.
    told: Instant,
}

impl Stack {
    /// A stack with its configuration and 256 random bits, from which every secret and random
    /// choice of the stack follows: the same seed gives the same packets.
    ///
    /// ```
    /// use tcp_core::Instant;
    /// use tcp_io::stack::{ConnectOptions, Stack, StackConfig};
    ///
    /// let config = StackConfig { addresses: vec!["10.0.0.1/24".parse()?], ..Default::default() };
    /// let to = "10.0.0.2:80".parse()?;
    /// let first_packet = |seed| {
    ///     let now = Instant::ZERO;
    ///     let mut stack = Stack::new(now, config.clone(), [seed; 32]);
    ///     stack.connect(now, to, ConnectOptions::default()).unwrap();
    ///     stack.poll_transmit(now).unwrap().to_vec()
    /// };
    /// assert_eq!(first_packet(1), first_packet(1));
    /// assert_ne!(first_packet(1), first_packet(2)); // another port and sequence number
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(now: Instant, config: StackConfig, seed: [u8; 32]) -> Stack {
        let mut key = [0; 16];
        key.copy_from_slice(&seed[..16]);
        let mut hash_key = [0; 16];
        hash_key.copy_from_slice(&seed[16..]);
        Stack {
            tcp: Arc::new(config.tcp.clone()),
            limits: Limits { segmentation: super_packet(&config) },
            isn: IsnGenerator::new(key),
            rng: SmallRng::from_seed(seed),
            demux: Demux::new(hash_key),
            connections: Connections::default(),
            half_open: HalfOpens::new(Keyed(hash_key)),
            requests: Requests::default(),
            cookies: Cookies::new(&seed, Keyed(hash_key)),
            time_wait: TimeWaits::new(Keyed(hash_key)),
            listeners: Listeners::default(),
            ports: Ports::default(),
            wheel: TimerWheel::new(now),
            active: VecDeque::new(),
            taken: Vec::new(),
            ready: Arc::new(ReadyQueue::default()),
            answers: VecDeque::new(),
            loopback: VecDeque::new(),
            fragments: Fragments::new(hash_key, &config),
            path_mtus: PathMtus::new(hash_key),
            udp: Udp::new(hash_key, &config),
            icmp_limit: IcmpLimit::new(hash_key),
            counters: Counters::default(),
            budget: Budget::new(config.memory),
            told: now,
            config,
        }
    }

    /// The configuration.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// assert_eq!(a.config().addresses, ["10.0.0.1/24".parse()?]);
    /// assert_eq!((a.config().mtu, a.config().somaxconn), (1500, 4096));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn config(&self) -> &StackConfig {
        &self.config
    }

    /// Counters since the start.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// // SYN and ACK; SYN-ACK.
    /// assert_eq!((a.counters().packets_out, a.counters().packets_in), (2, 1));
    /// ```
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The queue through which tasks tell the stack what they touched.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    #[doc = include_str!("../../doc/stack_woken.rs")]
    /// a.ready_queue().register(&waker); // of the task that runs the stack
    /// a.connection_cell(client).unwrap().write(now, b"hello")?;
    /// assert!(woken.is_set());
    /// assert!(!a.ready_queue().is_empty());
    /// carry(now, &mut a, &mut b);
    /// assert!(a.ready_queue().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ready_queue(&self) -> &Arc<ReadyQueue> {
        &self.ready
    }

    /// Answers that wait for [`transmit`](Self::transmit): SYN-ACKs, resets, ACKs of records, ICMP.
    /// Beyond 4,096 they are dropped and counted, so whoever feeds packets drains them before.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
    /// let syn = a.poll_transmit(now).unwrap().to_vec();
    /// b.receive(now, &syn, RxChecksum::Unknown, None); // nobody listens there
    /// assert_eq!(b.answers_waiting(), 1);
    /// let reset = b.poll_transmit(now).unwrap();
    /// assert_eq!(b.answers_waiting(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn answers_waiting(&self) -> usize {
        self.answers.len()
    }

    /// When [`on_deadline`](Self::on_deadline) is due; `None` if nothing is waited for.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// assert_eq!(a.next_deadline(), None);
    /// a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
    /// assert!(a.poll_transmit(now).is_some());
    /// // The SYN is sent again after a second, within a tick of the wheel.
    /// let again = a.next_deadline().unwrap().since(now);
    /// assert!(again >= Duration::from_secs(1) && again < Duration::from_millis(1010));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next_deadline(&self) -> Option<Instant> {
        self.wheel.next_deadline()
    }

    /// Time has come to `now`: handles every deadline that has passed.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let client = a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
    /// let mut syns = 0;
    /// // Nobody answers. Three minutes of virtual time pass at once.
    /// let mut now = now;
    /// while a.has_work() || a.next_deadline().is_some() {
    ///     while a.poll_transmit(now).is_some() {
    ///         syns += 1;
    ///     }
    ///     if let Some(at) = a.next_deadline() {
    ///         now = at;
    ///         a.on_deadline(now);
    ///     }
    /// }
    /// assert_eq!(syns, 1 + a.config().tcp.syn_retries);
    /// assert_eq!(now.since(Instant::ZERO).as_secs(), 180);
    /// assert_eq!(a.take_error(client), Some(TakenError::Ended(End::TimedOut)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_deadline(&mut self, now: Instant) {
        self.told = now;
        while let Some(token) = self.wheel.pop_expired(now) {
            match token {
                Token::Connection(id) => self.connection_timeout(now, id),
                Token::SynQueue(id) => self.syn_queue_timeout(now, id),
                Token::TimeWait => self.time_wait_timeout(now),
                Token::Fragments { ipv6 } => self.fragments_timeout(now, ipv6),
                Token::Request(slot) => self.request_timeout(now, slot),
                Token::Memory => self.budget_timeout(now),
            }
        }
    }

    /// The next packet for the device, or `None` if there is nothing to send now.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// a.write(now, client, b"hello")?;
    /// let packet = a.poll_transmit(now).unwrap().to_vec();
    /// assert_eq!(packet.len(), 20 + 32 + 5); // IP; TCP with timestamps; text
    /// assert!(packet.ends_with(b"hello"));
    /// assert!(a.poll_transmit(now).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_transmit(&mut self, now: Instant) -> Option<TxPacket> {
        let mut one = None;
        self.transmit(now, &mut |p| {
            one = Some(p);
            false
        });
        one
    }

    /// Whether an address is the stack's own, or of the loopback network.
    pub(crate) fn is_local(&self, ip: std::net::IpAddr) -> bool {
        ip.is_loopback() || self.config.addresses.iter().any(|c| c.address() == ip)
    }

    fn ip_options(&self) -> IpOptions {
        IpOptions::from(&self.tcp.options)
    }

    /// Path MTU towards a peer. A loopback packet is never cut.
    fn mtu_to(&self, tuple: &Tuple) -> u32 {
        if self.is_local(tuple.remote.ip) { 65_535 } else { self.config.mtu.min(65_535) as u32 }
    }

    fn answer(&mut self, packet: TxPacket) {
        if self.answers.len() >= ANSWERS {
            self.counters.drop_packet(PacketDrop::AnswerQueueFull);
        } else {
            self.answers.push_back(packet);
        }
    }
}

/// Largest packet that the device cuts. A device that does not finish checksums cannot cut: every
/// piece needs one.
fn super_packet(config: &StackConfig) -> u32 {
    match config.segmentation_offload {
        Some(octets) if config.checksum_offload => octets.min(65_535) as u32,
        _ => 0,
    }
}
