//! What does the kernel's end of a soak do? Threads with blocking sockets, each with one connection after
//! the other, of a kind and a length that its generator of random numbers says; and echo servers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rustix::net::sockopt;
use stack_tests::kernel::{KernelListener, connect};

use crate::text::{Header, Kind, PIECE, Place};

/// Conversations of each kind.
pub(crate) type Counts = [u64; Kind::ALL.len()];

/// Talks with servers of ours up to a time; each conversation must go as its kind says.
pub(crate) fn talk(servers: &[SocketAddr], seed: u64, until: Instant) -> Result<Counts, String> {
    let (mut rng, mut counts) = (SmallRng::seed_from_u64(seed), Counts::default());
    while Instant::now() < until {
        let to = servers[rng.random_range(0..servers.len())];
        let kind = kind(&mut rng);
        let header = Header { kind, number: rng.random(), len: len(kind, &mut rng) };
        let result = Talk::open(to, header).and_then(|t| t.run(&mut rng));
        result.map_err(|e| format!("seed {seed}, {header:?} with {to}: {e}"))?;
        counts[kind as usize] += 1;
    }
    Ok(counts)
}

/// Half of them are short.
fn kind(rng: &mut SmallRng) -> Kind {
    if rng.random() { Kind::Short } else { Kind::ALL[rng.random_range(0..Kind::ALL.len())] }
}

/// Small ones more often than large ones.
fn len(kind: Kind, rng: &mut SmallRng) -> u32 {
    let most: u32 = match kind {
        Kind::Short => return 1,
        Kind::Echo | Kind::Requests => 128 << 10,
        Kind::Trickle => 64 << 10,
        Kind::Upload | Kind::Download | Kind::HalfClosed => 4 << 20,
        Kind::ClientResets | Kind::ServerResets | Kind::Unread => 256 << 10,
    };
    let most = most >> rng.random_range(0..8);
    rng.random_range(1..=most)
}

type Wrong = Box<dyn std::error::Error>;

struct Talk {
    stream: TcpStream,
    header: Header,
    piece: [u8; PIECE],
}

impl Talk {
    fn open(to: SocketAddr, header: Header) -> Result<Talk, Wrong> {
        let mut stream = connect(to)?;
        stream.write_all(&header.to_octets())?;
        Ok(Talk { stream, header, piece: [0; PIECE] })
    }

    fn run(mut self, rng: &mut SmallRng) -> Result<(), Wrong> {
        let len = self.header.len as usize;
        let [mut from, mut to] = [Place::new(self.header.number), Place::new(self.header.number)];
        match self.header.kind {
            Kind::Echo => {
                self.exchange(&mut from, &mut to, PIECE, rng)?;
                self.stream.shutdown(Shutdown::Write)?;
                self.end_of_text()?;
            }
            Kind::Requests | Kind::Short => {
                self.stream.set_nodelay(true)?;
                self.exchange(&mut from, &mut to, 1024, rng)?;
                if self.header.number.is_multiple_of(2) {
                    self.stream.shutdown(Shutdown::Write)?;
                }
                self.end_of_text()?;
            }
            Kind::Upload => {
                self.send(&mut to, len)?;
                self.stream.shutdown(Shutdown::Write)?;
                let mut said = [0; 4];
                self.stream.read_exact(&mut said)?;
                if said != self.header.len.to_le_bytes() {
                    return Err(format!("{said:?} where the length was due").into());
                }
                self.end_of_text()?;
            }
            Kind::Trickle => {
                // The kernel doubles it, and half of that is bookkeeping.
                sockopt::set_socket_recv_buffer_size(&self.stream, 4096)?;
                self.receive(&mut from, len, 512)?;
                self.end_of_text()?;
            }
            Kind::Download => {
                self.receive(&mut from, len, PIECE)?;
                self.end_of_text()?;
            }
            Kind::HalfClosed => {
                self.receive(&mut from, len, PIECE)?;
                self.end_of_text()?;
                self.send(&mut to, len)?;
            }
            Kind::ClientResets => {
                self.stream.read_exact(&mut [0])?;
                self.send(&mut to, len)?;
                sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO))?;
            }
            Kind::ServerResets => self.read_to_reset(&mut from)?,
            // Both calls may be the first to hear of it.
            Kind::Unread => match self.send(&mut to, len) {
                Ok(()) => self.read_to_reset(&mut from)?,
                Err(e) => reset(e)?,
            },
        }
        Ok(())
    }

    fn send(&mut self, place: &mut Place, len: usize) -> io::Result<()> {
        let end = place.passed() + len;
        while place.passed() < end {
            let n = self.stream.write(place.next(end - place.passed()))?;
            place.advance(n);
        }
        Ok(())
    }

    fn receive(&mut self, place: &mut Place, len: usize, at_once: usize) -> Result<(), Wrong> {
        let end = place.passed() + len;
        while place.passed() < end {
            let room = at_once.min(end - place.passed());
            let n = self.stream.read(&mut self.piece[..room])?;
            if n == 0 {
                return Err(format!("the end after {} octets", place.passed()).into());
            }
            place.check(&self.piece[..n])?;
        }
        Ok(())
    }

    /// Pieces there and back, of any length up to `most`.
    fn exchange(
        &mut self,
        from: &mut Place,
        to: &mut Place,
        most: usize,
        rng: &mut SmallRng,
    ) -> Result<(), Wrong> {
        let len = self.header.len as usize;
        while to.passed() < len {
            let n = rng.random_range(1..=most).min(len - to.passed());
            self.send(to, n)?;
            self.receive(from, n, most)?;
        }
        Ok(())
    }

    fn end_of_text(&mut self) -> Result<(), Wrong> {
        match self.stream.read(&mut self.piece)? {
            0 => Ok(()),
            n => Err(format!("{n} octets more than were due").into()),
        }
    }

    /// What comes before the reset is right.
    fn read_to_reset(&mut self, place: &mut Place) -> Result<(), Wrong> {
        loop {
            match self.stream.read(&mut self.piece) {
                Ok(0) => return Err("an end where a reset was due".into()),
                Ok(n) => place.check(&self.piece[..n])?,
                Err(e) => return reset(e),
            }
        }
    }
}

fn reset(e: io::Error) -> Result<(), Wrong> {
    match e.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(()),
        _ => Err(e.into()),
    }
}

/// Sends back what comes on one connection after the other, up to the first one once it is over.
pub(crate) fn echo(listener: &KernelListener, over: &AtomicBool) -> io::Result<()> {
    let mut piece = [0; PIECE];
    loop {
        let mut stream = listener.accept();
        if over.load(Relaxed) {
            return Ok(());
        }
        loop {
            match stream.read(&mut piece)? {
                0 => break,
                n => stream.write_all(&piece[..n])?,
            }
        }
    }
}
