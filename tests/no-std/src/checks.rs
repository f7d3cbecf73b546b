//! What of tcp-core is run here? Enough that the linker must bring it in, allocation included.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use tcp_core::wire::{Flags, MAX_HEADER_LEN, Options, Segment, SegmentError, Timestamps};
use tcp_core::{Endpoint, Instant, SeqNum, Tuple};

/// The check that failed; its number is the program's exit status.
#[derive(Clone, Copy)]
pub enum Failed {
    Sequence = 1,
    Time = 2,
    Names = 3,
    Wire = 4,
    Conversation = 5,
}

/// All checks, up to the first that fails.
pub fn run() -> Result<(), Failed> {
    expect(sequence(), Failed::Sequence)?;
    expect(time(), Failed::Time)?;
    expect(names(), Failed::Names)?;
    expect(wire(), Failed::Wire)?;
    expect(crate::conversation::holds(), Failed::Conversation)
}

fn expect(holds: bool, otherwise: Failed) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Sequence numbers keep their order across the wrap.
fn sequence() -> bool {
    let numbers: Vec<SeqNum> = (0..64).map(|i| SeqNum(u32::MAX - 31) + i).collect();
    numbers.windows(2).all(|pair| pair[0].before(pair[1]) && pair[1].distance_from(pair[0]) == 1)
}

/// Deadlines far away saturate.
fn time() -> bool {
    let start = Instant::from_millis(5);
    start + Duration::MAX == Instant::FAR_FUTURE
        && (start + Duration::from_millis(7)).since(start) == Duration::from_millis(7)
}

/// The peer names a connection the other way round.
fn names() -> bool {
    let end = |port| Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let tuple = Tuple { local: end(80), remote: end(49_152) };
    tuple.flipped().flipped() == tuple && tuple.flipped() != tuple
}

/// A segment survives the way to octets and back; garbage is an error.
fn wire() -> bool {
    let options = Options {
        mss: Some(1460),
        timestamps: Some(Timestamps { value: 1, echo: 2 }),
        ..Options::default()
    };
    let syn =
        Segment { seq: SeqNum(7), flags: Flags::SYN, window: 9, options, ..Segment::default() };
    let mut octets = [0; MAX_HEADER_LEN];
    let len = syn.emit_header(&mut octets);
    Segment::parse(&octets[..len]) == Ok(syn)
        && Segment::parse(&octets[..19]) == Err(SegmentError::TooShort)
        && Segment::parse(&[0; 20]) == Err(SegmentError::BadDataOffset)
}
