//! Block codec: nanoseconds and bytes per plain quote, hash included.
//!
//! Budget: at most 13 bytes of payload, 60 ns to encode and 25 ns to decode a quote on one
//! core. What is timed: `Encoder::encode` (columns, header, BLAKE3) and `Decoder::decode`
//! (header, BLAKE3, columns) over blocks of 4,096 quotes held in memory.

#[path = "../tests/common/mod.rs"]
mod common;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use onetape_engine::block::Block;
use onetape_tape::codec::{Decoder, Encoder, Hash, check_frame};
use std::hint::black_box;

const COUNT: usize = 16 * 4_096;

fn codec(c: &mut Criterion) {
    for (name, records) in [
        ("w1", common::w1(COUNT)),
        ("chain1000", common::chain(COUNT, 1_000)),
        ("chain5000", common::chain(COUNT, 5_000)),
    ] {
        let blocks = common::blocks(&records);
        let (mut encoder, mut frame) = (Encoder::new(), Vec::new());
        let frames: Vec<Vec<u8>> = blocks
            .iter()
            .map(|block| {
                encoder.encode(block, &Hash::ZERO, &Hash::ZERO, &mut frame).expect("legal block");
                frame.clone()
            })
            .collect();
        let bytes: usize = frames.iter().map(Vec::len).sum();
        eprintln!("{name}: {:.2} bytes per quote, header and hash included", bytes as f64 / COUNT as f64);
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(COUNT as u64));
        group.bench_function("encode", |b| {
            b.iter(|| {
                for block in &blocks {
                    encoder
                        .encode(black_box(block), &Hash::ZERO, &Hash::ZERO, &mut frame)
                        .expect("legal block");
                }
            });
        });
        let (mut decoder, mut block) = (Decoder::new(), Block::default());
        group.bench_function("decode", |b| {
            b.iter(|| {
                for frame in &frames {
                    decoder.decode(black_box(frame), &mut block).expect("legal frame");
                }
            });
        });
        group.bench_function("hash", |b| {
            b.iter(|| {
                for frame in &frames {
                    check_frame(black_box(frame)).expect("legal frame");
                }
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(2)).warm_up_time(std::time::Duration::from_millis(500));
    targets = codec
}
criterion_main!(benches);
