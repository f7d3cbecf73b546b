//! How are the tables read? Their text into rows; what a cell means is said where the types are.

use tcp_core::connection::State;
use tcp_core::wire::Flags;

use super::{Acks, Answer, Arrow, Cell, Event, Kind, Place, Start};

/// Lines with their numbers, without comments.
fn lines(text: &'static str) -> impl Iterator<Item = (usize, &'static str)> {
    let numbered = text.lines().enumerate().map(|(i, l)| (i + 1, l.trim()));
    numbered.filter(|(_, l)| !l.is_empty() && !l.starts_with('#'))
}

pub(super) fn segments(text: &'static str) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut starts = Vec::new();
    for (line, l) in lines(text) {
        if let Some(names) = l.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            starts = names.split(',').map(|n| start(n, line)).collect();
            continue;
        }
        let [head, answers, reference] = columns(l, line);
        let (name, acks) = head.split_once(' ').unwrap_or_else(|| bad(line, head));
        let answers = spread(answers, line);
        for &start in &starts {
            for acks in acknowledgements(acks.trim(), line) {
                for (place, cell) in Place::ALL.into_iter().zip(&answers) {
                    let (a, next) = cell.split_once('>').unwrap_or((cell, ""));
                    cells.push(Cell {
                        start,
                        segment: kind(name, line),
                        acks,
                        place,
                        answer: answer(a, line),
                        next: if next.is_empty() { start.state() } else { state(next, line) },
                        reference,
                        line,
                    });
                }
            }
        }
    }
    cells
}

pub(super) fn transitions(text: &'static str) -> Vec<Arrow> {
    let arrow = |(line, l): (usize, &'static str)| {
        let [from, events, sends, to, reference] = columns(l, line);
        let from = start(from, line);
        Arrow {
            from,
            events: events.split(" then ").map(|e| event(from, e.trim(), line)).collect(),
            sends: answer(sends, line),
            to: state(to, line),
            reference,
            line,
        }
    };
    lines(text).map(arrow).collect()
}

fn columns<const N: usize>(l: &'static str, line: usize) -> [&'static str; N] {
    let all: Vec<_> = l.splitn(N, '|').map(str::trim).collect();
    all.try_into().unwrap_or_else(|_| bad(line, l))
}

/// A cell for each place; `* x` is x at every place.
fn spread(answers: &'static str, line: usize) -> Vec<&'static str> {
    let cells: Vec<_> = answers.split_whitespace().collect();
    match cells[..] {
        ["*", one] => vec![one; Place::ALL.len()],
        _ if cells.len() == Place::ALL.len() => cells,
        _ => bad(line, answers),
    }
}

fn start(name: &str, line: usize) -> Start {
    let found = Start::ALL.into_iter().find(|s| s.name() == name.trim());
    found.unwrap_or_else(|| bad(line, name))
}

fn kind(name: &'static str, line: usize) -> Kind {
    let (bits, text) = match name.strip_suffix("+text") {
        Some(bits) => (bits, 10),
        None => (name, 0),
    };
    let bit = |name: &str| match name {
        "none" => Flags::NONE,
        "SYN" => Flags::SYN,
        "ACK" => Flags::ACK,
        "FIN" => Flags::FIN,
        "RST" => Flags::RST,
        other => bad(line, other),
    };
    let flags = bits.split(',').map(bit).fold(Flags::NONE, Flags::union);
    Kind { name, flags, text }
}

fn acknowledgements(names: &str, line: usize) -> Vec<Acks> {
    let one = |name: &str| match name {
        "-" => Acks::Nothing,
        "ancient" => Acks::Ancient,
        "old" => Acks::Old,
        "una" => Acks::Una,
        "all" => Acks::All,
        "new" => Acks::New,
        other => bad(line, other),
    };
    if names == "*" { Acks::NUMBERS.to_vec() } else { names.split(',').map(one).collect() }
}

fn answer(name: &str, line: usize) -> Answer {
    match name {
        "-" => Answer::Silence,
        "ACK" => Answer::Ack,
        "later" => Answer::DelayedAck,
        "SYN" => Answer::Syn,
        "SYN-ACK" => Answer::SynAck,
        "FIN" => Answer::Fin,
        "RST" => Answer::Reset,
        "RST-ACK" => Answer::ResetAck,
        other => bad(line, other),
    }
}

fn state(initials: &str, line: usize) -> State {
    match initials {
        "C" => State::Closed,
        "L" => State::Listen,
        "SS" => State::SynSent,
        "SR" => State::SynReceived,
        "E" => State::Established,
        "F1" => State::FinWait1,
        "F2" => State::FinWait2,
        "CW" => State::CloseWait,
        "CG" => State::Closing,
        "LA" => State::LastAck,
        "TW" => State::TimeWait,
        other => bad(line, other),
    }
}

fn event(from: Start, name: &'static str, line: usize) -> Event {
    match name {
        "OPEN passive" => Event::OpenPassive,
        "OPEN active" => Event::OpenActive,
        "CLOSE" => Event::Close,
        "DROP" => Event::Drop,
        "ABORT" => Event::Abort,
        "timeout" => Event::Timeout,
        "rcv new SYN" => Event::NewSyn,
        other => {
            let what = other.strip_prefix("rcv ").unwrap_or_else(|| bad(line, name));
            received(from, what, line)
        }
    }
}

/// `SYN,ACK again`, `FIN,ACK of FIN`. Before a connection is synchronized an ACK is of our SYN.
fn received(from: Start, name: &'static str, line: usize) -> Event {
    let opening = matches!(from.state(), State::SynSent | State::SynReceived);
    let (kind_name, how) = name.split_once(' ').unwrap_or((name, ""));
    let segment = kind(kind_name, line);
    let acks = match how {
        _ if !segment.flags.contains(Flags::ACK) => Acks::Nothing,
        "of FIN" => Acks::All,
        "" | "again" if opening => Acks::All,
        "" | "again" => Acks::Una,
        other => bad(line, other),
    };
    Event::Receive { segment, acks, again: how == "again" }
}

fn bad(line: usize, what: &str) -> ! {
    panic!("line {line} of the table: `{what}`")
}
