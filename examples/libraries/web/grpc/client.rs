//! What does the client ask? Every call of the service, and it compares what comes back.

use futures::{TryStreamExt, stream};
use library_examples::common;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::Client;
use crate::conversation::{Block, DownloadRequest, GreetRequest};
use crate::service::content;

/// Blocks of each call, and their octets: together some MiB each way.
const BLOCKS: u32 = 64;
const SIZE: u32 = 64 << 10;

/// Says everything once; an error if any answer is wrong.
pub(crate) async fn talk(channel: Channel) -> common::Result {
    let mut client = Client::new(channel);
    let reply = client.greet(GreetRequest { name: "neighbour".to_owned() }).await?.into_inner();
    println!("{}", reply.text);
    let down = download(&mut client).await?;
    println!("{down} bytes in {BLOCKS} blocks downloaded.");
    let blocks = stream::iter((0..BLOCKS).map(block));
    let up = client.upload(Request::new(blocks)).await?.into_inner();
    if (up.blocks, up.octets) != (BLOCKS, u64::from(BLOCKS * SIZE)) {
        return Err(format!("uploaded {up:?}").into());
    }
    println!("{} bytes in {} blocks uploaded.", up.octets, up.blocks);
    echo(&mut client).await?;
    println!("{BLOCKS} blocks echoed, one after another.");
    // An error of the service is one of the client.
    let refused = client.download(DownloadRequest { count: 1, size: u32::MAX }).await;
    match refused.map(drop).map_err(|status| status.code()) {
        Err(Code::InvalidArgument) => Ok(()),
        other => Err(format!("a block that is too large: {other:?}").into()),
    }
}

fn block(number: u32) -> Block {
    Block { number, content: content(number, SIZE) }
}

async fn download(client: &mut Client) -> common::Result<usize> {
    let request = DownloadRequest { count: BLOCKS, size: SIZE };
    let mut blocks = client.download(request).await?.into_inner();
    let (mut count, mut octets) = (0, 0);
    while let Some(got) = blocks.try_next().await? {
        if got != block(count) {
            return Err(format!("block {count} came wrong").into());
        }
        count += 1;
        octets += got.content.len();
    }
    if count == BLOCKS { Ok(octets) } else { Err(format!("{count} blocks came").into()) }
}

/// Each block waits for the one before to come back: a conversation, where `upload` is a stream.
async fn echo(client: &mut Client) -> common::Result {
    let (send, mut receive) = mpsc::channel(1);
    let requests = stream::poll_fn(move |cx| receive.poll_recv(cx));
    send.send(block(0)).await?;
    let mut answers = client.echo(requests).await?.into_inner();
    for number in 0..BLOCKS {
        let back = answers.try_next().await?.ok_or("the echo ended early")?;
        if back != block(number) {
            return Err(format!("block {number} came back wrong").into());
        }
        if number + 1 < BLOCKS {
            send.send(block(number + 1)).await?;
        }
    }
    drop(send);
    match answers.try_next().await? {
        None => Ok(()),
        Some(more) => Err(format!("block {} came back twice", more.number).into()),
    }
}
