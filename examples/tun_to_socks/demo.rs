//! What does it do, shown without a TUN device? A client's stack and the proxy's stack in this
//! process, joined by a memory link, and an echo server on a socket of the kernel.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tcp_async::device::{Capabilities, memory_pair};
use tcp_async::{Foreign, Net};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::upstream::Upstream;
use crate::{Limits, serve};

/// Octets that each client sends and gets back.
const TEXT: usize = 1 << 20;

/// Connects to addresses that are nowhere, and says what came of it.
pub(crate) async fn run(limits: Limits) -> io::Result<()> {
    let (here, there) = memory_pair(Capabilities::offloading(1500));
    let proxy = Net::builder().address("10.45.0.2/24").address("fd45::2/64");
    let proxy = proxy.foreign(Foreign::Take { echo: true }).device(here)?;
    let client = Net::builder().address("10.45.0.1/24").address("fd45::1/64").device(there)?;

    let upstream = Upstream::Demo(echo_server().await?);
    println!("A proxy for every address forwards port 7 {upstream} and nothing else.\n");
    let listener = proxy.listen_any_pending(0, limits.pending())?;
    let interrupt = signal(SignalKind::interrupt())?;
    let served = tokio::spawn(serve(listener, Arc::new(upstream), limits, interrupt));

    for to in ["192.0.2.7:7", "[2001:db8::7]:7"] {
        let back = echo(&client, to).await?;
        println!("client: {back} bytes came back from {to}");
    }
    for to in ["192.0.2.7:8", "10.45.0.2:7"] {
        match client.connect(to).await {
            Err(e) => println!("client: {to}: {e}"),
            Ok(_) => return Err(io::Error::other(format!("{to} should have been refused"))),
        }
    }
    client.shutdown().await;
    proxy.shutdown().await;
    // The end of its stack is an error to a proxy.
    let _ended = served.await.map_err(io::Error::other)?;
    println!("\nBoth stacks ended in order.");
    Ok(())
}

/// An echo server of the kernel.
async fn echo_server() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _peer)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await?;
                write.shutdown().await
            });
        }
    });
    Ok(addr)
}

async fn echo(net: &Net, to: &str) -> io::Result<usize> {
    let (mut read, mut write) = net.connect(to).await?.into_split();
    let sender = tokio::spawn(async move {
        write.write_all(&[0x5a; TEXT]).await?;
        write.shutdown().await
    });
    let mut back = Vec::new();
    read.read_to_end(&mut back).await?;
    sender.await.map_err(io::Error::other)??;
    if back != [0x5a; TEXT] {
        return Err(io::Error::other("an octet came back wrong"));
    }
    Ok(back.len())
}
