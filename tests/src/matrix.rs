//! Does it hold for a thousand seeds? Runs what is asked for over many seeds on several threads,
//! and sums up: failures, goodput and outliers of each profile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tcp_sim::LinkConfig;

use crate::closing::{half_close, reset, simultaneous_close};
use crate::scenario::Scenario;
use crate::transfer::transfer;

/// Octets each way where the closing is what counts.
const SHORT: u64 = 64 << 10;

/// Octets each way of a run that is cut off: more than any buffer on the way holds.
const LONG: u64 = 1 << 20;

/// A run that took this many times the median is told.
const OUTLIER: u32 = 10;

/// What happens in a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Kind {
    /// A transfer both ways at once.
    Transfer,
    /// The server answers after the client's close.
    HalfClose,
    /// The client aborts in the middle.
    Reset,
    /// Both close at the same instant.
    SimultaneousClose,
}

impl Kind {
    /// Octets each way of such a run, when a transfer is of `transfer` octets.
    pub fn octets(self, transfer: u64) -> u64 {
        match self {
            Kind::Transfer => transfer,
            Kind::Reset => LONG,
            Kind::HalfClose | Kind::SimultaneousClose => SHORT,
        }
    }

    /// Runs it and returns the virtual time it took.
    ///
    /// # Panics
    /// If anything is not as it must be; the seed and the last packets are printed.
    pub fn run(self, scenario: &Scenario) -> Duration {
        match self {
            Kind::Transfer => transfer(scenario),
            Kind::HalfClose => half_close(scenario),
            Kind::Reset => reset(scenario),
            Kind::SimultaneousClose => simultaneous_close(scenario, |_| {}),
        }
    }
}

/// Many runs of one kind over one link.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What happens in each.
    pub kind: Kind,
    /// Over what.
    pub link: LinkConfig,
    /// The first seed.
    pub first: u64,
    /// How many seeds.
    pub seeds: u64,
    /// Octets each way of a transfer.
    pub octets: u64,
    /// Threads.
    pub jobs: usize,
}

/// What came of a batch.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds that failed.
    pub failed: Vec<u64>,
    /// Virtual time of the others with their seeds, shortest first.
    pub times: Vec<(Duration, u64)>,
}

impl Batch {
    /// Runs all seeds. A failing one prints its seed and its last packets to standard error.
    pub fn run(&self) -> Summary {
        let next = AtomicU64::new(self.first);
        let summary = Mutex::new(Summary::default());
        thread::scope(|s| {
            for _ in 0..self.jobs.max(1) {
                s.spawn(|| self.work(&next, &summary));
            }
        });
        let mut summary = summary.into_inner().expect("no thread died");
        summary.times.sort_unstable();
        summary.failed.sort_unstable();
        summary
    }

    fn work(&self, next: &AtomicU64, summary: &Mutex<Summary>) {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.first + self.seeds {
                return;
            }
            let scenario =
                Scenario::of_seed(seed, self.link.clone(), self.kind.octets(self.octets));
            let result = catch_unwind(AssertUnwindSafe(|| self.kind.run(&scenario)));
            let mut summary = summary.lock().expect("no thread died");
            match result {
                Ok(took) => summary.times.push((took, seed)),
                Err(_) => summary.failed.push(seed),
            }
        }
    }
}

impl Summary {
    /// The median time; zero if every seed failed.
    pub fn median(&self) -> Duration {
        self.times.get(self.times.len() / 2).map_or(Duration::ZERO, |t| t.0)
    }

    /// The longest time and its seed.
    pub fn slowest(&self) -> Option<(Duration, u64)> {
        self.times.last().copied()
    }

    /// Times and seeds far from the median.
    pub fn outliers(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let limit = self.median() * OUTLIER;
        self.times.iter().copied().filter(move |t| t.0 > limit)
    }

    /// Octets each way over the time of a run, in Mbit/s, as the median and the least.
    pub fn goodput(&self, octets: u64) -> (f64, f64) {
        let rate = |t: Duration| octets as f64 * 8.0 / t.as_secs_f64().max(1e-9) / 1e6;
        (rate(self.median()), rate(self.slowest().map_or(Duration::ZERO, |t| t.0)))
    }
}
