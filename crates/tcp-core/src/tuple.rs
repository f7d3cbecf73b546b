//! Which connection is it? The two endpoints that name a connection (RFC 9293 3.3.1).

use core::fmt;
use core::hash::Hasher;
use core::net::{IpAddr, SocketAddr};

/// An address and a port, without the flow and scope fields of a socket address.
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
    for e in [&tuple.local, &tuple.remote] {
        match e.ip {
            IpAddr::V4(a) => h.write(&a.octets()),
            IpAddr::V6(a) => h.write(&a.octets()),
        }
        h.write_u16(e.port);
    }
}

impl fmt::Debug for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.local, self.remote)
    }
}
