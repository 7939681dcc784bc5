//! Sensitivities where prices are taken on the tilted contour: central differences of fourth order of the
//! covered share `m(x) = E[min(S_T, K)]/F`, each point an integral of its own.
//!
//! The integrals are good to some 1e-13 and the steps are a fiftieth of the smile's own scale, so first
//! derivatives keep about nine digits, the density about six; where little variance and much volatility of
//! variance leave the density a cusp at the forward, its value on the cusp is an average over the step.

use super::Heston;
use super::contour::half_weighted_price;
use super::exponent::PARAMETERS;
use crate::math::kernel;
use crate::model_error::ModelError;

/// The covered share and its derivatives at one log-moneyness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slopes {
    /// `m`.
    pub(super) covered: f64,
    /// `m'`.
    pub(super) slope: f64,
    /// `m' - m''`.
    pub(super) density: f64,
    /// `dm/dT`.
    pub(super) in_time: f64,
    /// `-dm/dp` by v0, kappa, theta, sigma, rho.
    pub(super) by_parameter: [f64; PARAMETERS],
}

/// Step as a share of the scale it is taken on.
const SHARE: f64 = 0.02;

impl Slopes {
    pub(super) fn on_contour(model: &Heston, x: f64, t: f64, tolerance: f64) -> Result<Self, ModelError> {
        let covered = |model: &Heston, x: f64, t: f64| -> Result<f64, ModelError> {
            Ok(half_weighted_price(model, x, t, tolerance)? * kernel::exp(0.5 * x))
        };
        let middle = covered(model, x, t)?;
        let h = SHARE * model.expected_total_variance(t).sqrt().max(1e-4);
        let at = |k: f64| covered(model, x + k * h, t);
        let (up, down, far_up, far_down) = (at(1.0)?, at(-1.0)?, at(2.0)?, at(-2.0)?);
        let slope = (8.0 * (up - down) - (far_up - far_down)) / (12.0 * h);
        let bend = (16.0 * (up + down) - (far_up + far_down) - 30.0 * middle) / (12.0 * h * h);
        // Where a parameter ends (a variance of zero, a correlation of one) the difference is one-sided.
        let derivative = |step: f64, low: bool, high: bool, at: &dyn Fn(f64) -> Result<f64, ModelError>| {
            if low && high {
                return Ok(
                    (8.0 * (at(step)? - at(-step)?) - (at(2.0 * step)? - at(-2.0 * step)?)) / (12.0 * step)
                );
            }
            let side = if high { step } else { -step };
            Ok((4.0 * at(side)? - at(2.0 * side)? - 3.0 * middle) / (2.0 * side))
        };
        let in_time = derivative(1e-2 * t, true, true, &|dt| covered(model, x, t + dt))?;
        let mut by_parameter = [0.0; PARAMETERS];
        let own = [model.v0, model.kappa, model.theta, model.sigma, model.rho];
        for (i, slope) in by_parameter.iter_mut().enumerate() {
            let is_rho = i == PARAMETERS - 1;
            let step = if is_rho { 1e-3 } else { 1e-2 * own[i].max(1e-3) };
            let low = if is_rho { own[i] - 2.0 * step > -1.0 } else { own[i] > 2.0 * step };
            let high = !is_rho || own[i] + 2.0 * step < 1.0;
            *slope = -derivative(step, low, high, &|shift| {
                let mut moved = own;
                moved[i] += shift;
                let [v0, kappa, theta, sigma, rho] = moved;
                covered(&Heston { v0, kappa, theta, sigma, rho }, x, t)
            })?;
        }
        Ok(Self { covered: middle, slope, density: slope - bend, in_time, by_parameter })
    }
}
