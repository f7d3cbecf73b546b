//! Does a connection end as the application asked, with nothing lost and nothing left?

use std::time::Duration;

use tcp_core::connection::State;
use tcp_core::error::{DropReason, End, UserError};

use super::peer::*;
use crate::cell::ConnId;
use crate::stack::{ConnectOptions, ListenerId};

/// A rig with an accepted connection.
fn accepted() -> (Rig, Peer, ConnId, ListenerId) {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:80");
    let c = rig.accept(l).unwrap();
    (rig, peer, c, l)
}

#[test]
fn close_delivers_what_was_written_and_then_the_fin() {
    let (mut rig, mut peer, c, l) = accepted();
    rig.stack.write(rig.now, c, b"parting words").unwrap();
    rig.stack.close(rig.now, c);
    let last = peer.hear(&mut rig);
    assert_eq!((last.text.as_slice(), last.flags), (&b"parting words"[..], FIN | PSH | ACK));
    // It is lost: it comes again, although the application is gone.
    let again = rig.wait(Duration::from_millis(1200));
    assert_eq!((&again[0].text, again[0].flags), (&last.text, last.flags));
    peer.send(&mut rig, FIN | ACK, b"");
    assert_eq!(rig.hear_one().ack, peer.nxt);
    assert_eq!(rig.records(), (0, 0, 1));
    rig.stack.close_listener(l);
    rig.wait(Duration::from_secs(61));
    rig.assert_empty();
}

// SHLD-3
#[test]
fn close_with_unread_text_resets() {
    let (mut rig, mut peer, c, _) = accepted();
    peer.send(&mut rig, PSH | ACK, b"unread");
    rig.stack.close(rig.now, c);
    let reset = peer.hear(&mut rig);
    assert_eq!(reset.flags, RST | ACK);
    assert_eq!(rig.records(), (0, 0, 0));
}

// SHLD-3
#[test]
fn text_after_close_is_answered_by_a_reset() {
    let (mut rig, mut peer, c, _) = accepted();
    rig.stack.close(rig.now, c);
    assert_eq!(peer.hear(&mut rig).flags, FIN | ACK);
    peer.send(&mut rig, PSH | ACK, b"too late");
    assert!(peer.hear(&mut rig).flags.contains(RST));
    assert_eq!(rig.segment_drops(DropReason::AfterClose), 1);
    assert_eq!(rig.records(), (0, 0, 0));
}

#[test]
fn abort_sends_its_reset_in_the_next_drain() {
    let (mut rig, mut peer, c, _) = accepted();
    rig.stack.write(rig.now, c, b"never sent").unwrap();
    rig.stack.abort(c);
    let reset = peer.hear(&mut rig);
    assert_eq!((reset.flags, reset.text.len()), (RST | ACK, 0));
    assert_eq!(rig.records(), (0, 0, 0));
    // After it, nobody is there.
    peer.send(&mut rig, ACK, b"");
    assert_eq!(rig.hear_one().flags, RST);
}

#[test]
fn the_peers_fin_does_not_close_our_direction() {
    let (mut rig, mut peer, c, _) = accepted();
    peer.send(&mut rig, FIN | ACK, b"");
    assert_eq!(peer.hear(&mut rig).flags, ACK);
    assert_eq!(rig.read(c), b"");
    for _ in 0..3 {
        rig.wait(Duration::from_secs(100));
        rig.stack.write(rig.now, c, b"more").unwrap();
        let more = peer.hear(&mut rig);
        assert_eq!((more.text.as_slice(), more.flags), (&b"more"[..], PSH | ACK));
        peer.send(&mut rig, ACK, b"");
    }
    rig.stack.shutdown(c).unwrap();
    assert_eq!(peer.hear(&mut rig).flags, FIN | ACK);
    assert_eq!(rig.stack.state(c), State::LastAck);
    peer.send(&mut rig, ACK, b"");
    assert_eq!(rig.stack.state(c), State::Closed);
    // The passive closer keeps no quiet time.
    assert_eq!(rig.stack.time_wait_count(), 0);
}

