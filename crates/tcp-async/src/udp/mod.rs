//! What does UDP look like to a tokio program? `UdpSocket` in the shape of `tokio::net` (RFC 768).
//! Its options stand in `options` and `groups`, sending and receiving in files of their own.

mod groups;
mod options;
mod peek;
mod ready;
mod receive;
mod send;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tcp_core::Instant;
use tcp_io::cell::{UdpCell, UdpId, UdpRow};
use tcp_io::stack::{Stack, UdpBindOptions};
use tokio::net::ToSocketAddrs;

use crate::error;
use crate::net::Net;

/// A UDP socket; see `tokio::net::UdpSocket`.
///
/// All methods take `&self`: tasks share a socket through an `Arc`, and each datagram goes to one
/// of those that wait. A datagram is sent once the device has room for it; until then it waits in
/// a queue of the socket (`SO_SNDBUF`), and dropping the socket does not take it back.
///
/// ```
/// use tcp_async::{Net, UdpSocket};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let net = Net::builder().address("10.0.0.1/24").loopback()?;
/// let _here = net.enter();
///
/// let server = UdpSocket::bind("10.0.0.1:53").await?;
/// let client = UdpSocket::bind("0.0.0.0:0").await?;
/// client.connect("10.0.0.1:53").await?;
/// client.send(b"question").await?;
///
/// let mut buf = [0; 512];
/// let (n, from) = server.recv_from(&mut buf).await?;
/// assert_eq!(&buf[..n], b"question");
/// server.send_to(b"answer", from).await?;
/// assert_eq!(client.recv(&mut buf).await?, 6);
/// # Ok(())
/// # }
/// ```
///
/// As on Linux, an ICMP error about a datagram reaches a connected socket only, as the error of
/// the next call. `from_std` and `into_std` do not exist: there is no descriptor. Nor is there a
/// way to take a peer away again, as tokio has none.
pub struct UdpSocket {
    net: Net,
    cell: Arc<UdpCell>,
}

impl UdpSocket {
    /// Makes a socket of the ambient stack with this address; port 0 lets the stack choose. Of
    /// several addresses the first that can be had counts.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// // No stack was built or entered: this is the loopback network of the process.
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// let taken = UdpSocket::bind(socket.local_addr()?).await.unwrap_err();
    /// assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `AddrInUse` if the port is taken, `AddrNotAvailable` if the address is not the stack's.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        Net::current()?.bind_udp(addr).await
    }

    /// The stack it belongs to.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// // Another socket of the same stack, wherever this one came from.
    /// let another = client.net().bind_udp("10.0.0.1:0").await?;
    /// assert_eq!(client.net().udp_sockets().len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The address it is bound to. A connected socket has a certain address.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let socket = net.bind_udp("0.0.0.0:5000").await?;
    /// assert_eq!(socket.local_addr()?, "0.0.0.0:5000".parse::<SocketAddr>().unwrap());
    /// socket.connect("10.0.0.1:53").await?;
    /// assert_eq!(socket.local_addr()?, "10.0.0.1:5000".parse::<SocketAddr>().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.cell.local())
    }

    /// The address it is connected to.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// assert_eq!(client.peer_addr()?, server.local_addr()?);
    /// assert_eq!(server.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.cell.peer().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }

    /// Fixes the peer: [`send`](Self::send) goes there, and nothing else arrives than what comes
    /// from there (and what had arrived before). May be called again, to change the peer; the
    /// local address stays what the first call made it, as on Linux. Of several addresses the
    /// first that can be reached counts.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let client = net.bind_udp("10.0.0.1:40001").await?;
    /// client.connect("10.0.0.1:53").await?;
    ///
    /// let stranger = net.bind_udp("10.0.0.1:666").await?;
    /// stranger.send_to(b"not asked for", "10.0.0.1:40001").await?;
    /// server.send_to(b"answer", "10.0.0.1:40001").await?;
    /// let mut buf = [0; 512];
    /// let n = client.recv(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"answer"); // the stranger's is not there
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for port 0 or an address that this socket can't reach,
    /// `NetworkUnreachable` without a route, `PermissionDenied` for a broadcast address without
    /// [`set_broadcast`](Self::set_broadcast).
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        let mut last = None;
        for addr in tokio::net::lookup_host(addr).await? {
            match self.with_stack(|s, _| s.udp_connect(self.id(), addr))? {
                Ok(()) => return Ok(()),
                Err(e) => last = Some(e),
            }
        }
        Err(last.map_or_else(crate::net::no_address, |e| self.send_error(e)))
    }

    /// Takes the pending error (`SO_ERROR`): what ICMP said about a datagram of a connected
    /// socket.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.connect("10.0.0.1:9").await?; // nobody is there
    /// client.send(b"anybody?").await?;
    /// let error = client.take_error()?.expect("an ICMP message has come");
    /// assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    /// assert!(client.take_error()?.is_none()); // it is told once
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.cell.take_error().map(error::from_udp))
    }

    fn id(&self) -> UdpId {
        self.cell.id()
    }

    /// Acts on the stack, unless it has ended.
    fn with_stack<R>(&self, act: impl FnOnce(&mut Stack, Instant) -> R) -> io::Result<R> {
        self.net.handle.open(act).ok_or_else(error::stack_ended)
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut d = f.debug_struct("UdpSocket");
        d.field("addr", &self.cell.local());
        if let Some(peer) = self.cell.peer() {
            d.field("peer", &peer);
        }
        d.finish_non_exhaustive()
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.net.handle.with_stack(|stack, _| stack.udp_close(self.id()));
    }
}

