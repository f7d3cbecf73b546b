//! What do the two SYNs agree on? MSS, window scale, SACK and timestamps (RFC 9293 3.7.1,
//! RFC 7323 2 and 3, RFC 2018 2), and how the agreement shows in what is sent.

use alloc::sync::Arc;

use super::super::{Connection, State, Verdict};
use super::harness::*;
use crate::Tuple;
use crate::config::TcpConfig;
use crate::error::DropReason;
use crate::listen::HalfOpen;
use crate::wire::{Flags, Options, SackBlock, SackBlocks, Segment, Timestamps};

fn plain() -> TcpConfig {
    TcpConfig { timestamps: false, ..TcpConfig::default() }
}

/// A connection over `tuple` whose peer's SYN-ACK carries `options`.
fn negotiated(tuple: Tuple, config: TcpConfig, options: Options<'static>) -> Peer {
    let (mut p, _) = Peer::connect(tuple, ISNS[1], config);
    p.options = options;
    p.accept();
    p
}

/// Length of the largest segment we send.
fn largest_sent(p: &mut Peer) -> usize {
    p.c.write(p.now, &[1; 9000]).expect("write");
    p.drain().iter().map(|s| s.text.len()).max().unwrap_or(0)
}

#[test]
fn every_syn_carries_the_mss_of_the_path() {
    // MUST-14, MUST-67, SHLD-5, MAY-3, SHLD-6: 1500 less both headers without options.
    for (tuple, mss) in [(v4(), 1460), (v6(), 1440)] {
        for config in [plain(), TcpConfig::default()] {
            let (mut p, syn) = Peer::connect(tuple, ISNS[0], config.clone());
            assert_eq!(syn.head.options.mss, Some(mss));
            let simultaneous = p.give(SYN, b"");
            assert_eq!(simultaneous.one().head.options.mss, Some(mss));
            let seg = p.segment(SYN);
            let half = HalfOpen::on_syn(p.now, params(tuple, ISNS[0].ours), &seg, 0, &config);
            assert_eq!(half.syn_ack(p.now, &config).options.mss, Some(mss));
            assert_eq!(half.ack(p.now, &config).options.mss, None);
        }
    }
}

#[test]
fn only_syns_carry_syn_options() {
    // MUST-65
    let mut p = Pair::established(ISNS[1]);
    p.write(0, &[1; 20_000]);
    p.run(secs(1));
    p.read(1);
    for host in 0..2 {
        p.c(host).close_write().expect("close");
    }
    p.run(secs(1));
    assert!(p.trace.len() > 10);
    for (_, s) in &p.trace {
        let o = &s.head.options;
        let any = o.mss.is_some() || o.window_scale.is_some() || o.sack_permitted;
        assert_eq!(any, s.head.flags.contains(Flags::SYN), "{s:?}");
    }
}

#[test]
fn without_an_mss_option_segments_keep_to_the_default() {
    // MUST-15: 536 over IPv4, 1220 over IPv6.
    for (tuple, mss) in [(v4(), 536), (v6(), 1220)] {
        let mut p = negotiated(tuple, plain(), Options::default());
        assert_eq!(largest_sent(&mut p), mss);
    }
}

#[test]
fn segments_are_the_smaller_of_the_peers_mss_and_the_path_less_options() {
    // MUST-16
    for (tuple, offered, sent) in [
        (v4(), 1000, 1000),
        (v4(), 9000, 1460),
        (v4(), 65_535, 1460),
        (v6(), 9000, 1440),
        (v6(), 1000, 1000),
        // A peer that asks for next to nothing gets 48 octets, so that it can't drown us in headers.
        (v4(), 0, 48),
        (v4(), 1, 48),
    ] {
        let mss = Options { mss: Some(offered), ..Options::default() };
        let mut p = negotiated(tuple, plain(), mss);
        assert_eq!(largest_sent(&mut p), sent, "{offered}");
        let ts = Options { timestamps: Some(Timestamps { value: 1, echo: 0 }), ..mss };
        let mut p = negotiated(tuple, TcpConfig::default(), ts);
        assert_eq!(largest_sent(&mut p), sent.saturating_sub(12).max(48), "{offered}");
    }
}

#[test]
fn sack_blocks_make_text_shorter() {
    // MUST-16: what the blocks take is not text.
    let options = Options { mss: Some(1000), sack_permitted: true, ..Options::default() };
    let mut p = negotiated(v4(), plain(), options);
    let hole = Segment { seq: p.nxt + 5, payload: b"later", ..p.segment(ACK) };
    p.c.on_segment(p.now, &hole, 0);
    assert_eq!(largest_sent(&mut p), 1000 - 12);
    p.give(ACK, b"first");
    assert_eq!(largest_sent(&mut p), 1000);
}

