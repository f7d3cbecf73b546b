//! How is a case told? A script in the manner of packetdrill with what both ends did, and a tally
//! of the differences of many cases.

use std::collections::BTreeMap;
use std::fmt;

use tcp_core::wire::Flags;

use super::end::Outcome;
use super::known::Known;
use super::peer::Told;
use super::play::Seen;
use super::script::{Call, Case, Letters, Say, Stamp, Step};

/// A step and what both ends did.
#[derive(Clone, Debug)]
pub struct Line {
    /// The step; none for the opening.
    pub step: Option<Step>,
    /// What a segment said.
    pub said: Told,
    /// What we did.
    pub ours: Seen,
    /// What the kernel did.
    pub linux: Seen,
    /// If they differ: the explanation, if there is one.
    pub known: Option<Option<&'static Known>>,
}

/// A case as it was played.
#[derive(Clone, Debug, Default)]
pub struct Report {
    lines: Vec<Line>,
    unsteady: bool,
}

impl Report {
    pub(super) fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// The difference was not there a second time.
    pub(super) fn unsteady(mut self) -> Report {
        self.unsteady = true;
        self.lines.iter_mut().for_each(|l| l.known = l.known.filter(Option::is_some));
        self
    }

    /// Whether a difference was there at first and not a second time.
    pub fn is_unsteady(&self) -> bool {
        self.unsteady
    }

    /// The line with a difference that nothing explains.
    pub fn different(&self) -> Option<&Line> {
        self.lines.iter().find(|l| matches!(l.known, Some(None)))
    }

    /// The explained differences.
    pub fn known(&self) -> impl Iterator<Item = &'static Known> + '_ {
        self.lines.iter().filter_map(|l| l.known.flatten())
    }

    /// What kind of difference is not explained: the state before, the segment or call, and what
    /// both ends did, without numbers.
    pub fn class(&self) -> Option<String> {
        let at = self.lines.iter().position(|l| matches!(l.known, Some(None)))?;
        let line = &self.lines[at];
        let before = at.checked_sub(1).map_or("", |n| self.lines[n].linux.state.name());
        let step = match &line.step {
            None => "open".to_owned(),
            Some(Step::Say(say)) => {
                let text = if say.text > 0 { "+text" } else { "" };
                format!("{}{text}", Letters(say.flags))
            }
            Some(Step::Do(call)) => format!("{call:?}"),
        };
        let kind = |seen: &Seen| {
            let answers: Vec<_> =
                seen.answers.iter().map(|a| Letters(a.flags).to_string()).collect();
            let outcome = seen.outcome.as_ref().map(|o| match o {
                Outcome::Read(text) if text.is_empty() => "read the end".to_owned(),
                Outcome::Read(_) => "read".to_owned(),
                Outcome::Wrote(_) => "wrote".to_owned(),
                other => format!("{other:?}"),
            });
            format!("[{}] {} {}", answers.join(" "), outcome.unwrap_or_default(), seen.state)
        };
        let (linux, ours) = (kind(&line.linux), kind(&line.ours));
        Some(format!("{before:12} {step:12} linux {linux:40} ours {ours}"))
    }

    /// Steps that were played.
    pub fn steps(&self) -> usize {
        self.lines.len()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|l| writeln!(f, "{l}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            None => f.write_str("open")?,
            Some(Step::Say(say)) => write_say(f, say, self.said)?,
            Some(Step::Do(call)) => write_call(f, *call)?,
        }
        match self.known {
            None => write!(f, "\n      both  {}", self.linux),
            Some(known) => {
                write!(f, "\n      linux {}\n      ours  {}", self.linux, self.ours)?;
                match known {
                    Some(k) => write!(f, "\n      known: {}", k.name),
                    None => f.write_str("\n      NOT EXPLAINED"),
                }
            }
        }
    }
}

fn write_say(f: &mut fmt::Formatter<'_>, say: &Say, told: Told) -> fmt::Result {
    let Told { seq, ack, .. } = told;
    let end = i64::from(seq) + i64::from(say.text);
    write!(f, "+0 < {} {seq}:{end}({})", Letters(say.flags), say.text)?;
    if say.flags.contains(Flags::ACK) {
        write!(f, " ack {ack}")?;
    }
    write!(f, " win {}", say.window)?;
    if say.flags.contains(Flags::URG) {
        write!(f, " urg {}", say.urgent)?;
    }
    match say.stamp {
        Stamp::Honest => {}
        Stamp::Missing => f.write_str(" <no TS>")?,
        Stamp::Off(val, ecr) => write!(f, " <TS val {val:+} ecr {ecr:+}>")?,
    }
    for (at, len) in &say.sack {
        write!(f, " <sack una{at:+}({len})>")?;
    }
    if !say.raw.is_empty() {
        write!(f, " <octets {:02x?}>", say.raw)?;
    }
    Ok(())
}

fn write_call(f: &mut fmt::Formatter<'_>, call: Call) -> fmt::Result {
    match call {
        Call::Read(n) => write!(f, "+0 read(4, ..., {n})"),
        Call::Write(n) => write!(f, "+0 write(4, ..., {n})"),
        Call::Shutdown => f.write_str("+0 shutdown(4, SHUT_WR)"),
        Call::Close => f.write_str("+0 close(4)"),
        Call::Abort => f.write_str("+0 close(4) with SO_LINGER 0"),
    }
}

impl Case {
    /// Who opens, and what the peer offers, in one line.
    pub fn heading(&self) -> String {
        let family = if self.ipv6 { "IPv6" } else { "IPv4" };
        let Case { opening, iss, offer, .. } = self;
        format!("// {family}, {opening:?}, iss {iss}, {offer:?}")
    }
}

/// What many cases came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Cases played.
    pub cases: u64,
    /// Steps played.
    pub steps: u64,
    /// Cases without any difference.
    pub same: u64,
    /// Cases whose difference was there once and not again.
    pub unsteady: u64,
    /// How often each explained difference was met.
    pub known: BTreeMap<&'static str, u64>,
    /// Cases with an unexplained difference.
    pub different: Vec<Case>,
    /// How often each class of unexplained difference was met.
    pub classes: BTreeMap<String, u64>,
}

impl Tally {
    /// Both together.
    pub fn merge(mut self, other: Tally) -> Tally {
        self.cases += other.cases;
        self.steps += other.steps;
        self.same += other.same;
        self.unsteady += other.unsteady;
        for (name, n) in other.known {
            *self.known.entry(name).or_default() += n;
        }
        self.different.extend(other.different);
        for (class, n) in other.classes {
            *self.classes.entry(class).or_default() += n;
        }
        self
    }

    /// Counts a case.
    pub fn count(&mut self, case: &Case, report: &Report) {
        self.cases += 1;
        self.steps += report.steps() as u64;
        self.unsteady += u64::from(report.is_unsteady());
        let mut same = true;
        for known in report.known() {
            *self.known.entry(known.name).or_default() += 1;
            same = false;
        }
        if let Some(class) = report.class() {
            *self.classes.entry(class).or_default() += 1;
            self.different.push(case.clone());
        } else {
            self.same += u64::from(same);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} cases with {} steps: {} without a difference, {} unsteady, {} not explained",
            self.cases,
            self.steps,
            self.same,
            self.unsteady,
            self.different.len()
        )?;
        self.known.iter().try_for_each(|(name, n)| writeln!(f, "{n:>8}  {name}"))?;
        self.classes.iter().try_for_each(|(class, n)| writeln!(f, "{n:>8}  NOT EXPLAINED {class}"))
    }
}
