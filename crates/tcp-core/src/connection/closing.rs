//! How does a connection close? The application's calls (RFC 9293 3.10.4, 3.10.5), and what becomes
//! of it when its last FIN is acknowledged, or when it fails.

use core::time::Duration;

use super::{Connection, End, Events, Happening, Owed, Phase, Reader, State, Step, Timer};
use crate::Instant;
use crate::config::{Linger, Linger2};
use crate::error::UserError;

/// Linux: `TCP_FIN_TIMEOUT_MAX`, in seconds.
const LINGER2_MAX: u16 = 120;

impl Connection {
    /// Our side has nothing more to write: a FIN follows what was written (RFC 9293 3.10.4).
    /// Reading goes on (half-close). Closing twice does nothing.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"question").unwrap();
    /// client.close_write().unwrap();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!(client.state(), State::FinWait2);
    ///
    /// // Half closed: the answer can still be read.
    /// server.write(now, b"answer").unwrap();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!(client.readable(), 6);
    /// ```
    ///
    /// # Errors
    /// `NotConnected` before the connection is established, `Ended` after a failure.
    pub fn close_write(&mut self) -> Result<(), UserError> {
        match self.phase {
            Phase::SynSent | Phase::SynReceived => return Err(UserError::NotConnected),
            Phase::Ended(End::Closed) => return Ok(()),
            Phase::Ended(e) => return Err(UserError::Ended(e)),
            Phase::Synchronized(_) => {}
        }
        self.snd.fin_queued = true;
        // Who waits for room has to learn that there will be none.
        self.notify(Events::WRITABLE);
        self.on_close_in_order();
        Ok(())
    }

    pub(super) fn on_close_in_order(&mut self) {
        if let Phase::Synchronized(mut t) = self.phase {
            t.on_close();
            self.phase = Phase::Synchronized(t);
        }
    }

    /// The application lets go of the connection: it closes in the background, or is reset if
    /// text is unread (SHLD-3) or linger is zero. Whoever wants to wait for the delivery, as
    /// linger may say, waits for [`Events::DELIVERED`] or [`Events::ENDED`].
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// // What was written goes first.
    /// client.write(now, b"hello").unwrap();
    /// client.close(now);
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!((server.readable(), server.peer_closed()), (5, true));
    ///
    /// // Whoever closes with unread text says so: by a reset.
    /// server.close(now);
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!((server.end(), client.end()), (Some(End::Aborted), Some(End::Reset)));
    /// ```
    pub fn close(&mut self, now: Instant) {
        self.reader = Reader::Gone;
        match self.phase {
            Phase::Ended(_) => {}
            // RFC 9293 3.10.4: before anything was synchronized, nobody has to know.
            Phase::SynSent => self.finish(End::Aborted),
            Phase::Synchronized(_) if self.state() == State::TimeWait => {}
            // RFC 9293 3.10.4: in SYN-RECEIVED the FIN waits for ESTABLISHED.
            Phase::SynReceived | Phase::Synchronized(_) => self.close_live(now),
        }
    }

    fn close_live(&mut self, now: Instant) {
        // Text beyond a gap was never acknowledged; if the gap is filled, that text resets.
        if self.rcv.buffer.readable() > 0 {
            // SHLD-3, in CLOSING and LAST-ACK too, where an abort would be silent.
            self.discard_received();
            self.note(Happening::AbortOnClose);
            self.finish_with_reset(End::Aborted);
            return;
        }
        if self.options().linger == Linger::For(Duration::ZERO) {
            self.abort();
            return;
        }
        if self.is_orphan_too_dear() {
            self.finish_with_reset(End::Aborted);
            return;
        }
        self.snd.fin_queued = true;
        self.on_close_in_order();
        self.timers.cancel(Timer::Keepalive);
        self.arm_fin_wait2(now);
    }

