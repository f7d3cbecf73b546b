//! How does the text of a test flow? A task for each stream, which writes or reads blocks as fast as
//! the stream takes or gives them, and counts; and what all of them have used of the processor.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tcp_async::TcpStream;
use tokio::task::JoinSet;

use crate::protocol::{Results, StreamResults, stream_id};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Send,
    Receive,
}

/// A stream of a test.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) stream: TcpStream,
    octets: AtomicU64,
}

impl Flow {
    pub(crate) fn octets(&self) -> u64 {
        self.octets.load(Relaxed)
    }
}

/// All streams of a test, flowing.
pub(crate) struct Flows {
    pub(crate) direction: Direction,
    pub(crate) all: Vec<Arc<Flow>>,
    pub(crate) start: Instant,
    begun: Usage,
    budget: Arc<AtomicU64>,
    tasks: JoinSet<io::Result<()>>,
}

/// What was counted up to the end of a test.
pub(crate) struct Tally {
    pub(crate) direction: Direction,
    pub(crate) seconds: f64,
    pub(crate) results: Results,
}

impl Flows {
    /// Starts blocks of `len` octets. Together the streams take `budget` octets, and as
    /// senders what ends their blocks.
    pub(crate) fn start(
        streams: Vec<TcpStream>,
        direction: Direction,
        len: u32,
        budget: u64,
    ) -> Flows {
        let budget = Arc::new(AtomicU64::new(budget));
        let (mut tasks, mut all) = (JoinSet::new(), Vec::new());
        for stream in streams {
            let flow = Arc::new(Flow { stream, octets: AtomicU64::new(0) });
            all.push(flow.clone());
            let (budget, len) = (budget.clone(), len as usize);
            match direction {
                Direction::Send => tasks.spawn(send(flow, len, budget)),
                Direction::Receive => tasks.spawn(receive(flow, len, budget)),
            };
        }
        Flows { direction, all, start: Instant::now(), begun: Usage::now(), budget, tasks }
    }

    /// Waits until the budget is used, or a stream fails or ends. Cancel safe.
    pub(crate) async fn done(&mut self) -> io::Result<()> {
        while let Some(result) = self.tasks.join_next().await {
            result.map_err(io::Error::other)??;
            // One stream has received the last octets: the others may get no more.
            if self.direction == Direction::Receive && self.budget.load(Relaxed) == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Sends the blocks that have been begun to their ends, and no others.
    pub(crate) async fn end_blocks(&mut self) -> io::Result<()> {
        self.budget.store(0, Relaxed);
        self.done().await
    }

    /// What flows from now on is not counted. It still flows until the streams are dropped: a client of
    /// iperf3 drains them block by block, and would wait for the rest of a last one.
    pub(crate) fn finish(&self) -> Tally {
        let took = self.start.elapsed();
        let streams = self.all.iter().enumerate().map(|(i, flow)| StreamResults {
            id: stream_id(i),
            bytes: flow.octets(),
            retransmits: self.retransmissions(flow),
            end_time: took.as_secs_f64(),
            ..StreamResults::default()
        });
        let usage = Usage::now().since(&self.begun, took);
        let results = Results {
            cpu_util_total: usage.user + usage.system,
            cpu_util_user: usage.user,
            cpu_util_system: usage.system,
            sender_has_retransmits: i64::from(self.direction == Direction::Send),
            congestion_used: self.all.first().map(|f| f.stream.info().congestion.to_owned()),
            streams: streams.collect(),
        };
        Tally { direction: self.direction, seconds: took.as_secs_f64(), results }
    }

    /// Segments of a stream sent again; only its sender knows.
    pub(crate) fn retransmissions(&self, flow: &Flow) -> i64 {
        match self.direction {
            Direction::Send => {
                let segments = flow.stream.info().stats.segments_retransmitted;
                i64::try_from(segments).unwrap_or(i64::MAX)
            }
            Direction::Receive => -1,
        }
    }
}

/// Takes octets out of the budget; returns how many were left before.
fn spend(budget: &AtomicU64, octets: usize) -> u64 {
    let less = |left: u64| Some(left.saturating_sub(octets as u64));
    budget.fetch_update(Relaxed, Relaxed, less).unwrap_or_else(|left| left)
}

/// Whole blocks only: a server of iperf3 that has read a part of one waits for the rest.
async fn send(flow: Arc<Flow>, len: usize, budget: Arc<AtomicU64>) -> io::Result<()> {
    let block: Vec<u8> = (0..len).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
    loop {
        if spend(&budget, len) == 0 {
            return Ok(());
        }
        let mut rest = len;
        while rest > 0 {
            flow.stream.writable().await?;
            match flow.stream.try_write(&block[len - rest..]) {
                Ok(n) => {
                    rest -= n;
                    flow.octets.fetch_add(n as u64, Relaxed);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
    }
}

async fn receive(flow: Arc<Flow>, len: usize, budget: Arc<AtomicU64>) -> io::Result<()> {
    let mut block = vec![0; len];
    loop {
        flow.stream.readable().await?;
        match flow.stream.try_read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                flow.octets.fetch_add(n as u64, Relaxed);
                if spend(&budget, n) <= n as u64 {
                    return Ok(());
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}

/// What this process has used of the processor, in seconds.
#[derive(Default)]
struct Usage {
    user: f64,
    system: f64,
}

impl Usage {
    /// Nothing where the system does not say.
    fn now() -> Usage {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name of the program comes before, in brackets, and may hold spaces.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let mut fields = fields.split_whitespace().skip(11);
        let mut next = || fields.next().and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0) / ticks;
        Usage { user: next(), system: next() }
    }

    /// In percent of the time that has passed.
    fn since(&self, earlier: &Usage, took: Duration) -> Usage {
        let percent = |now: f64, then: f64| 100.0 * (now - then) / took.as_secs_f64().max(1e-9);
        Usage {
            user: percent(self.user, earlier.user),
            system: percent(self.system, earlier.system),
        }
    }
}
