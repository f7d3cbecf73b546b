//! Do UDP sockets stand whatever strangers and users do? The operations of the stack's target, read
//! as such on datagrams.

use std::net::{IpAddr, SocketAddr};

use tcp_core::wire::checksum::Sum;
use tcp_core::{Endpoint, Instant, Tuple};
use tcp_io::cell::{DATAGRAM_COST, Look, UdpId};
use tcp_io::device::RxChecksum;
use tcp_io::stack::{BindOptions, Stack, StackConfig, UdpBindOptions};

use super::packet::{icmp_error_about, ip_packet};

/// Sockets at most.
pub(super) const MAX_SOCKETS: usize = 6;
/// What all of them may hold.
pub(super) const MEMORY: usize = 100_000;
/// What one of them may hold, and the datagram that reaches beyond it.
const QUEUE: usize = 30_000;
const LARGEST: usize = 65_535 + DATAGRAM_COST;

const UDP: u8 = 17;

/// The limits of a run.
pub(super) fn limits(config: &mut StackConfig) {
    config.max_udp_sockets = MAX_SOCKETS;
    config.udp_mem = MEMORY;
    (config.rmem_default, config.wmem_default) = (QUEUE, QUEUE);
}

/// What happens on datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Bind(u8),
    Close(u8),
    Connect { port: u8, loopback: bool },
    Disconnect(u8),
    Send { socket: u8, len: u16 },
    Receive { socket: u8, most: u16 },
    Group(u8),
    Arrive { from: u8, to: u8, len: u16, piece: u8 },
    Icmp { socket: u8, kind: u8, code: u8, rest: u32 },
}

/// The sockets of a run.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    open: Vec<UdpId>,
}

/// The addresses of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) local: IpAddr,
    pub(super) remote: IpAddr,
}

impl Ends {
    fn group(&self) -> IpAddr {
        let group = if self.local.is_ipv4() { "224.0.0.251" } else { "ff02::fb" };
        group.parse().expect("an address")
    }

    fn unspecified(&self) -> IpAddr {
        let any = if self.local.is_ipv4() { "0.0.0.0" } else { "::" };
        any.parse().expect("an address")
    }

    fn broadcast(&self) -> IpAddr {
        if self.local.is_ipv4() { "10.0.0.255".parse().expect("an address") } else { self.group() }
    }
}

fn port(n: u8) -> u16 {
    5000 + u16::from(n % 4)
}

/// Large ones cost time, and most questions don't need them.
fn mostly_small(len: u16) -> usize {
    usize::from(if len.is_multiple_of(16) { len } else { len % 3000 })
}

/// A UDP header and as many octets of text.
fn datagram(from: SocketAddr, to: SocketAddr, len: u16) -> Vec<u8> {
    let len = 8 + mostly_small(len).min(60_000);
    let mut d = vec![5; len];
    d[0..2].copy_from_slice(&from.port().to_be_bytes());
    d[2..4].copy_from_slice(&to.port().to_be_bytes());
    d[4..6].copy_from_slice(&(len as u16).to_be_bytes());
    d[6..8].copy_from_slice(&[0, 0]);
    let sum = Sum::pseudo_header(from.ip(), to.ip(), UDP, len as u32).add(&d).finish();
    d[6..8].copy_from_slice(&sum.to_be_bytes());
    ip_packet(from.ip(), to.ip(), UDP, &d)
}

impl Sockets {
    fn pick(&self, n: u8) -> Option<UdpId> {
        self.open.get(usize::from(n) % self.open.len().max(1)).copied()
    }

