//! What comes for addresses that are not the stack's? Nothing, unless it takes them; then any
//! unicast address answers as itself, and own listeners come first.

use tcp_core::connection::State;

use super::peer::*;
use crate::stack::{
    BindError, ConnectOptions, Foreign, ListenError, ListenOptions, ListenScope, ListenerId,
    OpenError, PacketDrop, StackConfig,
};

fn rig(echo: bool) -> Rig {
    Rig::with(StackConfig { foreign: Foreign::Take { echo }, ..config() })
}

fn try_any(rig: &mut Rig, addr: &str, v6_only: bool) -> Result<ListenerId, ListenError> {
    let options = ListenOptions { scope: ListenScope::Any, v6_only, ..ListenOptions::default() };
    rig.stack.listen(at(addr), options)
}

fn any(rig: &mut Rig, addr: &str) -> ListenerId {
    try_any(rig, addr, false).unwrap()
}

/// Which of the listeners gets a connection; none if it is refused.
fn who(rig: &mut Rig, to: &str, all: &[ListenerId]) -> Option<usize> {
    let from = if to.starts_with('[') { "[2001:db8::9]:4000" } else { "203.0.113.9:4000" };
    let (me, to) = (at(from), at(to));
    rig.say(me, to, syn());
    let answer = rig.hear_one();
    assert_eq!((answer.src, answer.dst), (to, me));
    if answer.flags == RST | ACK {
        return None;
    }
    rig.say(me, to, segment(ACK, IRS + 1, answer.seq + 1));
    let got = all.iter().enumerate().find_map(|(n, l)| Some((n, rig.accept(*l)?)));
    let (n, conn) = got.expect("somebody has it");
    assert_eq!(rig.stack.info(conn).unwrap().tuple.local, to.into());
    rig.stack.abort(conn);
    rig.hear();
    Some(n)
}

#[test]
fn every_destination_is_taken_and_answers_as_itself() {
    let mut rig = rig(false);
    let l = any(&mut rig, "[::]:0");
    for to in [
        "192.0.2.7:443",
        "8.8.8.8:53",
        "[2001:db8::7]:443",
        "10.0.0.1:80",
        "10.0.0.77:1",
        "[fd00::1]:65535",
    ] {
        assert_eq!(who(&mut rig, to, &[l]), Some(0), "{to}");
    }
}

#[test]
fn text_goes_both_ways_from_a_foreign_address() {
    let mut rig = rig(false);
    let l = any(&mut rig, "0.0.0.0:443");
    let mut peer = Peer::connect(&mut rig, "10.0.0.2:4000", "192.0.2.7:443");
    let c = rig.accept(l).unwrap();
    peer.send(&mut rig, PSH | ACK, b"question");
    assert_eq!(rig.read(c), b"question");
    rig.stack.write(rig.now, c, b"answer").unwrap();
    assert_eq!(peer.hear(&mut rig).text, b"answer");
    rig.stack.close(rig.now, c);
    peer.hear(&mut rig);
    peer.send(&mut rig, FIN | ACK, b"");
    peer.hear(&mut rig);
    rig.stack.close_listener(l);
    assert_eq!(rig.records(), (0, 0, 1));
    rig.wait(std::time::Duration::from_secs(61));
    rig.assert_empty();
}

#[test]
fn own_listeners_come_first_then_one_port_then_every_port() {
    let mut rig = rig(false);
    let every = any(&mut rig, "[::]:0");
    let web = any(&mut rig, "0.0.0.0:80");
    let exact = rig.listen("10.0.0.1:80");
    let wildcard = rig.listen("0.0.0.0:81");
    let foreign = rig.listen("192.0.2.7:80");
    let all = [every, web, exact, wildcard, foreign];
    for (to, expected) in [
        ("10.0.0.1:80", 2),
        ("10.0.0.1:81", 3),
        ("192.0.2.7:80", 4),
        ("192.0.2.8:80", 1),
        // The wildcard stands for own addresses.
        ("192.0.2.8:81", 0),
        ("10.0.0.1:82", 0),
        ("[2001:db8::7]:80", 0),
    ] {
        assert_eq!(who(&mut rig, to, &all), Some(expected), "{to}");
    }
    rig.stack.close_listener(exact);
    assert_eq!(who(&mut rig, "10.0.0.1:80", &all[..2]), Some(1));
    rig.stack.close_listener(web);
    assert_eq!(who(&mut rig, "10.0.0.1:80", &all[..1]), Some(0));
    rig.stack.close_listener(every);
    assert_eq!(who(&mut rig, "10.0.0.1:80", &[]), None);
}

#[test]
fn families_are_kept_apart_as_for_wildcards() {
    let mut rig = rig(false);
    let four = any(&mut rig, "0.0.0.0:0");
    assert_eq!(who(&mut rig, "[2001:db8::7]:80", &[four]), None);
    assert_eq!(try_any(&mut rig, "[::]:0", false), Err(ListenError::Bind(BindError::InUse)));
    let six = try_any(&mut rig, "[::]:0", true).unwrap();
    assert_eq!(who(&mut rig, "[2001:db8::7]:80", &[four, six]), Some(1));
    assert_eq!(who(&mut rig, "192.0.2.7:80", &[four, six]), Some(0));
    // Another port is another listener; so is the same port of own addresses.
    any(&mut rig, "[::]:80");
    rig.listen("[::]:80");
}

