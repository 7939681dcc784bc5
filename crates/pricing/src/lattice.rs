//! Binomial and trinomial trees, as the textbooks give them.
//!
//! - [`Lattice::CoxRossRubinstein`]: Cox, Ross & Rubinstein (1979): u = e^{σ√Δt}, d = 1/u, p from the forward.
//! - [`Lattice::LeisenReimer`]: Leisen & Reimer (1996) with the Peizer–Pratt inversion 2, odd steps (an
//!   even number is raised by one); its European error is of second order.
//! - [`Lattice::Trinomial`]: Boyle (1988) with u = e^{σ√(2Δt)}, in Haug's (2007, §7.4) probabilities.
use crate::Right;
use crate::american::AmericanGreeks;
use crate::american::differences;
use crate::bsm::{BsmInputs, IvInputs};
use crate::finite_difference::Exercise;
use crate::iv::IvError;
use crate::math::kernel::{exp, ln};

/// Which tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lattice {
    /// Cox, Ross & Rubinstein.
    CoxRossRubinstein,
    /// Leisen & Reimer.
    LeisenReimer,
    /// Boyle.
    Trinomial,
}

/// Most steps: work grows with their square, to a few seconds.
pub const STEPS_MAX: usize = 20_000;

/// Present value on a tree of `steps` steps (1 to [`STEPS_MAX`]). NaN for other numbers of steps, inadmissible inputs, for σ√T = 0, and
/// where a binomial probability leaves [0, 1] (too few steps for the drift).
#[must_use]
pub fn price(inputs: &BsmInputs, right: Right, exercise: Exercise, lattice: Lattice, steps: usize) -> f64 {
    root(inputs, right, exercise, lattice, steps).value
}

/// Price and sensitivities. Delta and gamma are read off the nodes of the first steps (Hull, *Options,
/// Futures and Other Derivatives*, §21.1: they belong to a moment one or two steps ahead, so their error is
/// of the order of a step), theta follows from the Black–Scholes equation, and vega, rho and phi are central
/// differences between trees. At least three steps; fewer give NaN.
#[must_use]
pub fn greeks(
    inputs: &BsmInputs,
    right: Right,
    exercise: Exercise,
    lattice: Lattice,
    steps: usize,
) -> AmericanGreeks {
    let Root { value, delta, gamma } = root(inputs, right, exercise, lattice, steps);
    let BsmInputs { spot, strike, rate, dividend_yield, vol, .. } = *inputs;
    let is_exercised =
        exercise == Exercise::American && value > 0.0 && value == right.intrinsic(spot, strike);
    if is_exercised {
        return AmericanGreeks { price: value, delta: right.sign(), ..Default::default() };
    }
    let slope = |up: BsmInputs, down: BsmInputs, h: f64| {
        let at = |i: &BsmInputs| price(i, right, exercise, lattice, steps);
        (at(&up) - at(&down)) / (2.0 * h)
    };
    let (dv, dr) = (0.01 * vol, 1e-3);
    AmericanGreeks {
        price: value,
        delta,
        gamma,
        vega: slope(BsmInputs { vol: vol + dv, ..*inputs }, BsmInputs { vol: vol - dv, ..*inputs }, dv),
        theta: rate * value - (rate - dividend_yield) * spot * delta - 0.5 * vol * vol * spot * spot * gamma,
        rho: slope(BsmInputs { rate: rate + dr, ..*inputs }, BsmInputs { rate: rate - dr, ..*inputs }, dr),
        phi: slope(
            BsmInputs { dividend_yield: dividend_yield + dr, ..*inputs },
            BsmInputs { dividend_yield: dividend_yield - dr, ..*inputs },
            dr,
        ),
    }
}

/// The volatility at which [`price`] gives `inputs.price`.
///
/// # Errors
/// [`IvError`] if an input is not finite or positive, or no volatility up to 4000 % gives the price.
pub fn implied_vol(
    inputs: &IvInputs,
    right: Right,
    exercise: Exercise,
    lattice: Lattice,
    steps: usize,
) -> Result<f64, IvError> {
    differences::implied_vol(inputs, |i| price(i, right, exercise, lattice, steps))
}

/// Value at the root, and slope and curvature in the spot from the nodes behind it.
struct Root {
    value: f64,
    delta: f64,
    gamma: f64,
}

