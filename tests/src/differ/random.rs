//! What does chance say to both ends? Short conversations of segments near the edges of the
//! sequence space, with calls in between, from a seed.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tcp_core::wire::Flags;

use super::script::{Ack, Call, Case, Offer, Opening, Say, Seq, Stamp, Step};

/// Steps after the handshake at most.
const STEPS: usize = 12;

/// The case of a seed.
pub fn random(seed: u64) -> Case {
    let mut r = SmallRng::seed_from_u64(seed);
    let opening = if r.random_bool(0.5) { Opening::Passive } else { Opening::Active };
    let offer = Offer {
        mss: [0, 100, 536, 1460, 9000][r.random_range(0..5)],
        scale: r.random_bool(0.7).then(|| [0, 1, 7, 14, 200][r.random_range(0..5)]),
        sack: r.random_bool(0.7),
        timestamps: r.random_bool(0.6),
    };
    let mut steps = Vec::new();
    if r.random_bool(0.9) {
        steps.extend(handshake(opening));
    }
    for _ in 0..r.random_range(1..=STEPS) {
        steps.push(step(&mut r));
    }
    steps.extend([Call::Read(8000), Call::Read(8000), Call::Write(10)].map(Step::from));
    let iss = [1000, u32::MAX - 150, 0x7fff_ff80, r.random()][r.random_range(0..4)];
    Case { ipv6: r.random_bool(0.5), opening, iss, offer, steps }
}

fn handshake(opening: Opening) -> Vec<Step> {
    let say = |flags| Say::honest(flags).into();
    match opening {
        Opening::Passive => vec![say(Flags::SYN), say(Flags::ACK)],
        Opening::Active => vec![say(Flags::SYN | Flags::ACK)],
        Opening::Nobody => Vec::new(),
    }
}

fn step(r: &mut SmallRng) -> Step {
    match r.random_range(0..20) {
        0 | 1 => Call::Read(r.random_range(1..3000)).into(),
        2 | 3 => Call::Write(r.random_range(1..4000)).into(),
        4 => Call::Shutdown.into(),
        5 if r.random_bool(0.5) => Call::Close.into(),
        6 if r.random_bool(0.3) => Call::Abort.into(),
        7..10 => honest(r).into(),
        _ => segment(r).into(),
    }
}

/// A segment that an honest peer may send.
fn honest(r: &mut SmallRng) -> Say {
    let flags = if r.random_bool(0.15) { Flags::ACK | Flags::FIN } else { Flags::ACK };
    let text = if r.random_bool(0.6) { r.random_range(1..1400) } else { 0 };
    Say { window: window(r), ..Say::honest(flags).text(text) }
}

/// Any segment, with numbers that are not far from right.
fn segment(r: &mut SmallRng) -> Say {
    Say {
        flags: flags(r),
        seq: seq(r),
        ack: ack(r),
        window: window(r),
        text: if r.random_bool(0.5) { 0 } else { r.random_range(1..=200) },
        urgent: if r.random_bool(0.1) { r.random_range(0..300) } else { 0 },
        stamp: stamp(r),
        sack: sack(r),
        raw: if r.random_bool(0.1) { raw(r) } else { Vec::new() },
    }
}

fn flags(r: &mut SmallRng) -> Flags {
    let common = [
        Flags::ACK,
        Flags::ACK,
        Flags::ACK | Flags::PSH,
        Flags::ACK | Flags::FIN,
        Flags::ACK | Flags::RST,
        Flags::RST,
        Flags::SYN,
        Flags::SYN | Flags::ACK,
    ];
    // Any of the lower six otherwise.
    if r.random_bool(0.9) {
        common[r.random_range(0..common.len())]
    } else {
        Flags::from_bits(r.random_range(0..64))
    }
}

fn small(r: &mut SmallRng) -> i32 {
    match r.random_range(0..10) {
        0..4 => 0,
        4..7 => r.random_range(-2..=2),
        7..9 => r.random_range(-300..=300),
        _ => r.random_range(-20_000..=20_000),
    }
}

fn seq(r: &mut SmallRng) -> Seq {
    match r.random_range(0..10) {
        0 => Seq::Edge(small(r)),
        1 => Seq::Iss(small(r)),
        2 => Seq::Nxt(r.random::<i32>()),
        _ => Seq::Nxt(small(r)),
    }
}

fn ack(r: &mut SmallRng) -> Ack {
    match r.random_range(0..10) {
        0 => Ack::Iss(small(r)),
        1 | 2 => Ack::Una(small(r)),
        3 => Ack::Nxt(r.random::<i32>()),
        4 => Ack::Nxt(small(r)),
        _ => Ack::Nxt(0),
    }
}

fn window(r: &mut SmallRng) -> u16 {
    [0, 1, 100, 2000, 0x4000, 0xffff][r.random_range(0..6)]
}

fn stamp(r: &mut SmallRng) -> Stamp {
    match r.random_range(0..10) {
        0 => Stamp::Missing,
        1 => Stamp::Off(r.random_range(-3..=3), 0),
        2 => Stamp::Off(small(r), small(r)),
        _ => Stamp::Honest,
    }
}

fn sack(r: &mut SmallRng) -> Vec<(i32, u32)> {
    if r.random_bool(0.85) {
        return Vec::new();
    }
    let blocks = r.random_range(1..=3);
    (0..blocks).map(|_| (small(r), r.random_range(0..3000))).collect()
}

/// Options that no honest peer sends.
fn raw(r: &mut SmallRng) -> Vec<u8> {
    let all: [&[u8]; 10] = [
        &[2, 0],
        &[2, 3, 1],
        &[3, 3, 255],
        &[5, 3, 0],
        &[5, 10, 1],
        &[8, 10, 1, 2],
        &[1, 1, 1, 0],
        &[99, 4, 1, 2],
        &[8, 2],
        &[254, 255],
    ];
    all[r.random_range(0..all.len())].to_vec()
}
