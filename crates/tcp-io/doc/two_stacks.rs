# // Two stacks and nothing between them: `server` listens on 10.0.0.1:80, `client` is 10.0.0.2.
# use tcp_core::Instant;
# use tcp_io::device::RxChecksum;
# use tcp_io::stack::{ConnectOptions, ListenOptions, Stack, StackConfig};
# let now = Instant::ZERO;
# let config = StackConfig { addresses: vec!["10.0.0.1/24".parse()?], ..Default::default() };
# let mut server = Stack::new(now, config, [1; 32]);
# let listener = server.listen("10.0.0.1:80".parse()?, ListenOptions::default())?;
# let config = StackConfig {
#     addresses: vec!["10.0.0.2/24".parse()?],
#     checksum_offload: true,
#     segmentation_offload: Some(65_535),
#     ..Default::default()
# };
# let mut client = Stack::new(now, config, [2; 32]);
# // Carries packets to and fro until both are silent.
# fn exchange(now: Instant, client: &mut Stack, server: &mut Stack) {
#     while client.has_work() || server.has_work() {
#         while let Some(packet) = client.poll_transmit(now) {
#             for packet in packet.segments() {
#                 server.receive(now, &packet, RxChecksum::Unknown, None);
#             }
#         }
#         while let Some(packet) = server.poll_transmit(now) {
#             client.receive(now, &packet.to_vec(), RxChecksum::Unknown, None);
#         }
#     }
# }
