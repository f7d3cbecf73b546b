//! What does a packet to send look like? Headers in an inline array, shared slices of payload
//! behind them, and the work that is left to the device (RFC 9293 3.1 for the checksum).

use super::gso::Segments;
use bytes::Bytes;
use smallvec::SmallVec;
use std::fmt;
use tcp_core::wire::checksum::Sum;

/// The place of the checksum in a UDP header (RFC 768); in TCP's it is 16.
const UDP_CHECKSUM: u16 = 6;

/// The work on a packet that its sender leaves to the device. Offsets are in octets from the
/// start of the IP header, unless said otherwise.
///
/// ```
#[doc = include_str!("../../doc/two_stacks.rs")]
/// use tcp_io::device::TxOffload;
///
/// let id = client.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
/// let syn = client.poll_transmit(now).unwrap();
/// assert_eq!(syn.offload(), TxOffload::Checksum { start: 20, offset: 16 });
/// # server.receive(now, &syn.to_vec(), RxChecksum::Unknown, None);
/// # exchange(now, &mut client, &mut server);
/// client.write(now, id, &[7; 10_000])?;
/// let (start, offset, ipv6) = (20, 16, false);
/// // IPv4's 20 octets, TCP's 20, and 12 of options; 1500 are 1448 more.
/// let large = TxOffload::Segment { start, offset, size: 1448, ipv6, header_len: 52 };
/// assert_eq!(client.poll_transmit(now).unwrap().offload(), large);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TxOffload {
    /// None: the packet is complete.
    #[default]
    None,
    /// The transport checksum: its field holds the folded sum of the pseudo-header, not
    /// complemented.
    Checksum {
        /// Where the transport header starts.
        start: u16,
        /// Where the checksum is, counted from `start`: 16 in TCP.
        offset: u16,
    },
    /// The packet is larger than the link carries and is cut into TCP segments, each with a
    /// copy of the headers. The checksum field is as in `Checksum`, for the whole.
    Segment {
        /// Where the TCP header starts.
        start: u16,
        /// Where the checksum is, counted from `start`: 16.
        offset: u16,
        /// Payload of one segment, in octets: the MSS less the TCP options.
        size: u16,
        /// Whether the packet is IPv6.
        ipv6: bool,
        /// Octets of the IP and TCP headers, options included.
        header_len: u16,
    },
}

#[derive(Clone)]
enum Head {
    Inline { len: u8, octets: [u8; TxPacket::INLINE_HEAD] },
    Owned(Vec<u8>),
}

/// An IP packet to send: a head of headers (and perhaps small payload, copied), then slices of
/// payload that are shared and not copied, then what the device is to finish.
///
/// ```
/// use bytes::Bytes;
/// use tcp_io::device::{TxOffload, TxPacket};
///
/// let text = Bytes::from_static(b"an answer");
/// // In place of an IPv4 and a UDP header: their first octets only.
/// let mut packet = TxPacket::with_head(28, |head| head[0] = 0x45);
/// packet.push_payload(text.clone());
/// packet.head_mut()[9] = 17;
/// assert_eq!((packet.head().len(), packet.len(), packet.is_empty()), (28, 37, false));
/// assert_eq!(packet.payload()[0].as_ptr(), text.as_ptr()); // shared, not copied
///
/// let packet = packet.with_offload(TxOffload::Checksum { start: 20, offset: 6 });
/// assert_eq!(packet.offload(), TxOffload::Checksum { start: 20, offset: 6 });
/// let whole = packet.to_vec(); // for a device that does not finish checksums
/// assert_eq!(&whole[28..], b"an answer");
/// assert_ne!(whole[26..28], [0, 0]);
/// assert_eq!(packet.segments().collect::<Vec<_>>(), [whole]); // nothing is to be cut
/// ```
#[derive(Clone)]
pub struct TxPacket {
    head: Head,
    payload: SmallVec<[Bytes; 2]>,
    offload: TxOffload,
}

impl TxPacket {
    /// Octets of head that need no allocation: the largest IPv6 and TCP headers fill 100.
    pub const INLINE_HEAD: usize = 128;

    /// A packet whose head has `len` octets, which `fill` writes over zeros.
    pub fn with_head(len: usize, fill: impl FnOnce(&mut [u8])) -> TxPacket {
        let head = match u8::try_from(len) {
            Ok(short) if len <= Self::INLINE_HEAD => {
                Head::Inline { len: short, octets: [0; Self::INLINE_HEAD] }
            }
            _ => Head::Owned(vec![0; len]),
        };
        let mut packet = TxPacket { head, payload: SmallVec::new(), offload: TxOffload::None };
        fill(packet.head_mut());
        packet
    }

