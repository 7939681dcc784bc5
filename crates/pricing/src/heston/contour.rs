//! One strike at a time on a tilted contour, for characteristic functions that decay slowly.
//!
//! With little variance and much volatility of variance `|phi(u)|` falls only like
//! `exp(-u (v0 + kappa theta T) sqrt(1 - rho^2)/sigma)`, and the uniform nodes of
//! [`super::strip`] would run into the millions. The integrand is analytic off the
//! imaginary axis, so the half-line may be turned towards the direction in which the
//! asymptotic exponent `-w (A sqrt(1-rho^2) + i (x + A rho))`, `A = (v0 + kappa theta T)/sigma`,
//! falls fastest (Andersen & Lake, "Robust high-precision option pricing by Fourier
//! transforms: contour deformations and double-exponential quadrature", 2018). There the
//! integrand hardly oscillates and the exp-sinh rule converges doubly exponentially.

use super::exponent::HalfShiftedExponent;
use crate::math::kernel;
use crate::model_error::ModelError;
use core::f64::consts::{FRAC_PI_2, PI};

/// Largest angle of the contour: at `pi/6` the Gaussian part `exp(-w^2 …)` still falls.
const ANGLE_MAX: f64 = PI / 6.0;
/// Halvings of the step.
const LEVELS: usize = 8;

/// `G(x) = (1/pi) Re int_0^inf e^{-iwx} phi(w - i/2)/(w^2 + 1/4) dw` to about `tolerance`.
pub(super) fn half_weighted_price<M: HalfShiftedExponent>(
    model: &M,
    x: f64,
    t: f64,
    tolerance: f64,
) -> Result<f64, ModelError> {
    let (fall, phase) = model.asymptotic_rate(t);
    let angle = (-libm::atan2(x + phase, fall)).clamp(-ANGLE_MAX, ANGLE_MAX);
    let (sin, cos) = libm::sincos(angle);
    let integrand = |s: f64| {
        let y = kernel::exp(FRAC_PI_2 * libm::sinh(s));
        let weight = FRAC_PI_2 * libm::cosh(s) * y;
        let (re, im) = (y * cos, y * sin);
        let (psi_re, psi_im) = model.exponent_off_axis(re, im, t);
        // -i w x
        let size = kernel::exp(psi_re + im * x);
        let (phase_sin, phase_cos) = libm::sincos(psi_im - re * x);
        // e^{i angle}/(w^2 + 1/4)
        let (below_re, below_im) = (re * re - im * im + 0.25, 2.0 * re * im);
        let norm = below_re * below_re + below_im * below_im;
        let (turn_re, turn_im) =
            ((cos * below_re + sin * below_im) / norm, (sin * below_re - cos * below_im) / norm);
        let value = weight * size * (phase_cos * turn_re - phase_sin * turn_im);
        // Far ends overflow to inf * 0; they contribute nothing.
        if value.is_finite() { value } else { 0.0 }
    };
    // y runs from e^-43 to e^43 or so.
    let (low, high) = (-4.0, 4.0);
    let mut step = 0.25;
    let mut sum: f64 = (0..=32).map(|i| integrand(low + step * f64::from(i))).sum();
    let mut last = sum * step;
    let mut change = f64::INFINITY;
    for _ in 0..LEVELS {
        let count = ((high - low) / step) as usize;
        sum += (0..count).map(|i| integrand(low + step * (i as f64 + 0.5))).sum::<f64>();
        step *= 0.5;
        let here = sum * step;
        let previous = change;
        change = (here - last).abs() / PI;
        last = here;
        // The error squares with each halving: a change of the root of the tolerance suffices
        // once the changes fall; rounding sets the floor.
        if change < 0.1 * tolerance || (change < 1e-15 && previous < 1e-13) {
            return Ok(here / PI);
        }
    }
    if change < 1e-12 {
        return Ok(last / PI);
    }
    Err(ModelError::NoConvergence { what: "Fourier integral on the tilted contour", residual: change })
}
