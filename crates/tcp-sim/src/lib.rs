//! How does a protocol behave on a bad network? A seeded network emulator under virtual time:
//! links that lose, delay, reorder, duplicate and damage IP packets, a world of nodes that they
//! connect, and a trace of the last packets of every end for the day a test fails.
//!
//! Nothing here reads a clock or draws from the system's randomness. The same seed and the same
//! calls give the same packets at the same nanosecond, so a failing run is repeated by its seed.
//! (The generator is `rand`'s `SmallRng`: a seed is portable between machines of the same word
//! size that build with the same `rand`.)
//!
//! The layers can be used one by one:
//!
//! * [`Link`] is one direction of a network path on opaque packets. [`LinkConfig`] says how bad it
//!   is; [`profiles`] names a few usual kinds of bad.
//! * [`World`] connects anything that implements [`Node`], moves the clock from event to event and
//!   fails loudly when the nodes spin without time passing.
//! * [`Trace`] remembers the last packets; [`trace::describe`] prints any packet on one line.
//! * [`SeedGuard`] prints the seed of a test that panics.
//!
//! ```
//! use std::net::{IpAddr, Ipv4Addr};
//! use std::time::Duration;
//! use tcp_core::Instant;
//! use tcp_sim::{LinkConfig, Node, SeedGuard, World};
//!
//! /// Sends back whatever it gets, with the addresses swapped.
//! #[derive(Default)]
//! struct Echo {
//!     out: Vec<Vec<u8>>,
//!     seen: usize,
//! }
//!
//! impl Node for Echo {
//!     fn receive(&mut self, _now: Instant, packet: &[u8]) {
//!         self.seen += 1;
//!         let mut answer = packet.to_vec();
//!         answer[12..16].copy_from_slice(&packet[16..20]);
//!         answer[16..20].copy_from_slice(&packet[12..16]);
//!         self.out.push(answer);
//!     }
//!     fn transmit(&mut self, _now: Instant, out: &mut dyn FnMut(Vec<u8>)) {
//!         self.out.drain(..).for_each(out);
//!     }
//!     fn next_deadline(&self) -> Option<Instant> {
//!         None
//!     }
//!     fn on_deadline(&mut self, _now: Instant) {}
//! }
//!
//! let _seed = SeedGuard::new(7, "echo");
//! let mut world = World::new(7, LinkConfig::default().delay(Duration::from_millis(10)));
//! let (here, there) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
//! let a = world.add_node(Echo::default(), &[IpAddr::V4(here)]);
//! let b = world.add_node(Echo::default(), &[IpAddr::V4(there)]);
//!
//! let mut packet = vec![0u8; 20];
//! packet[0] = 0x45;
//! packet[12..16].copy_from_slice(&here.octets());
//! packet[16..20].copy_from_slice(&there.octets());
//! world.node_mut(a).out.push(packet);
//!
//! assert!(world.run_until(Instant::from_millis(100), |w| w.node(a).seen == 2));
//! assert_eq!(world.now(), Instant::from_millis(40));
//! assert_eq!(world.node(b).seen, 2);
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "pcapng")]
pub mod captured;
pub mod guard;
pub mod host;
pub mod link;
pub mod profiles;
pub mod trace;
pub mod world;

#[cfg(feature = "pcapng")]
pub use captured::Captured;
pub use guard::SeedGuard;
pub use host::{Host, pair};
pub use link::{
    BurstLoss, DropReason, Fate, Link, LinkConfig, LinkStats, Marks, QueueLimit, Reorder,
};
pub use profiles::profile;
pub use trace::Trace;
pub use world::{Node, World};
