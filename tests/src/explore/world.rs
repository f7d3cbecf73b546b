//! What can happen next? Two ends and the packets between them as one small value, and every event that
//! is possible in it.
//!
//! Each end has a clock of its own, which only its own deadlines move. Between them lie prompt packets, which
//! arrive in order and before anybody's patience ends, and late ones: a disruption loses the first prompt
//! packet, makes it late, or delivers it and leaves a late copy. A late packet arrives at any time, but before
//! the long deadlines, which outlast every packet (MSL).

use std::sync::Arc;

use smallvec::SmallVec;
use tcp_core::wire::Segment;

use super::Scenario;
use super::end::{End, Span};
use super::local::{EndId, Locals, PacketId, Step};
use crate::fuzz::Who;

/// Something that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// The first prompt packet to an end arrives.
    Deliver(Who),
    /// It is lost.
    Lose(Who),
    /// It arrives, and a copy of it may arrive again later.
    Double(Who),
    /// It will be late.
    Delay(Who),
    /// A late packet arrives.
    Late(Who, u8),
    /// The next deadline of an end is reached.
    Fire(Who),
    /// An application does what comes next in its plan.
    Act(Who),
}

impl Event {
    /// Whether it is one of the bounded disruptions.
    pub(super) fn disrupts(self) -> bool {
        matches!(self, Event::Lose(_) | Event::Double(_) | Event::Delay(_))
    }
}

/// A state of both ends and the network; millions of them are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct World {
    ends: [EndId; 2],
    /// Length of each queue in `packets`: prompt ones to A and B, late ones to A and B.
    lens: [u8; 4],
    packets: SmallVec<[PacketId; 12]>,
}

const _: () = assert!(size_of::<World>() <= 48);

const BOTH: [Who; 2] = [Who::A, Who::B];

impl World {
    pub(super) fn new(s: &Scenario, locals: &mut Locals<'_>) -> World {
        let config = Arc::new(s.config());
        let a = End::new(Who::A, config.clone(), s.isns[0], false);
        let b = End::new(Who::B, config, s.isns[1], !s.crossing());
        let ends = [locals.add(a), locals.add(b)];
        World { ends, lens: [0; 4], packets: SmallVec::new() }
    }

    pub(super) fn end(&self, who: Who) -> EndId {
        self.ends[who as usize]
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.packets.is_empty()
    }

