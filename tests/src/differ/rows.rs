//! Which cases are in the table? Every cell of the table of segments, which the tests of the state
//! machine walk through as well, and the same places and segments in states that are reached with
//! something on the way: unread text, a gap, text in flight, an application that has let go.

use tcp_core::wire::Flags;

use super::script::{Ack, Call, Case, Offer, Opening, Say, Seq, Step};
use crate::tables::{self, Acks, Cell, Place, Start};

const SYN: Flags = Flags::SYN;
const ACK: Flags = Flags::ACK;
const FIN: Flags = Flags::FIN;
const RST: Flags = Flags::RST;

/// A way into a state.
#[derive(Clone, Debug)]
struct Way {
    opening: Opening,
    steps: Vec<Step>,
}

fn say(flags: Flags) -> Step {
    Say::honest(flags).into()
}

/// Every way into every state.
fn ways() -> Vec<Way> {
    let mut all = vec![
        Way { opening: Opening::Nobody, steps: Vec::new() },
        Way { opening: Opening::Passive, steps: Vec::new() },
        // SYN-RECEIVED, from either side.
        Way { opening: Opening::Passive, steps: vec![say(SYN)] },
        Way { opening: Opening::Active, steps: Vec::new() },
        Way { opening: Opening::Active, steps: vec![say(SYN)] },
    ];
    let passive = [say(SYN), say(ACK)];
    let active = [say(SYN | ACK)];
    for (n, tail) in synchronized().into_iter().enumerate() {
        // Whether it opened matters little later on.
        let (opening, head) = if n % 2 == 0 {
            (Opening::Passive, &passive[..])
        } else {
            (Opening::Active, &active[..])
        };
        all.push(Way { opening, steps: [head, &tail].concat() });
        if n == 0 {
            all.push(Way { opening: Opening::Active, steps: [&active[..], &tail].concat() });
        }
    }
    all
}

/// From ESTABLISHED into every synchronized state, with and without something on the way.
fn synchronized() -> Vec<Vec<Step>> {
    let text: Step = Say::honest(ACK).text(100).into();
    let gap: Step = Say::honest(ACK).text(100).at(Seq::Nxt(100)).into();
    let fin = || say(FIN | ACK);
    let late_fin: Step = Say::honest(FIN | ACK).acks(Ack::Una(0)).into();
    let (write, shutdown, close): (Step, Step, Step) =
        (Call::Write(100).into(), Call::Shutdown.into(), Call::Close.into());
    let read: Step = Call::Read(1000).into();
    vec![
        // ESTABLISHED: idle, with unread text, with a gap, with text in flight.
        vec![],
        vec![text],
        vec![gap.clone()],
        vec![write.clone()],
        // FIN-WAIT-1
        vec![shutdown.clone()],
        vec![write.clone(), shutdown.clone()],
        vec![close.clone()],
        // FIN-WAIT-2
        vec![shutdown.clone(), say(ACK)],
        vec![shutdown.clone(), say(ACK), gap],
        vec![close, say(ACK)],
        // CLOSE-WAIT
        vec![fin()],
        vec![fin(), read.clone()],
        vec![write.clone(), late_fin.clone()],
        // CLOSING
        vec![shutdown.clone(), late_fin],
        // LAST-ACK
        vec![fin(), shutdown.clone()],
        vec![fin(), read, write, shutdown.clone()],
        // TIME-WAIT, and over
        vec![shutdown.clone(), say(ACK), fin()],
        vec![shutdown.clone(), fin()],
        vec![fin(), shutdown, say(ACK)],
    ]
}

/// Flags and octets of text.
fn kinds() -> [(Flags, u16); 19] {
    [
        (ACK, 0),
        (ACK, 10),
        (ACK, 300),
        (FIN | ACK, 0),
        (FIN | ACK, 10),
        (FIN | ACK, 300),
        (FIN, 0),
        (Flags::NONE, 0),
        (Flags::NONE, 10),
        (Flags::PSH, 1),
        (SYN, 0),
        (SYN, 10),
        (SYN | ACK, 0),
        (SYN | FIN, 0),
        (SYN | RST, 0),
        (SYN | FIN | ACK, 10),
        (RST, 0),
        (RST | ACK, 0),
        (RST | ACK, 10),
    ]
}

const PLACES: [Seq; 10] = [
    Seq::Nxt(0),
    Seq::Nxt(-1),
    Seq::Nxt(1),
    Seq::Nxt(-10),
    Seq::Nxt(-5),
    Seq::Nxt(-5000),
    Seq::Edge(-1),
    Seq::Edge(0),
    Seq::Edge(1),
    Seq::Iss(0),
];

