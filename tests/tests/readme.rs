//! Does what the README shows compile? Its Rust blocks stand here as the bodies of functions, between marks, and
//! must be the same text but for line breaks and indentation.
#![cfg(target_os = "linux")]

use std::io;

const README: &str = include_str!("../../README.md");
const HERE: &str = include_str!("readme.rs");

/// Opens a TUN device: compiled, not run.
#[expect(dead_code, reason = "it is enough that it compiles")]
async fn use_it() -> io::Result<(tcp_async::TcpListener, tcp_async::TcpStream)> {
    // README: begin
    use tcp_async::device::TunDevice;
    use tcp_async::{Net, TcpListener, TcpStream};

    let device = TunDevice::builder().name("tcp0").host_address("10.45.0.1/24").open()?;
    let net = Net::builder().address("10.45.0.2/24").device(device)?;
    let _here = net.enter(); // now the functions below mean this stack

    let listener = TcpListener::bind("10.45.0.2:80").await?;
    let upstream = TcpStream::connect("10.45.0.1:8080").await?;
    // README: end
    Ok((listener, upstream))
}

/// As `relay` stands in the README: a task of its own for each connection.
fn relay(mut near: tcp_async::TcpStream, mut far: tokio::net::TcpStream) {
    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
}

#[expect(dead_code, reason = "it is enough that it compiles")]
async fn decide_before_the_answer(device: tcp_async::device::TunDevice) -> io::Result<()> {
    use std::io::ErrorKind;
    use tcp_async::{Foreign, Net, PendingOptions, Unreachability};

    // README: begin
    let net = Net::builder()
        .address("10.45.0.2/24")
        .foreign(Foreign::Take { echo: true })
        .device(device)?;
    let listener = net.listen_any_pending(0, PendingOptions::default())?; // every address, every port
    let (pending, peer) = listener.accept().await?; // nothing was sent yet
    match tokio::net::TcpStream::connect(pending.local_addr()).await {
        Ok(upstream) => relay(pending.accept().await?, upstream),
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => pending.reset(),
        Err(_) => pending.refuse(Unreachability::Host), // by ICMP
    }
    // README: end
    println!("{peer}");
    Ok(())
}

/// The pieces of `text` from a line that is `begin` to the next that is `end`, as words.
fn pieces(text: &str, begin: &str, end: &str) -> Vec<Vec<String>> {
    let (mut found, mut inside) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        match (line == begin, line == end, inside) {
            (true, _, false) => {
                found.push(Vec::new());
                inside = true;
            }
            (_, true, true) => inside = false,
            (_, _, true) => {
                let words = line.split_whitespace().map(str::to_owned);
                found.last_mut().expect("a piece was begun").extend(words);
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_readme_shows_what_compiles() {
    let shown = pieces(README, "```rust", "```");
    let compiled = pieces(HERE, "// README: begin", "// README: end");
    assert_eq!(shown.len(), 2, "a block has come or gone");
    assert_eq!(shown, compiled);
}
