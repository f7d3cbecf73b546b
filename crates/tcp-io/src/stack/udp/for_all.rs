//! What of broadcast and multicast? Groups that sockets join, and datagrams that every socket on
//! their port gets (RFC 919, RFC 1112, RFC 4291 2.7). The link has two ends, so no membership is
//! reported (IGMP, MLD): whoever is at the other end sends what it has.

use std::fmt;
use std::net::IpAddr;

use super::super::counters::PacketDrop;
use super::super::ports::Bound;
use super::super::receive::Origin;
use super::super::{Stack, ip};
use super::receive::Datagram;
use super::table::Entry;
use crate::cell::UdpId;

/// Groups that one socket may join. Linux: `igmp_max_memberships`.
pub const MAX_GROUPS: usize = 20;

/// A group cannot be joined or left.
///
/// ```
#[doc = include_str!("../../../doc/stack_pair.rs")]
#[doc = include_str!("../../../doc/stack_udp.rs")]
/// assert_eq!(a.udp_join(ours, "10.0.0.2".parse()?), Err(GroupError::NotMulticast));
/// assert_eq!(a.udp_leave(ours, "239.1.1.1".parse()?), Err(GroupError::NotJoined));
/// a.udp_join(ours, "239.1.1.1".parse()?)?;
/// assert_eq!(a.udp_join(ours, "239.1.1.1".parse()?), Err(GroupError::Joined));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupError {
    /// Not a multicast address. Linux: `EINVAL`.
    NotMulticast,
    /// The socket is in the group already. Linux: `EADDRINUSE`.
    Joined,
    /// The socket is not in the group. Linux: `EADDRNOTAVAIL`.
    NotJoined,
    /// The socket is in [`MAX_GROUPS`] groups. Linux: `ENOBUFS`.
    TooMany,
    /// The interface is not one of the stack. Linux: `ENODEV`.
    NoInterface,
    /// The socket is closed, or its stack has ended.
    Closed,
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GroupError::NotMulticast => "not a multicast address",
            GroupError::Joined => "the socket is in this multicast group already",
            GroupError::NotJoined => "the socket is not in this multicast group",
            GroupError::TooMany => "the socket is in too many multicast groups",
            GroupError::NoInterface => "the stack has no such interface",
            GroupError::Closed => "the socket is closed",
        })
    }
}

impl std::error::Error for GroupError {}

impl Stack {
    /// Joins a multicast group. As on Linux (`IP_MULTICAST_ALL`), every socket on a port and the
    /// unspecified address hears the groups of all sockets.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_udp.rs")]
    /// let socket = a.udp_bind("0.0.0.0:7000".parse()?, UdpBindOptions::default())?;
    /// a.udp_join(socket, "239.1.1.1".parse()?)?;
    /// b.udp_send(now, theirs, "to whom it may concern", Some("239.1.1.1:7000".parse()?))?;
    /// carry(now, &mut a, &mut b);
    /// let (from, text) = heard(&a, socket).unwrap();
    /// assert_eq!((from, &text[..]), ("10.0.0.2:6000".parse()?, &b"to whom it may concern"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`GroupError`].
    pub fn udp_join(&mut self, id: UdpId, group: IpAddr) -> Result<(), GroupError> {
        if !group.is_multicast() {
            return Err(GroupError::NotMulticast);
        }
        let e = self.udp.get_mut(id).ok_or(GroupError::Closed)?;
        if e.groups.contains(&group) {
            return Err(GroupError::Joined);
        }
        if e.groups.len() >= MAX_GROUPS {
            return Err(GroupError::TooMany);
        }
        e.groups.push(group);
        *self.udp.groups.entry(group).or_insert(0) += 1;
        Ok(())
    }

    /// Leaves a multicast group; closing a socket leaves all of its groups.
    ///
    /// ```
    #[doc = include_str!("../../../doc/stack_pair.rs")]
    #[doc = include_str!("../../../doc/stack_udp.rs")]
    /// let socket = a.udp_bind("0.0.0.0:7000".parse()?, UdpBindOptions::default())?;
    /// a.udp_join(socket, "239.1.1.1".parse()?)?;
    /// a.udp_leave(socket, "239.1.1.1".parse()?)?;
    /// b.udp_send(now, theirs, "hello", Some("239.1.1.1:7000".parse()?))?;
    /// carry(now, &mut a, &mut b);
    /// assert_eq!(heard(&a, socket), Err(UdpReceiveError::WouldBlock));
    /// assert_eq!(a.counters().packet_drops(PacketDrop::NotUnicast), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`GroupError`].
    pub fn udp_leave(&mut self, id: UdpId, group: IpAddr) -> Result<(), GroupError> {
        let e = self.udp.get_mut(id).ok_or(GroupError::Closed)?;
        let at = e.groups.iter().position(|g| *g == group).ok_or(GroupError::NotJoined)?;
        e.groups.swap_remove(at);
        self.udp.leave(group);
        Ok(())
    }

    /// Whether a socket of the stack is in the group.
    pub(super) fn hears_group(&self, group: IpAddr) -> bool {
        self.udp.groups.contains_key(&group)
    }

    /// A packet for a broadcast or multicast address: a datagram for every socket on its port, or
    /// nobody's. It is never answered by ICMP (RFC 1122 3.2.2).
    #[cold]
    pub(in crate::stack) fn receive_for_all(
        &mut self,
        parsed: &ip::Parsed<'_>,
        from: Origin,
    ) -> Result<(), PacketDrop> {
        let (src, dst) = parsed.addresses();
        let ip::Parsed::Whole(p) = parsed else { return Err(PacketDrop::NotUnicast) };
        // MUST-57: nothing else speaks to many.
        let heard = self.is_broadcast(dst) || self.hears_group(dst);
        if p.protocol != ip::UDP || !heard {
            return Err(PacketDrop::NotUnicast);
        }
        self.check_source(src, from.looped)?;
        let d = Datagram::parse(p, from)?;
        let t = d.tuple;
        let fits = |e: &Entry| {
            let bound = Bound { ip: e.local.ip, ..e.bound };
            bound.rank(dst).is_some() && e.remote.is_none_or(|r| r == t.remote)
        };
        let all = self.udp.on_port(t.local.port).filter(|(_, e)| fits(e));
        let ids: Vec<UdpId> = all.map(|(id, _)| id).collect();
        let mut result = if ids.is_empty() { Err(PacketDrop::NotUnicast) } else { Ok(()) };
        for id in ids {
            // Whoever called counts the last reason.
            if let Err(why) = self.hand_over(id, &d)
                && let Err(before) = std::mem::replace(&mut result, Err(why))
            {
                self.counters.drop_packet(before);
            }
        }
        result
    }
}