    /// Spreads states over a table.
    pub(super) fn hash(&self) -> u64 {
        let ends = u64::from(self.ends[0]) << 32 | u64::from(self.ends[1]);
        let mix = |h: u64, n: u64| (h ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let h = mix(mix(1, ends), u32::from_le_bytes(self.lens).into());
        mix(self.packets.iter().fold(h, |h, p| mix(h, u64::from(*p) + 1)), 0)
    }

    fn prompt(&self, to: Who) -> &[PacketId] {
        self.queue(to as usize)
    }

    /// In order of their numbers: which was sent first makes no difference any more.
    fn late(&self, to: Who) -> &[PacketId] {
        self.queue(2 + to as usize)
    }

    fn queue(&self, n: usize) -> &[PacketId] {
        let begin = self.begin(n);
        &self.packets[begin..begin + usize::from(self.lens[n])]
    }

    fn begin(&self, n: usize) -> usize {
        self.lens[..n].iter().map(|l| usize::from(*l)).sum()
    }

    fn remove(&mut self, n: usize, index: usize) -> PacketId {
        self.lens[n] -= 1;
        let begin = self.begin(n);
        self.packets.remove(begin + index)
    }

    fn insert(&mut self, n: usize, index: usize, p: PacketId) {
        let begin = self.begin(n);
        self.packets.insert(begin + index, p);
        self.lens[n] += 1;
    }

    fn no_prompt(&self) -> bool {
        self.lens[..2] == [0; 2]
    }

    /// All that may happen now; disruptions only if one is left.
    pub(super) fn events(&self, locals: &Locals<'_>, disrupt: bool, out: &mut Vec<Event>) {
        self.events_at(locals, &BOTH, disrupt, out);
    }

    /// Enough of what may happen now. What happens at one end waits for nothing at the other while a
    /// prompt packet lies before it, and the order of steps at different ends makes no difference: so
    /// only one end takes a step. No state of an end and no standstill is missed (a persistent
    /// set); of pairs of states that differ only in who went first, some are.
    pub(super) fn enough_events(&self, locals: &Locals<'_>, disrupt: bool, out: &mut Vec<Event>) {
        match BOTH.into_iter().find(|who| !self.prompt(*who).is_empty()) {
            Some(who) => self.events_at(locals, &[who], disrupt, out),
            None => self.events_at(locals, &BOTH, disrupt, out),
        }
    }

    fn events_at(&self, locals: &Locals<'_>, at: &[Who], disrupt: bool, out: &mut Vec<Event>) {
        for &who in at {
            if !self.prompt(who).is_empty() {
                out.push(Event::Deliver(who));
                if disrupt {
                    out.extend([Event::Lose(who), Event::Double(who), Event::Delay(who)]);
                }
            }
            let late = self.late(who);
            for i in 0..late.len() {
                if i == 0 || late[i] != late[i - 1] {
                    out.push(Event::Late(who, i as u8));
                }
            }
            if locals.get(self.end(who)).action.is_some() {
                out.push(Event::Act(who));
            }
            if self.may_fire(locals, who) {
                out.push(Event::Fire(who));
            }
        }
    }

    /// A deadline is reached only when nothing shorter is under way.
    fn may_fire(&self, locals: &Locals<'_>, who: Who) -> bool {
        let Some(span) = locals.get(self.end(who)).span else { return false };
        let other = locals.get(self.end(who.other())).span;
        let shorter = other.is_some_and(|other| other < span);
        match span {
            Span::Short => true,
            Span::Medium => !shorter && self.no_prompt(),
            Span::Long => !shorter && self.is_quiet(),
        }
    }

    /// The world after an event that is possible.
    pub(super) fn after(&self, locals: &mut Locals<'_>, event: Event) -> Result<World, String> {
        let mut w = self.clone();
        let (who, step) = match event {
            Event::Deliver(who) => (who, Step::Receive(w.remove(who as usize, 0))),
            Event::Double(who) => {
                let p = w.remove(who as usize, 0);
                w.keep_late(who, p);
                (who, Step::Receive(p))
            }
            Event::Lose(who) => {
                w.remove(who as usize, 0);
                return Ok(w);
            }
            Event::Delay(who) => {
                let p = w.remove(who as usize, 0);
                w.keep_late(who, p);
                return Ok(w);
            }
            Event::Late(who, i) => (who, Step::Receive(w.remove(2 + who as usize, usize::from(i)))),
            Event::Fire(who) => (who, Step::Fire),
            Event::Act(who) => (who, Step::Act),
        };
        let after = locals.step(self.end(who), step)?;
        w.ends[who as usize] = after.end;
        let to = who.other() as usize;
        for p in after.sent {
            w.insert(to, usize::from(w.lens[to]), p);
        }
        Ok(w)
    }

    fn keep_late(&mut self, who: Who, p: PacketId) {
        let at = self.late(who).partition_point(|q| *q < p);
        self.insert(2 + who as usize, at, p);
    }

    /// The event in words, with what it brought: a line of a conversation.
    pub(super) fn tell(&self, locals: &Locals<'_>, event: Event, after: Option<&World>) -> String {
        let packet = |id: Option<&PacketId>| id.map_or(String::new(), |id| told(locals, *id));
        let first = |who: Who| packet(self.prompt(who).first());
        let (who, happened) = match event {
            Event::Deliver(who) => (who, format!("gets {}", first(who))),
            Event::Lose(who) => (who, format!("never gets {}", first(who))),
            Event::Double(who) => (who, format!("gets, and may get again, {}", first(who))),
            Event::Delay(who) => (who, format!("will get late {}", first(who))),
            Event::Late(who, i) => {
                let p = self.late(who).get(usize::from(i));
                (who, format!("gets late {}", packet(p)))
            }
            Event::Fire(who) => {
                let c = locals.get(self.end(who)).end.conn.as_ref();
                let timer = c.and_then(|c| c.poll_timeout()).map(|d| d.timer.name());
                (who, format!("waits until {}", timer.unwrap_or("its record's deadline")))
            }
            Event::Act(who) => (who, format!("does {:?}", locals.get(self.end(who)).action)),
        };
        let Some(after) = after else { return format!("{who:?} {happened}") };
        let before = self.prompt(who.other()).len();
        let sent = after.prompt(who.other()).iter().skip(before);
        let sent: Vec<_> = sent.map(|p| told(locals, *p)).collect();
        let sends = if sent.is_empty() { "" } else { " and sends " };
        let state = |who| locals.get(after.end(who)).end.state();
        format!(
            "{who:?} {happened}{sends}{} [{} {}]",
            sent.join(", "),
            state(Who::A),
            state(Who::B)
        )
    }
}

fn told(locals: &Locals<'_>, id: PacketId) -> String {
    match Segment::parse(locals.packet(id)) {
        Ok(g) => format!("{:?} seq {} ack {} len {}", g.flags, g.seq.0, g.ack.0, g.payload.len()),
        Err(e) => e.to_string(),
    }
}
