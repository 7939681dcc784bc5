//! American and European options by finite differences, with discrete cash dividends.
//!
//! The Black–Scholes equation in x = ln S is solved backwards on a uniform grid by Crank–Nicolson with
//! two fully implicit start-up steps after expiry and every dividend (Rannacher 1984). Early exercise is
//! a linear complementarity problem at every step, solved exactly by policy iteration (Reisinger &
//! Witte 2012), so exercise regions of any shape are found. Two grids, one twice as fine, are combined
//! by Richardson extrapolation. Prices are good to about 1e-4 of spot 100.
use crate::Right;
use crate::american::AmericanGreeks;
use crate::american::differences;
use crate::bsm::{BsmInputs, IvInputs};
use crate::iv::IvError;
use crate::math::kernel::{exp, ln};

/// A cash dividend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dividend {
    /// Time of the ex-date in years from today; used if after today and not after expiry.
    pub years: f64,
    /// Amount per unit of the underlying.
    pub amount: f64,
}

/// Most dividends of an option: each starts a segment of the time grid.
pub const DIVIDENDS_MAX: usize = 500;

/// What is lognormal when cash dividends are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DividendModel {
    /// The spot, which falls by the amount on the ex-date.
    Spot,
    /// The spot less the present value of the dividends before expiry.
    Escrowed,
}

/// European or American exercise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exercise {
    /// At expiry only.
    European,
    /// At any time.
    American,
}

/// Grid sizes of the coarser of the two grids.
const SPACE_STEPS: usize = 400;
const TIME_STEPS: usize = 120;
/// Half-width of the grid in standard deviations.
const WIDTH: f64 = 6.5;

/// Present value with cash dividends (sorted or not; `inputs.dividend_yield` is applied as well).
///
/// A cash dividend larger than the spot takes all of it: the option is worth what it is on nothing. NaN, infinite or
/// non-positive spot, strike, time or volatility, and invalid dividends give NaN.
///
/// ```
/// use onetape_pricing::{Right, bsm::BsmInputs};
/// use onetape_pricing::finite_difference::{Dividend, DividendModel, Exercise, price};
/// let inputs = BsmInputs { spot: 100.0, strike: 100.0, years: 0.5, rate: 0.04, dividend_yield: 0.0, vol: 0.25 };
/// let dividends = [Dividend { years: 0.25, amount: 1.5 }];
/// let put = price(&inputs, Right::Put, Exercise::American, &dividends, DividendModel::Spot);
/// assert!(put > price(&inputs, Right::Put, Exercise::European, &dividends, DividendModel::Spot));
/// ```
#[must_use]
pub fn price(
    inputs: &BsmInputs,
    right: Right,
    exercise: Exercise,
    dividends: &[Dividend],
    model: DividendModel,
) -> f64 {
    let Some(problem) = Problem::new(inputs, right, exercise, dividends, model) else { return f64::NAN };
    problem.floored(problem.extrapolate(SPACE_STEPS, TIME_STEPS).value)
}

