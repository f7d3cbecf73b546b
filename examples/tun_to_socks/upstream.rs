//! How is the other side reached, and what is the client told if it is not? By a SOCKS5 proxy
//! (RFC 1928, RFC 1929) or by the kernel's sockets.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tcp_async::{Rejection, Unreachability};
use tokio::net::{TcpSocket, TcpStream};
use tokio_socks::Error as SocksError;
use tokio_socks::tcp::Socks5Stream;

/// Where connections are forwarded to.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct UpstreamArgs {
    /// Forward to this SOCKS5 proxy.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "direct", value_parser = host_and_port)]
    socks5: Option<String>,
    /// User name for the proxy.
    #[arg(long, value_name = "NAME", requires = "socks5")]
    user: Option<String>,
    /// Password for the proxy; better in the environment variable SOCKS5_PASSWORD, where other
    /// users do not see it.
    #[arg(long, requires = "user")]
    password: Option<String>,
    /// Forward by this machine's own TCP to where the client wanted to go.
    #[arg(long)]
    direct: bool,
    /// Device through which this program's own connections leave: needed where their route would
    /// lead back into the TUN device.
    #[arg(long, value_name = "DEVICE")]
    via: Option<String>,
}

fn host_and_port(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.into()),
        _ => Err("not of the form HOST:PORT".to_owned()),
    }
}

impl UpstreamArgs {
    /// What they ask for, if they ask for anything.
    pub(crate) fn upstream(&self) -> Option<Upstream> {
        let via = self.via.clone();
        if self.direct {
            return Some(Upstream::Direct { via });
        }
        let proxy = self.socks5.clone()?;
        let password = || std::env::var("SOCKS5_PASSWORD").unwrap_or_default();
        let login = self
            .user
            .clone()
            .map(|user| Login { user, password: self.password.clone().unwrap_or_else(password) });
        Some(Upstream::Socks5 { proxy, login, via })
    }
}

/// A user's name and password.
pub(crate) struct Login {
    user: String,
    password: String,
}

/// The way to the other side.
pub(crate) enum Upstream {
    Socks5 {
        proxy: String,
        login: Option<Login>,
        via: Option<String>,
    },
    Direct {
        via: Option<String>,
    },
    /// Port 7 of every address is this server; nothing else is there.
    Demo(SocketAddr),
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Upstream::Socks5 { proxy, .. } => write!(f, "to the SOCKS5 proxy {proxy}"),
            Upstream::Direct { .. } => f.write_str("directly"),
            Upstream::Demo(server) => write!(f, "to {server}"),
        }
    }
}

/// Why the other side is not there, and how the client learns it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) rejection: Rejection,
    pub(crate) reason: String,
}

impl Failure {
    pub(crate) fn new(rejection: Rejection, reason: impl fmt::Display) -> Failure {
        Failure { rejection, reason: reason.to_string() }
    }
}

impl Upstream {
    /// Connects to where the client wants to go.
    pub(crate) async fn connect(&self, to: SocketAddr) -> Result<TcpStream, Failure> {
        let stream = match self {
            Upstream::Direct { via } => connect(to, via.as_deref()).await.map_err(direct)?,
            Upstream::Demo(server) => {
                let there =
                    SocketAddr::new(server.ip(), if to.port() == 7 { server.port() } else { 0 });
                connect(there, None).await.map_err(direct)?
            }
            Upstream::Socks5 { proxy, login, via } => {
                let socket = connect_proxy(proxy, via.as_deref()).await.map_err(|e| {
                    let why = Rejection::Unreachable(Unreachability::Network);
                    Failure::new(why, format_args!("the proxy: {e}"))
                })?;
                let stream = match login {
                    None => Socks5Stream::connect_with_socket(socket, to).await,
                    Some(Login { user, password }) => {
                        Socks5Stream::connect_with_password_and_socket(socket, to, user, password)
                            .await
                    }
                };
                stream.map_err(socks)?.into_inner()
            }
        };
        // What the client sends at once goes on at once.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

async fn connect(to: SocketAddr, via: Option<&str>) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    bind_device(&socket, via)?;
    socket.connect(to).await
}

#[cfg(target_os = "linux")]
fn bind_device(socket: &TcpSocket, via: Option<&str>) -> io::Result<()> {
    match via {
        Some(name) => socket.bind_device(Some(name.as_bytes())),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn bind_device(_socket: &TcpSocket, via: Option<&str>) -> io::Result<()> {
    match via {
        Some(_) => Err(io::Error::new(ErrorKind::Unsupported, "--via needs Linux")),
        None => Ok(()),
    }
}

async fn connect_proxy(proxy: &str, via: Option<&str>) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "it has no address");
    for addr in tokio::net::lookup_host(proxy).await? {
        match connect(addr, via).await {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// The kernel's connect has failed: the client's shall fail likewise.
fn direct(e: io::Error) -> Failure {
    use Unreachability as U;
    let rejection = match e.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Rejection::Reset,
        ErrorKind::TimedOut => Rejection::Ignore,
        ErrorKind::PermissionDenied => Rejection::Unreachable(U::AdminProhibited),
        ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
            Rejection::Unreachable(U::Network)
        }
        _ => Rejection::Unreachable(U::Host),
    };
    Failure::new(rejection, e)
}

/// The proxy has answered, or should have (RFC 1928 6).
fn socks(e: SocksError) -> Failure {
    use Unreachability as U;
    let rejection = match &e {
        SocksError::ConnectionRefused => Rejection::Reset,
        // What proxies report when the other side is silent.
        SocksError::TtlExpired => Rejection::Ignore,
        SocksError::ConnectionNotAllowedByRuleset => Rejection::Unreachable(U::AdminProhibited),
        SocksError::HostUnreachable | SocksError::GeneralSocksServerFailure => {
            Rejection::Unreachable(U::Host)
        }
        // The way there: the network itself, or a proxy that does not do its work.
        _ => Rejection::Unreachable(U::Network),
    };
    Failure::new(rejection, format_args!("the proxy says: {e}"))
}
