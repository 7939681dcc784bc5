//! The live chain: equal to the full recomputation, and free of allocations.
use onetape_pricing::Right;
use onetape_pricing::american::{self, Scheme};
use onetape_pricing::bsm::{self, BsmInputs, Risk};
use onetape_pricing::chain::live::{ChainPricer, ExpirySeries, ExpiryTerms};
use onetape_pricing::finite_difference::Exercise;
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RIGHTS: [Right; 2] = [Right::Call, Right::Put];

/// Two expiries of 2 × 21 series around 100.
fn chain(spot: f64, exercise: Exercise, terms: [ExpiryTerms; 2]) -> (ChainPricer, Vec<(f64, Right)>) {
    let series: Vec<(f64, Right)> =
        (0..21).flat_map(|i| RIGHTS.map(|right| (75.0 + 2.5 * f64::from(i), right))).collect();
    let strike: Vec<f64> = series.iter().map(|s| s.0).collect();
    let right: Vec<Right> = series.iter().map(|s| s.1).collect();
    let expiries = terms.map(|terms| ExpirySeries { terms, exercise, strike: &strike, right: &right });
    (ChainPricer::new(spot, &expiries).expect("admissible"), [series.clone(), series].concat())
}

fn inputs(spot: f64, strike: f64, terms: &ExpiryTerms, vol: f64) -> BsmInputs {
    let ExpiryTerms { years, rate, dividend_yield } = *terms;
    BsmInputs { spot, strike, years, rate, dividend_yield, vol }
}

fn american(i: &BsmInputs, right: Right, scheme: Scheme) -> Risk {
    let g = american::greeks(i, right, scheme);
    Risk { price: g.price, delta: g.delta, gamma: g.gamma, vega: g.vega, theta: g.theta, rho: g.rho }
}

fn values(r: &Risk) -> [f64; 6] {
    [r.price, r.delta, r.gamma, r.vega, r.theta, r.rho]
}

