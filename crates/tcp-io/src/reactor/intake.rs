//! How do packets come from the device to the stack? In groups: several are read before the stack
//! is locked once for all of them. The bounds of a whole turn are the reactor's. No RFC.

use std::io;
use std::task::{Context, Poll};

use smallvec::SmallVec;

use crate::device::{Device, RxMeta};

/// Packets of a group: their copies and headers stay in the first cache while they wait.
const GROUP: usize = 16;
/// Octets that a group may fill before the room for the largest packet is no longer left.
const SPARE: usize = 32 << 10;
/// Packets start at a cache line.
const ALIGN: usize = 64;

/// Packets that were read and not yet handed over.
#[derive(Debug)]
pub(super) struct Intake {
    buffer: Box<[u8]>,
    /// Room that one read needs.
    room: usize,
    group: SmallVec<[(usize, RxMeta); GROUP]>,
}

impl Intake {
    /// For a device whose reads need `room` octets.
    pub(super) fn new(room: usize) -> Intake {
        let buffer = vec![0; room + SPARE].into_boxed_slice();
        Intake { buffer, room, group: SmallVec::new() }
    }

    /// Reads a group of at most `most` packets. `Ok(false)`: the device has no more and wakes the
    /// task when it does. What was read before an error is in the group.
    pub(super) fn fill<D: Device>(
        &mut self,
        device: &D,
        cx: &mut Context<'_>,
        most: usize,
    ) -> io::Result<bool> {
        let mut start = 0;
        while self.group.len() < GROUP.min(most) {
            let Some(room) = self.buffer.get_mut(start..start + self.room) else { break };
            match device.poll_recv(cx, room) {
                Poll::Pending => return Ok(false),
                Poll::Ready(meta) => {
                    let meta = meta?;
                    self.group.push((start, meta));
                    start += (meta.offset + meta.len).next_multiple_of(ALIGN);
                }
            }
        }
        Ok(true)
    }

    /// Packets of the group.
    pub(super) fn len(&self) -> usize {
        self.group.len()
    }

    /// Hands the group over, in the order of arrival; returns how many octets it had.
    pub(super) fn drain(&mut self, mut take: impl FnMut(&[u8], RxMeta)) -> usize {
        let mut octets = 0;
        for (start, meta) in self.group.drain(..) {
            let begin = start + meta.offset;
            octets += meta.len;
            take(self.buffer.get(begin..begin + meta.len).unwrap_or_default(), meta);
        }
        octets
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::device::{Capabilities, TxPacket, memory_pair};

    fn send(device: &impl Device, octets: &[u8]) {
        let mut cx = Context::from_waker(Waker::noop());
        let packet = TxPacket::with_head(octets.len(), |head| head.copy_from_slice(octets));
        assert!(device.poll_send(&mut cx, &packet).is_ready());
    }

    fn drained(intake: &mut Intake) -> Vec<Vec<u8>> {
        let mut seen = Vec::new();
        intake.drain(|packet, _| seen.push(packet.to_vec()));
        seen
    }

    #[test]
    fn a_group_keeps_order_and_lengths() {
        let (near, far) = memory_pair(Capabilities::plain(1500));
        let sent: Vec<Vec<u8>> = (1..=GROUP as u8).map(|n| vec![n; usize::from(n) * 90]).collect();
        for packet in &sent {
            send(&far, packet);
        }
        let mut intake = Intake::new(near.capabilities().recv_buffer_len());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(intake.fill(&near, &mut cx, usize::MAX).unwrap());
        assert_eq!(drained(&mut intake), sent);
        assert!(!intake.fill(&near, &mut cx, usize::MAX).unwrap());
        assert_eq!(intake.len(), 0);
    }

    #[test]
    fn a_group_ends_where_the_largest_packet_would_not_fit() {
        let (near, far) = memory_pair(Capabilities::plain(9000));
        for _ in 0..8 {
            send(&far, &[7; 9000]);
        }
        let mut intake = Intake::new(near.capabilities().recv_buffer_len());
        let mut cx = Context::from_waker(Waker::noop());
        let mut seen = 0;
        while intake.fill(&near, &mut cx, usize::MAX).unwrap() {
            assert!(intake.len() <= 1 + SPARE / 9000);
            seen += drained(&mut intake).iter().filter(|p| p.len() == 9000).count();
        }
        seen += drained(&mut intake).len();
        assert_eq!(seen, 8);
    }

    #[test]
    fn what_a_turn_has_left_bounds_the_group() {
        let (near, far) = memory_pair(Capabilities::plain(1500));
        for _ in 0..3 {
            send(&far, &[1; 40]);
        }
        let mut intake = Intake::new(near.capabilities().recv_buffer_len());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(intake.fill(&near, &mut cx, 2).unwrap());
        assert_eq!(drained(&mut intake).len(), 2);
    }
}
