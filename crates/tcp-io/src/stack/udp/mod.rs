//! How does an application use UDP? Binding, connecting and closing sockets (RFC 768, RFC 1122
//! 4.1, RFC 8085). What arrives stands in `receive`, what goes out in `send`, ICMP in `errors`,
//! groups and broadcast in `for_all`.

mod emit;
mod errors;
mod for_all;
mod receive;
mod send;
mod table;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rand::Rng;
use tcp_core::Endpoint;

use super::ports::{BindError, Bound};
use super::{BindOptions, Stack};
use crate::cell::{UdpCell, UdpError, UdpId, UdpOptions, UdpRow};

pub use for_all::{GroupError, MAX_GROUPS};
pub(super) use table::Udp;

/// How a UDP socket is bound.
///
/// ```
#[doc = include_str!("../../../doc/stack_pair.rs")]
/// let share = BindOptions { reuse_port: true, ..BindOptions::default() };
/// let options = UdpOptions { hop_limit: 9, ..UdpOptions::default() };
/// let options = UdpBindOptions { share, options: Some(options), ..UdpBindOptions::default() };
/// let one = a.udp_bind("10.0.0.1:5000".parse()?, options.clone())?;
/// let other = a.udp_bind("10.0.0.1:5000".parse()?, options)?;
/// assert_eq!(a.udp_cell(one).unwrap().options().hop_limit, 9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct UdpBindOptions {
    /// Whether other sockets may have the same address; each datagram goes to one of them, by a
    /// hash of its two endpoints.
    pub share: BindOptions,
    /// A socket on the unspecified IPv6 address is for IPv6 only.
    pub v6_only: bool,
    /// What the socket starts with; none: Linux's defaults, and the buffers of the stack's
    /// configuration.
    pub options: Option<UdpOptions>,
}

/// A UDP socket cannot be had.
///
/// ```
#[doc = include_str!("../../../doc/stack_pair.rs")]
/// let elsewhere = a.udp_bind("10.0.0.9:53".parse()?, UdpBindOptions::default());
/// assert_eq!(elsewhere, Err(UdpBindError::Bind(BindError::NotLocal)));
/// a.udp_bind("10.0.0.1:53".parse()?, UdpBindOptions::default())?;
/// let again = a.udp_bind("10.0.0.1:53".parse()?, UdpBindOptions::default());
/// assert_eq!(again, Err(UdpBindError::Bind(BindError::InUse)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UdpBindError {
    /// The address or port cannot be had.
    Bind(BindError),
    /// The stack has as many UDP sockets as it may.
    TooMany,
}

impl fmt::Display for UdpBindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UdpBindError::Bind(e) => e.fmt(f),
            UdpBindError::TooMany => f.write_str("the stack's limit of UDP sockets is reached"),
        }
    }
}

impl std::error::Error for UdpBindError {}

impl From<BindError> for UdpBindError {
    fn from(e: BindError) -> UdpBindError {
        UdpBindError::Bind(e)
    }
}

/// A datagram was not sent, or a socket not connected.
///
/// ```
#[doc = include_str!("../../../doc/stack_pair.rs")]
#[doc = include_str!("../../../doc/stack_udp.rs")]
/// let to = Some("10.0.0.2:6000".parse()?);
/// assert_eq!(a.udp_send(now, ours, "hello", None), Err(UdpSendError::NotConnected));
/// assert_eq!(a.udp_send(now, ours, vec![0; 65_508], to), Err(UdpSendError::TooLong));
/// let to_all = Some("10.0.0.255:6000".parse()?);
/// assert_eq!(a.udp_send(now, ours, "hello", to_all), Err(UdpSendError::NoBroadcast));
/// a.udp_close(ours);
/// assert_eq!(a.udp_send(now, ours, "hello", to), Err(UdpSendError::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UdpSendError {
    /// As many datagrams wait for the device as may.
    WouldBlock,
    /// The network said something about a datagram that was sent before; told once, and this
    /// datagram was not sent.
    Pending(UdpError),
    /// The datagram is larger than IP can carry: 65,507 octets over IPv4, 65,527 over IPv6.
    TooLong,
    /// No destination was given, and the socket is not connected.
    NotConnected,
    /// The destination has port 0, or the socket cannot reach addresses of its family.
    BadRemote,
    /// The socket's own address is no source for this destination: a loopback address towards
    /// another host, or an address that the stack has no more.
    BadLocal,
    /// No route leads to the destination, or the stack has no address of its family.
    NoRoute,
    /// The destination is a broadcast address, and the option for it is off.
    NoBroadcast,
    /// The socket is closed, or its stack has ended.
    Closed,
}

