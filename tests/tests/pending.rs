//! Does every client get its decision, and only that, over a bad network? A stack that takes every
//! address behind the simulator's links (virtual time; the seed is printed on failure).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tcp_core::connection::State;
use tcp_core::error::{End, Unreachable};
use tcp_core::{Endpoint, Instant};
use tcp_io::cell::{RequestCell, TakenError};
use tcp_io::stack::{
    ConnectOptions, Foreign, ListenOptions, ListenScope, ListenerId, PendingOptions, Rejection,
    StackConfig, Unreachability,
};
use tcp_io::{ConnId, Stack};
use tcp_sim::{Host, LinkConfig, SeedGuard, World, profiles};

const CLIENT: usize = 0;
const PROXY: usize = 1;
/// How often the proxy looks at its requests.
const TICK: Duration = Duration::from_millis(50);

/// What the proxy does with a destination, by its port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Plan {
    Accept { after: Duration },
    Reject(Rejection),
}

impl Plan {
    fn of(port: u16) -> Plan {
        use Unreachability as U;
        match port % 8 {
            0 => Plan::Reject(Rejection::Reset),
            1 => Plan::Reject(Rejection::Unreachable(U::Host)),
            2 => Plan::Reject(Rejection::Unreachable(U::Network)),
            3 => Plan::Reject(Rejection::Unreachable(U::Port)),
            4 => Plan::Accept { after: Duration::from_secs(4) },
            _ => Plan::Accept { after: Duration::ZERO },
        }
    }

    fn end(self) -> Option<End> {
        Some(match self {
            Plan::Accept { .. } => return None,
            Plan::Reject(Rejection::Unreachable(Unreachability::Host)) => {
                End::Unreachable(Unreachable::Host)
            }
            Plan::Reject(Rejection::Unreachable(Unreachability::Network)) => {
                End::Unreachable(Unreachable::Network)
            }
            Plan::Reject(_) => End::Refused,
        })
    }
}

/// The proxy's program: decides, and greets with the destination's name.
#[derive(Default)]
struct Proxy {
    undecided: Vec<(Instant, Arc<RequestCell>)>,
    admitted: Vec<Arc<RequestCell>>,
    served: Vec<Endpoint>,
}

impl Proxy {
    fn run(&mut self, now: Instant, stack: &mut Stack, listener: ListenerId) {
        while let Some(cell) = stack.take_request(listener).unwrap() {
            match Plan::of(cell.request().tuple.local.port) {
                Plan::Accept { after } => self.undecided.push((now + after, cell)),
                Plan::Reject(how) => stack.reject(now, &cell, how).unwrap(),
            }
        }
        for (_, cell) in self.undecided.extract_if(.., |(at, _)| *at <= now) {
            stack.admit(now, &cell, None).unwrap();
            self.admitted.push(cell);
        }
        self.admitted.retain(|cell| match cell.take_established().unwrap() {
            None => true,
            Some(conn) => {
                let local = conn.tuple().local;
                self.served.push(local);
                conn.write(now, local.to_string().as_bytes()).unwrap();
                conn.close(now);
                false
            }
        });
    }
}

fn world(seed: u64, link: LinkConfig) -> (World<Host>, ListenerId) {
    let config = |n: u8| {
        let cidrs = [format!("10.0.0.{n}/24"), format!("fd00::{n}/64")];
        let addresses = cidrs.iter().map(|c| c.parse().unwrap()).collect();
        let foreign = if n == 2 { Foreign::Take { echo: false } } else { Foreign::Ignore };
        StackConfig { addresses, foreign, mtu: link.mtu.min(65_535), ..StackConfig::default() }
    };
    let mut world = World::new(seed, link.clone());
    for n in [1, 2] {
        world.add_node(Host::new(Instant::ZERO, config(n), seed * 2 + u64::from(n)), &[]);
    }
    world.route_by(|from, _packet| Some(1 - from));
    let options = ListenOptions {
        scope: ListenScope::Any,
        pending: Some(PendingOptions { max_undecided: 16, ..PendingOptions::default() }),
        ..ListenOptions::default()
    };
    let listener = world.node_mut(PROXY).stack.listen("[::]:0".parse().unwrap(), options).unwrap();
    (world, listener)
}

/// Reads what there is; whether the end has come.
fn read(stack: &mut Stack, now: Instant, id: ConnId, text: &mut Vec<u8>) -> bool {
    let mut buf = [0; 256];
    while let Ok(n) = stack.read(now, id, &mut buf) {
        if n == 0 {
            return true;
        }
        text.extend_from_slice(&buf[..n]);
    }
    false
}

/// Every client of a run ends as planned.
fn run(name: &str, seed: u64) {
    let guard = SeedGuard::new(seed, format!("pending over {name}"));
    let (mut world, listener) = world(guard.seed(), profiles::profile(name).unwrap());
    let to = |n: u16| -> SocketAddr {
        let ip =
            if n.is_multiple_of(2) { format!("192.0.2.{n}") } else { format!("[2001:db8::{n}]") };
        format!("{ip}:{}", 7000 + n / 2).parse().unwrap()
    };
    let now = world.now();
    let client = &mut world.node_mut(CLIENT).stack;
    let mut open: Vec<_> = (0..64)
        .map(|n| (to(n), client.connect(now, to(n), ConnectOptions::default()).unwrap()))
        .map(|(to, id)| (to, id, Vec::new()))
        .collect();
    let accepted = open.iter().filter(|(to, ..)| Plan::of(to.port()).end().is_none()).count();
    let mut proxy = Proxy::default();
    while !open.is_empty() {
        assert!(world.now() < Instant::ZERO + Duration::from_secs(600), "{open:?}");
        world.run_for(TICK);
        let now = world.now();
        proxy.run(now, &mut world.node_mut(PROXY).stack, listener);
        let stack = &mut world.node_mut(CLIENT).stack;
        open.retain_mut(|(to, id, text)| {
            let plan = Plan::of(to.port());
            if stack.state(*id) == State::Closed && text.is_empty() {
                let end = stack.take_error(*id);
                assert_eq!(end, plan.end().map(TakenError::Ended), "{to}");
            } else if !read(stack, now, *id, text) {
                return true;
            } else {
                assert_eq!(text, to.to_string().as_bytes());
                assert_eq!(plan.end(), None, "{to}");
            }
            stack.close(now, *id);
            false
        });
    }
    assert_eq!(proxy.served.len(), accepted, "one connection of each SYN, however often it came");
    world.run_for(Duration::from_secs(400));
    for n in [CLIENT, PROXY] {
        let stack = &world.node(n).stack;
        assert_eq!((stack.demux_count(), stack.timer_count()), (0, 0), "{:?}", stack.connections());
    }
}

#[test]
fn clean_network() {
    (0..8).for_each(|seed| run("clean", seed));
}

#[test]
fn loss_of_5_percent() {
    (0..16).for_each(|seed| run("loss5", seed));
}

#[test]
fn reordering_of_20_percent() {
    (0..16).for_each(|seed| run("reorder20", seed));
}

// A SYN that comes twice makes one connection, and one refusal too many harms nobody.
#[test]
fn duplication_of_5_percent() {
    (0..16).for_each(|seed| run("duplicate5", seed));
}
