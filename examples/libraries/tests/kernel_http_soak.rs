//! Does a server stay as it is for as long as it is asked? Keep-alive connections of the kernel to
//! hyper on our stack: no request may fail, and memory must stay flat. 10 s, or `SOAK_SECONDS`. Alone in
//! its file, since it counts the memory of the process.
#![cfg(target_os = "linux")]

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use stack_tests::heap::Heap;
use stack_tests::kernel::{KernelNet, OURS, connect, until};
use tcp_async::TcpListener;

#[global_allocator]
static HEAP: Heap = Heap::new();

const PORT: u16 = 80;
const CONNECTIONS: usize = 24;
/// More than a segment, more than one read of the server's side.
const LARGE: usize = 100_000;
const SAMPLES_EVERY: Duration = Duration::from_millis(20);
/// How much higher the lowest point of the last fifth may be than that of the second, while buffers are
/// still tuned: in ten minutes less than an octet for every twenty requests.
const MAY_GROW: usize = 512 << 10;
/// What may stay when everybody has gone: tables, less than a tenth of an octet for every request of ten
/// seconds.
const MAY_STAY: usize = 64 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/net/tun"]
async fn a_server_of_http_stays_as_it_is() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(10, |s| s.parse().expect("seconds"));
    let length = Duration::from_secs(seconds);
    let k = KernelNet::new();
    let large: Bytes = (0..LARGE).map(octet).collect();
    for ip in OURS {
        let listener = k.net.listen(SocketAddr::new(ip, PORT)).await.unwrap();
        tokio::spawn(serve(listener, large.clone()));
    }
    let before = HEAP.live();
    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|n| {
            let (over, served) = (over.clone(), served.clone());
            k.namespace.spawn(move || Client::connect(n).run(&over, &served))
        })
        .collect();
    until("every client at work", || k.net.connection_count() == CONNECTIONS).await;

    let floors = watch(length, &served).await;
    assert_eq!(k.net.connection_count(), CONNECTIONS, "nobody was let go");
    over.store(true, Relaxed);
    let mut requests = 0;
    for client in clients {
        // Panics if one of its requests has failed.
        requests += client.join().await;
    }
    until("all connections gone", || k.net.connection_count() == 0).await;
    let after = HEAP.live();
    let rate = requests as f64 / length.as_secs_f64();
    println!(
        "{requests} requests in {seconds} s over {CONNECTIONS} connections, none failed, {rate:.0}/s; \
         heap with connections, least of each fifth: {floors:?}; before {before}, after {after}"
    );
    assert!(floors[4] <= floors[1] + MAY_GROW, "memory grows: {floors:?}");
    assert!(after <= before + MAY_STAY, "memory stays: {before} before, {after} after");
    k.end().await;
}

/// Prints a line now and then; returns the least of the heap in each fifth of the time.
async fn watch(length: Duration, served: &AtomicU64) -> [usize; 5] {
    let (start, mut floors) = (Instant::now(), [usize::MAX; 5]);
    let line = (length / 20).max(Duration::from_secs(1));
    let mut next = line;
    println!("{:>8} {:>12} {:>12} {:>14}", "seconds", "requests", "heap, KiB", "resident, KiB");
    let mut tick = tokio::time::interval(SAMPLES_EVERY);
    loop {
        tick.tick().await;
        let (at, live) = (start.elapsed(), HEAP.live());
        let fifth = (at.as_nanos() * 5 / length.as_nanos()) as usize;
        let Some(floor) = floors.get_mut(fifth) else { return floors };
        *floor = live.min(*floor);
        if at >= next {
            next += line;
            let requests = served.load(Relaxed);
            println!(
                "{:>8.0} {requests:>12} {:>12} {:>14}",
                at.as_secs_f64(),
                live >> 10,
                resident()
            );
        }
    }
}

/// What the system holds for this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn octet(i: usize) -> u8 {
    (i.wrapping_mul(0x9e37_79b9) >> 13) as u8
}

async fn serve(listener: TcpListener, large: Bytes) {
    while let Ok((stream, _peer)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let large = large.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, large.clone()));
            // A client that ends in order is the only one there is.
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.unwrap();
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    large: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match (request.method(), request.uri().path()) {
        (&Method::GET, "/small") => Bytes::from_static(b"as small as that"),
        (&Method::GET, "/large") => large,
        (&Method::POST, "/echo") => request.into_body().collect().await.unwrap().to_bytes(),
        _ => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
    };
    Ok(Response::new(Full::new(body)))
}

/// A client of the kernel's side with one connection. Its memory is all allocated at the start, so
/// that what grows is the server's.
struct Client {
    stream: TcpStream,
    number: usize,
    large: Vec<u8>,
    answer: Vec<u8>,
    got: usize,
}

impl Client {
    fn connect(number: usize) -> Client {
        let stream = connect(SocketAddr::new(OURS[number % OURS.len()], PORT)).unwrap();
        stream.set_nodelay(true).unwrap();
        let large = (0..LARGE).map(octet).collect();
        Client { stream, number, large, answer: vec![0; 2 * LARGE], got: 0 }
    }

    /// Asks until the time is over; returns how often.
    fn run(mut self, over: &AtomicBool, served: &AtomicU64) -> u64 {
        let mut requests = 0;
        while !over.load(Relaxed) {
            match requests % 16 {
                0 => {
                    self.send(b"GET /large HTTP/1.1\r\nHost: soak\r\n\r\n");
                    let body = self.receive(requests);
                    assert!(
                        self.answer[body] == self.large,
                        "request {requests} of {}",
                        self.number
                    );
                }
                // Bodies of every length up to the whole.
                1 => {
                    let len = (requests as usize).wrapping_mul(0x9e37_79b9) % LARGE;
                    let mut head = [0; 96];
                    let mut rest = &mut head[..];
                    let line = "POST /echo HTTP/1.1\r\nHost: soak\r\nContent-Length: ";
                    write!(rest, "{line}{len}\r\n\r\n").unwrap();
                    let unused = rest.len();
                    self.send(&head[..head.len() - unused]);
                    self.stream.write_all(&self.large[..len]).unwrap();
                    let body = self.receive(requests);
                    assert!(self.answer[body] == self.large[..len], "request {requests}");
                }
                _ => {
                    self.send(b"GET /small HTTP/1.1\r\nHost: soak\r\n\r\n");
                    let body = self.receive(requests);
                    assert_eq!(&self.answer[body], b"as small as that", "request {requests}");
                }
            }
            requests += 1;
            served.fetch_add(1, Relaxed);
        }
        requests
    }

    fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).unwrap();
    }

    /// Reads one answer; returns where its body stands.
    fn receive(&mut self, request: u64) -> std::ops::Range<usize> {
        self.got = 0;
        loop {
            let n = self.stream.read(&mut self.answer[self.got..]).unwrap();
            assert!(n > 0, "request {request} of {}: the server has closed", self.number);
            self.got += n;
            let text = &self.answer[..self.got];
            let Some(end) = text.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&text[..end]).unwrap();
            assert!(head.starts_with("HTTP/1.1 200 "), "request {request}: {head}");
            let len = |line: &str| line.strip_prefix("content-length: ")?.parse::<usize>().ok();
            let len = head.lines().find_map(len).expect("a length");
            let body = end + 4..end + 4 + len;
            assert!(self.got <= body.end, "request {request}: more than was asked for");
            if self.got == body.end {
                return body;
            }
        }
    }
}
