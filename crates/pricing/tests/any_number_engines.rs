//! Every pricing engine survives every number: a typed error or a value, never a panic, never a hang.
use onetape_pricing::american::approximations::Approximation;
use onetape_pricing::american::{self, Pricer, Scheme};
use onetape_pricing::bsm::{self, BsmInputs, IvInputs};
use onetape_pricing::chain::exposure::{DollarGreeks, by_group};
use onetape_pricing::chain::liquidity::{
    ActivityInputs, ActivityThresholds, LiquidityInputs, liquidity_score, unusual_activity,
};
use onetape_pricing::checks::calendar_violations;
use onetape_pricing::exotic::barrier::BarrierOption;
use onetape_pricing::explain::{Move, taylor};
use onetape_pricing::finite_difference::{self, Dividend, DividendModel, Exercise};
use onetape_pricing::forward::{
    ParityPair, ParitySettings, discount_from_box, implied_forward, without_exercise_premium,
};
use onetape_pricing::iv::batch::{ForwardQuotes, black_vols, normal_vols};
use onetape_pricing::lattice::{self, Lattice};
use onetape_pricing::math::{kernel, normal};
use onetape_pricing::mc::payoff::Knock;
use onetape_pricing::{Right, bachelier, bermudan, black76};
use proptest::prelude::*;

/// Any bit pattern, ordinary numbers, and the values that break code most often.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => prop::num::f64::ANY,
        6 => 0.01..2.0f64,
        1 => -1.0..0.0f64,
        2 => prop::sample::select(vec![
            0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, 1e-9, 1e9, -1e-300,
        ]),
    ]
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(number(), 12)
}

fn inputs(n: &[f64]) -> BsmInputs {
    BsmInputs { spot: n[0], strike: n[1], years: n[2], rate: n[3], dividend_yield: n[4], vol: n[5] }
}

fn right(n: &[f64]) -> Right {
    if n[11] > 0.5 { Right::Call } else { Right::Put }
}

