//! Does a stack stay as it is for as long as it runs? Several hundred kernel clients with conversations of
//! every kind, and calls of ours to the kernel, round after round: every octet is compared, and in
//! between and in the end all tables, timers and memory must be as before. Alone in its file, since it
//! counts the memory of the process. `SOAK_SECONDS` (12; twice as much
//! passes in all) and `SOAK_SEED` in the environment.
#![cfg(target_os = "linux")]

mod client;
mod server;
mod text;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use client::Counts;
use server::Tally;
use stack_tests::heap::Heap;
use stack_tests::kernel::{
    GUARD, HOST, KernelListener, KernelNet, KernelTask, OURS, connect, until,
};
use tcp_async::{ListenOptions, Net, PacketDrop, State};
use tcp_core::connection::SendReason;
use tcp_core::error::DropReason;
use text::Kind;

#[global_allocator]
static HEAP: Heap = Heap::new();

const PORTS: [u16; 2] = [7, 8];
/// Threads of the kernel's side, each with a connection.
const CLIENTS: usize = 320;
/// Connections that we open, to as many servers of the kernel.
const CALLS: usize = 16;
const ROUNDS: u32 = 10;
const MIB: f64 = (1 << 20) as f64;
/// What of the heap may stay: reserves of tables that were larger for a while. The shortest run has
/// some 30,000 connections: 18 octets of each.
const MAY_STAY: usize = 512 << 10;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_stack_stays_as_it_is() {
    let length = Duration::from_secs(number("SOAK_SECONDS", 12).max(10));
    let seed = number("SOAK_SEED", 1);
    println!("SOAK_SECONDS={} SOAK_SEED={seed}", length.as_secs());
    let round = length / ROUNDS;
    // As long as a round, at most as always.
    let time_wait = round.min(Duration::from_secs(60));
    let k = KernelNet::with(|tun| tun, |net| net.tcp(|tcp| tcp.time_wait = time_wait));
    // Ports whose TIME-WAIT is at the kernel's end serve again after a second.
    k.namespace.set("net.ipv4.tcp_tw_reuse", "1");
    k.namespace.set("net.ipv4.ip_local_port_range", "10000 65000");
    let tally: &'static Tally = Box::leak(Box::default());
    let mut soak = Soak::new(k, tally, seed).await;

    // The first connections fill reserves.
    soak.round(round.min(Duration::from_secs(5))).await;
    soak.until_empty(time_wait).await;
    let before = Quiet::now(&soak.k.net);
    println!("before: {before:?}");
    println!("{}", Row::TITLE);
    for n in 1..=ROUNDS {
        let load = soak.round(round).await;
        println!("{}", soak.row(round * n, &load));
    }
    soak.until_empty(time_wait).await;
    let after = Quiet::now(&soak.k.net);
    soak.report(&after);
    assert_eq!((after.timers, after.buffers), (before.timers, before.buffers));
    assert!(after.heap <= before.heap + MAY_STAY, "{before:?} {after:?}");
    soak.k.end().await;
}

struct Soak {
    k: KernelNet,
    tally: &'static Tally,
    servers: Vec<SocketAddr>,
    next_seed: u64,
    /// What the clients have counted.
    counts: Counts,
}

/// The most while a round went on.
#[derive(Default)]
struct Load {
    established: u32,
    heap: usize,
}

/// What there is while no connection is.
#[derive(Debug)]
struct Quiet {
    heap: usize,
    time_waits: u32,
    timers: usize,
    buffers: usize,
}

impl Quiet {
    fn now(net: &Net) -> Quiet {
        let s = net.summary();
        let time_waits = s.count(State::TimeWait);
        Quiet { heap: HEAP.live(), time_waits, timers: s.timers, buffers: s.memory }
    }
}

impl Soak {
    async fn new(k: KernelNet, tally: &'static Tally, seed: u64) -> Soak {
        let servers: Vec<_> =
            OURS.iter().flat_map(|ip| PORTS.map(|port| SocketAddr::new(*ip, port))).collect();
        for addr in &servers {
            let options = ListenOptions { backlog: 1024, ..ListenOptions::default() };
            let listener = k.net.listen_with(*addr, options).await.expect("a free port");
            tokio::spawn(server::serve(listener, tally));
        }
        Soak { k, tally, servers, next_seed: seed << 32, counts: Counts::default() }
    }

    /// Some time full of conversations, up to the end of each.
    async fn round(&mut self, length: Duration) -> Load {
        let end = Instant::now() + length;
        let clients: Vec<_> = (0..CLIENTS).map(|_| self.client(end)).collect();
        let echoes = Echoes::start(self, end);
        let load = self.watch(end).await;
        for client in clients {
            let counts = client.join().await.unwrap_or_else(|e| panic!("{e}"));
            self.counts.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        }
        echoes.end(self).await;
        self.until_closed().await;
        until("every conversation is over", || {
            !self.tally.wrong().is_empty() || self.counts == Kind::ALL.map(|k| self.tally.done(k))
        })
        .await;
        assert_eq!(self.tally.wrong(), [""; 0]);
        load
    }

    fn client(&mut self, end: Instant) -> KernelTask<Result<Counts, String>> {
        self.next_seed += 1;
        let (servers, seed) = (self.servers.clone(), self.next_seed);
        self.k.namespace.spawn(move || client::talk(&servers, seed, end))
    }

