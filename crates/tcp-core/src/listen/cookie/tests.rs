//! Does a cookie bring back what it was made of, and nothing else anything?

use alloc::sync::Arc;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::connection::{Connection, Limits};
use crate::wire::{Options, Timestamps};
use crate::{Endpoint, buffer::Payload};

const OFFSET: u32 = 0xdead_beef;

fn at(secs: u64) -> Instant {
    Instant::from_millis(secs * 1000 + 17)
}

fn tuple(port: u16) -> Tuple {
    Tuple {
        local: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 80),
        remote: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), port),
    }
}

fn open(t: Tuple) -> OpenParams {
    OpenParams { tuple: t, isn: SeqNum(0), timestamp_offset: OFFSET, mtu: 1500 }
}

fn keys() -> CookieKeys {
    CookieKeys::new([3; 16])
}

fn syn(options: Options<'static>) -> Segment<'static> {
    Segment {
        seq: SeqNum(u32::MAX - 1),
        flags: Flags::SYN,
        window: 64_000,
        options,
        ..Segment::default()
    }
}

/// What Linux offers.
fn rich() -> Options<'static> {
    Options {
        mss: Some(1460),
        window_scale: Some(9),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: 77_000, echo: 0 }),
        ..Options::default()
    }
}

fn plain() -> Options<'static> {
    Options { mss: Some(1460), ..Options::default() }
}

/// The last ACK that an honest peer sends for a SYN-ACK.
fn last_ack(syn: &Segment<'_>, answer: &Segment<'_>) -> Segment<'static> {
    let echo = answer.options.timestamps;
    Segment {
        seq: syn.seq + 1,
        ack: answer.seq + 1,
        flags: Flags::ACK,
        window: 500,
        options: Options {
            timestamps: echo.map(|t| Timestamps { value: 77_050, echo: t.value }),
            ..Options::default()
        },
        ..Segment::default()
    }
}

struct Handshake {
    config: TcpConfig,
    syn: Segment<'static>,
    answer: Segment<'static>,
    ack: Segment<'static>,
}

fn handshake(keys: &CookieKeys, now: Instant, options: Options<'static>) -> Handshake {
    let config = TcpConfig::default();
    let syn = syn(options);
    let answer = keys.syn_ack(now, open(tuple(4000)), &syn, &config).unwrap();
    let ack = last_ack(&syn, &answer);
    Handshake { config, syn, answer, ack }
}

impl Handshake {
    fn check(&self, keys: &CookieKeys, now: Instant) -> Option<HalfOpen> {
        keys.check(now, open(tuple(4000)), &self.ack, &self.config)
    }
}

#[test]
fn options_come_back_with_timestamps() {
    let h = handshake(&keys(), at(100), rich());
    let o = &h.answer.options;
    assert_eq!((o.window_scale, o.sack_permitted), (Some(7), true));
    assert_eq!((o.mss, h.answer.ack), (Some(1460), h.syn.seq + 1));
    assert_eq!(o.timestamps.unwrap().echo, 77_000);
    let half = h.check(&keys(), at(101)).unwrap();
    assert_eq!((half.isn, half.irs), (h.answer.seq, h.syn.seq));
    let expected = PeerSyn {
        mss: Some(1460),
        window_scale: Some(9),
        sack: true,
        timestamp: Some(77_050),
        window: 0,
    };
    assert_eq!(half.peer, expected);
}

#[test]
fn without_timestamps_only_the_mss_is_kept_and_nothing_else_is_offered() {
    let without = Options { timestamps: None, ..rich() };
    let h = handshake(&keys(), at(100), without);
    let o = &h.answer.options;
    assert_eq!((o.window_scale, o.sack_permitted, o.timestamps), (None, false, None));
    let half = h.check(&keys(), at(101)).unwrap();
    let expected = PeerSyn { mss: Some(1460), ..PeerSyn::default() };
    assert_eq!(half.peer, expected);
}

#[test]
fn what_we_switched_off_is_not_offered_by_a_cookie() {
    let all = TcpConfig::default;
    for (config, scale, sack) in [
        (TcpConfig { window_scaling: false, ..all() }, None, true),
        (TcpConfig { sack: false, ..all() }, Some(9), false),
        (TcpConfig { timestamps: false, ..all() }, None, false),
    ] {
        let syn = syn(rich());
        let answer = keys().syn_ack(at(5), open(tuple(1)), &syn, &config).unwrap();
        assert_eq!(answer.options.sack_permitted, sack);
        assert_eq!(answer.options.window_scale.is_some(), scale.is_some());
        let ack = last_ack(&syn, &answer);
        let half = keys().check(at(6), open(tuple(1)), &ack, &config).unwrap();
        assert_eq!((half.peer.window_scale, half.peer.sack), (scale, sack));
    }
}

