//! tokio-rustls on our own TCP: an HTTPS server with a certificate that it makes for its addresses.
//! As root `--tun web0 --cert-out /tmp/web0.pem`, then `curl --cacert /tmp/web0.pem
//! https://10.45.0.2:8443/`. Without a device it asks itself and ends.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use clap::Parser;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use library_examples::common::{self, Host, HostArgs, any};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tcp_async::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Serves HTTPS with rustls over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    /// The port to listen on.
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// Writes the certificate to this file, for clients that should trust it.
    #[arg(long, value_name = "FILE")]
    cert_out: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    common::run(serve).await
}

async fn serve(args: Args) -> common::Result {
    let host = args.host.start()?;
    let names: Vec<_> = host.ips().iter().map(ToString::to_string).collect();
    let certified = generate_simple_self_signed(names)?;
    if let Some(path) = &args.cert_out {
        std::fs::write(path, certified.cert.pem())
            .map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let acceptor = TlsAcceptor::from(Arc::new(server_config(&certified)?));
    let mut servers = JoinSet::new();
    for addr in host.addrs(args.port) {
        let listener = host.net.listen(addr).await?;
        listener.set_label("https");
        servers.spawn(accept(listener, acceptor.clone()));
    }
    if !host.is_in_process() {
        host.invite(host.addrs(args.port).iter().map(|a| format!("curl -k https://{a}/")));
        return host.serve(any(servers)).await;
    }
    for addr in host.addrs(args.port) {
        ask(&host, addr, &certified).await?;
    }
    servers.shutdown().await;
    host.end().await;
    Ok(())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn server_config(certified: &CertifiedKey<KeyPair>) -> common::Result<ServerConfig> {
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor) -> common::Result {
    loop {
        let (stream, peer) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Err(e) = answer(stream, peer, acceptor).await {
                eprintln!("{peer}: {e}");
            }
        });
    }
}

/// Serves one connection: TLS over our stream, HTTP over TLS.
async fn answer(stream: TcpStream, peer: SocketAddr, acceptor: TlsAcceptor) -> common::Result {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let (_, session) = stream.get_ref();
    let version = session.protocol_version().ok_or("no version was agreed on")?;
    let suite = session.negotiated_cipher_suite().ok_or("no cipher was agreed on")?.suite();
    let text = Bytes::from(format!("You are {peer}, by {version:?} and {suite:?}.\n"));
    let service = service_fn(move |_: Request<Incoming>| {
        ready(Ok::<_, Infallible>(Response::new(Full::new(text.clone()))))
    });
    let server = auto::Builder::new(TokioExecutor::new());
    server.serve_connection(TokioIo::new(stream), service).await
}

/// Asks the server as a client that trusts this one certificate.
async fn ask(host: &Host, addr: SocketAddr, certified: &CertifiedKey<KeyPair>) -> common::Result {
    let mut roots = RootCertStore::empty();
    roots.add(certified.cert.der().clone())?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = host.net.connect(addr).await?;
    let name = ServerName::from(addr.ip());
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let (mut requests, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(format!("https://{addr}/")).body(Empty::<Bytes>::new())?;
    let answer = requests.send_request(request).await?.into_body().collect().await?.to_bytes();
    print!("{}", String::from_utf8_lossy(&answer));
    Ok(())
}
