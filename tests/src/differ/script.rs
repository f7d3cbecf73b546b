//! What is said to both ends? A case: who opens, what the peer offers, and steps of raw segments
//! and application calls. Numbers are relative to what the peer has heard, so that one script
//! fits both ends, which choose their initial numbers and windows themselves.

use std::fmt;

use tcp_core::wire::Flags;

/// One conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The family of the addresses.
    pub ipv6: bool,
    /// How the end begins.
    pub opening: Opening,
    /// The peer's initial sequence number.
    pub iss: u32,
    /// Options of the peer's SYN.
    pub offer: Offer,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// How an end begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nobody has the port.
    Nobody,
    /// It listens, and accepts whatever is established.
    Passive,
    /// It connects to the peer.
    Active,
}

/// Options of the peer's SYN or SYN-ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The MSS option, unless 0.
    pub mss: u16,
    /// The window scale option.
    pub scale: Option<u8>,
    /// SACK is permitted.
    pub sack: bool,
    /// Timestamps; then every segment carries one unless it says otherwise.
    pub timestamps: bool,
}

/// A step of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The peer sends a segment.
    Say(Say),
    /// The application calls.
    Do(Call),
}

/// A segment of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// The control bits.
    pub flags: Flags,
    /// Where it starts.
    pub seq: Seq,
    /// What it acknowledges, if it has the flag.
    pub ack: Ack,
    /// The window field.
    pub window: u16,
    /// Octets of text.
    pub text: u16,
    /// The urgent pointer.
    pub urgent: u16,
    /// Its timestamp, if timestamps were offered.
    pub stamp: Stamp,
    /// SACK blocks relative to what the peer has acknowledged: offset and length.
    pub sack: Vec<(i32, u32)>,
    /// More octets at the end of the options.
    pub raw: Vec<u8>,
}

/// A sequence number of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seq {
    /// Relative to the peer's initial number.
    Iss(i32),
    /// Relative to what the end has acknowledged: its RCV.NXT.
    Nxt(i32),
    /// Relative to the right edge of the window that the end has offered.
    Edge(i32),
}

/// An acknowledgement of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// Relative to the end's initial number.
    Iss(i32),
    /// Relative to the highest number that the peer has acknowledged: the end's SND.UNA.
    Una(i32),
    /// Relative to all that the end has sent: its SND.NXT.
    Nxt(i32),
}

/// The timestamp option of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// The peer's clock with the latest echo, if timestamps were offered; else none.
    Honest,
    /// None, although timestamps were offered.
    Missing,
    /// One, offered or not: the clock moved by this much, and the echo too.
    Off(i32, i32),
}

/// A call of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Read at most so many octets.
    Read(u16),
    /// Write so many octets.
    Write(u16),
    /// Close the sending direction.
    Shutdown,
    /// Let go of the connection.
    Close,
    /// Reset it.
    Abort,
}

impl Say {
    /// A segment as an honest peer would send it next.
    pub fn honest(flags: Flags) -> Say {
        let seq = if flags.contains(Flags::SYN) { Seq::Iss(0) } else { Seq::Nxt(0) };
        Say {
            flags,
            seq,
            ack: Ack::Nxt(0),
            window: 0x4000,
            text: 0,
            urgent: 0,
            stamp: Stamp::Honest,
            sack: Vec::new(),
            raw: Vec::new(),
        }
    }

    /// The same with text.
    pub fn text(mut self, octets: u16) -> Say {
        self.text = octets;
        self
    }

    /// The same at another place.
    pub fn at(mut self, seq: Seq) -> Say {
        self.seq = seq;
        self
    }

    /// The same with another acknowledgement.
    pub fn acks(mut self, ack: Ack) -> Say {
        self.ack = ack;
        self
    }

    /// The same with another timestamp.
    pub fn stamped(mut self, stamp: Stamp) -> Say {
        self.stamp = stamp;
        self
    }
}

impl From<Say> for Step {
    fn from(say: Say) -> Step {
        Step::Say(say)
    }
}

impl From<Call> for Step {
    fn from(call: Call) -> Step {
        Step::Do(call)
    }
}

/// The letters of a trace: `SFRPUEWN`, a dot for ACK, a dash for none.
pub(super) struct Letters(pub(super) Flags);

impl fmt::Display for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (Flags::SYN, 'S'),
            (Flags::FIN, 'F'),
            (Flags::RST, 'R'),
            (Flags::PSH, 'P'),
            (Flags::URG, 'U'),
            (Flags::ACK, '.'),
        ];
        let mut text: String =
            all.iter().filter(|(flag, _)| self.0.contains(*flag)).map(|(_, c)| *c).collect();
        if text.is_empty() {
            text.push('-');
        }
        f.pad(&text)
    }
}
