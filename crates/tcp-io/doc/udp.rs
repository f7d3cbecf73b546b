# // Two UDP sockets of one stack: `server` on port 53, and `client`.
# use tcp_core::Instant;
# use tcp_io::stack::{Stack, StackConfig, UdpBindOptions};
# let config = StackConfig { addresses: vec!["10.0.0.1/24".parse()?], ..Default::default() };
# let now = Instant::ZERO;
# let mut stack = Stack::new(now, config, [1; 32]);
# let id = stack.udp_bind("10.0.0.1:53".parse()?, UdpBindOptions::default())?;
# let server = stack.udp_cell(id).unwrap();
# let id = stack.udp_bind("10.0.0.1:4000".parse()?, UdpBindOptions::default())?;
# let client = stack.udp_cell(id).unwrap();