#[test]
fn scale_needs_both_sides() {
    // RFC 7323 2.2
    for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let config = TcpConfig { window_scaling: ours, ..plain() };
        let (mut p, syn) = Peer::connect(v4(), ISNS[1], config);
        assert_eq!(syn.head.options.window_scale, ours.then_some(7));
        p.options.window_scale = theirs.then_some(3);
        p.accept();
        let both = ours && theirs;
        assert_eq!(p.c.info().negotiated.window_scaling, both);
        // The SYN-ACK's own window is never scaled.
        assert_eq!(p.c.snd.wnd, 20_000);
        let wnd = Segment { window: 1000, ..p.segment(ACK) };
        p.give_segment(&wnd);
        assert_eq!(p.c.snd.wnd, if both { 8000 } else { 1000 });
        // What we offer: 128 KiB, in units of 128 or cut to 64 KiB.
        assert_eq!(p.c.rcv.window(), if both { 131_072 } else { 65_535 });
    }
}

#[test]
fn window_of_every_syn_is_unscaled() {
    // RFC 7323 2.2
    let config = TcpConfig::default();
    let (mut p, syn) = Peer::connect(v4(), ISNS[1], config.clone());
    assert_eq!(syn.head.window, 65_535);
    p.options.window_scale = Some(14);
    let seg = Segment { window: 700, ..p.segment(SYN) };
    p.nxt += 1;
    let reply = p.give_segment(&seg);
    assert_eq!(reply.one().head.window, 65_535);
    assert_eq!(p.c.snd.wnd, 700);

    let half = HalfOpen::on_syn(p.now, params(v4(), ISNS[1].ours), &seg, 0, &config);
    // A multiple of the unit, so that the ACK's scaled window means the same edge (SHLD-14).
    assert_eq!(half.syn_ack(p.now, &config).window, 65_535 >> 7 << 7);
    assert_eq!(half.syn_ack(p.now, &config).options.window_scale, Some(7));
    // But that of its ACK is.
    assert_eq!(half.ack(p.now, &config).window, 65_535 >> 7);
    let c = Connection::from_half_open(p.now, half, 1500, Arc::new(config));
    assert_eq!((c.snd.wnd, c.snd.shift), (700, 14));
}

#[test]
fn a_shift_above_14_counts_as_14() {
    // RFC 7323 2.3
    for shift in [14, 15, 255] {
        let (mut p, _) = Peer::connect(v4(), ISNS[1], plain());
        p.options.window_scale = Some(shift);
        p.accept();
        let wnd = Segment { window: 65_535, ..p.segment(ACK) };
        p.give_segment(&wnd);
        // MUST-1, REC-1: as an unsigned 32-bit number.
        assert_eq!(p.c.snd.wnd, 65_535 << 14);
    }
}

#[test]
fn sack_needs_both_sides() {
    // RFC 2018 2
    for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let config = TcpConfig { sack: ours, ..plain() };
        let (mut p, syn) = Peer::connect(v4(), ISNS[1], config);
        assert_eq!(syn.head.options.sack_permitted, ours);
        p.options.sack_permitted = theirs;
        p.accept();
        let hole = Segment { seq: p.nxt + 5, payload: b"later", ..p.segment(ACK) };
        let reply = p.give_segment(&hole);
        let mut blocks = SackBlocks::default();
        if ours && theirs {
            blocks.push(SackBlock { start: p.nxt + 5, end: p.nxt + 10 });
        }
        assert_eq!(reply.one().head.options.sack, blocks);
    }
}

#[test]
fn timestamps_need_both_sides() {
    // RFC 7323 3.2
    for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let config = TcpConfig { timestamps: ours, ..TcpConfig::default() };
        let (mut p, syn) = Peer::connect(v4(), ISNS[1], config);
        let value = 5000 + 77;
        let first = ours.then_some(Timestamps { value, echo: 0 });
        assert_eq!(syn.head.options.timestamps, first);
        p.options.timestamps = theirs.then_some(Timestamps { value: 9, echo: value });
        let reply = p.give(SYN_ACK, b"");
        let expected = (ours && theirs).then_some(Timestamps { value, echo: 9 });
        assert_eq!(reply.one().head.options.timestamps, expected);
        assert_eq!(p.c.info().negotiated.timestamps, expected.is_some());
    }
}

