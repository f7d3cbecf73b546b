//! Which connections are the same? Their canonical form for exploring states: all that decides what
//! a connection does from now on, and nothing that is only history. Only with the feature `explore`.

use core::hash::{Hash, Hasher};

use super::{Connection, Phase, Timer};
use crate::receive::ReceiveSpace;
use crate::send::SendSpace;
use crate::time_wait::TimeWait;
use crate::{Instant, SeqNum};

impl Connection {
    /// Writes all that decides the future, with times as distances from `now`. Two connections
    /// that write the same do the same from then on, if
    ///
    /// * with `now: None`, which leaves times out: the retransmission time-out is constant, so that
    ///   round trips don't matter and deadlines come in the order of their kinds;
    /// * the congestion window never limits them, as it can't when all text is less than a segment;
    /// * challenge ACKs are not limited, and neither auto-tuning nor keepalive is on;
    /// * the text at a sequence number is always the same, as a function of its number;
    /// * what ICMP or a search has found out about the path does not expire, if times are left out;
    /// * the application sees every event, and does not look at counters.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use std::hash::{DefaultHasher, Hasher};
    ///
    /// let form = |c: &Connection, now: Instant| {
    ///     let mut h = DefaultHasher::new();
    ///     c.canonical(Some(now), &mut h);
    ///     h.finish()
    /// };
    /// let mut other = client.clone();
    /// assert_eq!(form(&other, now), form(&client, now));
    ///
    /// // What is only history makes no difference; text to send does.
    /// other.take_events();
    /// assert_eq!(form(&other, now), form(&client, now));
    /// other.write(now, b"hello").unwrap();
    /// assert_ne!(form(&other, now), form(&client, now));
    /// ```
    pub fn canonical<H: Hasher>(&self, now: Option<Instant>, h: &mut H) {
        // Without `..`: a new field has to be thought about.
        let Connection {
            phase,
            snd,
            rcv,
            recovery,
            timers,
            negotiated,
            owed,
            probe,
            soft_error,
            reader,
            attempts,
            probes,
            probe_backoff,
            retransmit_first,
            uncorked,
            urgent_untold,
            opened_at,
            // What does not change, what the list above excludes, and history.
            tuple: _,
            congestion: _,
            config: _,
            own_options: _,
            awaits_memory: _,
            account: _,
            challenge: _,
            events: _,
            last_sent: _,
            last_received: _,
            wants_room: _,
            offered_zero: _,
            noted: _,
            drops: _,
            segments_in: _,
            segments_out: _,
            ledger: _,
        } = self;
        (phase, negotiated, owed, probe, soft_error, reader).hash(h);
        (attempts, probes, probe_backoff, retransmit_first, uncorked, urgent_untold).hash(h);
        let opening = matches!(phase, Phase::SynSent | Phase::SynReceived);
        now.filter(|_| opening).map(|now| now.since(*opened_at)).hash(h);
        snd.canonical(now, h);
        rcv.canonical(h);
        recovery.canonical(now, h);
        // What memory is kept, and until when, is history.
        for d in timers.iter().filter(|d| d.timer != Timer::Trim) {
            (d.timer, now.map(|now| d.at.since(now))).hash(h);
        }
    }

    /// ISS and IRS: which incarnation this is. IRS is zero in SYN-SENT.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert_eq!(client.initial_numbers(), (SeqNum(1000), SeqNum(5000)));
    /// assert_eq!(server.initial_numbers(), (SeqNum(5000), SeqNum(1000)));
    /// ```
    pub fn initial_numbers(&self) -> (SeqNum, SeqNum) {
        (self.snd.iss, self.rcv.irs)
    }
}

impl SendSpace {
    fn canonical<H: Hasher>(&self, now: Option<Instant>, h: &mut H) {
        let SendSpace {
            una,
            nxt,
            iss,
            wnd,
            max_wnd,
            wl1,
            wl2,
            shift,
            peer_mss,
            path,
            up,
            buffer,
            buffer_start,
            fin_queued,
            small_end,
            limit: _,
            cwnd_limited: _,
        } = self;
        (una, nxt, iss, wnd, max_wnd, wl1, wl2, shift, peer_mss).hash(h);
        path.canonical(now, h);
        (buffer.len(), buffer_start, fin_queued, small_end).hash(h);
        // Behind SND.UNA it is history.
        up.after(*una).then_some(up).hash(h);
    }
}

impl ReceiveSpace {
    fn canonical<H: Hasher>(&self, h: &mut H) {
        // Tuning is history: it does nothing, or changes `limit`.
        let ReceiveSpace {
            nxt, irs, up, edge, shift, buffer, fin, limit, segment_size, ack, ..
        } = self;
        (nxt, irs, edge, shift, fin, limit, segment_size, ack).hash(h);
        buffer.readable().hash(h);
        // Behind what was read it is history.
        up.after(self.read_seq()).then_some(up).hash(h);
        for r in buffer.sack_ranges().most_recent_first() {
            (r.start, r.end).hash(h);
        }
        self.dsack.map(|d| (d.start, d.end)).hash(h);
        self.timestamps.enabled.then_some(self.timestamps.recent).hash(h);
    }
}

impl TimeWait {
    /// As [`Connection::canonical`].
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// use std::hash::{DefaultHasher, Hasher};
    ///
    /// # client.close(now);
    /// # exchange(now, &mut client, &mut server);
    /// # server.close(now);
    /// # exchange(now, &mut client, &mut server);
    /// let record = client.time_wait(now).unwrap();
    /// let form = |now: Option<Instant>| {
    ///     let mut h = DefaultHasher::new();
    ///     record.canonical(now, &mut h);
    ///     h.finish()
    /// };
    /// let later = now + Duration::from_secs(1);
    /// assert_ne!(form(Some(now)), form(Some(later))); // less time is left
    /// ```
    pub fn canonical<H: Hasher>(&self, now: Option<Instant>, h: &mut H) {
        let left = now.map(|now| self.expires.since(now));
        (self.snd_nxt, self.rcv_nxt, self.window, left).hash(h);
        self.timestamps.then_some(self.ts_recent).hash(h);
    }
}
