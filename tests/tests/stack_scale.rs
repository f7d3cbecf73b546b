//! Does the stack hold many connections, and let go of all of them? Between two simulated hosts.

use std::time::Duration;

use tcp_core::Instant;
use tcp_core::connection::State;
use tcp_core::error::End;
use tcp_io::ConnId;
use tcp_io::stack::{ConnectOptions, ListenOptions, ListenerId, Stack, StackConfig};
use tcp_sim::{Host, LinkConfig, World, pair, profiles};

const MANY: usize = 10_000;

fn no_records(s: &Stack, who: &str) {
    let counts = (s.connection_count(), s.half_open_count(), s.time_wait_count(), s.demux_count());
    assert_eq!((counts, s.timer_count()), ((0, 0, 0, 0), 0), "{who}");
}

/// Connects `MANY` times and accepts them all, a few at a time.
fn connect_all(w: &mut World<Host>) -> (ListenerId, Vec<ConnId>, Vec<ConnId>) {
    let server = w.node(1).addr(80);
    let options = ListenOptions { backlog: 200, ..ListenOptions::default() };
    let l = w.node_mut(1).stack.listen(server, options).expect("listen");
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    let limit = w.now() + Duration::from_secs(600);
    let done = w.run_until(limit, |w| {
        let now = w.now();
        // No faster than the server accepts.
        while clients.len() < MANY && clients.len() < servers.len() + 100 {
            let stack = &mut w.node_mut(0).stack;
            let c = stack.connect(now, server, ConnectOptions::default()).expect("connect");
            clients.push(c);
        }
        while let Some(c) = w.node_mut(1).stack.accept(l).expect("listener") {
            servers.push(c);
        }
        servers.len() == MANY
    });
    assert!(done, "{} connected, {} accepted", clients.len(), servers.len());
    (l, clients, servers)
}

#[test]
fn ten_thousand_connections_open_and_close() {
    let link = LinkConfig::default().delay(Duration::from_millis(5));
    let mut w = pair(1, link, &StackConfig::default());
    w.set_trace_depth(0);
    let (l, clients, servers) = connect_all(&mut w);
    w.run_for(Duration::from_secs(5));
    for (host, all) in [(0, &clients), (1, &servers)] {
        let s = &w.node(host).stack;
        assert_eq!((s.connection_count(), s.demux_count()), (MANY, MANY));
        // An idle connection has no deadline and no buffer.
        let memory: usize = all.iter().filter_map(|c| s.info(*c)).map(|i| i.memory).sum();
        assert_eq!(memory, 0);
        assert!(all.iter().all(|c| s.state(*c) == State::Established));
    }
    for c in &clients {
        let now = w.now();
        w.node_mut(0).stack.write(now, *c, b"bye").expect("room");
        w.node_mut(0).stack.close(now, *c);
    }
    w.run_for(Duration::from_secs(1));
    let mut buf = [0; 16];
    for s in &servers {
        let now = w.now();
        let stack = &mut w.node_mut(1).stack;
        assert_eq!(stack.read(now, *s, &mut buf), Ok(3));
        assert_eq!(stack.read(now, *s, &mut buf), Ok(0));
        stack.close(now, *s);
    }
    w.run_for(Duration::from_secs(1));
    // MUST-13: who closed first is quiet.
    assert_eq!(w.node(0).stack.time_wait_count(), MANY);
    no_records(&w.node(1).stack, "server");
    w.node_mut(1).stack.close_listener(l);
    w.run_for(Duration::from_secs(62));
    no_records(&w.node(0).stack, "client");
}

#[test]
fn ten_thousand_aborts_leave_nothing_even_if_resets_are_lost() {
    let mut w = pair(2, profiles::profile("loss5").expect("a profile"), &StackConfig::default());
    w.set_trace_depth(0);
    let (l, _, _) = connect_all(&mut w);
    w.node_mut(0).stack.abort_all();
    w.node_mut(1).stack.abort_all();
    w.node_mut(1).stack.close_listener(l);
    w.run_for(Duration::from_secs(70));
    for host in [0, 1] {
        no_records(&w.node(host).stack, "aborted");
    }
}

#[test]
fn a_burst_of_connects_is_never_reset() {
    let config = StackConfig { max_syn_backlog: 64, ..StackConfig::default() };
    let mut w = pair(3, LinkConfig::default().delay(Duration::from_millis(5)), &config);
    w.set_trace_depth(0);
    let server = w.node(1).addr(80);
    let options = ListenOptions { backlog: 50, ..ListenOptions::default() };
    let l = w.node_mut(1).stack.listen(server, options).expect("listen");
    let now = w.now();
    let stack = &mut w.node_mut(0).stack;
    let clients: Vec<_> = (0..250)
        .map(|_| stack.connect(now, server, ConnectOptions::default()).expect("connect"))
        .collect();
    // One accept in 10 ms, as a busy application would; those without room try again, together.
    let mut accepted = 0;
    while accepted < clients.len() && w.now() < Instant::from_millis(180_000) {
        accepted += usize::from(w.node_mut(1).stack.accept(l).expect("listener").is_some());
        w.run_for(Duration::from_millis(10));
    }
    let s = &w.node(0).stack;
    let refused = clients
        .iter()
        .filter_map(|c| s.connection_cell(*c))
        .filter(|c| matches!(c.end(), Some(End::Refused | End::Reset)))
        .count();
    assert_eq!(refused, 0);
    assert_eq!(accepted, clients.len());
}

#[test]
fn a_closed_port_refuses_in_one_round_trip() {
    let mut w =
        pair(4, LinkConfig::default().delay(Duration::from_millis(30)), &StackConfig::default());
    let server = w.node(1).addr(81);
    let now = w.now();
    let stack = &mut w.node_mut(0).stack;
    let c = stack.connect(now, server, ConnectOptions::default()).expect("connect");
    let limit = now + Duration::from_secs(1);
    assert!(w.run_until(limit, |w| w.node(0).stack.state(c) == State::Closed));
    assert_eq!(w.now().since(now), Duration::from_millis(60));
    let end = w.node(0).stack.connection_cell(c).expect("held").end();
    assert_eq!(end, Some(End::Refused));
    no_records(&w.node(1).stack, "server");
}
