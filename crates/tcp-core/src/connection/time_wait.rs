//! What does a connection do in its TIME-WAIT? It answers like the record that holds the quiet time
//! (RFC 9293 3.6.1), or gives that away; the record is [`crate::time_wait`]'s.

use super::{Connection, End, Events, State, Timer, Verdict};
use crate::Instant;
use crate::error::DropReason;
use crate::time_wait::{TimeWait, TimeWaitVerdict};
use crate::wire::Segment;

impl Connection {
    pub(super) fn enter_time_wait(&mut self, now: Instant) {
        self.timers.cancel_all();
        // No timer is left that could do it later.
        self.release_idle();
        // MUST-13
        self.timers.set(Timer::TimeWait, now + self.config.time_wait);
        self.notify(Events::TIME_WAIT | Events::READABLE | Events::WRITABLE);
    }

    pub(super) fn arrives_time_wait(&mut self, now: Instant, seg: &Segment<'_>) -> Verdict {
        let Some(mut record) = self.time_wait(now) else {
            return Verdict::Dropped(DropReason::Ended);
        };
        match record.on_segment(now, seg, &self.config) {
            TimeWaitVerdict::Ignore => Verdict::Dropped(DropReason::OutOfWindow),
            TimeWaitVerdict::Ack => {
                self.rcv.ack.now();
                self.rcv.timestamps.recent = record.ts_recent;
                self.timers.set(Timer::TimeWait, record.expires);
                Verdict::Accepted
            }
            // A connection that holds its own TIME-WAIT can't become another one.
            TimeWaitVerdict::NewConnection(_) => Verdict::Dropped(DropReason::UnexpectedSyn),
            TimeWaitVerdict::Over => {
                self.finish(End::Closed);
                Verdict::Accepted
            }
        }
    }

    /// The record that holds the quiet time, once the connection is in TIME-WAIT; the caller may
    /// keep it instead of the connection.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// # client.close(now);
    /// # exchange(now, &mut client, &mut server);
    /// # server.close(now);
    /// # exchange(now, &mut client, &mut server);
    /// assert_eq!(client.state(), State::TimeWait);
    /// let record = client.time_wait(now).unwrap();
    /// assert_eq!(record.expires, now + Duration::from_secs(60));
    ///
    /// // The end that closed second has none.
    /// assert_eq!(server.time_wait(now), None);
    /// ```
    pub fn time_wait(&self, now: Instant) -> Option<TimeWait> {
        if self.state() != State::TimeWait {
            return None;
        }
        let expires = self.timers.at(Timer::TimeWait).unwrap_or(now);
        Some(TimeWait {
            tuple: self.tuple,
            snd_nxt: self.snd.nxt,
            rcv_nxt: self.rcv.nxt,
            window: (self.rcv.window() >> self.rcv.shift).min(0xffff) as u16,
            timestamps: self.rcv.timestamps.enabled,
            timestamp_offset: self.rcv.timestamps.offset,
            ts_recent: self.rcv.timestamps.recent,
            ts_recent_ms: self.rcv.timestamps.recent_at.as_millis() as u32,
            expires,
        })
    }

    /// In TIME-WAIT: gives the record away and ends, so that only the record is left to keep.
    /// What the application has not read stays readable.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// # client.close(now);
    /// # exchange(now, &mut client, &mut server);
    /// # server.close(now);
    /// # exchange(now, &mut client, &mut server);
    /// assert_eq!(client.state(), State::TimeWait);
    /// let record = client.hand_over_time_wait(now).unwrap();
    ///
    /// // The record is 72 octets, and all that the quiet time needs; the connection can go.
    /// assert_eq!(client.end(), Some(End::Closed));
    /// assert_eq!(client.poll_timeout(), None);
    /// assert_eq!(record.tuple, client.tuple());
    /// ```
    pub fn hand_over_time_wait(&mut self, now: Instant) -> Option<TimeWait> {
        let record = self.time_wait(now)?;
        self.finish(End::Closed);
        Some(record)
    }
}
