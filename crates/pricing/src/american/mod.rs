//! American options on an underlying with a continuous yield.
//!
//! [`price`], [`greeks`] and [`implied_vol`] use the spectral collocation of Andersen, Lake & Offengenden
//! (2016): the exercise boundary is solved on a few Chebyshev nodes, then the early-exercise premium is
//! one integral (Kim 1990, eq. 12). Calls are puts with spot and strike, rate and yield exchanged
//! (McDonald & Schroder 1998). A [`Pricer`] keeps its buffers between options.
//!
//! Regimes of a put (a call with r and q exchanged): r ≥ 0 has one boundary; r < 0 ≤ q, r ≤ q < 0 and
//! r = 0 ≤ q are never exercised early, so the price is European; q < r < 0 has two boundaries: exercise pays
//! only between them, and beyond the time to expiry at which they meet not at all (Battauz, De Donno &
//! Sbuelz 2015; Andersen & Lake 2021). Two boundaries, and one that the Chebyshev series does not hold,
//! are solved on graded panels with error control, to about 1e-9 of spot 100.
//!
//! Without volatility the price is the best of the certain exercise dates. NaN, infinite or negative
//! inputs give NaN (rates may be negative).
pub mod approximations;
mod boundary;
pub(crate) mod curve;
pub(crate) mod differences;
mod guess;
mod linear;
mod one_dividend;
mod panel_premium;
mod panel_rule;
mod panels;
mod premium;
mod pricer;
pub(crate) mod tables;

pub use one_dividend::{one_dividend_call, one_dividend_call_greeks};
pub use pricer::{AmericanGreeks, Pricer, Scheme, greeks, implied_vol, price};
