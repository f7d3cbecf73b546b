//! Which ICMP messages are answered or believed, and by whom?

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tcp_core::SeqNum;
use tcp_core::config::TcpConfig;
use tcp_core::connection::State;
use tcp_core::error::{End, Unreachable};
use tcp_core::wire::checksum::{self, Sum};

use super::peer::*;
use crate::cell::{ConnId, TakenError};
use crate::stack::{ConnectOptions, ListenOptions, PacketDrop, StackConfig, SynCookies};

const ROUTER: &str = "10.0.0.254";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A connection attempt and its SYN.
fn opening(rig: &mut Rig, to: &str) -> (ConnId, Heard) {
    let c = rig.stack.connect(rig.now, at(to), ConnectOptions::default()).unwrap();
    let first = rig.hear_one();
    (c, first)
}

/// An established connection with text in flight.
fn in_flight(rig: &mut Rig, to: &str) -> (ConnId, Heard) {
    let c = rig.stack.connect(rig.now, at(to), ConnectOptions::default()).unwrap();
    let mut peer = Peer::answer(rig);
    rig.stack.write(rig.now, c, &[b'x'; 1400]).unwrap();
    let sent = peer.hear(rig);
    (c, sent)
}

/// The IP header and first 8 octets, as a router quotes them.
fn quote(h: &Heard) -> &[u8] {
    let header = if h.bytes[0] >> 4 == 4 { 20 } else { 40 };
    &h.bytes[..header + 8]
}

#[test]
fn echo_is_answered() {
    let mut rig = Rig::new();
    rig.put(&icmp_to(ip("10.0.0.2"), ip("10.0.0.1"), (8, 0), 0x1234_0001, b"ping"));
    let reply = rig.next().unwrap();
    assert_eq!((&reply[12..16], &reply[16..20]), (&[10, 0, 0, 1][..], &[10, 0, 0, 2][..]));
    assert_eq!((reply[20], reply[21], &reply[24..]), (0, 0, &b"\x12\x34\0\x01ping"[..]));
    assert_eq!(Sum::new().add(&reply[20..]).fold(), 0xffff);
    rig.put(&icmp_to(ip("fd00::2"), ip("fd00::1"), (128, 0), 7, b"odd"));
    let reply = rig.next().unwrap();
    assert_eq!((reply[40], &reply[44..]), (129, &b"\0\0\0\x07odd"[..]));
    assert!(checksum::verify(ip("fd00::1"), ip("fd00::2"), 58, &reply[40..]));
    assert_eq!(rig.stack.counters().echoes, 2);
    rig.silence();
}

#[test]
fn echo_to_broadcast_and_damaged_echo_are_not_answered() {
    let mut rig = Rig::new();
    rig.put(&icmp_to(ip("10.0.0.2"), ip("10.0.0.255"), (8, 0), 1, b"smurf"));
    let mut bad = icmp_to(ip("10.0.0.2"), ip("10.0.0.1"), (8, 0), 1, b"ping");
    bad[28] ^= 1;
    rig.put(&bad);
    let mut bad = icmp_to(ip("fd00::2"), ip("fd00::1"), (128, 0), 1, b"ping");
    bad[48] ^= 1;
    rig.put(&bad);
    rig.silence();
    assert_eq!((rig.drops(PacketDrop::NotUnicast), rig.drops(PacketDrop::Checksum)), (1, 2));
}

// MUST-54, SHLD-26
#[test]
fn a_hard_error_refuses_an_open_by_the_quoted_header() {
    for (kind, code) in [(3, 2), (3, 3)] {
        let mut rig = Rig::new();
        let (a, first) = opening(&mut rig, "10.0.0.2:80");
        let (b, _) = opening(&mut rig, "10.0.0.2:81");
        rig.put(&icmp(ip(ROUTER), kind, code, 0, quote(&first)));
        rig.silence();
        assert_eq!(rig.stack.take_error(a), Some(TakenError::Ended(End::Refused)));
        assert_eq!(rig.stack.state(b), State::SynSent);
    }
    let mut rig = Rig::new();
    let (c, first) = opening(&mut rig, "[fd00::2]:80");
    rig.put(&icmp(ip("fd00::99"), 1, 4, 0, quote(&first)));
    assert_eq!(rig.stack.take_error(c), Some(TakenError::Ended(End::Refused)));
}

