//! Is a packet described as it is, and does damage never stop the describing?

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

/// An IPv4 packet with a TCP header of these flags and options and `text` bytes behind it.
fn tcp4(flags: u8, options: &[u8], text: usize) -> Vec<u8> {
    assert_eq!(options.len() % 4, 0);
    let header_len = 20 + options.len();
    let total = (20 + header_len + text) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(tcp_header(flags, options));
    packet.resize(usize::from(total), b'x');
    packet
}

fn tcp6(flags: u8, options: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((20 + options.len() as u16).to_be_bytes());
    packet.extend([6, 64]);
    for last in [1, 2] {
        packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.extend(tcp_header(flags, options));
    packet
}

fn tcp_header(flags: u8, options: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(4000u16.to_be_bytes());
    header.extend(80u16.to_be_bytes());
    header.extend(1u32.to_be_bytes());
    header.extend(2u32.to_be_bytes());
    header.extend([((20 + options.len()) / 4 * 16) as u8, flags]);
    header.extend(65_535u16.to_be_bytes());
    header.extend([0; 4]);
    header.extend(options);
    header
}

#[test]
fn a_syn_ack_shows_its_options() {
    let options = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 3, 7];
    assert_eq!(
        describe(&tcp4(0x12, &options, 0)),
        "10.0.0.1:4000 > 10.0.0.2:80 [SA] seq 1 ack 2 win 65535 len 0 \
         <mss 1460,sackOK,ts 7 9,wscale 7>"
    );
}

#[test]
fn text_and_sack_blocks_and_ipv6() {
    assert_eq!(
        describe(&tcp4(0x18, &[], 1000)),
        "10.0.0.1:4000 > 10.0.0.2:80 [PA] seq 1 ack 2 win 65535 len 1000"
    );
    let sack = [1, 1, 5, 10, 0, 0, 0, 100, 0, 0, 0, 200];
    assert_eq!(
        describe(&tcp6(0x10, &sack)),
        "[fd00::1]:4000 > [fd00::2]:80 [A] seq 1 ack 2 win 65535 len 0 <sack 100:200>"
    );
    assert_eq!(
        describe(&tcp4(0x04, &[], 0)),
        "10.0.0.1:4000 > 10.0.0.2:80 [R] seq 1 win 65535 len 0"
    );
}

#[test]
fn other_protocols_show_what_they_are() {
    let mut packet = tcp4(0x10, &[], 8);
    packet[9] = 17;
    assert_eq!(describe(&packet), "10.0.0.1:4000 > 10.0.0.2:80 udp len 20");
    packet[9] = 1;
    (packet[20], packet[21]) = (3, 4);
    assert_eq!(describe(&packet), "10.0.0.1 > 10.0.0.2 icmp type 3 code 4 len 28");
    packet[9] = 50;
    assert_eq!(describe(&packet), "10.0.0.1 > 10.0.0.2 protocol 50 len 28");
    packet[7] = 2;
    assert_eq!(describe(&packet), "10.0.0.1 > 10.0.0.2 protocol 50 fragment at 16");
}

#[test]
fn cut_and_lying_packets_say_so() {
    let packet = tcp4(0x12, &[2, 4, 5, 180], 4);
    assert_eq!(describe(&[]), "(cut)");
    assert!(describe(&packet[..30]).ends_with("(cut)"));
    assert!(describe(&packet[..46]).ends_with("(IP length 48, real 46)"));
    assert_eq!(describe(&[0x00, 1]), "IP version 0, 2 bytes");
    let mut bad_option = packet.clone();
    bad_option[41] = 0;
    assert!(describe(&bad_option).ends_with("(cut)"));
}

#[test]
fn no_bytes_stop_the_describing() {
    let mut rng = SmallRng::seed_from_u64(3);
    let full = [tcp4(0x12, &[5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1], 20), tcp6(0x3f, &[1; 40])];
    for _ in 0..100_000 {
        let mut packet = full[rng.random_range(0..2)].clone();
        packet.truncate(rng.random_range(0..=packet.len()));
        for _ in 0..rng.random_range(0..6) {
            if !packet.is_empty() {
                let at = rng.random_range(0..packet.len());
                packet[at] = rng.random();
            }
        }
        assert!(!describe(&packet).is_empty());
        destination(&packet);
    }
}

#[test]
fn each_end_keeps_its_last_packets() {
    let mut trace = Trace::new(2);
    let packet = Snapshot::of(&tcp4(0x10, &[], 1400));
    let lost = Event::Sent { to: 1, fate: Fate::Dropped(DropReason::Loss) };
    let marks = Marks { corrupted: true, ..Marks::default() };
    trace.record(Instant::from_micros(1), 0, lost, packet);
    trace.record(Instant::from_micros(2), 0, lost, packet);
    trace.record(
        Instant::from_micros(12_345),
        0,
        Event::Sent { to: 1, fate: Fate::Carried(marks) },
        packet,
    );
    trace.record(Instant::from_millis(1_500), 1, Event::Received { from: 0 }, packet);
    trace.record(Instant::from_millis(1_500), 1, Event::NoRoute, packet);
    let text = "10.0.0.1:4000 > 10.0.0.2:80 [A] seq 1 ack 2 win 65535 len 1400";
    let expected = [
        format!("0.000002 A > B lost       {text}\n"),
        format!("0.012345 A > B sent+corrupt {text}\n"),
        format!("1.500000 A > B received   {text}\n"),
        format!("1.500000 B > ? no-route   {text}\n"),
    ];
    assert_eq!(trace.to_string(), expected.concat());
    assert_eq!(trace.lines_of(0).count(), 2);
    assert_eq!(trace.lines_of(7).count(), 0);
    assert_eq!(trace.recorded(), 5);
    assert_eq!(end_name(26), "N26");
}

#[test]
fn no_depth_no_records() {
    let mut trace = Trace::new(0);
    trace.record(Instant::ZERO, 3, Event::NoRoute, Snapshot::of(&[]));
    assert_eq!((trace.recorded(), trace.to_string()), (0, String::new()));
}
