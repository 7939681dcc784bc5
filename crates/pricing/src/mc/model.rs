//! Path models: standard normals in, prices at the monitoring dates out.

use crate::heston::{Heston, Market};
use crate::math::{kernel, normal};
use crate::model_error::{ModelError, finite, in_range, non_negative, positive, same_length};

/// One time step of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Start in years.
    pub start: f64,
    /// Length in years.
    pub dt: f64,
    /// Square root of the length.
    pub root_dt: f64,
}

/// A model that can be simulated.
pub trait PathModel {
    /// Standard normals used per time step.
    fn normals_per_step(&self) -> usize;

    /// Assets per date in the output.
    fn assets(&self) -> usize {
        1
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the first parameter out of range.
    fn validate(&self) -> Result<(), ModelError>;

    /// Writes the prices in the layout `[step][asset]` from normals `[step][factor]`.
    fn path(&self, steps: &[Step], normals: &[f64], prices: &mut [f64]);
}

/// Geometric Brownian motion, exact at the dates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gbm {
    /// Spot and carry.
    pub market: Market,
    /// Volatility per 1.00.
    pub vol: f64,
}

impl PathModel for Gbm {
    fn normals_per_step(&self) -> usize {
        1
    }

    fn validate(&self) -> Result<(), ModelError> {
        self.market.validate()?;
        non_negative("volatility", self.vol)?;
        Ok(())
    }

    fn path(&self, steps: &[Step], normals: &[f64], prices: &mut [f64]) {
        let drift = self.market.rate - self.market.dividend_yield - 0.5 * self.vol * self.vol;
        let mut log = 0.0;
        for ((step, z), price) in steps.iter().zip(normals).zip(prices) {
            log += drift * step.dt + self.vol * step.root_dt * z;
            *price = self.market.spot * kernel::exp(log);
        }
    }
}

/// Heston by the quadratic-exponential scheme with martingale correction
/// (Andersen, J. of Computational Finance 11(3), 2008, sections 3.2 and 4.3).
/// Weak error of first order in the step; use at least 8 steps a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HestonPaths {
    /// Spot and carry.
    pub market: Market,
    /// Parameters; `sigma` > 0 and `kappa` > 0.
    pub model: Heston,
}

impl PathModel for HestonPaths {
    fn normals_per_step(&self) -> usize {
        2
    }

    fn validate(&self) -> Result<(), ModelError> {
        self.market.validate()?;
        self.model.validate()?;
        positive("Heston sigma", self.model.sigma)?;
        positive("Heston kappa", self.model.kappa)?;
        Ok(())
    }

    fn path(&self, steps: &[Step], normals: &[f64], prices: &mut [f64]) {
        let m = &self.model;
        let (mut log, mut v) = (0.0, m.v0);
        for ((step, z), price) in steps.iter().zip(normals.as_chunks::<2>().0).zip(prices) {
            let decay = kernel::exp(-m.kappa * step.dt);
            let mean = m.theta + (v - m.theta) * decay;
            let variance = m.sigma * m.sigma / m.kappa
                * (v * decay * (1.0 - decay) + 0.5 * m.theta * (1.0 - decay) * (1.0 - decay));
            let half = 0.5 * step.dt;
            let ratio = m.rho / m.sigma;
            // Central weights gamma1 = gamma2 = 1/2.
            let k1 = half * (m.kappa * ratio - 0.5) - ratio;
            let k2 = half * (m.kappa * ratio - 0.5) + ratio;
            let k3 = half * (1.0 - m.rho * m.rho);
            let a = k2 + 0.5 * k3;
            let (next, log_moment) = quadratic_exponential(mean, variance, z[0], a);
            // K0* of the martingale correction; plain K0 where the moment does not exist.
            let k0 = if log_moment.is_finite() {
                -log_moment - (k1 + 0.5 * k3) * v
            } else {
                -ratio * m.kappa * m.theta * step.dt
            };
            let spread = (k3 * (v + next)).max(0.0).sqrt();
            let drift = (self.market.rate - self.market.dividend_yield) * step.dt;
            log += drift + k0 + k1 * v + k2 * next + spread * z[1];
            v = next;
            *price = self.market.spot * kernel::exp(log);
        }
    }
}

