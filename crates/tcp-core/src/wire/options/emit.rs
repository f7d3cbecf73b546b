//! In which layout do options go out? The customary one, which peers and middleboxes parse on
//! their fast path: every value at a multiple of four (RFC 7323 appendix A, RFC 9293 3.2).

use super::sack::BLOCK_LEN;
use super::{
    MAX_OPTIONS_LEN, MSS, NOP, Options, PADDED_TIMESTAMPS, SACK, SACK_PERMITTED, Timestamps,
    WINDOW_SCALE,
};

const MSS_LEN: usize = 4;
const WINDOW_SCALE_LEN: usize = 4;
/// Timestamps, with two NOPs before them or SACK-permitted in their place.
const TIMESTAMPS_LEN: usize = 12;
const SACK_PERMITTED_LEN: usize = 4;
/// Two NOPs, kind and length.
const SACK_HEAD_LEN: usize = 4;

impl<'a> Options<'a> {
    /// Octets that [`emit`](Options::emit) writes: a multiple of four, at most
    /// [`MAX_OPTIONS_LEN`].
    ///
    /// ```
    /// use tcp_core::wire::Options;
    ///
    /// // An MSS takes four octets; a window scale three, and one of padding.
    /// let syn = Options { mss: Some(1460), window_scale: Some(7), ..Options::default() };
    /// assert_eq!(syn.emitted_len(), 8);
    /// assert_eq!(Options::default().emitted_len(), 0);
    /// ```
    #[inline]
    pub fn emitted_len(&self) -> usize {
        if !self.has_more_than_timestamps() {
            return if self.timestamps.is_some() { TIMESTAMPS_LEN } else { 0 };
        }
        let used = self.negotiation_len() + self.sack_len();
        let unknown = self.unknown_that_fit(used).map(|(_, text)| 2 + text.len()).sum::<usize>();
        (used + unknown).next_multiple_of(4)
    }

    /// Writes the options and returns [`emitted_len`](Options::emitted_len). On a SYN that is
    /// MSS, SACK-permitted with timestamps, window scale; else timestamps, SACK. SACK blocks that
    /// do not fit are left out from the end, then unknown options that do not fit.
    ///
    /// ```
    /// use tcp_core::wire::{MAX_OPTIONS_LEN, Options, Timestamps};
    ///
    /// let timestamps = Some(Timestamps { value: 1_000, echo: 70 });
    /// let options = Options { timestamps, ..Options::default() };
    /// let mut area = [0; MAX_OPTIONS_LEN];
    /// let len = options.emit(&mut area);
    /// assert_eq!((len, options.emitted_len()), (12, 12));
    /// assert_eq!(area[..len], [1, 1, 8, 10, 0, 0, 0x03, 0xe8, 0, 0, 0, 70]);
    ///
    /// let syn = Options { mss: Some(1460), sack_permitted: true, ..options };
    /// assert_eq!(syn.emit(&mut area), 16, "SACK-permitted takes the place of the padding");
    /// ```
    ///
    /// # Panics
    ///
    /// If `buf` is shorter than `emitted_len`.
    #[inline]
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        if self.has_more_than_timestamps() {
            return self.emit_any(buf);
        }
        match self.timestamps {
            Some(timestamps) => {
                buf[..TIMESTAMPS_LEN].copy_from_slice(&padded(timestamps));
                TIMESTAMPS_LEN
            }
            None => 0,
        }
    }

    fn emit_any(&self, buf: &mut [u8]) -> usize {
        let mut out = Writer { area: [0; MAX_OPTIONS_LEN], len: 0 };
        if let Some(mss) = self.mss {
            let [a, b] = mss.to_be_bytes();
            out.put(&[MSS, 4, a, b]);
        }
        match (self.timestamps, self.sack_permitted) {
            (Some(timestamps), sack_permitted) => {
                let mut option = padded(timestamps);
                if sack_permitted {
                    option[..2].copy_from_slice(&[SACK_PERMITTED, 2]);
                }
                out.put(&option);
            }
            (None, true) => out.put(&[NOP, NOP, SACK_PERMITTED, 2]),
            (None, false) => {}
        }
        if let Some(shift) = self.window_scale {
            out.put(&[NOP, WINDOW_SCALE, 3, shift]);
        }
        let blocks = self.sack_that_fit();
        if blocks > 0 {
            out.put(&[NOP, NOP, SACK, (2 + blocks * BLOCK_LEN) as u8]);
            for block in &self.sack[..blocks] {
                out.put(&block.start.0.to_be_bytes());
                out.put(&block.end.0.to_be_bytes());
            }
        }
        for (kind, text) in self.unknown_that_fit(out.len) {
            out.put(&[kind, 2 + text.len() as u8]);
            out.put(text);
        }
        // MUST-69: the area was zero, which is the end of the list and the padding behind it.
        let len = out.len.next_multiple_of(4);
        buf[..len].copy_from_slice(&out.area[..len]);
        len
    }

    #[inline]
    fn has_more_than_timestamps(&self) -> bool {
        self.mss.is_some()
            || self.window_scale.is_some()
            || self.sack_permitted
            || !self.sack.is_empty()
            || !self.unknown.area.is_empty()
    }

    /// Octets of everything but SACK blocks and unknown options: 20 at most, so it always fits.
    fn negotiation_len(&self) -> usize {
        let mss = if self.mss.is_some() { MSS_LEN } else { 0 };
        let scale = if self.window_scale.is_some() { WINDOW_SCALE_LEN } else { 0 };
        let clock = match (self.timestamps, self.sack_permitted) {
            (Some(_), _) => TIMESTAMPS_LEN,
            (None, true) => SACK_PERMITTED_LEN,
            (None, false) => 0,
        };
        mss + scale + clock
    }

    /// RFC 2018 3: four blocks, three beside timestamps.
    fn sack_that_fit(&self) -> usize {
        let room = MAX_OPTIONS_LEN - self.negotiation_len() - SACK_HEAD_LEN;
        self.sack.len().min(room / BLOCK_LEN)
    }

    fn sack_len(&self) -> usize {
        match self.sack_that_fit() {
            0 => 0,
            blocks => SACK_HEAD_LEN + blocks * BLOCK_LEN,
        }
    }

    fn unknown_that_fit(&self, mut used: usize) -> impl Iterator<Item = (u8, &'a [u8])> {
        self.unknown().filter(move |(_, text)| {
            let end = used + 2 + text.len();
            let fits = end <= MAX_OPTIONS_LEN;
            if fits {
                used = end;
            }
            fits
        })
    }
}

#[inline]
fn padded(timestamps: Timestamps) -> [u8; TIMESTAMPS_LEN] {
    let [a, b, c, d] = timestamps.value.to_be_bytes();
    let [e, f, g, h] = timestamps.echo.to_be_bytes();
    let [pad, pad2, kind, len] = PADDED_TIMESTAMPS;
    [pad, pad2, kind, len, a, b, c, d, e, f, g, h]
}

/// The option area while it grows. Whoever puts has made sure that it fits.
struct Writer {
    area: [u8; MAX_OPTIONS_LEN],
    len: usize,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.area[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}
