//! How is every state reached, and from each an end? Breadth-first over one scenario, so that the way to
//! a failure is a shortest one; then over the graph: no packets for ever, and no state without a way out.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::Scenario;
use super::check::{Situation, check};
use super::local::Locals;
use super::world::{Event, World};
use crate::fuzz::Who;

/// What was explored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Different states of both ends and the network.
    pub states: usize,
    /// Different states of one end.
    pub local: usize,
    /// Events that lead from one to another.
    pub transitions: usize,
    /// Events of the longest of all shortest ways.
    pub depth: usize,
    /// States in which nothing can happen any more.
    pub finals: usize,
}

impl Outcome {
    /// Of two searches together.
    pub fn add(&mut self, other: Outcome) {
        self.states += other.states;
        self.local += other.local;
        self.transitions += other.transitions;
        self.depth = self.depth.max(other.depth);
        self.finals += other.finals;
    }
}

/// Something that must not be, and a shortest way to it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Where.
    pub scenario: Scenario,
    /// What.
    pub why: String,
    /// The conversation.
    pub path: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}\n{}", self.scenario, self.why)?;
        self.path.iter().zip(1..).try_for_each(|(line, n)| writeln!(f, "{n:4}  {line}"))
    }
}

/// How a state was reached first.
#[derive(Clone, Copy, Debug)]
struct Step {
    from: u32,
    event: Event,
}

/// From a state to a state; prompt deliveries apart.
#[derive(Clone, Copy)]
struct Edge {
    from: u32,
    to: u32,
    delivery: bool,
}

struct Search<'a> {
    scenario: &'a Scenario,
    locals: Locals<'a>,
    /// Numbers of all states, by their hash.
    known: HashTable<u32>,
    states: Vec<State>,
    edges: Vec<Edge>,
    finals: Vec<u32>,
    depth: usize,
}

struct State {
    world: World,
    reached: Step,
}

/// Explores all of a scenario.
///
/// States are reached with as few disruptions as possible: what can follow with fewer left can follow
/// with more, so each state is expanded once.
///
/// # Errors
/// The first invariant that does not hold, with the shortest way to it.
pub fn search(scenario: &Scenario) -> Result<Outcome, Box<Failure>> {
    let mut locals = Locals::new(scenario);
    let root = World::new(scenario, &mut locals);
    let mut search = Search {
        scenario,
        locals,
        known: HashTable::new(),
        states: Vec::new(),
        edges: Vec::new(),
        finals: Vec::new(),
        depth: 0,
    };
    let first = Step { from: 0, event: Event::Fire(Who::A) };
    let mut frontier = search.add(root, first).into_iter().collect();
    for spent in 0..=scenario.disruptions {
        let disrupted = search.layer(spent, frontier)?;
        frontier = Vec::new();
        for step in disrupted {
            let after = search.after(step)?;
            frontier.extend(search.add(after, step));
        }
    }
    search.no_packets_for_ever()?;
    search.a_way_out_of_every_state()?;
    Ok(Outcome {
        states: search.states.len(),
        local: search.locals.count(),
        transitions: search.edges.len(),
        depth: search.depth,
        finals: search.finals.len(),
    })
}