/// The next variance matching `mean` and `variance`, and `ln E[exp(a v)]` of the scheme.
fn quadratic_exponential(mean: f64, variance: f64, z: f64, a: f64) -> (f64, f64) {
    let psi = variance / (mean * mean);
    if psi.is_nan() || psi <= 1e-14 {
        return (mean, a * mean);
    }
    if psi <= 1.5 {
        let inverse = 2.0 / psi;
        let b2 = inverse - 1.0 + (inverse * (inverse - 1.0)).sqrt();
        let scale = mean / (1.0 + b2);
        let root = b2.sqrt() + z;
        let free = 1.0 - 2.0 * a * scale;
        let moment = if free > 0.0 { a * b2 * scale / free - 0.5 * kernel::ln(free) } else { f64::INFINITY };
        (scale * root * root, moment)
    } else {
        let p = (psi - 1.0) / (psi + 1.0);
        let beta = (1.0 - p) / mean;
        let u = normal::cdf(z);
        let next = if u <= p { 0.0 } else { kernel::ln((1.0 - p) / (1.0 - u)) / beta };
        let moment = if a < beta { kernel::ln(p + beta * (1.0 - p) / (beta - a)) } else { f64::INFINITY };
        (next, moment)
    }
}

/// Merton's jump diffusion (J. of Financial Economics 3, 1976), exact at the dates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MertonPaths {
    /// Spot and carry.
    pub market: Market,
    /// Diffusive volatility per 1.00.
    pub vol: f64,
    /// Expected jumps per year.
    pub intensity: f64,
    /// Mean of the log-jump.
    pub jump_mean: f64,
    /// Standard deviation of the log-jump.
    pub jump_vol: f64,
}

impl PathModel for MertonPaths {
    fn normals_per_step(&self) -> usize {
        3
    }

    fn validate(&self) -> Result<(), ModelError> {
        self.market.validate()?;
        non_negative("volatility", self.vol)?;
        in_range("jump intensity", self.intensity, "in [0, 500]", |x| (0.0..=500.0).contains(&x))?;
        finite("jump mean", self.jump_mean)?;
        non_negative("jump volatility", self.jump_vol)?;
        Ok(())
    }

    fn path(&self, steps: &[Step], normals: &[f64], prices: &mut [f64]) {
        let compensator = self.intensity * libm::expm1(self.jump_mean + 0.5 * self.jump_vol * self.jump_vol);
        let drift = self.market.rate - self.market.dividend_yield - 0.5 * self.vol * self.vol - compensator;
        let mut log = 0.0;
        for ((step, z), price) in steps.iter().zip(normals.as_chunks::<3>().0).zip(prices) {
            let jumps = poisson(self.intensity * step.dt, normal::cdf(z[1]));
            log += drift * step.dt + self.vol * step.root_dt * z[0];
            log += jumps * self.jump_mean + jumps.sqrt() * self.jump_vol * z[2];
            *price = self.market.spot * kernel::exp(log);
        }
    }
}

/// Poisson quantile by summation, at most 10,000 terms.
fn poisson(mean: f64, u: f64) -> f64 {
    let mut term = kernel::exp(-mean);
    let (mut sum, mut n) = (term, 0.0);
    while sum < u && n < 10_000.0 {
        n += 1.0;
        term *= mean / n;
        sum += term;
    }
    n
}

/// A local volatility function simulated by Euler steps of the log-price.
pub struct LocalVolPaths<F: Fn(f64, f64) -> f64> {
    /// Spot and carry.
    pub market: Market,
    /// Volatility as a function of time (years) and `ln(S/F(t))`.
    pub vol: F,
    /// Euler steps inside each monitoring interval, >= 1.
    pub substeps: usize,
}