/// Price and sensitivities with cash dividends. Delta and gamma come from the grid itself, theta from the
/// Black–Scholes equation (at a fixed spot; in the escrowed model the escrow grows meanwhile), vega, rho
/// and phi are central differences between grids of one width. An American option worth its exercise has
/// delta ±1 and nothing else; NaN as for [`price`].
#[must_use]
pub fn greeks(
    inputs: &BsmInputs,
    right: Right,
    exercise: Exercise,
    dividends: &[Dividend],
    model: DividendModel,
) -> AmericanGreeks {
    let nan = f64::NAN;
    let nothing =
        AmericanGreeks { price: nan, delta: nan, gamma: nan, vega: nan, theta: nan, rho: nan, phi: nan };
    let Some(problem) = Problem::new(inputs, right, exercise, dividends, model) else { return nothing };
    let node = problem.extrapolate(SPACE_STEPS, TIME_STEPS);
    let value = problem.floored(node.value);
    if problem.american && value > 0.0 && value <= right.intrinsic(inputs.spot, inputs.strike) {
        return AmericanGreeks { price: value, delta: right.sign(), ..Default::default() };
    }
    let BsmInputs { spot, rate, dividend_yield, vol, .. } = *inputs;
    let factor = problem.start;
    let delta = node.slope / factor;
    let gamma = (node.curvature - node.slope) / (factor * factor);
    let at = |inputs: BsmInputs| {
        problem.moved(inputs).map_or(f64::NAN, |p| p.extrapolate(SPACE_STEPS, TIME_STEPS).value)
    };
    let (dv, dr) = (0.01 * vol, 1e-3);
    AmericanGreeks {
        price: value,
        delta,
        gamma,
        vega: (at(BsmInputs { vol: vol + dv, ..*inputs }) - at(BsmInputs { vol: vol - dv, ..*inputs }))
            / (2.0 * dv),
        theta: rate * value
            - (rate - dividend_yield) * node.slope
            - 0.5 * vol * vol * (node.curvature - node.slope)
            - rate * (spot - factor) * delta,
        rho: (at(BsmInputs { rate: rate + dr, ..*inputs }) - at(BsmInputs { rate: rate - dr, ..*inputs }))
            / (2.0 * dr),
        phi: (at(BsmInputs { dividend_yield: dividend_yield + dr, ..*inputs })
            - at(BsmInputs { dividend_yield: dividend_yield - dr, ..*inputs }))
            / (2.0 * dr),
    }
}

/// The volatility at which [`price`] gives `inputs.price`, to about the grid's error divided by vega.
///
/// # Errors
/// [`IvError`] if an input is not finite or positive, or no volatility up to 4000 % gives the price.
pub fn implied_vol(
    inputs: &IvInputs,
    right: Right,
    exercise: Exercise,
    dividends: &[Dividend],
    model: DividendModel,
) -> Result<f64, IvError> {
    differences::implied_vol(inputs, |i| price(i, right, exercise, dividends, model))
}

/// Price, delta and gamma of an American option without cash dividends, on finer grids.
pub(crate) fn american_value(inputs: &BsmInputs, right: Right) -> (f64, f64, f64) {
    let Some(problem) = Problem::new(inputs, right, Exercise::American, &[], DividendModel::Spot) else {
        return (f64::NAN, f64::NAN, f64::NAN);
    };
    let node = problem.extrapolate(2 * SPACE_STEPS, 4 * TIME_STEPS);
    let value = problem.floored(node.value);
    if value > 0.0 && value <= right.intrinsic(inputs.spot, inputs.strike) {
        return (value, right.sign(), 0.0);
    }
    let spot = inputs.spot;
    (value, node.slope / spot, (node.curvature - node.slope) / (spot * spot))
}

struct Problem {
    inputs: BsmInputs,
    right: Right,
    american: bool,
    model: DividendModel,
    /// In order of time.
    dividends: Vec<Dividend>,
    /// Where the lognormal factor starts.
    start: f64,
    /// Half-width of the grid in the logarithm.
    reach: f64,
}

/// Value at the grid's centre, and its derivatives in the logarithm of the lognormal factor.
struct Node {
    value: f64,
    slope: f64,
    curvature: f64,
}

impl Problem {
    fn new(
        inputs: &BsmInputs,
        right: Right,
        exercise: Exercise,
        dividends: &[Dividend],
        model: DividendModel,
    ) -> Option<Self> {
        let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
        let positive = [spot, strike, years, vol].iter().all(|x| *x > 0.0 && x.is_finite());
        let few = dividends.len() <= DIVIDENDS_MAX;
        let valid =
            few && dividends.iter().all(|d| d.years.is_finite() && d.amount.is_finite() && d.amount >= 0.0);
        if !positive || !valid || !rate.is_finite() || !dividend_yield.is_finite() {
            return None;
        }
        let mut dividends: Vec<Dividend> = dividends
            .iter()
            .copied()
            .filter(|d| d.years > 0.0 && d.years <= years && d.amount > 0.0)
            .collect();
        dividends.sort_by(|a, b| a.years.total_cmp(&b.years));
        let escrow: f64 = dividends.iter().map(|d| d.amount * exp(-rate * d.years)).sum();
        let start = if model == DividendModel::Escrowed { spot - escrow } else { spot };
        let american = exercise == Exercise::American;
        if start <= 0.0 {
            return None;
        }
        let deviation = vol * years.sqrt();
        let reach = WIDTH * deviation + ((rate - dividend_yield) * years).abs();
        let reach = reach.max((ln(strike) - ln(start)).abs() + 3.0 * deviation).max(0.05);
        Some(Self { inputs: *inputs, right, american, model, dividends, start, reach })
    }

