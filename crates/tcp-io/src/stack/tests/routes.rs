//! Where do packets go, and from which address? Routes, source addresses, addresses that come and
//! go, hop limits and traffic classes.

use std::net::IpAddr;
use std::time::Duration;

use tcp_core::config::SocketOptions;
use tcp_core::connection::State;

use super::peer::*;
use crate::stack::{ConnectOptions, ListenOptions, OpenError, PacketDrop, Routes, StackConfig};

fn stack(addresses: &[&str], routes: Routes) -> Rig {
    let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
    Rig::with(StackConfig { addresses, routes, ..StackConfig::default() })
}

/// The address from which it connects, if it does.
fn source(rig: &mut Rig, to: &str) -> Result<IpAddr, OpenError> {
    rig.stack.connect(rig.now, at(to), ConnectOptions::default())?;
    Ok(rig.hear_one().src.ip())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn only_what_a_route_reaches_can_be_connected_to() {
    let on_link = Routes::Only(vec![]);
    let mut rig = stack(&["10.0.0.1/24", "fd00::1/64"], on_link);
    assert_eq!(source(&mut rig, "10.0.0.9:80"), Ok(ip("10.0.0.1")));
    assert_eq!(source(&mut rig, "[fd00::9]:80"), Ok(ip("fd00::1")));
    for out in ["10.0.1.9:80", "8.8.8.8:80", "[2001:db8::1]:80"] {
        assert_eq!(source(&mut rig, out), Err(OpenError::NoRoute), "{out}");
    }
    // Nor from an address that is given.
    let bound = ConnectOptions { local: Some(at("10.0.0.1:0")), options: None };
    assert_eq!(rig.stack.connect(rig.now, at("8.8.8.8:80"), bound), Err(OpenError::NoRoute));
    let some = Routes::Only(vec!["192.168.0.0/16".parse().unwrap(), "::/0".parse().unwrap()]);
    let mut rig = stack(&["10.0.0.1/24", "fd00::1/64"], some);
    assert_eq!(source(&mut rig, "192.168.7.7:80"), Ok(ip("10.0.0.1")));
    assert_eq!(source(&mut rig, "[2001:db8::1]:80"), Ok(ip("fd00::1")));
    assert_eq!(source(&mut rig, "192.169.7.7:80"), Err(OpenError::NoRoute));
    // The default is a default route for both.
    let mut rig = stack(&["10.0.0.1/24"], Routes::default());
    assert_eq!(source(&mut rig, "8.8.8.8:80"), Ok(ip("10.0.0.1")));
    assert_eq!(source(&mut rig, "[2001:db8::1]:80"), Err(OpenError::NoRoute));
}

#[test]
fn what_could_not_be_answered_is_dropped() {
    let mut rig = stack(&["10.0.0.1/24"], Routes::Only(vec![]));
    rig.listen("10.0.0.1:80");
    rig.say(at("8.8.8.8:4000"), at("10.0.0.1:80"), syn());
    rig.silence();
    assert_eq!((rig.drops(PacketDrop::NoRoute), rig.records()), (1, (0, 0, 0)));
}

// MUST-44, RFC 6724 5
#[test]
fn the_source_address_fits_the_destination() {
    let all = [
        "192.168.1.5/24",
        "10.0.0.1/8",
        "10.1.0.1/16",
        "169.254.3.3/16",
        "fe80::1/64",
        "fd00::1/64",
        "2001:db8:1::1/64",
        "2001:db8:2::1/64",
    ];
    let mut rig = stack(&all, Routes::default());
    for (to, from) in [
        ("192.168.1.9:80", "192.168.1.5"),
        // The network that is more specific.
        ("10.1.2.3:80", "10.1.0.1"),
        ("10.2.2.3:80", "10.0.0.1"),
        // Rule 2: a link-local address reaches its link only, and its link it reaches best.
        ("169.254.9.9:80", "169.254.3.3"),
        ("[fe80::9]:80", "fe80::1"),
        // Rule 6: unique local to unique local, global to global.
        ("[fd77::9]:80", "fd00::1"),
        // Rule 8
        ("[2001:db8:2:9::1]:80", "2001:db8:2::1"),
        ("[2001:db8:1:9::1]:80", "2001:db8:1::1"),
    ] {
        assert_eq!(source(&mut rig, to), Ok(ip(from)), "{to}");
    }
    // Of equals the first.
    let mut rig = stack(&["2001:db8::1/64", "2001:db8::2/64"], Routes::default());
    assert_eq!(source(&mut rig, "[2001:db8::9]:80"), Ok(ip("2001:db8::1")));
}

#[test]
fn an_address_that_comes_is_listened_on_and_one_that_goes_aborts_nothing() {
    let mut rig = stack(&["10.0.0.1/24"], Routes::default());
    let l = rig.listen("[::]:80");
    assert!(rig.stack.add_address("10.0.0.7/24".parse().unwrap()));
    assert!(!rig.stack.add_address("10.0.0.7/24".parse().unwrap()));
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "10.0.0.7:80");
    let c = rig.accept(l).unwrap();
    assert!(rig.stack.remove_address(ip("10.0.0.7")));
    assert!(!rig.stack.remove_address(ip("10.0.0.7")));
    // As on Linux: nothing gets in or out, and the connection waits.
    peer.clone().send(&mut rig, ACK, b"lost");
    assert_eq!(rig.drops(PacketDrop::NotForUs), 1);
    rig.stack.write(rig.now, c, b"hello").unwrap();
    assert!(rig.wait(Duration::from_secs(2)).is_empty());
    assert!(rig.drops(PacketDrop::NoSource) >= 2);
    assert_eq!(rig.stack.state(c), State::Established);
    // It comes back.
    rig.stack.add_address("10.0.0.7/24".parse().unwrap());
    let again = rig.wait(Duration::from_secs(5));
    assert_eq!(again[0].text, b"hello");
    peer.send(&mut rig, ACK, b"found");
    assert_eq!(rig.read(c), b"found");
}

