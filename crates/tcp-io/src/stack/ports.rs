//! Which local ports are taken, and which one is chosen? Explicit binds, and ephemeral ports by a
//! keyed hash of the destination (RFC 6056 3.3.3).

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use rand::Rng;
use tcp_core::{Endpoint, Instant, Tuple};

use super::Stack;
use super::active::Claim;

/// A local address or port cannot be had.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// let elsewhere = a.bind("10.0.0.9:80".parse()?, BindOptions::default());
/// assert_eq!(elsewhere, Err(BindError::NotLocal));
/// a.bind("10.0.0.1:80".parse()?, BindOptions::default())?;
/// let again = a.bind("0.0.0.0:80".parse()?, BindOptions::default());
/// assert_eq!(again, Err(BindError::InUse));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BindError {
    /// The address is not the stack's.
    NotLocal,
    /// The port is taken.
    InUse,
    /// Every ephemeral port is taken.
    NoPorts,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BindError::NotLocal => "not an address of this stack",
            BindError::InUse => "address already in use",
            BindError::NoPorts => "every ephemeral port is in use",
        })
    }
}

impl std::error::Error for BindError {}

/// How a local address is bound.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// let share = BindOptions { reuse_port: true, ..BindOptions::default() };
/// a.bind("10.0.0.1:80".parse()?, share)?;
/// a.bind("10.0.0.1:80".parse()?, share)?;
/// let alone = a.bind("10.0.0.1:80".parse()?, BindOptions::default());
/// assert_eq!(alone, Err(BindError::InUse));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BindOptions {
    /// `SO_REUSEADDR`: the port may be shared with connections left over from an earlier bind,
    /// and with another bind that says so too. One of them can listen.
    pub reuse_addr: bool,
    /// `SO_REUSEPORT`: the address may be shared with any other bind that says so too.
    pub reuse_port: bool,
}

/// An address that is bound, or is to be: an unspecified one stands for many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) ip: IpAddr,
    /// The unspecified IPv6 address stands for IPv6 only.
    pub(super) v6_only: bool,
    pub(super) share: BindOptions,
    pub(super) listening: bool,
}

impl Bound {
    /// Whether this is a wildcard for `ip`; the IPv6 wildcard stands for both families.
    pub(super) fn covers(self, ip: IpAddr) -> bool {
        match self.ip {
            IpAddr::V4(a) => a.is_unspecified() && ip.is_ipv4(),
            IpAddr::V6(a) => a.is_unspecified() && (ip.is_ipv6() || !self.v6_only),
        }
    }

    /// How well it fits a destination, best first: exactly, as a wildcard of its family, or as
    /// one of both.
    pub(super) fn rank(self, ip: IpAddr) -> Option<u8> {
        match () {
            () if self.ip == ip => Some(0),
            () if !self.covers(ip) => None,
            () => Some(if self.ip.is_ipv4() == ip.is_ipv4() { 1 } else { 2 }),
        }
    }

    /// Whether this one, which is there, keeps another one from coming.
    pub(super) fn clashes(self, other: Bound) -> bool {
        let overlap = self.ip == other.ip || self.covers(other.ip) || other.covers(self.ip);
        overlap && !self.shares(other)
    }

    fn shares(self, other: Bound) -> bool {
        let (a, b) = (self.share, other.share);
        a.reuse_port && b.reuse_port || !self.listening && a.reuse_addr && b.reuse_addr
    }
}

impl From<IpAddr> for Bound {
    fn from(ip: IpAddr) -> Bound {
        Bound { ip, v6_only: false, share: BindOptions::default(), listening: false }
    }
}

/// Ports that are looked at for a free one before a TIME-WAIT record's place is good enough.
const SEARCH: u32 = 256;

#[derive(Debug, Default)]
pub(super) struct Ports {
    bound: HashMap<u16, Vec<Bound>>,
    /// Connections and TIME-WAIT records by local port.
    connections: HashMap<u16, u32>,
    /// RFC 6056 3.3.3: advances with every choice.
    counter: u32,
}

impl Ports {
    pub(super) fn hold_connection(&mut self, port: u16) {
        *self.connections.entry(port).or_insert(0) += 1;
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.bound.is_empty() && self.connections.is_empty()
    }

    pub(super) fn release_connection(&mut self, port: u16) {
        if let Some(n) = self.connections.get_mut(&port) {
            *n -= 1;
            if *n == 0 {
                self.connections.remove(&port);
            }
        }
    }

    fn take(&mut self, local: Endpoint, listening: bool) -> Option<Bound> {
        let all = self.bound.get_mut(&local.port)?;
        let at = all.iter().position(|b| b.ip == local.ip && b.listening == listening)?;
        let bound = all.swap_remove(at);
        if all.is_empty() {
            self.bound.remove(&local.port);
        }
        Some(bound)
    }

    fn clashes(&self, wanted: Bound, port: u16) -> bool {
        self.bound.get(&port).is_some_and(|all| all.iter().any(|b| b.clashes(wanted)))
    }
}

