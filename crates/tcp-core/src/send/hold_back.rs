//! Send now, or hold back? Nagle, cork and the sender's silly-window avoidance as one pure
//! function (RFC 9293 3.7.4, 3.8.6.2.1; MUST-38, SHLD-7, SHLD-28).

/// What could be sent, and the limits on it. All lengths in octets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    /// Text written and never sent.
    pub(crate) unsent: u32,
    /// Room in the peer's window.
    pub(crate) window_room: u32,
    /// Room in the congestion window.
    pub(crate) cwnd_room: u32,
    /// Sent and not acknowledged.
    pub(crate) outstanding: u32,
    /// Largest payload of one segment.
    pub(crate) mss: u32,
    /// Largest payload of one packet to the device: `mss`, or a multiple of it with segmentation
    /// offload.
    pub(crate) max_payload: u32,
    /// Largest window the peer has offered.
    pub(crate) max_wnd: u32,
    /// A segment below MSS is not acknowledged yet.
    pub(crate) small_in_flight: bool,
    /// The application wants no delay: Nagle is off (MUST-17), or it has closed.
    pub(crate) nodelay: bool,
    /// The application wants full segments only.
    pub(crate) cork: bool,
}

/// Why nothing is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hold {
    /// Nothing is left to send.
    Nothing,
    /// The peer's window is closed, or too small to be worth a segment.
    Window,
    /// The congestion window is used up.
    Congestion,
    /// Nagle: a small segment is in flight already.
    Nagle,
    /// The application holds a partial segment.
    Cork,
    /// Two super-segments are in flight: the next ACK will make room for a whole one.
    SuperSegment,
    /// There is no memory to note what is sent: the next ACK will make room.
    Memory,
}

impl Offer {
    /// How many octets of new text to send in one packet now.
    pub(crate) fn decide(&self) -> Result<u32, Hold> {
        if self.unsent == 0 {
            return Err(Hold::Nothing);
        }
        let room = self.window_room.min(self.cwnd_room);
        let len = self.unsent.min(room).min(self.max_payload);
        if len == 0 {
            return Err(self.tightest());
        }
        if len == self.unsent { self.tail(len) } else { self.limited(len) }
    }

    /// Everything that is left fits: the last segment may be partial. Small writes that are held
    /// back go as one segment later (MAY-16).
    fn tail(&self, len: u32) -> Result<u32, Hold> {
        if self.worth_waiting(len) {
            return Err(Hold::SuperSegment);
        }
        let full = len - len % self.mss;
        if full == len {
            return Ok(len);
        }
        let hold = if self.cork {
            Hold::Cork
        } else if !self.nodelay && self.small_in_flight {
            // SHLD-7: Nagle. Minshall's form (as Linux): only a small segment holds a small one.
            Hold::Nagle
        } else {
            return Ok(len);
        };
        if full > 0 { Ok(full) } else { Err(hold) }
    }

    /// A window or the packet size is the limit: whole segments only (SHLD-28).
    fn limited(&self, len: u32) -> Result<u32, Hold> {
        let full = len - len % self.mss;
        if full > 0 {
            return if self.worth_waiting(full) { Err(Hold::SuperSegment) } else { Ok(full) };
        }
        // MUST-38: less than a segment only if it is half of the largest window ever offered.
        if self.window_room <= self.cwnd_room && u64::from(len) * 2 >= u64::from(self.max_wnd) {
            return Ok(len);
        }
        Err(self.tightest())
    }

    /// With offload, a partial super-segment costs as much as a whole one, and with two in flight
    /// an ACK is on its way.
    fn worth_waiting(&self, len: u32) -> bool {
        self.max_payload > self.mss
            && len < self.max_payload
            && self.outstanding >= self.max_payload.saturating_mul(2)
            && !(self.nodelay && len == self.unsent && len < self.mss)
    }

    fn tightest(&self) -> Hold {
        if self.window_room <= self.cwnd_room { Hold::Window } else { Hold::Congestion }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(unsent: u32) -> Offer {
        Offer {
            unsent,
            window_room: 100_000,
            cwnd_room: 14_600,
            outstanding: 0,
            mss: 1460,
            max_payload: 1460,
            max_wnd: 100_000,
            small_in_flight: false,
            nodelay: false,
            cork: false,
        }
    }

    // SHLD-7, MUST-17
    #[test]
    fn nagle_holds_a_second_small_segment() {
        let first = offer(10);
        assert_eq!(first.decide(), Ok(10));
        let second = Offer { small_in_flight: true, outstanding: 10, ..offer(10) };
        assert_eq!(second.decide(), Err(Hold::Nagle));
        assert_eq!(Offer { nodelay: true, ..second }.decide(), Ok(10));
    }

    // SHLD-28
    #[test]
    fn full_segments_go_and_the_corked_tail_stays() {
        assert_eq!(offer(5000).decide(), Ok(1460));
        let tso = Offer { max_payload: 43 * 1460, cork: true, ..offer(5000) };
        assert_eq!(tso.decide(), Ok(4380));
        assert_eq!(Offer { unsent: 620, ..tso }.decide(), Err(Hold::Cork));
    }

    // MUST-38: sender's silly-window avoidance.
    #[test]
    fn a_small_window_is_used_only_at_half_of_the_largest() {
        let o = Offer { window_room: 500, ..offer(5000) };
        assert_eq!(o.decide(), Err(Hold::Window));
        assert_eq!(Offer { max_wnd: 1000, ..o }.decide(), Ok(500));
        assert_eq!(Offer { window_room: 0, ..o }.decide(), Err(Hold::Window));
    }

    #[test]
    fn congestion_window_limits_to_whole_segments() {
        let o = Offer { max_payload: 43 * 1460, cwnd_room: 3000, ..offer(50_000) };
        assert_eq!(o.decide(), Ok(2920));
        assert_eq!(Offer { cwnd_room: 1000, ..o }.decide(), Err(Hold::Congestion));
    }

    #[test]
    fn a_partial_super_segment_waits_while_two_are_in_flight() {
        let o = Offer {
            max_payload: 10 * 1460,
            cwnd_room: 5 * 1460,
            outstanding: 20 * 1460,
            ..offer(100_000)
        };
        assert_eq!(o.decide(), Err(Hold::SuperSegment));
        assert_eq!(Offer { outstanding: 19 * 1460, ..o }.decide(), Ok(5 * 1460));
        // But not a small urgent tail of an application that wants no delay.
        assert_eq!(Offer { unsent: 10, nodelay: true, ..o }.decide(), Ok(10));
    }
}
