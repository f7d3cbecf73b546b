//! Sends the same raw segments to our stack and to the machine's kernel and prints where they
//! differ. As root: `cargo run --release -p stack-tests --bin differ -- --seed 1 --cases 20000`

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the kernel's end of this comparison is Linux's");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::process::ExitCode;
    use std::thread::{self, available_parallelism};
    use std::time::{Duration, Instant};

    use clap::Parser;
    use stack_tests::differ::{Case, Differ, Tally, random, rows};

    /// The same segments to both; a difference that nothing explains is printed, made short, and
    /// fails the run. Needs root and /dev/net/tun.
    #[derive(Parser, Clone)]
    struct Args {
        /// Seed of the first random case; the next has the next seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many random cases.
        #[arg(long, default_value_t = 1000)]
        cases: u64,
        /// Play the table too: every so manieth row, 1 for all, 0 for none.
        #[arg(long, default_value_t = 0)]
        rows: usize,
        /// Stop after so many seconds.
        #[arg(long)]
        seconds: Option<u64>,
        /// Print every case, whether it differs or not.
        #[arg(long)]
        print: bool,
        /// Print one case of this many classes of unexplained differences.
        #[arg(long, default_value_t = 20)]
        show: usize,
        /// Print one case of the explained difference whose name contains this.
        #[arg(long)]
        known: Option<String>,
        /// Threads [default: one for each processor].
        #[arg(long)]
        jobs: Option<usize>,
    }

    pub(super) fn main() -> ExitCode {
        let args = Args::parse();
        let jobs = args.jobs.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
        let end = args.seconds.map(|s| Instant::now() + Duration::from_secs(s));
        let began = Instant::now();
        let mut cases = if args.rows > 0 { rows(args.rows) } else { Vec::new() };
        cases.extend((args.seed..args.seed + args.cases).map(random));
        let total = thread::scope(|scope| {
            let threads: Vec<_> = (0..jobs)
                .map(|job| {
                    let mine = cases.iter().skip(job).step_by(jobs);
                    let args = &args;
                    scope.spawn(move || play(mine, args, end))
                })
                .collect();
            let tallies = threads.into_iter().map(|t| t.join().expect("a thread that ends well"));
            tallies.reduce(Tally::merge).unwrap_or_default()
        });
        print!("{total}");
        println!("{:.1} s", began.elapsed().as_secs_f64());
        if total.different.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn play<'a>(cases: impl Iterator<Item = &'a Case>, args: &Args, end: Option<Instant>) -> Tally {
        let mut differ = Differ::new();
        let mut tally = Tally::default();
        let (mut shown, mut classes) = (0, HashSet::new());
        for case in cases {
            if end.is_some_and(|end| Instant::now() >= end) {
                break;
            }
            let report = differ.run(case);
            tally.count(case, &report);
            let known = args.known.as_ref();
            let wanted = known.is_some_and(|name| report.known().any(|k| k.name.contains(name)));
            let new = report.class().is_some_and(|class| classes.insert(class));
            if new && shown < args.show {
                shown += 1;
                let small = differ.shrink(case);
                println!("{}\n{}", small.heading(), differ.run(&small));
            } else if args.print || wanted && shown < args.show {
                shown += usize::from(wanted);
                println!("{}\n{report}", case.heading());
            }
        }
        tally
    }
}
