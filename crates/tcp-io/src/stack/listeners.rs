//! Who listens where? The table of listeners with their rules and queues, and which of them takes a
//! destination (RFC 9293 3.10.1).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use slab::Slab;
use tcp_core::Endpoint;
use tcp_core::config::TcpConfig;
use tcp_core::listen::{Admission, Backlog, Completion};

use super::counters::PacketDrop;
use super::pending::Desk;
use super::ports::Bound;
use super::rows::listener_row;
use super::syn_queue::SynQueue;
use super::{ConnectionRow, Filter, ListenOptions, ListenScope, StackConfig};
use crate::cell::ListenerCell;

/// Names a listener of one stack.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// let web = a.listen("10.0.0.1:80".parse()?, ListenOptions::default())?;
/// a.close_listener(web);
/// let ssh = a.listen("10.0.0.1:22".parse()?, ListenOptions::default())?;
/// assert_ne!(web, ssh); // a name is not used again
/// assert_eq!(a.listener_addr(web), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListenerId {
    slot: u32,
    generation: u32,
}

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) cell: Arc<ListenerCell>,
    generation: u32,
    bound: Bound,
    pub(super) scope: ListenScope,
    pub(super) limits: Backlog,
    pub(super) queue: SynQueue,
    /// What its records and connections live by.
    pub(super) tcp: Arc<TcpConfig>,
    /// Connections remember what the peer's SYN said.
    pub(super) save_syn: bool,
    /// Where the application decides about requests.
    pub(super) desk: Option<Desk>,
}

#[derive(Debug, Default)]
pub(super) struct Listeners {
    slots: Slab<Listener>,
    by_port: HashMap<u16, Vec<ListenerId>>,
    /// Those for any address; port 0 stands for every port.
    any: HashMap<u16, Vec<ListenerId>>,
    generation: u32,
}

impl Listeners {
    pub(super) fn insert(
        &mut self,
        local: Endpoint,
        bound: Bound,
        options: &ListenOptions,
        (stack, tcp): (&StackConfig, &Arc<TcpConfig>),
    ) -> ListenerId {
        self.generation = self.generation.wrapping_add(1);
        let id = ListenerId { slot: self.slots.vacant_key() as u32, generation: self.generation };
        self.slots.insert(Listener {
            cell: ListenerCell::new(local, options.backlog.min(stack.somaxconn)),
            generation: id.generation,
            bound,
            scope: options.scope,
            limits: options.limits(stack),
            queue: SynQueue::new(),
            tcp: options.numbers(tcp),
            save_syn: options.save_syn,
            desk: options.pending.map(|p| Desk::new(local, p, stack.max_syn_backlog)),
        });
        self.place(options.scope).entry(local.port).or_default().push(id);
        id
    }

    pub(super) fn remove(&mut self, id: ListenerId) -> Option<Listener> {
        self.known(id)?;
        let gone = self.slots.try_remove(id.slot as usize)?;
        let port = gone.cell.local().port;
        let place = self.place(gone.scope);
        if let Some(ids) = place.get_mut(&port) {
            ids.retain(|i| *i != id);
            if ids.is_empty() {
                place.remove(&port);
            }
        }
        Some(gone)
    }

    fn place(&mut self, scope: ListenScope) -> &mut HashMap<u16, Vec<ListenerId>> {
        match scope {
            ListenScope::Own => &mut self.by_port,
            ListenScope::Any => &mut self.any,
        }
    }

    pub(super) fn listener(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.slots.get_mut(id.slot as usize).filter(|l| l.generation == id.generation)
    }

    pub(super) fn known(&self, id: ListenerId) -> Option<&Listener> {
        self.slots.get(id.slot as usize).filter(|l| l.generation == id.generation)
    }

    pub(super) fn cell(&self, id: ListenerId) -> Option<&Arc<ListenerCell>> {
        self.known(id).map(|l| &l.cell)
    }

    pub(super) fn tcp(&self, id: ListenerId) -> Option<&Arc<TcpConfig>> {
        self.known(id).map(|l| &l.tcp)
    }

