//! How often did what happen? The counters of a stack; each dropped packet counts under a reason.

use tcp_core::error::DropReason;

/// Why an IP packet went no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[non_exhaustive]
pub enum PacketDrop {
    /// Not a whole IPv4 or IPv6 packet, or its header checksum is wrong.
    Malformed,
    /// Not for an address of this stack.
    NotForUs,
    /// From an address that no host can have (MUST-63).
    BadSource,
    /// To a broadcast or multicast address (MUST-57).
    NotUnicast,
    /// A fragment.
    Fragment,
    /// A protocol that the stack does not speak.
    Protocol,
    /// The TCP or ICMP checksum is wrong (MUST-3).
    Checksum,
    /// Not a TCP header.
    BadSegment,
    /// For a connection or port that does not exist; answered by a reset.
    NoConnection,
    /// A SYN while the half-open table is full.
    SynQueueFull,
    /// A SYN or last ACK while the accept queue is full.
    AcceptQueueFull,
    /// More connections than the stack may hold.
    TooManyConnections,
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
}

impl PacketDrop {
    /// Number of reasons.
    pub const COUNT: usize = PacketDrop::UsedCookie as usize + 1;

    /// All reasons, in the order of their counters.
    pub const ALL: [PacketDrop; PacketDrop::COUNT] = [
        PacketDrop::Malformed,
        PacketDrop::NotForUs,
        PacketDrop::BadSource,
        PacketDrop::NotUnicast,
        PacketDrop::Fragment,
        PacketDrop::Protocol,
        PacketDrop::Checksum,
        PacketDrop::BadSegment,
        PacketDrop::NoConnection,
        PacketDrop::SynQueueFull,
        PacketDrop::AcceptQueueFull,
        PacketDrop::TooManyConnections,
        PacketDrop::IcmpNotBelieved,
        PacketDrop::IcmpIgnored,
        PacketDrop::AnswerQueueFull,
        PacketDrop::InTimeWait,
        PacketDrop::BadCookie,
        PacketDrop::UsedCookie,
    ];
}

/// Counters since the stack's start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// IP packets received; a merged super-segment counts once.
    pub packets_in: u64,
    /// IP packets handed out.
    pub packets_out: u64,
    /// Connections opened by us.
    pub active_opens: u64,
    /// Handshakes completed as a server.
    pub passive_opens: u64,
    /// SYNs that made a half-open record.
    pub syns: u64,
    /// SYN-ACKs sent again.
    pub syn_ack_retransmissions: u64,
    /// Half-open records given up.
    pub half_open_timeouts: u64,
    /// SYN cookies sent. Linux: `SyncookiesSent`.
    pub syn_cookies_sent: u64,
    /// SYN cookies that came back good. Linux: `SyncookiesRecv`.
    pub syn_cookies_received: u64,
    /// ACKs that brought no good SYN cookie while one was expected. Linux: `SyncookiesFailed`.
    pub syn_cookies_failed: u64,
    /// Resets sent.
    pub resets_out: u64,
    /// Connections that ended in a failure.
    pub failures: u64,
    /// Connections that skipped TIME-WAIT since the table was full.
    pub time_wait_overflow: u64,
    /// Closed connections that were reset since there were too many (`max_orphans`).
    pub orphans_reset: u64,
    /// ICMP echo requests answered.
    pub echoes: u64,
    packets: [u64; PacketDrop::COUNT],
    segments: [u64; DropReason::COUNT],
}

impl Counters {
    pub(crate) fn drop_packet(&mut self, why: PacketDrop) {
        self.packets[why as usize] += 1;
        tracing::trace!(?why, "packet dropped");
    }

    pub(crate) fn drop_segment(&mut self, why: DropReason) {
        self.segments[why as usize] += 1;
        tracing::trace!(?why, "segment dropped");
    }

    /// Packets dropped for a reason.
    pub fn packet_drops(&self, why: PacketDrop) -> u64 {
        self.packets[why as usize]
    }

    /// Segments of known connections dropped for a reason.
    pub fn segment_drops(&self, why: DropReason) -> u64 {
        self.segments[why as usize]
    }

    /// All drops together.
    pub fn total_drops(&self) -> u64 {
        self.packets.iter().chain(&self.segments).sum()
    }
}
