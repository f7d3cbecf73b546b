//! What is a running stack? The handle through which programs connect, listen, look and end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tcp_io::reactor::Handle;
use tcp_io::stack::{Cidr, ConnectOptions, ListenOptions, ListenScope, OpenError, PendingOptions};
use tokio::net::ToSocketAddrs;

use crate::builder::Builder;
use crate::error;
use crate::listener::TcpListener;
use crate::pending::PendingListener;
use crate::stream::TcpStream;

/// A running TCP/IP stack. Clones are handles to the same stack.
///
/// The stack runs in a task of the tokio runtime in which it was built, until
/// [`shutdown`](Self::shutdown) or the end of that runtime; dropping handles does not end it.
///
/// ```
/// # use tcp_async::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let net = Net::builder().address("10.0.0.1/24").loopback()?;
/// let listener = net.listen("10.0.0.1:80").await?;
/// let client = net.connect("10.0.0.1:80").await?;
/// let (server, _) = listener.accept().await?;
/// assert_eq!(net.connection_count(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Net {
    pub(crate) handle: Handle,
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("addresses", &self.addresses())
            .field("device", &self.device_name())
            .finish_non_exhaustive()
    }
}

impl Net {
    /// Starts to describe a stack.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let net = Net::builder().address("10.0.0.1/24").address("fd00::1/64").loopback()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Connects to `addr` and tries each address it resolves to, as
    /// `tokio::net::TcpStream::connect` does.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`, `NetworkUnreachable` as the network
    /// answers; `InvalidInput` for a destination that is no host (MUST-46).
    ///
    /// # Cancel safety
    /// Dropping the future aborts the attempt.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<TcpStream> {
        let mut last = None;
        for addr in tokio::net::lookup_host(addr).await? {
            match self.connect_addr(addr, ConnectOptions::default()).await {
                Ok(stream) => return Ok(stream),
                Err(e) => last = Some(e),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    pub(crate) async fn connect_addr(
        &self,
        addr: SocketAddr,
        options: ConnectOptions,
    ) -> io::Result<TcpStream> {
        let opened = self.handle.open(|stack, now| {
            let id = stack.connect(now, addr, options).map_err(|e| match e {
                OpenError::NoRoute if stack.config().addresses.is_empty() => error::no_way_out(),
                e => error::from_open(e),
            })?;
            stack.connection_cell(id).ok_or_else(error::stack_ended)
        });
        let cell = opened.ok_or_else(error::stack_ended)??;
        // Dropping the stream drops the attempt.
        let stream = TcpStream::new(self.clone(), cell);
        stream.connected().await?;
        Ok(stream)
    }

    /// Listens on `addr` with tokio's backlog of 128 pending connections.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let listener = net.listen("10.0.0.1:80").await?;
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
    /// own addresses, then one port. [`TcpStream::local_addr`] is where the client wanted to go.
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
    /// ([`Builder::foreign`]); `AddrInUse` if there is such a listener on this port.
    pub fn listen_any(&self, port: u16) -> io::Result<TcpListener> {
        let options = ListenOptions { scope: ListenScope::Any, ..ListenOptions::default() };
        self.listen_addr(every_address(port), options)
    }

    /// As [`listen_any`](Self::listen_any), and leaves it to the program whether a SYN is
    /// answered, and how.
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

    /// The stack's own addresses.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// println!("{:?}", net.addresses());
    /// # Ok(())
    /// # }
    /// ```
    pub fn addresses(&self) -> Vec<Cidr> {
        self.handle.inspect(|s| s.config().addresses.clone())
    }

    /// Adds an address at run time; wildcard listeners take it at once. Returns whether it is new.
    pub fn add_address(&self, cidr: Cidr) -> bool {
        self.handle.with_stack(|s, _| s.add_address(cidr))
    }

    /// Removes an address at run time. As on Linux nothing is aborted: its connections and
    /// listeners stay, but no packet reaches or leaves them until it is added again or their
    /// patience ends. Returns whether it was there.
    pub fn remove_address(&self, ip: std::net::IpAddr) -> bool {
        self.handle.with_stack(|s, _| s.remove_address(ip))
    }

    /// The name of the device, if it has one.
    pub fn device_name(&self) -> Option<&str> {
        self.handle.device_name()
    }

    /// Connections and half-open records that the stack keeps now, without TIME-WAIT.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// assert_eq!(net.connection_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn connection_count(&self) -> usize {
        self.handle.inspect(|s| s.connection_count() + s.half_open_count())
    }

    /// Ends the stack: listeners close, connections close in order as far as their peers let
    /// them, and what is left after the builder's grace time is reset. Returns when the stack has
    /// ended; streams fail from then on.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// net.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Once polled, the stack ends whether or not anybody waits.
    pub async fn shutdown(&self) {
        self.handle.begin_shutdown();
        self.handle.ended().await;
    }

    /// Waits until the stack has ended, for whatever reason.
    pub async fn ended(&self) {
        self.handle.ended().await;
    }
}

fn every_address(port: u16) -> SocketAddr {
    SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port))
}

pub(crate) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any address")
}

/// How long connections may take to close at the end, unless the builder says otherwise.
pub(crate) const DEFAULT_GRACE: Duration = Duration::from_secs(5);
