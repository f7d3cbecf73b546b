//! How much memory may all buffers hold together, and who may have more when it runs short? A
//! shared account with the three marks of Linux's `tcp_mem`. Each connection's part of it is
//! `account`'s; what a connection gives back under pressure is `connection/memory.rs`'s affair.
//!
//! The account is a handful of atomics behind an `Arc`: no lock, and no atomic write as long as a
//! connection's buffers keep their size.

mod account;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

pub(crate) use account::Account;

/// Octets that each direction of each connection may hold however short memory is, so that every
/// connection gets on, unless the configuration says otherwise. Linux: `SK_MEM_QUANTUM`, the least
/// of `tcp_rmem` and `tcp_wmem`.
pub const GUARANTEED: usize = 4096;

/// The part of a sender's guarantee that is not for text: the first records of its scoreboard.
/// Without them nothing could be sent.
pub(crate) const FOR_RECORDS: usize = 256;

/// Less than this is not handed out, in octets: it would wake a writer for next to nothing.
const CRUMB: usize = 1024;

/// The marks of the account, in octets (Linux: `tcp_mem`, there in pages).
///
/// ```
/// use tcp_core::memory::MemoryLimits;
///
/// let limits = MemoryLimits::at_most(12 << 20);
/// assert_eq!(limits, MemoryLimits { low: 6 << 20, pressure: 8 << 20, high: 12 << 20 });
/// // Pressure that ends later:
/// let limits = MemoryLimits { low: 2 << 20, ..limits };
/// assert!(limits.low < limits.pressure);
/// assert_eq!(MemoryLimits::default().high, 768 << 20);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryLimits {
    /// Pressure ends when no more than this is held.
    pub low: usize,
    /// Pressure begins when more than this is held.
    pub pressure: usize,
    /// The budget. Buffers stop growing at seven eighths of it, but for the [`GUARANTEED`] part of
    /// each connection: the tables over them, which grow with what is sent, need the rest.
    pub high: usize,
}

impl MemoryLimits {
    /// No limit.
    pub const UNLIMITED: MemoryLimits =
        MemoryLimits { low: usize::MAX, pressure: usize::MAX, high: usize::MAX };

    /// At most `octets`, with pressure from two thirds of them on, until a half: the proportions
    /// that Linux chooses (which takes 3/32 of the machine's memory for `high`).
    pub const fn at_most(octets: usize) -> MemoryLimits {
        MemoryLimits { low: octets / 2, pressure: octets / 3 * 2, high: octets }
    }
}

impl Default for MemoryLimits {
    /// 768 MiB, with pressure from 512 MiB on: what Linux chooses on a machine with 8 GiB.
    fn default() -> MemoryLimits {
        MemoryLimits::at_most(768 << 20)
    }
}

/// How short memory is.
///
/// ```
/// use tcp_core::memory::{Level, Memory, MemoryLimits};
#[doc = include_str!("../doc/established.rs")]
///
/// let memory = Memory::new(MemoryLimits { low: 8 << 10, pressure: 16 << 10, high: 1 << 20 });
/// client.join_memory(&memory);
/// client.write(now, &[0; 4 << 10])?;
/// assert_eq!(memory.level(), Level::Low);
/// client.write(now, &[0; 32 << 10])?;
/// assert_eq!(memory.level(), Level::Pressure);
/// assert!(Level::Low < Level::Pressure && Level::Pressure < Level::High);
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// There is enough.
    Low,
    /// Buffers grow only up to a fair share, and give back what they don't need.
    Pressure,
    /// Nothing grows but each connection's guaranteed part.
    High,
}

/// What the account says, for tables.
///
/// ```
/// use tcp_core::memory::{Memory, MemoryLimits};
#[doc = include_str!("../doc/established.rs")]
///
/// // No buffer grows beyond seven eighths of the budget: 56 KiB.
/// let memory = Memory::new(MemoryLimits::at_most(64 << 10));
/// client.join_memory(&memory);
/// let written = client.write(now, &[0; 128 << 10])?;
/// let info = memory.info();
/// assert!(written <= info.charged && info.charged <= 56 << 10);
/// assert_eq!((info.holders, info.pressures), (1, 1));
/// assert!(info.refusals > 0, "more was asked for");
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryInfo {
    /// Octets held by the buffers of all connections: whole allocations.
    pub charged: usize,
    /// Connections whose buffers are charged to the account, those among them that hold nothing yet.
    pub holders: usize,
    /// How short memory is.
    pub level: Level,
    /// The marks.
    pub limits: MemoryLimits,
    /// Times that pressure began (Linux: `TCPMemoryPressures`).
    pub pressures: usize,
    /// Times that a buffer was not allowed to grow.
    pub refusals: usize,
    /// Octets of out-of-order text dropped to free memory (Linux: `OfoPruned`).
    pub pruned: usize,
    /// Connections reset at their close since memory was full (Linux: `TCPAbortOnMemory`).
    pub aborts: usize,
}

