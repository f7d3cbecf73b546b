//! The path carries less than the link: by ICMP, in silence, from the beginning and in mid-stream.

use std::vec;
use std::vec::Vec;

use super::wire::*;
use crate::config::{MtuProbing, PathMtuConfig, TcpConfig};
use crate::connection::{IcmpVerdict, RecoveryState, SendReason, Timer};
use crate::error::IcmpError;

fn too_big(mtu: u32) -> IcmpError {
    IcmpError::TooBig { mtu }
}

fn full_size() -> Wire {
    with(PathMtuConfig::default(), true)
}

fn with(path_mtu: PathMtuConfig, sack: bool) -> Wire {
    let peer = Peer { mss: 1460, window: 1 << 20, sack, ..Peer::default() };
    let mut w = Wire::open(peer, TcpConfig { path_mtu, ..TcpConfig::default() });
    w.now += RTT;
    w
}

/// The same after a flight of full packets was acknowledged.
fn proved() -> Wire {
    let mut w = full_size();
    w.write(10 * 1460);
    w.sends();
    w.now += RTT;
    w.ack(10 * 1460);
    w.sends();
    w
}

// RFC 1191 6.4: what did not fit goes again at once, in segments that do; not a time-out later.
#[test]
fn too_big_resends_at_once_in_smaller_segments() {
    for sack in [true, false] {
        let mut w = with(PathMtuConfig::default(), sack);
        w.write(5 * 1460);
        assert_eq!(w.sends().len(), 5);
        let window = w.conn.info().congestion_window;
        assert_eq!(w.icmp_verdict(0, too_big(1000)), IcmpVerdict::PathMtu);
        assert_eq!(w.conn.info().send_mss, 960);
        let sent = w.sends();
        let all: u32 = sent.iter().map(Sent::len).sum();
        assert_eq!(all, 5 * 1460);
        assert!(sent.iter().all(|s| s.len() <= 960 && s.reason == SendReason::Retransmission));
        // The second router message of the same flight brings nothing new.
        assert_eq!(w.icmp_verdict(1460, too_big(1000)), IcmpVerdict::Believed);
        assert!(w.sends().is_empty());
        // No congestion: nothing was lost in a queue.
        assert_eq!(w.conn.info().congestion_window, window);
        assert_eq!(w.conn.info().stats.timeouts, 0);
        w.now += RTT;
        w.ack(5 * 1460);
        assert_eq!(w.conn.info().recovery, RecoveryState::Open);
        assert!(w.conn.info().congestion_window >= window);
    }
}

// What lies before the quoted octet passed the router.
#[test]
fn too_big_resends_nothing_before_the_quoted_octet() {
    let mut w = full_size();
    w.write(4 * 1460);
    w.sends();
    w.icmp(2 * 1460, too_big(1000));
    let sent = w.sends();
    assert_eq!(sent[0].range(), (2 * 1460, 2 * 1460 + 960));
    assert_eq!(sent.iter().map(Sent::len).sum::<u32>(), 2 * 1460);
}

#[test]
fn too_big_cuts_super_segments_too() {
    let mut w = full_size();
    w.limits.segmentation = 65_535;
    w.write(3 * 1460);
    w.sends();
    w.icmp(0, too_big(1000));
    let again = w.sends();
    assert_eq!((again[0].range(), again[0].gso), ((0, 3 * 1460), Some(960)));
    w.write(4 * 960);
    let sent = w.sends();
    assert_eq!(sent.last().unwrap().gso, Some(960));
}

// RFC 5927 7: no less than every path must carry, and never more than before.
#[test]
fn too_big_has_a_floor_and_no_way_up() {
    let mut w = full_size();
    w.write(1460);
    w.sends();
    for (mtu, mss) in [(1400, 1360), (1500, 1360), (68, 512), (0, 512)] {
        assert!(w.icmp(0, too_big(mtu)));
        assert_eq!(w.conn.info().send_mss, mss, "{mtu}");
    }
    assert!(w.conn.path_mtu().fragmentable, "the path is narrower than that");
}

