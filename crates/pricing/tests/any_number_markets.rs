//! What works on chains, surfaces and calibrations survives every number too: a typed error or a value.
use onetape_pricing::Right;
use onetape_pricing::bsm::batch::{Columns, GreekColumns, RiskColumns};
use onetape_pricing::bsm::{self, BsmInputs};
use onetape_pricing::chain::exposure::{dealer_gammas, gamma_flip};
use onetape_pricing::chain::live::{ChainPricer, ExpirySeries, ExpiryTerms};
use onetape_pricing::chain::skew::strike_of_delta;
use onetape_pricing::checks::{Band, ChainQuote, SliceTerms, outliers, slice_violations};
use onetape_pricing::finite_difference::Exercise;
use onetape_pricing::forward::american::{AmericanTerms, implied_forward_of_american};
use onetape_pricing::forward::{ParityPair, ParitySettings};
use onetape_pricing::heston::calibrate::{Bounds, VolQuote, calibrate, calibrate_bates};
use onetape_pricing::heston::{Bates, Heston, Market};
use onetape_pricing::mc::model::Gbm;
use onetape_pricing::mc::payoff::{
    Asian, Average, Barrier, Basket, ContinuousBarrier, European, Knock, Lookback, Payoff,
    geometric_asian_value,
};
use onetape_pricing::mc::random::standard_normal;
use onetape_pricing::surface::VarianceJet;
use onetape_pricing::surface::compare::compare_smiles;
use onetape_pricing::surface::fit::{ExpiryQuotes, SmileQuote, fit_surface};
use onetape_pricing::surface::sabr::Sabr;
use onetape_pricing::surface::ssvi::{AtmVariance, Ssvi, SsviSlice, is_calendar_free};
use onetape_pricing::surface::svi::{JumpWings, NaturalSvi, RawSvi};
use onetape_pricing::vol::expected_move::{StraddleQuotes, from_straddle, from_vol};
use onetape_pricing::vol::realised::close_to_close;
use onetape_pricing::vol::regime::{RegimeInputs, RegimeThresholds, classify};
use onetape_pricing::vol::term::{TermPoint, forward_vol};
use proptest::prelude::*;

/// Any bit pattern, ordinary numbers, and the values that break code most often.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => prop::num::f64::ANY,
        5 => 0.01..2.0f64,
        1 => -1.0..0.0f64,
        2 => prop::sample::select(vec![
            0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, 1e-9, 1e9, -1e-300,
        ]),
    ]
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(number(), 16)
}

