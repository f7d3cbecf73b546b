//! Do thousands of slow readers stay under the budget, and lose nothing? Two simulated hosts with
//! small budgets, and virtual time.

use std::time::{Duration, Instant as Clock};

use tcp_core::memory::{GUARANTEED, Level, MemoryLimits};
use tcp_io::ConnId;
use tcp_io::stack::{ConnectOptions, ListenOptions, StackConfig};
use tcp_sim::{Host, LinkConfig, World, pair};

const MANY: usize = 10_000;
/// What each sender has to say, in octets.
const EACH: usize = 64 << 10;
/// Both hosts have 16 KiB for each connection, where the defaults would let each take 256 KiB.
const HIGH: usize = 160 << 20;

fn octet(conn: usize, place: usize) -> u8 {
    (conn.wrapping_mul(31) ^ place ^ (place >> 8)) as u8
}

/// One direction of one connection.
struct Flow {
    sender: ConnId,
    receiver: ConnId,
    written: usize,
    read: usize,
}

struct Run {
    world: World<Host>,
    flows: Vec<Flow>,
    most: [usize; 2],
    scratch: Vec<u8>,
}

impl Run {
    fn new(seed: u64) -> Run {
        let link = LinkConfig::default().delay(Duration::from_millis(5));
        let config = StackConfig { memory: MemoryLimits::at_most(HIGH), ..StackConfig::default() };
        let mut world = pair(seed, link, &config);
        world.set_trace_depth(0);
        let server = world.node(1).addr(80);
        let options = ListenOptions { backlog: 4096, ..ListenOptions::default() };
        let l = world.node_mut(1).stack.listen(server, options).expect("listen");
        let mut flows = Vec::new();
        while flows.len() < MANY {
            let now = world.now();
            let batch: Vec<_> = (0..MANY.min(1000))
                .map(|_| {
                    let stack = &mut world.node_mut(0).stack;
                    stack.connect(now, server, ConnectOptions::default()).expect("connect")
                })
                .collect();
            world.run_for(Duration::from_millis(30));
            for sender in batch {
                let receiver = world.node_mut(1).stack.accept(l).expect("listener").expect("one");
                flows.push(Flow { sender, receiver, written: 0, read: 0 });
            }
        }
        Run { world, flows, most: [0; 2], scratch: vec![0; EACH] }
    }

    /// Every sender writes what it can, in whatever pieces.
    fn write(&mut self) {
        let now = self.world.now();
        let stack = &mut self.world.node_mut(0).stack;
        for (n, f) in self.flows.iter_mut().enumerate() {
            let Some(cell) = stack.connection_cell(f.sender) else { continue };
            while f.written < EACH && cell.inspect(|c| c.check_writable()).is_ok() {
                let rest = (EACH - f.written).min(16 << 10);
                for (i, b) in self.scratch[..rest].iter_mut().enumerate() {
                    *b = octet(n, f.written + i);
                }
                match stack.write(now, f.sender, &self.scratch[..rest]) {
                    Ok(n) => f.written += n,
                    Err(_) => break,
                }
            }
        }
    }

    fn read(&mut self) {
        let now = self.world.now();
        let stack = &mut self.world.node_mut(1).stack;
        for (n, f) in self.flows.iter_mut().enumerate() {
            while let Ok(got) = stack.read(now, f.receiver, &mut self.scratch) {
                for (i, b) in self.scratch[..got].iter().enumerate() {
                    assert_eq!(*b, octet(n, f.read + i), "connection {n}, octet {}", f.read + i);
                }
                f.read += got;
                if got == 0 {
                    break;
                }
            }
        }
    }

    fn note(&mut self) {
        for host in [0, 1] {
            self.most[host] = self.most[host].max(self.world.node(host).stack.memory().charged);
        }
    }

    fn step(&mut self, span: Duration) {
        self.world.run_for(span);
        self.note();
    }

    fn done(&self) -> usize {
        self.flows.iter().filter(|f| f.read == EACH).count()
    }
}