#[test]
fn without_discovery_ipv4_believes_no_size_and_lets_routers_fragment() {
    let mut w = with(PathMtuConfig { discovery: false, ..PathMtuConfig::default() }, true);
    w.write(1460);
    w.sends();
    assert_eq!(w.icmp_verdict(0, too_big(1000)), IcmpVerdict::NotBelieved);
    assert!(w.conn.path_mtu().fragmentable);
    assert_eq!(w.conn.path_mtu().mtu, 1500);
}

// RFC 1191 6.3
#[test]
fn a_size_is_forgotten_after_ten_minutes() {
    let mut w = full_size();
    w.write(1460);
    w.sends();
    w.icmp(0, too_big(1000));
    w.sends();
    w.now += RTT;
    w.ack(1460);
    w.wait(core::time::Duration::from_secs(599));
    w.write(10);
    w.sends();
    assert_eq!(w.conn.info().send_mss, 960);
    w.wait(core::time::Duration::from_secs(1));
    assert_eq!(w.conn.info().send_mss, 1460);
}

// RFC 5927 7.2: an off-path forger who guessed a number in flight gains nothing.
#[test]
fn a_forged_size_below_what_was_acknowledged_is_not_believed() {
    let mut w = proved();
    w.write(10 * 1460);
    w.sends();
    let at = 12 * 1460;
    assert_eq!(w.icmp_verdict(at, too_big(600)), IcmpVerdict::Believed);
    assert_eq!(w.conn.info().send_mss, 1460);
    w.now += RTT;
    w.ack(20 * 1460);
    w.write(1460);
    w.sends();
    w.now += RTT;
    w.ack(21 * 1460);
    w.wait(ms(5000));
    assert_eq!((w.conn.info().send_mss, w.conn.info().stats.timeouts), (1460, 0));
}

// The path shrank in mid-stream: the same message, and nothing speaks against it for a round trip.
#[test]
fn a_path_that_shrinks_is_believed_after_a_round_trip_without_an_answer() {
    let mut w = proved();
    w.write(10 * 1460);
    let sent = w.sends();
    let first = sent[0].seq;
    let window = w.conn.info().congestion_window;
    w.icmp(first, too_big(1000));
    assert_eq!(w.conn.info().send_mss, 1460);
    let (before, rto) = (w.now, w.conn.info().rto);
    let again = w.wait(rto - ms(1));
    assert_eq!(again[0].range(), (first, first + 960));
    assert!(again[0].at.since(before) < rto);
    let info = w.conn.info();
    assert_eq!((info.stats.timeouts, info.attempts), (0, 0));
    assert_eq!((info.send_mss, info.congestion_window), (960, window));
}

#[test]
fn a_black_hole_is_left_after_two_time_outs() {
    let mut w = full_size();
    w.write(20 * 1460);
    w.sends();
    let sent = w.wait(ms(RTO));
    assert_eq!(sent[0].len(), 1460);
    let sent = w.wait(ms(2 * RTO));
    assert_eq!((sent[0].len(), w.conn.info().send_mss), (1024, 1024));
    let sent = w.wait(ms(12 * RTO));
    assert_eq!((sent[1].len(), w.conn.info().send_mss), (1024, 1024));
    let sent = w.wait(ms(16 * RTO));
    assert_eq!((sent[0].len(), w.conn.info().send_mss), (512, 512));
}

#[test]
fn small_packets_that_time_out_are_no_black_hole() {
    let mut w = full_size();
    w.write(300);
    w.sends();
    w.wait(ms(30 * RTO));
    assert_eq!(w.conn.info().send_mss, 1460);
    let mut w = with(PathMtuConfig { probing: MtuProbing::Off, ..PathMtuConfig::default() }, true);
    w.write(3000);
    w.sends();
    w.wait(ms(30 * RTO));
    assert_eq!(w.conn.info().send_mss, 1460);
}

