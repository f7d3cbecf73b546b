//! Which differences are explained? A table with the RFC section that decides and a matcher each;
//! `docs/linux-differences.md` says the same in more words.

use std::io::ErrorKind;

use tcp_core::connection::State;
use tcp_core::wire::Flags;

use super::end::Outcome;
use super::peer::{Answer, Told};
use super::play::Seen;
use super::script::{Call, Case, Opening, Say, Seq, Stamp, Step};

/// A difference as it was met.
pub(super) struct Met<'a> {
    pub(super) case: &'a Case,
    /// Number of the step.
    pub(super) at: usize,
    /// The segment, if the peer spoke.
    pub(super) said: Told,
    /// The state before the step.
    pub(super) state: State,
    pub(super) ours: &'a Seen,
    pub(super) linux: &'a Seen,
}

/// An explained difference.
pub struct Known {
    /// Its name, as in the document.
    pub name: &'static str,
    /// The section that decides.
    pub section: &'static str,
    /// Both ends are alike after it, so that the case can go on.
    pub goes_on: bool,
    matches: fn(&Met<'_>) -> bool,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const fn known(
    name: &'static str,
    section: &'static str,
    goes_on: bool,
    matches: fn(&Met<'_>) -> bool,
) -> Known {
    Known { name, section, goes_on, matches }
}

/// All of them; the first that matches counts.
pub static KNOWN: [Known; 38] = [
    known("no-ack-bit", "RFC 9293 3.10.7.4 first", true, no_ack_bit),
    known("malformed-options", "RFC 9293 3.1 (MUST-7)", false, malformed_options),
    known("syn-text", "RFC 9293 3.10.7.2 third, 3.10.7.3 fourth", false, syn_text),
    known("request-syn", "RFC 5961 4.2", false, request_syn),
    known("request-reset", "RFC 5961 3.2", false, request_reset),
    known("request-ack", "RFC 9293 3.10.7.4 first", true, request_ack),
    known("request-echo", "RFC 7323 3.2", false, request_echo),
    known("crossing-options", "RFC 7323 2.2 and 3.2", true, crossing_options),
    known("crossing-syn", "RFC 9293 3.10.7.4 first", true, crossing_syn),
    known("crossing-ack", "RFC 9293 3.10.7.4 fifth", false, crossing_ack),
    known("crossing-reset", "RFC 9293 3.10.7.4 second", false, crossing_reset),
    known("syn-sent-echo", "RFC 7323 3.2", false, syn_sent_echo),
    known("d-sack-control", "RFC 2883 4", true, d_sack_control),
    known("sack-fin", "RFC 2018 3", true, sack_fin),
    known("paws-old-ack", "RFC 7323 5.3 R1", true, paws_old_ack),
    known("paws-tick", "RFC 7323 5.3 R1", false, paws_tick),
    known("echo-old-ack", "RFC 7323 4.3", true, echo_only),
    known("copy-ack", "RFC 9293 3.10.7.4 first", false, copy_ack),
    known("first-ack", "RFC 5961 5.2", false, first_ack),
    known("reset-left", "RFC 9293 3.4", true, reset_left),
    known("reset-right", "RFC 5961 3.2", true, reset_right),
    known("reset-before-fin", "RFC 5961 3.2", false, reset_before_fin),
    known("reset-behind-gap", "RFC 5961 3.2", false, reset_behind_gap),
    known("reset-both-closed", "RFC 9293 3.10.7.4 second", true, reset_both_closed),
    known("orphan-reset", "RFC 9293 3.10.5", true, orphan_reset),
    known("orphan-fin-wait-2", "RFC 9293 3.10.7.4", false, orphan_fin_wait),
    known("right-edge", "RFC 9293 3.10.7.4 first", false, right_edge),
    known("text-behind-fin", "RFC 9293 3.10.7.4 seventh", false, text_behind_fin),
    known("contradicting-fin", "RFC 9293 3.10.7.4 eighth", false, contradicting_fin),
    known("time-wait-ack", "RFC 9293 3.10.7.4 first", true, time_wait_ack),
    known("time-wait-reset", "RFC 7323 5.2", false, time_wait_reset),
    known("close-before-open", "RFC 9293 3.10.4", false, close_before_open),
    known("close-after-reset", "RFC 9293 3.10.4", true, close_after_reset),
    known("abort-behind-fin", "RFC 9293 3.10.5", true, abort_behind_fin),
    known("shrunk-window", "RFC 9293 3.8.6", true, shrunk_window),
    known("what-is-lost", "RFC 6675 4, RFC 8985 6.2", false, what_is_lost),
    known("how-much-is-sent", "RFC 9293 3.8.6.2.1, RFC 5681 3.1", false, how_much_is_sent),
    known("urgent-zero", "RFC 9293 3.8.5", false, urgent_zero),
];

pub(super) fn explain(met: &Met<'_>) -> Option<&'static Known> {
    KNOWN.iter().find(|k| (k.matches)(met))
}

impl<'a> Met<'a> {
    fn step(&self) -> &'a Step {
        &self.case.steps[self.at]
    }

    fn say(&self) -> Option<&'a Say> {
        match self.step() {
            Step::Say(say) => Some(say),
            Step::Do(_) => None,
        }
    }

    /// Whether the segment has all of these bits and none of those.
    fn has(&self, all: Flags, none: Flags) -> bool {
        self.say().is_some_and(|s| s.flags.contains(all) && !s.flags.intersects(none))
    }

    fn earlier(&self) -> impl Iterator<Item = &'a Step> {
        self.case.steps[..self.at].iter()
    }

