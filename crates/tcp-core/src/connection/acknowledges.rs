//! The peer acknowledges: what is delivered, lost, allowed? The fifth step of RFC 9293 3.10.7.4
//! for an acceptable ACK, feeding recovery and congestion control (RFC 5681, RFC 6298, RFC 6675).

use super::{Connection, Events, Happening, Phase, Reader, RecoveryState, Timer};
use crate::congestion::{Ack, Controller};
use crate::recovery::{AckInput, AckOutcome, Transition};
use crate::wire::{Flags, Segment};
use crate::{Instant, SeqNum};

impl Connection {
    /// Takes an ACK in [SND.UNA, SND.NXT].
    pub(super) fn take_ack(&mut self, now: Instant, seg: &Segment<'_>) {
        let una = self.snd.una;
        let shift = if seg.flags.contains(Flags::SYN) { 0 } else { self.snd.shift };
        let old_wnd = self.snd.wnd;
        // RFC 9293 3.10.7.4: SND.UNA =< SEG.ACK =< SND.NXT updates the window if it is newer.
        self.snd.update_window(seg.seq, seg.ack, u32::from(seg.window) << shift);
        let advanced = seg.ack.after(una);
        let duplicate = !advanced
            && !self.recovery.is_empty()
            && seg.payload.is_empty()
            && !seg.flags.intersects(Flags::SYN | Flags::FIN)
            && self.snd.wnd == old_wnd;
        if !advanced && !duplicate && seg.options.sack.is_empty() {
            self.after_window_change(old_wnd);
            return;
        }
        let timestamp_rtt =
            if advanced { self.rcv.timestamps.rtt(now, seg.options.timestamps) } else { None };
        self.limit_scoreboard(seg.options.sack.len());
        let outcome = self.recovery.on_ack(&AckInput {
            now,
            ack: seg.ack,
            sack: &seg.options.sack,
            sack_enabled: self.negotiated.sack,
            duplicate,
            timestamp_rtt,
            mss: self.mss(),
        });
        if advanced {
            self.advance_una(now, seg.ack);
        }
        self.feed_congestion(now, &outcome);
        self.after_window_change(old_wnd);
    }

    /// SND.UNA moves: release what is delivered, restart or stop the timers.
    fn advance_una(&mut self, now: Instant, ack: SeqNum) {
        let fin = self.snd.fin_seq();
        let text_end = ack.min(self.snd.end());
        if text_end.after(self.snd.buffer_start) {
            let octets = text_end.distance_from(self.snd.buffer_start);
            self.snd.buffer.advance(octets as usize);
            self.release_acknowledged();
            self.snd.buffer_start = text_end;
            self.ledger().stats.octets_acked += u64::from(octets);
        }
        if self.snd.una == self.snd.iss && self.recovery.is_empty() {
            // Nothing to keep for the SYN: many a connection stays idle from here on.
            self.recovery.release_memory();
        }
        self.snd.una = ack;
        self.note_path_progress(ack);
        // Keeps up, so that it is never 2^31 behind and taken for something ahead.
        self.snd.small_end = self.snd.small_end.max(ack);
        self.snd.up = self.snd.up.max(ack);
        self.attempts = 0;
        self.probes = 0;
        self.probe_backoff = 0;
        // What was unreachable has been reached.
        self.soft_error = None;
        self.restart_delivery_timers(now);
        self.notify_room();
        if fin.is_some_and(|f| ack.after(f)) {
            // Keep the buffer's start behind the FIN, so that `end` stays the FIN's number.
            self.notify(Events::DELIVERED);
            if let Phase::Synchronized(mut t) = self.phase {
                let step = t.on_fin_acked();
                self.phase = Phase::Synchronized(t);
                self.take_step(now, step);
            }
        }
    }

    /// RFC 6298 5.2 and 5.3; the user timeout runs from the last progress (MUST-21).
    fn restart_delivery_timers(&mut self, now: Instant) {
        if self.recovery.is_empty() {
            self.timers.cancel(Timer::Retransmit);
        } else {
            self.arm_retransmit(now);
        }
        match self.options().user_timeout {
            Some(t) if self.has_undelivered() => self.timers.set(Timer::UserTimeout, now + t),
            _ => self.timers.cancel(Timer::UserTimeout),
        }
    }

    fn feed_congestion(&mut self, now: Instant, outcome: &AckOutcome) {
        self.note_ack(outcome);
        match outcome.transition {
            Transition::EnteredRecovery { .. } if self.is_probe_loss(now, outcome) => {}
            Transition::EnteredRecovery { in_flight } => {
                self.congestion.on_loss(now, in_flight);
                self.retransmit_first = true;
                // RFC 6298 5.3 restarts the timer on progress only; a fast retransmission is one.
                self.arm_retransmit(now);
            }
            Transition::PartialAck { .. } => {
                // RFC 6582 3.2 step 3: without SACK, a partial ACK lets its segment go at once.
                self.retransmit_first |= !self.negotiated.sack;
            }
            Transition::LeftRecovery | Transition::LeftLoss => {
                self.congestion.on_recovered(now);
            }
            Transition::None => {}
        }
        // RFC 3042 2, RFC 5681 3.1: only ACKs that move open the window, not duplicates.
        if outcome.newly_acked > 0 && outcome.state != RecoveryState::Recovery {
            let rtt = self.recovery.rtt();
            self.congestion.on_ack(&Ack {
                now,
                acked: outcome.newly_acked,
                in_flight_before: outcome.in_flight_before,
                rtt: outcome.rtt,
                smoothed_rtt: rtt.smoothed().unwrap_or_default(),
                min_rtt: rtt.min().unwrap_or_default(),
                cwnd_limited: self.snd.cwnd_limited,
            });
        }
    }

    /// What an ACK told, for the counters.
    fn note_ack(&mut self, outcome: &AckOutcome) {
        if outcome.dsack {
            self.note(Happening::Dsack);
        }
        if outcome.reordered {
            self.note(Happening::Reordering);
        }
        if matches!(outcome.transition, Transition::EnteredRecovery { .. }) {
            let sack = self.negotiated.sack;
            self.note(if sack { Happening::SackRecovery } else { Happening::RenoRecovery });
        }
        // The handshake's ACK delivers no text and makes no ledger.
        if let Some(ledger) = &mut self.ledger {
            ledger.stats.octets_lost += u64::from(outcome.lost);
            ledger.rate = outcome.rate.or(ledger.rate);
        }
    }

    fn after_window_change(&mut self, old: u32) {
        if self.snd.wnd > old {
            self.timers.cancel(Timer::Probe);
            self.probes = 0;
            self.probe_backoff = 0;
        }
        if self.snd.wnd == 0 {
            // MUST-37, SHLD-17: a peer that answers is alive, however long its window is closed.
            // An orphan is kept for progress only: nobody is left who could wait.
            if self.reader != Reader::Gone {
                self.attempts = 0;
            }
        }
    }

    /// Tells the application that it may write, once a third of the buffer is free: a wake for
    /// every ACK would cost more than it brings.
    pub(super) fn notify_room(&mut self) {
        self.tune_send_buffer();
        if self.snd.buffer.len() <= self.snd.limit / 3 * 2
            && self.may_grow()
            && self.is_unsent_low()
        {
            self.wants_room = false;
            self.notify(Events::WRITABLE);
        }
    }

    /// Text or a FIN that the peer has not acknowledged.
    pub(super) fn has_undelivered(&self) -> bool {
        !self.snd.buffer.is_empty()
            || !self.recovery.is_empty()
            || (self.snd.fin_queued && !self.snd.fin_sent())
    }
}
