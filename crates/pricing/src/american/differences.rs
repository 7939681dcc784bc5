//! Sensitivities and implied volatilities of any pricing function, for engines without their own.
use super::pricer::AmericanGreeks;
use crate::Right;
use crate::bsm::{BsmInputs, IvInputs};
use crate::iv::{IvError, finite, positive};

/// Half-widths of the differences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    /// In the spot, as a share of spot·σ√T (at most a twentieth of the spot).
    pub(crate) spot: f64,
    /// In the volatility, as a share of it.
    pub(crate) vol: f64,
    /// In the rates, absolute.
    pub(crate) rate: f64,
}

impl Steps {
    /// For prices that are smooth and exact to about 1e-11: central differences of fourth order.
    pub(crate) const SMOOTH: Self = Self { spot: 0.03, vol: 0.01, rate: 1e-3 };
}

/// Price and sensitivities by central differences of fourth order; theta follows from the Black–Scholes
/// equation. An option worth its exercise has delta ±1 and nothing else. A price that is NaN on one side
/// of a parameter (the end of a method's domain) makes that difference one-sided.
pub(crate) fn greeks(
    inputs: &BsmInputs,
    right: Right,
    steps: Steps,
    mut price: impl FnMut(&BsmInputs) -> f64,
) -> AmericanGreeks {
    let value = price(inputs);
    let BsmInputs { spot, strike, years, rate, dividend_yield, vol } = *inputs;
    if value.is_nan() {
        let nan = f64::NAN;
        return AmericanGreeks {
            price: nan,
            delta: nan,
            gamma: nan,
            vega: nan,
            theta: nan,
            rho: nan,
            phi: nan,
        };
    }
    if value > 0.0 && value == right.intrinsic(spot, strike) {
        return AmericanGreeks { price: value, delta: right.sign(), ..Default::default() };
    }
    let h = spot * (steps.spot * vol * years.sqrt()).min(0.05);
    let mut at = |shift: f64| price(&BsmInputs { spot: spot + shift, ..*inputs });
    let (up, down, far_up, far_down) = (at(h), at(-h), at(2.0 * h), at(-2.0 * h));
    let delta = (8.0 * (up - down) - (far_up - far_down)) / (12.0 * h);
    let gamma = (16.0 * (up + down) - (far_up + far_down) - 30.0 * value) / (12.0 * h * h);
    let slope = |h: f64, at: &mut dyn FnMut(f64) -> f64| {
        let (up, down) = (at(h), at(-h));
        if up.is_nan() || down.is_nan() {
            // Second order on the side that answers.
            let side = if up.is_nan() { -h } else { h };
            let (near, far) = (at(side), at(2.0 * side));
            return (4.0 * near - far - 3.0 * value) / (2.0 * side);
        }
        (8.0 * (up - down) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h)
    };
    let vega = slope(steps.vol * vol, &mut |shift| price(&BsmInputs { vol: vol + shift, ..*inputs }));
    let rho = slope(steps.rate, &mut |shift| price(&BsmInputs { rate: rate + shift, ..*inputs }));
    let phi = slope(steps.rate, &mut |shift| {
        price(&BsmInputs { dividend_yield: dividend_yield + shift, ..*inputs })
    });
    let theta = rate * value - (rate - dividend_yield) * spot * delta - 0.5 * vol * vol * spot * spot * gamma;
    AmericanGreeks { price: value, delta, gamma, vega, theta, rho, phi }
}

/// Least and greatest volatility tried.
const VOL_LEAST: f64 = 1e-4;
const VOL_MOST: f64 = 40.0;

/// The volatility at which `price` gives `inputs.price`, by bisection and false-position steps (Illinois)
/// inside a bracket; `price` should not fall with the volatility. A NaN at low volatility (a tree too
/// coarse for it) counts as too low.
///
/// # Errors
/// [`IvError`] if an input is not finite or positive, or no volatility up to 4000 % gives the price.
pub(crate) fn implied_vol(
    inputs: &IvInputs,
    mut price: impl FnMut(&BsmInputs) -> f64,
) -> Result<f64, IvError> {
    let IvInputs { price: target, spot, strike, years, rate, dividend_yield } = *inputs;
    finite("price", target)?;
    positive("spot", spot)?;
    positive("strike", strike)?;
    positive("years", years)?;
    finite("rate", rate)?;
    finite("dividend_yield", dividend_yield)?;
    let mut gap = |vol: f64| price(&BsmInputs { spot, strike, years, rate, dividend_yield, vol }) - target;
    let (mut low, mut high) = (VOL_LEAST, 0.25);
    let mut gap_low = gap(low);
    if gap_low >= 0.0 {
        return Err(IvError::NoTimeValue { price: target, minimum: gap_low + target });
    }
    let mut gap_high = gap(high);
    while gap_high.is_nan() || gap_high < 0.0 {
        (low, gap_low) = (high, gap_high);
        high *= 2.0;
        if high > VOL_MOST {
            return Err(IvError::AboveMaximum { price: target, maximum: gap_high + target });
        }
        gap_high = gap(high);
    }
    let mut excess = gap_high;
    for i in 0..100 {
        if high - low <= 1e-13 * high || gap_high == 0.0 {
            break;
        }
        let secant = high - gap_high * (high - low) / (gap_high - gap_low);
        let is_inside = secant > low && secant < high;
        let vol = if i % 4 == 3 || !is_inside { 0.5 * (low + high) } else { secant };
        let here = gap(vol);
        if here >= 0.0 {
            (high, gap_high, excess) = (vol, here, here);
            gap_low *= 0.5;
        } else {
            (low, gap_low) = (vol, here);
            gap_high *= 0.5;
        }
    }
    // The lowest volatility that the method can price may already give too much.
    if excess > 1e-6 * (target + strike) {
        return Err(IvError::NoTimeValue { price: target, minimum: excess + target });
    }
    Ok(high)
}
