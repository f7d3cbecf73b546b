//! How does a client of hyper-util connect through our TCP? The service from a URI to a stream:
//! look-up and attempts; what it was told is in `options`.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tower_service::Service;

use super::error::ConnectError;
use super::options::Options;
use super::race::race;
use crate::net::Net;
use crate::stream::TcpStream;

/// Opens connections for hyper-util's clients; the counterpart of its own `HttpConnector`, with the
/// same methods and defaults.
///
/// ```
/// use http_body_util::{BodyExt, Empty};
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tcp_async::{Net, hyper::HttpConnector};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let net = Net::builder().address("10.0.0.1/24").loopback()?;
/// # let listener = net.listen("10.0.0.1:80").await?;
/// # tokio::spawn(async move {
/// #     let (mut stream, _) = listener.accept().await.unwrap();
/// #     stream.read(&mut [0; 1000]).await.unwrap();
/// #     stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await.unwrap();
/// # });
/// let client = Client::builder(TokioExecutor::new())
///     .build::<_, Empty<&[u8]>>(HttpConnector::on(&net));
/// let answer = client.get("http://10.0.0.1/".parse()?).await?;
/// assert_eq!(answer.into_body().collect().await?.to_bytes(), "hello");
/// # Ok(())
/// # }
/// ```
///
/// Inside of a TLS connector (hyper-rustls), and for `https` in tonic, it needs
/// [`enforce_http(false)`](Self::enforce_http).
///
/// A name is looked up by the machine's resolver, or by any `Service<Name>`
/// ([`new_with_resolver`](Self::new_with_resolver)). Several addresses are tried with a head start
/// for each (RFC 8305 5), both families in turn, where hyper-util tries one family after the other.
///
/// Left out is what needs a kernel socket: `set_interface` (choose a stack instead), `set_mark`;
/// and `set_reuse_address`, since a local port is free again as soon as the connection to the same
/// peer is.
#[derive(Clone)]
pub struct HttpConnector<R = GaiResolver> {
    /// None: the ambient stack.
    net: Option<Net>,
    resolver: R,
    pub(super) options: Options,
}

impl HttpConnector {
    /// Connects through the stack that is ambient when a connection is asked for: with a
    /// multi-threaded runtime the installed one ([`Net::install`]).
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let _here = net.enter();
    /// let mut connector = HttpConnector::new();
    /// let stream = connector.call("http://10.0.0.1/".parse()?).await?.into_inner();
    /// assert_eq!(stream.peer_addr()?, "10.0.0.1:80".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::new_without_default, reason = "as hyper-util's, which has none")]
    pub fn new() -> HttpConnector {
        HttpConnector::new_with_resolver(GaiResolver::new())
    }

    /// Connects through a given stack.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let mut connector = HttpConnector::on(&net);
    /// let stream = connector.call("http://[fd00::1]/".parse()?).await?.into_inner();
    /// assert_eq!(stream.peer_addr()?, "[fd00::1]:80".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on(net: &Net) -> HttpConnector {
        HttpConnector::new().through(net)
    }
}

impl<R> HttpConnector<R> {
    /// As [`new`](HttpConnector::new), with a resolver for names in place of the machine's.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    #[doc = include_str!("../../../doc/resolver.rs")]
    /// let names = Addresses::of_every_name(["10.0.0.1:0"]);
    /// let mut connector = HttpConnector::new_with_resolver(names).through(&net);
    /// let stream = connector.call("http://printer/".parse()?).await?.into_inner();
    /// assert_eq!(stream.peer_addr()?, "10.0.0.1:80".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new_with_resolver(resolver: R) -> HttpConnector<R> {
        HttpConnector { net: None, resolver, options: Options::default() }
    }

    /// The same connector through a given stack.
    ///
    /// ```
    #[doc = include_str!("../../../doc/connector.rs")]
    /// let other = Net::builder().address("10.9.0.1/24").loopback()?;
    /// # let _listener = other.listen("10.9.0.1:80").await?;
    /// let mut connector = HttpConnector::on(&net).through(&other);
    /// let stream = connector.call("http://10.9.0.1/".parse()?).await?.into_inner();
    /// assert_eq!(stream.net().addresses(), other.addresses());
    /// # Ok(())
    /// # }
    /// ```
    pub fn through(self, net: &Net) -> HttpConnector<R> {
        HttpConnector { net: Some(net.clone()), ..self }
    }

    async fn connect(self, net: Net, uri: Uri) -> Result<TcpStream, ConnectError>
    where
        R: Resolve,
    {
        let (host, port) = destination(&uri, self.options.enforce_http)?;
        let mut addrs = match host.parse() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_a_name) => look_up(self.resolver, host, port, uri.port().is_some()).await?,
        };
        addrs.retain(|a| self.options.local.allows(*a));
        connect_one(&net, &addrs, &self.options).await
    }
}