impl fmt::Display for UdpSendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UdpSendError::WouldBlock => "operation would block",
            UdpSendError::Pending(e) => return e.fmt(f),
            UdpSendError::TooLong => "message too long",
            UdpSendError::NotConnected => "destination address required",
            UdpSendError::BadRemote => "not a destination of this socket",
            UdpSendError::BadLocal => "the local address is no source for this destination",
            UdpSendError::NoRoute => "no route to the destination: network unreachable",
            UdpSendError::NoBroadcast => "broadcast is not permitted on this socket",
            UdpSendError::Closed => "the socket is closed",
        })
    }
}

impl std::error::Error for UdpSendError {}

impl Stack {
    /// Makes a UDP socket. Port 0 chooses one that no UDP socket has, at random (RFC 6056 3.3.1).
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    /// let socket = a.udp_bind("0.0.0.0:0".parse()?, UdpBindOptions::default())?;
    /// let port = a.udp_cell(socket).unwrap().local().port();
    /// assert!((32_768..=60_999).contains(&port));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the address is not the stack's, the port is taken, or there are too many sockets.
    pub fn udp_bind(
        &mut self,
        addr: SocketAddr,
        options: UdpBindOptions,
    ) -> Result<UdpId, UdpBindError> {
        let ip = addr.ip();
        let for_all = ip.is_multicast() || self.is_broadcast(ip);
        if !ip.is_unspecified() && !self.is_local(ip) && !self.takes(ip) && !for_all {
            return Err(BindError::NotLocal.into());
        }
        if self.udp.len() >= self.config.max_udp_sockets {
            return Err(UdpBindError::TooMany);
        }
        let bound =
            Bound { share: options.share, v6_only: options.v6_only, ..Bound::from(addr.ip()) };
        let port = match addr.port() {
            0 => self.udp_free_port(bound).ok_or(BindError::NoPorts)?,
            p if self.udp.clashes(bound, p) => return Err(BindError::InUse.into()),
            p => p,
        };
        let options = options.options.unwrap_or(UdpOptions {
            receive_buffer: self.config.rmem_default,
            send_buffer: self.config.wmem_default,
            ..UdpOptions::default()
        });
        Ok(self.udp.insert(bound, port, options))
    }

    fn udp_free_port(&mut self, wanted: Bound) -> Option<u16> {
        let (from, count) = self.port_range();
        let start = self.rng.random_range(0..count);
        // What was not asked for by its number is never shared.
        let alone = Bound { share: BindOptions::default(), ..wanted };
        let mut ports = (0..count).map(|i| from + ((start + i) % count) as u16);
        ports.find(|p| !self.udp.clashes(alone, *p))
    }

    /// Fixes the peer: only its datagrams arrive from now on, [`udp_send`](Self::udp_send) needs no
    /// destination, and what ICMP says about them becomes an error. A socket may be connected
    /// again. One that is bound to an unspecified address gets the address from which the peer is
    /// reached, and keeps it, as on Linux.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_udp.rs")]
    /// a.udp_connect(ours, "10.0.0.2:6001".parse()?)?;
    /// a.udp_send(now, ours, "hello", None)?;
    /// carry(now, &mut a, &mut b); // `theirs` has port 6000: ICMP says that nobody is at 6001
    /// assert_eq!(heard(&a, ours), Err(UdpReceiveError::Pending(UdpError::Refused)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If nothing could be sent there; the socket stays as it was.
    pub fn udp_connect(&mut self, id: UdpId, to: SocketAddr) -> Result<(), UdpSendError> {
        let (from, to) = self.udp_route(id, to)?;
        self.udp.connect(id, from, to);
        Ok(())
    }

