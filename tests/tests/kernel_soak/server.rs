//! What does our end of a soak do? It serves every kind of conversation on the stack, and opens some of
//! its own; what goes wrong is kept for the test.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tcp_async::{Keepalive, Net, TcpListener, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::text::{Header, Kind, PIECE, Place};

/// What our end has done so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Conversations that ended as they should, by kind.
    done: [AtomicU64; Kind::ALL.len()],
    opened: AtomicU64,
    octets_in: AtomicU64,
    octets_out: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    pub(crate) fn done(&self, kind: Kind) -> u64 {
        self.done[kind as usize].load(Relaxed)
    }

    /// Conversations that we have opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// All of them.
    pub(crate) fn connections(&self) -> u64 {
        Kind::ALL.iter().map(|kind| self.done(*kind)).sum::<u64>() + self.opened()
    }

    /// Octets received and sent by our end, headers left out.
    pub(crate) fn octets(&self) -> (u64, u64) {
        (self.octets_in.load(Relaxed), self.octets_out.load(Relaxed))
    }

    /// What went wrong.
    pub(crate) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().expect("no panic under it").clone()
    }

    fn blame(&self, what: String) {
        self.wrong.lock().expect("no panic under it").push(what);
    }
}

const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_secs(1), interval: Duration::from_secs(1), count: 9 };

/// Serves until the stack ends.
pub(crate) async fn serve(listener: TcpListener, tally: &'static Tally) {
    while let Ok((stream, peer)) = listener.accept().await {
        tokio::spawn(async move {
            let mut talk = Talk { stream, piece: Box::new([0; PIECE]), tally };
            match talk.header().await {
                Ok(header) => match talk.run(header).await {
                    Ok(()) => drop(tally.done[header.kind as usize].fetch_add(1, Relaxed)),
                    Err(e) => tally.blame(format!("{peer}, {header:?}: {e}")),
                },
                Err(e) => tally.blame(format!("{peer}, header: {e}")),
            }
        });
    }
}

type Wrong = Box<dyn std::error::Error + Send + Sync>;
type Result<T = ()> = std::result::Result<T, Wrong>;

/// One connection.
struct Talk {
    stream: TcpStream,
    piece: Box<[u8; PIECE]>,
    tally: &'static Tally,
}

impl Talk {
    async fn header(&mut self) -> Result<Header> {
        // The device's queue loses packets under load, and nobody sends a reset again.
        self.stream.set_keepalive(Some(KEEPALIVE))?;
        let mut header = [0; Header::LEN];
        self.stream.read_exact(&mut header).await?;
        Ok(Header::of(header)?)
    }

    async fn run(mut self, header: Header) -> Result {
        let len = header.len as usize;
        let (mut from, mut to) = (Place::new(header.number), Place::new(header.number));
        match header.kind {
            Kind::Echo => {
                self.answer_each(&mut from, &mut to, len).await?;
                self.end_of_text().await?;
                self.stream.shutdown().await?;
            }
            Kind::Requests | Kind::Short => {
                self.stream.set_nodelay(true)?;
                self.answer_each(&mut from, &mut to, len).await?;
                // An odd one closes first, so that TIME-WAIT is at either end.
                if header.number.is_multiple_of(2) {
                    self.end_of_text().await?;
                }
            }
            Kind::Upload => {
                self.receive(&mut from, len).await?;
                self.end_of_text().await?;
                self.stream.write_u32_le(header.len).await?;
            }
            Kind::Download | Kind::Trickle => self.send(&mut to, len).await?,
            Kind::HalfClosed => {
                self.send(&mut to, len).await?;
                self.stream.shutdown().await?;
                self.receive(&mut from, len).await?;
                self.end_of_text().await?;
            }
            Kind::ClientResets => {
                // From here on we know what the reset is for.
                self.stream.write_u8(0).await?;
                return self.read_to_reset(&mut from).await;
            }
            Kind::ServerResets => {
                self.send(&mut to, len).await?;
                self.stream.abort();
            }
            Kind::Unread => {
                // Something is there when the stream is dropped.
                self.stream.peek(&mut [0]).await?;
            }
        }
        Ok(())
    }

    async fn receive(&mut self, place: &mut Place, len: usize) -> Result {
        while place.passed() < len {
            self.receive_some(place, len).await?;
        }
        Ok(())
    }

    async fn receive_some(&mut self, place: &mut Place, len: usize) -> Result<usize> {
        let room = PIECE.min(len - place.passed());
        let n = self.stream.read(&mut self.piece[..room]).await?;
        if n == 0 {
            return Err(format!("the end after {} of {len} octets", place.passed()).into());
        }
        place.check(&self.piece[..n])?;
        self.tally.octets_in.fetch_add(n as u64, Relaxed);
        Ok(n)
    }

    async fn send(&mut self, place: &mut Place, len: usize) -> Result {
        let mut left = len;
        while left > 0 {
            let n = self.stream.write(place.next(left)).await?;
            place.advance(n);
            self.tally.octets_out.fetch_add(n as u64, Relaxed);
            left -= n;
        }
        Ok(())
    }

    /// What comes goes back at once.
    async fn answer_each(&mut self, from: &mut Place, to: &mut Place, len: usize) -> Result {
        while from.passed() < len {
            let n = self.receive_some(from, len).await?;
            self.send(to, n).await?;
        }
        Ok(())
    }

    async fn end_of_text(&mut self) -> Result {
        match self.stream.read(&mut [0; 16]).await? {
            0 => Ok(()),
            n => Err(format!("{n} octets more than were announced").into()),
        }
    }

    /// What comes before the reset is right, and then the reset is told.
    async fn read_to_reset(&mut self, place: &mut Place) -> Result {
        loop {
            match self.stream.read(&mut self.piece[..]).await {
                Ok(0) => return Err("an end where a reset was due".into()),
                Ok(n) => {
                    place.check(&self.piece[..n])?;
                    self.tally.octets_in.fetch_add(n as u64, Relaxed);
                }
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// Connects to an echo server of the kernel again and again, up to a time.
pub(crate) async fn call(
    net: Net,
    to: SocketAddr,
    seed: u32,
    until: Instant,
    tally: &'static Tally,
) {
    let mut number = seed;
    while Instant::now() < until {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let len = (number >> 12) as usize % (256 << 10);
        match echoed(&net, to, number, len, tally).await {
            Ok(()) => drop(tally.opened.fetch_add(1, Relaxed)),
            Err(e) => tally.blame(format!("to {to}, {number} with {len} octets: {e}")),
        }
    }
}

/// Writes and reads at the same time.
async fn echoed(
    net: &Net,
    to: SocketAddr,
    number: u32,
    len: usize,
    tally: &'static Tally,
) -> Result {
    let (reader, mut writer) = net.connect(to).await?.into_split();
    let sent = async {
        let mut place = Place::new(number);
        while place.passed() < len {
            let n = writer.write(place.next(len - place.passed())).await?;
            place.advance(n);
            tally.octets_out.fetch_add(n as u64, Relaxed);
        }
        writer.shutdown().await?;
        Result::Ok(())
    };
    let received = async {
        let (mut reader, mut place) = (reader, Place::new(number));
        let mut piece = vec![0; PIECE];
        loop {
            let n = reader.read(&mut piece).await?;
            if n == 0 {
                return Result::Ok(place.passed());
            }
            place.check(&piece[..n])?;
            tally.octets_in.fetch_add(n as u64, Relaxed);
        }
    };
    let (sent, received) = tokio::join!(sent, received);
    sent?;
    match received? {
        n if n == len => Ok(()),
        n => Err(format!("{n} of {len} octets came back").into()),
    }
}
