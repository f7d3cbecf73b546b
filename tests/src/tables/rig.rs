//! Does a stack do what the tables say? One [`Stack`] under test, brought into a state by real
//! packets, and a peer that sends exactly the segment of a cell. Which cells there are is the tables'.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tcp_core::config::BufferLimits;
use tcp_core::connection::State;
use tcp_core::wire::Flags;
use tcp_core::{Endpoint, Instant, SeqNum, Tuple};
use tcp_io::ConnId;
use tcp_io::device::RxChecksum;
use tcp_io::stack::{ConnectOptions, ListenOptions, ListenerId, Stack, StackConfig};

use super::{Acks, Answer, Arrow, Cell, Event, Kind, Place, Start};
use crate::fuzz::packet::{Crafted, Emitted, check_emitted};

/// RCV.WND of the stack: plain numbers, no scale.
const WINDOW: usize = 10_000;

/// What the peer offers, and so MAX.SND.WND.
const PEER_WINDOW: u16 = 20_000;

/// MUST-40 allows 500 ms for a delayed ACK; before the least retransmission time-out.
const DELAYED: Duration = Duration::from_millis(150);

const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);
const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);
const RST_ACK: Flags = Flags::RST.union(Flags::ACK);

/// How a run differs from another with the same cell.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// IPv6 instead of IPv4.
    pub v6: bool,
    /// The peer's initial sequence number.
    pub irs: u32,
    /// Chooses our initial sequence number.
    pub seed: u8,
}

struct Rig {
    start: Start,
    stack: Stack,
    now: Instant,
    listener: Option<ListenerId>,
    conn: Option<ConnId>,
    /// As the stack names it.
    tuple: Tuple,
    /// What an exact peer has sent and not repeated: our RCV.NXT.
    nxt: SeqNum,
    /// RCV.NXT + RCV.WND as the stack last said.
    edge: SeqNum,
    iss: SeqNum,
    una: SeqNum,
    snd_nxt: SeqNum,
}

/// Brings a stack into the state of a cell, gives it the segment, and tells what is not as the
/// cell says.
///
/// # Errors
/// What happened instead.
pub fn check_cell(cell: &Cell, v: Variant) -> Result<(), String> {
    let mut rig = Rig::start(cell.start, v);
    let seq = cell.place.seq(rig.nxt.0, rig.window(), cell.segment.seq_len());
    let ack = rig.ack_number(cell.acks);
    let (nxt, snd_nxt, iss) = (rig.nxt, rig.snd_nxt, rig.iss);
    rig.give(&cell.segment, SeqNum(seq), ack);
    let mut heard = rig.hear();
    let at_once = heard.len();
    heard.extend(rig.wait(DELAYED));
    let end = SeqNum(seq) + cell.segment.seq_len();
    let taken = if cell.takes_it() { end } else { nxt };
    let known = match (cell.start, cell.answer) {
        (Start::Listen | Start::SynSent | Start::TimeWaitListening, Answer::SynAck) => {
            SeqNum(seq) + 1
        }
        (Start::SynSent, Answer::Ack) => SeqNum(seq) + 1,
        _ => taken,
    };
    let right = match (cell.answer, &heard[..]) {
        (Answer::Silence, []) => true,
        (Answer::Ack, [p]) => at_once == 1 && p.is(Flags::ACK, snd_nxt, known),
        (Answer::DelayedAck, [p]) => at_once == 0 && p.is(Flags::ACK, snd_nxt, known),
        (Answer::SynAck, [p]) => {
            let ours = match cell.start {
                Start::Listen => true,
                // MAY-2: a successor's numbers lie beyond the old ones.
                Start::TimeWaitListening => p.seq.after(snd_nxt),
                _ => p.seq == iss,
            };
            at_once == 1 && ours && p.is(SYN_ACK, p.seq, known)
        }
        (Answer::Reset, [p]) => at_once == 1 && p.is(Flags::RST, ack, SeqNum(0)),
        (Answer::ResetAck, [p]) => at_once == 1 && p.is(RST_ACK, SeqNum(0), end),
        _ => false,
    };
    let state = rig.state();
    if right && state == cell.next {
        return rig.check_tables();
    }
    Err(format!(
        "{state} and {at_once} at once of {heard:?}, not {:?} and {} ({}): \
         SEG.SEQ {seq}, SND.NXT {snd_nxt:?}, RCV.NXT {nxt:?}",
        cell.answer, cell.next, cell.reference
    ))
}

/// Follows an arrow and tells what is not as it says.
///
/// # Errors
/// What happened instead.
pub fn check_arrow(arrow: &Arrow, v: Variant) -> Result<(), String> {
    let mut rig = Rig::start(arrow.from, v);
    let mut heard = Vec::new();
    for event in &arrow.events {
        heard = rig.act(event);
    }
    let kind = heard.first().map_or(Answer::Silence, Emitted::kind);
    let state = rig.state();
    if kind == arrow.sends && state == arrow.to {
        return rig.check_tables();
    }
    Err(format!("{state} with {heard:?}, not {:?} and {}", arrow.sends, arrow.to))
}

