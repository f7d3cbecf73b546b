//! How many closed connections does the stack keep, and what becomes of one too many?

use std::time::Duration;

use tcp_core::config::Linger2;

use super::peer::*;
use crate::cell::ConnId;
use crate::stack::StackConfig;

const SERVER: &str = "10.0.0.1:80";

/// Accepted connections, with room for `max` orphans.
fn accepted(max: usize, n: u16) -> (Rig, Vec<(Peer, ConnId)>) {
    let mut rig = Rig::with(StackConfig { max_orphans: max, ..config() });
    let l = rig.listen(SERVER);
    let all = (0..n)
        .map(|i| {
            let peer = Peer::connect(&mut rig, &format!("10.0.0.2:{}", 4000 + i), SERVER);
            (peer, rig.accept(l).unwrap())
        })
        .collect();
    rig.stack.close_listener(l);
    (rig, all)
}

// Linux: tcp_max_orphans
#[test]
fn one_orphan_too_many_is_reset_and_counted() {
    let (mut rig, mut all) = accepted(2, 4);
    for (_, c) in &all[..2] {
        rig.stack.close(rig.now, *c);
        assert_eq!(rig.hear_one().flags, FIN | ACK);
    }
    assert_eq!((rig.stack.orphan_count(), rig.stack.counters().orphans_reset), (2, 0));
    rig.stack.close(rig.now, all[2].1);
    let said = rig.hear();
    assert_eq!(said.last().unwrap().flags, RST | ACK);
    assert_eq!((rig.stack.orphan_count(), rig.stack.counters().orphans_reset), (2, 1));
    // Half-closed is not closed.
    rig.stack.shutdown(all[3].1).unwrap();
    assert_eq!(rig.hear_one().flags, FIN | ACK);
    assert_eq!(rig.records(), (0, 3, 0));
    // An orphan that is over makes room.
    let (first, _) = &mut all[0];
    first.rcv += 1;
    first.send(&mut rig, FIN | ACK, b"");
    assert_eq!(rig.hear_one().flags, ACK);
    assert_eq!((rig.stack.orphan_count(), rig.records()), (1, (0, 2, 1)));
    rig.stack.close(rig.now, all[3].1);
    rig.silence();
    assert_eq!((rig.stack.orphan_count(), rig.stack.counters().orphans_reset), (2, 1));
    // Two retransmit their FINs until the retries are over.
    rig.wait(Duration::from_secs(600));
    assert_eq!(rig.stack.orphan_count(), 0);
    rig.assert_empty();
}

#[test]
fn without_room_every_close_resets() {
    let (mut rig, all) = accepted(0, 3);
    for (_, c) in all {
        rig.stack.write(rig.now, c, b"text").unwrap();
        rig.stack.close(rig.now, c);
        assert_eq!(rig.hear().last().unwrap().flags, RST | ACK);
    }
    assert_eq!(rig.stack.counters().orphans_reset, 3);
    rig.assert_empty();
}

// The peer closed first, and its last ACK is all that is missing.
#[test]
fn an_orphan_in_last_ack_counts_too() {
    let (mut rig, mut all) = accepted(0, 1);
    let (mut peer, c) = all.pop().unwrap();
    peer.send(&mut rig, FIN | ACK, b"");
    peer.hear(&mut rig);
    rig.stack.close(rig.now, c);
    let said = rig.hear();
    assert_eq!((said[0].flags, said[1].flags), (FIN | ACK, RST | ACK));
    rig.assert_empty();
}

// Linux: TCP_LINGER2, tcp_fin_timeout
#[test]
fn fin_wait_2_of_an_orphan_lasts_as_long_as_its_options_say() {
    for (linger2, seconds) in [(Linger2::Stack, 60), (Linger2::Seconds(5), 5)] {
        let (mut rig, mut all) = accepted(9, 1);
        let (mut peer, c) = all.pop().unwrap();
        rig.stack.set_options(rig.now, c, |o| o.linger2 = linger2);
        rig.stack.close(rig.now, c);
        peer.hear(&mut rig);
        peer.send(&mut rig, ACK, b"");
        rig.wait(Duration::from_millis(seconds * 1000 - 100));
        assert_eq!(rig.records(), (0, 1, 0));
        assert!(rig.wait(Duration::from_millis(200)).is_empty());
        rig.assert_empty();
        // The peer's FIN is late.
        peer.send(&mut rig, FIN | ACK, b"");
        assert_eq!(rig.hear_one().flags, RST);
    }
    let (mut rig, mut all) = accepted(9, 1);
    let (mut peer, c) = all.pop().unwrap();
    rig.stack.set_options(rig.now, c, |o| o.linger2 = Linger2::Never);
    rig.stack.close(rig.now, c);
    peer.hear(&mut rig);
    peer.send(&mut rig, ACK, b"");
    assert_eq!(rig.hear_one().flags, RST | ACK);
    rig.assert_empty();
}
