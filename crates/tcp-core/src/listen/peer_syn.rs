//! What does a SYN say? As much of it as a passive open has to remember (RFC 9293 3.7.1, RFC 7323 2.2
//! and 3.2, RFC 2018 2).

use crate::wire::{Options, Segment, Timestamps};

/// What the peer's SYN said.
///
/// ```
#[doc = include_str!("../../doc/established.rs")]
#[doc = include_str!("../../doc/half_open.rs")]
/// let said = PeerSyn::of(&syn);
/// assert_eq!((said.mss, said.window_scale, said.sack), (Some(1460), Some(7), true));
/// assert_eq!(said.timestamp, Some(30)); // milliseconds of the peer's clock
/// assert_eq!(said.window, 65_535);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct PeerSyn {
    /// Its MSS option.
    pub mss: Option<u16>,
    /// Its window scale, if it offered one.
    pub window_scale: Option<u8>,
    /// It permits SACK.
    pub sack: bool,
    /// Its timestamp, if it offered timestamps.
    pub timestamp: Option<u32>,
    /// Its window, never scaled.
    pub window: u16,
}

impl PeerSyn {
    /// What `syn` says.
    pub fn of(syn: &Segment<'_>) -> PeerSyn {
        PeerSyn {
            mss: syn.options.mss,
            window_scale: syn.options.window_scale,
            sack: syn.options.sack_permitted,
            timestamp: syn.options.timestamps.map(|t| t.value),
            window: syn.window,
        }
    }

    pub(crate) fn as_options(&self) -> Options<'static> {
        Options {
            mss: self.mss,
            window_scale: self.window_scale,
            sack_permitted: self.sack,
            timestamps: self.timestamp.map(|value| Timestamps { value, echo: 0 }),
            ..Options::default()
        }
    }
}
