//! What does a SYN of a flood cost, and do honest clients get in beside it? Our stack alone, our
//! stack on a TUN device, and Linux with the same packets through a TUN device; each in a network
//! namespace of its own. Needs root; takes about ten seconds.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};
use rustix::time::{ClockId, clock_gettime};
use stack_tests::flood::SynFlood;
use stack_tests::kernel::{HOST_V4, KernelListener, KernelNet, Namespace, OURS_V4};
use tcp_async::{ListenOptions, Net, SynCookies, TcpListener};
use tcp_io::device::{Device, Offload, RxChecksum, TunDevice, TxPacket};
use tcp_io::stack::{Stack, StackConfig};

/// Measures SYN floods.
#[derive(Parser, Debug)]
struct Args {
    /// SYNs of the measurements that count them.
    #[arg(long, default_value_t = 300_000)]
    syns: u32,
    /// Milliseconds of each flood beside honest clients, at most 3,000.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=3000))]
    millis: u64,
    /// Flood SYNs a second beside honest clients; 0 is as many as one thread can send.
    #[arg(long, value_delimiter = ',', default_value = "20000,100000,0")]
    rates: Vec<u64>,
}

const PORT: u16 = 80;
const SYN_BACKLOG: usize = 256;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(|e| e.to_string()).and_then(|r| r.block_on(run(&args)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("syn-flood: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), String> {
    for cookies in [SynCookies::WhenFull, SynCookies::Always, SynCookies::Never] {
        let ns = stack_alone(args.syns, cookies)?;
        println!("our stack, no device, cookies {cookies:?}: {ns:.0} ns a SYN");
    }
    let plain = through_tun(args.syns, Ipv4Addr::new(10, 45, 0, 99)).await?;
    let kernel = through_tun(args.syns, Ipv4Addr::new(10, 45, 0, 1)).await?;
    println!("Linux, the TUN write of a packet for nobody: {plain:.0} ns");
    println!("Linux, the TUN write of a SYN that gets a cookie: {kernel:.0} ns");
    println!("Linux, the SYN without the device: {:.0} ns", kernel - plain);
    beside_clients(args)
}

fn cpu() -> Duration {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(t.tv_sec.unsigned_abs(), t.tv_nsec as u32)
}

fn per_packet(cpu: Duration, packets: u64) -> f64 {
    cpu.as_nanos() as f64 / packets.max(1) as f64
}

/// The stack's own time: the packet is in memory, and so is the answer.
fn stack_alone(syns: u32, syn_cookies: SynCookies) -> Result<f64, String> {
    let address = "10.0.0.1/24".parse().map_err(|e| format!("{e}"))?;
    let config = StackConfig { addresses: vec![address], syn_cookies, ..StackConfig::default() };
    let mut stack = Stack::new(tcp_core::Instant::ZERO, config, [1; 32]);
    let to = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), PORT);
    let options = ListenOptions { syn_backlog: Some(SYN_BACKLOG), ..ListenOptions::default() };
    stack.listen(to.into(), options).map_err(|e| e.to_string())?;
    let mut flood = SynFlood::new(1, to);
    let packets: Vec<_> = (0..syns).map(|_| flood.packet()).collect();
    let mut pour = |packets: &[[u8; 60]]| {
        for (n, p) in packets.iter().enumerate() {
            let now = tcp_core::Instant::from_micros(n as u64);
            stack.receive(now, p, RxChecksum::Unknown, None);
            while stack.poll_transmit(now).is_some() {}
        }
    };
    let (warm, rest) = packets.split_at(packets.len() / 10);
    pour(warm);
    let start = cpu();
    pour(rest);
    Ok(per_packet(cpu() - start, rest.len() as u64))
}

/// Linux's time in the write of a SYN to a TUN device; its softirq runs in that write. A reader
/// takes the SYN-ACKs away.
async fn through_tun(syns: u32, to: Ipv4Addr) -> Result<f64, String> {
    let namespace = Namespace::new();
    let device = KernelNet::device(&namespace).offload(Offload::Off).tx_queue_len(10_000);
    let device = Arc::new(device.open().map_err(|e| e.to_string())?);
    prepare(&namespace);
    let listener = namespace.run(|| KernelListener::with_backlog(HOST_V4, 64));
    let to = SocketAddrV4::new(to, listener.addr.port());
    let reader = tokio::spawn(drain(device.clone()));
    let mut flood = SynFlood::new(1, to);
    let packets: Vec<_> = (0..syns).map(|_| TxPacket::from_vec(flood.packet().to_vec())).collect();
    let (warm, rest) = packets.split_at(packets.len() / 10);
    write_all(&device, warm).await?;
    let mut spent = Duration::ZERO;
    for some in rest.chunks(256) {
        let start = cpu();
        write_all(&device, some).await?;
        spent += cpu() - start;
        tokio::task::yield_now().await;
    }
    reader.abort();
    Ok(per_packet(spent, rest.len() as u64))
}

/// Lets the flood's sources in, and a way back to them.
fn prepare(namespace: &Namespace) {
    for variable in ["all", "default", "tcp0"] {
        namespace.set(&format!("net.ipv4.conf.{variable}.rp_filter"), "0");
    }
    namespace.set("net.ipv4.tcp_syncookies", "1");
    namespace.ip(["route", "add", "198.18.0.0/15", "dev", "tcp0"]);
}

async fn drain(device: Arc<TunDevice>) {
    let mut buf = vec![0; device.capabilities().recv_buffer_len()];
    while std::future::poll_fn(|cx| device.poll_recv(cx, &mut buf)).await.is_ok() {}
}

