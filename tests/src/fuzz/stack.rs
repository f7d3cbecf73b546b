//! Does a whole stack stand whatever strangers and users do? Arbitrary packets, times and calls
//! on a stack with connections in every state, and its tables, timers and packets after each.

use std::net::SocketAddr;
use std::time::Duration;

use arbitrary::Arbitrary;
use tcp_core::config::{BufferLimits, TcpConfig};
use tcp_core::wire::Flags;
use tcp_core::{Endpoint, Instant, SeqNum, Tuple};
use tcp_io::ConnId;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{
    Cidr, ConnectOptions, ListenOptions, ListenerId, Stack, StackConfig, TimeWaitReuse,
};

use super::packet::{Crafted, check_emitted, icmp_error, ip_packet};
use super::peer::Peer;
use super::requests::{self, Desk};
use super::{Blob, Steps};

const MAX_CONNECTIONS: usize = 16;
const MAX_TIME_WAIT: usize = 3;
const MAX_ORPHANS: usize = 5;
const SYN_BACKLOG: usize = 4;
const MAX_LISTENERS: usize = 4;
const MAX_PEERS: usize = 64;
/// Beyond those that `Op::Listen` takes.
const DESK: u16 = 90;

/// Packets that one drain may give at most, and turns that one moment may take.
const DRAIN: usize = 4096;

/// Everything that happens in one run.
#[derive(Arbitrary, Clone, Debug)]
pub struct Input {
    ipv6: bool,
    timestamps: bool,
    ops: Steps<Op>,
}

#[derive(Arbitrary, Clone, Debug)]
enum Op {
    Raw(Blob<100>),
    /// Any octets as the payload of an IP packet for us.
    Ip {
        protocol: u8,
        payload: Blob<80>,
    },
    Segment(Aim),
    /// What an honest peer would send next.
    Honest {
        peer: u8,
        flags: u8,
        len: u16,
    },
    Icmp {
        peer: u8,
        offset: i16,
        kind: u8,
        code: u8,
        rest: u32,
    },
    /// A SYN from a new peer.
    Syn {
        port: u8,
        len: u8,
    },
    Write(u8, u16),
    Read(u8, u16),
    Shutdown(u8),
    Close(u8),
    Abort(u8),
    Accept,
    Connect {
        port: u8,
        fixed: bool,
        loopback: bool,
    },
    Listen(u8),
    Unlisten(u8),
    /// A SYN for the listener whose requests wait for a decision.
    Ask {
        port: u8,
        len: u8,
    },
    Request(requests::Call),
    NextDeadline,
    Advance(u32),
}

#[derive(Arbitrary, Clone, Debug)]
struct Aim {
    peer: u8,
    seq: Number,
    ack: Number,
    flags: u16,
    window: u16,
    urgent: u16,
    options: Blob<40>,
    len: u16,
    piece: u16,
    good: bool,
}

/// A sequence number, usually near one that counts.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Exact,
    Near(i8),
    Window(i32),
    Any(u32),
}

impl Number {
    fn at(self, base: SeqNum) -> SeqNum {
        match self {
            Number::Exact => base,
            Number::Near(d) => base + d as u32,
            Number::Window(d) => base + (d >> 12) as u32,
            Number::Any(n) => SeqNum(n),
        }
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
        w.drain();
        w.check();
    }
    w.end();
}

fn config(input: &Input) -> StackConfig {
    let buffer = BufferLimits { initial: 4000, max: 20_000 };
    let tcp = TcpConfig {
        timestamps: input.timestamps,
        receive_buffer: buffer,
        send_buffer: buffer,
        ..TcpConfig::default()
    };
    let cidr = |s: &str| s.parse::<Cidr>().expect("an address");
    StackConfig {
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
    }
}

impl World {
    fn new(input: &Input) -> World {
        let now = Instant::from_millis(5000);
        let mut stack = Stack::new(now, config(input), [7; 32]);
        let ip = if input.ipv6 { "fd00::1" } else { "10.0.0.1" };
        let desk = Desk::new(&mut stack, SocketAddr::new(ip.parse().expect("an address"), DESK));
        let (peers, conns, listeners) = (Vec::new(), Vec::new(), Vec::new());
        World { now, stack, ipv6: input.ipv6, peers, conns, listeners, desk }
    }

