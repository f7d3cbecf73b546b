//! Does each segment reach its own connection, and no other?

use tcp_core::connection::State;

use super::peer::*;
use crate::stack::{ConnectOptions, StackConfig};

#[test]
fn segments_of_many_flows_are_told_apart() {
    let mut rig = Rig::new();
    let l = rig.listen("[::]:80");
    let mut flows = Vec::new();
    for n in 0..50u16 {
        let (me, to) = match n % 2 {
            0 => (format!("10.0.0.{}:{}", 2 + n % 3, 4000 + n / 6), "10.0.0.1:80"),
            _ => (format!("[fd00::{}]:{}", 2 + n % 3, 4000 + n / 6), "[fd00::1]:80"),
        };
        let peer = Peer::connect(&mut rig, &me, to);
        flows.push((peer, rig.accept(l).unwrap()));
    }
    for (n, (peer, _)) in flows.iter_mut().enumerate() {
        peer.send(&mut rig, PSH | ACK, format!("flow {n}").as_bytes());
    }
    for (n, (_, c)) in flows.iter().enumerate() {
        assert_eq!(rig.read(*c), format!("flow {n}").as_bytes());
    }
    assert_eq!(rig.stack.demux_count(), 50);
}

/// Two addresses of a family.
fn two_homed() -> Rig {
    let addresses = ["10.0.0.1/24", "10.0.0.9/24", "fd00::1/64"];
    let addresses = addresses.map(|a| a.parse().unwrap()).to_vec();
    Rig::with(StackConfig { addresses, ..config() })
}

/// Flows that differ from the first in one of the four parts only, or in the family. Their peers
/// all use the same numbers: a reset is exact for each of them.
const NEIGHBOURS: [(&str, &str); 6] = [
    ("10.0.0.2:4000", "10.0.0.1:80"),
    ("10.0.0.2:4001", "10.0.0.1:80"),
    ("10.0.0.3:4000", "10.0.0.1:80"),
    ("10.0.0.2:4000", "10.0.0.1:81"),
    ("10.0.0.2:4000", "10.0.0.9:80"),
    ("[fd00::2]:4000", "[fd00::1]:80"),
];

#[test]
fn a_reset_for_one_connection_is_not_eaten_by_another() {
    for victim in 0..NEIGHBOURS.len() {
        let mut rig = two_homed();
        let listeners = ["[::]:80", "[::]:81"].map(|a| rig.listen(a));
        let connect = |(me, to): &(&str, &str)| {
            let peer = Peer::connect(&mut rig, me, to);
            let l = listeners[usize::from(to.ends_with('1'))];
            (peer, rig.accept(l).unwrap())
        };
        let mut flows: Vec<_> = NEIGHBOURS.iter().map(connect).collect();
        flows[victim].0.send(&mut rig, RST, b"");
        rig.silence();
        for (n, (_, c)) in flows.iter().enumerate() {
            let left = if n == victim { State::Closed } else { State::Established };
            assert_eq!(rig.stack.state(*c), left, "{n} of {victim}");
        }
    }
}

#[test]
fn a_reset_for_a_half_open_record_is_not_eaten_by_another() {
    for victim in 0..NEIGHBOURS.len() {
        let mut rig = two_homed();
        let l = ["[::]:80", "[::]:81"].map(|a| rig.listen(a));
        let open = |(me, to): &(&str, &str)| Peer::half_open(&mut rig, me, to);
        let mut peers: Vec<_> = NEIGHBOURS.iter().map(open).collect();
        peers[victim].send(&mut rig, RST, b"");
        assert_eq!(rig.records(), (NEIGHBOURS.len() - 1, 0, 0));
        // All others complete their handshake.
        peers.remove(victim);
        for p in &mut peers {
            p.send(&mut rig, ACK, b"");
        }
        rig.silence();
        let accepted = l.map(|l| std::iter::from_fn(|| rig.accept(l)).count());
        assert_eq!(accepted.iter().sum::<usize>(), peers.len());
    }
}

#[test]
fn a_refused_connect_leaves_the_others_trying() {
    let to = ["10.0.0.2:80", "10.0.0.2:81", "10.0.0.3:80"];
    for victim in 0..to.len() {
        let mut rig = Rig::new();
        let local = Some(at("10.0.0.1:5000"));
        let mut open = |to: &&str| {
            let options = ConnectOptions { local, options: None };
            let c = rig.stack.connect(rig.now, at(to), options).unwrap();
            (c, rig.hear_one())
        };
        let all: Vec<_> = to.iter().map(&mut open).collect();
        let syn = &all[victim].1;
        rig.say(syn.dst, syn.src, segment(RST | ACK, IRS, syn.seq + 1));
        rig.silence();
        for (n, (c, _)) in all.iter().enumerate() {
            let left = if n == victim { State::Closed } else { State::SynSent };
            assert_eq!(rig.stack.state(*c), left, "{n} of {victim}");
        }
    }
}
