//! Laws of the Heston and Bates engines.

use onetape_pricing::Right;
use onetape_pricing::heston::calibrate::{BatesBounds, Bounds, VolQuote, calibrate, calibrate_bates};
use onetape_pricing::heston::cos::{self, CosSettings};
use onetape_pricing::heston::strip::{Accuracy, StrikeRange, Strip};
use onetape_pricing::heston::{Bates, Heston, Market};
use proptest::prelude::*;

const LEWIS: Heston = Heston { v0: 0.04, kappa: 4.0, theta: 0.25, sigma: 1.0, rho: -0.5 };
const MARKET: Market = Market { spot: 100.0, rate: 0.01, dividend_yield: 0.02 };

#[test]
fn published_reference_prices() {
    // A. Lewis, Wilmott forum thread 90957: (strike, put, call) for T = 1.
    let rows = [
        (80.0, 7.958_878_113_256_768, 26.774_758_743_998_854),
        (90.0, 12.017_966_707_346_305, 20.933_349_000_596_71),
        (100.0, 17.055_270_961_270_11, 16.070_154_917_028_834),
        (110.0, 23.017_825_898_442_8, 12.132_211_516_709_845),
        (120.0, 29.811_026_202_682_472, 9.024_913_483_457_836),
    ];
    for (strike, put, call) in rows {
        assert!((LEWIS.price(&MARKET, strike, 1.0, Right::Put).unwrap() - put).abs() < 1e-12);
        assert!((LEWIS.price(&MARKET, strike, 1.0, Right::Call).unwrap() - call).abs() < 1e-12);
    }
    // QuantLib testCosHestonEngine, strikes far in the wings.
    let model = Heston { v0: 0.1, kappa: 4.0, theta: 0.22, sigma: 1.8, rho: -0.75 };
    let market = Market { spot: 100.0, rate: 0.15, dividend_yield: 0.07 };
    assert!(
        (model.price(&market, 250.0, 1.0, Right::Call).unwrap() - 0.010_367_976_581_391_831).abs() < 1e-12
    );
    assert!((model.price(&market, 10.0, 1.0, Right::Put).unwrap() - 0.010_326_819_063_325_29).abs() < 1e-12);
}

#[test]
fn becomes_black_scholes_without_vol_of_vol() {
    for sigma in [0.0, 1e-12, 1e-6] {
        let model = Heston { v0: 0.04, kappa: 2.0, theta: 0.04, sigma, rho: -0.7 };
        let price = model
            .price(&Market { spot: 100.0, rate: 0.0, dividend_yield: 0.0 }, 110.0, 0.5, Right::Call)
            .unwrap();
        // Black–Scholes at 20 %: 2.0651... from the crate's own closed form.
        let bsm = onetape_pricing::bsm::price(
            &onetape_pricing::bsm::BsmInputs {
                spot: 100.0,
                strike: 110.0,
                years: 0.5,
                rate: 0.0,
                dividend_yield: 0.0,
                vol: 0.2,
            },
            Right::Call,
        );
        assert!((price - bsm).abs() < 1e-12 + 2.0 * sigma, "sigma {sigma}: {price} {bsm}");
    }
}

#[test]
fn expired_options_are_worth_their_intrinsic_value() {
    assert!((LEWIS.price(&MARKET, 90.0, 0.0, Right::Call).unwrap() - 10.0).abs() < 1e-13);
    assert_eq!(LEWIS.price(&MARKET, 90.0, 0.0, Right::Put).unwrap(), 0.0);
}

#[test]
fn calibration_recovers_its_own_surface() {
    let truth = Heston { v0: 0.035, kappa: 2.2, theta: 0.05, sigma: 0.55, rho: -0.68 };
    let quotes = surface_of(&truth);
    let fit = calibrate(&quotes, None, &Bounds::default()).unwrap();
    let (f, t) = (fit.model, truth);
    println!("{fit:?}");
    for (found, expected) in
        [(f.v0, t.v0), (f.kappa, t.kappa), (f.theta, t.theta), (f.sigma, t.sigma), (f.rho, t.rho)]
    {
        assert!((found / expected - 1.0).abs() < 1e-4, "{fit:?}");
    }
    assert!(fit.rmse_vol < 1e-7 && fit.has_converged && fit.at_bound == [false; 5]);
}

