//! SSH over our own TCP by the `russh` crate: a server for OpenSSH's clients, a client for its
//! servers; without a device both ends in this process.
//!
//! As root: `cargo run --release -p library-examples --example ssh -- --tun tcp0 serve
//! --authorized-keys ~/.ssh/id_ed25519.pub`, and in another terminal `ssh 10.45.0.2 netstat`.

mod client;
mod server;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use library_examples::common::{self, Host, HostArgs, Result};
use russh::keys::{Algorithm, PrivateKey, key::safe_rng};
use sha2::{Digest, Sha256};

/// An SSH server or client over a TCP that runs in this process.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand, Debug)]
enum Role {
    /// Serves the commands `sha256sum` of what is sent to it, `seq` of two million numbers, and
    /// `netstat`, which shows the connections of the stack.
    Serve(server::Args),
    /// Runs a command on a server.
    Run(client::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    common::run(|args: Args| async move {
        let host = args.host.start()?;
        match args.role {
            Some(_) if host.is_in_process() => {
                Err("other programs can only be met on a device: name one with --tun".into())
            }
            Some(Role::Serve(args)) => server::serve(host, &args).await,
            Some(Role::Run(args)) => {
                let result = client::run(&host.net, &args).await;
                host.end().await;
                result
            }
            None => both(host).await,
        }
    })
    .await
}

/// A server and a client that know each other's keys.
async fn both(host: Host) -> Result {
    let new_key = || PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519);
    let (host_key, user_key) = (new_key()?, new_key()?);
    let expected = client::HostKeys::One(host_key.public_key().clone());
    let server = server::Server::new(&host.net, host_key, vec![user_key.public_key().clone()]);
    let addr = *host.addrs(22).first().ok_or("no address")?;
    let listener = host.net.listen(addr).await?;
    tokio::spawn(server.accept(listener));
    let session = client::connect(&host.net, addr, expected).await?;
    let session = client::log_in(session, "somebody", Arc::new(user_key)).await?;
    let text: Vec<u8> =
        (0..16_usize << 20).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
    let mut sum = Vec::new();
    client::command(&session, "sha256sum", text.as_slice(), &mut sum).await?;
    if sum != format!("{}  -\n", server::hex(&Sha256::digest(&text))).as_bytes() {
        return Err(format!("the sum of {} bytes came out wrong", text.len()).into());
    }
    println!("sha256sum: {} bytes arrived", text.len());
    let mut numbers = Vec::new();
    client::command(&session, "seq", tokio::io::empty(), &mut numbers).await?;
    let expected = (0..server::SEQUENCE).map(|n| format!("{n}\n")).collect::<String>();
    if numbers != expected.as_bytes() {
        return Err(format!("of {} bytes {} came, or wrong", expected.len(), numbers.len()).into());
    }
    println!("seq: {} bytes came", numbers.len());
    let mut table = Vec::new();
    client::command(&session, "netstat", tokio::io::empty(), &mut table).await?;
    print!("{}", String::from_utf8_lossy(&table));
    client::log_out(session).await?;
    host.end().await;
    Ok(())
}
