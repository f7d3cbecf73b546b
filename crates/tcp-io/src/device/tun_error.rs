//! Why is there no TUN device? What can go wrong when one is opened, and as which `io::Error` it is
//! told. No RFC.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there is no TUN device.
///
/// ```
/// use std::io;
/// use tcp_io::device::{TunDevice, TunError};
///
/// // Outside of a runtime nobody could wait for packets.
/// let Err(error) = TunDevice::builder().open() else { panic!("no runtime is here") };
/// assert!(matches!(error, TunError::NoRuntime));
///
/// let denied = io::Error::from(TunError::NotPermitted);
/// assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
/// assert!(denied.to_string().contains("CAP_NET_ADMIN"));
/// ```
#[derive(Debug)]
pub enum TunError {
    /// The name is empty, longer than 15 octets, or has a character that no interface may have.
    BadName(String),
    /// Not an address with an optional prefix length, such as `10.0.0.1/24` or `fd00::1/64`.
    BadAddress(String),
    /// The process lacks `CAP_NET_ADMIN` (or may not enter the namespace).
    NotPermitted,
    /// An interface of this name exists and is in use, or has no room for another queue.
    NameTaken(String),
    /// The kernel has no TUN driver: `/dev/net/tun` can't be opened.
    NoDriver(io::Error),
    /// The namespace can't be entered.
    Namespace(PathBuf, io::Error),
    /// There is no tokio runtime around.
    NoRuntime,
    /// Another step failed.
    Io(&'static str, io::Error),
}

impl fmt::Display for TunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TunError::BadName(name) => write!(f, "{name:?} can't name an interface"),
            TunError::BadAddress(text) => write!(f, "{text:?} is no address with prefix length"),
            TunError::NotPermitted => {
                f.write_str("opening a TUN device needs the CAP_NET_ADMIN capability")
            }
            TunError::NameTaken(name) => write!(f, "interface {name:?} exists and is in use"),
            TunError::NoDriver(e) => write!(f, "/dev/net/tun can't be opened: {e}"),
            TunError::Namespace(path, e) => {
                write!(f, "network namespace {} can't be entered: {e}", path.display())
            }
            TunError::NoRuntime => f.write_str("a TUN device needs a tokio runtime"),
            TunError::Io(step, e) => write!(f, "TUN device: {step}: {e}"),
        }
    }
}

impl Error for TunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TunError::NoDriver(e) | TunError::Namespace(_, e) | TunError::Io(_, e) => Some(e),
            _ => None,
        }
    }
}

impl From<TunError> for io::Error {
    fn from(error: TunError) -> io::Error {
        let kind = match &error {
            TunError::BadName(_) | TunError::BadAddress(_) => io::ErrorKind::InvalidInput,
            TunError::NotPermitted => io::ErrorKind::PermissionDenied,
            TunError::NameTaken(_) => io::ErrorKind::AddrInUse,
            TunError::NoDriver(e) | TunError::Namespace(_, e) | TunError::Io(_, e) => e.kind(),
            TunError::NoRuntime => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
