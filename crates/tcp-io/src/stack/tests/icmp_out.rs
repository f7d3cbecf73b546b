//! Which ICMP errors does the stack send, about what, and how many?

use std::net::IpAddr;
use std::time::Duration;

use tcp_core::wire::checksum::{self, Sum};

use super::peer::*;
use crate::stack::ip::{self, IpOptions};
use crate::stack::{PacketDrop, StackConfig};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn of_protocol(from: &str, to: &str, protocol: u8, body: &[u8]) -> Vec<u8> {
    let (src, dst) = (address(from), address(to));
    let o = IpOptions { hop_limit: 64, traffic_class: 0, fragmentable: None };
    let mut b = vec![0; 40];
    let header = ip::emit_header(&mut b, src, dst, protocol, body.len(), o);
    b.truncate(header);
    b.extend_from_slice(body);
    b
}

fn udp(from: &str, to: &str) -> Vec<u8> {
    let mut d = vec![0x30, 0x39, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4];
    let sum = Sum::pseudo_header(address(from), address(to), 17, 12).add(&d).finish();
    d[6..8].copy_from_slice(&sum.to_be_bytes());
    of_protocol(from, to, 17, &d)
}

/// Type, code, the second word, and the quoted packet of the only answer.
fn answer(rig: &mut Rig) -> (u8, u8, u32, Vec<u8>) {
    let p = rig.next().expect("an answer");
    let ip::Parsed::Whole(w) = ip::parse(&p).unwrap() else { panic!("a fragment") };
    let good = match w.protocol {
        ip::ICMPV4 => Sum::new().add(w.payload).fold() == 0xffff,
        _ => checksum::verify(w.src, w.dst, ip::ICMPV6, w.payload),
    };
    assert!(good);
    rig.silence();
    let b = w.payload;
    (b[0], b[1], u32::from_be_bytes([b[4], b[5], b[6], b[7]]), b[8..].to_vec())
}

// RFC 1122 3.2.2.1, RFC 4443 3.1 and 3.4
#[test]
fn what_nobody_speaks_is_refused() {
    let mut rig = Rig::new();
    let p = udp("10.0.0.2", "10.0.0.1");
    rig.put(&p);
    assert_eq!(answer(&mut rig), (3, 3, 0, p));
    let p = udp("fd00::2", "fd00::1");
    rig.put(&p);
    assert_eq!(answer(&mut rig), (1, 4, 0, p));
    let p = of_protocol("10.0.0.2", "10.0.0.1", 132, &[7; 40]);
    rig.put(&p);
    assert_eq!(answer(&mut rig), (3, 2, 0, p));
    let p = of_protocol("fd00::2", "fd00::1", 132, &[7; 40]);
    rig.put(&p);
    assert_eq!(answer(&mut rig), (4, 1, 6, p));
    // The field that names it may stand in an extension header.
    let mut body = vec![132, 0, 1, 4, 0, 0, 0, 0];
    body.extend_from_slice(&[7; 16]);
    rig.put(&of_protocol("fd00::2", "fd00::1", 60, &body));
    assert_eq!(answer(&mut rig).2, 40);
    assert_eq!((rig.drops(PacketDrop::Protocol), rig.drops(PacketDrop::UdpNoPort)), (3, 2));
    assert_eq!(rig.stack.counters().icmp_errors_out, 5);
}

#[test]
fn the_quote_is_as_long_as_the_rules_allow() {
    let mut rig = Rig::new();
    let p = of_protocol("10.0.0.2", "10.0.0.1", 132, &[7; 1400]);
    rig.put(&p);
    assert_eq!(answer(&mut rig).3, p[..576 - 28]);
    let p = of_protocol("fd00::2", "fd00::1", 132, &[7; 1400]);
    rig.put(&p);
    assert_eq!(answer(&mut rig).3, p[..1280 - 48]);
}

// RFC 1122 3.2.2, RFC 4443 2.4 (e)
#[test]
fn errors_damaged_packets_and_packets_for_all_are_not_answered() {
    let mut rig = Rig::new();
    let mut damaged = udp("10.0.0.2", "10.0.0.1");
    damaged[30] ^= 1;
    rig.put(&damaged);
    rig.put(&udp("10.0.0.2", "10.0.0.255"));
    rig.put(&udp("10.0.0.2", "255.255.255.255"));
    rig.put(&udp("fd00::2", "ff02::1"));
    rig.put(&udp("10.0.0.2", "10.0.0.9"));
    rig.put(&of_protocol("fd00::2", "fd00::1", 59, &[]));
    rig.put(&icmp_to(address("10.0.0.2"), address("10.0.0.1"), (3, 3), 0, &[0x45; 28]));
    rig.silence();
    assert_eq!(rig.stack.counters().icmp_errors_out, 0);
}

// RFC 1812 4.3.2.8, RFC 4443 2.4 (f)
#[test]
fn one_host_gets_six_at_once_and_then_one_a_second() {
    let mut rig = Rig::new();
    for _ in 0..20 {
        rig.put(&udp("10.0.0.2", "10.0.0.1"));
    }
    let count = |rig: &mut Rig| std::iter::from_fn(|| rig.next()).count();
    assert_eq!(count(&mut rig), 6);
    assert_eq!(rig.drops(PacketDrop::IcmpRateLimit), 14);
    for _ in 0..3 {
        rig.now += Duration::from_secs(1);
        rig.put(&udp("10.0.0.2", "10.0.0.1"));
        rig.put(&udp("10.0.0.2", "10.0.0.1"));
        assert_eq!(count(&mut rig), 1);
    }
}

#[test]
fn all_hosts_together_get_fifty_at_once() {
    let mut rig = Rig::new();
    for n in 2..250 {
        rig.put(&udp(&format!("10.0.0.{n}"), "10.0.0.1"));
    }
    let count = |rig: &mut Rig| std::iter::from_fn(|| rig.next()).count();
    assert_eq!(count(&mut rig), 50);
    let none = StackConfig { icmp_msgs_per_sec: 0, ..config() };
    let mut rig = Rig::with(none);
    rig.put(&udp("10.0.0.2", "10.0.0.1"));
    rig.silence();
    let free = StackConfig { icmp_ratelimit: Duration::ZERO, ..config() };
    let mut rig = Rig::with(free);
    for _ in 0..40 {
        rig.put(&udp("10.0.0.2", "10.0.0.1"));
    }
    assert_eq!(count(&mut rig), 40);
}
