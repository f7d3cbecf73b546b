//! Do two connections stay right over the worst link? Operations on both ends and on each packet
//! between them, with the invariants of both after each, and a healed link at the end.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use arbitrary::Arbitrary;
use tcp_core::config::{BufferLimits, Keepalive, Linger, TcpConfig};
use tcp_core::congestion::Algorithm;
use tcp_core::connection::{Connection, Limits, OpenParams, State};
use tcp_core::error::{End, IcmpError, Unreachable};
use tcp_core::{Endpoint, Instant, SeqNum, Tuple};

use super::side::{Application, Packet, Side, Writing};
use super::{Steps, Who};

/// Everything that happens in one run.
#[derive(Arbitrary, Clone, Debug)]
pub struct Input {
    a: EndConfig,
    b: EndConfig,
    /// Both ends open actively (MUST-10).
    crossing: bool,
    habits: Habits,
    ops: Steps<Op>,
}

/// What is done how. One octet, of which the lowest bit was there first: kept inputs mean what they
/// meant.
#[derive(Clone, Copy, Debug)]
struct Habits {
    /// Packets are computed only when time passes, not after each operation.
    lazy: bool,
    /// Text is written and read by the rarer calls too.
    rare: bool,
}

impl<'a> Arbitrary<'a> for Habits {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Habits> {
        let octet: u8 = u.arbitrary()?;
        Ok(Habits { lazy: octet & 1 == 1, rare: octet & 0x28 == 0x28 })
    }
}

#[derive(Arbitrary, Clone, Debug)]
struct EndConfig {
    sack: bool,
    timestamps: bool,
    scaling: bool,
    reno: bool,
    merges: bool,
    segmentation: bool,
    isn: u32,
    mtu: u16,
    send: u16,
    receive: u16,
    grows: bool,
}

#[derive(Arbitrary, Clone, Debug)]
enum Op {
    Write(Who, u16),
    Read(Who, u16),
    CloseWrite(Who),
    Close(Who),
    Abort(Who),
    Set(Who, Setting),
    /// The packet with this index to this end arrives before those ahead of it.
    Deliver(Who, u8),
    /// All packets to this end arrive in order.
    DeliverAll(Who),
    Lose(Who, u8),
    Duplicate(Who, u8),
    TooBig(Who, u16),
    Unreachable(Who, bool),
    NextDeadline,
    Advance(u16),
}

#[derive(Arbitrary, Clone, Debug)]
enum Setting {
    Nodelay(bool),
    Cork(bool),
    Quickack(bool),
    Keepalive(Option<u16>),
    Linger(Option<u8>),
    UserTimeout(Option<u16>),
    SendBuffer(Option<u16>),
    ReceiveBuffer(Option<u16>),
}

/// Steps that a healed link may take to come to rest.
const PATIENCE: usize = 4000;

struct World {
    now: Instant,
    a: Side,
    b: Side,
    to_a: VecDeque<Packet>,
    to_b: VecDeque<Packet>,
    habits: Habits,
}

/// Runs an input.
///
/// # Panics
/// If an invariant does not hold.
pub fn run(input: &Input) {
    let mut w = World::new(input);
    w.settle();
    for op in input.ops.0.iter().take(1000) {
        w.act(op);
        if !w.habits.lazy || matches!(op, Op::NextDeadline | Op::Advance(_)) {
            w.settle();
        }
        w.check();
    }
    w.habits.lazy = false;
    w.settle();
    w.heal();
}

impl EndConfig {
    fn side(&self, who: Who, tuple: Tuple) -> Side {
        let receive = usize::from(self.receive).max(1024);
        let send = usize::from(self.send).max(1024);
        let grown = |n: usize| if self.grows { n * 16 } else { n };
        let config = TcpConfig {
            sack: self.sack,
            timestamps: self.timestamps,
            window_scaling: self.scaling,
            congestion: if self.reno { Algorithm::Reno } else { Algorithm::Cubic },
            receive_buffer: BufferLimits { initial: receive, max: grown(receive) },
            send_buffer: BufferLimits { initial: send, max: grown(send) },
            ..TcpConfig::default()
        };
        let open = OpenParams {
            tuple,
            isn: SeqNum(self.isn),
            timestamp_offset: self.isn.rotate_left(9),
            mtu: u32::from(self.mtu).max(68),
        };
        let limits = Limits { segmentation: if self.segmentation { 65_535 } else { 0 } };
        let mut side = Side::new(who, config, open, limits);
        side.merges = self.merges;
        side
    }
}