impl Search<'_> {
    /// The number of a state that is new.
    fn add(&mut self, world: World, reached: Step) -> Option<u32> {
        let fresh = self.states.len() as u32;
        let states = &self.states;
        let same = |id: &u32| states[*id as usize].world == world;
        let hash = |id: &u32| states[*id as usize].world.hash();
        let to = match self.known.entry(world.hash(), same, hash) {
            Entry::Occupied(e) => *e.get(),
            Entry::Vacant(e) => {
                e.insert(fresh);
                self.states.push(State { world, reached });
                fresh
            }
        };
        if fresh > 0 {
            let delivery = matches!(reached.event, Event::Deliver(_));
            self.edges.push(Edge { from: reached.from, to, delivery });
        }
        (to == fresh).then_some(fresh)
    }

    fn after(&mut self, step: Step) -> Result<World, Box<Failure>> {
        let world = self.states[step.from as usize].world.clone();
        let after = world.after(&mut self.locals, step.event);
        after.map_err(|why| self.failure(step.from, Some(step.event), why))
    }

    /// All that follows without one more disruption; gives the disruptions that are possible.
    fn layer(&mut self, spent: u8, mut frontier: Vec<u32>) -> Result<Vec<Step>, Box<Failure>> {
        let mut disrupted = Vec::new();
        let mut events = Vec::new();
        while !frontier.is_empty() {
            let mut next = Vec::new();
            for from in frontier {
                events.clear();
                let disrupt = spent < self.scenario.disruptions;
                let world = &self.states[from as usize].world;
                if self.scenario.every_order {
                    world.events(&self.locals, disrupt, &mut events);
                } else {
                    world.enough_events(&self.locals, disrupt, &mut events);
                }
                self.check(from, spent, events.is_empty())?;
                for &event in &events {
                    let step = Step { from, event };
                    if event.disrupts() {
                        disrupted.push(step);
                    } else {
                        let after = self.after(step)?;
                        next.extend(self.add(after, step));
                    }
                }
            }
            self.depth += usize::from(!next.is_empty());
            frontier = next;
        }
        Ok(disrupted)
    }

    fn check(&mut self, id: u32, spent: u8, stuck: bool) -> Result<(), Box<Failure>> {
        let w = &self.states[id as usize].world;
        let situation = Situation { spent, quiet: w.is_quiet(), stuck };
        let end = |who| &self.locals.get(w.end(who)).end;
        if let Err(why) = check(end(Who::A), end(Who::B), situation) {
            return Err(self.failure(id, None, why));
        }
        if stuck {
            self.finals.push(id);
        }
        Ok(())
    }

    /// Prompt deliveries alone never lead back: two ends that answer each other come to rest.
    fn no_packets_for_ever(&self) -> Result<(), Box<Failure>> {
        let deliveries = || self.edges.iter().filter(|e| e.delivery);
        let out = Lists::new(self.states.len(), deliveries().map(|e| (e.from, e.to)));
        let mut entering = vec![0u32; self.states.len()];
        deliveries().for_each(|e| entering[e.to as usize] += 1);
        let mut free: Vec<u32> =
            (0..self.states.len() as u32).filter(|i| entering[*i as usize] == 0).collect();
        let mut seen = 0;
        while let Some(id) = free.pop() {
            seen += 1;
            for to in out.of(id) {
                entering[*to as usize] -= 1;
                if entering[*to as usize] == 0 {
                    free.push(*to);
                }
            }
        }
        match entering.iter().position(|n| *n > 0) {
            Some(id) if seen < self.states.len() => {
                Err(self.failure(id as u32, None, "the ends answer each other for ever".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn a_way_out_of_every_state(&self) -> Result<(), Box<Failure>> {
        let back = Lists::new(self.states.len(), self.edges.iter().map(|e| (e.to, e.from)));
        let mut ends = vec![false; self.states.len()];
        let mut todo = self.finals.clone();
        todo.iter().for_each(|id| ends[*id as usize] = true);
        while let Some(id) = todo.pop() {
            for from in back.of(id) {
                if !std::mem::replace(&mut ends[*from as usize], true) {
                    todo.push(*from);
                }
            }
        }
        match ends.iter().position(|e| !e) {
            Some(id) => Err(self.failure(id as u32, None, "no way leads to an end".to_owned())),
            None => Ok(()),
        }
    }

    /// Tells the way to a state.
    fn failure(&self, id: u32, last: Option<Event>, why: String) -> Box<Failure> {
        let mut path = Vec::new();
        let world = |id: u32| &self.states[id as usize].world;
        if let Some(event) = last {
            path.push(world(id).tell(&self.locals, event, None));
        }
        let mut at = id;
        while at != 0 {
            let Step { from, event } = self.states[at as usize].reached;
            path.push(world(from).tell(&self.locals, event, Some(world(at))));
            at = from;
        }
        path.reverse();
        Box::new(Failure { scenario: self.scenario.clone(), why, path })
    }
}

/// Lists of neighbours, in one piece of memory.
struct Lists {
    begins: Vec<u32>,
    all: Vec<u32>,
}

impl Lists {
    fn new(n: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Lists {
        let mut begins = vec![0; n + 1];
        pairs.clone().for_each(|(at, _)| begins[at as usize + 1] += 1);
        for i in 0..n {
            begins[i + 1] += begins[i];
        }
        let mut next = begins.clone();
        let mut all = vec![0; begins[n] as usize];
        for (at, other) in pairs {
            all[next[at as usize] as usize] = other;
            next[at as usize] += 1;
        }
        Lists { begins, all }
    }

    fn of(&self, id: u32) -> &[u32] {
        let at = id as usize;
        &self.all[self.begins[at] as usize..self.begins[at + 1] as usize]
    }
}
