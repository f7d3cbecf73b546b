//! axum on our own TCP, HTTP/1.1 and HTTP/2: `--tun web0` as root, then what it prints, for example
//! `curl http://10.45.0.2:8080/`. Without a device it asks itself and ends.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::process::ExitCode;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path};
use axum::http::Version;
use axum::http::header::CONTENT_LENGTH;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use bytes::Bytes;
use clap::Parser;
use futures::{StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use library_examples::common::{self, Host, HostArgs, any};
use tcp_async::hyper::HttpConnector;
use tokio::task::JoinSet;

/// Serves HTTP with axum over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    /// The port to listen on.
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    common::run(serve).await
}

async fn serve(args: Args) -> common::Result {
    let host = args.host.start()?;
    let mut servers = JoinSet::new();
    for addr in host.addrs(args.port) {
        let listener = host.net.listen(addr).await?;
        listener.set_label("axum");
        // What an axum program on tokio's listener says, to the letter.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let service = app().into_make_service_with_connect_info::<SocketAddr>();
        servers.spawn(axum::serve(listener, service).into_future());
    }
    if !host.is_in_process() {
        host.invite(host.addrs(args.port).iter().map(|a| format!("curl http://{a}/")));
        return host.serve(any(servers)).await;
    }
    demo(&host, args.port).await?;
    servers.shutdown().await;
    host.end().await;
    Ok(())
}

fn app() -> Router {
    Router::new()
        .route("/", get(who))
        .route("/bytes/{count}", get(bytes))
        .route("/echo", post(async |body: Body| body))
        .layer(DefaultBodyLimit::disable())
}

async fn who(ConnectInfo(peer): ConnectInfo<SocketAddr>, version: Version) -> String {
    format!("You are {peer}, by {version:?}.\n")
}

/// A body of so many octets, made as it is sent. Its length is told: clients of HTTP/1.0 keep a
/// connection only then.
async fn bytes(Path(count): Path<u64>) -> impl IntoResponse {
    const PIECE: u64 = 64 << 10;
    static TEXT: [u8; PIECE as usize] = [b'x'; PIECE as usize];
    let pieces = stream::unfold(count, async |left| {
        let now = left.min(PIECE);
        let piece = Bytes::from_static(&TEXT[..now as usize]);
        (now > 0).then_some((Ok::<_, std::io::Error>(piece), left - now))
    });
    ([(CONTENT_LENGTH, count.to_string())], Body::from_stream(pieces.boxed()))
}

/// Asks everything of itself, as hyper's client.
async fn demo(host: &Host, port: u16) -> common::Result {
    let client = Client::builder(TokioExecutor::new());
    let client = client.build::<_, Full<Bytes>>(HttpConnector::on(&host.net));
    for addr in host.addrs(port) {
        let answer = client.get(format!("http://{addr}/").parse()?).await?;
        print!("{}", String::from_utf8_lossy(&answer.into_body().collect().await?.to_bytes()));
        let answer = client.get(format!("http://{addr}/bytes/3000000").parse()?).await?;
        let text = answer.into_body().collect().await?.to_bytes();
        let request =
            http::Request::post(format!("http://{addr}/echo")).body(text.clone().into())?;
        let back = client.request(request).await?.into_body().collect().await?.to_bytes();
        if back.len() != 3_000_000 || back != text {
            return Err(format!("{} of 3000000 bytes came back", back.len()).into());
        }
        println!("{} bytes there and back.", back.len());
    }
    Ok(())
}
