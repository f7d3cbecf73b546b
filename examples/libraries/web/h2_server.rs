//! The crate h2, HTTP/2 without anything around it, on our own TCP. As root `--tun web0`, then
//! `curl --http2-prior-knowledge http://10.45.0.2:8082/bytes/1000`. Without a device it asks
//! itself, several streams at once, and ends.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::process::ExitCode;

use bytes::Bytes;
use clap::Parser;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Request, Response, StatusCode};
use library_examples::common::{self, Host, HostArgs, any};
use tcp_async::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Serves HTTP/2 with h2 over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    /// The port to listen on.
    #[arg(long, default_value_t = 8082)]
    port: u16,
}

/// What of a body is handed to h2 at once.
const PIECE: usize = 64 << 10;

#[tokio::main]
async fn main() -> ExitCode {
    common::run(serve).await
}

async fn serve(args: Args) -> common::Result {
    let host = args.host.start()?;
    let mut servers = JoinSet::new();
    for addr in host.addrs(args.port) {
        let listener = host.net.listen(addr).await?;
        listener.set_label("h2");
        servers.spawn(accept(listener));
    }
    if !host.is_in_process() {
        let command = |a| format!("curl --http2-prior-knowledge http://{a}/bytes/1000");
        host.invite(host.addrs(args.port).iter().map(command));
        return host.serve(any(servers)).await;
    }
    for addr in host.addrs(args.port) {
        ask(&host, addr).await?;
    }
    servers.shutdown().await;
    host.end().await;
    Ok(())
}

async fn accept(listener: TcpListener) -> common::Result {
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(e) = connection(stream).await {
                eprintln!("{peer}: {e}");
            }
        });
    }
}

async fn connection(stream: TcpStream) -> common::Result {
    stream.set_nodelay(true)?;
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::spawn(async move {
            // A client that resets its stream wants no answer.
            let _ = answer(&request, respond).await;
        });
    }
    Ok(())
}

/// Answers `/bytes/COUNT` with so many octets.
async fn answer(
    request: &Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let count = request.uri().path().strip_prefix("/bytes/").and_then(|n| n.parse().ok());
    let Some(count) = count else {
        let mut nothing = Response::new(());
        *nothing.status_mut() = StatusCode::NOT_FOUND;
        return respond.send_response(nothing, true).map(drop);
    };
    let body = respond.send_response(Response::new(()), count == 0)?;
    if count > 0 { send(body, count).await } else { Ok(()) }
}

/// Sends `left` octets, as fast as the flow control of HTTP/2 lets it.
async fn send(mut body: SendStream<Bytes>, mut left: usize) -> Result<(), h2::Error> {
    static TEXT: [u8; PIECE] = [b'x'; PIECE];
    while left > 0 {
        body.reserve_capacity(left.min(PIECE));
        let Some(room) = poll_fn(|cx| body.poll_capacity(cx)).await else { return Ok(()) };
        let now = room?.min(left).min(PIECE);
        left -= now;
        body.send_data(Bytes::from_static(&TEXT[..now]), left == 0)?;
    }
    Ok(())
}

/// Asks for eight bodies at once on one connection.
async fn ask(host: &Host, addr: SocketAddr) -> common::Result {
    const STREAMS: usize = 8;
    const OCTETS: usize = 1_000_000;
    let (client, connection) = h2::client::handshake(host.net.connect(addr).await?).await?;
    tokio::spawn(connection);
    let mut bodies = JoinSet::new();
    for _ in 0..STREAMS {
        let mut client = client.clone().ready().await?;
        let request = Request::get(format!("http://{addr}/bytes/{OCTETS}")).body(())?;
        let (answer, _) = client.send_request(request, true)?;
        bodies.spawn(async move { length(answer.await?.into_body()).await });
    }
    let mut octets = 0;
    while let Some(length) = bodies.join_next().await {
        octets += length??;
    }
    if octets != STREAMS * OCTETS {
        return Err(format!("{octets} of {} bytes came", STREAMS * OCTETS).into());
    }
    println!("{octets} bytes in {STREAMS} streams from {addr}.");
    Ok(())
}

async fn length(mut body: RecvStream) -> Result<usize, h2::Error> {
    let mut octets = 0;
    while let Some(data) = body.data().await {
        let n = data?.len();
        octets += n;
        body.flow_control().release_capacity(n)?;
    }
    Ok(octets)
}
