//! Do honest clients get in while another core makes SYNs as fast as it can, over the memory
//! link? In real time, since only real cores race; what is asserted are counts, and waits against
//! a path so long that a busy machine does not matter.
#![cfg(target_os = "linux")]

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use stack_tests::beside_flood::Plan;
use stack_tests::flood::SynFlood;
use tcp_async::SynCookies;
use tcp_core::Instant;
use tcp_io::device::{Capabilities, Device, TxPacket, memory_pair_bounded};
use tcp_io::reactor::Reactor;
use tcp_io::stack::{ListenOptions, PacketDrop, Stack, StackConfig};

/// Rounds after which waits that are too long are not the machine's.
const ROUNDS: usize = 5;

/// A flood beside honest clients; returns whether 99 % of them waited no longer than 1.5 times the
/// quiet median. The rest holds on the busiest machine.
fn flood(cookies: SynCookies) -> bool {
    let plan = Plan {
        cookies,
        syn_backlog: 256,
        queue: 256,
        delay: Duration::from_millis(50),
        gap: Duration::from_millis(4),
        pinned: false,
        quiet: Duration::from_millis(400),
        flood: Duration::from_millis(1200),
    };
    let o = plan.run().expect("a run");
    let [before, after] = &o.counters;
    let median = o.quiet.quantile(0.5);
    let share = o.rough.within(median * 3 / 2);
    println!(
        "{cookies:?}: {} SYNs, {} answers, quiet median {median:?}, {} honest, {:.2} % in time",
        o.poured,
        o.answered,
        o.rough.connects.len(),
        share * 100.0
    );
    assert!(o.poured > 5_000, "{}", o.poured);
    assert_eq!((o.quiet.failed, o.rough.failed), (0, 0));
    assert!(o.rough.connects.len() > 50);
    // Nobody's SYN or SYN-ACK was lost: it would be sent again after a second.
    assert!(o.rough.within(Duration::from_millis(999)) >= 0.99, "{:?}", o.rough.quantile(0.99));
    assert_eq!(after.packet_drops(PacketDrop::AnswerQueueFull), 0);
    assert_eq!((after.resets_out, after.syn_cookies_failed), (0, 0));
    assert!(after.syn_cookies_sent - before.syn_cookies_sent + 1000 > o.poured);
    // Nothing is kept of it; what grows is the clients' and the machine's.
    let grown = o.resident[1].saturating_sub(o.resident[0]);
    assert!(grown < 8 << 10, "{grown} KiB");
    share >= 0.99
}

#[test]
fn honest_clients_connect_while_the_other_core_makes_a_flood() {
    for cookies in [SynCookies::WhenFull, SynCookies::Always] {
        assert!((0..ROUNDS).any(|_| flood(cookies)), "{cookies:?}");
    }
}

/// A turn of the reactor writes less than it could read.
#[tokio::test]
async fn every_syn_that_waits_in_the_device_gets_its_answer() {
    const SYNS: usize = 9000;
    let (near, far) = memory_pair_bounded(Capabilities::plain(1500), SYNS);
    let config = StackConfig {
        addresses: vec!["10.0.0.1/24".parse().expect("an address")],
        syn_cookies: SynCookies::Always,
        ..StackConfig::default()
    };
    let mut stack = Stack::new(Instant::ZERO, config, [1; 32]);
    stack.listen("10.0.0.1:80".parse().expect("one"), ListenOptions::default()).expect("listen");
    let mut flood = SynFlood::new(1, "10.0.0.1:80".parse().expect("an address"));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..SYNS {
        assert!(far.poll_send(&mut cx, &TxPacket::from_head(&flood.packet())).is_ready());
    }
    let (reactor, handle) = Reactor::new(stack, near, Duration::ZERO);
    let reactor = tokio::spawn(reactor);
    let (mut buf, mut answers) = (vec![0; 2000], 0);
    while handle.inspect(|s| s.counters().packets_in < SYNS as u64 || s.has_work()) {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    while let Poll::Ready(Ok(_)) = far.poll_recv(&mut cx, &mut buf) {
        answers += 1;
    }
    let dropped = handle.inspect(|s| s.counters().packet_drops(PacketDrop::AnswerQueueFull));
    assert_eq!((dropped, answers), (0, SYNS));
    reactor.abort();
}
