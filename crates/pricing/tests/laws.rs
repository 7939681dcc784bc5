//! Laws that prices obey, on random inputs; each test is named by its law.
use onetape_pricing::american::{self, Scheme};
use onetape_pricing::bsm::{self, BsmInputs, IvInputs};
use onetape_pricing::finite_difference::Exercise;
use onetape_pricing::iv::{ForwardQuote, black_vol};
use onetape_pricing::lattice::{self, Lattice};
use onetape_pricing::{Right, bachelier, bermudan, black76};
use proptest::prelude::*;

fn right() -> impl Strategy<Value = Right> {
    prop_oneof![Just(Right::Call), Just(Right::Put)]
}

prop_compose! {
    fn inputs()(
        spot in 20.0..200.0f64, moneyness in -1.0..1.0f64, years in 0.003..3.0f64, rate in -0.03..0.1f64,
        dividend_yield in -0.02..0.08f64, vol in 0.05..0.9f64,
    ) -> BsmInputs {
        let strike = spot * libm::exp(3.0 * moneyness * vol * years.sqrt());
        BsmInputs { spot, strike, years, rate, dividend_yield, vol }
    }
}

prop_compose! {
    fn anything()(
        spot in prop::num::f64::ANY, strike in prop::num::f64::ANY, years in prop::num::f64::ANY,
        rate in prop::num::f64::ANY, dividend_yield in prop::num::f64::ANY, vol in prop::num::f64::ANY,
    ) -> BsmInputs {
        BsmInputs { spot, strike, years, rate, dividend_yield, vol }
    }
}

