//! What is a running stack? The handle through which programs connect, look and end; listening is in
//! `listening`.

mod listening;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tcp_io::reactor::Handle;
use tcp_io::stack::{Cidr, ConnectOptions, OpenError};
use tokio::net::ToSocketAddrs;

use crate::builder::Builder;
use crate::error;
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
    /// assert_eq!(net.addresses().len(), 2);
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
    /// assert_eq!(stream.state(), State::Established);
    ///
    /// let refused = net.connect("10.0.0.1:81").await.unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
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

    /// The stack's own addresses.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let addresses = net.addresses();
    /// assert_eq!(addresses[0].to_string(), "10.0.0.1/24");
    /// # Ok(())
    /// # }
    /// ```
    pub fn addresses(&self) -> Vec<Cidr> {
        self.handle.inspect(|s| s.config().addresses.clone())
    }

    /// Adds an address at run time; wildcard listeners take it at once. Returns whether it is new.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let cidr = "10.0.0.2/24".parse().expect("an address");
    /// let every = net.listen("0.0.0.0:80").await?;
    /// assert!(net.add_address(cidr));
    /// assert!(!net.add_address(cidr)); // it is there already
    /// let stream = net.connect("10.0.0.2:80").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_address(&self, cidr: Cidr) -> bool {
        self.handle.with_stack(|s, _| s.add_address(cidr))
    }

    /// Removes an address at run time. As on Linux nothing is aborted: its connections and
    /// listeners stay, but no packet reaches or leaves them until it is added again or their
    /// patience ends. Returns whether it was there.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let ip = "10.0.0.1".parse().expect("an address");
    /// assert!(net.remove_address(ip));
    /// assert!(!net.remove_address(ip));
    /// let gone = net.listen((ip, 80)).await.unwrap_err();
    /// assert_eq!(gone.kind(), std::io::ErrorKind::AddrNotAvailable);
    /// # Ok(())
    /// # }
    /// ```
    pub fn remove_address(&self, ip: std::net::IpAddr) -> bool {
        self.handle.with_stack(|s, _| s.remove_address(ip))
    }

    /// The name of the device, if it has one.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let (device, _peer) = tcp_io::device::memory_pair(tcp_io::device::Capabilities::plain(1500));
    /// let net = Net::builder().address("10.0.0.1/24").device(device)?;
    /// assert_eq!(net.device_name(), None); // a TUN device would say "tun0"
    ///
    /// let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// assert_eq!(net.device_name(), Some("loopback"));
    /// # Ok(())
    /// # }
    /// ```
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
    /// let listener = net.listen("10.0.0.1:80").await?;
    /// assert_eq!(net.connection_count(), 0);
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// assert_eq!(net.connection_count(), 2); // both ends are here
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
    /// let listener = net.listen("10.0.0.1:80").await?;
    /// net.shutdown().await;
    /// let over = listener.accept().await.unwrap_err();
    /// let none = net.connect("10.0.0.1:80").await.unwrap_err();
    /// assert_eq!(none.kind(), std::io::ErrorKind::NetworkDown);
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
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let (device, peer) = tcp_io::device::memory_pair(tcp_io::device::Capabilities::plain(1500));
    /// let net = Net::builder().address("10.0.0.1/24").device(device)?;
    /// drop(peer); // the other end of the wire is gone, and with it the stack
    /// net.ended().await;
    /// let none = net.listen("10.0.0.1:80").await.unwrap_err();
    /// assert_eq!(none.kind(), std::io::ErrorKind::NetworkDown);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ended(&self) {
        self.handle.ended().await;
    }
}

pub(crate) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any address")
}

/// How long connections may take to close at the end, unless the builder says otherwise.
pub(crate) const DEFAULT_GRACE: Duration = Duration::from_secs(5);
