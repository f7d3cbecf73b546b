# use std::future::poll_fn;
# use std::io::{ErrorKind, Result};
# use tcp_async::*;
# use tcp_io::device::{Capabilities, Device, MemoryDevice, memory_pair};
# async fn packet_from(wire: &MemoryDevice) -> Result<Vec<u8>> {
#     let mut buf = vec![0; wire.capabilities().recv_buffer_len()];
#     let meta = poll_fn(|cx| wire.poll_recv(cx, &mut buf)).await?;
#     Ok(buf[meta.offset..meta.offset + meta.len].to_vec())
# }
# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<()> {
# let (device, wire) = memory_pair(Capabilities::plain(1500));
# let net = Net::builder().address("10.0.0.1/24").address("fd00::1/64").device(device)?;
# let socket = net.bind_udp("10.0.0.1:40000").await?;
