//! Which seed failed? Prints it when the test that holds the guard panics.
//! [`World`](crate::World) prints its own seed and packets; this guard is for the values a test
//! draws itself and for sweeps over many seeds.

use std::thread;

/// Prints a seed to standard error if dropped by a panic; silent otherwise.
///
/// ```
/// for seed in 0..3 {
///     let _seed = tcp_sim::SeedGuard::new(seed, "sweep");
///     // the body of the test
/// }
/// ```
#[derive(Debug)]
#[must_use = "the guard must live as long as the test; bind it to a name such as `_seed`"]
pub struct SeedGuard {
    seed: u64,
    label: String,
}

impl SeedGuard {
    /// Watches over `seed`; `label` says what the seed is for.
    pub fn new(seed: u64, label: impl Into<String>) -> SeedGuard {
        SeedGuard { seed, label: label.into() }
    }

    /// The seed, as given.
    ///
    /// ```
    /// let guard = tcp_sim::SeedGuard::new(42, "loss sweep");
    /// assert_eq!(guard.seed(), 42);
    /// ```
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn message(&self) -> String {
        format!("failed with seed {} ({})", self.seed, self.label)
    }
}

impl Drop for SeedGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.message());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_seed_and_its_use() {
        let guard = SeedGuard::new(99, "loss sweep");
        assert_eq!(guard.seed(), 99);
        assert_eq!(guard.message(), "failed with seed 99 (loss sweep)");
    }
}
