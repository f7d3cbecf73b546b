//! What the examples share: opening a TUN device for a stack, with the flags that choose it and
//! those that let others look in.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use clap::Args;
use tcp_async::device::{CaptureHandle, CaptureOptions, Device, Tap, TunDevice, TunError};
use tcp_async::status::StatusServer;
use tcp_async::{Builder, Cidr, Net};

/// Which TUN device and addresses a program uses.
#[derive(Args, Clone, Debug)]
pub struct TunArgs {
    /// Name of the TUN device.
    #[arg(long, default_value = "tcp0")]
    pub tun: String,
    /// An address of the stack with its prefix length; the host gets the first address of the
    /// same network. May be given several times.
    #[arg(long = "address", value_name = "CIDR", default_values = ["10.45.0.2/24", "fd45::2/64"])]
    pub addresses: Vec<Cidr>,
    /// Network namespace in which the device is opened; the program itself stays where it is.
    #[arg(long, value_name = "NAME")]
    pub netns: Option<String>,
}

impl TunArgs {
    /// The host's addresses: the first of each network.
    pub fn host_addresses(&self) -> Vec<String> {
        self.addresses.iter().map(|c| host_of(*c)).collect()
    }

    /// Opens the device and starts a stack on it.
    ///
    /// # Errors
    /// What opening the device says: no privilege, a name that is taken, a bad address.
    pub fn start(&self) -> Result<Net, TunError> {
        self.start_with(|net| net)
    }

    /// Opens the device and starts a stack on it that is described further.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(&self, describe: impl FnOnce(Builder) -> Builder) -> Result<Net, TunError> {
        self.start_on(self.open()?, describe)
    }

    /// Like [`start`](Self::start), with a capture if that is asked for.
    ///
    /// # Errors
    /// As [`start`](Self::start); and if the capture's file can't be made.
    pub fn start_tapped(&self, look: &LookArgs) -> Result<(Net, Option<CaptureHandle>), TunError> {
        let device = self.open()?;
        let Some(path) = &look.capture else {
            return Ok((self.start_on(device, |net| net)?, None));
        };
        let tap = File::create(path).and_then(|f| Tap::new(device, f, CaptureOptions::default()));
        let tap = tap.map_err(|e| TunError::Io("begin the capture", e))?;
        let capture = tap.handle();
        Ok((self.start_on(tap, |net| net)?, Some(capture)))
    }

    fn open(&self) -> Result<TunDevice, TunError> {
        let mut tun = TunDevice::builder().name(&self.tun);
        if let Some(name) = &self.netns {
            tun = tun.namespace(name);
        }
        for host in self.host_addresses() {
            tun = tun.host_address(host);
        }
        tun.open()
    }

    fn start_on<D: Device + Unpin>(
        &self,
        device: D,
        describe: impl FnOnce(Builder) -> Builder,
    ) -> Result<Net, TunError> {
        let net = self.addresses.iter().fold(Net::builder(), |b, c| b.cidr(*c));
        describe(net)
            .device(device)
            .map_err(|e| TunError::Io("start the stack", io::Error::from(e)))
    }
}

/// How others may look into a program.
#[derive(Args, Clone, Debug)]
pub struct LookArgs {
    /// Serve the tables of the stack at this socket, for the example `netstat`.
    #[arg(long, value_name = "PATH")]
    pub status: Option<PathBuf>,
    /// Write all packets to this file, as pcapng.
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
}

impl LookArgs {
    /// Begins to serve the tables of `net`, if that is asked for, until the value is dropped.
    ///
    /// # Errors
    /// If the socket cannot be made; says where.
    pub fn serve(&self, net: &Net) -> io::Result<Option<StatusServer>> {
        let Some(path) = &self.status else { return Ok(None) };
        let said = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        net.serve_status(path).map(Some).map_err(said)
    }
}

/// The first address of a network, with its prefix length.
fn host_of(c: Cidr) -> String {
    let host = match c.address() {
        std::net::IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(c.prefix())).unwrap_or(0);
            std::net::Ipv4Addr::from((u32::from(a) & mask) | 1).to_string()
        }
        std::net::IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(c.prefix())).unwrap_or(0);
            std::net::Ipv6Addr::from((u128::from(a) & mask) | 1).to_string()
        }
    };
    format!("{host}/{}", c.prefix())
}

/// Logs to standard error what `RUST_LOG` asks for.
pub fn init_logging() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_the_first_of_its_network() {
        assert_eq!(host_of("10.45.0.2/24".parse().unwrap()), "10.45.0.1/24");
        assert_eq!(host_of("fd45::2/64".parse().unwrap()), "fd45::1/64");
    }
}
