//! What if tokio's TCP were ours? tokio under its own name, with our types in `net` and, if asked,
//! two threads where a program asks for one.
//!
//! tokio's tests are compiled against it unmodified; see `xtask/src/tokio_tests.rs`.

pub use real::*;

/// tokio's `net`, with our TCP and UDP in it. An item named here hides the one of the same name that the
/// glob brings.
pub mod net {
    pub use real::net::*;
    pub use tcp_async::{TcpListener, TcpSocket, TcpStream, UdpSocket};

    /// Halves of our streams.
    pub mod tcp {
        pub use tcp_async::tcp::*;
    }
}

/// tokio's `runtime`, with a choice of the runtime that `#[tokio::test]` builds.
pub mod runtime {
    pub use real::runtime::*;

    /// Makes tokio's builders: all that programs use of this type beside its methods.
    #[derive(Debug)]
    pub struct Builder;

    impl Builder {
        /// A runtime of one thread, or of two with `TOKIO_FACADE_RUNTIME=multi-thread`.
        pub fn new_current_thread() -> real::runtime::Builder {
            let several = std::env::var_os("TOKIO_FACADE_RUNTIME");
            if several.is_none_or(|r| r != "multi-thread") {
                return real::runtime::Builder::new_current_thread();
            }
            let mut builder = real::runtime::Builder::new_multi_thread();
            builder.worker_threads(2);
            builder
        }

        /// As tokio's.
        pub fn new_multi_thread() -> real::runtime::Builder {
            real::runtime::Builder::new_multi_thread()
        }
    }
}
