//! How many instructions does an octet cost in the stack alone? Two stacks, joined in memory, one
//! transfer of a fixed size under virtual time: nothing but the stacks runs, so that callgrind or
//! `perf stat` compares two builds to the instruction.
//!
//! ```sh
//! cargo build --release -p stack-benches --bin link-transfer
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/link-transfer --mib 16
//! ```

use clap::Parser;
use std::time::Duration;
use tcp_core::Instant;
use tcp_io::ConnId;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};

/// Carries octets from one stack to another.
#[derive(Debug, Parser)]
struct Options {
    /// Mebioctets to carry.
    #[arg(long, default_value_t = 16)]
    mib: usize,
    /// Octets of one write and one read.
    #[arg(long, default_value_t = 65_536)]
    block: usize,
    /// Packets of one round trip and one answer instead of a stream.
    #[arg(long)]
    ping_pong: Option<usize>,
    /// Super-segments of 64 KiB instead of packets of 1,500 octets.
    #[arg(long)]
    offload: bool,
}

/// Two stacks and their clock.
struct Link {
    stacks: [Stack; 2],
    now: Instant,
}

impl Link {
    fn new(offload: bool) -> Link {
        let stack = |n: u8| {
            let config = StackConfig {
                addresses: vec![format!("10.0.0.{n}/24").parse().expect("an address")],
                segmentation_offload: offload.then_some(65_535),
                checksum_offload: offload,
                ..StackConfig::default()
            };
            Stack::new(Instant::ZERO, config, [n; 32])
        };
        Link { stacks: [stack(1), stack(2)], now: Instant::ZERO }
    }

    /// Everything that one stack has to say reaches the other. Returns whether there was anything.
    fn carry(&mut self, from: usize) -> bool {
        let now = self.now;
        let mut packets = Vec::new();
        self.stacks[from].transmit(now, &mut |p| {
            packets.push(p.to_vec());
            packets.len() < 64
        });
        for p in &packets {
            self.stacks[1 - from].receive(now, p, RxChecksum::Good, Some(1448));
        }
        !packets.is_empty()
    }

    fn settle(&mut self) {
        while self.carry(0) | self.carry(1) {}
        self.now += Duration::from_micros(50);
        for s in &mut self.stacks {
            s.on_deadline(self.now);
        }
    }

    fn connect(&mut self) -> (ConnId, ConnId) {
        let addr = "10.0.0.2:80".parse().expect("an address");
        let l = self.stacks[1].listen(addr, ListenOptions::default()).expect("a free port");
        let c = self.stacks[0].connect(self.now, addr, ConnectOptions::default()).expect("a port");
        self.settle();
        (c, self.stacks[1].accept(l).expect("listener").expect("a connection"))
    }
}

fn stream(link: &mut Link, o: &Options) -> usize {
    let (c, s) = link.connect();
    let total = o.mib << 20;
    let data = vec![7; o.block];
    let mut buf = vec![0; o.block];
    let (mut written, mut read) = (0, 0);
    while read < total {
        let now = link.now;
        while written < total {
            let n = o.block.min(total - written);
            match link.stacks[0].write(now, c, &data[..n]) {
                Ok(n) => written += n,
                Err(_) => break,
            }
        }
        link.settle();
        while let Ok(n) = link.stacks[1].read(link.now, s, &mut buf) {
            read += n;
        }
    }
    read
}

fn ping_pong(link: &mut Link, rounds: usize) -> usize {
    let (c, s) = link.connect();
    let mut buf = [0; 64];
    let mut read = 0;
    for _ in 0..rounds {
        for (from, to) in [((0, c), (1, s)), ((1, s), (0, c))] {
            let now = link.now;
            link.stacks[from.0].write(now, from.1, &[1; 64]).expect("room");
            link.settle();
            read += link.stacks[to.0].read(link.now, to.1, &mut buf).expect("text");
        }
    }
    read
}

fn main() {
    let o = Options::parse();
    let mut link = Link::new(o.offload);
    let octets = match o.ping_pong {
        Some(rounds) => ping_pong(&mut link, rounds),
        None => stream(&mut link, &o),
    };
    let sent: u64 = link.stacks.iter().map(|s| s.counters().packets_out).sum();
    println!("{octets} octets in {sent} packets");
}
