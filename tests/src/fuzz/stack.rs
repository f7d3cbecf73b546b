//! Does a whole stack stand whatever strangers and users do? Arbitrary packets, times and calls
//! on a stack with connections in every state, and its tables, timers and packets after each.

mod calls;
mod checks;
mod ops;
mod states;

use std::net::SocketAddr;

use arbitrary::Arbitrary;
use tcp_core::config::{BufferLimits, TcpConfig};
use tcp_core::memory::MemoryLimits;
use tcp_core::wire::Flags;
use tcp_core::{Endpoint, Instant, Tuple};
use tcp_io::ConnId;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{Cidr, ListenOptions, ListenerId, Stack, StackConfig, TimeWaitReuse};

use self::ops::Op;
use super::Steps;
use super::datagrams::{self, Sockets};
use super::packet::check_emitted;
use super::peer::Peer;
use super::requests::Desk;

const MAX_CONNECTIONS: usize = 16;
const MAX_TIME_WAIT: usize = 3;
const MAX_ORPHANS: usize = 5;
const SYN_BACKLOG: usize = 4;
const MAX_LISTENERS: usize = 4;
const MAX_PEERS: usize = 64;
/// Beyond those that `Op::Listen` takes.
const DESK: u16 = 90;

/// What all buffers hold where memory is scarce: less than is guaranteed to all connections.
const SCARCE: usize = 40_000;

/// Packets that one drain may give at most.
const DRAIN: usize = 4096;
/// Deadlines that one step of time may pass: hours of probes.
const TURNS: usize = 4 * DRAIN;

/// Everything that happens in one run.
#[derive(Arbitrary, Clone, Debug)]
pub struct Input {
    ipv6: bool,
    mode: Mode,
    ops: Steps<Op>,
}

/// What kind of run it is. One octet, of which the lowest bit was there first: kept inputs mean
/// what they meant.
#[derive(Clone, Copy, Debug)]
struct Mode {
    timestamps: bool,
    /// There are UDP sockets, and what happens happens to them as well.
    udp: bool,
    /// The application also uses what applications seldom use, and changes options.
    rare: bool,
    /// Buffers may hold little.
    scarce: bool,
}

impl<'a> Arbitrary<'a> for Mode {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Mode> {
        let octet: u8 = u.arbitrary()?;
        Ok(Mode {
            timestamps: octet & 1 == 1,
            udp: octet < 0x40,
            rare: octet & 0x0c == 0x0c,
            scarce: octet & 0x18 == 0x18,
        })
    }
}

struct World {
    now: Instant,
    stack: Stack,
    ipv6: bool,
    peers: Vec<Peer>,
    conns: Vec<ConnId>,
    listeners: Vec<ListenerId>,
    desk: Desk,
    sockets: Sockets,
    rare: bool,
    scarce: bool,
}

/// Runs an input.
///
/// # Panics
/// If an invariant does not hold.
pub fn run(input: &Input) {
    let mut w = World::new(input);
    w.populate();
    for op in input.ops.0.iter().take(500) {
        w.act(op);
        if input.mode.udp {
            w.act_on_datagrams(op);
        }
        w.drain();
        w.check();
    }
    w.end();
}

fn config(input: &Input) -> StackConfig {
    let buffer = BufferLimits { initial: 4000, max: 20_000 };
    let tcp = TcpConfig {
        timestamps: input.mode.timestamps,
        receive_buffer: buffer,
        send_buffer: buffer,
        ..TcpConfig::default()
    };
    let cidr = |s: &str| s.parse::<Cidr>().expect("an address");
    let mut config = StackConfig {
        addresses: vec![cidr("10.0.0.1/24"), cidr("fd00::1/64")],
        tcp,
        max_syn_backlog: SYN_BACKLOG,
        somaxconn: 4,
        max_time_wait: MAX_TIME_WAIT,
        tw_reuse: TimeWaitReuse::On,
        max_orphans: MAX_ORPHANS,
        max_connections: MAX_CONNECTIONS,
        ephemeral_ports: (40_000, 40_015),
        syn_text_budget: 1000,
        ..StackConfig::default()
    };
    if input.mode.scarce {
        config.memory = MemoryLimits::at_most(SCARCE);
    }
    datagrams::limits(&mut config);
    config
}

