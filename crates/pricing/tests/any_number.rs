//! Every entry point survives every number: a typed error or a value, never a panic.

use onetape_pricing::Right;
use onetape_pricing::chain::positioning::{SeriesActivity, max_pain, profile, put_call_ratios};
use onetape_pricing::chain::skew::skew;
use onetape_pricing::exotic::asian::{AsianGrid, arithmetic_call};
use onetape_pricing::explain::{USUAL_ORDER, sequential};
use onetape_pricing::forward::{Carry, CashDividend, DiscountCurve};
use onetape_pricing::heston::calibrate::{Bounds, VolQuote, calibrate};
use onetape_pricing::heston::cos::{CosSettings, out_of_the_money};
use onetape_pricing::heston::strip::{Accuracy, StrikeRange, Strip};
use onetape_pricing::heston::{Bates, Heston, Market};
use onetape_pricing::mc::lsm::{Exercise, LsmSettings, american_gbm, on_paths};
use onetape_pricing::mc::model::{BasketPaths, Gbm, HestonPaths, LocalVolPaths, MertonPaths, PathModel};
use onetape_pricing::mc::payoff::European;
use onetape_pricing::mc::risk::{RiskSettings, position_risk};
use onetape_pricing::mc::{Sampling, Simulation};
use onetape_pricing::surface::compare::{SsviExpiry, fit_sabr, fit_ssvi};
use onetape_pricing::surface::fit::{SmileQuote, fit_svi, without_butterfly};
use onetape_pricing::surface::local::{SviSurface, local_vol_by_differences};
use onetape_pricing::surface::svi::RawSvi;
use onetape_pricing::vol::expected_move::{probability_below, probability_of_touch};
use onetape_pricing::vol::rank::{Lookback, iv_standing};
use onetape_pricing::vol::realised::{Bar, Estimator, realised_vol};
use onetape_pricing::vol::term::{TermPoint, constant_maturity, kinks, slope};
use onetape_pricing::vol::variance_swap::{SwapTerms, Wing, fair_variance, fair_variance_of_smile};
use onetape_pricing::vol::vix::{StrikeQuotes, index, term_variance};
use proptest::prelude::*;

