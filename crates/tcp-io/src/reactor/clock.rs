//! Whose time does a stack run on? That of the tokio runtime around the caller, which tests may
//! pause, or the machine's, for a stack that several runtimes use.

use std::time::Duration;

use tcp_core::Instant;

/// When the stack's clock stood at zero, on the clock that it follows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clock {
    /// tokio's, which is paused and moved in tests.
    Runtime(tokio::time::Instant),
    /// The machine's: a runtime with a paused clock must not hold up the others.
    Machine(std::time::Instant),
}

impl Clock {
    pub(super) fn now(self) -> Instant {
        let since = match self {
            Clock::Runtime(origin) => tokio::time::Instant::now().duration_since(origin),
            Clock::Machine(origin) => origin.elapsed(),
        };
        Instant::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// When a sleep until `at` ends.
    pub(super) fn sleep_until(self, at: Instant) -> tokio::time::Instant {
        let origin = match self {
            Clock::Runtime(origin) => origin,
            Clock::Machine(origin) => tokio::time::Instant::from_std(origin),
        };
        origin + Duration::from_nanos(at.as_nanos())
    }
}
