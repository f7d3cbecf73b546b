# use std::net::SocketAddr;
# use std::sync::Arc;
# use std::time::Duration;
# use tcp_core::Instant;
# use tcp_core::connection::{Happening, SendReason, State, Timer};
# use tcp_core::error::{DropReason, End, UserError};
# use tcp_io::cell::*;
# use tcp_io::device::RxChecksum;
# use tcp_io::stack::*;
#
# /// Takes the packets of one stack to another; returns whether there were any.
# fn pass(now: Instant, from: &mut Stack, to: &mut Stack) -> bool {
#     let mut any = false;
#     while let Some(packet) = from.poll_transmit(now) {
#         to.receive(now, &packet.to_vec(), RxChecksum::Unknown, None);
#         any = true;
#     }
#     any
# }
#
# /// Takes the packets of two stacks to each other until both are silent.
# fn carry(now: Instant, a: &mut Stack, b: &mut Stack) {
#     while pass(now, a, b) | pass(now, b, a) {}
# }
#
# fn stack(address: &str, seed: u8) -> Stack {
#     let config = StackConfig { addresses: vec![address.parse().unwrap()], ..Default::default() };
#     Stack::new(Instant::ZERO, config, [seed; 32])
# }
#
# let now = Instant::ZERO;
# let (mut a, mut b) = (stack("10.0.0.1/24", 1), stack("10.0.0.2/24", 2));