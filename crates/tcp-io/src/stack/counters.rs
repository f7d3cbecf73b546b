//! How often did what happen? The counters of a stack, each declared once with its meaning and
//! Linux's name for it (`netstat -s`, `nstat`; RFC 4022 for the group Tcp). Each dropped packet
//! counts under a reason.

use tcp_core::connection::{Happening, SendReason};
use tcp_core::error::DropReason;

tcp_core::labels! {
    /// Why an IP packet went no further.
    ///
    /// ```
    /// use tcp_io::stack::PacketDrop;
    ///
    /// let why = PacketDrop::AcceptQueueFull;
    /// assert_eq!(why.name(), "AcceptQueueFull");
    /// assert_eq!(why.nstat(), "TcpExtListenOverflows"); // as Linux calls it
    /// assert_eq!(why.meaning(), "A SYN or last ACK while the accept queue is full.");
    /// assert_eq!(PacketDrop::Checksum.nstat(), "StackPacketDropChecksum"); // Linux has none
    /// ```
    pub enum PacketDrop, "StackPacketDrop" {
        /// Not a whole IPv4 or IPv6 packet, or its header checksum is wrong.
        Malformed => "IpInHdrErrors",
        /// Not for an address of this stack.
        NotForUs => "IpInAddrErrors",
        /// From an address that no host can have (MUST-63).
        BadSource,
        /// To a broadcast or multicast address (MUST-57).
        NotUnicast,
        /// A fragment, for the time that its datagram was not whole (RFC 791 3.2).
        FragmentTimeout => "IpReasmTimeout",
        /// A fragment that overlaps another or contradicts the datagram's length, or the rest of
        /// such a datagram (RFC 5722).
        FragmentOverlap => "IpExtReasmOverlaps",
        /// A fragment that had come before.
        FragmentDuplicate,
        /// A fragment of a datagram that comes in too many pieces.
        FragmentTooMany,
        /// A first fragment without all of the headers (RFC 7112, RFC 1858).
        FragmentTiny,
        /// A fragment for which there was no memory, or which gave way to newer ones.
        FragmentMemory,
        /// A fragment that reaches beyond the largest datagram.
        FragmentTooLong,
        /// A protocol that the stack does not speak.
        Protocol => "IpInUnknownProtos",
        /// The TCP or ICMP checksum is wrong (MUST-3).
        Checksum,
        /// Not a TCP header.
        BadSegment,
        /// For a connection or port that does not exist; answered by a reset.
        NoConnection,
        /// A SYN while the half-open table is full.
        SynQueueFull => "TcpExtTCPReqQFullDrop",
        /// A SYN or last ACK while the accept queue is full.
        AcceptQueueFull => "TcpExtListenOverflows",
        /// More connections than the stack may hold.
        TooManyConnections,
        /// From a host to which no route leads (RFC 3704 2.4).
        NoRoute => "IpOutNoRoutes",
        /// With a TTL or hop limit below what its connection or listener asks for (RFC 5082).
        HopLimit => "TcpExtTCPMinTTLDrop",
        /// From an address of ours that was removed.
        NoSource,
        /// An ICMP error of ours that would have been one too many (RFC 1812 4.3.2.8,
        /// RFC 4443 2.4).
        IcmpRateLimit => "IcmpOutRateLimitHost",
        /// An ICMP error that does not quote a segment in flight (RFC 5927 4).
        IcmpNotBelieved,
        /// ICMP source quench (MUST-55), or a kind without a use.
        IcmpIgnored,
        /// Our own answer, dropped since the queue of answers is full.
        AnswerQueueFull,
        /// For a TIME-WAIT record, which has no answer to it.
        InTimeWait,
        /// An ACK for a listener whose SYN cookie is forged, too old, or another connection's;
        /// answered by a reset.
        BadCookie,
        /// A SYN cookie that has made a connection before; answered by a reset.
        UsedCookie,
        /// A SYN while as many requests are undecided as the listener lets.
        PendingQueueFull,
        /// Another segment for a request that is undecided, such as its SYN once more.
        Undecided,
        /// A datagram for a UDP port that nobody has; answered by ICMP.
        UdpNoPort => "UdpNoPorts",
        /// Not a UDP header, or one that claims more octets than came.
        UdpMalformed,
        /// The UDP checksum is wrong, or there is none over IPv6 (RFC 8200 8.1).
        UdpChecksum => "UdpInCsumErrors",
        /// A datagram for a UDP socket whose queue is full.
        UdpReceiveBuffer => "UdpRcvbufErrors",
        /// A datagram when all UDP sockets together hold too much.
        UdpMemory => "UdpMemErrors",
    }
}

