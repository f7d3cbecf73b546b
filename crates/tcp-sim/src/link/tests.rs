//! Does a link do what its configuration says? Statistics with fixed seeds and generous bounds,
//! times to the nanosecond, and the same again from the same seed.

use std::time::Duration;

use tcp_core::Instant;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn at_ms(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// A packet of `len` bytes that begins with its number.
fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut packet = vec![0; len];
    packet[..4].copy_from_slice(&number.to_be_bytes());
    packet
}

fn number_of(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[..4].try_into().unwrap())
}

/// Pushes `count` packets of 100 bytes, one a `gap`.
fn push_all(link: &mut Link, count: u32, gap: Duration) -> Vec<Fate> {
    (0..count).map(|n| link.push(Instant::ZERO + gap * n, numbered(n, 100))).collect()
}

/// Everything that arrives, with the time of arrival.
fn drain(link: &mut Link) -> Vec<(Instant, Vec<u8>)> {
    let mut out = Vec::new();
    while let Some(at) = link.next_delivery() {
        out.push((at, link.pop(at).expect("due")));
    }
    assert_balanced(link);
    out
}

fn assert_balanced(link: &Link) {
    let stats = link.stats();
    let accounted = stats.delivered + link.in_flight() as u64 + stats.dropped();
    assert_eq!(stats.sent + stats.duplicated, accounted, "{stats:?}");
}

fn assert_share(count: u64, of: u64, expected: f64) {
    let share = count as f64 / of as f64;
    assert!((share / expected - 1.0).abs() < 0.1, "{share} instead of {expected}");
}

/// All knobs at once.
fn awful() -> LinkConfig {
    LinkConfig::default()
        .delay(20 * MS)
        .jitter(5 * MS)
        .rate(1_000_000)
        .queue(QueueLimit::Bytes(20_000))
        .loss(0.02)
        .burst_loss(0.01, 0.2, 0.9)
        .reorder(0.1, 3 * MS)
        .duplicate(0.05)
        .corrupt(0.03)
        .outage(at_ms(100), at_ms(150))
}

#[test]
fn a_perfect_link_is_a_delay() {
    let mut link = Link::new(LinkConfig::default().delay(7 * MS), 1);
    assert_eq!(link.push(at_ms(1), numbered(0, 1500)), Fate::Carried(Marks::default()));
    assert_eq!(link.next_delivery(), Some(at_ms(8)));
    assert_eq!(link.pop(Instant::from_nanos(7_999_999)), None);
    assert_eq!(link.pop(at_ms(8)), Some(numbered(0, 1500)));
    assert_eq!(link.pop(at_ms(8)), None);
    assert_eq!(link.next_delivery(), None);
}