// MUST-54, MUST-56, MUST-47, SHLD-25
#[test]
fn soft_errors_are_told_and_end_nothing() {
    let soft = [
        (3, 0, Unreachable::Network),
        (3, 1, Unreachable::Host),
        (3, 5, Unreachable::Host),
        (11, 0, Unreachable::TimeExceeded),
        (12, 0, Unreachable::ParameterProblem),
    ];
    for (kind, code, why) in soft {
        let mut rig = Rig::new();
        let (a, sent) = in_flight(&mut rig, "10.0.0.2:80");
        let (b, _) = in_flight(&mut rig, "10.0.0.2:81");
        rig.put(&icmp(ip(ROUTER), kind, code, 0, quote(&sent)));
        assert_eq!(rig.stack.state(a), State::Established);
        assert_eq!(rig.stack.take_error(a), Some(TakenError::Soft(why)));
        assert_eq!(rig.stack.take_error(a), None);
        assert_eq!(rig.stack.take_error(b), None, "another connection");
    }
    let mut rig = Rig::new();
    let (c, sent) = in_flight(&mut rig, "[fd00::2]:80");
    rig.put(&icmp(ip("fd00::99"), 1, 0, 0, quote(&sent)));
    assert_eq!(rig.stack.take_error(c), Some(TakenError::Soft(Unreachable::Network)));
}

// MUST-55
#[test]
fn source_quench_is_ignored() {
    let mut rig = Rig::new();
    let (c, sent) = in_flight(&mut rig, "10.0.0.2:80");
    let window = rig.stack.info(c).unwrap().congestion_window;
    rig.put(&icmp(ip(ROUTER), 4, 0, 0, quote(&sent)));
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::IcmpIgnored), 1);
    assert_eq!(rig.stack.info(c).unwrap().congestion_window, window);
    assert_eq!(rig.stack.take_error(c), None);
}

// RFC 5927 4.1
#[test]
fn a_quote_that_was_never_in_flight_is_not_believed() {
    let mut rig = Rig::new();
    let (c, first) = opening(&mut rig, "10.0.0.2:80");
    for wrong in [first.seq - 1, first.seq + 1, first.seq + 0x8000_0000] {
        let mut q = quote(&first).to_vec();
        q[24..28].copy_from_slice(&wrong.0.to_be_bytes());
        rig.put(&icmp(ip(ROUTER), 3, 3, 0, &q));
    }
    assert_eq!(rig.drops(PacketDrop::IcmpNotBelieved), 3);
    assert_eq!(rig.stack.state(c), State::SynSent);
    // Nor one of a connection that is not there, or that somebody else sent.
    let stranger =
        packet(at("10.0.0.1:1"), at("10.0.0.2:80"), segment(SYN, first.seq, SeqNum(0)), &[]);
    rig.put(&icmp(ip(ROUTER), 3, 3, 0, &stranger));
    let theirs = packet(at("10.0.0.2:80"), at("10.0.0.1:1"), segment(SYN, IRS, SeqNum(0)), &[]);
    rig.put(&icmp_to(ip(ROUTER), ip("10.0.0.1"), (3, 3), 0, &theirs));
    assert_eq!(rig.drops(PacketDrop::IcmpNotBelieved), 5);
    // Nor a quote that is cut or of another protocol.
    rig.put(&icmp(ip(ROUTER), 3, 3, 0, &quote(&first)[..27]));
    let mut udp = quote(&first).to_vec();
    udp[9] = 132;
    rig.put(&icmp(ip(ROUTER), 3, 3, 0, &udp));
    assert_eq!(rig.drops(PacketDrop::IcmpIgnored), 2);
    rig.silence();
    assert_eq!(rig.stack.state(c), State::SynSent);
}