    /// Takes the peer away (`AF_UNSPEC`): what `bind` named is the address again.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_udp.rs")]
    /// a.udp_connect(ours, "10.0.0.2:6000".parse()?)?;
    /// assert_eq!(a.udp_cell(ours).unwrap().peer(), Some("10.0.0.2:6000".parse()?));
    /// a.udp_disconnect(ours);
    /// assert_eq!(a.udp_cell(ours).unwrap().peer(), None);
    /// assert_eq!(a.udp_send(now, ours, "hello", None), Err(UdpSendError::NotConnected));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn udp_disconnect(&mut self, id: UdpId) {
        self.udp.disconnect(id);
    }

    /// Lets go of a socket. What it has sent still goes out.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_udp.rs")]
    /// a.udp_send(now, ours, "hello", Some("10.0.0.2:6000".parse()?))?;
    /// a.udp_close(ours);
    /// assert!(a.udp_cell(ours).is_none());
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(heard(&b, theirs), Ok(("10.0.0.1:5000".parse()?, b"hello".to_vec())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn udp_close(&mut self, id: UdpId) {
        self.udp.close(id);
    }

    /// The shared side of a socket, for tasks.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_udp.rs")]
    /// let cell = a.udp_cell(ours).unwrap();
    /// assert_eq!((cell.local(), cell.peer()), ("10.0.0.1:5000".parse()?, None));
    /// cell.set_options(|o| o.broadcast = true);
    /// assert!(a.udp_send(now, ours, "hello", Some("10.0.0.255:6000".parse()?)).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn udp_cell(&self, id: UdpId) -> Option<Arc<UdpCell>> {
        self.udp.cell(id).cloned()
    }

    /// UDP sockets, for tables.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_udp.rs")]
    /// a.udp_send(now, ours, "hello", Some("10.0.0.2:6000".parse()?))?;
    /// carry(now, &mut a, &mut b);
    /// let row = b.udp_rows().next().unwrap();
    /// assert_eq!((row.local, row.peer), ("10.0.0.2:6000".parse()?, None));
    /// assert_eq!(row.receive_queue, 5 + DATAGRAM_COST);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn udp_rows(&self) -> impl Iterator<Item = UdpRow> + '_ {
        self.udp.rows()
    }

    /// UDP sockets that are open.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_udp.rs")]
    /// assert_eq!(a.udp_count(), 1);
    /// a.udp_close(ours);
    /// assert_eq!(a.udp_count(), 0);
    /// ```
    pub fn udp_count(&self) -> usize {
        self.udp.len()
    }

    /// What all UDP sockets have received and nobody has read, in octets.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_udp.rs")]
    /// a.udp_send(now, ours, "hello", Some("10.0.0.2:6000".parse()?))?;
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(b.udp_memory(), 5 + DATAGRAM_COST);
    /// heard(&b, theirs).unwrap();
    /// assert_eq!(b.udp_memory(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn udp_memory(&self) -> usize {
        self.udp.memory.charged()
    }

    /// Whether the next turn is a socket's: every other one, while both wait.
    #[inline]
    pub(super) fn udp_is_next(&mut self) -> bool {
        if self.udp.active.is_empty() {
            return false;
        }
        self.udp.had_turn = !self.udp.had_turn || self.active.is_empty();
        self.udp.had_turn
    }

    /// Whether sockets have datagrams to send.
    pub(super) fn udp_has_work(&self) -> bool {
        !self.udp.active.is_empty()
    }

    /// Ends every socket: tasks that wait learn it.
    pub(super) fn udp_close_all(&mut self) {
        for id in self.udp.ids() {
            if let Some(cell) = self.udp.cell(id) {
                cell.end();
            }
            self.udp.detach(id);
        }
    }

    /// Where a datagram of a socket comes from and goes to; the destination as the wire has it.
    fn udp_route(&self, id: UdpId, to: SocketAddr) -> Result<(Endpoint, Endpoint), UdpSendError> {
        let e = self.udp.get(id).ok_or(UdpSendError::Closed)?;
        let to = destination(to, &e.bound).ok_or(UdpSendError::BadRemote)?;
        if self.is_broadcast(to.ip) && !e.cell.options().broadcast {
            return Err(UdpSendError::NoBroadcast);
        }
        if !self.has_route(to.ip) {
            return Err(UdpSendError::NoRoute);
        }
        let own = e.local.ip;
        let ip = if own.is_unspecified() || own.is_multicast() || self.is_broadcast(own) {
            self.source_for(to.ip).ok_or(UdpSendError::NoRoute)?
        } else if own.is_ipv4() != to.ip.is_ipv4() {
            return Err(UdpSendError::BadRemote);
        } else if !self.may_connect(own, to.ip) || (own.is_loopback() && !self.is_local(to.ip)) {
            // RFC 1122 3.2.1.3 (g): a loopback address never leaves the host.
            return Err(UdpSendError::BadLocal);
        } else {
            own
        };
        Ok((Endpoint::new(ip, e.local.port), to))
    }
}

/// A destination as a socket bound so may have it: of its family, or of both if it is bound to the
/// unspecified IPv6 address. As on Linux an unspecified one means this host.
fn destination(to: SocketAddr, bound: &Bound) -> Option<Endpoint> {
    let mut to = Endpoint::from(to);
    if let (IpAddr::V6(a), true) = (to.ip, bound.ip.is_ipv6())
        && let Some(v4) = a.to_ipv4_mapped()
    {
        to.ip = IpAddr::V4(v4);
    }
    if to.ip.is_unspecified() {
        to.ip = match to.ip {
            IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        };
    }
    let reachable = to.ip.is_ipv4() == bound.ip.is_ipv4() || bound.covers(to.ip);
    (reachable && to.port != 0).then_some(to)
}

/// Octets of text that fit into a datagram.
fn largest(to: IpAddr) -> usize {
    // The length of an IPv4 packet counts its header, that of IPv6 does not.
    if to.is_ipv4() { 65_535 - 20 - emit::HEADER } else { 65_535 - emit::HEADER }
}
