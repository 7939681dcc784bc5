//! The COS method (Fang & Oosterlee, SIAM J. Sci. Comput. 31(2), 2008).
//!
//! The density of `X = ln(S_T/F)` weighted by `e^{X/2}` is expanded in cosines on
//! `[a, b]`; its coefficients are values of the half-shifted characteristic function,
//! so that calls and puts are treated alike and neither pay-off grows like `e^X`
//! (section 3.3 of the paper prices puts only, for that reason). An engine
//! independent of [`super::strip`] in everything but the exponent. The caller chooses
//! range and length: heavy tails need a wide range, little variance with much volatility
//! of variance needs many terms.

use super::exponent::HalfShiftedExponent;
use crate::math::kernel;
use crate::model_error::{ModelError, in_range, positive};
use core::f64::consts::PI;

/// Truncation and length of the cosine series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosSettings {
    /// Half-width of the truncated range in log-returns.
    pub half_width: f64,
    /// Number of terms.
    pub terms: usize,
}

/// Out-of-the-money value at `x = ln(K/F)`, undiscounted and per unit of the forward:
/// a call for `x >= 0`, a put below.
///
/// # Errors
/// [`ModelError`] when the range does not contain `x` or an argument is out of range.
pub fn out_of_the_money<M: HalfShiftedExponent>(
    model: &M,
    x: f64,
    t: f64,
    settings: CosSettings,
) -> Result<f64, ModelError> {
    positive("T", t)?;
    let half = positive("COS half-width", settings.half_width)?;
    in_range("log-moneyness", x, "inside the COS range", |x| x.abs() < half)?;
    in_range("COS terms", settings.terms as f64, "at most 1,000,000", |n| n <= 1e6)?;
    let (low, high) = (-half, half);
    // Pay-off (e^y - e^x) divided by the weight e^{y/2}, over the exercise region.
    let (from, to, sign) = if x >= 0.0 { (x, high, 1.0) } else { (low, x, -1.0) };
    let strike = kernel::exp(x);
    let mut sum = 0.0;
    for n in 0..settings.terms {
        let u = n as f64 * PI / (high - low);
        let (re, im) = model.exponent(u, t);
        let density = kernel::exp(re) * libm::cos(im - u * low) * 2.0 / (high - low);
        let payoff = exp_cos(0.5, u, from, to, low) - strike * exp_cos(-0.5, u, from, to, low);
        let weight = if n == 0 { 0.5 } else { 1.0 };
        sum += weight * density * payoff;
    }
    Ok(sign * sum)
}

/// `int_from^to e^{c y} cos(u (y - low)) dy`.
fn exp_cos(c: f64, u: f64, from: f64, to: f64, low: f64) -> f64 {
    let at = |y: f64| {
        let (sin, cos) = libm::sincos(u * (y - low));
        kernel::exp(c * y) * (c * cos + u * sin)
    };
    (at(to) - at(from)) / (c * c + u * u)
}
