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

pub(crate) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any address")
}

/// How long connections may take to close at the end, unless the builder says otherwise.
pub(crate) const DEFAULT_GRACE: Duration = Duration::from_secs(5);