impl Stack {
    /// Reserves a local address; port 0 chooses one that nobody has.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let local = a.bind("10.0.0.1:0".parse()?, BindOptions::default())?;
    /// assert!((32_768..=60_999).contains(&local.port));
    /// // It is for a listener, or to connect from.
    /// let options = ListenOptions { bound: true, ..ListenOptions::default() };
    /// let listener = a.listen(local.into(), options)?;
    /// assert_eq!(a.listener_addr(listener), Some(local.into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the address is not the stack's, or the port is taken.
    pub fn bind(&mut self, addr: SocketAddr, share: BindOptions) -> Result<Endpoint, BindError> {
        self.bind_as(addr.port(), Bound { share, ..addr.ip().into() })
    }

    pub(super) fn bind_as(&mut self, port: u16, wanted: Bound) -> Result<Endpoint, BindError> {
        let ip = wanted.ip;
        if !ip.is_unspecified() && !self.is_local(ip) && !self.takes(ip) {
            return Err(BindError::NotLocal);
        }
        let port = match port {
            0 => self.free_port(wanted, wanted.share.reuse_addr).ok_or(BindError::NoPorts)?,
            p => p,
        };
        let left_over = self.ports.connections.contains_key(&port) && !wanted.share.reuse_addr;
        if left_over || self.ports.clashes(wanted, port) {
            return Err(BindError::InUse);
        }
        self.ports.bound.entry(port).or_default().push(wanted);
        Ok(Endpoint::new(ip, port))
    }

    /// Gives a bound address back on which nobody listens.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let local = a.bind("10.0.0.1:80".parse()?, BindOptions::default())?;
    /// a.unbind(local);
    /// assert_eq!(a.bind(local.into(), BindOptions::default()), Ok(local));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unbind(&mut self, local: Endpoint) {
        self.ports.take(local, false);
    }

    /// A listener gives its address back.
    pub(super) fn unbind_listener(&mut self, local: Endpoint) {
        self.ports.take(local, true);
    }

    /// A bound address is listened on from now on.
    pub(super) fn bound_listens(&mut self, port: u16, wanted: Bound) -> Result<(), BindError> {
        let local = Endpoint::new(wanted.ip, port);
        let was = self.ports.take(local, false);
        let clash = self.ports.clashes(wanted, port);
        let now = if clash { was } else { Some(wanted) };
        self.ports.bound.entry(port).or_default().extend(now);
        if clash { Err(BindError::InUse) } else { Ok(()) }
    }

    pub(super) fn port_range(&self) -> (u16, u32) {
        let (from, to) = self.config.ephemeral_ports;
        let from = from.max(1);
        (from, u32::from(to.max(from) - from) + 1)
    }

    /// A port that nobody uses; if there is none and `reuse` is set, one that only connections
    /// use.
    fn free_port(&mut self, wanted: Bound, reuse: bool) -> Option<u16> {
        let (from, count) = self.port_range();
        let start = self.rng.random_range(0..count);
        let wanted = Bound { share: BindOptions::default(), ..wanted };
        let unbound = || {
            let ports = (0..count).map(|i| from + ((start + i) % count) as u16);
            ports.filter(|p| !self.ports.clashes(wanted, *p))
        };
        let unused = unbound().find(|p| !self.ports.connections.contains_key(p));
        unused.or_else(|| unbound().next().filter(|_| reuse))
    }

    /// A free ephemeral port towards `remote` (RFC 6056 3.3.3): the hash spreads destinations,
    /// the counter walks on. A port that would connect to itself is passed over.
    /// Exhausted only when every port of the range is taken towards it; before that, the place of
    /// a TIME-WAIT record is taken, if [`tw_reuse`](super::StackConfig::tw_reuse) allows.
    pub(super) fn ephemeral(
        &mut self,
        now: Instant,
        ip: IpAddr,
        remote: Endpoint,
    ) -> Option<Tuple> {
        let (from, count) = self.port_range();
        let at = |port| Tuple { local: Endpoint::new(ip, port), remote };
        let offset = self.isn.hash(&at(0), 2) as u32;
        let mut reusable = None;
        let may_reuse =
            |s: &Stack, slot| s.time_wait.get(slot).is_some_and(|record| s.may_reuse(now, record));
        for i in 0..count {
            // In 64 bits: a wrap of the sum would begin again at the first port, not go on.
            let sum = u64::from(offset) + u64::from(self.ports.counter) + u64::from(i);
            let n = sum % u64::from(count);
            let port = from + n as u16;
            let tuple = at(port);
            if self.ports.clashes(ip.into(), port) || tuple.local == tuple.remote {
                continue;
            }
            match self.claim(&tuple) {
                Claim::Free => {
                    self.ports.counter = self.ports.counter.wrapping_add(i + 1);
                    return Some(tuple);
                }
                Claim::Quiet(slot) if reusable.is_none() && may_reuse(self, slot) => {
                    reusable = Some((tuple, i));
                }
                Claim::Quiet(_) | Claim::Taken => {}
            }
            // Nearly all are taken: a search for the last free one costs more than it saves.
            if i >= SEARCH && reusable.is_some() {
                break;
            }
        }
        let (tuple, i) = reusable?;
        self.ports.counter = self.ports.counter.wrapping_add(i + 1);
        Some(tuple)
    }
}