#[test]
fn addresses_that_are_no_hosts_are_refused() {
    let mut rig = rig(true);
    any(&mut rig, "[::]:0");
    let v4 = ["0.0.0.0", "255.255.255.255", "10.0.0.255", "224.0.0.1"];
    let v6 = ["::", "ff02::1", "::ffff:192.0.2.7"];
    for to in v4 {
        rig.say(at("203.0.113.9:4000"), at(&format!("{to}:80")), syn());
        rig.silence();
    }
    for to in v6 {
        rig.say(at("[2001:db8::9]:4000"), at(&format!("[{to}]:80")), syn());
        rig.silence();
    }
    assert_eq!(rig.drops(PacketDrop::NotUnicast), 7);
    rig.say(at("203.0.113.9:4000"), at("127.0.0.1:80"), syn());
    rig.say(at("[2001:db8::9]:4000"), at("[::1]:80"), syn());
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::BadSource), 2);
}

#[test]
fn a_stack_that_ignores_foreign_addresses_has_no_such_listener() {
    let mut rig = Rig::new();
    assert_eq!(try_any(&mut rig, "[::]:0", false), Err(ListenError::OwnAddressesOnly));
    let not_local = Err(ListenError::Bind(BindError::NotLocal));
    assert_eq!(rig.stack.listen(at("192.0.2.7:80"), ListenOptions::default()), not_local);
    rig.say(at("10.0.0.2:4000"), at("192.0.2.7:80"), syn());
    rig.silence();
    assert_eq!(rig.drops(PacketDrop::NotForUs), 1);
}

#[test]
fn an_any_listener_names_no_address() {
    let mut rig = rig(false);
    for addr in ["10.0.0.1:80", "192.0.2.7:80", "[2001:db8::7]:0"] {
        assert_eq!(try_any(&mut rig, addr, false), Err(ListenError::NotUnspecified), "{addr}");
    }
    for addr in ["224.0.0.1:80", "255.255.255.255:80", "10.0.0.255:80", "[ff02::1]:80"] {
        let not_local = Err(ListenError::Bind(BindError::NotLocal));
        assert_eq!(rig.stack.listen(at(addr), ListenOptions::default()), not_local, "{addr}");
    }
}

#[test]
fn nobody_listens_there_is_a_reset_from_there() {
    let mut rig = rig(false);
    assert_eq!(who(&mut rig, "192.0.2.7:80", &[]), None);
    rig.say(at("10.0.0.2:4000"), at("192.0.2.7:80"), segment(ACK, IRS, tcp_core::SeqNum(5)));
    assert_eq!(rig.hear_one().flags, RST);
}

#[test]
fn pings_to_foreign_addresses_are_answered_if_wanted() {
    let pings = [
        icmp_to("10.0.0.2".parse().unwrap(), "192.0.2.7".parse().unwrap(), (8, 0), 1, b"x"),
        icmp_to("fd00::2".parse().unwrap(), "2001:db8::7".parse().unwrap(), (128, 0), 1, b"x"),
    ];
    let own = icmp_to("10.0.0.2".parse().unwrap(), "10.0.0.1".parse().unwrap(), (8, 0), 1, b"x");
    for (mut rig, answers, why) in [
        (rig(true), true, PacketDrop::IcmpIgnored),
        (rig(false), false, PacketDrop::IcmpIgnored),
        (Rig::new(), false, PacketDrop::NotForUs),
    ] {
        for ping in &pings {
            rig.put(ping);
            let answer = rig.next();
            assert_eq!(answer.is_some(), answers);
            if let Some(a) = answer {
                assert_eq!(whole(&a).src, whole(ping).dst);
            }
        }
        assert_eq!(rig.drops(why), if answers { 0 } else { 2 });
        rig.put(&own);
        assert!(rig.next().is_some(), "own addresses always answer");
    }
}

#[test]
fn a_connection_may_come_from_a_foreign_address() {
    let mut rig = rig(false);
    let from = |local: &str| ConnectOptions { local: Some(at(local)), options: None };
    let c = rig.stack.connect(rig.now, at("10.0.0.2:80"), from("192.0.2.7:0")).unwrap();
    let mut peer = Peer::answer(&mut rig);
    assert_eq!(peer.to.ip(), at("192.0.2.7:0").ip());
    assert_eq!(rig.stack.state(c), State::Established);
    peer.send(&mut rig, PSH | ACK, b"hello");
    assert_eq!(rig.read(c), b"hello");
    // What we answered would go out, and never come back.
    for (local, to) in [("192.0.2.7:0", "10.0.0.1:80"), ("192.0.2.7:0", "127.0.0.1:80")] {
        let e = rig.stack.connect(rig.now, at(to), from(local)).unwrap_err();
        assert_eq!(e, OpenError::BadLocal);
    }
    for local in ["224.0.0.1:0", "255.255.255.255:0", "10.0.0.255:0"] {
        let e = rig.stack.connect(rig.now, at("10.0.0.2:80"), from(local)).unwrap_err();
        assert_eq!(e, OpenError::BadLocal);
    }
    let mut plain = Rig::new();
    let e = plain.stack.connect(plain.now, at("10.0.0.2:80"), from("192.0.2.7:0")).unwrap_err();
    assert_eq!(e, OpenError::BadLocal);
}

// MUST-54, from an address that is nobody's otherwise.
#[test]
fn icmp_errors_reach_connections_of_foreign_addresses() {
    let mut rig = rig(false);
    let local = Some(at("192.0.2.7:5000"));
    let options = ConnectOptions { local, options: None };
    let c = rig.stack.connect(rig.now, at("198.51.100.1:80"), options).unwrap();
    let sent = rig.hear_one().bytes;
    rig.put(&icmp("198.51.100.254".parse().unwrap(), 3, 1, 0, &sent));
    assert_eq!(rig.stack.state(c), State::Closed);
}
