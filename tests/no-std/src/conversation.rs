//! Do two connections talk to each other here? A handshake, text both ways and an orderly close
//! between an active and a passive end, by octets (RFC 9293 3.5, 3.6).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use tcp_core::buffer::Payload;
use tcp_core::config::TcpConfig;
use tcp_core::connection::{Limits, OpenParams, State, Verdict};
use tcp_core::listen::{HalfOpen, HalfOpenVerdict};
use tcp_core::wire::{MAX_HEADER_LEN, Segment};
use tcp_core::{Connection, Endpoint, Instant, SeqNum, Tuple};

/// What each end writes: several segments.
const TEXT: usize = 10_000;

/// Turns until the conversation is over; each lets both ends say all they have.
const TURNS: usize = 200;

/// Both ends and the time that they share.
struct Talk {
    now: Instant,
    active: Connection,
    passive: Connection,
}

/// Whether the conversation goes as it must.
pub fn holds() -> bool {
    let Some(mut talk) = handshake() else { return false };
    exchange(&mut talk) && close(&mut talk)
}

fn params(n: u8, port: u16, isn: u32) -> OpenParams {
    let end = |n, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), port);
    let tuple = Tuple { local: end(n, port), remote: end(3 - n, 4080 - port) };
    OpenParams { tuple, isn: SeqNum(isn), timestamp_offset: isn, mtu: 1500 }
}

/// The octets of a segment, as they would go out.
fn octets(header: &Segment<'_>, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::from([0; MAX_HEADER_LEN]);
    let len = header.emit_header(&mut out);
    out.truncate(len);
    out.extend_from_slice(text);
    out
}

fn next(now: Instant, c: &mut Connection) -> Option<Vec<u8>> {
    let mut payload = Payload::new();
    let t = c.poll_transmit(now, &Limits::default(), &mut payload)?;
    Some(octets(&t.segment, &payload.concat()))
}

/// The three ways of the handshake; the passive end is a half-open record until the third.
fn handshake() -> Option<Talk> {
    let now = Instant::from_millis(1);
    let config = Arc::new(TcpConfig::default());
    let mut active = Connection::connect(now, params(1, 4000, u32::MAX - 3), config.clone());
    let syn = next(now, &mut active)?;
    let syn = Segment::parse(&syn).ok()?;
    let mut half = HalfOpen::on_syn(now, params(2, 80, 7), &syn, 0, &config);
    let syn_ack = octets(&half.syn_ack(now, &config), &[]);
    let verdict = active.on_segment(now, &Segment::parse(&syn_ack).ok()?, 0);
    if verdict != Verdict::Accepted || active.state() != State::Established {
        return None;
    }
    let ack = next(now, &mut active)?;
    let ack = Segment::parse(&ack).ok()?;
    if half.on_segment(now, &ack, &config) != HalfOpenVerdict::Establish {
        return None;
    }
    let mut passive = Connection::from_half_open(now, half, 1500, config);
    passive.on_segment(now, &ack, 0);
    Some(Talk { now, active, passive })
}

impl Talk {
    /// Each end says what it has; if both are quiet, time goes on to the next deadline.
    fn turn(&mut self) -> bool {
        let now = self.now;
        let said = say(now, &mut self.active, &mut self.passive)
            .and_then(|n| Some(n + say(now, &mut self.passive, &mut self.active)?));
        let Some(said) = said else { return false };
        let deadlines = [&self.active, &self.passive].into_iter().filter_map(|c| c.poll_timeout());
        if let (0, Some(d)) = (said, deadlines.min_by_key(|d| d.at)) {
            self.now = self.now.max(d.at);
            self.active.on_timeout(self.now);
            self.passive.on_timeout(self.now);
        }
        true
    }
}

/// All that one end has to say reaches the other; returns how many packets that were.
fn say(now: Instant, from: &mut Connection, to: &mut Connection) -> Option<usize> {
    let mut said = 0;
    while let Some(packet) = next(now, from) {
        to.on_segment(now, &Segment::parse(&packet).ok()?, 0);
        said += 1;
    }
    Some(said)
}

/// Octet `i` of what an end writes.
fn octet(i: usize) -> u8 {
    (i * 7 + i / 256) as u8
}

fn exchange(talk: &mut Talk) -> bool {
    let text: Vec<u8> = (0..TEXT).map(octet).collect();
    let (mut written, mut got) = ([0; 2], [Vec::new(), Vec::new()]);
    for _ in 0..TURNS {
        let now = talk.now;
        for (i, c) in [&mut talk.active, &mut talk.passive].into_iter().enumerate() {
            written[i] += c.write(now, &text[written[i]..]).unwrap_or(0);
            let mut buf = [0; 1000];
            while let Ok(n) = c.read(now, &mut buf) {
                got[i].extend_from_slice(&buf[..n]);
            }
        }
        if got.iter().all(|g| *g == text) {
            return true;
        }
        if !talk.turn() {
            return false;
        }
    }
    false
}

fn close(talk: &mut Talk) -> bool {
    if talk.active.close_write().is_err() {
        return false;
    }
    for _ in 0..TURNS {
        if talk.passive.peer_closed() && talk.passive.close_write().is_err() {
            return false;
        }
        if talk.active.state() == State::Closed && talk.passive.state() == State::Closed {
            let mut none = [0; 1];
            return talk.active.read(talk.now, &mut none) == Ok(0);
        }
        if !talk.turn() {
            return false;
        }
    }
    false
}
