//! Which destinations can be reached, and with which address of ours? Routes over the one link and
//! source address selection (RFC 1122 3.3.1, RFC 6724 5; MUST-44).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::Stack;
use super::config::{Cidr, CidrError, same_prefix};

/// A network, as in `10.0.0.0/8`; `0.0.0.0/0` and `::/0` are default routes.
///
/// ```
/// use tcp_io::stack::Network;
///
/// let private: Network = "10.0.0.0/8".parse()?;
/// assert_eq!(private, Network::new([10, 0, 0, 0].into(), 8)?);
/// assert!(private.contains([10, 1, 2, 3].into()));
/// assert!(!private.contains([192, 0, 2, 1].into()));
/// let everything: Network = "::/0".parse()?;
/// assert!(everything.contains("2001:db8::1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// A network by an address in it and its prefix length.
    ///
    /// # Errors
    /// If the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Network, CidrError> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        if prefix > most { Err(CidrError::Prefix(prefix)) } else { Ok(Network { address, prefix }) }
    }

    /// Whether `other` is in the network.
    pub fn contains(&self, other: IpAddr) -> bool {
        same_network(self.address, other, self.prefix)
    }
}

impl FromStr for Network {
    type Err = CidrError;

    fn from_str(s: &str) -> Result<Network, CidrError> {
        let syntax = || CidrError::Syntax(s.to_owned());
        let (address, prefix) = s.split_once('/').ok_or_else(syntax)?;
        let address = address.parse().map_err(|_| syntax())?;
        Network::new(address, prefix.parse().map_err(|_| syntax())?)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// What lies behind the device, beside the networks of the stack's own addresses. There is one
/// link and no gateway: a route only says that packets may go out.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// let routes = Routes::Only(vec!["10.0.0.0/8".parse()?]);
/// let mut a = Stack::new(now, StackConfig { routes, ..a.config().clone() }, [1; 32]);
/// assert!(a.connect(now, "10.9.9.9:80".parse()?, ConnectOptions::default()).is_ok());
/// let outside = a.connect(now, "192.0.2.1:80".parse()?, ConnectOptions::default());
/// assert_eq!(outside, Err(OpenError::NoRoute));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Routes {
    /// Everything: a default route for both families, as behind a tunnel.
    #[default]
    Everything,
    /// These networks, and nothing else; empty: only the addresses' own networks.
    Only(Vec<Network>),
}

impl Routes {
    fn reach(&self, ip: IpAddr) -> bool {
        match self {
            Routes::Everything => true,
            Routes::Only(all) => all.iter().any(|n| n.contains(ip)),
        }
    }
}

impl Stack {
    /// Adds an address at run time. Nothing else changes; wildcard listeners take it at once.
    /// Returns whether it is new.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let listener = b.listen("0.0.0.0:80".parse()?, ListenOptions::default())?;
    /// assert!(b.add_address("10.0.0.7/24".parse()?));
    /// assert!(!b.add_address("10.0.0.7/24".parse()?)); // it is there
    /// let client = a.connect(now, "10.0.0.7:80".parse()?, ConnectOptions::default())?;
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(a.state(client), State::Established);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_address(&mut self, cidr: Cidr) -> bool {
        let addresses = &mut self.config.addresses;
        let new = addresses.iter().all(|c| c.address() != cidr.address());
        if new {
            addresses.push(cidr);
        }
        new
    }

    /// Removes an address at run time, as on Linux: nothing is aborted. Connections and listeners
    /// of this address stay, but no packet comes to them or leaves them, until it is added again
    /// or their patience ends. Returns whether it was there.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// assert!(b.remove_address("10.0.0.2".parse()?));
    /// a.write(now, client, b"hello")?;
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(b.counters().packet_drops(PacketDrop::NotForUs), 1);
    /// // The connection waits for its address, and the peer sends again.
    /// assert_eq!(b.state(server), State::Established);
    /// b.add_address("10.0.0.2/24".parse()?);
    /// let later = a.next_deadline().unwrap();
    /// a.on_deadline(later);
    /// carry(later, &mut a, &mut b);
    /// assert_eq!(b.read(later, server, &mut [0; 16])?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn remove_address(&mut self, ip: IpAddr) -> bool {
        let before = self.config.addresses.len();
        self.config.addresses.retain(|c| c.address() != ip);
        self.config.addresses.len() < before
    }

    /// Whether packets to `ip` can leave.
    pub(super) fn has_route(&self, ip: IpAddr) -> bool {
        self.is_local(ip)
            || self.config.addresses.iter().any(|c| c.contains(ip))
            || self.config.routes.reach(ip)
    }

    /// MUST-44: the address from which a destination is best reached, if it can be.
    pub(super) fn source_for(&self, remote: IpAddr) -> Option<IpAddr> {
        if self.is_local(remote) {
            // RFC 6724 5, rule 1.
            return Some(remote);
        }
        if !self.has_route(remote) {
            return None;
        }
        let all = self.config.addresses.iter();
        let same = all.filter(|c| c.address().is_ipv4() == remote.is_ipv4());
        // Of equals, the one that was configured first: `max_by_key` would take the last.
        same.rev().max_by_key(|c| merit(c, remote)).map(Cidr::address)
    }
}

/// RFC 6724 5 in the small, the greater the better: rule 2 (scope), rule 6 (label), rule 8 (longest
/// matching prefix, within the prefix of the address). An address in the destination's network
/// comes before all others, as Linux chooses it for IPv4 by the route.
fn merit(own: &Cidr, remote: IpAddr) -> (bool, (bool, i8), bool, u32) {
    let source = own.address();
    let (ours, theirs) = (scope(source), scope(remote));
    // Rule 2: of scopes that reach, the smallest; else the largest.
    let fits = if ours >= theirs { (true, -ours) } else { (false, ours) };
    let common = common_prefix(source, remote).min(u32::from(own.prefix()));
    (own.contains(remote), fits, label(source) == label(remote), common)
}

/// RFC 6724 3.1 and 3.2: link-local or global, as RFC 4291 numbers them.
fn scope(ip: IpAddr) -> i8 {
    let link = match ip {
        IpAddr::V4(a) => a.is_link_local() || a.is_loopback(),
        IpAddr::V6(a) => a.is_unicast_link_local() || a.is_loopback(),
    };
    if link { 2 } else { 14 }
}

/// RFC 6724 2.1: the default policy table, as far as it divides what is in use.
fn label(ip: IpAddr) -> u8 {
    let v6 = |a: Ipv6Addr| match a.segments()[0] {
        0x2002 => 2,
        s if s & 0xfe00 == 0xfc00 => 13,
        _ => 1,
    };
    match ip {
        IpAddr::V4(_) => 4,
        IpAddr::V6(a) => v6(a),
    }
}

fn common_prefix(a: IpAddr, b: IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => 0,
    }
}

/// Whether two addresses of one family share a prefix.
pub(super) fn same_network(a: IpAddr, b: IpAddr, prefix: u8) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            same_prefix(a.to_bits().into(), b.to_bits().into(), 32 - prefix)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => same_prefix(a.to_bits(), b.to_bits(), 128 - prefix),
        _ => false,
    }
}
