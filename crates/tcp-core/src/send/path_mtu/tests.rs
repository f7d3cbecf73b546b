//! The path MTU without a connection: claims, proofs, black holes and the search.

use core::time::Duration;

use super::*;

const V4: Path = Path { ipv4: true, headers: 40 };
const V6: Path = Path { ipv4: false, headers: 60 };
const T0: Instant = Instant::from_millis(1000);

fn claim(mtu: u32) -> Doubt {
    Doubt { seq: SeqNum(100), mtu, until: T0 + Duration::from_millis(50) }
}

fn config() -> PathMtuConfig {
    PathMtuConfig::default()
}

/// Runs a search against a path that carries `real` octets; returns sizes that were probed.
fn search(p: &mut PathMtu, real: u32, most: u32) -> alloc::vec::Vec<u32> {
    let c = config();
    let mut sizes = alloc::vec::Vec::new();
    while let Some(size) = p.next_probe(most, &c) {
        let start = SeqNum(1000 * sizes.len() as u32);
        let probe = Probe { start, end: start + (size - 40), size };
        p.on_probe_sent(probe);
        assert_eq!(p.next_probe(most, &c), None, "one probe at a time");
        if size <= real {
            assert!(p.on_acked(probe.end));
        } else {
            p.on_probe_lost(&c);
        }
        sizes.push(size);
        assert!(sizes.len() < 100);
    }
    p.settle(T0, most, &c);
    sizes
}

#[test]
fn a_claim_lowers_until_it_expires() {
    let mut p = PathMtu::new(1500);
    assert_eq!(p.on_claim(T0, V4, claim(1400), 1500, &config()), Claim::Lowered);
    assert_eq!((p.mtu(), p.link()), (1400, 1500));
    assert_eq!(p.on_claim(T0, V4, claim(1450), 1400, &config()), Claim::Known);
    assert!(!p.refresh(T0 + Duration::from_secs(599)));
    assert!(p.refresh(T0 + Duration::from_secs(600)));
    assert_eq!(p.mtu(), 1500);
    assert!(!p.refresh(T0 + Duration::from_secs(2000)));
}

#[test]
fn ipv4_has_a_floor_below_which_routers_fragment() {
    let mut p = PathMtu::new(1500);
    assert_eq!(p.on_claim(T0, V4, claim(552), 1500, &config()), Claim::Lowered);
    assert!(!p.fragmentable());
    assert_eq!(p.on_claim(T0, V4, claim(296), 552, &config()), Claim::Lowered);
    assert_eq!((p.mtu(), p.fragmentable()), (552, true));
    assert_eq!(p.on_claim(T0, V4, claim(0), 552, &config()), Claim::Known);
    p.refresh(T0 + Duration::from_secs(600));
    assert_eq!((p.mtu(), p.fragmentable()), (1500, false));
}

// RFC 8201 4
#[test]
fn ipv6_discards_claims_below_its_minimum() {
    let mut p = PathMtu::new(1500);
    assert_eq!(p.on_claim(T0, V6, claim(1279), 1500, &config()), Claim::Invalid);
    assert_eq!(p.on_claim(T0, V6, claim(1280), 1500, &config()), Claim::Lowered);
    assert!(!p.fragmentable());
}

// RFC 5927 7.2
#[test]
fn what_was_acknowledged_speaks_against_a_claim() {
    let mut p = PathMtu::new(1500);
    p.on_full_sent(SeqNum(50));
    p.on_full_sent(SeqNum(90));
    assert!(!p.on_acked(SeqNum(50)));
    assert_eq!(p.on_claim(T0, V4, claim(1000), 1500, &config()), Claim::Contradicted);
    assert_eq!(p.mtu(), 1500);
    // The quoted octet arrives: it was a lie.
    p.on_acked(SeqNum(100));
    assert!(p.doubt().is_some());
    p.on_acked(SeqNum(101));
    assert_eq!(p.doubt(), None);
    assert_eq!(p.on_claim(T0, V4, claim(1000), 1500, &config()), Claim::Contradicted);
    assert_eq!(p.believe_doubt(T0, V4, &config()), Some(claim(1000)));
    assert_eq!(p.mtu(), 1000);
    // The new size is not proved.
    assert_eq!(p.on_claim(T0, V4, claim(900), 1000, &config()), Claim::Lowered);
}

