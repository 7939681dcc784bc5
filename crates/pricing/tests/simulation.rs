//! Laws of the Monte Carlo engine.

use onetape_pricing::Right;
use onetape_pricing::bsm::{self, BsmInputs};
use onetape_pricing::exotic::barrier::BarrierOption;
use onetape_pricing::heston::{Bates, Heston, Market};
use onetape_pricing::mc::model::{BasketPaths, Gbm, HestonPaths, LocalVolPaths, MertonPaths, PathModel};
use onetape_pricing::mc::payoff::{
    Asian, Average, Barrier, Basket, ContinuousBarrier, European, Knock, Lookback, Payoff,
    geometric_asian_value,
};
use onetape_pricing::mc::{Control, Estimate, Sampling, Simulation, Sums};

const MARKET: Market = Market { spot: 100.0, rate: 0.03, dividend_yield: 0.01 };
const GBM: Gbm = Gbm { market: MARKET, vol: 0.25 };

fn bsm(strike: f64, years: f64, right: Right) -> f64 {
    bsm::price(&BsmInputs { spot: 100.0, strike, years, rate: 0.03, dividend_yield: 0.01, vol: 0.25 }, right)
}

fn call(strike: f64, years: f64) -> European {
    European { right: Right::Call, strike, discount: MARKET.discount(years) }
}

fn simulate<M: PathModel>(
    model: &M,
    times: &[f64],
    payoff: &dyn Payoff,
    sampling: Sampling,
    paths: u64,
) -> Estimate {
    Simulation { model, times, payoff, control: None, sampling, seed: 11, paths }
        .run()
        .expect("a valid simulation")
}

fn assert_close(found: &Estimate, exact: f64, slack: f64) {
    let allowed = 4.0 * found.standard_error + slack;
    assert!((found.mean - exact).abs() < allowed, "{found:?} against {exact}");
}

#[test]
fn european_options_in_every_sampling() {
    let payoff = call(105.0, 0.5);
    let exact = bsm(105.0, 0.5, Right::Call);
    let errors: Vec<f64> = [Sampling::Independent, Sampling::Antithetic, Sampling::Sobol]
        .map(|sampling| {
            let found = simulate(&GBM, &[0.5], &payoff, sampling, 1 << 17);
            assert_close(&found, exact, 0.0);
            found.standard_error
        })
        .to_vec();
    assert!(errors[1] < errors[0] && errors[2] < 0.05 * errors[0], "{errors:?}");
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let times: Vec<f64> = (1..=12).map(|i| f64::from(i) / 12.0).collect();
    let payoff = Asian { right: Right::Call, strike: 100.0, average: Average::Arithmetic, discount: 0.97 };
    for sampling in [Sampling::Antithetic, Sampling::Sobol] {
        let simulation = Simulation {
            model: &GBM,
            times: &times,
            payoff: &payoff,
            control: None,
            sampling,
            seed: 3,
            paths: 1 << 15,
        };
        let alone = simulation.run().unwrap();
        for threads in [2, 3, 5] {
            let blocks = simulation.block_count();
            let mut sums = vec![Sums::default(); blocks as usize];
            // Blocks are dealt out in an order that has nothing to do with their number.
            for worker in (0..threads).rev() {
                for block in (0..blocks).filter(|b| b % threads == worker) {
                    sums[block as usize] = simulation.block(block);
                }
            }
            let together = simulation.estimate(&sums).unwrap();
            assert_eq!(alone.mean.to_bits(), together.mean.to_bits());
            assert_eq!(alone.standard_error.to_bits(), together.standard_error.to_bits());
        }
    }
}

#[test]
fn geometric_control_tames_the_asian_option() {
    let times: Vec<f64> = (1..=52).map(|i| f64::from(i) / 52.0).collect();
    let discount = MARKET.discount(1.0);
    let payoff = Asian { right: Right::Call, strike: 100.0, average: Average::Arithmetic, discount };
    let geometric = Asian { average: Average::Geometric, ..payoff };
    let value = geometric_asian_value(&GBM, &times, &geometric).unwrap();
    let plain = simulate(&GBM, &times, &payoff, Sampling::Independent, 1 << 14);
    let alone = simulate(&GBM, &times, &geometric, Sampling::Independent, 1 << 14);
    assert_close(&alone, value, 0.0);
    let with = Simulation {
        model: &GBM,
        times: &times,
        payoff: &payoff,
        control: Some(Control { payoff: &geometric, value }),
        sampling: Sampling::Independent,
        seed: 11,
        paths: 1 << 14,
    }
    .run()
    .unwrap();
    assert!(with.standard_error < 0.05 * plain.standard_error, "{with:?} {plain:?}");
    assert_close(&plain, with.mean, 4.0 * with.standard_error);
}

#[test]
fn bridged_barrier_matches_the_closed_form() {
    let times: Vec<f64> = (1..=10).map(|i| f64::from(i) * 0.05).collect();
    let barrier =
        Barrier { option: call(100.0, 0.5), knock: Knock::Out, level: 90.0, is_up: false, rebate: 0.0 };
    let payoff = ContinuousBarrier { barrier, spot: 100.0, variances: vec![0.25 * 0.25 * 0.05; 10] };
    let exact = BarrierOption {
        spot: 100.0,
        strike: 100.0,
        barrier: 90.0,
        is_up: false,
        knock: Knock::Out,
        right: Right::Call,
        rebate: 0.0,
        years: 0.5,
        rate: 0.03,
        dividend_yield: 0.01,
        vol: 0.25,
    }
    .price()
    .unwrap();
    assert_close(&simulate(&GBM, &times, &payoff, Sampling::Antithetic, 1 << 16), exact, 0.0);
    // Observed at the dates only, fewer paths die.
    assert!(simulate(&GBM, &times, &barrier, Sampling::Antithetic, 1 << 16).mean > exact);
}

