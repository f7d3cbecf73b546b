//! What does the quiet time of a million connections cost? Every octet that the stack holds is
//! counted: records, their index, the demultiplexer, ports, the timer wheel.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tcp_core::Instant;
use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};

const MILLION: usize = 1_000_000;
const LIMIT: usize = 100 << 20;

/// Octets that are allocated now, and the most there ever were.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn grow(octets: usize) {
    let live = LIVE.fetch_add(octets, Ordering::Relaxed) + octets;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new exist at once while they are copied.
        grow(size);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(p, layout, size) }
    }
}

fn drain(stack: &mut Stack, now: Instant) {
    assert!(stack.poll_transmit(now).is_none(), "all of it loops back");
}

#[test]
fn a_million_records_fit_in_100_mib() {
    let before = LIVE.load(Ordering::Relaxed);
    let config = StackConfig {
        addresses: vec!["10.0.0.1/24".parse().unwrap()],
        max_time_wait: MILLION,
        ..StackConfig::default()
    };
    let now = Instant::from_millis(1000);
    let mut stack = Stack::new(now, config, [3; 32]);
    let mut port = 1000;
    while stack.time_wait_count() < MILLION {
        // The whole range of local ports towards one after the other.
        port += 1;
        let server = std::net::SocketAddr::from(([10, 0, 0, 1], port));
        let listener = stack.listen(server, ListenOptions::default()).unwrap();
        while stack.time_wait_count() < MILLION {
            let Ok(client) = stack.connect(now, server, ConnectOptions::default()) else { break };
            drain(&mut stack, now);
            let accepted = stack.accept(listener).unwrap().expect("a connection");
            stack.close(now, client);
            drain(&mut stack, now);
            stack.close(now, accepted);
            drain(&mut stack, now);
        }
        stack.close_listener(listener);
    }
    let live = LIVE.load(Ordering::Relaxed) - before;
    let peak = PEAK.load(Ordering::Relaxed) - before;
    println!(
        "{MILLION} TIME-WAIT records: {:.1} MiB ({} octets each), {:.1} MiB at the most while the tables grew",
        live as f64 / (1 << 20) as f64,
        live / MILLION,
        peak as f64 / (1 << 20) as f64,
    );
    assert_eq!((stack.time_wait_count(), stack.connection_count()), (MILLION, 0));
    assert_eq!((stack.demux_count(), stack.timer_count()), (MILLION, 1));
    assert!(live <= LIMIT, "{live}");
    // And it is all given back.
    let end = now + Duration::from_secs(61);
    stack.on_deadline(end);
    assert_eq!((stack.time_wait_count(), stack.timer_count(), stack.demux_count()), (0, 0, 0));
    let left = LIVE.load(Ordering::Relaxed) - before;
    println!("after it: {} KiB", left >> 10);
    assert!(left < 4 << 20, "{left}");
}