impl<R> fmt::Debug for HttpConnector<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConnector")
            .field("net", &self.net)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<R: Resolve> Service<Uri> for HttpConnector<R> {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Connecting;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        // The resolver is asked when it is needed: an address needs none.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        // Now, on the caller's thread: the task that polls may run where another stack is ambient.
        let net = self.net.clone().map_or_else(Net::current, Ok);
        let connector = self.clone();
        Connecting(Box::pin(async move {
            let net = net.map_err(|source| ConnectError::Connect { addr: None, source })?;
            connector.connect(net, uri).await.map(TokioIo::new)
        }))
    }
}

/// A connection that is being opened. Dropping it aborts every attempt.
///
/// ```
#[doc = include_str!("../../../doc/connector.rs")]
/// let mut connector = HttpConnector::on(&net);
/// let connecting: Connecting = connector.call("http://10.0.0.1/".parse()?);
/// let stream = connecting.await?.into_inner();
/// assert_eq!(stream.peer_addr()?, "10.0.0.1:80".parse()?);
/// # Ok(())
/// # }
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Connecting(
    Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, ConnectError>> + Send>>,
);

impl Future for Connecting {
    type Output = Result<TokioIo<TcpStream>, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}

/// What turns a name into addresses; hyper-util's bounds under one name.
///
/// ```
#[doc = include_str!("../../../doc/connector.rs")]
/// # use std::io;
/// use hyper_util::client::legacy::connect::dns::Name;
/// use std::future::{Ready, ready};
///
/// #[derive(Clone)]
/// struct Hosts;
///
/// impl Service<Name> for Hosts {
///     type Response = std::option::IntoIter<SocketAddr>;
///     type Error = io::Error;
///     type Future = Ready<io::Result<Self::Response>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context) -> std::task::Poll<io::Result<()>> {
/// #         Ok(()).into()
/// #     }
///
///     fn call(&mut self, name: Name) -> Self::Future {
///         ready(match name.as_str() {
///             "printer" => Ok(Some(SocketAddr::from(([10, 0, 0, 1], 80))).into_iter()),
///             _ => Err(io::ErrorKind::NotFound.into()),
///         })
///     }
/// }
///
/// fn connector(net: &Net, names: impl Resolve) -> HttpConnector<impl Resolve> {
///     HttpConnector::new_with_resolver(names).through(net)
/// }
///
/// assert!(connector(&net, Hosts).call("http://printer/".parse()?).await.is_ok());
/// let unknown = connector(&net, Hosts).call("http://scanner/".parse()?).await;
/// assert!(matches!(unknown, Err(ConnectError::LookUp(_))));
/// # Ok(())
/// # }
/// ```
pub trait Resolve:
    Service<
        Name,
        Response: Iterator<Item = SocketAddr> + Send,
        Error: Into<Box<dyn Error + Send + Sync>>,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
}

impl<R> Resolve for R where
    R: Service<
            Name,
            Response: Iterator<Item = SocketAddr> + Send,
            Error: Into<Box<dyn Error + Send + Sync>>,
            Future: Send,
        > + Clone
        + Send
        + 'static
{
}

/// Host and port of a URI.
fn destination(uri: &Uri, enforce_http: bool) -> Result<(&str, u16), ConnectError> {
    let scheme = uri.scheme().ok_or(ConnectError::Uri("the scheme is missing"))?;
    if enforce_http && *scheme != Scheme::HTTP {
        return Err(ConnectError::Uri("the scheme is not http"));
    }
    let host = uri.host().filter(|h| !h.is_empty());
    let host = host.ok_or(ConnectError::Uri("the host is missing"))?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    Ok((host, uri.port_u16().unwrap_or(default)))
}

/// The addresses of a name. A port that the resolver knows counts if the URI has none.
async fn look_up<R: Resolve>(
    mut resolver: R,
    host: &str,
    port: u16,
    explicit: bool,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let name: Name = host.parse().map_err(|_| ConnectError::Uri("the host is no name"))?;
    let failed = |e: R::Error| ConnectError::LookUp(e.into());
    poll_fn(|cx| resolver.poll_ready(cx)).await.map_err(failed)?;
    let found = resolver.call(name).await.map_err(failed)?;
    let with_port = |mut a: SocketAddr| {
        if explicit || a.port() == 0 {
            a.set_port(port);
        }
        a
    };
    Ok(found.map(with_port).collect())
}

async fn connect_one(
    net: &Net,
    addrs: &[SocketAddr],
    options: &Options,
) -> Result<TcpStream, ConnectError> {
    let share = u32::try_from(addrs.len()).ok().and_then(|n| options.patience?.checked_div(n));
    // Attempts that run side by side share the whole time, below.
    let each = share.filter(|_| options.head_start.is_none());
    let attempt = |addr| async move {
        let connecting = net.connect_addr(addr, options.towards(net, addr));
        within(each, connecting).await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    };
    let all = race(addrs, options.head_start, attempt);
    let outcome = within(options.patience, all).await;
    let outcome = outcome.unwrap_or_else(|| Err((None, io::ErrorKind::TimedOut.into())));
    outcome.map_err(|(addr, source)| ConnectError::Connect { addr, source })
}

/// The result of a future, or none if it takes longer.
async fn within<F: Future>(limit: Option<Duration>, future: F) -> Option<F::Output> {
    match limit {
        Some(limit) => timeout(limit, future).await.ok(),
        None => Some(future.await),
    }
}
