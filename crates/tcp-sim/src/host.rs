//! What does a whole stack look like in the simulator? A host: a [`Stack`] as a [`Node`], with
//! applications that copy bytes at both ends and check every one of them.

use std::net::{IpAddr, SocketAddr};

use tcp_core::Instant;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{Stack, StackConfig};

use crate::{LinkConfig, Node, World};

/// A stack in the simulated network.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_io::stack::{ConnectOptions, ListenOptions, StackConfig};
/// use tcp_sim::{Host, LinkConfig, pair};
///
/// let mut world = pair(1, LinkConfig::default(), &StackConfig::default());
/// let now = world.now();
/// let addr = world.node(1).addr(80);
/// assert_eq!(addr.to_string(), "10.0.0.2:80");
/// let listener = world.node_mut(1).stack.listen(addr, ListenOptions::default())?;
/// let client = world.node_mut(0).stack.connect(now, addr, ConnectOptions::default())?;
///
/// let accepted = |w: &mut tcp_sim::World<Host>| w.node_mut(1).stack.accept(listener) != Ok(None);
/// assert!(world.run_until(Instant::from_millis(1), accepted));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Host {
    /// The stack; tests call it directly.
    pub stack: Stack,
}

impl Host {
    /// A host whose stack is seeded with `seed`.
    pub fn new(now: Instant, config: StackConfig, seed: u64) -> Host {
        let mut bytes = [0; 32];
        for (i, chunk) in bytes.chunks_exact_mut(8).enumerate() {
            let word = seed.wrapping_add(i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Host { stack: Stack::new(now, config, bytes) }
    }

    /// The stack's first address with a port.
    ///
    /// # Panics
    /// If the stack has no address.
    pub fn addr(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.stack.config().addresses[0].address(), port)
    }
}

impl Node for Host {
    fn receive(&mut self, now: Instant, packet: &[u8]) {
        self.stack.receive(now, packet, RxChecksum::Unknown, None);
    }

    fn transmit(&mut self, now: Instant, out: &mut dyn FnMut(Vec<u8>)) {
        self.stack.transmit(now, &mut |p| {
            for packet in p.segments() {
                out(packet);
            }
            true
        });
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.stack.next_deadline()
    }

    fn on_deadline(&mut self, now: Instant) {
        self.stack.on_deadline(now);
    }
}

/// Two hosts, 10.0.0.1 and 10.0.0.2 (fd00::1 and fd00::2), joined by links of one kind.
///
/// ```
/// use std::time::Duration;
/// use tcp_core::connection::State;
/// use tcp_io::stack::{ConnectOptions, ListenOptions, StackConfig};
/// use tcp_sim::{LinkConfig, pair};
///
/// let link = LinkConfig::default().delay(Duration::from_millis(25));
/// let mut world = pair(7, link, &StackConfig::default());
/// world.node_mut(1).stack.listen("[fd00::2]:80".parse()?, ListenOptions::default())?;
/// let (now, to) = (world.now(), "[fd00::2]:80".parse()?);
/// let client = world.node_mut(0).stack.connect(now, to, ConnectOptions::default())?;
/// world.run_for(Duration::from_millis(49));
/// assert_eq!(world.node(0).stack.state(client), State::SynSent);
/// world.run_for(Duration::from_millis(1)); // one round trip: the SYN-ACK is there
/// assert_eq!(world.node(0).stack.state(client), State::Established);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// Never: the addresses are valid.
pub fn pair(seed: u64, link: LinkConfig, config: &StackConfig) -> World<Host> {
    let mut world = World::new(seed, link);
    for n in 1..=2u8 {
        let v4: IpAddr = [10, 0, 0, n].into();
        let v6: IpAddr = [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(n)].into();
        let mut config = config.clone();
        config.addresses = [(v4, 24), (v6, 64)]
            .into_iter()
            .filter_map(|(a, p)| tcp_io::stack::Cidr::new(a, p).ok())
            .collect();
        let now = world.now();
        world.add_node(Host::new(now, config, seed.wrapping_mul(2) + u64::from(n)), &[v4, v6]);
    }
    world
}
