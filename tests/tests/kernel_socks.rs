//! Does the example `tun-to-socks` carry the kernel's connections, and its errors? Clients of one
//! network namespace reach servers of another through it, directly and by a SOCKS5 proxy. Skipped
//! if it is not built (`cargo build --examples`).
#![cfg(target_os = "linux")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fast_socks5::ReplyError;
use fast_socks5::server::{Socks5ServerProtocol, SocksServerError};
use fast_socks5::util::target_addr::TargetAddr;
use stack_tests::kernel::{GUARD, KernelListener, Namespace, Running, connect, example};
use tokio::sync::oneshot;

/// The servers' addresses, in a namespace of their own.
const SERVER: [&str; 2] = ["192.0.2.7", "2001:db8::7"];
/// Addresses in the clients' routes that the servers' namespace cannot reach.
const UNREACHABLE: [&str; 2] = ["198.51.100.1", "2001:db8:1::1"];
const PROHIBITED: [&str; 2] = ["198.51.100.2", "2001:db8:1::2"];
const NO_ROUTE: [&str; 2] = ["203.0.113.1", "2001:db8:2::1"];
/// In the network of a device that nobody reads.
const SILENT: &str = "198.51.100.130";

const USER: &str = "somebody";
const PASSWORD: &str = "a secret: with octets";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Direct,
    Socks { password: bool },
}

const WAYS: [Way; 3] = [Way::Direct, Way::Socks { password: false }, Way::Socks { password: true }];

/// Clients here, servers there, and the example between them.
struct Setup {
    clients: Namespace,
    world: Namespace,
    program: Running,
    _proxy: Option<oneshot::Sender<()>>,
}

impl Setup {
    /// None if the example is not built.
    fn new(way: Way, arguments: &[&str]) -> Option<Setup> {
        let path = example("tun-to-socks")?;
        let (clients, world) = (Namespace::new(), Namespace::new());
        servers(&world);
        let mut command = world.command(path);
        command.args(["--tun", "socks0", "--netns", clients.name()]).args(arguments);
        let mut proxy = None;
        match way {
            Way::Direct => {
                command.arg("--direct");
            }
            Way::Socks { password } => {
                let (addr, stop) = start_proxy(&world, password);
                proxy = Some(stop);
                command.args(["--socks5", &addr.to_string()]);
                if password {
                    command.args(["--user", USER]).env("SOCKS5_PASSWORD", PASSWORD);
                }
            }
        }
        let mut program = Running::start(command);
        program.line_with("Ctrl-C");
        for net in ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"] {
            clients.ip(["route", "add", net, "dev", "socks0"]);
        }
        Some(Setup { clients, world, program, _proxy: proxy })
    }

    fn listen(&self, ip: &str) -> KernelListener {
        let ip: IpAddr = ip.parse().unwrap();
        self.world.run(|| KernelListener::bind(ip))
    }

    /// The error of a client's connect, and how long it took.
    fn refusal(&self, to: SocketAddr) -> (ErrorKind, Duration) {
        let start = Instant::now();
        let error = self.clients.run(|| connect(to)).expect_err("nobody is there");
        (error.kind(), start.elapsed())
    }

    fn end(mut self) {
        let status = self.program.interrupt();
        assert!(status.success(), "{status}");
    }
}

/// Addresses and routes of the servers' side.
fn servers(world: &Namespace) {
    world.ip(["addr", "add", "192.0.2.7/32", "dev", "lo"]);
    world.ip(["addr", "add", "2001:db8::7/128", "dev", "lo", "nodad"]);
    for (kind, [v4, v6]) in [("unreachable", UNREACHABLE), ("prohibit", PROHIBITED)] {
        world.ip(["route", "add", kind, v4]);
        world.ip(["-6", "route", "add", kind, v6]);
    }
    // Nobody holds its other end: what is sent there is lost.
    world.ip(["tuntap", "add", "mode", "tun", "name", "hole0"]);
    world.ip(["addr", "add", "198.51.100.129/25", "dev", "hole0"]);
    world.ip(["link", "set", "hole0", "up"]);
}

/// A SOCKS5 proxy in a thread inside the namespace, until the sender is dropped.
fn start_proxy(world: &Namespace, password: bool) -> (SocketAddr, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    world.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let serve = async {
                loop {
                    let (stream, _client) = listener.accept().await.unwrap();
                    tokio::spawn(proxy(stream, password));
                }
            };
            tokio::select! {
                () = serve => {}
                _ = stopped => {}
            }
        });
    });
    (told.recv().unwrap(), stop)
}

