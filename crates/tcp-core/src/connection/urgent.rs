//! Where does urgent text end? SND.UP and the pointer on segments, RCV.UP, what the application
//! learns of it, and its calls (RFC 9293 3.8.5, RFC 6093). Urgent text stays in line: it is
//! delivered in its place, and a read stops in front of its last octet.

use super::{Connection, Events, Phase};
use crate::error::UserError;
use crate::receive::ReceiveSpace;
use crate::send::SendSpace;
use crate::wire::{Flags, Segment};
use crate::{Instant, SeqNum};

impl Connection {
    /// Like [`write`](Self::write), but what is taken of `data` ends in urgent text: the peer
    /// learns at once how far that reaches, whatever text waits before it (RFC 9293 3.10.2).
    /// Neither Nagle's algorithm nor a cork holds it back; windows do. A later urgent write moves
    /// the end on.
    ///
    /// SHLD-13: new applications should not use it.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// # server.take_events();
    /// client.write(now, b"text").unwrap();
    /// assert_eq!(client.write_urgent(now, b"!"), Ok(1));
    /// exchange(now, &mut client, &mut server);
    ///
    /// assert_eq!(server.take_events(), Events::READABLE | Events::URGENT);
    /// let mut out = [0; 16];
    /// assert_eq!(server.read(now, &mut out), Ok(4)); // up to the mark
    /// assert!(server.is_at_mark());
    /// assert_eq!(server.read(now, &mut out), Ok(1));
    /// assert_eq!(out[0], b'!');
    /// ```
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_urgent(&mut self, now: Instant, data: &[u8]) -> Result<usize, UserError> {
        let n = self.write(now, data)?;
        if n > 0 {
            // MUST-31: the run of urgent text is as long as the application makes it.
            self.snd.up = self.snd.end();
            self.urgent_untold = true;
        }
        Ok(n)
    }

    /// MUST-33: octets from the next one to be read to the end of urgent text, those included that
    /// have not arrived yet; 0 if none is urgent.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write_urgent(now, b"interrupt").unwrap();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!(server.urgent_left(), 9);
    /// let mut out = [0; 4];
    /// server.read(now, &mut out).unwrap();
    /// assert_eq!(server.urgent_left(), 5);
    /// ```
    pub fn urgent_left(&self) -> u32 {
        self.rcv.urgent_left()
    }

    /// The next octet to be read is the last urgent one: the mark of `sockatmark` with
    /// `SO_OOBINLINE` on Linux.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write_urgent(now, b"!").unwrap();
    /// client.write(now, b"text").unwrap();
    /// exchange(now, &mut client, &mut server);
    /// assert!(server.is_at_mark());
    /// server.read(now, &mut [0; 1]).unwrap();
    /// assert!(!server.is_at_mark());
    /// ```
    pub fn is_at_mark(&self) -> bool {
        self.rcv.urgent_left() > 0 && self.rcv.urgent_distance() == 1
    }

    /// How many octets one read takes: it stops at the mark, so that the application can see it;
    /// as on Linux.
    pub(super) fn readable_before_mark(&self) -> usize {
        let readable = self.rcv.buffer.readable();
        match self.rcv.urgent_distance() {
            0 | 1 => readable,
            left => readable.min(left as usize - 1),
        }
    }

    /// Sixth step of RFC 9293 3.10.7.4: the urgent pointer of an acceptable segment.
    pub(super) fn take_urgent(&mut self, seg: &Segment<'_>) {
        let Phase::Synchronized(t) = self.phase else { return };
        if seg.flags.contains(Flags::URG) && t.peer_may_send() {
            // MUST-62: the pointer is that of the octet behind the urgent text.
            let up = seg.seq + u32::from(seg.urgent);
            if self.rcv.advance_urgent(up) {
                // MUST-32: told when urgent text is first pending, and whenever its end moves on.
                self.notify(Events::URGENT);
            }
        }
    }

    /// The flag and pointer of a segment that begins at `seq` (MUST-30).
    pub(super) fn mark_urgent(&mut self, seq: SeqNum, flags: &mut Flags) -> u16 {
        let live = matches!(self.phase, Phase::Synchronized(_));
        let Some(pointer) = self.snd.urgent_pointer(seq).filter(|_| live) else { return 0 };
        *flags |= Flags::URG;
        self.urgent_untold = false;
        pointer
    }
}

impl SendSpace {
    /// The urgent pointer of a segment that begins at `seq`, if one is due: 16 bits of distance
    /// (RFC 9293 3.1). An end that is farther away is said to be as far as can be said; as on Linux
    /// not on segments sent again, where the pointer would name text that was sent as not urgent.
    pub(crate) fn urgent_pointer(&self, seq: SeqNum) -> Option<u16> {
        if !self.up.after(self.una) || !self.up.after(seq) {
            return None;
        }
        match u16::try_from(self.up.distance_from(seq)) {
            Ok(distance) => Some(distance),
            Err(_) => (seq + u32::from(u16::MAX)).after(self.nxt).then_some(u16::MAX),
        }
    }

    /// Urgent text waits to be sent.
    pub(crate) fn has_unsent_urgent(&self) -> bool {
        self.up.after(self.una) && self.up.after(self.nxt)
    }
}

impl ReceiveSpace {
    /// Octets from the next to be read to RCV.UP; 0 if it is not ahead.
    pub(crate) fn urgent_distance(&self) -> u32 {
        let read = self.read_seq();
        if self.up.after(read) { self.up.distance_from(read) } else { 0 }
    }

    /// As [`urgent_distance`](Self::urgent_distance), without what lies behind the peer's FIN.
    pub(crate) fn urgent_left(&self) -> u32 {
        let left = self.urgent_distance();
        self.fin.map_or(left, |fin| left.min(fin.distance_from(self.read_seq())))
    }

    /// RCV.UP <- max(RCV.UP, SEG.UP). Returns whether the application has to know.
    ///
    /// As on Linux, a pointer that ends in text which came before says nothing: every segment with
    /// an urgent octet says so itself, and what was received in order is not urgent afterwards.
    pub(crate) fn advance_urgent(&mut self, up: SeqNum) -> bool {
        let further = up.after(self.up) && up.after(self.nxt);
        if further {
            self.up = up;
        }
        further && self.urgent_left() > 0
    }

    /// What was urgent has been read: RCV.UP keeps up, so that it is never 2^31 behind and taken
    /// for something ahead.
    pub(crate) fn pass_urgent(&mut self) {
        self.up = self.up.max(self.read_seq());
    }
}