#[test]
fn a_retransmission_proves_nothing() {
    let mut p = PathMtu::new(1500);
    p.on_full_sent(SeqNum(50));
    p.on_resent(SeqNum(40), SeqNum(50));
    p.on_acked(SeqNum(50));
    assert_eq!(p.on_claim(T0, V4, claim(1000), 1500, &config()), Claim::Lowered);
}

#[test]
fn a_black_hole_is_left_in_two_steps() {
    let mut p = PathMtu::new(1500);
    let off = PathMtuConfig { probing: MtuProbing::Off, ..config() };
    assert!(!p.on_black_hole(V4, &off));
    let mut sizes = alloc::vec![];
    while p.on_black_hole(V4, &config()) {
        sizes.push(p.mtu());
    }
    assert_eq!(sizes, [1064, 552]);
    // Linux's floor goes on.
    let linux = PathMtuConfig { probe_floor: 48, ..config() };
    while p.on_black_hole(V4, &linux) {}
    assert_eq!(p.mtu(), 88);
    let mut p = PathMtu::new(1500);
    assert!(p.on_black_hole(V6, &config()));
    assert_eq!(p.mtu(), 1280);
    assert!(!p.on_black_hole(V6, &config()));
}

#[test]
fn the_search_finds_every_size() {
    for real in 1064..=1500 {
        let mut p = PathMtu::new(1500);
        p.on_black_hole(V4, &config());
        let probed = search(&mut p, real, 1500);
        assert!(p.mtu() <= real && real - p.mtu() < 8, "{real}: {} {probed:?}", p.mtu());
        assert!(probed.len() <= 3 * 7, "{probed:?}");
    }
}

#[test]
fn the_search_respects_the_peer_and_begins_again_later() {
    let mut p = PathMtu::new(9000);
    p.on_black_hole(V4, &config());
    search(&mut p, 9000, 1500);
    assert!((1493..=1500).contains(&p.mtu()));
    p.refresh(T0 + Duration::from_secs(599));
    assert_eq!(p.next_probe(9000, &config()), None);
    p.refresh(T0 + Duration::from_secs(600));
    assert!(p.next_probe(9000, &config()).is_some());
}

// RFC 8899 5.1.2
#[test]
fn one_lost_probe_says_little() {
    let mut p = PathMtu::new(1500);
    p.on_black_hole(V4, &config());
    let size = p.next_probe(1500, &config()).unwrap();
    for _ in 0..3 {
        assert_eq!(p.next_probe(1500, &config()), Some(size));
        p.on_probe_sent(Probe { start: SeqNum(0), end: SeqNum(10), size });
        p.on_probe_lost(&config());
    }
    assert!(p.next_probe(1500, &config()).unwrap() < size);
}

#[test]
fn a_claim_about_a_probe_ends_only_the_probe() {
    let mut p = PathMtu::new(1500);
    p.on_black_hole(V4, &config());
    let probe = Probe { start: SeqNum(0), end: SeqNum(10), size: 1282 };
    p.on_probe_sent(probe);
    assert_eq!(p.on_claim(T0, V4, claim(1200), 1064, &config()), Claim::ProbeRefused(probe));
    assert_eq!(p.mtu(), 1064);
    search(&mut p, 1200, 1500);
    assert!((1193..=1200).contains(&p.mtu()), "{}", p.mtu());
}

#[test]
fn probing_can_begin_with_the_connection() {
    let always = PathMtuConfig { probing: MtuProbing::Always, ..config() };
    let mut p = PathMtu::new(1500);
    p.begin(V4, &always);
    assert_eq!((p.mtu(), p.link()), (1064, 1500));
    let mut small = PathMtu::new(1000);
    small.begin(V4, &always);
    assert_eq!(small.mtu(), 1000);
    let mut quiet = PathMtu::new(1500);
    quiet.begin(V4, &config());
    assert_eq!(quiet.mtu(), 1500);
}

#[test]
fn what_others_learnt_is_a_limit() {
    let mut p = PathMtu::new(1500);
    p.limit(1300, false, T0 + Duration::from_secs(5));
    assert_eq!((p.mtu(), p.link()), (1300, 1500));
    assert!(p.refresh(T0 + Duration::from_secs(5)));
    assert_eq!(p.mtu(), 1500);
}
