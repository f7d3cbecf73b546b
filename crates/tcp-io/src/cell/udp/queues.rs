//! What does the stack do to a UDP socket? It brings datagrams and errors, takes what is to be sent,
//! and ends the socket.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use tcp_core::Endpoint;

use super::super::waiters::Readiness;
use super::{Datagram, Outgoing, Pushed, UdpCell, UdpError, cost};

impl UdpCell {
    /// Datagrams of one sender have arrived.
    pub(crate) fn push<'a>(
        &self,
        from: IpAddr,
        port: u16,
        texts: impl Iterator<Item = &'a [u8]>,
    ) -> Pushed {
        self.tell(|i| {
            let from = SocketAddr::new(i.shown(from), port);
            let mut pushed = Pushed::default();
            for text in texts {
                let cost = cost(text.len());
                // Linux: what is there decides, so that one datagram of any size fits.
                if !i.open || i.received_cost > i.options.receive_buffer {
                    pushed.full += 1;
                } else if !self.memory.take(cost) {
                    pushed.no_memory += 1;
                } else {
                    i.received_cost += cost;
                    i.received.push_back(Datagram { from, text: text.into() });
                    pushed.taken += 1;
                }
            }
            i.drops += pushed.full + pushed.no_memory;
            (pushed, if pushed.taken > 0 { Readiness::READABLE } else { Readiness::EMPTY })
        })
    }

    /// The network complains; the next call tells.
    pub(crate) fn fail(&self, error: UdpError) {
        self.tell(|i| {
            i.error = Some(error);
            // Who polls to receive keeps one waker for text and errors.
            ((), Readiness::READABLE | Readiness::ERROR)
        });
    }

    /// What keeps a send from being queued: the error that it tells instead, or no room.
    pub(crate) fn check_room(&self) -> Result<(), Option<UdpError>> {
        let mut i = self.lock();
        match i.error.take() {
            Some(e) => Err(Some(e)),
            None if i.has_room() => Ok(()),
            None => Err(None),
        }
    }

    /// Queues a datagram for which [`check_room`](Self::check_room) has found room.
    pub(crate) fn queue(&self, datagram: Outgoing) {
        let mut i = self.lock();
        i.outgoing_cost += cost(datagram.text.len());
        i.outgoing.push_back(datagram);
    }

    /// The next datagram to send, and whether more wait.
    pub(crate) fn take_outgoing(&self) -> Option<(Outgoing, bool)> {
        self.tell(|i| {
            let Some(d) = i.outgoing.pop_front() else { return (None, Readiness::EMPTY) };
            i.outgoing_cost -= cost(d.text.len());
            let more = !i.outgoing.is_empty();
            (Some((d, more)), i.unblock())
        })
    }

    /// Both addresses, as they are from now on.
    pub(crate) fn set_addresses(&self, local: Endpoint, peer: Option<Endpoint>) {
        let mut i = self.lock();
        let shown = |e: Endpoint| SocketAddr::new(i.shown(e.ip), e.port);
        let (local, peer) = (shown(local), peer.map(shown));
        (i.local, i.peer) = (local, peer);
    }

    /// Nothing arrives any more, and every waiting task learns it. What is there can be read.
    pub(crate) fn end(&self) {
        self.tell(|i| {
            i.open = false;
            ((), Readiness::READABLE | Readiness::WRITABLE | Readiness::ERROR)
        });
    }

    /// The application lets go: nothing will be read.
    pub(crate) fn close(&self) {
        self.end();
        let mut i = self.lock();
        self.memory.give_back(std::mem::take(&mut i.received_cost));
        i.received = VecDeque::new();
    }
}