    /// What the spot exceeds the lognormal factor by at time `t`, dividends at `t` itself counted if
    /// `before` (the moment before the ex-date).
    fn escrow(&self, t: f64, before: bool) -> f64 {
        if self.model == DividendModel::Spot {
            return 0.0;
        }
        let counted = |d: &&Dividend| d.years > t + 1e-12 || (before && d.years > t - 1e-12);
        self.dividends.iter().filter(counted).map(|d| d.amount * exp(-self.inputs.rate * (d.years - t))).sum()
    }

    /// Richardson's extrapolation of two grids of second order.
    fn extrapolate(&self, space_steps: usize, time_steps: usize) -> Node {
        let coarse = self.solve(space_steps, time_steps);
        let fine = self.solve(2 * space_steps, 2 * time_steps);
        let better = |fine: f64, coarse: f64| fine + (fine - coarse) / 3.0;
        Node {
            value: better(fine.value, coarse.value),
            slope: better(fine.slope, coarse.slope),
            curvature: better(fine.curvature, coarse.curvature),
        }
    }

    /// No less than zero or what exercise gives.
    fn floored(&self, value: f64) -> f64 {
        let least =
            if self.american { self.right.intrinsic(self.inputs.spot, self.inputs.strike) } else { 0.0 };
        if value < least { least } else { value }
    }

    /// The same contract with other rates and volatility on a grid of the same width.
    fn moved(&self, inputs: BsmInputs) -> Option<Self> {
        let exercise = if self.american { Exercise::American } else { Exercise::European };
        let moved = Self::new(&inputs, self.right, exercise, &self.dividends, self.model)?;
        Some(Self { reach: self.reach, ..moved })
    }

    fn solve(&self, space_steps: usize, time_steps: usize) -> Node {
        let BsmInputs { strike, years, .. } = self.inputs;
        let centre = ln(self.start);
        let step = 2.0 * self.reach / space_steps as f64;
        let spots: Vec<f64> =
            (0..=space_steps).map(|i| exp(centre + (i as f64 - 0.5 * space_steps as f64) * step)).collect();
        let mut solver = Solver::new(&self.inputs, step, spots);
        solver.start(strike, self.right);

        // Backwards through the segments between ex-dates.
        let mut end = years;
        let mut dates: Vec<usize> = (0..self.dividends.len()).collect();
        loop {
            let next = dates.pop();
            let begin = next.map_or(0.0, |d| self.dividends[d].years);
            let length = end - begin;
            if length > 1e-12 {
                // Never more than the whole grid, whatever the quotient of extreme inputs is.
                let steps =
                    ((time_steps as f64 * length / years).ceil() as usize).clamp(time_steps / 10, time_steps);
                self.segment(&mut solver, begin, end, steps);
            }
            let Some(dividend) = next else { break };
            if self.model == DividendModel::Spot {
                solver.drop_spot(self.dividends[dividend].amount, self.value_at_zero(years - begin));
            }
            if self.american {
                solver.exercise(&self.payoff(&solver.spots, self.escrow(begin, true)));
            }
            end = begin;
        }
        let v = &solver.values[space_steps / 2 - 1..=space_steps / 2 + 1];
        Node {
            value: v[1],
            slope: (v[2] - v[0]) / (2.0 * step),
            curvature: (v[2] - 2.0 * v[1] + v[0]) / (step * step),
        }
    }

