//! How does a test run an example as a program? Where it is, what it prints, how it is ended.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::server::missing;

/// Where cargo puts the examples of the profile that the running test was built with; none, and a
/// line that says so, if it is not built (`cargo build --workspace --examples`).
///
/// # Panics
/// If CI is set and it is not built.
pub fn example(name: &str) -> Option<PathBuf> {
    let deps = std::env::current_exe().ok()?;
    let path = deps.parent()?.parent()?.join("examples").join(name);
    let what = format!("{} is not built", path.display());
    missing(path.exists().then_some(path), &what)
}

/// A running example; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn start(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the example runs");
        let lines = BufReader::new(child.stdout.take().expect("it was piped"));
        Running { child, lines }
    }

    /// Reads lines up to one with `part` in it.
    ///
    /// # Panics
    /// If it ends before.
    pub fn line_with(&mut self, part: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let n = self.lines.read_line(&mut line).expect("text");
            assert!(n > 0, "it ended before it said {part:?}; it said {all:?}");
            if line.contains(part) {
                return line;
            }
            all += &line;
        }
    }

    /// As Ctrl-C does; waits for the end.
    ///
    /// # Panics
    /// If it has ended already.
    pub fn interrupt(&mut self) -> ExitStatus {
        // `ip netns exec` becomes the program, so the process is the example itself.
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).expect("it runs");
        self.child.wait().expect("it ends")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
