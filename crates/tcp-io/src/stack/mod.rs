//! How do packets, connections and time come together? The sans-IO stack: it owns the tables
//! (demultiplexing, half-open and TIME-WAIT records, ports, timers) and composes the machines of
//! tcp-core. Every call takes `now`; there is no thread, clock, global state or runtime here.

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
    pub fn config(&self) -> &StackConfig {
        &self.config
    }

    /// Counters since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The queue through which tasks tell the stack what they touched.
    pub fn ready_queue(&self) -> &Arc<ReadyQueue> {
        &self.ready
    }

    /// Answers that wait for [`transmit`](Self::transmit): SYN-ACKs, resets, ACKs of records, ICMP.
    /// Beyond 4,096 they are dropped and counted, so whoever feeds packets drains them before.
    pub fn answers_waiting(&self) -> usize {
        self.answers.len()
    }

    /// When [`on_deadline`](Self::on_deadline) is due; `None` if nothing is waited for.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.wheel.next_deadline()
    }

    /// Time has come to `now`: handles every deadline that has passed.
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
