//! How does our TCP meet the machine's kernel in a test? A network namespace, a TUN device in it,
//! a stack on the device, and programs of the kernel's side. Needs root and `/dev/net/tun`.

pub mod bulk;
mod example;
mod namespace;
mod net;
mod server;
mod socket;

use std::future::Future;
use std::time::Duration;

pub use example::{Running, example};
pub use namespace::{KernelTask, Namespace};
pub use net::{HOST, HOST_V4, HOST_V6, KernelNet, OURS, OURS_V4, OURS_V6};
pub use server::{Server, command_as, directory_of, program};
pub use socket::{KernelListener, connect, connect_from};

/// How long anything may take before a test counts as hung. Nothing waits for it in a good run.
pub const GUARD: Duration = Duration::from_secs(30);

/// Waits for a future, but not for ever.
///
/// # Panics
/// If it takes longer than [`GUARD`].
pub async fn patiently<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(GUARD, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: not done after {GUARD:?}"),
    }
}

/// Waits until a condition holds that nothing announces.
///
/// # Panics
/// If it does not hold after [`GUARD`].
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    patiently(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
