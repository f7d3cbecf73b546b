//! Who hears a datagram that is for many? Broadcast, multicast groups, and how far both go.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tcp_io::stack::{GroupError, Stack};

use super::UdpSocket;
use super::options::octet;
use crate::error;

impl UdpSocket {
    /// Whether datagrams to broadcast addresses may be sent.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.option(|o| o.broadcast)
    }

    /// Lets datagrams be sent to 255.255.255.255 and to the broadcast addresses of the stack's
    /// networks (`SO_BROADCAST`). Sockets bound to the unspecified address hear broadcasts
    /// whether or not it is set.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.set_option(|o| o.broadcast = on)
    }

    /// Whether the stack's own sockets hear the IPv4 multicast datagrams of this one.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.option(|o| o.multicast_loop_v4)
    }

    /// Lets the stack's own sockets hear the IPv4 multicast datagrams of this one, or not
    /// (`IP_MULTICAST_LOOP`); as on Linux it counts at the sender.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.set_option(|o| o.multicast_loop_v4 = on)
    }

    /// TTL of IPv4 multicast datagrams.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.option(|o| o.multicast_ttl_v4.into())
    }

    /// Sets the TTL of IPv4 multicast datagrams (`IP_MULTICAST_TTL`); 0 keeps them in this stack.
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        let ttl = octet(ttl)?;
        self.set_option(|o| o.multicast_ttl_v4 = ttl)
    }

    /// Whether the stack's own sockets hear the IPv6 multicast datagrams of this one.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.option(|o| o.multicast_loop_v6)
    }

    /// Lets the stack's own sockets hear the IPv6 multicast datagrams of this one, or not
    /// (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.set_option(|o| o.multicast_loop_v6 = on)
    }

    /// Joins an IPv4 multicast group; `interface` is unspecified or an address of the stack, which
    /// has one link. No membership is reported (IGMP): whoever is at the other end of the device
    /// must send the group's datagrams by itself.
    ///
    /// # Errors
    /// `InvalidInput` for no group, `AddrInUse` if the socket is in it, `NotFound` for another
    /// interface, `OutOfMemory` beyond 20 groups.
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.check_interface(interface)?;
        self.group(|s| s.udp_join(self.id(), multiaddr.into()))
    }

    /// Joins an IPv6 multicast group; `interface` is 0 or 1. No membership is reported (MLD).
    ///
    /// # Errors
    /// As [`join_multicast_v4`](Self::join_multicast_v4).
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.check_index(interface)?;
        self.group(|s| s.udp_join(self.id(), (*multiaddr).into()))
    }

    /// Leaves an IPv4 multicast group. Dropping the socket leaves all.
    ///
    /// # Errors
    /// `AddrNotAvailable` if the socket is not in it, `NotFound` for another interface.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.check_interface(interface)?;
        self.group(|s| s.udp_leave(self.id(), multiaddr.into()))
    }

    /// Leaves an IPv6 multicast group.
    ///
    /// # Errors
    /// As [`leave_multicast_v4`](Self::leave_multicast_v4).
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.check_index(interface)?;
        self.group(|s| s.udp_leave(self.id(), (*multiaddr).into()))
    }

    fn group(&self, act: impl FnOnce(&mut Stack) -> Result<(), GroupError>) -> io::Result<()> {
        self.with_stack(|s, _| act(s))?.map_err(error::from_group)
    }

    fn check_interface(&self, interface: Ipv4Addr) -> io::Result<()> {
        let ours = || self.net.addresses().iter().any(|c| c.address() == IpAddr::V4(interface));
        if interface.is_unspecified() || interface.is_loopback() || ours() {
            return Ok(());
        }
        Err(error::from_group(GroupError::NoInterface))
    }

    fn check_index(&self, index: u32) -> io::Result<()> {
        if index > 1 { Err(error::from_group(GroupError::NoInterface)) } else { Ok(()) }
    }
}
