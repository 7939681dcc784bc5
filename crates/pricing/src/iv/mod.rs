//! Implied volatility: lognormal (Black) and normal (Bachelier), to attainable precision.
//!
//! [`black_vol`] and [`normal_vol`] invert undiscounted prices on a forward; [`crate::bsm::implied_vol`]
//! is the same inversion with discounting. The relative error of a result is a few units of machine
//! precision times `max(1, price/(σ·vega))`, the conditioning of the problem itself: nothing is lost
//! near the money or for options of minutes, where subtracting two normal probabilities would lose
//! most digits.
pub mod batch;
mod black;
mod normal;

pub use black::black_vol;
pub(crate) use black::{Quote, total_vol};
pub use normal::normal_vol;

use crate::Right;

/// An undiscounted option price on a forward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForwardQuote {
    /// Undiscounted price (present value divided by the discount factor).
    pub price: f64,
    /// Forward for the expiry.
    pub forward: f64,
    /// Strike.
    pub strike: f64,
    /// Time to expiry in years, > 0.
    pub years: f64,
}

/// Why a price has no implied volatility.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum IvError {
    /// An input is NaN or infinite.
    #[error("implied volatility needs finite inputs: {name} is {value}")]
    NotFinite {
        /// Which input.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// An input that must be positive is not.
    #[error("implied volatility needs {name} > 0, found {value}")]
    NotPositive {
        /// Which input.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// The price is at or below the discounted intrinsic value: no volatility gives it.
    #[error("price {price} does not exceed the no-arbitrage minimum {minimum}: no volatility gives it")]
    NoTimeValue {
        /// The price asked for.
        price: f64,
        /// The value at zero volatility.
        minimum: f64,
    },
    /// The price is at or above the value at infinite volatility.
    #[error("price {price} is not below the no-arbitrage maximum {maximum}: no volatility gives it")]
    AboveMaximum {
        /// The price asked for.
        price: f64,
        /// The value at infinite volatility.
        maximum: f64,
    },
}

pub(crate) fn finite(name: &'static str, value: f64) -> Result<(), IvError> {
    if value.is_finite() { Ok(()) } else { Err(IvError::NotFinite { name, value }) }
}

pub(crate) fn positive(name: &'static str, value: f64) -> Result<(), IvError> {
    finite(name, value)?;
    if value > 0.0 { Ok(()) } else { Err(IvError::NotPositive { name, value }) }
}

/// The value of the out-of-the-money option with the same volatility: by put–call parity, `price`
/// less `±(forward − strike)` where that is positive. The rounding error of forward − strike is
/// returned to the result.
#[inline]
pub(crate) fn time_value(price: f64, forward: f64, strike: f64, right: Right) -> f64 {
    let (long, short) = if right == Right::Call { (forward, strike) } else { (strike, forward) };
    if long <= short {
        return price;
    }
    // Knuth's two-sum of long and −short.
    let intrinsic = long - short;
    let virtual_short = intrinsic - long;
    let lost = (long - (intrinsic - virtual_short)) + (-short - virtual_short);
    (price - intrinsic) - lost
}
