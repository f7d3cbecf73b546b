//! What does the scripted peer know of one end? Enough to turn a script's relative numbers into
//! octets, and the end's octets back into relative numbers: initial numbers, the clock, the
//! window's scale, identification and hop limit are gone from an [`Answer`].

use std::fmt;

use tcp_core::wire::{Flags, Options, Segment, Timestamps};
use tcp_core::{SeqNum, Tuple};

use super::script::{Ack, Case, Letters, Offer, Say, Seq, Stamp};
use crate::fuzz::packet::{Crafted, open_packet};

/// The peer's clock at the first segment.
const CLOCK: u32 = 0x7fff_ff00;

/// What the peer has learned of one end.
#[derive(Debug)]
pub(super) struct Peer {
    /// As the end names it.
    tuple: Tuple,
    offer: Offer,
    iss: SeqNum,
    /// The end's initial number, once seen.
    irs: Option<SeqNum>,
    /// What the end has acknowledged.
    acked: SeqNum,
    /// The right edge that it has offered.
    edge: SeqNum,
    /// One past the last that it has sent.
    sent: SeqNum,
    /// What the peer has acknowledged.
    una: SeqNum,
    /// The end's window scale, if both offered one.
    shift: u8,
    clock: u32,
    /// The end's latest timestamp.
    echo: u32,
}

/// A segment of the end with relative numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The control bits, without PSH: when to push is a choice (RFC 9293 3.9.1.2).
    pub flags: Flags,
    /// Relative to the end's initial number, or as it stands if it has none.
    pub seq: i32,
    /// Relative to the peer's initial number; 0 without ACK.
    pub ack: i32,
    /// What the window says.
    pub window: Window,
    /// The text.
    pub text: Vec<u8>,
    /// The MSS option.
    pub mss: Option<u16>,
    /// Whether there is a window scale option.
    pub scale: bool,
    /// Whether there is a SACK permitted option.
    pub sack_permitted: bool,
    /// The echo of a timestamp option, relative to the peer's clock at the start; `None` in it is
    /// an echo of nothing.
    pub echo: Option<Option<i32>>,
    /// SACK blocks, relative to the peer's initial number.
    pub sack: Vec<(i32, i32)>,
    /// Kinds of other options.
    pub others: Vec<u8>,
}

/// How much may come. Sizes of buffers are a choice, so only the class is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// Nothing.
    Closed,
    /// Something.
    Open,
    /// It stands on a reset and means nothing.
    Meaningless,
}

/// A segment of the peer, resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Said {
    pub(super) octets: Vec<u8>,
    pub(super) told: Told,
}

/// What a segment of the peer says, relative to the initial numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// SEG.SEQ
    pub seq: i32,
    /// SEG.LEN
    pub len: u32,
    /// SEG.ACK; 0 without.
    pub ack: i32,
    /// Its options don't end where they should.
    pub malformed: bool,
}

impl Told {
    /// One past its last number.
    pub fn end(&self) -> i32 {
        self.seq.wrapping_add(self.len as i32)
    }
}

impl Peer {
    pub(super) fn new(case: &Case, tuple: Tuple) -> Peer {
        let iss = SeqNum(case.iss);
        let zero = SeqNum(0);
        Peer {
            tuple,
            offer: case.offer,
            iss,
            irs: None,
            acked: iss + 1,
            edge: iss + 1,
            sent: zero,
            una: zero,
            shift: 0,
            clock: CLOCK,
            echo: 0,
        }
    }

    /// The packet of a segment.
    pub(super) fn say(&mut self, say: &Say) -> Said {
        let moved = |from: SeqNum, by: i32| from + by as u32;
        let seq = match say.seq {
            Seq::Iss(by) => moved(self.iss, by),
            Seq::Nxt(by) => moved(self.acked, by),
            Seq::Edge(by) => moved(self.edge, by),
        };
        let ack = match say.ack {
            Ack::Iss(by) => moved(self.irs.unwrap_or_default(), by),
            Ack::Una(by) => moved(self.una, by),
            Ack::Nxt(by) => moved(self.sent, by),
        };
        self.clock = self.clock.wrapping_add(1);
        let options = self.options(say);
        // The text of a SYN follows its number.
        let first = seq + u32::from(say.flags.contains(Flags::SYN));
        let text: Vec<u8> = (0..u32::from(say.text)).map(|i| octet((first + i).0)).collect();
        let acks = say.flags.contains(Flags::ACK);
        if acks && ack.after(self.una) && ack.at_or_before(self.sent) {
            self.una = ack;
        }
        let crafted = Crafted {
            tuple: self.tuple,
            seq,
            ack: if acks { ack } else { SeqNum(0) },
            flags: say.flags.bits(),
            window: say.window,
            urgent: say.urgent,
            options: &options,
            text: &text,
        };
        let octets = crafted.octets();
        let parsed = open_packet(&octets).and_then(|(.., tcp)| Segment::parse(tcp).ok());
        let told = Told {
            seq: seq.offset_from(self.iss),
            len: parsed.map_or(0, |s| s.seq_len()),
            ack: if acks { ack.offset_from(self.irs.unwrap_or_default()) } else { 0 },
            malformed: parsed.is_some_and(|s| s.options.malformed),
        };
        Said { octets, told }
    }

    /// A reset that ends whatever is left of the connection.
    pub(super) fn farewell(&mut self) -> Vec<u8> {
        self.say(&Say::honest(Flags::RST)).octets
    }