// MUST-54
#[test]
fn too_big_makes_the_segments_of_its_own_connection_smaller() {
    let mut rig = Rig::new();
    let (a, sent) = in_flight(&mut rig, "10.0.0.2:80");
    let (b, _) = in_flight(&mut rig, "10.0.0.2:81");
    rig.put(&icmp(ip(ROUTER), 3, 4, 1000, quote(&sent)));
    let mss = |rig: &Rig, c| rig.stack.info(c).unwrap().send_mss;
    assert_eq!((mss(&rig, a), mss(&rig, b)), (960, 1460));
    // Not a time-out later.
    let again = rig.hear();
    assert_eq!((again[0].seq, again[0].text.len()), (sent.seq, 960));
    assert_eq!(again[1].text.len(), 1400 - 960);
    // RFC 5927 7: never below the floor, never larger.
    rig.put(&icmp(ip(ROUTER), 3, 4, 68, quote(&sent)));
    assert_eq!(mss(&rig, a), 512);
    rig.put(&icmp(ip(ROUTER), 3, 4, 1400, quote(&sent)));
    assert_eq!(mss(&rig, a), 512);
    // RFC 5927 7.2: a packet that was no larger than that can't have been too big.
    rig.put(&icmp(ip(ROUTER), 3, 4, 1441, quote(&sent)));
    assert_eq!(rig.drops(PacketDrop::IcmpNotBelieved), 1);
}

#[test]
fn new_connections_to_the_same_host_know_the_path_for_ten_minutes() {
    let mut rig = Rig::new();
    let (_, sent) = in_flight(&mut rig, "10.0.0.2:80");
    rig.put(&icmp(ip(ROUTER), 3, 4, 1000, quote(&sent)));
    rig.hear();
    let (c, first) = opening(&mut rig, "10.0.0.2:81");
    // MUST-67: what we can receive is another matter.
    assert_eq!(first.mss, Some(1460));
    let path = |rig: &Rig, c| rig.stack.info(c).unwrap().path_mtu;
    assert_eq!(path(&rig, c), 1000);
    let (other, _) = opening(&mut rig, "10.0.0.3:81");
    assert_eq!(path(&rig, other), 1500);
    let l = rig.listen("10.0.0.1:90");
    Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.1:90");
    let accepted = rig.accept(l).unwrap();
    assert_eq!(path(&rig, accepted), 1000);
    rig.wait_quietly(Duration::from_secs(600));
    let (late, _) = opening(&mut rig, "10.0.0.2:82");
    assert_eq!(path(&rig, late), 1500);
}

#[test]
fn df_is_set_unless_the_path_is_narrower_than_every_floor() {
    let mut rig = Rig::new();
    let (c, sent) = in_flight(&mut rig, "10.0.0.2:80");
    assert_eq!((sent.bytes[4..6].to_vec(), sent.bytes[6]), (vec![0, 0], 0x40));
    rig.put(&icmp(ip(ROUTER), 3, 4, 296, quote(&sent)));
    let again = rig.hear();
    assert_eq!((again[0].text.len(), again[0].bytes[6]), (512, 0));
    // RFC 6864 4.3: what may be fragmented has an identification.
    let ids: std::collections::HashSet<_> = again.iter().map(|h| h.bytes[4..6].to_vec()).collect();
    assert_eq!(ids.len(), again.len());
    assert_eq!(rig.stack.info(c).unwrap().send_mss, 512);
    let mut config = config();
    config.tcp.path_mtu.discovery = false;
    let mut rig = Rig::with(config);
    let (_, sent) = in_flight(&mut rig, "10.0.0.2:80");
    assert_eq!(sent.bytes[6], 0);
}

/// A half-open record and its SYN-ACK.
fn half_open(rig: &mut Rig) -> Heard {
    rig.listen("10.0.0.1:80");
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
    rig.hear_one()
}

// RFC 5927 4.1
#[test]
fn an_error_ends_a_half_open_record_only_by_its_exact_number() {
    for (code, left) in [(3, 0), (1, 0), (4, 1)] {
        let mut rig = Rig::new();
        let answer = half_open(&mut rig);
        for wrong in [answer.seq - 1, answer.seq + 1] {
            let mut q = quote(&answer).to_vec();
            q[24..28].copy_from_slice(&wrong.0.to_be_bytes());
            rig.put(&icmp(ip(ROUTER), 3, code, 40, &q));
        }
        assert_eq!(rig.drops(PacketDrop::IcmpNotBelieved), 2);
        assert_eq!(rig.records(), (1, 0, 0));
        rig.put(&icmp(ip(ROUTER), 3, code, 40, quote(&answer)));
        assert_eq!(rig.records().0, left, "{code}");
        rig.silence();
    }
}

