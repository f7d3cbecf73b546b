//! How are packets written down? As a pcapng capture (draft-ietf-opsawg-pcapng): whole IP packets
//! (link type RAW), time in nanoseconds, and in the flags of a packet its direction and what was
//! left to the device. Time is an argument, so that a simulator can capture too; `tap` captures
//! what goes through a device.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, PcapError};

/// Bits of a packet's flags (draft-ietf-opsawg-pcapng 4.3.1).
mod flag {
    pub(super) const IN: u32 = 0b01;
    pub(super) const OUT: u32 = 0b10;
    pub(super) const CHECKSUM_NOT_READY: u32 = 1 << 9;
    pub(super) const SEGMENTATION_OFFLOADED: u32 = 1 << 11;
}

/// How much is captured.
///
/// ```
/// use std::time::Duration;
/// use tcp_io::device::{Capture, CaptureGoes, CaptureOptions, Direction, Seen};
///
/// let options = CaptureOptions { snap_length: 40, max_packets: Some(1), ..Default::default() };
/// let mut capture = Capture::new(Vec::new(), "tun0", options)?;
/// let before = capture.octets();
/// let seen = Seen::plain(Duration::ZERO, Direction::Out, 1500);
/// assert_eq!(capture.packet(&seen, &[0x45; 1500])?, CaptureGoes::On);
/// assert_eq!(capture.octets() - before, 44 + 40); // the headers and what was kept
/// assert_eq!(capture.packet(&seen, &[0x45; 1500])?, CaptureGoes::NoFurther);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CaptureOptions {
    /// Octets kept of each packet; what is cut off is only counted. tcpdump: 262,144.
    pub snap_length: u32,
    /// The capture ends after so many packets.
    pub max_packets: Option<u64>,
    /// The capture ends before its file would have more octets than this.
    pub max_octets: Option<u64>,
    /// Octets that may wait to be written; beyond them packets are left out, and counted.
    pub queue_octets: usize,
}

impl Default for CaptureOptions {
    fn default() -> CaptureOptions {
        CaptureOptions {
            snap_length: 262_144,
            max_packets: None,
            max_octets: None,
            queue_octets: 16 << 20,
        }
    }
}

/// Which way a packet went.
///
/// ```
/// # use std::time::Duration;
/// use tcp_io::device::{Direction, Seen};
///
/// let answer = Seen::plain(Duration::from_secs(1), Direction::In, 40);
/// assert_ne!(answer.direction, Direction::Out);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// It was received.
    In,
    /// It was sent.
    Out,
}

/// What is known of a captured packet beside its octets.
///
/// ```
/// use std::time::Duration;
/// use tcp_io::device::{Direction, Seen};
///
/// let at = Duration::from_secs(1_700_000_000);
/// let plain = Seen::plain(at, Direction::Out, 40);
/// assert_eq!((plain.original_len, plain.several_segments), (40, false));
/// // A packet that the device is to cut; a reader sees that its checksum means nothing yet.
/// let large = Seen { unfinished_checksum: true, several_segments: true, ..plain };
/// assert_eq!((large.at, large.direction), (at, Direction::Out));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Time since 1970-01-01 00:00 UTC.
    pub at: Duration,
    /// Which way it went.
    pub direction: Direction,
    /// Its transport checksum is left to the device.
    pub unfinished_checksum: bool,
    /// It is several segments in one: the device cuts it, or has merged it.
    pub several_segments: bool,
    /// Its octets before it was cut to the snap length.
    pub original_len: usize,
}

impl Seen {
    /// A whole, finished packet.
    pub const fn plain(at: Duration, direction: Direction, len: usize) -> Seen {
        Seen {
            at,
            direction,
            unfinished_checksum: false,
            several_segments: false,
            original_len: len,
        }
    }

    fn flags(&self) -> u32 {
        let mut flags = match self.direction {
            Direction::In => flag::IN,
            Direction::Out => flag::OUT,
        };
        if self.unfinished_checksum {
            flags |= flag::CHECKSUM_NOT_READY;
        }
        if self.several_segments {
            flags |= flag::SEGMENTATION_OFFLOADED;
        }
        flags
    }
}

