//! Do honest kernel clients 10 ms away get in beside a flood, before our stack on a TUN device and
//! before Linux? Both floods enter through the same device and are routed by the kernel; the
//! clients' packets pass a delay line between two more.
//!
//! ```text
//! clients' namespace           bench                  server's namespace
//! kernel clients - tcp0 - delay line, 5 ms each way - up0 - routing - tcp0 - our stack
//!                                   flood - flood0 -'          '- kernel listener
//! ```

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use stack_tests::beside_flood::{Seen, cpu, pin, resident};
use stack_tests::flood::SynFlood;
use stack_tests::kernel::{HOST_V4, KernelNet, Namespace, OURS_V4};
use tcp_async::{ListenOptions, Net};
use tcp_io::device::{Device, Offload, TunBuilder, TunDevice, TxPacket};
use tcp_io::stack::PacketDrop;

use super::{PORT, SYN_BACKLOG, per_packet, wait};

const DELAY: Duration = Duration::from_millis(5);
const GAP: Duration = Duration::from_millis(4);
const CLIENTS: usize = 8;
/// Packets of the flood between two looks at the delay line.
const SLICE: u64 = 8;

/// Who is flooded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Ours,
    Linux,
}

/// Prints both servers in quiet and under each flood.
pub(super) fn run(flood: Duration, rates: &[u64], queue: u32) -> Result<(), String> {
    for target in [Target::Ours, Target::Linux] {
        let bench = Bench::start(target, queue)?;
        let quiet = bench.connects(Duration::from_secs(1));
        let median = quiet.quantile(0.5);
        println!(
            "{target:?} on TUN, txqueuelen {queue}: {} connects in quiet, {} failed, median \
             {median:?}, p99 {:?}",
            quiet.connects.len(),
            quiet.failed,
            quiet.quantile(0.99)
        );
        for rate in rates.iter().copied() {
            bench.beside_flood(rate, flood, median);
        }
        bench.end()?;
    }
    Ok(())
}

/// Everything that runs while clients connect.
struct Bench {
    target: Target,
    inside: Namespace,
    outside: Namespace,
    server: Option<Server>,
    gauges: Arc<Gauges>,
    path: thread::JoinHandle<Result<(), String>>,
    to: SocketAddr,
}

#[derive(Debug, Default)]
struct Gauges {
    end: AtomicBool,
    flooding: AtomicBool,
    /// SYNs a second, or 0 for all that the thread can make.
    rate: AtomicU64,
    poured: AtomicU64,
    /// CPU time in the writes of the flood, in nanoseconds.
    writing: AtomicU64,
}

