//! What does a touched connection get? A turn: its packets, its wake-ups, its timer, and its
//! removal when it is over.

use rand::Rng;
use tcp_core::Instant;
use tcp_core::buffer::Payload;
use tcp_core::connection::{Connection, State, Transmit};
use tcp_core::error::End;
use tcp_core::time_wait::TimeWait;

use super::counters::PacketDrop;
use super::ip::{self, IpOptions};
use super::observe::{Cause, Sent};
use super::tables::{Armed, Owner, Token};
use super::{Stack, TURN, observe};
use crate::cell::{ConnId, Serviced};
use crate::device::TxPacket;

/// What came out of one turn of a connection.
struct Turn {
    more: bool,
    awaits_memory: bool,
    deadline: Option<Instant>,
    time_wait: Option<TimeWait>,
}

impl Stack {
    /// Hands packets to `sink` until it returns `false` or nothing is left to send.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// for port in [80, 81, 82] {
    ///     a.connect(now, ([10, 0, 0, 2], port).into(), ConnectOptions::default())?;
    /// }
    /// // A device that takes two packets, and is full then.
    /// let mut taken = Vec::new();
    /// a.transmit(now, &mut |packet| {
    ///     taken.push(packet);
    ///     taken.len() < 2
    /// });
    /// assert_eq!(taken.len(), 2);
    /// assert!(a.has_work());
    /// a.transmit(now, &mut |packet| {
    ///     taken.push(packet);
    ///     true
    /// });
    /// assert_eq!(taken.len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transmit(&mut self, now: Instant, sink: &mut dyn FnMut(TxPacket) -> bool) {
        self.told = now;
        self.take_ready();
        let mut out = Vec::new();
        loop {
            while let Some(p) = self.answers.pop_front() {
                if !self.route(p, sink) {
                    return;
                }
            }
            if let Some(p) = self.loopback.pop_front() {
                self.receive_loopback(now, &p);
                continue;
            }
            // Datagrams and connections take turns.
            if self.udp_is_next() {
                if !self.udp_turn(now, sink) {
                    return;
                }
                continue;
            }
            let Some(id) = self.active.pop_front() else {
                // Who gets memory writes, and is heard in the next drain.
                if self.balance(now) {
                    continue;
                }
                return;
            };
            self.turn(now, id, &mut out);
            let mut open = true;
            for p in out.drain(..) {
                if open {
                    open = self.route(p, sink);
                } else {
                    // Kept in order: they come before everything else next time.
                    self.answers.push_back(p);
                }
            }
            if !open {
                return;
            }
        }
    }

    /// Lets arrive what is on its way between our own addresses, with what follows from it: as on Linux,
    /// where the loopback device delivers within the call that sends. It ends early if there is a
    /// packet for the device, which waits for the next drain.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    /// let listener = a.listen("127.0.0.1:80".parse()?, ListenOptions::default())?;
    /// let client = a.connect(now, "127.0.0.1:80".parse()?, ConnectOptions::default())?;
    /// a.settle(now); // the whole handshake
    /// let server = a.accept(listener)?.unwrap();
    /// a.write(now, client, b"hello")?;
    /// a.settle(now);
    /// assert_eq!(a.read(now, server, &mut [0; 16])?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn settle(&mut self, now: Instant) {
        let mut first = None;
        self.transmit(now, &mut |packet| {
            first = Some(packet);
            false
        });
        if let Some(packet) = first {
            // Counted when it goes.
            self.counters.packets_out -= 1;
            self.answers.push_front(packet);
        }
    }

    /// Whether a drain would find something to do.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    /// assert!(!a.has_work());
    /// a.write(now, client, b"hello")?;
    /// assert!(a.has_work());
    /// carry(now, &mut a, &mut b);
    /// assert!(!a.has_work());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn has_work(&self) -> bool {
        !self.active.is_empty()
            || !self.answers.is_empty()
            || !self.loopback.is_empty()
            || self.udp_has_work()
            || !self.ready.is_empty()
    }

    /// Wakes the tasks of touched connections without sending anything, for a device that is full.
    ///
    /// ```
    #[doc = include_str!("../../doc/stack_pair.rs")]
    #[doc = include_str!("../../doc/stack_established.rs")]
    #[doc = include_str!("../../doc/stack_woken.rs")]
    /// let cell = b.connection_cell(server).unwrap();
    /// let mut cx = std::task::Context::from_waker(&waker);
    /// assert!(cell.poll_ready(&mut cx, Interest::READABLE).is_pending());
    /// a.write(now, client, b"hello")?;
    /// let packet = a.poll_transmit(now).unwrap().to_vec();
    /// b.receive(now, &packet, RxChecksum::Unknown, None);
    /// assert!(!woken.is_set()); // as a rule the turn wakes it that sends the ACK
    /// b.notify_tasks();
    /// assert!(woken.is_set());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn notify_tasks(&mut self) {
        self.take_ready();
        for id in &self.active {
            if let Some(cell) = self.connections.cell(*id) {
                cell.service(|_| ());
            }
        }
    }

    /// Takes over what tasks have touched.
    fn take_ready(&mut self) {
        let mut taken = std::mem::take(&mut self.taken);
        self.ready.swap(&mut taken);
        for id in taken.drain(..) {
            if let Some(e) = self.connections.entry(id) {
                e.cell.taken_from_ready();
                if !e.active {
                    e.active = true;
                    self.active.push_back(id);
                }
            }
        }
        self.taken = taken;
    }

    /// To the device, or back to ourselves.
    pub(super) fn route(
        &mut self,
        packet: TxPacket,
        sink: &mut dyn FnMut(TxPacket) -> bool,
    ) -> bool {
        self.counters.packets_out += 1;
        let looped = ip::destination(packet.head()).is_some_and(|d| self.is_local(d));
        if looped {
            self.loopback.push_back(packet);
            return true;
        }
        sink(packet)
    }

    /// Puts a connection into the queue of those that get a turn.
    pub(super) fn activate(&mut self, id: ConnId) {
        if let Some(e) = self.connections.entry(id)
            && !e.active
        {
            e.active = true;
            self.active.push_back(id);
        }
    }

    fn turn(&mut self, now: Instant, id: ConnId, out: &mut Vec<TxPacket>) {
        let Some(e) = self.connections.entry(id) else { return };
        e.active = false;
        let cell = e.cell.clone();
        let looped = self.is_local(cell.tuple().remote.ip);
        let limits = if looped { Default::default() } else { self.limits };
        let offload = self.config.checksum_offload || looped;
        let mut id16 = || self.rng.random();
        let (counters, mut sent) = (&mut self.counters, Vec::new());
        let (turn, serviced) = cell.service(|c| {
            let turn = take_turn(now, c, &limits, &mut |c, t, p| {
                counters.sent(t.reason, segments(t));
                Sent::note(t, &mut sent);
                let fragmentable = c.path_mtu().fragmentable.then(&mut id16);
                let o = IpOptions { fragmentable, ..c.options().into() };
                out.push(ip::build(&c.tuple(), t, p, o, offload));
            });
            c.take_happenings(&mut |what, times| counters.happened(what, times));
            turn
        });
        for s in sent {
            s.tell(id, &cell.tuple());
        }
        let local = cell.tuple().local.ip;
        if !self.is_local(local) && !self.takes(local) {
            // The address was removed: as on Linux, what leaves from it is lost.
            self.counters.drop_packets(PacketDrop::NoSource, out.len() as u64);
            out.clear();
        }
        if turn.more {
            self.activate(id);
        }
        if turn.awaits_memory {
            self.await_memory(now, id);
        }
        self.after_turn(id, &turn, &serviced);
    }

    fn after_turn(&mut self, id: ConnId, turn: &Turn, serviced: &Serviced) {
        let state = if turn.time_wait.is_some() { State::TimeWait } else { serviced.state };
        self.note_state(id, state, Cause::Turn);
        if let Some(record) = turn.time_wait {
            self.detach(id);
            self.insert_time_wait(record);
        } else if serviced.ended {
            self.detach(id);
        } else {
            self.arm(id, turn.deadline);
        }
        match (serviced.abandoned, serviced.ended) {
            (true, true) if !turn.more => self.remove_connection(id),
            (true, false) => self.keep_orphan(id),
            _ => {}
        }
    }

    /// The application is gone and the connection goes on: there may be so many of these, and one
    /// more is reset, as on Linux.
    fn keep_orphan(&mut self, id: ConnId) {
        if !self.connections.note_orphan(id)
            || self.connections.orphans() <= self.config.max_orphans
        {
            return;
        }
        self.counters.orphans_reset += 1;
        if let Some(cell) = self.connections.cell(id) {
            cell.service_quietly(Connection::drop_orphan);
        }
        self.activate(id);
    }

    /// One wheel entry a connection: moved only when the deadline comes earlier; a later one is
    /// found when the old entry fires.
    fn arm(&mut self, id: ConnId, deadline: Option<Instant>) {
        let Some(at) = deadline else { return };
        let Some(e) = self.connections.entry(id) else { return };
        match &mut e.timer {
            Some(armed) if armed.at <= at => {}
            Some(armed) => {
                armed.at = at;
                let key = armed.key;
                self.wheel.reschedule(key, at);
            }
            None => {
                let key = self.wheel.insert(at, Token::Connection(id));
                e.timer = Some(Armed { key, at });
            }
        }
    }

    pub(super) fn connection_timeout(&mut self, now: Instant, id: ConnId) {
        let Some(e) = self.connections.entry(id) else { return };
        e.timer = None;
        let cell = e.cell.clone();
        // Events wait for the turn that follows, so that packets and wake-ups go together.
        let (due, state) = cell.service_quietly(|c| {
            let due = c.poll_timeout().filter(|d| d.at <= now).map(|d| d.timer);
            c.on_timeout(now);
            (due, c.state())
        });
        self.activate(id);
        if due.is_some() {
            observe::timed_out(id, &cell.tuple(), due);
        }
        self.note_state(id, state, Cause::Timeout(due));
    }

    /// The demultiplexer and the wheel forget the connection; the application may still hold it.
    pub(super) fn detach(&mut self, id: ConnId) {
        let Some(e) = self.connections.entry(id) else { return };
        if let Some(armed) = e.timer.take() {
            self.wheel.cancel(armed.key);
        }
        if std::mem::take(&mut e.reachable) {
            let (tuple, end) = (e.cell.tuple(), e.cell.end());
            let state = e.state;
            self.connections.population.leave(state);
            if let Some(end) = end.filter(|e| *e != End::Closed) {
                self.counters.failures += 1;
                tracing::debug!(?tuple, ?end, "connection failed");
            }
            self.demux.remove(&tuple, Owner::Connection(id));
            self.ports.release_connection(tuple.local.port);
        }
    }

    fn remove_connection(&mut self, id: ConnId) {
        self.detach(id);
        self.connections.remove(id);
    }
}

/// Segments of a packet, once the device has cut it.
fn segments(t: &Transmit) -> u64 {
    t.gso_size.map_or(1, |size| u64::from(t.payload_len.div_ceil(u32::from(size.max(1)))))
}

/// Drains one connection for at most `TURN` packets.
fn take_turn(
    now: Instant,
    c: &mut Connection,
    limits: &tcp_core::connection::Limits,
    send: &mut dyn FnMut(&Connection, &Transmit, Payload),
) -> Turn {
    let mut more = true;
    for _ in 0..TURN {
        let mut payload = Payload::new();
        match c.poll_transmit(now, limits, &mut payload) {
            Some(t) => send(c, &t, payload),
            None => {
                more = false;
                break;
            }
        }
    }
    let time_wait = if more { None } else { c.hand_over_time_wait(now) };
    let deadline = c.poll_timeout().map(|d| d.at);
    Turn { more, awaits_memory: c.awaits_memory(), deadline, time_wait }
}
