//! What is sent, and how much may be? The send sequence space (RFC 9293 3.3.1) and the buffer it
//! lies over. Loss recovery and congestion control stand beside it, not in it.

mod hold_back;
mod path_mtu;

pub(crate) use hold_back::{Hold, Offer};
pub use path_mtu::ProbeTally;
pub(crate) use path_mtu::{Claim, Doubt, Path, PathMtu, Probe as MtuProbe};

use crate::SeqNum;
use crate::buffer::SendBuffer;
use crate::config::BufferLimits;

/// The send sequence space.
#[derive(Clone, Debug)]
pub(crate) struct SendSpace {
    /// SND.UNA: oldest unacknowledged.
    pub(crate) una: SeqNum,
    /// SND.NXT: next new octet; never rewound, so that pure ACKs always carry the newest number.
    pub(crate) nxt: SeqNum,
    /// ISS.
    pub(crate) iss: SeqNum,
    /// SND.WND in octets, scaled (REC-1: 32 bits; MUST-1: unsigned).
    pub(crate) wnd: u32,
    /// Largest window the peer has offered (RFC 5961 5: MAX.SND.WND).
    pub(crate) max_wnd: u32,
    /// SND.WL1: sequence number of the segment that last updated the window.
    pub(crate) wl1: SeqNum,
    /// SND.WL2: its acknowledgement number.
    pub(crate) wl2: SeqNum,
    /// The peer's window scale (RFC 7323 2).
    pub(crate) shift: u8,
    /// The peer's MSS option, or the default of MUST-15.
    pub(crate) peer_mss: u16,
    /// How large packets may be.
    pub(crate) path: PathMtu,
    /// SND.UP: one past the last urgent octet; nothing is urgent unless it is ahead of SND.UNA.
    pub(crate) up: SeqNum,
    /// Octets written and not acknowledged.
    pub(crate) buffer: SendBuffer,
    /// Sequence number of the buffer's first octet.
    pub(crate) buffer_start: SeqNum,
    /// The application has closed: a FIN follows the buffer's last octet.
    pub(crate) fin_queued: bool,
    /// End of the last segment sent below MSS (Nagle in Minshall's form).
    pub(crate) small_end: SeqNum,
    /// How much the buffer may hold now.
    pub(crate) limit: usize,
    /// The last plan was limited by the congestion window.
    pub(crate) cwnd_limited: bool,
}

impl SendSpace {
    pub(crate) fn new(iss: SeqNum, mtu: u32, peer_mss: u16, limits: BufferLimits) -> SendSpace {
        SendSpace {
            una: iss,
            nxt: iss,
            iss,
            wnd: 0,
            max_wnd: 0,
            wl1: SeqNum(0),
            wl2: SeqNum(0),
            shift: 0,
            peer_mss,
            path: PathMtu::new(mtu),
            up: iss,
            buffer: SendBuffer::new(),
            buffer_start: iss + 1,
            fin_queued: false,
            small_end: iss,
            limit: limits.initial,
            cwnd_limited: false,
        }
    }

    /// One past the last octet written.
    pub(crate) fn end(&self) -> SeqNum {
        self.buffer_start + self.buffer.len() as u32
    }

    /// The sequence number of our FIN, once the application has closed.
    pub(crate) fn fin_seq(&self) -> Option<SeqNum> {
        self.fin_queued.then(|| self.end())
    }

    /// The FIN has been sent.
    pub(crate) fn fin_sent(&self) -> bool {
        self.fin_seq().is_some_and(|f| self.nxt.after(f))
    }

    /// Octets of text written and never sent.
    pub(crate) fn unsent(&self) -> u32 {
        let end = self.end();
        if self.nxt.before(end) { end.distance_from(self.nxt.max(self.buffer_start)) } else { 0 }
    }

    /// Room in the peer's window for new octets. A shrunk window gives none (MUST-34, SHLD-15).
    pub(crate) fn window_room(&self) -> u32 {
        let edge = self.una + self.wnd;
        if self.nxt.before(edge) { edge.distance_from(self.nxt) } else { 0 }
    }

