//! Whose addresses may be the same, and what stands in the IP header? Reuse of addresses and ports, hop
//! limits, traffic classes, devices.

use std::io;

use super::TcpSocket;

impl TcpSocket {
    /// Whether the port may be shared with connections left over from an earlier bind.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// assert!(!socket.reuseaddr()?);
    /// socket.set_reuseaddr(true)?;
    /// assert!(socket.reuseaddr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        Ok(self.lock().reuse_addr)
    }

    /// Lets the port be shared with connections left over from an earlier bind, and with other
    /// sockets that say so too until one of them listens.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let address = "10.0.0.1:80".parse().expect("an address");
    /// let (one, two) = (TcpSocket::on(&net, true), TcpSocket::on(&net, true));
    /// one.set_reuseaddr(true)?;
    /// two.set_reuseaddr(true)?;
    /// one.bind(address)?;
    /// two.bind(address)?; // both may have it, but only one can listen
    /// let listener = one.listen(128)?;
    /// assert_eq!(two.listen(128).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        self.lock().reuse_addr = reuseaddr;
        Ok(())
    }

    /// Whether several listeners may share the port.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// assert!(!socket.reuseport()?);
    /// socket.set_reuseport(true)?;
    /// assert!(socket.reuseport()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn reuseport(&self) -> io::Result<bool> {
        Ok(self.lock().reuse_port)
    }

    /// Lets several sockets that all say so bind and listen on one address (`SO_REUSEPORT`).
    /// Each connection goes to one of the listeners, by a hash of its two endpoints; closing one
    /// leaves the connections of the others alone.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let mut listeners = Vec::new();
    /// for _worker in 0..2 {
    ///     let socket = TcpSocket::on(&net, true);
    ///     socket.set_reuseport(true)?;
    ///     socket.bind("10.0.0.1:80".parse().expect("an address"))?;
    ///     listeners.push(socket.listen(128)?);
    /// }
    /// let client = net.connect("10.0.0.1:80").await?;
    /// let (server, _) = tokio::select! { // one of them has it
    ///     accepted = listeners[0].accept() => accepted?,
    ///     accepted = listeners[1].accept() => accepted?,
    /// };
    /// assert_eq!(server.peer_addr()?, client.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_reuseport(&self, reuseport: bool) -> io::Result<()> {
        self.lock().reuse_port = reuseport;
        Ok(())
    }

    /// TTL or hop limit of our packets from the first SYN on, accepted connections included.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// assert_eq!(socket.ttl(), 64);
    /// socket.set_ttl(255)?;
    /// assert_eq!(socket.ttl(), 255);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ttl(&self) -> u8 {
        self.lock().options.hop_limit
    }

    /// Sets the TTL or hop limit of our packets (MUST-49).
    ///
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// let socket = TcpSocket::on(&net, true);
    /// socket.set_ttl(255)?;
    /// tokio::spawn(socket.connect("10.0.0.2:179".parse().expect("an address")));
    /// let syn = packet_from(&wire).await?;
    /// assert_eq!(syn[8], 255);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for 0.
    pub fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        if ttl == 0 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        self.lock().options.hop_limit = ttl;
        Ok(())
    }

    /// The TTL or hop limit below which arriving packets are dropped; 0: none is.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// assert_eq!(socket.min_ttl(), 0);
    /// socket.set_min_ttl(255);
    /// assert_eq!(socket.min_ttl(), 255);
    /// # Ok(())
    /// # }
    /// ```
    pub fn min_ttl(&self) -> u8 {
        self.lock().options.min_hop_limit
    }

    /// Drops packets that arrive with a smaller TTL or hop limit, SYNs to a listener included
    /// (`IP_MINTTL`, `IPV6_MINHOPCOUNT`; RFC 5082). What the stack sends to itself is no exception,
    /// as on Linux: there, too, both ends [`set_ttl(255)`](Self::set_ttl).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> std::io::Result<()> {
    /// # let (here, there) = tcp_io::device::memory_pair(tcp_io::device::Capabilities::plain(1500));
    /// # let net = Net::builder().address("10.0.0.1/24").device(here)?;
    /// # let peer = Net::builder().address("10.0.0.2/24").device(there)?;
    /// let router = TcpSocket::on(&net, true);
    /// router.set_min_ttl(255); // nobody who is further away can send that
    /// router.bind("10.0.0.1:179".parse().expect("an address"))?;
    /// let listener = router.listen(128)?;
    ///
    /// let neighbour = TcpSocket::on(&peer, true);
    /// neighbour.set_ttl(255)?;
    /// let stream = neighbour.connect(listener.local_addr()?).await?;
    /// assert_eq!(stream.state(), State::Established);
    ///
    /// // The SYN of somebody with the usual TTL of 64 is dropped.
    /// let stranger = peer.connect("10.0.0.1:179");
    /// assert!(tokio::time::timeout(Duration::from_millis(500), stranger).await.is_err());
    /// assert_eq!(net.counters().packet_drops(PacketDrop::HopLimit), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_min_ttl(&self, ttl: u8) {
        self.lock().options.min_hop_limit = ttl;
    }

    /// The IPv6 traffic class of our packets.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v6()?;
    /// assert_eq!(socket.tclass_v6()?, 0);
    /// socket.set_tclass_v6(0xb8)?;
    /// assert_eq!(socket.tclass_v6()?, 0xb8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        Ok(u32::from(self.lock().options.traffic_class))
    }

    /// Sets the IPv6 traffic class of our packets (MUST-48).
    ///
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// let socket = TcpSocket::on(&net, false);
    /// socket.set_tclass_v6(0x10)?;
    /// tokio::spawn(socket.connect("[fd00::2]:22".parse().expect("an address")));
    /// let syn = packet_from(&wire).await?;
    /// assert_eq!(syn[..2], [0x61, 0x00]); // version 6, then the class
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_tclass_v6(&self, class: u32) -> io::Result<()> {
        let class = u8::try_from(class);
        let class = class.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.lock().options.traffic_class = class;
        Ok(())
    }

    /// The IPv4 type of service of our packets.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// assert_eq!(socket.tos_v4()?, 0);
    /// socket.set_tos_v4(0x10)?;
    /// assert_eq!(socket.tos_v4()?, 0x10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn tos_v4(&self) -> io::Result<u32> {
        Ok(u32::from(self.lock().options.traffic_class))
    }

    /// Sets the IPv4 type of service of our packets (MUST-48).
    ///
    /// ```
    #[doc = include_str!("../../doc/wire.rs")]
    /// let socket = TcpSocket::on(&net, true);
    /// socket.set_tos_v4(0x10)?;
    /// tokio::spawn(socket.connect("10.0.0.2:22".parse().expect("an address")));
    /// let syn = packet_from(&wire).await?;
    /// assert_eq!(syn[1], 0x10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` above 255.
    pub fn set_tos_v4(&self, class: u32) -> io::Result<()> {
        let class = u8::try_from(class);
        let class = class.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.lock().options.traffic_class = class;
        Ok(())
    }

    /// The name of the stack's device.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let socket = TcpSocket::on(&net, true);
    /// assert_eq!(socket.device()?, Some(b"loopback".to_vec())); // so it is called without a device
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.net.device_name().map(|n| n.as_bytes().to_vec()))
    }

    /// Checks that the socket's stack runs on the device of this name; a stack has one device.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.bind_device(Some(b"loopback"))?;
    /// let other = socket.bind_device(Some(b"eth0")).unwrap_err();
    /// assert_eq!(other.kind(), std::io::ErrorKind::NotFound);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for another name; choose the stack with [`TcpSocket::on`] instead.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        match interface {
            Some(name) if self.net.device_name().map(str::as_bytes) != Some(name) => {
                Err(io::Error::new(io::ErrorKind::NotFound, "the stack has no such device"))
            }
            _ => Ok(()),
        }
    }
}
