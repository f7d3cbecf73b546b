# use tcp_async::{Net, status::*};
# use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# let net = Net::builder().address("10.0.0.1/24").loopback()?;
# let listener = net.listen("10.0.0.1:80").await?;
# let stream = net.connect("10.0.0.1:80").await?;
# let path = format!("status-{}-{}", std::process::id(), module_path!());
# let path = std::env::temp_dir().join(path);