//! The path carries less, or more, than we thought: what is sent again, and how large? Carries
//! what `send::path_mtu` finds out over to recovery, congestion control and the plan (RFC 1191 6,
//! RFC 5927 7.2, RFC 4821 7). A packet lost for its size is no sign of congestion.

use super::icmp::IcmpVerdict;
use super::plan::Plan;
use super::{Connection, Phase, RecoveryState, SendReason, TIMESTAMP_OPTION, Timer, ip_header_len};
use crate::congestion::Controller;
use crate::recovery::{AckOutcome, Transition};
use crate::send::{Claim, Doubt, Hold, MtuProbe, Path};
use crate::wire::Flags;
use crate::{Instant, SeqNum};

/// What a path carries, as far as is known.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
/// // What one connection has learnt is worth telling the next one to the same host.
/// # client.write(now, &[7; 1448]).unwrap();
/// # let packet = drain(&mut client, now).remove(0);
/// # let quoted = Segment::parse(&packet).unwrap().seq;
/// client.on_icmp(now, quoted, IcmpError::TooBig { mtu: 1300 });
/// let known = client.path_mtu();
/// assert_eq!(known, PathMtuInfo { mtu: 1300, fragmentable: false });
///
/// let (mut next, _) = established(TcpConfig::default());
/// next.limit_path_mtu(known, now + Duration::from_secs(600));
/// assert_eq!(next.info().send_mss, 1300 - 52);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathMtuInfo {
    /// The size of a full packet now, in octets.
    pub mtu: u32,
    /// Whether routers may fragment what we send (IPv4 without DF).
    pub fragmentable: bool,
}

impl Connection {
    /// What is known of the path's MTU.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// assert_eq!(client.path_mtu(), PathMtuInfo { mtu: 1500, fragmentable: false });
    ///
    /// // Without discovery, IPv4 packets go without DF.
    /// let mut config = TcpConfig::default();
    /// config.path_mtu.discovery = false;
    /// let (client, _) = established(config);
    /// assert!(client.path_mtu().fragmentable);
    /// ```
    pub fn path_mtu(&self) -> PathMtuInfo {
        let discovery = self.config.path_mtu.discovery;
        PathMtuInfo {
            mtu: self.snd.path.mtu(),
            fragmentable: self.tuple.is_ipv4() && (!discovery || self.snd.path.fragmentable()),
        }
    }

    /// The stack knows from other connections what the path carries, until `expires`.
    ///
    /// ```
    #[doc = include_str!("../../doc/established.rs")]
    /// let known = PathMtuInfo { mtu: 1400, fragmentable: false };
    /// client.limit_path_mtu(known, now + Duration::from_secs(600));
    /// client.write(now, &[7; 10_000]).unwrap();
    /// let packets = drain(&mut client, now);
    /// assert_eq!(packets[0].len(), 1400 - 20); // less the IP header
    ///
    /// // Routes change: what is known counts until it expires.
    /// now += Duration::from_secs(600);
    /// deliver(&mut server, now, &packets);
    /// exchange(now, &mut client, &mut server);
    /// client.write(now, &[7; 10_000]).unwrap();
    /// assert_eq!(drain(&mut client, now)[0].len(), 1500 - 20);
    /// ```
    pub fn limit_path_mtu(&mut self, known: PathMtuInfo, expires: Instant) {
        self.snd.path.limit(known.mtu, known.fragmentable, expires);
        self.resize();
    }

    fn path(&self) -> Path {
        Path { ipv4: self.tuple.is_ipv4(), headers: ip_header_len(&self.tuple) + 20 }
    }

    pub(super) fn begin_path_mtu(&mut self) {
        let path = self.path();
        self.snd.path.begin(path, &self.config.path_mtu);
        self.resize();
    }

    /// IP and TCP headers and the options of every segment.
    fn overhead(&self) -> u32 {
        let options = if self.rcv.timestamps.enabled { TIMESTAMP_OPTION } else { 0 };
        ip_header_len(&self.tuple) + 20 + options
    }

    fn resize(&mut self) {
        let mss = self.mss();
        self.congestion.set_mss(mss);
    }

    /// RFC 1191 and RFC 8201, with the checks of RFC 5927 7.2.
    pub(super) fn on_too_big(&mut self, now: Instant, seq: SeqNum, mtu: u32) -> IcmpVerdict {
        if self.tuple.is_ipv4() && !self.config.path_mtu.discovery {
            // Nothing that we send forbids to fragment it.
            return IcmpVerdict::NotBelieved;
        }
        let until = now + self.patience();
        let (path, full) = (self.path(), self.mss() + self.overhead());
        let claim = Doubt { seq, mtu, until };
        match self.snd.path.on_claim(now, path, claim, full, &self.config.path_mtu) {
            Claim::Invalid => IcmpVerdict::NotBelieved,
            Claim::Known => IcmpVerdict::Believed,
            Claim::Lowered => {
                self.on_lowered(now, seq);
                IcmpVerdict::PathMtu
            }
            Claim::ProbeRefused(probe) => {
                self.resend_probe(now, &probe);
                IcmpVerdict::Believed
            }
            Claim::Contradicted => {
                if self.timers.at(Timer::Retransmit).is_none_or(|at| at > until) {
                    self.timers.set(Timer::Retransmit, until);
                }
                IcmpVerdict::Believed
            }
        }
    }

    /// How long the ACK of a packet that arrived can take: a round trip and a delayed ACK.
    fn patience(&self) -> core::time::Duration {
        let rtt = self.recovery.rtt();
        match (rtt.smoothed(), rtt.variation()) {
            (Some(srtt), Some(var)) => srtt + var * 4 + self.config.delayed_ack,
            _ => self.recovery.rto().current(),
        }
    }

