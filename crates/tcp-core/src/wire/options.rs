//! What do the options of a header say? MSS, window scale, SACK, timestamps, and the others as
//! bytes (RFC 9293 3.2, RFC 7323 2.2 and 3.2, RFC 2018 2 and 3). Whether an option belongs on a
//! segment (MUST-65) and whether its value is believable is left to the connection.

mod emit;
mod sack;

pub use sack::{SackBlock, SackBlocks};

use core::fmt;

/// Octets that a header has room for beyond its fixed part: the data offset ends at 60.
pub const MAX_OPTIONS_LEN: usize = 40;

const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// The start of the options that nearly every segment in the middle of a connection has: padding
/// and a timestamp option, in the order of RFC 7323 appendix A.
const PADDED_TIMESTAMPS: [u8; 4] = [NOP, NOP, TIMESTAMPS, 10];

/// The largest window shift (RFC 7323 2.3).
const MAX_WINDOW_SCALE: u8 = 14;

/// The timestamp option (RFC 7323 3.2), in ticks of the sender's clock.
///
/// ```
/// use tcp_core::wire::{Options, Timestamps};
///
/// let options = Options::parse(&[1, 1, 8, 10, 0, 0, 0x03, 0xe8, 0, 0, 0, 70]);
/// assert_eq!(options.timestamps, Some(Timestamps { value: 1_000, echo: 70 }));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timestamps {
    /// TSval: the sender's clock.
    pub value: u32,
    /// TSecr: the value echoed; meaningless without ACK.
    pub echo: u32,
}

impl Timestamps {
    #[inline]
    fn parse(&[a, b, c, d, e, f, g, h]: &[u8; 8]) -> Timestamps {
        Timestamps {
            value: u32::from_be_bytes([a, b, c, d]),
            echo: u32::from_be_bytes([e, f, g, h]),
        }
    }
}

/// The options of one segment. Of an option that occurs twice the last one counts.
///
/// A new one is best written `Options { mss: Some(1460), ..Options::default() }`.
///
/// ```
/// use tcp_core::wire::Options;
///
/// // MSS, SACK-permitted, window scale, and an experiment of two octets.
/// let area = [2, 4, 0x05, 0xb4, 4, 2, 3, 3, 7, 253, 4, b'h', b'i', 0, 0, 0];
/// let options = Options::parse(&area);
/// assert_eq!((options.mss, options.window_scale), (Some(1460), Some(7)));
/// assert!(options.sack_permitted && options.timestamps.is_none());
/// assert_eq!(options.unknown().collect::<Vec<_>>(), [(253, &b"hi"[..])]);
///
/// // Where the length of the window scale would be, the header ends: the MSS counts.
/// let cut = Options::parse(&[2, 4, 0x05, 0xb4, 3]);
/// assert!(cut.malformed);
/// assert_eq!(cut.mss, Some(1460));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options<'a> {
    /// The largest text the sender takes, in octets (MUST-14; RFC 9293 3.7.1). Zero is possible.
    pub mss: Option<u16>,
    /// The shift of the sender's windows, at most 14 once parsed (RFC 7323 2.2).
    pub window_scale: Option<u8>,
    /// The sender understands SACK (RFC 2018 2).
    pub sack_permitted: bool,
    /// The sender's clock and the echo of ours (RFC 7323 3.2).
    pub timestamps: Option<Timestamps>,
    /// Ranges that the sender holds past the acknowledgment (RFC 2018 3), as they stood: order,
    /// emptiness and overlap are not checked.
    pub sack: SackBlocks,
    /// Options that this module has no name for; an option of a known kind with a length that
    /// the kind does not have is among them.
    pub unknown: UnknownOptions<'a>,
    /// MUST-7: a length below two or past the end stopped the parsing; what came before counts.
    /// Not emitted.
    pub malformed: bool,
}