    fn options(&self, say: &Say) -> Vec<u8> {
        let syn = say.flags.contains(Flags::SYN);
        let mut o = Vec::new();
        if syn && self.offer.mss != 0 {
            o.extend([2, 4]);
            o.extend(self.offer.mss.to_be_bytes());
        }
        if syn && self.offer.sack {
            o.extend([4, 2]);
        }
        let by = match say.stamp {
            Stamp::Honest => self.offer.timestamps.then_some((0, 0)),
            Stamp::Missing => None,
            Stamp::Off(value, echo) => Some((value, echo)),
        };
        if let Some((value, echo)) = by {
            o.extend([8, 10]);
            o.extend(self.clock.wrapping_add(value as u32).to_be_bytes());
            o.extend(self.echo.wrapping_add(echo as u32).to_be_bytes());
        }
        if let (true, Some(scale)) = (syn, self.offer.scale) {
            o.extend([3, 3, scale]);
        }
        if !say.sack.is_empty() {
            o.extend([5, 2 + 8 * say.sack.len() as u8]);
            for (at, len) in &say.sack {
                let start = self.una + *at as u32;
                o.extend(start.0.to_be_bytes());
                o.extend((start + *len).0.to_be_bytes());
            }
        }
        o.extend(&say.raw);
        o.truncate(40);
        o
    }

    /// A packet of the end, if it belongs to this conversation.
    pub(super) fn hear(&mut self, octets: &[u8]) -> Option<Answer> {
        let (src, dst, payload) = open_packet(octets)?;
        let seg = Segment::parse(payload).ok()?;
        let t = &self.tuple;
        let ours = (src, seg.src_port) == (t.local.ip, t.local.port)
            && (dst, seg.dst_port) == (t.remote.ip, t.remote.port);
        if !ours {
            return None;
        }
        self.learn(&seg);
        Some(self.normalise(&seg))
    }

    fn learn(&mut self, seg: &Segment<'_>) {
        if seg.flags.contains(Flags::RST) {
            return;
        }
        if seg.flags.contains(Flags::SYN) {
            // Another number is another connection.
            if self.irs != Some(seg.seq) {
                self.irs = Some(seg.seq);
                self.una = seg.seq;
                self.sent = seg.seq;
            }
            self.shift = match (self.offer.scale, seg.options.window_scale) {
                (Some(_), Some(shift)) => shift,
                _ => 0,
            };
        }
        let end = seg.seq + seg.seq_len();
        self.sent = self.sent.max(end);
        if seg.flags.contains(Flags::ACK) {
            self.acked = self.acked.max(seg.ack);
            let shift = if seg.flags.contains(Flags::SYN) { 0 } else { self.shift };
            self.edge = self.edge.max(seg.ack + (u32::from(seg.window) << shift));
        }
        if let Some(ts) = seg.options.timestamps {
            self.echo = ts.value;
        }
    }

    fn normalise(&self, seg: &Segment<'_>) -> Answer {
        let peer = |n: SeqNum| n.offset_from(self.iss);
        let acks = seg.flags.contains(Flags::ACK);
        let o: &Options<'_> = &seg.options;
        Answer {
            flags: seg.flags.without(Flags::PSH),
            // A reset of nobody's starts at 0 (RFC 9293 3.10.7.1).
            seq: if seg.seq == SeqNum(0) && seg.flags.contains(Flags::RST) {
                0
            } else {
                seg.seq.offset_from(self.irs.unwrap_or_default())
            },
            ack: if acks { peer(seg.ack) } else { 0 },
            window: match seg.window {
                _ if seg.flags.contains(Flags::RST) => Window::Meaningless,
                0 => Window::Closed,
                _ => Window::Open,
            },
            text: seg.payload.to_vec(),
            mss: o.mss,
            scale: o.window_scale.is_some(),
            sack_permitted: o.sack_permitted,
            echo: o
                .timestamps
                .map(|t: Timestamps| (t.echo != 0).then(|| t.echo.wrapping_sub(CLOCK) as i32)),
            sack: match seg.flags.contains(Flags::RST) {
                // Nobody retransmits to a reset.
                true => Vec::new(),
                false => o.sack.iter().map(|b| (peer(b.start), peer(b.end))).collect(),
            },
            others: o.unknown().map(|(kind, _)| kind).collect(),
        }
    }
}

/// The octet with this sequence number, so that overlapping texts agree.
pub(super) fn octet(seq: u32) -> u8 {
    (seq.wrapping_mul(0x9e37_79b9) >> 24) as u8
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (flags, len) = (Letters(self.flags), self.text.len());
        let end = i64::from(self.seq) + len as i64;
        write!(f, "{flags} {}:{end}({len})", self.seq)?;
        if self.flags.contains(Flags::ACK) {
            write!(f, " ack {}", self.ack)?;
        }
        if self.window == Window::Closed {
            f.write_str(" win 0")?;
        }
        let mut options = Vec::new();
        options.extend(self.mss.map(|m| format!("mss {m}")));
        options.extend(self.sack_permitted.then(|| "sackOK".to_owned()));
        options.extend(self.echo.map(|e| match e {
            Some(e) => format!("TS ecr {e}"),
            None => "TS ecr -".to_owned(),
        }));
        options.extend(self.scale.then(|| "wscale".to_owned()));
        options.extend(self.sack.iter().map(|(a, b)| format!("sack {a}:{b}")));
        options.extend(self.others.iter().map(|k| format!("kind {k}")));
        if !options.is_empty() {
            write!(f, " <{}>", options.join(","))?;
        }
        Ok(())
    }
}
