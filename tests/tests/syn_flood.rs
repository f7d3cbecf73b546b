//! Do honest clients get in beside a SYN flood that fills most of the link, in the time they need
//! without it? In virtual time: clients at 20 ms round trip and a flood share a router and its
//! link of 20 Mbit/s to the server. Alone in its file, since it counts what is allocated.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use std::time::Duration;

use stack_tests::flood::SynFlood;
use stack_tests::heap::Heap;
use tcp_core::Instant;
use tcp_core::connection::State;
use tcp_core::error::End;
use tcp_io::ConnId;
use tcp_io::stack::{
    ConnectOptions, ListenOptions, ListenerId, PacketDrop, StackConfig, SynCookies,
};
use tcp_sim::{Host, LinkConfig, Node, SeedGuard, World};

#[global_allocator]
static HEAP: Heap = Heap::new();

const SYN_BACKLOG: usize = 256;
/// Of the link that all share, to the server.
const RATE: u64 = 20_000_000;
/// One way, of the part that is the clients' own; the shared part has none.
const DELAY: Duration = Duration::from_millis(10);
/// The flood's SYNs come in bursts of a millisecond: 37 of 60 octets are 89 % of the link.
const BURST: usize = 37;
const TICK: Duration = Duration::from_millis(1);
/// From one honest connect to the next: prime to the flood's bursts.
const GAP: Duration = Duration::from_micros(7_300);
const QUIET: Duration = Duration::from_secs(1);
const FLOOD: Duration = Duration::from_secs(3);

/// Connects, says something, and leaves.
struct Clients {
    host: Host,
    server: SocketAddr,
    next: Instant,
    until: Instant,
    waiting: Vec<(ConnId, Instant)>,
    /// When each began, and how long it waited.
    connected: Vec<(Instant, Duration)>,
    tried: usize,
    reset: usize,
}

impl Clients {
    fn look(&mut self, now: Instant) {
        let stack = &mut self.host.stack;
        self.waiting.retain(|&(id, since)| {
            let end = stack.connection_cell(id).and_then(|c| c.end());
            self.reset += usize::from(matches!(end, Some(End::Refused | End::Reset)));
            if stack.state(id) != State::Established {
                return end.is_none();
            }
            self.connected.push((since, now.since(since)));
            stack.write(now, id, b"hello").expect("room");
            stack.close(now, id);
            false
        });
    }

    fn connect(&mut self, now: Instant) {
        self.next = now + GAP;
        let id = self.host.stack.connect(now, self.server, ConnectOptions::default());
        self.waiting.push((id.expect("a port"), now));
        self.tried += 1;
    }
}

/// Accepts, reads to the end, and closes.
struct Server {
    host: Host,
    listener: ListenerId,
    open: Vec<ConnId>,
    served: usize,
    reset: usize,
    half_open_most: usize,
}

impl Server {
    fn look(&mut self, now: Instant) {
        let stack = &mut self.host.stack;
        self.half_open_most = self.half_open_most.max(stack.half_open_count());
        while let Some(id) = stack.accept(self.listener).expect("listener") {
            self.open.push(id);
        }
        self.open.retain(|&id| {
            let mut buf = [0; 16];
            match stack.read(now, id, &mut buf) {
                Ok(0) => self.served += 1,
                Ok(n) => {
                    assert_eq!(&buf[..n], b"hello");
                    return true;
                }
                Err(_) if stack.connection_cell(id).is_some_and(|c| c.end().is_none()) => {
                    return true;
                }
                Err(_) => self.reset += 1,
            }
            stack.close(now, id);
            false
        });
    }
}

enum Party {
    Clients(Box<Clients>),
    Server(Box<Server>),
    Flood { syns: SynFlood, next: Instant, until: Instant, due: bool },
    Router(Vec<Vec<u8>>),
}

impl Node for Party {
    fn receive(&mut self, now: Instant, packet: &[u8]) {
        match self {
            Party::Clients(c) => {
                c.host.receive(now, packet);
                c.look(now);
            }
            Party::Server(s) => {
                s.host.receive(now, packet);
                s.look(now);
            }
            Party::Flood { .. } => {}
            Party::Router(queue) => queue.push(packet.to_vec()),
        }
    }

