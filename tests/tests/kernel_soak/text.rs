//! What do the two ends of a soak say? A header that names the kind of conversation, then text whose
//! every octet both ends know.

use std::sync::LazyLock;

/// Octets until the text repeats: a prime, so that no ring or window has a multiple of it.
const PERIOD: usize = 1_048_573;
/// The most that is written or compared at once.
pub(crate) const PIECE: usize = 16 << 10;

/// The text, and its beginning once more, so that no piece has to be put together.
static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut text: Vec<u8> = (0..PERIOD)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect();
    text.extend_from_within(..PIECE);
    text
});

/// A place in the text, which moves on as octets are sent or received.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    at: usize,
    begun: usize,
}

impl Place {
    /// Where a conversation with this number begins.
    pub(crate) fn new(number: u32) -> Place {
        let at = number as usize % PERIOD;
        Place { at, begun: at }
    }

    /// Octets gone by.
    pub(crate) fn passed(&self) -> usize {
        self.at - self.begun
    }

    /// The next octets, at most `len` and at most a piece.
    pub(crate) fn next(&self, len: usize) -> &'static [u8] {
        let from = self.at % PERIOD;
        &TEXT[from..from + len.min(PIECE)]
    }

    pub(crate) fn advance(&mut self, by: usize) {
        self.at += by;
    }

    /// Compares what has come, at most a piece, with what is due.
    pub(crate) fn check(&mut self, octets: &[u8]) -> Result<(), String> {
        if octets != self.next(octets.len()) {
            return Err(format!(
                "wrong text within {} octets behind {}",
                octets.len(),
                self.passed()
            ));
        }
        self.advance(octets.len());
        Ok(())
    }
}

/// What a client asks for. The client is whoever connects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// All that comes goes back, until the client closes its direction.
    Echo,
    /// The client's pieces, each answered by one, then the client closes.
    Requests,
    /// Text to the server, half-closed; the server says how much came, and closes.
    Upload,
    /// Text to the client; the server closes first.
    Download,
    /// The same through a small window.
    Trickle,
    /// One octet there and back.
    Short,
    /// The server sends and closes its direction; then it receives as much.
    HalfClosed,
    /// The client resets while it sends.
    ClientResets,
    /// The server resets while it sends.
    ServerResets,
    /// The server closes with text unread, which resets (RFC 1122 4.2.2.13).
    Unread,
}

impl Kind {
    pub(crate) const ALL: [Kind; 10] = [
        Kind::Echo,
        Kind::Requests,
        Kind::Upload,
        Kind::Download,
        Kind::Trickle,
        Kind::Short,
        Kind::HalfClosed,
        Kind::ClientResets,
        Kind::ServerResets,
        Kind::Unread,
    ];
}

/// The first octets of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// Where in the text it begins, in both directions.
    pub(crate) number: u32,
    /// Octets of a direction.
    pub(crate) len: u32,
}

impl Header {
    pub(crate) const LEN: usize = 9;

    pub(crate) fn to_octets(self) -> [u8; Header::LEN] {
        let mut octets = [self.kind as u8; Header::LEN];
        octets[1..5].copy_from_slice(&self.number.to_le_bytes());
        octets[5..].copy_from_slice(&self.len.to_le_bytes());
        octets
    }

    pub(crate) fn of(octets: [u8; Header::LEN]) -> Result<Header, String> {
        let [kind, rest @ ..] = octets;
        let kind = Kind::ALL.get(usize::from(kind)).ok_or_else(|| format!("{kind} is no kind"))?;
        let number =
            |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        Ok(Header { kind: *kind, number: number(0), len: number(4) })
    }
}
