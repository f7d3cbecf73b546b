//! How does the client run a command? It checks the server's key, logs in by a key of its own, and
//! joins the command's input and output with those of this program.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use library_examples::common::{Error, Result};
use russh::client::{Config, Handle, Handler, connect_stream};
use russh::keys::{
    HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate,
    check_known_hosts_path, load_secret_key,
};
use russh::{ChannelMsg, Disconnect};
use tcp_async::Net;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The server.
    #[arg(long, default_value = "10.45.0.1:22")]
    server: SocketAddr,
    /// Who we are there.
    #[arg(long, default_value = "root")]
    user: String,
    /// The file with our private key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A file with the keys of servers, as OpenSSH's `known_hosts`. Others are refused.
    #[arg(long, value_name = "FILE")]
    known_hosts: PathBuf,
    /// A file that the command gets as its standard input.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The command.
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<String>,
}

pub(crate) async fn run(net: &Net, args: &Args) -> Result {
    let key =
        load_secret_key(&args.key, None).map_err(|e| format!("{}: {e}", args.key.display()))?;
    let known = HostKeys::File { path: args.known_hosts.clone(), server: args.server };
    let session =
        log_in(connect(net, args.server, known).await?, &args.user, Arc::new(key)).await?;
    let mut input: Box<dyn AsyncRead + Send + Unpin> = match &args.input {
        Some(path) => {
            let file = tokio::fs::File::open(path).await;
            Box::new(file.map_err(|e| format!("{}: {e}", path.display()))?)
        }
        None => Box::new(tokio::io::empty()),
    };
    let status =
        command(&session, &args.command.join(" "), &mut input, &mut tokio::io::stdout()).await?;
    log_out(session).await?;
    if status == 0 { Ok(()) } else { Err(format!("the command ended with status {status}").into()) }
}

/// Which key a server may have.
pub(crate) enum HostKeys {
    One(PublicKey),
    File { path: PathBuf, server: SocketAddr },
}

impl Handler for HostKeys {
    type Error = Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else {
            return Err("the server shows a certificate, and no authority is known".into());
        };
        let known = match self {
            HostKeys::One(expected) => expected.key_data() == key.key_data(),
            HostKeys::File { path, server } => {
                check_known_hosts_path(&server.ip().to_string(), server.port(), key, path)?
            }
        };
        if !known {
            let print = key.fingerprint(HashAlg::Sha256);
            return Err(format!("the server's key {print} is not known").into());
        }
        Ok(true)
    }
}

pub(crate) async fn connect(
    net: &Net,
    server: SocketAddr,
    keys: HostKeys,
) -> Result<Handle<HostKeys>> {
    let stream = net.connect(server).await?;
    stream.set_nodelay(true)?;
    connect_stream(Arc::new(Config::default()), stream, keys).await
}

pub(crate) async fn log_in(
    mut session: Handle<HostKeys>,
    user: &str,
    key: Arc<PrivateKey>,
) -> Result<Handle<HostKeys>> {
    let hash = session.best_supported_rsa_hash().await?.flatten();
    let key = PrivateKeyWithHashAlg::new(key, hash);
    if !session.authenticate_publickey(user, key).await?.success() {
        return Err(format!("the server does not let {user} in with this key").into());
    }
    Ok(session)
}

pub(crate) async fn log_out(session: Handle<HostKeys>) -> Result {
    session.disconnect(Disconnect::ByApplication, "", "").await?;
    // Until the server has closed its end too.
    match session.await {
        Err(e) if !has_closed(&e) => Err(e),
        _ => Ok(()),
    }
}

/// Whether an error says that the server has closed its end at once.
fn has_closed(e: &Error) -> bool {
    use russh::Error::{Disconnect, HUP, IO};
    matches!(e.downcast_ref(), Some(Disconnect | HUP | IO(_))) || e.is::<io::Error>()
}

/// Runs a command with this input; its output goes to `output`, its errors to standard error.
/// Returns its status.
pub(crate) async fn command(
    session: &Handle<HostKeys>,
    command: &str,
    mut input: impl AsyncRead + Unpin,
    output: &mut (impl AsyncWrite + Unpin),
) -> Result<u32> {
    let channel = session.channel_open_session().await?;
    channel.exec(true, command).await?;
    let (mut from, to) = channel.split();
    let send = async {
        let mut chunk = vec![0; 32 << 10];
        loop {
            match input.read(&mut chunk).await? {
                0 => return Ok(to.eof().await?),
                n => to.data(&chunk[..n]).await?,
            }
        }
    };
    let receive = async {
        let mut status = None;
        while let Some(message) = from.wait().await {
            match message {
                ChannelMsg::Data { data } => output.write_all(&data).await?,
                ChannelMsg::ExtendedData { data, .. } => {
                    tokio::io::stderr().write_all(&data).await?
                }
                ChannelMsg::Failure => return Err("the server does not run the command".into()),
                // More may come after it.
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    return Err(format!("the command was killed: {signal_name:?}").into());
                }
                _ => {}
            }
        }
        output.flush().await?;
        status.ok_or_else(|| Error::from("the connection has ended before the command"))
    };
    tokio::pin!(send, receive);
    tokio::select! {
        // A command may end without reading all of its input.
        status = &mut receive => status,
        sent = &mut send => { Result::<()>::and(sent, receive.await) }
    }
}
