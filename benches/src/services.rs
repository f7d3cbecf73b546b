//! What does a benchmark client talk to? Discard, source, echo and idle, each on its port.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A service and its port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// 7001: reads until the end.
    Discard,
    /// 7002: reads four octets (milliseconds, little endian), then sends for that long.
    Source,
    /// 7003: sends back what it reads.
    Echo,
    /// 7004: holds the connection until the end.
    Idle,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 4] = [Service::Discard, Service::Source, Service::Echo, Service::Idle];

    /// The port it listens on.
    pub const fn port(self) -> u16 {
        match self {
            Service::Discard => 7001,
            Service::Source => 7002,
            Service::Echo => 7003,
            Service::Idle => 7004,
        }
    }

    /// Serves one connection.
    ///
    /// # Errors
    /// What the stream says.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, mut s: S) -> io::Result<()> {
        match self {
            Service::Discard => discard(&mut s).await?,
            Service::Source => return source(&mut s).await,
            Service::Echo => echo(&mut s).await?,
            Service::Idle => {
                let _text_or_end = s.read(&mut [0]).await?;
            }
        }
        s.shutdown().await
    }
}

async fn discard<S: AsyncRead + Unpin>(s: &mut S) -> io::Result<()> {
    let mut buf = vec![0; 256 << 10];
    while s.read(&mut buf).await? != 0 {}
    Ok(())
}

async fn source<S: AsyncRead + AsyncWrite + Unpin>(s: &mut S) -> io::Result<()> {
    let mut ms = [0; 4];
    s.read_exact(&mut ms).await?;
    let end = Instant::now() + Duration::from_millis(u32::from_le_bytes(ms).into());
    let buf = vec![0; 128 << 10];
    while Instant::now() < end {
        s.write_all(&buf).await?;
    }
    s.shutdown().await?;
    let mut rest = [0; 16];
    while s.read(&mut rest).await? != 0 {}
    Ok(())
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(s: &mut S) -> io::Result<()> {
    let mut buf = vec![0; 4096];
    loop {
        let n = s.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        s.write_all(&buf[..n]).await?;
    }
}
