//! Does a congestion controller of the user's decide how much is in flight, and hear what it needs for that?

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::sync::Mutex;

use super::wire::{MSS, Peer, RTT, Wire, ms, ranges};
use crate::Instant;
use crate::config::{Algorithm, TcpConfig};
use crate::congestion::{Ack, Controller};

/// What a controller was told, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Mss(u32),
    Acked(u32),
    Loss(u32),
    Timeout(u32),
    Recovered,
}

/// A window that the test sets, and a log.
#[derive(Debug, Clone, Default)]
struct Scripted(Arc<Mutex<(u32, Vec<Told>)>>);

impl Scripted {
    fn window_is(&self, octets: u32) {
        self.0.lock().unwrap().0 = octets;
    }

    fn tell(&self, what: Told) {
        self.0.lock().unwrap().1.push(what);
    }

    fn was_told(&self) -> Vec<Told> {
        core::mem::take(&mut self.0.lock().unwrap().1)
    }
}

impl Controller for Scripted {
    fn on_ack(&mut self, ack: &Ack) {
        self.tell(Told::Acked(ack.acked));
    }

    fn on_loss(&mut self, _now: Instant, in_flight: u32) {
        self.tell(Told::Loss(in_flight));
    }

    fn on_timeout(&mut self, _now: Instant, in_flight: u32, _repeated: bool) {
        self.tell(Told::Timeout(in_flight));
    }

    fn on_recovered(&mut self, _now: Instant) {
        self.tell(Told::Recovered);
    }

    fn on_idle_restart(&mut self, _now: Instant) {}

    fn set_mss(&mut self, mss: u32) {
        self.tell(Told::Mss(mss));
    }

    fn window(&self) -> u32 {
        self.0.lock().unwrap().0
    }

    fn slow_start_threshold(&self) -> u32 {
        7 * MSS
    }

    fn name(&self) -> &'static str {
        "scripted"
    }
}

fn wire(segments: u32) -> (Wire, Scripted) {
    let (mut w, controller) = (Wire::new(), Scripted::default());
    controller.window_is(segments * MSS);
    w.conn.set_controller(w.now, Box::new(controller.clone()));
    assert_eq!(controller.was_told(), [Told::Mss(MSS)]);
    (w, controller)
}

#[test]
fn its_window_is_what_may_be_in_flight() {
    let (mut w, controller) = wire(3);
    w.write(20 * MSS);
    assert_eq!(ranges(&w.sends()).last(), Some(&(2 * MSS, 3 * MSS)));
    w.now += RTT;
    w.ack(2 * MSS);
    assert_eq!(controller.was_told(), [Told::Acked(2 * MSS)]);
    controller.window_is(5 * MSS);
    assert_eq!(w.sends().last().map(|s| s.range().1), Some(7 * MSS));
    let info = w.conn.info();
    assert_eq!((info.congestion, info.slow_start_threshold), ("scripted", 7 * MSS));
}

#[test]
fn it_hears_of_losses_timeouts_and_repairs() {
    let (mut w, controller) = wire(10);
    w.write(10 * MSS);
    w.sends();
    w.now += RTT;
    w.sack(0, &[(MSS, 10 * MSS)]);
    assert_eq!(controller.was_told(), [Told::Loss(10 * MSS)]);
    assert_eq!(ranges(&w.sends()), [(0, MSS)]);
    w.now += RTT;
    w.ack(10 * MSS);
    assert!(controller.was_told().contains(&Told::Recovered));
    w.write(MSS);
    w.sends();
    w.wait(ms(3000));
    assert!(controller.was_told().contains(&Told::Timeout(MSS)));
}

// Otherwise nothing would ever be acknowledged, nor any timer run.
#[test]
fn a_closed_window_counts_as_a_segment() {
    let (mut w, _) = wire(0);
    w.write(3 * MSS);
    assert_eq!(ranges(&w.sends()), [(0, MSS)]);
}

#[test]
fn it_may_be_there_before_the_handshake() {
    let (mut w, controller) =
        (Wire::dial(Peer::default(), TcpConfig::default()), Scripted::default());
    controller.window_is(2 * MSS);
    w.conn.set_controller(w.now, Box::new(controller.clone()));
    w.answer_syn();
    assert!(controller.was_told().contains(&Told::Mss(MSS)));
    w.write(20 * MSS);
    assert_eq!(w.sends().last().map(|s| s.range().1), Some(2 * MSS));
}

#[test]
fn a_built_in_one_goes_on_from_its_window() {
    let (mut w, controller) = wire(3);
    for algorithm in [Algorithm::Reno, Algorithm::Cubic] {
        w.set(|o| o.congestion = Some(algorithm));
        let info = w.conn.info();
        assert_eq!(
            (info.congestion, info.congestion_window, info.slow_start_threshold),
            (algorithm.name(), 3 * MSS, 7 * MSS)
        );
        w.conn.set_controller(w.now, Box::new(controller.clone()));
        assert_eq!(w.conn.info().congestion, "scripted", "and back");
    }
}