const RIGHTS: [Right; 2] = [Right::Put, Right::Call];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn european_columns_are_the_scalar_functions(n in numbers()) {
        let [a, b, c] = [0, 5, 10].map(|at| &n[at..at + 5]);
        let right = [Right::Put, Right::Call, Right::Put, Right::Call, Right::Put];
        let options = Columns { spot: a, strike: b, years: c, rate: &n[3..8], dividend_yield: &n[7..12], vol: &n[11..16], right: &right };
        let mut out = vec![[0.0; 5]; 17];
        let [price, delta, gamma, vega, theta, rho, phi, vanna, charm, vomma, veta, speed, zomma, color, ultima, dual_delta, dual_gamma] =
            &mut out[..] else { unreachable!() };
        let mut columns = GreekColumns { price, delta, gamma, vega, theta, rho, phi, vanna, charm, vomma, veta, speed, zomma, color, ultima, dual_delta, dual_gamma };
        prop_assert!(bsm::batch::greeks(&options, &mut columns).is_ok());
        let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        for i in 0..5 {
            let inputs = BsmInputs { spot: a[i], strike: b[i], years: c[i], rate: n[3 + i], dividend_yield: n[7 + i], vol: n[11 + i] };
            let one = bsm::greeks(&inputs, right[i]);
            prop_assert!(same(columns.price[i], one.price) && same(columns.speed[i], one.speed) && same(columns.ultima[i], one.ultima));
            prop_assert!(same(bsm::price(&inputs, right[i]), one.price) && same(bsm::delta(&inputs, right[i]), one.delta));
        }
        let mut columns = RiskColumns { price: columns.price, delta: columns.delta, gamma: columns.gamma, vega: columns.vega, theta: columns.theta, rho: columns.rho };
        prop_assert!(bsm::batch::risk(&options, &mut columns).is_ok());
    }

    #[test]
    fn forwards_of_american_pairs(n in numbers()) {
        let terms = AmericanTerms { spot: n[0], years: n[1], rate: n[2], yield_guess: n[3] };
        let wild = ParityPair { strike: n[4], call: (n[5], n[6]), put: (n[7], n[8]) };
        let pair = ParityPair { strike: 1.0, call: (0.1, 0.1 + n[9]), put: (0.1, 0.1 + n[10]) };
        if let Ok(found) = implied_forward_of_american(&[wild, pair], &terms, &ParitySettings::default()) {
            prop_assert!(found.forward.forward > 0.0 && found.carry_yield.is_finite());
        }
    }

    #[test]
    fn checks_of_quotes(n in numbers()) {
        let quote = |c: &[f64; 5]| ChainQuote { strike: c[0], call_bid: c[1], call_ask: c[2], put_bid: c[3], put_ask: c[4] };
        let mut quotes: Vec<ChainQuote> = n.as_chunks::<5>().0.iter().map(quote).collect();
        let terms = SliceTerms { forward: n[0], discount: n[1], tolerance: n[2] };
        let _ = slice_violations(&quotes, &terms);
        (0..quotes.len()).for_each(|i| quotes[i].strike = 90.0 + i as f64);
        let _ = slice_violations(&quotes, &SliceTerms { forward: 91.0, discount: 0.99, tolerance: 0.0 });
        let found = outliers(&n[..8], &n[8..], Band { absolute: n[0], relative: n[1] });
        for one in found.iter().flatten() {
            prop_assert!(one.severity > 1.0);
        }
    }

    #[test]
    fn small_measures(n in numbers()) {
        let _ = (from_vol(n[0], n[1], n[2]), close_to_close(&n, n[3]), standard_normal(n[4]));
        let _ = from_straddle(&StraddleQuotes { straddle: n[0], first_strangle: n[1], second_strangle: n[2] });
        let inputs = RegimeInputs { index: n[0], rank: n[1], realised_over_implied: n[2] };
        let _ = classify(&inputs, &RegimeThresholds { low_index: n[3], high_rank: n[4], ..RegimeThresholds::default() });
        if let Some(vol) = forward_vol(TermPoint { years: n[0], vol: n[1] }, TermPoint { years: n[2], vol: n[3] }) {
            prop_assert!(vol >= 0.0, "{vol}");
        }
        let jet = VarianceJet { w: n[0], dw: n[1], d2w: n[2] };
        let _ = (jet.durrleman(n[3]), jet.density(n[3]));
    }

    #[test]
    fn smile_parameters(n in numbers()) {
        let raw = RawSvi { a: n[0], b: n[1], rho: n[2], m: n[3], sigma: n[4] };
        let _ = (raw.validate(), raw.minimum_variance(), raw.wing_slopes(), raw.jump_wings(n[5]), raw.natural());
        let _ = NaturalSvi { delta: n[0], mu: n[1], rho: n[2], omega: n[3], zeta: n[4] }.raw();
        let _ = JumpWings { v: n[0], psi: n[1], p: n[2], c: n[3], v_tilde: n[4] }.raw(n[5]);
        for right in RIGHTS {
            let _ = strike_of_delta(&raw, right, n[6]);
        }
        let ssvi = Ssvi { rho: n[5], eta: n[6], gamma: n[7] };
        let _ = (ssvi.validate(), ssvi.phi(n[8]), ssvi.slice(n[8]));
        let [near, far] = [9, 12].map(|i| SsviSlice { rho: n[i], theta: n[i + 1], phi: n[i + 2] });
        let _ = (ssvi.variance_slope_in_theta(n[0], n[1]), near.is_surely_butterfly_free(), is_calendar_free(&near, &far));
        let _ = (ssvi.local_vol(n[0], AtmVariance { theta: n[1], slope: n[2] }), near.natural());
        let sabr = Sabr { alpha: n[0], beta: n[1], nu: n[2], rho: n[3] };
        let _ = (sabr.black_vol(n[4], n[5], n[6]), sabr.normal_vol(n[4], n[5], n[6]), sabr.black_vol_unchecked(n[4], n[5], n[6]));
        let _ = Sabr::alpha_from_atm(n[0], n[1], n[2], n[3], n[4], n[5]);
    }

    #[test]
    fn paths_of_any_prices(n in numbers()) {
        let option = European { right: Right::Call, strike: n[0], discount: n[1] };
        let (path, times) = (&n[2..8], &n[8..14]);
        for knock in [Knock::In, Knock::Out] {
            for is_up in [true, false] {
                let _ = Barrier { option, level: n[14], is_up, knock, rebate: n[15] }.value(path);
                let _ = ContinuousBarrier { barrier: Barrier { option, level: n[14], is_up, knock, rebate: 0.0 }, spot: n[2], variances: times.to_vec() }.value(path);
            }
        }
        for average in [Average::Arithmetic, Average::Geometric] {
            let asian = Asian { right: Right::Put, strike: n[0], average, discount: n[1] };
            let _ = asian.value(path);
            let market = Market { spot: n[3], rate: n[4], dividend_yield: n[5] };
            let _ = geometric_asian_value(&Gbm { market, vol: n[6] }, times, &asian);
        }
        for strike in [None, Some(n[0])] {
            let _ = Lookback { right: Right::Call, strike, spot: n[2], discount: n[1] }.value(path);
        }
        let _ = Basket { weights: n[8..14].to_vec(), right: Right::Put, strike: n[0], discount: n[1] }.value(path);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn models_of_a_chain(n in numbers()) {
        let heston = Heston { v0: n[0], kappa: n[1], theta: n[2], sigma: n[3], rho: n[4] };
        let bates = Bates { heston, intensity: n[5], jump_mean: n[6], jump_vol: n[7] };
        let market = Market { spot: n[8], rate: n[9], dividend_yield: n[10] };
        let _ = (heston.feller(), heston.expected_total_variance(n[11]), market.forward(n[11]), market.discount(n[11]));
        let _ = (heston.price(&market, n[12], n[11], Right::Put), bates.price(&market, n[12], n[11], Right::Call));
        let quotes: Vec<VolQuote> = n.as_chunks::<2>().0.iter()
            .map(|c| VolQuote { k: c[0], years: c[1].abs(), vol: 0.2, weight: 1.0 }).collect();
        let _ = calibrate_bates(&quotes, Some(bates), &Bounds::default());
        let wild: Vec<VolQuote> = n.as_chunks::<4>().0.iter().cycle().take(9)
            .map(|c| VolQuote { k: c[0], years: c[1], vol: c[2], weight: c[3] }).collect();
        let _ = (calibrate(&wild, None, &Bounds::default()), calibrate_bates(&wild, Some(bates), &Bounds::default()));
    }

    #[test]
    fn fits_of_a_chain(n in numbers()) {
        let quotes = |at: usize| -> Vec<SmileQuote> {
            n.windows(3).skip(at).map(|w| SmileQuote { k: w[0], vol: w[1], weight: w[2] }).collect()
        };
        let fair = |shift: f64| -> Vec<SmileQuote> {
            n[..9].iter().map(|&x| SmileQuote { k: x + shift, vol: 0.2 + 0.1 * x.abs(), weight: 1.0 }).collect()
        };
        for (near, far) in [(quotes(0), quotes(5)), (fair(0.0), fair(0.1))] {
            let _ = compare_smiles(&near, n[9], n[10], n[11]);
            let _ = fit_surface(&[ExpiryQuotes { years: n[12], quotes: near }, ExpiryQuotes { years: n[13], quotes: far }]);
        }
    }

    #[test]
    fn dealer_gamma_of_a_chain(n in numbers(), american: bool) {
        let exercise = if american { Exercise::American } else { Exercise::European };
        let terms = ExpiryTerms { years: n[0], rate: n[1], dividend_yield: n[2] };
        let series = ExpirySeries { terms, exercise, strike: &n[3..5], right: &RIGHTS };
        if let Ok(mut chain) = ChainPricer::new(n[5], &[series]) {
            let _ = (chain.set_vol(0, n[6]), chain.set_vol(1, n[7]));
            let _ = dealer_gammas(&chain, &n[8..10]);
            // Two boundaries cost milliseconds at each of some hundred spots.
            if n[1] >= 0.0 && n[2] >= 0.0 {
                let _ = gamma_flip(&mut chain, &n[8..10], n[10]);
            }
        }
    }
}