prop_compose! {
    fn terms()(years in 0.003..2.0f64, rate in -0.02..0.1f64, dividend_yield in -0.01..0.1f64) -> ExpiryTerms {
        ExpiryTerms { years, rate, dividend_yield }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn european_marks_are_those_of_the_closed_form(
        a in terms(), b in terms(), first in 60.0..160.0f64, spots in prop::collection::vec(60.0..160.0f64, 1..4),
        vol in 0.05..1.0f64,
    ) {
        let (mut chain, series) = chain(first, Exercise::European, [a, b]);
        for i in 0..chain.len() {
            chain.set_vol(i, vol + 0.001 * i as f64).unwrap();
        }
        for spot in spots {
            chain.mark(spot);
            for (i, &(strike, right)) in series.iter().enumerate() {
                let terms = if i < 42 { &a } else { &b };
                let full = inputs(spot, strike, terms, vol + 0.001 * i as f64);
                let v = full.vol * terms.years.sqrt();
                let d = (libm::log(spot / strike) / v).abs() + v;
                let tolerance = 1e-14 * (1.0 + d) * (1.0 + 1.0 / v);
                let (got, want) = (values(&chain.risk(i)), values(&bsm::risk(&full, right)));
                // Price, delta, gamma, vega, theta, rho in their own scales.
                let scales = [spot + strike, 1.0, 1.0 / (spot * v), spot * terms.years.sqrt(),
                    (spot + strike) * (1.0 + full.vol * full.vol / v), strike * terms.years];
                for k in 0..6 {
                    prop_assert!((got[k] - want[k]).abs() <= tolerance * scales[k],
                        "quantity {k}: {} for {} {full:?} {right:?}", got[k], want[k]);
                }
            }
        }
    }

    #[test]
    fn american_marks_are_those_of_the_fast_scheme(
        a in terms(), first in 60.0..160.0f64, spot in 60.0..160.0f64, vol in 0.08..0.8f64,
    ) {
        // Two boundaries are computed in full, by differences that take long.
        prop_assume!(a.rate.min(a.dividend_yield) >= 2e-4);
        let (mut chain, series) = chain(first, Exercise::American, [a, a]);
        for i in 0..series.len() / 2 {
            chain.set_vol(i, vol).unwrap();
        }
        chain.mark(spot);
        for (i, &(strike, right)) in series.iter().enumerate().take(series.len() / 2) {
            let full = inputs(spot, strike, &a, vol);
            let (got, mut want) = (values(&chain.risk(i)), values(&american(&full, right, Scheme::Fast)));
            let v = vol * a.years.sqrt();
            let above = (want[0] - right.intrinsic(spot, strike)).abs() / strike;
            let near = if above < 1e-6 {
                // On the boundary gamma and theta jump, and either side is as good.
                f64::INFINITY
            } else if above < 0.05 {
                // Just above the boundary the quadrature of `Fast` is coarse, which the fit smooths: on 3,339
                // such marks gamma of `Fast` was up to 2.4e-2 from `High`, gamma of the fit 1.3e-3.
                let price = want[0];
                want = values(&american(&full, right, Scheme::Accurate));
                want[0] = price;
                5e-3
            } else {
                1e-5
            };
            let scales = [strike, 1.0 / v.min(1.0), 1.0 / (spot * v * v.min(1.0)), strike / vol, strike / a.years.min(1.0), strike / a.years.min(1.0)];
            for k in 0..6 {
                let gap = (got[k] - want[k]).abs() / scales[k];
                let bar = if k == 0 { 1e-6 } else { near };
                prop_assert!(gap <= bar, "quantity {k}: {} for {} {full:?} {right:?}", got[k], want[k]);
            }
        }
    }

    #[test]
    fn any_number_is_survived(n in prop::collection::vec(prop::num::f64::ANY, 12), american: bool) {
        let exercise = if american { Exercise::American } else { Exercise::European };
        let any = |i: usize| ExpiryTerms { years: n[i], rate: n[i + 1], dividend_yield: n[i + 2] };
        let _ = ChainPricer::new(n[0], &[ExpirySeries { terms: any(1), exercise, strike: &n[4..6], right: &RIGHTS }]);
        let fair = ExpiryTerms { years: 0.5, rate: 0.04, dividend_yield: 0.01 };
        let (mut chain, _) = chain(100.0, exercise, [fair, fair]);
        let _ = (chain.set_vol(0, n[6]), chain.set_vol(n[7].abs() as usize, 0.2), chain.imply(1, n[8]));
        chain.mark(n[9]);
        let _ = (chain.imply(2, n[10]), chain.set_terms(0, any(1)), chain.set_terms(7, fair));
        chain.mark(n[11]);
        prop_assert!(chain.risk(0).price.is_nan() || chain.risk(0).price >= 0.0);
    }
}

#[test]
fn quotes_come_back_as_marks() {
    let terms = ExpiryTerms { years: 0.4, rate: 0.03, dividend_yield: 0.01 };
    for exercise in [Exercise::European, Exercise::American] {
        let (mut chain, series) = chain(100.0, exercise, [terms, terms]);
        let prices: Vec<f64> = series
            .iter()
            .enumerate()
            .map(|(i, &(strike, right))| {
                let full = inputs(100.0, strike, &terms, 0.2 + 0.001 * i as f64);
                if exercise == Exercise::American {
                    american(&full, right, Scheme::Fast).price
                } else {
                    bsm::price(&full, right)
                }
            })
            .collect();
        chain.imply_all(&prices).unwrap();
        for (i, price) in prices.iter().enumerate() {
            if chain.vols()[i].is_nan() {
                // Worth its exercise: no volatility.
                assert!(chain.risk(i).price.is_nan());
                continue;
            }
            assert!((chain.risk(i).price - price).abs() < 1e-5, "{exercise:?} {i}");
            assert_eq!(chain.prices()[i].to_bits(), chain.risk(i).price.to_bits());
        }
        let vol = chain.imply(3, prices[3]).unwrap();
        assert!((vol - chain.vols()[3]).abs() < 1e-12);
        assert!(chain.imply(3, -1.0).is_err() && chain.imply(999, 1.0).is_err());
        assert!(chain.imply_all(&prices[1..]).is_err());
    }
}

#[test]
fn time_passes_by_new_terms() {
    let terms = ExpiryTerms { years: 0.4, rate: 0.03, dividend_yield: 0.01 };
    for exercise in [Exercise::European, Exercise::American] {
        let (mut chain, _) = chain(100.0, exercise, [terms, terms]);
        chain.set_vol(5, 0.3).unwrap();
        let before = chain.risk(5);
        chain.set_terms(0, ExpiryTerms { years: 0.3999, ..terms }).unwrap();
        let decay = (chain.risk(5).price - before.price) / 1e-4;
        assert!((decay / before.theta - 1.0).abs() < 1e-3, "{decay} {before:?}");
    }
}

#[test]
fn ticks_and_quotes_do_not_allocate() {
    let terms = ExpiryTerms { years: 0.4, rate: 0.03, dividend_yield: 0.01 };
    for exercise in [Exercise::European, Exercise::American] {
        let (mut chain, series) = chain(100.0, exercise, [terms, terms]);
        let prices: Vec<f64> = series
            .iter()
            .map(|&(strike, right)| {
                american(&inputs(100.0, strike, &terms, 0.25), right, Scheme::Fast).price + 0.5
            })
            .collect();
        // The first solution of a boundary sizes the pricer's buffers.
        chain.set_vol(0, 0.2).unwrap();
        let before = ALLOCATIONS.with(Cell::get);
        chain.imply_all(&prices).unwrap();
        for i in 0..100 {
            chain.mark(90.0 + 0.2 * f64::from(i));
        }
        chain.mark(100.0);
        chain.imply(4, prices[4] + 1.0).unwrap();
        chain.set_vol(7, 0.4).unwrap();
        chain.set_terms(1, ExpiryTerms { years: 0.39, ..terms }).unwrap();
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "{exercise:?}");
    }
}