impl World {
    fn new(input: &Input) -> World {
        let now = Instant::from_millis(5000);
        let mut stack = Stack::new(now, config(input), [7; 32]);
        let ip = if input.ipv6 { "fd00::1" } else { "10.0.0.1" };
        let desk = Desk::new(&mut stack, SocketAddr::new(ip.parse().expect("an address"), DESK));
        let (peers, conns, listeners) = (Vec::new(), Vec::new(), Vec::new());
        let (sockets, ipv6) = (Sockets::default(), input.ipv6);
        let Mode { rare, scarce, .. } = input.mode;
        World { now, stack, ipv6, peers, conns, listeners, desk, sockets, rare, scarce }
    }

    fn local(&self, port: u16) -> Endpoint {
        let ip = if self.ipv6 { "fd00::1" } else { "10.0.0.1" };
        Endpoint::new(ip.parse().expect("an address"), port)
    }

    fn remote(&self, port: u16) -> Endpoint {
        let ip = if self.ipv6 { "fd00::2" } else { "10.0.0.2" };
        Endpoint::new(ip.parse().expect("an address"), port)
    }

    fn listen(&mut self, port: u16) {
        if self.listeners.len() < MAX_LISTENERS {
            let addr = SocketAddr::new(self.local(0).ip, port);
            self.listeners.extend(self.stack.listen(addr, ListenOptions::default()));
        }
    }

    fn syn(&mut self, port: u16, text: &[u8]) {
        self.syn_to(80, port, text);
    }

    fn syn_to(&mut self, to: u16, port: u16, text: &[u8]) {
        let tuple = Tuple { local: self.local(to), remote: self.remote(port) };
        let i = match self.peers.iter().position(|p| p.tuple == tuple) {
            Some(i) => i,
            None => {
                self.peers.push(Peer::new(tuple, u32::from(port) << 16));
                self.peers.len() - 1
            }
        };
        self.honest(i, Flags::SYN, text);
    }

    fn honest(&mut self, peer: usize, flags: Flags, text: &[u8]) {
        let Some(p) = self.peers.get_mut(peer) else { return };
        let packet = p.say(flags, text);
        self.receive(&packet, RxChecksum::Unknown, None);
        self.drain();
    }

    fn receive(&mut self, packet: &[u8], checksum: RxChecksum, piece: Option<u16>) {
        self.stack.receive(self.now, packet, checksum, piece);
    }

    /// Lets time pass through every deadline on the way.
    fn pass_to(&mut self, to: Instant) {
        for turn in 0.. {
            assert!(turn < TURNS, "deadlines never end: {:?}", self.stack.connections());
            let Some(at) = self.stack.next_deadline().filter(|at| *at <= to) else { break };
            // The wheel rounds a deadline up to its tick.
            self.now = self.now.max(at);
            self.stack.on_deadline(self.now);
            self.drain();
            let next = self.stack.next_deadline();
            assert!(next.is_none_or(|n| n > at), "a deadline stands still: {next:?}");
        }
        self.now = self.now.max(to);
    }

    /// Takes all packets, checks them and tells the peers.
    fn drain(&mut self) {
        for n in 0.. {
            assert!(n < DRAIN, "never stops sending: {:?}", self.stack.connections());
            let Some(p) = self.stack.poll_transmit(self.now) else { break };
            for packet in p.segments() {
                let Some(e) = check_emitted(&packet) else { continue };
                if let Some(p) = self.peers.iter_mut().find(|p| p.tuple == e.tuple) {
                    p.hear(&e);
                } else if self.peers.len() < MAX_PEERS {
                    let mut p = Peer::new(e.tuple, 0x7fff_0000);
                    p.hear(&e);
                    self.peers.push(p);
                }
            }
        }
        assert!(!self.stack.has_work(), "drained and has work");
    }
}
