//! Microseconds per American option and nanoseconds per implied volatility.
//!
//! `cargo bench -p onetape-pricing --bench american`. The options are 64 of three months to three years
//! around the money; a group's throughput line is options per second.
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use implied_vol::{DefaultSpecialFn, ImpliedBlackVolatility};
use onetape_pricing::Right;
use onetape_pricing::american::{Pricer, Scheme};
use onetape_pricing::bsm::{self, BsmInputs};
use onetape_pricing::finite_difference::Exercise;
use onetape_pricing::iv::batch::{ForwardQuotes, black_vols};
use onetape_pricing::iv::{ForwardQuote, black_vol};
use onetape_pricing::lattice::{self, Lattice};
use std::hint::black_box;

const OPTIONS: usize = 64;

fn options() -> Vec<(BsmInputs, Right)> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut between = |low: f64, high: f64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        low + (high - low) * (state >> 11) as f64 / 9_007_199_254_740_992.0
    };
    (0..OPTIONS)
        .map(|i| {
            let inputs = BsmInputs {
                spot: 100.0,
                strike: between(80.0, 125.0),
                years: between(0.25, 3.0),
                rate: between(0.01, 0.08),
                dividend_yield: between(0.01, 0.08),
                vol: between(0.1, 0.6),
            };
            (inputs, if i % 2 == 0 { Right::Call } else { Right::Put })
        })
        .collect()
}

fn american(c: &mut Criterion) {
    let options = options();
    let mut group = c.benchmark_group(format!("american x{OPTIONS}"));
    group.throughput(Throughput::Elements(OPTIONS as u64));
    for scheme in [Scheme::Fast, Scheme::Accurate, Scheme::High] {
        let mut pricer = Pricer::new(scheme);
        group.bench_function(format!("{scheme:?}"), |b| {
            b.iter(|| {
                for (inputs, right) in &options {
                    black_box(pricer.price(inputs, *right));
                }
            });
        });
    }
    group.bench_function("Leisen-Reimer, 501 steps", |b| {
        b.iter(|| {
            for (inputs, right) in &options {
                black_box(lattice::price(inputs, *right, Exercise::American, Lattice::LeisenReimer, 501));
            }
        });
    });
    group.finish();

    let quotes: Vec<(ForwardQuote, Right)> = options
        .iter()
        .map(|(inputs, right)| {
            let free = BsmInputs { rate: 0.0, dividend_yield: 0.0, ..*inputs };
            let price = bsm::price(&free, *right);
            (ForwardQuote { price, forward: 100.0, strike: inputs.strike, years: inputs.years }, *right)
        })
        .collect();
    let mut group = c.benchmark_group(format!("implied vol x{OPTIONS}"));
    group.throughput(Throughput::Elements(OPTIONS as u64));
    group.bench_function("Black, one at a time", |b| {
        b.iter(|| {
            for (quote, right) in &quotes {
                black_box(black_vol(black_box(quote), *right).ok());
            }
        });
    });
    // The published reference in the same run: Jäckel's method in Rust.
    group.bench_function("crate implied-vol, one at a time", |b| {
        b.iter(|| {
            for (quote, right) in &quotes {
                let quote = black_box(quote);
                let asked = ImpliedBlackVolatility::builder()
                    .option_price(quote.price)
                    .forward(quote.forward)
                    .strike(quote.strike)
                    .expiry(quote.years)
                    .is_call(*right == Right::Call)
                    .build();
                black_box(asked.and_then(|asked| asked.calculate::<DefaultSpecialFn>()));
            }
        });
    });
    let price: Vec<f64> = quotes.iter().map(|q| q.0.price).collect();
    let forward = vec![100.0; OPTIONS];
    let strike: Vec<f64> = quotes.iter().map(|q| q.0.strike).collect();
    let years: Vec<f64> = quotes.iter().map(|q| q.0.years).collect();
    let right: Vec<Right> = quotes.iter().map(|q| q.1).collect();
    let mut vol = vec![0.0; OPTIONS];
    group.bench_function("Black, columns", |b| {
        let columns =
            ForwardQuotes { price: &price, forward: &forward, strike: &strike, years: &years, right: &right };
        b.iter(|| {
            black_vols(black_box(&columns), &mut vol).expect("equal lengths");
            black_box(&mut vol);
        });
    });
    group.finish();
}

criterion_group!(benches, american);
criterion_main!(benches);
