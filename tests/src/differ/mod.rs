//! Where does our TCP behave otherwise than Linux's? The same raw segments and application calls
//! go to both; what comes back is made comparable, and what differs is explained or printed.
//! Needs root and `/dev/net/tun`.

mod diag;
mod end;
mod known;
mod linux;
mod net;
mod ours;
mod peer;
mod play;
mod random;
mod rows;
mod script;
mod shrink;
mod trace;

pub use end::Outcome;
pub use known::{KNOWN, Known};
pub use peer::{Answer, Told, Window};
pub use play::Seen;
pub use random::random;
pub use rows::rows;
pub use script::{Ack, Call, Case, Offer, Opening, Say, Seq, Stamp, Step};
pub use trace::{Line, Report, Tally};

use known::Met;
use linux::Linux;
use ours::Ours;
use play::Play;

/// Both ends. The thread that makes it moves into a network namespace of its own.
pub struct Differ {
    ours: Ours,
    linux: Linux,
}

impl std::fmt::Debug for Differ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Differ")
    }
}

/// Whether the kernel is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// It answers within the call that hands it a segment.
    Swift,
    /// A little, where we have said more than it did.
    Patient,
}

impl Differ {
    /// Makes both.
    ///
    /// # Panics
    /// Without root and `/dev/net/tun`.
    #[expect(clippy::new_without_default, reason = "it changes the machine")]
    pub fn new() -> Differ {
        Differ { ours: Ours::new(), linux: Linux::new() }
    }

    /// Plays a case to both. A difference is one only if it is there twice.
    pub fn run(&mut self, case: &Case) -> Report {
        let report = self.play(case, Pace::Swift);
        if report.different().is_none() {
            return report;
        }
        let again = self.play(case, Pace::Patient);
        if again.different().is_some() { again } else { again.unsteady() }
    }

    /// Makes an unexplained difference as small as it gets.
    pub fn shrink(&mut self, case: &Case) -> Case {
        shrink::shrink(case, |c| self.run(c).different().is_some())
    }

    fn play(&mut self, case: &Case, pace: Pace) -> Report {
        let mut ours = Play::begin(&mut self.ours, case);
        let mut linux = Play::begin(&mut self.linux, case);
        let expected = |n: usize| if pace == Pace::Patient { n } else { 0 };
        let mut report = Report::default();
        let seen = ours.first(0);
        let theirs = linux.first(expected(seen.answers.len()));
        let mut state = theirs.state;
        report.push(Line {
            step: None,
            said: Told::default(),
            ours: seen,
            linux: theirs,
            known: None,
        });
        for (at, step) in case.steps.iter().enumerate() {
            let ours = ours.step(step, 0);
            let linux_seen = linux.step(step, expected(ours.answers.len()));
            let said = linux.said;
            let met = Met { case, at, said, state, ours: &ours, linux: &linux_seen };
            let known = if ours == linux_seen { None } else { Some(known::explain(&met)) };
            state = linux_seen.state;
            let goes_on = known.is_none_or(|k| k.is_some_and(|k| k.goes_on));
            report.push(Line {
                step: Some(step.clone()),
                said: linux.said,
                ours,
                linux: linux_seen,
                known,
            });
            if !goes_on {
                break;
            }
        }
        ours.end();
        linux.end();
        report
    }
}
