//! How long may text stay undelivered? The user timeout (RFC 9293 3.8.3, MUST-21; RFC 5482).

use super::super::{Events, Timer};
use super::wire::{MSS, Peer, RTT, Wire, ms};
use crate::config::TcpConfig;
use crate::error::End;

fn wire(limit: u64) -> Wire {
    let mut w = Wire::new();
    w.set(|o| o.user_timeout = Some(ms(limit)));
    w
}

// MUST-21
#[test]
fn undelivered_text_ends_the_connection_at_the_users_time() {
    let mut w = wire(5_000);
    let start = w.now;
    w.write(10);
    w.wait_for_end();
    assert_eq!((w.end(), w.now.since(start)), (Some(End::TimedOut), ms(5_000)));
    assert!(w.conn.take_events().contains(Events::ENDED));
}

#[test]
fn it_starts_with_the_first_undelivered_octet_and_with_progress() {
    let mut w = wire(5_000);
    w.wait(ms(60_000));
    assert_eq!(w.deadline(Timer::UserTimeout), None, "an idle connection lives");
    w.write(2 * MSS);
    w.sends();
    w.now += ms(200);
    w.ack(1000);
    assert_eq!(w.deadline(Timer::UserTimeout), Some(5_000));
    w.now += ms(50);
    w.ack(2000);
    assert_eq!(w.deadline(Timer::UserTimeout), None);
    w.wait(ms(60_000));
    assert_eq!(w.end(), None);
}

#[test]
fn later_writes_do_not_put_it_off() {
    let mut w = wire(5_000);
    w.write(10);
    w.wait(ms(3_000));
    w.write(10);
    w.wait(ms(1_999));
    assert_eq!(w.end(), None);
    w.wait(ms(1));
    assert_eq!(w.end(), Some(End::TimedOut));
}

// MUST-21: it replaces R2, so it may be longer than that would be.
#[test]
fn it_may_be_longer_than_the_retries_last() {
    let hours = 3_600_000 * 5;
    let mut w = wire(hours);
    w.write(10);
    let start = w.now;
    let sent = w.wait_for_end();
    assert!(sent.len() > 100, "{}", sent.len());
    assert_eq!((w.end(), w.now.since(start)), (Some(End::TimedOut), ms(hours)));
}

#[test]
fn it_can_be_set_and_unset_while_text_is_outstanding() {
    let mut w = Wire::new();
    w.write(10);
    w.wait(ms(1_000));
    w.set(|o| o.user_timeout = Some(ms(2_000)));
    assert_eq!(w.deadline(Timer::UserTimeout), Some(2_000));
    w.wait(ms(1_000));
    w.set(|o| o.user_timeout = None);
    w.wait(ms(10_000));
    assert_eq!(w.end(), None);
}

// RFC 5482 1: a closed window does not stop it; what counts is delivery.
#[test]
fn it_runs_at_a_closed_window() {
    let mut w = wire(5_000);
    w.now += RTT;
    w.ack_window(0, 0);
    w.write(10);
    let start = w.now;
    while w.end().is_none() {
        w.wait(ms(100));
        if w.end().is_none() {
            w.ack(0);
        }
    }
    assert_eq!((w.end(), w.now.since(start)), (Some(End::TimedOut), ms(5_000)));
}

#[test]
fn our_fin_counts_as_undelivered() {
    let mut w = wire(5_000);
    w.conn.close_write().unwrap();
    w.wait(ms(5_000));
    assert_eq!(w.end(), Some(End::TimedOut));
}

#[test]
fn zero_is_none() {
    let mut w = wire(0);
    w.write(10);
    w.wait(ms(10_000));
    assert_eq!(w.end(), None);
    assert_eq!(w.conn.options().user_timeout, None);
    let mut config = TcpConfig::default();
    config.options.user_timeout = Some(ms(0));
    let mut w = Wire::open(Peer::default(), config);
    w.write(10);
    w.wait(ms(10_000));
    assert_eq!(w.end(), None);
}