/// Prices come back, from quotes with noise of a tenth of a point as well, and better than from Heston;
/// parameters do where nothing disturbs them.
#[test]
fn bates_calibration_recovers_prices() {
    let truth = Bates {
        heston: Heston { v0: 0.02, kappa: 1.8, theta: 0.035, sigma: 0.4, rho: -0.6 },
        intensity: 0.7,
        jump_mean: -0.12,
        jump_vol: 0.09,
    };
    let exact = surface_by(|years, range| Strip::bates(&truth, years, range, Accuracy::default()));
    let fit = calibrate_bates(&exact, None, &BatesBounds::default()).unwrap();
    println!("{fit:?}");
    assert!(fit.rmse_vol < 1e-5, "{fit:?}");

    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        0.003_464 * ((state >> 11) as f64 / 9_007_199_254_740_992.0 - 0.5)
    };
    let noisy: Vec<VolQuote> = exact.iter().map(|q| VolQuote { vol: q.vol + noise(), ..*q }).collect();
    let fit = calibrate_bates(&noisy, None, &BatesBounds::default()).unwrap();
    let heston = calibrate(&noisy, None, &Bounds::default()).unwrap();
    println!("{fit:?} Heston {}", heston.rmse_vol);
    assert!(fit.rmse_vol < 1.02e-3 && fit.rmse_vol < heston.rmse_vol, "{fit:?} {}", heston.rmse_vol);
    // Between the noisy quotes the fit is the true model.
    for years in [0.12, 0.6, 1.8f64] {
        for step in -10..=10 {
            let strike = 100.0 * (0.045 * f64::from(step) * years.sqrt()).exp();
            let (a, b) = (
                fit.model.price(&MARKET, strike, years, Right::Call).unwrap(),
                truth.price(&MARKET, strike, years, Right::Call).unwrap(),
            );
            let vega = 40.0 * years.sqrt();
            assert!((a - b).abs() < 1e-3 * vega, "{years} {strike}: {a} {b}");
        }
    }
    let few = calibrate_bates(&noisy[..7], None, &BatesBounds::default());
    assert!(few.unwrap_err().to_string().contains("quotes for the calibration"));
}

/// Eight expiries of thirteen strikes.
fn surface_of(model: &Heston) -> Vec<VolQuote> {
    surface_by(|years, range| Strip::heston(model, years, range, Accuracy::default()))
}

fn surface_by(
    strip: impl Fn(f64, StrikeRange) -> Result<Strip, onetape_pricing::ModelError>,
) -> Vec<VolQuote> {
    let mut quotes = Vec::new();
    for years in [0.08, 0.16, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0f64] {
        let range = StrikeRange { low: -0.6, high: 0.6 };
        let strip = strip(years, range).expect("a valid strip");
        for i in -6..=6 {
            let k = f64::from(i) * 0.08 * years.sqrt();
            let mut price = [0.0];
            strip.out_of_the_money(&[k], &mut price).expect("a valid strip");
            let right = if k >= 0.0 { Right::Call } else { Right::Put };
            let vol = onetape_pricing::bsm::implied_vol(
                &onetape_pricing::bsm::IvInputs {
                    price: price[0],
                    spot: 1.0,
                    strike: k.exp(),
                    years,
                    rate: 0.0,
                    dividend_yield: 0.0,
                },
                right,
            )
            .expect("a valid strip");
            quotes.push(VolQuote { k, years, vol, weight: 1.0 });
        }
    }
    quotes
}