/// Any bit pattern, with the values that break code most often over-represented.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => prop::num::f64::ANY,
        4 => -2.0..2.0f64,
        1 => prop::sample::select(vec![0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324]),
    ]
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(number(), 16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn surfaces(n in numbers()) {
        let raw = RawSvi { a: n[0], b: n[1], rho: n[2], m: n[3], sigma: n[4] };
        let _ = raw.butterfly(n[5], n[6]);
        let _ = without_butterfly(&raw, n[5], (n[6], n[7]));
        let quotes: Vec<SmileQuote> = n.windows(3).map(|w| SmileQuote { k: w[0], vol: w[1], weight: w[2] }).collect();
        let fair: Vec<SmileQuote> = n.iter().map(|&x| SmileQuote { k: x, vol: 0.2 + x.abs(), weight: 1.0 }).collect();
        for q in [&quotes, &fair] {
            let _ = fit_svi(q, n[0], Some(&raw));
            let _ = fit_sabr(q, n[1], n[2], n[3]);
            let _ = fit_ssvi(&[SsviExpiry { years: n[4], theta: n[5], quotes: q.clone() }]);
        }
        if let Ok(surface) = SviSurface::new(&[(n[8], raw), (n[9], raw)]) {
            let _ = (surface.at(n[10]), surface.local_vol(n[11], n[10]));
        }
        let _ = local_vol_by_differences(|k, t| k * t, n[0], n[1]);
        let _ = (skew(&raw, n[5], n[6]), probability_below(&raw, n[7]), probability_of_touch(n[8], n[9]));
        let _ = fair_variance_of_smile(&raw, n[5]);
    }

    #[test]
    fn volatility(n in numbers()) {
        let bars: Vec<Bar> = n.as_chunks::<4>().0.iter().map(|c| Bar { open: c[0], high: c[1], low: c[2], close: c[3] }).collect();
        for estimator in Estimator::ALL {
            let _ = realised_vol(&bars, estimator, n[0]);
        }
        let _ = iv_standing(&n, n[0], Lookback { sessions: 9, sessions_min: 2 });
        let points: Vec<TermPoint> = n.as_chunks::<2>().0.iter().map(|c| TermPoint { years: c[0], vol: c[1] }).collect();
        let _ = (constant_maturity(&points, n[1]), kinks(&points, n[2]), slope(&points, n[3], n[4]));
        let quotes: Vec<StrikeQuotes> = n.as_chunks::<5>().0.iter()
            .map(|c| StrikeQuotes { strike: c[0], call_bid: c[1], call_ask: c[2], put_bid: c[3], put_ask: c[4] }).collect();
        let _ = (term_variance(&quotes, n[5], n[6]), index((n[0], n[1]), (n[2], n[3])));
        let terms = SwapTerms { spot: n[0], rate: n[1], dividend_yield: n[2], years: n[3], boundary: n[4] };
        let wing = Wing { strikes: &n[5..9], prices: &n[9..13] };
        let _ = fair_variance(&terms, wing, wing);
    }

    #[test]
    fn chains(n in numbers()) {
        let series: Vec<SeriesActivity> = n.as_chunks::<4>().0.iter()
            .map(|c| SeriesActivity { strike: c[0], right: Right::Call, open_interest: c[1], volume: c[2], mark: c[3] }).collect();
        let _ = (max_pain(&series), put_call_ratios(&series), profile(&series));
        let inputs = onetape_pricing::bsm::BsmInputs { spot: n[0], strike: n[1], years: n[2], rate: n[3], dividend_yield: n[4], vol: n[5] };
        let other = onetape_pricing::bsm::BsmInputs { spot: n[9], years: n[10], vol: n[11], ..inputs };
        let _ = sequential(&inputs, &other, USUAL_ORDER, |i| onetape_pricing::bsm::price(i, Right::Call));
        let dividends = [CashDividend { years: n[0], amount: n[1] }];
        let carry = Carry { spot: n[2], years: n[3], rate: n[4], dividends: &dividends, borrow: n[5] };
        let _ = (carry.forward(), carry.implied_borrow(n[6]));
        let _ = DiscountCurve::from_zero_rates(&[(n[0], n[1]), (n[2], n[3])]).map(|c| c.discount(n[4]));
    }

    #[test]
    fn stochastic_volatility(n in numbers()) {
        let heston = Heston { v0: n[0], kappa: n[1], theta: n[2], sigma: n[3], rho: n[4] };
        let bates = Bates { heston, intensity: n[5], jump_mean: n[6], jump_vol: n[7] };
        let market = Market { spot: n[8], rate: n[9], dividend_yield: n[10] };
        let accuracy = Accuracy { tolerance: 1e-10, nodes_max: 300 };
        let range = StrikeRange { low: n[11], high: n[12] };
        let _ = Strip::bates(&bates, n[13], range, accuracy).map(|s| s.price(&market, n[14], Right::Put));
        let _ = Strip::with_greeks(&heston, n[13], range, accuracy).map(|s| s.greeks(&market, n[14], Right::Call));
        let _ = out_of_the_money(&heston, n[11], n[13], CosSettings { half_width: n[12], terms: 20 });
        let quotes: Vec<VolQuote> = n.as_chunks::<2>().0.iter().map(|c| VolQuote { k: c[0], years: c[1].abs(), vol: 0.2, weight: 1.0 }).collect();
        let _ = calibrate(&quotes[..6], Some(heston), &Bounds::default());
    }

    #[test]
    fn simulations(n in numbers()) {
        let market = Market { spot: n[0], rate: n[1], dividend_yield: n[2] };
        let heston = Heston { v0: n[3], kappa: n[4], theta: n[5], sigma: n[6], rho: n[7] };
        let payoff = European { right: Right::Call, strike: n[8], discount: n[9] };
        let basket = BasketPaths::new(&n[0..2], &n[2..4], &n[4..6], &n[6..10], n[10]);
        let vol = n[11];
        let models: [&dyn PathModel; 4] = [
            &Gbm { market, vol },
            &HestonPaths { market, model: heston },
            &MertonPaths { market, vol, intensity: n[12].abs().min(50.0), jump_mean: n[13], jump_vol: n[14] },
            &LocalVolPaths { market, vol: |t, k| vol * (1.0 + t + k), substeps: 2 },
        ];
        for sampling in [Sampling::Antithetic, Sampling::Sobol] {
            for model in models {
                let simulation = Simulation { model, times: &[n[14], n[15]], payoff: &payoff, control: None, sampling, seed: 1, paths: 8 };
                let _ = simulation.block(0);
                let _ = simulation.estimate(&[]);
            }
        }
        if let Ok(basket) = &basket {
            let settings = RiskSettings { horizon: n[11], scenarios: 10, confidence: n[12], seed: 0 };
            let _ = position_risk(basket, &settings, |s| s[0] - s[1]);
        }
        let exercise = Exercise { right: Right::Put, strike: n[0], terms: 3 };
        let _ = on_paths(&exercise, &[n[1..5].to_vec(), n[5..9].to_vec()], &n[9..11]);
        let _ = american_gbm(&market, vol, n[12], &exercise, &LsmSettings { paths: 100, dates: 3, seed: 0 });
        let _ = arithmetic_call(&market, n[3], n[4], n[5], AsianGrid { space: 16, time: 8 });
        let _ = arithmetic_call(&market, 100.0, 1.0, 0.2, AsianGrid { space: 1, time: 1 });
    }
}