    fn local(&self, port: u16) -> Endpoint {
        let ip = if self.ipv6 { "fd00::1" } else { "10.0.0.1" };
        Endpoint::new(ip.parse().expect("an address"), port)
    }

    fn remote(&self, port: u16) -> Endpoint {
        let ip = if self.ipv6 { "fd00::2" } else { "10.0.0.2" };
        Endpoint::new(ip.parse().expect("an address"), port)
    }

    /// One connection in every state.
    fn populate(&mut self) {
        self.listen(80);
        let open = self.stack.connect(self.now, self.remote(9).into(), ConnectOptions::default());
        self.conns.push(open.expect("connect"));
        self.drain();
        for port in 5000..5008 {
            self.syn(port, &[]);
            if port > 5000 {
                self.honest(usize::from(port - 5000) + 1, Flags::ACK, &[]);
            }
        }
        while let Ok(Some(id)) = self.stack.accept(self.listeners[0]) {
            self.conns.push(id);
        }
        // The backlog lets five in; the others have waited.
        for peer in 7..self.peers.len() {
            self.honest(peer, Flags::ACK, &[]);
            if let Ok(Some(id)) = self.stack.accept(self.listeners[0]) {
                self.conns.push(id);
            }
        }
        // Peer 0: SYN-SENT; 1: SYN-RECEIVED; 2: ESTABLISHED.
        self.shutdown(3); // FIN-WAIT-1
        self.shutdown(4);
        self.honest(4, Flags::ACK, &[]); // FIN-WAIT-2
        self.honest(5, Flags::ACK | Flags::FIN, &[]); // CLOSE-WAIT
        self.honest(6, Flags::ACK | Flags::FIN, &[]);
        self.shutdown(6); // LAST-ACK
        let expects = self.peers.get(7).map(|p| p.expects);
        self.shutdown(7);
        if let Some(e) = expects {
            self.peers[7].expects = e;
        }
        self.honest(7, Flags::ACK | Flags::FIN, &[]); // CLOSING
        self.shutdown(8);
        self.honest(8, Flags::ACK | Flags::FIN, &[]); // TIME-WAIT
        self.check();
    }

