//! What becomes of a connect? From the choice of addresses to the answer, or to none.

use std::time::Duration;

use tcp_core::connection::State;
use tcp_core::error::{End, UserError};

use super::peer::*;
use crate::cell::{ConnId, TakenError};
use crate::stack::{Cidr, ConnectOptions, OpenError, StackConfig};

fn connect(rig: &mut Rig, to: &str) -> Result<ConnId, OpenError> {
    rig.stack.connect(rig.now, at(to), ConnectOptions::default())
}

fn connect_from(rig: &mut Rig, local: &str, to: &str) -> Result<ConnId, OpenError> {
    let options = ConnectOptions { local: Some(at(local)), options: None };
    rig.stack.connect(rig.now, at(to), options)
}

#[test]
fn a_closed_port_refuses_in_one_round_trip() {
    let mut rig = Rig::new();
    let c = connect(&mut rig, "10.0.0.2:81").unwrap();
    let first = rig.hear_one();
    assert_eq!((first.flags, first.dst), (SYN, at("10.0.0.2:81")));
    rig.say(first.dst, first.src, segment(RST | ACK, tcp_core::SeqNum(0), first.seq + 1));
    rig.silence();
    assert_eq!(rig.stack.state(c), State::Closed);
    assert_eq!(rig.stack.take_error(c), Some(TakenError::Ended(End::Refused)));
    rig.stack.close(rig.now, c);
    rig.silence();
    rig.assert_empty();
}

#[test]
fn a_blind_reset_refuses_nothing() {
    let mut rig = Rig::new();
    let c = connect(&mut rig, "10.0.0.2:81").unwrap();
    let first = rig.hear_one();
    rig.say(first.dst, first.src, segment(RST | ACK, tcp_core::SeqNum(0), first.seq + 2));
    rig.say(first.dst, first.src, segment(RST, first.seq + 1, tcp_core::SeqNum(0)));
    assert_eq!(rig.stack.state(c), State::SynSent);
}

// MUST-22, MUST-23
#[test]
fn a_silent_address_times_out_after_180_seconds_and_7_retries() {
    let mut rig = Rig::new();
    let began = rig.now;
    let c = connect(&mut rig, "10.0.0.2:80").unwrap();
    let all = rig.wait(Duration::from_millis(179_900));
    let times: Vec<_> = all.iter().map(|h| h.when.since(began).as_secs()).collect();
    assert_eq!(times, [0, 1, 3, 7, 15, 31, 63, 127]);
    assert!(all.iter().all(|h| h.flags == SYN && h.seq == all[0].seq));
    assert_eq!(rig.stack.state(c), State::SynSent);
    assert!(rig.wait(Duration::from_millis(200)).is_empty());
    assert_eq!(rig.stack.state(c), State::Closed);
    let told = rig.stack.read(rig.now, c, &mut [0; 8]);
    assert_eq!(told, Err(UserError::Ended(End::TimedOut)));
    rig.stack.close(rig.now, c);
    rig.silence();
    rig.assert_empty();
}

#[test]
fn the_retries_of_a_syn_can_be_configured() {
    let mut stack = config();
    stack.tcp.syn_retries = 2;
    let mut rig = Rig::with(stack);
    let c = connect(&mut rig, "10.0.0.2:80").unwrap();
    assert_eq!(rig.wait(Duration::from_millis(6900)).len(), 3);
    assert_eq!(rig.stack.state(c), State::SynSent);
    assert!(rig.wait(Duration::from_millis(200)).is_empty());
    assert_eq!(rig.stack.take_error(c), Some(TakenError::Ended(End::TimedOut)));
}

// MUST-44, MUST-45
#[test]
fn the_local_address_is_in_the_destinations_network_and_stays() {
    let addresses: Vec<Cidr> = ["10.0.0.1/24", "192.168.7.1/16", "fd00::1/64", "fd01::1/64"]
        .iter()
        .map(|a| a.parse().unwrap())
        .collect();
    let mut rig = Rig::with(StackConfig { addresses, ..StackConfig::default() });
    for (remote, local) in [
        ("10.0.0.2:80", "10.0.0.1"),
        ("192.168.9.9:80", "192.168.7.1"),
        ("1.1.1.1:80", "10.0.0.1"),
        ("[fd01::2]:80", "fd01::1"),
        ("[2001:db8::1]:80", "fd00::1"),
    ] {
        let c = connect(&mut rig, remote).unwrap();
        let mut peer = Peer::answer(&mut rig);
        assert_eq!(peer.to.ip().to_string(), local);
        rig.stack.write(rig.now, c, b"x").unwrap();
        assert_eq!(peer.hear(&mut rig).src, peer.to);
        rig.stack.abort(c);
        assert_eq!(peer.hear(&mut rig).src, peer.to);
    }
}

