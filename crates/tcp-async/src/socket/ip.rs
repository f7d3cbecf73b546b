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
    /// socket.set_reuseaddr(true)?;
    /// assert_eq!(socket.reuseaddr()?, true);
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
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_reuseaddr(true)?;
    /// assert_eq!(socket.reuseaddr()?, true);
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
    /// socket.set_reuseport(true)?;
    /// assert_eq!(socket.reuseport()?, true);
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
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_reuseport(true)?;
    /// assert_eq!(socket.reuseport()?, true);
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
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_ttl(255)?;
    /// assert_eq!(socket.ttl(), 255);
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
    /// socket.set_min_ttl(255);
    /// assert_eq!(socket.min_ttl(), 255);
    /// # Ok(())
    /// # }
    /// ```
    pub fn min_ttl(&self) -> u8 {
        self.lock().options.min_hop_limit
    }

    /// Drops packets that arrive with a smaller TTL or hop limit, SYNs to a listener included
    /// (`IP_MINTTL`; RFC 5082).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_min_ttl(255);
    /// assert_eq!(socket.min_ttl(), 255);
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
    /// socket.set_tclass_v6(0x10)?;
    /// assert_eq!(socket.tclass_v6()?, 0x10);
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
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v6()?;
    /// socket.set_tclass_v6(0x10)?;
    /// assert_eq!(socket.tclass_v6()?, 0x10);
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
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.set_tos_v4(0x10)?;
    /// assert_eq!(socket.tos_v4()?, 0x10);
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
    /// # Errors
    /// None; the signature is tokio's.
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.net.device_name().map(|n| n.as_bytes().to_vec()))
    }

    /// Checks that the socket's stack runs on the device of this name; a stack has one device.
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