/// Whether a capture goes on.
///
/// ```
/// # use std::time::Duration;
/// use tcp_io::device::{Capture, CaptureGoes, CaptureOptions, Direction, Seen};
///
/// let options = CaptureOptions { max_octets: Some(1000), ..Default::default() };
/// let mut capture = Capture::new(Vec::new(), "tun0", options)?;
/// let seen = Seen::plain(Duration::ZERO, Direction::In, 200);
/// while capture.packet(&seen, &[0x45; 200])? == CaptureGoes::On {}
/// assert_eq!(capture.packets(), 3); // each takes 244 octets
/// assert!(capture.octets() <= 1000);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaptureGoes {
    /// It does.
    On,
    /// A limit of its options is reached; this packet and all later ones are left out.
    NoFurther,
}

/// A capture that is being written.
///
/// ```
#[doc = include_str!("../../doc/two_stacks.rs")]
/// use std::time::Duration;
/// use tcp_io::device::{Capture, CaptureOptions, Direction, Seen};
///
/// let mut capture = Capture::new(Vec::new(), "tun0", CaptureOptions::default())?;
/// client.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
/// while let Some(packet) = client.poll_transmit(now) {
///     let octets = packet.to_vec();
///     let at = Duration::from_nanos(now.as_nanos()); // virtual time will do
///     capture.packet(&Seen::plain(at, Direction::Out, octets.len()), &octets)?;
/// }
/// capture.flush()?;
/// assert_eq!(capture.packets(), 1); // the SYN
/// let len = capture.octets();
/// let file = capture.into_inner();
/// assert_eq!((file.len() as u64, &file[..4]), (len, &[0x0a, 0x0d, 0x0d, 0x0a][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Capture<W: Write> {
    writer: PcapNgWriter<Counted<W>>,
    options: CaptureOptions,
    packets: u64,
}

impl<W: Write> fmt::Debug for Capture<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("packets", &self.packets).finish_non_exhaustive()
    }
}

impl<W: Write> Capture<W> {
    /// Begins a capture of an interface called `name`.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(writer: W, name: &str, options: CaptureOptions) -> io::Result<Capture<W>> {
        let counted = Counted { writer, octets: 0 };
        let mut writer = PcapNgWriter::new(counted).map_err(into_io)?;
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: options.snap_length,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Owned(name.to_owned())),
                // 10^-9 s
                InterfaceDescriptionOption::IfTsResol(9),
            ],
        };
        writer.write_pcapng_block(interface).map_err(into_io)?;
        Ok(Capture { writer, options, packets: 0 })
    }

    /// Writes one packet; octets beyond the snap length are left out.
    ///
    /// # Errors
    /// What the writer says; the capture is of no use then.
    pub fn packet(&mut self, seen: &Seen, octets: &[u8]) -> io::Result<CaptureGoes> {
        let kept = &octets[..octets.len().min(self.options.snap_length as usize)];
        let full = self.options.max_packets.is_some_and(|most| self.packets >= most)
            || self.options.max_octets.is_some_and(|most| self.octets() + block_len(kept) > most);
        if full {
            return Ok(CaptureGoes::NoFurther);
        }
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: seen.at,
            original_len: u32::try_from(seen.original_len).unwrap_or(u32::MAX),
            data: Cow::Borrowed(kept),
            options: vec![EnhancedPacketOption::Flags(seen.flags())],
        };
        self.writer.write_pcapng_block(block).map_err(into_io)?;
        self.packets += 1;
        Ok(CaptureGoes::On)
    }

    /// Packets written.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Octets written, headers included.
    pub fn octets(&self) -> u64 {
        self.writer.get_ref().octets
    }

    /// Flushes the writer.
    ///
    /// # Errors
    /// What the writer says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.get_mut().flush()
    }

    /// The writer, for example the octets of a capture in memory.
    pub fn into_inner(self) -> W {
        self.writer.into_inner().writer
    }
}

/// A packet's block: 32 octets of header and trailer, 12 of options, the packet padded to 4.
fn block_len(packet: &[u8]) -> u64 {
    32 + 12 + packet.len().next_multiple_of(4) as u64
}

fn into_io(e: PcapError) -> io::Error {
    match e {
        PcapError::IoError(e) => e,
        other => io::Error::other(other),
    }
}

struct Counted<W> {
    writer: W,
    octets: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let n = self.writer.write(octets)?;
        self.octets += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
