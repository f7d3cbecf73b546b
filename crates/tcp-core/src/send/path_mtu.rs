//! How large may a packet be? What ICMP has claimed about the path, what was proved by an ACK, and
//! the search by probes (RFC 1191, RFC 8201, RFC 5927 7.2, RFC 4821, RFC 8899). A pure value: what
//! is to be sent again, and when, is the connection's matter.

#[cfg(feature = "explore")]
mod canonical;
mod search;

use alloc::boxed::Box;

use crate::config::{MtuProbing, PathMtuConfig};
use crate::{Instant, SeqNum};

pub use search::ProbeTally;
use search::{IPV6_MIN_MTU, Search};
pub(crate) use search::{Path, Probe};

/// What is known of the path's MTU. Sizes are octets of IP packet.
#[derive(Clone, Debug)]
pub(crate) struct PathMtu {
    current: u32,
    proof: Proof,
    /// There only once the path turned out to carry less than the link.
    narrow: Option<Box<Narrow>>,
}

/// Whether packets of the current size are known to arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
enum Proof {
    None,
    /// One was sent that ends here.
    Sent(SeqNum),
    Acked,
}

#[derive(Clone, Debug)]
struct Narrow {
    /// What the link carries.
    link: u32,
    /// What ICMP allows: the link's size again once that has expired.
    ceiling: u32,
    expires: Instant,
    /// ICMP told of a path below every floor: DF is left out.
    fragmentable: bool,
    doubt: Option<Doubt>,
    search: Search,
    tally: ProbeTally,
}

/// A claim of ICMP that contradicts what was acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Doubt {
    /// The number that it quoted.
    pub(crate) seq: SeqNum,
    /// What it claimed.
    pub(crate) mtu: u32,
    /// When it is believed after all.
    pub(crate) until: Instant,
}

/// What became of an ICMP claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    /// It says nothing new.
    Known,
    /// It says what no router may say.
    Invalid,
    /// Packets are smaller from now on.
    Lowered,
    /// The packet was a probe: the search goes on below.
    ProbeRefused(Probe),
    /// Packets of the current size have arrived: wait whether they still do (RFC 5927 7.2).
    Contradicted,
}

impl PathMtu {
    /// A path of which only the link is known.
    pub(crate) fn new(link: u32) -> PathMtu {
        PathMtu { current: link, proof: Proof::None, narrow: None }
    }

    /// The size of a full packet now.
    pub(crate) fn mtu(&self) -> u32 {
        self.current
    }

    /// The size that the link carries, whatever the path does.
    pub(crate) fn link(&self) -> u32 {
        self.narrow.as_ref().map_or(self.current, |n| n.link)
    }

    /// Whether routers may fragment: the path carries less than we make packets small.
    pub(crate) fn fragmentable(&self) -> bool {
        self.narrow.as_ref().is_some_and(|n| n.fragmentable)
    }

    fn narrow(&mut self) -> &mut Narrow {
        let link = self.current;
        self.narrow.get_or_insert_with(|| {
            Box::new(Narrow {
                link,
                ceiling: link,
                expires: Instant::FAR_FUTURE,
                fragmentable: false,
                doubt: None,
                search: Search::Off,
                tally: ProbeTally::default(),
            })
        })
    }

    /// How the probes have fared.
    pub(crate) fn tally(&self) -> ProbeTally {
        self.narrow.as_ref().map_or_else(ProbeTally::default, |n| n.tally)
    }

    /// With `MtuProbing::Always` the search begins with the connection.
    pub(crate) fn begin(&mut self, path: Path, c: &PathMtuConfig) {
        let base = path.base(c);
        if c.probing == MtuProbing::Always && base < self.current {
            let high = self.current;
            self.narrow().search = Search::Searching { high, failures: 0, probe: None };
            self.current = base;
        }
    }

    /// What the stack remembers of other connections to the same host.
    pub(crate) fn limit(&mut self, mtu: u32, fragmentable: bool, expires: Instant) {
        if mtu < self.current || fragmentable {
            let n = self.narrow();
            n.ceiling = n.ceiling.min(mtu);
            n.fragmentable |= fragmentable;
            n.expires = expires;
            self.set(self.current.min(mtu));
        }
    }

    fn set(&mut self, mtu: u32) {
        if mtu != self.current {
            self.current = mtu;
            self.proof = Proof::None;
        }
    }

