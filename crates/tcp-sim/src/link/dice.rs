//! What befalls this packet? The random draws of a link, each kind from its own stream.
//! Separate streams keep failures stable: adding duplicates to a configuration does not change
//! which packets are lost, so that one can take a failing network apart knob by knob.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use tcp_core::Instant;

use super::config::{BurstLoss, LinkConfig};

/// All streams of one link.
#[derive(Debug)]
pub(super) struct Dice {
    loss: SmallRng,
    burst: SmallRng,
    duplicate: SmallRng,
    in_burst: bool,
    /// When the chain last moved.
    burst_at: Instant,
    /// Draws for the packet itself.
    pub(super) original: CopyDice,
    /// Draws for its duplicate.
    pub(super) extra: CopyDice,
}

/// The streams for what happens to each copy of a packet.
#[derive(Debug)]
pub(super) struct CopyDice {
    jitter: SmallRng,
    reorder: SmallRng,
    corrupt: SmallRng,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        let stream = |n: u64| SmallRng::seed_from_u64(mix(seed, n));
        let copy =
            |n: u64| CopyDice { jitter: stream(n), reorder: stream(n + 1), corrupt: stream(n + 2) };
        Dice {
            loss: stream(0),
            burst: stream(1),
            duplicate: stream(2),
            in_burst: false,
            burst_at: Instant::ZERO,
            original: copy(3),
            extra: copy(6),
        }
    }

    pub(super) fn loses(&mut self, config: &LinkConfig) -> bool {
        chance(&mut self.loss, config.loss)
    }

    /// Moves the Gilbert-Elliott chain by one packet and says whether that packet is lost.
    pub(super) fn loses_in_burst(&mut self, now: Instant, burst: Option<&BurstLoss>) -> bool {
        let quiet = now.since(std::mem::replace(&mut self.burst_at, now));
        self.in_burst &= quiet < BurstLoss::MEMORY;
        let Some(burst) = burst else {
            self.in_burst = false;
            return false;
        };
        let change = if self.in_burst { burst.leave } else { burst.enter };
        self.in_burst ^= chance(&mut self.burst, change);
        // Drawn in both states, so that the number of draws does not depend on the state.
        let lost = chance(&mut self.burst, burst.loss);
        lost && self.in_burst
    }

    pub(super) fn duplicates(&mut self, config: &LinkConfig) -> bool {
        chance(&mut self.duplicate, config.duplicate)
    }
}

impl CopyDice {
    /// A random part of `most`.
    pub(super) fn jitter(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.jitter.random_range(0..=most))
    }

    pub(super) fn reorders(&mut self, probability: f64) -> bool {
        chance(&mut self.reorder, probability)
    }

    /// Flips 1 to 3 bits with the probability given; says whether it did.
    pub(super) fn corrupts(&mut self, probability: f64, packet: &mut [u8]) -> bool {
        if !chance(&mut self.corrupt, probability) || packet.is_empty() {
            return false;
        }
        // RFC 1071: two flips in one column of the checksum may cancel. At most three changes
        // by different powers of two below 2^16 can't sum up to a multiple of 2^16 - 1.
        let mut columns = 0u16;
        for _ in 0..self.corrupt.random_range(1..=3) {
            let bit = self.corrupt.random_range(0..packet.len() * 8);
            let column = 1u16 << (bit % 16);
            if columns & column == 0 {
                columns |= column;
                packet[bit / 8] ^= 1 << (bit % 8);
            }
        }
        true
    }
}

/// One draw, always; true with probability `p`. Never for NaN, always from 1 on.
fn chance(rng: &mut SmallRng, p: f64) -> bool {
    rng.random::<f64>() < p
}

/// A seed for the `n`th stream below `seed`; neighbouring inputs give unrelated outputs.
pub(crate) fn mix(seed: u64, n: u64) -> u64 {
    // The finalizer of the SplitMix64 generator.
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
