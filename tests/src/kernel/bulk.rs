//! Is a large transfer the same at both ends? Text that never repeats, made as it is sent and
//! hashed as it is received (SHA-256), on either side of the wire.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Octets read or written at once.
const CHUNK: usize = 256 << 10;

/// A mebibyte.
pub const MIB: u64 = 1 << 20;

/// A pseudo-random text of a given length.
#[derive(Clone, Debug)]
pub struct Text {
    state: u64,
    left: u64,
}

impl Text {
    /// The text of `seed` with `len` octets, a multiple of 8.
    pub fn new(seed: u64, len: u64) -> Text {
        assert!(len.is_multiple_of(8));
        Text { state: seed.wrapping_mul(2).wrapping_add(1), left: len }
    }

    /// Writes the next octets into `chunk`; returns how many.
    fn fill(&mut self, chunk: &mut [u8]) -> usize {
        let len = usize::try_from(self.left).map_or(chunk.len(), |left| left.min(chunk.len()));
        for word in chunk[..len].chunks_exact_mut(8) {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            word.copy_from_slice(&self.state.to_le_bytes());
        }
        self.left -= len as u64;
        len
    }

    /// What its reader must have received.
    pub fn expected(&self) -> Received {
        let (mut text, mut tally) = (self.clone(), Tally::default());
        let mut chunk = vec![0; CHUNK];
        loop {
            match text.fill(&mut chunk) {
                0 => return tally.finish(),
                n => tally.take(&chunk[..n]),
            }
        }
    }

    /// Writes all of it to a socket of the kernel.
    ///
    /// # Errors
    /// What writing says.
    pub fn send(mut self, to: &mut impl Write) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            match self.fill(&mut chunk) {
                0 => return Ok(()),
                n => to.write_all(&chunk[..n])?,
            }
        }
    }

    /// Writes all of it to a stream of ours.
    ///
    /// # Errors
    /// What writing says.
    pub async fn send_async(mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            match self.fill(&mut chunk) {
                0 => return Ok(()),
                n => to.write_all(&chunk[..n]).await?,
            }
        }
    }
}

/// A text as it arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// Octets.
    pub len: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

#[derive(Default)]
struct Tally {
    len: u64,
    hash: Sha256,
}

impl Tally {
    fn take(&mut self, chunk: &[u8]) {
        self.len += chunk.len() as u64;
        self.hash.update(chunk);
    }

    fn finish(self) -> Received {
        Received { len: self.len, sha256: self.hash.finalize().into() }
    }
}

/// Reads a socket of the kernel to its end.
///
/// # Errors
/// What reading says.
pub fn receive(from: &mut impl Read) -> io::Result<Received> {
    let (mut chunk, mut tally) = (vec![0; CHUNK], Tally::default());
    loop {
        match from.read(&mut chunk)? {
            0 => return Ok(tally.finish()),
            n => tally.take(&chunk[..n]),
        }
    }
}

/// Reads a stream of ours to its end.
///
/// # Errors
/// What reading says.
pub async fn receive_async(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Received> {
    let (mut chunk, mut tally) = (vec![0; CHUNK], Tally::default());
    loop {
        match from.read(&mut chunk).await? {
            0 => return Ok(tally.finish()),
            n => tally.take(&chunk[..n]),
        }
    }
}

/// Measures a transfer and prints its rate, for a look with `--nocapture`.
#[derive(Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Prints what took how long.
    pub fn print(&self, what: &str, octets: u64) -> Duration {
        let took = self.0.elapsed();
        let gigabits = octets as f64 * 8e-9 / took.as_secs_f64();
        println!("{what}: {octets} octets in {:.3} s, {gigabits:.2} Gbit/s", took.as_secs_f64());
        took
    }
}
