//! Hot paths to count instructions of: `hot PATH COUNT` does one of them so often and nothing else that
//! depends on the count. `.ci/instructions.py` runs each under valgrind with two counts; the
//! difference, divided by that of the counts, is the path's own cost, set-up excluded.
//!
//! Instructions, unlike times, are the same on a busy machine, so that a limit can be tight.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "../../crates/tape/tests/common/mod.rs"]
mod common;

use onetape_engine::block::Block;
use onetape_engine::config::{AccountConfig, FeeSchedule, Latency, RunConfig};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::record::{Body, Head, Record, flags};
use onetape_engine::{Kernel, Money, Strategy};
use onetape_journal::HashOnly;
use onetape_pricing::Right;
use onetape_pricing::bsm::{self, BsmInputs};
use onetape_strategies::{Count, Dense};
use onetape_tape::codec::{Decoder, Encoder, Hash};
use std::hint::black_box;
use std::process::ExitCode;

fn quotes(count: usize) -> Vec<Record> {
    let mut records = common::w1(count);
    records.iter_mut().for_each(|record| record.flags |= flags::BID | flags::ASK);
    records
}

/// Applies quotes as a runner does; returns the orders sent.
fn drive<S: Strategy>(strategy: S, count: usize) -> usize {
    let accounts =
        vec![AccountConfig { name: "main".to_string(), cash: Money(1_000_000_000 * 1_000_000_000) }];
    let latency = Latency { entry_ns: 0, response_ns: 0, feed_ns: 0 };
    let config = RunConfig { fees: FeeSchedule::Retail, accounts, latency, ..RunConfig::default() };
    let mut kernel = Kernel::new(config.clone(), vec![strategy]);
    let records = quotes(count);
    let cold = Record::new(Head::at(records[0].ts(), InstrumentIx::NONE), Body::Cold(0));
    kernel.apply(&cold, Some(&Cold::Start(Box::new(config)))).unwrap();
    let definition = Cold::Definition(Box::new(InstrumentDef::equity("TEST")));
    kernel.apply(&cold, Some(&definition)).unwrap();
    let mut spare = Vec::new();
    for record in &records {
        kernel.apply(record, None).unwrap();
        if kernel.must_seal(record) {
            spare = kernel.take_derived(std::mem::take(&mut spare));
        }
    }
    kernel.orders().len()
}

fn encode(count: usize) {
    let blocks = common::blocks(&quotes(count));
    let mut hashes = HashOnly::new([0; 32]);
    blocks.iter().for_each(|block| hashes.append(block).unwrap());
    black_box(hashes.summary());
}

/// Encoding is done once, decoding `count / 4096` times.
fn decode(count: usize) {
    let blocks = common::blocks(&quotes(4_096));
    let mut frame = Vec::new();
    Encoder::new().encode(&blocks[0], &Hash::ZERO, &Hash::ZERO, &mut frame).unwrap();
    let (mut decoder, mut block) = (Decoder::new(), Block::default());
    for _ in 0..count / 4_096 {
        decoder.decode(black_box(&frame), &mut block).unwrap();
    }
    assert_eq!(block.inputs.len(), 4_096);
}

fn price(count: usize) {
    let mut sum = 0.0;
    for n in 0..count {
        let strike = 80.0 + (n % 41) as f64;
        let inputs =
            BsmInputs { spot: 100.0, strike, years: 0.25, rate: 0.04, dividend_yield: 0.01, vol: 0.2 };
        sum += bsm::price(black_box(&inputs), Right::Call);
    }
    black_box(sum);
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let count = args.get(1).and_then(|count| count.parse().ok()).filter(|count| *count > 0);
    match (args.first().map(String::as_str), count) {
        (Some("quotes"), Some(count)) => drop(black_box(quotes(count))),
        (Some("loop"), Some(count)) => drop(black_box(drive(Count::default(), count))),
        (Some("dense"), Some(count)) => {
            let orders = drive(Dense::default(), count);
            assert_eq!(orders, count / 20, "an order on every 20th quote");
        }
        (Some("encode"), Some(count)) => encode(count),
        (Some("decode"), Some(count)) => decode(count),
        (Some("price"), Some(count)) => price(count),
        _ => {
            eprintln!("usage: hot quotes|loop|dense|encode|decode|price COUNT");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