#[test]
fn a_syn_ack_offers_only_what_the_syn_offered() {
    // RFC 7323 2.2, 3.2; RFC 2018 2
    let config = TcpConfig::default();
    for on in [true, false] {
        let options = Options {
            mss: Some(1000),
            window_scale: on.then_some(2),
            sack_permitted: on,
            timestamps: on.then_some(Timestamps { value: 9, echo: 0 }),
            ..Options::default()
        };
        let (mut p, _) = Peer::connect(v4(), ISNS[1], config.clone());
        p.options = options;
        let syn = p.segment(SYN);
        let half = HalfOpen::on_syn(p.now, params(v4(), ISNS[1].ours), &syn, 0, &config);
        let passive = half.syn_ack(p.now, &config).options;
        let simultaneous = p.give(SYN, b"").one().head.options;
        for o in [passive, simultaneous] {
            assert_eq!(o.window_scale, on.then_some(7));
            assert_eq!(o.sack_permitted, on);
            assert_eq!(o.timestamps, on.then_some(Timestamps { value: 5077, echo: 9 }));
        }
    }
}

/// A connection with timestamps whose peer's clock stands at `value`.
fn stamped(value: u32) -> Peer {
    let mut p = Peer::connect(v4(), ISNS[1], TcpConfig::default()).0;
    p.options.timestamps = Some(Timestamps { value, echo: 5077 });
    p.accept();
    p
}

fn at(value: u32) -> Options<'static> {
    Options { timestamps: Some(Timestamps { value, echo: 5077 }), ..Options::default() }
}

#[test]
fn an_old_timestamp_is_answered_and_dropped() {
    // RFC 7323 5.3 R1; also over the wrap of the peer's clock.
    for clock in [1000, 0, 3] {
        let mut p = stamped(clock);
        for age in [1, 10, 0x7fff_ffff] {
            let seg =
                Segment { payload: b"old", options: at(clock.wrapping_sub(age)), ..p.segment(ACK) };
            let reply = p.give_segment(&seg);
            assert_eq!(reply.verdict, Verdict::Dropped(DropReason::Paws));
            assert_eq!(reply.one().head.ack, p.nxt);
            assert_eq!(p.c.readable(), 0);
        }
        let seg = Segment { payload: b"new", options: at(clock), ..p.segment(ACK) };
        assert_eq!(p.give_segment(&seg).verdict, Verdict::Accepted);
    }
}

#[test]
fn a_reset_is_not_too_old() {
    // RFC 7323 5.2: resets are exempt from PAWS.
    let mut p = stamped(1000);
    let rst = Segment { options: at(1), ..p.segment(RST) };
    p.give_segment(&rst);
    assert_eq!(p.c.state(), State::Closed);
}

#[test]
fn a_timestamp_is_trusted_for_24_days() {
    // RFC 7323 5.5
    let mut p = stamped(0x9000_0000);
    p.wait(secs(24 * 24 * 3600));
    let seg = Segment { payload: b"back", options: at(5), ..p.segment(ACK) };
    assert_eq!(p.give_segment(&seg).verdict, Verdict::Accepted);
    assert_eq!(p.read(), b"back");
}

#[test]
fn only_a_segment_with_a_good_ack_moves_the_echo() {
    // RFC 7323 4.3 after RFC 5961 5.2: who guesses the sequence number alone can't make us take
    // the peer's own segments for old ones.
    let mut p = stamped(1000);
    let none = Segment { options: at(5000), ..p.segment(Flags::NONE) };
    let unsent = Segment { options: at(5000), ack: p.segment(ACK).ack + 1, ..p.segment(ACK) };
    for forged in [none, unsent] {
        assert!(matches!(p.give_segment(&forged).verdict, Verdict::Dropped(_)));
        let seg = Segment { payload: b"mine", options: at(1001), ..p.segment(ACK) };
        assert_eq!(p.give_segment(&seg).verdict, Verdict::Accepted);
        p.nxt += 4;
    }
    // Nor does a copy of the last segment without a good ACK.
    let copy = Segment { payload: b"mine", seq: p.nxt - 4, options: at(5000), ..none };
    assert!(matches!(p.give_segment(&copy).verdict, Verdict::Dropped(_)));
    let seg = Segment { payload: b"mine", options: at(1001), ..p.segment(ACK) };
    assert_eq!(p.give_segment(&seg).verdict, Verdict::Accepted);
}

#[test]
fn echo_is_of_the_segment_that_was_acknowledged_first() {
    // RFC 7323 4.3: with a delayed ACK, the earlier of two segments.
    let mut p = stamped(1000);
    for (value, text) in [(1001, &[1; 1000]), (1002, &[2; 1000])] {
        let seg = Segment { payload: text, options: at(value), ..p.segment(ACK) };
        p.nxt += 1000;
        p.c.on_segment(p.now, &seg, 0);
    }
    let sent = p.drain();
    assert_eq!(sent[0].head.options.timestamps.map(|t| t.echo), Some(1001));
}
