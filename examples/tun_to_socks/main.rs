//! A transparent proxy: takes every TCP connection that is routed into a TUN device and forwards it
//! to a SOCKS5 proxy, or directly by the kernel's sockets.
//!
//! As root, for one network: `cargo run --release --example tun-to-socks -- --socks5 127.0.0.1:1080`,
//! then `ip route add 192.0.2.0/24 dev tcp0` in another terminal. Without the right to open a TUN
//! device it shows the same with a client in this process.
//!
//! The client's SYN is answered only when the other side is there. If that fails, the client's
//! connect fails for the same reason.

mod demo;
mod relay;
mod upstream;

use std::fmt;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use stack_examples::{TunArgs, init_logging};
use tcp_async::device::TunError;
use tcp_async::{
    Foreign, Net, PendingConnection, PendingListener, PendingOptions, Rejection, Unreachability,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use upstream::{Failure, Upstream, UpstreamArgs};

/// How long connections may go on after Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

/// Forwards TCP connections from a TUN device to a SOCKS5 proxy or directly.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    tun: TunArgs,
    #[command(flatten)]
    upstream: UpstreamArgs,
    #[command(flatten)]
    limits: Limits,
    /// Serve clients in this process and end, even with the right to open a TUN device.
    #[arg(long)]
    demo: bool,
}

/// What one connection and all together may take.
#[derive(clap::Args, Clone, Copy, Debug)]
struct Limits {
    /// Seconds until a connection to the other side counts as failed.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    connect_timeout: u64,
    /// Seconds without a byte in either direction after which a connection is reset.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    idle_timeout: u64,
    /// Connections at the same time; others wait for their turn.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
}

impl Limits {
    fn connect(&self) -> Duration {
        Duration::from_secs(self.connect_timeout)
    }

    fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_timeout)
    }

    /// Undecided requests wait for the other side: longer than that may take.
    fn pending(&self) -> PendingOptions {
        PendingOptions {
            timeout: self.connect() + Duration::from_secs(5),
            on_timeout: Rejection::Ignore,
            ..PendingOptions::default()
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    init_logging();
    let args = Args::parse();
    if args.demo {
        return report(demo::run(args.limits).await);
    }
    let Some(upstream) = args.upstream.upstream() else {
        eprintln!("tun-to-socks: say where to forward: --socks5 HOST:PORT, --direct, or --demo");
        return ExitCode::FAILURE;
    };
    match args.tun.start_with(|net| net.foreign(Foreign::Take { echo: true })) {
        Ok(net) => report(serve_tun(&net, upstream, &args).await),
        Err(TunError::NotPermitted) => {
            println!(
                "No right to open a TUN device (root, or CAP_NET_ADMIN, is needed).\n\
                 Serving clients in this process instead.\n"
            );
            report(demo::run(args.limits).await)
        }
        Err(e) => {
            eprintln!("tun-to-socks: cannot open TUN device `{}`: {e}", args.tun.tun);
            ExitCode::FAILURE
        }
    }
}

fn report(result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("tun-to-socks: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn serve_tun(net: &Net, upstream: Upstream, args: &Args) -> std::io::Result<()> {
    // From here on: whoever reads the line about Ctrl-C may press it.
    let interrupt = signal(SignalKind::interrupt())?;
    let listener = net.listen_any_pending(0, args.limits.pending())?;
    println!("Forwarding from {} {upstream}. In another terminal, try", args.tun.tun);
    println!("    ip route add 192.0.2.0/24 dev {}", args.tun.tun);
    println!("Ctrl-C ends.");
    let result = serve(listener, Arc::new(upstream), args.limits, interrupt).await;
    net.shutdown().await;
    result
}

/// Forwards until Ctrl-C or the end of the stack; then lets connections end for a while.
async fn serve(
    listener: PendingListener,
    upstream: Arc<Upstream>,
    limits: Limits,
    mut interrupt: Signal,
) -> std::io::Result<()> {
    let mut connections = JoinSet::new();
    let result = loop {
        let room = connections.len() < limits.max_connections as usize;
        tokio::select! {
            request = listener.accept(), if room => match request {
                Ok((pending, _peer)) => {
                    connections.spawn(forward(pending, upstream.clone(), limits));
                }
                // The device is gone.
                Err(e) => break Err(e),
            },
            Some(_) = connections.join_next() => {}
            _ = interrupt.recv() => break Ok(()),
        }
    };
    // Nobody new gets in; who waits for the other side is refused.
    drop(listener);
    let over = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        _ = tokio::time::timeout(GRACE, over) => {}
        _ = interrupt.recv() => {}
    }
    result
}

/// One connection, from its SYN to its line.
async fn forward(pending: PendingConnection, upstream: Arc<Upstream>, limits: Limits) {
    let (client, to, start) = (pending.peer_addr(), pending.local_addr(), Instant::now());
    let outcome = try_forward(pending, &upstream, limits).await;
    println!("{client} -> {to}: {outcome} in {:.3} s", start.elapsed().as_secs_f64());
}

async fn try_forward(
    mut pending: PendingConnection,
    upstream: &Upstream,
    limits: Limits,
) -> Outcome {
    let to = pending.local_addr();
    if is_own(&pending, to) {
        // Forwarded, it would come back to this stack.
        pending.reset();
        return Outcome::Failed(Failure::new(Rejection::Reset, "an address of this stack"));
    }
    let connected = tokio::select! {
        connected = tokio::time::timeout(limits.connect(), upstream.connect(to)) => connected,
        gone = pending.gone() => return Outcome::Gone(gone),
    };
    let connected = connected.unwrap_or_else(|_| {
        // Silence, as from the other side: the client tries again, or gives up.
        Err(Failure::new(Rejection::Ignore, "the other side does not answer"))
    });
    let server = match connected {
        Ok(server) => server,
        Err(failure) => {
            pending.reject(failure.rejection);
            return Outcome::Failed(failure);
        }
    };
    pending.options().nodelay = true;
    match pending.accept().await {
        Ok(client) => Outcome::Served(relay::run(client, server, limits.idle()).await),
        Err(e) => Outcome::Gone(e),
    }
}

fn is_own(pending: &PendingConnection, to: SocketAddr) -> bool {
    pending.net().addresses().iter().any(|own| own.address() == to.ip())
}

/// What became of a connection, for its line.
enum Outcome {
    Served(relay::Report),
    /// The other side could not be reached.
    Failed(Failure),
    /// The client was gone before it was served.
    Gone(std::io::Error),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Served(report) => report.fmt(f),
            Outcome::Gone(e) => write!(f, "not served ({e})"),
            Outcome::Failed(failure) => {
                let how = match failure.rejection {
                    Rejection::Reset => "refused",
                    Rejection::Ignore => "not answered",
                    Rejection::Unreachable(Unreachability::AdminProhibited) => "prohibited",
                    Rejection::Unreachable(Unreachability::Network) => "network unreachable",
                    Rejection::Unreachable(Unreachability::Host) => "host unreachable",
                    Rejection::Unreachable(Unreachability::Port) => "port unreachable",
                };
                write!(f, "{how} ({})", failure.reason)
            }
        }
    }
}
