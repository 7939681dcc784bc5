//! Speed of models, calibration and simulation, one thread.
//!
//! Bars: Heston at most 3 µs per strike on a strip at 1e-9; calibration of 104
//! volatilities at most 15 ms; a million European paths at most 40 ms; LSM of 100,000
//! paths and 50 dates at most 300 ms. Run: `cargo bench -p onetape-pricing --bench models`.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use onetape_pricing::Right;
use onetape_pricing::bsm::{IvInputs, implied_vol};
use onetape_pricing::heston::calibrate::{Bounds, VolQuote, calibrate};
use onetape_pricing::heston::strip::{Accuracy, StrikeRange, Strip};
use onetape_pricing::heston::{Heston, Market};
use onetape_pricing::mc::lsm::{Exercise, LsmSettings, american_gbm};
use onetape_pricing::mc::model::Gbm;
use onetape_pricing::mc::payoff::European;
use onetape_pricing::mc::{Sampling, Simulation};
use onetape_pricing::surface::Smile;
use onetape_pricing::surface::compare::fit_sabr;
use onetape_pricing::surface::fit::{SmileQuote, fit_svi};
use onetape_pricing::surface::sabr::Sabr;
use onetape_pricing::surface::svi::RawSvi;
use std::hint::black_box;

const MODEL: Heston = Heston { v0: 0.035, kappa: 2.2, theta: 0.05, sigma: 0.55, rho: -0.68 };
const MARKET: Market = Market { spot: 100.0, rate: 0.03, dividend_yield: 0.01 };

fn heston(c: &mut Criterion) {
    let mut group = c.benchmark_group("heston");
    let ks: Vec<f64> = (-20..=20).map(|i| f64::from(i) * 0.02).collect();
    let range = StrikeRange { low: -0.4, high: 0.4 };
    group.throughput(Throughput::Elements(ks.len() as u64));
    for (name, tolerance) in [("strip_41_strikes_1e-11", 1e-11), ("strip_41_strikes_1e-14", 1e-14)] {
        let accuracy = Accuracy { tolerance, ..Accuracy::default() };
        let mut out = vec![0.0; ks.len()];
        group.bench_function(name, |b| {
            b.iter(|| {
                let strip = Strip::heston(black_box(&MODEL), 0.25, range, accuracy).expect("valid");
                strip.out_of_the_money(&ks, &mut out).expect("same length");
                out[0]
            });
        });
    }
    group.bench_function("strip_41_strikes_all_greeks", |b| {
        b.iter(|| {
            let strip =
                Strip::with_greeks(black_box(&MODEL), 0.25, range, Accuracy::default()).expect("valid");
            let mut sum = 0.0;
            for k in &ks {
                sum +=
                    strip.greeks(&MARKET, 100.0 * libm::exp(0.9 * k), Right::Call).expect("in range").delta;
            }
            sum
        });
    });
    group.finish();
    c.bench_function("heston/single_option", |b| {
        b.iter(|| black_box(&MODEL).price(&MARKET, 105.0, 0.25, Right::Call).expect("valid"));
    });
    let quotes = surface();
    c.bench_function("heston/calibrate_104_vols", |b| {
        b.iter_batched(
            || quotes.clone(),
            |q| calibrate(&q, None, &Bounds::default()).expect("fits"),
            BatchSize::SmallInput,
        );
    });
}

/// Eight expiries of thirteen strikes.
fn surface() -> Vec<VolQuote> {
    let mut quotes = Vec::new();
    for years in [0.08, 0.16, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0f64] {
        let strip = Strip::heston(&MODEL, years, StrikeRange { low: -0.7, high: 0.7 }, Accuracy::default())
            .expect("valid");
        for i in -6..=6 {
            let k = f64::from(i) * 0.08 * years.sqrt();
            let mut price = [0.0];
            strip.out_of_the_money(&[k], &mut price).expect("same length");
            let right = if k >= 0.0 { Right::Call } else { Right::Put };
            let inputs = IvInputs {
                price: price[0],
                spot: 1.0,
                strike: libm::exp(k),
                years,
                rate: 0.0,
                dividend_yield: 0.0,
            };
            quotes.push(VolQuote {
                k,
                years,
                vol: implied_vol(&inputs, right).expect("a price"),
                weight: 1.0,
            });
        }
    }
    quotes
}

fn simulation(c: &mut Criterion) {
    let mut group = c.benchmark_group("monte_carlo");
    group.sample_size(20);
    let model = Gbm { market: MARKET, vol: 0.2 };
    let payoff = European { right: Right::Call, strike: 105.0, discount: MARKET.discount(0.5) };
    for (name, sampling) in [
        ("independent", Sampling::Independent),
        ("antithetic", Sampling::Antithetic),
        ("sobol", Sampling::Sobol),
    ] {
        let simulation = Simulation {
            model: &model,
            times: &[0.5],
            payoff: &payoff,
            control: None,
            sampling,
            seed: 1,
            paths: 1_000_000,
        };
        group.bench_function(format!("european_1m_paths_{name}"), |b| {
            b.iter(|| simulation.run().expect("valid").mean);
        });
    }
    group.sample_size(10);
    let exercise = Exercise { right: Right::Put, strike: 40.0, terms: 4 };
    let market = Market { spot: 36.0, rate: 0.06, dividend_yield: 0.0 };
    let settings = LsmSettings { paths: 100_000, dates: 50, seed: 1 };
    group.bench_function("lsm_100k_paths_50_dates", |b| {
        b.iter(|| american_gbm(&market, 0.2, 1.0, &exercise, &settings).expect("valid").estimate.mean);
    });
    group.finish();
}

fn smiles(c: &mut Criterion) {
    let truth = RawSvi { a: 0.004, b: 0.07, rho: -0.55, m: 0.01, sigma: 0.09 };
    let quotes: Vec<SmileQuote> = (-20..=20)
        .map(|i| f64::from(i) * 0.012)
        .map(|k| SmileQuote {
            k,
            vol: truth.implied_vol(k, 0.25) + 0.002 * libm::sin(900.0 * k),
            weight: 1e4,
        })
        .collect();
    c.bench_function("surface/fit_svi_41_quotes", |b| {
        b.iter(|| fit_svi(black_box(&quotes), 0.25, None).expect("fits"));
    });
    c.bench_function("surface/fit_sabr_41_quotes", |b| {
        b.iter(|| fit_sabr(black_box(&quotes), 100.0, 0.25, 1.0).expect("fits"));
    });
    c.bench_function("surface/svi_butterfly_scan", |b| b.iter(|| black_box(&truth).butterfly(-10.0, 10.0)));
    let sabr = Sabr { alpha: 0.2, beta: 0.7, nu: 0.6, rho: -0.4 };
    c.bench_function("surface/sabr_vol", |b| {
        b.iter(|| black_box(&sabr).black_vol_unchecked(1.0, black_box(1.1), 0.5));
    });
}

criterion_group!(benches, heston, smiles, simulation);
criterion_main!(benches);