fn model() -> impl Strategy<Value = Heston> {
    (0.005..0.3f64, 0.3..6.0f64, 0.005..0.3f64, 0.05..1.2f64, -0.95..0.5f64)
        .prop_map(|(v0, kappa, theta, sigma, rho)| Heston { v0, kappa, theta, sigma, rho })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cosine_series_agrees(model in model(), x in -0.5..0.5f64, t in 0.1..2.0f64) {
        // 4000 terms on a range of 32 reach frequency 390: the decay must be over by then.
        let decay = (model.v0 + model.kappa * model.theta * t) / model.sigma * (1.0 - model.rho * model.rho).sqrt();
        prop_assume!(390.0 * decay > 25.0);
        // With much volatility of variance a tail reaches beyond the series' range: for v0 = 0.145,
        // kappa = 0.3, theta = 0.005, sigma = 1.06, rho = 0.35, T = 1.74 the strip is exact
        // (0.13007651844641 in 30 digits) and the series 2e-8 off.
        prop_assume!(model.sigma * t < 1.0);
        let strip = Strip::heston(&model, t, StrikeRange { low: x, high: x }, Accuracy::default()).unwrap();
        let mut price = [0.0];
        strip.out_of_the_money(&[x], &mut price).unwrap();
        let other = cos::out_of_the_money(&model, x, t, CosSettings { half_width: 16.0, terms: 4000 }).unwrap();
        prop_assert!((price[0] - other).abs() < 1e-9, "{} {}", price[0], other);
    }

    #[test]
    fn parity_bounds_and_greeks(model in model(), strike in 60.0..160.0f64, t in 0.05..3.0f64) {
        let range = StrikeRange { low: -0.8, high: 0.8 };
        let at = |m: &Heston, market: &Market, t: f64, right: Right| {
            Strip::heston(m, t, range, Accuracy::default()).unwrap().price(market, strike, right).unwrap()
        };
        let strip = Strip::with_greeks(&model, t, range, Accuracy::default()).unwrap();
        for right in [Right::Call, Right::Put] {
            let g = strip.greeks(&MARKET, strike, right).unwrap();
            prop_assert!((g.price - at(&model, &MARKET, t, right)).abs() < 1e-12);
            let moved = |spot: f64| Market { spot, ..MARKET };
            let (up, down) = (at(&model, &moved(100.01), t, right), at(&model, &moved(99.99), t, right));
            prop_assert!(((up - down) / 0.02 - g.delta).abs() < 1e-6, "delta");
            prop_assert!(((up + down - 2.0 * g.price) / 1e-4 - g.gamma).abs() < 1e-5, "gamma");
            let h = 1e-5;
            let theta = (at(&model, &MARKET, t - h, right) - at(&model, &MARKET, t + h, right)) / (2.0 * h);
            prop_assert!((theta - g.theta).abs() < 1e-5, "theta {} {}", theta, g.theta);
            let rated = |rate: f64| Market { rate, ..MARKET };
            let rho = (at(&model, &rated(0.01 + h), t, right) - at(&model, &rated(0.01 - h), t, right)) / (2.0 * h);
            prop_assert!((rho - g.rho).abs() < 1e-5, "rho");
            let bumped = |i: usize, h: f64| {
                let mut m = model;
                match i { 0 => m.v0 += h, 1 => m.kappa += h, 2 => m.theta += h, 3 => m.sigma += h, _ => m.rho += h }
                at(&m, &MARKET, t, right)
            };
            for i in 0..5 {
                let h = 1e-5;
                let slope = (bumped(i, h) - bumped(i, -h)) / (2.0 * h);
                prop_assert!((slope - g.by_parameter[i]).abs() < 2e-5 * (1.0 + slope.abs()), "parameter {}: {} {}", i, slope, g.by_parameter[i]);
            }
        }
    }

    #[test]
    fn bates_without_jumps_is_heston(heston in model(), strike in 60.0..160.0f64, t in 0.05..3.0f64) {
        let bates = Bates { heston, intensity: 0.0, jump_mean: -0.1, jump_vol: 0.1 };
        let a = bates.price(&MARKET, strike, t, Right::Call).unwrap();
        let b = heston.price(&MARKET, strike, t, Right::Call).unwrap();
        prop_assert!((a - b).abs() < 1e-11);
        let jumpy = Bates { intensity: 0.8, ..bates };
        prop_assert!(jumpy.price(&MARKET, strike, t, Right::Put).unwrap() > heston.price(&MARKET, strike, t, Right::Put).unwrap() - 1e-10);
    }

    #[test]
    fn any_number_is_survived(p in prop::array::uniform10(prop::num::f64::ANY)) {
        let model = Heston { v0: p[0], kappa: p[1], theta: p[2], sigma: p[3], rho: p[4] };
        let market = Market { spot: p[5], rate: p[6], dividend_yield: p[7] };
        let accuracy = Accuracy { nodes_max: 256, ..Accuracy::default() };
        let _ = model.price(&market, p[8], p[9], Right::Call);
        let _ = Strip::heston(&LEWIS, p[9], StrikeRange { low: p[7], high: p[8] }, accuracy);
        let _ = Strip::heston(&model, 1.0, StrikeRange { low: -1.0, high: 1.0 }, accuracy);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Days to decades, calm to wild, near-perfect correlation: the answer exists, obeys
    /// the bounds, and does not depend on the window.
    #[test]
    fn corners_of_the_domain(
        v0 in -4.0..0.0f64, kappa in 0.01..20.0f64, theta in -4.0..0.0f64, sigma in 0.01..4.0f64, rho in -0.99..0.99f64,
        years in -2.5..1.5f64, moneyness in -4.0..4.0f64,
    ) {
        let (v0, theta, t) = (libm::exp10(v0), libm::exp10(theta), libm::exp10(years));
        let model = Heston { v0, kappa, theta, sigma, rho };
        let x = (moneyness * model.expected_total_variance(t).sqrt()).clamp(-3.0, 3.0);
        let value = |range: StrikeRange, tolerance: f64| {
            let strip = Strip::heston(&model, t, range, Accuracy { tolerance, ..Accuracy::default() })?;
            let mut price = [0.0];
            strip.out_of_the_money(&[x], &mut price)?;
            Ok::<(f64, usize), onetape_pricing::ModelError>((price[0], strip.node_count()))
        };
        let alone = value(StrikeRange { low: x, high: x }, 1e-14);
        let wide = value(StrikeRange { low: -3.0, high: 3.0 }, 1e-12);
        // No shared nodes at all: the tilted contour.
        let strip = Strip::heston(&model, t, StrikeRange { low: x, high: x }, Accuracy { nodes_max: 1, ..Accuracy::default() });
        if let Ok(strip) = strip {
            let mut price = [0.0];
            strip.out_of_the_money(&[x], &mut price).unwrap();
            if let Ok((a, nodes)) = alone {
                prop_assert!((price[0] - a).abs() < 2e-11, "contour {:e} strip {:e} ({} nodes) {:?} {} {}", price[0], a, nodes, model, t, x);
            }
        }
        let (Ok((a, nodes)), Ok((b, _))) = (&alone, &wide) else {
            return Err(TestCaseError::fail(format!("{model:?} {t} {x}: {alone:?} {wide:?}")));
        };
        prop_assert!((a - b).abs() < 2e-11, "{} {} {}", a, b, nodes);
        prop_assert!(*a >= 0.0 && *a <= libm::exp(x).min(1.0));
    }
}

#[test]
fn greeks_on_the_tilted_contour_are_those_of_the_strip() {
    // A strip of many nodes gives the Greeks exactly; the same model with few nodes goes to the contour.
    let model = Heston { v0: 0.02, kappa: 1.0, theta: 0.03, sigma: 1.0, rho: -0.5 };
    let market = Market { spot: 100.0, rate: 0.03, dividend_yield: 0.01 };
    let range = StrikeRange { low: -0.5, high: 0.5 };
    let wide = Accuracy { tolerance: 1e-13, nodes_max: 200_000 };
    let narrow = Accuracy { tolerance: 1e-13, nodes_max: 16 };
    let strip = Strip::with_greeks(&model, 0.5, range, wide).unwrap();
    let contour = Strip::with_greeks(&model, 0.5, range, narrow).unwrap();
    assert!(strip.node_count() > 0 && contour.node_count() == 0);
    for strike in [80.0, 97.0, 115.0] {
        for right in [Right::Call, Right::Put] {
            let (a, b) = (
                strip.greeks(&market, strike, right).unwrap(),
                contour.greeks(&market, strike, right).unwrap(),
            );
            assert!((a.price - b.price).abs() < 1e-9, "{a:?} {b:?}");
            assert!((a.delta - b.delta).abs() < 1e-5 && (a.gamma - b.gamma).abs() < 1e-4, "{a:?} {b:?}");
            assert!((a.theta - b.theta).abs() < 1e-4 && (a.rho - b.rho).abs() < 1e-3, "{a:?} {b:?}");
            for (x, y) in a.by_parameter.iter().zip(b.by_parameter) {
                assert!((x - y).abs() < 1e-4 * (1.0 + x.abs()), "{a:?} {b:?}");
            }
        }
    }
}
