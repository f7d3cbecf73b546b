# use std::net::SocketAddr;
# use std::time::Duration;
# use tcp_async::{Net, hyper::*};
# use tower_service::Service;
# #[tokio::main(flavor = "current_thread", start_paused = true)]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# let net = Net::builder().address("10.0.0.1/24").address("10.0.0.2/24").address("fd00::1/64");
# let net = net.loopback()?;
# let listener = net.listen("[::]:80").await?;