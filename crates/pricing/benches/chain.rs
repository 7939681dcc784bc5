//! A live chain of 10,000 options: a tick of the underlying, and volatilities and Greeks from quotes.
//!
//! `cargo bench -p onetape-pricing --bench chain`. Bars: at most 8 ns per European series and tick; volatilities and
//! Greeks of the whole chain in at most 2 ms.
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use onetape_pricing::Right;
use onetape_pricing::american::{self, Scheme};
use onetape_pricing::bsm::{self, BsmInputs};
use onetape_pricing::chain::live::{ChainPricer, ExpirySeries, ExpiryTerms};
use onetape_pricing::finite_difference::Exercise;
use std::hint::black_box;

const EXPIRIES: usize = 20;

/// A chain of `count` series around 100 with an expiry every eighteen days, and a price for each.
fn chain(count: usize, exercise: Exercise) -> (ChainPricer, Vec<f64>) {
    let per_expiry = count / EXPIRIES;
    let strike: Vec<f64> =
        (0..per_expiry).map(|i| 60.0 + 80.0 * (i / 2) as f64 / (per_expiry / 2) as f64).collect();
    let right: Vec<Right> =
        (0..per_expiry).map(|i| if i % 2 == 0 { Right::Call } else { Right::Put }).collect();
    let terms = |e: usize| ExpiryTerms { years: 0.05 * (e + 1) as f64, rate: 0.04, dividend_yield: 0.01 };
    let expiries: Vec<ExpirySeries<'_>> = (0..EXPIRIES)
        .map(|e| ExpirySeries { terms: terms(e), exercise, strike: &strike, right: &right })
        .collect();
    let chain = ChainPricer::new(100.0, &expiries).expect("an admissible chain");
    let price = |e: usize, strike: f64, right: Right| {
        let ExpiryTerms { years, rate, dividend_yield } = terms(e);
        let inputs = BsmInputs { spot: 100.0, strike, years, rate, dividend_yield, vol: 0.3 };
        match exercise {
            Exercise::European => bsm::price(&inputs, right),
            Exercise::American => american::price(&inputs, right, Scheme::Fast),
        }
    };
    let prices = (0..EXPIRIES)
        .flat_map(|e| strike.iter().zip(&right).map(move |(&k, &right)| price(e, k, right)))
        .collect();
    (chain, prices)
}

fn live(c: &mut Criterion) {
    for (exercise, count) in [(Exercise::European, 10_000), (Exercise::American, 1_000)] {
        let (mut chain, prices) = chain(count, exercise);
        let mut group = c.benchmark_group(format!("live {exercise:?} chain x{count}"));
        group.throughput(Throughput::Elements(count as u64)).sample_size(20);
        group.bench_function("volatilities and Greeks from quotes", |b| {
            b.iter(|| chain.imply_all(black_box(&prices)).expect("one price per series"));
        });
        let mut spot = 100.0;
        group.bench_function("tick of the underlying", |b| {
            b.iter(|| {
                spot = 200.3 - spot;
                chain.mark(black_box(spot));
                chain.risk(17)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, live);
criterion_main!(benches);