// MUST-56
#[test]
fn a_soft_error_leaves_a_half_open_record_if_so_configured() {
    let mut config = config();
    config.tcp.soft_errors_end_connect = false;
    let mut rig = Rig::with(config);
    let answer = half_open(&mut rig);
    rig.put(&icmp(ip(ROUTER), 3, 1, 0, quote(&answer)));
    assert_eq!(rig.records().0, 1);
    rig.put(&icmp(ip(ROUTER), 3, 3, 0, quote(&answer)));
    assert_eq!(rig.records().0, 0);
}

// RFC 5927 4.1
#[test]
fn a_record_that_an_error_ends_gives_its_place_in_the_queue_back() {
    let mut rig = Rig::with(StackConfig { syn_cookies: SynCookies::Never, ..config() });
    let one = ListenOptions { syn_backlog: Some(1), ..ListenOptions::default() };
    rig.stack.listen(at("10.0.0.1:80"), one).unwrap();
    for n in 0..3 {
        let from = format!("10.0.0.2:{}", 4000 + n);
        rig.say(at(&from), at("10.0.0.1:80"), syn());
        let answer = rig.hear_one();
        rig.put(&icmp(ip(ROUTER), 3, 1, 0, quote(&answer)));
        rig.assert_empty_but_for_listeners();
    }
    assert_eq!(rig.stack.counters().total_drops(), 0);
}

#[test]
fn what_a_listener_says_of_soft_errors_holds_for_its_records() {
    let mut rig = Rig::new();
    let tcp = Some(Arc::new(TcpConfig { soft_errors_end_connect: false, ..TcpConfig::default() }));
    let patient = ListenOptions { tcp, ..ListenOptions::default() };
    rig.stack.listen(at("10.0.0.1:81"), patient).unwrap();
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:81"), syn());
    let kept = rig.hear_one();
    let ended = half_open(&mut rig);
    for answer in [&kept, &ended] {
        rig.put(&icmp(ip(ROUTER), 3, 1, 0, quote(answer)));
    }
    assert_eq!(rig.records(), (1, 0, 0));
}

#[test]
fn a_connection_made_from_a_cookie_knows_the_path() {
    let mut rig = Rig::with(StackConfig { syn_cookies: SynCookies::Always, ..config() });
    let (_, sent) = in_flight(&mut rig, "10.0.0.2:90");
    rig.put(&icmp(ip(ROUTER), 3, 4, 1000, quote(&sent)));
    rig.hear();
    let l = rig.listen("10.0.0.1:80");
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
    let answer = rig.hear_one();
    // MUST-67: what we can receive is another matter.
    assert_eq!((rig.records().0, answer.mss), (0, Some(1460)));
    // Nothing is kept that an error could be about.
    rig.put(&icmp(ip(ROUTER), 3, 3, 0, quote(&answer)));
    assert_eq!(rig.drops(PacketDrop::IcmpNotBelieved), 1);
    let last = segment(ACK, IRS + 1, answer.seq + 1);
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), last);
    let c = rig.accept(l).unwrap();
    assert_eq!(rig.stack.info(c).unwrap().path_mtu, 1000);
    rig.stack.write(rig.now, c, &[b'x'; 4000]).unwrap();
    assert!(rig.hear().iter().all(|h| h.bytes.len() <= 1000));
}

#[test]
fn a_soft_error_tells_why_the_patience_ended() {
    let mut rig = Rig::new();
    let (c, sent) = in_flight(&mut rig, "10.0.0.2:80");
    rig.put(&icmp(ip(ROUTER), 3, 1, 0, quote(&sent)));
    rig.wait(Duration::from_secs(3600));
    let end = TakenError::Ended(End::Unreachable(Unreachable::Host));
    assert_eq!(rig.stack.take_error(c), Some(end));
}