    async fn watch(&self, end: Instant) -> Load {
        let mut load = Load::default();
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while Instant::now() < end {
            tick.tick().await;
            load.established = load.established.max(self.k.net.summary().established());
            load.heap = load.heap.max(HEAP.live());
        }
        load
    }

    async fn until_closed(&self) {
        let closed = until("no connection left", || self.k.net.connection_count() == 0);
        if tokio::time::timeout(GUARD - Duration::from_secs(1), closed).await.is_err() {
            let left = self.k.net.connections();
            let left = left.iter().filter(|r| !matches!(r.state, State::Listen | State::TimeWait));
            panic!("still there: {:#?}", left.collect::<Vec<_>>());
        }
    }

    /// Until the last TIME-WAIT record has ended too.
    async fn until_empty(&self, time_wait: Duration) {
        tokio::time::sleep(time_wait).await;
        until("no record left", || self.k.net.summary().total() == 0).await;
    }

    fn row(&self, at: Duration, load: &Load) -> Row {
        let now = Quiet::now(&self.k.net);
        let (octets_in, octets_out) = self.tally.octets();
        Row {
            seconds: at.as_secs(),
            connections: self.tally.connections(),
            octets: (octets_in, octets_out),
            established: load.established,
            busy: load.heap,
            quiet: now,
            resident: resident(),
        }
    }

    /// A number in the last line of a table of the kernel's that begins so.
    fn of_the_kernel(&self, table: &str, line: &str, column: usize) -> u64 {
        let path = format!("/proc/thread-self/net/{table}");
        let table = self.k.namespace.run(|| std::fs::read_to_string(path)).expect("it is there");
        let line = table.lines().filter_map(|l| l.trim().strip_prefix(line)).next_back();
        let field = line.and_then(|line| line.split_whitespace().nth(column));
        field.and_then(|n| n.parse().ok()).expect("a number")
    }

    fn report(&self, after: &Quiet) {
        let counters = self.k.net.counters();
        println!("after: {after:?}; heap at the most {:.1} MiB", HEAP.peak() as f64 / MIB);
        for kind in Kind::ALL {
            println!("{:>10} {kind:?}", self.tally.done(kind));
        }
        println!("{:>10} opened by us", self.tally.opened());
        println!("{:>10} segments sent again by us", counters.sends(SendReason::Retransmission));
        let again = self.of_the_kernel("snmp", "Tcp:", 11);
        println!("{again:>10} segments sent again by the kernel");
        // Eight columns of what was received; then octets, packets, errors, drops.
        let lost = self.of_the_kernel("dev", "tcp0:", 11);
        println!("{lost:>10} packets of the kernel lost in the device's queue");
        let packets = PacketDrop::ALL.iter().map(|d| (d.name(), counters.packet_drops(*d)));
        let segments = DropReason::ALL.iter().map(|d| (d.name(), counters.segment_drops(*d)));
        for (name, n) in packets.chain(segments).filter(|(_, n)| *n > 0) {
            println!("{n:>10} dropped: {name}");
        }
    }
}

/// A line of the report.
struct Row {
    seconds: u64,
    connections: u64,
    octets: (u64, u64),
    established: u32,
    busy: usize,
    quiet: Quiet,
    resident: u64,
}

impl Row {
    const TITLE: &str = "| seconds | connections | GiB in | GiB out | open at once | heap then, MiB | \
        heap with none open, MiB | TIME-WAIT | timers | resident, MiB |";
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let gib = |octets: u64| octets as f64 / 1024.0 / MIB;
        write!(f, "| {} | {} ", self.seconds, self.connections)?;
        write!(f, "| {:.2} | {:.2} ", gib(self.octets.0), gib(self.octets.1))?;
        write!(f, "| {} | {:.1} ", self.established, self.busy as f64 / MIB)?;
        write!(f, "| {:.2} ", self.quiet.heap as f64 / MIB)?;
        write!(f, "| {} | {} | {} |", self.quiet.time_waits, self.quiet.timers, self.resident >> 10)
    }
}

/// What the system holds for this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Servers of the kernel, and our calls to them.
struct Echoes {
    over: Arc<AtomicBool>,
    addrs: Vec<SocketAddr>,
    servers: Vec<KernelTask<std::io::Result<()>>>,
    calls: Vec<tokio::task::JoinHandle<()>>,
}

impl Echoes {
    fn start(soak: &mut Soak, end: Instant) -> Echoes {
        let over = Arc::new(AtomicBool::new(false));
        let mut all = Echoes { over, addrs: Vec::new(), servers: Vec::new(), calls: Vec::new() };
        for n in 0..CALLS {
            soak.next_seed += 1;
            let namespace = &soak.k.namespace;
            let listener = namespace.run(|| KernelListener::bind(HOST[n % HOST.len()]));
            all.addrs.push(listener.addr);
            let (to, seed, over) = (listener.addr, soak.next_seed as u32, all.over.clone());
            all.servers.push(namespace.spawn(move || client::echo(&listener, &over)));
            let call = server::call(soak.k.net.clone(), to, seed, end.into(), soak.tally);
            all.calls.push(tokio::spawn(call));
        }
        all
    }

    async fn end(self, soak: &Soak) {
        for call in self.calls {
            call.await.expect("no panic");
        }
        self.over.store(true, Relaxed);
        for (addr, server) in self.addrs.into_iter().zip(self.servers) {
            soak.k.namespace.run(|| connect(addr)).expect("it still listens");
            server.join().await.expect("no error of the kernel");
        }
    }
}