// The promise of the budget: thousands of readers that sleep can't exhaust memory, and all of it
// arrives when they wake.
#[test]
fn ten_thousand_slow_readers_stay_under_the_budget_and_lose_nothing() {
    let began = Clock::now();
    let mut run = Run::new(1);
    for _ in 0..200 {
        run.write();
        run.step(Duration::from_millis(100));
    }
    let asleep = [0, 1].map(|n| run.world.node(n).stack.memory());
    assert!(asleep[1].level >= Level::Pressure, "{asleep:?}");
    let written: usize = run.flows.iter().map(|f| f.written).sum();
    let mut rounds = 0;
    while run.done() < MANY {
        run.write();
        run.read();
        run.step(Duration::from_millis(100));
        rounds += 1;
        assert!(rounds < 5000, "{} of {MANY} are done", run.done());
    }
    let mib = |n: usize| n as f64 / f64::from(1 << 20);
    println!(
        "{MANY} connections of {EACH} octets under {:.0} MiB a host: asleep {:.1} MiB written, the \
         sender held {:.1}, the reader {:.1}; at most {:.1} and {:.1}; all read {:.1} s after the \
         readers woke ({:.1?} of real time)",
        mib(HIGH),
        mib(written),
        mib(asleep[0].charged),
        mib(asleep[1].charged),
        mib(run.most[0]),
        mib(run.most[1]),
        f64::from(rounds) / 10.0,
        began.elapsed(),
    );
    assert!(run.most[1] <= HIGH, "the readers' host: {:?}", run.most);
    assert!(run.most[0] <= HIGH, "the writers' host: {:?}", run.most);
    close(&mut run);
}

/// Nothing stays charged.
fn close(run: &mut Run) {
    let now = run.world.now();
    for n in 0..run.flows.len() {
        let (s, r) = (run.flows[n].sender, run.flows[n].receiver);
        run.world.node_mut(0).stack.close(now, s);
        run.world.node_mut(1).stack.close(now, r);
    }
    run.step(Duration::from_secs(2));
    for host in [0, 1] {
        let m = run.world.node(host).stack.memory();
        assert_eq!((m.charged, m.holders, m.level), (0, 0, Level::Low), "host {host}");
    }
}

// Below what the guarantee needs the budget gives way to it, and to nothing else.
#[test]
fn a_budget_below_the_guarantee_still_lets_everybody_finish() {
    let link = LinkConfig::default().delay(Duration::from_millis(5));
    let config = StackConfig { memory: MemoryLimits::at_most(1 << 16), ..StackConfig::default() };
    let mut world = pair(2, link, &config);
    let server = world.node(1).addr(80);
    let l = world.node_mut(1).stack.listen(server, ListenOptions::default()).expect("listen");
    let mut flows = Vec::new();
    for _ in 0..100 {
        let now = world.now();
        let stack = &mut world.node_mut(0).stack;
        let sender = stack.connect(now, server, ConnectOptions::default()).expect("connect");
        world.run_for(Duration::from_millis(20));
        let receiver = world.node_mut(1).stack.accept(l).expect("listener").expect("one");
        flows.push(Flow { sender, receiver, written: 0, read: 0 });
    }
    let mut run = Run { world, flows, most: [0; 2], scratch: vec![0; EACH] };
    for _ in 0..20 {
        run.write();
        run.step(Duration::from_millis(100));
    }
    let mut rounds = 0;
    while run.done() < 100 {
        run.write();
        run.read();
        run.step(Duration::from_millis(20));
        rounds += 1;
        assert!(rounds < 50_000, "{} of 100 are done", run.done());
    }
    println!("100 connections under 64 KiB: {:?} octets held at most", run.most);
    // Text flows one way only. What is guaranteed includes the records of what is in flight.
    assert!(run.most.iter().all(|m| *m <= (1 << 16) + 100 * GUARANTEED), "{:?}", run.most);
    close(&mut run);
}
