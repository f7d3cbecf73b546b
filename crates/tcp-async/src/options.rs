//! How does a connection send? Nagle's algorithm, corks, acknowledgements, congestion control. The socket options of
//! `TcpStream`, tokio's and those that a kernel socket has beyond them: when it ends, its buffers, and the IP header
//! stand beside this.

mod buffers;
mod closing;
mod ip;

use std::io;

use tcp_core::config::{Algorithm, SocketOptions};
use tcp_core::congestion::Controller;
use tcp_core::listen::PeerSyn;

use crate::stream::TcpStream;

impl TcpStream {
    fn option<R>(&self, look: impl FnOnce(&SocketOptions) -> R) -> R {
        self.cell.inspect(|c| look(c.options()))
    }

    fn set_option(&self, change: impl FnOnce(&mut SocketOptions)) {
        self.cell.set_options(self.net.handle.now(), change);
    }

    /// Whether Nagle's algorithm is off (MUST-17).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_nodelay(true)?;
    /// assert_eq!(stream.nodelay()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.option(|o| o.nodelay))
    }

    /// Turns Nagle's algorithm off or on.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_nodelay(true)?;
    /// assert_eq!(stream.nodelay()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set_option(|o| o.nodelay = nodelay);
        Ok(())
    }

    /// Whether every segment is acknowledged at once.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_quickack(true)?;
    /// assert_eq!(stream.quickack()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn quickack(&self) -> io::Result<bool> {
        Ok(self.option(|o| o.quickack))
    }

    /// Acknowledges every segment at once, or with the usual delay.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_quickack(true)?;
    /// assert_eq!(stream.quickack()?, true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        self.set_option(|o| o.quickack = quickack);
        Ok(())
    }

    /// Whether partial segments are held (`TCP_CORK`).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_cork(true);
    /// assert_eq!(stream.cork(), true);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_CORK")]
    pub fn cork(&self) -> bool {
        self.option(|o| o.cork)
    }

    /// Holds partial segments until it is unset, at most 200 ms (`TCP_CORK`).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// stream.set_cork(true);
    /// assert_eq!(stream.cork(), true);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_CORK")]
    pub fn set_cork(&self, cork: bool) {
        self.set_option(|o| o.cork = cork);
    }

    /// Which of the built-in algorithms was chosen for the connection (`TCP_CONGESTION`); what runs, also a
    /// [controller of the program's own](Self::set_controller), is in [`info`](Self::info).
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut peer, _) = listener.accept().await?;
    /// assert_eq!(stream.congestion(), Algorithm::Cubic);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_CONGESTION")]
    pub fn congestion(&self) -> Algorithm {
        let stack = || self.net.handle.inspect(|s| s.config().tcp.congestion);
        self.option(|o| o.congestion).unwrap_or_else(stack)
    }

    /// Changes the congestion control (`TCP_CONGESTION`). As on Linux, the window and the threshold
    /// stay as they are.
    ///
    /// ```
    /// # use tcp_async::{Algorithm, Net};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// # let _listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// stream.set_congestion(Algorithm::Reno);
    /// assert_eq!(stream.info().congestion, "reno");
    /// // By the name that Linux has for it:
    /// stream.set_congestion("cubic".parse().expect("a known name"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_CONGESTION")]
    pub fn set_congestion(&self, algorithm: Algorithm) {
        self.set_option(|o| o.congestion = Some(algorithm));
    }

    /// Lets a congestion controller of the program's own decide how much may be in flight, from now on. It is called
    /// with the connection locked: it must neither use the stream nor panic, which would end the stack.
    ///
    /// ```
    /// # use tcp_async::{Algorithm, Net};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # use tokio::io::AsyncWriteExt;
    /// use tcp_async::congestion::{Ack, Controller};
    ///
    /// /// As much as the program says.
    /// #[derive(Debug)]
    /// struct Fixed(u32);
    ///
    /// impl Controller for Fixed {
    ///     # fn on_ack(&mut self, _ack: &Ack) {}
    ///     # fn on_loss(&mut self, _now: tcp_async::Instant, _in_flight: u32) {}
    ///     # fn on_timeout(&mut self, _now: tcp_async::Instant, _in_flight: u32, _repeated: bool) {}
    ///     # fn on_recovered(&mut self, _now: tcp_async::Instant) {}
    ///     # fn on_idle_restart(&mut self, _now: tcp_async::Instant) {}
    ///     # fn set_mss(&mut self, _mss: u32) {}
    ///     # fn slow_start_threshold(&self) -> u32 { u32::MAX }
    ///     // What happens on the way goes to `on_ack`, `on_loss`, `on_timeout` ...
    ///     fn window(&self) -> u32 {
    ///         self.0
    ///     }
    ///     fn name(&self) -> &'static str {
    ///         "fixed"
    ///     }
    /// }
    ///
    /// # let net = Net::builder().address("10.0.0.1/24").loopback()?;
    /// # let _listener = net.listen("10.0.0.1:80").await?;
    /// let stream = net.connect("10.0.0.1:80").await?;
    /// stream.set_controller(Fixed(200_000));
    /// assert_eq!(stream.info().congestion, "fixed");
    /// assert_eq!(stream.info().congestion_window, 200_000);
    /// // A built-in one goes on with its window.
    /// stream.set_congestion(Algorithm::Cubic);
    /// assert_eq!(stream.info().congestion_window, 200_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_controller(&self, controller: impl Controller + 'static) {
        self.cell.set_controller(self.net.handle.now(), Box::new(controller));
    }

    /// What the peer's SYN said: its options and its window. Only of an accepted connection whose
    /// listener keeps it ([`ListenOptions::save_syn`](crate::ListenOptions::save_syn),
    /// [`TcpSocket::set_save_syn`](crate::TcpSocket::set_save_syn)), and not if it was opened by a
    /// cookie. Linux hands out the packet itself, once; here it is there as long as the stream.
    ///
    /// ```
    /// # use tcp_async::*;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let socket = TcpSocket::new_v4()?;
    /// socket.set_save_syn(true);
    /// socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    /// let listener = socket.listen(128)?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
    /// let syn = server.saved_syn().expect("the listener keeps it");
    /// assert!(syn.sack && syn.mss.is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "TCP_SAVED_SYN")]
    pub fn saved_syn(&self) -> Option<PeerSyn> {
        self.cell.saved_syn()
    }
}