    fn shutdown(&mut self, peer: usize) {
        let tuple = self.peers[peer].tuple;
        let id = self
            .conns
            .iter()
            .copied()
            .find(|id| self.stack.info(*id).is_some_and(|i| i.tuple == tuple));
        if let Some(id) = id {
            let _ = self.stack.shutdown(id);
        }
        self.drain();
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

    fn act(&mut self, op: &Op) {
        match op {
            Op::Raw(b) => self.receive(&b.0, RxChecksum::Unknown, None),
            Op::Ip { protocol, payload } => {
                let (src, dst) = (self.remote(0).ip, self.local(0).ip);
                let p = ip_packet(src, dst, *protocol, &payload.0);
                self.receive(&p, RxChecksum::Good, None);
            }
            Op::Segment(aim) => self.aim(aim),
            Op::Honest { peer, flags, len } => {
                let i = usize::from(*peer) % self.peers.len();
                let flags = Flags::from_bits(u16::from(*flags));
                self.honest(i, flags, &vec![1; usize::from(*len) % 3000]);
            }
            Op::Icmp { peer, offset, kind, code, rest } => {
                let p = &self.peers[usize::from(*peer) % self.peers.len()];
                let seq = p.expects - 1 + i32::from(*offset) as u32;
                let packet = icmp_error(p.tuple, seq, *kind, *code, *rest);
                self.receive(&packet, RxChecksum::Unknown, None);
            }
            Op::Syn { port, len } => {
                self.syn(6000 + u16::from(*port) % 32, &vec![2; usize::from(*len)]);
            }
            Op::Ask { port, len } => {
                self.syn_to(DESK, 6000 + u16::from(*port) % 8, &vec![2; usize::from(*len)]);
            }
            Op::Request(call) => {
                self.conns.extend(self.desk.call(self.now, &mut self.stack, *call));
            }
            Op::NextDeadline => {
                if let Some(at) = self.stack.next_deadline() {
                    self.pass_to(self.now.max(at));
                }
            }
            Op::Advance(us) => self.pass_to(self.now + Duration::from_micros(u64::from(*us) * 8)),
            _ => self.call(op),
        }
    }

    fn aim(&mut self, aim: &Aim) {
        let p = &self.peers[usize::from(aim.peer) % self.peers.len()];
        let text = vec![3; usize::from(aim.len) % 4000];
        let c = Crafted {
            tuple: p.tuple,
            seq: aim.seq.at(p.acked),
            ack: aim.ack.at(p.expects),
            flags: aim.flags,
            window: aim.window,
            urgent: aim.urgent,
            options: &aim.options.0,
            text: &text,
        };
        let mut packet = c.octets();
        if !aim.good {
            let last = packet.len() - 1;
            packet[last] ^= 0x55;
        }
        let piece = Some(aim.piece).filter(|n| *n > 0);
        self.receive(&packet, RxChecksum::Unknown, piece);
    }

    /// What the application does.
    fn call(&mut self, op: &Op) {
        let now = self.now;
        let conn = |n: u8, all: &[ConnId]| all.get(usize::from(n) % all.len().max(1)).copied();
        match *op {
            Op::Write(n, len) => {
                if let Some(id) = conn(n, &self.conns) {
                    let _ = self.stack.write(now, id, &vec![4; usize::from(len)]);
                }
            }
            Op::Read(n, len) => {
                if let Some(id) = conn(n, &self.conns) {
                    let _ = self.stack.read(now, id, &mut vec![0; usize::from(len)]);
                }
            }
            Op::Shutdown(n) => {
                if let Some(id) = conn(n, &self.conns) {
                    let _ = self.stack.shutdown(id);
                }
            }
            Op::Close(n) | Op::Abort(n) => {
                if let Some(id) = conn(n, &self.conns) {
                    self.conns.retain(|c| *c != id);
                    if matches!(op, Op::Close(_)) {
                        self.stack.close(now, id);
                    } else {
                        self.stack.abort(id);
                    }
                }
            }
            Op::Accept => {
                for l in &self.listeners {
                    if let Ok(Some(id)) = self.stack.accept(*l) {
                        self.conns.push(id);
                    }
                }
            }
            Op::Connect { port, fixed, loopback } => self.connect(port, fixed, loopback),
            Op::Listen(n) => self.listen(u16::from(n % 8) + 80),
            Op::Unlisten(n) if !self.listeners.is_empty() => {
                let at = usize::from(n) % self.listeners.len();
                let id = self.listeners.remove(at);
                self.stack.close_listener(id);
            }
            _ => {}
        }
    }

    fn connect(&mut self, port: u8, fixed: bool, loopback: bool) {
        let port = u16::from(port % 8) + 80;
        let to = if loopback { self.local(port) } else { self.remote(port) };
        // From its own port to its own port: a connection with itself.
        let local = fixed.then(|| self.local(port).into());
        let options = ConnectOptions { local, options: None };
        self.conns.extend(self.stack.connect(self.now, to.into(), options));
    }

    /// Lets time pass through every deadline on the way.
    fn pass_to(&mut self, to: Instant) {
        for turn in 0.. {
            assert!(turn < DRAIN, "deadlines never end: {:?}", self.stack.connections());
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

    fn check(&self) {
        let s = &self.stack;
        assert!(s.connection_count() <= MAX_CONNECTIONS, "{}", s.connection_count());
        let proven = s.config().somaxconn;
        assert!(s.half_open_count() <= (SYN_BACKLOG + proven) * (MAX_LISTENERS + 1));
        self.desk.check(s);
        assert!(s.time_wait_count() <= MAX_TIME_WAIT);
        let reachable = s.connections().iter().filter(|r| r.remote.is_some()).count();
        assert_eq!(s.demux_count(), reachable, "{:?}", s.connections());
        // And one for the fragments of either family.
        assert!(s.timer_count() <= reachable + 2, "timers leak: {:?}", s.connections());
    }

    /// Everything is let go: nothing is left after a while.
    fn end(&mut self) {
        for id in std::mem::take(&mut self.listeners) {
            self.stack.close_listener(id);
        }
        self.desk.end(self.now, &mut self.stack);
        for id in std::mem::take(&mut self.conns) {
            self.stack.close(self.now, id);
        }
        self.drain();
        self.pass_to(self.now + Duration::from_secs(3600));
        let s = &self.stack;
        let left =
            (s.connection_count(), s.half_open_count(), s.time_wait_count(), s.demux_count());
        assert_eq!(s.request_count(), 0);
        assert_eq!(left, (0, 0, 0, 0), "{:?}", s.connections());
        assert_eq!(s.timer_count(), 0, "timers are left");
    }
}
