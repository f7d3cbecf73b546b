//! What do the bytes of a segment say, and which bytes say it? Values to bytes and back, without
//! state (RFC 9293 3.1, 3.2). What a value means for a connection, and whether it is acceptable,
//! is left to the receiver; IP headers are left to the device's side.

pub mod checksum;
pub mod flags;
pub mod options;
pub mod segment;

pub use checksum::Sum;
pub use flags::Flags;
pub use options::{MAX_OPTIONS_LEN, Options, SackBlock, SackBlocks, Timestamps, UnknownOptions};
pub use segment::{CHECKSUM_OFFSET, MAX_HEADER_LEN, MIN_HEADER_LEN, Segment, SegmentError};
