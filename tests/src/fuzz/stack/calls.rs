//! What does the application of a stack do? The calls of a run, on connections, listeners and
//! options; some runs write, read and close by the rarer ones too.

use std::time::Duration;

use bytes::Bytes;
use tcp_core::config::{Keepalive, Linger, Linger2, SocketOptions};
use tcp_core::congestion::Algorithm;
use tcp_io::ConnId;
use tcp_io::stack::ConnectOptions;

use super::World;
use super::ops::Op;

impl World {
    /// What the application does.
    pub(super) fn call(&mut self, op: &Op) {
        let now = self.now;
        let conn = |n: u8, all: &[ConnId]| all.get(usize::from(n) % all.len().max(1)).copied();
        match *op {
            Op::Write(n, len) => {
                if let Some(id) = conn(n, &self.conns) {
                    self.write(id, len);
                }
            }
            Op::Read(n, len) => {
                if let Some(id) = conn(n, &self.conns) {
                    self.read(id, len);
                }
            }
            Op::Shutdown(n) => {
                let Some(id) = conn(n, &self.conns) else { return };
                match self.stack.connection_cell(id).filter(|_| self.rare && n & 0x80 > 0) {
                    Some(cell) => drop(cell.shutdown_read()),
                    None => drop(self.stack.shutdown(id)),
                }
            }
            Op::Close(n) | Op::Abort(n) => {
                if let Some(id) = conn(n, &self.conns) {
                    self.conns.retain(|c| *c != id);
                    if matches!(op, Op::Close(_)) {
                        self.stack.close(now, id);
                    } else {
                        self.stack.abort(id);
                    }
                }
            }
            Op::Accept => {
                for l in &self.listeners {
                    if let Ok(Some(id)) = self.stack.accept(*l) {
                        self.conns.push(id);
                    }
                }
            }
            Op::Connect { port, fixed, loopback } => self.connect(port, fixed, loopback),
            Op::Listen(n) => self.listen(u16::from(n % 8) + 80),
            Op::Unlisten(n) if !self.listeners.is_empty() => {
                let at = usize::from(n) % self.listeners.len();
                let id = self.listeners.remove(at);
                self.stack.close_listener(id);
            }
            _ => {}
        }
    }

    fn write(&mut self, id: ConnId, len: u16) {
        let (now, text) = (self.now, vec![4; usize::from(len)]);
        let Some(cell) = self.stack.connection_cell(id).filter(|_| self.rare) else {
            let _ = self.stack.write(now, id, &text);
            return;
        };
        match len % 4 {
            0 => drop(cell.write_urgent(now, &text)),
            1 => drop(cell.write_bytes(now, &mut Bytes::from(text))),
            2 => drop(cell.write(now, &text)),
            _ => self.stack.set_options(now, id, |o| set(o, len / 4)),
        }
    }

    fn read(&mut self, id: ConnId, len: u16) {
        let (now, most) = (self.now, usize::from(len));
        let Some(cell) = self.stack.connection_cell(id).filter(|_| self.rare) else {
            let _ = self.stack.read(now, id, &mut vec![0; most]);
            return;
        };
        let urgent = (cell.urgent_left(), cell.is_at_mark());
        assert!(urgent.0 > 0 || !urgent.1, "at the mark of nothing");
        if len.is_multiple_of(2) {
            assert!(cell.read_bytes(now, most).map_or(0, |text| text.len()) <= most);
        } else {
            let mut seen = vec![0; most];
            let peeked = cell.peek(&mut seen);
            let read = cell.read(now, &mut seen);
            // A failure is told once.
            assert_eq!(read.unwrap_or(0), peeked.unwrap_or(0), "a read finds what was peeked at");
        }
    }

    fn connect(&mut self, port: u8, fixed: bool, loopback: bool) {
        let port = u16::from(port % 8) + 80;
        let to = if loopback { self.local(port) } else { self.remote(port) };
        // From its own port to its own port: a connection with itself.
        let local = fixed.then(|| self.local(port).into());
        let options = ConnectOptions { local, options: None };
        self.conns.extend(self.stack.connect(self.now, to.into(), options));
    }
}

/// Changes one option. Keepalive is slow enough that hours of it are few turns.
fn set(o: &mut SocketOptions, how: u16) {
    let (value, on) = (how / 16, (how / 16).is_multiple_of(2));
    let secs = |n: u16| Duration::from_secs(n.into());
    match how % 16 {
        0 => o.nodelay = on,
        1 => o.cork = on,
        2 => o.quickack = on,
        3 => {
            let idle = secs(400 + value);
            o.keepalive_on = on;
            o.keepalive = Keepalive { idle, interval: idle, count: 3 };
        }
        4 => o.linger = if on { Linger::Background } else { Linger::For(secs(value)) },
        5 => o.linger2 = if on { Linger2::Never } else { Linger2::Seconds(value) },
        6 => o.user_timeout = on.then_some(secs(value)),
        7 => o.send_buffer = on.then_some(usize::from(value) * 16),
        8 => o.notsent_lowat = on.then_some(value.into()),
        9 => o.receive_buffer = on.then_some(usize::from(value) * 16),
        10 => o.congestion = Some(if on { Algorithm::Reno } else { Algorithm::Cubic }),
        11 => o.hop_limit = value.max(1) as u8,
        12 => o.min_hop_limit = if on { 0 } else { value as u8 },
        13 => o.traffic_class = value as u8,
        _ => o.report_soft_errors = on,
    }
}
