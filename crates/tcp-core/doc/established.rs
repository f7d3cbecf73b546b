# // Hidden set-up of examples: `client` and `server` are established, 20 ms apart, and it is `now`.
# use std::sync::Arc;
# use std::time::*;
# use tcp_core::buffer::*;
# use tcp_core::config::*;
# use tcp_core::connection::*;
# use tcp_core::error::*;
# use tcp_core::listen::*;
# use tcp_core::memory::*;
# use tcp_core::wire::*;
# use tcp_core::{Connection, Endpoint, Instant, SeqNum, Tuple, reset};
#
# /// How the client opens: from 10.0.0.1:40000 to 10.0.0.2:80, with sequence number 1000.
# const CALLER: OpenParams = OpenParams {
#     tuple: Tuple { local: endpoint(1, 40_000), remote: endpoint(2, 80) },
#     isn: SeqNum(1000),
#     timestamp_offset: 0,
#     mtu: 1500,
# };
# /// How the server answers: with sequence number 5000.
# const LISTENER: OpenParams =
#     OpenParams { tuple: CALLER.tuple.flipped(), isn: SeqNum(5000), ..CALLER };
#
# const fn endpoint(host: u8, port: u16) -> Endpoint {
#     let ip = std::net::Ipv4Addr::new(10, 0, 0, host);
#     Endpoint::new(std::net::IpAddr::V4(ip), port)
# }
#
# /// One packet's octets, from the TCP header on.
# fn octets(header: &Segment<'_>, text: &[u8]) -> Vec<u8> {
#     let mut packet = vec![0; header.header_len()];
#     header.emit_header(&mut packet);
#     packet.extend_from_slice(text);
#     packet
# }
#
# /// Everything that `from` wants to send now.
# fn drain(from: &mut Connection, now: Instant) -> Vec<Vec<u8>> {
#     let (mut packets, mut text) = (Vec::new(), Payload::new());
#     while let Some(t) = from.poll_transmit(now, &Limits::default(), &mut text) {
#         packets.push(octets(&t.segment, &text.drain(..).flatten().collect::<Vec<u8>>()));
#     }
#     packets
# }
#
# /// The packets arrive at `to`; returns the resets for those that ask for one.
# fn deliver(to: &mut Connection, now: Instant, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
#     let mut resets = Vec::new();
#     for packet in packets {
#         let segment = Segment::parse(packet).unwrap();
#         if let Verdict::DroppedReset(_) = to.on_segment(now, &segment, 0) {
#             resets.extend(reset::reply_to(&segment).map(|r| octets(&r, b"")));
#         }
#     }
#     resets
# }
#
# /// Carries packets to and fro, in no time, until neither end has anything to say.
# fn exchange(now: Instant, a: &mut Connection, b: &mut Connection) {
#     loop {
#         let (to_b, to_a) = (drain(a, now), drain(b, now));
#         if to_b.is_empty() && to_a.is_empty() {
#             return;
#         }
#         let (from_b, from_a) = (deliver(b, now, &to_b), deliver(a, now, &to_a));
#         deliver(a, now, &from_b);
#         deliver(b, now, &from_a);
#     }
# }
#
# /// Two ends after a handshake over 10 ms one way, which began at zero and is over at 30 ms.
# fn established(config: TcpConfig) -> (Connection, Connection) {
#     let config = Arc::new(config);
#     let mut now = Instant::ZERO;
#     let mut client = Connection::connect(now, CALLER, config.clone());
#     let syn = drain(&mut client, now);
#     now += Duration::from_millis(10);
#     let syn = Segment::parse(&syn[0]).unwrap();
#     let mut half = HalfOpen::on_syn(now, LISTENER, &syn, 0, &config);
#     let answer = half.syn_ack(now, &config);
#     now += Duration::from_millis(10);
#     client.on_segment(now, &answer, 0);
#     let ack = drain(&mut client, now);
#     now += Duration::from_millis(10);
#     let last = Segment::parse(&ack[0]).unwrap();
#     assert_eq!(half.on_segment(now, &last, &config), HalfOpenVerdict::Establish);
#     let mut server = Connection::from_half_open(now, half, 1500, config);
#     deliver(&mut server, now, &ack);
#     (client, server)
# }
#
# let (mut client, mut server) = established(TcpConfig::default());
# let mut now = Instant::from_millis(30);
