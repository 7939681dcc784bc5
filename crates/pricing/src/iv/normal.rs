//! Normal (Bachelier) implied volatility.
//!
//! With δ = |F − K| and h = δ/(σ√T) the out-of-the-money price is V = σ√T·(φ(h) − h N(−h)). An explicit
//! start, rational in δ²/straddle² near the money and in √(−2 ln(V/δ)) away from it (fits made for
//! this crate), is good to 2e-5; Householder steps of fourth order on ln V finish it.
use super::{ForwardQuote, IvError, finite, positive, time_value};
use crate::Right;
use crate::math::kernel::{ln_ratio, normal_loss, polynomial};
use crate::math::normal::FRAC_1_SQRT_2PI;

/// σ√T/straddle as a function of (δ/straddle)² ≤ 0.66, relative error 1.7e-8.
const NEAR_NUMERATOR: [f64; 4] =
    [1.253_314_116_781_756, -2.296_396_976_774_137_2, 1.247_210_456_697_185_4, -0.182_978_370_147_132_57];
const NEAR_DENOMINATOR: [f64; 4] =
    [1.0, -1.513_951_340_273_523_5, 0.597_683_088_665_766_5, -0.039_644_085_323_174_166];
/// h as a function of √(−2 ln(V/δ)) between 2 and 38.7, relative error 1.8e-5.
const FAR_NUMERATOR: [f64; 5] = [
    -0.368_205_373_347_110_85,
    1.081_688_874_751_503,
    -0.617_369_290_977_644_1,
    0.161_928_176_977_639_85,
    0.024_562_193_832_242_327,
];
const FAR_DENOMINATOR: [f64; 4] =
    [1.0, -0.316_878_376_132_485_76, 0.162_999_634_438_783_55, 0.024_562_939_001_405_285];

/// σ√T from an out-of-the-money price and the distance |F − K|, to 2e-5.
#[inline]
pub(super) fn start(value: f64, distance: f64) -> f64 {
    let straddle = 2.0 * value + distance;
    let share = distance / straddle;
    let w = share * share;
    if w < 0.66 {
        straddle * (polynomial(w, &NEAR_NUMERATOR) / polynomial(w, &NEAR_DENOMINATOR))
    } else {
        let u = (2.0 * ln_ratio(distance, value)).sqrt();
        distance * polynomial(u, &FAR_DENOMINATOR) / polynomial(u, &FAR_NUMERATOR)
    }
}

/// [`start`] without a branch.
#[inline(always)]
pub(super) fn start_both(value: f64, distance: f64) -> f64 {
    let straddle = 2.0 * value + distance;
    let share = distance / straddle;
    let w = share * share;
    let near = straddle * (polynomial(w, &NEAR_NUMERATOR) / polynomial(w, &NEAR_DENOMINATOR));
    let u = (2.0 * ln_ratio(distance, value)).sqrt();
    let far = distance * polynomial(u, &FAR_DENOMINATOR) / polynomial(u, &FAR_NUMERATOR);
    if w < 0.66 { near } else { far }
}

/// The volatility σ, in price units per √year, at which Bachelier's formula gives the undiscounted
/// `quote.price`. Forward and strike may have any sign.
///
/// # Errors
/// [`IvError`] if an input is not finite, `years` is not positive, or the price does not exceed
/// intrinsic value.
pub fn normal_vol(quote: &ForwardQuote, right: Right) -> Result<f64, IvError> {
    let ForwardQuote { price, forward, strike, years } = *quote;
    finite("price", price)?;
    finite("forward", forward)?;
    finite("strike", strike)?;
    positive("years", years)?;
    let distance = (forward - strike).abs();
    finite("forward - strike", distance)?;
    let value = time_value(price, forward, strike, right);
    if value <= 0.0 {
        return Err(IvError::NoTimeValue { price, minimum: right.intrinsic(forward, strike) });
    }
    let mut v = start(value, distance);
    for _ in 0..8 {
        let step = step(v, value, distance);
        // Among subnormal prices the step has no digits: the start stands.
        if step.is_nan() {
            break;
        }
        v += step;
        if step.abs() <= LAST_STEP * v {
            break;
        }
    }
    Ok(v / years.sqrt())
}

/// A last step that moves v by less than this leaves an error below rounding.
pub(super) const LAST_STEP: f64 = 2e-5;

/// Householder's step for f(v) = ln V(v) − ln V*, with V = v e^{−h²/2} L(h) and V' = e^{−h²/2}/√2π.
#[inline(always)]
pub(super) fn step(v: f64, value: f64, distance: f64) -> f64 {
    let h = distance / v;
    let loss = normal_loss(h);
    let f = ln_ratio(v * loss, value) - 0.5 * h * h;
    let slope = FRAC_1_SQRT_2PI / (v * loss);
    let curvature = h * h / v;
    let third = curvature * (curvature - 3.0 / v);
    let h2 = curvature - slope;
    let h3 = third - slope * (3.0 * curvature - 2.0 * slope);
    let newton = -f / slope;
    newton * (1.0 + 0.5 * h2 * newton) / (1.0 + newton * (h2 + h3 * newton / 6.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A price of 2⁻¹⁰⁷³ has no digits to iterate on, but its volatility is finite: V √(2π/T) at the money.
    #[test]
    fn subnormal_prices() {
        for (forward, strike) in [(0.3, 0.3), (1.0, 1.0)] {
            let quote = ForwardQuote { price: 1e-323, forward, strike, years: 1.0 };
            let vol = normal_vol(&quote, Right::Call).unwrap();
            assert!(vol > 0.0 && vol < 1e-321, "{vol}");
        }
    }
}