impl<'a> Options<'a> {
    /// Reads the option area of a header (the octets after the first 20, up to the data offset).
    /// Never fails: see `malformed`. No more than the first [`MAX_OPTIONS_LEN`] octets count.
    // MUST-5: one parser for every segment, whatever its flags.
    #[inline]
    pub fn parse(area: &'a [u8]) -> Options<'a> {
        if area.is_empty() {
            return Options::default();
        }
        if area.len() == PADDED_TIMESTAMPS.len() + 8
            && let Some((&PADDED_TIMESTAMPS, text)) = area.split_first_chunk()
            && let Some(text) = text.first_chunk()
        {
            return Options { timestamps: Some(Timestamps::parse(text)), ..Options::default() };
        }
        Options::parse_any(&area[..area.len().min(MAX_OPTIONS_LEN)])
    }

    #[inline(never)]
    fn parse_any(area: &'a [u8]) -> Options<'a> {
        let mut options = Options::default();
        let mut walk = Walk { rest: area };
        let mut unknown = None;
        loop {
            match walk.step() {
                Step::Option { kind, text } => match Known::recognise(kind, text) {
                    Some(known) => options.set(known),
                    None => {
                        // MUST-6: skipped by its length, which MUST-68 promises to be there.
                        let end = area.len() - walk.rest.len();
                        let (start, _) = unknown.unwrap_or((end - text.len() - 2, end));
                        unknown = Some((start, end));
                    }
                },
                Step::End => break,
                Step::Malformed => {
                    options.malformed = true;
                    break;
                }
            }
        }
        if let Some((start, end)) = unknown {
            options.unknown = UnknownOptions { area: &area[start..end] };
        }
        options
    }

    fn set(&mut self, known: Known) {
        match known {
            Known::Mss(mss) => self.mss = Some(mss),
            Known::WindowScale(shift) => self.window_scale = Some(shift),
            Known::SackPermitted => self.sack_permitted = true,
            Known::Sack(blocks) => self.sack = blocks,
            Known::Timestamps(timestamps) => self.timestamps = Some(timestamps),
        }
    }

    /// The options without a field of their own, in order: kind and the octets after the length.
    pub fn unknown(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        self.unknown.iter()
    }
}

/// Options that are kept as bytes: experiments (RFC 6994), Fast Open, and what is yet to come.
/// Two are equal if they yield the same options.
///
/// ```
/// use tcp_core::wire::{Options, UnknownOptions};
///
/// let experiment = UnknownOptions::new(&[253, 4, b'h', b'i']);
/// assert_eq!(experiment.iter().next(), Some((253, &b"hi"[..])));
///
/// let options = Options { mss: Some(1460), unknown: experiment, ..Options::default() };
/// let mut area = [0; 8];
/// options.emit(&mut area);
/// assert_eq!(area, [2, 4, 0x05, 0xb4, 253, 4, b'h', b'i']);
/// // All of it again: the MSS is no unknown option.
/// assert_eq!(UnknownOptions::new(&area), experiment);
/// ```
#[derive(Clone, Copy, Default)]
pub struct UnknownOptions<'a> {
    /// A stretch of an option area that may contain padding and known options as well.
    area: &'a [u8],
}

impl<'a> UnknownOptions<'a> {
    /// From options in wire format: kind, length (with these two octets), text. Options that have
    /// a field in [`Options`] are passed over, as is all that follows an impossible length.
    pub const fn new(area: &'a [u8]) -> UnknownOptions<'a> {
        UnknownOptions { area }
    }

    /// Kind and text of each.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut walk = Walk { rest: self.area };
        core::iter::from_fn(move || match walk.step() {
            Step::Option { kind, text } => Some((kind, text)),
            Step::End | Step::Malformed => None,
        })
        .filter(|(kind, text)| Known::recognise(*kind, text).is_none())
    }
}

impl PartialEq for UnknownOptions<'_> {
    fn eq(&self, other: &UnknownOptions<'_>) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for UnknownOptions<'_> {}

impl fmt::Debug for UnknownOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Goes through an option area octet by octet: MUST-64, nothing here asks for an alignment.
struct Walk<'a> {
    rest: &'a [u8],
}

enum Step<'a> {
    Option { kind: u8, text: &'a [u8] },
    End,
    Malformed,
}

impl<'a> Walk<'a> {
    /// The next option that is not padding (MUST-4). After `End` or `Malformed` it makes no sense
    /// to ask again.
    fn step(&mut self) -> Step<'a> {
        loop {
            match *self.rest {
                // MUST-69 speaks to the sender: what follows the end of the list is not looked at.
                [] | [END, ..] => return Step::End,
                [NOP, ref rest @ ..] => self.rest = rest,
                // MUST-7: a kind without a length, a length that does not even count itself and
                // the kind, and one that leaves the header.
                [_] => return Step::Malformed,
                [kind, len, ref rest @ ..] => {
                    let text_len = usize::from(len).checked_sub(2);
                    let Some((text, rest)) = text_len.and_then(|len| rest.split_at_checked(len))
                    else {
                        return Step::Malformed;
                    };
                    self.rest = rest;
                    return Step::Option { kind, text };
                }
            }
        }
    }
}

/// An option that has a field in [`Options`].
enum Known {
    Mss(u16),
    WindowScale(u8),
    SackPermitted,
    Sack(SackBlocks),
    Timestamps(Timestamps),
}

impl Known {
    /// `None` for other kinds and for lengths that the kind does not have: the list goes on
    /// behind them, so they are skipped like unknown ones.
    #[inline]
    fn recognise(kind: u8, text: &[u8]) -> Option<Known> {
        match (kind, text) {
            (MSS, &[a, b]) => Some(Known::Mss(u16::from_be_bytes([a, b]))),
            // RFC 7323 2.3: a larger shift is taken for 14.
            (WINDOW_SCALE, &[shift]) => Some(Known::WindowScale(shift.min(MAX_WINDOW_SCALE))),
            (SACK_PERMITTED, []) => Some(Known::SackPermitted),
            (SACK, text) => SackBlocks::parse(text).map(Known::Sack),
            (TIMESTAMPS, text) => <&[u8; 8]>::try_from(text)
                .ok()
                .map(|text| Known::Timestamps(Timestamps::parse(text))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
