//! Runs the simulator matrix over many seeds: every profile of a bad network, every kind of run.
//!
//! `cargo run --release -p stack-tests --bin matrix -- --seeds 1000`

use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use stack_tests::matrix::{Batch, Kind, Summary};
use tcp_sim::profiles;

/// Exact octets and right states over every kind of bad network, for many seeds. The seed of a
/// failing run is printed with its last packets; `--first SEED --seeds 1` repeats it.
#[derive(Parser)]
struct Args {
    /// How many seeds of each profile and kind.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Only this profile; may be given several times.
    #[arg(long)]
    profile: Vec<String>,
    /// Only this kind of run; may be given several times.
    #[arg(long, value_enum)]
    kind: Vec<Kind>,
    /// MiB each way of a transfer.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    mib: u64,
    /// Threads [default: one for each processor].
    #[arg(long)]
    jobs: Option<usize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let jobs = args.jobs.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let kinds = if args.kind.is_empty() { Kind::value_variants() } else { &args.kind };
    let known: Vec<_> = profiles::all().collect();
    if let Some(name) = args.profile.iter().find(|p| known.iter().all(|(k, _)| k != p)) {
        let names: Vec<_> = known.iter().map(|(k, _)| *k).collect();
        eprintln!("no profile `{name}`; there are {}", names.join(", "));
        return ExitCode::from(2);
    }
    let mut failures = 0;
    for &kind in kinds {
        println!("{}", heading(kind));
        for (name, link) in &known {
            if !args.profile.is_empty() && !args.profile.iter().any(|p| p == name) {
                continue;
            }
            let began = Instant::now();
            let (first, seeds, octets) = (args.first, args.seeds, args.mib << 20);
            let summary = Batch { kind, link: link.clone(), first, seeds, octets, jobs }.run();
            print(name, kind.octets(octets), &summary, began);
            failures += summary.failed.len();
        }
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn heading(kind: Kind) -> String {
    format!(
        "{kind:?}\n{:14} {:>6} {:>7} {:>10} {:>10} {:>8} {:>9} {:>9} {:>8}",
        "profile", "ran", "failed", "median", "slowest", "seed", "Mbit/s", "least", "wall"
    )
}

fn print(name: &str, octets: u64, s: &Summary, began: Instant) {
    let (slowest, seed) = s.slowest().unwrap_or_default();
    let (rate, least) = s.goodput(octets);
    println!(
        "{name:14} {:>6} {:>7} {:>9.3}s {:>9.3}s {seed:>8} {rate:>9.2} {least:>9.2} {:>7.1}s",
        s.times.len() + s.failed.len(),
        s.failed.len(),
        s.median().as_secs_f64(),
        slowest.as_secs_f64(),
        began.elapsed().as_secs_f64(),
    );
    if !s.failed.is_empty() {
        println!("    failed seeds: {:?}", s.failed);
    }
    let outliers: Vec<_> = s.outliers().collect();
    if !outliers.is_empty() {
        let worst: Vec<_> = outliers.iter().rev().take(3).map(|(_, seed)| *seed).collect();
        println!("    over 10 medians: {}, the slowest with seeds {worst:?}", outliers.len());
    }
}