    fn transmit(&mut self, now: Instant, out: &mut dyn FnMut(Vec<u8>)) {
        match self {
            Party::Clients(c) => c.host.transmit(now, out),
            Party::Server(s) => s.host.transmit(now, out),
            Party::Flood { syns, due, .. } => {
                let burst = if std::mem::take(due) { BURST } else { 0 };
                (0..burst).for_each(|_| out(syns.packet().to_vec()));
            }
            Party::Router(queue) => queue.drain(..).for_each(out),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let until = |next: Instant, end: Instant| (next < end).then_some(next);
        match self {
            Party::Clients(c) => {
                let own = until(c.next, c.until);
                c.host.next_deadline().into_iter().chain(own).min()
            }
            Party::Server(s) => s.host.next_deadline(),
            Party::Flood { next, until: end, .. } => until(*next, *end),
            Party::Router(_) => None,
        }
    }

    fn on_deadline(&mut self, now: Instant) {
        match self {
            Party::Clients(c) => {
                c.host.on_deadline(now);
                if c.next <= now && c.next < c.until {
                    c.connect(now);
                }
                c.look(now);
            }
            Party::Server(s) => {
                s.host.on_deadline(now);
                s.look(now);
            }
            Party::Flood { next, due, .. } => {
                *next = now + TICK;
                *due = true;
            }
            Party::Router(_) => {}
        }
    }
}

const CLIENTS: usize = 0;
const SERVER: usize = 1;
const ROUTER: usize = 2;

fn clients(w: &World<Party>) -> &Clients {
    let Party::Clients(c) = w.node(CLIENTS) else { panic!("node {CLIENTS}") };
    c
}

fn server(w: &World<Party>) -> &Server {
    let Party::Server(s) = w.node(SERVER) else { panic!("node {SERVER}") };
    s
}

fn host(address: &str, seed: u64, syn_cookies: SynCookies) -> Host {
    let addresses = vec![address.parse().expect("an address")];
    let config = StackConfig { addresses, syn_cookies, ..StackConfig::default() };
    Host::new(Instant::ZERO, config, seed)
}

fn world(seed: u64, cookies: SynCookies) -> World<Party> {
    let mut w = World::new(seed, LinkConfig::default());
    let to: SocketAddrV4 = "10.0.0.1:80".parse().expect("an address");
    let end = Instant::ZERO + QUIET + FLOOD;
    let me = Clients {
        host: host("10.0.0.2/24", seed * 2, cookies),
        server: to.into(),
        next: Instant::ZERO,
        until: end,
        waiting: Vec::new(),
        connected: Vec::with_capacity(1000),
        tried: 0,
        reset: 0,
    };
    let mut host = host("10.0.0.1/24", seed * 2 + 1, cookies);
    let options = ListenOptions { syn_backlog: Some(SYN_BACKLOG), ..ListenOptions::default() };
    let listener = host.stack.listen(to.into(), options).expect("listen");
    let it = Server { host, listener, open: Vec::new(), served: 0, reset: 0, half_open_most: 0 };
    let (here, there) = (IpAddr::from([10, 0, 0, 2]), IpAddr::from([10, 0, 0, 1]));
    w.add_node(Party::Clients(Box::new(me)), &[here]);
    w.add_node(Party::Server(Box::new(it)), &[there]);
    w.add_node(Party::Router(Vec::new()), &[]);
    let next = Instant::ZERO + QUIET;
    let syns = SynFlood::new(seed, to);
    w.add_node(Party::Flood { syns, next, until: end, due: false }, &[]);
    w.route_by(move |from, packet| match from {
        // Nobody has the flood's addresses.
        ROUTER if packet[16..20] == [10, 0, 0, 1] => Some(SERVER),
        ROUTER if packet[16..20] == [10, 0, 0, 2] => Some(CLIENTS),
        ROUTER => None,
        _ => Some(ROUTER),
    });
    for (from, to) in [(CLIENTS, ROUTER), (ROUTER, CLIENTS)] {
        w.set_link(from, to, LinkConfig::default().delay(DELAY));
    }
    for (from, to) in [(ROUTER, SERVER), (SERVER, ROUTER)] {
        w.set_link(from, to, LinkConfig::default().rate(RATE));
    }
    w.set_trace_depth(0);
    w
}

/// What a flood left.
struct Aftermath {
    world: World<Party>,
    median: Duration,
    /// Honest connects in the flood, and those within 1.5 times the quiet median.
    honest: usize,
    in_time: usize,
    /// Most octets allocated in the first half of the flood, and in the second.
    live: [usize; 2],
}

fn flood(seed: u64, cookies: SynCookies) -> Aftermath {
    let mut w = world(seed, cookies);
    let starts = Instant::ZERO + QUIET;
    w.run_for(QUIET);
    let mut quiet: Vec<_> = clients(&w).connected.iter().map(|(_, took)| *took).collect();
    quiet.sort_unstable();
    let (median, before) = (quiet[quiet.len() / 2], clients(&w).tried);
    let mut live = [0; 2];
    for (n, most) in live.iter_mut().enumerate() {
        let half = starts + FLOOD / 2 * (n as u32 + 1);
        w.run_until(half, |_| {
            *most = HEAP.live().max(*most);
            false
        });
    }
    // The last ones' time, and that of one that tries again.
    w.run_for(Duration::from_secs(2));
    let c = clients(&w);
    let fast = |(at, took): &&(Instant, Duration)| *at >= starts && *took <= median * 3 / 2;
    let in_time = c.connected.iter().filter(fast).count();
    let honest = c.tried - before;
    let counters = server(&w).host.stack.counters();
    println!(
        "seed {seed}, {cookies:?}: quiet median {median:?}; {in_time} of {honest} within 1.5 times \
         that, {} SYNs from nowhere, {} cookies, {} KiB live at most in the first half, {} in the \
         second",
        w.link(3, ROUTER).stats().sent,
        counters.syn_cookies_sent,
        live[0] / 1024,
        live[1] / 1024,
    );
    Aftermath { world: w, median, honest, in_time, live }
}

fn stays_open_and_flat(seed: u64, cookies: SynCookies) {
    let _seed = SeedGuard::new(seed, format!("{cookies:?}"));
    let a = flood(seed, cookies);
    let mut w = a.world;
    assert!(a.median >= DELAY * 2, "{:?}", a.median);
    assert!(a.honest > 400 && a.in_time * 100 >= a.honest * 99, "{} of {}", a.in_time, a.honest);
    let (s, c) = (server(&w), clients(&w));
    assert_eq!((c.reset, s.reset, s.host.stack.counters().resets_out), (0, 0, 0));
    assert_eq!(s.served, c.tried);
    assert!(s.half_open_most <= SYN_BACKLOG, "{}", s.half_open_most);
    let toward = w.link(ROUTER, SERVER).stats();
    assert_eq!(toward.queue_dropped, 0, "the link is full, not the stack");
    assert!(toward.sent > 100_000);
    // What grows is the honest clients' own: TIME-WAIT at their end, used cookies at the other.
    assert!(a.live[1] <= a.live[0] + (128 << 10), "{:?}", a.live);
    // A minute later nothing is left of it.
    w.run_for(Duration::from_secs(64));
    let stack = &server(&w).host.stack;
    let counts = (stack.connection_count(), stack.half_open_count(), stack.demux_count());
    assert_eq!((counts, stack.timer_count()), ((0, 0, 0), 0));
}

/// One after the other, for the count of octets.
#[test]
fn honest_clients_connect_beside_a_flood_as_fast_as_without_it() {
    for seed in 1..=3 {
        stays_open_and_flat(seed, SynCookies::WhenFull);
        stays_open_and_flat(seed, SynCookies::Always);
    }
    // What the cookies are for.
    let a = flood(1, SynCookies::Never);
    let stack = &server(&a.world).host.stack;
    assert!(a.in_time * 100 < a.honest * 50, "{} of {}", a.in_time, a.honest);
    assert!(stack.counters().packet_drops(PacketDrop::SynQueueFull) > 50_000);
    assert_eq!((clients(&a.world).reset, stack.counters().resets_out), (0, 0));
    assert!(server(&a.world).half_open_most <= SYN_BACKLOG);
}