// MUST-15, MUST-16: never more than the peer takes.
#[test]
fn the_mss_is_rounded_down() {
    for (said, kept) in [
        (Some(128), Some(128)),
        (Some(535), Some(128)),
        (Some(536), Some(536)),
        (Some(1380), Some(1300)),
        (Some(1459), Some(1440)),
        (Some(1460), Some(1460)),
        (Some(8960), Some(8940)),
        (Some(65_495), Some(8940)),
        (None, Some(536)),
        (Some(127), None),
    ] {
        let syn = syn(Options { mss: said, ..Options::default() });
        let config = TcpConfig::default();
        let answer = keys().syn_ack(at(9), open(tuple(1)), &syn, &config);
        let half =
            answer.and_then(|a| keys().check(at(9), open(tuple(1)), &last_ack(&syn, &a), &config));
        assert_eq!(half.and_then(|h| h.peer.mss), kept, "{said:?}");
    }
}

#[test]
fn it_is_good_for_64_to_128_seconds() {
    for made in [64, 100, 127] {
        for options in [rich(), plain()] {
            let h = handshake(&keys(), at(made), options);
            assert!(h.check(&keys(), at(191)).is_some(), "the last second of the next period");
            for late in [192, 256, 64 * 256 + 100, 64 * 257 + 100] {
                assert!(h.check(&keys(), at(late)).is_none(), "made {made}, came {late}");
            }
        }
    }
}

#[test]
fn it_is_good_for_its_connection_only() {
    let h = handshake(&keys(), at(100), rich());
    let with = |change: fn(&mut Segment<'static>)| {
        let mut ack = h.ack;
        change(&mut ack);
        keys().check(at(100), open(tuple(4000)), &ack, &h.config)
    };
    assert!(with(|_| ()).is_some());
    assert!(with(|s| s.payload = b"text").is_some());
    assert!(with(|s| s.flags = Flags::ACK | Flags::FIN | Flags::PSH).is_some());
    // Another SYN of the same peer, a wrong acknowledgement, not an ACK.
    assert!(with(|s| s.seq += 1).is_none());
    assert!(with(|s| s.seq = s.seq - 1).is_none());
    assert!(with(|s| s.ack = s.ack - 1).is_none());
    assert!(with(|s| s.ack += 1 << 24).is_none());
    assert!(with(|s| s.flags = Flags::RST | Flags::ACK).is_none());
    assert!(with(|s| s.flags = Flags::SYN | Flags::ACK).is_none());
    assert!(with(|s| s.flags = Flags::PSH).is_none());
    // Options that were not agreed on.
    assert!(with(|s| s.options.timestamps = None).is_none());
    assert!(with(|s| s.options.timestamps.as_mut().unwrap().echo ^= 1).is_none());
    assert!(with(|s| s.options.timestamps.as_mut().unwrap().echo ^= 0x20).is_none());
    // Another port, another key, another scale of ours.
    assert!(keys().check(at(100), open(tuple(4001)), &h.ack, &h.config).is_none());
    assert!(h.check(&CookieKeys::new([4; 16]), at(100)).is_none());
    let mut other = h.config.clone();
    other.receive_buffer.max = 1 << 16;
    assert!(keys().check(at(100), open(tuple(4000)), &h.ack, &other).is_none());
}

#[test]
fn ipv6_peers_have_cookies_of_their_own() {
    let v6 = |last| Endpoint::new(IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last)), 80);
    let t = Tuple { local: v6(1), remote: v6(2) };
    let other = Tuple { remote: v6(3), ..t };
    let (syn, config) = (syn(Options::default()), TcpConfig::default());
    let answer = keys().syn_ack(at(1), open(t), &syn, &config).unwrap();
    let ack = last_ack(&syn, &answer);
    let half = keys().check(at(1), open(t), &ack, &config).unwrap();
    assert_eq!(half.peer.mss, Some(1220));
    assert!(keys().check(at(1), open(other), &ack, &config).is_none());
}

#[test]
fn a_new_key_drops_no_cookie_on_its_way() {
    let mut k = keys();
    let before = handshake(&k, at(64 * 10), rich());
    assert!(k.rotate(at(64 * 10 + 1), [9; 16]));
    // The period that has begun stays with its key.
    let same = handshake(&k, at(64 * 10 + 2), rich());
    assert!(!k.rotate(at(64 * 10 + 3), [10; 16]), "a change that has not taken hold yet");
    assert!(before.check(&k, at(64 * 11 + 63)).is_some());
    assert!(same.check(&k, at(64 * 11 + 63)).is_some());
    let after = handshake(&k, at(64 * 11), rich());
    assert!(!k.rotate(at(64 * 11), [11; 16]), "cookies of the last period need the old key");
    assert!(k.rotate(at(64 * 12), [11; 16]));
    assert!(after.check(&k, at(64 * 12 + 63)).is_some());
    assert!(after.check(&keys(), at(64 * 11)).is_none(), "the key is another one");
    assert_eq!(k.age(at(64 * 20)), 7);
}

