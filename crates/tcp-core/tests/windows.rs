//! Does the right edge of the window stay where it was offered, and how often is a closed window
//! probed? Two ends over public calls only (RFC 9293 3.8.6; RFC 7323 2).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tcp_core::buffer::Payload;
use tcp_core::config::{BufferLimits, SocketOptions, TcpConfig};
use tcp_core::connection::{Events, Limits, OpenParams, SendReason, Timer, Transmit};
use tcp_core::listen::HalfOpen;
use tcp_core::wire::{Flags, Options, Segment, Timestamps};
use tcp_core::{Connection, Endpoint, Instant, SeqNum, Tuple};

fn open() -> OpenParams {
    let at = |n, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), port);
    OpenParams {
        tuple: Tuple { local: at(1, 80), remote: at(2, 4000) },
        isn: SeqNum(1000),
        timestamp_offset: 0,
        mtu: 1500,
    }
}

fn segment(seq: u32, ack: u32, flags: Flags, window: u16) -> Segment<'static> {
    Segment {
        src_port: 4000,
        dst_port: 80,
        seq: SeqNum(seq),
        ack: SeqNum(ack),
        flags,
        window,
        ..Segment::default()
    }
}

fn next(c: &mut Connection, now: Instant) -> Option<Transmit> {
    c.poll_transmit(now, &Limits::default(), &mut Payload::new())
}

/// Established with a peer that offers `window`, without options.
fn established(now: Instant, options: SocketOptions, window: u16) -> Connection {
    let config = TcpConfig { options, ..TcpConfig::default() };
    let mut c = Connection::connect(now, open(), Arc::new(config));
    next(&mut c, now).unwrap();
    c.on_segment(now, &segment(5000, 1001, Flags::SYN | Flags::ACK, window), 0);
    while next(&mut c, now).is_some() {}
    c.take_events();
    c
}

// SHLD-14: the unscaled window of a SYN-ACK and the scaled one of an ACK mean the same edge.
#[test]
fn a_half_open_record_takes_no_window_back() {
    for initial in [1, 1000, 4001, 65_535, 1 << 20] {
        let receive_buffer = BufferLimits { initial, max: 6 << 20 };
        let config = TcpConfig { receive_buffer, ..TcpConfig::default() };
        let options = Options {
            window_scale: Some(7),
            timestamps: Some(Timestamps { value: 1, echo: 0 }),
            ..Options::default()
        };
        let syn = Segment { options, ..segment(5000, 0, Flags::SYN, 1000) };
        let half = HalfOpen::on_syn(Instant::ZERO, open(), &syn, 0, &config);
        let offered = u32::from(half.syn_ack(Instant::ZERO, &config).window);
        assert!(offered > 0);
        let later = u32::from(half.ack(Instant::ZERO, &config).window) << config.window_scale();
        assert_eq!(later, offered, "buffer of {initial}");
    }
}

// SHLD-30: the interval doubles although the peer answers every probe; MUST-37: for ever.
#[test]
fn answered_window_probes_back_off() {
    let mut now = Instant::from_millis(1);
    let mut c = established(now, SocketOptions::default(), 0);
    c.write(now, b"held back").unwrap();
    assert!(next(&mut c, now).is_none());
    let mut last = Duration::ZERO;
    for n in 0..40 {
        let d = c.deadlines().find(|d| d.timer == Timer::Probe).unwrap();
        let wait = d.at.since(now);
        let doubled = (last * 2).min(TcpConfig::default().rto_max);
        assert!(n == 0 || wait == doubled, "probe {n} after {wait:?}, not {doubled:?}");
        (last, now) = (wait, d.at);
        c.on_timeout(now);
        assert_eq!(next(&mut c, now).unwrap().reason, SendReason::WindowProbe);
        assert!(next(&mut c, now).is_none());
        c.on_segment(now, &segment(5001, 1001, Flags::ACK, 0), 0);
        assert!(next(&mut c, now).is_none());
    }
    assert_eq!(c.end(), None);
    c.on_segment(now, &segment(5001, 1001, Flags::ACK, 1000), 0);
    assert_eq!(next(&mut c, now).unwrap().reason, SendReason::Text);
}

#[test]
fn the_smallest_buffers_hold_something() {
    let now = Instant::from_millis(1);
    let none =
        SocketOptions { send_buffer: Some(0), receive_buffer: Some(0), ..SocketOptions::default() };
    let mut c = established(now, SocketOptions::default(), 1000);
    c.set_options(now, |o| *o = none.clone());
    assert!(c.write(now, &[1; 10]).unwrap() > 0);
    assert!(c.info().receive_buffer >= 1024);
    c.set_options(now, |o| o.send_buffer = Some(usize::MAX));
    assert!(c.info().send_buffer <= 1 << 30);
}

#[test]
fn a_larger_send_buffer_wakes_a_writer() {
    let now = Instant::from_millis(1);
    let small = SocketOptions { send_buffer: Some(2000), ..SocketOptions::default() };
    let mut c = established(now, SocketOptions::default(), 0);
    c.set_options(now, |o| *o = small.clone());
    assert_eq!(c.write(now, &[1; 3000]).unwrap(), 2000);
    c.take_events();
    c.set_options(now, |o| o.send_buffer = Some(9000));
    assert!(c.take_events().contains(Events::WRITABLE));
}

#[test]
fn closing_wakes_a_writer() {
    let now = Instant::from_millis(1);
    let mut c = established(now, SocketOptions::default(), 0);
    c.close_write().unwrap();
    assert!(c.take_events().contains(Events::WRITABLE));
}
