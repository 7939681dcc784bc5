//! Greeks and implied volatilities of every American engine, against each other and the closed form.
use onetape_pricing::american::approximations::Approximation;
use onetape_pricing::american::{self, AmericanGreeks, Scheme};
use onetape_pricing::bsm::{self, BsmInputs, IvInputs};
use onetape_pricing::finite_difference::{self, Dividend, DividendModel, Exercise};
use onetape_pricing::lattice::{self, Lattice};
use onetape_pricing::{Right, bermudan};

const RIGHTS: [Right; 2] = [Right::Call, Right::Put];

fn inputs() -> BsmInputs {
    BsmInputs { spot: 100.0, strike: 105.0, years: 0.7, rate: 0.05, dividend_yield: 0.03, vol: 0.28 }
}

fn values(g: &AmericanGreeks) -> [f64; 7] {
    [g.price, g.delta, g.gamma, g.vega, g.theta, g.rho, g.phi]
}

/// Price, delta, gamma, vega, theta, rho and phi within `bars`.
#[track_caller]
fn close(got: &AmericanGreeks, want: &AmericanGreeks, bars: [f64; 7]) {
    let names = ["price", "delta", "gamma", "vega", "theta", "rho", "phi"];
    for (i, (g, w)) in values(got).iter().zip(values(want)).enumerate() {
        assert!((g - w).abs() <= bars[i], "{}: {g} for {w}", names[i]);
    }
}

fn closed_form(i: &BsmInputs, right: Right) -> AmericanGreeks {
    let bsm::Greeks { price, delta, gamma, vega, theta, rho, phi, .. } = bsm::greeks(i, right);
    AmericanGreeks { price, delta, gamma, vega, theta, rho, phi }
}

#[test]
fn finite_differences() {
    let bars = [3e-4, 3e-5, 1e-5, 1e-2, 2e-3, 1e-2, 1e-2];
    for right in RIGHTS {
        let none = |exercise| finite_difference::greeks(&inputs(), right, exercise, &[], DividendModel::Spot);
        close(&none(Exercise::European), &closed_form(&inputs(), right), bars);
        close(&none(Exercise::American), &american::greeks(&inputs(), right, Scheme::High), bars);
    }
}

#[test]
fn cash_dividends_by_finite_differences() {
    let i = BsmInputs { dividend_yield: 0.0, ..inputs() };
    let dividends = [Dividend { years: 0.2, amount: 1.5 }, Dividend { years: 0.5, amount: 1.0 }];
    for right in RIGHTS {
        // The escrowed European option is the closed form on the spot less the escrow.
        let escrow = 1.5 * libm::exp(-0.05 * 0.2) + libm::exp(-0.05 * 0.5);
        let reduced = closed_form(&BsmInputs { spot: 100.0 - escrow, ..i }, right);
        let g = finite_difference::greeks(&i, right, Exercise::European, &dividends, DividendModel::Escrowed);
        let escrow_rate = -1.5 * 0.2 * libm::exp(-0.05 * 0.2) - 0.5 * libm::exp(-0.05 * 0.5);
        let want = AmericanGreeks {
            theta: reduced.theta - 0.05 * escrow * reduced.delta,
            rho: reduced.rho - reduced.delta * escrow_rate,
            phi: g.phi,
            ..reduced
        };
        close(&g, &want, [1e-4, 1e-5, 1e-5, 1e-2, 2e-3, 2e-2, 1e-9]);
        for model in [DividendModel::Spot, DividendModel::Escrowed] {
            let price =
                |i: &BsmInputs| finite_difference::price(i, right, Exercise::American, &dividends, model);
            let g = finite_difference::greeks(&i, right, Exercise::American, &dividends, model);
            let slope =
                (price(&BsmInputs { spot: 101.0, ..i }) - price(&BsmInputs { spot: 99.0, ..i })) / 2.0;
            assert!((g.delta - slope).abs() < 5e-4, "{g:?} {slope}");
            // A day later every date is a day nearer.
            let day = 1.0 / 365.0;
            let nearer = dividends.map(|d| Dividend { years: d.years - day, ..d });
            let later = BsmInputs { years: i.years - day, ..i };
            let next = finite_difference::price(&later, right, Exercise::American, &nearer, model);
            assert!(((next - g.price) / day - g.theta).abs() < 5e-2, "{model:?} {right:?} {g:?}");
            let quote = IvInputs::from_price(g.price, &i);
            let vol = finite_difference::implied_vol(&quote, right, Exercise::American, &dividends, model);
            assert!((vol.expect("a price of this engine") - 0.28).abs() < 1e-4);
        }
    }
}