impl<F: Fn(f64, f64) -> f64> PathModel for LocalVolPaths<F> {
    fn normals_per_step(&self) -> usize {
        self.substeps
    }

    fn validate(&self) -> Result<(), ModelError> {
        self.market.validate()?;
        positive("substeps", self.substeps as f64)?;
        Ok(())
    }

    fn path(&self, steps: &[Step], normals: &[f64], prices: &mut [f64]) {
        let carry = self.market.rate - self.market.dividend_yield;
        let mut k = 0.0;
        for ((step, z), price) in steps.iter().zip(normals.chunks_exact(self.substeps)).zip(prices) {
            let dt = step.dt / self.substeps as f64;
            let root = dt.sqrt();
            for (i, z) in z.iter().enumerate() {
                let vol = (self.vol)(step.start + (i as f64 + 0.5) * dt, k);
                k += vol * root * z - 0.5 * vol * vol * dt;
            }
            *price = self.market.spot * kernel::exp(carry * (step.start + step.dt) + k);
        }
    }
}

/// Correlated geometric Brownian motions sharing one interest rate.
#[derive(Debug, Clone, PartialEq)]
pub struct BasketPaths {
    spots: Vec<f64>,
    drifts: Vec<f64>,
    /// Rows of the Cholesky factor of the covariance rate.
    loadings: Vec<Vec<f64>>,
}

impl BasketPaths {
    /// From spots, yields, volatilities and a correlation matrix in row order.
    ///
    /// # Errors
    /// [`ModelError`] when lengths differ, a number is out of range, or the correlations
    /// are not positive definite.
    pub fn new(
        spots: &[f64],
        dividend_yields: &[f64],
        vols: &[f64],
        correlations: &[f64],
        rate: f64,
    ) -> Result<Self, ModelError> {
        let n = spots.len();
        same_length("spots and yields", n, dividend_yields.len())?;
        same_length("spots and volatilities", n, vols.len())?;
        same_length("correlation entries", n * n, correlations.len())?;
        finite("rate", rate)?;
        let mut loadings = vec![vec![0.0; n]; n];
        let mut drifts = Vec::with_capacity(n);
        for i in 0..n {
            positive("spot", spots[i])?;
            non_negative("volatility", vols[i])?;
            drifts.push(rate - finite("dividend yield", dividend_yields[i])? - 0.5 * vols[i] * vols[i]);
            for j in 0..=i {
                let shared: f64 = (0..j).map(|k| loadings[i][k] * loadings[j][k]).sum();
                let rest = correlations[i * n + j] - shared;
                loadings[i][j] = if i == j {
                    positive("pivot of the correlation matrix", rest)?.sqrt()
                } else {
                    finite("correlation", rest / loadings[j][j])?
                };
            }
        }
        for (row, vol) in loadings.iter_mut().zip(vols) {
            for x in row {
                *x *= vol;
            }
        }
        Ok(Self { spots: spots.to_vec(), drifts, loadings })
    }
}

impl PathModel for BasketPaths {
    fn normals_per_step(&self) -> usize {
        self.spots.len()
    }

    fn assets(&self) -> usize {
        self.spots.len()
    }

    fn validate(&self) -> Result<(), ModelError> {
        positive("assets", self.spots.len() as f64)?;
        Ok(())
    }

    fn path(&self, steps: &[Step], normals: &[f64], prices: &mut [f64]) {
        let n = self.spots.len();
        for (s, step) in steps.iter().enumerate() {
            let z = &normals[s * n..(s + 1) * n];
            for i in 0..n {
                let before = if s == 0 { self.spots[i] } else { prices[(s - 1) * n + i] };
                let shock: f64 = self.loadings[i][..=i].iter().zip(z).map(|(l, z)| l * z).sum();
                prices[s * n + i] = before * kernel::exp(self.drifts[i] * step.dt + step.root_dt * shock);
            }
        }
    }
}
