//! temp
#![allow(missing_docs)]
use bytes::Bytes;
use smallvec::SmallVec;
use std::io;
use std::task::{Context, Poll};
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxChecksum {
    Unknown,
    Good,
}
#[derive(Clone, Copy, Debug)]
pub struct RxMeta {
    pub offset: usize,
    pub len: usize,
    pub checksum: RxChecksum,
    pub gso_size: Option<u16>,
}
#[derive(Clone, Copy, Debug)]
pub enum TxOffload {
    None,
    Checksum { start: u16, offset: u16 },
    Segment { start: u16, offset: u16, size: u16, ipv6: bool, header_len: u16 },
}
#[derive(Clone, Debug)]
pub struct TxPacket {
    head: SmallVec<[u8; 128]>,
    payload: SmallVec<[Bytes; 2]>,
    pub offload: TxOffload,
}
impl TxPacket {
    pub fn new(head: &[u8], payload: SmallVec<[Bytes; 2]>, offload: TxOffload) -> TxPacket {
        TxPacket { head: SmallVec::from_slice(head), payload, offload }
    }
    pub fn head(&self) -> &[u8] {
        &self.head
    }
    pub fn payload(&self) -> &[Bytes] {
        &self.payload
    }
    pub fn into_segments(self) -> Vec<Vec<u8>> {
        vec![self.to_vec()]
    }
    pub fn to_vec(&self) -> Vec<u8> {
        let mut v = self.head.to_vec();
        for p in &self.payload {
            v.extend_from_slice(p);
        }
        v
    }
}
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    pub mtu: usize,
    pub checksum_offload: bool,
    pub segmentation_offload: Option<usize>,
}
pub trait Device: Send + 'static {
    fn capabilities(&self) -> Capabilities;
    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<RxMeta>>;
    fn poll_send(&self, cx: &mut Context<'_>, packet: &TxPacket) -> Poll<io::Result<()>>;
    fn name(&self) -> Option<String> {
        None
    }
}
