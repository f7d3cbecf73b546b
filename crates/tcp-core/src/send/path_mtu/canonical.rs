//! Which knowledge of a path is the same? Its canonical form for exploring states, as
//! [`Connection::canonical`](crate::Connection::canonical). Only with the feature `explore`.

use core::hash::{Hash, Hasher};

use super::search::Search;
use super::{Narrow, PathMtu};
use crate::Instant;

impl PathMtu {
    /// Writes all that decides the future, with times as distances from `now`, or without times.
    pub(crate) fn canonical<H: Hasher>(&self, now: Option<Instant>, h: &mut H) {
        let PathMtu { current, proof, narrow } = self;
        (current, proof, narrow.is_some()).hash(h);
        if let Some(n) = narrow {
            n.canonical(now, h);
        }
    }
}

impl Narrow {
    fn canonical<H: Hasher>(&self, now: Option<Instant>, h: &mut H) {
        let left = |at: Instant| now.map(|now| at.since(now));
        let Narrow { link, ceiling, expires, fragmentable, doubt, search, tally: _ } = self;
        (link, ceiling, left(*expires), fragmentable).hash(h);
        doubt.map(|d| (d.seq, d.mtu, left(d.until))).hash(h);
        match search {
            Search::Off => 0u8.hash(h),
            Search::Searching { high, failures, probe } => {
                (1u8, high, failures, probe.map(|p| (p.start, p.end, p.size))).hash(h);
            }
            Search::Done { again_at } => (2u8, left(*again_at)).hash(h),
        }
    }
}
