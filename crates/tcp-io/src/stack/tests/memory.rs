//! What happens when memory is short? Slow readers, closed windows, gaps and greedy writers
//! against a small budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::time::Duration;

use futures::task::{ArcWake, waker};
use tcp_core::error::{DropReason, UserError};
use tcp_core::memory::{GUARANTEED, Level, MemoryLimits};
use tcp_core::wire::Segment;
use tcp_core::{SeqNum, memory};

use super::peer::*;
use crate::cell::{ConnId, Interest};
use crate::stack::{ListenerId, StackConfig};

const SERVER: &str = "10.0.0.1:80";

fn rig(limits: MemoryLimits) -> (Rig, ListenerId) {
    let mut rig = Rig::with(StackConfig { memory: limits, ..config() });
    let l = rig.listen_with(SERVER, 4000);
    (rig, l)
}

fn connect(rig: &mut Rig, l: ListenerId, n: u16) -> (Peer, ConnId) {
    let peer = Peer::connect(rig, &format!("10.0.0.2:{}", 1000 + n), SERVER);
    (peer, rig.accept(l).unwrap())
}

fn charged(rig: &Rig) -> usize {
    rig.stack.memory().charged
}

/// Writes until nothing more is taken.
fn fill(rig: &mut Rig, id: ConnId) -> usize {
    let mut total = 0;
    loop {
        match rig.stack.write(rig.now, id, &[7; 10_000]) {
            Ok(n) => total += n,
            Err(UserError::WouldBlock) => return total,
            Err(e) => panic!("{e}"),
        }
    }
}

/// Connections whose writers take all that they get. Connect the others before.
fn hogs(rig: &mut Rig, l: ListenerId, from: u16) -> Vec<ConnId> {
    let all: Vec<_> = (from..from + 30).map(|n| connect(rig, l, n).1).collect();
    for id in &all {
        fill(rig, *id);
    }
    rig.hear();
    assert_eq!(rig.stack.memory().level, Level::High);
    all
}

fn abort_all(rig: &mut Rig, all: &[ConnId]) {
    for id in all {
        rig.stack.abort(*id);
    }
    rig.hear();
}

/// The next segment of a peer whose stream is `stream`.
fn next_of(peer: &Peer) -> Vec<u8> {
    peer.packet(ACK, &stream(peer.nxt.distance_from(IRS + 1), 1400))
}

/// What a peer says from an offset on.
fn stream(from: u32, len: u32) -> Vec<u8> {
    (from..from + len).map(|i| (i ^ (i >> 8)) as u8).collect()
}

/// What can be read now, if anything.
fn take(rig: &mut Rig, id: ConnId) -> Vec<u8> {
    let mut buf = [0; 8192];
    let n = rig.stack.read(rig.now, id, &mut buf).unwrap_or(0);
    buf[..n].to_vec()
}

