//! What does the quiet time of a million connections cost? Every octet that the stack holds is
//! counted: records, their index, the demultiplexer, ports, the timer wheel.

use std::time::Duration;

use stack_tests::heap::Heap;
use tcp_core::Instant;
use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};

const MILLION: usize = 1_000_000;
const LIMIT: usize = 100 << 20;

#[global_allocator]
static HEAP: Heap = Heap::new();

fn drain(stack: &mut Stack, now: Instant) {
    assert!(stack.poll_transmit(now).is_none(), "all of it loops back");
}

#[test]
fn a_million_records_fit_in_100_mib() {
    let before = HEAP.live();
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
    let live = HEAP.live() - before;
    let peak = HEAP.peak() - before;
    println!(
        "{MILLION} TIME-WAIT records: {:.1} MiB ({} octets each), {:.1} MiB at the most while the tables grew",
        live as f64 / (1 << 20) as f64,
        live / MILLION,
        peak as f64 / (1 << 20) as f64,
    );
    assert_eq!((stack.time_wait_count(), stack.connection_count()), (MILLION, 0));
    assert_eq!((stack.demux_count(), stack.timer_count()), (MILLION, 1));
    assert!(live <= peak && peak <= LIMIT, "{live}, {peak}");
    // They end together, in parts: packets come in between. And it is all given back.
    let mut at = now + Duration::from_secs(61);
    while stack.time_wait_count() > 0 {
        let before = stack.time_wait_count();
        stack.on_deadline(at);
        assert!((1..=4096).contains(&(before - stack.time_wait_count())));
        at = stack.next_deadline().unwrap_or(at);
    }
    assert!(at < now + Duration::from_secs(64), "{at:?}");
    assert_eq!((stack.time_wait_count(), stack.timer_count(), stack.demux_count()), (0, 0, 0));
    let left = HEAP.live() - before;
    println!("after it: {} KiB", left >> 10);
    assert!(left < 4 << 20, "{left}");
}
