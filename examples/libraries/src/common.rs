//! Where does an example run, and when does it end? On a TUN device, if one is named, serving
//! until Ctrl-C; otherwise on a network inside the process, where it talks to itself and ends.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser};
use http::Uri;
use stack_examples::{LookArgs, TunArgs, init_logging};
use tcp_async::status::StatusServer;
use tcp_async::{Cidr, Net};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

/// Whatever goes wrong in an example; each library has errors of its own.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of an example.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// What of a capture may still be on its way to the file at the end.
const CAPTURE_PATIENCE: Duration = Duration::from_secs(5);

/// The `main` of an example: reads the arguments, logs what `RUST_LOG` asks for, and says on
/// standard error what went wrong, with its causes.
pub async fn run<A: Parser, F: Future<Output = Result>>(program: impl FnOnce(A) -> F) -> ExitCode {
    init_logging();
    let Err(e) = program(A::parse()).await else { return ExitCode::SUCCESS };
    let path = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&path).file_name().unwrap_or(&path).display();
    eprintln!("{name}: {}", Causes(&*e));
    ExitCode::FAILURE
}

/// An error with the errors behind it, which many libraries leave out of their own text.
struct Causes<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut said = self.0.to_string();
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            next = cause.source();
        }
        Ok(())
    }
}

/// Where an example runs: flatten it into the arguments.
#[derive(Args, Clone, Debug)]
pub struct HostArgs {
    /// Run on a TUN device of this name, which is made (needs root, or `CAP_NET_ADMIN`). Without
    /// it the example talks to itself inside this process, and ends.
    #[arg(long, value_name = "NAME")]
    pub tun: Option<String>,
    /// An address of the stack with its prefix length; the machine's kernel gets the first address
    /// of the same network. May be given several times.
    #[arg(long = "address", value_name = "CIDR", default_values = ["10.45.0.2/24", "fd45::2/64"])]
    pub addresses: Vec<Cidr>,
    /// Network namespace in which the device is opened; the program itself stays where it is.
    #[arg(long, value_name = "NAMESPACE", requires = "tun")]
    pub netns: Option<String>,
    /// How others may look in.
    #[command(flatten)]
    pub look: LookArgs,
}

impl HostArgs {
    /// Starts the stack, and with it what lets others look in.
    ///
    /// # Errors
    /// What opening the device says: no privilege, a name that is taken, a bad address; or if the
    /// socket of `--status` or the file of `--capture` cannot be made.
    pub fn start(&self) -> Result<Host> {
        let (net, capture) = match &self.tun {
            Some(name) => {
                let (tun, addresses) = (name.clone(), self.addresses.clone());
                let tun = TunArgs { tun, addresses, netns: self.netns.clone() };
                tun.start_tapped(&self.look).map_err(|e| format!("TUN device `{name}`: {e}"))?
            }
            None if self.look.capture.is_some() => {
                return Err(
                    "--capture writes what goes through a device: name one with --tun".into()
                );
            }
            None => {
                let net = self.addresses.iter().fold(Net::builder(), |b, c| b.cidr(*c));
                (net.loopback()?, None)
            }
        };
        // From here on: whoever reads the line about Ctrl-C may press it.
        let (interrupt, terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let status = self.look.serve(&net)?;
        let ips = self.addresses.iter().map(Cidr::address).collect();
        let in_process = self.tun.is_none();
        Ok(Host { net, in_process, ips, interrupt, terminate, capture, _status: status })
    }
}

/// A running stack, and how its program ends.
#[derive(Debug)]
pub struct Host {
    /// The stack.
    pub net: Net,
    in_process: bool,
    ips: Vec<IpAddr>,
    interrupt: Signal,
    terminate: Signal,
    capture: Option<tcp_async::device::CaptureHandle>,
    _status: Option<StatusServer>,
}

impl Host {
    /// Whether there is no device: only this program itself can be reached, and the example shows
    /// what it does with itself as the peer, then ends.
    pub fn is_in_process(&self) -> bool {
        self.in_process
    }

    /// The stack's addresses, in the order of the arguments.
    pub fn ips(&self) -> &[IpAddr] {
        &self.ips
    }

    /// A port of each of the stack's addresses.
    pub fn addrs(&self, port: u16) -> Vec<SocketAddr> {
        self.ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect()
    }