    /// Value of an option whose underlying is worth nothing, `left` years before expiry.
    fn value_at_zero(&self, left: f64) -> f64 {
        let later = self.inputs.strike * exp(-self.inputs.rate * left);
        match self.right {
            Right::Call => 0.0,
            Right::Put if self.american => later.max(self.inputs.strike),
            Right::Put => later,
        }
    }

    fn payoff(&self, factors: &[f64], escrow: f64) -> Vec<f64> {
        factors.iter().map(|x| self.right.intrinsic(x + escrow, self.inputs.strike)).collect()
    }

    fn segment(&self, solver: &mut Solver, begin: f64, end: f64, steps: usize) {
        let dt = (end - begin) / steps as f64;
        // Two steps in implicit halves damp the kinks, then Crank–Nicolson.
        let mut clock = end;
        let damped = 2.min(steps);
        for i in 0..(2 * damped + steps - damped) {
            let (size, implicit) = if i < 2 * damped { (0.5 * dt, 1.0) } else { (dt, 0.5) };
            clock -= size;
            let floor =
                self.american.then(|| self.payoff(&solver.spots, self.escrow(clock.max(begin), false)));
            solver.advance(size, implicit, floor.as_deref());
        }
    }
}

/// One backward step after another on a fixed grid.
struct Solver {
    spots: Vec<f64>,
    values: Vec<f64>,
    step: f64,
    /// Coefficients of the generator at the neighbours below and above, and the rate.
    below: f64,
    above: f64,
    rate: f64,
    rhs: Vec<f64>,
    next: Vec<f64>,
    upper: Vec<f64>,
    active: Vec<bool>,
}

impl Solver {
    fn new(inputs: &BsmInputs, step: f64, spots: Vec<f64>) -> Self {
        let BsmInputs { rate, dividend_yield, vol, .. } = *inputs;
        let diffusion = 0.5 * vol * vol / (step * step);
        let drift = (rate - dividend_yield - 0.5 * vol * vol) / (2.0 * step);
        let n = spots.len();
        Self {
            values: vec![0.0; n],
            rhs: vec![0.0; n],
            next: vec![0.0; n],
            upper: vec![0.0; n],
            active: vec![false; n],
            spots,
            step,
            below: diffusion - drift,
            above: diffusion + drift,
            rate,
        }
    }

    /// The payoff averaged over each cell, which restores second order at the kink.
    fn start(&mut self, strike: f64, right: Right) {
        let half = exp(0.5 * self.step);
        let log_strike = ln(strike);
        for (value, &spot) in self.values.iter_mut().zip(&self.spots) {
            let (low, high) = (spot / half, spot * half);
            *value = if low < strike && strike < high {
                // ∫ (eˣ − K) dx over the part of the cell in the money.
                let area = match right {
                    Right::Call => high - strike - strike * (ln(high) - log_strike),
                    Right::Put => strike * (log_strike - ln(low)) - (strike - low),
                };
                area / self.step
            } else {
                right.intrinsic(spot * (half - 1.0 / half) / self.step, strike)
            };
        }
    }

    fn exercise(&mut self, floor: &[f64]) {
        for (value, floor) in self.values.iter_mut().zip(floor) {
            *value = value.max(*floor);
        }
    }

    /// v(S) ← v(max(S − amount, 0)); `at_zero` is the value of an option on nothing. At S = amount the result has
    /// a kink: that cell gets its average, which keeps the error smooth in the step and Richardson's
    /// extrapolation sound.
    fn drop_spot(&mut self, amount: f64, at_zero: f64) {
        /// Gauss–Legendre on [0, 1].
        const POINTS: [(f64, f64); 3] =
            [(0.112_701_665_379_258_31, 5.0 / 18.0), (0.5, 4.0 / 9.0), (0.887_298_334_620_741_7, 5.0 / 18.0)];
        let (log_amount, origin, half) = (ln(amount), ln(self.spots[0]), 0.5 * self.step);
        for i in 0..self.spots.len() {
            let above = origin + i as f64 * self.step + half - log_amount;
            self.next[i] = if above > 0.0 && above < self.step {
                let value = |t: f64| self.value_at(amount * (exp(t * above) - 1.0), at_zero);
                let mean: f64 = POINTS.iter().map(|(t, weight)| weight * value(*t)).sum();
                at_zero + (mean - at_zero) * (above / self.step)
            } else {
                self.value_at(self.spots[i] - amount, at_zero)
            };
        }
        std::mem::swap(&mut self.values, &mut self.next);
    }

