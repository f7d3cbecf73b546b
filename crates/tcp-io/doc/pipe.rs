# // A tunnel: a stream and a sink of packets, made of two channels; and its peer.
# use bytes::Bytes;
# use futures::channel::mpsc;
# use futures::{Sink, SinkExt, Stream, StreamExt};
# use std::io;
# use std::pin::Pin;
# use std::task::{Context, Poll};
# struct Tunnel(mpsc::Receiver<io::Result<Bytes>>, mpsc::Sender<Bytes>);
# impl Stream for Tunnel {
#     type Item = io::Result<Bytes>;
#     fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
#         self.0.poll_next_unpin(cx)
#     }
# }
# impl Sink<Bytes> for Tunnel {
#     type Error = mpsc::SendError;
#     fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), mpsc::SendError>> {
#         self.1.poll_ready(cx)
#     }
#     fn start_send(mut self: Pin<&mut Self>, packet: Bytes) -> Result<(), mpsc::SendError> {
#         self.1.start_send(packet)
#     }
#     fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), mpsc::SendError>> {
#         self.1.poll_flush_unpin(cx)
#     }
#     fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), mpsc::SendError>> {
#         self.1.poll_close_unpin(cx)
#     }
# }
# struct Peer(mpsc::Sender<io::Result<Bytes>>, mpsc::Receiver<Bytes>);
# impl Peer {
#     async fn send(&mut self, packet: Vec<u8>) {
#         self.0.send(Ok(packet.into())).await.expect("the tunnel is there");
#     }
#     async fn receive(&mut self) -> Bytes {
#         self.1.next().await.expect("the tunnel is there")
#     }
# }
# impl Tunnel {
#     fn new() -> (Tunnel, Peer) {
#         let (to_us, input) = mpsc::channel(4);
#         let (output, from_us) = mpsc::channel(4);
#         (Tunnel(input, output), Peer(to_us, from_us))
#     }
# }
