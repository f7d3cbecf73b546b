# use std::time::Duration;
# use tcp_core::Instant;
# use tcp_io::device::{Capabilities, memory_pair};
# use tcp_io::reactor::Reactor;
# use tcp_io::stack::{ConnectOptions, ListenError, ListenOptions, OpenError, Stack, StackConfig};
# // Two running stacks with a wire between them: `server` is 10.0.0.1, `client` 10.0.0.2.
# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# let (here, there) = memory_pair(Capabilities::plain(1500));
# let config = StackConfig { addresses: vec!["10.0.0.1/24".parse()?], ..Default::default() };
# let stack = Stack::new(Instant::ZERO, config, [1; 32]);
# let (reactor, server) = Reactor::new(stack, here, Duration::ZERO);
# tokio::spawn(reactor);
# let config = StackConfig { addresses: vec!["10.0.0.2/24".parse()?], ..Default::default() };
# let stack = Stack::new(Instant::ZERO, config, [2; 32]);
# let (reactor, client) = Reactor::new(stack, there, Duration::ZERO);
# tokio::spawn(reactor);
# let addr: std::net::SocketAddr = "10.0.0.1:80".parse()?;