    fn alike(&self) -> bool {
        self.ours.state == self.linux.state && self.ours.outcome == self.linux.outcome
    }

    /// Whether both did the same, but for what `forget` takes away.
    fn same_but(&self, forget: impl Fn(&mut Answer)) -> bool {
        let told = |seen: &Seen| {
            let mut answers = seen.answers.clone();
            answers.iter_mut().for_each(&forget);
            answers
        };
        self.alike() && told(self.ours) == told(self.linux)
    }

    /// The application has let go.
    fn is_orphan(&self) -> bool {
        self.earlier().any(|s| matches!(s, Step::Do(Call::Close)))
    }
}

/// Whether these are the bits of all answers.
fn only(seen: &Seen, flags: Flags) -> bool {
    matches!(&seen.answers[..], [a] if a.flags == flags && a.text.is_empty())
}

fn silent(seen: &Seen) -> bool {
    seen.answers.is_empty()
}

/// Linux drops a segment without ACK bit before it looks where the segment lies.
fn no_ack_bit(m: &Met<'_>) -> bool {
    let bare = m.has(Flags::NONE, Flags::ACK | Flags::SYN | Flags::RST);
    bare && m.alike() && silent(m.linux) && only(m.ours, Flags::ACK)
}

/// Linux drops a SYN with FIN, and the text of every SYN.
fn syn_text(m: &Met<'_>) -> bool {
    let opening =
        matches!(m.state, State::Closed | State::SynSent | State::SynReceived | State::TimeWait);
    let more = |s: &Say| s.text > 0 || s.flags.contains(Flags::FIN);
    let with_more = |s: &Step| {
        matches!(s, Step::Say(s)
            if s.flags.contains(Flags::SYN) && !s.flags.contains(Flags::RST) && more(s))
    };
    opening && (m.earlier().any(with_more) || with_more(m.step()))
}

fn is_request(m: &Met<'_>) -> bool {
    m.case.opening == Opening::Passive && m.state == State::SynReceived
}

/// A SYN within the window undoes Linux's half-open record; we challenge it.
fn request_syn(m: &Met<'_>) -> bool {
    is_request(m) && m.has(Flags::SYN, Flags::RST) && m.linux.state == State::Closed
}

/// Any reset within the window undoes Linux's half-open record, unless its ACK is bad.
fn request_reset(m: &Met<'_>) -> bool {
    is_request(m) && m.has(Flags::RST, Flags::NONE)
}

/// Linux looks at the ACK before it looks at the place.
fn request_ack(m: &Met<'_>) -> bool {
    is_request(m)
        && m.has(Flags::ACK, Flags::RST)
        && m.alike()
        && only(m.linux, Flags::RST)
        && only(m.ours, Flags::ACK)
}

/// Linux acknowledges, and drops, what echoes a time at which no SYN-ACK was sent.
fn request_echo(m: &Met<'_>) -> bool {
    is_request(m) && m.say().is_some_and(|s| matches!(s.stamp, Stamp::Off(_, 1.. | ..=-1)))
}

