//! Do honest clients get in beside a flood over the memory link, where the other core makes it as
//! fast as it can and nothing but a bounded queue is in front of the stack?

use std::time::Duration;

use stack_tests::beside_flood::{Outcome, Plan};
use tcp_async::SynCookies;
use tcp_io::stack::PacketDrop;

use super::{SYN_BACKLOG, per_packet, wait};

/// Prints a run of each mode.
pub(super) fn run(flood: Duration) -> Result<(), String> {
    for cookies in [SynCookies::WhenFull, SynCookies::Always, SynCookies::Never] {
        let plan = Plan {
            cookies,
            syn_backlog: SYN_BACKLOG,
            queue: 512,
            delay: Duration::from_millis(5),
            gap: Duration::from_millis(2),
            pinned: true,
            quiet: Duration::from_secs(1),
            flood,
        };
        report(cookies, &plan.run().map_err(|e| e.to_string())?);
    }
    Ok(())
}

fn report(cookies: SynCookies, o: &Outcome) {
    let [before, after] = &o.counters;
    let median = o.quiet.quantile(0.5);
    println!(
        "memory link, cookies {cookies:?}: {:.0} SYNs a second, {} of {} answered, {:.0} ns of \
         the server's CPU each ({:.0} % of a core)",
        o.poured as f64 / o.took.as_secs_f64(),
        o.answered,
        o.poured,
        per_packet(o.cpu, o.poured),
        o.cpu.as_secs_f64() * 100.0 / o.took.as_secs_f64(),
    );
    println!(
        "  {} honest connects, {} failed, {:.2} % within 1.5 times the quiet median of {median:?}; \
         p50 {}, p99 {}, all {}",
        o.rough.connects.len(),
        o.rough.failed,
        o.rough.within(median * 3 / 2) * 100.0,
        wait(&o.rough, 0.5),
        wait(&o.rough, 0.99),
        wait(&o.rough, 1.0),
    );
    println!(
        "  resident {} KiB, then {} KiB; cookies sent {}, good {}, failed {}; resets {}, answers \
         dropped {}",
        o.resident[0],
        o.resident[1],
        after.syn_cookies_sent - before.syn_cookies_sent,
        after.syn_cookies_received - before.syn_cookies_received,
        after.syn_cookies_failed - before.syn_cookies_failed,
        after.resets_out - before.resets_out,
        after.packet_drops(PacketDrop::AnswerQueueFull),
    );
}
