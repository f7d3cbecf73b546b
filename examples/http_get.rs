//! A client on our own TCP: fetches one page over HTTP/1.1 from a server of this machine's kernel.
//!
//! As root: `python3 -m http.server 8000 --bind 10.45.0.1 &` once the device is up, or simply
//! `cargo run --release --example http-get -- http://10.45.0.1:8000/`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use stack_examples::{TunArgs, init_logging};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Fetches a page over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    tun: TunArgs,
    /// Seconds to keep trying to connect.
    #[arg(long, default_value_t = 5)]
    timeout: u64,
    /// What to fetch: `http://ADDRESS[:PORT]/PATH`.
    url: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    init_logging();
    let args = Args::parse();
    match fetch(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("http-get: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Splits `http://HOST[:PORT]/PATH` into what to connect to, the host as given, and the path.
fn split_url(url: &str) -> Option<(String, &str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(at);
    let has_port = host.rsplit_once(':').is_some_and(|(h, p)| {
        !p.is_empty()
            && p.bytes().all(|b| b.is_ascii_digit())
            && (!h.contains(':') || h.ends_with(']'))
    });
    let connect = if has_port { host.to_owned() } else { format!("{host}:80") };
    (!host.is_empty()).then_some((connect, host, if path.is_empty() { "/" } else { path }))
}

async fn fetch(args: &Args) -> std::io::Result<()> {
    let (to, host, path) = split_url(&args.url).ok_or_else(|| {
        std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            format!("`{}` is not of the form http://ADDRESS[:PORT]/PATH", args.url),
        )
    })?;
    let net = args.tun.start()?;
    let patience = Duration::from_secs(args.timeout);
    let mut stream = tokio::time::timeout(patience, net.connect(&*to))
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page).await?;
    tokio::io::stdout().write_all(&page).await?;
    eprintln!("{} bytes from {}, {}", page.len(), stream.peer_addr()?, stream.state());
    drop(stream);
    net.shutdown().await;
    Ok(())
}
