//! How does it end? Half-close, reset and simultaneous close over any network, with the states at
//! both ends on the way (RFC 9293 3.6, 3.10.4, 3.10.5).

use std::time::Duration;

use tcp_core::connection::State;
use tcp_core::error::{End, UserError};
use tcp_io::ConnId;
use tcp_sim::{Host, World};

use crate::app::{App, Starts, Then};
use crate::scenario::Scenario;

fn states(w: &World<Host>, a: ConnId, b: ConnId) -> (State, State) {
    (w.node(0).stack.state(a), w.node(1).stack.state(b))
}

fn end(w: &World<Host>, host: usize, conn: ConnId) -> Option<End> {
    w.node(host).stack.connection_cell(conn).and_then(|c| c.end())
}

fn go(app: &mut App, w: &mut World<Host>) {
    if let Err(e) = app.run(w) {
        panic!("failed: {e}: {app:?}");
    }
}

/// The client writes and closes its direction; only then the server answers. The client ends in
/// TIME-WAIT, the server in CLOSED, and all octets arrive. Returns the time until the client has
/// read everything.
///
/// # Panics
/// If anything is not as it must be.
pub fn half_close(scenario: &Scenario) -> Duration {
    let (seed, octets) = (scenario.seed, scenario.octets);
    let mut run = scenario.open();
    let mut a = App::new(0, run.client, octets, seed);
    let server = run.accept(|w| go(&mut a, w));
    let mut b = App::new(1, server, octets, seed).behaving(Starts::AfterPeer, Then::Shutdown);
    let (ac, bc) = (a.conn, b.conn);
    run.until("half closed", |w| {
        go(&mut a, w);
        go(&mut b, w);
        // MUST-12: the end of one direction leaves the other open.
        if b.ended && b.written < octets {
            assert_eq!(w.node(1).stack.state(bc), State::CloseWait);
            let a = w.node(0).stack.state(ac);
            assert!(matches!(a, State::FinWait1 | State::FinWait2), "the client is in {a}");
        }
        a.ended && b.ended
    });
    assert_eq!((a.read, b.read), (octets, octets));
    let took = run.world.now().since(run.start);
    run.until("closed", |w| states(w, ac, bc) == (State::TimeWait, State::Closed));
    assert_eq!(end(&run.world, 0, ac), Some(End::Closed));
    assert_eq!(end(&run.world, 1, bc), Some(End::Closed));
    assert_eq!(run.world.node(1).stack.time_wait_count(), 0);
    run.finish(server);
    took
}

/// In the middle of a transfer both ways the client aborts, when the server's send buffer is full: the server learns that it was reset,
/// and no end keeps quiet time. Returns the time until the server knows.
///
/// # Panics
/// If anything is not as it must be.
pub fn reset(scenario: &Scenario) -> Duration {
    let (seed, octets) = (scenario.seed, scenario.octets);
    let mut run = scenario.open();
    let mut a = App::new(0, run.client, octets, seed);
    let server = run.accept(|w| go(&mut a, w));
    let mut b = App::new(1, server, octets, seed);
    let bc = b.conn;
    run.until("under way", |w| {
        go(&mut a, w);
        go(&mut b, w);
        a.read >= octets / 8
    });
    run.world.node_mut(0).stack.abort(a.conn);
    // The reset itself may be lost: then the server's own retransmissions ask for another.
    run.until("reset", |w| {
        let failed = b.run(w).err();
        // MUST-12: text received before the reset is read first, then the failure is told.
        // Behind the client's FIN it is a broken pipe, as on Linux.
        let closed_first = a.written == octets;
        match failed {
            None | Some(UserError::Ended(End::Reset)) => {}
            Some(UserError::BrokenPipe) if closed_first => {}
            other => panic!("{other:?}"),
        }
        end(w, 1, bc).is_some()
    });
    assert_eq!(end(&run.world, 1, bc), Some(End::Reset));
    assert_eq!(states(&run.world, a.conn, bc), (State::Closed, State::Closed));
    for host in [0, 1] {
        assert_eq!(run.world.node(host).stack.time_wait_count(), 0, "host {host}");
    }
    let took = run.world.now().since(run.start);
    run.finish(server);
    took
}

/// Both ends close at the same instant, after everything was read: both end in TIME-WAIT and stay
/// there for 2MSL. Returns the time until both are there. `on_state` sees the states after each
/// step from the close on.
///
/// # Panics
/// If anything is not as it must be.
pub fn simultaneous_close(
    scenario: &Scenario,
    mut on_state: impl FnMut((State, State)),
) -> Duration {
    let (seed, octets) = (scenario.seed, scenario.octets);
    let mut run = scenario.open();
    let wait = |app: App| app.behaving(Starts::AtOnce, Then::Wait);
    let mut a = wait(App::new(0, run.client, octets, seed));
    let server = run.accept(|w| go(&mut a, w));
    let mut b = wait(App::new(1, server, octets, seed));
    let (ac, bc) = (a.conn, b.conn);
    run.until("transferred", |w| {
        go(&mut a, w);
        go(&mut b, w);
        (a.read, b.read) == (octets, octets)
    });
    run.world.node_mut(0).stack.shutdown(ac).expect("shutdown");
    run.world.node_mut(1).stack.shutdown(bc).expect("shutdown");
    let both = (State::TimeWait, State::TimeWait);
    run.until("closed", |w| {
        on_state(states(w, ac, bc));
        states(w, ac, bc) == both
    });
    let took = run.world.now().since(run.start);
    go(&mut a, &mut run.world);
    go(&mut b, &mut run.world);
    assert!(a.ended && b.ended, "a read must tell the end");
    // MUST-13: both closed first, so both are quiet for 2MSL; the later one from now on.
    let quiet = scenario.stack.tcp.time_wait;
    run.world.run_for(quiet - Duration::from_millis(1));
    let (a, b) = states(&run.world, ac, bc);
    assert!(a == State::TimeWait || b == State::TimeWait, "2MSL was cut short: {a} {b}");
    run.finish(server);
    took
}
