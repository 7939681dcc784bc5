//! Calibration of Heston to market volatilities with analytic derivatives.
//!
//! Minimises the weighted squares of (model price - market price)/vega, to first order
//! the error in implied volatility, by Levenberg–Marquardt. One characteristic-function
//! strip per expiry gives prices and derivatives of all its strikes; the derivatives
//! follow Cui, del Baño Rollin & Germano (EJOR 263, 2017) in spirit: exact, at nearly
//! the cost of the price. Bounds hold by a logistic change of variables.

use super::exponent::PARAMETERS;
use super::strip::{Accuracy, StrikeRange, Strip};
use super::{FellerReport, Heston};
use crate::math::{kernel, normal};
use crate::model_error::{ModelError, finite, positive};
use crate::numeric::least_squares::{MAX_PARAMETERS, NormalEquations, Stop, minimise};

/// One market volatility.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VolQuote {
    /// Log-moneyness `ln(K/F)`.
    pub k: f64,
    /// Years to expiry, > 0.
    pub years: f64,
    /// Black implied volatility, > 0.
    pub vol: f64,
    /// Weight of the squared error, >= 0 (for instance the inverse square of the
    /// half bid–ask width in volatility).
    pub weight: f64,
}

/// Lower and upper bound of each parameter in the order v0, kappa, theta, sigma, rho.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Lower bounds.
    pub low: [f64; PARAMETERS],
    /// Upper bounds.
    pub high: [f64; PARAMETERS],
}

impl Default for Bounds {
    fn default() -> Self {
        Self { low: [1e-5, 0.01, 1e-5, 0.01, -0.999], high: [4.0, 30.0, 4.0, 8.0, 0.999] }
    }
}

/// A calibrated model with its quality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// The fitted parameters.
    pub model: Heston,
    /// Root of the weighted mean square error in volatility (first order).
    pub rmse_vol: f64,
    /// Evaluations of all prices with derivatives.
    pub evaluations: usize,
    /// Whether the last steps no longer improved the fit.
    pub has_converged: bool,
    /// The Feller condition at the fitted parameters.
    pub feller: FellerReport,
    /// Parameters (same order as [`Bounds`]) that ended within 0.1 % of a bound.
    pub at_bound: [bool; PARAMETERS],
}

struct Target {
    k: f64,
    value: f64,
    /// Square root of the weight over vega.
    factor: f64,
}

struct Expiry {
    years: f64,
    range: StrikeRange,
    targets: Vec<Target>,
}

/// Fits Heston to `quotes`, starting from `start` (or from a guess by expiry).
///
/// # Errors
/// [`ModelError`] when fewer than five usable quotes are given, a number is not
/// admissible, or no step from the start can be evaluated.
pub fn calibrate(
    quotes: &[VolQuote],
    start: Option<Heston>,
    bounds: &Bounds,
) -> Result<Calibration, ModelError> {
    let expiries = group(quotes)?;
    let start = start.unwrap_or_else(|| guess(quotes));
    // 1e-10 of the forward is far below any quote's error and halves the nodes.
    let accuracy = Accuracy { tolerance: 1e-10, nodes_max: 4096 };
    let stop = Stop { evaluations: 100, relative_decrease: 1e-8 };
    let weight_sum: f64 = quotes.iter().map(|q| q.weight).sum();
    let fitted = minimise(PARAMETERS, bounds.encode(&start), stop, |x| {
        evaluate(&expiries, &bounds.decode(x), bounds, x, accuracy)
    })
    .ok_or(ModelError::NoConvergence { what: "Heston calibration", residual: f64::NAN })?;
    let model = bounds.decode(&fitted.x);
    let values = as_array(&model);
    let at_bound = core::array::from_fn(|i| {
        let share = (values[i] - bounds.low[i]) / (bounds.high[i] - bounds.low[i]);
        !(0.001..=0.999).contains(&share)
    });
    Ok(Calibration {
        model,
        rmse_vol: (fitted.cost / weight_sum).sqrt(),
        evaluations: fitted.evaluations,
        has_converged: fitted.has_converged,
        feller: model.feller(),
        at_bound,
    })
}