/// TTL and type of service of the next packet.
fn header(rig: &mut Rig) -> (u8, u8) {
    let p = rig.next().unwrap();
    (p[8], p[1])
}

// MUST-48, MUST-49, SHLD-21, SHLD-22
#[test]
fn packets_carry_the_ttl_and_class_of_their_connection_and_listener() {
    let mut rig = Rig::new();
    let mut options = SocketOptions { hop_limit: 255, traffic_class: 0xb8, ..Default::default() };
    let own = ConnectOptions { local: None, options: Some(options.clone()) };
    let c = rig.stack.connect(rig.now, at("10.0.0.2:80"), own).unwrap();
    assert_eq!(header(&mut rig), (255, 0xb8));
    rig.stack.set_options(rig.now, c, |o| (o.hop_limit, o.traffic_class) = (9, 0x20));
    rig.wait(Duration::from_millis(900));
    rig.now += Duration::from_millis(200);
    rig.stack.on_deadline(rig.now);
    assert_eq!(header(&mut rig), (9, 0x20));
    // The SYN-ACK is the listener's.
    options.hop_limit = 7;
    let listen = ListenOptions { options: Some(options), ..ListenOptions::default() };
    rig.stack.listen(at("10.0.0.1:90"), listen).unwrap();
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:90"), syn());
    assert_eq!(header(&mut rig), (7, 0xb8));
    rig.now += Duration::from_millis(1100);
    rig.stack.on_deadline(rig.now);
    assert_eq!(header(&mut rig), (7, 0xb8));
}

// RFC 5082 3
#[test]
fn packets_from_too_far_away_are_dropped() {
    let mut rig = Rig::new();
    let near = SocketOptions { hop_limit: 255, min_hop_limit: 255, ..Default::default() };
    let options = ListenOptions { options: Some(near), ..ListenOptions::default() };
    let l = rig.stack.listen(at("10.0.0.1:80"), options).unwrap();
    // The peers of the tests send with 64.
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn());
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::HopLimit), 1);
    let mut p = packet(at("10.0.0.2:4000"), at("10.0.0.1:80"), syn(), &[]);
    let from = |p: &mut Vec<u8>, ttl: u8| {
        p[8] = ttl;
        p[10..12].copy_from_slice(&[0, 0]);
        let sum = tcp_core::wire::checksum::Sum::new().add(&p[..20]).finish();
        p[10..12].copy_from_slice(&sum.to_be_bytes());
    };
    from(&mut p, 255);
    rig.put(&p);
    let answer = rig.hear_one();
    let last = segment(ACK, IRS + 1, answer.seq + 1);
    let mut p = packet(at("10.0.0.2:4000"), at("10.0.0.1:80"), last, &[]);
    from(&mut p, 254);
    rig.put(&p);
    assert!(rig.accept(l).is_none());
    from(&mut p, 255);
    rig.put(&p);
    let c = rig.accept(l).unwrap();
    let reset = segment(RST | ACK, IRS + 1, answer.seq + 1);
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), reset);
    assert_eq!((rig.stack.state(c), rig.drops(PacketDrop::HopLimit)), (State::Established, 3));
    rig.stack.set_options(rig.now, c, |o| o.min_hop_limit = 64);
    rig.say(at("10.0.0.2:4000"), at("10.0.0.1:80"), reset);
    assert_eq!(rig.stack.state(c), State::Closed);
}
