//! Why did a client of hyper-util get no connection?

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// No connection could be opened for a URI.
///
/// ```
#[doc = include_str!("../../../doc/connector.rs")]
/// let mut connector = HttpConnector::on(&net);
/// let nobody = connector.call("http://10.0.0.1:9/".parse()?).await.unwrap_err();
/// assert_eq!(nobody.to_string(), "cannot connect to 10.0.0.1:9");
/// let ConnectError::Connect { source, .. } = nobody else { panic!("{nobody}") };
/// assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);
///
/// let nowhere = connector.call("/path".parse()?).await.unwrap_err();
/// assert!(matches!(nowhere, ConnectError::Uri("the scheme is missing")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI says nothing that can be connected to: what is wrong with it.
    Uri(&'static str),
    /// The resolver failed.
    LookUp(Box<dyn Error + Send + Sync>),
    /// No address accepted a connection; of several, the last failure.
    Connect {
        /// The address, if it was one address that failed.
        addr: Option<SocketAddr>,
        /// As [`Net::connect`](crate::Net::connect); `TimedOut` after the time of
        /// [`set_connect_timeout`](super::HttpConnector::set_connect_timeout).
        source: io::Error,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Uri(what) => write!(f, "invalid URI: {what}"),
            ConnectError::LookUp(_) => f.write_str("the host's name has no address"),
            ConnectError::Connect { addr: Some(addr), .. } => write!(f, "cannot connect to {addr}"),
            ConnectError::Connect { addr: None, .. } => f.write_str("cannot connect"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ConnectError::Uri(_) => None,
            ConnectError::LookUp(e) => Some(&**e),
            ConnectError::Connect { source, .. } => Some(source),
        }
    }
}
