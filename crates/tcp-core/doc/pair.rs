# mod pair {
#     use std::sync::Arc;
#     use tcp_core::buffer::Payload;
#     use tcp_core::config::TcpConfig;
#     use tcp_core::connection::{Limits, OpenParams};
#     use tcp_core::listen::HalfOpen;
#     use tcp_core::wire::Segment;
#     use tcp_core::{Connection, Endpoint, Instant, SeqNum, Tuple};
#
#     /// Client and server after their handshake.
#     pub fn established(now: Instant, config: TcpConfig) -> (Connection, Connection) {
#         let config = Arc::new(config);
#         let ends = |n| Endpoint::new([192, 0, 2, n].into(), if n == 1 { 4000 } else { 80 });
#         let tuple = Tuple { local: ends(1), remote: ends(2) };
#         let open = |tuple| OpenParams { tuple, isn: SeqNum(0), timestamp_offset: 0, mtu: 1500 };
#         let (limits, mut text) = (Limits::default(), Payload::new());
#         let mut client = Connection::connect(now, open(tuple), config.clone());
#         let syn = client.poll_transmit(now, &limits, &mut text).unwrap().segment;
#         let mut half = HalfOpen::on_syn(now, open(tuple.flipped()), &syn, 0, &config);
#         client.on_segment(now, &half.syn_ack(now, &config), 0);
#         let ack = client.poll_transmit(now, &limits, &mut text).unwrap().segment;
#         half.on_segment(now, &ack, &config);
#         let mut server = Connection::from_half_open(now, half, 1500, config);
#         server.on_segment(now, &ack, 0);
#         (client, server)
#     }
#
#     /// All that one end has to send reaches the other.
#     pub fn deliver(now: Instant, from: &mut Connection, to: &mut Connection) {
#         let mut text = Payload::new();
#         while let Some(packet) = from.poll_transmit(now, &Limits::default(), &mut text) {
#             to.on_segment(now, &Segment { payload: &text.concat(), ..packet.segment }, 0);
#             text.clear();
#         }
#     }
# }
# use pair::{deliver, established};