#[test]
fn shutdown_returns_at_once_and_leaves_reading_open() {
    let (mut rig, mut peer, c, _) = accepted();
    rig.stack.shutdown(c).unwrap();
    assert_eq!(rig.stack.state(c), State::FinWait1);
    assert_eq!(rig.stack.write(rig.now, c, b"x"), Err(UserError::BrokenPipe));
    assert_eq!(peer.hear(&mut rig).flags, FIN | ACK);
    peer.send(&mut rig, PSH | ACK, b"answer");
    assert_eq!(rig.stack.state(c), State::FinWait2);
    assert_eq!(rig.read(c), b"answer");
    // It is the application's: half-closed connections may stay for ever.
    rig.wait(Duration::from_secs(3600));
    assert_eq!(rig.stack.state(c), State::FinWait2);
}

#[test]
fn fin_wait_2_of_a_closed_connection_ends_when_the_peer_is_gone() {
    let (mut rig, mut peer, c, l) = accepted();
    rig.stack.close(rig.now, c);
    peer.hear(&mut rig);
    peer.send(&mut rig, ACK, b"");
    assert_eq!(rig.records(), (0, 1, 0));
    rig.wait(Duration::from_secs(59));
    assert_eq!(rig.records(), (0, 1, 0));
    rig.wait(Duration::from_secs(2));
    rig.stack.close_listener(l);
    rig.assert_empty();
}

#[test]
fn a_closed_connection_whose_peer_is_gone_gives_up() {
    let (mut rig, mut peer, c, l) = accepted();
    rig.stack.write(rig.now, c, b"into the void").unwrap();
    rig.stack.close(rig.now, c);
    peer.hear(&mut rig);
    let again = rig.wait(Duration::from_secs(1800));
    assert_eq!(again.len(), 8, "orphan_retries");
    rig.stack.close_listener(l);
    rig.assert_empty();
}

#[test]
fn text_with_the_fin_and_flags_in_any_mixture_count() {
    for flags in [FIN | ACK, FIN | PSH | ACK, FIN | ACK | tcp_core::wire::Flags::URG] {
        let (mut rig, mut peer, c, _) = accepted();
        peer.send(&mut rig, flags, b"tail");
        assert_eq!(peer.hear(&mut rig).ack, peer.nxt);
        assert_eq!(rig.read(c), b"tail");
        assert_eq!(rig.read(c), b"");
    }
}

#[test]
fn a_fin_out_of_order_is_kept() {
    let (mut rig, mut peer, c, _) = accepted();
    let first = peer.packet(ACK, b"first ");
    peer.nxt += 6;
    peer.send(&mut rig, FIN | PSH | ACK, b"second");
    assert_eq!(peer.hear(&mut rig).ack, IRS + 1);
    rig.put(&first);
    assert_eq!(peer.hear(&mut rig).ack, peer.nxt);
    assert_eq!(rig.stack.state(c), State::CloseWait);
    assert_eq!(rig.read(c), b"first second");
    assert_eq!(rig.read(c), b"");
}

#[test]
fn text_past_the_fin_is_not_taken() {
    let (mut rig, mut peer, c, _) = accepted();
    peer.send(&mut rig, FIN | ACK, b"end");
    peer.hear(&mut rig);
    peer.send(&mut rig, PSH | ACK, b"beyond");
    assert_eq!(rig.read(c), b"end");
    assert_eq!(rig.read(c), b"");
}

// MUST-12
#[test]
fn a_reset_leaves_what_was_acknowledged_before_it_readable() {
    let (mut rig, mut peer, c, _) = accepted();
    peer.send(&mut rig, PSH | ACK, b"kept");
    peer.send(&mut rig, RST, b"");
    assert_eq!(rig.read(c), b"kept");
    let e = rig.stack.read(rig.now, c, &mut [0; 8]);
    assert_eq!(e, Err(UserError::Ended(End::Reset)));
    // Told once; then the end, as on Linux.
    assert_eq!(rig.read(c), b"");
    assert_eq!(rig.stack.write(rig.now, c, b"x"), Err(UserError::BrokenPipe));
    rig.stack.close(rig.now, c);
    rig.silence();
    assert_eq!(rig.stack.counters().failures, 1);
    assert_eq!(rig.records(), (0, 0, 0));
}

