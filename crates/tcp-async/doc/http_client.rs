# use http_body_util::Empty;
# use hyper_util::{client::legacy::Client, rt::TokioExecutor};
# use tcp_async::{Net, hyper::*};
# use tokio::io::{AsyncReadExt, AsyncWriteExt};
# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# let net = Net::builder().address("10.0.0.1/24").loopback()?;
# let listener = net.listen("10.0.0.1:80").await?;
# let server = tokio::spawn(async move {
#     let (mut stream, peer) = listener.accept().await.unwrap();
#     stream.read(&mut [0; 1000]).await.unwrap();
#     stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
#     peer
# });
# let client = Client::builder(TokioExecutor::new());
# let client = client.build::<_, Empty<&[u8]>>(HttpConnector::on(&net));