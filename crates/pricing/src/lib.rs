//! Option mathematics: pure functions on `f64`.
//!
//! Everything here is a function of its arguments: no clock, no threads, no I/O, no engine types.
//! Rates and yields are continuously compounded per year, times are in years, volatilities are per
//! 1.00 (0.20 = 20 %), prices are per unit of the underlying.
//!
//! ```
//! use onetape_pricing::{Right, bsm::{self, BsmInputs, IvInputs}};
//!
//! let inputs = BsmInputs { spot: 100.0, strike: 105.0, years: 0.25, rate: 0.04, dividend_yield: 0.01, vol: 0.2 };
//! let price = bsm::price(&inputs, Right::Call);
//! let vol = bsm::implied_vol(&IvInputs::from_price(price, &inputs), Right::Call)?;
//! assert!((vol - 0.2).abs() < 1e-14);
//! # Ok::<(), onetape_pricing::IvError>(())
//! ```
//!
//! **Invariant:** the same inputs give the same bits on every machine. Transcendental functions come
//! from this crate's own kernels or from `libm`, and nothing is contracted into fused operations.
#![deny(missing_docs)]

#[macro_use]
mod columns;

pub mod american;
pub mod bachelier;
pub mod bermudan;
pub mod black76;
pub mod bsm;
pub mod finite_difference;
pub mod iv;
pub mod lattice;
pub mod math;
mod right;
mod simd;

pub use iv::IvError;
pub use right::Right;

mod model_error;
pub mod surface;

pub use model_error::ModelError;
pub mod chain;
pub mod checks;
pub mod exotic;
pub mod explain;
pub mod forward;
pub mod heston;
pub mod mc;
mod numeric;
pub mod vol;
