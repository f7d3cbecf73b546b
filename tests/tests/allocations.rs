//! What does a connection really cost? Counted by the allocator, not by the stack's own account.

use std::sync::Mutex;
use std::time::Duration;

use stack_tests::heap::{self, Heap};
use tcp_core::Instant;
use tcp_io::ConnId;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};

#[global_allocator]
static HEAP: Heap = Heap::new();

/// One test at a time: the counter is everybody's.
static ALONE: Mutex<()> = Mutex::new(());

/// Two stacks joined in memory.
struct Link {
    stacks: [Stack; 2],
    now: Instant,
}

impl Link {
    fn new() -> Link {
        let stack = |n: u8| {
            let address = format!("10.0.0.{n}/24").parse().expect("an address");
            let config = StackConfig {
                addresses: vec![address],
                ephemeral_ports: (1024, 65_535),
                ..StackConfig::default()
            };
            Stack::new(Instant::ZERO, config, [n; 32])
        };
        Link { stacks: [stack(1), stack(2)], now: Instant::ZERO }
    }

    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for from in [0, 1] {
                let mut packets = Vec::new();
                self.stacks[from].transmit(self.now, &mut |p| {
                    packets.push(p.to_vec());
                    true
                });
                quiet &= packets.is_empty();
                for p in &packets {
                    self.stacks[1 - from].receive(self.now, p, RxChecksum::Good, None);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.settle();
            let next = self.stacks.iter().filter_map(Stack::next_deadline).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            for s in &mut self.stacks {
                s.on_deadline(self.now);
            }
        }
        self.now = end;
    }
}

impl Link {
    /// Opens connections, to as many listeners as their ports need.
    fn connect(&mut self, count: usize) -> Vec<(ConnId, ConnId)> {
        let mut all = Vec::with_capacity(count);
        for port in 1000.. {
            let addr = format!("10.0.0.2:{port}").parse().expect("an address");
            let l = self.stacks[1].listen(addr, ListenOptions::default()).expect("a free port");
            for _ in 0..(count - all.len()).min(50_000) {
                let to = ConnectOptions::default();
                let c = self.stacks[0].connect(self.now, addr, to).expect("a port");
                self.settle();
                all.push((c, self.stacks[1].accept(l).expect("listener").expect("one")));
            }
            if all.len() == count {
                return all;
            }
        }
        all
    }
}

/// Everything that 100,000 idle connections hold on both sides: cells, tables, wheel, ports.
#[test]
fn an_idle_connection_costs_a_kibioctet() {
    const MANY: usize = 100_000;
    let _alone = ALONE.lock().expect("no test has failed");
    let mut link = Link::new();
    let before = HEAP.held();
    let mut all = link.connect(MANY);
    all.shrink_to_fit();
    let own = heap::true_size(all.capacity() * size_of::<(ConnId, ConnId)>());
    link.wait(Duration::from_secs(5));
    let fresh = (HEAP.held() - before - own) / MANY / 2;
    // All of them talk once, both ways, and fall silent.
    let mut buf = [0; 4096];
    for (c, s) in &all {
        for (n, from, to) in [(0, *c, *s), (1, *s, *c)] {
            let now = link.now;
            link.stacks[n].write(now, from, &[1; 3000]).expect("room");
            link.settle();
            let mut got = 0;
            while got < 3000 {
                got += link.stacks[1 - n].read(link.now, to, &mut buf).expect("text");
                link.settle();
            }
        }
    }
    link.wait(Duration::from_secs(5));
    let used = (HEAP.held() - before - own) / MANY / 2;
    println!("octets of an idle connection at {MANY}: {fresh} fresh, {used} after it has talked");
    assert!(fresh <= 1024, "{fresh}");
    // What stays is the ledger of what it has done, and nothing else.
    assert!(used <= 1024 + 384, "{used}");
}

/// What the account says is what the allocator says, also for the most wasteful of writers and
/// peers.
#[test]
fn the_account_is_true() {
    let _alone = ALONE.lock().expect("no test has failed");
    for (what, piece, pieces) in [("single octets", 1, 200_000), ("kibioctets", 1024, 200)] {
        let mut link = Link::new();
        let all = link.connect(4);
        link.settle();
        let (held, account) = (HEAP.held(), link.stacks[0].memory().charged);
        for (c, _) in &all {
            for _ in 0..pieces {
                // By reference where that is possible, and sent at once.
                let cell = link.stacks[0].connection_cell(*c).expect("alive");
                let mut data = bytes::Bytes::from(vec![7; piece]);
                if cell.write_bytes(link.now, &mut data).is_err() {
                    break;
                }
            }
        }
        let held = HEAP.held().saturating_sub(held);
        let account = link.stacks[0].memory().charged - account;
        println!("{what}: {account} octets charged, {held} allocated");
        assert!(account as f64 >= held as f64 * 0.85, "{what}: {account} charged, {held} held");
    }
}
