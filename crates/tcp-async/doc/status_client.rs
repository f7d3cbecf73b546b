# let server = net.serve_status(&path)?;
# let mut client = Client::connect(server.path()).await?;