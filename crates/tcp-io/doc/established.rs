# // Both ends of a connection of a stack to itself: `client`, which is called `id`, and `server`.
# use tcp_core::Instant;
# use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};
# let config = StackConfig { addresses: vec!["10.0.0.1/24".parse()?], ..Default::default() };
# let now = Instant::ZERO;
# let mut stack = Stack::new(now, config, [1; 32]);
# let listener = stack.listen("10.0.0.1:80".parse()?, ListenOptions::default())?;
# let id = stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
# stack.settle(now);
# let client = stack.connection_cell(id).unwrap();
# let server = stack.listener_cell(listener).unwrap().try_accept()?.unwrap();