#[test]
fn packets_of_one_instant_keep_their_order() {
    let mut link = Link::new(LinkConfig::default(), 1);
    push_all(&mut link, 1_000, Duration::ZERO);
    let numbers: Vec<u32> = drain(&mut link).iter().map(|(_, p)| number_of(p)).collect();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn same_seed_same_result() {
    let run = |seed| {
        let mut link = Link::new(awful(), seed);
        let fates = push_all(&mut link, 2_000, MS / 2);
        (fates, drain(&mut link), link.stats())
    };
    assert_eq!(run(42), run(42));
    assert_ne!(run(42), run(43));
}

#[test]
fn one_knob_leaves_the_others_alone() {
    let lost = |config: LinkConfig| -> Vec<bool> {
        let mut link = Link::new(config, 5);
        let fates = push_all(&mut link, 5_000, MS);
        fates.iter().map(|fate| *fate == Fate::Dropped(DropReason::Loss)).collect()
    };
    let plain = LinkConfig::default().loss(0.1);
    let noisy = plain.clone().duplicate(0.3).corrupt(0.3).jitter(MS).burst_loss(0.1, 0.2, 0.5);
    assert_eq!(lost(plain), lost(noisy));
}

#[test]
fn loss_is_as_frequent_as_asked() {
    let mut link = Link::new(LinkConfig::default().loss(0.05), 11);
    push_all(&mut link, 50_000, MS);
    assert_share(link.stats().lost, 50_000, 0.05);
    assert_eq!(drain(&mut link).len() as u64, 50_000 - link.stats().lost);
}

#[test]
fn certainties_are_certain() {
    let mut link = Link::new(LinkConfig::default().loss(1.0), 12);
    push_all(&mut link, 1_000, MS);
    assert_eq!(link.stats().lost, 1_000);
    let mut link = Link::new(LinkConfig::default().duplicate(1.0).corrupt(1.0), 12);
    push_all(&mut link, 1_000, MS);
    assert_eq!((link.stats().duplicated, link.stats().corrupted), (1_000, 2_000));
}

#[test]
fn a_burst_passes_with_time() {
    let config = LinkConfig::default().burst_loss(0.5, 0.0, 1.0);
    let mut link = Link::new(config, 7);
    let mut now = Instant::ZERO;
    let mut lost = |link: &mut Link, wait| {
        now += wait;
        matches!(link.push(now, vec![0; 40]), Fate::Dropped(DropReason::BurstLoss))
    };
    while !lost(&mut link, MS) {}
    assert!((0..1000).all(|_| lost(&mut link, 99 * MS)), "never left while packets come");
    let later = (0..1000).filter(|_| lost(&mut link, 100 * MS)).count();
    assert!((400..600).contains(&later), "{later} of 1000");
}

#[test]
fn burst_loss_comes_in_bursts() {
    let (enter, leave) = (0.01, 0.25);
    let mut link = Link::new(LinkConfig::default().burst_loss(enter, leave, 1.0), 13);
    let fates = push_all(&mut link, 200_000, MS);
    assert_share(link.stats().burst_lost, 200_000, enter / (enter + leave));
    let lost = |fate: &Fate| matches!(fate, Fate::Dropped(DropReason::BurstLoss));
    let bursts = fates.windows(2).filter(|pair| !lost(&pair[0]) && lost(&pair[1])).count();
    let mean_length = link.stats().burst_lost as f64 / bursts as f64;
    assert!((mean_length * leave - 1.0).abs() < 0.1, "bursts of {mean_length}");
}

#[test]
fn duplicates_arrive_twice() {
    let mut link = Link::new(LinkConfig::default().duplicate(0.05), 14);
    push_all(&mut link, 50_000, MS);
    assert_share(link.stats().duplicated, 50_000, 0.05);
    let numbers: Vec<u32> = drain(&mut link).iter().map(|(_, p)| number_of(p)).collect();
    let twice = numbers.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(twice as u64, link.stats().duplicated);
}

#[test]
fn reordered_packets_are_overtaken_and_others_are_not() {
    let mut link = Link::new(LinkConfig::default().reorder(0.2, 5 * MS + MS / 2), 15);
    push_all(&mut link, 20_000, MS);
    assert_share(link.stats().reordered, 20_000, 0.2);
    let numbers: Vec<u32> = drain(&mut link).iter().map(|(_, p)| number_of(p)).collect();
    let mut highest = 0;
    let mut overtaken = 0;
    for number in numbers {
        overtaken += u64::from(number < highest);
        assert!(highest.saturating_sub(number) <= 5, "{number} after {highest}");
        highest = highest.max(number);
    }
    // All but the rare ones whose five successors were all held back as well.
    assert!(overtaken <= link.stats().reordered);
    assert_share(overtaken, link.stats().reordered, 1.0);
}

#[test]
fn jitter_spreads_but_does_not_reorder() {
    let mut link = Link::new(LinkConfig::default().delay(10 * MS).jitter(8 * MS), 16);
    push_all(&mut link, 10_000, MS);
    let arrivals = drain(&mut link);
    let mut seen = Vec::new();
    for (position, (at, packet)) in arrivals.iter().enumerate() {
        assert_eq!(number_of(packet), position as u32);
        seen.push(at.since(at_ms(position as u64)));
    }
    let (least, most) = (*seen.iter().min().unwrap(), *seen.iter().max().unwrap());
    assert!((10 * MS..11 * MS).contains(&least), "{least:?}");
    assert!((17 * MS..=18 * MS).contains(&most), "{most:?}");
}

#[test]
fn jitter_is_uniform_where_packets_are_far_apart() {
    let mut link = Link::new(LinkConfig::default().jitter(8 * MS), 17);
    push_all(&mut link, 10_000, 10 * MS);
    let arrivals = drain(&mut link);
    let late =
        |(n, (at, _)): (usize, &(Instant, Vec<u8>))| at.since(at_ms(n as u64 * 10)).as_nanos();
    let total: u128 = arrivals.iter().enumerate().map(late).sum();
    assert_share(total as u64 / 10_000, 4_000_000, 1.0);
}

#[test]
fn the_rate_is_exact() {
    // 12 Mbit/s carry 1,500 bytes in a millisecond.
    let mut link = Link::new(LinkConfig::default().delay(10 * MS).rate(12_000_000), 18);
    for n in 0..3 {
        link.push(at_ms(0), numbered(n, 1_500));
    }
    // After a pause the wire is free again; a third of the length takes a third of the time.
    link.push(at_ms(50), numbered(3, 500));
    let times: Vec<u64> = drain(&mut link).iter().map(|(at, _)| at.as_nanos()).collect();
    assert_eq!(times, [11_000_000, 12_000_000, 13_000_000, 60_333_334]);
}

#[test]
fn a_full_queue_drops_the_tail() {
    let config = LinkConfig::default().rate(12_000_000).queue(QueueLimit::Packets(2));
    let mut link = Link::new(config, 19);
    // One on the wire, two wait, the rest is dropped.
    for n in 0..5 {
        link.push(at_ms(0), numbered(n, 1_500));
    }
    assert_eq!(link.stats().queue_dropped, 2);
    // After a millisecond the second packet is on the wire: room for one.
    assert_eq!(link.push(at_ms(1), numbered(5, 1_500)), Fate::Carried(Marks::default()));
    assert_eq!(link.push(at_ms(1), numbered(6, 1_500)), Fate::Dropped(DropReason::QueueFull));
    let arrived: Vec<(u64, u32)> =
        drain(&mut link).iter().map(|(at, p)| (at.as_millis(), number_of(p))).collect();
    assert_eq!(arrived, [(1, 0), (2, 1), (3, 2), (4, 5)]);
}

#[test]
fn a_queue_of_bytes_counts_bytes() {
    let config = LinkConfig::default().rate(12_000_000).queue(QueueLimit::Bytes(2_000));
    let mut link = Link::new(config, 20);
    link.push(at_ms(0), numbered(0, 1_500));
    link.push(at_ms(0), numbered(1, 1_500));
    assert_eq!(link.push(at_ms(0), numbered(2, 501)), Fate::Dropped(DropReason::QueueFull));
    assert_eq!(link.push(at_ms(0), numbered(3, 500)), Fate::Carried(Marks::default()));
    assert_eq!(drain(&mut link).len(), 3);
}

/// The sum of RFC 1071, without the final complement; 0 and 0xffff are the same number.
fn internet_sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u64::from(u16::from_be_bytes([*high, *low])),
        _ => u64::from(pair[0]) << 8,
    });
    words.sum::<u64>() % 0xffff
}

