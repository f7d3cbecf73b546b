//! What does a checksum cost, beside smoltcp's in the same run? A bare header, a full segment of
//! an Ethernet path, a super-segment; and a data segment's header, written and read.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tcp_core::SeqNum;
use tcp_core::wire::{Flags, MAX_HEADER_LEN, Options, Segment, Sum, Timestamps};

fn checksum(c: &mut Criterion) {
    let bytes: Vec<u8> = (0..65536u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
    let mut group = c.benchmark_group("checksum");
    for len in [40, 1460, 65536] {
        let text = &bytes[..len];
        assert_eq!(Sum::new().add(text).fold(), smoltcp::wire::checksum::data(text));
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_with_input(BenchmarkId::new("ours", len), text, |b, text| {
            b.iter(|| Sum::new().add(black_box(text)).fold());
        });
        group.bench_with_input(BenchmarkId::new("smoltcp", len), text, |b, text| {
            b.iter(|| smoltcp::wire::checksum::data(black_box(text)));
        });
    }
    group.finish();
}

fn header(c: &mut Criterion) {
    let segment = Segment {
        src_port: 40000,
        dst_port: 443,
        seq: SeqNum(1),
        ack: SeqNum(2),
        flags: Flags::PSH | Flags::ACK,
        window: 1000,
        options: Options {
            timestamps: Some(Timestamps { value: 3, echo: 4 }),
            ..Options::default()
        },
        ..Segment::default()
    };
    let mut buf = [0; MAX_HEADER_LEN];
    let mut group = c.benchmark_group("header");
    group.bench_function("emit", |b| {
        b.iter(|| black_box(&segment).emit_header(black_box(&mut buf)));
    });
    group.bench_function("parse", |b| {
        b.iter(|| {
            // By reference, as the connection takes it: a copy of the value is not its parsing.
            if let Ok(segment) = &Segment::parse(black_box(&buf[..32])) {
                black_box(segment);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, checksum, header);
criterion_main!(benches);
