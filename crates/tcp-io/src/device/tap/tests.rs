use std::sync::mpsc;
use std::task::Waker;

use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};

use super::*;
use crate::device::{MemoryDevice, memory_pair};

const PATIENCE: Duration = Duration::from_secs(60);

/// A file in memory, readable while it is written.
#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl Write for File {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A packet as read back: time, flags, original length, octets.
type Back = (Duration, u32, u32, Vec<u8>);

impl File {
    fn read_back(&self) -> Vec<Back> {
        let octets = self.0.lock().unwrap().clone();
        let mut reader = PcapNgReader::new(&octets[..]).unwrap();
        let mut packets = Vec::new();
        while let Some(block) = reader.next_block() {
            match block.unwrap() {
                Block::InterfaceDescription(i) => assert_eq!(i.linktype, DataLink::RAW),
                Block::EnhancedPacket(p) => {
                    let [EnhancedPacketOption::Flags(flags)] = p.options[..] else {
                        panic!("{:?}", p.options)
                    };
                    packets.push((p.timestamp, flags, p.original_len, p.data.to_vec()));
                }
                other => panic!("{other:?}"),
            }
        }
        packets
    }
}

fn tapped(options: CaptureOptions) -> (Tap<MemoryDevice>, MemoryDevice, File) {
    let (here, there) = memory_pair(Capabilities::offloading(1500));
    let file = File::default();
    (Tap::new(here, file.clone(), options).unwrap(), there, file)
}

fn send(device: &impl Device, packet: &TxPacket) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    matches!(device.poll_send(&mut cx, packet), Poll::Ready(Ok(())))
}

fn receive(device: &impl Device) -> Option<RxMeta> {
    let mut buf = vec![0; 70_000];
    match device.poll_recv(&mut Context::from_waker(Waker::noop()), &mut buf) {
        Poll::Ready(Ok(meta)) => Some(meta),
        _ => None,
    }
}

fn packet(first: u8, len: usize) -> TxPacket {
    let mut octets = vec![first; len];
    octets[0] = 0x45;
    TxPacket::from_vec(octets)
}

#[test]
fn both_directions_are_captured_and_read_back() {
    let (tap, peer, file) = tapped(CaptureOptions::default());
    let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(send(&tap, &packet(1, 41)));
    assert!(send(&peer, &packet(2, 60)));
    assert!(receive(&tap).is_some() && receive(&tap).is_none());
    let stats = tap.handle().finish(PATIENCE);
    assert_eq!((stats.packets, stats.left_out, stats.end), (2, 0, Some(CaptureEnd::Told)));
    let back = file.read_back();
    let summary: Vec<_> = back.iter().map(|b| (b.1, b.2, b.3.len(), b.3[1])).collect();
    assert_eq!(summary, [(0b10, 41, 41, 1), (0b01, 60, 60, 2)]);
    let ended = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(back.iter().all(|b| (began..=ended).contains(&b.0)), "{began:?} {back:?}");
    assert_eq!(stats.octets, file.0.lock().unwrap().len() as u64);
}

#[test]
fn a_super_segment_stays_whole_and_says_so() {
    let (tap, _peer, file) = tapped(CaptureOptions::default());
    let offload =
        TxOffload::Segment { start: 20, offset: 16, size: 1000, ipv6: false, header_len: 40 };
    let mut whole = TxPacket::from_head(&[0x45; 40]).with_offload(offload);
    whole.push_payload(vec![7; 3000].into());
    assert!(send(&tap, &whole));
    let checksum = TxOffload::Checksum { start: 20, offset: 16 };
    assert!(send(&tap, &packet(0, 50).with_offload(checksum)));
    tap.handle().finish(PATIENCE);
    let flags: Vec<_> = file.read_back().iter().map(|b| (b.1, b.3.len())).collect();
    assert_eq!(flags, [(0b10 | 1 << 9 | 1 << 11, 3040), (0b10 | 1 << 9, 50)]);
}

#[test]
fn packets_are_cut_to_the_snap_length() {
    let (tap, _peer, file) =
        tapped(CaptureOptions { snap_length: 64, ..CaptureOptions::default() });
    let mut long = TxPacket::from_head(&[0x45; 40]);
    long.push_payload(vec![7; 1000].into());
    assert!(send(&tap, &long));
    tap.handle().finish(PATIENCE);
    let back = file.read_back();
    assert_eq!((back[0].2, back[0].3.len(), back[0].3[63]), (1040, 64, 7));
}

#[test]
fn limits_end_the_capture_and_not_the_traffic() {
    for options in [
        CaptureOptions { max_packets: Some(2), ..CaptureOptions::default() },
        CaptureOptions { max_octets: Some(400), ..CaptureOptions::default() },
    ] {
        let (tap, peer, file) = tapped(options);
        for n in 0..5 {
            assert!(send(&tap, &packet(n, 100)));
        }
        let stats = tap.handle().finish(PATIENCE);
        assert_eq!((stats.packets, stats.end), (2, Some(CaptureEnd::Full)), "{options:?}");
        assert!(send(&tap, &packet(9, 100)));
        assert_eq!(std::iter::from_fn(|| receive(&peer)).count(), 6);
        assert_eq!(file.read_back().len(), 2);
        assert!(file.0.lock().unwrap().len() <= 400);
    }
}

#[test]
fn an_error_ends_the_capture_and_not_the_traffic() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(octets.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(octets.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (here, peer) = memory_pair(Capabilities::offloading(1500));
    let tap = Tap::new(here, Full(300), CaptureOptions::default()).unwrap();
    for n in 0..20 {
        assert!(send(&tap, &packet(n, 500)));
    }
    let stats = tap.handle().finish(PATIENCE);
    assert_eq!(stats.end, Some(CaptureEnd::Failed(io::ErrorKind::StorageFull)));
    assert!(send(&tap, &packet(0, 500)));
    assert_eq!(std::iter::from_fn(|| receive(&peer)).count(), 21);
}

#[test]
fn a_file_that_hangs_holds_up_nothing() {
    /// Takes the headers at once and the packets when it is told to.
    struct Hangs(mpsc::Receiver<()>, bool, File);
    impl Write for Hangs {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.1, true) {
                let _ = self.0.recv();
            }
            self.2.write(octets)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (go, wait) = mpsc::channel();
    let (here, peer) = memory_pair(Capabilities::offloading(1500));
    let file = File::default();
    let options = CaptureOptions { queue_octets: 10_000, ..CaptureOptions::default() };
    let tap = Tap::new(here, Hangs(wait, false, file.clone()), options).unwrap();
    for n in 0..100 {
        assert!(send(&tap, &packet(n, 1000)));
        assert!(receive(&peer).is_some());
    }
    let handle = tap.handle();
    // The queue's ten, what the buffer took, and one in the writer's hands.
    let left_out = handle.stats().left_out;
    assert!((70..=90).contains(&left_out), "{left_out}");
    drop(go);
    drop(tap);
    let stats = handle.finish(PATIENCE);
    assert_eq!(stats.end, Some(CaptureEnd::Told));
    assert_eq!((stats.packets, file.read_back().len()), (100 - left_out, 100 - left_out as usize));
}
