//! What has arrived, what is acknowledged and how much more may come? The receive sequence space
//! (RFC 9293 3.3.1); text, ACK policy, window and timestamps have a file each.

mod ack_policy;
mod advertise;
mod timestamps;

pub(crate) use ack_policy::{AckPolicy, Due};
pub(crate) use timestamps::TimestampState;

use crate::buffer::ReceiveBuffer;
use crate::config::BufferLimits;
use crate::wire::SackBlock;
use crate::{Instant, SeqNum};

/// The receive sequence space.
#[derive(Clone, Debug)]
pub(crate) struct ReceiveSpace {
    /// RCV.NXT.
    pub(crate) nxt: SeqNum,
    /// IRS.
    pub(crate) irs: SeqNum,
    /// RCV.UP: one past the last urgent octet; nothing is urgent unless it is ahead of what was
    /// read.
    pub(crate) up: SeqNum,
    /// RCV.NXT + RCV.WND as last offered; never moves left (SHLD-14).
    pub(crate) edge: SeqNum,
    /// Our window scale; 0 unless both sides offered it (RFC 7323 2.2).
    pub(crate) shift: u8,
    /// Readable and out-of-order octets.
    pub(crate) buffer: ReceiveBuffer,
    /// Where the peer's FIN stands, once it has been seen, in order or not.
    pub(crate) fin: Option<SeqNum>,
    /// How much the buffer may hold now.
    pub(crate) limit: usize,
    /// How much of that memory allows, as last seen.
    pub(crate) affordable: usize,
    /// Size of the peer's full segments as seen (for "every second full-sized segment").
    pub(crate) segment_size: u32,
    /// When to acknowledge.
    pub(crate) ack: AckPolicy,
    /// RFC 7323 timestamps.
    pub(crate) timestamps: TimestampState,
    /// A duplicate to report in the next ACK (RFC 2883).
    pub(crate) dsack: Option<SackBlock>,
    /// Auto-tuning: start of the current measurement.
    tune_at: Instant,
    /// Auto-tuning: RCV.NXT less unread octets at that time.
    tune_read: SeqNum,
}

impl ReceiveSpace {
    pub(crate) fn new(limits: BufferLimits) -> ReceiveSpace {
        ReceiveSpace {
            nxt: SeqNum(0),
            irs: SeqNum(0),
            up: SeqNum(0),
            edge: SeqNum(0),
            shift: 0,
            buffer: ReceiveBuffer::new(),
            fin: None,
            limit: limits.initial,
            affordable: usize::MAX,
            segment_size: 536,
            ack: AckPolicy::new(),
            timestamps: TimestampState::default(),
            dsack: None,
            tune_at: Instant::ZERO,
            tune_read: SeqNum(0),
        }
    }

    /// The peer's initial sequence number is known. The window that our SYN offered, if one went
    /// out before, begins here.
    pub(crate) fn start(&mut self, now: Instant, irs: SeqNum) {
        let offered = self.window();
        self.irs = irs;
        self.nxt = irs + 1;
        self.up = self.nxt;
        self.edge = self.nxt + offered;
        self.tune_at = now;
        self.tune_read = self.nxt;
    }

    /// RCV.WND as last offered, in octets.
    pub(crate) fn window(&self) -> u32 {
        self.edge.distance_from(self.nxt)
    }

    /// Sequence number of the next octet the application will read.
    pub(crate) fn read_seq(&self) -> SeqNum {
        // A FIN in order is a number of its own behind the text.
        self.nxt - self.buffer.readable() as u32 - u32::from(self.fin_received())
    }

    /// The peer's FIN has been received in order.
    pub(crate) fn fin_received(&self) -> bool {
        self.fin.is_some_and(|f| self.nxt.after(f))
    }
}
