//! Does every octet arrive, once and in order? A transfer both ways at once between two simulated
//! hosts, checked octet by octet, with the tables at its end.

use std::time::Duration;

use crate::app::App;
use crate::scenario::Scenario;

/// Sends the octets each way at once, closes both ends and waits until nothing is left. Returns
/// the virtual time from the first SYN until both ends had read everything.
///
/// # Panics
/// If anything is not as it must be.
pub fn transfer(scenario: &Scenario) -> Duration {
    let (seed, octets) = (scenario.seed, scenario.octets);
    let mut run = scenario.open();
    let listener = run.listener;
    let mut a = App::new(0, run.client, octets, seed);
    let mut b: Option<App> = None;
    run.until("transferred", |w| {
        if b.is_none() {
            let accepted = w.node_mut(1).stack.accept(listener).expect("listener");
            b = accepted.map(|c| App::new(1, c, octets, seed));
        }
        for app in [Some(&mut a), b.as_mut()].into_iter().flatten() {
            if let Err(e) = app.run(w) {
                panic!("failed: {e}: {app:?}");
            }
        }
        a.ended && b.as_ref().is_some_and(|b| b.ended)
    });
    let b = b.expect("accepted");
    assert_eq!((a.read, b.read), (octets, octets));
    let took = run.world.now().since(run.start);
    run.finish(b.conn);
    took
}
