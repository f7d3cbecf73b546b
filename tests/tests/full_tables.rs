//! What if hostile peers drive every table of one stack to its cap at once? Random ones that
//! flood, leave handshakes half done, send with gaps and never close, against an application that
//! accepts seldom and closes often. Alone in its file: every octet allocated is counted.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use stack_tests::heap::Heap;
use tcp_core::memory::{GUARANTEED, MemoryLimits};
use tcp_core::wire::{Flags, Options, Segment};
use tcp_core::{Instant, SeqNum};
use tcp_io::ConnId;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{ListenOptions, ListenerId, PacketDrop, Stack, StackConfig, SynCookies};

#[global_allocator]
static HEAP: Heap = Heap::new();

const HERE: &str = "10.0.0.1:80";
const CONNECTIONS: usize = 70;
const SYN_BACKLOG: usize = 100;
const BACKLOG: usize = 50;
const TIME_WAITS: usize = 10;
const ORPHANS: usize = 20;
const HIGH: usize = 1 << 19;
/// The queue of answers, as ARCHITECTURE.md says.
const ANSWERS: usize = 4096;

/// A whole IPv4 packet; the device vouches for TCP's checksum.
fn packet(src: SocketAddr, dst: SocketAddr, s: &Segment<'_>, text: &[u8]) -> Vec<u8> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (src.ip(), dst.ip()) else { unreachable!() };
    let mut p = vec![0; 20 + s.header_len()];
    s.emit_header(&mut p[20..]);
    p.extend(text);
    let len = (p.len() as u16).to_be_bytes();
    p[..10].copy_from_slice(&[0x45, 0, len[0], len[1], 0, 0, 0x40, 0, 64, 6]);
    p[12..16].copy_from_slice(&from.octets());
    p[16..20].copy_from_slice(&to.octets());
    let sum = tcp_core::wire::checksum::Sum::new().add(&p[..20]).finish();
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    p
}

struct Storm {
    stack: Stack,
    now: Instant,
    rng: SmallRng,
    listener: ListenerId,
    held: Vec<ConnId>,
    most: Most,
}

/// The most that each table ever held.
#[derive(Clone, Copy, Debug, Default)]
struct Most {
    connections: usize,
    half_open: usize,
    time_waits: usize,
    orphans: usize,
    charged: usize,
    answers: usize,
    live: usize,
}

impl Storm {
    fn new(seed: u64) -> Storm {
        let config = StackConfig {
            addresses: vec!["10.0.0.1/24".parse().expect("an address")],
            max_connections: CONNECTIONS,
            max_syn_backlog: SYN_BACKLOG,
            max_time_wait: TIME_WAITS,
            max_orphans: ORPHANS,
            syn_cookies: SynCookies::Never,
            memory: MemoryLimits::at_most(HIGH),
            ..StackConfig::default()
        };
        let mut stack = Stack::new(Instant::ZERO, config, [seed as u8; 32]);
        let options = ListenOptions { backlog: BACKLOG, ..ListenOptions::default() };
        let listener = stack.listen(HERE.parse().expect("one"), options).expect("listen");
        let rng = SmallRng::seed_from_u64(seed);
        let (held, most) = (Vec::new(), Most::default());
        Storm { stack, now: Instant::ZERO, rng, listener, held, most }
    }

    fn put(&mut self, src: SocketAddr, port: u16, s: &Segment<'_>, text: &[u8]) {
        let to = SocketAddr::from(([10, 0, 0, 1], port));
        let s = Segment { src_port: src.port(), dst_port: port, window: 60_000, ..*s };
        let bytes = packet(src, to, &s, text);
        self.stack.receive(self.now, &bytes, RxChecksum::Good, None);
        self.look();
    }

    fn look(&mut self) {
        let (s, m) = (&self.stack, &mut self.most);
        m.connections = m.connections.max(s.connection_count());
        m.half_open = m.half_open.max(s.half_open_count());
        m.time_waits = m.time_waits.max(s.time_wait_count());
        m.orphans = m.orphans.max(s.orphan_count());
        m.charged = m.charged.max(s.memory().charged);
        m.live = m.live.max(HEAP.live());
    }

    fn stranger(&mut self) -> SocketAddr {
        let host: [u8; 2] = self.rng.random();
        SocketAddr::from(([198, 18, host[0], host[1]], self.rng.random_range(1..u16::MAX)))
    }

    fn syns(&mut self, count: usize) {
        for _ in 0..count {
            let (src, seq) = (self.stranger(), SeqNum(self.rng.random()));
            let options = Options { mss: Some(1460), ..Options::default() };
            let s = Segment { seq, flags: Flags::SYN, options, ..Segment::default() };
            self.put(src, 80, &s, b"");
        }
    }

    /// Segments for nobody: each is answered, and nobody takes the answers.
    fn strays(&mut self, count: usize) {
        for _ in 0..count {
            let (src, ack) = (self.stranger(), SeqNum(self.rng.random()));
            let s = Segment { ack, flags: Flags::ACK, ..Segment::default() };
            self.put(src, 9, &s, b"stray");
        }
    }

