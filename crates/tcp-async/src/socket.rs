//! What is there before a connection exists? `TcpSocket` in the shape of `tokio::net`: made, bound, connected or
//! listening. Its options are in `options` and `ip`.

mod ip;
mod options;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tcp_core::Endpoint;
use tcp_core::config::SocketOptions;
use tcp_io::stack::{BindOptions, ConnectOptions, ListenOptions, PendingOptions};

use crate::error;
use crate::listener::TcpListener;
use crate::net::Net;
use crate::pending::PendingListener;
use crate::stream::TcpStream;

/// A socket that is neither connected nor listening yet; see `tokio::net::TcpSocket`.
///
/// ```
/// # use tcp_async::*;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
/// let listener = socket.listen(1024)?;
/// # Ok(())
/// # }
/// ```
pub struct TcpSocket {
    net: Net,
    v4: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: SocketOptions,
    reuse_addr: bool,
    reuse_port: bool,
    defer_accept: Option<Duration>,
    save_syn: bool,
    bound: Option<Endpoint>,
}

impl TcpSocket {
    /// A socket for IPv4 on the ambient stack ([`Net::current`]).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let socket = TcpSocket::new_v4()?;
    /// assert!(socket.local_addr()?.is_ipv4());
    /// // Nobody has built a stack: it is of the loopback network of the process.
    /// let e = socket.bind("192.0.2.1:0".parse().expect("an address")).unwrap_err();
    /// assert_eq!(e.kind(), std::io::ErrorKind::AddrNotAvailable);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Net::current`]; without a stack of its own, the program gets one on the process's
    /// loopback network.
    pub fn new_v4() -> io::Result<TcpSocket> {
        Ok(TcpSocket::on(&Net::current()?, true))
    }

    /// A socket for IPv6 on the ambient stack ([`Net::current`]).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let socket = TcpSocket::new_v6()?;
    /// assert!(socket.local_addr()?.is_ipv6());
    /// // Nobody has built a stack: the loopback network of the process has no way out.
    /// let e = socket.connect("[2001:db8::1]:80".parse().expect("an address")).await.unwrap_err();
    /// assert_eq!(e.kind(), std::io::ErrorKind::NetworkUnreachable);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Net::current`]; without a stack of its own, the program gets one on the process's
    /// loopback network.
    pub fn new_v6() -> io::Result<TcpSocket> {
        Ok(TcpSocket::on(&Net::current()?, false))
    }

    /// A socket on a given stack.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// let socket = TcpSocket::on(&net, true);
    /// socket.bind("10.0.0.1:80".parse().expect("an address"))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on(net: &Net, v4: bool) -> TcpSocket {
        let options = net.handle.inspect(|s| s.config().tcp.options.clone());
        let inner = Inner {
            options,
            reuse_addr: false,
            reuse_port: false,
            defer_accept: None,
            save_syn: false,
            bound: None,
        };
        TcpSocket { net: net.clone(), v4, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address the socket is bound to; unspecified before that.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// assert_eq!(socket.local_addr()?.port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let any = if self.v4 {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        };
        Ok(self.lock().bound.unwrap_or(Endpoint::new(any, 0)).into())
    }

    /// The pending error; a socket without a connection has none.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// assert!(socket.take_error()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(None)
    }

    /// Reserves a local address; port 0 chooses one.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    /// assert_ne!(socket.local_addr()?.port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `AddrInUse` if the port is taken, `AddrNotAvailable` if the address is not the stack's,
    /// `InvalidInput` if the socket is bound already or of the other family.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.bound.is_some() || addr.is_ipv4() != self.v4 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let share = BindOptions { reuse_addr: inner.reuse_addr, reuse_port: inner.reuse_port };
        let bound = self.net.handle.with_stack(|s, _| s.bind(addr, share));
        inner.bound = Some(bound.map_err(error::from_bind)?);
        Ok(())
    }

    /// Connects to `addr`.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let socket = TcpSocket::new_v4()?;
    /// let stream = socket.connect(listener.local_addr()?).await?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Net::connect`]; `InvalidInput` for an address of the other family.
    ///
    /// # Cancel safety
    /// Dropping the future aborts the attempt.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        if addr.is_ipv4() != self.v4 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let options = {
            let inner = self.lock();
            ConnectOptions {
                local: inner.bound.map(SocketAddr::from),
                options: Some(inner.options.clone()),
            }
        };
        TcpStream::connect_with(&self.net, addr, options).await
    }

    /// Listens with `backlog` connections that may wait to be accepted; 0 lets one wait, as on
    /// Linux.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    /// let listener = socket.listen(1024)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let backlog = backlog as usize;
        self.listen_with(ListenOptions { backlog, ..ListenOptions::default() })
    }

    /// Listens with everything a listener can be told: both backlogs, SYN cookies, what a full
    /// accept queue does, retries of the SYN-ACK, deferred accept. What was set on the socket
    /// counts: its options (unless `options` has others), `SO_REUSEPORT` and the bound address.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// let options = ListenOptions { syn_cookies: Some(SynCookies::Always), ..Default::default() };
    /// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    /// let listener = socket.listen_with(options)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn listen_with(self, options: ListenOptions) -> io::Result<TcpListener> {
        let (local, options) = self.listen_options(options)?;
        let listener = self.net.listen_addr(local, options)?;
        // The listener owns the reservation now.
        self.lock().bound = None;
        Ok(listener)
    }

    /// Listens and leaves it to the program whether a SYN is answered, and how.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let socket = TcpSocket::new_v4()?;
    /// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    /// let listener = socket.listen_pending(PendingOptions::default())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    pub fn listen_pending(self, pending: PendingOptions) -> io::Result<PendingListener> {
        let wanted = ListenOptions { pending: Some(pending), ..ListenOptions::default() };
        let (local, options) = self.listen_options(wanted)?;
        let listener = self.net.listen_addr_pending(local, options)?;
        self.lock().bound = None;
        Ok(listener)
    }

    /// What a listener is told, with what was set on the socket.
    fn listen_options(&self, options: ListenOptions) -> io::Result<(SocketAddr, ListenOptions)> {
        if self.lock().bound.is_none() {
            let any = SocketAddr::new(self.local_addr()?.ip(), 0);
            self.bind(any)?;
        }
        let local = self.local_addr()?;
        let options = {
            let inner = self.lock();
            ListenOptions {
                bound: true,
                reuse_port: inner.reuse_port,
                // As on Linux, accepted connections inherit what was set here.
                options: options.options.or_else(|| Some(inner.options.clone())),
                defer_accept: options.defer_accept.or(inner.defer_accept),
                save_syn: options.save_syn || inner.save_syn,
                ..options
            }
        };
        Ok((local, options))
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSocket").field("inner", &self.lock()).finish_non_exhaustive()
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        if let Some(bound) = self.lock().bound.take() {
            self.net.handle.with_stack(|s, _| s.unbind(bound));
        }
    }
}
