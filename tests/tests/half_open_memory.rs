//! How much memory do half-open records cost, and does a SYN flood cost more than that? Alone in
//! its file, since it counts every octet that the process allocates.

use std::net::SocketAddrV4;

use stack_tests::flood::SynFlood;
use stack_tests::heap::Heap;
use tcp_core::Instant;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{ListenOptions, Stack, StackConfig, SynCookies};

#[global_allocator]
static HEAP: Heap = Heap::new();

const MANY: usize = 100_000;
const MIB: usize = 1 << 20;

fn stack(syn_cookies: SynCookies, max_syn_backlog: usize) -> Stack {
    let addresses = vec!["10.0.0.1/24".parse().expect("an address")];
    let config = StackConfig { addresses, syn_cookies, max_syn_backlog, ..StackConfig::default() };
    let mut stack = Stack::new(Instant::ZERO, config, [1; 32]);
    stack.listen("10.0.0.1:80".parse().expect("one"), ListenOptions::default()).expect("listen");
    stack
}

fn pour(stack: &mut Stack, flood: &mut SynFlood, count: usize) {
    for _ in 0..count {
        stack.receive(Instant::ZERO, &flood.packet(), RxChecksum::Unknown, None);
        while stack.poll_transmit(Instant::ZERO).is_some() {}
    }
}

#[test]
fn a_hundred_thousand_half_open_records_fit_in_15_mib_and_a_flood_in_what_its_backlog_takes() {
    let to: SocketAddrV4 = "10.0.0.1:80".parse().expect("an address");
    let mut flood = SynFlood::new(1, to);
    let mut many = stack(SynCookies::Never, MANY);
    let before = HEAP.live();
    pour(&mut many, &mut flood, MANY + 1000);
    let cost = HEAP.live() - before;
    assert_eq!(many.half_open_count(), MANY);
    println!(
        "{MANY} half-open records: {cost} octets ({:.2} MiB), {:.1} a record",
        cost as f64 / MIB as f64,
        cost as f64 / MANY as f64
    );
    assert!(cost <= 15 * MIB, "{cost}");
    // All of it comes back when they give up.
    while let Some(at) = many.next_deadline() {
        many.on_deadline(at);
        while many.poll_transmit(at).is_some() {}
    }
    assert_eq!(many.half_open_count(), 0);
    let kept = HEAP.live().saturating_sub(before);
    println!("after the last has given up: {kept} octets");
    assert!(kept < MIB, "{kept}");

    for cookies in [SynCookies::WhenFull, SynCookies::Always, SynCookies::Never] {
        let mut one = stack(cookies, 4096);
        pour(&mut one, &mut flood, 10_000);
        let before = HEAP.live();
        pour(&mut one, &mut flood, 1_000_000);
        let after = HEAP.live();
        println!("{cookies:?}: {before} octets live before a million SYNs, {after} after");
        assert_eq!(before, after, "{cookies:?}");
        assert!(one.half_open_count() <= 4096);
    }
}