impl World {
    fn new(input: &Input) -> World {
        let at = |n, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), port);
        let tuple = Tuple { local: at(1, 4000), remote: at(2, 80) };
        let mut a = input.a.side(Who::A, tuple);
        let mut b = input.b.side(Who::B, tuple.flipped());
        let now = Instant::from_millis(1000);
        a.connect(now);
        if input.crossing {
            b.connect(now);
        }
        let (to_a, to_b) = (VecDeque::new(), VecDeque::new());
        World { now, a, b, to_a, to_b, habits: input.habits }
    }

    fn side(&mut self, who: Who) -> &mut Side {
        match who {
            Who::A => &mut self.a,
            Who::B => &mut self.b,
        }
    }

    fn queue_to(&mut self, who: Who) -> &mut VecDeque<Packet> {
        match who {
            Who::A => &mut self.to_a,
            Who::B => &mut self.to_b,
        }
    }

    fn act(&mut self, op: &Op) {
        let now = self.now;
        match *op {
            Op::Write(who, n) => {
                let how = if self.habits.rare { Writing::from_number(n) } else { Writing::Copied };
                self.side(who).write(now, usize::from(n), how);
            }
            Op::Read(who, 0..16) if self.habits.rare => self.side(who).shutdown_read(),
            Op::Read(who, n) => {
                let owned = self.habits.rare && n % 2 == 1;
                self.side(who).read(now, usize::from(n), owned);
            }
            Op::CloseWrite(who) => {
                self.side(who).conn().map(|c| c.close_write());
            }
            Op::Close(who) => {
                self.side(who).let_go(|c| c.close(now));
            }
            Op::Abort(who) => {
                self.side(who).let_go(Connection::abort);
            }
            Op::Set(who, ref s) => self.set(who, s),
            Op::Deliver(who, k) => {
                if let Some(p) = self.take(who, k) {
                    self.deliver(who, &p);
                }
            }
            Op::DeliverAll(who) => self.deliver_all(who),
            Op::Lose(who, k) => drop(self.take(who, k)),
            Op::Duplicate(who, k) => {
                let q = self.queue_to(who);
                if let Some(p) = q.get(usize::from(k) % q.len().max(1)).cloned() {
                    q.push_back(p);
                }
            }
            Op::TooBig(who, mtu) => self.icmp(who, IcmpError::TooBig { mtu: mtu.into() }),
            Op::Unreachable(who, hard) => {
                let u = if hard { Unreachable::Port } else { Unreachable::Host };
                self.icmp(who, IcmpError::Unreachable(u));
            }
            Op::NextDeadline => self.next_deadline(),
            Op::Advance(ms) => {
                self.now += Duration::from_millis(ms.into());
                self.fire();
            }
        }
    }

    fn icmp(&mut self, who: Who, error: IcmpError) {
        let seq = self.side(who).said.last_text;
        let now = self.now;
        self.side(who).conn().map(|c| c.on_icmp(now, seq, error));
    }

    fn take(&mut self, who: Who, k: u8) -> Option<Packet> {
        let q = self.queue_to(who);
        q.remove(usize::from(k) % q.len().max(1))
    }

    fn set(&mut self, who: Who, setting: &Setting) {
        let (now, rare) = (self.now, self.habits.rare);
        let ms = |n: u16| Duration::from_millis(u64::from(n) + 1);
        let Some(c) = self.side(who).conn() else { return };
        c.set_options(now, |o| match *setting {
            Setting::Nodelay(v) => o.nodelay = v,
            Setting::Cork(v) => o.cork = v,
            Setting::Quickack(v) => {
                o.quickack = v;
                o.congestion = rare.then_some(if v { Algorithm::Reno } else { Algorithm::Cubic });
            }
            Setting::Keepalive(v) => {
                o.keepalive_on = v.is_some();
                let idle = ms(v.unwrap_or(0));
                o.keepalive = Keepalive { idle, interval: idle, count: 3 };
            }
            Setting::Linger(v) => {
                o.linger =
                    v.map_or(Linger::Background, |s| Linger::For(Duration::from_secs(s.into())));
            }
            Setting::UserTimeout(v) => o.user_timeout = v.map(ms),
            Setting::SendBuffer(v) => o.send_buffer = v.map(usize::from),
            Setting::ReceiveBuffer(v) => o.receive_buffer = v.map(usize::from),
        });
    }

    fn deliver(&mut self, who: Who, p: &Packet) {
        let mut out = Vec::new();
        match who {
            Who::A => self.a.receive(self.now, p, &self.b.said, &mut out),
            Who::B => self.b.receive(self.now, p, &self.a.said, &mut out),
        }
        self.queue_to(who.other()).extend(out);
        if !self.habits.lazy {
            self.settle();
        }
        self.check();
    }

    fn deliver_all(&mut self, who: Who) {
        for _ in 0..self.queue_to(who).len() {
            if let Some(p) = self.take(who, 0) {
                self.deliver(who, &p);
            }
        }
    }

    fn settle(&mut self) {
        let mut out = Vec::new();
        self.a.drain(self.now, &self.b.said, &mut out);
        self.to_b.extend(out.drain(..));
        self.b.drain(self.now, &self.a.said, &mut out);
        self.to_a.extend(out);
    }

    fn next_deadline(&mut self) {
        let next = self.a.deadline().into_iter().chain(self.b.deadline()).min();
        if let Some(at) = next {
            self.now = self.now.max(at);
            self.fire();
        }
    }

    /// Handles what is due; then every deadline lies ahead.
    fn fire(&mut self) {
        let mut out = Vec::new();
        self.a.on_timeout(self.now, &self.b.said, &mut out);
        self.to_b.extend(out.drain(..));
        self.b.on_timeout(self.now, &self.a.said, &mut out);
        self.to_a.extend(out);
        self.settle();
        for s in [&self.a, &self.b] {
            let ahead = s.deadline().is_none_or(|at| at > self.now);
            assert!(ahead, "{:?}: a deadline was handled and is still due: {s:?}", s.who);
        }
    }

    fn check(&mut self) {
        self.a.check(&self.b.said, self.b.written);
        self.b.check(&self.a.said, self.a.written);
        for (one, other) in [(&self.a, &self.b), (&self.b, &self.a)] {
            let (Some(c), Some(o)) = (one.live(), other.live()) else { continue };
            // A FIN that is acknowledged was received.
            if matches!(c.state(), State::FinWait2 | State::TimeWait) {
                assert!(o.peer_closed(), "{} and {}", c.state(), o.state());
            }
            let synchronized =
                !matches!(c.state(), State::SynSent | State::SynReceived | State::Closed);
            assert!(!synchronized || o.state() != State::SynSent, "{} and SYN-SENT", c.state());
            // What is acknowledged has arrived.
            if other.application == Application::Here {
                let arrived = other.read + o.readable() as u64;
                assert!(c.info().stats.octets_acked <= arrived, "acknowledged and not received");
            }
        }
    }

    /// From here on the link loses nothing and both applications read and close: all that was
    /// written arrives, unless the connection has failed, and both ends come to rest.
    fn heal(&mut self) {
        let readers = (self.a.application, self.b.application);
        for who in [Who::A, Who::B] {
            for s in [Setting::Keepalive(None), Setting::Cork(false)] {
                self.set(who, &s);
            }
        }
        self.settle();
        self.come_to_rest(false);
        self.check_delivery(readers);
        self.come_to_rest(true);
        for s in [&self.a, &self.b] {
            assert!(s.is_over() && s.deadline().is_none(), "does not end: {s:?}");
        }
    }

    fn come_to_rest(&mut self, let_go: bool) {
        for step in 0.. {
            assert!(step < PATIENCE, "no rest:\n{:?}\n{:?}", self.a, self.b);
            for who in [Who::A, Who::B] {
                let now = self.now;
                while self.side(who).read(now, 1 << 16, false) > 0 {}
                let side = self.side(who);
                if let_go {
                    side.let_go(|c| c.close(now));
                } else if let Some(c) = side.conn() {
                    // Not connected yet: the next step tries again.
                    let _ = c.close_write();
                }
            }
            self.settle();
            if self.to_a.is_empty() && self.to_b.is_empty() {
                if self.a.deadline().or(self.b.deadline()).is_none() {
                    return;
                }
                self.next_deadline();
            }
            self.deliver_all(Who::B);
            self.deliver_all(Who::A);
            self.check();
        }
    }

    fn check_delivery(&self, readers: (Application, Application)) {
        let (Some(a), Some(b)) = (self.a.live(), self.b.live()) else { return };
        let failed = |e: Option<End>| e.is_some_and(|e| e != End::Closed);
        if failed(a.end()) || failed(b.end()) {
            return;
        }
        if readers.1 == Application::Here {
            assert_eq!(self.b.read, self.a.written, "from A to B\n{:?}\n{:?}", self.a, self.b);
        }
        if readers.0 == Application::Here {
            assert_eq!(self.a.read, self.b.written, "from B to A\n{:?}\n{:?}", self.a, self.b);
        }
    }
}
