//! hyper-util's client on our own TCP, with TLS by rustls where the URL says so: as root
//! `--tun web0 http://10.45.0.1:8000/` fetches from a server of this machine's kernel. Without a
//! device it asks a hyper server of its own and ends.

use std::convert::Infallible;
use std::future::ready;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use http::{Request, Response, Uri, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use library_examples::common::{self, HostArgs};
use tcp_async::TcpListener;
use tcp_async::hyper::{HttpConnector, HttpInfo};
use tokio::io::AsyncWriteExt;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Fetches pages with hyper over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    /// Certificate authorities to trust for `https`, as PEM; none are trusted otherwise.
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// HTTP/2 also without TLS, to servers that are known to speak it.
    #[arg(long)]
    http2_prior_knowledge: bool,
    /// Seconds to keep trying to connect.
    #[arg(long, default_value_t = 5)]
    timeout: u64,
    /// What to fetch, one after another; the pages go to standard output.
    #[arg(value_name = "URL")]
    urls: Vec<Uri>,
}

type Connector = HttpsConnector<HttpConnector>;

#[tokio::main]
async fn main() -> ExitCode {
    common::run(fetch_all).await
}

async fn fetch_all(mut args: Args) -> common::Result {
    let host = args.host.start()?;
    if args.urls.is_empty() {
        if !host.is_in_process() {
            return Err("nothing to fetch: give a URL".into());
        }
        let addr = host.addrs(8000)[0];
        tokio::spawn(own_server(host.net.listen(addr).await?));
        args.urls = vec![format!("http://{addr}/").parse()?; 2];
    }
    let mut http = HttpConnector::on(&host.net);
    http.set_connect_timeout(Some(Duration::from_secs(args.timeout)));
    http.set_nodelay(true);
    // The scheme is TLS's business.
    http.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls(args.cacert.as_ref())?)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(http);
    let client = Client::builder(TokioExecutor::new())
        .http2_only(args.http2_prior_knowledge)
        .build::<_, Empty<Bytes>>(https);
    for url in &args.urls {
        fetch(&client, url).await?;
    }
    drop(client);
    host.end().await;
    Ok(())
}

fn tls(cacert: Option<&PathBuf>) -> common::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = cacert {
        for certificate in CertificateDer::pem_file_iter(path)? {
            roots.add(certificate?)?;
        }
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

async fn fetch(client: &Client<Connector, Empty<Bytes>>, url: &Uri) -> common::Result {
    let answer = client.get(url.clone()).await?;
    let (status, version) = (answer.status(), answer.version());
    let info = answer.extensions().get::<HttpInfo>().copied();
    let (mut body, mut out, mut octets) = (answer.into_body(), tokio::io::stdout(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        octets += data.len();
        out.write_all(&data).await?;
    }
    out.flush().await?;
    let by = info.map_or_else(String::new, |i| format!(" from {}", i.remote_addr()));
    let version = if version == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1" };
    eprintln!("{url}: {status}, {octets} bytes{by}, {version}");
    if status.is_success() { Ok(()) } else { Err(format!("{url}: {status}").into()) }
}

/// A hyper server on a listener of ours: it takes our streams as they are.
async fn own_server(listener: TcpListener) -> common::Result<Infallible> {
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let text = format!("{} for {peer}\n", request.uri().path());
                ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text)))))
            });
            let server = auto::Builder::new(TokioExecutor::new());
            if let Err(e) = server.serve_connection(TokioIo::new(stream), service).await {
                eprintln!("{peer}: {e}");
            }
        });
    }
}