    /// The device takes everything; the peers react to what they see.
    fn drain(&mut self) {
        loop {
            let mut heard = Vec::new();
            self.stack.transmit(self.now, &mut |p| {
                heard.push(p.to_vec());
                true
            });
            self.look();
            if heard.is_empty() {
                return;
            }
            self.most.answers = self.most.answers.max(heard.len());
            for p in &heard {
                self.react(p);
            }
        }
    }

    fn react(&mut self, p: &[u8]) {
        let Ok(s) = Segment::parse(&p[20..]) else { return };
        let me = SocketAddr::from(([p[16], p[17], p[18], p[19]], s.dst_port));
        let end = s.seq + s.seq_len();
        let back = Segment { seq: s.ack, ack: end, flags: Flags::ACK, ..Segment::default() };
        let dice = self.rng.random_range(0..100);
        if s.flags.contains(Flags::RST) {
            return;
        }
        if s.flags.contains(Flags::SYN) {
            if dice < 60 {
                self.put(me, s.src_port, &back, b"");
                let gap = Segment { seq: back.seq + 20_000, ..back };
                self.put(me, s.src_port, &gap, &[7; 1000]);
                self.put(me, s.src_port, &back, &[7; 1400]);
            }
        } else if s.flags.contains(Flags::FIN) && dice < 90 {
            let flags = Flags::FIN | Flags::ACK;
            self.put(me, s.src_port, &Segment { flags, ..back }, b"");
        }
    }

    /// The application accepts a few, reads, writes more than any peer acknowledges, and closes.
    fn application(&mut self) {
        for _ in 0..self.rng.random_range(0..30) {
            let Ok(Some(id)) = self.stack.accept(self.listener) else { break };
            self.held.push(id);
        }
        let mut buf = [0; 4096];
        for n in (0..self.held.len()).rev() {
            let id = self.held[n];
            let _ = self.stack.read(self.now, id, &mut buf);
            if self.rng.random_bool(0.5) {
                let _ = self.stack.write(self.now, id, &buf);
            }
            if self.rng.random_bool(0.2) {
                self.stack.close(self.now, id);
                self.held.swap_remove(n);
            }
        }
        self.look();
    }

    fn round(&mut self) {
        self.syns(400);
        let strays = if self.rng.random_bool(0.1) { ANSWERS + 500 } else { 50 };
        self.strays(strays);
        self.drain();
        self.application();
        self.drain();
        self.now += Duration::from_millis(100);
        self.stack.on_deadline(self.now);
        self.drain();
    }

    fn check(&self) {
        let m = &self.most;
        assert!(m.connections <= CONNECTIONS, "{m:?}");
        assert!(m.half_open <= SYN_BACKLOG, "{m:?}");
        assert!(m.time_waits <= TIME_WAITS, "{m:?}");
        // One more is reset in the turn in which it comes.
        assert!(m.orphans <= ORPHANS + 1, "{m:?}");
        assert!(m.charged <= HIGH + 2 * GUARANTEED * CONNECTIONS, "{m:?}");
        assert!(m.answers <= ANSWERS + 8 * CONNECTIONS, "{m:?}");
        let row = self.stack.connections().into_iter().find(|r| r.remote.is_none());
        assert!(row.expect("the listener").receive_queue <= BACKLOG + 1);
        let tables = [self.stack.connection_count(), self.stack.half_open_count()];
        let owners = tables.iter().sum::<usize>() + self.stack.time_wait_count();
        assert!(self.stack.demux_count() <= owners);
        assert!(self.stack.timer_count() <= owners + 2);
    }
}

#[test]
fn every_table_at_its_cap_at_once_stays_there_and_tells() {
    for seed in 1..=3 {
        let mut storm = Storm::new(seed);
        let rounds = |storm: &mut Storm, count: usize| {
            storm.most.live = 0;
            for _ in 0..count {
                storm.round();
                storm.check();
            }
            storm.most.live
        };
        rounds(&mut storm, 300);
        let early = rounds(&mut storm, 300);
        let late = rounds(&mut storm, 900);
        let (c, m) = (storm.stack.counters(), storm.stack.memory());
        println!("seed {seed}: {:?}; {early} octets live early, {late} late", storm.most);
        let told = [
            ("the SYN queue", c.packet_drops(PacketDrop::SynQueueFull)),
            ("the accept queue", c.packet_drops(PacketDrop::AcceptQueueFull)),
            ("connections", c.packet_drops(PacketDrop::TooManyConnections)),
            ("answers", c.packet_drops(PacketDrop::AnswerQueueFull)),
            ("TIME-WAIT", c.time_wait_overflow),
            ("orphans", c.orphans_reset),
            ("memory", m.pressures as u64),
        ];
        println!("{told:?}");
        for (table, excess) in told {
            assert!(excess > 0, "seed {seed}: {table} was never full");
        }
        assert!(late < early + early / 10, "seed {seed}: {early} octets became {late}");
        // Quiet comes, and all of it goes.
        storm.stack.close_all(storm.now);
        storm.stack.abort_all();
        storm.drain();
        for _ in 0..130 {
            storm.now += Duration::from_secs(1);
            storm.stack.on_deadline(storm.now);
            storm.drain();
        }
        let s = &storm.stack;
        let left = (s.connection_count(), s.half_open_count(), s.time_wait_count());
        assert_eq!((left, s.demux_count(), s.memory().charged), ((0, 0, 0), 0, 0), "seed {seed}");
    }
}
