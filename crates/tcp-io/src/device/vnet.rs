//! What does the header in front of a packet say? The ten octets of `virtio_net_hdr` that Linux
//! puts before every packet of a TUN device with offload (virtio 1.2, 5.1.6).

use super::packet::{TxOffload, TxPacket};
use super::{RxChecksum, RxMeta};

/// Octets of the header.
pub(super) const LEN: usize = 10;

/// The checksum is unfinished; `csum_start` and `csum_offset` say where.
const NEEDS_CSUM: u8 = 1;
/// The checksum was verified.
const DATA_VALID: u8 = 2;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
/// Several UDP datagrams. (Type 3 is one datagram that is to be fragmented.)
const GSO_UDP_L4: u8 = 5;
/// CWR is set and belongs in the first segment only.
const GSO_ECN: u8 = 0x80;

/// The header's fields; numbers are in the byte order of the machine, as the kernel has it
/// unless told otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct VnetHeader {
    flags: u8,
    gso_type: u8,
    hdr_len: u16,
    gso_size: u16,
    csum_start: u16,
    csum_offset: u16,
}

impl VnetHeader {
    pub(super) fn parse(b: [u8; LEN]) -> VnetHeader {
        VnetHeader {
            flags: b[0],
            gso_type: b[1],
            hdr_len: u16::from_ne_bytes([b[2], b[3]]),
            gso_size: u16::from_ne_bytes([b[4], b[5]]),
            csum_start: u16::from_ne_bytes([b[6], b[7]]),
            csum_offset: u16::from_ne_bytes([b[8], b[9]]),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; LEN] {
        let mut b = [0; LEN];
        b[0] = self.flags;
        b[1] = self.gso_type;
        b[2..4].copy_from_slice(&self.hdr_len.to_ne_bytes());
        b[4..6].copy_from_slice(&self.gso_size.to_ne_bytes());
        b[6..8].copy_from_slice(&self.csum_start.to_ne_bytes());
        b[8..10].copy_from_slice(&self.csum_offset.to_ne_bytes());
        b
    }

    /// The header for a packet to send.
    pub(super) fn of(packet: &TxPacket) -> VnetHeader {
        match packet.offload() {
            TxOffload::None => VnetHeader::default(),
            // Without a header length the kernel wants the whole packet in contiguous memory.
            TxOffload::Checksum { start, offset } => VnetHeader {
                flags: NEEDS_CSUM,
                hdr_len: u16::try_from(packet.head().len()).unwrap_or(0),
                csum_start: start,
                csum_offset: offset,
                ..VnetHeader::default()
            },
            TxOffload::Segment { start, offset, size, ipv6, header_len } => {
                let large = packet.len() > usize::from(header_len) + usize::from(size);
                let gso_type = match (large, ipv6) {
                    (false, _) => GSO_NONE,
                    (true, false) => GSO_TCPV4 | ecn(packet, start),
                    (true, true) => GSO_TCPV6 | ecn(packet, start),
                };
                VnetHeader {
                    flags: NEEDS_CSUM,
                    gso_type,
                    hdr_len: header_len,
                    gso_size: if large { size } else { 0 },
                    csum_start: start,
                    csum_offset: offset,
                }
            }
        }
    }

    /// What it says of a received packet, which follows the header and has `len` octets.
    pub(super) fn describe(self, len: usize) -> RxMeta {
        let known = self.flags & (NEEDS_CSUM | DATA_VALID) != 0;
        let kind = self.gso_type & !GSO_ECN;
        let joined = matches!(kind, GSO_TCPV4 | GSO_TCPV6 | GSO_UDP_L4) && self.gso_size > 0;
        RxMeta {
            offset: LEN,
            len,
            checksum: if known { RxChecksum::Good } else { RxChecksum::Unknown },
            gso_size: joined.then_some(self.gso_size),
        }
    }
}

fn ecn(packet: &TxPacket, start: u16) -> u8 {
    const CWR: u8 = 0x80;
    let flags = packet.head().get(usize::from(start) + 13);
    if flags.is_some_and(|flags| flags & CWR != 0) { GSO_ECN } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(b: [u8; LEN]) {
            prop_assert_eq!(VnetHeader::parse(b).to_bytes(), b);
            let meta = VnetHeader::parse(b).describe(7);
            prop_assert_eq!((meta.offset, meta.len), (LEN, 7));
            prop_assert!(meta.gso_size != Some(0));
        }
    }

    fn large(payload: usize, flags: u8) -> TxPacket {
        let mut packet = TxPacket::with_head(40, |head| head[33] = flags);
        packet.push_payload(Bytes::from(vec![0; payload]));
        let (start, offset, size) = (20, 16, 1000);
        packet.with_offload(TxOffload::Segment { start, offset, size, ipv6: false, header_len: 40 })
    }

    #[test]
    fn what_is_sent_describes_itself_when_received() {
        let header = VnetHeader::of(&large(3000, 0x90));
        let expected = VnetHeader {
            flags: NEEDS_CSUM,
            gso_type: GSO_TCPV4 | GSO_ECN,
            hdr_len: 40,
            gso_size: 1000,
            csum_start: 20,
            csum_offset: 16,
        };
        assert_eq!(header, expected);
        let meta = VnetHeader::parse(header.to_bytes()).describe(3040);
        assert_eq!((meta.checksum, meta.gso_size), (RxChecksum::Good, Some(1000)));
    }

    #[test]
    fn a_single_segment_is_no_super_packet() {
        let header = VnetHeader::of(&large(1000, 0x80));
        assert_eq!((header.gso_type, header.gso_size, header.flags), (GSO_NONE, 0, NEEDS_CSUM));
    }

    #[test]
    fn only_what_was_joined_is_taken_apart() {
        let of = |gso_type| VnetHeader { gso_type, gso_size: 1000, ..VnetHeader::default() };
        assert_eq!(of(GSO_UDP_L4).describe(3000).gso_size, Some(1000));
        // One datagram, however long.
        assert_eq!(of(3).describe(3000).gso_size, None);
    }

    #[test]
    fn a_complete_packet_needs_nothing() {
        let header = VnetHeader::of(&TxPacket::from_head(&[0; 40]));
        assert_eq!(header.to_bytes(), [0; LEN]);
        assert_eq!(header.describe(40).checksum, RxChecksum::Unknown);
    }
}
