//! Who is in a world, and over which links? Its nodes, the links between each two of them, and
//! where a packet goes.

use std::net::IpAddr;

use super::{Node, World};
use crate::link::{Link, LinkConfig, LinkStats, mix};

impl<N: Node> World<N> {
    /// Adds a node with its addresses, connects it with all others and returns its number. An
    /// address that another node had moves to this one.
    pub fn add_node(&mut self, node: N, addresses: &[IpAddr]) -> usize {
        let new = self.nodes.len();
        for other in 0..new {
            for (from, to) in [(other, new), (new, other)] {
                let seed = mix(mix(self.seed, from as u64), to as u64);
                self.links.insert((from, to), Link::new(self.default_link.clone(), seed));
            }
        }
        self.nodes.push(node);
        self.addresses.extend(addresses.iter().map(|address| (*address, new)));
        new
    }

    /// Replaces routing by destination address: the closure gets the number of the sending node
    /// and the packet, and names the receiving node, or none to drop it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tcp_io::stack::{ConnectOptions, StackConfig};
    /// use tcp_sim::{LinkConfig, pair};
    ///
    /// let mut world = pair(1, LinkConfig::default(), &StackConfig::default());
    /// // Whatever node 0 says goes to node 1; nothing comes back.
    /// world.route_by(|from, packet| (from == 0).then_some(1));
    /// let (now, far) = (world.now(), "192.0.2.1:80".parse()?);
    /// world.node_mut(0).stack.connect(now, far, ConnectOptions::default())?;
    /// world.run_for(Duration::from_millis(10));
    /// assert_eq!((world.link(0, 1).stats().delivered, world.unroutable()), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn route_by(&mut self, router: impl FnMut(usize, &[u8]) -> Option<usize> + Send + 'static) {
        self.router = Some(Box::new(router));
    }

    /// Changes the link from one node to another; see [`Link::set_config`].
    ///
    /// # Panics
    /// If there are no such two nodes.
    pub fn set_link(&mut self, from: usize, to: usize, config: LinkConfig) {
        self.link_mut(from, to).set_config(config);
    }

    /// Changes all links.
    ///
    /// ```
    /// # use tcp_sim::{LinkConfig, pair};
    /// let mut world = pair(1, LinkConfig::default(), &Default::default());
    /// world.set_links(&LinkConfig::default().mtu(576));
    /// assert_eq!((world.link(0, 1).config().mtu, world.link(1, 0).config().mtu), (576, 576));
    /// ```
    pub fn set_links(&mut self, config: &LinkConfig) {
        for link in self.links.values_mut() {
            link.set_config(config.clone());
        }
    }

    /// The link from one node to another.
    ///
    /// # Panics
    /// If there are no such two nodes.
    pub fn link(&self, from: usize, to: usize) -> &Link {
        self.links.get(&(from, to)).unwrap_or_else(|| panic!("no link from {from} to {to}"))
    }

    /// The link from one node to another, for changing it.
    ///
    /// # Panics
    /// If there are no such two nodes.
    pub fn link_mut(&mut self, from: usize, to: usize) -> &mut Link {
        self.links.get_mut(&(from, to)).unwrap_or_else(|| panic!("no link from {from} to {to}"))
    }

    /// The counters of every link, by sending and receiving node.
    pub fn link_stats(&self) -> impl Iterator<Item = ((usize, usize), LinkStats)> + '_ {
        self.links.iter().map(|(ends, link)| (*ends, link.stats()))
    }

    /// The nodes, by number.
    pub fn nodes(&self) -> &[N] {
        &self.nodes
    }

    /// One node.
    ///
    /// # Panics
    /// If there is no node of that number.
    pub fn node(&self, number: usize) -> &N {
        &self.nodes[number]
    }

    /// One node, for acting as its user; what it wants to send then is sent in the next step.
    ///
    /// # Panics
    /// If there is no node of that number.
    pub fn node_mut(&mut self, number: usize) -> &mut N {
        &mut self.nodes[number]
    }
}
