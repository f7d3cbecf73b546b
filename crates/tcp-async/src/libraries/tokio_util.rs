//! How does code that is generic over listeners take ours? As `tokio_util::net::Listener`.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio_util::net::Listener;

use crate::listener::TcpListener;
use crate::stream::TcpStream;

/// For code that takes any listener (feature `tokio-util`).
///
/// ```
/// use tcp_async::Net;
/// use tokio_util::net::Listener;
///
/// /// Takes one connection, of whatever kind.
/// async fn take<L: Listener>(mut listener: L) -> std::io::Result<L::Io> {
///     Ok(listener.accept().await?.0)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let net = Net::builder().address("10.0.0.1/24").loopback()?;
/// let listener = net.listen("10.0.0.1:80").await?;
/// let client = net.connect("10.0.0.1:80").await?;
/// assert_eq!(take(listener).await?.peer_addr()?, client.local_addr()?);
/// # Ok(())
/// # }
/// ```
impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        TcpListener::poll_accept(self, cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}