    pub(super) fn act(&mut self, now: Instant, stack: &mut Stack, ends: Ends, act: Act) {
        match act {
            Act::Bind(n) => {
                let share = BindOptions { reuse_port: n & 8 > 0, ..BindOptions::default() };
                let options = UdpBindOptions { share, ..UdpBindOptions::default() };
                let ip = if n & 16 > 0 { ends.unspecified() } else { ends.local };
                self.open.extend(stack.udp_bind((ip, port(n)).into(), options));
            }
            Act::Close(n) => {
                if let Some(id) = self.pick(n) {
                    self.open.retain(|i| *i != id);
                    stack.udp_close(id);
                }
            }
            Act::Arrive { from, to, len, piece } => {
                arrive(now, stack, ends, (from, to, len, piece))
            }
            _ => self.on_socket(now, stack, ends, act),
        }
    }

    fn on_socket(&self, now: Instant, stack: &mut Stack, ends: Ends, act: Act) {
        let (Act::Connect { port: n, .. }
        | Act::Disconnect(n)
        | Act::Send { socket: n, .. }
        | Act::Receive { socket: n, .. }
        | Act::Group(n)
        | Act::Icmp { socket: n, .. }) = act
        else {
            return;
        };
        let Some(id) = self.pick(n) else { return };
        let Some(cell) = stack.udp_cell(id) else { return };
        match act {
            Act::Connect { port: n, loopback } => {
                let ip = if loopback { ends.local } else { ends.remote };
                let _ = stack.udp_connect(id, (ip, port(n / 8)).into());
            }
            Act::Disconnect(_) => stack.udp_disconnect(id),
            Act::Send { len, .. } => {
                let all = [ends.remote, ends.local, ends.group(), ends.broadcast()];
                let to = (n & 64 == 0).then(|| (all[usize::from(n / 8 % 4)], port(n / 2)).into());
                cell.set_options(|o| o.broadcast = n & 128 > 0);
                let _ = stack.udp_send(now, id, vec![6; mostly_small(len)], to);
            }
            Act::Receive { most, .. } => {
                let _ = cell.receive(Look::Take, usize::from(most), &mut |_| ());
            }
            Act::Group(_) => {
                if stack.udp_join(id, ends.group()).is_err() {
                    let _ = stack.udp_leave(id, ends.group());
                }
            }
            Act::Icmp { kind, code, rest, .. } => {
                let local = Endpoint::new(ends.local, cell.local().port());
                let remote = Endpoint::new(ends.remote, port(code));
                let tuple = Tuple { local, remote };
                let packet = icmp_error_about(UDP, tuple, rest, kind, (code, rest));
                stack.receive(now, &packet, RxChecksum::Unknown, None);
            }
            Act::Bind(_) | Act::Close(_) | Act::Arrive { .. } => {}
        }
    }

    /// What holds at any time.
    ///
    /// # Panics
    /// If it does not.
    pub(super) fn check(&self, stack: &Stack) {
        assert_eq!(stack.udp_count(), self.open.len());
        assert!(stack.udp_count() <= MAX_SOCKETS);
        assert!(stack.udp_memory() <= MEMORY);
        let held: usize = stack.udp_rows().map(|r| r.receive_queue).sum();
        assert_eq!(held, stack.udp_memory());
        for row in stack.udp_rows() {
            let most = QUEUE + LARGEST;
            assert!(row.receive_queue <= most && row.send_queue <= most, "{row:?}");
        }
    }

    /// Everything is let go.
    pub(super) fn end(&mut self, stack: &mut Stack) {
        for id in std::mem::take(&mut self.open) {
            stack.udp_close(id);
        }
        assert_eq!((stack.udp_count(), stack.udp_memory()), (0, 0));
    }
}

/// A datagram, or several in one, to a socket, a group or all.
fn arrive(now: Instant, stack: &mut Stack, ends: Ends, (from, to, len, piece): (u8, u8, u16, u8)) {
    let all = [ends.local, ends.local, ends.group(), ends.broadcast()];
    let to = SocketAddr::new(all[usize::from(to / 8 % 4)], port(to));
    let packet = datagram((ends.remote, port(from)).into(), to, len);
    let piece = u16::from(piece) * 8;
    stack.receive(now, &packet, RxChecksum::Unknown, Some(piece).filter(|p| *p > 0));
}