    /// ICMP says that a packet did not fit. `full` is the size that full packets really have, which
    /// the peer's MSS may limit; `until` is when a contradicted claim will be believed.
    pub(crate) fn on_claim(
        &mut self,
        now: Instant,
        path: Path,
        claim: Doubt,
        full: u32,
        c: &PathMtuConfig,
    ) -> Claim {
        if !path.ipv4 && claim.mtu < IPV6_MIN_MTU {
            // RFC 8201 4: it must be discarded.
            return Claim::Invalid;
        }
        if let Some(probe) = self.refuse_probe(now, claim.mtu, c) {
            return Claim::ProbeRefused(probe);
        }
        // RFC 5927 7.2: what was acknowledged does fit, unless the path has changed.
        if self.proof == Proof::Acked && claim.mtu < full && claim.mtu < self.current {
            self.narrow().doubt.get_or_insert(claim);
            return Claim::Contradicted;
        }
        if self.lower(now, path, claim.mtu, c) { Claim::Lowered } else { Claim::Known }
    }

    /// The claim is about a probe in flight, and leaves the current size alone.
    fn refuse_probe(&mut self, now: Instant, mtu: u32, c: &PathMtuConfig) -> Option<Probe> {
        let current = self.current;
        let n = self.narrow.as_mut()?;
        let Search::Searching { probe, high, failures } = &mut n.search else { return None };
        let refused = probe.filter(|p| current <= mtu && mtu < p.size)?;
        *high = (*high).min(mtu);
        *failures = 0;
        *probe = None;
        n.ceiling = n.ceiling.min(mtu);
        n.expires = now + c.expires;
        Some(refused)
    }

    fn lower(&mut self, now: Instant, path: Path, mtu: u32, c: &PathMtuConfig) -> bool {
        let below = path.ipv4 && mtu < c.min_pmtu;
        let mtu = if below { c.min_pmtu.min(self.current) } else { mtu };
        if mtu >= self.current && (!below || self.fragmentable()) {
            return false;
        }
        let n = self.narrow();
        n.ceiling = mtu;
        n.expires = now + c.expires;
        n.fragmentable |= below;
        if let Search::Searching { high, probe, .. } = &mut n.search {
            *high = (*high).min(mtu);
            *probe = None;
        }
        self.set(mtu);
        true
    }