    /// Ends the connection at once: a reset in every state in which the peer may still expect
    /// something of us (RFC 9293 3.10.5). What the application had not read is discarded.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// client.abort();
    /// let packets = drain(&mut client, now);
    /// assert_eq!(packets.len(), 1); // the text is gone
    /// assert!(Segment::parse(&packets[0]).unwrap().flags.contains(Flags::RST));
    /// deliver(&mut server, now, &packets);
    /// assert_eq!(server.end(), Some(End::Reset));
    /// ```
    pub fn abort(&mut self) {
        self.reader = Reader::Gone;
        self.discard_received();
        match self.state() {
            State::Closed => {}
            State::SynSent | State::TimeWait => self.finish(End::Aborted),
            State::Closing | State::LastAck if self.snd.buffer.is_empty() => {
                self.finish(End::Aborted);
            }
            _ => self.finish_with_reset(End::Aborted),
        }
    }

    /// There is no room for a connection whose application is gone: a reset tells the peer, in
    /// every state but TIME-WAIT, which needs none.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// client.close(now);
    /// assert!(client.info().orphan);
    ///
    /// // Too many of these wait for their peers: this one has to go.
    /// client.drop_orphan();
    /// exchange(now, &mut client, &mut server);
    /// assert_eq!((client.end(), server.end()), (Some(End::Aborted), Some(End::Reset)));
    /// ```
    pub fn drop_orphan(&mut self) {
        match self.state() {
            State::Closed | State::TimeWait => {}
            State::SynSent => self.finish(End::Aborted),
            _ => self.finish_with_reset(End::Aborted),
        }
    }

    fn discard_received(&mut self) {
        let left = self.rcv.buffer.readable();
        self.rcv.buffer.consume(left);
        self.rcv.buffer.release_if_empty();
        self.settle_memory();
    }

    /// The peer has acknowledged our FIN and all that was written before it.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// client.write(now, b"hello").unwrap();
    /// client.close(now);
    /// let packets = drain(&mut client, now);
    /// assert!(!client.is_delivered());
    /// deliver(&mut server, now, &packets);
    /// exchange(now, &mut client, &mut server);
    /// assert!(client.is_delivered()); // taken by the peer's TCP; its application may not have read it
    /// ```
    pub fn is_delivered(&self) -> bool {
        self.snd.fin_seq().is_some_and(|fin| self.snd.una.after(fin))
    }

    /// We have closed our direction.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert!(!client.write_closed());
    /// client.close_write().unwrap();
    /// assert!(client.write_closed());
    /// ```
    pub fn write_closed(&self) -> bool {
        self.snd.fin_queued
    }

    /// Ends the connection, keeping what the application can still read.
    pub(super) fn finish(&mut self, end: End) {
        self.phase = Phase::Ended(end);
        self.timers.cancel_all();
        self.snd.buffer = crate::buffer::SendBuffer::new();
        self.recovery.forget();
        self.rcv.buffer.release_if_empty();
        self.settle_memory();
        self.probe = None;
        if self.owed != Owed::Reset {
            self.owed = Owed::Nothing;
        }
        self.notify(Events::ENDED | Events::READABLE | Events::WRITABLE);
    }

    /// Ends the connection and owes the peer a reset.
    pub(super) fn finish_with_reset(&mut self, end: End) {
        self.owed = Owed::Reset;
        self.finish(end);
    }

    pub(super) fn take_step(&mut self, now: Instant, step: Step) {
        match step {
            Step::Continue => self.arm_fin_wait2(now),
            Step::TimeWait => self.enter_time_wait(now),
            Step::Closed => self.finish(End::Closed),
        }
    }

    /// An orphan does not wait for the peer's FIN for ever.
    fn arm_fin_wait2(&mut self, now: Instant) {
        if self.state() != State::FinWait2 || self.reader != Reader::Gone {
            return;
        }
        let wait = match self.options().linger2 {
            Linger2::Never => {
                self.note(Happening::AbortOnLinger);
                return self.finish_with_reset(End::Aborted);
            }
            Linger2::Seconds(s) if s > 0 => Duration::from_secs(s.min(LINGER2_MAX).into()),
            Linger2::Stack | Linger2::Seconds(_) => self.config.fin_wait2_timeout,
        };
        // A FIN that is lost has to have the time to come again; as Linux.
        let rto = self.recovery.rto().current();
        self.timers.set_if_idle(Timer::FinWait2, now + wait.max(rto * 7 / 2));
    }
}
