//! What journaling costs: CPU of the writer thread per plain quote, codec, BLAKE3 and sled included.
//!
//! Budget: at most 110 ns (stretch 90) and 13 bytes of payload. The CPU time is the kernel's
//! own count for the thread, so other load on the machine does not enter it; a calibration
//! loop of dependent multiplications is timed the same way, to compare machines. Journal mode
//! full, one commit at the end, blocks of 4,096 quotes held in memory.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../tape/tests/common/mod.rs"]
mod common;

use onetape_engine::record::Record;
use onetape_journal::{HashOnly, JournalReader, JournalThread, JournalWriter};
use std::time::{Duration, Instant};

const COUNT: usize = 1 << 20;

fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

fn ns_each(time: Duration) -> f64 {
    time.as_nanos() as f64 / COUNT as f64
}

fn measure(name: &str, records: &[Record]) {
    let blocks = common::blocks(records);
    let before = thread_cpu();
    let mut hashes = HashOnly::new([7; 32]);
    blocks.iter().for_each(|block| hashes.append(block).unwrap());
    let hash_only = thread_cpu() - before;

    let dir = std::env::temp_dir().join(format!("onetape-bench-{}", std::process::id()));
    let mut thread = JournalThread::start(JournalWriter::create(&dir, [7; 32]).unwrap()).unwrap();
    for block in &blocks {
        thread.put(block.clone()).unwrap();
    }
    let written = thread.finish().unwrap();
    assert_eq!(written.journal.head_hash, hashes.summary().head_hash);
    let start = Instant::now();
    let report = JournalReader::open(&dir).unwrap().verify();
    assert!(report.ok, "{}", report.message);
    println!(
        "{name:<10} off {:>5.1} ns   full {:>5.1} ns   payload {:>5.2} B   stored {:>5.2} B   verify {:>5.1} M/s",
        ns_each(hash_only),
        ns_each(written.cpu.unwrap()),
        written.journal.frame_bytes as f64 / COUNT as f64,
        written.journal.stored_bytes as f64 / COUNT as f64,
        COUNT as f64 / start.elapsed().as_secs_f64() / 1e6,
    );
    std::fs::remove_dir_all(&dir).unwrap();
}

fn main() {
    let (before, mut x) = (thread_cpu(), 1u64);
    // Long enough for the kernel's accounting, which counts in scheduler ticks.
    for _ in 0..512 * COUNT {
        x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005) | 1);
    }
    println!("calibration: {:.2} ns per dependent multiplication", ns_each(thread_cpu() - before) / 512.0);
    for _ in 0..3 {
        measure("w1", &common::w1(COUNT));
        measure("chain1000", &common::chain(COUNT, 1_000));
        measure("chain5000", &common::chain(COUNT, 5_000));
    }
}
