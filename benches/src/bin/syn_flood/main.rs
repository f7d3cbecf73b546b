//! What does a SYN of a flood cost, and do honest clients get in beside it? Our stack alone, over
//! the memory link, and on a TUN device, and Linux with the same packets. The last two need root
//! and run in network namespaces of their own; all of it takes about a minute.

mod alone;
mod memory;
mod tun;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use stack_tests::beside_flood::Seen;

/// Measures SYN floods.
#[derive(Parser, Debug)]
struct Args {
    /// Only over the memory link, which needs no root.
    #[arg(long, conflicts_with_all = ["tun", "cost"])]
    memory: bool,
    /// Only honest clients on TUN devices, ours and Linux's.
    #[arg(long, conflicts_with = "cost")]
    tun: bool,
    /// Only the CPU time of a SYN.
    #[arg(long)]
    cost: bool,
    /// SYNs of the measurements that count them.
    #[arg(long, default_value_t = 300_000)]
    syns: u32,
    /// Milliseconds of each flood beside honest clients.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    millis: u64,
    /// Flood SYNs a second beside honest clients on TUN; 0 is as many as one thread can send.
    #[arg(long, value_delimiter = ',', default_value = "20000,100000,200000,0")]
    rates: Vec<u64>,
    /// Packets that wait in front of the server on TUN (`txqueuelen`).
    #[arg(long, default_value_t = 2000)]
    queue: u32,
}

const PORT: u16 = 80;
const SYN_BACKLOG: usize = 256;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("syn-flood: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let all = !(args.memory || args.tun || args.cost);
    let flood = Duration::from_millis(args.millis);
    if all || args.cost {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| e.to_string())?.block_on(alone::run(args.syns))?;
    }
    if all || args.memory {
        memory::run(flood)?;
    }
    if all || args.tun {
        tun::run(flood, &args.rates, args.queue)?;
    }
    Ok(())
}

fn per_packet(cpu: Duration, packets: u64) -> f64 {
    cpu.as_nanos() as f64 / packets.max(1) as f64
}

/// The wait that this share of those who connected did not exceed.
fn wait(seen: &Seen, share: f64) -> String {
    match seen.connects.is_empty() {
        true => "nobody".to_owned(),
        false => format!("{:?}", seen.quantile(share)),
    }
}
