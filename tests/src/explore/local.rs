//! Which states of one end are there, and what does a step of one bring? Every state of an end and every
//! packet is kept once, under a number, and every step is taken once: a step of one end does not
//! depend on the other.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use siphasher::sip128::{Hasher128, SipHasher13};
use smallvec::SmallVec;

use super::end::{End, Packet, Span};
use super::{Action, Plan, Scenario};
use crate::fuzz::Who;

/// Numbers an end's state.
pub(super) type EndId = u32;
/// Numbers a packet.
pub(super) type PacketId = u16;

/// What happens at one end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Step {
    Receive(PacketId),
    Fire,
    Act,
}

/// A state after a step, and the packets that the step sent.
#[derive(Clone, Debug)]
pub(super) struct After {
    pub(super) end: EndId,
    pub(super) sent: SmallVec<[PacketId; 4]>,
}

/// A state of one end, with what is asked of it often.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) end: End,
    pub(super) span: Option<Span>,
    pub(super) action: Option<Action>,
}

pub(super) struct Locals<'a> {
    scenario: &'a Scenario,
    ends: Vec<Local>,
    by_form: HashMap<u128, EndId>,
    packets: Vec<Packet>,
    by_octets: HashMap<Packet, PacketId>,
    taken: HashMap<(EndId, Step), Result<After, String>>,
}

impl<'a> Locals<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Locals<'a> {
        Locals {
            scenario,
            ends: Vec::new(),
            by_form: HashMap::new(),
            packets: Vec::new(),
            by_octets: HashMap::new(),
            taken: HashMap::new(),
        }
    }

    pub(super) fn get(&self, id: EndId) -> &Local {
        &self.ends[id as usize]
    }

    pub(super) fn packet(&self, id: PacketId) -> &Packet {
        &self.packets[usize::from(id)]
    }

    /// How many different states of one end there are.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    fn plan(&self, who: Who) -> &'a Plan {
        match who {
            Who::A => &self.scenario.a,
            Who::B => &self.scenario.b,
        }
    }

    pub(super) fn add(&mut self, end: End) -> EndId {
        let mut h = SipHasher13::new();
        end.canonical(&mut h);
        let next = self.ends.len() as EndId;
        let id = *self.by_form.entry(h.finish128().as_u128()).or_insert(next);
        if id == next {
            let span = end.deadline().map(|(_, span)| span);
            let action = end.next_action(self.plan(end.who));
            self.ends.push(Local { end, span, action });
        }
        id
    }

    fn add_packet(&mut self, p: Packet) -> PacketId {
        let next = PacketId::try_from(self.packets.len()).expect("few different packets");
        let id = *self.by_octets.entry(p.clone()).or_insert(next);
        if id == next {
            self.packets.push(p);
        }
        id
    }

    /// Takes a step; a panic of a machine is an error as any other.
    pub(super) fn step(&mut self, id: EndId, step: Step) -> Result<After, String> {
        if let Some(known) = self.taken.get(&(id, step)) {
            return known.clone();
        }
        let mut end = self.get(id).end.clone();
        let action = self.get(id).action;
        let packet = match step {
            Step::Receive(p) => Some(self.packet(p).clone()),
            _ => None,
        };
        let plan = self.plan(end.who);
        let mut out = Vec::new();
        let went = catch_unwind(AssertUnwindSafe(|| {
            match (step, packet, action) {
                (Step::Receive(_), Some(p), _) => end.receive(&p, &mut out),
                (Step::Fire, ..) => end.fire(&mut out),
                (_, _, Some(action)) => end.act(action, &mut out),
                _ => {}
            }
            if plan.reads { end.read(&mut out) } else { Ok(()) }
        }));
        let went = went.unwrap_or_else(|_| Err("panics".to_owned()));
        let after = match went.and_then(|()| end.waits_for_something()) {
            Ok(()) => {
                let sent = out.into_iter().map(|p| self.add_packet(p)).collect();
                Ok(After { end: self.add(end), sent })
            }
            Err(why) => Err(why),
        };
        self.taken.insert((id, step), after.clone());
        after
    }
}
