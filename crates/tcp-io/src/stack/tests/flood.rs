//! Do honest peers get in while a flood of SYNs from nowhere goes on, and does it cost memory?

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::peer::*;
use crate::stack::{ListenOptions, PacketDrop, StackConfig, SynCookies};

const HERE: &str = "10.0.0.1:80";
const SYN_BACKLOG: usize = 256;
/// Flood SYNs between two packets of an honest peer: 10,000 in a virtual second.
const PRESSURE: usize = 100;
const HONEST: u16 = 400;

/// What a flood left.
struct Aftermath {
    rig: Rig,
    connected: usize,
    half_open_most: usize,
    resets_to_honest: usize,
}

fn is_honest(p: &Heard) -> bool {
    p.dst.ip() == at("10.0.0.2:1").ip()
}

/// `HONEST` peers connect, one after the other and with a round trip of 10 ms, in a flood of SYNs
/// whose senders never answer. An honest peer tries once.
fn flood(seed: u64, cookies: SynCookies) -> Aftermath {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut rig = Rig::with(StackConfig { syn_cookies: cookies, ..config() });
    let options = ListenOptions { syn_backlog: Some(SYN_BACKLOG), ..ListenOptions::default() };
    let l = rig.stack.listen(at(HERE), options).unwrap();
    let (mut connected, mut half_open_most, mut resets_to_honest) = (0, 0, 0);
    let mut pour = |rig: &mut Rig| {
        let mut heard = Vec::new();
        for _ in 0..PRESSURE {
            let src = format!(
                "198.18.{}.{}:{}",
                rng.random::<u8>(),
                rng.random_range(1..255u8),
                rng.random_range(1..u16::MAX)
            );
            let s = tcp_core::wire::Segment { seq: tcp_core::SeqNum(rng.random()), ..syn() };
            rig.say(at(&src), at(HERE), s);
            heard.extend(rig.hear());
        }
        heard.extend(rig.wait(Duration::from_millis(10)));
        half_open_most = half_open_most.max(rig.stack.half_open_count());
        heard.retain(is_honest);
        heard
    };
    for n in 0..HONEST {
        let me = at(&format!("10.0.0.2:{}", 1000 + n));
        // Whatever place the last one left is gone before the next comes.
        pour(&mut rig);
        rig.say(me, at(HERE), syn());
        let mut heard = rig.hear();
        heard.extend(pour(&mut rig));
        resets_to_honest += heard.iter().filter(|h| h.flags.contains(RST)).count();
        let answer = heard.into_iter().find(|h| h.dst == me && h.flags == SYN | ACK);
        let Some(answer) = answer else { continue };
        let text = packet(me, at(HERE), segment(PSH | ACK, IRS + 1, answer.seq + 1), b"hello");
        rig.put(&text);
        resets_to_honest += rig.hear().iter().filter(|h| h.flags.contains(RST)).count();
        if let Some(c) = rig.accept(l) {
            assert_eq!(rig.read(c), b"hello");
            connected += 1;
        }
    }
    Aftermath { rig, connected, half_open_most, resets_to_honest }
}

#[test]
fn every_honest_peer_connects_at_once_in_a_flood() {
    for seed in 1..=3 {
        for cookies in [SynCookies::WhenFull, SynCookies::Always] {
            let after = flood(seed, cookies);
            let c = after.rig.stack.counters();
            println!(
                "seed {seed}, {cookies:?}: {} of {HONEST} connected, {} half-open at most, {} \
                 cookies sent, {} good, {} failed",
                after.connected,
                after.half_open_most,
                c.syn_cookies_sent,
                c.syn_cookies_received,
                c.syn_cookies_failed
            );
            assert_eq!(after.connected, usize::from(HONEST));
            assert_eq!((after.resets_to_honest, c.resets_out), (0, 0));
            assert!(after.half_open_most <= SYN_BACKLOG);
            assert_eq!(
                after.rig.stack.demux_count(),
                after.rig.stack.connection_count() + after.rig.stack.half_open_count()
            );
            assert_eq!(c.syn_cookies_failed, 0);
            assert!(c.syn_cookies_received >= u64::from(HONEST) - 5);
        }
    }
}

// What the cookies are for: without them a flood of this size leaves hardly anybody in.
#[test]
fn without_cookies_the_flood_takes_the_places() {
    let after = flood(1, SynCookies::Never);
    let share = after.connected * 100 / usize::from(HONEST);
    println!("without cookies: {} of {HONEST} connected", after.connected);
    assert!(share < 50, "{share} %");
    assert!(after.rig.drops(PacketDrop::SynQueueFull) > 10_000);
    assert!(after.half_open_most <= SYN_BACKLOG);
    assert_eq!(after.resets_to_honest, 0);
}

#[test]
fn the_tables_are_empty_a_minute_after_the_flood() {
    for cookies in [SynCookies::WhenFull, SynCookies::Never] {
        let mut rig = flood(4, cookies).rig;
        for l in rig.stack.listeners.ids() {
            rig.stack.close_listener(l);
        }
        rig.stack.abort_all();
        rig.hear();
        rig.assert_empty();
        let mut rig = flood(5, cookies).rig;
        rig.stack.abort_all();
        rig.wait_quietly(Duration::from_secs(64));
        rig.assert_empty_but_for_listeners();
    }
}