// RFC 7323 5: a later timestamp never looks older than the cookie's.
#[test]
fn the_stamp_is_never_ahead_of_the_clock() {
    for ms in (0..200).chain([u64::from(u32::MAX) - 3, u64::from(u32::MAX) + 5]) {
        for bits in [0, 7, 15, 16, 25, 31] {
            let now = Instant::from_millis(ms);
            let behind = (ms as u32).wrapping_sub(stamped(now, bits));
            assert!(behind < 64, "{ms} {bits}");
            assert_eq!(unstamp(now, stamped(now, bits)), Some(bits));
        }
    }
}

#[test]
fn the_connection_goes_on_as_if_there_had_been_a_record() {
    let h = handshake(&keys(), at(100), rich());
    let ack = Segment { payload: b"GET /", window: 500, ..h.ack };
    let half = keys().check(at(101), open(tuple(4000)), &ack, &h.config).unwrap();
    // The same right edge as the SYN-ACK offered.
    assert_eq!(half.window_edge(), h.syn.seq + 1 + u32::from(h.answer.window));
    let mut c = Connection::from_half_open(at(101), half, 1500, Arc::new(h.config));
    c.on_segment(at(101), &ack, 0);
    let mut text = [0; 16];
    assert_eq!(c.read(at(101), &mut text), Ok(5));
    assert_eq!(&text[..5], b"GET /");
    let info = c.info();
    assert!(info.negotiated.sack && info.negotiated.timestamps && info.negotiated.window_scaling);
    assert_eq!((c.snd.una, c.snd.wnd, c.snd.shift), (h.answer.seq + 1, 500 << 9, 9));
    // Nothing was measured: the timestamp in the SYN-ACK was up to 64 ms off.
    assert_eq!((info.rtt, info.min_rtt), Default::default());
    assert_eq!(c.write(at(101), &[1; 3000]), Ok(3000));
    let sent = c.poll_transmit(at(101), &Limits::default(), &mut Payload::new()).unwrap();
    assert_eq!((sent.segment.seq, sent.payload_len), (h.answer.seq + 1, 1448));
    assert_eq!(u32::from(sent.segment.window) << 7, 131_072);
}

proptest! {
    // A guess is right once in 2^28; a wrong acceptance here would be a bug, not luck.
    #[test]
    fn no_arbitrary_ack_is_taken(seq: u32, ack: u32, echo in any::<Option<u32>>(), secs in 0u64..1000) {
        let timestamps = echo.map(|echo| Timestamps { value: 1, echo });
        let s = Segment {
            seq: SeqNum(seq),
            ack: SeqNum(ack),
            flags: Flags::ACK,
            options: Options { timestamps, ..Options::default() },
            ..Segment::default()
        };
        let config = TcpConfig::default();
        prop_assert!(keys().check(at(secs), open(tuple(4000)), &s, &config).is_none());
    }

    #[test]
    fn every_honest_ack_is_taken(
        seq: u32,
        port: u16,
        mss in 128u16..,
        scale in any::<Option<u8>>(),
        sack: bool,
        value in any::<Option<u32>>(),
        ms in 0u64..10_000_000,
        later in 0u64..64_000,
    ) {
        let options = Options {
            mss: Some(mss),
            window_scale: scale,
            sack_permitted: sack,
            timestamps: value.map(|value| Timestamps { value, echo: 0 }),
            ..Options::default()
        };
        let syn = Segment { seq: SeqNum(seq), ..syn(options) };
        let (now, config) = (Instant::from_millis(ms), TcpConfig::default());
        let answer = keys().syn_ack(now, open(tuple(port)), &syn, &config).unwrap();
        let ack = last_ack(&syn, &answer);
        let then = Instant::from_millis(ms + later);
        let half = keys().check(then, open(tuple(port)), &ack, &config).expect("honest");
        prop_assert!(half.peer.mss.unwrap() <= mss);
        let agreed = value.is_some();
        prop_assert_eq!(half.peer.window_scale, scale.filter(|_| agreed).map(|s| s.min(14)));
        prop_assert_eq!(half.peer.sack, sack && agreed);
    }
}
