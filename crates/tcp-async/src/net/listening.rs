//! How does a program listen on a stack? On an address or any, as a listener or with the decision before
//! the SYN is answered.

use std::io;
use std::net::SocketAddr;

use tcp_io::stack::{ListenOptions, ListenScope, PendingOptions};
use tokio::net::ToSocketAddrs;

use super::{Net, no_address};
use crate::error;
use crate::listener::TcpListener;
use crate::pending::PendingListener;

impl Net {
    /// Listens on `addr` with tokio's backlog of 128 pending connections.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let listener = net.listen("10.0.0.1:80").await?;
    /// let taken = net.listen("10.0.0.1:80").await.unwrap_err();
    /// assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    /// let foreign = net.listen("10.0.0.9:80").await.unwrap_err();
    /// assert_eq!(foreign.kind(), std::io::ErrorKind::AddrNotAvailable);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `AddrInUse` if the port is taken, `AddrNotAvailable` if the address is not the stack's.
    pub async fn listen<A: ToSocketAddrs>(&self, addr: A) -> io::Result<TcpListener> {
        self.listen_with(addr, ListenOptions::default()).await
    }

    /// Listens on `addr` with everything a listener can be told.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let nodelay = SocketOptions { nodelay: true, ..SocketOptions::default() };
    /// let options = ListenOptions { backlog: 1024, options: Some(nodelay), ..Default::default() };
    /// let listener = net.listen_with("10.0.0.1:80", options).await?;
    ///
    /// let client = net.connect("10.0.0.1:80").await?;
    /// let (server, _) = listener.accept().await?;
    /// assert!(server.nodelay()? && !client.nodelay()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub async fn listen_with<A: ToSocketAddrs>(
        &self,
        addr: A,
        options: ListenOptions,
    ) -> io::Result<TcpListener> {
        let mut last = None;
        for addr in tokio::net::lookup_host(addr).await? {
            match self.listen_addr(addr, options.clone()) {
                Ok(listener) => return Ok(listener),
                Err(e) => last = Some(e),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// Listens on `addr` and leaves it to the program whether a SYN is answered, and how; with the
    /// defaults of [`PendingOptions`].
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let listener = net.listen_pending("10.0.0.1:80").await?;
    /// let connecting = net.connect("10.0.0.1:80");
    /// let deciding = async {
    ///     let (pending, _) = listener.accept().await?;
    ///     pending.accept().await // sends the SYN-ACK
    /// };
    /// let (client, server) = tokio::try_join!(connecting, deciding)?;
    /// assert_eq!(server.peer_addr()?, client.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub async fn listen_pending<A: ToSocketAddrs>(&self, addr: A) -> io::Result<PendingListener> {
        let mut last = None;
        let pending = Some(PendingOptions::default());
        for addr in tokio::net::lookup_host(addr).await? {
            let options = ListenOptions { pending, ..ListenOptions::default() };
            match self.listen_addr_pending(addr, options) {
                Ok(listener) => return Ok(listener),
                Err(e) => last = Some(e),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// Listens for every IPv4 and IPv6 address, the stack's own and foreign ones, on `port`, or
    /// on every port if that is 0. Other listeners come first: a certain address, then the stack's
    /// own addresses, then one port. [`TcpStream::local_addr`](crate::TcpStream::local_addr) is where the
    /// client wanted to go.
    ///
    /// ```
    /// use tcp_async::{Foreign, Net};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let (here, there) = tcp_io::device::memory_pair(tcp_io::device::Capabilities::offloading(1500));
    /// let proxy = Net::builder()
    ///     .address("10.0.0.1/24")
    ///     .foreign(Foreign::Take { echo: true })
    ///     .device(here)?;
    /// let client = Net::builder().address("10.0.0.2/24").device(there)?;
    ///
    /// let listener = proxy.listen_any(0)?;
    /// let ours = client.connect("192.0.2.7:443").await?;
    /// let (theirs, peer) = listener.accept().await?;
    /// assert_eq!(theirs.local_addr()?, "192.0.2.7:443".parse().unwrap());
    /// assert_eq!(peer, ours.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `AddrNotAvailable` unless the stack takes foreign addresses
    /// ([`Builder::foreign`](crate::Builder::foreign)); `AddrInUse` if there is such a listener on this port.
    pub fn listen_any(&self, port: u16) -> io::Result<TcpListener> {
        let options = ListenOptions { scope: ListenScope::Any, ..ListenOptions::default() };
        self.listen_addr(every_address(port), options)
    }

    /// As [`listen_any`](Self::listen_any), and leaves it to the program whether a SYN is
    /// answered, and how.
    ///
    /// ```
    /// use tcp_async::{Foreign, Net, PendingOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let (here, there) = tcp_io::device::memory_pair(tcp_io::device::Capabilities::offloading(1500));
    /// # let client = Net::builder().address("10.0.0.2/24").device(there)?;
    /// let proxy = Net::builder()
    ///     .address("10.0.0.1/24")
    ///     .foreign(Foreign::Take { echo: true })
    ///     .device(here)?;
    /// let listener = proxy.listen_any_pending(0, PendingOptions::default())?;
    ///
    /// let connecting = tokio::spawn(async move { client.connect("192.0.2.7:443").await });
    /// let (pending, _) = listener.accept().await?;
    /// assert_eq!(pending.local_addr(), "192.0.2.7:443".parse().unwrap());
    /// pending.reset(); // say, because the real server refused us
    /// let refused = connecting.await?.unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`listen_any`](Self::listen_any).
    pub fn listen_any_pending(
        &self,
        port: u16,
        pending: PendingOptions,
    ) -> io::Result<PendingListener> {
        let options = ListenOptions {
            scope: ListenScope::Any,
            pending: Some(pending),
            ..ListenOptions::default()
        };
        self.listen_addr_pending(every_address(port), options)
    }

    pub(crate) fn listen_addr_pending(
        &self,
        addr: SocketAddr,
        options: ListenOptions,
    ) -> io::Result<PendingListener> {
        let opened = self.handle.open(|stack, _| {
            let id = stack.listen(addr, options).map_err(error::from_listen)?;
            let cell = stack.request_queue(id).ok_or_else(error::stack_ended)?;
            Ok(PendingListener::new(self.clone(), id, cell))
        });
        opened.unwrap_or_else(|| Err(error::stack_ended()))
    }

    pub(crate) fn listen_addr(
        &self,
        addr: SocketAddr,
        options: ListenOptions,
    ) -> io::Result<TcpListener> {
        if options.pending.is_some() {
            // Its requests would reach nobody.
            let why = "a listener with pending requests is a PendingListener";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let opened = self.handle.open(|stack, _| {
            let id = stack.listen(addr, options).map_err(error::from_listen)?;
            let cell = stack.listener_cell(id).ok_or_else(error::stack_ended)?;
            Ok(TcpListener::new(self.clone(), id, cell))
        });
        opened.unwrap_or_else(|| Err(error::stack_ended()))
    }
}

fn every_address(port: u16) -> SocketAddr {
    SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port))
}
