//! What of addresses that are not the stack's own? Which foreign destinations it takes, and the
//! listeners for any of them (RFC 1122 3.2.1.3, MUST-57).

use std::net::IpAddr;

use tcp_core::Endpoint;

use super::counters::PacketDrop;
use super::ports::{BindError, Bound};
use super::{ListenError, ListenOptions, Stack};

/// What a stack does with packets for addresses that are not its own.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// let config = StackConfig { foreign: Foreign::Take { echo: true }, ..b.config().clone() };
/// let mut b = Stack::new(now, config, [2; 32]);
/// // One foreign address; `ListenScope::Any` is for all of them.
/// b.listen("192.0.2.9:443".parse()?, ListenOptions::default())?;
/// let client = a.connect(now, "192.0.2.9:443".parse()?, ConnectOptions::default())?;
/// carry(now, &mut a, &mut b);
/// assert_eq!(a.state(client), State::Established);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Foreign {
    /// They are dropped.
    #[default]
    Ignore,
    /// It has every address: foreign ones can be listened on, bound and answered from, and a
    /// segment that nobody wants is reset. For a stack that alone sits behind its device.
    Take {
        /// Answer pings to them.
        echo: bool,
    },
}

/// Which destinations a listener takes.
///
/// ```
#[doc = include_str!("../../doc/stack_pair.rs")]
/// # let config = StackConfig { foreign: Foreign::Take { echo: true }, ..b.config().clone() };
/// # let mut b = Stack::new(now, config, [2; 32]);
/// // `b` takes foreign addresses; this listener is for every address and port.
/// let options = ListenOptions { scope: ListenScope::Any, ..ListenOptions::default() };
/// let any = b.listen("0.0.0.0:0".parse()?, options)?;
/// let own = b.listen("10.0.0.2:80".parse()?, ListenOptions::default())?;
/// a.connect(now, "192.0.2.9:443".parse()?, ConnectOptions::default())?;
/// a.connect(now, "10.0.0.2:80".parse()?, ConnectOptions::default())?;
/// carry(now, &mut a, &mut b);
/// let server = b.accept(any)?.unwrap();
/// assert_eq!(b.info(server).unwrap().tuple.local.to_string(), "192.0.2.9:443");
/// assert!(b.accept(own)?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ListenScope {
    /// The address it listens on; the unspecified one stands for all of the stack's own.
    #[default]
    Own,
    /// Every address, own and foreign, of the families of the unspecified address it listens on;
    /// port 0 stands for every port. Listeners of scope `Own` come before it, and one port
    /// before every port. Needs [`Foreign::Take`].
    Any,
}

impl Stack {
    /// Whether the address of a host that is not the stack's own is treated as if it were.
    pub(super) fn takes(&self, ip: IpAddr) -> bool {
        self.check_foreign(ip).is_ok()
    }

    /// Whether a connection to `remote` may come from this address: an own one, or a foreign one
    /// towards somebody else, since what this stack answers to it would go out.
    pub(super) fn may_connect(&self, ip: IpAddr, remote: IpAddr) -> bool {
        self.is_local(ip) || (self.takes(ip) && !self.is_local(remote))
    }

    /// A packet is for an address that is not the stack's own.
    pub(super) fn check_foreign(&self, ip: IpAddr) -> Result<(), PacketDrop> {
        if self.config.foreign == Foreign::Ignore {
            return Err(PacketDrop::NotForUs);
        }
        let mapped = matches!(ip, IpAddr::V6(a) if a.to_ipv4_mapped().is_some());
        // MUST-57; RFC 1122 3.2.1.3 (a), (c), (g): the rest stands for no host either.
        if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() || self.is_broadcast(ip) {
            return Err(PacketDrop::NotUnicast);
        }
        if mapped || self.is_local(ip) { Err(PacketDrop::NotUnicast) } else { Ok(()) }
    }

    pub(super) fn is_broadcast(&self, ip: IpAddr) -> bool {
        matches!(ip, IpAddr::V4(v4) if v4.is_broadcast())
            || self.config.addresses.iter().any(|c| c.broadcast() == Some(ip))
    }

    /// Whether a ping to this address is answered.
    pub(super) fn check_echo(&self, to: IpAddr) -> Result<(), PacketDrop> {
        match self.config.foreign {
            Foreign::Take { echo: false } if !self.is_local(to) => Err(PacketDrop::IcmpIgnored),
            _ => Ok(()),
        }
    }

    /// Where a listener of scope [`ListenScope::Any`] listens. No port is reserved: own listeners
    /// come first, and connections have their own tuples.
    pub(super) fn check_any(
        &self,
        port: u16,
        wanted: Bound,
        options: &ListenOptions,
    ) -> Result<Endpoint, ListenError> {
        if !wanted.ip.is_unspecified() || options.bound {
            return Err(ListenError::NotUnspecified);
        }
        if self.config.foreign == Foreign::Ignore {
            return Err(ListenError::OwnAddressesOnly);
        }
        if self.listeners.any_clashes(wanted, port) {
            return Err(ListenError::Bind(BindError::InUse));
        }
        Ok(Endpoint::new(wanted.ip, port))
    }
}