/// One client of the proxy; says what the kernel's connect says.
async fn proxy(stream: tokio::net::TcpStream, password: bool) -> Result<(), SocksServerError> {
    let authenticated = if password {
        let check = |user: String, word: String| user == USER && word == PASSWORD;
        Socks5ServerProtocol::accept_password_auth(stream, check).await?.0
    } else {
        Socks5ServerProtocol::accept_no_auth(stream).await?
    };
    let (asked, _connect, target) = authenticated.read_command().await?;
    let TargetAddr::Ip(to) = target else { panic!("the client named {target:?}") };
    match tokio::net::TcpStream::connect(to).await {
        Ok(mut server) => {
            let mut client = asked.reply_success(server.local_addr().unwrap()).await?;
            // A client or server that resets is its own test's business.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            Ok(())
        }
        Err(e) => {
            let reply = match e.kind() {
                ErrorKind::ConnectionRefused => ReplyError::ConnectionRefused,
                ErrorKind::HostUnreachable => ReplyError::HostUnreachable,
                ErrorKind::NetworkUnreachable => ReplyError::NetworkUnreachable,
                ErrorKind::PermissionDenied => ReplyError::ConnectionNotAllowed,
                _ => ReplyError::GeneralFailure,
            };
            asked.reply_error(&reply).await
        }
    }
}

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| ((i + seed).wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

/// Sends a text, closes its direction, and reads the server's answer to its end.
fn ask(to: SocketAddr, text: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(to)?;
    assert_eq!(stream.peer_addr()?, to);
    let mut sender = stream.try_clone()?;
    thread::scope(|scope| {
        let sent = scope.spawn(move || {
            sender.write_all(text)?;
            sender.shutdown(Shutdown::Write)
        });
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        sent.join().unwrap()?;
        Ok(answer)
    })
}

/// Reads to the end, and only then answers: with the text backwards.
fn answer(mut stream: TcpStream) {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    text.reverse();
    stream.write_all(&text).unwrap();
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn text_and_half_closes_pass_both_ways() {
    for way in WAYS {
        let Some(mut setup) = Setup::new(way, &[]) else { return };
        for ip in SERVER {
            let listener = setup.listen(ip);
            let to = listener.addr;
            let server = thread::spawn(move || answer(listener.accept()));
            let mut text = pattern(3 << 20, 7);
            let got = setup.clients.run(|| ask(to, &text)).unwrap();
            server.join().unwrap();
            text.reverse();
            assert!(got == text, "{way:?} {ip}");
            let line = setup.program.line_with(&format!("-> {to}: "));
            let expected = format!("{0} bytes up, {0} bytes down, closed", 3 << 20);
            assert!(line.contains(&expected), "{line:?}");
        }
        setup.end();
    }
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn a_closed_port_refuses_the_client_at_once() {
    for way in WAYS {
        let Some(mut setup) = Setup::new(way, &[]) else { return };
        for ip in SERVER {
            let closed = setup.listen(ip).addr;
            let (kind, took) = setup.refusal(closed);
            println!("{way:?} {closed}: {kind} after {took:?}");
            assert_eq!(kind, ErrorKind::ConnectionRefused);
            // Less than one retransmission of a SYN.
            assert!(took < Duration::from_millis(900), "{took:?}");
            setup.program.line_with(&format!("-> {closed}: refused"));
        }
        setup.end();
    }
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn what_cannot_be_reached_fails_as_it_does_there() {
    use ErrorKind::{HostUnreachable, NetworkUnreachable, PermissionDenied};
    for way in WAYS {
        let Some(setup) = Setup::new(way, &[]) else { return };
        // Linux has no error of its own for ICMPv4's "prohibited".
        for (to, kind) in [
            (UNREACHABLE[0], HostUnreachable),
            (UNREACHABLE[1], HostUnreachable),
            (NO_ROUTE[0], NetworkUnreachable),
            (NO_ROUTE[1], NetworkUnreachable),
            (PROHIBITED[0], HostUnreachable),
            (PROHIBITED[1], PermissionDenied),
        ] {
            let to = SocketAddr::new(to.parse().unwrap(), 80);
            let (got, took) = setup.refusal(to);
            println!("{way:?} {to}: {got} after {took:?}");
            assert_eq!(got, kind, "{way:?} {to}");
            assert!(took < Duration::from_millis(900), "{took:?}");
        }
        setup.end();
    }
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn silence_stays_silence_and_the_handshake_waits() {
    let Some(mut setup) = Setup::new(Way::Direct, &["--connect-timeout", "2"]) else { return };
    let to = SocketAddr::new(SILENT.parse().unwrap(), 80);
    let patience = Duration::from_secs(4);
    let e = setup.clients.run(|| TcpStream::connect_timeout(&to, patience)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::TimedOut);
    setup.program.line_with(&format!("-> {to}: not answered"));
    setup.end();
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn a_proxy_that_is_away_is_a_network_that_is() {
    let Some(path) = example("tun-to-socks") else { return };
    let (clients, world) = (Namespace::new(), Namespace::new());
    let mut command = world.command(path);
    command.args(["--tun", "socks0", "--netns", clients.name(), "--socks5", "127.0.0.1:1"]);
    let mut program = Running::start(command);
    program.line_with("Ctrl-C");
    clients.ip(["route", "add", "192.0.2.0/24", "dev", "socks0"]);
    let to = SocketAddr::new(SERVER[0].parse().unwrap(), 80);
    let e = clients.run(|| connect(to)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NetworkUnreachable);
    let line = program.line_with(&format!("-> {to}: network unreachable"));
    assert!(line.contains("the proxy: "), "{line:?}");
    // The stack's own addresses lead nowhere, but they are there.
    let e = clients.run(|| connect("10.45.0.2:80".parse().unwrap())).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::ConnectionRefused);
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn a_reset_reaches_the_other_side() {
    let Some(mut setup) = Setup::new(Way::Direct, &[]) else { return };
    let listener = setup.listen(SERVER[0]);
    let to = listener.addr;
    let reset = |stream: TcpStream| {
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    };
    // The server's, while the client reads.
    let mut client = setup.clients.run(|| connect(to)).unwrap();
    let mut server = listener.accept();
    server.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    reset(server);
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let line = setup.program.line_with(&format!("-> {to}: "));
    assert!(line.contains("0 bytes up, 1 bytes down, reset"), "{line:?}");
    // The client's, while the server reads.
    let client = setup.clients.run(|| connect(to)).unwrap();
    let mut server = listener.accept();
    reset(client);
    assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    setup.end();
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn an_idle_connection_is_reset() {
    let Some(mut setup) = Setup::new(Way::Direct, &["--idle-timeout", "1"]) else { return };
    let listener = setup.listen(SERVER[0]);
    let to = listener.addr;
    let mut client = setup.clients.run(|| connect(to)).unwrap();
    let mut server = listener.accept();
    let start = Instant::now();
    for end in [&mut client, &mut server] {
        let kind = end.read(&mut [0]).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::ConnectionReset);
    }
    assert!(start.elapsed() > Duration::from_millis(900) && start.elapsed() < GUARD);
    setup.program.line_with("idle too long");
    setup.end();
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn a_hundred_connections_at_once() {
    const CLIENTS: usize = 100;
    for way in [WAYS[0], WAYS[2]] {
        // Fewer places than clients: some wait for their turn.
        let Some(setup) = Setup::new(way, &["--max-connections", "64"]) else { return };
        let listener = setup.listen(SERVER[0]);
        let to = listener.addr;
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..CLIENTS {
                    let stream = listener.accept();
                    scope.spawn(move || answer(stream));
                }
            });
            for n in 0..CLIENTS {
                let clients = &setup.clients;
                scope.spawn(move || {
                    clients.enter();
                    let mut text = pattern(100_000 + n, n);
                    let got = ask(to, &text).unwrap_or_else(|e| panic!("client {n}: {e}"));
                    text.reverse();
                    assert!(got == text, "client {n}");
                });
            }
        });
        println!("{way:?}: {CLIENTS} clients in {:?}", start.elapsed());
        setup.end();
    }
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn ctrl_c_refuses_who_waits_and_ends() {
    let Some(mut setup) = Setup::new(Way::Direct, &[]) else { return };
    let to = SocketAddr::new(SILENT.parse().unwrap(), 80);
    let waiting = setup.clients.spawn(move || connect(to).map(drop));
    // Its SYN is there once its connection to the other side is on its way.
    let opening = || {
        let sockets = setup.world.run(|| std::fs::read_to_string("/proc/thread-self/net/tcp"));
        // 02 is SYN-SENT.
        sockets.unwrap().lines().any(|line| line.split_whitespace().nth(3) == Some("02"))
    };
    let start = Instant::now();
    while !opening() {
        assert!(start.elapsed() < GUARD);
        thread::sleep(Duration::from_millis(1));
    }
    let status = setup.program.interrupt();
    assert!(status.success(), "{status}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(waiting.join()).unwrap_err();
    assert_eq!(seen.kind(), ErrorKind::ConnectionRefused);
}

#[test]
#[ignore = "needs root and /dev/net/tun"]
fn the_demo_needs_no_device() {
    let Some(path) = example("tun-to-socks") else { return };
    let namespace = Namespace::new();
    let output = namespace.command(path).arg("--demo").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in
        ["1048576 bytes came back from 192.0.2.7:7", "[2001:db8::7]:7", "refused", "in order"]
    {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}
