//! What does a gRPC service learn about a connection of ours? tonic's own `TcpConnectInfo`, so that
//! `Request::remote_addr` works. Its client takes the connector of [`hyper`](super::hyper).

use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::stream::TcpStream;

/// For tonic's server (feature `tonic`), which takes
/// [`TcpListener::incoming`](crate::TcpListener::incoming):
///
/// ```no_run
/// # use http::{Request, Response};
/// # use tonic::body::Body;
/// use futures::TryStreamExt;
/// use tcp_async::TcpListener;
/// use tonic::transport::Server;
///
/// # async fn serve<S>(service: S) -> Result<(), Box<dyn std::error::Error>>
/// # where
/// #     S: tower_service::Service<
/// #             Request<Body>,
/// #             Response = Response<Body>,
/// #             Error = std::convert::Infallible,
/// #             Future: Send,
/// #         > + Clone + Send + 'static,
/// # {
/// let listener = TcpListener::bind("10.0.0.1:50051").await?;
/// // As with every `incoming`, tonic leaves the options to who accepts.
/// let incoming = listener.incoming().inspect_ok(|stream| stream.set_nodelay(true).unwrap());
/// Server::builder().serve_with_incoming(service, incoming).await?;
/// # Ok(())
/// # }
/// ```
///
/// With tonic's router it is `.add_service(service).serve_with_incoming(incoming)`.
impl Connected for TcpStream {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        TcpConnectInfo { local_addr: self.local_addr().ok(), remote_addr: self.peer_addr().ok() }
    }
}
