//! What do the models stand on? A runtime of one task a thread, which counts wake-ups, and stacks
//! with a connected pair. Time stands still: what a timer would make good shows as a deadlock.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Notify;
use loom::thread::JoinHandle;
use tcp_core::Instant;
use tcp_core::error::UserError;
use tcp_io::cell::{AcceptError, ConnCell, Interest, ListenerCell, Readiness, WaiterKey};
use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};

/// Preemptions that are tried in every combination of places; switches where a thread waits come
/// on top. Bugs of this kind have been found to need one or two.
pub(crate) const PREEMPTIONS: usize = 3;

/// Frames of the stack are larger than loom's threads: this many words.
const STACK_WORDS: usize = 0x8000;

/// Runs `f` in every order of its threads, with at most so many preemptions.
pub(crate) fn model_with(preemptions: usize, f: impl Fn() + Send + Sync + Copy + 'static) {
    // tokio's sleep wants a runtime near it; nobody drives it, so its paused clock stands still.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    let _here = runtime.enter();
    let orders = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 20_000;
    let count = orders.clone();
    let began = std::time::Instant::now();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        spawn(f).join().expect("it holds");
    });
    println!("{} orders in {:.1} s", orders.load(Ordering::Relaxed), began.elapsed().as_secs_f32());
}

/// [`model_with`] the usual number of preemptions.
pub(crate) fn model(f: impl Fn() + Send + Sync + Copy + 'static) {
    model_with(PREEMPTIONS, f);
}

/// A thread of the model.
pub(crate) fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    loom::thread::Builder::new().stack_size(STACK_WORDS).spawn(f).expect("a thread")
}

/// A task with a thread of its own.
#[derive(Clone)]
pub(crate) struct Task(Arc<Signal>);

struct Signal {
    notify: Notify,
    wakes: AtomicUsize,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.notify.notify();
    }
}

impl Task {
    pub(crate) fn new() -> Task {
        Task(Arc::new(Signal { notify: Notify::new(), wakes: AtomicUsize::new(0) }))
    }

    pub(crate) fn waker(&self) -> Waker {
        self.0.clone().into()
    }

    /// How often it was woken.
    pub(crate) fn wakes(&self) -> usize {
        self.0.wakes.load(Ordering::Relaxed)
    }

    /// Whether nobody keeps a waker of it.
    pub(crate) fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Polls once.
    pub(crate) fn poll<F: Future + Unpin>(&self, f: &mut F) -> Poll<F::Output> {
        let waker = self.waker();
        Pin::new(f).poll(&mut Context::from_waker(&waker))
    }

    /// Runs a future to its end, as a runtime does: polls it whenever it was woken. Never woken is
    /// a deadlock, which loom reports.
    pub(crate) fn run<F: Future>(&self, f: F) -> F::Output {
        let mut f = std::pin::pin!(f);
        let waker = self.waker();
        loop {
            if let Poll::Ready(out) = f.as_mut().poll(&mut Context::from_waker(&waker)) {
                return out;
            }
            self.0.notify.wait();
        }
    }
}

/// Runs a future of a task that nobody asks about.
pub(crate) fn block_on<F: Future>(f: F) -> F::Output {
    Task::new().run(f)
}

/// When everything happens.
pub(crate) const NOW: Instant = Instant::ZERO;

/// Where the stack listens.
pub(crate) fn at() -> SocketAddr {
    "10.0.0.1:80".parse().expect("an address")
}

/// A stack that talks to itself, with small buffers, and sends at once.
pub(crate) fn stack() -> Stack {
    let addresses = vec!["10.0.0.1/24".parse().expect("an address")];
    let mut config = StackConfig { addresses, ..StackConfig::default() };
    config.tcp.options.send_buffer = Some(8192);
    config.tcp.options.receive_buffer = Some(4096);
    config.tcp.options.nodelay = true;
    Stack::new(NOW, config, [7; 32])
}

/// A stack with a connection to itself: its two ends.
pub(crate) struct Pair {
    pub(crate) stack: Stack,
    pub(crate) client: Arc<ConnCell>,
    pub(crate) server: Arc<ConnCell>,
}

impl Pair {
    pub(crate) fn new() -> Pair {
        let mut stack = stack();
        let l = stack.listen(at(), ListenOptions::default()).expect("listen");
        let client = stack.connect(NOW, at(), ConnectOptions::default()).expect("connect");
        drain(&mut stack);
        let server = stack.accept(l).expect("a listener").expect("a connection");
        let cell = |id| stack.connection_cell(id).expect("it is there");
        let (client, server) = (cell(client), cell(server));
        Pair { stack, client, server }
    }

    /// Writes as long as there is room anywhere on the way.
    pub(crate) fn fill(&mut self) {
        while self.client.write(NOW, &[0; 2048]).is_ok() {
            self.drain();
        }
    }

    /// The stack's turn, as long as there is something to do.
    pub(crate) fn drain(&mut self) {
        drain(&mut self.stack);
    }
}

/// The turns of a stack that talks to itself.
pub(crate) fn drain(stack: &mut Stack) {
    while stack.has_work() {
        assert!(stack.poll_transmit(NOW).is_none(), "nobody else is there");
    }
}

/// Waits as `readable` and its like do: a place in the list, given back when it is dropped.
pub(crate) struct Wait {
    cell: Arc<ConnCell>,
    interest: Interest,
    key: Option<WaiterKey>,
}

impl Wait {
    pub(crate) fn new(cell: &Arc<ConnCell>, interest: Interest) -> Wait {
        Wait { cell: cell.clone(), interest, key: None }
    }
}

impl Future for Wait {
    type Output = Readiness;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Readiness> {
        let this = &mut *self;
        this.cell.poll_wait(cx, this.interest, &mut this.key)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.cell.cancel_wait(key);
        }
    }
}

/// Waits for a connection as `accept` does.
pub(crate) struct Accept {
    cell: Arc<ListenerCell>,
    key: Option<usize>,
}

impl Accept {
    pub(crate) fn new(cell: &Arc<ListenerCell>) -> Accept {
        Accept { cell: cell.clone(), key: None }
    }
}

impl Future for Accept {
    type Output = Result<Arc<ConnCell>, AcceptError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.cell.poll_wait(cx, &mut this.key)
    }
}

impl Drop for Accept {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.cell.cancel_wait(key);
        }
    }
}

/// Reads as `poll_read` does.
pub(crate) async fn read(cell: &ConnCell) -> Result<usize, UserError> {
    loop {
        match cell.read(NOW, &mut [0; 16]) {
            Err(UserError::WouldBlock) => {}
            r => return r,
        }
        poll_fn(|cx| cell.poll_ready(cx, Interest::READABLE)).await;
    }
}

/// Writes as `poll_write` does.
pub(crate) async fn write(cell: &ConnCell) -> Result<usize, UserError> {
    loop {
        match cell.write(NOW, b"text") {
            Err(UserError::WouldBlock) => {}
            r => return r,
        }
        poll_fn(|cx| cell.poll_ready(cx, Interest::WRITABLE)).await;
    }
}
