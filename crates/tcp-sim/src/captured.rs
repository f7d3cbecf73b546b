//! What did a simulated node see? A node whose packets go to a pcapng capture, at virtual time.

use std::io::Write;
use std::time::Duration;

use tcp_core::Instant;
use tcp_io::device::{Capture, CaptureOptions, Direction, Seen};

use crate::Node;

/// A node whose packets are captured in both directions. Virtual time counts from 1970-01-01; an
/// error of the writer, or a limit of the options, ends the capture and nothing else.
///
/// ```
/// use tcp_core::Instant;
/// use tcp_io::device::CaptureOptions;
/// use tcp_io::stack::StackConfig;
/// use tcp_sim::{Captured, Host, LinkConfig, World};
///
/// let config = StackConfig { addresses: vec!["10.0.0.1/24".parse().unwrap()], ..Default::default() };
/// let host = Host::new(Instant::ZERO, config, 1);
/// let mut world = World::new(1, LinkConfig::default());
/// let n = world.add_node(
///     Captured::new(host, "host", Vec::new(), CaptureOptions::default())?,
///     &["10.0.0.1".parse().unwrap()],
/// );
/// // .. run the world ..
/// let octets: Vec<u8> = world.node_mut(n).finish().unwrap();
/// # assert!(octets.len() > 40);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Captured<N, W: Write> {
    /// The node itself.
    pub node: N,
    capture: Option<Capture<W>>,
}

impl<N, W: Write> Captured<N, W> {
    /// Captures the packets of `node`, called `name`, into `writer`.
    ///
    /// # Errors
    /// If the capture cannot be begun.
    pub fn new(
        node: N,
        name: &str,
        writer: W,
        options: CaptureOptions,
    ) -> std::io::Result<Captured<N, W>> {
        Ok(Captured { node, capture: Some(Capture::new(writer, name, options)?) })
    }

    /// Ends the capture and gives the writer back; none if it has ended already.
    pub fn finish(&mut self) -> Option<W> {
        self.capture.take().map(Capture::into_inner)
    }
}

/// Writes a packet down; an error ends the capture.
fn write<W: Write>(capture: &mut Option<Capture<W>>, now: Instant, way: Direction, packet: &[u8]) {
    let seen = Seen::plain(Duration::from_nanos(now.as_nanos()), way, packet.len());
    if let Some(c) = capture
        && c.packet(&seen, packet).is_err()
    {
        *capture = None;
    }
}

impl<N: Node, W: Write> Node for Captured<N, W> {
    fn receive(&mut self, now: Instant, packet: &[u8]) {
        write(&mut self.capture, now, Direction::In, packet);
        self.node.receive(now, packet);
    }

    fn transmit(&mut self, now: Instant, out: &mut dyn FnMut(Vec<u8>)) {
        let Captured { node, capture } = self;
        node.transmit(now, &mut |packet| {
            write(capture, now, Direction::Out, &packet);
            out(packet);
        });
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.node.next_deadline()
    }

    fn on_deadline(&mut self, now: Instant) {
        self.node.on_deadline(now);
    }
}
