//! Calibration of Heston and Bates to market volatilities with analytic derivatives.
//!
//! Minimises the weighted squares of (model price - market price)/vega, to first order
//! the error in implied volatility, by Levenberg–Marquardt. One characteristic-function
//! strip per expiry gives prices and derivatives of all its strikes; the derivatives
//! follow Cui, del Baño Rollin & Germano (EJOR 263, 2017) in spirit: exact, at nearly
//! the cost of the price. Bounds hold by a logistic change of variables.
//!
//! Bates adds three jump parameters. They and the volatility of variance explain the same short smiles, so
//! the fit starts from Heston's with several kinds of jumps and keeps the best; prices are determined much
//! better than parameters.

use super::exponent::{BATES_PARAMETERS, ExponentGradient, PARAMETERS};
use super::strip::{Accuracy, StrikeRange, Strip};
use super::{Bates, FellerReport, Heston};
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

/// Lower and upper bound of each parameter in the order v0, kappa, theta, sigma, rho; for Bates then
/// intensity, jump mean, jump volatility.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds<const N: usize = PARAMETERS> {
    /// Lower bounds.
    pub low: [f64; N],
    /// Upper bounds.
    pub high: [f64; N],
}

/// Bounds of [`calibrate_bates`].
pub type BatesBounds = Bounds<BATES_PARAMETERS>;

impl Default for Bounds {
    fn default() -> Self {
        Self { low: [1e-5, 0.01, 1e-5, 0.01, -0.999], high: [4.0, 30.0, 4.0, 8.0, 0.999] }
    }
}

impl Default for BatesBounds {
    /// Heston's, up to twenty jumps a year, mean jumps from a half to one and a half times the price.
    fn default() -> Self {
        Self {
            low: [1e-5, 0.01, 1e-5, 0.01, -0.999, 1e-4, -0.7, 1e-3],
            high: [4.0, 30.0, 4.0, 8.0, 0.999, 20.0, 0.4, 0.6],
        }
    }
}

/// A calibrated model with its quality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration<M = Heston, const N: usize = PARAMETERS> {
    /// The fitted parameters.
    pub model: M,
    /// Root of the weighted mean square error in volatility (first order).
    pub rmse_vol: f64,
    /// Evaluations of all prices with derivatives.
    pub evaluations: usize,
    /// Whether the last steps no longer improved the fit.
    pub has_converged: bool,
    /// The Feller condition at the fitted parameters.
    pub feller: FellerReport,
    /// Parameters (same order as [`Bounds`]) that ended within 0.1 % of a bound.
    pub at_bound: [bool; N],
}

/// A calibrated Bates model.
pub type BatesCalibration = Calibration<Bates, BATES_PARAMETERS>;

/// A model as the vector that [`Bounds`] bound.
trait Parameters<const N: usize>: ExponentGradient<N> {
    fn to_array(&self) -> [f64; N];
    fn from_array(values: [f64; N]) -> Self;
    fn diffusion(&self) -> &Heston;
}

impl Parameters<PARAMETERS> for Heston {
    fn to_array(&self) -> [f64; PARAMETERS] {
        [self.v0, self.kappa, self.theta, self.sigma, self.rho]
    }

    fn from_array([v0, kappa, theta, sigma, rho]: [f64; PARAMETERS]) -> Self {
        Heston { v0, kappa, theta, sigma, rho }
    }

    fn diffusion(&self) -> &Heston {
        self
    }
}

impl Parameters<BATES_PARAMETERS> for Bates {
    fn to_array(&self) -> [f64; BATES_PARAMETERS] {
        let [v0, kappa, theta, sigma, rho] = self.heston.to_array();
        [v0, kappa, theta, sigma, rho, self.intensity, self.jump_mean, self.jump_vol]
    }

    fn from_array(values: [f64; BATES_PARAMETERS]) -> Self {
        let [v0, kappa, theta, sigma, rho, intensity, jump_mean, jump_vol] = values;
        Bates { heston: Heston { v0, kappa, theta, sigma, rho }, intensity, jump_mean, jump_vol }
    }

    fn diffusion(&self) -> &Heston {
        &self.heston
    }
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
    let expiries = group(quotes, PARAMETERS)?;
    fit(quotes, &expiries, &start.unwrap_or_else(|| guess(quotes)), bounds)
}