    /// The claim that waits, if there is one.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        self.narrow.as_ref().and_then(|n| n.doubt)
    }

    /// The packet that a doubted claim quoted has arrived: the claim was wrong.
    pub(crate) fn drop_doubt(&mut self) {
        if let Some(n) = &mut self.narrow {
            n.doubt = None;
        }
    }

    /// Nothing has spoken against the claim: it is believed. Returns it if packets are smaller now.
    pub(crate) fn believe_doubt(
        &mut self,
        now: Instant,
        path: Path,
        c: &PathMtuConfig,
    ) -> Option<Doubt> {
        let d = self.narrow.as_mut()?.doubt.take()?;
        self.lower(now, path, d.mtu, c).then_some(d)
    }

    /// A packet of the current size was sent that ends at `end`.
    #[inline]
    pub(crate) fn on_full_sent(&mut self, end: SeqNum) {
        if self.proof == Proof::None {
            self.proof = Proof::Sent(end);
        }
    }

    /// What was sent in full size goes again and may be cut: its ACK proves nothing.
    pub(crate) fn on_resent(&mut self, start: SeqNum, end: SeqNum) {
        if matches!(self.proof, Proof::Sent(e) if e.after(start)) {
            self.proof = Proof::None;
        }
        // Nor does that of a probe.
        if let Some(p) = self.probe()
            && start.before(p.end)
            && end.after(p.start)
        {
            self.set_probe(None);
        }
    }

    /// SND.UNA is `ack` now. Whether packets are larger from now on.
    #[inline]
    pub(crate) fn on_acked(&mut self, ack: SeqNum) -> bool {
        if matches!(self.proof, Proof::Sent(end) if ack.at_or_after(end)) {
            self.proof = Proof::Acked;
        }
        self.narrow.is_some() && self.on_acked_narrow(ack)
    }

    fn on_acked_narrow(&mut self, ack: SeqNum) -> bool {
        if self.doubt().is_some_and(|d| ack.after(d.seq)) {
            self.drop_doubt();
        }
        let Some(p) = self.probe().filter(|p| ack.at_or_after(p.end)) else { return false };
        let n = self.narrow();
        n.tally.acked += 1;
        if let Search::Searching { failures, probe, .. } = &mut n.search {
            (*failures, *probe) = (0, None);
        }
        self.current = p.size;
        self.proof = Proof::Acked;
        true
    }

    /// Full packets time out again and again: takes that for a black hole (RFC 4821 7.7, RFC 8899
    /// 4.3). Whether packets are smaller from now on.
    pub(crate) fn on_black_hole(&mut self, path: Path, c: &PathMtuConfig) -> bool {
        if c.probing == MtuProbing::Off {
            return false;
        }
        let (base, floor) = (path.base(c), path.floor(c));
        let half = (self.current.saturating_sub(path.headers) / 2 + path.headers).max(floor);
        let smaller = if self.current > base { base } else { half };
        if smaller >= self.current {
            return false;
        }
        let n = self.narrow();
        let high = n.ceiling;
        n.doubt = None;
        n.tally.black_holes += 1;
        n.search = Search::Searching { high, failures: 0, probe: None };
        self.set(smaller);
        true
    }

    /// Time passes: what ICMP said expires (RFC 1191 6.3), and searches begin again (RFC 8899
    /// 5.1.1). Whether packets are larger from now on.
    #[inline]
    pub(crate) fn refresh(&mut self, now: Instant) -> bool {
        self.narrow.is_some() && self.refresh_narrow(now)
    }

    fn refresh_narrow(&mut self, now: Instant) -> bool {
        let Some(n) = &mut self.narrow else { return false };
        let expired = n.expires <= now;
        if expired {
            n.expires = Instant::FAR_FUTURE;
            n.ceiling = n.link;
            n.fragmentable = false;
        }
        match &mut n.search {
            Search::Off if expired => {
                let link = n.link;
                self.set(link);
                return true;
            }
            Search::Searching { high, .. } if expired => *high = n.ceiling,
            Search::Done { again_at } if *again_at <= now || expired => {
                n.search = Search::Searching { high: n.ceiling, failures: 0, probe: None };
            }
            _ => {}
        }
        false
    }

    /// The size to probe next, if a search is on and no probe is in flight; `most` is what the peer
    /// takes.
    #[inline]
    pub(crate) fn next_probe(&self, most: u32, c: &PathMtuConfig) -> Option<u32> {
        match self.narrow.as_ref()?.search {
            Search::Searching { high, probe: None, .. } => {
                let high = high.min(most);
                let apart = high.saturating_sub(self.current);
                (apart >= c.probe_threshold.max(1)).then_some(self.current + apart.div_ceil(2))
            }
            _ => None,
        }
    }

    /// Ends a search that is exact enough.
    pub(crate) fn settle(&mut self, now: Instant, most: u32, c: &PathMtuConfig) {
        let Some(n) = &mut self.narrow else { return };
        if let Search::Searching { high, probe: None, .. } = n.search
            && high.min(most).saturating_sub(self.current) < c.probe_threshold.max(1)
        {
            n.search = Search::Done { again_at: now + c.probe_interval };
        }
    }

    /// The probe in flight.
    #[inline]
    pub(crate) fn probe(&self) -> Option<Probe> {
        match self.narrow.as_ref()?.search {
            Search::Searching { probe, .. } => probe,
            _ => None,
        }
    }

    /// A probe was sent.
    pub(crate) fn on_probe_sent(&mut self, sent: Probe) {
        self.narrow().tally.sent += 1;
        self.set_probe(Some(sent));
    }

    fn set_probe(&mut self, to: Option<Probe>) {
        if let Some(n) = &mut self.narrow
            && let Search::Searching { probe, .. } = &mut n.search
        {
            *probe = to;
        }
    }

    /// The probe, and nothing else, was lost. After some of them the size counts as too large.
    pub(crate) fn on_probe_lost(&mut self, c: &PathMtuConfig) {
        let n = self.narrow();
        if let Search::Searching { high, failures, probe } = &mut n.search
            && let Some(lost) = probe.take()
        {
            n.tally.lost += 1;
            *failures += 1;
            if *failures >= c.max_probes {
                *failures = 0;
                *high = (*high).min(lost.size - 1);
            }
        }
    }
}

#[cfg(test)]
mod tests;