    /// A packet whose head is a copy of `head`.
    ///
    /// ```
    /// use tcp_io::device::TxPacket;
    ///
    /// let packet = TxPacket::from_head(&[0x45; 40]);
    /// assert_eq!((packet.head(), packet.payload().len()), (&[0x45; 40][..], 0));
    /// ```
    pub fn from_head(head: &[u8]) -> TxPacket {
        TxPacket::with_head(head.len(), |octets| octets.copy_from_slice(head))
    }

    /// A complete packet in one piece: ICMP, resets, whatever is rare.
    ///
    /// ```
    /// use tcp_io::device::{TxOffload, TxPacket};
    ///
    /// let packet = TxPacket::from_vec(vec![0x45; 1500]);
    /// assert_eq!((packet.len(), packet.offload()), (1500, TxOffload::None));
    /// ```
    pub fn from_vec(packet: Vec<u8>) -> TxPacket {
        TxPacket { head: Head::Owned(packet), payload: SmallVec::new(), offload: TxOffload::None }
    }

    /// The same packet with this work left to the device.
    pub fn with_offload(mut self, offload: TxOffload) -> TxPacket {
        self.offload = offload;
        self
    }

    /// Appends a slice of payload, without copying it.
    pub fn push_payload(&mut self, slice: Bytes) {
        if !slice.is_empty() {
            self.payload.push(slice);
        }
    }

    /// The headers, and payload that was copied behind them.
    #[inline]
    pub fn head(&self) -> &[u8] {
        match &self.head {
            Head::Inline { len, octets } => &octets[..usize::from(*len)],
            Head::Owned(octets) => octets,
        }
    }

    /// The head, to be written.
    #[inline]
    pub fn head_mut(&mut self) -> &mut [u8] {
        match &mut self.head {
            Head::Inline { len, octets } => &mut octets[..usize::from(*len)],
            Head::Owned(octets) => octets,
        }
    }

    /// The slices that follow the head.
    #[inline]
    pub fn payload(&self) -> &[Bytes] {
        &self.payload
    }

    /// The work left to the device.
    #[inline]
    pub fn offload(&self) -> TxOffload {
        self.offload
    }

    /// Octets of head and payload.
    pub fn len(&self) -> usize {
        self.head().len() + self.payload.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether the packet has no octet at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A contiguous copy with the checksum finished, whatever the offload. A packet for
    /// segmentation stays in one piece; [`segments`](Self::segments) cuts it.
    ///
    /// ```
    #[doc = include_str!("../../doc/two_stacks.rs")]
    /// use tcp_core::wire::checksum::Sum;
    ///
    /// client.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
    /// let syn = client.poll_transmit(now).unwrap().to_vec();
    /// let pseudo = Sum::pseudo_header([10, 0, 0, 2].into(), [10, 0, 0, 1].into(), 6, 40);
    /// assert_eq!(pseudo.add(&syn[20..]).finish(), 0); // a good checksum sums up to nothing
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_vec(&self) -> Vec<u8> {
        let mut packet = self.to_unfinished_vec();
        match self.offload {
            TxOffload::None => {}
            TxOffload::Checksum { start, offset } | TxOffload::Segment { start, offset, .. } => {
                finish_checksum(&mut packet, start, offset);
            }
        }
        packet
    }

    /// The complete packets that a device without offload sends: the checksum finished, larger
    /// packets cut in software.
    pub fn segments(&self) -> Segments {
        Segments::new(self)
    }

    /// A contiguous copy of head and payload as they are.
    pub(super) fn to_unfinished_vec(&self) -> Vec<u8> {
        let mut packet = Vec::with_capacity(self.len());
        packet.extend_from_slice(self.head());
        for slice in &self.payload {
            packet.extend_from_slice(slice);
        }
        packet
    }
}

impl fmt::Debug for TxPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TxPacket")
            .field("head", &self.head().len())
            .field("len", &self.len())
            .field("offload", &self.offload)
            .finish()
    }
}

/// Completes a checksum whose field holds the sum of the pseudo-header (RFC 9293 3.1). Fields
/// that lie outside the packet are left alone.
pub(super) fn finish_checksum(packet: &mut [u8], start: u16, offset: u16) {
    let Some(transport) = packet.get_mut(usize::from(start)..) else { return };
    let sum = match Sum::new().add(transport).finish() {
        // RFC 768: zero means "no checksum" in UDP; its other form is sent.
        0 if offset == UDP_CHECKSUM => 0xffff,
        sum => sum,
    };
    let field = usize::from(offset)..usize::from(offset) + 2;
    if let Some(field) = transport.get_mut(field) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}
