//! Black–Scholes–Merton: a lognormal underlying with a continuous dividend yield.
//!
//! Source: Merton (1973), *Theory of Rational Option Pricing*, eq. 21 with a proportional dividend;
//! the notation is Haug, *The Complete Guide to Option Pricing Formulas* (2007), §1.1.
//!
//! ```text
//! d1 = ln(F/K)/(σ√T) + σ√T/2,  d2 = d1 − σ√T,  F = S e^{(r−q)T}
//! call = S e^{−qT} N(d1) − K e^{−rT} N(d2),  put = K e^{−rT} N(−d2) − S e^{−qT} N(−d1)
//! ```
//!
//! Limits: with no time or no volatility left the value is the discounted intrinsic value of the
//! forward; a zero spot or strike gives the certain payoff. Negative spot, strike, time or volatility
//! and NaN anywhere give NaN.
pub mod batch;
pub(crate) mod core;
mod greeks;

use self::core::{Carry, Core};
pub use self::greeks::{Greeks, Risk};
use crate::Right;
use crate::iv::{self, IvError, finite, positive};
use crate::math::kernel::{exp, ln_ratio};

/// What a Black–Scholes–Merton price depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BsmInputs {
    /// Price of the underlying, ≥ 0.
    pub spot: f64,
    /// Strike, ≥ 0.
    pub strike: f64,
    /// Time to expiry in years, ≥ 0.
    pub years: f64,
    /// Continuously compounded interest rate per year; may be negative.
    pub rate: f64,
    /// Continuously compounded dividend yield (or borrow fee) per year; may be negative.
    pub dividend_yield: f64,
    /// Volatility per 1.00 and √year, ≥ 0.
    pub vol: f64,
}

/// What an implied volatility depends on: a price in place of the volatility.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IvInputs {
    /// Present value of the option, per unit of underlying.
    pub price: f64,
    /// Price of the underlying, > 0.
    pub spot: f64,
    /// Strike, > 0.
    pub strike: f64,
    /// Time to expiry in years, > 0.
    pub years: f64,
    /// Continuously compounded interest rate per year.
    pub rate: f64,
    /// Continuously compounded dividend yield per year.
    pub dividend_yield: f64,
}

impl IvInputs {
    /// The terms of `inputs` (its `vol` is not used) with an observed `price`.
    #[must_use]
    pub fn from_price(price: f64, inputs: &BsmInputs) -> Self {
        let BsmInputs { spot, strike, years, rate, dividend_yield, .. } = *inputs;
        Self { price, spot, strike, years, rate, dividend_yield }
    }
}

/// Present value of a European option.
///
/// ```
/// use onetape_pricing::{Right, bsm};
/// // Haug (1998), p. 2: 2.1334.
/// let inputs = bsm::BsmInputs { spot: 60.0, strike: 65.0, years: 0.25, rate: 0.08, dividend_yield: 0.0, vol: 0.3 };
/// assert!((bsm::price(&inputs, Right::Call) - 2.1334).abs() < 5e-5);
/// ```
#[must_use]
pub fn price(inputs: &BsmInputs, right: Right) -> f64 {
    inputs.core(right).1.price()
}

/// ∂price/∂spot.
#[must_use]
pub fn delta(inputs: &BsmInputs, right: Right) -> f64 {
    let (carry, core) = inputs.core(right);
    core.risk(&carry).delta
}

/// Price and the five sensitivities of a risk line.
#[must_use]
pub fn risk(inputs: &BsmInputs, right: Right) -> Risk {
    let (carry, core) = inputs.core(right);
    core.risk(&carry)
}

/// Price and all sixteen sensitivities.
#[must_use]
pub fn greeks(inputs: &BsmInputs, right: Right) -> Greeks {
    let (carry, core) = inputs.core(right);
    core.sharpened(&carry).greeks(&carry)
}

impl BsmInputs {
    #[inline(always)]
    fn core(&self, right: Right) -> (Carry, Core) {
        let carry = Carry::new(self.spot, self.years, self.rate, self.dividend_yield);
        (carry, Core::new(&carry, self.strike, self.vol, right.sign()))
    }
}