/// Lets a peer behind a path of `mtu` octets answer everything, for some round trips.
fn run(w: &mut Wire, mtu: u32, rounds: u32) -> Vec<u32> {
    let mut probes = Vec::new();
    let (mut acked, mut held): (u32, Vec<(u32, u32)>) = (w.written() - w.outstanding(), vec![]);
    for _ in 0..rounds {
        if w.written() - acked < 200_000 {
            w.write(100_000);
        }
        let mut sent = w.sends();
        if sent.is_empty() {
            let next = w.conn.poll_timeout().expect("a deadline");
            w.now = w.now.max(next.at);
            w.conn.on_timeout(w.now);
            sent = w.sends();
        }
        w.now += RTT;
        for s in sent.iter().filter(|s| s.len() > 0) {
            if s.reason == SendReason::MtuProbe {
                probes.push(s.len() + 40);
            }
            if s.len() + 40 > mtu {
                continue;
            }
            held.push(s.range());
            held.sort_unstable();
            while let Some(i) = held.iter().position(|r| r.0 <= acked) {
                acked = acked.max(held.remove(i).1);
            }
            let blocks: Vec<_> = held.iter().rev().take(1).copied().collect();
            w.sack(acked, &blocks);
        }
    }
    probes
}

// RFC 4821 7.6.2: a lost probe is no congestion.
#[test]
fn probes_find_the_path_and_their_loss_is_no_congestion() {
    let mut w = full_size();
    w.write(200_000);
    w.sends();
    w.wait(ms(3 * RTO));
    assert_eq!(w.conn.info().send_mss, 1024);
    let probes = run(&mut w, 1400, 12);
    assert!(!probes.is_empty(), "{:?}", w.conn.info());
    let calm = w.conn.info().congestion_window;
    let more = run(&mut w, 1400, 60);
    let info = w.conn.info();
    assert!((1353..=1360).contains(&info.send_mss), "{probes:?} {more:?} {info:?}");
    assert!(info.mtu_probes.lost >= 3, "{info:?}");
    assert!(info.congestion_window >= calm, "{calm} {info:?}");
    // Those of the black hole; the last of them was lost with its repair.
    assert_eq!(info.stats.timeouts, 3);
    assert!(run(&mut w, 1400, 20).is_empty(), "the search is over");
}

// RFC 8899 4.3: a false alarm costs a few round trips.
#[test]
fn after_an_outage_packets_grow_again() {
    let mut w = full_size();
    w.write(200_000);
    w.sends();
    w.wait(ms(40 * RTO));
    assert_eq!(w.conn.info().send_mss, 512);
    run(&mut w, 1500, 60);
    assert!(w.conn.info().send_mss > 1450, "{:?}", w.conn.info());
}

#[test]
fn probing_from_the_beginning_starts_with_the_base() {
    let always = PathMtuConfig { probing: MtuProbing::Always, ..PathMtuConfig::default() };
    let mut w = with(always, true);
    assert_eq!(w.conn.info().send_mss, 1024);
    let probes = run(&mut w, 1500, 60);
    assert_eq!(probes[0], 1064 + (1500u32 - 1064).div_ceil(2));
    assert!(w.conn.info().send_mss > 1450);
}

#[test]
fn an_error_about_a_probe_ends_only_the_probe() {
    let mut w = full_size();
    w.write(200_000);
    w.sends();
    w.wait(ms(3 * RTO - 1));
    for _ in 0..30 {
        w.write(50_000);
        let mut sent = w.sends();
        if sent.is_empty() {
            sent = w.wait(ms(2));
        }
        if let Some(p) = sent.iter().find(|s| s.reason == SendReason::MtuProbe) {
            let mss = w.conn.info().send_mss;
            let window = w.conn.info().congestion_window;
            assert_eq!(w.icmp_verdict(p.seq, too_big(1100)), IcmpVerdict::Believed);
            let again = w.sends();
            assert_eq!(again[0].seq, p.seq);
            assert!(again.iter().all(|s| s.len() <= mss));
            assert_eq!(w.conn.info().congestion_window, window);
            assert_eq!(w.conn.info().send_mss, mss);
            return;
        }
        w.now += RTT;
        let end = sent.iter().map(|s| s.range().1).max().unwrap();
        w.ack(end);
    }
    panic!("no probe was sent");
}

#[test]
fn a_size_is_no_reason_to_keep_a_timer() {
    let mut w = proved();
    w.write(1460);
    w.sends();
    w.icmp(10 * 1460, too_big(1000));
    w.now += RTT;
    w.ack(11 * 1460);
    assert_eq!(w.deadline(Timer::Retransmit), None);
}
