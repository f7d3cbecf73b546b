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
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert!(!client.broadcast()?); // as on Linux it is off to begin with
    /// client.set_broadcast(true)?;
    /// assert!(client.broadcast()?);
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// let to = "255.255.255.255:67";
    /// let refused = socket.send_to(b"discover", to).await.unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    ///
    /// socket.set_broadcast(true)?;
    /// socket.send_to(b"discover", to).await?;
    /// let packet = packet_from(&wire).await?;
    /// assert_eq!(packet[16..20], [255; 4]); // the destination
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.set_option(|o| o.broadcast = on)
    }

    /// Whether the stack's own sockets hear the IPv4 multicast datagrams of this one.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert!(client.multicast_loop_v4()?);
    /// client.set_multicast_loop_v4(false)?;
    /// assert!(!client.multicast_loop_v4()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.option(|o| o.multicast_loop_v4)
    }

    /// Lets the stack's own sockets hear the IPv4 multicast datagrams of this one, or not
    /// (`IP_MULTICAST_LOOP`); as on Linux it counts at the sender.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let listener = net.bind_udp("0.0.0.0:5353").await?;
    /// listener.join_multicast_v4(Ipv4Addr::new(224, 0, 0, 251), Ipv4Addr::UNSPECIFIED)?;
    ///
    /// client.set_multicast_loop_v4(false)?;
    /// client.send_to(b"for others", "224.0.0.251:5353").await?;
    /// client.set_multicast_loop_v4(true)?;
    /// client.send_to(b"for all", "224.0.0.251:5353").await?;
    /// let mut buf = [0; 512];
    /// let n = listener.recv(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"for all"); // the first one was not heard here
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.set_option(|o| o.multicast_loop_v4 = on)
    }

    /// TTL of IPv4 multicast datagrams.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert_eq!(client.multicast_ttl_v4()?, 1); // no router passes it on
    /// client.set_multicast_ttl_v4(32)?;
    /// assert_eq!(client.multicast_ttl_v4()?, 32);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.option(|o| o.multicast_ttl_v4.into())
    }

    /// Sets the TTL of IPv4 multicast datagrams (`IP_MULTICAST_TTL`); 0 keeps them in this stack.
    ///
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// socket.set_multicast_ttl_v4(0)?;
    /// socket.send_to(b"stays here", "224.0.0.251:5353").await?;
    /// socket.set_multicast_ttl_v4(32)?;
    /// socket.send_to(b"goes far", "224.0.0.251:5353").await?;
    /// let packet = packet_from(&wire).await?; // the first one that leaves
    /// assert_eq!(packet[8], 32); // its TTL
    /// assert!(packet.ends_with(b"goes far"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        let ttl = octet(ttl)?;
        self.set_option(|o| o.multicast_ttl_v4 = ttl)
    }

    /// Whether the stack's own sockets hear the IPv6 multicast datagrams of this one.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert!(client.multicast_loop_v6()?);
    /// client.set_multicast_loop_v6(false)?;
    /// assert!(!client.multicast_loop_v6()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.option(|o| o.multicast_loop_v6)
    }

    /// Lets the stack's own sockets hear the IPv6 multicast datagrams of this one, or not
    /// (`IPV6_MULTICAST_LOOP`).
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let listener = net.bind_udp("[::]:5353").await?;
    /// listener.join_multicast_v6(&"ff02::fb".parse().expect("a group"), 0)?;
    /// let sender = net.bind_udp("[fd00::1]:0").await?;
    ///
    /// sender.set_multicast_loop_v6(false)?;
    /// sender.send_to(b"for others", "[ff02::fb]:5353").await?;
    /// sender.set_multicast_loop_v6(true)?;
    /// sender.send_to(b"for all", "[ff02::fb]:5353").await?;
    /// let mut buf = [0; 512];
    /// let n = listener.recv(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"for all"); // the first one was not heard here
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let group = Ipv4Addr::new(224, 0, 0, 251);
    /// let listener = net.bind_udp("0.0.0.0:5353").await?;
    /// listener.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED)?;
    ///
    /// client.send_to(b"who is printer.local?", (group, 5353)).await?;
    /// let mut buf = [0; 512];
    /// let (n, from) = listener.recv_from(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"who is printer.local?");
    /// listener.send_to(b"I am", from).await?;
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let group = "ff02::fb".parse().expect("a group");
    /// let listener = net.bind_udp("[::]:5353").await?;
    /// listener.join_multicast_v6(&group, 0)?;
    ///
    /// let sender = net.bind_udp("[fd00::1]:0").await?;
    /// sender.send_to(b"who is printer.local?", (group, 5353)).await?;
    /// let mut buf = [0; 512];
    /// let (n, from) = listener.recv_from(&mut buf).await?;
    /// assert_eq!((&buf[..n], from), (&b"who is printer.local?"[..], sender.local_addr()?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`join_multicast_v4`](Self::join_multicast_v4).
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.check_index(interface)?;
        self.group(|s| s.udp_join(self.id(), (*multiaddr).into()))
    }

    /// Leaves an IPv4 multicast group. Dropping the socket leaves all.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let group = Ipv4Addr::new(224, 0, 0, 251);
    /// let listener = net.bind_udp("0.0.0.0:5353").await?;
    /// listener.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED)?;
    /// listener.leave_multicast_v4(group, Ipv4Addr::UNSPECIFIED)?;
    ///
    /// client.send_to(b"not for us", (group, 5353)).await?;
    /// listener.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED)?;
    /// client.send_to(b"for us again", (group, 5353)).await?;
    /// let mut buf = [0; 512];
    /// let n = listener.recv(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"for us again");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `AddrNotAvailable` if the socket is not in it, `NotFound` for another interface.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.check_interface(interface)?;
        self.group(|s| s.udp_leave(self.id(), multiaddr.into()))
    }

    /// Leaves an IPv6 multicast group.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let group = "ff02::fb".parse().expect("a group");
    /// let listener = net.bind_udp("[::]:5353").await?;
    /// listener.join_multicast_v6(&group, 0)?;
    /// listener.leave_multicast_v6(&group, 0)?;
    /// let again = listener.leave_multicast_v6(&group, 0).unwrap_err();
    /// assert_eq!(again.kind(), ErrorKind::AddrNotAvailable);
    /// # Ok(())
    /// # }
    /// ```
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