    /// Says what to type in another terminal.
    pub fn invite(&self, commands: impl IntoIterator<Item = String>) {
        println!("Listening. In another terminal, try");
        for command in commands {
            println!("    {command}");
        }
    }

    /// Serves until Ctrl-C, SIGTERM, or the end of the device or of the service itself, then
    /// [ends](Self::end) the stack. Says that it serves by a line that ends with `Ctrl-C ends.`
    ///
    /// # Errors
    /// What the service says, or if the device has gone.
    pub async fn serve<S, E>(mut self, service: S) -> Result
    where
        S: IntoFuture<Output = std::result::Result<(), E>>,
        E: Into<Error>,
    {
        println!("Ctrl-C ends.");
        let result = tokio::select! {
            _ = self.interrupt.recv() => Ok(()),
            _ = self.terminate.recv() => Ok(()),
            () = self.net.ended() => Err("the device is gone".into()),
            result = service.into_future() => result.map_err(Into::into),
        };
        self.end().await;
        result
    }

    /// Ends the stack in order: what was written is delivered, as far as the peers let it.
    pub async fn end(self) {
        self.net.shutdown().await;
        if let Some(capture) = self.capture {
            let stats = capture.finish(CAPTURE_PATIENCE);
            println!("{} packets captured, {} left out", stats.packets, stats.left_out);
        }
    }
}

/// Waits for the first of several servers that ends, which none does in order.
///
/// # Errors
/// What that server says, or that it has panicked.
pub async fn any<E: Into<Error> + 'static>(
    mut servers: JoinSet<std::result::Result<(), E>>,
) -> Result {
    match servers.join_next().await {
        Some(ended) => ended?.map_err(Into::into),
        None => Ok(()),
    }
}

/// Host and port of a URL, port 80 if it has none, as `connect` takes them.
///
/// # Errors
/// Without a host.
pub fn host_and_port(url: &Uri) -> Result<String> {
    let host = url.host().filter(|h| !h.is_empty()).ok_or_else(|| format!("no host in `{url}`"))?;
    Ok(format!("{host}:{}", url.port_u16().unwrap_or(80)))
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        host: HostArgs,
    }

    fn start(arguments: &[&str]) -> Result<Host> {
        Program::try_parse_from([&["test"], arguments].concat())?.host.start()
    }

    #[tokio::test]
    async fn without_a_device_it_reaches_itself_at_its_addresses() {
        let host = start(&["--address", "192.0.2.7/24", "--address", "2001:db8::7/64"]).unwrap();
        assert!(host.is_in_process());
        for addr in host.addrs(80) {
            let listener = host.net.listen(addr).await.unwrap();
            let mut client = host.net.connect(addr).await.unwrap();
            client.write_all(b"hello").await.unwrap();
            drop(client);
            let (mut server, _peer) = listener.accept().await.unwrap();
            let mut text = String::new();
            server.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "hello");
        }
        host.end().await;
    }

    #[tokio::test]
    async fn a_service_that_fails_ends_the_program_with_its_error() {
        let host = start(&[]).unwrap();
        let broken = async { Err::<(), _>(io::Error::other("it broke")) };
        assert_eq!(host.serve(broken).await.unwrap_err().to_string(), "it broke");
    }

    #[tokio::test]
    async fn a_capture_or_a_namespace_without_a_device_is_a_mistake() {
        for arguments in [["--capture", "/nowhere/x.pcapng"], ["--netns", "x"]] {
            let said = start(&arguments).unwrap_err().to_string();
            assert!(said.contains("--tun"), "{said}");
        }
    }

    #[test]
    fn a_url_names_what_to_connect_to() {
        let told = |url: &str| host_and_port(&url.parse().unwrap()).unwrap();
        assert_eq!(told("ws://10.0.0.1:9001/"), "10.0.0.1:9001");
        assert_eq!(told("http://[fd00::1]/"), "[fd00::1]:80");
        assert!(host_and_port(&"/path".parse().unwrap()).is_err());
    }

    #[test]
    fn causes_are_told_once() {
        let inner = io::Error::other("refused");
        let outer = io::Error::other(Box::<dyn std::error::Error + Send + Sync>::from(inner));
        assert_eq!(Causes(&outer).to_string(), "refused");
    }
}