/// The window that the stack offers, from what it sent last.
fn edge(heard: &[Heard]) -> SeqNum {
    let last = heard.last().unwrap();
    let at = 20 + 14;
    let window = u16::from_be_bytes([last.bytes[at], last.bytes[at + 1]]);
    last.ack + u32::from(window)
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl ArcWake for Woken {
    fn wake_by_ref(this: &Arc<Self>) {
        this.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn buffers_are_charged_and_given_back() {
    let (mut rig, l) = rig(MemoryLimits::default());
    let (mut peer, id) = connect(&mut rig, l, 0);
    assert_eq!((charged(&rig), rig.stack.memory().holders), (0, 1));
    peer.send(&mut rig, ACK, &[1; 1000]);
    assert!(charged(&rig) >= 1000, "the ring");
    let with_ring = charged(&rig);
    rig.stack.write(rig.now, id, &[2; 5000]).unwrap();
    assert!(charged(&rig) >= with_ring + 5000, "and the chunk");
    rig.hear();
    peer.rcv += 5000;
    peer.send(&mut rig, ACK, b"");
    rig.read(id);
    rig.wait_quietly(Duration::from_millis(1100));
    assert_eq!(charged(&rig), 0, "a second of quiet");
    rig.stack.abort(id);
    rig.hear();
    assert_eq!((charged(&rig), rig.stack.memory().holders), (0, 0));
}

#[test]
fn slow_readers_hold_no_more_than_the_budget() {
    let high = 1 << 20;
    let (mut rig, l) = rig(MemoryLimits::at_most(high));
    let mut all: Vec<_> = (0..100).map(|n| connect(&mut rig, l, n)).collect();
    let mut most = 0;
    // Each peer fills the 64 KiB window that its SYN-ACK has offered, and repeats what was dropped.
    for _ in 0..50 {
        for (peer, _) in &mut all {
            let bytes = next_of(peer);
            rig.put(&bytes);
            most = most.max(charged(&rig));
            let heard = rig.hear();
            peer.nxt = heard.last().map_or(peer.nxt, |h| h.ack.max(peer.nxt));
        }
    }
    println!("100 peers with 64 KiB each: {most} octets held of {high}");
    assert!(most <= high, "what is guaranteed fits below the high mark: {most}");
    assert!(rig.segment_drops(DropReason::NoMemory) > 0);
    // Everybody got something, and gets the rest when it reads: no octet is lost.
    for (peer, id) in &mut all {
        let mut got = Vec::new();
        for _ in 0..100 {
            got.extend(take(&mut rig, *id));
            let bytes = next_of(peer);
            rig.put(&bytes);
            let heard = rig.hear();
            peer.nxt = heard.last().map_or(peer.nxt, |h| h.ack.max(peer.nxt));
            got.extend(take(&mut rig, *id));
            rig.hear();
        }
        assert!(got.len() >= 70_000, "{}", got.len());
        assert!(got == stream(0, got.len() as u32));
    }
}

// SHLD-14: the right edge stays where it was, however little memory is left.
#[test]
fn the_offered_window_never_shrinks_and_grows_again() {
    let (mut rig, l) = rig(MemoryLimits { low: 20_000, pressure: 40_000, high: 60_000 });
    let (mut peer, id) = connect(&mut rig, l, 0);
    peer.send(&mut rig, ACK, &[1; 1000]);
    rig.read(id);
    let before = edge(&rig.wait(Duration::from_millis(100)));
    let hogs = hogs(&mut rig, l, 1);
    let mut last = before;
    for _ in 0..100 {
        peer.send(&mut rig, ACK, &[1; 1000]);
        rig.read(id);
        let all = rig.wait(Duration::from_millis(50));
        let now = edge(&all.into_iter().filter(|h| h.dst == peer.me).collect::<Vec<_>>());
        assert!(now.at_or_after(last), "{now:?} before {last:?}");
        last = now;
    }
    let window = last.distance_from(peer.nxt);
    assert!((1000..=GUARANTEED as u32).contains(&window), "only what is guaranteed: {window}");
    abort_all(&mut rig, &hogs);
    assert_eq!(rig.stack.memory().level, Level::Low);
    peer.send(&mut rig, ACK, &[1; 1000]);
    rig.read(id);
    let all = rig.wait(Duration::from_millis(100));
    assert!(edge(&all).distance_from(peer.nxt) > 50_000);
}

#[test]
fn a_segment_larger_than_what_is_left_is_taken_in_part() {
    let (mut rig, l) = rig(MemoryLimits { low: 0, pressure: 0, high: 1 });
    let (peer, id) = connect(&mut rig, l, 0);
    let bytes = peer.packet(ACK, &[9; 20_000]);
    rig.put(&bytes);
    let heard = rig.hear_one();
    assert_eq!(heard.ack, IRS + 1 + GUARANTEED as u32);
    rig.put(&bytes);
    assert_eq!(rig.segment_drops(DropReason::NoMemory), 1);
    assert_eq!(rig.hear_one().ack, IRS + 1 + GUARANTEED as u32, "told at once");
    assert_eq!(take(&mut rig, id).len(), GUARANTEED);
    rig.hear();
    rig.put(&bytes);
    assert_eq!(rig.hear().last().unwrap().ack, IRS + 1 + 2 * GUARANTEED as u32);
}

#[test]
fn peers_with_closed_windows_hold_no_more_than_the_budget() {
    let high = 2 << 20;
    let (mut rig, l) = rig(MemoryLimits::at_most(high));
    let mut written = 0;
    for n in 0..300 {
        let (peer, id) = connect(&mut rig, l, n);
        // A closed window: nothing of what is written leaves.
        let s = Segment { window: 0, ..segment(ACK, peer.nxt, peer.rcv) };
        rig.say(peer.me, peer.to, s);
        let n = fill(&mut rig, id);
        assert!(n >= GUARANTEED / 2, "everybody may write something: {n}");
        written += n;
    }
    let m = rig.stack.memory();
    println!("300 closed windows: {written} octets written, {} held of {high}", m.charged);
    assert!(m.charged <= high + 300 * GUARANTEED, "{m:?}");
    assert!(m.refusals > 0 && m.pressures == 1, "{m:?}");
}

// The rings of the attackers are the price: one octet far off costs as much as all before it.
#[test]
fn single_octets_far_past_a_gap_are_pruned_under_pressure() {
    let high = 1 << 20;
    let (mut rig, l) = rig(MemoryLimits::at_most(high));
    let mut most = 0;
    for n in 0..400 {
        let (peer, _) = connect(&mut rig, l, n);
        for place in [60_000, 50_000, 3, 5, 7, 9] {
            let s = segment(ACK, peer.nxt + place, peer.rcv);
            rig.put(&packet(peer.me, peer.to, s, b"x"));
            most = most.max(charged(&rig));
            rig.hear();
        }
    }
    println!("400 attackers with gaps: {most} octets held of {high}");
    assert!(most <= high, "what lies past a gap has no guarantee: {most}");
    rig.wait_quietly(Duration::from_secs(1));
    let m = rig.stack.memory();
    assert!(m.pruned > 0 && m.charged < high / 2, "{m:?}");
    // An honest connection is served.
    let (mut peer, id) = connect(&mut rig, l, 500);
    for _ in 0..20 {
        peer.send(&mut rig, ACK, &[1; 1400]);
        rig.hear();
        assert_eq!(rig.read(id).len(), 1400);
    }
}

#[test]
fn pruned_text_comes_again_and_is_whole() {
    let (mut rig, l) = rig(MemoryLimits { low: 10_000, pressure: 40_000, high: 70_000 });
    let (mut peer, id) = connect(&mut rig, l, 0);
    let text = stream(0, 20_000);
    let ahead = segment(ACK, peer.nxt + 1000, peer.rcv);
    rig.put(&packet(peer.me, peer.to, ahead, &text[1000..18_000]));
    rig.hear();
    hogs(&mut rig, l, 1);
    rig.wait_quietly(Duration::from_secs(1));
    assert_eq!(rig.stack.memory().pruned, 17_000);
    let mut got = Vec::new();
    while got.len() < text.len() {
        let from = peer.nxt.distance_from(IRS + 1) as usize;
        let to = (from + 1400).min(text.len());
        peer.send(&mut rig, ACK, &text[from..to]);
        got.extend(take(&mut rig, id));
        rig.hear();
    }
    assert!(got == text);
}

#[test]
fn a_writer_without_memory_waits_in_line_and_is_woken() {
    let (mut rig, l) = rig(MemoryLimits { low: 20_000, pressure: 40_000, high: 60_000 });
    let all: Vec<_> = (0..5).map(|n| connect(&mut rig, l, n)).collect();
    let hogs = hogs(&mut rig, l, 5);
    let mut woken = Vec::new();
    for (_, id) in &all {
        let taken = fill(&mut rig, *id);
        assert!((1000..=GUARANTEED).contains(&taken), "{taken}");
        let cell = rig.stack.connection_cell(*id).unwrap();
        let w = Arc::new(Woken::default());
        let waker = waker(w.clone());
        let polled = cell.poll_ready(&mut Context::from_waker(&waker), Interest::WRITABLE);
        assert!(polled.is_pending());
        woken.push(w);
    }
    // Their peers are silent: nothing but the memory can wake them.
    rig.hear();
    assert_eq!(rig.stack.budget.waiting(), 35, "the hogs wait too");
    rig.wait_quietly(Duration::from_millis(150));
    assert!(woken.iter().all(|w| w.0.load(Ordering::SeqCst) == 0));
    abort_all(&mut rig, &hogs);
    rig.wait_quietly(Duration::from_millis(150));
    assert!(woken.iter().all(|w| w.0.load(Ordering::SeqCst) == 1), "all, once");
    assert_eq!(rig.stack.budget.waiting(), 0);
    for (_, id) in &all {
        assert!(rig.stack.write(rig.now, *id, &[1; 2000]).unwrap() > 0);
    }
}

#[test]
fn a_reader_that_frees_memory_lets_a_writer_go_on() {
    let (mut rig, l) = rig(MemoryLimits { low: 30_000, pressure: 40_000, high: 60_000 });
    let (mut peer, reader) = connect(&mut rig, l, 0);
    let (_, writer) = connect(&mut rig, l, 1);
    for _ in 0..20 {
        peer.send(&mut rig, ACK, &[1; 1400]);
        rig.hear();
    }
    fill(&mut rig, writer);
    let cell = rig.stack.connection_cell(writer).unwrap();
    let w = Arc::new(Woken::default());
    let waker = waker(w.clone());
    assert!(cell.poll_ready(&mut Context::from_waker(&waker), Interest::WRITABLE).is_pending());
    rig.hear();
    let m = rig.stack.memory();
    assert!(m.level >= Level::Pressure && rig.stack.budget.waiting() == 1, "{m:?}");
    while rig.stack.read(rig.now, reader, &mut [0; 4096]).is_ok() {}
    assert!(!rig.stack.ready_queue().is_empty(), "the stack is told");
    rig.hear();
    assert_eq!(w.0.load(Ordering::SeqCst), 1, "without a timer");
}

#[test]
fn the_line_does_not_keep_those_that_are_gone() {
    let (mut rig, l) = rig(MemoryLimits { low: 0, pressure: 0, high: 1 });
    for n in 0..1000 {
        let (_, id) = connect(&mut rig, l, n);
        fill(&mut rig, id);
        rig.hear();
        rig.stack.abort(id);
        rig.hear();
    }
    assert!(rig.stack.budget.waiting() < 100, "{}", rig.stack.budget.waiting());
}

// As Linux: nobody is left who could stop writing.
#[test]
fn an_orphan_with_much_to_send_is_reset_when_memory_is_full() {
    let (mut rig, l) = rig(MemoryLimits { low: 0, pressure: 30_000, high: 40_000 });
    let (_, greedy) = connect(&mut rig, l, 0);
    fill(&mut rig, greedy);
    rig.hear();
    let modest = hogs(&mut rig, l, 1)[0];
    let now = rig.now;
    rig.stack.close(now, modest);
    assert!(rig.hear().iter().all(|h| !h.flags.contains(RST)), "within its guaranteed part");
    rig.stack.close(now, greedy);
    assert!(rig.hear().iter().any(|h| h.flags.contains(RST)));
    assert_eq!(rig.stack.memory().aborts, 1);
}

#[test]
fn without_limits_nothing_is_refused() {
    let (mut rig, l) = rig(memory::MemoryLimits::UNLIMITED);
    let (_, id) = connect(&mut rig, l, 0);
    assert_eq!(fill(&mut rig, id), 256 << 10);
    assert_eq!((rig.stack.memory().refusals, rig.stack.memory().level), (0, Level::Low));
}
