//! A client of PostgreSQL: `tokio-postgres` with a stream of ours as its connection. One
//! statement, or a tour of what a connection does, with every answer checked.
//!
//! `cargo run --release -p library-examples --example postgres-client -- --tun tcp0 "SELECT version()"`
//! as root, with a server at the machine's end of the device.

use std::fmt::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use futures::{SinkExt, StreamExt, TryStreamExt, future, stream};
use library_examples::common::{self, HostArgs, Result};
use tcp_async::Net;
use tokio::sync::mpsc;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Notification, SimpleQueryMessage};

/// Talks to a PostgreSQL server over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    /// The server.
    #[arg(long, default_value = "10.45.0.1:5432")]
    server: SocketAddr,
    /// Who we are.
    #[arg(long, default_value = "postgres")]
    user: String,
    /// The database.
    #[arg(long, default_value = "postgres")]
    database: String,
    /// The environment variable with the password, if the server asks for one.
    #[arg(long, default_value = "PGPASSWORD", value_name = "NAME")]
    password_variable: String,
    /// The tour: rows copied in and out.
    #[arg(long, default_value_t = 100_000)]
    rows: u32,
    /// The tour: prepared statements under way at once.
    #[arg(long, default_value_t = 1_000)]
    statements: u32,
    /// A statement, or several; without one, the tour.
    sql: Option<String>,
}

/// How long a notification may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets of text given to the library at once.
const CHUNK: usize = 64 << 10;

#[tokio::main]
async fn main() -> ExitCode {
    common::run(|args: Args| async move {
        let host = args.host.start()?;
        if host.is_in_process() {
            return Err("PostgreSQL can only be met on a device: name one with --tun".into());
        }
        let result = match &args.sql {
            Some(sql) => one(&host.net, &args, sql).await,
            None => tour(&host.net, &args).await,
        };
        host.end().await;
        result
    })
    .await
}

/// A connection of the library over a stream of ours, and what the server says unasked.
async fn open(net: &Net, args: &Args) -> Result<(Client, mpsc::Receiver<Notification>)> {
    let mut config = Config::new();
    config.user(&args.user).dbname(&args.database).application_name("postgres-client");
    if let Ok(password) = std::env::var(&args.password_variable) {
        config.password(password);
    }
    let stream = net.connect(args.server).await?;
    stream.set_nodelay(true)?;
    let (client, mut connection) = config.connect_raw(stream, NoTls).await?;
    let (tell, told) = mpsc::channel(16);
    // Ends with the client, and closes the stream.
    tokio::spawn(async move {
        let mut messages = stream::poll_fn(|cx| connection.poll_message(cx));
        while let Some(message) = messages.next().await {
            match message {
                // Nobody may be listening.
                Ok(AsyncMessage::Notification(n)) => drop(tell.send(n).await),
                Ok(AsyncMessage::Notice(notice)) => eprintln!("the server says: {notice}"),
                Ok(_) => {}
                Err(e) => return eprintln!("the connection has failed: {e}"),
            }
        }
    });
    Ok((client, told))
}

async fn one(net: &Net, args: &Args, sql: &str) -> Result {
    let (client, _told) = open(net, args).await?;
    for message in client.simple_query(sql).await? {
        match message {
            SimpleQueryMessage::Row(row) => {
                let fields = (0..row.len()).map(|i| row.get(i).unwrap_or("(null)"));
                println!("{}", fields.collect::<Vec<_>>().join("\t"));
            }
            SimpleQueryMessage::CommandComplete(n) => eprintln!("{n} rows"),
            _ => {}
        }
    }
    Ok(())
}

async fn tour(net: &Net, args: &Args) -> Result {
    let (mut client, _told) = open(net, args).await?;
    copy(&client, args.rows).await?;
    pipeline(&client, args.statements).await?;
    roll_back(&mut client).await?;
    notify(net, args, &client).await?;
    cancel(net, args, &client).await
}

