//! Where does the kernel's end of a test live? In a network namespace of its own, which threads
//! and processes can enter and which goes away with its guard.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::oneshot;

use super::patiently;

/// A network namespace with its loopback interface up and no forwarding. Dropping it takes its
/// name away; the kernel frees it with its last user.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace with a name that nobody else has.
    ///
    /// # Panics
    /// Without the right to, or without the `ip` program.
    #[expect(clippy::new_without_default, reason = "it changes the machine")]
    pub fn new() -> Namespace {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tcp-test-{}-{count}", std::process::id());
        ip(["netns", "add", &name]);
        let namespace = Namespace { name };
        ip(["-n", &namespace.name, "link", "set", "lo", "up"]);
        namespace.set("net.ipv4.ip_forward", "0");
        namespace.set("net.ipv6.conf.all.forwarding", "0");
        namespace
    }

    /// Its name, for `ip netns` and the device builder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` with these arguments inside.
    ///
    /// # Panics
    /// If it fails.
    pub fn ip<const N: usize>(&self, arguments: [&str; N]) {
        ip(["-n", &self.name].iter().chain(&arguments));
    }

    /// Runs `ip` inside with the words of a text as arguments.
    ///
    /// # Panics
    /// If it fails.
    pub fn ip_words(&self, words: &str) {
        ip(["-n", &self.name].into_iter().chain(words.split_whitespace()));
    }

    /// Sets a kernel variable of the namespace, named as for `sysctl`.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn set(&self, variable: &str, value: &str) {
        let path = format!("/proc/sys/{}", variable.replace('.', "/"));
        let result = self.run(|| fs::write(&path, value));
        result.unwrap_or_else(|e| panic!("{path} = {value}: {e}"));
    }

    /// A command that will run inside, with nothing on its standard input.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program).stdin(Stdio::null());
        command
    }

    /// Runs `f` on a thread inside and waits for it; for what does not depend on the stack.
    ///
    /// # Panics
    /// If `f` does.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter();
                f()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts a thread inside, which may block on the kernel's sockets as it likes.
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> KernelTask<T> {
        let (alive, over) = oneshot::channel::<()>();
        let file = self.open();
        let thread = thread::spawn(move || {
            // Dropped at the end, however it comes.
            let _alive = alive;
            move_into(&file);
            f()
        });
        KernelTask { thread, over }
    }

    /// Moves the calling thread inside, for the rest of its life.
    ///
    /// # Panics
    /// Without the right to.
    pub fn enter(&self) {
        move_into(&self.open());
    }

    fn open(&self) -> File {
        File::open(format!("/run/netns/{}", self.name)).expect("the namespace is there")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Whatever went wrong, the test has said it already.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn move_into(namespace: &File) {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .expect("a thread may enter the namespace");
}

fn ip(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) {
    let mut command = Command::new("ip");
    command.args(arguments);
    let status = command.status().expect("the `ip` program (package iproute2) runs");
    assert!(status.success(), "{command:?}: {status}");
}

/// A thread of the kernel's side.
#[derive(Debug)]
pub struct KernelTask<T> {
    thread: JoinHandle<T>,
    over: oneshot::Receiver<()>,
}

impl<T> KernelTask<T> {
    /// Waits for its result, without blocking the runtime.
    ///
    /// # Panics
    /// If the thread has, or if it takes longer than [`GUARD`](super::GUARD).
    pub async fn join(self) -> T {
        let _closed = patiently("a thread of the kernel's side", self.over).await;
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