    /// Everything from `from` on was too large, and goes again at once.
    fn on_lowered(&mut self, now: Instant, from: SeqNum) {
        self.resize();
        if self.is_opening() {
            return;
        }
        self.recovery.on_too_big(from, self.snd.nxt);
        self.repair(now);
    }

    fn resend_probe(&mut self, now: Instant, probe: &MtuProbe) {
        self.recovery.on_too_big(probe.start, probe.end);
        self.repair(now);
    }

    fn repair(&mut self, now: Instant) {
        self.retransmit_first = true;
        self.arm_retransmit(now);
    }

    /// RFC 6298 5: one timeout from now; earlier if a claim of ICMP waits to be believed.
    pub(super) fn arm_retransmit(&mut self, now: Instant) {
        let mut at = now + self.recovery.rto().current();
        if let Some(d) = self.snd.path.doubt() {
            at = at.min(d.until.max(now));
        }
        self.timers.set(Timer::Retransmit, at);
    }

    /// The retransmission timer fired for a doubted claim: nothing came since that speaks against
    /// it. Not a time-out then, and no congestion.
    pub(super) fn believes_doubt(&mut self, now: Instant) -> bool {
        let Some(d) = self.snd.path.doubt() else { return false };
        if now < d.until {
            return false;
        }
        let path = self.path();
        match self.snd.path.believe_doubt(now, path, &self.config.path_mtu) {
            Some(d) => {
                self.on_lowered(now, d.seq.max(self.snd.una));
                true
            }
            None => false,
        }
    }

    /// RFC 4821 7.7: full packets time out again and again, and nobody says why.
    pub(super) fn detect_black_hole(&mut self) {
        let c = &self.config.path_mtu;
        let enough = match self.path().is_large(self.mss() + self.overhead(), c) {
            true => self.attempts >= c.black_hole_timeouts,
            // That so small a packet is too large is less likely than that the path is down.
            false => self.attempts >= c.full_stop_timeouts,
        };
        // With small packets only the size can't be the reason.
        let full = self.recovery.next_retransmission().is_some_and(|(_, len)| len >= self.mss());
        let path = self.path();
        if enough && full && self.snd.path.on_black_hole(path, &self.config.path_mtu) {
            self.resize();
        }
    }

    /// SND.UNA moved: sizes are proved, probes succeed, doubts dissolve.
    pub(super) fn note_path_progress(&mut self, ack: SeqNum) {
        if self.snd.path.on_acked(ack) {
            self.resize();
        }
    }

    /// Time may have brought larger packets.
    pub(super) fn refresh_path(&mut self, now: Instant) {
        if self.snd.path.refresh(now) {
            self.resize();
        }
        let most = self.largest_probe();
        self.snd.path.settle(now, most, &self.config.path_mtu);
    }

    /// The largest packet that the peer's MSS allows.
    fn largest_probe(&self) -> u32 {
        self.path().headers + u32::from(self.snd.peer_mss)
    }

    /// A probe, if a search is on and enough text follows it to show its loss at once (RFC 4821
    /// 7.4). `Err` waits for room in the congestion window.
    pub(super) fn plan_mtu_probe(&self) -> Option<Result<Plan, Hold>> {
        let c = &self.config.path_mtu;
        let size = self.snd.path.next_probe(self.largest_probe(), c)?;
        let len = size - self.overhead();
        let mss = self.mss();
        let needed = len + (self.config.dup_threshold + 1) * mss;
        let s = &self.snd;
        let calm = self.recovery.state() == RecoveryState::Open
            && self.recovery.next_retransmission().is_none()
            && self.sack_option_len(0) == 0
            && !s.path.fragmentable()
            && len > mss;
        let enough = s.unsent() >= needed
            && s.window_room() >= needed
            && self.congestion.window() >= needed.saturating_mul(2);
        if !calm || !enough {
            return None;
        }
        let in_flight = self.recovery.in_flight();
        if self.congestion.window().saturating_sub(in_flight) < len {
            return (in_flight > 0).then_some(Err(Hold::Congestion));
        }
        let (reason, flags) = (SendReason::MtuProbe, Flags::ACK);
        Some(Ok(Plan { reason, seq: s.nxt, len, flags, mss: len }))
    }

    /// Text went out: as a probe, or as a proof that its size fits.
    pub(super) fn note_size_sent(&mut self, plan: &Plan) {
        match plan.reason {
            SendReason::MtuProbe => {
                let size = plan.len + self.overhead();
                let probe = MtuProbe { start: plan.seq, end: plan.seq + plan.len, size };
                self.snd.path.on_probe_sent(probe);
            }
            SendReason::Text if plan.len >= plan.mss => {
                self.snd.path.on_full_sent(plan.seq + plan.mss);
            }
            _ => {}
        }
    }

    /// Whether the loss that began recovery is that of a probe and of nothing else: no congestion
    /// (RFC 4821 7.6.2).
    pub(super) fn is_probe_loss(&mut self, now: Instant, outcome: &AckOutcome) -> bool {
        let Some(probe) = self.snd.path.probe() else { return false };
        let first = self.recovery.next_retransmission().map(|(start, _)| start);
        let alone = matches!(outcome.transition, Transition::EnteredRecovery { .. })
            && first == Some(probe.start)
            && outcome.lost <= probe.end.distance_from(probe.start);
        if !alone || !matches!(self.phase, Phase::Synchronized(_)) {
            return false;
        }
        self.snd.path.on_probe_lost(&self.config.path_mtu);
        self.resend_probe(now, &probe);
        true
    }
}
