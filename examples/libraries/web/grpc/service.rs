//! What does the service answer? One of each kind of call: one and one, one and many, many and
//! one, many and many.

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::conversation::conversation_server::Conversation;
use crate::conversation::{Block, DownloadRequest, GreetReply, GreetRequest, UploadReply};

/// What a block may hold; below tonic's limit for a message, 4 MiB.
const MAX_BLOCK: u32 = 1 << 20;

/// The service; it keeps nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service;

type Blocks = BoxStream<'static, Result<Block, Status>>;

/// The text of a block.
pub(crate) fn content(number: u32, size: u32) -> Bytes {
    Bytes::from(vec![number as u8; size as usize])
}

#[tonic::async_trait]
impl Conversation for Service {
    type DownloadStream = Blocks;
    type EchoStream = Blocks;

    async fn greet(&self, request: Request<GreetRequest>) -> Result<Response<GreetReply>, Status> {
        let peer = request.remote_addr().ok_or_else(|| Status::internal("no peer"))?;
        let name = request.into_inner().name;
        Ok(Response::new(GreetReply { text: format!("Hello {name} at {peer}.") }))
    }

    async fn download(
        &self,
        request: Request<DownloadRequest>,
    ) -> Result<Response<Blocks>, Status> {
        let DownloadRequest { count, size } = request.into_inner();
        if size > MAX_BLOCK {
            return Err(Status::invalid_argument(format!("a block has at most {MAX_BLOCK} bytes")));
        }
        let block = move |number| Ok(Block { number, content: content(number, size) });
        Ok(Response::new(stream::iter((0..count).map(block)).boxed()))
    }

    async fn upload(
        &self,
        request: Request<Streaming<Block>>,
    ) -> Result<Response<UploadReply>, Status> {
        let mut blocks = request.into_inner();
        let mut reply = UploadReply::default();
        while let Some(block) = blocks.try_next().await? {
            if block.number != reply.blocks {
                return Err(Status::data_loss(format!("block {} is missing", reply.blocks)));
            }
            reply.blocks += 1;
            reply.octets += block.content.len() as u64;
        }
        Ok(Response::new(reply))
    }

    async fn echo(&self, request: Request<Streaming<Block>>) -> Result<Response<Blocks>, Status> {
        Ok(Response::new(request.into_inner().boxed()))
    }
}
