//! tokio-tungstenite on our own TCP: an echo of WebSocket messages, and with `--connect` its
//! client. `--kernel` runs either on the machine's own TCP, as the other end. Without a device and
//! a flag it talks to itself and ends.

use std::process::ExitCode;

use clap::Parser;
use futures::{SinkExt, StreamExt};
use http::Uri;
use library_examples::common::{self, Host, HostArgs, any, host_and_port};
use tcp_async::TcpListener;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{accept_async, client_async};

/// Echoes WebSocket messages over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    /// The port to listen on.
    #[arg(long, default_value_t = 9001)]
    port: u16,
    /// Be the client of the echo at this URL, such as `ws://10.45.0.1:9001/`.
    #[arg(long, value_name = "URL")]
    connect: Option<Uri>,
    /// Messages that the client sends, of 0 to 64 KiB each.
    #[arg(long, default_value_t = 500)]
    messages: u32,
    /// Use the TCP of this machine's kernel.
    #[arg(long, conflicts_with = "tun")]
    kernel: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    common::run(program).await
}

async fn program(args: Args) -> common::Result {
    match (&args.connect, args.kernel) {
        (None, true) => return serve_kernel(args.port).await,
        (Some(url), true) => {
            let stream = tokio::net::TcpStream::connect(host_and_port(url)?).await?;
            return talk(stream, url, args.messages).await;
        }
        _ => {}
    }
    let host = args.host.start()?;
    if let Some(url) = &args.connect {
        let stream = host.net.connect(host_and_port(url)?).await?;
        talk(stream, url, args.messages).await?;
        host.end().await;
        return Ok(());
    }
    serve(host, &args).await
}

async fn serve(host: Host, args: &Args) -> common::Result {
    let mut servers = JoinSet::new();
    for addr in host.addrs(args.port) {
        let listener = host.net.listen(addr).await?;
        listener.set_label("websocket");
        servers.spawn(accept(listener));
    }
    if !host.is_in_process() {
        let client = "cargo run -p library-examples --example websocket -- --kernel --connect";
        host.invite(host.addrs(args.port).iter().map(|a| format!("{client} ws://{a}/")));
        return host.serve(any(servers)).await;
    }
    for addr in host.addrs(args.port) {
        let url = format!("ws://{addr}/").parse()?;
        talk(host.net.connect(addr).await?, &url, args.messages).await?;
    }
    servers.shutdown().await;
    host.end().await;
    Ok(())
}

async fn accept(listener: TcpListener) -> common::Result {
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            match echo(stream).await {
                Ok(messages) => println!("{peer}: {messages} messages"),
                Err(e) => eprintln!("{peer}: {e}"),
            }
        });
    }
}

async fn serve_kernel(port: u16) -> common::Result {
    let listener = tokio::net::TcpListener::bind(("::", port)).await?;
    println!("Listening on port {port} of this machine. Ctrl-C ends.");
    loop {
        tokio::spawn(echo(listener.accept().await?.0));
    }
}

/// Sends every message back, until the client closes; returns how many.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<u64, Error> {
    let (mut socket, mut messages) = (accept_async(stream).await?, 0);
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
            messages += 1;
        }
    }
    Ok(messages)
}

/// Sends messages, all of them under way at once, and compares what comes back.
async fn talk<S>(stream: S, url: &Uri, messages: u32) -> common::Result
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (socket, _) = client_async(url, stream).await?;
    let (mut send, mut receive) = socket.split();
    let sender = tokio::spawn(async move {
        for n in 0..messages {
            send.send(message(n)).await?;
        }
        Ok::<_, Error>(send)
    });
    let mut octets = 0;
    for n in 0..messages {
        let back = receive.next().await.ok_or("the server closed before the end")??;
        if back != message(n) {
            return Err(format!("message {n} came back wrong").into());
        }
        octets += back.len();
    }
    sender.await??.send(Message::Close(None)).await?;
    // The server's own close; then the end of the stream.
    while let Some(rest) = receive.next().await {
        rest?;
    }
    println!("{messages} messages, {octets} bytes there and back: {url}");
    Ok(())
}

/// A text or bytes that depend on the number, of 0 to 64 KiB.
fn message(n: u32) -> Message {
    let len = (n.wrapping_mul(0x9e37_79b9) >> 16) as usize;
    if n.is_multiple_of(2) {
        Message::text(format!("{n} ").repeat(len / 8))
    } else {
        Message::binary(Bytes::from(vec![n as u8; len]))
    }
}
