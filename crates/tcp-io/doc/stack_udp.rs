# fn heard(stack: &Stack, socket: UdpId) -> Result<(SocketAddr, Vec<u8>), UdpReceiveError> {
#     let mut text = Vec::new();
#     let mut take = |t: &[u8]| text.extend_from_slice(t);
#     let (_, from) = stack.udp_cell(socket).unwrap().receive(Look::Take, 65_535, &mut take)?;
#     Ok((from, text))
# }
# let ours = a.udp_bind("10.0.0.1:5000".parse().unwrap(), UdpBindOptions::default()).unwrap();
# let theirs = b.udp_bind("10.0.0.2:6000".parse().unwrap(), UdpBindOptions::default()).unwrap();