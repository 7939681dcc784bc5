//! American options that are exercised only between two prices: puts with q < r < 0, calls with r < q < 0.
use onetape_pricing::Right;
use onetape_pricing::Right::{Call, Put};
use onetape_pricing::american::{self, Scheme};
use onetape_pricing::bermudan;
use onetape_pricing::bsm::{self, BsmInputs};
use proptest::prelude::*;

const SCHEMES: [Scheme; 3] = [Scheme::Fast, Scheme::Accurate, Scheme::High];

fn inputs(strike: f64, days: f64, rate: f64, dividend_yield: f64, vol: f64) -> BsmInputs {
    BsmInputs { spot: 100.0, strike, years: days / 365.0, rate, dividend_yield, vol }
}

/// Finite differences of QuantLib 1.44 on 500, 1000, 2000 and 4000 steps, whose error halves from grid to grid,
/// extrapolated twice: good to about 1e-6.
#[test]
fn agrees_with_extrapolated_finite_differences() {
    let cases = [
        (Put, inputs(108.06, 990.0, -0.0092, -0.029, 0.0819), 8.638_908_2),
        (Call, inputs(88.01, 445.0, -0.0118, -0.006, 0.1989), 15.289_360_8),
        (Put, inputs(101.02, 814.0, -0.0148, -0.0384, 0.1286), 6.496_843_5),
    ];
    for (right, inputs, reference) in cases {
        for scheme in SCHEMES {
            let price = american::price(&inputs, right, scheme);
            assert!((price - reference).abs() < 3e-6, "{inputs:?} {scheme:?}: {price}");
        }
    }
}

/// The golden rows' options, where the boundaries meet before expiry and where they do not.
#[test]
fn schemes_agree() {
    let cases = [
        (Put, inputs(100.18, 599.0, -0.0177, -0.0347, 0.2771)),
        (Call, inputs(102.72, 969.0, -0.0252, -0.018, 0.221)),
        (Put, inputs(123.17, 482.0, -0.0072, -0.0205, 0.3356)),
        (Call, inputs(100.59, 840.0, -0.0476, -0.0179, 0.1169)),
        (Put, inputs(99.06, 30.0, -0.0178, -0.0459, 0.2202)),
    ];
    for (right, inputs) in cases {
        let [fast, accurate, high] = SCHEMES.map(|scheme| american::price(&inputs, right, scheme));
        assert!((fast - high).abs() < 1e-6 && (accurate - high).abs() < 1e-9, "{fast} {accurate} {high}");
    }
}

/// Exercised between the boundaries, held outside them, and held everywhere after they have met.
#[test]
fn exercise_lies_between_the_boundaries() {
    let at = |spot: f64, years: f64| {
        let inputs = BsmInputs { spot, strike: 100.0, years, rate: -0.01, dividend_yield: -0.03, vol: 0.15 };
        american::price(&inputs, Put, Scheme::Accurate) - (100.0 - spot)
    };
    for years in [0.5, 1.0] {
        assert_eq!(at(60.0, years), 0.0);
        assert!(at(34.0, years) > 1e-3 && at(95.0, years) > 1e-3);
    }
    for spot in [40.0, 50.0, 55.0, 60.0, 65.0, 70.0, 80.0] {
        assert!(at(spot, 30.0) > 1e-3, "{spot}");
    }
}

/// Negative rates smaller than the yield shrink the exercise region to nothing: European from there on.
#[test]
fn nearly_equal_rates_are_nearly_european() {
    let base = inputs(100.0, 365.0, -0.02, -0.02 - 1e-9, 0.2);
    let european = bsm::price(&base, Put);
    for scheme in SCHEMES {
        assert!((american::price(&base, Put, scheme) - european).abs() < 1e-9);
    }
}

/// An independent method: the premium over the European price on a grid of 2²⁰ log prices, carried back by
/// Fourier transforms (numpy), good to 1e-9.
#[test]
fn bermudan_with_two_boundaries() {
    let cases = [
        (Put, inputs(108.06, 2.7 * 365.0, -0.0092, -0.029, 0.0819), 12, 8.555_641_589_48),
        (Call, inputs(88.01, 1.2 * 365.0, -0.0118, -0.006, 0.1989), 4, 15.220_932_196_17),
        (Put, inputs(100.18, 1.64 * 365.0, -0.0177, -0.0347, 0.2771), 52, 13.443_464_206_52),
        (Put, inputs(130.0, 5.0 * 365.0, -0.03, -0.05, 0.15), 3, 32.287_753_765_15),
    ];
    for (right, inputs, dates, reference) in cases {
        let price = bermudan::price(&inputs, right, dates);
        assert!((price - reference).abs() < 2e-9, "{inputs:?} {dates}: {price}");
        // More dates are worth more, and all of them less than exercise at any time.
        let more = bermudan::price(&inputs, right, 2 * dates);
        let american = american::price(&inputs, right, Scheme::High);
        assert!(price <= more + 1e-10 && more <= american + 1e-8, "{price} {more} {american}");
    }
    let never = inputs(100.0, 730.0, -0.02, -0.02 - 1e-12, 0.2);
    assert!((bermudan::price(&never, Put, 50) - bsm::price(&never, Put)).abs() < 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn laws(
        moneyness in -0.5..0.5f64, years in 0.02..8.0f64, vol in 0.05..0.6f64, rate in 0.001..0.05f64,
        more in 1e-4..0.05f64,
    ) {
        let put = BsmInputs {
            spot: 100.0, strike: 100.0 * moneyness.exp(), years, rate: -rate, dividend_yield: -rate - more, vol,
        };
        let price = american::price(&put, Put, Scheme::Accurate);
        prop_assert!(price >= bsm::price(&put, Put) && price >= put.strike - put.spot);
        let call = BsmInputs {
            spot: put.strike, strike: put.spot, rate: put.dividend_yield, dividend_yield: put.rate, ..put
        };
        let mirrored = american::price(&call, Call, Scheme::Accurate);
        prop_assert!((price - mirrored).abs() <= 1e-9 * price, "{price} {mirrored}");
        let later = american::price(&BsmInputs { years: 1.1 * years, ..put }, Put, Scheme::Accurate);
        prop_assert!(later >= price - 1e-7, "{later} {price}");
        check_greeks(&put, Put)?;
        check_greeks(&call, Call)?;
    }
}

fn check_greeks(i: &BsmInputs, right: Right) -> Result<(), TestCaseError> {
    let price = |spot: f64| american::price(&BsmInputs { spot, ..*i }, right, Scheme::Accurate);
    let g = american::greeks(i, right, Scheme::Accurate);
    // A step across a boundary sees its kink in gamma.
    let h = 0.003 * i.spot * (i.vol * i.years.sqrt()).min(0.3);
    let delta = (price(i.spot + h) - price(i.spot - h)) / (2.0 * h);
    prop_assert!((g.delta - delta).abs() < 2e-3, "{} {delta}", g.delta);
    prop_assert!(g.gamma >= 0.0 && g.vega >= -1e-6 && g.vega.is_finite() && g.rho.is_finite());
    Ok(())
}