/// Many rows in, and the same out again.
async fn copy(client: &Client, rows: u32) -> Result {
    client.batch_execute("CREATE TEMPORARY TABLE tour (id integer PRIMARY KEY, what text)").await?;
    let start = Instant::now();
    let mut sink = Box::pin(client.copy_in::<_, Bytes>("COPY tour FROM STDIN").await?);
    let (mut sent, mut chunk) = (Vec::new(), String::new());
    for id in 0..rows {
        writeln!(chunk, "{id}\t{}", what(id))?;
        if chunk.len() >= CHUNK || id + 1 == rows {
            sent.extend_from_slice(chunk.as_bytes());
            sink.send(std::mem::take(&mut chunk).into()).await?;
        }
    }
    let written = sink.as_mut().finish().await?;
    let out = client.copy_out("COPY (SELECT * FROM tour ORDER BY id) TO STDOUT").await?;
    let parts: Vec<Bytes> = out.try_collect().await?;
    let took = start.elapsed().as_secs_f64();
    if written != u64::from(rows) || parts.concat() != sent {
        return Err(
            format!("of {rows} rows {written} were written, or they came back wrong").into()
        );
    }
    println!("{rows} rows, {} bytes, copied in and out in {took:.3} s", sent.len());
    Ok(())
}

fn what(id: u32) -> String {
    format!("{:08x} and some more text to fill the row", id.wrapping_mul(0x9e37_79b9))
}

/// Statements that do not wait for each other's answers.
async fn pipeline(client: &Client, statements: u32) -> Result {
    let select = client.prepare("SELECT $1::integer + 1, $2::text").await?;
    let start = Instant::now();
    let ask = |n: u32| {
        let (client, select) = (&client, &select);
        async move {
            let (number, text) = (n as i32, what(n));
            let row = client.query_one(select, &[&number, &text]).await?;
            let (next, back): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
            if (next, &back) != (number + 1, &text) {
                return Err(format!("statement {n} was answered {next}, {back:?}").into());
            }
            Result::Ok(())
        }
    };
    future::try_join_all((0..statements).map(ask)).await?;
    let took = start.elapsed().as_secs_f64();
    println!(
        "{statements} statements at once in {took:.3} s, {:.0}/s",
        f64::from(statements) / took
    );
    Ok(())
}

async fn roll_back(client: &mut Client) -> Result {
    let transaction = client.transaction().await?;
    let gone = transaction.execute("DELETE FROM tour", &[]).await?;
    transaction.rollback().await?;
    let kept: i64 = client.query_one("SELECT count(*) FROM tour", &[]).await?.try_get(0)?;
    if u64::try_from(kept)? != gone {
        return Err(format!("of {gone} rows {kept} were there after the rollback").into());
    }
    println!("a transaction over {gone} rows rolled back");
    Ok(())
}

/// What one connection says to another one that only waits.
async fn notify(net: &Net, args: &Args, speaker: &Client) -> Result {
    let (listener, mut told) = open(net, args).await?;
    listener.batch_execute("LISTEN tour").await?;
    for n in 0..10 {
        let text = n.to_string();
        speaker.execute("SELECT pg_notify('tour', $1)", &[&text]).await?;
        let message = tokio::time::timeout(PATIENCE, told.recv()).await?;
        let message = message.ok_or("the connection that listens has ended")?;
        if message.payload() != text {
            return Err(format!("{message:?} came where {n} was due").into());
        }
    }
    println!("10 notifications received");
    Ok(())
}

/// A statement that would take a minute, ended from a connection of its own.
async fn cancel(net: &Net, args: &Args, client: &Client) -> Result {
    let start = Instant::now();
    let token = client.cancel_token();
    let sleep = client.execute("SELECT pg_sleep(60)", &[]);
    let cancel = async {
        // The server ignores a request that comes before the statement.
        let (watch, _told) = open(net, args).await?;
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        while watch.query_one(asleep, &[]).await?.try_get::<_, i64>(0)? == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        token.cancel_query_raw(net.connect(args.server).await?, NoTls).await?;
        Result::Ok(())
    };
    let (slept, cancelled) = future::join(sleep, cancel).await;
    cancelled?;
    match slept {
        Err(e) if e.code() == Some(&SqlState::QUERY_CANCELED) => {
            println!("a statement of 60 s cancelled after {:.3} s", start.elapsed().as_secs_f64());
            Ok(())
        }
        Err(e) => Err(e.into()),
        Ok(_) => Err("a cancelled statement came to its end".into()),
    }
}
