//! Does a world move packets and time as promised? With a toy protocol: stop and wait over IPv4,
//! a counter that both ends raise in turn, repeated until answered.

use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::{LinkStats, profiles};

const RETRY: Duration = Duration::from_millis(200);

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// Alternates with its peer: answers `n` with `n + 1`, and repeats itself until answered.
struct PingPong {
    own: Ipv4Addr,
    peer: Ipv4Addr,
    /// What we said last; 0 for nothing yet.
    said: u32,
    /// Say it now.
    due: bool,
    retry: Option<Instant>,
    repeats: u32,
    refused: u32,
}

impl PingPong {
    fn new(own: u8, peer: u8, begins: bool) -> PingPong {
        PingPong {
            own: address(own),
            peer: address(peer),
            said: u32::from(begins),
            due: begins,
            retry: None,
            repeats: 0,
            refused: 0,
        }
    }

    fn packet(&self) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 253, 0, 0];
        packet.extend(self.own.octets());
        packet.extend(self.peer.octets());
        packet.extend(self.said.to_be_bytes());
        let sum = ones_sum(&packet);
        packet.extend([0, 0]);
        packet.extend((!sum).to_be_bytes());
        packet
    }

    fn heard(&self, packet: &[u8]) -> Option<u32> {
        let intact = packet.len() == 28 && ones_sum(packet) == 0xffff;
        intact.then(|| u32::from_be_bytes(packet[20..24].try_into().unwrap()))
    }
}

fn ones_sum(packet: &[u8]) -> u16 {
    let mut sum: u32 = packet.chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

impl Node for PingPong {
    fn receive(&mut self, _now: Instant, packet: &[u8]) {
        match self.heard(packet) {
            Some(n) if n == self.said + 1 => (self.said, self.due) = (n + 1, true),
            // The peer repeats itself: our answer was lost.
            Some(n) if n + 1 == self.said => self.due = true,
            Some(_) => {}
            None => self.refused += 1,
        }
    }

    fn transmit(&mut self, now: Instant, out: &mut dyn FnMut(Vec<u8>)) {
        if std::mem::take(&mut self.due) {
            out(self.packet());
            self.retry = Some(now + RETRY);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.retry
    }

    fn on_deadline(&mut self, _now: Instant) {
        self.retry = None;
        self.due = true;
        self.repeats += 1;
    }
}

fn pair(seed: u64, config: LinkConfig) -> World<PingPong> {
    let mut world = World::new(seed, config);
    world.add_node(PingPong::new(1, 2, true), &[address(1).into()]);
    world.add_node(PingPong::new(2, 1, false), &[address(2).into()]);
    world
}

fn play(world: &mut World<PingPong>, rounds: u32) -> bool {
    world.run_until(Instant::from_millis(600_000), |w| w.node(0).said > 2 * rounds)
}

#[test]
fn a_round_trip_takes_two_delays() {
    let config = LinkConfig::default().delay(Duration::from_millis(10));
    let mut world = pair(1, config);
    assert!(play(&mut world, 50));
    assert_eq!(world.now(), Instant::from_millis(50 * 20));
    assert_eq!(world.node(0).repeats + world.node(1).repeats, 0);
    assert_eq!(world.link(0, 1).stats().delivered, 50);
}

#[test]
fn ping_pong_survives_every_profile() {
    for (name, config) in profiles::all() {
        for seed in 0..5 {
            let _seed = crate::SeedGuard::new(seed, name);
            let mut world = pair(seed, config.clone());
            assert!(play(&mut world, 500), "{name} did not finish");
            assert_eq!(world.unroutable(), 0);
        }
    }
}

#[test]
fn all_together_is_really_bad() {
    let mut world = pair(4, profiles::profile("all_together").unwrap());
    assert!(play(&mut world, 1_000));
    assert!(world.node(0).repeats > 10 && world.node(1).repeats > 10);
    let refused = u64::from(world.node(0).refused + world.node(1).refused);
    let mut sum = LinkStats::default();
    for (_, stats) in world.link_stats() {
        sum.lost += stats.lost;
        sum.burst_lost += stats.burst_lost;
        sum.duplicated += stats.duplicated;
        sum.corrupted += stats.corrupted;
        sum.reordered += stats.reordered;
        sum.outage_dropped += stats.outage_dropped;
    }
    // RFC 1071: the checksum notices all damage (a few packets may still be on their way).
    assert!(refused > 0 && sum.corrupted - refused <= 2, "{refused} of {}", sum.corrupted);
    let LinkStats { lost, burst_lost, duplicated, reordered, outage_dropped, .. } = sum;
    assert!([lost, burst_lost, duplicated, reordered, outage_dropped].iter().all(|n| *n > 0));
}

#[test]
fn worlds_repeat_themselves() {
    let run = |seed| {
        let mut world = pair(seed, profiles::profile("all_together").unwrap());
        assert!(play(&mut world, 200));
        (world.now(), world.report())
    };
    assert_eq!(run(8), run(8));
    assert_ne!(run(8), run(9));
}

#[test]
fn both_directions_have_their_own_luck() {
    let mut world = pair(3, LinkConfig::default().loss(0.5));
    play(&mut world, 100);
    assert_ne!(world.link(0, 1).stats(), world.link(1, 0).stats());
}

#[test]
fn time_stops_at_the_limit() {
    let mut world = pair(1, LinkConfig::down());
    world.run_for(Duration::from_millis(500));
    assert_eq!(world.now(), Instant::from_millis(500));
    assert_eq!(world.node(0).repeats, 2);
    assert_eq!(world.link(0, 1).stats().outage_dropped, 3);
    // A condition that only time fulfils is asked again at the limit.
    let limit = Instant::from_millis(550);
    assert!(world.run_until(limit, |w| w.now() >= Instant::from_millis(550)));
}

#[test]
fn nothing_to_do_ends_the_stepping() {
    let mut world = pair(1, LinkConfig::default());
    world.node_mut(0).due = false;
    assert!(!world.step());
    assert!(!world.run_until(Instant::FAR_FUTURE, |_| false));
    assert_eq!(world.now(), Instant::ZERO);
}

#[test]
fn packets_for_nobody_are_counted() {
    let mut world = pair(1, LinkConfig::default());
    world.node_mut(0).peer = address(9);
    world.run_for(Duration::from_millis(100));
    assert_eq!(world.unroutable(), 1);
    assert!(world.report().contains("A > ? no-route"));
}

#[test]
fn a_router_decides_alone() {
    let mut world = pair(1, LinkConfig::default());
    world.node_mut(0).peer = address(9);
    world.route_by(|from, _packet| Some(1 - from));
    assert!(world.run_until(Instant::from_millis(1), |w| w.node(1).said == 2));
}

#[test]
fn three_nodes_find_each_other() {
    let mut world = pair(1, LinkConfig::default().delay(Duration::from_millis(1)));
    let third = world.add_node(PingPong::new(3, 2, false), &[address(3).into()]);
    world.node_mut(1).peer = address(3);
    // 1 speaks to 2, 2 answers to 3, who takes it for the answer to nothing.
    world.run_for(Duration::from_millis(5));
    assert_eq!(world.link(1, third).stats().delivered, 1);
    assert_eq!(world.link(1, 0).stats().sent, 0);
}

#[test]
fn spinning_is_noticed_and_reported() {
    let mut world = pair(1, LinkConfig::default());
    world.set_round_limit(100);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run_for(Duration::from_secs(1))));
    let message = outcome.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("without time passing"), "{message}");
    assert!(world.report().starts_with("world with seed 1 at"));
    assert!(world.report().contains("received"));
}
