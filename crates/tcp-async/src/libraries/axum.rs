//! How does axum serve a listener of ours? As `axum::serve::Listener`.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use axum::serve::Listener;

use crate::listener::TcpListener;
use crate::stream::TcpStream;

/// For `axum::serve` (feature `axum`).
///
/// ```
/// use std::net::SocketAddr;
///
/// use axum::extract::ConnectInfo;
/// use axum::{Router, routing::get, serve::ListenerExt};
/// use tcp_async::{Net, TcpListener};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
/// # let _here = net.enter();
/// let listener = TcpListener::bind("10.0.0.1:80").await?;
///
/// async fn you(ConnectInfo(peer): ConnectInfo<SocketAddr>) -> String {
///     format!("You are {}.", peer.ip())
/// }
/// let app = Router::new().route("/", get(you));
///
/// // With the peers' addresses; `axum::serve(listener, app)` without.
/// let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
/// let app = app.into_make_service_with_connect_info::<SocketAddr>();
/// tokio::spawn(async { axum::serve(listener, app).await });
/// # let mut client = net.connect("10.0.0.1:80").await?;
/// # client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer).await?;
/// # assert!(answer.ends_with("You are 10.0.0.1."), "{answer}");
/// # Ok(())
/// # }
/// ```
///
/// The `tap_io` is what makes `ConnectInfo<SocketAddr>` possible: for a bare listener only axum
/// itself could say that a `SocketAddr` is what is known about a connection.
///
/// When the stack has ended, no connection comes any more, and `accept` waits for ever; a server
/// that should end then waits for [`Net::ended`](crate::Net::ended) too.
impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match TcpListener::accept(self).await {
            Ok(accepted) => accepted,
            // The only error there is. It stays, so trying again would only burn time.
            Err(e) => {
                tracing::error!(error = %e, "a listener has nothing left to accept");
                pending().await
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}
