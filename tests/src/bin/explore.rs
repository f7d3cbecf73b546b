//! Explores every interleaving of two small applications, their packets and their timers.
//!
//! `cargo run --release -p stack-tests --bin explore -- --losses 3`

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};
use std::time::Instant;

use clap::Parser;
use stack_tests::explore::{Bounds, Outcome, Scenario, scenarios, search};
use tcp_core::SeqNum;

/// No invariant fails in any state that two ends can come to. A failure prints a shortest
/// conversation that leads to it.
#[derive(Parser)]
struct Args {
    /// Packets that may be lost, doubled or overtaken, in one conversation.
    #[arg(long, default_value_t = 2)]
    losses: u8,
    /// Segments that each application writes at most.
    #[arg(long, default_value_t = 1)]
    writes: usize,
    /// Tries steps of the two ends in every order, even where it makes no difference to either.
    #[arg(long)]
    every_order: bool,
    /// With timestamps, which tell many more states apart.
    #[arg(long)]
    timestamps: bool,
    /// Initial sequence number of both ends. The count of states depends on it only where the window
    /// contains 0, the number of a reset of a closed port (RFC 9293 3.10.7.1); where a late one is
    /// exactly RCV.NXT, it resets a connection that it was not meant for, as the RFC has it.
    #[arg(long, default_value_t = 0x7fff_fffd)]
    isn: u32,
    /// Only pairs of plans whose description contains this text.
    #[arg(long)]
    only: Option<String>,
    /// A line for each pair of plans.
    #[arg(long)]
    each: bool,
    /// Threads [default: one for each processor].
    #[arg(long)]
    jobs: Option<usize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let bounds = Bounds {
        writes: args.writes,
        disruptions: args.losses,
        timestamps: args.timestamps,
        every_order: args.every_order,
        isns: [SeqNum(args.isn), SeqNum(args.isn)],
    };
    let wanted = |s: &Scenario| args.only.as_ref().is_none_or(|t| s.to_string().contains(t));
    let all: Vec<_> = scenarios(bounds).into_iter().filter(wanted).collect();
    let jobs = args.jobs.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let began = Instant::now();
    let (next, total, failures) =
        (AtomicUsize::new(0), Mutex::new(Outcome::default()), AtomicUsize::new(0));
    let work = || {
        while let Some(s) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            match search(s) {
                Ok(outcome) => {
                    if args.each {
                        println!(
                            "{:>9} states {:>10} transitions  {s}",
                            outcome.states, outcome.transitions
                        );
                    }
                    if let Ok(mut t) = total.lock() {
                        t.add(outcome);
                    }
                }
                Err(failure) => {
                    println!("{failure}");
                    failures.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
    let (t, failed) = (total.into_inner().unwrap_or_default(), failures.into_inner());
    println!(
        "{} pairs of plans, {failed} failed: {} states ({} of one end), {} transitions, {} final states, depth {}, {:.1} s",
        all.len(),
        t.states,
        t.local,
        t.transitions,
        t.finals,
        t.depth,
        began.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
