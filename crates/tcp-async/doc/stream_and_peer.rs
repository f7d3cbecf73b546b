# use tcp_async::*;
# use tokio::io::{AsyncReadExt, AsyncWriteExt};
# #[tokio::main(flavor = "current_thread")]
# async fn main() -> std::io::Result<()> {
# let listener = TcpListener::bind("127.0.0.1:0").await?;
# let mut stream = TcpStream::connect(listener.local_addr()?).await?;
# let (mut peer, _) = listener.accept().await?;