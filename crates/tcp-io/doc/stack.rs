# // A stack that listens on 10.0.0.1:80; what it sends to its own address loops back.
# use tcp_core::Instant;
# use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};
# let config = StackConfig { addresses: vec!["10.0.0.1/24".parse()?], ..Default::default() };
# let now = Instant::ZERO;
# let mut stack = Stack::new(now, config, [1; 32]);
# let listener = stack.listen("10.0.0.1:80".parse()?, ListenOptions::default())?;
