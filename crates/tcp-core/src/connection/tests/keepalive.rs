//! Is a silent peer still there? Keepalive (RFC 9293 3.8.4, MAY-5).

use std::vec::Vec;

use super::super::{SendReason, Timer, Verdict};
use super::wire::{Peer, RTT, Sent, Wire, ms, times};
use crate::config::{Keepalive, TcpConfig};
use crate::error::End;
use crate::wire::{Flags, Segment};

const IDLE: u64 = 10_000;
const INTERVAL: u64 = 2_000;

fn wire() -> Wire {
    let mut w = Wire::new();
    w.set(|o| {
        o.keepalive_on = true;
        o.keepalive = Keepalive { idle: ms(IDLE), interval: ms(INTERVAL), count: 3 };
    });
    w
}

fn probes(sent: &[Sent]) -> Vec<Sent> {
    sent.iter().filter(|s| s.reason == SendReason::KeepaliveProbe).cloned().collect()
}

// MUST-25, MUST-24
#[test]
fn it_is_off_until_the_application_turns_it_on() {
    // MAY-5
    let mut w = Wire::new();
    assert_eq!(w.conn.poll_timeout(), None);
    w.set(|o| o.keepalive_on = true);
    // MUST-28: two hours.
    assert_eq!(w.deadline(Timer::Keepalive), Some(7_200_000));
    w.set(|o| o.keepalive_on = false);
    assert_eq!(w.conn.poll_timeout(), None);
}

#[test]
fn it_can_be_the_default_of_a_stack() {
    let mut config = TcpConfig::default();
    config.options.keepalive_on = true;
    let w = Wire::open(Peer::default(), config);
    assert_eq!(w.deadline(Timer::Keepalive), Some(7_200_000));
}

// MUST-27, SHLD-12
#[test]
fn a_probe_is_empty_and_lies_below_the_window() {
    let mut w = wire();
    let start = w.now;
    let sent = w.wait(ms(IDLE));
    assert_eq!(times(&sent, start), [IDLE]);
    assert_eq!((sent[0].seq, sent[0].len(), sent[0].flags), (u32::MAX, 0, Flags::ACK));
    assert_eq!(sent[0].reason, SendReason::KeepaliveProbe);
}

#[test]
fn a_peer_that_answers_is_probed_once_an_idle_time() {
    let mut w = wire();
    for _ in 0..20 {
        assert_eq!(w.wait(ms(IDLE)).len(), 1);
        w.ack(0);
        assert_eq!(w.sends(), []);
    }
    assert_eq!(w.end(), None);
}

// MUST-26
#[test]
fn traffic_puts_the_probe_off() {
    let mut w = wire();
    w.wait(ms(IDLE - 1));
    w.text(0, 10);
    let start = w.now;
    let sent = w.wait(ms(IDLE + 1));
    assert_eq!(times(&probes(&sent), start), [IDLE]);
}

// MUST-29
#[test]
fn a_lost_answer_is_not_the_end() {
    let mut w = wire();
    let start = w.now;
    let sent = w.wait(ms(IDLE + INTERVAL));
    assert_eq!(times(&sent, start), [IDLE, IDLE + INTERVAL]);
    w.ack(0);
    let start = w.now;
    assert_eq!(times(&w.wait(ms(IDLE)), start), [IDLE], "all probes count anew");
    assert_eq!(w.end(), None);
}

// MUST-29
#[test]
fn a_silent_peer_is_given_up_after_all_probes() {
    let mut w = wire();
    let start = w.now;
    let sent = w.wait_for_end();
    let end = IDLE + 3 * INTERVAL;
    assert_eq!(times(&sent, start), [IDLE, IDLE + INTERVAL, IDLE + 2 * INTERVAL, end]);
    assert_eq!(sent[3].reason, SendReason::Reset);
    assert_eq!(w.end(), Some(End::TimedOut));
}

#[test]
fn a_rebooted_peer_answers_with_a_reset() {
    let mut w = wire();
    w.wait(ms(IDLE));
    let blank = w.segment();
    let rst = Segment { flags: Flags::RST, seq: w.peer_seq(0), ..blank };
    assert_eq!(w.deliver(&rst), Verdict::Accepted);
    assert_eq!(w.end(), Some(End::Reset));
}

// MUST-26
#[test]
fn nothing_is_probed_while_text_is_outstanding() {
    let mut w = wire();
    w.wait(ms(IDLE - 100));
    w.write(10);
    let sent = w.wait(ms(4 * IDLE));
    assert_eq!(probes(&sent), []);
    assert!(sent.len() > 1, "retransmissions do the probing");
    w.ack(10);
    let start = w.now;
    let sent = w.wait(ms(2 * IDLE));
    let first = times(&probes(&sent), start)[0];
    assert!((IDLE..2 * IDLE).contains(&first), "{first}");
}

// MUST-26: nor at a closed window, which has probes of its own.
#[test]
fn nothing_is_probed_at_a_closed_window() {
    let mut w = wire();
    w.now += RTT;
    w.ack_window(0, 0);
    w.write(10);
    w.sends();
    for _ in 0..12 {
        let next = w.deadline(Timer::Probe).unwrap();
        let sent = w.wait(ms(next));
        assert_eq!(probes(&sent), []);
        w.ack(0);
        w.sends();
    }
    assert_eq!(w.end(), None);
}

// As Linux: with a user timeout the time decides, not the count.
#[test]
fn a_user_timeout_takes_the_place_of_the_count() {
    // Three probes would end at 16 s.
    for (user_timeout, end) in [
        // At the first probe that is due after it.
        (IDLE + INTERVAL, IDLE + INTERVAL),
        (IDLE + INTERVAL + 1, IDLE + 2 * INTERVAL),
        // Longer than the count would allow.
        (IDLE + 20 * INTERVAL, IDLE + 20 * INTERVAL),
        // Shorter than the idle time: one probe is sent all the same.
        (1, IDLE + INTERVAL),
    ] {
        let mut w = wire();
        w.set(|o| o.user_timeout = Some(ms(user_timeout)));
        let start = w.now;
        let sent = w.wait_for_end();
        assert_eq!(w.end(), Some(End::TimedOut));
        assert_eq!(w.now.since(start), ms(end), "{user_timeout}");
        assert_eq!(probes(&sent).len() as u64, (end - IDLE) / INTERVAL);
        assert_eq!(sent.last().unwrap().reason, SendReason::Reset);
    }
}

#[test]
fn a_user_timeout_does_not_end_a_connection_whose_peer_answers() {
    let mut w = wire();
    w.set(|o| o.user_timeout = Some(ms(IDLE)));
    for _ in 0..20 {
        assert_eq!(w.wait(ms(IDLE)).len(), 1);
        w.ack(0);
    }
    assert_eq!(w.end(), None);
}

// What the application set wrong neither spins nor ends the connection before a probe.
#[test]
fn zero_times_and_counts_are_the_least() {
    let mut w = Wire::new();
    w.set(|o| {
        o.keepalive_on = true;
        o.keepalive = Keepalive { idle: ms(0), interval: ms(0), count: 0 };
    });
    let start = w.now;
    let sent = w.wait_for_end();
    assert_eq!(times(&sent, start), [1, 2]);
    assert_eq!(sent[0].reason, SendReason::KeepaliveProbe);
    let mut w = Wire::new();
    w.set(|o| {
        o.keepalive_on = true;
        o.keepalive.idle = ms(0);
    });
    w.write(10);
    w.wait(ms(100));
    assert_eq!(w.end(), None);
}
