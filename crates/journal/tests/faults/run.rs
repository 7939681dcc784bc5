//! The runs that are damaged: random blocks from a seed.

use onetape_engine::block::Block;
use onetape_engine::event::{Derived, Event};
use onetape_engine::ids::{InstrumentIx, StrategyIx};
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Quote, Record};

/// The trials' random numbers: a linear congruential generator, so that a seed is a trial.
#[derive(Debug, Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 31
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// The seed of one trial of many.
pub fn seed_of(seed: u64, trial: u64) -> u64 {
    seed.wrapping_add(trial).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

/// `count` blocks; some exceed one value and are stored in parts.
pub fn blocks(rng: &mut Rng, count: usize) -> Vec<Block> {
    let (mut blocks, mut first_seq) = (Vec::new(), 0);
    for _ in 0..count {
        let inputs = if rng.chance(20) { 1_500 + rng.below(2_500) } else { 1 + rng.below(300) };
        let quote = |n: usize, rng: &mut Rng| {
            let noise = |rng: &mut Rng| (rng.next() as i64) << (rng.below(30) as u32);
            let quote = Quote {
                bid: noise(rng),
                ask: noise(rng),
                bid_size: noise(rng),
                ask_size: noise(rng),
                ..Quote::default()
            };
            Record::new(Head::at(Nanos(first_seq + n as u64), InstrumentIx(0)), Body::Quote(quote))
        };
        let inputs: Vec<Record> = (0..inputs).map(|n| quote(n, rng)).collect();
        let note = |_| Derived {
            after: inputs.len() as u32,
            ts: Nanos(first_seq + inputs.len() as u64),
            cause: first_seq,
            event: Event::Note { strategy: StrategyIx(0), text: "x".repeat(40) },
        };
        let derived = (0..rng.below(4)).map(note).collect();
        let block = Block { first_seq, inputs, cold: Vec::new(), derived };
        first_seq += block.len() as u64;
        blocks.push(block);
    }
    blocks
}