fn legs(i: &BsmInputs) -> (f64, f64) {
    (i.spot * libm::exp(-i.dividend_yield * i.years), i.strike * libm::exp(-i.rate * i.years))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn put_call_parity(i in inputs()) {
        let (a, b) = legs(&i);
        let gap = bsm::price(&i, Right::Call) - bsm::price(&i, Right::Put) - (a - b);
        prop_assert!(gap.abs() <= 8.0 * f64::EPSILON * (a + b));
    }

    #[test]
    fn prices_lie_within_no_arbitrage_bounds(i in inputs(), right in right()) {
        let (a, b) = legs(&i);
        let value = bsm::price(&i, right);
        let slack = 8.0 * f64::EPSILON * (a + b);
        let most = if right == Right::Call { a } else { b };
        prop_assert!(value >= right.intrinsic(a, b) - slack && value <= most + slack);
    }

    #[test]
    fn prices_are_monotone_and_convex_in_strike(i in inputs(), right in right()) {
        let h = 0.01 * i.strike;
        let at = |strike: f64| bsm::price(&BsmInputs { strike, ..i }, right);
        let (down, middle, up) = (at(i.strike - h), at(i.strike), at(i.strike + h));
        let slack = 1e-12 * (i.spot + i.strike);
        prop_assert!(right.sign() * (down - up) >= -slack);
        prop_assert!(down - 2.0 * middle + up >= -slack);
    }

    #[test]
    fn value_is_homogeneous_in_spot_and_strike(i in inputs(), right in right(), scale in 0.01..100.0f64) {
        let scaled = BsmInputs { spot: scale * i.spot, strike: scale * i.strike, ..i };
        let gap = bsm::price(&scaled, right) - scale * bsm::price(&i, right);
        let v = i.vol * i.years.sqrt();
        prop_assert!(gap.abs() <= 1e-14 * scale * (i.spot + i.strike) / v);
    }

    #[test]
    fn calls_are_puts_with_the_legs_exchanged(i in inputs()) {
        let mirrored = BsmInputs {
            spot: i.strike, strike: i.spot, rate: i.dividend_yield, dividend_yield: i.rate, ..i
        };
        let gap = bsm::price(&i, Right::Call) - bsm::price(&mirrored, Right::Put);
        prop_assert!(gap.abs() <= 1e-13 * (i.spot + i.strike));
    }

    #[test]
    fn greeks_are_the_derivatives(i in inputs(), right in right()) {
        let g = bsm::greeks(&i, right);
        let slope = |up: BsmInputs, down: BsmInputs, h: f64| {
            (bsm::price(&up, right) - bsm::price(&down, right)) / (2.0 * h)
        };
        let scale = i.spot + i.strike;
        let h = 1e-4 * i.spot * i.vol * i.years.sqrt();
        let delta = slope(BsmInputs { spot: i.spot + h, ..i }, BsmInputs { spot: i.spot - h, ..i }, h);
        prop_assert!((g.delta - delta).abs() <= 1e-6);
        let h = 1e-4 * i.vol;
        let vega = slope(BsmInputs { vol: i.vol + h, ..i }, BsmInputs { vol: i.vol - h, ..i }, h);
        prop_assert!((g.vega - vega).abs() <= 1e-6 * scale);
        let h = 1e-4 * i.years;
        let decay = slope(BsmInputs { years: i.years + h, ..i }, BsmInputs { years: i.years - h, ..i }, h);
        prop_assert!((g.theta + decay).abs() <= 1e-6 * scale / i.years);
        let h = 1e-5;
        let rho = slope(BsmInputs { rate: i.rate + h, ..i }, BsmInputs { rate: i.rate - h, ..i }, h);
        prop_assert!((g.rho - rho).abs() <= 1e-5 * scale);
    }

    #[test]
    fn the_black_scholes_equation_holds(i in inputs(), right in right()) {
        let g = bsm::greeks(&i, right);
        let residual = g.theta + (i.rate - i.dividend_yield) * i.spot * g.delta
            + 0.5 * i.vol * i.vol * i.spot * i.spot * g.gamma - i.rate * g.price;
        prop_assert!(residual.abs() <= 1e-12 * (i.spot + i.strike) / i.years);
    }

    #[test]
    fn black76_is_black_scholes_on_the_forward(i in inputs(), right in right()) {
        let forward = i.spot * libm::exp((i.rate - i.dividend_yield) * i.years);
        let b = black76::BlackInputs { forward, strike: i.strike, years: i.years, rate: i.rate, vol: i.vol };
        let gap = black76::price(&b, right) - bsm::price(&i, right);
        prop_assert!(gap.abs() <= 1e-13 * (i.spot + i.strike) / (i.vol * i.years.sqrt()).min(1.0));
    }

    #[test]
    fn implied_vol_of_the_out_of_the_money_price_is_the_vol(i in inputs()) {
        let (a, b) = legs(&i);
        let right = if a < b { Right::Call } else { Right::Put };
        let price = bsm::price(&i, right);
        let found = bsm::implied_vol(&IvInputs::from_price(price, &i), right).expect("a price of this model");
        // The price formula itself carries κ units of rounding.
        let vega = bsm::greeks(&i, right).vega;
        let d = libm::log(a / b).abs() / (i.vol * i.years.sqrt());
        let kappa = 1.0 + d * (1.0 + d) + (1.0 + d) / (i.vol * i.years.sqrt());
        let conditioning = kappa * (a + b) / (i.vol * vega);
        prop_assert!((found / i.vol - 1.0).abs() <= 16.0 * f64::EPSILON * conditioning.max(1.0));
    }

    #[test]
    fn minutes_to_expiry_keep_their_digits(k in -3.0..3.0f64, vol in 0.05..1.0f64, minutes in 1.0..600.0f64) {
        let years = minutes / 525_600.0;
        let strike = 100.0 * (1.0 + k * vol * years.sqrt());
        // Near the money, and for so little time, Black's price is close to Bachelier's; what is tested
        // is that the price that comes back is the one that went in.
        let quote = ForwardQuote { price: 40.0 * vol * years.sqrt() * libm::exp(-k * k), forward: 100.0, strike, years };
        let right = if k > 0.0 { Right::Call } else { Right::Put };
        let found = black_vol(&quote, right).expect("an admissible price");
        let again = bsm::price(
            &BsmInputs { spot: 100.0, strike, years, rate: 0.0, dividend_yield: 0.0, vol: found }, right,
        );
        prop_assert!((again - quote.price).abs() <= 1e-13 * 100.0);
    }

    #[test]
    fn nothing_panics_in_european_functions(i in anything(), right in right()) {
        let g = bsm::greeks(&i, right);
        prop_assert!(g.price.is_nan() || g.price >= 0.0);
        let _ = bsm::implied_vol(&IvInputs::from_price(i.vol, &i), right);
        if let Ok(vol) = black_vol(&ForwardQuote { price: i.vol, forward: i.spot, strike: i.strike, years: i.years }, right) {
            prop_assert!(vol >= 0.0, "{vol}");
        }
        let b = black76::BlackInputs { forward: i.spot, strike: i.strike, years: i.years, rate: i.rate, vol: i.vol };
        let _ = black76::greeks(&b, right);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_american_is_worth_at_least_its_european_and_its_exercise(i in inputs(), right in right()) {
        prop_assume!(i.rate >= 0.0 && i.dividend_yield >= 0.0);
        let value = american::price(&i, right, Scheme::Fast);
        let least = bsm::price(&i, right).max(right.intrinsic(i.spot, i.strike));
        prop_assert!(value >= least - 1e-12 * least, "{value} {least}");
    }

    #[test]
    fn schemes_agree(i in inputs(), right in right()) {
        prop_assume!(i.rate >= 0.0 && i.dividend_yield >= 0.0);
        let (fast, accurate) =
            (american::price(&i, right, Scheme::Fast), american::price(&i, right, Scheme::Accurate));
        prop_assert!((fast - accurate).abs() <= 3e-5 * i.strike, "{fast} {accurate}");
    }

    #[test]
    fn american_calls_are_puts_with_the_legs_exchanged(i in inputs()) {
        prop_assume!(i.rate >= 0.0 && i.dividend_yield >= 0.0);
        let mirrored = BsmInputs {
            spot: i.strike, strike: i.spot, rate: i.dividend_yield, dividend_yield: i.rate, ..i
        };
        let gap = american::price(&i, Right::Call, Scheme::Fast) - american::price(&mirrored, Right::Put, Scheme::Fast);
        prop_assert!(gap.abs() <= 1e-11 * (i.spot + i.strike));
    }

    #[test]
    fn american_prices_are_monotone_and_convex_in_strike(i in inputs(), right in right()) {
        prop_assume!(i.rate >= 0.0 && i.dividend_yield >= 0.0);
        let h = 0.02 * i.strike;
        let mut pricer = american::Pricer::new(Scheme::Accurate);
        let mut at = |strike: f64| pricer.price(&BsmInputs { strike, ..i }, right);
        let (down, middle, up) = (at(i.strike - h), at(i.strike), at(i.strike + h));
        let slack = 1e-7 * (i.spot + i.strike);
        prop_assert!(right.sign() * (down - up) >= -slack);
        prop_assert!(down - 2.0 * middle + up >= -slack, "{down} {middle} {up}");
        // No vertical spread is worth more than its width.
        prop_assert!((down - up).abs() <= 2.0 * h + slack);
    }

    #[test]
    fn american_prices_rise_with_time_and_volatility(i in inputs(), right in right()) {
        prop_assume!(i.rate >= 0.0 && i.dividend_yield >= 0.0);
        let mut pricer = american::Pricer::new(Scheme::Accurate);
        let here = pricer.price(&i, right);
        let slack = 1e-7 * (i.spot + i.strike);
        let longer = pricer.price(&BsmInputs { years: 1.1 * i.years, ..i }, right);
        let wilder = pricer.price(&BsmInputs { vol: 1.1 * i.vol, ..i }, right);
        prop_assert!(longer >= here - slack && wilder >= here - slack);
    }

    #[test]
    fn american_values_are_homogeneous_in_spot_and_strike(i in inputs(), right in right(), scale in 0.01..100.0f64) {
        prop_assume!(i.rate >= 0.0 && i.dividend_yield >= 0.0);
        let scaled = BsmInputs { spot: scale * i.spot, strike: scale * i.strike, ..i };
        let gap = american::price(&scaled, right, Scheme::Fast) - scale * american::price(&i, right, Scheme::Fast);
        prop_assert!(gap.abs() <= 1e-9 * scale * (i.spot + i.strike), "{gap}");
    }

    #[test]
    fn normal_model_obeys_parity_bounds_and_convexity(
        forward in -50.0..150.0f64, moneyness in -4.0..4.0f64, vol in 0.1..60.0f64, years in 1e-4..3.0f64, rate in -0.05..0.1f64,
    ) {
        let v = vol * years.sqrt();
        let strike = forward + moneyness * v;
        let at = |strike: f64, right| {
            bachelier::price(&bachelier::BachelierInputs { forward, strike, years, rate, vol }, right)
        };
        let discount = libm::exp(-rate * years);
        let slack = 1e-13 * (forward.abs() + strike.abs() + v);
        let gap = at(strike, Right::Call) - at(strike, Right::Put) - discount * (forward - strike);
        prop_assert!(gap.abs() <= slack);
        prop_assert!(at(strike, Right::Call) >= discount * (forward - strike).max(0.0) - slack);
        let (down, up) = (at(strike - 0.1 * v, Right::Call), at(strike + 0.1 * v, Right::Call));
        prop_assert!(down >= up - slack && down - 2.0 * at(strike, Right::Call) + up >= -slack);
    }

    #[test]
    fn a_bermudan_lies_between_european_and_american(i in inputs(), dates in 2..20usize) {
        prop_assume!(i.rate >= 0.001 && i.dividend_yield >= 0.0);
        let value = bermudan::price(&i, Right::Put, dates);
        let slack = 1e-6 * i.strike;
        prop_assert!(value >= bsm::price(&i, Right::Put) - slack);
        prop_assert!(value <= american::price(&i, Right::Put, Scheme::Accurate) + slack);
    }

    #[test]
    fn nothing_panics_in_american_functions(i in anything(), right in right()) {
        prop_assume!(!(i.rate < 0.0 && i.dividend_yield < 0.0));
        let value = american::price(&i, right, Scheme::Fast);
        prop_assert!(value.is_nan() || value >= 0.0, "{value}");
        let _ = lattice::price(&i, right, Exercise::American, Lattice::LeisenReimer, 11);
        let _ = american::approximations::barone_adesi_whaley(&i, right);
        let _ = american::approximations::bjerksund_stensland(&i, right);
    }
}

#[test]
fn american_implied_vol_inverts_the_price() {
    let i = BsmInputs { spot: 100.0, strike: 110.0, years: 0.7, rate: 0.05, dividend_yield: 0.02, vol: 0.31 };
    for right in [Right::Call, Right::Put] {
        let price = american::price(&i, right, Scheme::Accurate);
        let found = american::implied_vol(&IvInputs::from_price(price, &i), right, Scheme::Accurate);
        assert!((found.expect("a price of this model") - 0.31).abs() < 1e-9);
        let low = IvInputs::from_price(right.intrinsic(100.0, 110.0), &i);
        assert!(american::implied_vol(&low, right, Scheme::Accurate).is_err());
    }
}