/// When two SYNs cross, Linux's SYN-ACK repeats options that the peer did not offer.
fn crossing_options(m: &Met<'_>) -> bool {
    m.state == State::SynSent
        && m.ours.state == State::SynReceived
        && m.same_but(|a| {
            (a.scale, a.sack_permitted, a.echo) = (false, false, None);
        })
}

fn is_crossing(m: &Met<'_>) -> bool {
    m.case.opening == Opening::Active && m.state == State::SynReceived
}

/// A SYN in SYN-RECEIVED gets the SYN-ACK again from us, an ACK from Linux.
fn crossing_syn(m: &Met<'_>) -> bool {
    is_crossing(m)
        && m.has(Flags::SYN, Flags::RST)
        && m.alike()
        && only(m.linux, Flags::ACK)
        && only(m.ours, Flags::SYN | Flags::ACK)
}

/// Linux opens with an ACK of its initial number, and challenges a SYN-ACK with a bad ACK.
fn crossing_ack(m: &Met<'_>) -> bool {
    is_crossing(m) && m.has(Flags::ACK, Flags::RST) && m.said.ack != 1
}

/// A reset in SYN-RECEIVED refuses an active open.
fn crossing_reset(m: &Met<'_>) -> bool {
    let (reset, refused) = (ErrorKind::ConnectionReset, ErrorKind::ConnectionRefused);
    m.linux.outcome == Some(Outcome::Failed(reset))
        && m.ours.outcome == Some(Outcome::Failed(refused))
        && m.case.opening == Opening::Active
}

/// In SYN-SENT Linux resets what echoes a time at which no SYN was sent, and ignores such a reset.
fn syn_sent_echo(m: &Met<'_>) -> bool {
    m.state == State::SynSent
        && m.say().is_some_and(|s| matches!(s.stamp, Stamp::Off(_, 1.. | ..=-1)))
        && (only(m.linux, Flags::RST) || silent(m.linux) && m.has(Flags::RST, Flags::NONE))
}

/// Linux drops a segment whose options don't end where they should, since it looks for TCP-AO.
fn malformed_options(m: &Met<'_>) -> bool {
    let quiet = silent(m.linux) && (m.linux.state == m.state || m.state == State::TimeWait);
    m.said.malformed && quiet
}

/// Linux reports the SYN or the FIN of a duplicate as if it were text.
fn d_sack_control(m: &Met<'_>) -> bool {
    let control = m.has(Flags::SYN, Flags::NONE)
        || m.has(Flags::FIN, Flags::NONE)
        || m.state == State::SynReceived
        // Sent before the first octet of text: the SYN is part of it.
        || m.said.seq <= 0;
    control && m.same_but(|a| a.sack.clear())
}

/// Linux counts a FIN past a gap to the octets that it holds.
fn sack_fin(m: &Met<'_>) -> bool {
    let fin = |s: &Step| matches!(s, Step::Say(s) if s.flags.contains(Flags::FIN));
    (m.earlier().any(fin) || fin(m.step())) && m.same_but(|a| a.sack.clear())
}

/// The segment's timestamp, or an honest one after one from the future.
fn is_back_in_time(m: &Met<'_>) -> bool {
    let ahead = |s: &Step| matches!(s, Step::Say(Say { stamp: Stamp::Off(1.., _), .. }));
    m.case.offer.timestamps
        && m.say().is_some_and(|s| match s.stamp {
            Stamp::Off(by, _) => by < 0 || m.earlier().any(ahead),
            Stamp::Honest => m.earlier().any(ahead),
            Stamp::Missing => false,
        })
}

/// Linux does not answer an ACK without text with an old timestamp: reordering makes it.
fn paws_old_ack(m: &Met<'_>) -> bool {
    let bare = m.has(Flags::ACK, Flags::FIN | Flags::SYN | Flags::RST);
    let bare = bare && m.say().is_some_and(|s| s.text == 0);
    is_back_in_time(m) && bare && m.alike() && silent(m.linux) && only(m.ours, Flags::ACK)
}

/// Linux lets timestamps go back by one tick.
fn paws_tick(m: &Met<'_>) -> bool {
    is_back_in_time(m) && only(m.ours, Flags::ACK) && m.ours.state == m.state
}

/// A segment that ends where the window begins is not acceptable, but its ACK counts for Linux.
fn copy_ack(m: &Met<'_>) -> bool {
    m.has(Flags::ACK, Flags::RST)
        && only(m.ours, Flags::ACK)
        && m.said.end() == m.ours.answers[0].ack
        && m.said.end() != m.said.seq
}