#[test]
fn heston_paths_match_the_fourier_price() {
    let model = Heston { v0: 0.04, kappa: 1.5, theta: 0.06, sigma: 0.6, rho: -0.7 };
    let paths = HestonPaths { market: MARKET, model };
    let times: Vec<f64> = (1..=32).map(|i| f64::from(i) / 32.0).collect();
    for strike in [80.0, 100.0, 120.0] {
        let found = simulate(&paths, &times, &call(strike, 1.0), Sampling::Antithetic, 1 << 16);
        assert_close(&found, model.price(&MARKET, strike, 1.0, Right::Call).unwrap(), 0.01);
    }
    // The forward is a martingale.
    let forward = |prices: &[f64]| prices[prices.len() - 1];
    assert_close(
        &simulate(&paths, &times, &forward, Sampling::Antithetic, 1 << 16),
        MARKET.forward(1.0),
        0.01,
    );
}

#[test]
fn merton_paths_match_the_fourier_price() {
    let jumps = MertonPaths { market: MARKET, vol: 0.2, intensity: 0.7, jump_mean: -0.1, jump_vol: 0.15 };
    let heston = Heston { v0: 0.04, kappa: 1.0, theta: 0.04, sigma: 1e-6, rho: 0.0 };
    let exact = Bates { heston, intensity: 0.7, jump_mean: -0.1, jump_vol: 0.15 };
    let found = simulate(&jumps, &[0.5], &call(100.0, 0.5), Sampling::Antithetic, 1 << 17);
    assert_close(&found, exact.price(&MARKET, 100.0, 0.5, Right::Call).unwrap(), 1e-4);
}

#[test]
fn local_volatility_that_is_constant_is_black_scholes() {
    let paths = LocalVolPaths { market: MARKET, vol: |_, _| 0.25, substeps: 4 };
    let found = simulate(&paths, &[0.25, 0.5], &call(105.0, 0.5), Sampling::Antithetic, 1 << 16);
    assert_close(&found, bsm(105.0, 0.5, Right::Call), 0.0);
}

#[test]
fn a_basket_of_one_asset_twice_is_that_asset() {
    let correlations = [1.0, 0.999_999_999, 0.999_999_999, 1.0];
    let paths = BasketPaths::new(&[100.0, 100.0], &[0.01, 0.01], &[0.25, 0.25], &correlations, 0.03).unwrap();
    let payoff =
        Basket { weights: vec![0.5, 0.5], right: Right::Put, strike: 95.0, discount: MARKET.discount(0.5) };
    assert_close(
        &simulate(&paths, &[0.5], &payoff, Sampling::Antithetic, 1 << 16),
        bsm(95.0, 0.5, Right::Put),
        1e-3,
    );
    assert!(BasketPaths::new(&[1.0, 1.0], &[0.0; 2], &[0.2; 2], &[1.0, 1.5, 1.5, 1.0], 0.0).is_err());
}

#[test]
fn look_back_dominates_the_plain_option() {
    let times: Vec<f64> = (1..=50).map(|i| f64::from(i) * 0.01).collect();
    let payoff =
        Lookback { right: Right::Call, strike: Some(105.0), spot: 100.0, discount: MARKET.discount(0.5) };
    let found = simulate(&GBM, &times, &payoff, Sampling::Sobol, 1 << 14);
    assert!(found.mean > 1.2 * bsm(105.0, 0.5, Right::Call));
}

#[test]
fn impossible_simulations_are_refused() {
    let payoff = call(100.0, 1.0);
    let with = |times: &[f64], paths: u64, sampling: Sampling, vol: f64| {
        let model = Gbm { vol, ..GBM };
        Simulation { model: &model, times, payoff: &payoff, control: None, sampling, seed: 0, paths }
            .run()
            .is_err()
    };
    assert!(with(&[], 10, Sampling::Independent, 0.2));
    assert!(with(&[0.5, 0.4], 10, Sampling::Independent, 0.2));
    assert!(with(&[f64::NAN], 10, Sampling::Independent, 0.2));
    assert!(with(&[1.0], 0, Sampling::Independent, 0.2));
    assert!(with(&[1.0], 10, Sampling::Independent, f64::INFINITY));
    let many: Vec<f64> = (1..=300).map(f64::from).collect();
    assert!(with(&many, 10, Sampling::Sobol, 0.2));
}

/// Counts are bounded: neither a wait of hours nor all of the memory.
#[test]
fn numbers_of_paths_and_dates_are_bounded() {
    let times = |n: usize| (1..=n).map(|i| i as f64).collect::<Vec<f64>>();
    let payoff = call(100.0, 1.0);
    for (paths, dates) in [(u64::MAX, 1), (100_000_001, 1), (10, 4_001), (10_000_000, 1_000)] {
        let times = times(dates);
        let simulation = Simulation {
            model: &GBM,
            times: &times,
            payoff: &payoff,
            control: None,
            sampling: Sampling::Independent,
            seed: 1,
            paths,
        };
        let refused = simulation.run().unwrap_err().to_string();
        assert!(refused.contains("at most"), "{refused}");
    }
}
