# use std::future::poll_fn;
# use tcp_async::Net;
# use tcp_io::device::{Capabilities, Device, TxPacket, memory_pair};
# #[tokio::main(flavor = "current_thread")]
# async fn main() -> std::io::Result<()> {
# let (here, there) = memory_pair(Capabilities::offloading(1500));
# let net = Net::builder().address("10.0.0.1/24").device(here)?;
# let listener = net.listen_pending("10.0.0.1:80").await?;
# let ip = [69, 0, 0, 45, 0, 1, 64, 0, 64, 6, 38, 200, 10, 0, 0, 2, 10, 0, 0, 1];
# let tcp = [192, 0, 0, 80, 0, 0, 3, 232, 0, 0, 0, 0, 80, 2, 255, 255, 147, 208, 0, 0];
# let syn = TxPacket::from_vec([&ip[..], &tcp, b"hello"].concat());
# poll_fn(|cx| there.poll_send(cx, &syn)).await?;