impl Bench {
    fn start(target: Target, queue: u32) -> Result<Bench, String> {
        let (inside, outside) = (Namespace::new(), Namespace::new());
        let address = if target == Target::Ours { OURS_V4 } else { HOST_V4 };
        let server = match target {
            Target::Ours => Some(Server::ours(&inside, queue)?),
            Target::Linux => {
                linux(&inside);
                None
            }
        };
        let gauges = Arc::new(Gauges::default());
        let devices = [
            TunDevice::builder()
                .name("tcp0")
                .host_address("10.46.0.1/24")
                .namespace(outside.name()),
            TunDevice::builder().name("up0").namespace(inside.name()).tx_queue_len(1000),
            // Nobody reads what is routed to the flood's sources.
            TunDevice::builder().name("flood0").namespace(inside.name()).tx_queue_len(1),
        ];
        let to = SocketAddrV4::new(ipv4(address), PORT);
        let (ready, is_ready) = mpsc::channel();
        let shared = gauges.clone();
        let path = thread::spawn(move || {
            pin(1);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|e| e.to_string())?.block_on(async {
                let path = Path::open(devices, to, shared)?;
                ready.send(()).map_err(|e| e.to_string())?;
                path.carry().await.map_err(|e| e.to_string())
            })
        });
        if is_ready.recv().is_err() {
            return path.join().map_err(|_| "the path failed")?.and(Err("no path".into()));
        }
        prepare(&inside, &outside);
        Ok(Bench { target, inside, outside, server, gauges, path, to: to.into() })
    }

    fn beside_flood(&self, rate: u64, time: Duration, median: Duration) {
        let g = &self.gauges;
        let resident_before = resident();
        let before = self.server.as_ref().map(|s| (s.net.counters(), s.spent()));
        let dropped = self.dropped();
        g.poured.store(0, Ordering::Relaxed);
        g.writing.store(0, Ordering::Relaxed);
        g.rate.store(rate, Ordering::Relaxed);
        g.flooding.store(true, Ordering::Relaxed);
        let start = Instant::now();
        let seen = self.connects(time);
        g.flooding.store(false, Ordering::Relaxed);
        let took = start.elapsed();
        thread::sleep(Duration::from_millis(100));
        let poured = g.poured.load(Ordering::Relaxed);
        println!(
            "{:?}, flood of {:.0} SYNs a second: {} connects, {} failed, {:.2} % within 1.5 times \
             the quiet median, p50 {}, p99 {}",
            self.target,
            poured as f64 / took.as_secs_f64(),
            seen.connects.len(),
            seen.failed,
            seen.within(median * 3 / 2) * 100.0,
            wait(&seen, 0.5),
            wait(&seen, 0.99),
        );
        let writing = Duration::from_nanos(g.writing.load(Ordering::Relaxed));
        println!("  {:.0} ns of CPU for a SYN in the sender's write", per_packet(writing, poured));
        let (Some(server), Some((counters, spent))) = (&self.server, before) else { return };
        let after = server.net.counters();
        let taken = after.packets_in - counters.packets_in;
        println!(
            "  {:.0} ns of CPU for a packet in the server; {taken} packets taken, {} lost in the \
             queue in front ({:.1} %), {} answers dropped",
            per_packet(server.spent() - spent, taken),
            self.dropped() - dropped,
            (self.dropped() - dropped) as f64 * 100.0 / poured.max(1) as f64,
            after.packet_drops(PacketDrop::AnswerQueueFull)
                - counters.packet_drops(PacketDrop::AnswerQueueFull),
        );
        println!(
            "  resident {resident_before} KiB, then {} KiB; cookies sent {}, good {}, failed {}, \
             resets {}",
            resident(),
            after.syn_cookies_sent - counters.syn_cookies_sent,
            after.syn_cookies_received - counters.syn_cookies_received,
            after.syn_cookies_failed - counters.syn_cookies_failed,
            after.resets_out - counters.resets_out,
        );
    }

    /// Packets that the device in front of our stack has dropped, by the kernel's count.
    fn dropped(&self) -> u64 {
        let table = self.inside.run(|| std::fs::read_to_string("/proc/thread-self/net/dev"));
        let table = table.unwrap_or_default();
        let line = table.lines().find_map(|l| l.trim_start().strip_prefix("tcp0:"));
        line.and_then(|l| l.split_whitespace().nth(11)?.parse().ok()).unwrap_or(0)
    }

    /// Clients that connect one after the other, several at once.
    fn connects(&self, time: Duration) -> Seen {
        let to = self.to;
        let one = move || {
            let (end, mut seen) = (Instant::now() + time, Seen::default());
            while Instant::now() < end {
                let start = Instant::now();
                match std::net::TcpStream::connect_timeout(&to, Duration::from_secs(2)) {
                    Ok(_) => seen.connects.push(start.elapsed()),
                    Err(_) => seen.failed += 1,
                }
                thread::sleep(GAP);
            }
            seen
        };
        let mut all = self.outside.run(|| {
            let threads: Vec<_> = (0..CLIENTS).map(|_| thread::spawn(one)).collect();
            threads.into_iter().fold(Seen::default(), |mut all, t| {
                let seen = t.join().unwrap_or_default();
                all.connects.extend(seen.connects);
                all.failed += seen.failed;
                all
            })
        });
        all.connects.sort_unstable();
        all
    }

    fn end(self) -> Result<(), String> {
        self.gauges.end.store(true, Ordering::Relaxed);
        self.path.join().map_err(|_| "the path failed")??;
        self.server.map_or(Ok(()), Server::end)
    }
}

