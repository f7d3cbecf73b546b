//! When does the account say yes?

use std::vec::Vec;

use super::*;

fn joined(memory: &Arc<Memory>) -> Account {
    let mut a = Account::default();
    a.join(memory);
    a
}

#[test]
fn pressure_ends_only_below_the_low_mark() {
    let m = Memory::new(MemoryLimits { low: 100, pressure: 200, high: 1000 });
    let mut a = joined(&m);
    a.settle(200);
    assert_eq!(m.level(), Level::Low);
    a.settle(201);
    assert_eq!(m.level(), Level::Pressure);
    a.settle(101);
    assert_eq!(m.level(), Level::Pressure, "hysteresis");
    a.settle(100);
    assert_eq!(m.level(), Level::Low);
    a.settle(150);
    assert_eq!((m.level(), m.info().pressures), (Level::Low, 1));
    a.settle(1000);
    assert_eq!(m.level(), Level::High);
}

#[test]
fn under_pressure_a_connection_grows_to_its_fair_share() {
    let m = Memory::new(MemoryLimits { low: 0, pressure: 50_000, high: 100_000 });
    let mut all: Vec<Account> = (0..5).map(|_| joined(&m)).collect();
    assert_eq!(all[0].take(GUARANTEED, 60_000), 60_000, "there was enough");
    assert_eq!(all[0].take(0, 1000), 0, "more than the share of 20,000");
    assert_eq!(all[1].take(GUARANTEED, 30_000), 20_000);
    assert!(!all[2].take_all(30_000));
    assert!(all[2].take_all(7_000));
    assert_eq!(m.info().charged, 87_000);
    // The last octets below seven eighths, and the guaranteed part beyond it.
    assert_eq!(all[3].take(GUARANTEED, 20_000), GUARANTEED);
    assert_eq!(m.level(), Level::High);
    assert_eq!(all[4].take(GUARANTEED, 20_000), GUARANTEED);
    assert_eq!(all[4].take(0, 20_000), 0);
}

// Buffers leave the last eighth to the tables over them.
#[test]
fn tables_grow_up_to_the_high_mark_and_not_beyond_it() {
    let m = Memory::new(MemoryLimits { low: 0, pressure: 0, high: 80_000 });
    let mut a = joined(&m);
    a.settle(70_000);
    assert_eq!(a.take(0, 5000), 0);
    assert!(a.take_for_table(false, 9_999));
    assert!(!a.take_for_table(false, 2));
    assert!(a.take_for_table(false, 1));
    assert!(a.take_for_table(true, 128), "the first records, in any case");
    assert_eq!(m.info().charged, 80_128);
}

#[test]
fn what_is_dropped_is_given_back() {
    let m = Memory::new(MemoryLimits::at_most(1 << 20));
    let mut a = joined(&m);
    a.settle(5000);
    assert!(a.take_all(700));
    assert_eq!((m.info().charged, m.info().holders), (5700, 1));
    a.settle(300);
    assert_eq!(m.info().charged, 300);
    drop(a);
    assert_eq!((m.info().charged, m.info().holders), (0, 0));
}

#[test]
fn an_account_of_nobody_has_no_limit() {
    let mut a = Account::default();
    assert_eq!(a.take(0, 1 << 40), 1 << 40);
    assert!(a.take_all(usize::MAX / 2));
    assert_eq!((a.level(), a.allowance()), (Level::Low, usize::MAX));
}

#[test]
fn the_marks_are_put_into_order() {
    let m = Memory::new(MemoryLimits { low: 300, pressure: 200, high: 100 });
    assert_eq!(m.info().limits, MemoryLimits { low: 300, pressure: 300, high: 300 });
    let d = MemoryLimits::default();
    assert!(d.low < d.pressure && d.pressure < d.high);
}

// Nothing is lost and nothing overdrawn when many threads charge at once.
#[test]
fn threads_share_an_account() {
    let m = Memory::new(MemoryLimits { low: 1000, pressure: 2000, high: 100_000 });
    std::thread::scope(|s| {
        for n in 0..4 {
            let m = &m;
            s.spawn(move || {
                let mut a = joined(m);
                for i in 0..20_000 {
                    a.take_all((i * 7 + n) % 9000);
                    assert!(m.info().charged <= 100_000);
                    a.settle(i % 3);
                }
            });
        }
    });
    assert_eq!((m.info().charged, m.info().holders), (0, 0));
}