#[test]
fn one_dividend_calls() {
    let i = BsmInputs { dividend_yield: 0.0, strike: 95.0, ..inputs() };
    let dividend = Dividend { years: 0.45, amount: 4.0 };
    for model in [DividendModel::Spot, DividendModel::Escrowed] {
        let exact = american::one_dividend_call_greeks(&i, dividend, model);
        let grid = finite_difference::greeks(&i, Right::Call, Exercise::American, &[dividend], model);
        close(&exact, &AmericanGreeks { phi: 0.0, ..grid }, [5e-4, 5e-4, 1e-4, 5e-2, 1e-2, 5e-2, 0.0]);
    }
    let price = |i: &BsmInputs, d: Dividend| american::one_dividend_call(i, d, DividendModel::Spot);
    // A small dividend is never worth exercising for, a huge one always when it leaves nothing.
    let small = price(&i, Dividend { amount: 1e-9, ..dividend });
    assert!((small - bsm::price(&i, Right::Call)).abs() < 1e-8);
    assert_eq!(price(&i, Dividend { years: 0.9, ..dividend }), bsm::price(&i, Right::Call));
    let to_the_date = bsm::price(&BsmInputs { years: 0.45, ..i }, Right::Call);
    assert!((price(&i, Dividend { amount: 500.0, ..dividend }) - to_the_date).abs() < 1e-10);
    assert!(price(&BsmInputs { rate: -0.01, ..i }, dividend).is_nan());
    assert!(price(&BsmInputs { dividend_yield: 0.01, ..i }, dividend).is_nan());
}

#[test]
fn bermudans() {
    for right in RIGHTS {
        let once = bermudan::greeks(&inputs(), right, 1);
        close(&once, &closed_form(&inputs(), right), [1e-9, 1e-6, 1e-6, 1e-5, 1e-4, 1e-5, 1e-5]);
        // Many dates approach the American.
        let many = bermudan::greeks(&inputs(), right, 40);
        let bars = [3e-2, 3e-3, 1e-3, 0.1, 0.1, 0.5, 0.5];
        close(&many, &american::greeks(&inputs(), right, Scheme::High), bars);
        let few = IvInputs::from_price(bermudan::price(&inputs(), right, 8), &inputs());
        let vol = bermudan::implied_vol(&few, right, 8);
        assert!((vol.expect("a price of this engine") - 0.28).abs() < 1e-9);
    }
}

#[test]
fn trees() {
    for right in RIGHTS {
        let want = american::greeks(&inputs(), right, Scheme::High);
        for tree in [Lattice::CoxRossRubinstein, Lattice::LeisenReimer, Lattice::Trinomial] {
            let g = lattice::greeks(&inputs(), right, Exercise::American, tree, 801);
            close(&g, &want, [1e-2, 2e-3, 1e-3, 0.3, 0.1, 0.5, 0.5]);
            let vol = lattice::implied_vol(
                &IvInputs::from_price(g.price, &inputs()),
                right,
                Exercise::American,
                tree,
                801,
            );
            assert!((vol.expect("a price of this engine") - 0.28).abs() < 1e-6, "{tree:?}");
        }
    }
}

#[test]
fn approximations() {
    use Approximation::{BaroneAdesiWhaley, BjerksundStensland, BjerksundStensland1993};
    for right in RIGHTS {
        let want = american::greeks(&inputs(), right, Scheme::High);
        for method in [BaroneAdesiWhaley, BjerksundStensland, BjerksundStensland1993] {
            let g = method.greeks(&inputs(), right);
            // As good as the approximations themselves, which are good to some cents here.
            close(&g, &want, [0.1, 1e-2, 1e-3, 1.0, 0.3, 4.0, 4.0]);
            let vol = method.implied_vol(&IvInputs::from_price(g.price, &inputs()), right);
            assert!((vol.expect("a price of this engine") - 0.28).abs() < 1e-9, "{method:?}");
        }
        let deep = BsmInputs { spot: if right == Right::Put { 40.0 } else { 300.0 }, ..inputs() };
        let g = BaroneAdesiWhaley.greeks(&deep, right);
        assert_eq!((g.delta, g.gamma, g.vega), (right.sign(), 0.0, 0.0));
    }
}

#[test]
fn implied_volatilities_refuse_impossible_prices() {
    let quote = IvInputs::from_price(1e-3, &BsmInputs { spot: 60.0, ..inputs() });
    assert!(bermudan::implied_vol(&quote, Right::Put, 5).is_err());
    let tree = Lattice::LeisenReimer;
    assert!(lattice::implied_vol(&quote, Right::Put, Exercise::American, tree, 51).is_err());
    let much = IvInputs { price: 1e6, ..quote };
    assert!(Approximation::BjerksundStensland.implied_vol(&much, Right::Put).is_err());
    let nan = IvInputs { price: f64::NAN, ..quote };
    assert!(
        finite_difference::implied_vol(&nan, Right::Put, Exercise::American, &[], DividendModel::Spot)
            .is_err()
    );
}
