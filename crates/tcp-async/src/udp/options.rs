//! What can be set on a UDP socket? tokio's options, with Linux's defaults and limits.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tcp_io::cell::UdpOptions;
use tcp_io::stack::{GroupError, Stack};

use super::UdpSocket;
use crate::error;

fn invalid() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidInput)
}

fn octet(value: u32) -> io::Result<u8> {
    u8::try_from(value).map_err(|_| invalid())
}

impl UdpSocket {
    fn option<R>(&self, look: impl FnOnce(&UdpOptions) -> R) -> io::Result<R> {
        Ok(look(&self.cell.options()))
    }

    fn set_option(&self, change: impl FnOnce(&mut UdpOptions)) -> io::Result<()> {
        self.cell.set_options(change);
        Ok(())
    }

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

    /// The IPv6 traffic class of our datagrams.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        self.option(|o| o.traffic_class.into())
    }

    /// Sets the IPv6 traffic class of our datagrams (`IPV6_TCLASS`).
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_tclass_v6(&self, tclass: u32) -> io::Result<()> {
        let class = octet(tclass)?;
        self.set_option(|o| o.traffic_class = class)
    }

    /// TTL or hop limit of our unicast datagrams.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.option(|o| o.hop_limit.into())
    }

    /// Sets the TTL or hop limit of our unicast datagrams. Linux's `IP_TTL` is of IPv4 only.
    ///
    /// # Errors
    /// `InvalidInput` unless it is from 1 to 255.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        let ttl = octet(ttl)?;
        if ttl == 0 {
            return Err(invalid());
        }
        self.set_option(|o| o.hop_limit = ttl)
    }

    /// The IPv4 type of service of our datagrams.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn tos_v4(&self) -> io::Result<u32> {
        self.option(|o| o.tos.into())
    }

    /// Sets the IPv4 type of service of our datagrams (`IP_TOS`).
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        let tos = octet(tos)?;
        self.set_option(|o| o.tos = tos)
    }

    /// As [`tos_v4`](Self::tos_v4).
    ///
    /// # Errors
    /// None; the signature is tokio's.
    #[deprecated(note = "`tos` is of IPv4: use `tos_v4`")]
    #[doc(hidden)]
    pub fn tos(&self) -> io::Result<u32> {
        self.tos_v4()
    }

    /// As [`set_tos_v4`](Self::set_tos_v4).
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    #[deprecated(note = "`tos` is of IPv4: use `set_tos_v4`")]
    #[doc(hidden)]
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        self.set_tos_v4(tos)
    }

    /// The name of the stack's device.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.net.device_name().map(|n| n.as_bytes().to_vec()))
    }

    /// Checks that the socket's stack runs on the device of this name; a stack has one device.
    ///
    /// # Errors
    /// `NotFound` for another name; choose the stack with [`Net::bind_udp`](crate::Net::bind_udp)
    /// instead.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        match interface {
            Some(name) if self.net.device_name().map(str::as_bytes) != Some(name) => {
                Err(io::Error::new(io::ErrorKind::NotFound, "the stack has no such device"))
            }
            _ => Ok(()),
        }
    }

    /// What received datagrams may hold, in octets, 576 for each included (`SO_RCVBUF`).
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_RCVBUF")]
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.option(|o| o.receive_buffer)
    }

    /// Sets what received datagrams may hold, at least 2304 octets. Linux doubles the value.
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_RCVBUF")]
    pub fn set_recv_buffer_size(&self, size: usize) -> io::Result<()> {
        self.set_option(|o| o.receive_buffer = size)
    }

    /// What datagrams that the device has not taken may hold, in octets, 576 for each included
    /// (`SO_SNDBUF`).
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_SNDBUF")]
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.option(|o| o.send_buffer)
    }

    /// Sets what datagrams that the device has not taken may hold, at least 4608 octets. Linux
    /// doubles the value.
    ///
    /// # Errors
    /// None; the signature is socket2's.
    #[doc(alias = "SO_SNDBUF")]
    pub fn set_send_buffer_size(&self, size: usize) -> io::Result<()> {
        self.set_option(|o| o.send_buffer = size)
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