    /// The value at any spot: cubic in ln S on the grid, linear in S between nothing and its lowest spot.
    fn value_at(&self, spot: f64, at_zero: f64) -> f64 {
        let last = self.spots.len() - 1;
        let lowest = self.spots[0];
        if spot <= lowest {
            let part = if spot > 0.0 { spot / lowest } else { 0.0 };
            return at_zero + part * (self.values[0] - at_zero);
        }
        let position = (ln(spot) - ln(lowest)) / self.step;
        let left = (position as usize).clamp(1, last - 2);
        let t = position - left as f64;
        let v = &self.values[left - 1..left + 3];
        // Lagrange's cubic through −1, 0, 1, 2.
        -t * (t - 1.0) * (t - 2.0) / 6.0 * v[0] + (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0 * v[1]
            - (t + 1.0) * t * (t - 2.0) / 2.0 * v[2]
            + (t + 1.0) * t * (t - 1.0) / 6.0 * v[3]
    }

    /// One step of size `dt`, with weight `implicit` on the new time level; never below `floor`.
    fn advance(&mut self, dt: f64, implicit: f64, floor: Option<&[f64]>) {
        let last = self.values.len() - 1;
        let explicit = (1.0 - implicit) * dt;
        let centre = -(self.below + self.above + self.rate);
        for i in 1..last {
            let v = &self.values[i - 1..=i + 1];
            self.rhs[i] = v[1] + explicit * (self.below * v[0] + centre * v[1] + self.above * v[2]);
        }
        let Some(floor) = floor else {
            self.solve(dt * implicit, None);
            return;
        };
        for _ in 0..30 {
            self.solve(dt * implicit, Some(floor));
            if !self.improve_policy(dt * implicit, floor) {
                break;
            }
        }
        self.exercise(floor);
    }

    /// Thomas' algorithm; rows marked active are held at the floor. At the edges the value is linear in
    /// the spot: v₀ = v₁ + (v₁ − v₂) (S₁ − S₀)/(S₂ − S₁), and likewise above.
    fn solve(&mut self, dt: f64, floor: Option<&[f64]>) {
        let last = self.values.len() - 1;
        let (a, c) = (-dt * self.below, -dt * self.above);
        let b = 1.0 + dt * (self.below + self.above + self.rate);
        let low = (self.spots[1] - self.spots[0]) / (self.spots[2] - self.spots[1]);
        let high = (self.spots[last] - self.spots[last - 1]) / (self.spots[last - 1] - self.spots[last - 2]);
        let held = |active: &[bool], i: usize| floor.is_some() && active[i];
        for i in 1..last {
            let (mut below, mut middle, mut above, mut rhs) = (a, b, c, self.rhs[i]);
            if let (true, Some(floor)) = (held(&self.active, i), floor) {
                (below, middle, above, rhs) = (0.0, 1.0, 0.0, floor[i]);
            } else if i == 1 {
                middle += a * (1.0 + low);
                above -= a * low;
                below = 0.0;
            } else if i == last - 1 {
                middle += c * (1.0 + high);
                below -= c * high;
                above = 0.0;
            }
            let (previous_upper, previous) =
                if i > 1 { (self.upper[i - 1], self.next[i - 1]) } else { (0.0, 0.0) };
            let pivot = middle - below * previous_upper;
            self.upper[i] = above / pivot;
            self.next[i] = (rhs - below * previous) / pivot;
        }
        self.values[last - 1] = self.next[last - 1];
        for i in (1..last - 1).rev() {
            self.values[i] = self.next[i] - self.upper[i] * self.values[i + 1];
        }
        self.values[0] = self.values[1] + (self.values[1] - self.values[2]) * low;
        self.values[last] = self.values[last - 1] + (self.values[last - 1] - self.values[last - 2]) * high;
    }

    /// Exercise where the floor beats holding on; true if any decision changed.
    fn improve_policy(&mut self, dt: f64, floor: &[f64]) -> bool {
        let last = self.values.len() - 1;
        let (a, c) = (-dt * self.below, -dt * self.above);
        let b = 1.0 + dt * (self.below + self.above + self.rate);
        let mut changed = false;
        for (i, &floor) in floor.iter().enumerate().take(last).skip(1) {
            let v = &self.values[i - 1..=i + 1];
            let holding = a * v[0] + b * v[1] + c * v[2] - self.rhs[i];
            let exercise = v[1] - floor < holding;
            changed |= exercise != self.active[i];
            self.active[i] = exercise;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bsm;

    fn inputs() -> BsmInputs {
        BsmInputs { spot: 100.0, strike: 105.0, years: 0.7, rate: 0.03, dividend_yield: 0.01, vol: 0.3 }
    }

    #[test]
    fn european_without_dividends_is_black_scholes() {
        for right in [Right::Call, Right::Put] {
            let value = price(&inputs(), right, Exercise::European, &[], DividendModel::Spot);
            assert!((value - bsm::price(&inputs(), right)).abs() < 2e-5, "{value}");
        }
    }

    #[test]
    fn escrowed_european_is_black_scholes_on_the_reduced_spot() {
        let dividends = [Dividend { years: 0.2, amount: 2.0 }, Dividend { years: 0.5, amount: 1.0 }];
        let reduced = 100.0 - 2.0 * libm::exp(-0.03 * 0.2) - libm::exp(-0.03 * 0.5);
        let expected = bsm::price(&BsmInputs { spot: reduced, ..inputs() }, Right::Put);
        let value = price(&inputs(), Right::Put, Exercise::European, &dividends, DividendModel::Escrowed);
        assert!((value - expected).abs() < 2e-5);
    }

    /// Gauss–Legendre over the spot at the ex-date (scipy), good to 1e-11.
    #[test]
    fn dividends_around_and_above_the_spot() {
        let put = BsmInputs { strike: 120.0, years: 1.5, vol: 0.45, dividend_yield: 0.0, ..inputs() };
        let call = BsmInputs { strike: 40.0, years: 1.0, rate: 0.02, vol: 0.6, ..put };
        let near = BsmInputs { strike: 80.0, years: 2.0, rate: 0.05, vol: 0.35, ..put };
        let cases = [
            (put, Right::Put, 150.0 / 365.0, 130.0, 111.334_091_835_3),
            (call, Right::Call, 100.0 / 365.0, 110.0, 2.433_714_435_3),
            (near, Right::Put, 1.0, 60.0, 35.846_920_811_2),
        ];
        for (inputs, right, years, amount, expected) in cases {
            let dividends = [Dividend { years, amount }];
            let value = price(&inputs, right, Exercise::European, &dividends, DividendModel::Spot);
            assert!((value - expected).abs() < 1e-4, "{amount}: {value} {expected}");
        }
        // What is left of the spot is nothing: the American put is exercised, the European one waits.
        let all = [Dividend { years: 0.1, amount: 1e4 }];
        let european = price(&put, Right::Put, Exercise::European, &all, DividendModel::Spot);
        assert!((european - 120.0 * libm::exp(-0.03 * 1.5)).abs() < 1e-4);
        let american = price(&put, Right::Put, Exercise::American, &all, DividendModel::Spot);
        assert!((american - 120.0 * libm::exp(-0.03 * 0.1)).abs() < 1e-3, "{american}");
    }

    #[test]
    fn inadmissible_inputs_are_nan() {
        let bad = BsmInputs { vol: f64::NAN, ..inputs() };
        assert!(price(&bad, Right::Put, Exercise::American, &[], DividendModel::Spot).is_nan());
    }
}
