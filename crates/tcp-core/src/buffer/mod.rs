//! Where do a connection's bytes lie? Written ones until they are acknowledged (`SendBuffer`),
//! received ones until they are read (`ReceiveBuffer`), and what lies past a gap (`Assembler`).
//! Windows and limits are the caller's (RFC 9293 3.8.6, RFC 2018 4, RFC 2883 4).
//!
//! Nothing here allocates before the first byte, so that an idle connection holds no buffer. What
//! leaves this module is the [`Payload`] of a segment.

mod assembler;
mod receive;
mod send;

pub(crate) use receive::ReceiveBuffer;
pub(crate) use send::{CHUNK, LEAST_REFERENCE, SendBuffer};

use bytes::Bytes;
use smallvec::SmallVec;

/// The bytes of one segment, or super-segment, as reference-counted slices in order of sequence.
///
/// They stay valid and unchanged whatever happens to the buffer that they come from, so that a
/// packet can be on its way to the device while the connection goes on without a lock.
///
/// ```
/// use tcp_core::buffer::Payload;
/// use tcp_core::connection::Limits;
#[doc = include_str!("../../doc/established.rs")]
///
/// client.write(now, b"hello")?;
/// let mut text = Payload::new();
/// let packet = client.poll_transmit(now, &Limits::default(), &mut text).unwrap();
/// // The text stays, whatever happens to the connection.
/// client.abort();
/// assert_eq!((text.concat().as_slice(), packet.payload_len), (&b"hello"[..], 5));
/// # Ok::<(), tcp_core::error::UserError>(())
/// ```
pub type Payload = SmallVec<[Bytes; 2]>;