    pub(super) fn limits(&self, id: ListenerId) -> Option<&Backlog> {
        self.known(id).map(|l| &l.limits)
    }

    pub(super) fn desk(&self, id: ListenerId) -> Option<&Desk> {
        self.known(id)?.desk.as_ref()
    }

    pub(super) fn desk_mut(&mut self, id: ListenerId) -> Option<&mut Desk> {
        self.listener(id)?.desk.as_mut()
    }

    /// A listener for a local endpoint: one on exactly this address before a wildcard, which is
    /// for `own` addresses, and at last one for any address, on this port before every port.
    pub(super) fn find(
        &self,
        local: Endpoint,
        own: bool,
        spread: impl Fn() -> u32,
    ) -> Option<ListenerId> {
        let exact_only = !own;
        let bound = self.by_port.get(&local.port);
        let any = |port| self.best(self.any.get(&port)?, local.ip, false, &spread);
        bound
            .and_then(|ids| self.best(ids, local.ip, exact_only, &spread))
            .or_else(|| any(local.port))
            .or_else(|| any(0))
    }

    /// One of its family before one of both. Of several that share the address, the one at
    /// `spread` of 2^32 of the way; it is asked for only then.
    fn best(
        &self,
        ids: &[ListenerId],
        ip: IpAddr,
        exact_only: bool,
        spread: &impl Fn() -> u32,
    ) -> Option<ListenerId> {
        let fits = |bound: &Bound| !exact_only || bound.ip == ip;
        let rank = |id: &ListenerId| {
            let bound = self.known(*id).map(|l| l.bound).filter(fits);
            bound.and_then(|b| b.rank(ip))
        };
        let best = ids.iter().filter_map(rank).min()?;
        let fit = || ids.iter().filter(|id| rank(id) == Some(best));
        match fit().count() as u64 {
            1 => fit().next().copied(),
            many => fit().nth(((many * u64::from(spread())) >> 32) as usize).copied(),
        }
    }

    /// What becomes of a request to a listener.
    pub(super) fn admit(&self, id: ListenerId) -> Result<Admission, PacketDrop> {
        let l = self.known(id).ok_or(PacketDrop::NoConnection)?;
        let next = l.limits.on_syn(l.queue.len(), l.cell.has_room());
        let crowded = l.desk.as_ref().is_some_and(|d| !d.has_room());
        if next == Admission::Record && crowded {
            return Err(PacketDrop::PendingQueueFull);
        }
        Ok(next)
    }

    /// What becomes of the last ACK of a handshake, as far as the listener says.
    pub(super) fn on_last_ack(&self, id: ListenerId) -> Result<Completion, PacketDrop> {
        let l = self.known(id).ok_or(PacketDrop::NoConnection)?;
        Ok(l.limits.on_last_ack(l.cell.has_room()))
    }

    /// Whether another listener for any address keeps this one from coming.
    pub(super) fn any_clashes(&self, wanted: Bound, port: u16) -> bool {
        let there = self.any.get(&port).into_iter().flatten();
        there.filter_map(|id| self.known(*id)).any(|l| l.bound.clashes(wanted))
    }

    pub(super) fn keeps_proven(&self, id: ListenerId) -> bool {
        self.known(id).is_some_and(|l| l.limits.keeps_proven(l.queue.len()))
    }

    pub(super) fn ids(&self) -> Vec<ListenerId> {
        let id = |(slot, l): (usize, &Listener)| ListenerId {
            slot: slot as u32,
            generation: l.generation,
        };
        self.slots.iter().map(id).collect()
    }

    pub(super) fn row(&self, place: usize, filter: &Filter) -> Option<ConnectionRow> {
        let l = self.slots.get(place)?;
        let row = listener_row(&l.cell, l.queue.len(), filter)?;
        let Some((receive_queue, send_queue)) = l.desk.as_ref().map(Desk::queue) else {
            return Some(row);
        };
        Some(ConnectionRow { receive_queue, send_queue, ..row })
    }

    pub(super) fn places(&self) -> usize {
        self.slots.capacity()
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}
