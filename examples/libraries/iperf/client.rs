//! How does the client lead through a test? It follows the states that the server says, and says
//! itself when the time or the octets are over.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use library_examples::common::Result;
use tcp_async::{Net, TcpStream};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep_until};

use crate::flows::{Direction, Flows};
use crate::protocol::{Control, Cookie, MAX_LEN, MAX_PARALLEL, Parameters, Results, State, soon};
use crate::report::{Format, Report};

/// What is measured; the names are iperf3's.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Test {
    /// The port of the server.
    #[arg(short = 'p', long, default_value_t = 5201)]
    pub(crate) port: u16,
    /// Seconds of the test.
    #[arg(short = 't', long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time: u64,
    /// Octets of the test, instead of its time; with K, M or G for powers of 1,024.
    #[arg(short = 'n', long, value_parser = octets, conflicts_with = "time")]
    bytes: Option<u64>,
    /// Streams at once.
    #[arg(short = 'P', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PARALLEL)))]
    parallel: u32,
    /// The server sends.
    #[arg(short = 'R', long)]
    reverse: bool,
    /// Octets written or read at once.
    #[arg(short = 'l', long, default_value_t = 128 << 10, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LEN)))]
    length: u32,
    /// Without Nagle's algorithm.
    #[arg(short = 'N', long)]
    no_delay: bool,
    /// Seconds between lines while the test runs; 0 for none.
    #[arg(short = 'i', long, default_value_t = 1)]
    interval: u64,
    /// Print the results as JSON, in the form of iperf3's `end`.
    #[arg(short = 'J', long)]
    pub(crate) json: bool,
}

fn octets(text: &str) -> std::result::Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|e| format!("{e}"))?;
    number.checked_mul(unit).filter(|n| *n > 0).ok_or_else(|| "out of range".to_owned())
}

pub(crate) async fn run(net: &Net, ip: IpAddr, test: &Test) -> Result {
    let server = SocketAddr::new(ip, test.port);
    let cookie = cookie();
    let mut control = Control(open(net, server, &cookie).await?);
    control.0.set_nodelay(true)?;
    let parameters = Parameters {
        time: if test.bytes.is_some() { 0 } else { test.time },
        num: test.bytes.unwrap_or(0),
        parallel: test.parallel,
        len: test.length,
        reverse: test.reverse,
        nodelay: test.no_delay,
        ..Parameters::default()
    };
    control.expect_soon(State::ParamExchange).await?;
    control.send(&parameters).await?;
    control.expect_soon(State::CreateStreams).await?;
    let mut streams = Vec::new();
    for _ in 0..test.parallel {
        let stream = open(net, server, &cookie).await?;
        stream.set_nodelay(test.no_delay)?;
        streams.push(stream);
    }
    control.expect_soon(State::TestStart).await?;
    control.expect_soon(State::TestRunning).await?;

    let direction = if test.reverse { Direction::Receive } else { Direction::Send };
    let budget = test.bytes.unwrap_or(u64::MAX);
    let mut flows = Flows::start(streams, direction, test.length, budget);
    let format = if test.json { Format::Json } else { Format::Text };
    let mut report = Report::start(format, &flows);
    flow(&mut control, &mut flows, &mut report, test).await?;
    if direction == Direction::Send {
        soon("the last blocks", flows.end_blocks()).await??;
    }
    let tally = flows.finish();
    control.say(State::TestEnd).await?;

    control.expect_soon(State::ExchangeResults).await?;
    control.send(&tally.results).await?;
    let theirs: Results = soon("the server's results", control.receive()).await??;
    control.expect_soon(State::DisplayResults).await?;
    report.end(&tally, &theirs)?;
    control.say(State::IperfDone).await?;
    Ok(control.0.shutdown().await?)
}

/// Until the time or the octets are over.
async fn flow(
    control: &mut Control,
    flows: &mut Flows,
    report: &mut Report,
    test: &Test,
) -> Result {
    let start = Instant::now();
    let end = test.bytes.is_none().then(|| start + Duration::from_secs(test.time));
    // A day: the bytes end such a test.
    let end = end.unwrap_or(start + Duration::from_secs(86_400));
    let every = Duration::from_secs(if test.interval == 0 { 86_400 } else { test.interval });
    let mut tick = tokio::time::interval_at(start + every, every);
    let heard = control.hear();
    tokio::pin!(heard);
    loop {
        tokio::select! {
            biased;
            result = flows.done() => return match test.bytes {
                Some(_) => Ok(result?),
                None => Err(result.err().map_or_else(|| "the server has closed a stream".into(), Into::into)),
            },
            () = sleep_until(end) => return Ok(()),
            heard = &mut heard => return Err(format!("the server says {:?} in the middle", heard?).into()),
            _ = tick.tick() => report.interval(flows),
        }
    }
}

/// A connection that says which test it is for.
async fn open(net: &Net, server: SocketAddr, cookie: &Cookie) -> Result<TcpStream> {
    let mut stream = net.connect(server).await?;
    stream.write_all(cookie).await?;
    Ok(stream)
}

/// Random letters of those that iperf3 uses.
fn cookie() -> Cookie {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut cookie: Cookie = rand::random();
    let (end, letters) = cookie.split_last_mut().expect("it has 37 octets");
    for letter in letters {
        *letter = LETTERS[usize::from(*letter) % LETTERS.len()];
    }
    *end = 0;
    cookie
}