/// The timestamp of a segment with an old ACK is not taken.
fn echo_only(m: &Met<'_>) -> bool {
    m.same_but(|a| a.echo = None)
}

/// An ACK of less than was ever acknowledged is too old for Linux, whatever the window.
fn first_ack(m: &Met<'_>) -> bool {
    m.has(Flags::ACK, Flags::RST | Flags::SYN) && m.said.ack <= 0 && only(m.linux, Flags::ACK)
}

/// A reset with text that ends where the window begins is challenged by Linux.
fn reset_left(m: &Met<'_>) -> bool {
    m.has(Flags::RST, Flags::NONE) && m.alike() && only(m.linux, Flags::ACK) && silent(m.ours)
}

/// A reset that reaches beyond the window is challenged by us.
fn reset_right(m: &Met<'_>) -> bool {
    m.has(Flags::RST, Flags::NONE) && m.alike() && silent(m.linux) && only(m.ours, Flags::ACK)
}

/// After a FIN Linux takes a reset with the number of the FIN, too.
fn reset_before_fin(m: &Met<'_>) -> bool {
    let after_fin = matches!(m.state, State::CloseWait | State::Closing | State::LastAck);
    m.has(Flags::RST, Flags::NONE) && after_fin && m.linux.state == State::Closed
}

/// Linux takes a reset behind the last octet that it holds beyond a gap.
fn reset_behind_gap(m: &Met<'_>) -> bool {
    let ahead = |s: &Step| matches!(s, Step::Say(Say { seq: Seq::Nxt(1..) | Seq::Edge(_), .. }));
    m.has(Flags::RST, Flags::NONE)
        && m.linux.state == State::Closed
        && only(m.ours, Flags::ACK)
        && m.earlier().any(ahead)
}

/// When both sides had closed, a reset takes nothing away: we don't call it an error.
fn reset_both_closed(m: &Met<'_>) -> bool {
    let reset = Some(Outcome::Failed(ErrorKind::ConnectionReset));
    let reset_said = |s: &Step| matches!(s, Step::Say(s) if s.flags.contains(Flags::RST));
    let pipe = Some(Outcome::Failed(ErrorKind::BrokenPipe));
    m.linux.outcome == reset && m.ours.outcome == pipe && m.earlier().any(reset_said)
}

/// The reset for text that nobody will read has an ACK from us.
fn orphan_reset(m: &Met<'_>) -> bool {
    m.is_orphan()
        && m.alike()
        && only(m.linux, Flags::RST)
        && only(m.ours, Flags::RST | Flags::ACK)
        && m.linux.answers[0].seq == m.ours.answers[0].seq
}

/// An orphan in FIN-WAIT-2 is a record on Linux, which resets where a connection would ignore.
fn orphan_fin_wait(m: &Met<'_>) -> bool {
    m.is_orphan() && matches!(m.state, State::FinWait1 | State::FinWait2)
}

/// Linux takes what begins at the right edge, and takes or drops whole what reaches beyond it.
fn right_edge(m: &Met<'_>) -> bool {
    let edge = |s: &Step| matches!(s, Step::Say(Say { seq: Seq::Edge(_), .. }));
    edge(m.step()) || m.earlier().any(edge) && m.same_but(|a| a.sack.clear())
}

/// Linux resets when text lies behind the FIN, or moves beyond the FIN.
fn text_behind_fin(m: &Met<'_>) -> bool {
    let after_fin = matches!(m.state, State::CloseWait | State::Closing | State::LastAck);
    let more = m.say().is_some_and(|s| s.text > 0 || s.flags.contains(Flags::FIN));
    after_fin && more && m.ours.state == m.state
}

/// A FIN in front of text that was received, or text behind a FIN that was: Linux believes what
/// came last, we what came first.
fn contradicting_fin(m: &Met<'_>) -> bool {
    let ahead = |s: &Step| {
        let Step::Say(s) = s else { return false };
        let beyond = matches!(s.seq, Seq::Nxt(1..) | Seq::Edge(_) | Seq::Iss(2..));
        beyond && (s.text > 0 || s.flags.contains(Flags::FIN))
    };
    m.has(Flags::ACK, Flags::RST | Flags::SYN) && m.earlier().any(ahead)
}

