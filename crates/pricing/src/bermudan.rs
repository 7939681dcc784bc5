//! Bermudan options: exercise on a few dates, by exact backward quadrature.
//!
//! Between dates the lognormal transition density is known, so each step back is an integral: of the
//! payoff in closed form on the exercise side of that date's critical price, of the continuation value by
//! composite Gauss–Legendre quadrature on the other (panels of three standard deviations of a step, 16
//! points each, within nine deviations of the target). The critical price is a root of the continuation
//! value itself, so no kink is ever integrated over; the error is about 1e-11 of the strike.
use crate::Right;
use crate::american::AmericanGreeks;
use crate::american::differences::{self, Steps};
use crate::american::tables::gauss_legendre;
use crate::bsm::{self, BsmInputs, IvInputs};
use crate::iv::IvError;
use crate::math::kernel::{exp, ln};
use crate::math::normal::{FRAC_1_SQRT_2PI, cdf};

/// Most exercise dates: eight years of trading days. The work grows with the power 3/2 of their number.
pub const EXERCISES_MAX: usize = 2_000;

/// Present value with `exercises` equally spaced exercise dates, the last at expiry (none today).
///
/// Calls are priced as puts with spot and strike, rate and yield exchanged. If the put's rate (the call's
/// yield) is negative and exceeds the other, early exercise pays only between two prices; that case is
/// not covered and gives NaN, as do inadmissible inputs, numbers of dates outside 1 to [`EXERCISES_MAX`], and
/// a drift so large beside the volatility that the quadrature would take more than a few seconds.
///
/// ```
/// use onetape_pricing::{Right, bermudan, bsm::BsmInputs};
/// // Longstaff & Schwartz (2001), table 1: 50 exercises a year, 4.4723 by simulation.
/// let inputs = BsmInputs { spot: 36.0, strike: 40.0, years: 1.0, rate: 0.06, dividend_yield: 0.0, vol: 0.2 };
/// assert!((bermudan::price(&inputs, Right::Put, 50) - 4.478).abs() < 1e-2);
/// ```
#[must_use]
pub fn price(inputs: &BsmInputs, right: Right, exercises: usize) -> f64 {
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
    let positive = [spot, strike, years, vol].iter().all(|x| *x > 0.0 && x.is_finite());
    if !positive
        || !rate.is_finite()
        || !dividend_yield.is_finite()
        || !(1..=EXERCISES_MAX).contains(&exercises)
    {
        return f64::NAN;
    }
    let put = match right {
        Right::Put => *inputs,
        Right::Call => {
            BsmInputs { spot: strike, strike: spot, rate: dividend_yield, dividend_yield: rate, ..*inputs }
        }
    };
    if put.rate <= 0.0 && (put.dividend_yield >= put.rate || exercises == 1) {
        return bsm::price(inputs, right);
    }
    if put.rate < 0.0 {
        return f64::NAN;
    }
    if vol * years.sqrt() < CERTAIN {
        return certain(inputs, right, exercises);
    }
    Induction::new(&put, exercises).run(exercises)
}

/// Total volatility below which the underlying moves as if without any; the price is then good to 4e-7 of it.
const CERTAIN: f64 = 1e-6;

/// The best of the certain payoffs on the dates.
fn certain(inputs: &BsmInputs, right: Right, exercises: usize) -> f64 {
    let BsmInputs { spot, strike, years, rate, dividend_yield, .. } = *inputs;
    let payoff = |t: f64| right.sign() * (spot * exp(-dividend_yield * t) - strike * exp(-rate * t));
    (1..=exercises).map(|date| payoff(years * date as f64 / exercises as f64)).fold(0.0, f64::max)
}

/// Price and sensitivities by central differences of fourth order of the exact price; theta follows from the
/// Black–Scholes equation (none of the dates is today).
#[must_use]
pub fn greeks(inputs: &BsmInputs, right: Right, exercises: usize) -> AmericanGreeks {
    let mut g = differences::greeks(inputs, right, Steps::SMOOTH, |i| price(i, right, exercises));
    // Not exercisable today: worth its intrinsic value by chance alone.
    if g.gamma == 0.0 && g.vega == 0.0 && g.price > 0.0 {
        g.theta = inputs.rate * g.price - (inputs.rate - inputs.dividend_yield) * inputs.spot * g.delta;
    }
    g
}

/// The volatility at which [`price`] gives `inputs.price`.
///
/// # Errors
/// [`IvError`] if an input is not finite or positive, or no volatility up to 4000 % gives the price.
pub fn implied_vol(inputs: &IvInputs, right: Right, exercises: usize) -> Result<f64, IvError> {
    differences::implied_vol(inputs, |i| price(i, right, exercises))
}