#[test]
fn damage_flips_few_bits_everywhere_and_never_fools_the_checksum() {
    let mut link = Link::new(LinkConfig::default().corrupt(0.5), 21);
    let packet: Vec<u8> = (0..61u8).map(|n| n.wrapping_mul(37)).collect();
    let mut flips_at = [0u32; 61];
    for _ in 0..20_000 {
        let fate = link.push(Instant::ZERO, packet.clone());
        let arrived = link.pop(Instant::ZERO).unwrap();
        let mut flips = 0;
        for (n, (was, is)) in packet.iter().zip(&arrived).enumerate() {
            flips_at[n] += (was ^ is).count_ones();
            flips += (was ^ is).count_ones();
        }
        let corrupted = matches!(fate, Fate::Carried(marks) if marks.corrupted);
        assert_eq!(corrupted, (1..=3).contains(&flips), "{flips} flips");
        // RFC 1071: every damage shows in the sum.
        assert_eq!(corrupted, internet_sum(&packet) != internet_sum(&arrived));
    }
    assert_share(link.stats().corrupted, 20_000, 0.5);
    assert!(flips_at.iter().all(|count| *count > 100), "{flips_at:?}");
}

#[test]
fn the_empty_packet_survives_every_knob() {
    let mut link = Link::new(awful().corrupt(1.0).loss(0.0), 22);
    link.push(Instant::ZERO, Vec::new());
    assert_eq!(link.stats().corrupted, 0);
    assert_balanced(&link);
}

#[test]
fn an_outage_takes_what_is_sent_in_it() {
    let config = LinkConfig::default().delay(30 * MS).outage(at_ms(10), at_ms(20));
    let mut link = Link::new(config, 23);
    push_all(&mut link, 30, MS);
    assert_eq!(link.stats().outage_dropped, 10);
    let numbers: Vec<u32> = drain(&mut link).iter().map(|(_, p)| number_of(p)).collect();
    assert_eq!(numbers, (0..10).chain(20..30).collect::<Vec<_>>());
}

#[test]
fn the_mtu_is_the_longest_that_passes() {
    let mut link = Link::new(LinkConfig::default().mtu(576), 24);
    assert_eq!(link.push(at_ms(0), numbered(0, 576)), Fate::Carried(Marks::default()));
    assert_eq!(link.push(at_ms(0), numbered(1, 577)), Fate::Dropped(DropReason::TooBig));
    assert_eq!(link.stats().too_big, 1);
}

#[test]
fn a_pulled_link_delivers_what_is_on_its_way() {
    let mut link = Link::new(LinkConfig::default().delay(10 * MS), 25);
    link.push(at_ms(0), numbered(0, 100));
    link.set_config(LinkConfig::down());
    assert_eq!(link.push(at_ms(5), numbered(1, 100)), Fate::Dropped(DropReason::Outage));
    // Plugged in again, and shorter: still no overtaking.
    link.set_config(LinkConfig::default());
    link.push(at_ms(6), numbered(2, 100));
    let arrived: Vec<(u64, u32)> =
        drain(&mut link).iter().map(|(at, p)| (at.as_millis(), number_of(p))).collect();
    assert_eq!(arrived, [(10, 0), (10, 2)]);
}