fn group(quotes: &[VolQuote]) -> Result<Vec<Expiry>, ModelError> {
    let usable = quotes.iter().filter(|q| q.weight > 0.0).count();
    if usable < PARAMETERS {
        return Err(ModelError::TooFew { what: "Heston calibration", needed: PARAMETERS, found: usable });
    }
    let mut expiries: Vec<Expiry> = Vec::new();
    for quote in quotes.iter().filter(|q| q.weight > 0.0) {
        let k = finite("log-moneyness", quote.k)?;
        let years = positive("years", quote.years)?;
        let root = positive("volatility", quote.vol)? * years.sqrt();
        let (d1, d2) = (-k / root + 0.5 * root, -k / root - 0.5 * root);
        let strike = kernel::exp(k);
        let value = if k >= 0.0 {
            normal::cdf(d1) - strike * normal::cdf(d2)
        } else {
            strike * normal::cdf(-d2) - normal::cdf(-d1)
        };
        let vega = normal::pdf(d1) * years.sqrt();
        // A quote without vega says nothing about volatility.
        if vega < 1e-10 {
            continue;
        }
        let target = Target { k, value, factor: finite("weight", quote.weight)?.sqrt() / vega };
        match expiries.iter_mut().find(|e| e.years.total_cmp(&years).is_eq()) {
            Some(expiry) => {
                expiry.range.low = expiry.range.low.min(k);
                expiry.range.high = expiry.range.high.max(k);
                expiry.targets.push(target);
            }
            None => {
                expiries.push(Expiry {
                    years,
                    range: StrikeRange { low: k, high: k },
                    targets: vec![target],
                });
            }
        }
    }
    Ok(expiries)
}

fn evaluate(
    expiries: &[Expiry],
    model: &Heston,
    bounds: &Bounds,
    x: &[f64; MAX_PARAMETERS],
    accuracy: Accuracy,
) -> Option<NormalEquations> {
    let inner = bounds.slopes(x);
    let mut equations = NormalEquations::new();
    for expiry in expiries {
        let strip = Strip::with_parameter_gradient(model, expiry.years, expiry.range, accuracy).ok()?;
        for target in &expiry.targets {
            let residual = (strip.time_value(target.k) - target.value) * target.factor;
            let gradient = strip.parameter_gradient(target.k, 0..PARAMETERS);
            let derivatives: [f64; PARAMETERS] =
                core::array::from_fn(|i| gradient[i] * inner[i] * target.factor);
            equations.add(residual, &derivatives);
        }
    }
    Some(equations)
}

/// Start: at-the-money variances of the nearest and farthest expiry, typical equity values else.
fn guess(quotes: &[VolQuote]) -> Heston {
    let money = |years: f64| {
        quotes
            .iter()
            .filter(|q| q.years.total_cmp(&years).is_eq())
            .min_by(|a, b| a.k.abs().total_cmp(&b.k.abs()))
            .map_or(0.04, |q| q.vol * q.vol)
    };
    let nearest = quotes.iter().map(|q| q.years).fold(f64::INFINITY, f64::min);
    let farthest = quotes.iter().map(|q| q.years).fold(0.0, f64::max);
    Heston { v0: money(nearest), kappa: 1.5, theta: money(farthest), sigma: 0.6, rho: -0.5 }
}

fn as_array(model: &Heston) -> [f64; PARAMETERS] {
    [model.v0, model.kappa, model.theta, model.sigma, model.rho]
}

impl Bounds {
    fn encode(&self, model: &Heston) -> [f64; MAX_PARAMETERS] {
        let mut x = [0.0; MAX_PARAMETERS];
        for (i, value) in as_array(model).into_iter().enumerate() {
            let share = ((value - self.low[i]) / (self.high[i] - self.low[i])).clamp(1e-6, 1.0 - 1e-6);
            x[i] = kernel::ln(share / (1.0 - share));
        }
        x
    }

    fn share(x: f64) -> f64 {
        1.0 / (1.0 + kernel::exp(-x.clamp(-40.0, 40.0)))
    }

    fn decode(&self, x: &[f64; MAX_PARAMETERS]) -> Heston {
        let at = |i: usize| self.low[i] + (self.high[i] - self.low[i]) * Self::share(x[i]);
        Heston { v0: at(0), kappa: at(1), theta: at(2), sigma: at(3), rho: at(4) }
    }

    /// Derivative of each parameter by its unbounded variable.
    fn slopes(&self, x: &[f64; MAX_PARAMETERS]) -> [f64; PARAMETERS] {
        core::array::from_fn(|i| {
            let share = Self::share(x[i]);
            (self.high[i] - self.low[i]) * share * (1.0 - share)
        })
    }
}