impl Cell {
    /// Whether the segment is taken in order, so that RCV.NXT moves behind it.
    fn takes_it(&self) -> bool {
        let open = match self.start.state() {
            State::SynReceived => self.acks == Acks::All,
            State::Established | State::FinWait1 | State::FinWait2 => {
                !matches!(self.acks, Acks::Nothing | Acks::Ancient | Acks::New)
            }
            _ => false,
        };
        let plain = !self.segment.flags.intersects(Flags::SYN | Flags::RST);
        open && plain && self.place == Place::Edge
    }
}

impl Emitted {
    fn is(&self, flags: Flags, seq: SeqNum, ack: SeqNum) -> bool {
        (self.flags.without(Flags::PSH), self.seq, self.ack) == (flags, seq, ack)
    }

    fn kind(&self) -> Answer {
        match self.flags.without(Flags::PSH) {
            f if f.contains(Flags::RST) => Answer::Reset,
            Flags::ACK => Answer::Ack,
            Flags::SYN => Answer::Syn,
            SYN_ACK => Answer::SynAck,
            FIN_ACK => Answer::Fin,
            other => panic!("a packet that no table has a word for: {other:?}"),
        }
    }
}

impl Rig {
    fn start(start: Start, v: Variant) -> Rig {
        let mut rig = Rig::new(start, v);
        rig.open(start);
        let close = |rig: &mut Rig| rig.act(&Event::Close);
        match start {
            Start::FinWait1 => drop(close(&mut rig)),
            Start::FinWait2 | Start::TimeWait | Start::TimeWaitListening => {
                close(&mut rig);
                rig.give_next(Flags::ACK, Acks::All);
                if start != Start::FinWait2 {
                    rig.give_next(FIN_ACK, Acks::All);
                }
            }
            Start::CloseWait => rig.give_next(FIN_ACK, Acks::All),
            Start::LastAck => {
                rig.give_next(FIN_ACK, Acks::All);
                close(&mut rig);
            }
            Start::Closing => {
                close(&mut rig);
                rig.give_next(FIN_ACK, Acks::Una);
            }
            _ => {}
        }
        assert_eq!(rig.state(), start.state(), "the way to {start:?}");
        rig
    }

