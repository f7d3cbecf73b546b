//! What must every state do with every segment, and which arrow leads where? The tables of RFC 9293
//! 3.10.7 and Figure 5 as text that a reader can hold against the RFC, and as rows that a program can
//! walk through. `rig` drives them through a stack; other runners may drive another TCP.

mod parse;
pub mod rig;

use tcp_core::connection::State;
use tcp_core::wire::Flags;

/// Cells of the table of segments, one a state, segment, acknowledgement and place: `segments.txt`.
///
/// # Panics
/// If the text does not have the form that its head describes.
pub fn segments() -> Vec<Cell> {
    parse::segments(include_str!("segments.txt"))
}

/// The arrows of the state diagram: `transitions.txt`.
///
/// # Panics
/// If the text does not have the form that its head describes.
pub fn transitions() -> Vec<Arrow> {
    parse::transitions(include_str!("transitions.txt"))
}

/// A state to begin in, and how it is come to where that matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Start {
    /// Nobody is there.
    Closed,
    /// A listener.
    Listen,
    /// Our SYN is out.
    SynSent,
    /// A listener answered a SYN.
    SynReceivedPassive,
    /// Our SYN crossed another.
    SynReceivedActive,
    /// Open, nothing outstanding in either direction; we opened.
    Established,
    /// From here on: our FIN is out where the state has one, and acknowledged where the state says
    /// so; nothing else is outstanding.
    FinWait1,
    /// Our FIN is acknowledged.
    FinWait2,
    /// The peer's FIN has come.
    CloseWait,
    /// Both FINs have crossed.
    Closing,
    /// The peer's FIN has come, then ours was sent.
    LastAck,
    /// We closed first, both FINs are acknowledged; nobody listens on our port.
    TimeWait,
    /// The same, of a port with a listener; the connection came through it.
    TimeWaitListening,
}

impl Start {
    /// All of them.
    pub const ALL: [Start; 13] = [
        Start::Closed,
        Start::Listen,
        Start::SynSent,
        Start::SynReceivedPassive,
        Start::SynReceivedActive,
        Start::Established,
        Start::FinWait1,
        Start::FinWait2,
        Start::CloseWait,
        Start::Closing,
        Start::LastAck,
        Start::TimeWait,
        Start::TimeWaitListening,
    ];

    /// The name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Start::SynReceivedPassive => "SYN-RECEIVED passive",
            Start::SynReceivedActive => "SYN-RECEIVED active",
            Start::TimeWaitListening => "TIME-WAIT listening",
            other => other.state().name(),
        }
    }

    /// The state of RFC 9293 3.3.2.
    pub const fn state(self) -> State {
        match self {
            Start::Closed => State::Closed,
            Start::Listen => State::Listen,
            Start::SynSent => State::SynSent,
            Start::SynReceivedPassive | Start::SynReceivedActive => State::SynReceived,
            Start::Established => State::Established,
            Start::FinWait1 => State::FinWait1,
            Start::FinWait2 => State::FinWait2,
            Start::CloseWait => State::CloseWait,
            Start::Closing => State::Closing,
            Start::LastAck => State::LastAck,
            Start::TimeWait | Start::TimeWaitListening => State::TimeWait,
        }
    }
}

/// Control bits, and whether there is text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// As the table writes it.
    pub name: &'static str,
    /// The control bits.
    pub flags: Flags,
    /// Octets of text.
    pub text: usize,
}

impl Kind {
    /// SEG.LEN: the text, and one for each of SYN and FIN.
    pub fn seq_len(&self) -> u32 {
        let one = |f| u32::from(self.flags.contains(f));
        self.text as u32 + one(Flags::SYN) + one(Flags::FIN)
    }
}

/// What the segment acknowledges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// No ACK bit.
    Nothing,
    /// SND.UNA - MAX.SND.WND - 1: older than any honest one (RFC 5961 5.2).
    Ancient,
    /// SND.UNA - 1
    Old,
    /// SND.UNA
    Una,
    /// SND.NXT
    All,
    /// SND.NXT + 1
    New,
}

