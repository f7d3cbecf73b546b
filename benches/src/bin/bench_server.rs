//! The benchmark services on our own TCP over a TUN device of the network namespace it is started
//! in. Prints `ready`, then serves until it is ended.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use stack_benches::services::Service;
use tcp_async::{Cidr, Net, TcpListener};
use tcp_io::device::{Offload, TunDevice};

/// Serves discard 7001, source 7002, echo 7003 and idle 7004.
#[derive(Parser, Debug)]
struct Args {
    /// Name of the TUN device.
    #[arg(long, default_value = "tun0")]
    tun: String,
    /// Address of the stack; the host gets the first of the network.
    #[arg(long, default_value = "10.78.0.2/24")]
    address: Cidr,
    /// The host's address, if not the first of the network.
    #[arg(long, default_value = "10.78.0.1/24")]
    host: String,
    /// Largest IP packet on the device.
    #[arg(long, default_value_t = 1500)]
    mtu: u16,
    /// No checksum and segmentation offload.
    #[arg(long)]
    plain: bool,
    /// Largest receive buffer in octets, if not the default.
    #[arg(long)]
    receive_max: Option<usize>,
    /// Largest send buffer in octets, if not the default.
    #[arg(long)]
    send_max: Option<usize>,
    /// Worker threads; 1 runs everything on one thread.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = if args.threads <= 1 {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(args.threads)
            .enable_all()
            .build()
    };
    match runtime.and_then(|r| r.block_on(run(&args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench-server: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> std::io::Result<()> {
    let offload = if args.plain { Offload::Off } else { Offload::Required };
    let device = TunDevice::builder()
        .name(&args.tun)
        .host_address(&args.host)
        .mtu(args.mtu)
        .tx_queue_len(1000)
        .offload(offload)
        .open()?;
    let (receive_max, send_max) = (args.receive_max, args.send_max);
    let builder = Net::builder().cidr(args.address).tcp(|t| {
        t.receive_buffer.max = receive_max.unwrap_or(t.receive_buffer.max);
        t.send_buffer.max = send_max.unwrap_or(t.send_buffer.max);
        t.send_buffer.initial = t.send_buffer.initial.min(t.send_buffer.max);
    });
    let net = builder.device(device)?;
    for service in Service::ALL {
        let addr = SocketAddr::new(args.address.address(), service.port());
        let socket = tcp_async::TcpSocket::on(&net, addr.is_ipv4());
        socket.bind(addr)?;
        tokio::spawn(accept(socket.listen(4096)?, service));
    }
    println!("ready");
    net.ended().await;
    Ok(())
}

async fn accept(listener: TcpListener, service: Service) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            // A client that vanishes is nobody's failure here.
            let _ = service.serve(stream).await;
        });
    }
}