impl Root {
    const NAN: Self = Self { value: f64::NAN, delta: f64::NAN, gamma: f64::NAN };

    /// From three neighbouring nodes of one level, in ascending order of spot.
    fn with_nodes(value: f64, spots: [f64; 3], values: [f64; 3]) -> Self {
        let low = (values[1] - values[0]) / (spots[1] - spots[0]);
        let high = (values[2] - values[1]) / (spots[2] - spots[1]);
        let width = spots[2] - spots[0];
        // The slope of the parabola through the nodes at their middle.
        let share = (spots[1] - spots[0]) / width;
        Self { value, delta: low + (high - low) * share, gamma: 2.0 * (high - low) / width }
    }
}

fn root(inputs: &BsmInputs, right: Right, exercise: Exercise, lattice: Lattice, steps: usize) -> Root {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
    let positive = [spot, strike, years, vol].iter().all(|x| *x > 0.0 && x.is_finite());
    if !positive || !rate.is_finite() || !dividend_yield.is_finite() || steps == 0 || steps > STEPS_MAX {
        return Root::NAN;
    }
    let american = exercise == Exercise::American;
    match lattice {
        Lattice::CoxRossRubinstein => {
            let dt = years / steps as f64;
            let log_up = vol * dt.sqrt();
            let growth = exp((rate - dividend_yield) * dt);
            let (up, down) = (exp(log_up), exp(-log_up));
            binomial(
                inputs,
                right,
                american,
                steps,
                &Binomial {
                    log_up,
                    log_down: -log_up,
                    probability: (growth - down) / (up - down),
                    complement: (up - growth) / (up - down),
                },
            )
        }
        Lattice::LeisenReimer => {
            let steps = steps | 1;
            binomial(inputs, right, american, steps, &leisen_reimer(inputs, steps))
        }
        Lattice::Trinomial => trinomial(inputs, right, american, steps),
    }
}

struct Binomial {
    log_up: f64,
    log_down: f64,
    probability: f64,
    /// One less the probability.
    complement: f64,
}

fn leisen_reimer(inputs: &BsmInputs, steps: usize) -> Binomial {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
    let n = steps as f64;
    let v = vol * years.sqrt();
    let d1 = (ln(spot / strike) + (rate - dividend_yield) * years) / v + 0.5 * v;
    // The probability and its complement, each with full digits however small.
    let invert = |z: f64| {
        let scaled = z / (n + 1.0 / 3.0 + 0.1 / (n + 1.0));
        let power = scaled * scaled * (n + 1.0 / 6.0);
        let root = (-libm::expm1(-power)).sqrt();
        let (tail, body) = (0.5 * exp(-power) / (1.0 + root), 0.5 + 0.5 * root);
        if z < 0.0 { (tail, body) } else { (body, tail) }
    };
    let ((up, down), (up_share, down_share)) = (invert(d1 - v), invert(d1));
    let growth = (rate - dividend_yield) * years / n;
    Binomial {
        log_up: growth + ln(up_share / up),
        log_down: growth + ln(down_share / down),
        probability: up,
        complement: down,
    }
}

fn binomial(inputs: &BsmInputs, right: Right, american: bool, steps: usize, tree: &Binomial) -> Root {
    let Binomial { log_up, log_down, probability, complement } = *tree;
    if !(0.0..=1.0).contains(&probability) {
        return Root::NAN;
    }
    let discount = exp(-inputs.rate * inputs.years / steps as f64);
    let (up, down) = (discount * probability, discount * complement);
    let spot =
        |step: usize, ups: usize| inputs.spot * exp(ups as f64 * log_up + (step - ups) as f64 * log_down);
    let mut values: Vec<f64> = (0..=steps).map(|i| right.intrinsic(spot(steps, i), inputs.strike)).collect();
    // One exponential a level: neighbouring nodes differ by the factor u/d.
    let ratio = exp(log_up - log_down);
    let mut root = Root::NAN;
    for step in (0..steps).rev() {
        if step == 1 {
            let spots = [spot(2, 0), spot(2, 1), spot(2, 2)];
            root = Root::with_nodes(f64::NAN, spots, [values[0], values[1], values[2]]);
        }
        let mut here = spot(step, 0);
        for i in 0..=step {
            let held = up * values[i + 1] + down * values[i];
            values[i] = if american { held.max(right.intrinsic(here, inputs.strike)) } else { held };
            here *= ratio;
        }
    }
    Root { value: values[0], ..root }
}

