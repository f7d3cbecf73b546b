# use std::io::ErrorKind;
# use tcp_async::*;
# #[tokio::main(flavor = "current_thread", start_paused = true)]
# async fn main() -> std::io::Result<()> {
# let net = Net::builder().address("10.0.0.1/24").loopback()?;
# let listener = net.listen_pending("10.0.0.1:80").await?;
# let client = tokio::spawn({
#     let net = net.clone();
#     async move { net.connect("10.0.0.1:80").await }
# });