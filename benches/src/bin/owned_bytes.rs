//! What do owned octets save? One transfer with `write_bytes` and `read_bytes`, the same with
//! `write_all` and `read`, in turns within one run: the ratio is the answer.
//!
//! ```sh
//! cargo run --release -p stack-benches --bin owned-bytes
//! ```

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use tcp_async::{Net, TcpStream};
use tcp_io::device::{Capabilities, memory_pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How much to carry, and how often.
#[derive(Debug, Parser)]
struct Options {
    /// Mebioctets of one transfer.
    #[arg(long, default_value_t = 1024)]
    mib: usize,
    /// Octets of one write, and the most of one read.
    #[arg(long, default_value_t = 256 << 10)]
    block: usize,
    /// Transfers of each kind; the median counts.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// How octets go in and out.
#[derive(Clone, Copy)]
enum Kind {
    /// Through buffers of the application's.
    Copied,
    /// As `Bytes`.
    Owned,
    /// As `Bytes` in, through a buffer out.
    OwnedIn,
    /// Through a buffer in, as `Bytes` out.
    OwnedOut,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let o = Options::parse();
    let (here, there) = memory_pair(Capabilities::offloading(1500));
    let client = Net::builder().address("10.0.0.1/24").device(here).map_err(io::Error::other)?;
    let server = Net::builder().address("10.0.0.2/24").device(there).map_err(io::Error::other)?;
    let listener = server.listen("10.0.0.2:80").await?;
    let mut out = client.connect("10.0.0.2:80").await?;
    let (mut inward, _) = listener.accept().await?;

    let kinds = [Kind::Copied, Kind::Owned, Kind::OwnedIn, Kind::OwnedOut];
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..o.rounds {
        for (kind, times) in kinds.into_iter().zip(&mut times) {
            times.push(carry(&mut out, &mut inward, kind, &o).await?);
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    };
    let [copied, owned, owned_in, owned_out] = times.each_mut().map(median);
    let rate = (o.mib << 23) as f64 / copied / 1e9;
    println!("write_all + read          {rate:.1} Gbit/s");
    println!("write_bytes + read_bytes  {:.2} times that", copied / owned);
    println!("write_bytes + read        {:.2}", copied / owned_in);
    println!("write_all + read_bytes    {:.2}", copied / owned_out);
    Ok(())
}

async fn carry(
    out: &mut TcpStream,
    inward: &mut TcpStream,
    kind: Kind,
    o: &Options,
) -> io::Result<Duration> {
    let began = Instant::now();
    let (blocks, total) = ((o.mib << 20) / o.block, (o.mib << 20) / o.block * o.block);
    let write = async {
        let data = Bytes::from(vec![7; o.block]);
        for _ in 0..blocks {
            match kind {
                Kind::Copied | Kind::OwnedOut => out.write_all(&data).await?,
                Kind::Owned | Kind::OwnedIn => out.write_bytes(data.clone()).await?,
            }
        }
        io::Result::Ok(())
    };
    let read = async {
        let (mut got, mut buffer) = (0, vec![0; o.block]);
        while got < total {
            got += match kind {
                Kind::Copied | Kind::OwnedIn => inward.read(&mut buffer).await?,
                Kind::Owned | Kind::OwnedOut => inward.read_bytes(o.block).await?.len(),
            };
        }
        io::Result::Ok(())
    };
    let (written, read) = tokio::join!(write, read);
    written.and(read)?;
    Ok(began.elapsed())
}
