//! Which segments does a large packet become? Segmentation in software, for devices without
//! offload and for tests (RFC 9293 3.1; RFC 3168 6.1.2 for CWR; RFC 6864 for the IPv4 id).

use super::packet::{TxOffload, TxPacket, finish_checksum};
use tcp_core::wire::checksum::Sum;

const TCP_HEADER: usize = 20;
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// How a packet is cut; made only for packets that hold the headers they claim.
#[derive(Clone, Copy)]
struct Cut {
    start: u16,
    offset: u16,
    size: usize,
    ipv6: bool,
    header_len: usize,
}

impl Cut {
    /// `None` if nothing is to be cut, or if the fields contradict the packet.
    fn new(offload: TxOffload, packet: &[u8]) -> Option<Cut> {
        let TxOffload::Segment { start, offset, size, ipv6, header_len } = offload else {
            return None;
        };
        let cut =
            Cut { start, offset, size: size.into(), ipv6, header_len: usize::from(header_len) };
        let (ip, version) = if ipv6 { (40, 6) } else { (20, 4) };
        let fits = usize::from(start) >= ip
            && cut.header_len >= usize::from(start) + TCP_HEADER
            && cut.header_len >= usize::from(start) + usize::from(offset) + 2
            && packet.len() >= cut.header_len
            && cut.size > 0
            && packet[0] >> 4 == version;
        fits.then_some(cut)
    }
}

/// The complete packets that a [`TxPacket`] stands for, each contiguous, checksums finished.
/// One, unless the packet is for segmentation.
///
/// ```
#[doc = include_str!("../../doc/two_stacks.rs")]
/// let id = client.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
/// exchange(now, &mut client, &mut server);
/// client.write(now, id, &[7; 10_000])?;
/// let large = client.poll_transmit(now).unwrap(); // one packet for a device that cuts
/// assert_eq!(large.len(), 52 + 10_000);
/// let lens: Vec<usize> = large.segments().map(|packet| packet.len()).collect();
/// assert_eq!(lens, [1500, 1500, 1500, 1500, 1500, 1500, 52 + 10_000 - 6 * 1448]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Segments {
    whole: Vec<u8>,
    /// `None`: the packet goes as it is.
    cut: Option<Cut>,
    /// Octets of payload handed out.
    taken: usize,
    index: u16,
    done: bool,
}

impl Segments {
    pub(super) fn new(packet: &TxPacket) -> Segments {
        let whole = packet.to_unfinished_vec();
        let cut = Cut::new(packet.offload(), &whole);
        let whole = if cut.is_none() { packet.to_vec() } else { whole };
        Segments { whole, cut, taken: 0, index: 0, done: false }
    }

    fn segment(&mut self, cut: Cut) -> Vec<u8> {
        let payload = &self.whole[cut.header_len..];
        let end = payload.len().min(self.taken + cut.size);
        let last = end == payload.len();
        let mut segment = Vec::with_capacity(cut.header_len + end - self.taken);
        segment.extend_from_slice(&self.whole[..cut.header_len]);
        segment.extend_from_slice(&payload[self.taken..end]);

        patch_ip(&mut segment, cut, self.index);
        let start = usize::from(cut.start);
        let tcp = &mut segment[start..];
        let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
        tcp[4..8].copy_from_slice(&seq.wrapping_add(self.taken as u32).to_be_bytes());
        if !last {
            tcp[13] &= !(FIN | PSH);
        }
        if self.index > 0 {
            // RFC 3168 6.1.2: CWR answers ECE once, in the first new segment.
            tcp[13] &= !CWR;
        }
        let field = usize::from(cut.offset)..usize::from(cut.offset) + 2;
        // The pseudo-header of the segment is the whole's with another length.
        let less = !((self.whole.len() - start) as u32);
        let more = tcp.len() as u32;
        let sum = Sum::new().add(&tcp[field.clone()]);
        let sum = sum.add(&less.to_be_bytes()).add(&more.to_be_bytes()).fold();
        tcp[field].copy_from_slice(&sum.to_be_bytes());
        finish_checksum(&mut segment, cut.start, cut.offset);

        self.taken = end;
        self.index = self.index.wrapping_add(1);
        self.done = last;
        segment
    }
}

impl Iterator for Segments {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.done {
            return None;
        }
        match self.cut {
            Some(cut) => Some(self.segment(cut)),
            None => {
                self.done = true;
                Some(std::mem::take(&mut self.whole))
            }
        }
    }
}

/// Writes length, identification and header checksum of one segment.
fn patch_ip(segment: &mut [u8], cut: Cut, index: u16) {
    let len = segment.len();
    if cut.ipv6 {
        segment[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
        return;
    }
    segment[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    let id = u16::from_be_bytes([segment[4], segment[5]]).wrapping_add(index);
    segment[4..6].copy_from_slice(&id.to_be_bytes());
    segment[10..12].fill(0);
    let sum = Sum::new().add(&segment[..usize::from(cut.start)]).finish();
    segment[10..12].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests;
