//! tonic on our own TCP: a gRPC service with a call of each kind, and with `--connect` its client.
//! `--kernel` runs either on the machine's own TCP, as the other end. Without a device and a flag
//! it talks to itself and ends.

mod client;
#[expect(unreachable_pub, clippy::too_many_lines, reason = "generated")]
mod conversation;
mod service;

use std::process::ExitCode;

use clap::Parser;
use conversation::conversation_client::ConversationClient;
use conversation::conversation_server::ConversationServer;
use futures::{TryStreamExt, stream};
use http::Uri;
use library_examples::common::{self, Host, HostArgs, any};
use service::Service;
use tcp_async::hyper::HttpConnector;
use tokio::task::JoinSet;
use tonic::transport::{Endpoint, Server};

/// Serves gRPC with tonic over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    /// The port to listen on.
    #[arg(long, default_value_t = 50_051)]
    port: u16,
    /// Be the client of the service at this URL, such as `http://10.45.0.1:50051`.
    #[arg(long, value_name = "URL")]
    connect: Option<Uri>,
    /// Use the TCP of this machine's kernel.
    #[arg(long, conflicts_with = "tun")]
    kernel: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    common::run(program).await
}

async fn program(args: Args) -> common::Result {
    match (args.connect.clone(), args.kernel) {
        (None, true) => serve_kernel(args.port).await,
        (Some(url), true) => client::talk(Endpoint::from(url).connect().await?).await,
        (Some(url), false) => {
            let host = args.host.start()?;
            talk(&host, url).await?;
            host.end().await;
            Ok(())
        }
        (None, false) => serve(args.host.start()?, args.port).await,
    }
}

async fn serve(host: Host, port: u16) -> common::Result {
    let mut servers = JoinSet::new();
    for addr in host.addrs(port) {
        let listener = host.net.listen(addr).await?;
        listener.set_label("grpc");
        let incoming = listener.incoming().inspect_ok(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let server = Server::builder().add_service(ConversationServer::new(Service));
        servers.spawn(server.serve_with_incoming(incoming));
    }
    if !host.is_in_process() {
        let client = "cargo run -p library-examples --example grpc -- --kernel --connect";
        host.invite(host.addrs(port).iter().map(|a| format!("{client} http://{a}")));
        return host.serve(any(servers)).await;
    }
    for addr in host.addrs(port) {
        talk(&host, format!("http://{addr}").parse()?).await?;
    }
    servers.shutdown().await;
    host.end().await;
    Ok(())
}

/// The client's calls over our TCP.
async fn talk(host: &Host, url: Uri) -> common::Result {
    let mut connector = HttpConnector::on(&host.net);
    connector.set_nodelay(true);
    client::talk(Endpoint::from(url).connect_with_connector(connector).await?).await
}

/// The same service on the kernel's TCP.
async fn serve_kernel(port: u16) -> common::Result {
    let listener = tokio::net::TcpListener::bind(("::", port)).await?;
    println!("Listening on port {port} of this machine. Ctrl-C ends.");
    let incoming = stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await.map(|(stream, _peer)| stream);
        Some((accepted, listener))
    });
    let server = Server::builder().add_service(ConversationServer::new(Service));
    Ok(server.serve_with_incoming(incoming).await?)
}

type Client = ConversationClient<tonic::transport::Channel>;
