//! How does a test run a server that somebody else wrote? Where its program is, a directory of its
//! own, a user without rights, until when it is not ready, and how it is ended.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{GUARD, Namespace};

/// Where a program is, in the directories of `PATH` or in one of `others`. None, and a line on
/// standard error, if its Debian package is not installed; where CI is set that is no excuse.
///
/// # Panics
/// If CI is set and the program is not there.
pub fn program(name: &str, package: &str, others: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(others.iter().map(PathBuf::from));
    let found = dirs.map(|dir| dir.join(name)).find(|path| path.is_file());
    missing(found, &format!("`{name}` is not installed (package {package})"))
}

/// Says that a test is skipped for want of something; where CI is set, fails instead.
pub(super) fn missing<T>(found: Option<T>, what: &str) -> Option<T> {
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{what}, and in CI it must be");
        // Past the harness, which keeps what a test that passes prints.
        let _ = writeln!(io::stderr(), "skipped: {what}");
    }
    found
}

/// A temporary directory that belongs to a user without rights.
///
/// # Panics
/// If it can't be made.
pub fn directory_of(user: &str) -> TempDir {
    let dir = TempDir::with_prefix("tcp-test-").expect("a temporary directory");
    let status = Command::new("chown").arg(user).arg(dir.path()).status();
    assert!(status.expect("chown runs").success(), "the user {user} is there");
    dir
}

/// A command inside the namespace that runs as a user without rights.
pub fn command_as(namespace: &Namespace, user: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = namespace.command("setpriv");
    command.args(["--reuid", user, "--regid", "nogroup", "--clear-groups", "--no-new-privs"]);
    command.arg(program);
    command
}

/// A running server; ended when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts it. What it says goes to a file in `dir`, which a failure shows.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn start(mut command: Command, dir: &Path) -> Server {
        let log = dir.join("log");
        let file = fs::File::create(&log).expect("a file for what it says");
        let other = file.try_clone().expect("a descriptor");
        command.stdin(Stdio::null()).stdout(file).stderr(other);
        Server { child: command.spawn().expect("the server runs"), log }
    }

    /// Waits until a condition holds.
    ///
    /// # Panics
    /// If the server ends before, or after [`GUARD`].
    pub fn ready_when(mut self, mut ready: impl FnMut() -> bool) -> Server {
        let start = Instant::now();
        while !ready() {
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("the server has ended ({status}): {}", self.said());
            }
            assert!(start.elapsed() < GUARD, "the server is not ready: {}", self.said());
            thread::sleep(Duration::from_millis(5));
        }
        self
    }

    /// Waits until it listens on a port.
    ///
    /// # Panics
    /// As [`ready_when`](Self::ready_when).
    pub fn ready_on(self, namespace: &Namespace, port: u16) -> Server {
        self.ready_when(|| namespace.run(|| listens(port)))
    }

    /// All that it has said.
    pub fn said(&self) -> String {
        fs::read(&self.log).map_or_else(|e| e.to_string(), |t| String::from_utf8_lossy(&t).into())
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it has not after [`GUARD`].
    pub fn wait(&mut self) -> ExitStatus {
        self.ended_within(GUARD).unwrap_or_else(|| panic!("it still runs: {}", self.said()))
    }

    fn ended_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked first: it may have children and shared memory of its own to end.
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        if self.ended_within(Duration::from_secs(5)).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            println!("the server said: {}", self.said());
        }
    }
}

/// Whether a TCP socket of this thread's network namespace listens on a port; nothing connects, for
/// some servers would count that.
fn listens(port: u16) -> bool {
    // The local address ends with the port; state 0A is LISTEN.
    let end = format!(":{port:04X}");
    ["tcp", "tcp6"].iter().any(|family| {
        let table = fs::read_to_string(format!("/proc/thread-self/net/{family}"));
        table.unwrap_or_default().lines().any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next().is_some_and(|local| local.ends_with(&end)) && fields.nth(1) == Some("0A")
        })
    })
}
