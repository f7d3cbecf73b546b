//! Do owned octets go in and out as copied ones do? Two connections live through the same, one with
//! `read` and `write`, the other with `read_bytes` and `write_bytes`.

use std::vec;
use std::vec::Vec;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::super::State;
use super::wire::{MSS, Peer, Wire, ms};
use crate::config::{BufferLimits, TcpConfig};
use crate::error::UserError;

const ROOM: BufferLimits = BufferLimits { initial: 200_000, max: 200_000 };

fn wire() -> Wire {
    let config = TcpConfig { receive_buffer: ROOM, send_buffer: ROOM, ..TcpConfig::default() };
    Wire::open(Peer { window: 1 << 20, ..Peer::default() }, config)
}

#[derive(Clone, Debug)]
enum Step {
    Text(u32),
    Urgent(u32),
    Read(usize),
    Write(u32),
    Ack,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let amount = || prop_oneof![0u32..50, 0u32..3000, 0u32..60_000];
    prop_oneof![
        4 => amount().prop_map(Step::Text),
        1 => (1u32..3000).prop_map(Step::Urgent),
        4 => amount().prop_map(|n| Step::Read(n as usize)),
        3 => amount().prop_map(Step::Write),
        2 => Just(Step::Ack),
        1 => Just(Step::Wait),
    ]
}

/// The peer's text within the window, in segments.
fn arrives(w: &mut Wire, at: &mut u32, len: u32, urgent: bool) {
    let end = *at + len.min(w.conn.info().receive_window);
    while *at < end {
        let n = (end - *at).min(MSS);
        if urgent {
            w.urgent_text(*at, n, end)
        } else {
            w.text(*at, n)
        };
        *at += n;
    }
}

fn live(steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut copies, mut owns) = (wire(), wire());
    let (mut a, mut b) = (0, 0);
    for step in steps {
        match step {
            Step::Text(n) => {
                arrives(&mut copies, &mut a, *n, false);
                arrives(&mut owns, &mut b, *n, false);
            }
            Step::Urgent(n) => {
                arrives(&mut copies, &mut a, *n, true);
                arrives(&mut owns, &mut b, *n, true);
            }
            Step::Read(n) => {
                let mut text = vec![0; *n];
                let got = copies.conn.read(copies.now, &mut text).map(|n| text[..n].to_vec());
                let owned = owns.conn.read_bytes(owns.now, *n).map(|b| b.to_vec());
                prop_assert_eq!(got, owned);
            }
            Step::Write(n) if copies.conn.check_writable().is_ok() => {
                let room = (200_000 - copies.outstanding()).min(*n);
                copies.write(room);
                owns.write_bytes(room);
            }
            Step::Write(_) => {}
            Step::Ack => {
                // Whole flights, so that where a packet was cut does not matter.
                let (to, other) = (copies.written(), owns.written());
                prop_assert_eq!(to, other);
                while copies.outstanding() > 0 || owns.outstanding() > 0 {
                    for w in [&mut copies, &mut owns] {
                        w.sends();
                        let info = w.conn.info();
                        w.ack(w.written() - info.send_queue as u32 + info.outstanding);
                        w.now += ms(50);
                    }
                }
            }
            Step::Wait => {
                copies.wait(ms(60));
                owns.wait(ms(60));
            }
        }
        prop_assert_eq!(a, b);
        let (left, right) = (copies.conn.info(), owns.conn.info());
        prop_assert_eq!(left.receive_queue, right.receive_queue);
        prop_assert_eq!(left.receive_window, right.receive_window);
        prop_assert_eq!(copies.conn.urgent_left(), owns.conn.urgent_left());
        // A ring that was handed out is no memory of the connection.
        prop_assert!(right.memory >= right.receive_queue);
        prop_assert_eq!(copies.conn.state(), State::Established);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn owned_octets_go_in_and_out_as_copied_ones(steps in proptest::collection::vec(step(), 1..60)) {
        live(&steps)?;
    }
}

#[test]
fn much_text_is_handed_out_without_a_copy() {
    let mut w = wire();
    arrives(&mut w, &mut 0, 60_000, false);
    let inside = w.conn.readable_slices().0.as_ptr();
    let text = w.conn.read_bytes(w.now, 100_000).unwrap();
    assert_eq!((text.len(), text.as_ptr()), (60_000, inside));
    assert_eq!(w.conn.read_bytes(w.now, 10), Err(UserError::WouldBlock));
    assert_eq!(w.conn.read_bytes(w.now, 0), Ok(Bytes::new()));
}

#[test]
fn a_part_is_copied_and_keeps_nothing_else_alive() {
    let mut w = wire();
    arrives(&mut w, &mut 0, 60_000, false);
    let inside = w.conn.readable_slices().0.as_ptr();
    let text = w.conn.read_bytes(w.now, 20_000).unwrap();
    assert_ne!(text.as_ptr(), inside);
    let own = text.try_into_mut().expect("nobody else has it");
    assert_eq!((own.len(), own.capacity()), (20_000, 20_000));
}

/// What a short write keeps alive until it is acknowledged.
fn kept(mut data: Bytes) -> (usize, bool) {
    let mut w = wire();
    let place = data.as_ptr();
    let n = data.len();
    assert_eq!(w.conn.write_bytes(w.now, &mut data), Ok(n));
    let mut payload = crate::buffer::Payload::new();
    w.conn.poll_transmit(w.now, &w.limits, &mut payload).expect("text");
    (w.conn.memory(), payload[0].as_ptr() == place)
}

#[test]
fn a_short_part_of_a_large_allocation_is_copied() {
    let mut large = BytesMut::with_capacity(64 << 10);
    large.extend_from_slice(&[7; 2000]);
    let (memory, by_reference) = kept(large.freeze());
    assert!(!by_reference && memory < 8 << 10, "{memory}");
    let (memory, by_reference) = kept(Bytes::from(vec![7; 2000]));
    assert!(by_reference && memory < 8 << 10, "{memory}");
    // Somebody else keeps the rest alive anyway.
    let all: Vec<u8> = vec![7; 64 << 10];
    let all = Bytes::from(all);
    assert!(kept(all.slice(1000..3000)).1);
}