/// Fits Bates to `quotes`, starting from `start`, or from Heston's fit with several kinds of jumps.
///
/// # Errors
/// As [`calibrate`], with eight usable quotes at least.
pub fn calibrate_bates(
    quotes: &[VolQuote],
    start: Option<Bates>,
    bounds: &BatesBounds,
) -> Result<BatesCalibration, ModelError> {
    let expiries = group(quotes, BATES_PARAMETERS)?;
    if let Some(start) = start {
        return fit(quotes, &expiries, &start, bounds);
    }
    let heston = fit(quotes, &expiries, &guess(quotes), &Bounds::default())?;
    // Rare crashes, frequent small falls, jumps to both sides, and hardly any jumps, which is Heston.
    const JUMPS: [(f64, f64, f64); 4] =
        [(0.2, -0.2, 0.1), (1.5, -0.05, 0.05), (1.0, 0.0, 0.1), (0.01, -0.1, 0.1)];
    let mut best: Option<BatesCalibration> = None;
    let mut evaluations = heston.evaluations;
    for (intensity, jump_mean, jump_vol) in JUMPS {
        // Jumps take their share of the variance, at most half of it.
        let jumps = intensity * (jump_mean * jump_mean + jump_vol * jump_vol);
        let model = heston.model;
        let less = |variance: f64| (variance - jumps).max(0.5 * variance);
        let diffusion = Heston { v0: less(model.v0), theta: less(model.theta), ..model };
        let start = Bates { heston: diffusion, intensity, jump_mean, jump_vol };
        let Ok(found) = fit(quotes, &expiries, &start, bounds) else { continue };
        evaluations += found.evaluations;
        if best.as_ref().is_none_or(|best| found.rmse_vol < best.rmse_vol) {
            best = Some(found);
        }
    }
    let best = best.ok_or(ModelError::NoConvergence { what: "Bates calibration", residual: f64::NAN })?;
    Ok(Calibration { evaluations, ..best })
}

fn fit<M: Parameters<N>, const N: usize>(
    quotes: &[VolQuote],
    expiries: &[Expiry],
    start: &M,
    bounds: &Bounds<N>,
) -> Result<Calibration<M, N>, ModelError> {
    // 1e-10 of the forward is far below any quote's error and halves the nodes.
    let accuracy = Accuracy { tolerance: 1e-10, nodes_max: 4096 };
    let stop = Stop { evaluations: 100, relative_decrease: 1e-8 };
    let weight_sum: f64 = quotes.iter().map(|q| q.weight).sum();
    let fitted = minimise(N, bounds.encode(&start.to_array()), stop, |x| {
        evaluate(expiries, &M::from_array(bounds.decode(x)), bounds, x, accuracy)
    })
    .ok_or(ModelError::NoConvergence { what: "calibration", residual: f64::NAN })?;
    let values = bounds.decode(&fitted.x);
    let model = M::from_array(values);
    let at_bound = core::array::from_fn(|i| {
        let share = (values[i] - bounds.low[i]) / (bounds.high[i] - bounds.low[i]);
        !(0.001..=0.999).contains(&share)
    });
    Ok(Calibration {
        feller: model.diffusion().feller(),
        model,
        rmse_vol: (fitted.cost / weight_sum).sqrt(),
        evaluations: fitted.evaluations,
        has_converged: fitted.has_converged,
        at_bound,
    })
}

fn group(quotes: &[VolQuote], needed: usize) -> Result<Vec<Expiry>, ModelError> {
    let found = quotes.iter().filter(|q| q.weight > 0.0).count();
    if found < needed {
        return Err(ModelError::TooFew { what: "quotes for the calibration", needed, found });
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

fn evaluate<M: ExponentGradient<N>, const N: usize>(
    expiries: &[Expiry],
    model: &M,
    bounds: &Bounds<N>,
    x: &[f64; MAX_PARAMETERS],
    accuracy: Accuracy,
) -> Option<NormalEquations> {
    let inner = bounds.slopes(x);
    let mut equations = NormalEquations::new();
    for expiry in expiries {
        let strip = Strip::with_parameter_gradient(model, expiry.years, expiry.range, accuracy).ok()?;
        for target in &expiry.targets {
            let residual = (strip.time_value(target.k) - target.value) * target.factor;
            let gradient: [f64; N] = strip.parameter_gradient(target.k, 0..N);
            let derivatives: [f64; N] = core::array::from_fn(|i| gradient[i] * inner[i] * target.factor);
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

impl<const N: usize> Bounds<N> {
    fn encode(&self, values: &[f64; N]) -> [f64; MAX_PARAMETERS] {
        let mut x = [0.0; MAX_PARAMETERS];
        for (i, value) in values.iter().enumerate() {
            let share = ((value - self.low[i]) / (self.high[i] - self.low[i])).clamp(1e-6, 1.0 - 1e-6);
            x[i] = kernel::ln(share / (1.0 - share));
        }
        x
    }

    fn share(x: f64) -> f64 {
        1.0 / (1.0 + kernel::exp(-x.clamp(-40.0, 40.0)))
    }

    fn decode(&self, x: &[f64; MAX_PARAMETERS]) -> [f64; N] {
        core::array::from_fn(|i| self.low[i] + (self.high[i] - self.low[i]) * Self::share(x[i]))
    }

    /// Derivative of each parameter by its unbounded variable.
    fn slopes(&self, x: &[f64; MAX_PARAMETERS]) -> [f64; N] {
        core::array::from_fn(|i| {
            let share = Self::share(x[i]);
            (self.high[i] - self.low[i]) * share * (1.0 - share)
        })
    }
}
