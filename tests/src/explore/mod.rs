//! Is there any way at all in which two ends can go wrong? Every interleaving of two small
//! applications, their packets and their timers, breadth-first, with the invariants of both ends in
//! each state. docs/decisions/0020 says what is abstracted and what the bounds cover.

mod check;
mod end;
mod local;
mod search;
mod world;

pub use search::{Failure, Outcome, search};

use std::time::Duration;

use tcp_core::SeqNum;
use tcp_core::config::{BufferLimits, TcpConfig};

/// The constant retransmission time-out.
const RTO: Duration = Duration::from_secs(1);

/// What an application does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Opens actively.
    Open,
    /// Writes one octet: a segment of its own.
    Write,
    /// Closes its direction and reads on.
    Shutdown,
    /// Lets go of the connection.
    Close,
    /// Resets the connection.
    Abort,
}

/// What an application does, in this order, each action at any time at which it is possible.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Plan {
    /// The actions; the last one is [`Action::Close`] or [`Action::Abort`].
    pub actions: Vec<Action>,
    /// It reads all that comes as soon as it comes; otherwise nothing ever.
    pub reads: bool,
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |a: &Action| match a {
            Action::Open => "open",
            Action::Write => "write",
            Action::Shutdown => "shutdown",
            Action::Close => "close",
            Action::Abort => "abort",
        };
        let names: Vec<_> = self.actions.iter().map(name).collect();
        f.write_str(&names.join(" "))?;
        f.write_str(if self.reads { "" } else { " (reads nothing)" })
    }
}

/// Two applications and how the connection between them begins: one space of states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// A opens.
    pub a: Plan,
    /// B listens, unless it opens too.
    pub b: Plan,
    /// Packets that may be lost, doubled or overtaken.
    pub disruptions: u8,
    /// Timestamps are on: each clock then tells states apart.
    pub timestamps: bool,
    /// Steps of different ends are tried in every order, even where it makes no difference to them.
    pub every_order: bool,
    /// Initial sequence numbers.
    pub isns: [SeqNum; 2],
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "A: {}; B: {}; {} disruptions", self.a, self.b, self.disruptions)
    }
}

impl Scenario {
    /// B opens too.
    pub fn crossing(&self) -> bool {
        self.b.actions.first() == Some(&Action::Open)
    }

    /// Small numbers where numbers only make the space longer: so few retransmissions that three
    /// losses can end a connection, a time-out that does not depend on round trips, and no limit on
    /// challenge ACKs that could hide an endless conversation.
    fn config(&self) -> TcpConfig {
        TcpConfig {
            timestamps: self.timestamps,
            receive_buffer: BufferLimits { initial: 4096, max: 4096 },
            rto_initial: RTO,
            rto_min: RTO,
            rto_max: RTO,
            syn_retries: 2,
            syn_ack_retries: 2,
            retries_r2: 3,
            orphan_retries: 2,
            challenge_limit: u32::MAX,
            ..TcpConfig::default()
        }
    }
}

/// Bounds of a set of scenarios.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Segments that an application writes at most.
    pub writes: usize,
    /// Packets that may be lost, doubled or overtaken.
    pub disruptions: u8,
    /// Timestamps are on.
    pub timestamps: bool,
    /// See [`Scenario::every_order`].
    pub every_order: bool,
    /// Initial sequence numbers.
    pub isns: [SeqNum; 2],
}

/// Every pair of plans within the bounds: A opens and B listens, or both open.
pub fn scenarios(bounds: Bounds) -> Vec<Scenario> {
    use Action::{Abort, Close, Open, Shutdown, Write};
    let ends = [&[Shutdown, Close][..], &[Close], &[Abort], &[Shutdown, Abort]];
    let mut plans = Vec::new();
    for writes in 0..=bounds.writes {
        for end in ends {
            let actions = [&vec![Write; writes][..], end].concat();
            plans.push(Plan { actions: actions.clone(), reads: true });
            if end == [Close] {
                plans.push(Plan { actions, reads: false });
            }
        }
    }
    let opens = |p: &Plan| Plan { actions: [&[Open], &p.actions[..]].concat(), reads: p.reads };
    let of = |a: Plan, b: Plan| {
        let Bounds { disruptions, timestamps, every_order, isns, .. } = bounds;
        Scenario { a, b, disruptions, timestamps, every_order, isns }
    };
    let mut all = Vec::new();
    for (i, a) in plans.iter().enumerate() {
        for (j, b) in plans.iter().enumerate() {
            all.push(of(opens(a), b.clone()));
            // Both ends of a simultaneous open are alike.
            if j >= i {
                all.push(of(opens(a), opens(b)));
            }
        }
    }
    all
}
