# // A stack, a client of it, and its request, about which nobody has decided.
# use tcp_core::Instant;
# use tcp_io::stack::{ConnectOptions, ListenOptions, PendingOptions, Rejection, Stack, StackConfig};
# let config = StackConfig { addresses: vec!["10.0.0.1/24".parse()?], ..Default::default() };
# let now = Instant::ZERO;
# let mut stack = Stack::new(now, config, [1; 32]);
# let options = ListenOptions { pending: Some(PendingOptions::default()), ..Default::default() };
# let listener = stack.listen("10.0.0.1:80".parse()?, options)?;
# let id = stack.connect(now, "10.0.0.1:80".parse()?, ConnectOptions::default())?;
# let client = stack.connection_cell(id).unwrap();
# stack.settle(now);
# let request = stack.take_request(listener)?.unwrap();
