//! What does every state answer to every kind of segment at every place of the window, and where
//! does it go? RFC 9293 3.10.7.4 with RFC 5961 3 to 5, as a table, for numbers on both sides of
//! the wrap.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::State;
use super::harness::*;
use crate::SeqNum;
use crate::wire::{Flags, Segment};

use State::{CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, SynReceived, TimeWait};

/// The columns of the table: where the segment lies.
///
/// left: all of it before RCV.NXT; edge: it begins at RCV.NXT; inside; last: its last octet is the
/// last of the window; right: it begins behind the window.
const PLACES: [&str; 5] = ["left", "edge", "inside", "last", "right"];

const ALL: &[State] = &[SynReceived, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck];
/// Our FIN is out and not acknowledged.
const FIN_OUT: &[State] = &[FinWait1, Closing, LastAck];
const SYNCHRONIZED: &[State] = &[Established, FinWait1, FinWait2, CloseWait, Closing, LastAck];
/// The peer has not closed.
const LISTENING: &[State] = &[Established, FinWait1, FinWait2];
/// The peer has closed.
const DEAF: &[State] = &[CloseWait, Closing, LastAck];

/// What the segment acknowledges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Acks {
    /// No ACK flag.
    Nothing,
    /// What was acknowledged before; in SYN-RECEIVED our SYN.
    Known,
    /// All that we have sent.
    All,
    /// One octet more.
    Unsent,
    /// Old, but as far as an honest peer's may be.
    Old,
    /// Older than that.
    Ancient,
}

