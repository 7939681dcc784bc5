//! Pay-offs of simulated paths.

use crate::Right;

/// Present value of a path. Blocks of a simulation may be computed on several threads.
pub trait Payoff: Sync {
    /// Value at time zero of the pay-off of `prices` (layout `[date][asset]`).
    fn value(&self, prices: &[f64]) -> f64;
}

impl<F: Fn(&[f64]) -> f64 + Sync> Payoff for F {
    fn value(&self, prices: &[f64]) -> f64 {
        self(prices)
    }
}

/// Pays on the last price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct European {
    /// Call or put.
    pub right: Right,
    /// Strike.
    pub strike: f64,
    /// Discount factor to the pay date.
    pub discount: f64,
}

impl Payoff for European {
    fn value(&self, prices: &[f64]) -> f64 {
        prices.last().map_or(0.0, |&s| self.discount * self.right.intrinsic(s, self.strike))
    }
}

/// How an Asian option averages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// Arithmetic mean of the dates.
    Arithmetic,
    /// Geometric mean of the dates.
    Geometric,
}

/// Pays on the average of the monitored prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asian {
    /// Call or put.
    pub right: Right,
    /// Strike.
    pub strike: f64,
    /// Kind of mean.
    pub average: Average,
    /// Discount factor to the pay date.
    pub discount: f64,
}

impl Payoff for Asian {
    fn value(&self, prices: &[f64]) -> f64 {
        let n = prices.len() as f64;
        let average = match self.average {
            Average::Arithmetic => prices.iter().sum::<f64>() / n,
            Average::Geometric => {
                crate::math::kernel::exp(prices.iter().map(|&s| crate::math::kernel::ln(s)).sum::<f64>() / n)
            }
        };
        self.discount * self.right.intrinsic(average, self.strike)
    }
}

/// Exact value of a discretely monitored geometric Asian option under geometric
/// Brownian motion (the mean of normals is normal), the control variate of the
/// arithmetic one (Kemna & Vorst 1990).
///
/// # Errors
/// [`crate::ModelError`] when a number is out of range or no dates are given.
pub fn geometric_asian_value(
    model: &super::model::Gbm,
    times: &[f64],
    asian: &Asian,
) -> Result<f64, crate::ModelError> {
    use super::model::PathModel;
    model.validate()?;
    crate::model_error::positive("strike", asian.strike)?;
    let n = crate::model_error::positive("number of dates", times.len() as f64)?;
    let drift = model.market.rate - model.market.dividend_yield - 0.5 * model.vol * model.vol;
    let mean = libm::log(model.market.spot) + drift * times.iter().sum::<f64>() / n;
    // Var(mean of W) = (1/n^2) sum_i t_i (2 (n - i) + 1), dates ascending.
    let weighted: f64 = times.iter().enumerate().map(|(i, t)| t * (2.0 * (n - i as f64 - 1.0) + 1.0)).sum();
    let deviation = model.vol * (weighted / (n * n)).sqrt();
    let forward = libm::exp(mean + 0.5 * deviation * deviation);
    let sign = asian.right.sign();
    let d1 = (mean - libm::log(asian.strike)) / deviation + deviation;
    let cdf = crate::math::normal::cdf;
    let value = sign * (forward * cdf(sign * d1) - asian.strike * cdf(sign * (d1 - deviation)));
    crate::model_error::finite("geometric Asian value", asian.discount * value)
}

/// Whether a barrier option lives or dies at its barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knock {
    /// Pays only if the barrier was reached.
    In,
    /// Pays only if it was not.
    Out,
}

/// Pays on the last price subject to a barrier observed at the monitoring dates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Barrier {
    /// The option.
    pub option: European,
    /// In or out.
    pub knock: Knock,
    /// Level.
    pub level: f64,
    /// Whether the barrier lies above the spot.
    pub is_up: bool,
    /// Paid at the end when the option does not come to life or has died.
    pub rebate: f64,
}

impl Payoff for Barrier {
    fn value(&self, prices: &[f64]) -> f64 {
        let is_hit = prices.iter().any(|&s| if self.is_up { s >= self.level } else { s <= self.level });
        if is_hit == (self.knock == Knock::In) {
            self.option.value(prices)
        } else {
            self.option.discount * self.rebate
        }
    }
}

/// A barrier observed continuously under geometric Brownian motion: between dates the
/// bridge's survival probability `1 - exp(-2 ln(S1/H) ln(S2/H)/(sigma^2 dt))` weighs the
/// path (Beaglehole, Dybvig & Zhou 1997), so few dates suffice. Rebates are paid at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct ContinuousBarrier {
    /// The discretely observed option.
    pub barrier: Barrier,
    /// Price at time zero.
    pub spot: f64,
    /// `sigma^2 dt` of each interval.
    pub variances: Vec<f64>,
}

impl Payoff for ContinuousBarrier {
    fn value(&self, prices: &[f64]) -> f64 {
        use crate::math::kernel::{exp, ln};
        let side = if self.barrier.is_up { -1.0 } else { 1.0 };
        let mut before = side * ln(self.spot / self.barrier.level);
        let mut survival = if before > 0.0 { 1.0 } else { 0.0 };
        for (&price, variance) in prices.iter().zip(&self.variances) {
            let here = side * ln(price / self.barrier.level);
            if here <= 0.0 || survival == 0.0 {
                survival = 0.0;
                break;
            }
            survival *= 1.0 - exp(-2.0 * before * here / variance);
            before = here;
        }
        let alive = match self.barrier.knock {
            Knock::Out => survival,
            Knock::In => 1.0 - survival,
        };
        alive * self.barrier.option.value(prices)
            + (1.0 - alive) * self.barrier.option.discount * self.barrier.rebate
    }
}

/// A look-back option on the extreme of the monitored prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lookback {
    /// Call (on the maximum) or put (on the minimum) with a fixed strike; with a
    /// floating strike, call = last minus minimum, put = maximum minus last.
    pub right: Right,
    /// Fixed strike, or `None` for a floating one.
    pub strike: Option<f64>,
    /// Price at time zero, part of the extreme.
    pub spot: f64,
    /// Discount factor to the pay date.
    pub discount: f64,
}

impl Payoff for Lookback {
    fn value(&self, prices: &[f64]) -> f64 {
        let high = prices.iter().copied().fold(self.spot, f64::max);
        let low = prices.iter().copied().fold(self.spot, f64::min);
        let last = prices.last().copied().unwrap_or(self.spot);
        let value = match (self.right, self.strike) {
            (Right::Call, Some(strike)) => (high - strike).max(0.0),
            (Right::Put, Some(strike)) => (strike - low).max(0.0),
            (Right::Call, None) => last - low,
            (Right::Put, None) => high - last,
        };
        self.discount * value
    }
}

/// An option on the weighted sum of several assets at the last date.
#[derive(Debug, Clone, PartialEq)]
pub struct Basket {
    /// Weight of each asset.
    pub weights: Vec<f64>,
    /// Call or put.
    pub right: Right,
    /// Strike.
    pub strike: f64,
    /// Discount factor to the pay date.
    pub discount: f64,
}

impl Payoff for Basket {
    fn value(&self, prices: &[f64]) -> f64 {
        let last = &prices[prices.len() - prices.len().min(self.weights.len())..];
        let level: f64 = last.iter().zip(&self.weights).map(|(s, w)| s * w).sum();
        self.discount * self.right.intrinsic(level, self.strike)
    }
}