fn trinomial(inputs: &BsmInputs, right: Right, american: bool, steps: usize) -> Root {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
    let dt = years / steps as f64;
    let log_up = vol * (2.0 * dt).sqrt();
    let (half_up, half_down) = (exp(0.5 * log_up), exp(-0.5 * log_up));
    let half_growth = exp(0.5 * (rate - dividend_yield) * dt);
    let root_up = (half_growth - half_down) / (half_up - half_down);
    let root_down = (half_up - half_growth) / (half_up - half_down);
    let discount = exp(-rate * dt);
    let (up, down) = (discount * root_up * root_up, discount * root_down * root_down);
    let middle = discount * (1.0 - root_up * root_up - root_down * root_down);
    if [up, middle, down].iter().any(|p| !p.is_finite()) {
        return Root::NAN;
    }
    let at = |level: i64| spot * exp(level as f64 * log_up);
    let n = steps as i64;
    let spots: Vec<f64> = (-n..=n).map(at).collect();
    let mut values: Vec<f64> = spots.iter().map(|s| right.intrinsic(*s, strike)).collect();
    let mut root = Root::NAN;
    for step in (0..steps).rev() {
        if step == 0 && steps > 1 {
            let near = [spots[steps - 1], spots[steps], spots[steps + 1]];
            root = Root::with_nodes(f64::NAN, near, [values[0], values[1], values[2]]);
        }
        for i in 0..=2 * step {
            let held = down * values[i] + middle * values[i + 1] + up * values[i + 2];
            let now = right.intrinsic(spots[steps - step + i], strike);
            values[i] = if american { held.max(now) } else { held };
        }
    }
    Root { value: values[0], ..root }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bsm;

    #[test]
    fn greeks_and_implied_volatility_approach_the_closed_form() {
        let inputs =
            BsmInputs { spot: 100.0, strike: 105.0, years: 0.5, rate: 0.04, dividend_yield: 0.02, vol: 0.3 };
        for right in [Right::Call, Right::Put] {
            for lattice in [Lattice::CoxRossRubinstein, Lattice::LeisenReimer, Lattice::Trinomial] {
                let exact = bsm::greeks(&inputs, right);
                let g = greeks(&inputs, right, Exercise::European, lattice, 501);
                assert!((g.delta - exact.delta).abs() < 2e-3, "{lattice:?} {g:?}");
                assert!((g.gamma / exact.gamma - 1.0).abs() < 1e-2, "{lattice:?} {g:?}");
                assert!((g.theta / exact.theta - 1.0).abs() < 2e-2, "{lattice:?} {g:?}");
                assert!((g.vega / exact.vega - 1.0).abs() < 2e-2, "{lattice:?} {g:?}");
                assert!((g.rho / exact.rho - 1.0).abs() < 2e-2, "{lattice:?} {g:?}");
                assert!((g.phi / exact.phi - 1.0).abs() < 2e-2, "{lattice:?} {g:?}");
                let quote = IvInputs::from_price(g.price, &inputs);
                let vol = implied_vol(&quote, right, Exercise::European, lattice, 501)
                    .expect("a price of the tree");
                assert!((vol - 0.3).abs() < 1e-6, "{lattice:?} {vol}");
            }
        }
        assert!(greeks(&inputs, Right::Put, Exercise::American, Lattice::Trinomial, 1).delta.is_nan());
    }

    #[test]
    fn hull_american_put() {
        // Hull, Options, Futures and Other Derivatives: S = K = 50, r = 10 %, σ = 40 %, 5 months.
        let inputs = BsmInputs {
            spot: 50.0,
            strike: 50.0,
            years: 5.0 / 12.0,
            rate: 0.1,
            dividend_yield: 0.0,
            vol: 0.4,
        };
        for (steps, expected) in [(5, 4.49), (30, 4.263), (50, 4.272), (100, 4.278)] {
            let value = price(&inputs, Right::Put, Exercise::American, Lattice::CoxRossRubinstein, steps);
            assert!((value - expected).abs() < 2e-3, "{steps}: {value}");
        }
    }
}
