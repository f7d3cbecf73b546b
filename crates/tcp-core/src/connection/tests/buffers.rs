//! How much memory does a connection hold, and how do its buffers grow? (RFC 9293 3.8.6, 3.9.1)

use core::time::Duration;

use super::super::{Events, Timer};
use super::wire::{MSS, Peer, RTT, Wire, ms};
use crate::config::{BufferLimits, TcpConfig};
use crate::error::UserError;
use crate::memory::{Level, Memory, MemoryLimits};

fn wire(receive: BufferLimits, send: BufferLimits) -> Wire {
    let config = TcpConfig { receive_buffer: receive, send_buffer: send, ..TcpConfig::default() };
    Wire::open(Peer { window: 1 << 20, ..Peer::default() }, config)
}

const SMALL: BufferLimits = BufferLimits { initial: 20_000, max: 20_000 };

#[test]
fn an_idle_connection_is_small() {
    let size = core::mem::size_of::<super::super::Connection>();
    std::println!("Connection: {size} octets");
    assert!(size <= 800, "{size}");
}

#[test]
fn there_are_no_buffers_before_text_and_none_after_a_second_of_quiet() {
    let mut w = Wire::new();
    assert_eq!(w.conn.memory(), 0);
    w.write(100);
    assert!(w.conn.memory() > 0);
    w.sends();
    w.ack(100);
    w.text(0, 100);
    w.read(100);
    w.sends();
    let kept = w.conn.memory();
    assert!((1..3000).contains(&kept), "a busy connection keeps what it will need again: {kept}");
    w.wait(ms(1100));
    assert_eq!((w.conn.memory(), w.deadline(Timer::Trim)), (0, None));
}

const LARGE: BufferLimits = BufferLimits { initial: 1 << 20, max: 1 << 20 };

/// Writes so much, and all of it is sent and acknowledged.
fn upload(w: &mut Wire, octets: u32) {
    let end = w.conn.info().stats.octets_acked + u64::from(octets);
    assert_eq!(w.write(octets), octets);
    while w.conn.info().stats.octets_acked < end {
        let sent = w.sends().last().expect("what is left goes").range().1;
        w.now += ms(1);
        w.ack(sent);
    }
    w.sends();
}

#[test]
fn spare_chunks_are_kept_in_use_and_given_back_after_a_second_of_quiet() {
    let mut w = wire(SMALL, LARGE);
    upload(&mut w, 600_000);
    let kept = w.conn.memory();
    assert!((500_000..700_000).contains(&kept), "{kept}");
    w.wait(ms(900));
    upload(&mut w, 600_000);
    w.wait(ms(500));
    assert!(w.conn.memory() > 500_000, "not quiet for a second");
    w.wait(ms(1600));
    assert_eq!((w.conn.memory(), w.deadline(Timer::Trim)), (0, None));
}

#[test]
fn spare_chunks_are_given_back_at_once_while_memory_is_short() {
    let memory = Memory::new(MemoryLimits { low: 1000, pressure: 800_000, high: 2_000_000 });
    let [mut w, mut other] = [(); 2].map(|()| {
        let mut w = wire(SMALL, LARGE);
        w.conn.join_memory(&memory);
        w
    });
    upload(&mut w, 600_000);
    other.write(600_000);
    assert_eq!(memory.level(), Level::Pressure);
    assert!(w.conn.relieve() > 500_000, "when the stack asks for it");
    assert_eq!(w.conn.memory(), 0);
    upload(&mut w, 300_000);
    assert_eq!((memory.level(), w.conn.memory()), (Level::Pressure, 0), "and without that");
}

#[test]
fn a_large_ring_is_given_back_after_a_second_of_quiet() {
    let mut w = Wire::new();
    for i in 0..40 {
        w.text(i * MSS, MSS);
    }
    w.read(100_000);
    w.sends();
    assert!(w.conn.info().memory >= 40_000, "a busy connection keeps it");
    w.wait(ms(900));
    w.text(40_000, 100);
    w.read(100);
    w.wait(ms(900));
    assert!(w.conn.info().memory > 0, "not quiet for a second");
    w.wait(ms(1100));
    assert_eq!((w.conn.info().memory, w.deadline(Timer::Trim)), (0, None));
}