const POINTS: usize = 16;
/// Panel width and integration reach in standard deviations of one step.
const PANEL: f64 = 3.0;
const REACH: f64 = 9.0;
/// Panels of all dates beyond which the price is given up as NaN.
const PANELS_MAX: f64 = 500_000.0;

/// The put's value at one date: payoff below the critical price, node values above.
struct Induction {
    put: BsmInputs,
    /// Of one step.
    discount: f64,
    drift: f64,
    deviation: f64,
    /// ln of the highest price considered.
    top: f64,
    rule: (Vec<f64>, Vec<f64>),
    /// ln of the critical price of the later date.
    critical: f64,
    /// Log prices, and values times quadrature weights, above it.
    nodes: Vec<f64>,
    weighted: Vec<f64>,
}

impl Induction {
    fn new(put: &BsmInputs, exercises: usize) -> Self {
        let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *put;
        let step = years / exercises as f64;
        let drift = rate - dividend_yield - 0.5 * vol * vol;
        let top = ln(spot).max(ln(strike)) + 8.5 * vol * years.sqrt() + drift.abs() * years;
        Self {
            put: *put,
            discount: exp(-rate * step),
            drift: drift * step,
            deviation: vol * step.sqrt(),
            top,
            rule: gauss_legendre(POINTS, 0.0, 1.0),
            // At expiry the payoff is zero above the strike.
            critical: ln(strike),
            nodes: Vec::new(),
            weighted: Vec::new(),
        }
    }

    fn run(mut self, exercises: usize) -> f64 {
        for _ in 1..exercises {
            let critical = self.find_critical();
            let width = PANEL * self.deviation;
            let panels = ((self.top - critical) / width).ceil().max(1.0);
            // A drift of thousands of deviations, or a price that is not a number.
            if panels.is_nan() || panels * exercises as f64 > PANELS_MAX {
                return f64::NAN;
            }
            let panels = panels as usize;
            let width = (self.top - critical) / panels as f64;
            let mut nodes = Vec::with_capacity(panels * POINTS);
            let mut weighted = Vec::with_capacity(panels * POINTS);
            for panel in 0..panels {
                let low = critical + panel as f64 * width;
                for (x, w) in self.rule.0.iter().zip(&self.rule.1) {
                    let node = low + width * x;
                    nodes.push(node);
                    weighted.push(width * w * self.continuation(node));
                }
            }
            (self.critical, self.nodes, self.weighted) = (critical, nodes, weighted);
        }
        self.continuation(ln(self.put.spot))
    }

    /// Value of holding at log price `x` one step before the date that the fields describe.
    fn continuation(&self, x: f64) -> f64 {
        let mean = x + self.drift;
        let s = self.deviation;
        let d = (self.critical - mean) / s;
        let forward = exp(mean + 0.5 * s * s);
        let exercised = self.put.strike * cdf(d) - forward * cdf(d - s);
        let (low, high) = (mean - REACH * s, mean + REACH * s);
        let from = self.nodes.partition_point(|node| *node < low);
        let to = self.nodes.partition_point(|node| *node <= high);
        let inverse = 1.0 / s;
        let held: f64 = self.nodes[from..to]
            .iter()
            .zip(&self.weighted[from..to])
            .map(|(node, value)| {
                let z = (node - mean) * inverse;
                value * exp(-0.5 * z * z)
            })
            .sum();
        self.discount * (exercised + held * (FRAC_1_SQRT_2PI * inverse))
    }

    /// The log price where exercise and holding are worth the same: continuation − payoff increases in
    /// the price, so bisection with secant steps is safe.
    fn find_critical(&self) -> f64 {
        let strike = self.put.strike;
        let gap = |x: f64| self.continuation(x) - (strike - exp(x));
        let mut high = ln(strike);
        let mut low = high - self.deviation;
        let mut stride = 4.0 * self.deviation;
        while gap(low) > 0.0 {
            high = low;
            low -= stride;
            stride *= 1.5;
            if high - low > 1e3 || low < -700.0 {
                return low;
            }
        }
        let (mut gap_low, mut gap_high) = (gap(low), gap(high));
        for i in 0..80 {
            if high - low < 1e-14 {
                break;
            }
            // Illinois steps, with a bisection now and then.
            let secant = high - gap_high * (high - low) / (gap_high - gap_low);
            let inside = secant > low && secant < high;
            let x = if i % 4 == 3 || !inside { 0.5 * (low + high) } else { secant };
            let value = gap(x);
            if value.abs() < 1e-15 * strike {
                return x;
            }
            if value > 0.0 {
                (high, gap_high) = (x, value);
                gap_low *= 0.5;
            } else {
                (low, gap_low) = (x, value);
                gap_high *= 0.5;
            }
        }
        0.5 * (low + high)
    }
}