#[test]
fn unread_text_outlives_time_wait() {
    let (mut rig, mut peer, c, _) = accepted();
    rig.stack.shutdown(c).unwrap();
    peer.hear(&mut rig);
    peer.send(&mut rig, FIN | PSH | ACK, b"kept");
    peer.hear(&mut rig);
    assert_eq!(rig.stack.state(c), State::TimeWait);
    rig.wait(Duration::from_secs(61));
    assert_eq!(rig.stack.state(c), State::Closed);
    assert_eq!(rig.read(c), b"kept");
    assert_eq!(rig.read(c), b"");
    rig.stack.close(rig.now, c);
    rig.silence();
    assert_eq!(rig.records(), (0, 0, 0));
}

#[test]
fn close_before_the_handshake_is_complete_is_not_lost() {
    let mut rig = Rig::new();
    let remote = at("10.0.0.2:90");
    let c = rig.stack.connect(rig.now, remote, ConnectOptions::default()).unwrap();
    let first = rig.hear_one();
    rig.stack.close(rig.now, c);
    rig.silence();
    rig.assert_empty();
    // The peer's answer finds nobody.
    let answer = tcp_core::wire::Segment { ack: first.seq + 1, flags: SYN | ACK, ..syn() };
    rig.say(first.dst, first.src, answer);
    let reset = rig.hear_one();
    assert_eq!((reset.flags, reset.seq), (RST, first.seq + 1));
}

#[test]
fn close_all_and_abort_all_leave_nothing() {
    let mut rig = Rig::new();
    let l = rig.listen("10.0.0.1:80");
    let mut peers: Vec<_> = (0..4)
        .map(|n| Peer::connect(&mut rig, &format!("10.0.0.2:{}", 4000 + n), "10.0.0.1:80"))
        .collect();
    for _ in 0..3 {
        rig.accept(l).unwrap();
    }
    Peer::half_open(&mut rig, "10.0.0.2:4100", "10.0.0.1:80");
    rig.stack.connect(rig.now, at("10.0.0.9:90"), ConnectOptions::default()).unwrap();
    rig.hear();
    peers[0].send(&mut rig, ACK, b"unread");
    rig.stack.close_all(rig.now);
    let mut said: Vec<_> = rig.hear().iter().map(|h| (h.dst.port(), h.flags)).collect();
    said.sort_unstable_by_key(|s| s.0);
    let (fin, reset) = (FIN | ACK, RST | ACK);
    assert_eq!(said, [(4000, reset), (4001, fin), (4002, fin), (4003, reset)]);
    // One peer closes, the other never answers.
    peers[1].rcv += 1;
    peers[1].send(&mut rig, FIN | ACK, b"");
    rig.hear();
    assert_eq!(rig.records(), (0, 1, 1));
    rig.stack.abort_all();
    assert_eq!(rig.hear_one().flags, reset);
    assert_eq!(rig.records(), (0, 0, 1));
    rig.wait(Duration::from_secs(61));
    rig.assert_empty();
}

#[test]
fn a_handle_of_a_connection_that_is_gone_names_no_other() {
    let (mut rig, _, old, l) = accepted();
    rig.stack.abort(old);
    rig.hear();
    Peer::connect(&mut rig, "10.0.0.2:4001", "10.0.0.1:80");
    let new = rig.accept(l).unwrap();
    assert_ne!(old, new);
    assert_eq!(rig.stack.state(old), State::Closed);
    assert_eq!(rig.stack.write(rig.now, old, b"x"), Err(UserError::NotConnected));
    rig.stack.abort(old);
    rig.silence();
    assert_eq!(rig.stack.state(new), State::Established);
}