#[test]
fn a_full_send_buffer_blocks_until_a_third_is_free() {
    let mut w = wire(SMALL, SMALL);
    assert_eq!(w.write(30_000), 20_000);
    assert_eq!(w.conn.write(w.now, &[0]), Err(UserError::WouldBlock));
    assert_eq!(w.conn.check_writable(), Err(UserError::WouldBlock));
    assert_eq!(w.conn.write(w.now, &[]), Ok(0));
    w.conn.take_events();
    w.sends();
    w.now += RTT;
    w.ack(5_000);
    assert!(!w.conn.take_events().contains(Events::WRITABLE), "a quarter is too little to wake");
    assert_eq!(w.conn.check_writable(), Ok(()), "but it can be used");
    w.ack(7_000);
    assert!(w.conn.take_events().contains(Events::WRITABLE));
}

#[test]
fn the_send_buffer_follows_the_congestion_window_to_its_maximum() {
    let mut w = wire(SMALL, BufferLimits { initial: 20_000, max: 100_000 });
    assert_eq!(w.conn.info().send_buffer, 20_000);
    w.grow_window(30_000);
    let info = w.conn.info();
    assert!(info.send_buffer >= 2 * 20_000, "{}", info.send_buffer);
    w.grow_window(80_000);
    assert_eq!(w.conn.info().send_buffer, 100_000);
}

#[test]
fn a_fixed_send_buffer_stays() {
    let mut w = wire(SMALL, BufferLimits { initial: 20_000, max: 100_000 });
    w.set(|o| o.send_buffer = Some(40_000));
    assert_eq!(w.write(50_000), 40_000);
    for _ in 0..6 {
        let Some(last) = w.sends().pop() else { break };
        w.now += RTT;
        w.ack(last.range().1);
    }
    assert_eq!(w.conn.info().send_buffer, 40_000);
}

/// The peer fills our window once a round trip, for `rounds`; the application reads `share` of
/// four quarters of it.
fn download(w: &mut Wire, rounds: u32, share: usize) {
    let mut next = w.conn.info().stats.octets_in as u32;
    for _ in 0..rounds {
        let window = w.conn.info().receive_window;
        for _ in 0..window / MSS {
            w.text(next, MSS);
            next += MSS;
        }
        w.now += RTT / 4;
        w.read((window / MSS * MSS) as usize * share / 4);
        w.sends();
        w.now += RTT - RTT / 4;
    }
}

#[test]
fn the_receive_buffer_grows_for_a_fast_reader_and_not_beyond_its_maximum() {
    let mut w = wire(BufferLimits { initial: 20_000, max: 200_000 }, SMALL);
    download(&mut w, 3, 4);
    let grown = w.conn.info().receive_buffer;
    assert!(grown >= 40_000, "{grown}");
    download(&mut w, 12, 4);
    let info = w.conn.info();
    assert_eq!(info.receive_buffer, 200_000);
    assert!(info.receive_window <= 200_000 + 128, "rounding of the scale at most");
}

#[test]
fn the_receive_buffer_does_not_grow_for_a_slow_reader() {
    let mut w = wire(BufferLimits { initial: 20_000, max: 200_000 }, SMALL);
    download(&mut w, 12, 1);
    assert!(w.conn.info().receive_buffer <= 20_000 * 2);
}

#[test]
fn a_fixed_receive_buffer_stays() {
    let mut w = wire(BufferLimits { initial: 20_000, max: 200_000 }, SMALL);
    w.set(|o| o.receive_buffer = Some(30_000));
    download(&mut w, 12, 4);
    let info = w.conn.info();
    assert_eq!(info.receive_buffer, 30_000);
    assert!(info.receive_window <= 30_000 + 128);
}

