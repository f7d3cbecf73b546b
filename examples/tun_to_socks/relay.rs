//! What goes on between client and server? Octets in both directions, each closed for itself,
//! until both are, one fails, or nothing has moved for too long.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// Octets that are on their way in one direction.
const BUFFER: usize = 64 << 10;

/// What became of a connection.
pub(crate) struct Report {
    up: u64,
    down: u64,
    end: End,
}

enum End {
    Closed,
    Idle,
    Failed(io::Error),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes up, {} bytes down, ", self.up, self.down)?;
        match &self.end {
            End::Closed => f.write_str("closed"),
            End::Idle => f.write_str("idle too long, reset"),
            End::Failed(e) => write!(f, "reset ({e})"),
        }
    }
}

/// Copies in both directions. A connection that does not end in order is reset at both ends: its
/// peers would take a FIN for the end of the text.
pub(crate) async fn run(
    mut client: tcp_async::TcpStream,
    mut server: TcpStream,
    idle: Duration,
) -> Report {
    let (up, down) = (Meter::new(), Meter::new());
    let end = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let both = async {
            tokio::try_join!(
                copy(&mut from_client, &mut to_server, &up),
                copy(&mut from_server, &mut to_client, &down),
            )
        };
        tokio::select! {
            result = both => match result {
                Ok(_) => End::Closed,
                Err(e) => End::Failed(e),
            },
            () = idle_for(idle, [&up, &down]) => End::Idle,
        }
    };
    if !matches!(end, End::Closed) {
        // If that fails, the connection is gone already.
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
    Report { up: up.octets(), down: down.octets(), end }
}

/// Copies until the end of the text, and closes behind it.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    meter: &Meter,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        let mut rest = &buffer[..n];
        while !rest.is_empty() {
            let n = to.write(rest).await?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            meter.moved(n);
            rest = &rest[n..];
        }
    }
}

/// Octets of one direction, and when the last of them moved.
struct Meter {
    start: Instant,
    octets: AtomicU64,
    /// In milliseconds since the start.
    last: AtomicU64,
}

impl Meter {
    fn new() -> Meter {
        Meter { start: Instant::now(), octets: AtomicU64::new(0), last: AtomicU64::new(0) }
    }

    fn moved(&self, octets: usize) {
        self.octets.fetch_add(octets as u64, Ordering::Relaxed);
        self.last.store(self.start.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
}

/// Waits until nothing has moved in either direction for this long.
async fn idle_for(idle: Duration, meters: [&Meter; 2]) {
    loop {
        let [a, b] = meters.map(Meter::last);
        let until = a.max(b) + idle;
        if Instant::now() >= until {
            return;
        }
        sleep_until(until).await;
    }
}
