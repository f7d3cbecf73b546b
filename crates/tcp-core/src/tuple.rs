//! Which connection is it? The two endpoints that name a connection (RFC 9293 3.3.1).

use core::fmt;
use core::hash::Hasher;
use core::net::{IpAddr, SocketAddr};

/// An address and a port, without the flow and scope fields of a socket address.
///
/// ```
/// use std::net::SocketAddr;
/// use tcp_core::Endpoint;
///
/// let server = Endpoint::new([192, 0, 2, 2].into(), 80);
/// assert_eq!(server.to_string(), "192.0.2.2:80");
/// assert_eq!(SocketAddr::from(server), SocketAddr::from(([192, 0, 2, 2], 80)));
///
/// // The scope of an address is not part of its name here.
/// let linked: SocketAddr = "[fe80::1%3]:80".parse()?;
/// assert_eq!(Endpoint::from(linked).to_string(), "[fe80::1]:80");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// The IP address.
    pub ip: IpAddr,
    /// The TCP port.
    pub port: u16,
}

impl Endpoint {
    /// From its parts.
    pub const fn new(ip: IpAddr, port: u16) -> Endpoint {
        Endpoint { ip, port }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(a: SocketAddr) -> Endpoint {
        Endpoint { ip: a.ip(), port: a.port() }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(e: Endpoint) -> SocketAddr {
        SocketAddr::new(e.ip, e.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

/// The two ends of a connection, as seen from here.
///
/// ```
/// use tcp_core::{Endpoint, Tuple};
///
/// let client = Endpoint::new([192, 0, 2, 1].into(), 4000);
/// let server = Endpoint::new([192, 0, 2, 2].into(), 80);
/// let ours = Tuple { local: client, remote: server };
/// assert_eq!(ours.flipped(), Tuple { local: server, remote: client });
/// assert!(ours.is_ipv4());
/// assert_eq!(format!("{ours:?}"), "192.0.2.1:4000-192.0.2.2:80");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Our end.
    pub local: Endpoint,
    /// The peer's end.
    pub remote: Endpoint,
}

impl Tuple {
    /// The same connection as the peer names it.
    pub const fn flipped(self) -> Tuple {
        Tuple { local: self.remote, remote: self.local }
    }

    /// Whether the connection runs over IPv4.
    pub const fn is_ipv4(&self) -> bool {
        self.remote.ip.is_ipv4()
    }
}

/// Feeds both endpoints to a keyed hash.
pub(crate) fn hash_tuple(tuple: &Tuple, h: &mut impl Hasher) {
    let (local, remote) = (&tuple.local, &tuple.remote);
    let ports = u32::from(local.port) << 16 | u32::from(remote.port);
    // In whole words: a keyed hash takes each small piece at the price of a large one. Both
    // lengths differ, so no two tuples give the same words.
    match (local.ip, remote.ip) {
        (IpAddr::V4(l), IpAddr::V4(r)) => {
            h.write_u64(u64::from(l.to_bits()) << 32 | u64::from(r.to_bits()));
        }
        (l, r) => {
            for ip in [l, r] {
                let bits = match ip {
                    IpAddr::V4(a) => a.to_ipv6_mapped().to_bits(),
                    IpAddr::V6(a) => a.to_bits(),
                };
                h.write_u64((bits >> 64) as u64);
                h.write_u64(bits as u64);
            }
        }
    }
    h.write_u32(ports);
}

impl fmt::Debug for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.local, self.remote)
    }
}