/// The send buffer that is tuned up to by much text over a path of so long a round trip, beside other
/// connections that hold 5 MiB, or by itself.
fn tuned(rtt: Duration, crowded: bool) -> usize {
    let memory = Memory::new(MemoryLimits::default());
    let mut other = wire(SMALL, BufferLimits { initial: 5 << 20, max: 5 << 20 });
    other.conn.join_memory(&memory);
    if crowded {
        assert_eq!(other.write(5 << 20), 5 << 20);
    }
    let mut w = wire(SMALL, BufferLimits { initial: 16 << 10, max: 4 << 20 });
    w.conn.join_memory(&memory);
    for _ in 0..100 {
        w.write(1 << 20);
        let sent = w.sends();
        w.now += rtt;
        for packet in sent {
            w.ack(packet.range().1);
        }
    }
    w.conn.info().send_buffer
}

#[test]
fn a_short_path_gets_a_large_send_buffer_only_while_little_is_held() {
    let (short, long) = (Duration::from_micros(100), ms(20));
    assert!(tuned(short, false) > 1 << 20);
    // A little more than the 256 KiB: the handshake was slow, and the path seemed long.
    assert!(tuned(short, true) < 512 << 10);
    assert!(tuned(long, true) > 1 << 20, "a long path needs it, whatever it costs");
}

// What arrives can't make us hold more than the window that was offered.
#[test]
fn an_unread_flood_is_bounded_by_the_window() {
    let mut w = wire(SMALL, SMALL);
    for i in 0..100 {
        w.text(i * MSS, MSS);
        w.sends();
    }
    let info = w.conn.info();
    assert!(info.receive_queue <= 20_000 + 128, "{}", info.receive_queue);
    assert!(info.memory <= 32_768);
}

// TCP_NOTSENT_LOWAT: what is in flight does not count, what waits to be sent does.
#[test]
fn a_writer_stops_at_the_low_mark_of_what_is_unsent() {
    let mut w = wire(SMALL, LARGE);
    w.set(|o| o.notsent_lowat = Some(8_000));
    assert_eq!(w.write(100_000), 8_000);
    assert_eq!(w.conn.check_writable(), Err(UserError::WouldBlock));
    assert_eq!(w.conn.write(w.now, &[0]), Err(UserError::WouldBlock));
    w.conn.take_events();
    let mut written = 8_000;
    // All of it leaves, with nothing acknowledged, until the congestion window is full.
    while w.conn.info().outstanding == written {
        w.sends();
        if w.conn.take_events().contains(Events::WRITABLE) {
            written += w.write(100_000);
        } else {
            break;
        }
    }
    w.sends();
    let info = w.conn.info();
    assert!(info.outstanding > 0 && info.send_queue as u32 - info.outstanding <= 8_000, "{info:?}");
}

#[test]
fn a_waiting_writer_is_woken_at_half_of_the_low_mark() {
    let mut w = wire(SMALL, LARGE);
    w.set(|o| o.notsent_lowat = Some(40_000));
    assert_eq!(w.write(100_000), 40_000);
    w.conn.take_events();
    let first = w.sends().last().unwrap().range().1;
    let unsent = 40_000 - first;
    assert!(unsent > 20_000 && !w.conn.take_events().contains(Events::WRITABLE), "{unsent}");
    assert_eq!(w.conn.check_writable(), Ok(()), "but it could");
    w.now += RTT;
    w.ack(first);
    w.conn.take_events();
    let second = w.sends().last().unwrap().range().1;
    assert!(40_000 - second < 20_000, "{second}");
    assert!(w.conn.take_events().contains(Events::WRITABLE));
    // Zero is no mark.
    w.set(|o| o.notsent_lowat = Some(0));
    assert_eq!(w.write(500_000), 500_000);
}

#[test]
fn the_least_buffers_are_configured() {
    let config =
        TcpConfig { receive_buffer_min: 16 << 10, send_buffer_min: 20_000, ..TcpConfig::default() };
    let mut w = Wire::open(Peer::default(), config);
    w.conn.join_memory(&Memory::new(MemoryLimits { low: 0, pressure: 0, high: 1 }));
    let taken = w.write(100_000);
    assert!((19_000..=20_000).contains(&taken), "{taken}");
    for i in 0..20 {
        w.text(i * MSS, MSS);
    }
    assert_eq!(w.conn.readable(), 16 << 10);
}