/// In TIME-WAIT Linux answers an ACK without text that is not in order.
fn time_wait_ack(m: &Met<'_>) -> bool {
    m.state == State::TimeWait && m.alike() && only(m.linux, Flags::ACK) && silent(m.ours)
}

/// A reset with an old timestamp ends TIME-WAIT: resets are not subject to PAWS.
fn time_wait_reset(m: &Met<'_>) -> bool {
    m.state == State::TimeWait
        && m.has(Flags::RST, Flags::NONE)
        && m.linux.state == State::TimeWait
        && m.ours.state == State::Closed
}

/// Closing the sending direction of a connection that was reset: we say so.
fn close_after_reset(m: &Met<'_>) -> bool {
    let reset = |s: &Step| matches!(s, Step::Say(s) if s.flags.contains(Flags::RST));
    matches!(m.step(), Step::Do(Call::Shutdown))
        && (m.linux.state == State::Closed || m.earlier().any(reset))
        && matches!(m.ours.outcome, Some(Outcome::Failed(_)))
}

/// Beyond a window that was taken back, Linux's ACKs carry its right edge instead of SND.NXT.
fn shrunk_window(m: &Met<'_>) -> bool {
    let small = |s: &Step| matches!(s, Step::Say(Say { window: 0..=2000, .. }));
    (m.earlier().any(small) || small(m.step()))
        && m.linux.answers.iter().all(|a| a.text.is_empty())
        && m.same_but(|a| (a.seq, a.sack) = (0, Vec::new()))
}

/// After SACK blocks both retransmit, but by other rules: Linux has RACK.
fn what_is_lost(m: &Met<'_>) -> bool {
    let sack = |s: &Step| matches!(s, Step::Say(s) if !s.sack.is_empty());
    let sends = |seen: &Seen| seen.answers.iter().any(|a| !a.text.is_empty());
    m.alike() && (sack(m.step()) || m.earlier().any(sack)) && sends(m.ours) && sends(m.linux)
}

/// One has sent a part of what the other has: Linux does not avoid a silly window, counts its
/// congestion window in packets, and charges its send buffer with more than the text.
fn how_much_is_sent(m: &Met<'_>) -> bool {
    let sent = |seen: &Seen| -> Vec<u8> {
        // A FIN counts as an octet: it waits for the same windows.
        let fin = |a: &Answer| a.flags.contains(Flags::FIN).then_some(0xf1);
        seen.answers.iter().flat_map(|a| a.text.iter().copied().chain(fin(a))).collect()
    };
    let takes = |a: &&Answer| !a.text.is_empty() || a.flags.contains(Flags::FIN);
    let first = |seen: &Seen| seen.answers.iter().find(takes).map(|a| a.seq);
    let (ours, linux) = (sent(m.ours), sent(m.linux));
    let prefix = ours.starts_with(&linux) || linux.starts_with(&ours);
    let starts = [first(m.ours), first(m.linux)];
    let together = starts.contains(&None) || starts[0] == starts[1];
    let buffer = matches!(
        (&m.ours.outcome, &m.linux.outcome),
        (Some(Outcome::Wrote(_) | Outcome::Waits), Some(Outcome::Wrote(_) | Outcome::Waits))
    );
    let text = !(ours.is_empty() && linux.is_empty());
    m.ours.state == m.linux.state && prefix && together && (text || buffer)
}

/// Closing the sending direction before there is a connection ends Linux's socket, and sends a FIN
/// at once where SYNs have crossed.
fn close_before_open(m: &Met<'_>) -> bool {
    let opening = matches!(m.state, State::SynSent | State::SynReceived);
    opening && matches!(m.step(), Step::Do(Call::Shutdown | Call::Close))
}

/// An abort in LAST-ACK or CLOSING resets if our text is not acknowledged; on Linux, if the peer's
/// is not read.
fn abort_behind_fin(m: &Met<'_>) -> bool {
    matches!(m.state, State::LastAck | State::Closing)
        && matches!(m.step(), Step::Do(Call::Abort))
        && m.alike()
}

/// An urgent pointer of zero ends in front of its segment; Linux takes it for the first octet. It
/// shows in where a read stops.
fn urgent_zero(m: &Met<'_>) -> bool {
    let zero =
        |s: &Step| matches!(s, Step::Say(s) if s.flags.contains(Flags::URG) && s.urgent == 0);
    matches!(m.step(), Step::Do(Call::Read(_))) && m.earlier().any(zero)
}
