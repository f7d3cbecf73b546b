//! What usual kinds of bad network are there? Link configurations by name, for tests and tools
//! that run the same scenario over all of them.
//!
//! A profile is meant for both directions. Whoever sends over one must keep to its `mtu`:
//! longer packets vanish without an ICMP message.

use std::time::Duration;

use tcp_core::Instant;

use crate::link::{LinkConfig, QueueLimit};

type Maker = fn() -> LinkConfig;

/// The names and makers of all profiles.
const PROFILES: [(&str, Maker); 10] = [
    ("clean", clean),
    ("loss5", || clean().loss(0.05)),
    ("reorder20", || clean().reorder(0.2, Duration::from_millis(4)).rate(MODEST_RATE)),
    ("duplicate5", || clean().duplicate(0.05)),
    ("corrupt1", || clean().corrupt(0.01)),
    ("bursts", || clean().burst_loss(0.005, 0.2, 0.8)),
    ("outage3s", outage3s),
    ("mtu576", || clean().mtu(576)),
    ("jumbo65535", || clean().mtu(65_535)),
    ("all_together", all_together),
];

/// Slow enough that packets follow each other at a distance (1.2 ms at 1,500 bytes) and a
/// megabyte takes close to a second.
const MODEST_RATE: u64 = 10_000_000;

/// The profile of that name: `clean`, `loss5` (5 %), `reorder20` (20 % held back by 4 ms at
/// 10 Mbit/s), `duplicate5`, `corrupt1`, `bursts` (about 2 % in groups of five), `outage3s` (from
/// 0.5 s on, at 10 Mbit/s), `mtu576`, `jumbo65535`, `all_together`. All have a delay of 10 ms,
/// and an MTU of 1,500 bytes unless named otherwise.
///
/// ```
/// let lossy = tcp_sim::profile("loss5").unwrap();
/// assert_eq!((lossy.loss, lossy.delay.as_millis(), lossy.mtu), (0.05, 10, 1500));
/// assert_eq!(tcp_sim::profile("perfect"), None);
/// ```
pub fn profile(name: &str) -> Option<LinkConfig> {
    all().find(|(known, _)| *known == name).map(|(_, config)| config)
}

/// All profiles with their names, from good to bad.
///
/// ```
/// use tcp_sim::{Link, profiles};
///
/// for (name, config) in profiles::all() {
///     let link = Link::new(config, 1);
///     assert!(link.config().mtu >= 576, "{name}");
/// }
/// assert_eq!(profiles::all().next().unwrap().0, "clean");
/// ```
pub fn all() -> impl Iterator<Item = (&'static str, LinkConfig)> {
    PROFILES.iter().map(|(name, make)| (*name, make()))
}

fn clean() -> LinkConfig {
    LinkConfig::default().delay(Duration::from_millis(10)).mtu(1_500)
}

fn outage3s() -> LinkConfig {
    let (from, until) = (Instant::from_millis(500), Instant::from_millis(3_500));
    clean().rate(MODEST_RATE).outage(from, until)
}

fn all_together() -> LinkConfig {
    outage3s()
        .jitter(Duration::from_millis(5))
        .queue(QueueLimit::Packets(50))
        .loss(0.02)
        .burst_loss(0.005, 0.2, 0.8)
        .reorder(0.1, Duration::from_millis(6))
        .duplicate(0.05)
        .corrupt(0.01)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_profile() {
        for (name, config) in all() {
            assert_eq!(profile(name), Some(config), "{name}");
        }
        assert_eq!(all().count(), 10);
        assert_eq!(profile("perfect"), None);
    }

    #[test]
    fn names_keep_their_promise() {
        let of = |name| profile(name).unwrap();
        assert_eq!(of("loss5").loss, 0.05);
        assert_eq!(of("reorder20").reorder.unwrap().probability, 0.2);
        assert_eq!(of("duplicate5").duplicate, 0.05);
        assert_eq!(of("corrupt1").corrupt, 0.01);
        assert_eq!(of("mtu576").mtu, 576);
        assert_eq!(of("jumbo65535").mtu, 65_535);
        let outage = of("outage3s").outages[0].clone();
        assert_eq!(outage.end.since(outage.start), Duration::from_secs(3));
        let bursts = of("bursts").burst_loss.unwrap();
        let mean = bursts.loss * bursts.enter / (bursts.enter + bursts.leave);
        assert!((0.015..0.025).contains(&mean));
    }
}
