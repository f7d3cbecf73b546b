//! What must hold in every state of both ends? No end believes what is not so, nothing stands still, and
//! nothing is left in the end.

use tcp_core::connection::State;
use tcp_core::error::End as Ending;

use super::end::{End, Owner};

/// What is known of a state beside its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    /// Disruptions so far.
    pub(super) spent: u8,
    /// No packet is under way.
    pub(super) quiet: bool,
    /// No event is possible any more.
    pub(super) stuck: bool,
}

/// Checks a state.
pub(super) fn check(a: &End, b: &End, s: Situation) -> Result<(), String> {
    for (one, other) in [(a, b), (b, a)] {
        beliefs(one, other)?;
        ending(one, other, s.spent)?;
        if s.stuck {
            over(one)?;
        }
    }
    if s.quiet && a.deadline().is_none() && b.deadline().is_none() {
        at_rest(a, b)?;
    }
    Ok(())
}

fn wrong(end: &End, what: &str) -> Result<(), String> {
    Err(format!("{:?} {what}", end.who))
}

/// What an end knows of the other is so.
fn beliefs(one: &End, other: &End) -> Result<(), String> {
    let (mine, theirs) = (&one.seen, &other.seen);
    if mine.read > mine.taken || mine.taken > theirs.written {
        return wrong(one, "has text that the other never wrote");
    }
    if mine.acked > theirs.taken {
        return wrong(one, "takes text for delivered that never arrived");
    }
    if mine.took_fin && !(theirs.closed && mine.taken == theirs.written) {
        return wrong(one, "saw a FIN before the end of the text, or none was meant");
    }
    if mine.eof && !(mine.took_fin && mine.read == theirs.written) {
        return wrong(one, "read an end that was none");
    }
    let Some(c) = &one.conn else { return Ok(()) };
    let fin_acked = matches!(c.state(), State::FinWait2 | State::TimeWait);
    if fin_acked && !theirs.took_fin {
        return wrong(one, "takes its FIN for delivered");
    }
    let open = !matches!(c.state(), State::SynSent | State::SynReceived | State::Closed);
    let (iss, irs) = c.initial_numbers();
    if open && !theirs.agreed.contains(&(irs, iss)) {
        return wrong(one, "is synchronized with nobody");
    }
    Ok(())
}

/// A connection ended for the reason that it gives.
fn ending(one: &End, other: &End, spent: u8) -> Result<(), String> {
    let (mine, theirs) = (&one.seen, &other.seen);
    let delivered = mine.acked == mine.written;
    match mine.ended {
        None => Ok(()),
        Some(Ending::Closed) if !delivered => wrong(one, "closed in order and lost its text"),
        Some(Ending::Closed) if !one.gone && !mine.took_fin => {
            wrong(one, "closed in order without the other")
        }
        Some(Ending::Reset) if !(theirs.sent_rst && theirs.rude) => {
            wrong(one, "was reset by nobody")
        }
        Some(Ending::Refused) if !theirs.sent_rst => wrong(one, "was refused by nobody"),
        // Two retransmissions at least come before.
        Some(Ending::TimedOut) if spent < 3 => wrong(one, "gave up on a network that works"),
        Some(Ending::Aborted) if !one.gone => wrong(one, "aborted what its application holds"),
        Some(Ending::Unreachable(_)) => wrong(one, "is told of ICMP that there was not"),
        Some(_) => Ok(()),
    }
}

/// Nothing is under way and no timer runs: both ends wait for their applications, and rightly so.
fn at_rest(a: &End, b: &End) -> Result<(), String> {
    use State::{CloseWait, Closed, Established, FinWait2, Listen};
    for end in [a, b] {
        let waits = end.conn.as_ref().filter(|c| c.end().is_none()).map(|c| c.info());
        if waits.is_some_and(|i| i.send_queue > 0) {
            return wrong(end, "has text to deliver and waits for nothing");
        }
    }
    let gone = |end: &End| matches!(end.state(), Closed | Listen);
    match (a.state(), b.state()) {
        (Established, Established) | (FinWait2, CloseWait) | (CloseWait, FinWait2) => Ok(()),
        // A reset may be lost: who is idle then learns of it from an answer to what it sends.
        (Established | FinWait2 | CloseWait, _) if gone(b) && b.seen.rude => Ok(()),
        (_, Established | FinWait2 | CloseWait) if gone(a) && a.seen.rude => Ok(()),
        _ if gone(a) && gone(b) => Ok(()),
        (one, other) => Err(format!("{one} and {other} wait for each other")),
    }
}

/// At the end of its plan, nothing is left of an end.
fn over(end: &End) -> Result<(), String> {
    if !matches!(end.owner, Owner::Nobody) {
        return wrong(end, "stands still");
    }
    if end.conn.is_some() {
        return wrong(end, "keeps a connection that nobody holds");
    }
    Ok(())
}
