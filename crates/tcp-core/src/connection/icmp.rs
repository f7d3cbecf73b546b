//! What does the network say about our segments? ICMP errors as a connection takes them: believed
//! or not, hard or soft (RFC 9293 3.9.2.2, RFC 5927, RFC 5461). Sizes are `path_mtu`'s matter.

use super::{Connection, End, Events, Phase};
use crate::error::{IcmpError, Unreachable};
use crate::{Instant, SeqNum};

/// What a connection made of an ICMP error.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// client.write(now, &[7; 1448]).unwrap();
/// let packet = drain(&mut client, now).remove(0);
/// let quoted = Segment::parse(&packet).unwrap().seq;
///
/// // A router says that 1500 octets are too many, of a packet that is in flight.
/// let error = IcmpError::TooBig { mtu: 1400 };
/// assert_eq!(client.on_icmp(now, quoted, error), IcmpVerdict::PathMtu);
/// assert_eq!(client.path_mtu().mtu, 1400);
///
/// // The same text goes again, in packets that fit, and without waiting for a time-out.
/// assert_eq!(drain(&mut client, now).len(), 2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IcmpVerdict {
    /// It quotes nothing that is in flight, or says what no router may say: forged, or late.
    NotBelieved,
    /// It was taken in.
    Believed,
    /// Packets are smaller from now on; worth remembering for other connections to this host:
    /// [`Connection::path_mtu`].
    PathMtu,
}

impl Connection {
    /// An ICMP error quoted a segment of this connection with sequence number `seq` (MUST-54).
    /// RFC 5927 4.1: it is believed only if that number is in flight.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// let packet = drain(&mut client, now).remove(0);
    /// let quoted = Segment::parse(&packet).unwrap().seq;
    ///
    /// // A router reports the host as gone; an established connection waits for better times.
    /// let error = IcmpError::Unreachable(Unreachable::Host);
    /// assert_eq!(client.on_icmp(now, quoted, error), IcmpVerdict::Believed);
    /// assert_eq!(client.state(), State::Established);
    ///
    /// // A forger has to guess a number that is in flight.
    /// assert_eq!(client.on_icmp(now, quoted + 5, error), IcmpVerdict::NotBelieved);
    /// ```
    pub fn on_icmp(&mut self, now: Instant, seq: SeqNum, error: IcmpError) -> IcmpVerdict {
        let in_flight = seq.at_or_after(self.snd.una) && seq.before(self.snd.nxt);
        // What has ended sends nothing again, whatever is still in the books.
        if !in_flight || matches!(self.phase, Phase::Ended(_)) {
            return IcmpVerdict::NotBelieved;
        }
        match error {
            IcmpError::TooBig { mtu } => self.on_too_big(now, seq, mtu),
            IcmpError::Unreachable(u) => {
                self.on_unreachable(u);
                IcmpVerdict::Believed
            }
        }
    }

    /// Takes the last soft error (MUST-47).
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// # client.take_events();
    /// # client.write(now, b"hello").unwrap();
    /// # let packet = drain(&mut client, now).remove(0);
    /// # let quoted = Segment::parse(&packet).unwrap().seq;
    /// client.on_icmp(now, quoted, IcmpError::Unreachable(Unreachable::Host));
    /// assert_eq!(client.take_events(), Events::SOFT_ERROR);
    /// assert_eq!(client.take_soft_error(), Some(Unreachable::Host));
    /// assert_eq!(client.take_soft_error(), None);
    /// ```
    pub fn take_soft_error(&mut self) -> Option<Unreachable> {
        self.soft_error.take()
    }

    fn on_unreachable(&mut self, u: Unreachable) {
        let opening = self.is_opening();
        if opening && u.is_hard() {
            // SHLD-26
            self.finish(End::Refused);
        } else if opening && self.config.soft_errors_end_connect {
            self.finish(End::Unreachable(u));
        } else {
            // MUST-56; RFC 5927 5.2: in a synchronized state hard errors are soft too.
            self.soft_error = Some(u);
            if self.options().report_soft_errors {
                // MUST-47, SHLD-25
                self.notify(Events::SOFT_ERROR);
            }
        }
    }
}
