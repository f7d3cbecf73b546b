//! At every step of a connection's life a peer is killed, its link pulled, or it boots anew: the
//! survivor learns the truth in the time that its timers promise, and keeps nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use stack_tests::survivor::{Case, DELAY, Failure, Outcome, THINK, Truth, config, packets, run};
use tcp_core::connection::State;
use tcp_core::error::End;
use tcp_io::stack::{ConnectOptions, ListenOptions};
use tcp_sim::{LinkConfig, pair};

/// What is under way, the applications' thinking, and the simulator's and the wheel's pace.
const SLACK: Duration = Duration::from_millis(20 + 2 * 300 + 40);

/// Doubling from `first`, capped, so many times and once more for the last wait.
fn patience(first: Duration, retries: u32) -> Duration {
    let max = config().tcp.rto_max;
    (0..=retries).map(|n| first.saturating_mul(1 << n.min(30)).min(max)).sum()
}

/// How long after the failure the survivor may be in the dark: at least, and at most.
fn promise(case: &Case, o: &Outcome) -> (Duration, Duration) {
    let tcp = config().tcp;
    let keepalive = tcp.options.keepalive;
    let zero = Duration::ZERO;
    let (least, most) = match (case.failure, o.truth) {
        // It wanted nothing of the peer any more.
        (_, Truth::Done) => (zero, zero),
        // A half-open record: its SYN-ACK is sent again until patience ends.
        (Failure::Pull, Truth::Nobody) => (zero, patience(tcp.rto_initial, tcp.syn_ack_retries)),
        (Failure::Pull, _) if o.opening => {
            let rest = tcp.syn_timeout - o.struck;
            (rest, rest)
        }
        (Failure::Pull, _) => {
            let d = match o.undelivered {
                Some(rto) => patience(rto, tcp.retries_r2),
                None => keepalive.idle + keepalive.interval * keepalive.count,
            };
            (d, d)
        }
        // The first segment that the survivor sends is answered by a reset.
        (Failure::Reboot, Truth::Nobody) => (zero, tcp.rto_initial),
        (Failure::Reboot, _) => match o.undelivered {
            Some(rto) => (zero, rto),
            None if o.opening => (zero, tcp.rto_initial),
            None => (zero, keepalive.idle),
        },
        // Its stack says so at once.
        (Failure::Kill, _) => (zero, tcp.rto_min),
    };
    (least.saturating_sub(2 * DELAY + THINK), most + SLACK)
}

/// How long a closed connection, or its quiet time, may last.
fn remains(case: &Case, o: &Outcome) -> Duration {
    let tcp = config().tcp;
    let orphan = patience(o.undelivered.unwrap_or(tcp.rto_min), tcp.orphan_retries);
    let longest = match o.truth {
        Truth::Nobody => Duration::ZERO,
        // The connection failed: nothing is left at all.
        Truth::Failed(_) => Duration::ZERO,
        Truth::Done | Truth::EarlyEnd if case.failure == Failure::Kill => {
            tcp.fin_wait2_timeout.max(tcp.time_wait) + tcp.rto_min
        }
        Truth::Done | Truth::EarlyEnd => orphan.max(tcp.fin_wait2_timeout).max(tcp.time_wait),
    };
    longest + SLACK
}

fn is_true(case: &Case, o: &Outcome) -> bool {
    match (case.failure, o.truth) {
        (_, Truth::Done | Truth::Nobody) => true,
        (Failure::Pull, truth) => truth == Truth::Failed(End::TimedOut),
        (Failure::Reboot, truth) if o.opening => truth == Truth::Failed(End::Refused),
        (Failure::Reboot, truth) => {
            // A SYN may have met the blank machine.
            truth == Truth::Failed(End::Reset)
                || (truth == Truth::Failed(End::Refused) && case.packet <= 1)
        }
        (Failure::Kill, truth) => {
            matches!(truth, Truth::EarlyEnd | Truth::Failed(End::Reset | End::Refused))
        }
    }
}

fn check(case: &Case) -> Outcome {
    let o = run(case);
    let about = || format!("{case:?}: {o:?}");
    assert!(is_true(case, &o), "not the truth: {}", about());
    let dark = o.learned.saturating_sub(o.struck);
    let (least, most) = promise(case, &o);
    assert!(dark >= least, "given up after {dark:?}, not {least:?}: {}", about());
    assert!(dark <= most, "in the dark for {dark:?}, not {most:?}: {}", about());
    let kept = o.gone.saturating_sub(o.learned.max(o.struck));
    let limit = remains(case, &o);
    assert!(kept <= limit, "kept for {kept:?}, not {limit:?}: {}", about());
    o
}

