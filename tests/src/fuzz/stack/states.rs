//! How does one connection come into every state? The script with which each run of the stack begins.

use tcp_core::wire::Flags;
use tcp_io::stack::ConnectOptions;

use super::World;

impl World {
    /// One connection in every state.
    pub(super) fn populate(&mut self) {
        self.listen(80);
        let open = self.stack.connect(self.now, self.remote(9).into(), ConnectOptions::default());
        self.conns.push(open.expect("connect"));
        self.drain();
        for port in 5000..5008 {
            self.syn(port, &[]);
            if port > 5000 {
                self.honest(usize::from(port - 5000) + 1, Flags::ACK, &[]);
            }
        }
        while let Ok(Some(id)) = self.stack.accept(self.listeners[0]) {
            self.conns.push(id);
        }
        // The backlog lets five in; the others have waited.
        for peer in 7..self.peers.len() {
            self.honest(peer, Flags::ACK, &[]);
            if let Ok(Some(id)) = self.stack.accept(self.listeners[0]) {
                self.conns.push(id);
            }
        }
        // Peer 0: SYN-SENT; 1: SYN-RECEIVED; 2: ESTABLISHED.
        self.shutdown(3); // FIN-WAIT-1
        self.shutdown(4);
        self.honest(4, Flags::ACK, &[]); // FIN-WAIT-2
        self.honest(5, Flags::ACK | Flags::FIN, &[]); // CLOSE-WAIT
        self.honest(6, Flags::ACK | Flags::FIN, &[]);
        self.shutdown(6); // LAST-ACK
        let expects = self.peers.get(7).map(|p| p.expects);
        self.shutdown(7);
        if let Some(e) = expects {
            self.peers[7].expects = e;
        }
        self.honest(7, Flags::ACK | Flags::FIN, &[]); // CLOSING
        self.shutdown(8);
        self.honest(8, Flags::ACK | Flags::FIN, &[]); // TIME-WAIT
        self.check();
    }

    fn shutdown(&mut self, peer: usize) {
        let tuple = self.peers[peer].tuple;
        let id = self
            .conns
            .iter()
            .copied()
            .find(|id| self.stack.info(*id).is_some_and(|i| i.tuple == tuple));
        if let Some(id) = id {
            let _ = self.stack.shutdown(id);
        }
        self.drain();
    }
}
