//! What must hold of any octets that claim to be a segment or options? Shared by the property
//! tests of this crate and by the fuzz targets; each check panics where it fails.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpAddress, TcpPacket, TcpRepr};
use tcp_core::wire::{Flags, MAX_HEADER_LEN, MAX_OPTIONS_LEN, Options, Segment};

/// Parses, emits and parses again; then asks smoltcp for a second opinion.
pub(crate) fn segment(bytes: &[u8]) {
    let parsed = Segment::parse(bytes);
    second_opinion(bytes, parsed.as_ref().ok());
    let Ok(segment) = parsed else { return };

    let mut buf = vec![0xaa; MAX_HEADER_LEN + segment.payload.len()];
    let header_len = segment.emit_header(&mut buf);
    assert_eq!(header_len, segment.header_len());
    assert_eq!(buf[16..18], [0, 0], "checksum field");
    buf[header_len..][..segment.payload.len()].copy_from_slice(segment.payload);
    buf.truncate(header_len + segment.payload.len());

    let again = Segment::parse(&buf).expect("what was emitted parses");
    same_unless_too_long(&segment.options, &again.options);
    assert_eq!(again, Segment { options: again.options, ..segment });
}

/// The same for an option area by itself.
pub(crate) fn options(area: &[u8]) {
    let options = Options::parse(area);
    let mut buf = [0xaa; MAX_OPTIONS_LEN];
    let len = options.emit(&mut buf);
    assert_eq!(len, options.emitted_len());
    assert!(len.is_multiple_of(4));
    assert!(buf[len..].iter().all(|&octet| octet == 0xaa), "wrote past its length");
    let again = Options::parse(&buf[..len]);
    same_unless_too_long(&options, &again);

    // A second round loses nothing any more, and gives the same octets.
    let mut buf2 = [0xaa; MAX_OPTIONS_LEN];
    assert_eq!(again.emit(&mut buf2), len);
    assert_eq!(buf, buf2);
}

/// An area without padding can hold more than the customary layout has room for; only SACK blocks
/// and unknown options may get lost then, and the blocks from the end.
fn same_unless_too_long(options: &Options<'_>, again: &Options<'_>) {
    assert!(!again.malformed, "what was emitted is well-formed");
    let expected = Options { malformed: false, ..*options };
    if customary_len(options) <= MAX_OPTIONS_LEN {
        assert_eq!(*again, expected);
        return;
    }
    assert_eq!(Options { sack: options.sack, unknown: options.unknown, ..*again }, expected);
    assert!(options.sack.starts_with(&again.sack));
    let mut all = options.unknown();
    assert!(again.unknown().all(|kept| all.any(|one| one == kept)));
}

fn customary_len(options: &Options<'_>) -> usize {
    let mss = options.mss.map_or(0, |_| 4);
    let scale = options.window_scale.map_or(0, |_| 4);
    let clock = match options.timestamps {
        Some(_) => 12,
        None => usize::from(options.sack_permitted) * 4,
    };
    let sack = if options.sack.is_empty() { 0 } else { 4 + 8 * options.sack.len() };
    mss + scale + clock + sack + options.unknown().map(|(_, text)| 2 + text.len()).sum::<usize>()
}

/// What smoltcp accepts, we accept with the same values. It refuses more than we do (port zero,
/// odd mixtures of flags, malformed options) and keeps three SACK blocks of four.
fn second_opinion(bytes: &[u8], ours: Option<&Segment<'_>>) {
    let Ok(packet) = TcpPacket::new_checked(bytes) else {
        assert!(ours.is_none(), "a header that smoltcp finds too short");
        return;
    };
    let ours = ours.expect("a header that smoltcp finds long enough");
    assert_eq!(ours.payload, packet.payload());
    assert_eq!(ours.urgent, packet.urgent_at());
    let theirs = [
        (packet.fin(), Flags::FIN),
        (packet.syn(), Flags::SYN),
        (packet.rst(), Flags::RST),
        (packet.psh(), Flags::PSH),
        (packet.ack(), Flags::ACK),
        (packet.urg(), Flags::URG),
        (packet.ece(), Flags::ECE),
        (packet.cwr(), Flags::CWR),
        (packet.ns(), Flags::AE),
    ];
    for (set, flag) in theirs {
        assert_eq!(ours.flags.contains(flag), set, "{flag:?}");
    }
    let any = IpAddress::v4(0, 0, 0, 0);
    if let Ok(repr) = TcpRepr::parse(&packet, &any, &any, &ChecksumCapabilities::ignored()) {
        same_as_repr(ours, &repr);
    }
}

fn same_as_repr(ours: &Segment<'_>, repr: &TcpRepr<'_>) {
    assert_eq!((ours.src_port, ours.dst_port), (repr.src_port, repr.dst_port));
    assert_eq!(ours.seq.0, repr.seq_number.0 as u32);
    assert_eq!(ours.ack.0, repr.ack_number.map_or(0, |ack| ack.0 as u32));
    assert_eq!(ours.flags.contains(Flags::ACK), repr.ack_number.is_some());
    assert_eq!(ours.window, repr.window_len);
    assert_eq!(ours.seq_len() as usize, repr.segment_len());

    let options = &ours.options;
    assert!(!options.malformed);
    assert_eq!(options.mss, repr.max_seg_size);
    assert_eq!(options.window_scale, repr.window_scale);
    assert_eq!(options.sack_permitted, repr.sack_permitted);
    assert_eq!(
        options.timestamps.map(|t| (t.value, t.echo)),
        repr.timestamp.map(|t| (t.tsval, t.tsecr))
    );
    let blocks = options.sack.iter().take(3).map(|block| (block.start.0, block.end.0));
    assert!(blocks.eq(repr.sack_ranges.into_iter().flatten()));
}