fn ipv4(ip: std::net::IpAddr) -> Ipv4Addr {
    match ip {
        std::net::IpAddr::V4(ip) => ip,
        std::net::IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

/// Lets the flood's sources in, and a way back to everybody.
fn prepare(inside: &Namespace, outside: &Namespace) {
    inside.set("net.ipv4.ip_forward", "1");
    inside.set("net.ipv4.tcp_syncookies", "1");
    inside.set("net.ipv4.tcp_max_syn_backlog", &SYN_BACKLOG.to_string());
    for variable in ["all", "up0", "flood0"] {
        inside.set(&format!("net.ipv4.conf.{variable}.rp_filter"), "0");
    }
    inside.ip(["route", "add", "10.46.0.0/24", "dev", "up0"]);
    inside.ip(["route", "add", "198.18.0.0/15", "dev", "flood0"]);
    outside.ip(["route", "add", "10.45.0.0/24", "dev", "tcp0"]);
}

/// Linux listens and drops what it accepts; its thread ends with the process.
fn linux(namespace: &Namespace) {
    namespace.ip(["address", "add", &format!("{HOST_V4}/32"), "dev", "lo"]);
    namespace.set("net.core.somaxconn", "4096");
    let listener = namespace.run(|| {
        let listener = std::net::TcpListener::bind((HOST_V4, PORT)).expect("a free port");
        // Without a limit of its own for half-open records, Linux takes the backlog for it.
        rustix::net::listen(&listener, SYN_BACKLOG as i32).expect("a backlog");
        listener
    });
    thread::spawn(move || {
        pin(0);
        while listener.accept().is_ok() {}
    });
}

/// Our stack in a thread of its own, until it is told to end.
struct Server {
    net: Net,
    end: Arc<AtomicBool>,
    /// Its CPU time in nanoseconds.
    spent: Arc<AtomicU64>,
    thread: thread::JoinHandle<Result<(), String>>,
}

impl Server {
    fn ours(namespace: &Namespace, queue: u32) -> Result<Server, String> {
        let (ready, is_ready) = mpsc::channel();
        let (end, spent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let device = KernelNet::device(namespace).tx_queue_len(queue);
        let (stop, time) = (end.clone(), spent.clone());
        let serve = async move {
            let device = device.open().map_err(|e| e.to_string())?;
            let net = Net::builder().address("10.45.0.2/24").device(device);
            let net = net.map_err(|e| e.to_string())?;
            let options = ListenOptions {
                backlog: 4096,
                syn_backlog: Some(SYN_BACKLOG),
                ..ListenOptions::default()
            };
            let listener = net.listen_with(SocketAddr::new(OURS_V4, PORT), options).await;
            let listener = listener.map_err(|e| e.to_string())?;
            ready.send(net.clone()).map_err(|e| e.to_string())?;
            tokio::spawn(async move { while listener.accept().await.is_ok() {} });
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                time.store(cpu().as_nanos() as u64, Ordering::Relaxed);
            }
            net.shutdown().await;
            Ok(())
        };
        let thread = thread::spawn(move || {
            pin(0);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|e| e.to_string())?.block_on(serve)
        });
        let net = is_ready.recv().map_err(|_| "the server did not start")?;
        Ok(Server { net, end, spent, thread })
    }

    fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    fn end(self) -> Result<(), String> {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the server failed")?
    }
}

/// The delay line and the flood, in one thread that never sleeps: nothing waits for its wake-up.
struct Path {
    clients: TunDevice,
    server: TunDevice,
    flooded: TunDevice,
    up: VecDeque<(Instant, TxPacket)>,
    down: VecDeque<(Instant, TxPacket)>,
    flood: SynFlood,
    gauges: Arc<Gauges>,
    buf: Vec<u8>,
}

impl Path {
    fn open(
        devices: [TunBuilder; 3],
        to: SocketAddrV4,
        gauges: Arc<Gauges>,
    ) -> Result<Path, String> {
        let open = |d: TunBuilder| d.offload(Offload::Off).open().map_err(|e| e.to_string());
        let [clients, server, flooded] = devices;
        let (clients, server, flooded) = (open(clients)?, open(server)?, open(flooded)?);
        let buf = vec![0; server.capabilities().recv_buffer_len()];
        let (up, down) = (VecDeque::new(), VecDeque::new());
        let flood = SynFlood::new(7, to);
        Ok(Path { clients, server, flooded, up, down, flood, gauges, buf })
    }

    async fn carry(mut self) -> io::Result<()> {
        let (mut start, mut sent) = (None, 0);
        while !self.gauges.end.load(Ordering::Relaxed) {
            collect(&self.clients, &mut self.up, &mut self.buf)?;
            collect(&self.server, &mut self.down, &mut self.buf)?;
            deliver(&self.server, &mut self.up)?;
            deliver(&self.clients, &mut self.down)?;
            if self.gauges.flooding.load(Ordering::Relaxed) {
                let start = *start.get_or_insert_with(Instant::now);
                sent += self.pour(start.elapsed(), sent)?;
            } else {
                (start, sent) = (None, 0);
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// A few SYNs, if it is time for them.
    fn pour(&mut self, since: Duration, sent: u64) -> io::Result<u64> {
        let rate = self.gauges.rate.load(Ordering::Relaxed);
        let due = match rate {
            0 => SLICE,
            rate => (since.as_micros() as u64 * rate / 1_000_000).saturating_sub(sent).min(SLICE),
        };
        let packets: Vec<_> = (0..due).map(|_| TxPacket::from_head(&self.flood.packet())).collect();
        let begin = cpu();
        for p in &packets {
            // A device that is full loses it: no other is offered instead.
            offer(&self.flooded, p)?;
        }
        let spent = (cpu() - begin).as_nanos() as u64;
        self.gauges.writing.fetch_add(spent, Ordering::Relaxed);
        self.gauges.poured.fetch_add(due, Ordering::Relaxed);
        Ok(due)
    }
}

fn collect(
    device: &TunDevice,
    line: &mut VecDeque<(Instant, TxPacket)>,
    buf: &mut [u8],
) -> io::Result<()> {
    let due = Instant::now() + DELAY;
    while let Poll::Ready(meta) = device.poll_recv(&mut Context::from_waker(Waker::noop()), buf) {
        let meta = meta?;
        let packet = TxPacket::from_head(&buf[meta.offset..meta.offset + meta.len]);
        line.push_back((due, packet));
    }
    Ok(())
}

fn deliver(device: &TunDevice, line: &mut VecDeque<(Instant, TxPacket)>) -> io::Result<()> {
    while let Some((_, packet)) = line.front().filter(|(due, _)| *due <= Instant::now()) {
        if !offer(device, packet)? {
            break;
        }
        line.pop_front();
    }
    Ok(())
}

fn offer(device: &TunDevice, packet: &TxPacket) -> io::Result<bool> {
    match device.poll_send(&mut Context::from_waker(Waker::noop()), packet) {
        Poll::Pending => Ok(false),
        Poll::Ready(sent) => sent.map(|()| true),
    }
}