#[track_caller]
fn is_price(value: f64) {
    assert!(value.is_nan() || value >= 0.0, "{value}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn functions_of_the_normal(x in number(), y in number()) {
        let _ = (normal::pdf(x), normal::cdf(x), normal::mills(x), normal::inverse_cdf(x));
        let _ = (kernel::exp(x), kernel::ln(x), kernel::ln_1p(x), kernel::ln_ratio(x, y));
        let _ = (Right::Call.intrinsic(x, y), discount_from_box(x, y, x));
    }

    #[test]
    fn columns(n in numbers()) {
        let rights = [Right::Call, Right::Put, Right::Call];
        let [a, b, c, d] = [0, 3, 6, 9].map(|at| &n[at..at + 3]);
        let mut out = vec![[0.0; 3]; 10];
        let [price, delta, gamma, vega, theta, rho, vanna, vomma, dual_delta, dual_gamma] = &mut out[..] else { unreachable!() };
        let options = black76::batch::BlackColumns { forward: a, strike: b, years: c, rate: d, vol: a, right: &rights };
        let mut columns = black76::batch::BlackGreekColumns {
            price, delta, gamma, vega, theta, rho, vanna, vomma, dual_delta, dual_gamma,
        };
        prop_assert!(black76::batch::greeks(&options, &mut columns).is_ok());
        prop_assert!(black76::batch::price(&options, &mut columns.price[..2]).is_err());
        let options = bachelier::batch::BachelierColumns { forward: a, strike: b, years: c, rate: d, vol: a, right: &rights };
        let mut columns = bachelier::batch::BachelierGreekColumns {
            price, delta, gamma, vega, theta, rho, vanna, vomma, dual_delta,
        };
        prop_assert!(bachelier::batch::greeks(&options, &mut columns).is_ok());
        prop_assert!(bachelier::batch::price(&options, columns.price).is_ok());
        let quotes = ForwardQuotes { price: a, forward: b, strike: c, years: d, right: &rights };
        prop_assert!(black_vols(&quotes, columns.vega).is_ok() && normal_vols(&quotes, columns.vega).is_ok());
        let shared = bsm::batch::Expiry {
            spot: n[0], years: n[1], rate: n[2], dividend_yield: n[3], strike: c, vol: d, right: &rights,
        };
        let mut columns = bsm::batch::RiskColumns { price, delta, gamma, vega, theta, rho };
        prop_assert!(bsm::batch::chain_risk(&shared, &mut columns).is_ok());
        for value in columns.price.iter() {
            is_price(*value);
        }
    }

    #[test]
    fn trees_and_approximations(n in numbers()) {
        let (i, right) = (inputs(&n), right(&n));
        let quote = IvInputs::from_price(n[6], &i);
        for tree in [Lattice::CoxRossRubinstein, Lattice::LeisenReimer, Lattice::Trinomial] {
            for steps in [0, 1, 2, 7] {
                let _ = lattice::greeks(&i, right, Exercise::American, tree, steps);
            }
            let _ = lattice::implied_vol(&quote, right, Exercise::European, tree, 5);
        }
        use Approximation::{BaroneAdesiWhaley, BjerksundStensland, BjerksundStensland1993};
        for method in [BaroneAdesiWhaley, BjerksundStensland, BjerksundStensland1993] {
            is_price(method.price(&i, right));
            let _ = (method.greeks(&i, right), method.implied_vol(&quote, right));
        }
    }

    #[test]
    fn one_dividend(n in numbers()) {
        let i = BsmInputs { dividend_yield: if n[4] < 1.0 { 0.0 } else { n[4] }, ..inputs(&n) };
        let dividend = Dividend { years: n[6], amount: n[7] };
        for model in [DividendModel::Spot, DividendModel::Escrowed] {
            is_price(american::one_dividend_call(&i, dividend, model));
            let _ = american::one_dividend_call_greeks(&i, dividend, model);
        }
    }

    #[test]
    fn small_functions(n in numbers()) {
        let pairs = [ParityPair { strike: n[0], call: (n[1], n[2]), put: (n[3], n[4]) }; 6];
        let settings = ParitySettings { discount: Some(n[5]), carry_forward: Some(n[6]), ..ParitySettings::default() };
        let _ = (implied_forward(&pairs, &settings), implied_forward(&pairs, &ParitySettings::default()));
        let _ = without_exercise_premium(&pairs, |strike, _, price| Some(strike - price));
        let _ = calendar_violations(&[(n[0], n[1], n[2])], &[(n[0], n[3], n[4])], n[5]);
        let barrier = BarrierOption {
            right: right(&n), knock: Knock::In, is_up: n[10] > 0.5, spot: n[0], strike: n[1], barrier: n[2],
            rebate: n[3], years: n[4], rate: n[5], dividend_yield: n[6], vol: n[7],
        };
        let _ = (barrier.price(), BarrierOption { knock: Knock::Out, ..barrier }.price());
        let _ = liquidity_score(&LiquidityInputs { bid: n[0], ask: n[1], size: n[2], volume: n[3], open_interest: n[4] });
        let activity = ActivityInputs { volume: n[0], open_interest: n[1], volume_mean: n[2], volume_deviation: n[3] };
        let _ = unusual_activity(&activity, &ActivityThresholds { volume_min: n[4], ..ActivityThresholds::default() });
        let risk = bsm::risk(&inputs(&n), right(&n));
        let dollars = DollarGreeks::new(&risk, n[6], n[7]);
        let _ = by_group(&[(1, dollars), (1, dollars.plus(&dollars))]);
        let step = Move { spot: n[6], vol: n[7], years: n[8], rate: n[9] };
        let mut terms = taylor(&bsm::greeks(&inputs(&n), right(&n)), &step);
        let once = terms;
        terms.add(&once, n[10]);
        let _ = (terms.total(), terms.unexplained(n[0]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn collocation(n in numbers()) {
        let (i, right) = (inputs(&n), right(&n));
        for scheme in [Scheme::Fast, Scheme::Accurate, Scheme::High] {
            let mut pricer = Pricer::new(scheme);
            is_price(pricer.price(&i, right));
            if scheme == Scheme::Fast {
                let _ = pricer.greeks(&i, right);
                let _ = pricer.implied_vol(&IvInputs::from_price(n[6], &i), right);
            }
        }
    }

    #[test]
    fn quadrature_of_few_dates(n in numbers()) {
        let (i, right) = (inputs(&n), right(&n));
        is_price(bermudan::price(&i, right, 3));
        let _ = (bermudan::greeks(&i, right, 2), bermudan::price(&i, right, 0));
        let _ = bermudan::implied_vol(&IvInputs::from_price(n[6], &i), right, 2);
    }

    #[test]
    fn grids(n in numbers()) {
        let (i, right) = (inputs(&n), right(&n));
        let dividends = [Dividend { years: n[6], amount: n[7] }];
        for model in [DividendModel::Spot, DividendModel::Escrowed] {
            is_price(finite_difference::price(&i, right, Exercise::American, &dividends, model));
        }
        let _ = finite_difference::greeks(&i, right, Exercise::European, &dividends, DividendModel::Spot);
    }
}

/// Counts are bounded too: neither an overflow nor a wait.
#[test]
fn numbers_of_steps_and_dates_are_bounded() {
    let i = BsmInputs { spot: 100.0, strike: 100.0, years: 1.0, rate: 0.05, dividend_yield: 0.0, vol: 0.2 };
    for tree in [Lattice::CoxRossRubinstein, Lattice::LeisenReimer, Lattice::Trinomial] {
        for steps in [lattice::STEPS_MAX + 1, usize::MAX / 2, usize::MAX] {
            assert!(lattice::price(&i, Right::Put, Exercise::American, tree, steps).is_nan());
        }
    }
    for vol in [0.2, 1e-7, 1e-300] {
        let i = BsmInputs { vol, ..i };
        for dates in [bermudan::EXERCISES_MAX + 1, usize::MAX] {
            assert!(bermudan::price(&i, Right::Put, dates).is_nan());
        }
    }
    // A drift of a million of a step's deviations.
    assert!(bermudan::price(&BsmInputs { vol: 2e-6, ..i }, Right::Put, bermudan::EXERCISES_MAX).is_nan());
}

/// A deep out-of-the-money tree has tiny probabilities whose digits count: mpmath, 40 digits.
#[test]
fn leisen_reimer_keeps_small_probabilities() {
    let i = BsmInputs {
        spot: 100.0,
        strike: 13.945393183926372,
        years: 3.4344386211818896,
        rate: 0.03036780758524471,
        dividend_yield: 0.028837178911722022,
        vol: 0.15544166804961795,
    };
    let price = lattice::price(&i, Right::Put, Exercise::American, Lattice::LeisenReimer, 2);
    assert!((price / 5.276_627_736_508_167e-12 - 1.0).abs() < 1e-13, "{price:e}");
}

/// A European twin whose volatility is zero, or no number, must not be doubled for ever.
#[test]
fn volatilities_over_ages_end() {
    for years in [1e20, 1e200, 1e300, f64::MAX] {
        for (price, strike) in [(0.5, 1.0), (1e-9, 1.0), (1e-300, 1.0), (1e-300, 1e-300), (5e-324, 1e300)] {
            let inputs = IvInputs { price, spot: 1.0, strike, years, rate: 0.0, dividend_yield: 0.0 };
            let found = Pricer::new(Scheme::Fast).implied_vol(&inputs, Right::Call);
            assert!(found.as_ref().is_ok_and(|vol| *vol > 0.0) || found.is_err(), "{inputs:?} {found:?}");
        }
    }
}