    fn new(start: Start, v: Variant) -> Rig {
        let ip = |n: u8| match v.v6 {
            true => IpAddr::from(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into())),
            false => IpAddr::from(Ipv4Addr::new(10, 0, 0, n)),
        };
        let addresses = ["10.0.0.1/24", "fd00::1/64"];
        let mut config = StackConfig {
            addresses: addresses.map(|a| a.parse().expect("an address")).to_vec(),
            ..StackConfig::default()
        };
        config.tcp.receive_buffer = BufferLimits { initial: WINDOW, max: WINDOW };
        let now = Instant::from_millis(1000);
        let mut stack = Stack::new(now, config, [v.seed; 32]);
        let (local, remote) = (Endpoint::new(ip(1), 80), Endpoint::new(ip(2), 4000));
        let listens =
            matches!(start, Start::Listen | Start::SynReceivedPassive | Start::TimeWaitListening);
        let listener =
            listens.then(|| stack.listen(local.into(), ListenOptions::default()).expect("listen"));
        let irs = SeqNum(v.irs);
        Rig {
            start,
            stack,
            now,
            listener,
            conn: None,
            tuple: Tuple { local, remote },
            nxt: irs,
            edge: irs + WINDOW as u32,
            iss: SeqNum(0),
            una: SeqNum(0),
            snd_nxt: SeqNum(0),
        }
    }

    /// Opens as far as the state has it.
    fn open(&mut self, start: Start) {
        match start {
            Start::Closed | Start::Listen => {}
            Start::SynReceivedPassive | Start::TimeWaitListening => {
                self.give_next(Flags::SYN, Acks::Nothing);
                if start == Start::TimeWaitListening {
                    self.give_next(Flags::ACK, Acks::All);
                    self.conn = self.listener.and_then(|l| self.stack.accept(l).expect("listener"));
                }
            }
            _ => {
                self.act(&Event::OpenActive);
                match start {
                    Start::SynSent => {}
                    Start::SynReceivedActive => self.give_next(Flags::SYN, Acks::Nothing),
                    _ => self.give_next(SYN_ACK, Acks::All),
                }
            }
        }
    }

    fn window(&self) -> u32 {
        self.edge.distance_from(self.nxt)
    }

    fn ack_number(&self, acks: Acks) -> SeqNum {
        match acks {
            Acks::Nothing => SeqNum(0),
            Acks::Ancient => self.una - u32::from(PEER_WINDOW) - 1,
            Acks::Old => self.una - 1,
            Acks::Una => self.una,
            Acks::All => self.snd_nxt,
            Acks::New => self.snd_nxt + 1,
        }
    }

    /// The next segment in order, whatever it brings.
    fn give_next(&mut self, flags: Flags, acks: Acks) {
        let kind = Kind { name: "", flags, text: 0 };
        let ack = self.ack_number(acks);
        self.give(&kind, self.nxt, ack);
        self.nxt += kind.seq_len();
        if acks == Acks::All {
            self.una = self.snd_nxt;
        }
        self.hear();
    }

    fn give(&mut self, kind: &Kind, seq: SeqNum, ack: SeqNum) {
        let text = vec![b'x'; kind.text];
        let packet = Crafted {
            tuple: self.tuple,
            seq,
            ack,
            flags: kind.flags.bits(),
            window: PEER_WINDOW,
            urgent: 0,
            options: &[],
            text: &text,
        };
        self.stack.receive(self.now, &packet.octets(), RxChecksum::Unknown, None);
    }

    /// Takes everything that the stack sends now.
    fn hear(&mut self) -> Vec<Emitted> {
        let mut heard = Vec::new();
        while let Some(p) = self.stack.poll_transmit(self.now) {
            let e = check_emitted(&p.to_vec()).expect("a segment");
            self.tuple = e.tuple;
            if e.flags.contains(Flags::SYN) {
                self.iss = e.seq;
                self.una = e.seq;
                self.snd_nxt = e.seq;
            }
            if !e.flags.contains(Flags::RST) {
                self.snd_nxt = self.snd_nxt.max(e.seq_end);
                if e.flags.contains(Flags::ACK) {
                    self.edge = e.ack + u32::from(e.window);
                }
            }
            heard.push(e);
        }
        heard
    }

    /// Lets time pass, with every deadline on the way.
    fn wait(&mut self, span: Duration) -> Vec<Emitted> {
        let end = self.now + span;
        let mut heard = Vec::new();
        while let Some(at) = self.stack.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.stack.on_deadline(self.now);
            heard.extend(self.hear());
        }
        self.now = end;
        heard
    }

    fn act(&mut self, event: &Event) -> Vec<Emitted> {
        let now = self.now;
        match event {
            Event::OpenPassive => {
                let l = self.stack.listen(self.tuple.local.into(), ListenOptions::default());
                self.listener = Some(l.expect("listen"));
            }
            Event::OpenActive => {
                let c =
                    self.stack.connect(now, self.tuple.remote.into(), ConnectOptions::default());
                self.conn = Some(c.expect("connect"));
            }
            Event::Close => match (self.conn, self.listener.take()) {
                (Some(c), _) => self.stack.shutdown(c).expect("open"),
                (None, Some(l)) => self.stack.close_listener(l),
                (None, None) => panic!("nothing to close"),
            },
            Event::Drop => self.stack.close(now, self.conn.expect("a connection")),
            Event::Abort => self.stack.abort(self.conn.expect("a connection")),
            Event::Receive { segment, acks, again } => {
                let back = if *again { segment.seq_len() } else { 0 };
                let ack = self.ack_number(*acks);
                self.give(segment, self.nxt - back, ack);
            }
            Event::NewSyn => {
                let syn = Kind { name: "SYN", flags: Flags::SYN, text: 0 };
                self.give(&syn, self.nxt + 100_000, SeqNum(0));
            }
            Event::Timeout => return self.wait_for_change(),
        }
        self.hear()
    }

    fn wait_for_change(&mut self) -> Vec<Emitted> {
        let before = self.state();
        let mut heard = Vec::new();
        for _ in 0..3600 {
            heard.extend(self.wait(Duration::from_secs(1)));
            if self.state() != before {
                break;
            }
        }
        heard
    }

    /// What the table of connections says of these endpoints.
    fn state(&self) -> State {
        let rows = self.stack.connections();
        let ours = |remote| rows.iter().find(|r| r.local == self.tuple.local && r.remote == remote);
        // The listener of a TIME-WAIT is not what the connection goes back to.
        let back = if self.start == Start::TimeWaitListening { None } else { ours(None) };
        ours(Some(self.tuple.remote)).or(back).map_or(State::Closed, |r| r.state)
    }

    /// Nothing is left of what is gone.
    fn check_tables(&self) -> Result<(), String> {
        let known = match self.state() {
            State::Closed | State::Listen => 0,
            _ => 1,
        };
        let (demux, timers) = (self.stack.demux_count(), self.stack.timer_count());
        if demux != known || timers > known {
            return Err(format!("{demux} demultiplexed and {timers} timers in {}", self.state()));
        }
        Ok(())
    }
}