/// A counter for each label. Arrays of more than 32 have no default.
#[derive(Clone, Debug)]
struct Tally<const N: usize>([u64; N]);

impl<const N: usize> Default for Tally<N> {
    fn default() -> Tally<N> {
        Tally([0; N])
    }
}

/// Declares the plain counters with the table that names them.
macro_rules! counters {
    (
        $(#[$attribute:meta])*
        pub struct $Counters:ident {
            $( $(#[doc = $meaning:literal])+ pub $field:ident: u64 $(=> $nstat:literal)?, )+
            { $($rest:tt)* }
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, Default)]
        pub struct $Counters {
            $( $(#[doc = $meaning])+ pub $field: u64, )+
            $($rest)*
        }

        impl $Counters {
            fn plain(&self) -> impl Iterator<Item = CounterRow> {
                [$( CounterRow {
                    name: counters!(@name $field $(, $nstat)?),
                    meaning: concat!($($meaning),+).trim_ascii(),
                    value: self.$field,
                } ),+].into_iter()
            }
        }
    };
    (@name $field:ident, $nstat:literal) => { $nstat };
    (@name $field:ident) => { concat!("Stack.", stringify!($field)) };
}

counters! {
    /// Counters since the stack's start. A new one is a field here, or a label of
    /// [`PacketDrop`], [`DropReason`], [`SendReason`] or [`Happening`], and shows everywhere.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// assert_eq!((a.counters().active_opens, b.counters().passive_opens), (1, 1));
    /// a.write(now, client, b"hello")?;
    /// let packet = a.poll_transmit(now).unwrap().to_vec();
    /// assert_eq!(a.counters().sends(SendReason::Text), 1);
    ///
    /// // It is lost: the timer sends it again.
    /// let later = a.next_deadline().unwrap();
    /// a.on_deadline(later);
    /// carry(later, &mut a, &mut b);
    /// assert_eq!(a.counters().happenings(Happening::Timeout), 1);
    /// assert_eq!(a.counters().by_name("TcpRetransSegs"), Some(1));
    ///
    /// // It was not lost at all and comes late; so does something that is no packet.
    /// b.receive(later, &packet, RxChecksum::Unknown, None);
    /// b.receive(later, &[0x45; 10], RxChecksum::Unknown, None);
    /// assert_eq!(b.counters().segment_drops(DropReason::Paws), 1); // its timestamp is old
    /// assert_eq!(b.counters().packet_drops(PacketDrop::Malformed), 1);
    /// assert_eq!(b.counters().total_drops(), 2);
    ///
    /// // All that are not zero, as `nstat` shows them.
    /// for row in b.counters().rows().filter(|row| row.value > 0) {
    ///     println!("{:<32}{}", row.name, row.value);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct Counters {
        /// IP packets received; a merged super-segment counts once.
        pub packets_in: u64 => "IpInReceives",
        /// IP packets handed out.
        pub packets_out: u64 => "IpOutRequests",
        /// Connections opened by us.
        pub active_opens: u64 => "TcpActiveOpens",
        /// Handshakes completed as a server.
        pub passive_opens: u64 => "TcpPassiveOpens",
        /// Attempts, of either side, that ended before the handshake was complete.
        pub attempt_fails: u64 => "TcpAttemptFails",
        /// Connections that ended in ESTABLISHED or CLOSE-WAIT: reset, aborted or given up.
        pub established_resets: u64 => "TcpEstabResets",
        /// TCP segments received, bad ones included; of a merged super-segment, each.
        pub segments_in: u64 => "TcpInSegs",
        /// TCP segments received with a wrong checksum (MUST-3).
        pub checksum_errors: u64 => "TcpInCsumErrors",
        /// SYNs that made a half-open record.
        pub syns: u64 => "StackHalfOpens",
        /// SYN-ACKs sent again.
        pub syn_ack_retransmissions: u64 => "StackSynAckRetransmissions",
        /// Half-open records given up.
        pub half_open_timeouts: u64 => "StackHalfOpenTimeouts",
        /// SYN cookies sent.
        pub syn_cookies_sent: u64 => "TcpExtSyncookiesSent",
        /// SYN cookies that came back good.
        pub syn_cookies_received: u64 => "TcpExtSyncookiesRecv",
        /// ACKs that brought no good SYN cookie while one was expected.
        pub syn_cookies_failed: u64 => "TcpExtSyncookiesFailed",
        /// Half-open records that a reset of the peer ended.
        pub half_open_resets: u64 => "TcpExtEmbryonicRsts",
        /// Resets that answered a segment for nobody, or for a connection that rejects it.
        pub resets_out: u64 => "StackResetAnswers",
        /// Connections that ended in a failure.
        pub failures: u64 => "StackFailures",
        /// TIME-WAIT records whose quiet time ended.
        pub time_wait_ended: u64 => "TcpExtTW",
        /// TIME-WAIT records whose place a new connection took (RFC 6191).
        pub time_wait_recycled: u64 => "TcpExtTWRecycled",
        /// Connections that skipped TIME-WAIT since the table was full.
        pub time_wait_overflow: u64 => "TcpExtTCPTimeWaitOverflow",
        /// Closed connections that were reset since there were too many (`max_orphans`).
        pub orphans_reset: u64 => "StackOrphansReset",
        /// SYNs that became requests for the application to decide about.
        pub requests: u64 => "StackRequests",
        /// Requests that nobody decided about in time.
        pub request_timeouts: u64 => "StackRequestTimeouts",
        /// ICMP destination unreachable messages sent for the application.
        pub unreachables_out: u64 => "StackRequestsUnreachable",
        /// ICMP echo requests answered.
        pub echoes: u64 => "IcmpOutEchoReps",
        /// Datagrams put together from fragments.
        pub reassembled: u64 => "IpReasmOKs",
        /// Datagrams sent in fragments, as each is too large for its path.
        pub fragmented_out: u64 => "IpFragOKs",
        /// Fragments sent.
        pub fragments_out: u64 => "IpFragCreates",
        /// UDP datagrams put into the queue of a socket; of those that the device has joined,
        /// each. Linux counts them when they are read.
        pub udp_in: u64 => "UdpInDatagrams",
        /// UDP datagrams sent.
        pub udp_out: u64 => "UdpOutDatagrams",
        /// Sends on a UDP socket that found no room.
        pub udp_no_room: u64 => "UdpSndbufErrors",
        /// ICMP errors sent.
        pub icmp_errors_out: u64 => "IcmpOutErrors",
        {
            /// Segments that answer without a connection: SYN-ACKs, resets, ACKs of records.
            bare_segments: u64,
            packets: Tally<{ PacketDrop::COUNT }>,
            segments: [u64; DropReason::COUNT],
            sends: [u64; SendReason::COUNT],
            happenings: [u64; Happening::COUNT],
        }
    }
}

/// One counter, for tables.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
#[doc = include_str!("../../doc/stack_established.rs")]
/// let row = a.counters().rows().find(|row| row.name == "TcpActiveOpens").unwrap();
/// assert_eq!((row.value, row.meaning), (1, "Connections opened by us."));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CounterRow {
    /// As Linux's `nstat` names it, its group first (`TcpActiveOpens`, `TcpExtTCPTimeouts`); what
    /// Linux has no counter for begins with `Stack`.
    pub name: &'static str,
    /// What it counts.
    pub meaning: &'static str,
    /// How often it happened since the start.
    pub value: u64,
}

impl Counters {
    pub(crate) fn drop_packet(&mut self, why: PacketDrop) {
        self.packets.0[why as usize] += 1;
    }

    pub(crate) fn drop_packets(&mut self, why: PacketDrop, n: u64) {
        self.packets.0[why as usize] += n;
    }

    pub(crate) fn drop_segment(&mut self, why: DropReason) {
        self.segments[why as usize] += 1;
    }

    pub(crate) fn sent(&mut self, reason: SendReason, segments: u64) {
        self.sends[reason as usize] += segments;
    }

    pub(crate) fn answered(&mut self) {
        self.bare_segments += 1;
    }

    pub(crate) fn happened(&mut self, what: Happening, times: u32) {
        self.happenings[what as usize] += u64::from(times);
    }

    /// Packets dropped for a reason.
    pub fn packet_drops(&self, why: PacketDrop) -> u64 {
        self.packets.0[why as usize]
    }

    /// Segments of known connections dropped for a reason.
    pub fn segment_drops(&self, why: DropReason) -> u64 {
        self.segments[why as usize]
    }

    /// Segments that connections sent for a reason.
    pub fn sends(&self, reason: SendReason) -> u64 {
        self.sends[reason as usize]
    }

    /// How often something happened to connections.
    pub fn happenings(&self, what: Happening) -> u64 {
        self.happenings[what as usize]
    }

    /// All drops together.
    pub fn total_drops(&self) -> u64 {
        self.packets.0.iter().chain(&self.segments).sum()
    }

    /// One counter by the name that [`rows`](Self::rows) gives it; none if there is no such name.
    pub fn by_name(&self, name: &str) -> Option<u64> {
        self.rows().find(|r| r.name == name).map(|r| r.value)
    }

    /// All counters, each name once.
    pub fn rows(&self) -> impl Iterator<Item = CounterRow> + '_ {
        let packets =
            PacketDrop::ALL.iter().map(|l| (l.nstat(), l.meaning(), self.packet_drops(*l)));
        let segments =
            DropReason::ALL.iter().map(|l| (l.nstat(), l.meaning(), self.segment_drops(*l)));
        let sends = SendReason::ALL.iter().map(|l| (l.nstat(), l.meaning(), self.sends(*l)));
        let happenings =
            Happening::ALL.iter().map(|l| (l.nstat(), l.meaning(), self.happenings(*l)));
        let labelled = packets.chain(segments).chain(sends).chain(happenings);
        let labelled = labelled.map(|(name, meaning, value)| CounterRow { name, meaning, value });
        self.plain().chain(self.sums()).chain(labelled)
    }

    /// What Linux counts as one and the stack as several.
    fn sums(&self) -> impl Iterator<Item = CounterRow> {
        let again = self.sends(SendReason::Retransmission)
            + self.happenings(Happening::SynRetransmission)
            + self.syn_ack_retransmissions;
        let all = self.sends.iter().sum::<u64>() + self.bare_segments;
        let drops = |all: &[PacketDrop]| all.iter().map(|d| self.packet_drops(*d)).sum::<u64>();
        [
            ("TcpOutSegs", "Segments sent, but for retransmissions.", all.saturating_sub(again)),
            ("TcpRetransSegs", "Segments retransmitted, SYNs and SYN-ACKs included.", again),
            (
                "TcpInErrs",
                "Segments received that were no segments, or with a wrong checksum.",
                self.checksum_errors + drops(&[PacketDrop::BadSegment]),
            ),
            ("TcpOutRsts", "Resets sent.", self.resets_out + self.sends(SendReason::Reset)),
            (
                "UdpInErrors",
                "UDP datagrams received and not delivered, but for those to a port that nobody has.",
                drops(&[
                    PacketDrop::UdpMalformed,
                    PacketDrop::UdpChecksum,
                    PacketDrop::UdpReceiveBuffer,
                    PacketDrop::UdpMemory,
                ]),
            ),
            (
                "TcpExtTCPSynRetrans",
                "SYNs and SYN-ACKs retransmitted.",
                self.happenings(Happening::SynRetransmission) + self.syn_ack_retransmissions,
            ),
            (
                "TcpExtListenDrops",
                "SYNs and last ACKs that a listener turned away, for whatever reason.",
                drops(&[
                    PacketDrop::SynQueueFull,
                    PacketDrop::AcceptQueueFull,
                    PacketDrop::TooManyConnections,
                ]),
            ),
        ]
        .into_iter()
        .map(|(name, meaning, value)| CounterRow { name, meaning, value })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_counter_has_a_name_of_its_own_and_a_meaning() {
        let counters = Counters::default();
        let mut names = HashSet::new();
        for row in counters.rows() {
            assert!(names.insert(row.name), "{} twice", row.name);
            assert!(row.meaning.ends_with('.'), "{row:?}");
            let group =
                ["Ip", "Icmp", "Tcp", "Udp", "Stack"].iter().any(|g| row.name.starts_with(g));
            assert!(group, "{row:?}");
        }
        assert!(names.len() > 50 && names.contains("TcpActiveOpens"));
    }

    #[test]
    fn a_reason_is_found_under_its_name() {
        let mut counters = Counters::default();
        counters.drop_packet(PacketDrop::AcceptQueueFull);
        counters.drop_packet(PacketDrop::NoConnection);
        counters.drop_segment(DropReason::Paws);
        for (name, value) in [
            ("TcpExtListenOverflows", 1),
            ("TcpExtListenDrops", 1),
            ("StackPacketDropNoConnection", 1),
            ("TcpExtPAWSEstab", 1),
            ("TcpExtTW", 0),
        ] {
            assert_eq!(counters.by_name(name), Some(value), "{name}");
        }
        assert_eq!(counters.by_name("TcpExtNothing"), None);
        assert_eq!(counters.total_drops(), 3);
    }
}
