//! The descriptor side of a TUN device, with a datagram socket in its place: it keeps packet
//! boundaries as well and needs no privilege.

use super::*;
use crate::device::{RxChecksum, vnet};
use bytes::Bytes;
use std::future::poll_fn;
use std::os::unix::net::UnixDatagram;

fn pair(framing: Framing) -> (TunDevice, UnixDatagram) {
    let (ours, kernel) = UnixDatagram::pair().unwrap();
    kernel.set_nonblocking(true).unwrap();
    (TunDevice::adopt(ours.into(), framing, 1500).unwrap(), kernel)
}

async fn send(device: &TunDevice, packet: &TxPacket) -> io::Result<()> {
    poll_fn(|cx| device.poll_send(cx, packet)).await
}

async fn recv(device: &TunDevice) -> io::Result<(RxMeta, Vec<u8>)> {
    let mut buf = vec![0; device.capabilities().recv_buffer_len()];
    let meta = poll_fn(|cx| device.poll_recv(cx, &mut buf)).await?;
    Ok((meta, buf[meta.offset..meta.offset + meta.len].to_vec()))
}

fn received_by(kernel: &UnixDatagram) -> Vec<u8> {
    let mut buf = [0; 4096];
    let n = kernel.recv(&mut buf).unwrap();
    buf[..n].to_vec()
}

fn large(slices: usize) -> TxPacket {
    let mut packet = TxPacket::with_head(40, |head| (head[0], head[32]) = (0x45, 0x50));
    for i in 0..slices {
        packet.push_payload(Bytes::from(vec![i as u8; 2400 / slices]));
    }
    let (start, offset, size) = (20, 16, 1000);
    packet.with_offload(TxOffload::Segment { start, offset, size, ipv6: false, header_len: 40 })
}

#[tokio::test]
async fn a_packet_goes_out_behind_its_header_in_one_piece() {
    let (device, kernel) = pair(Framing::VnetHeader);
    for slices in [1, 2, 300] {
        let packet = large(slices);
        send(&device, &packet).await.unwrap();
        let wire = received_by(&kernel);
        assert_eq!(wire[..vnet::LEN], VnetHeader::of(&packet).to_bytes());
        assert_eq!(wire[vnet::LEN..], packet.to_unfinished_vec());
    }
}

#[tokio::test]
async fn a_small_packet_goes_out_in_one_piece_as_well() {
    let (device, kernel) = pair(Framing::VnetHeader);
    for payload in [0, 1, 1448, GATHER, GATHER + 1] {
        let mut packet = TxPacket::with_head(40, |head| (head[0], head[32]) = (0x45, 0x50));
        packet.push_payload(Bytes::from(vec![3; payload / 2]));
        packet.push_payload(Bytes::from(vec![4; payload - payload / 2]));
        send(&device, &packet).await.unwrap();
        let wire = received_by(&kernel);
        assert_eq!(wire[..vnet::LEN], VnetHeader::of(&packet).to_bytes());
        assert_eq!(wire[vnet::LEN..], packet.to_unfinished_vec());
    }
}

// More reads than tokio lets a task do before it says that there is nothing.
#[tokio::test]
async fn a_batch_is_as_long_as_its_reader_wants() {
    let (device, kernel) = pair(Framing::Plain);
    kernel.send(&[0; 40]).unwrap();
    assert_eq!(recv(&device).await.unwrap().1.len(), 40);
    poll_fn(|cx| {
        let mut buf = [0; 2048];
        kernel.send(&[1; 40]).unwrap();
        for n in 0..500 {
            kernel.send(&[2; 40]).unwrap();
            assert!(device.poll_recv(cx, &mut buf).is_ready(), "after {n}");
        }
        Poll::Ready(())
    })
    .await;
}

// tokio asks the kernel for readiness only between many turns of its tasks: whoever goes on
// sending must still see what comes back.
#[tokio::test]
async fn a_sender_sees_answers_before_the_runtime_has_looked() {
    let (device, kernel) = pair(Framing::Plain);
    poll_fn(|cx| {
        let mut buf = [0; 2048];
        for _ in 0..3 {
            assert!(device.poll_recv(cx, &mut buf).is_pending());
            assert!(device.poll_send(cx, &large(0)).is_ready());
            kernel.send(&[7; 40]).unwrap();
            let Poll::Ready(meta) = device.poll_recv(cx, &mut buf) else { panic!("deaf") };
            assert_eq!(meta.unwrap().len, 40);
        }
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn a_plain_descriptor_gets_finished_packets() {
    let (device, kernel) = pair(Framing::Plain);
    let packet = large(2);
    send(&device, &packet).await.unwrap();
    for segment in packet.segments() {
        assert_eq!(received_by(&kernel), segment);
    }
}

#[tokio::test]
async fn a_received_header_is_understood() {
    let (device, kernel) = pair(Framing::VnetHeader);
    let mut wire = VnetHeader::of(&large(1)).to_bytes().to_vec();
    wire.extend([9; 60]);
    kernel.send(&wire).unwrap();
    kernel.send(&[0; 3]).unwrap();
    let (meta, packet) = recv(&device).await.unwrap();
    assert_eq!(packet, [9; 60]);
    assert_eq!((meta.checksum, meta.gso_size), (RxChecksum::Good, Some(1000)));
    assert_eq!(recv(&device).await.unwrap().1, [0; 0], "too short for its header");
}

#[tokio::test]
async fn a_receiver_that_found_nothing_is_woken() {
    let (device, kernel) = pair(Framing::Plain);
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let receiver = tokio::spawn(async move {
        for i in 0..20u8 {
            assert_eq!(recv(&device).await.unwrap().1, [i; 30]);
            tell.send(i).await.unwrap();
        }
    });
    // On one thread the receiver goes on until it finds nothing before this task does.
    tokio::task::yield_now().await;
    for i in 0..20u8 {
        kernel.send(&[i; 30]).unwrap();
        assert_eq!(told.recv().await, Some(i));
    }
    receiver.await.unwrap();
}

#[tokio::test]
async fn a_full_descriptor_makes_the_sender_wait() {
    let (device, kernel) = pair(Framing::Plain);
    let sender = tokio::spawn(async move {
        for i in 0..2000u32 {
            send(&device, &TxPacket::from_head(&i.to_be_bytes())).await.unwrap();
        }
    });
    let kernel = tokio::net::UnixDatagram::from_std(kernel).unwrap();
    for i in 0..2000u32 {
        let mut buf = [0; 8];
        assert_eq!(kernel.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(buf[..4], i.to_be_bytes());
    }
    sender.await.unwrap();
}

#[test]
fn without_a_runtime_adopting_is_an_error() {
    let (ours, _kernel) = UnixDatagram::pair().unwrap();
    let adopted = TunDevice::adopt(ours.into(), Framing::Plain, 1500);
    assert!(matches!(adopted, Err(TunError::NoRuntime)));
}