/// The account of one stack, shared by its connections.
///
/// ```
/// use tcp_core::memory::{Level, Memory, MemoryLimits};
#[doc = include_str!("../doc/established.rs")]
///
/// let memory = Memory::new(MemoryLimits::at_most(16 << 20));
/// client.join_memory(&memory);
/// server.join_memory(&memory);
/// client.write(now, &[0; 10_000])?;
/// assert!(memory.info().charged >= 10_000);
/// assert_eq!((memory.info().holders, memory.level()), (2, Level::Low));
///
/// // Each connection can see that somebody waits, without asking the stack.
/// memory.set_awaited(true);
/// assert!(memory.is_awaited() && server.memory_is_awaited());
///
/// // What a connection held goes back with it.
/// drop((client, server));
/// assert_eq!((memory.info().charged, memory.info().holders), (0, 0));
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
#[derive(Debug)]
pub struct Memory {
    limits: MemoryLimits,
    /// Where buffers stop growing.
    full: usize,
    charged: AtomicUsize,
    holders: AtomicUsize,
    /// Pressure has begun and not ended.
    pressed: AtomicBool,
    /// Somebody waits until memory comes free.
    awaited: AtomicBool,
    pressures: AtomicUsize,
    refusals: AtomicUsize,
    pruned: AtomicUsize,
    aborts: AtomicUsize,
}

impl Memory {
    /// An empty account. Marks out of order are raised to the one below.
    pub fn new(limits: MemoryLimits) -> Arc<Memory> {
        let pressure = limits.pressure.max(limits.low);
        let high = limits.high.max(pressure);
        Arc::new(Memory {
            limits: MemoryLimits { pressure, high, ..limits },
            full: (high - high / 8).max(pressure),
            charged: AtomicUsize::new(0),
            holders: AtomicUsize::new(0),
            pressed: AtomicBool::new(false),
            awaited: AtomicBool::new(false),
            pressures: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
            pruned: AtomicUsize::new(0),
            aborts: AtomicUsize::new(0),
        })
    }

    /// How short memory is now.
    #[inline]
    pub fn level(&self) -> Level {
        self.level_at(self.charged.load(Relaxed))
    }

    /// A snapshot.
    pub fn info(&self) -> MemoryInfo {
        MemoryInfo {
            charged: self.charged.load(Relaxed),
            holders: self.holders.load(Relaxed),
            level: self.level(),
            limits: self.limits,
            pressures: self.pressures.load(Relaxed),
            refusals: self.refusals.load(Relaxed),
            pruned: self.pruned.load(Relaxed),
            aborts: self.aborts.load(Relaxed),
        }
    }

    /// Notes whether somebody waits until memory comes free; see [`is_awaited`](Self::is_awaited).
    pub fn set_awaited(&self, awaited: bool) {
        if self.is_awaited() != awaited {
            self.awaited.store(awaited, Relaxed);
        }
    }

    /// Whether who frees memory should tell the stack.
    #[inline]
    pub fn is_awaited(&self) -> bool {
        self.awaited.load(Relaxed)
    }

    /// Keeps the hysteresis by looking: whoever sees the account beyond a mark moves the state.
    #[inline]
    fn level_at(&self, charged: usize) -> Level {
        let pressed = self.pressed.load(Relaxed);
        if charged > self.limits.pressure {
            if !pressed && !self.pressed.swap(true, Relaxed) {
                self.pressures.fetch_add(1, Relaxed);
            }
            return if charged >= self.full { Level::High } else { Level::Pressure };
        }
        if !pressed {
            return Level::Low;
        }
        if charged <= self.limits.low {
            self.pressed.store(false, Relaxed);
            return Level::Low;
        }
        Level::Pressure
    }

    /// What every connection may hold while memory is short, as on Linux: an equal part.
    fn share(&self) -> usize {
        self.limits.high / self.holders.load(Relaxed).max(1)
    }

    /// How much more a connection may hold that holds `held` octets.
    fn allowance(&self, charged: usize, held: usize) -> usize {
        let room = self.full.saturating_sub(charged);
        let allowed = match self.level_at(charged) {
            Level::Low => room,
            Level::Pressure => room.min(self.share().saturating_sub(held)),
            Level::High => 0,
        };
        if allowed < CRUMB { 0 } else { allowed }
    }

    /// Charges between `least` and `wanted` octets to a connection that holds `held`; returns how
    /// many, or zero.
    fn reserve(&self, held: usize, least: usize, wanted: usize) -> usize {
        let mut granted = 0;
        let _ = self.charged.fetch_update(Relaxed, Relaxed, |charged| {
            granted = self.allowance(charged, held).min(wanted);
            if granted < least {
                granted = 0;
            }
            (granted > 0).then(|| charged + granted)
        });
        if granted < wanted {
            self.refusals.fetch_add(1, Relaxed);
        }
        granted
    }

    fn reserve_for_table(&self, wanted: usize) -> bool {
        let below = |charged: usize| charged.checked_add(wanted).filter(|n| *n <= self.limits.high);
        let granted = self.charged.fetch_update(Relaxed, Relaxed, below).is_ok();
        if !granted {
            self.refusals.fetch_add(1, Relaxed);
        }
        granted
    }
}