const ACKS: [Ack; 6] =
    [Ack::Nxt(0), Ack::Una(0), Ack::Nxt(1), Ack::Una(-1), Ack::Una(-100_000), Ack::Iss(0)];

/// What is done after the segment, so that what it changed inside is seen.
fn after() -> [Step; 4] {
    [
        Call::Read(2000).into(),
        Call::Read(2000).into(),
        Call::Write(10).into(),
        Say::honest(ACK).text(5).into(),
    ]
}

const OFFERS: [Offer; 2] = [
    Offer { mss: 1460, scale: Some(7), sack: true, timestamps: true },
    Offer { mss: 1460, scale: None, sack: false, timestamps: false },
];

/// Rows of the table: every cell for both families with and without options, then every `part`-th
/// of what is reached with something on the way.
pub fn rows(part: usize) -> Vec<Case> {
    let mut all = Vec::new();
    for cell in tables::segments() {
        for ipv6 in [false, true] {
            for offer in OFFERS {
                all.push(of_cell(&cell, ipv6, offer));
            }
        }
    }
    all.extend(detours().into_iter().step_by(part.max(1)));
    all
}

/// A cell of the table of segments, as a case.
fn of_cell(cell: &Cell, ipv6: bool, offer: Offer) -> Case {
    let (opening, mut steps) = start(cell.start);
    let len = cell.segment.seq_len().max(1) as i32;
    let seq = match cell.place {
        Place::Left => Seq::Nxt(-1000 - len),
        Place::Again => Seq::Nxt(-len),
        Place::Edge => Seq::Nxt(0),
        Place::Inside => Seq::Nxt(100),
        Place::Last => Seq::Edge(-len),
        Place::Right => Seq::Edge(0),
        Place::Beyond => Seq::Edge(1000),
    };
    let window = 0x4000 << offer.scale.unwrap_or(0);
    let ack = match cell.acks {
        Acks::Nothing | Acks::All => Ack::Nxt(0),
        Acks::Ancient => Ack::Una(-window - 1),
        Acks::Old => Ack::Una(-1),
        Acks::Una => Ack::Una(0),
        Acks::New => Ack::Nxt(1),
    };
    let segment = Say::honest(cell.segment.flags).text(cell.segment.text as u16);
    steps.push(segment.at(seq).acks(ack).into());
    steps.extend(after());
    Case { ipv6, opening, iss: u32::MAX - 500, offer, steps }
}

/// How a state of the table is come to.
fn start(start: Start) -> (Opening, Vec<Step>) {
    let fin = || Step::from(Say::honest(FIN | ACK).acks(Ack::Una(0)));
    let shutdown = || Step::from(Call::Shutdown);
    let passive = [say(SYN), say(ACK)];
    let tail = match start {
        Start::Closed => return (Opening::Nobody, Vec::new()),
        Start::Listen => return (Opening::Passive, Vec::new()),
        Start::SynSent => return (Opening::Active, Vec::new()),
        Start::SynReceivedPassive => return (Opening::Passive, vec![say(SYN)]),
        Start::SynReceivedActive => return (Opening::Active, vec![say(SYN)]),
        Start::Established => vec![],
        Start::FinWait1 => vec![shutdown()],
        Start::FinWait2 => vec![shutdown(), say(ACK)],
        Start::CloseWait => vec![fin()],
        Start::Closing => vec![shutdown(), fin()],
        Start::LastAck => vec![fin(), shutdown()],
        Start::TimeWait | Start::TimeWaitListening => vec![shutdown(), say(ACK), fin()],
    };
    if start == Start::TimeWaitListening {
        (Opening::Passive, [&passive[..], &tail].concat())
    } else {
        (Opening::Active, [&[say(SYN | ACK)][..], &tail].concat())
    }
}

/// Every way times every segment, place and acknowledgement; families and options take turns.
fn detours() -> Vec<Case> {
    let mut all = Vec::new();
    for way in ways() {
        for (flags, text) in kinds() {
            for seq in PLACES {
                let acks = if flags.contains(ACK) { &ACKS[..] } else { &ACKS[..1] };
                for ack in acks {
                    let segment = Say::honest(flags).text(text).at(seq).acks(*ack);
                    let mut steps = way.steps.clone();
                    steps.push(segment.into());
                    steps.extend(after());
                    let n = all.len();
                    let iss = if n.is_multiple_of(3) { u32::MAX - 3 } else { 1000 };
                    let (ipv6, offer) = (n % 2 == 1, OFFERS[n / 2 % 2]);
                    all.push(Case { ipv6, opening: way.opening, iss, offer, steps });
                }
            }
        }
    }
    all
}
