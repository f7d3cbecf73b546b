//! Who is at the other end of a connection of the stack? Scripted peers that know just enough of
//! the numbers to aim at, and the script that brings one connection into each state.

use tcp_core::wire::Flags;
use tcp_core::{SeqNum, Tuple};

use super::packet::{Crafted, Emitted};

/// What a peer knows of one connection; the tuple is as the stack names it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) tuple: Tuple,
    /// What the peer sends next.
    pub(crate) next: SeqNum,
    /// One past the last that the stack sent.
    pub(crate) expects: SeqNum,
    /// What the stack acknowledged last.
    pub(crate) acked: SeqNum,
    /// Segments that the stack sent.
    pub(crate) heard: usize,
}

impl Peer {
    pub(crate) fn new(tuple: Tuple, isn: u32) -> Peer {
        let next = SeqNum(isn);
        Peer { tuple, next, expects: SeqNum(0), acked: next, heard: 0 }
    }

    /// The stack sent something to this peer.
    pub(crate) fn hear(&mut self, e: &Emitted) {
        if e.flags.contains(Flags::RST) {
            return;
        }
        self.heard += 1;
        self.expects = e.seq_end;
        if e.flags.contains(Flags::ACK) {
            self.acked = e.ack;
        }
    }

    /// A segment with the right numbers.
    pub(crate) fn say(&mut self, flags: Flags, text: &[u8]) -> Vec<u8> {
        let options: &[u8] = if flags.contains(Flags::SYN) { &SYN_OPTIONS } else { &[] };
        let c = Crafted {
            tuple: self.tuple,
            seq: self.next,
            ack: self.expects,
            flags: flags.bits(),
            window: 0x4000,
            urgent: 0,
            options,
            text,
        };
        let phantom = u32::from(flags.contains(Flags::SYN)) + u32::from(flags.contains(Flags::FIN));
        self.next += text.len() as u32 + phantom;
        c.octets()
    }
}

/// MSS 1000, window scale 3, SACK permitted.
const SYN_OPTIONS: [u8; 12] = [2, 4, 3, 0xe8, 3, 3, 3, 4, 2, 1, 1, 1];
