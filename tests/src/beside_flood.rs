//! Do honest clients get in beside a flood at full speed? Over the memory link, in real time: the
//! server's reactor on one core; on the other a task that makes SYNs as fast as it can, and an
//! honest `Net` whose packets pass a delay line and share the server's bounded device with them.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use tcp_async::{ListenOptions, Net, SynCookies, TcpListener, TcpStream};
use tcp_io::device::{Capabilities, Device, MemoryDevice, TxPacket, memory_pair_bounded};
use tcp_io::stack::Counters;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

use crate::flood::SynFlood;

const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 80);
const CLIENT: [u8; 4] = [10, 0, 0, 2];
/// Packets that the task hands on before it lets the clients run.
const SLICE: usize = 64;
/// Longer than a SYN that is sent again.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of the server.
    pub cookies: SynCookies,
    /// Of its listener.
    pub syn_backlog: usize,
    /// Packets that wait in front of the server at most.
    pub queue: usize,
    /// One way between the honest clients and the server.
    pub delay: Duration,
    /// From one honest connect to the next.
    pub gap: Duration,
    /// Whether server and flood keep to a core each, for measurements.
    pub pinned: bool,
    /// How long the clients connect in quiet.
    pub quiet: Duration,
    /// How long beside the flood.
    pub flood: Duration,
}

/// What honest clients saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How long each connect that succeeded took, in order of length.
    pub connects: Vec<Duration>,
    /// Connects that were refused or timed out, and connections that were reset or gave another
    /// answer than what was said.
    pub failed: usize,
}

impl Seen {
    /// The wait that this share of those who connected did not exceed; for ever if nobody did.
    pub fn quantile(&self, share: f64) -> Duration {
        let n = (self.connects.len() as f64 * share) as usize;
        let last = self.connects.len().saturating_sub(1);
        self.connects.get(n.min(last)).copied().unwrap_or(Duration::MAX)
    }

    /// The share of all clients that connected within this time.
    pub fn within(&self, most: Duration) -> f64 {
        let all = self.connects.len() + self.failed;
        self.connects.iter().filter(|t| **t <= most).count() as f64 / all.max(1) as f64
    }
}

/// What came of a plan.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Without the flood.
    pub quiet: Seen,
    /// Beside it.
    pub rough: Seen,
    /// SYNs of the flood that the server's device took, and SYN-ACKs for them that came back.
    pub poured: u64,
    /// As above.
    pub answered: u64,
    /// How long the flood was, and the CPU time of the server's thread in it.
    pub took: Duration,
    /// As above.
    pub cpu: Duration,
    /// The server's counters before and after.
    pub counters: [Counters; 2],
    /// Resident memory of the process before and after, in KiB.
    pub resident: [u64; 2],
}

