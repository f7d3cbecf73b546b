//! Clients of hyper-util (and with them tonic's) on our TCP (feature `hyper`).
//!
//! [`HttpConnector`] has the place and the methods of hyper-util's own, so that one line changes:
//!
//! ```diff
//! -use hyper_util::client::legacy::connect::HttpConnector;
//! +use tcp_async::hyper::HttpConnector;
//! ```
//!
//! What a connector opens, here or inside of a TLS connector, is known to the client as a
//! `hyper_util::client::legacy::connect::Connection`, with [`HttpInfo`] among the extensions of
//! each response.
//!
//! Servers need no feature: hyper serves `hyper_util::rt::TokioIo::new(stream)`.

mod connector;
mod error;
mod options;
mod race;

use std::net::SocketAddr;

use hyper_util::client::legacy::connect::{Connected, Connection};

pub use connector::{Connecting, HttpConnector, Resolve};
pub use error::ConnectError;

use crate::stream::TcpStream;

/// The addresses of the connection on which a response came; an extension of the response.
///
/// hyper-util's type of this name can only be made by its own connector.
///
/// ```
#[doc = include_str!("../../../doc/http_client.rs")]
/// let answer = client.get("http://10.0.0.1/".parse()?).await?;
/// let info = answer.extensions().get::<HttpInfo>().expect("it came on a TcpStream");
/// println!("{} answered {}", info.remote_addr(), info.local_addr());
/// # assert_eq!(info.local_addr(), server.await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpInfo {
    remote: SocketAddr,
    local: SocketAddr,
}

impl HttpInfo {
    /// The server's address.
    ///
    /// ```
    #[doc = include_str!("../../../doc/http_client.rs")]
    /// let answer = client.get("http://10.0.0.1/".parse()?).await?;
    /// let info = answer.extensions().get::<HttpInfo>().unwrap();
    /// assert_eq!(info.remote_addr(), "10.0.0.1:80".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn remote_addr(&self) -> SocketAddr {
        self.remote
    }

    /// The address of this end.
    ///
    /// ```
    #[doc = include_str!("../../../doc/http_client.rs")]
    /// let answer = client.get("http://10.0.0.1/".parse()?).await?;
    /// let info = answer.extensions().get::<HttpInfo>().unwrap();
    /// // The server sees the same address.
    /// assert_eq!(info.local_addr(), server.await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

/// For hyper-util's clients (feature `hyper`).
impl Connection for TcpStream {
    fn connected(&self) -> Connected {
        match (self.peer_addr(), self.local_addr()) {
            (Ok(remote), Ok(local)) => Connected::new().extra(HttpInfo { remote, local }),
            _ => Connected::new(),
        }
    }
}