impl Net {
    /// Makes a UDP socket of this stack with this address; port 0 lets the stack choose.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// let chosen = net.bind_udp("10.0.0.1:0").await?;
    /// assert_ne!(chosen.local_addr()?.port(), 0);
    /// let foreign = net.bind_udp("10.0.0.9:53").await.unwrap_err();
    /// assert_eq!(foreign.kind(), ErrorKind::AddrNotAvailable);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `AddrInUse` if the port is taken, `AddrNotAvailable` if the address is not the stack's.
    pub async fn bind_udp<A: ToSocketAddrs>(&self, addr: A) -> io::Result<UdpSocket> {
        self.bind_udp_with(addr, UdpBindOptions::default()).await
    }

    /// As [`bind_udp`](Self::bind_udp) with everything a socket can be told, such as
    /// `SO_REUSEPORT`.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// // Two workers on one port: each client has one of them, by a hash of both addresses.
    /// let share = BindOptions { reuse_port: true, ..BindOptions::default() };
    /// let options = UdpBindOptions { share, ..UdpBindOptions::default() };
    /// let one = net.bind_udp_with("10.0.0.1:443", options.clone()).await?;
    /// let two = net.bind_udp_with("10.0.0.1:443", options).await?;
    ///
    /// for _ in 0..3 {
    ///     client.send_to(b"hello", "10.0.0.1:443").await?;
    /// }
    /// let mut queues = net.udp_sockets().into_iter().filter(|row| row.local.port() == 443);
    /// assert!(queues.any(|row| row.receive_queue == 3 * (576 + 5)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`bind_udp`](Self::bind_udp).
    pub async fn bind_udp_with<A: ToSocketAddrs>(
        &self,
        addr: A,
        options: UdpBindOptions,
    ) -> io::Result<UdpSocket> {
        let mut last = None;
        for addr in tokio::net::lookup_host(addr).await? {
            let opened = self.handle.open(|stack, _| {
                let id = stack.udp_bind(addr, options.clone()).map_err(error::from_udp_bind)?;
                stack.udp_cell(id).ok_or_else(error::stack_ended)
            });
            match opened.ok_or_else(error::stack_ended)? {
                Ok(cell) => return Ok(UdpSocket { net: self.clone(), cell }),
                Err(e) => last = Some(e),
            }
        }
        Err(last.unwrap_or_else(crate::net::no_address))
    }

    /// Every UDP socket there is now.
    ///
    /// ```
    #[doc = include_str!("../../doc/udp.rs")]
    /// client.send(b"question").await?;
    /// for row in net.udp_sockets() {
    ///     println!("{} {} {:?}", row.receive_queue, row.local, row.peer);
    /// }
    /// let rows = net.udp_sockets();
    /// let row = rows.iter().find(|row| row.local.port() == 53).expect("the server's");
    /// assert_eq!(row.receive_queue, 576 + 8); // each datagram counts 576 octets more than its text
    /// # Ok(())
    /// # }
    /// ```
    pub fn udp_sockets(&self) -> Vec<UdpRow> {
        self.handle.inspect(|s| s.udp_rows().collect())
    }
}