    /// Octets sent and not acknowledged.
    pub(crate) fn outstanding(&self) -> u32 {
        self.nxt.distance_from(self.una)
    }

    /// Largest payload of a segment with `options` octets of options.
    ///
    /// MUST-16: min(peer's MSS + 20, MMS_S) - header with options - IP options.
    pub(crate) fn mss(&self, ip_header: u32, options: u32) -> u32 {
        let local = self.path.mtu().saturating_sub(ip_header + 20);
        local.min(u32::from(self.peer_mss)).saturating_sub(options).max(MIN_MSS)
    }

    /// Takes the window of an acceptable segment if it is newer than the last update
    /// (RFC 9293 3.10.7.4, fifth step). Returns whether the window changed. Call it before SND.UNA
    /// moves.
    ///
    /// As on Linux, a segment that acknowledges more is newer whatever its number: a retransmission
    /// has an old one. The window from before it would reach beyond the edge from the new SND.UNA.
    pub(crate) fn update_window(&mut self, seq: SeqNum, ack: SeqNum, wnd: u32) -> bool {
        let newer = ack.after(self.una)
            || self.wl1.before(seq)
            || (self.wl1 == seq && self.wl2.at_or_before(ack));
        if !newer {
            return false;
        }
        let changed = self.wnd != wnd;
        self.wnd = wnd;
        self.max_wnd = self.max_wnd.max(wnd);
        self.wl1 = self.wl1.max(seq);
        self.wl2 = ack;
        changed
    }
}

/// No path or peer makes us send less text in a segment than this; the same floor guards other
/// stacks against tiny-MSS attacks.
pub(crate) const MIN_MSS: u32 = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> SendSpace {
        let mut s = SendSpace::new(
            SeqNum(u32::MAX - 5),
            1500,
            1460,
            BufferLimits { initial: 1 << 16, max: 1 << 20 },
        );
        s.una = s.iss + 1;
        s.nxt = s.una;
        s
    }

    // MUST-16
    #[test]
    fn mss_is_the_smaller_of_peer_and_path_less_options() {
        let mut s = space();
        assert_eq!(s.mss(20, 0), 1460);
        assert_eq!(s.mss(20, 12), 1448);
        assert_eq!(s.mss(40, 12), 1428);
        s.peer_mss = 536;
        assert_eq!(s.mss(20, 12), 524);
        s.peer_mss = 0;
        assert_eq!(s.mss(20, 12), MIN_MSS);
    }

    // MUST-34, SHLD-15: the usable window may go negative.
    #[test]
    fn shrunk_window_gives_no_room() {
        let mut s = space();
        s.wnd = 100;
        s.nxt += 80;
        assert_eq!(s.window_room(), 20);
        s.wnd = 50;
        assert_eq!(s.window_room(), 0);
    }

    // MUST-1, REC-1: windows are unsigned 32-bit numbers, also above 2^31 - 1.
    #[test]
    fn windows_are_unsigned() {
        let mut s = space();
        s.wnd = 65_535 << 14;
        assert_eq!(s.window_room(), 65_535 << 14);
    }

    #[test]
    fn window_is_not_taken_from_an_old_segment() {
        let mut s = space();
        assert!(s.update_window(SeqNum(10), s.una, 500));
        assert!(!s.update_window(SeqNum(9), s.una, 900));
        assert_eq!(s.wnd, 500);
        assert!(s.update_window(SeqNum(10), s.una, 300));
        assert_eq!((s.wnd, s.max_wnd), (300, 500));
    }

    // MUST-34: a retransmission of the peer acknowledges 80 more and offers 20 at the same edge.
    #[test]
    fn window_is_taken_from_an_old_segment_that_acknowledges_more() {
        let mut s = space();
        s.nxt += 100;
        assert!(s.update_window(SeqNum(10), s.una, 100));
        assert!(s.update_window(SeqNum(5), s.una + 80, 20));
        assert_eq!((s.wnd, s.wl1), (20, SeqNum(10)));
    }
}
