//! How does the stack connect out? The checks and choices before the first SYN (RFC 9293 3.9.1.1,
//! 3.10.1; MUST-43 to MUST-46).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use tcp_core::config::SocketOptions;
use tcp_core::connection::{Connection, OpenParams};
use tcp_core::{Endpoint, Instant, SeqNum, Tuple};

use super::Stack;
use super::tables::Owner;
use crate::cell::ConnId;

/// How to connect.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// // From port 4000, with a user timeout that holds from the first SYN on.
/// let mut options = a.config().tcp.options.clone();
/// options.user_timeout = Some(Duration::from_secs(5));
/// let options = ConnectOptions { local: Some("10.0.0.1:4000".parse()?), options: Some(options) };
/// let client = a.connect(now, "10.0.0.2:80".parse()?, options)?;
/// assert_eq!(a.info(client).unwrap().tuple.local.port, 4000);
/// assert_eq!(a.options(client).unwrap().user_timeout, Some(Duration::from_secs(5)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The local address, or none to let the stack choose (MUST-43, MUST-44). Port 0 chooses an
    /// ephemeral port.
    pub local: Option<SocketAddr>,
    /// Options that hold from the first SYN on; none: the stack's.
    pub options: Option<SocketOptions>,
}

/// Connecting was refused before a packet was sent.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// let group = a.connect(now, "224.0.0.1:80".parse()?, ConnectOptions::default());
/// assert_eq!(group, Err(OpenError::BadRemote));
/// let options = ConnectOptions { local: Some("10.9.9.9:0".parse()?), options: None };
/// let spoofed = a.connect(now, "10.0.0.2:80".parse()?, options);
/// assert_eq!(spoofed, Err(OpenError::BadLocal));
/// assert!(a.poll_transmit(now).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// The destination is broadcast, multicast, or not a host's address (MUST-46).
    BadRemote,
    /// The local address is not the stack's, of the other family, or a loopback address towards
    /// another host.
    BadLocal,
    /// No route leads to the destination, or the stack has no address of its family.
    NoRoute,
    /// These two endpoints are connected already.
    InUse,
    /// No ephemeral port is free towards this destination.
    NoPorts,
    /// The stack holds as many connections as it may.
    TooMany,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpenError::BadRemote => "destination is not the address of one host",
            OpenError::BadLocal => "local address is not an address of this stack",
            OpenError::NoRoute => "no route to the destination: network unreachable",
            OpenError::InUse => "these two endpoints are connected already",
            OpenError::NoPorts => "no free local port towards the destination",
            OpenError::TooMany => "the stack's connection limit is reached",
        })
    }
}

impl std::error::Error for OpenError {}

/// Whether two endpoints can be connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    Free,
    /// Only a TIME-WAIT record stands there, in this slot.
    Quiet(u32),
    Taken,
}

impl Stack {
    /// Connects to `remote` (RFC 9293 3.10.1, active open). The SYN comes out of
    /// [`poll_transmit`](Self::poll_transmit); [`state`](Self::state) and
    /// [`take_error`](Self::take_error) tell what became of it.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let client = a.connect(now, "10.0.0.2:81".parse()?, ConnectOptions::default())?;
    /// assert_eq!(a.state(client), State::SynSent);
    /// carry(now, &mut a, &mut b); // nobody listens there
    /// assert_eq!(a.take_error(client), Some(TakenError::Ended(End::Refused)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If no packet can be sent; see [`OpenError`].
    pub fn connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        options: ConnectOptions,
    ) -> Result<ConnId, OpenError> {
        let remote = self.check_remote(remote)?;
        let wanted = options.local.filter(|a| !a.ip().is_unspecified());
        let ip = match wanted {
            Some(a)
                if a.is_ipv4() == remote.ip.is_ipv4() && self.may_connect(a.ip(), remote.ip) =>
            {
                if !self.has_route(remote.ip) {
                    return Err(OpenError::NoRoute);
                }
                a.ip()
            }
            Some(_) => return Err(OpenError::BadLocal),
            None => self.source_for(remote.ip).ok_or(OpenError::NoRoute)?,
        };
        if ip.is_loopback() && !self.is_local(remote.ip) {
            // RFC 1122 3.2.1.3 (g): such an address never leaves the host.
            return Err(OpenError::BadLocal);
        }
        if self.connections.len() >= self.config.max_connections {
            return Err(OpenError::TooMany);
        }
        let fixed = options.local.map_or(0, |a| a.port());
        let tuple = if fixed == 0 {
            self.ephemeral(now, ip, remote).ok_or(OpenError::NoPorts)?
        } else {
            let t = Tuple { local: Endpoint::new(ip, fixed), remote };
            self.check_free(now, &t)?;
            t
        };
        // MUST-45: the tuple never changes, so every later segment has this local address.
        let isn = self.isn.isn(now, &tuple);
        let open = OpenParams {
            tuple,
            isn: self.succeed(&tuple).map_or(isn, |least| isn.max(least)),
            timestamp_offset: self.isn.timestamp_offset(&tuple),
            mtu: self.mtu_to(&tuple),
        };
        let mut conn = Connection::connect(now, open, self.tcp.clone());
        if let Some(o) = options.options {
            conn.set_options(now, |to| *to = o);
        }
        self.limit_path(now, &mut conn);
        let id = self.insert_connection(conn).id();
        self.counters.active_opens += 1;
        self.activate(id);
        Ok(id)
    }

    /// MUST-46, and what Linux does with an unspecified destination: it means this host.
    fn check_remote(&self, remote: SocketAddr) -> Result<Endpoint, OpenError> {
        let mut remote = Endpoint::from(remote);
        if let IpAddr::V6(a) = remote.ip
            && let Some(v4) = a.to_ipv4_mapped()
        {
            remote.ip = IpAddr::V4(v4);
        }
        if remote.ip.is_multicast() || self.is_broadcast(remote.ip) || remote.port == 0 {
            return Err(OpenError::BadRemote);
        }
        if remote.ip.is_unspecified() {
            remote.ip = match remote.ip {
                IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
            };
        }
        Ok(remote)
    }

    /// An application that names its port takes a record's place whatever `tw_reuse` says, if old
    /// segments can be told from new: as on Linux.
    fn check_free(&self, now: Instant, t: &Tuple) -> Result<(), OpenError> {
        let reusable = |slot| {
            let delay = self.config.tw_reuse_delay;
            self.time_wait.get(slot).is_some_and(|r| r.reusable(now, delay))
        };
        match self.claim(t) {
            Claim::Free => Ok(()),
            Claim::Quiet(slot) if reusable(slot) => Ok(()),
            Claim::Quiet(_) | Claim::Taken => Err(OpenError::InUse),
        }
    }

    /// Whether a connection of our own may use these endpoints.
    pub(super) fn claim(&self, t: &Tuple) -> Claim {
        match self.owner(t) {
            None => Claim::Free,
            Some(Owner::TimeWait(slot)) => Claim::Quiet(slot),
            Some(Owner::HalfOpen(_) | Owner::Request(_) | Owner::Connection(_)) => Claim::Taken,
        }
    }

    /// Takes a TIME-WAIT record's place; returns the successor's least ISN.
    fn succeed(&mut self, t: &Tuple) -> Option<SeqNum> {
        let slot = self.time_wait.find(t)?;
        let least = self.time_wait.get(slot)?.successor_isn();
        self.counters.time_wait_recycled += 1;
        self.remove_time_wait(slot);
        Some(least)
    }
}