/// Every packet, at once and when all has come to rest, for both ends.
fn at_every_step(failure: Failure) -> Vec<Outcome> {
    let all = packets();
    assert!(all >= 15, "handshake, text both ways, half-close, close: {all} packets");
    let mut outcomes = Vec::new();
    for packet in 0..=all {
        for survivor in [0, 1] {
            for later in [Duration::ZERO, THINK / 2, 2 * THINK] {
                outcomes.push(check(&Case { failure, survivor, packet, later }));
            }
        }
    }
    println!("{failure:?}: {} failures in a life of {all} packets", outcomes.len());
    for (what, some) in by_truth(&outcomes) {
        println!("  {} times {what}, after {:?} at the most", some.len(), some.iter().max());
    }
    outcomes
}

/// How long the survivors were in the dark, by what they learned.
fn by_truth(outcomes: &[Outcome]) -> BTreeMap<String, Vec<Duration>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for o in outcomes {
        let dark = o.learned.saturating_sub(o.struck);
        all.entry(format!("{:?}", o.truth)).or_default().push(dark);
    }
    all
}

fn count(outcomes: &[Outcome], truth: Truth) -> usize {
    outcomes.iter().filter(|o| o.truth == truth).count()
}

// MUST-20 to MUST-23, MUST-29
#[test]
fn the_survivor_of_a_pulled_link_times_out_as_promised() {
    let o = at_every_step(Failure::Pull);
    assert!(count(&o, Truth::Failed(End::TimedOut)) > 20);
    // Each way to learn it was met.
    let timed_out =
        |f: fn(&Outcome) -> bool| o.iter().any(|o| o.truth == Truth::Failed(End::TimedOut) && f(o));
    assert!(timed_out(|o| o.opening) && timed_out(|o| o.undelivered.is_some()));
    assert!(timed_out(|o| !o.opening && o.undelivered.is_none()), "keepalive");
    assert!(count(&o, Truth::Nobody) > 0 && count(&o, Truth::Done) > 0);
}

#[test]
fn the_survivor_of_a_reboot_is_reset_by_the_first_thing_it_says() {
    let o = at_every_step(Failure::Reboot);
    assert!(count(&o, Truth::Failed(End::Reset)) > 20);
    assert!(count(&o, Truth::Failed(End::Refused)) > 0 && count(&o, Truth::Done) > 0);
}

#[test]
fn the_survivor_of_a_killed_peer_sees_its_end_at_once() {
    let o = at_every_step(Failure::Kill);
    assert!(count(&o, Truth::EarlyEnd) > 10 && count(&o, Truth::Failed(End::Reset)) > 0);
    assert!(count(&o, Truth::Done) > 0);
}

// MUST-26, MUST-29: who answers is left alone, however long nothing is said.
#[test]
fn a_peer_that_answers_keepalive_is_left_alone() {
    let mut w = pair(1, LinkConfig::default().delay(DELAY), &config());
    w.set_trace_depth(0);
    let (now, server) = (w.now(), w.node(1).addr(80));
    let l = w.node_mut(1).stack.listen(server, ListenOptions::default()).unwrap();
    let client = w.node_mut(0).stack.connect(now, server, ConnectOptions::default()).unwrap();
    w.run_for(Duration::from_secs(24 * 3600));
    let accepted = w.node_mut(1).stack.accept(l).unwrap().unwrap();
    let states = [w.node(0).stack.state(client), w.node(1).stack.state(accepted)];
    assert_eq!(states, [State::Established; 2]);
    // A probe and its answer in 10 s, from both ends if their probes cross.
    let sent = w.link(0, 1).stats().sent + w.link(1, 0).stats().sent;
    assert!((2 * 8600..=4 * 8640).contains(&sent), "{sent}");
    let now = w.now();
    w.node_mut(0).stack.write(now, client, b"still here").unwrap();
    w.run_for(2 * DELAY);
    let now = w.now();
    assert_eq!(w.node_mut(1).stack.read(now, accepted, &mut [0; 99]), Ok(10));
}