impl Acks {
    /// Every acknowledgement that a segment with an ACK bit can have in the table.
    pub const NUMBERS: [Acks; 5] = [Acks::Ancient, Acks::Old, Acks::Una, Acks::All, Acks::New];
}

/// Where the segment lies; see the head of `segments.txt`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Wholly before the window, and far.
    Left,
    /// Ends where the window begins: a copy of what was received last.
    Again,
    /// Begins at RCV.NXT.
    Edge,
    /// Begins within the window, past a gap.
    Inside,
    /// Ends with the window's last octet.
    Last,
    /// Begins at RCV.NXT + RCV.WND.
    Right,
    /// Begins far behind the window.
    Beyond,
}

impl Place {
    /// In the order of the columns.
    pub const ALL: [Place; 7] = [
        Place::Left,
        Place::Again,
        Place::Edge,
        Place::Inside,
        Place::Last,
        Place::Right,
        Place::Beyond,
    ];

    /// SEG.SEQ of a segment of `len` at this place of a window that begins at `nxt`.
    pub fn seq(self, nxt: u32, window: u32, len: u32) -> u32 {
        let len = len.max(1);
        match self {
            Place::Left => nxt.wrapping_sub(1000 + len),
            Place::Again => nxt.wrapping_sub(len),
            Place::Edge => nxt,
            Place::Inside => nxt.wrapping_add(100),
            Place::Last => nxt.wrapping_add(window - len),
            Place::Right => nxt.wrapping_add(window),
            Place::Beyond => nxt.wrapping_add(window + 1000),
        }
    }
}

/// What comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Nothing.
    Silence,
    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>` at once.
    Ack,
    /// The same within 0.5 s (MUST-40).
    DelayedAck,
    /// `<SEQ=ISS><CTL=SYN>`
    Syn,
    /// `<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>`
    SynAck,
    /// `<CTL=FIN,ACK>`; in the table of arrows only.
    Fin,
    /// `<SEQ=SEG.ACK><CTL=RST>`; of an ABORT `<SEQ=SND.NXT>`, with or without an ACK.
    Reset,
    /// `<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>`
    ResetAck,
}

/// One cell of the table of segments.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Where we are.
    pub start: Start,
    /// What comes.
    pub segment: Kind,
    /// What it acknowledges.
    pub acks: Acks,
    /// Where it lies.
    pub place: Place,
    /// What comes back.
    pub answer: Answer,
    /// Where we are then.
    pub next: State,
    /// Section of RFC 9293 if there is only a number, or what else says so.
    pub reference: &'static str,
    /// The line of `segments.txt`.
    pub line: usize,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (start, name) = (self.start.name(), self.segment.name);
        write!(f, "line {}: {start}: {name} acks {:?} at {:?}", self.line, self.acks, self.place)
    }
}

/// Something that happens in the table of arrows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A listener is made.
    OpenPassive,
    /// A connection is asked for.
    OpenActive,
    /// Our direction is closed; of a listener, the listener.
    Close,
    /// The application lets go of the connection.
    Drop,
    /// The application resets it.
    Abort,
    /// A segment in order comes.
    Receive {
        /// What comes.
        segment: Kind,
        /// What it acknowledges.
        acks: Acks,
        /// A copy of the last one, or the next in order.
        again: bool,
    },
    /// A SYN comes that opens another connection with the same endpoints.
    NewSyn,
    /// Nothing comes, until the state has changed.
    Timeout,
}

/// One arrow of the state diagram.
#[derive(Clone, Debug)]
pub struct Arrow {
    /// Where it begins.
    pub from: Start,
    /// What happens, one after the other.
    pub events: Vec<Event>,
    /// The first packet that the last event brings.
    pub sends: Answer,
    /// Where it ends.
    pub to: State,
    /// Section of RFC 9293 if there is only a number, or what else says so.
    pub reference: &'static str,
    /// The line of `transitions.txt`.
    pub line: usize,
}