impl Plan {
    /// Runs it; takes `quiet`, `flood` and a little more.
    ///
    /// # Errors
    /// If the server or the clients can't start.
    pub fn run(&self) -> io::Result<Outcome> {
        let (near, far) = memory_pair_bounded(Capabilities::plain(1500), self.queue);
        let server = Server::start(near, self)?;
        let clients = thread::scope(|s| {
            let run = s.spawn(|| {
                if self.pinned {
                    pin(1);
                }
                runtime()?.block_on(self.clients(far, &server))
            });
            run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        server.end()?;
        clients
    }

    async fn clients(&self, far: MemoryDevice, server: &Server) -> io::Result<Outcome> {
        let (near, mid) = memory_pair_bounded(Capabilities::plain(1500), 1024);
        let net = Net::builder().address("10.0.0.2/24").seed([3; 32]).device(near);
        let net = net.map_err(io::Error::other)?;
        let gauges = Arc::new(Gauges::default());
        let path = Path::new(mid, far, self.delay, gauges.clone());
        let path = tokio::spawn(path.carry());
        let quiet = self.connects(&net, self.quiet).await;
        let before = (server.net.counters(), server.cpu().await, resident());
        let start = Instant::now();
        gauges.flooding.store(1, Ordering::Relaxed);
        let rough = self.connects(&net, self.flood).await;
        gauges.flooding.store(0, Ordering::Relaxed);
        let took = start.elapsed();
        let outcome = Outcome {
            quiet,
            rough,
            poured: gauges.poured.load(Ordering::Relaxed),
            answered: gauges.answered.load(Ordering::Relaxed),
            took,
            cpu: server.cpu().await - before.1,
            counters: [before.0, server.net.counters()],
            resident: [before.2, resident()],
        };
        net.shutdown().await;
        path.abort();
        Ok(outcome)
    }

    /// A connect in every gap, whatever became of those before.
    async fn connects(&self, net: &Net, time: Duration) -> Seen {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut all = tokio::task::JoinSet::new();
        let (mut ticks, start) = (tokio::time::interval(self.gap), Instant::now());
        while start.elapsed() < time {
            ticks.tick().await;
            let (net, seen) = (net.clone(), seen.clone());
            all.spawn(async move {
                let result = tokio::time::timeout(PATIENCE, client(&net)).await;
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                match result {
                    Ok(Ok(took)) => seen.connects.push(took),
                    Ok(Err(_)) | Err(_) => seen.failed += 1,
                }
            });
        }
        while all.join_next().await.is_some() {}
        let mut seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        seen.connects.sort_unstable();
        seen
    }
}

/// Connects, and sees that somebody is there.
async fn client(net: &Net) -> io::Result<Duration> {
    let start = Instant::now();
    let mut stream = net.connect(SocketAddr::V4(SERVER)).await?;
    let took = start.elapsed();
    stream.write_all(b"hello").await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if answer == b"hello" { Ok(took) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[derive(Debug, Default)]
struct Gauges {
    flooding: AtomicU64,
    poured: AtomicU64,
    answered: AtomicU64,
}

/// What lies between the clients and the server. It looks at both devices all the time.
struct Path {
    clients: MemoryDevice,
    server: MemoryDevice,
    delay: Duration,
    up: VecDeque<(Instant, TxPacket)>,
    down: VecDeque<(Instant, TxPacket)>,
    flood: SynFlood,
    /// Offered and not yet taken.
    next: TxPacket,
    gauges: Arc<Gauges>,
    buf: Vec<u8>,
}

impl Path {
    fn new(
        clients: MemoryDevice,
        server: MemoryDevice,
        delay: Duration,
        gauges: Arc<Gauges>,
    ) -> Path {
        let mut flood = SynFlood::new(7, SERVER);
        let next = TxPacket::from_head(&flood.packet());
        let buf = vec![0; server.capabilities().recv_buffer_len()];
        let (up, down) = (VecDeque::new(), VecDeque::new());
        Path { clients, server, delay, up, down, flood, next, gauges, buf }
    }

    async fn carry(mut self) -> io::Result<()> {
        loop {
            self.collect()?;
            deliver(&self.clients, &mut self.down, usize::MAX)?;
            self.merge()?;
            tokio::task::yield_now().await;
        }
    }

    /// Everything that either side has sent. Answers to the flood go nowhere.
    fn collect(&mut self) -> io::Result<()> {
        let due = Instant::now() + self.delay;
        let mut answered = 0;
        while let Some(p) = receive(&self.server, &mut self.buf)? {
            match p.head().get(16..20) == Some(&CLIENT) {
                true => self.down.push_back((due, p)),
                false => answered += 1,
            }
        }
        self.gauges.answered.fetch_add(answered, Ordering::Relaxed);
        while let Some(p) = receive(&self.clients, &mut self.buf)? {
            self.up.push_back((due, p));
        }
        Ok(())
    }

    /// Honest packets and the flood's take turns before the server's queue.
    fn merge(&mut self) -> io::Result<()> {
        let flooding = self.gauges.flooding.load(Ordering::Relaxed) > 0;
        for _ in 0..SLICE {
            deliver(&self.server, &mut self.up, 1)?;
            if !flooding || !offer(&self.server, &self.next)? {
                return Ok(());
            }
            self.gauges.poured.fetch_add(1, Ordering::Relaxed);
            self.next = TxPacket::from_head(&self.flood.packet());
        }
        Ok(())
    }
}

fn receive(device: &MemoryDevice, buf: &mut [u8]) -> io::Result<Option<TxPacket>> {
    match device.poll_recv(&mut Context::from_waker(Waker::noop()), buf) {
        Poll::Pending => Ok(None),
        Poll::Ready(meta) => {
            let meta = meta?;
            Ok(Some(TxPacket::from_head(&buf[meta.offset..meta.offset + meta.len])))
        }
    }
}

fn offer(device: &MemoryDevice, packet: &TxPacket) -> io::Result<bool> {
    match device.poll_send(&mut Context::from_waker(Waker::noop()), packet) {
        Poll::Pending => Ok(false),
        Poll::Ready(sent) => sent.map(|()| true),
    }
}

/// Hands on at most so many packets whose time has come.
fn deliver(
    device: &MemoryDevice,
    line: &mut VecDeque<(Instant, TxPacket)>,
    most: usize,
) -> io::Result<()> {
    for _ in 0..most {
        let Some((due, packet)) = line.front() else { break };
        if *due > Instant::now() || !offer(device, packet)? {
            break;
        }
        line.pop_front();
    }
    Ok(())
}

/// The server in a thread of its own.
struct Server {
    net: Net,
    asks: mpsc::UnboundedSender<oneshot::Sender<Duration>>,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Server {
    fn start(device: MemoryDevice, plan: &Plan) -> io::Result<Server> {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (asks, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<Duration>>();
        let (plan, pinned) = (plan.clone(), plan.pinned);
        let serve = async move {
            let net = Net::builder().address("10.0.0.1/24").seed([4; 32]).device(device);
            let net = net.map_err(io::Error::other)?;
            let options = ListenOptions {
                backlog: 4096,
                syn_backlog: Some(plan.syn_backlog),
                syn_cookies: Some(plan.cookies),
                ..ListenOptions::default()
            };
            let listener = net.listen_with(SocketAddr::V4(SERVER), options).await?;
            tokio::spawn(echo(listener));
            ready.send(net.clone()).map_err(io::Error::other)?;
            while let Some(answer) = asked.recv().await {
                // Who asked and left needs no answer.
                let _ = answer.send(cpu());
            }
            net.shutdown().await;
            Ok(())
        };
        let thread = thread::spawn(move || {
            if pinned {
                pin(0);
            }
            runtime()?.block_on(serve)
        });
        let net = is_ready.recv().map_err(io::Error::other)?;
        Ok(Server { net, asks, thread })
    }

    /// CPU time of its thread.
    async fn cpu(&self) -> Duration {
        let (answer, is_answered) = oneshot::channel();
        // A server that has ended has failed, and says so at the end.
        let _ = self.asks.send(answer);
        is_answered.await.unwrap_or_default()
    }

    fn end(self) -> io::Result<()> {
        drop(self.asks);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

async fn echo(listener: TcpListener) {
    while let Ok((stream, _peer)) = listener.accept().await {
        tokio::spawn(echo_one(stream));
    }
}

async fn echo_one(mut stream: TcpStream) -> io::Result<()> {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await?;
    stream.write_all(&text).await?;
    stream.shutdown().await
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Keeps the thread on a core, if the machine has it.
pub fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core % thread::available_parallelism().map_or(1, usize::from));
    // Without the right to, the scheduler decides.
    let _ = sched_setaffinity(None, &set);
}

/// CPU time of this thread.
pub fn cpu() -> Duration {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(t.tv_sec.unsigned_abs(), t.tv_nsec as u32)
}

/// Resident memory of this process, in KiB.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
