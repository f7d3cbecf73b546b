//! Who answers? The server side of a status socket: one task for each of a few clients, each with
//! bounded lines and bounded patience, so that nobody who looks can hurt the program.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, fchmod};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::protocol::{Question, Reply, Row};
use crate::net::Net;

/// Clients at once; more are told to come again.
pub const MAX_CLIENTS: usize = 8;

/// Octets of a question at most.
const LONGEST_QUESTION: u64 = 4096;

/// How long a client may say nothing.
const IDLE: Duration = Duration::from_secs(120);

/// How long a client may take to take a line.
const WRITE: Duration = Duration::from_secs(10);

/// Answers questions about a stack until it is dropped, or the stack ends. Dropping it removes the
/// socket.
///
/// ```
#[doc = include_str!("../../doc/status.rs")]
/// let server = net.serve_status(&path)?;
/// assert!(path.exists());
/// drop(server);
/// assert!(!path.exists());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the service"]
pub struct StatusServer {
    place: Place,
    task: tokio::task::JoinHandle<()>,
}

/// The socket's file, removed when nobody serves there any more.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// Device and inode: a successor may have put its own socket there.
    file: (u64, u64),
}

impl Drop for Place {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl StatusServer {
    /// Where it listens.
    ///
    /// ```
    #[doc = include_str!("../../doc/status.rs")]
    /// let server = net.serve_status(&path)?;
    /// assert_eq!(server.path(), path);
    /// # Ok(())
    /// # }
    /// ```
    pub fn path(&self) -> &Path {
        &self.place.path
    }
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Net {
    /// Serves the tables of this stack on a Unix socket at `path`, to the user that runs this
    /// program (mode 0600). A socket that a dead program has left there is replaced.
    ///
    /// ```
    #[doc = include_str!("../../doc/status.rs")]
    /// use std::io::ErrorKind;
    /// use std::os::unix::fs::PermissionsExt;
    ///
    /// let _server = net.serve_status(&path)?;
    /// let mode = std::fs::metadata(&path)?.permissions().mode();
    /// assert_eq!(mode & 0o777, 0o600);
    /// let second = net.serve_status(&path).unwrap_err();
    /// assert_eq!(second.kind(), ErrorKind::AddrInUse);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `AddrInUse` if a living program serves there, `AlreadyExists` if something else than a
    /// socket is there; otherwise what the system says.
    pub fn serve_status(&self, path: impl AsRef<Path>) -> io::Result<StatusServer> {
        let path = path.as_ref().to_owned();
        let listener = listen_at(&path)?;
        let found = fs::symlink_metadata(&path)?;
        let place = Place { path, file: (found.dev(), found.ino()) };
        let task = tokio::spawn(serve(self.clone(), listener));
        Ok(StatusServer { place, task })
    }
}

fn listen_at(path: &Path) -> io::Result<UnixListener> {
    remove_stale(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // On Linux the socket file takes over the descriptor's mode: no moment in which others may
    // connect. Elsewhere the change below is all there is.
    fchmod(&socket, Mode::from_raw_mode(0o600)).ok();
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listen(&socket, MAX_CLIENTS as i32)?;
    UnixListener::from_std(socket.into())
}

/// Makes place if a program that is gone has left its socket.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        let text = format!("{} exists and is not a socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(e) => Err(e),
        Ok(_) => {
            let text = format!("a living program serves at {}", path.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, text))
        }
    }
}

async fn serve(net: Net, listener: UnixListener) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(e) => {
                    // Out of descriptors, for example: that passes.
                    tracing::warn!(error = %e, "cannot accept a status client");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = net.ended() => break,
        };
        match places.clone().try_acquire_owned() {
            Ok(place) => {
                let net = net.clone();
                tokio::spawn(async move {
                    let _place = place;
                    if let Err(e) = answer(&net, stream).await {
                        tracing::debug!(error = %e, "a status client is gone");
                    }
                });
            }
            Err(_) => turn_away(&stream),
        }
    }
}

/// One line that fits any socket's buffer; nobody waits for it to be taken.
fn turn_away(stream: &UnixStream) {
    let message = format!("{MAX_CLIENTS} clients are being served; come again");
    if let Ok(line) = line_of(&Reply::Error { message }) {
        let _ = stream.try_write(&line);
    }
}

async fn answer(net: &Net, stream: UnixStream) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::with_capacity(LONGEST_QUESTION as usize, read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut read).take(LONGEST_QUESTION);
        let question = bounded.read_until(b'\n', &mut line);
        let asked = tokio::select! {
            asked = timeout(IDLE, question) => asked.unwrap_or(Ok(0))?,
            () = net.ended() => return Ok(()),
        };
        if asked == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            let message = format!("a question is a line of at most {LONGEST_QUESTION} octets");
            return say(&mut write, &Reply::Error { message }).await;
        }
        match serde_json::from_slice(&line) {
            Ok(q) => reply(net, &mut write, q).await?,
            Err(e) => say(&mut write, &Reply::Error { message: e.to_string() }).await?,
        }
    }
}

async fn reply(
    net: &Net,
    write: &mut (impl AsyncWriteExt + Unpin),
    question: Question,
) -> io::Result<()> {
    match question {
        Question::Counters => say(write, &Reply::from(&net.counters())).await,
        Question::Summary => say(write, &Reply::Summary(net.summary().into())).await,
        Question::Connections { filter } => match filter.to_filter() {
            Ok(filter) => {
                for slice in net.slices(filter) {
                    let rows: Vec<Row> = slice.into_iter().map(Row::from).collect();
                    if !rows.is_empty() {
                        say(write, &Reply::Rows { rows, more: true }).await?;
                    }
                    // The reactor may be a task of this thread.
                    tokio::task::yield_now().await;
                }
                say(write, &Reply::Rows { rows: Vec::new(), more: false }).await
            }
            Err(message) => say(write, &Reply::Error { message }).await,
        },
    }
}

fn line_of(reply: &Reply) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    Ok(line)
}

async fn say(write: &mut (impl AsyncWriteExt + Unpin), reply: &Reply) -> io::Result<()> {
    let line = line_of(reply)?;
    timeout(WRITE, write.write_all(&line)).await?
}