struct Row {
    states: &'static [State],
    flags: Flags,
    text: &'static [u8],
    acks: Acks,
    /// Answer and next state for each place. `-` nothing, `A` an ACK, `S` the SYN-ACK again,
    /// `R` a reset; then, if the state changes, a colon and the state's initials.
    answers: [&'static str; 5],
}

const fn row(
    states: &'static [State],
    flags: Flags,
    text: &'static [u8],
    acks: Acks,
    answers: [&'static str; 5],
) -> Row {
    Row { states, flags, text, acks, answers }
}

const URG_ACK: Flags = ACK.union(Flags::URG);
const TEXT: &[u8] = b"0123456789";
const NONE: &[u8] = b"";

const TABLE: &[Row] = &[
    // First step: what is outside is answered by an ACK and changes nothing.
    // RST. RFC 5961 3.2; SHLD-2: text is no obstacle.
    row(ALL, RST, NONE, Acks::Nothing, ["-", "-:C", "A", "A", "-"]),
    row(ALL, RST_ACK, NONE, Acks::Known, ["-", "-:C", "A", "A", "-"]),
    row(ALL, RST_ACK, NONE, Acks::Unsent, ["-", "-:C", "A", "A", "-"]),
    row(ALL, RST, TEXT, Acks::Nothing, ["-", "-:C", "A", "A", "-"]),
    row(ALL, RST.union(Flags::FIN), NONE, Acks::Nothing, ["-", "-:C", "A", "A", "-"]),
    row(ALL, RST.union(SYN), NONE, Acks::Nothing, ["-", "-:C", "A", "A", "-"]),
    // SYN. RFC 5961 4.2: a challenge ACK wherever it lies.
    row(SYNCHRONIZED, SYN, NONE, Acks::Nothing, ["A"; 5]),
    row(SYNCHRONIZED, SYN_ACK, NONE, Acks::Known, ["A"; 5]),
    row(SYNCHRONIZED, SYN_ACK, NONE, Acks::All, ["A"; 5]),
    row(SYNCHRONIZED, SYN.union(Flags::FIN), TEXT, Acks::Nothing, ["A"; 5]),
    row(&[SynReceived], SYN, NONE, Acks::Nothing, ["A"; 5]),
    row(&[SynReceived], SYN_ACK, NONE, Acks::Known, ["A"; 5]),
    // No ACK flag.
    row(ALL, Flags::NONE, NONE, Acks::Nothing, ["A", "-", "-", "-", "A"]),
    row(SYNCHRONIZED, Flags::NONE, TEXT, Acks::Nothing, ["A", "-", "-", "-", "A"]),
    row(SYNCHRONIZED, Flags::FIN, NONE, Acks::Nothing, ["A", "-", "-", "-", "A"]),
    // ACK, fifth step.
    row(SYNCHRONIZED, ACK, NONE, Acks::Known, ["A", "-", "-", "-", "A"]),
    row(SYNCHRONIZED, URG_ACK, NONE, Acks::Known, ["A", "-", "-", "-", "A"]),
    row(SYNCHRONIZED, ACK, NONE, Acks::Old, ["A", "-", "-", "-", "A"]),
    // MAY-12, RFC 5961 5.2
    row(SYNCHRONIZED, ACK, NONE, Acks::Unsent, ["A"; 5]),
    row(SYNCHRONIZED, ACK, TEXT, Acks::Unsent, ["A"; 5]),
    row(SYNCHRONIZED, FIN_ACK, NONE, Acks::Unsent, ["A"; 5]),
    row(SYNCHRONIZED, ACK, TEXT, Acks::Ancient, ["A"; 5]),
    row(&[SynReceived], ACK, NONE, Acks::Known, ["A", "-:E", "-:E", "-:E", "A"]),
    row(&[SynReceived], ACK, NONE, Acks::Unsent, ["A", "R", "R", "R", "A"]),
    row(&[SynReceived], ACK, NONE, Acks::Old, ["A", "R", "R", "R", "A"]),
    row(&[FinWait1], ACK, NONE, Acks::All, ["A", "-:F2", "-:F2", "-:F2", "A"]),
    row(&[Closing], ACK, NONE, Acks::All, ["A", "-:T", "-:T", "-:T", "A"]),
    row(&[LastAck], ACK, NONE, Acks::All, ["A", "-:C", "-:C", "-:C", "A"]),
    // Text, seventh step: in order it may wait for a delayed ACK, past a gap it may not.
    row(LISTENING, ACK, TEXT, Acks::Known, ["A", "-", "A", "A", "A"]),
    // An old ACK does not spoil new text.
    row(LISTENING, ACK, TEXT, Acks::Old, ["A", "-", "A", "A", "A"]),
    row(&[SynReceived], ACK, TEXT, Acks::Known, ["A", "-:E", "A:E", "A:E", "A"]),
    row(&[FinWait1], ACK, TEXT, Acks::All, ["A", "-:F2", "A:F2", "A:F2", "A"]),
    // Behind the peer's FIN there is nothing: ignored.
    row(DEAF, ACK, TEXT, Acks::Known, ["A", "-", "-", "-", "A"]),
    // FIN, eighth step: in order it counts, past a gap it waits, and again it is acknowledged.
    row(&[Established], FIN_ACK, NONE, Acks::Known, ["A", "A:W", "A", "A", "A"]),
    row(&[Established], FIN_ACK, TEXT, Acks::Known, ["A", "A:W", "A", "A", "A"]),
    row(&[Established], FIN_ACK, TEXT, Acks::Old, ["A", "A:W", "A", "A", "A"]),
    row(&[SynReceived], FIN_ACK, NONE, Acks::Known, ["A", "A:W", "A:E", "A:E", "A"]),
    row(&[FinWait1], FIN_ACK, NONE, Acks::Known, ["A", "A:G", "A", "A", "A"]),
    row(&[FinWait1], FIN_ACK, TEXT, Acks::All, ["A", "A:T", "A:F2", "A:F2", "A"]),
    row(&[FinWait1], FIN_ACK, NONE, Acks::All, ["A", "A:T", "A:F2", "A:F2", "A"]),
    row(&[FinWait2], FIN_ACK, NONE, Acks::Known, ["A", "A:T", "A", "A", "A"]),
    row(&[FinWait2], FIN_ACK, TEXT, Acks::Known, ["A", "A:T", "A", "A", "A"]),
    row(DEAF, FIN_ACK, NONE, Acks::Known, ["A", "-", "-", "-", "A"]),
    row(&[Closing], FIN_ACK, NONE, Acks::All, ["A", "-:T", "-:T", "-:T", "A"]),
    row(&[LastAck], FIN_ACK, NONE, Acks::All, ["A", "-:C", "-:C", "-:C", "A"]),
    // TIME-WAIT: only the FIN again is expected. An ACK is not answered, so that two ends do not
    // talk for ever; a reset that is not exact is not challenged, nothing could be lost.
    row(&[TimeWait], ACK, NONE, Acks::Known, ["-"; 5]),
    row(&[TimeWait], ACK, TEXT, Acks::Known, ["A"; 5]),
    row(&[TimeWait], FIN_ACK, NONE, Acks::Known, ["A"; 5]),
    row(&[TimeWait], SYN_ACK, NONE, Acks::Known, ["A"; 5]),
    row(&[TimeWait], RST, NONE, Acks::Nothing, ["-", "-:C", "-", "-", "-"]),
];

fn initials(s: State) -> &'static str {
    match s {
        Established => "E",
        FinWait1 => "F1",
        FinWait2 => "F2",
        CloseWait => "W",
        Closing => "G",
        LastAck => "L",
        TimeWait => "T",
        State::Closed => "C",
        _ => "?",
    }
}

fn segment(p: &Peer, row: &Row, place: usize) -> Segment<'static> {
    let (nxt, edge) = (p.c.rcv.nxt, p.edge);
    let seg = Segment { flags: row.flags, payload: row.text, ..p.segment(row.flags) };
    let len = seg.seq_len();
    let seq = match place {
        // Not directly before: the peer's own SYN has a meaning in SYN-RECEIVED.
        0 => nxt - len - 3,
        1 => nxt,
        2 => nxt + 100,
        3 => edge - len.max(1),
        _ => edge,
    };
    let opening = p.c.state() == SynReceived;
    let una = p.c.snd.una;
    let ack = match row.acks {
        Acks::Nothing => SeqNum(0),
        Acks::Known => {
            if opening {
                p.c.snd.nxt
            } else {
                una
            }
        }
        Acks::All => p.c.snd.nxt,
        Acks::Unsent => p.c.snd.nxt + 1,
        Acks::Old => una - p.c.snd.max_wnd,
        Acks::Ancient => una - p.c.snd.max_wnd - 1,
    };
    Segment { seq, ack, ..seg }
}

