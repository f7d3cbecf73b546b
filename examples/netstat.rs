//! Looks into a running program: the connections, counters and states of its userspace TCP, in the
//! manner of `ss` and `netstat -s`, over the socket that the program serves.
//!
//! `cargo run --release --example echo-server -- --status /tmp/echo.status`, then
//! `cargo run --release --example netstat -- /tmp/echo.status` in another terminal.

mod tables;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tcp_async::status::{Client, CounterValue, Row, RowFilter, Summary};

/// Shows the connections of a program that runs a userspace TCP.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Where the program serves its status.
    socket: PathBuf,
    /// Listeners only.
    #[arg(short, long, conflicts_with = "all")]
    listening: bool,
    /// Listeners, half-open records and TIME-WAIT too.
    #[arg(short, long)]
    all: bool,
    /// Only this state; may be given several times. The RFC's names, or those of `ss`.
    #[arg(short = 't', long = "state", value_name = "STATE", value_parser = tables::states)]
    states: Vec<Vec<String>>,
    /// Only this port, at either end; may be given several times.
    #[arg(short, long = "port", value_name = "PORT")]
    ports: Vec<u16>,
    /// Only peers in this network, such as 10.0.0.0/8.
    #[arg(long, value_name = "CIDR")]
    peer: Option<String>,
    /// Only what the program has given this label.
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// The details of each connection in lines below it.
    #[arg(short, long)]
    info: bool,
    /// Counters instead of connections, as `netstat -s` and `nstat` name them.
    #[arg(short, long, conflicts_with_all = ["summary", "listening"])]
    statistics: bool,
    /// With --statistics: counters that are zero too, and what each means.
    #[arg(short, long, requires = "statistics")]
    verbose: bool,
    /// How many connections are in which state.
    #[arg(short = 'S', long)]
    summary: bool,
    /// Refreshes every SECONDS until interrupted.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
          value_parser = tables::seconds)]
    watch: Option<Duration>,
    /// JSON instead of tables, one line an answer.
    #[arg(short, long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        // `netstat | head` is no mistake.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("netstat: {}: {e}", args.socket.display());
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> io::Result<()> {
    let mut client = Client::connect(&args.socket).await?;
    let Some(period) = args.watch else {
        return show(&Answer::of(&mut client, args).await?, args, None);
    };
    let mut tick = tokio::time::interval(period);
    let mut before = None;
    loop {
        tick.tick().await;
        let answer = Answer::of(&mut client, args).await?;
        show(&answer, args, before.as_ref())?;
        before = Some(answer);
    }
}

/// What was asked for.
#[derive(Debug)]
enum Answer {
    Connections(Vec<Row>),
    Counters(Vec<CounterValue>),
    Summary(Summary),
}

impl Answer {
    async fn of(client: &mut Client, args: &Args) -> io::Result<Answer> {
        if args.statistics {
            return client.counters().await.map(Answer::Counters);
        }
        if args.summary {
            return client.summary().await.map(Answer::Summary);
        }
        let states = if !args.states.is_empty() {
            args.states.concat()
        } else if args.all {
            Vec::new()
        } else if args.listening {
            vec!["LISTEN".to_owned()]
        } else {
            tables::connected()
        };
        let filter = RowFilter {
            states,
            ports: args.ports.clone(),
            remote: args.peer.clone(),
            label: args.label.clone(),
            ..RowFilter::default()
        };
        client.connections(filter).await.map(Answer::Connections)
    }
}

fn show(answer: &Answer, args: &Args, before: Option<&Answer>) -> io::Result<()> {
    let mut text = String::new();
    if args.json {
        text = match answer {
            Answer::Connections(rows) => serde_json::to_string(rows)?,
            Answer::Counters(counters) => serde_json::to_string(counters)?,
            Answer::Summary(summary) => serde_json::to_string(summary)?,
        } + "\n";
    } else {
        if args.watch.is_some() && io::stdout().is_terminal() {
            // Home, and clear what is below: no flicker, no history lost.
            text += "\x1b[H\x1b[J";
        }
        text += &match answer {
            Answer::Connections(rows) => tables::connections(rows, args.info),
            Answer::Counters(counters) => {
                let before = match before {
                    Some(Answer::Counters(c)) => c.as_slice(),
                    _ => &[],
                };
                tables::counters(counters, before, args.verbose)
            }
            Answer::Summary(summary) => tables::summary(summary),
        };
    }
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
