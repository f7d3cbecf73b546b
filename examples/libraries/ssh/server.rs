//! What does the server do for a client whose key it knows? Three commands; no shell, no files, no
//! forwarding. The protocol is russh's.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use library_examples::common::{Host, Result};
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey, key::safe_rng, load_secret_key};
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
    run_stream,
};
use russh::{Channel, ChannelId, ChannelMsg, MethodKind, MethodSet};
use sha2::{Digest, Sha256};
use tcp_async::{Net, TcpListener};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The port to listen on.
    #[arg(long, default_value_t = 22)]
    port: u16,
    /// A file with the public keys of those who may log in, one a line.
    #[arg(long, value_name = "FILE")]
    authorized_keys: PathBuf,
    /// The file with our own private key; without it there is a new one for this run.
    #[arg(long, value_name = "FILE")]
    host_key: Option<PathBuf>,
}

/// What a shell says of a command that it does not find.
const NOT_FOUND: u32 = 127;
/// Lines of the command `seq`: more octets than fit into every window on the way.
pub(crate) const SEQUENCE: u32 = 2_000_000;
/// Extended data of this type is the command's standard error (RFC 4254 5.2).
const STDERR: u32 = 1;

pub(crate) async fn serve(host: Host, args: &Args) -> Result {
    let key = match &args.host_key {
        Some(path) => {
            load_secret_key(path, None).map_err(|e| format!("{}: {e}", path.display()))?
        }
        None => PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?,
    };
    println!("Our key is {}", key.public_key().fingerprint(HashAlg::Sha256));
    let path = args.authorized_keys.display();
    let text =
        std::fs::read_to_string(&args.authorized_keys).map_err(|e| format!("{path}: {e}"))?;
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let authorized = lines.map(PublicKey::from_openssh).collect::<std::result::Result<Vec<_>, _>>();
    let server = Server::new(&host.net, key, authorized.map_err(|e| format!("{path}: {e}"))?);
    for addr in host.addrs(args.port) {
        let listener = host.net.listen(addr).await?;
        println!("    ssh -p {} {}", addr.port(), addr.ip());
        tokio::spawn(server.clone().accept(listener));
    }
    host.serve(std::future::pending::<Result>()).await
}

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Server {
    net: Net,
    config: Arc<Config>,
    authorized: Arc<[PublicKey]>,
}

impl Server {
    pub(crate) fn new(net: &Net, key: PrivateKey, authorized: Vec<PublicKey>) -> Server {
        let config = Config {
            keys: vec![key],
            methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
            // A client asks first what it may try.
            auth_rejection_time_initial: Some(Duration::ZERO),
            ..Config::default()
        };
        Server { net: net.clone(), config: Arc::new(config), authorized: authorized.into() }
    }

    pub(crate) async fn accept(self, listener: TcpListener) {
        // The other way out is the end of the stack.
        while let Ok((stream, peer)) = listener.accept().await {
            let client =
                Client { server: self.clone(), user: String::new(), channels: HashMap::new() };
            let config = self.config.clone();
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let result = async { run_stream(config, stream, client).await?.await }.await;
                match result {
                    Ok(()) => println!("{peer}: over"),
                    Err(e) => println!("{peer}: {e}"),
                }
            });
        }
    }

    fn knows(&self, key: &PublicKey) -> Auth {
        // Comments differ.
        let known = self.authorized.iter().any(|k| k.key_data() == key.key_data());
        if known { Auth::Accept } else { Auth::reject() }
    }
}

/// One connection.
struct Client {
    server: Server,
    user: String,
    /// Opened, and no command yet: as many as russh lets a client open.
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> std::result::Result<Auth, russh::Error> {
        Ok(self.server.knows(offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> std::result::Result<Auth, russh::Error> {
        self.user = user.to_owned();
        Ok(self.server.knows(key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> std::result::Result<(), russh::Error> {
        // As OpenSSH's `MaxSessions`.
        if self.channels.len() < 10 {
            self.channels.insert(channel.id(), channel);
            reply.accept().await;
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        id: ChannelId,
        _session: &mut Session,
    ) -> std::result::Result<(), russh::Error> {
        self.channels.remove(&id);
        Ok(())
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> std::result::Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> std::result::Result<(), russh::Error> {
        let Some(channel) = self.channels.remove(&id) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let command = String::from_utf8_lossy(command).into_owned();
        println!("{} runs {command:?}", self.user);
        // The session goes on reading while the command runs.
        tokio::spawn(run(self.server.net.clone(), channel, command));
        Ok(())
    }
}

/// Runs a command on its channel. A client that goes away in the middle ends it.
async fn run(
    net: Net,
    mut channel: Channel<Msg>,
    command: String,
) -> std::result::Result<(), russh::Error> {
    let status = match command.trim() {
        "sha256sum" => {
            // Nothing is said before all has come: russh stops reading the connection while a
            // channel does not take its text, and would miss that the client's window opens.
            let mut hash = Sha256::new();
            while let Some(message) = channel.wait().await {
                match message {
                    ChannelMsg::Data { data } => hash.update(&data),
                    ChannelMsg::Eof | ChannelMsg::Close => break,
                    _ => {}
                }
            }
            channel.data_bytes(format!("{}  -\n", hex(&hash.finalize()))).await?;
            0
        }
        "seq" => {
            // Waits while the client's window is closed.
            for first in (0..SEQUENCE).step_by(4_096) {
                let lines = (first..SEQUENCE.min(first + 4_096)).map(|n| format!("{n}\n"));
                channel.data_bytes(lines.collect::<String>()).await?;
            }
            0
        }
        "netstat" => {
            channel.data_bytes(table(&net)).await?;
            0
        }
        other => {
            let said =
                format!("{other}: not found; there are `netstat`, `seq` and `sha256sum`\r\n");
            channel.extended_data_bytes(STDERR, said).await?;
            NOT_FOUND
        }
    };
    channel.exit_status(status).await?;
    channel.eof().await?;
    channel.close().await
}

/// As `sha256sum` writes it.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn table(net: &Net) -> String {
    let mut table = format!("{:<28} {:<28} {}\n", "ours", "theirs", "state");
    for row in net.connections() {
        let (ours, theirs) = (row.local.to_string(), row.remote.map(|r| r.to_string()));
        let theirs = theirs.unwrap_or_default();
        // A string takes everything.
        let _ = writeln!(table, "{ours:<28} {theirs:<28} {}", row.state);
    }
    table
}
