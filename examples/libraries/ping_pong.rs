//! How long does a message take there and back? Percentiles of the time between us and an echo
//! server, or between two ends of ours in this process.
//!
//! `cargo run --release -p library-examples --example ping-pong`; or as root, with an echo server at
//! the machine's end (`ncat -lk 7 -e /bin/cat`): `... -- --tun tcp0 --server 10.45.0.1:7`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use hdrhistogram::Histogram;
use library_examples::common::{self, HostArgs, Result};
use tcp_async::{TcpListener, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Measures how long a message takes there and back, over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    /// A server that sends back what it receives. On a device: the machine's end; without a
    /// device there is one in this process.
    #[arg(long, default_value = "10.45.0.1:7")]
    server: SocketAddr,
    /// Octets of a message.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    size: u32,
    /// Messages that count.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Messages before, which do not count.
    #[arg(long, default_value_t = 1_000)]
    warm_up: u64,
}

/// The longest time that is told from longer ones.
const LONGEST: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    common::run(|args: Args| async move {
        let host = args.host.start()?;
        let server = if host.is_in_process() {
            let addr = *host.addrs(args.server.port()).first().ok_or("no address")?;
            let listener = host.net.listen(addr).await?;
            tokio::spawn(echo(listener));
            addr
        } else {
            args.server
        };
        let mut stream = host.net.connect(server).await?;
        stream.set_nodelay(true)?;
        println!("{} messages of {} bytes to {server} and back", args.count, args.size);
        let times = measure(&mut stream, &args).await?;
        report(&times, &stream);
        stream.shutdown().await?;
        drop(stream);
        host.end().await;
        Ok(())
    })
    .await
}

async fn echo(listener: TcpListener) -> Result {
    let (mut stream, _peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    let (mut read, mut write) = stream.split();
    tokio::io::copy(&mut read, &mut write).await?;
    Ok(write.shutdown().await?)
}

/// Times in nanoseconds.
async fn measure(stream: &mut TcpStream, args: &Args) -> Result<Histogram<u64>> {
    let longest = u64::try_from(LONGEST.as_nanos())?;
    let mut times = Histogram::new_with_bounds(1, longest, 3)?;
    let mut message: Vec<u8> = (0..args.size).map(|i| i as u8).collect();
    let mut back = vec![0; message.len()];
    for n in 0..args.warm_up + args.count {
        // No message is like the one before: an old answer would be noticed.
        let mark = n.to_le_bytes();
        let marked = mark.len().min(message.len());
        message[..marked].copy_from_slice(&mark[..marked]);
        let start = Instant::now();
        stream.write_all(&message).await?;
        stream.read_exact(&mut back).await?;
        let took = start.elapsed();
        if back != message {
            return Err(format!("message {n} came back wrong").into());
        }
        if n >= args.warm_up {
            times.saturating_record(u64::try_from(took.as_nanos())?);
        }
    }
    Ok(times)
}

fn report(times: &Histogram<u64>, stream: &TcpStream) {
    let micros = |nanos: u64| nanos as f64 / 1e3;
    println!("{:>10} {:>12}", "percentile", "microseconds");
    println!("{:>10} {:>12.1}", "least", micros(times.min()));
    for percentile in [50.0, 90.0, 99.0, 99.9, 99.99] {
        let at = times.value_at_percentile(percentile);
        println!("{percentile:>10} {:>12.1}", micros(at));
    }
    println!("{:>10} {:>12.1}", "most", micros(times.max()));
    println!("{:>10} {:>12.1}", "mean", times.mean() / 1e3);
    let info = stream.info();
    println!(
        "{} messages measured; TCP's own estimate: {:.1} microseconds, {} retransmissions",
        times.len(),
        info.rtt.as_secs_f64() * 1e6,
        info.stats.retransmissions
    );
}