/// The volatility at which [`price`] returns `inputs.price`.
///
/// # Errors
/// [`IvError`] if an input is not finite or not positive, or if the price lies outside the open
/// interval between the discounted intrinsic value and the value at infinite volatility.
pub fn implied_vol(inputs: &IvInputs, right: Right) -> Result<f64, IvError> {
    let IvInputs { price, spot, strike, years, rate, dividend_yield } = *inputs;
    positive("spot", spot)?;
    positive("strike", strike)?;
    positive("years", years)?;
    finite("rate", rate)?;
    finite("dividend_yield", dividend_yield)?;
    let discounted_spot = spot * exp(-dividend_yield * years);
    let discounted_strike = strike * exp(-rate * years);
    positive("discounted spot", discounted_spot)?;
    positive("discounted strike", discounted_strike)?;
    let quote = iv::Quote {
        price,
        forward: discounted_spot,
        strike: discounted_strike,
        log_moneyness: ln_ratio(spot, strike) + (rate - dividend_yield) * years,
        right,
    };
    Ok(iv::total_vol(&quote)? / years.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn haug() -> BsmInputs {
        BsmInputs { spot: 60.0, strike: 65.0, years: 0.25, rate: 0.08, dividend_yield: 0.0, vol: 0.3 }
    }

    #[test]
    fn haug_1998_page_2() {
        assert!((price(&haug(), Right::Call) - 2.133_368_444_916_2).abs() < 1e-12);
    }

    #[test]
    fn limits_are_defined() {
        let now = BsmInputs { years: 0.0, ..haug() };
        assert_eq!(price(&now, Right::Put), 5.0);
        assert_eq!(delta(&now, Right::Put), -1.0);
        assert_eq!(price(&BsmInputs { spot: 0.0, rate: 0.0, ..haug() }, Right::Put), 65.0);
        assert_eq!(price(&BsmInputs { strike: 0.0, ..haug() }, Right::Call), 60.0);
        assert!(price(&BsmInputs { vol: f64::NAN, ..haug() }, Right::Call).is_nan());
        assert!(price(&BsmInputs { vol: -0.1, ..haug() }, Right::Call).is_nan());
    }

    /// At the forward d1 and d2 are differences of numbers that the carry makes a million times larger: vanna,
    /// veta, speed and color in 60 digits (mpmath), from the exact binary inputs.
    #[test]
    fn nothing_cancels_at_the_forward() {
        let at = |spot, strike, years, rate, dividend_yield, vol| BsmInputs {
            spot,
            strike,
            years,
            rate,
            dividend_yield,
            vol,
        };
        let cases = [
            (
                at(
                    95.644_163_527_341_28,
                    33.508_833_430_374_48,
                    2.010_412_144_019_092_7,
                    -0.490_488_934_336_109_5,
                    0.031_207_867_749_013_11,
                    1.680_881_224_076_37e-8,
                ),
                [
                    0.357_990_408_497_414_37,
                    -19.696_924_352_107_52,
                    -2_279.063_886_035_632_5,
                    18_042.052_756_146_015,
                ],
            ),
            (
                at(100.0, 104.081_077_419_238_8, 1.0, 0.05, 0.01, 0.001),
                [
                    0.197_486_344_402_783_6,
                    -18.563_711_446_143_863,
                    -0.059_245_903_362_794_27,
                    2.093_355_745_539_245,
                ],
            ),
            (
                at(100.0, 110.517_091_807_564_77, 2.0, 0.05, 0.0, 2e-4),
                [
                    0.282_094_789_246_264_13,
                    -12.694_265_222_253_742,
                    -0.211_571_091_641_364_2,
                    3.878_803_418_259_821,
                ],
            ),
        ];
        for (inputs, expected) in cases {
            let g = greeks(&inputs, Right::Call);
            for (value, expected) in [g.vanna, g.veta, g.speed, g.color].into_iter().zip(expected) {
                assert!((value / expected - 1.0).abs() < 3e-15, "{value} {expected}");
            }
        }
    }

    #[test]
    fn implied_vol_inverts_the_price() {
        for right in [Right::Call, Right::Put] {
            let quoted = IvInputs::from_price(price(&haug(), right), &haug());
            let vol = implied_vol(&quoted, right).expect("a price of this model");
            assert!((vol - 0.3).abs() < 1e-13);
        }
    }

    #[test]
    fn a_price_below_intrinsic_is_refused() {
        let quoted = IvInputs::from_price(4.0, &BsmInputs { rate: 0.0, ..haug() });
        assert!(matches!(implied_vol(&quoted, Right::Put), Err(IvError::NoTimeValue { .. })));
    }
}
