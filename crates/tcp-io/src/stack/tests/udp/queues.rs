//! How much does a socket hold, and what of the rest?

use std::task::{Context, Poll, Waker};

use super::*;
use crate::cell::{DATAGRAM_COST, Interest, Readiness};
use crate::stack::{PacketDrop, StackConfig, UdpSendError};

#[test]
fn a_queue_takes_what_its_limit_says_and_counts_the_rest() {
    let mut rig = Rig::with(StackConfig { rmem_default: 10_000, ..config() });
    let id = rig.udp(OURS);
    for _ in 0..20 {
        rig.put(&udp(PEER, OURS, &[1; 424]));
    }
    // The one that reaches beyond the limit is the last.
    assert_eq!(rig.counter("UdpInDatagrams"), 11);
    assert_eq!(rig.drops(PacketDrop::UdpReceiveBuffer), 9);
    assert_eq!((rig.counter("UdpRcvbufErrors"), rig.counter("UdpInErrors")), (9, 9));
    let row = rig.stack.udp_rows().next().unwrap();
    assert_eq!((row.receive_queue, row.drops), (11_000, 9));
    assert_eq!(rig.stack.udp_memory(), 11_000);
    rig.heard(id).unwrap();
    rig.heard(id).unwrap();
    rig.put(&udp(PEER, OURS, b"room again"));
    assert_eq!(rig.counter("UdpInDatagrams"), 12);
}

#[test]
fn one_datagram_of_any_size_fits() {
    let mut rig = Rig::with(StackConfig { rmem_default: 1, ..config() });
    let id = rig.udp(OURS);
    rig.put(&udp(PEER, OURS, &[5; 1400]));
    rig.put(&udp(PEER, OURS, b"x"));
    rig.assert_heard(id, PEER, &[5; 1400]);
    rig.assert_silent(id);
}

#[test]
fn all_sockets_together_hold_no_more_than_the_stack_says() {
    let mut rig = Rig::with(StackConfig { udp_mem: 2 * (DATAGRAM_COST + 10), ..config() });
    let (a, b) = (rig.udp(OURS), rig.udp("10.0.0.1:5001"));
    rig.put(&udp(PEER, OURS, &[1; 10]));
    rig.put(&udp(PEER, "10.0.0.1:5001", &[2; 10]));
    rig.put(&udp(PEER, "10.0.0.1:5001", &[3; 10]));
    assert_eq!((rig.drops(PacketDrop::UdpMemory), rig.counter("UdpMemErrors")), (1, 1));
    rig.heard(a).unwrap();
    rig.put(&udp(PEER, "10.0.0.1:5001", &[4; 10]));
    rig.assert_heard(b, PEER, &[2; 10]);
    rig.assert_heard(b, PEER, &[4; 10]);
    assert_eq!(rig.stack.udp_memory(), 0);
}

#[test]
fn a_burst_counts_each_datagram_once() {
    let mut rig = Rig::with(StackConfig { rmem_default: 2 * (DATAGRAM_COST + 100), ..config() });
    rig.udp(OURS);
    let burst = udp(PEER, OURS, &[1; 1000]);
    rig.stack.receive(rig.now, &burst, crate::device::RxChecksum::Good, Some(100));
    assert_eq!(rig.counter("UdpInDatagrams") + rig.counter("UdpRcvbufErrors"), 10);
    assert_eq!(rig.stack.counters().total_drops(), rig.counter("UdpRcvbufErrors"));
}

#[test]
fn a_send_queue_is_full_until_half_of_it_has_gone() {
    let mut rig = Rig::with(StackConfig { wmem_default: 10_000, ..config() });
    let id = rig.udp(OURS);
    let cell = rig.stack.udp_cell(id).unwrap();
    let sent = (0..).find(|_| {
        let sent = rig.stack.udp_send(rig.now, id, vec![0; 424], Some(at(PEER)));
        sent.inspect_err(|e| assert_eq!(*e, UdpSendError::WouldBlock)).is_err()
    });
    assert_eq!(sent, Some(10));
    assert_eq!(rig.counter("UdpSndbufErrors"), 1);
    let mut cx = Context::from_waker(Waker::noop());
    let mut ready = || cell.poll_ready(&mut cx, Interest::WRITABLE);
    assert_eq!(ready(), Poll::Pending);
    for _ in 0..5 {
        rig.next().unwrap();
    }
    assert_eq!(ready(), Poll::Pending);
    rig.next().unwrap();
    assert_eq!(ready(), Poll::Ready(Readiness::WRITABLE));
    rig.send(id, b"room", PEER);
}

#[test]
fn a_reader_is_woken_once_for_a_batch() {
    let mut rig = Rig::new();
    let id = rig.udp(OURS);
    let cell = rig.stack.udp_cell(id).unwrap();
    let (count, waker) = counter();
    let mut cx = Context::from_waker(&waker);
    assert!(cell.poll_ready(&mut cx, Interest::READABLE).is_pending());
    for _ in 0..3 {
        rig.put(&udp(PEER, OURS, b"x"));
    }
    assert_eq!(count.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(cell.poll_ready(&mut cx, Interest::READABLE), Poll::Ready(Readiness::READABLE));
}

#[derive(Default)]
struct Count(std::sync::atomic::AtomicUsize);

impl futures::task::ArcWake for Count {
    fn wake_by_ref(this: &std::sync::Arc<Self>) {
        this.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

fn counter() -> (std::sync::Arc<Count>, Waker) {
    let count = std::sync::Arc::new(Count::default());
    (count.clone(), futures::task::waker(count))
}

#[test]
fn the_end_of_the_stack_is_told_to_who_waits() {
    let mut rig = Rig::new();
    let id = rig.udp(OURS);
    let cell = rig.stack.udp_cell(id).unwrap();
    rig.put(&udp(PEER, OURS, b"last"));
    rig.send(id, b"on its way", PEER);
    rig.stack.close_all(rig.now);
    let receive = || cell.receive(Look::Take, 9, &mut |_| ());
    assert_eq!(receive(), Ok((4, at(PEER))));
    assert_eq!(receive(), Err(UdpReceiveError::Closed));
    assert!(cell.readiness_seen().0.intersects(Readiness::READ_CLOSED));
    assert_eq!(opened(&rig.next().unwrap()).2, b"on its way");
    assert!(!rig.stack.has_work());
}

/// Notes its number when it is woken.
struct Numbered(usize, std::sync::Arc<std::sync::Mutex<Vec<usize>>>);

impl futures::task::ArcWake for Numbered {
    fn wake_by_ref(this: &std::sync::Arc<Self>) {
        this.1.lock().unwrap().push(this.0);
    }
}

// A seed repeats a run only if nothing depends on the order of a hash map.
#[test]
fn sockets_end_in_the_order_of_their_places() {
    let mut rig = Rig::new();
    let woken = std::sync::Arc::default();
    for n in 0..20 {
        let id = rig.udp("10.0.0.1:0");
        let waker =
            futures::task::waker(std::sync::Arc::new(Numbered(n, std::sync::Arc::clone(&woken))));
        let cell = rig.stack.udp_cell(id).unwrap();
        let mut cx = Context::from_waker(&waker);
        assert!(cell.poll_ready(&mut cx, Interest::READABLE).is_pending());
    }
    rig.stack.close_all(rig.now);
    assert_eq!(*woken.lock().unwrap(), (0..20).collect::<Vec<_>>());
}
