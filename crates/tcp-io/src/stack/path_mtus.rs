//! What have paths turned out to carry? A bounded memory of path MTUs by destination, for the
//! connections to come (RFC 1191 6.3, RFC 8201 5.2). Only what a connection has believed is kept.

use std::collections::HashMap;
use std::net::IpAddr;

use tcp_core::Instant;
use tcp_core::connection::{Connection, PathMtuInfo};

use super::Stack;
use super::tables::Keyed;

/// Destinations remembered. The oldest gives way.
pub(super) const MAX_PATHS: usize = 4096;

#[derive(Debug)]
struct Entry {
    to: IpAddr,
    known: PathMtuInfo,
    expires: Instant,
}

/// Path MTUs by destination.
#[derive(Debug)]
pub(super) struct PathMtus {
    slots: Vec<Entry>,
    index: HashMap<IpAddr, u32, Keyed>,
    /// The slot that the next destination takes once all are taken.
    hand: usize,
}

impl PathMtus {
    pub(super) fn new(hash_key: [u8; 16]) -> PathMtus {
        let index = HashMap::with_hasher(Keyed(hash_key));
        PathMtus { slots: Vec::new(), index, hand: 0 }
    }

    pub(super) fn remember(&mut self, to: IpAddr, known: PathMtuInfo, expires: Instant) {
        let entry = Entry { to, known, expires };
        if let Some(slot) = self.index.get(&to) {
            self.slots[*slot as usize] = entry;
            return;
        }
        if self.slots.len() < MAX_PATHS {
            self.index.insert(to, self.slots.len() as u32);
            self.slots.push(entry);
            return;
        }
        self.index.remove(&self.slots[self.hand].to);
        self.index.insert(to, self.hand as u32);
        self.slots[self.hand] = entry;
        self.hand = (self.hand + 1) % MAX_PATHS;
    }

    /// What is known, and until when.
    pub(super) fn find(&self, now: Instant, to: IpAddr) -> Option<(PathMtuInfo, Instant)> {
        let e = &self.slots[*self.index.get(&to)? as usize];
        (e.expires > now).then_some((e.known, e.expires))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

impl Stack {
    /// What is known of the path is told to a new connection.
    pub(super) fn limit_path(&self, now: Instant, conn: &mut Connection) {
        let to = conn.tuple().remote.ip;
        if let Some((known, expires)) = self.path_mtus.find(now, to) {
            conn.limit_path_mtu(known, expires);
        }
    }

    /// The largest packet towards a host, for what is not a connection.
    pub(super) fn path_mtu(&self, now: Instant, to: IpAddr) -> usize {
        if self.is_local(to) {
            return 65_535;
        }
        let known = self.path_mtus.find(now, to).map(|(k, _)| k.mtu as usize);
        known.unwrap_or(self.config.mtu).min(self.config.mtu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn host(n: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + n).into())
    }

    fn info(mtu: u32) -> PathMtuInfo {
        PathMtuInfo { mtu, fragmentable: false }
    }

    #[test]
    fn the_newest_destinations_are_remembered_until_they_expire() {
        let mut all = PathMtus::new([3; 16]);
        let t = Instant::from_millis(5);
        for n in 0..MAX_PATHS as u32 + 10 {
            all.remember(host(n), info(1000 + n), t);
        }
        assert_eq!((all.len(), all.index.len()), (MAX_PATHS, MAX_PATHS));
        assert_eq!(all.find(Instant::ZERO, host(9)), None);
        assert_eq!(all.find(Instant::ZERO, host(10)), Some((info(1010), t)));
        all.remember(host(10), info(900), t + Duration::from_millis(1));
        assert_eq!(all.find(t, host(10)).map(|f| f.0), Some(info(900)));
        assert_eq!(all.find(t, host(11)), None);
    }
}
