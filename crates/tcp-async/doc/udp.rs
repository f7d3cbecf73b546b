# use std::future::poll_fn;
# use std::io::ErrorKind;
# use std::net::{Ipv4Addr, SocketAddr};
# use tcp_async::*;
# use tokio::io::{Interest, ReadBuf};
# #[tokio::main(flavor = "current_thread")]
# async fn main() -> std::io::Result<()> {
# let net = Net::builder().address("10.0.0.1/24").address("fd00::1/64").loopback()?;
# let server = net.bind_udp("10.0.0.1:53").await?;
# let client = net.bind_udp("10.0.0.1:40000").await?;
# client.connect("10.0.0.1:53").await?;
