//! Synthetic tapes for tests and benches: integer arithmetic only, so the same on every machine.
#![allow(dead_code, unreachable_pub)]

use onetape_engine::block::{Block, INPUTS_MAX};
use onetape_engine::ids::{InstrumentIx, VenueIx};
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Quote, Record};

pub const CENT: i64 = 10_000_000;
pub const UNIT: i64 = 1_000_000_000;

/// A 64-bit linear congruential generator; the high 31 bits are used.
pub struct Lcg(pub u64);

impl Lcg {
    pub fn next(&mut self) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as i64
    }

    pub fn below(&mut self, bound: i64) -> i64 {
        self.next() % bound
    }
}

/// Workload W1: one instrument, a quote each millisecond, one-cent random walk, two-cent spread.
pub fn w1(count: usize) -> Vec<Record> {
    let (mut rng, mut mid) = (Lcg(42), 100_000i64);
    (0..count as u64)
        .map(|i| {
            let r = rng.next();
            mid = (mid + r % 3 - 1).clamp(50_000, 150_000);
            let quote = Quote {
                bid: (mid - 1) * CENT,
                ask: (mid + 1) * CENT,
                bid_size: (10 + r / 3 % 90) * UNIT,
                ask_size: (10 + r / 270 % 90) * UNIT,
                ..Quote::default()
            };
            let ts = Nanos(1_700_000_000_000_000_000 + i * 1_000_000);
            Record::new(Head::at(ts, InstrumentIx(0)), Body::Quote(quote))
        })
        .collect()
}

/// An option chain's consolidated feed: `instruments` series, uneven activity, nanosecond
/// times with feed delay, sixteen venues, nickel ticks, spreads and sizes by series.
pub fn chain(count: usize, instruments: i64) -> Vec<Record> {
    let mut rng = Lcg(7);
    let mut bids: Vec<i64> = (0..instruments).map(|i| 5 + i * 37 % 4_000).collect();
    let mut ts = 1_700_000_000_000_000_000u64;
    (0..count)
        .map(|_| {
            ts += ((rng.below(1 << 16) * rng.below(1 << 16)) >> 16) as u64;
            // The lower of two draws: some series are quoted several times as often as others.
            let instrument = rng.below(instruments).min(rng.below(instruments));
            let bid = &mut bids[instrument as usize];
            *bid = (*bid + (rng.below(7) - 3)).max(0);
            let quote = Quote {
                bid: *bid * 5 * CENT,
                ask: (*bid + 1 + instrument % 9 + rng.below(3)) * 5 * CENT,
                bid_size: (1 + rng.below(200)) * UNIT,
                ask_size: (1 + rng.below(200)) * UNIT,
                ask_venue: 1 + rng.below(16) as u16,
                ..Quote::default()
            };
            let head = Head {
                ts_src: Nanos(ts - 20_000 - rng.below(1 << 15) as u64),
                venue: VenueIx(1 + rng.below(16) as u16),
                ..Head::at(Nanos(ts), InstrumentIx(instrument as u32))
            };
            Record::new(head, Body::Quote(quote))
        })
        .collect()
}

/// Full blocks of these records.
pub fn blocks(records: &[Record]) -> Vec<Block> {
    let mut first_seq = 0;
    let cut = |chunk: &[Record]| {
        let block = Block { first_seq, inputs: chunk.to_vec(), ..Block::default() };
        first_seq += chunk.len() as u64;
        block
    };
    records.chunks(INPUTS_MAX).map(cut).collect()
}