async fn write_all(device: &TunDevice, packets: &[TxPacket]) -> Result<(), String> {
    for p in packets {
        let sent = std::future::poll_fn(|cx| device.poll_send(cx, p)).await;
        sent.map_err(|e| e.to_string())?;
    }
    Ok(())
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
    fn start(namespace: &Namespace) -> Result<Server, String> {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (end, spent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let device = KernelNet::device(namespace).tx_queue_len(1000);
        let (stop, time) = (end.clone(), spent.clone());
        let serve = async move {
            let device = device.open().map_err(|e| e.to_string())?;
            let net = Net::builder().address("10.45.0.2/24").device(device);
            let net = net.map_err(|e| e.to_string())?;
            let listener = listen(&net).await.map_err(|e| e.to_string())?;
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
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|e| e.to_string())?.block_on(serve)
        });
        let net = is_ready.recv().map_err(|_| "the server did not start")?;
        Ok(Server { net, end, spent, thread })
    }
}

/// Kernel clients before our listener, quiet and in floods from another thread.
fn beside_clients(args: &Args) -> Result<(), String> {
    let namespace = Namespace::new();
    let server = Server::start(&namespace)?;
    prepare(&namespace);
    let quiet = connects(&namespace, Duration::from_secs(1));
    let median = quiet[quiet.len() / 2];
    println!("our stack on TUN: {} connects in quiet, median {median:?}", quiet.len());
    for rate in args.rates.iter().copied() {
        beside_flood(&namespace, &server, rate, Duration::from_millis(args.millis), median)?;
    }
    server.end.store(true, Ordering::Relaxed);
    server.thread.join().map_err(|_| "the server failed")?
}

fn beside_flood(
    namespace: &Namespace,
    server: &Server,
    rate: u64,
    time: Duration,
    median: Duration,
) -> Result<(), String> {
    let before = (server.net.counters(), server.spent.load(Ordering::Relaxed), resident());
    let (start, stop) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let flooder = flood(namespace, stop.clone(), rate);
    let rough = connects(namespace, time);
    stop.store(true, Ordering::Relaxed);
    let poured = flooder.join().map_err(|_| "the flood failed")?;
    let took = start.elapsed().as_secs_f64();
    thread::sleep(Duration::from_millis(100));
    let after = server.net.counters();
    let taken = after.packets_in - before.0.packets_in;
    let spent = server.spent.load(Ordering::Relaxed) - before.1;
    let within = |most: Duration| {
        rough.iter().filter(|t| **t <= most).count() as f64 * 100.0 / rough.len() as f64
    };
    println!(
        "flood of {:.0} SYNs a second, {taken} of {poured} arrived: {:.0} ns of CPU each; {} \
         connects, median {:?}, {:.1} % within 1.5 times the quiet median, {:.1} % within 10 ms",
        poured as f64 / took,
        spent as f64 / taken as f64,
        rough.len(),
        rough[rough.len() / 2],
        within(median * 3 / 2),
        within(Duration::from_millis(10)),
    );
    println!(
        "  resident {} KiB, then {} KiB; cookies sent {}, good {}, failed {}, resets {}",
        before.2,
        resident(),
        after.syn_cookies_sent - before.0.syn_cookies_sent,
        after.syn_cookies_received - before.0.syn_cookies_received,
        after.syn_cookies_failed - before.0.syn_cookies_failed,
        after.resets_out - before.0.resets_out,
    );
    Ok(())
}

async fn listen(net: &Net) -> std::io::Result<TcpListener> {
    let options =
        ListenOptions { backlog: 4096, syn_backlog: Some(SYN_BACKLOG), ..ListenOptions::default() };
    net.listen_with(SocketAddr::new(OURS_V4, PORT), options).await
}

/// One client after the other; how long each waited, sorted.
fn connects(namespace: &Namespace, time: Duration) -> Vec<Duration> {
    namespace.run(|| {
        let end = Instant::now() + time;
        let mut all = Vec::new();
        while Instant::now() < end {
            let start = Instant::now();
            // Its failure is told by how long it took.
            let stream = std::net::TcpStream::connect_timeout(
                &SocketAddr::new(OURS_V4, PORT),
                Duration::from_secs(1),
            );
            all.push(start.elapsed());
            drop(stream);
            thread::sleep(Duration::from_millis(1));
        }
        all.sort_unstable();
        all
    })
}

/// Sends SYNs through a raw socket of the namespace until it is told to stop; returns how many.
fn flood(namespace: &Namespace, stop: Arc<AtomicBool>, rate: u64) -> thread::JoinHandle<u64> {
    let socket = namespace.run(|| {
        let raw = rustix::net::Protocol::from_raw(255.try_into().expect("not zero"));
        rustix::net::socket_with(
            AddressFamily::INET,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(raw),
        )
        .expect("root may open a raw socket")
    });
    thread::spawn(move || {
        let to = SocketAddrV4::new(Ipv4Addr::new(10, 45, 0, 2), PORT);
        let mut flood = SynFlood::new(7, to);
        let (start, mut sent) = (Instant::now(), 0);
        while !stop.load(Ordering::Relaxed) {
            let due = start.elapsed().as_micros() as u64 * rate / 1_000_000;
            if rate > 0 && sent >= due {
                thread::yield_now();
                continue;
            }
            let result = rustix::net::sendto(&socket, &flood.packet(), SendFlags::empty(), &to);
            sent += u64::from(result.is_ok());
        }
        sent
    })
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
