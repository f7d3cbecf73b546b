//! An echo server on our own TCP, for the clients of this machine's kernel.
//!
//! `cargo run --release --example echo-server`, then for example `nc 10.45.0.2 7` in another
//! terminal. Without the right to open a TUN device it serves a client in the same process.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use stack_examples::{LookArgs, TunArgs, init_logging};
use tcp_async::device::TunError;
use tcp_async::{Net, TcpListener, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

/// Echoes what it receives, over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    tun: TunArgs,
    /// The port to listen on.
    #[arg(long, default_value_t = 7)]
    port: u16,
    /// Serve a client in this process and end, even with the right to open a TUN device.
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    look: LookArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    init_logging();
    let args = Args::parse();
    if args.demo {
        return report(demo(&args).await);
    }
    match args.tun.start_tapped(&args.look) {
        Ok((net, capture)) => {
            let result = serve_tun(&net, &args).await;
            if let Some(capture) = capture {
                let stats = capture.finish(Duration::from_secs(5));
                println!("{} packets captured, {} left out", stats.packets, stats.left_out);
            }
            report(result)
        }
        Err(TunError::NotPermitted) => {
            println!(
                "No right to open a TUN device (root, or CAP_NET_ADMIN, is needed).\n\
                 Serving a client in this process instead.\n"
            );
            report(demo(&args).await)
        }
        Err(e) => {
            eprintln!("echo-server: cannot open TUN device `{}`: {e}", args.tun.tun);
            ExitCode::FAILURE
        }
    }
}

fn report(result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("echo-server: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn serve_tun(net: &Net, args: &Args) -> std::io::Result<()> {
    // From here on: whoever reads the line about Ctrl-C may press it.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let _status = args.look.serve(net)?;
    let mut listeners = Vec::new();
    println!("Listening on {}. In another terminal, try", args.tun.tun);
    for c in &args.tun.addresses {
        let listener = net.listen(SocketAddr::new(c.address(), args.port)).await?;
        listener.set_label("echo");
        listeners.push(listener);
        println!("    nc {} {}", c.address(), args.port);
    }
    println!("Ctrl-C ends.");
    for listener in listeners {
        tokio::spawn(serve(listener));
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        () = net.ended() => eprintln!("the TUN device is gone"),
    }
    net.shutdown().await;
    Ok(())
}

async fn serve(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(async move {
                    let (stream, octets, result) = echo(stream).await;
                    let state = stream.state();
                    match result {
                        Ok(()) => println!("{peer}: {octets} bytes, {state}"),
                        Err(e) => println!("{peer}: {octets} bytes, {state} ({e})"),
                    }
                });
            }
            // The stack has ended.
            Err(_) => return,
        }
    }
}

async fn echo(mut stream: TcpStream) -> (TcpStream, u64, std::io::Result<()>) {
    let (mut buf, mut octets) = (vec![0; 64 << 10], 0);
    let result = async {
        loop {
            let n = stream.read(&mut buf).await?;
            if n == 0 {
                return stream.shutdown().await;
            }
            stream.write_all(&buf[..n]).await?;
            octets += n as u64;
        }
    }
    .await;
    (stream, octets, result)
}

/// A server stack and a client stack in this process, joined by a memory link.
async fn demo(args: &Args) -> std::io::Result<()> {
    let (here, there) =
        tcp_async::device::memory_pair(tcp_async::device::Capabilities::offloading(1500));
    let server = Net::builder().address("10.45.0.2/24").address("fd45::2/64").device(here)?;
    let _status = args.look.serve(&server)?;
    let client = Net::builder().address("10.45.0.1/24").address("fd45::1/64").device(there)?;
    println!("{:<12} {:>10} {:>12} {:>12}", "address", "bytes", "seconds", "final state");
    for ip in ["10.45.0.2", "fd45::2"] {
        let addr = SocketAddr::new(ip.parse().expect("an address"), args.port);
        let listener = server.listen(addr).await?;
        listener.set_label("echo");
        tokio::spawn(serve(listener));
        let total = 64 << 20;
        let start = Instant::now();
        let (mut read, mut write) = client.connect(addr).await?.into_split();
        let sender = tokio::spawn(async move {
            let chunk = vec![0x5a; 64 << 10];
            for _ in 0..total / chunk.len() {
                write.write_all(&chunk).await?;
            }
            write.shutdown().await
        });
        let (mut buf, mut got) = (vec![0; 64 << 10], 0);
        loop {
            let n = read.read(&mut buf).await?;
            if n == 0 {
                break;
            }
            if buf[..n].iter().any(|b| *b != 0x5a) {
                return Err(std::io::Error::other("an octet came back wrong"));
            }
            got += n;
        }
        sender.await.map_err(std::io::Error::other)??;
        if got != total {
            return Err(std::io::Error::other(format!("{got} of {total} bytes came back")));
        }
        let (took, state) = (start.elapsed(), read.as_ref().state());
        println!("{ip:<12} {got:>10} {:>12.3} {state:>12}", took.as_secs_f64());
    }
    // TIME-WAIT would keep nobody waiting: both stacks end with their connections closed.
    tokio::time::timeout(Duration::from_secs(10), async {
        client.shutdown().await;
        server.shutdown().await;
    })
    .await
    .map_err(std::io::Error::other)?;
    println!("\nBoth stacks ended in order.");
    Ok(())
}
