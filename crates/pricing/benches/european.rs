//! Nanoseconds per option: the batch functions beside plain scalar code over `libm` in the same run.
//!
//! `cargo bench -p onetape-pricing --bench european`; criterion's throughput line reads as options per
//! second, so the time per option is the time shown divided by the number of options in the name.
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use onetape_pricing::Right;
use onetape_pricing::bsm::{self, BsmInputs, batch};
use std::hint::black_box;

const OPTIONS: usize = 4096;

struct Sample {
    columns: [Vec<f64>; 6],
    right: Vec<Right>,
}

impl Sample {
    /// Options of a few months around the money, one xorshift stream.
    fn new() -> Self {
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut between = |low: f64, high: f64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            low + (high - low) * (state >> 11) as f64 / 9_007_199_254_740_992.0
        };
        let bounds = [(90.0, 110.0), (70.0, 140.0), (0.02, 2.0), (0.0, 0.06), (0.0, 0.03), (0.08, 0.9)];
        let columns = bounds.map(|(low, high)| (0..OPTIONS).map(|_| between(low, high)).collect());
        let right = (0..OPTIONS).map(|i| if i % 2 == 0 { Right::Call } else { Right::Put }).collect();
        Self { columns, right }
    }

    fn options(&self) -> batch::Columns<'_> {
        let [spot, strike, years, rate, dividend_yield, vol] = &self.columns;
        batch::Columns { spot, strike, years, rate, dividend_yield, vol, right: &self.right }
    }

    fn row(&self, i: usize) -> BsmInputs {
        let [spot, strike, years, rate, dividend_yield, vol] = [0, 1, 2, 3, 4, 5].map(|c| self.columns[c][i]);
        BsmInputs { spot, strike, years, rate, dividend_yield, vol }
    }
}

/// Price and five Greeks the way a textbook writes them, one option at a time.
fn libm_reference(i: &BsmInputs, right: Right) -> [f64; 6] {
    let root = i.years.sqrt();
    let v = i.vol * root;
    let d1 = (libm::log(i.spot / i.strike) + (i.rate - i.dividend_yield) * i.years) / v + 0.5 * v;
    let d2 = d1 - v;
    let s = right.sign();
    let cdf = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
    let (n1, n2) = (cdf(s * d1), cdf(s * d2));
    let (dq, dr) = (libm::exp(-i.dividend_yield * i.years), libm::exp(-i.rate * i.years));
    let density = dq * libm::exp(-0.5 * d1 * d1) * 0.398_942_280_401_432_7;
    let (a, b) = (s * i.spot * dq * n1, s * i.strike * dr * n2);
    [
        a - b,
        s * dq * n1,
        density / (i.spot * v),
        i.spot * density * root,
        i.dividend_yield * a - i.rate * b - i.spot * density * i.vol / (2.0 * root),
        i.years * b,
    ]
}

fn european(c: &mut Criterion) {
    let sample = Sample::new();
    let mut group = c.benchmark_group(format!("bsm x{OPTIONS}"));
    group.throughput(Throughput::Elements(OPTIONS as u64));
    let mut out = vec![vec![0.0; OPTIONS]; 17];

    group.bench_function("price + 5 Greeks, scalar libm reference", |b| {
        b.iter(|| {
            for i in 0..OPTIONS {
                black_box(libm_reference(&sample.row(i), sample.right[i]));
            }
        });
    });
    group.bench_function("price + 5 Greeks, scalar", |b| {
        b.iter(|| {
            for i in 0..OPTIONS {
                black_box(bsm::risk(&sample.row(i), sample.right[i]));
            }
        });
    });
    group.bench_function("price + 5 Greeks, batch", |b| {
        b.iter(|| {
            let [price, delta, gamma, vega, theta, rho, ..] = &mut out[..] else { unreachable!() };
            let mut columns = batch::RiskColumns { price, delta, gamma, vega, theta, rho };
            batch::risk(&sample.options(), &mut columns).expect("equal lengths");
            black_box(&mut columns);
        });
    });
    group.bench_function("price + 5 Greeks, one expiry", |b| {
        let expiry = batch::Expiry {
            spot: 100.0,
            years: 0.3,
            rate: 0.04,
            dividend_yield: 0.01,
            strike: &sample.columns[1],
            vol: &sample.columns[5],
            right: &sample.right,
        };
        b.iter(|| {
            let [price, delta, gamma, vega, theta, rho, ..] = &mut out[..] else { unreachable!() };
            let mut columns = batch::RiskColumns { price, delta, gamma, vega, theta, rho };
            batch::chain_risk(black_box(&expiry), &mut columns).expect("equal lengths");
            black_box(&mut columns);
        });
    });
    group.bench_function("all 17, scalar", |b| {
        b.iter(|| {
            for i in 0..OPTIONS {
                black_box(bsm::greeks(&sample.row(i), sample.right[i]));
            }
        });
    });
    group.bench_function("all 17, batch", |b| {
        b.iter(|| {
            let [
                price,
                delta,
                gamma,
                vega,
                theta,
                rho,
                phi,
                vanna,
                charm,
                vomma,
                veta,
                speed,
                zomma,
                color,
                ultima,
                dual_delta,
                dual_gamma,
            ] = &mut out[..]
            else {
                unreachable!()
            };
            let mut columns = batch::GreekColumns {
                price,
                delta,
                gamma,
                vega,
                theta,
                rho,
                phi,
                vanna,
                charm,
                vomma,
                veta,
                speed,
                zomma,
                color,
                ultima,
                dual_delta,
                dual_gamma,
            };
            batch::greeks(&sample.options(), &mut columns).expect("equal lengths");
            black_box(&mut columns);
        });
    });
    group.finish();
}

criterion_group!(benches, european);
criterion_main!(benches);