#[test]
fn without_an_address_of_the_family_there_is_no_route() {
    let addresses = vec!["10.0.0.1/24".parse().unwrap()];
    let mut rig = Rig::with(StackConfig { addresses, ..StackConfig::default() });
    assert_eq!(connect(&mut rig, "[fd00::2]:80"), Err(OpenError::NoRoute));
    rig.assert_empty();
}

// MUST-43
#[test]
fn the_local_end_can_be_given() {
    let mut rig = Rig::new();
    connect_from(&mut rig, "10.0.0.1:5000", "10.0.0.2:80").unwrap();
    assert_eq!(rig.hear_one().src, at("10.0.0.1:5000"));
    assert_eq!(connect_from(&mut rig, "10.0.0.1:5000", "10.0.0.2:80"), Err(OpenError::InUse));
    // The same port towards another destination, an ephemeral port, an unspecified address.
    connect_from(&mut rig, "10.0.0.1:5000", "10.0.0.2:81").unwrap();
    connect_from(&mut rig, "10.0.0.1:0", "10.0.0.2:80").unwrap();
    connect_from(&mut rig, "0.0.0.0:5001", "10.0.0.2:80").unwrap();
    let sources: Vec<_> = rig.hear().iter().map(|h| h.src).collect();
    assert_eq!((sources[0], sources[2]), (at("10.0.0.1:5000"), at("10.0.0.1:5001")));
    assert!((32_768..61_000).contains(&sources[1].port()));
}

#[test]
fn a_local_address_must_be_ours_and_fit_the_destination() {
    let mut rig = Rig::new();
    for (local, remote) in [
        ("10.0.0.3:0", "10.0.0.2:80"),
        ("[fd00::1]:0", "10.0.0.2:80"),
        ("10.0.0.1:0", "[fd00::2]:80"),
        ("10.0.0.255:0", "10.0.0.2:80"),
        // RFC 1122 3.2.1.3: a loopback address never leaves the host.
        ("127.0.0.1:0", "10.0.0.2:80"),
        ("[::1]:0", "[fd00::2]:80"),
    ] {
        let refused = connect_from(&mut rig, local, remote);
        assert_eq!(refused, Err(OpenError::BadLocal), "{local} to {remote}");
    }
    rig.silence();
    rig.assert_empty();
}

// MUST-46
#[test]
fn only_one_host_can_be_connected_to() {
    let mut rig = Rig::new();
    for remote in [
        "255.255.255.255:80",
        "10.0.0.255:80",
        "224.0.0.1:80",
        "[ff02::1]:80",
        "10.0.0.2:0",
        "[fd00::2]:0",
        "[::ffff:10.0.0.255]:80",
        "[::ffff:224.0.0.1]:80",
    ] {
        assert_eq!(connect(&mut rig, remote), Err(OpenError::BadRemote), "{remote}");
    }
    rig.silence();
    rig.assert_empty();
}

#[test]
fn a_mapped_address_means_ipv4() {
    let mut rig = Rig::new();
    connect(&mut rig, "[::ffff:10.0.0.2]:80").unwrap();
    assert_eq!(rig.hear_one().dst, at("10.0.0.2:80"));
}

#[test]
fn an_unspecified_destination_means_this_host() {
    for to in ["0.0.0.0:80", "[::]:80"] {
        let mut rig = Rig::new();
        let l = rig.listen("[::]:80");
        let c = connect(&mut rig, to).unwrap();
        rig.silence();
        assert_eq!(rig.stack.state(c), State::Established);
        assert!(rig.accept(l).is_some());
        assert!(rig.stack.info(c).unwrap().tuple.remote.ip.is_loopback());
    }
}

#[test]
fn options_hold_from_the_first_syn_on() {
    let mut rig = Rig::new();
    let options = tcp_core::config::SocketOptions { hop_limit: 7, ..Default::default() };
    let options = ConnectOptions { local: None, options: Some(options) };
    rig.stack.connect(rig.now, at("10.0.0.2:80"), options).unwrap();
    assert_eq!(rig.hear_one().bytes[8], 7);
}

#[test]
fn simultaneous_open_through_the_stack() {
    let mut rig = Rig::new();
    let c = connect_from(&mut rig, "10.0.0.1:5000", "10.0.0.2:80").unwrap();
    let first = rig.hear_one();
    // MUST-10
    rig.say(first.dst, first.src, syn());
    let second = rig.hear_one();
    assert_eq!((second.flags, second.seq, second.ack), (SYN | ACK, first.seq, IRS + 1));
    rig.say(first.dst, first.src, segment(ACK, IRS + 1, first.seq + 1));
    assert_eq!(rig.stack.state(c), State::Established);
}