/// What happened, in the notation of the table.
fn observed(p: &mut Peer, seg: &Segment<'_>) -> String {
    let before = p.c.state();
    let reply = p.give_segment(seg);
    let mut s: Vec<&str> = Vec::new();
    for sent in &reply.sent {
        s.push(if sent.is(ACK) {
            // Every ACK states where we are.
            assert_eq!(sent.head.ack, p.c.rcv.nxt);
            assert_eq!(sent.head.seq, p.c.snd.nxt);
            "A"
        } else if sent.is(SYN_ACK) {
            "S"
        } else if sent.head.flags.contains(RST) {
            "R"
        } else {
            "?"
        });
    }
    if s.is_empty() {
        s.push("-");
    }
    if p.c.state() != before {
        s.extend([":", initials(p.c.state())]);
    }
    s.concat()
}

#[test]
fn every_state_answers_every_segment_as_the_table_says() {
    let mut wrong = Vec::new();
    for isns in ISNS {
        for row in TABLE {
            for (state, place) in
                row.states.iter().flat_map(|s| (0..PLACES.len()).map(move |p| (*s, p)))
            {
                let mut p = Peer::in_state(state, isns);
                let seg = segment(&p, row, place);
                let got = observed(&mut p, &seg);
                if got != row.answers[place] {
                    let (place, expected) = (PLACES[place], row.answers[place]);
                    wrong.push(alloc::format!(
                        "{state} {place} {seg:?} {:?}: {got}, not {expected}",
                        row.acks
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of the table:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_in_order_after_any_refused_segment_is_still_taken() {
    // A refused segment leaves nothing behind.
    for isns in ISNS {
        for row in TABLE {
            for place in 0..PLACES.len() {
                if !row.states.contains(&Established) || row.answers[place] != "A" {
                    continue;
                }
                let kept = place == 2 || place == 3;
                if kept && row.acks != Acks::Unsent && row.acks != Acks::Ancient {
                    continue;
                }
                let mut p = Peer::established(isns);
                let seg = segment(&p, row, place);
                p.give_segment(&seg);
                p.give(FIN_ACK, b"in order");
                assert_eq!(p.c.state(), CloseWait, "{seg:?}");
                assert_eq!(p.read(), b"in order", "{seg:?}");
            }
        }
    }
}

#[test]
fn fin_states_keep_fin_out_of_the_way_of_acks() {
    // An ACK that does not cover our FIN does not count as one that does.
    for isns in ISNS {
        for state in FIN_OUT {
            let mut p = Peer::in_state(*state, isns);
            let before = Segment { ack: p.c.snd.nxt - 1, ..p.segment(ACK) };
            p.give_segment(&before).assert_silent();
            assert_eq!(p.c.state(), *state);
            assert!(p.c.poll_timeout().is_some(), "the FIN is retransmitted");
        }
    }
}
