//! How fast is a connection? A client and a server that speak iperf3's protocol (TCP, `-P`, `-R`,
//! `-t`, `-n`), for its programs at the other end; without a device both ends in this process.
//!
//! As root: `cargo run --release -p library-examples --example iperf -- --tun tcp0 -s`, and in another
//! terminal `iperf3 -c 10.45.0.2`; or `iperf3 -s` there and `... --tun tcp0 -c 10.45.0.1` here.

mod client;
mod flows;
mod protocol;
mod report;
mod server;

use std::net::IpAddr;
use std::process::ExitCode;

use clap::Parser;
use library_examples::common::{self, Host, HostArgs, Result};
use report::Format;

/// Measures the rate of a TCP that runs in this process, as iperf3 does.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    /// Serve.
    #[arg(short = 's', long, conflicts_with = "client")]
    server: bool,
    /// Serve one client and end.
    #[arg(short = '1', long, requires = "server")]
    one_off: bool,
    /// Be a client of this server.
    #[arg(short = 'c', long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    #[command(flatten)]
    test: client::Test,
}

#[tokio::main]
async fn main() -> ExitCode {
    common::run(|args: Args| async move {
        let host = args.host.start()?;
        if host.is_in_process() && (args.server || args.client.is_some()) {
            return Err("iperf3 can only be met on a device: name one with --tun".into());
        }
        if args.server {
            let server = server::Server::bind(&host, args.test.port).await?;
            println!("Server listening on {}", args.test.port);
            let turns = if args.one_off { server::Turns::One } else { server::Turns::All };
            return host.serve(server.run(turns, Format::Text)).await;
        }
        let result = match args.client {
            Some(ip) => client::run(&host.net, ip, &args.test).await,
            None if host.is_in_process() => both(&host, &args.test).await,
            None => Err("choose one: -s, or -c with the server's address".into()),
        };
        host.end().await;
        result
    })
    .await
}

/// A server and its client.
async fn both(host: &Host, test: &client::Test) -> Result {
    let ip = *host.ips().first().ok_or("no address")?;
    let server = server::Server::bind(host, test.port).await?;
    // Only one of both says in JSON how it went.
    let format = if test.json { Format::None } else { Format::Text };
    let server = tokio::spawn(server.run(server::Turns::One, format));
    client::run(&host.net, ip, test).await?;
    server.await?
}
