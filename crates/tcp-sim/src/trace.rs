//! What were the last packets before it went wrong? A bounded memory of what every end sent,
//! with its fate, and received, printed one packet a line. Reading the bytes is left to `decode`.

mod decode;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use tcp_core::Instant;

use crate::link::{DropReason, Fate, Marks};

pub use decode::describe;
use decode::describe_prefix;
pub(crate) use decode::destination;

/// Bytes kept of each packet: the longest IPv6 and TCP headers (40 + 60) and a little text.
const SNAP_LEN: usize = 128;

/// The last packets of every end, at most as many at each as the depth says.
///
/// `Display` prints all ends together in the order of events: seconds, sending end, receiving
/// end, what happened to the packet, and the packet.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_sim::trace::{Event, Snapshot, Trace};
/// use tcp_sim::{DropReason, Fate};
///
/// # let syn = [
/// #     0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IP
/// #     0x0f, 0xa0, 0, 80, 0, 0, 0, 9, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0, // TCP
/// # ];
/// let mut trace = Trace::new(2);
/// for ms in [0, 1000, 3000] {
///     // A SYN of end 0, and again.
///     let event = Event::Sent { to: 1, fate: Fate::Dropped(DropReason::Loss) };
///     trace.record(Instant::from_millis(ms), 0, event, Snapshot::of(&syn));
/// }
/// trace.record(Instant::from_millis(3000), 1, Event::NoRoute, Snapshot::of(&[0x45]));
///
/// // The last two of end 0; the ends are called A, B and so on.
/// let lines: Vec<String> = trace.lines_of(0).collect();
/// let packet = "10.0.0.1:4000 > 10.0.0.2:80 [S] seq 9 win 65535 len 0";
/// assert_eq!(lines[0], format!("1.000000 A > B lost       {packet}"));
/// assert_eq!((lines.len(), trace.recorded()), (2, 4));
/// assert!(trace.to_string().ends_with("3.000000 B > ? no-route   (cut)\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Trace {
    depth: usize,
    ends: Vec<VecDeque<Record>>,
    recorded: u64,
}

/// What happened to a packet at an end.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_sim::trace::{Event, Snapshot, Trace};
///
/// let mut trace = Trace::new(10);
/// let packet = Snapshot::of(&[0x60; 40]);
/// trace.record(Instant::from_millis(5), 1, Event::Received { from: 0 }, packet);
/// assert!(trace.lines_of(1).next().unwrap().starts_with("0.005000 A > B received"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Sent to the end with this number.
    Sent {
        /// The receiving end.
        to: usize,
        /// What the link made of it.
        fate: Fate,
    },
    /// Sent, but no end has its destination address.
    NoRoute,
    /// Arrived from the end with this number.
    Received {
        /// The sending end.
        from: usize,
    },
}

#[derive(Debug)]
struct Record {
    order: u64,
    at: Instant,
    event: Event,
    packet: Snapshot,
}

/// The beginning of a packet, kept after the packet has gone.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_sim::trace::{Event, Snapshot, Trace};
///
/// let mut packet = vec![0; 1500];
/// packet[..4].copy_from_slice(&[0x45, 0, 0x05, 0xdc]);
/// let taken = Snapshot::of(&packet);
/// drop(packet); // what the headers say is kept
/// let mut trace = Trace::new(1);
/// trace.record(Instant::ZERO, 0, Event::NoRoute, taken);
/// assert!(trace.to_string().ends_with("0.0.0.0 > 0.0.0.0 protocol 0 len 1480\n"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    len: usize,
    head: [u8; SNAP_LEN],
}

impl Snapshot {
    /// Copies the headers.
    pub fn of(packet: &[u8]) -> Snapshot {
        let mut head = [0; SNAP_LEN];
        let kept = packet.len().min(SNAP_LEN);
        head[..kept].copy_from_slice(&packet[..kept]);
        Snapshot { len: packet.len(), head }
    }

    fn describe(&self) -> String {
        describe_prefix(&self.head[..self.len.min(SNAP_LEN)], self.len)
    }
}

impl Trace {
    /// A trace that keeps `depth` packets of each end; 0 records nothing.
    pub fn new(depth: usize) -> Trace {
        Trace { depth, ends: Vec::new(), recorded: 0 }
    }

    /// Remembers what happened to a packet at an end (numbered from 0) and forgets that end's
    /// oldest one if there are more than the depth.
    pub fn record(&mut self, at: Instant, end: usize, event: Event, packet: Snapshot) {
        if self.depth == 0 {
            return;
        }
        if self.ends.len() <= end {
            self.ends.resize_with(end + 1, VecDeque::new);
        }
        let ring = &mut self.ends[end];
        if ring.len() == self.depth {
            ring.pop_front();
        }
        ring.push_back(Record { order: self.recorded, at, event, packet });
        self.recorded += 1;
    }

    /// The lines of one end, oldest first; empty for an end that never had a packet.
    pub fn lines_of(&self, end: usize) -> impl Iterator<Item = String> + '_ {
        self.ends.get(end).into_iter().flatten().map(move |record| record.line(end))
    }

    /// Packets seen since the beginning, forgotten ones included.
    pub fn recorded(&self) -> u64 {
        self.recorded
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all: Vec<(usize, &Record)> = Vec::new();
        for (end, ring) in self.ends.iter().enumerate() {
            all.extend(ring.iter().map(|record| (end, record)));
        }
        all.sort_by_key(|(_, record)| record.order);
        for (end, record) in all {
            writeln!(f, "{}", record.line(end))?;
        }
        Ok(())
    }
}

impl Record {
    fn line(&self, end: usize) -> String {
        let (from, to) = match self.event {
            Event::Sent { to, .. } => (end_name(end), end_name(to)),
            Event::NoRoute => (end_name(end), "?".to_owned()),
            Event::Received { from } => (end_name(from), end_name(end)),
        };
        let micros = self.at.as_micros();
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (what, packet) = (self.what(), self.packet.describe());
        format!("{seconds}.{fraction:06} {from} > {to} {what:<10} {packet}")
    }

    fn what(&self) -> String {
        match self.event {
            Event::Sent { fate: Fate::Carried(marks), .. } => carried(marks),
            Event::Sent { fate: Fate::Dropped(reason), .. } => dropped(reason).to_owned(),
            Event::NoRoute => "no-route".to_owned(),
            Event::Received { .. } => "received".to_owned(),
        }
    }
}

fn carried(marks: Marks) -> String {
    let mut what = "sent".to_owned();
    for (marked, name) in [
        (marks.duplicated, "+duplicate"),
        (marks.corrupted, "+corrupt"),
        (marks.reordered, "+late"),
    ] {
        if marked {
            what.push_str(name);
        }
    }
    what
}

fn dropped(reason: DropReason) -> &'static str {
    match reason {
        DropReason::TooBig => "too-big",
        DropReason::Outage => "outage",
        DropReason::QueueFull => "queue-full",
        DropReason::Loss => "lost",
        DropReason::BurstLoss => "lost-burst",
    }
}

/// A, B, .. Z, then N26, N27, ..
pub(crate) fn end_name(end: usize) -> String {
    match u8::try_from(end) {
        Ok(n @ 0..26) => char::from(b'A' + n).to_string(),
        _ => format!("N{end}"),
    }
}
