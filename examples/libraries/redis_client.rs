//! A client of Redis: the `redis` crate with a stream of ours as its connection. One command, or
//! a measurement that checks every answer.
//!
//! `cargo run --release -p library-examples --example redis-client -- --tun tcp0 SET greeting hello`
//! as root, with a server at the machine's end of the device (`redis-server --bind 10.45.0.1`).

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use futures::{StreamExt, stream::FuturesUnordered};
use library_examples::common::{self, HostArgs, Result};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, AsyncTypedCommands, ProtocolVersion, RedisConnectionInfo, Value,
};
use tcp_async::Net;

/// Talks to a Redis server over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    /// The server.
    #[arg(long, default_value = "10.45.0.1:6379")]
    server: SocketAddr,
    /// How long the server may take for an answer, in seconds.
    #[arg(long, default_value_t = 10)]
    patience: u64,
    /// Measuring: keys written and read back.
    #[arg(long, default_value_t = 10_000)]
    keys: usize,
    /// Measuring: connections at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..))]
    clients: u8,
    /// A command with its arguments; without one, measure.
    #[arg(trailing_var_arg = true)]
    command: Vec<String>,
}

/// Keys of one request.
const PIPELINE: usize = 16;
/// Octets of the value that is too large for any buffer on the way.
const LARGE: usize = 16 << 20;
const CHANNEL: &str = "redis-client:news";

#[tokio::main]
async fn main() -> ExitCode {
    common::run(|args: Args| async move {
        let host = args.host.start()?;
        if host.is_in_process() {
            return Err("a Redis server can only be met on a device: name one with --tun".into());
        }
        let result = match args.command.split_first() {
            Some((command, arguments)) => one(&host.net, &args, command, arguments).await,
            None => measure(&host.net, &args).await,
        };
        host.end().await;
        result
    })
    .await
}

/// A connection of the library over a stream of ours.
async fn open(net: &Net, args: &Args) -> Result<MultiplexedConnection> {
    let stream = net.connect(args.server).await?;
    stream.set_nodelay(true)?;
    let info = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
    let config =
        AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(args.patience)));
    let (connection, driver) =
        MultiplexedConnection::new_with_config(&info, stream, config).await?;
    // Ends with the last clone of the connection, and closes the stream.
    tokio::spawn(driver);
    Ok(connection)
}

async fn one(net: &Net, args: &Args, command: &str, arguments: &[String]) -> Result {
    let mut connection = open(net, args).await?;
    let answer: Value = redis::cmd(command).arg(arguments).query_async(&mut connection).await?;
    match answer {
        Value::BulkString(text) => println!("{}", String::from_utf8_lossy(&text)),
        Value::SimpleString(text) => println!("{text}"),
        Value::Int(number) => println!("{number}"),
        Value::Nil => println!("(nil)"),
        Value::Okay => println!("OK"),
        other => println!("{other:?}"),
    }
    Ok(())
}

async fn measure(net: &Net, args: &Args) -> Result {
    let start = Instant::now();
    let mut clients = FuturesUnordered::new();
    for client in 0..usize::from(args.clients) {
        let connection = open(net, args).await?;
        let range = share(args.keys, client, usize::from(args.clients));
        clients.push(tokio::spawn(keys(connection, range)));
    }
    let mut answered = 0;
    while let Some(done) = clients.next().await {
        answered += done??;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} keys written and read back by {} connections: {answered} answers in {seconds:.3} s, \
         {:.0}/s",
        args.keys,
        args.clients,
        answered as f64 / seconds
    );
    large(net, args).await?;
    news(net, args).await
}

/// The part of `0..all` that is the share of one of `of` clients.
fn share(all: usize, client: usize, of: usize) -> std::ops::Range<usize> {
    all * client / of..all * (client + 1) / of
}

/// Writes keys and reads them back, some at a time; returns how many answers there were.
async fn keys(
    mut connection: MultiplexedConnection,
    range: std::ops::Range<usize>,
) -> Result<usize> {
    let (mut next, end, mut answers) = (range.start, range.end, 0);
    while next < end {
        let some = next..end.min(next + PIPELINE);
        next = some.end;
        let (mut set, mut ask) = (redis::pipe(), redis::pipe());
        for n in some.clone() {
            set.set(key(n), value(n)).ignore();
            ask.get(key(n));
        }
        set.exec_async(&mut connection).await?;
        let back: Vec<String> = ask.query_async(&mut connection).await?;
        if !back.iter().cloned().eq(some.map(value)) {
            return Err(format!("the values before key {next} came back wrong: {back:?}").into());
        }
        answers += 2 * back.len();
    }
    Ok(answers)
}

fn key(n: usize) -> String {
    format!("redis-client:{n}")
}

fn value(n: usize) -> String {
    format!("value {}", n.wrapping_mul(0x9e37_79b9))
}

/// One value that fills every buffer on the way, both ways.
async fn large(net: &Net, args: &Args) -> Result {
    let mut connection = open(net, args).await?;
    let text: Vec<u8> = (0..LARGE).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
    let start = Instant::now();
    connection.set("redis-client:large", &text).await?;
    let back: Vec<u8> =
        redis::cmd("GET").arg("redis-client:large").query_async(&mut connection).await?;
    let took = start.elapsed();
    if back != text {
        return Err(format!("of a value of {LARGE} bytes {} came back wrong", back.len()).into());
    }
    println!("a value of {LARGE} bytes written and read back in {:.3} s", took.as_secs_f64());
    Ok(())
}

/// Publishes on one connection what another has subscribed to.
async fn news(net: &Net, args: &Args) -> Result {
    const MESSAGES: usize = 1_000;
    let stream = net.connect(args.server).await?;
    let mut reader = PubSub::new(&RedisConnectionInfo::default(), stream).await?;
    reader.subscribe(CHANNEL).await?;
    let mut writer = open(net, args).await?;
    let mut pipe = redis::pipe();
    for n in 0..MESSAGES {
        pipe.publish(CHANNEL, n).ignore();
    }
    pipe.exec_async(&mut writer).await?;
    let mut messages = reader.on_message();
    for n in 0..MESSAGES {
        let patience = Duration::from_secs(args.patience);
        let message = tokio::time::timeout(patience, messages.next()).await?;
        let got: usize = message.ok_or("the server ended the subscription")?.get_payload()?;
        if got != n {
            return Err(format!("message {got} came where {n} was due").into());
        }
    }
    println!("{MESSAGES} messages published and received in order");
    Ok(())
}
