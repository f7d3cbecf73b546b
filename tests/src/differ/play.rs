//! What does one end do in a case? Every step, and what was seen after it.

use std::fmt;

use tcp_core::connection::State;

use super::end::{End, Outcome};
use super::peer::{Answer, Peer, Told};
use super::script::{Case, Step};

/// What was seen after a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The segments sent.
    pub answers: Vec<Answer>,
    /// What the application was told, if it called.
    pub outcome: Option<Outcome>,
    /// The state.
    pub state: State,
}

/// A case that is being played to one end.
pub(super) struct Play<'e, E: End> {
    end: &'e mut E,
    peer: Peer,
    /// The segment said last.
    pub(super) said: Told,
}

impl<'e, E: End> Play<'e, E> {
    pub(super) fn begin(end: &'e mut E, case: &Case) -> Play<'e, E> {
        let tuple = end.open(case);
        Play { end, peer: Peer::new(case, tuple), said: Told::default() }
    }

    /// What comes without being asked for: the SYN of an active open.
    pub(super) fn first(&mut self, expected: usize) -> Seen {
        self.see(None, expected)
    }

    pub(super) fn step(&mut self, step: &Step, expected: usize) -> Seen {
        let outcome = match step {
            Step::Say(say) => {
                let said = self.peer.say(say);
                self.said = said.told;
                self.end.put(&said.octets);
                None
            }
            Step::Do(call) => Some(self.end.call(*call)),
        };
        self.see(outcome, expected)
    }

    fn see(&mut self, outcome: Option<Outcome>, expected: usize) -> Seen {
        let packets = self.end.take(expected);
        let answers = packets.iter().filter_map(|p| self.peer.hear(p)).collect();
        Seen { answers, outcome, state: self.end.state() }
    }

    pub(super) fn end(mut self) {
        let farewell = self.peer.farewell();
        self.end.end(&farewell);
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self.answers.iter().map(|a| format!("> {a}")).collect();
        parts.extend(self.outcome.as_ref().map(|o| match o {
            Outcome::Read(text) => format!("read {} octets", text.len()),
            other => format!("{other:?}"),
        }));
        parts.push(self.state.name().to_owned());
        f.write_str(&parts.join("; "))
    }
}
