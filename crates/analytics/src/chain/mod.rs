//! Option chains of a recorded session at an instant.
//!
//! [`Snapshot::take`] runs the session through the loop up to an instant; [`Snapshot::slice`] is one
//! expiry with its forward, implied volatilities and Greeks; [`report`] measures positioning, skew,
//! term structure and liquidity, [`term`] moves and variance swaps by expiry, [`check`] lists what theory does
//! not allow, [`fit`] compares smile models, and [`follow`] re-marks the chain on every tick.
//!
//! Mid, bid and ask volatilities are found on the expiry's implied forward. American quotes lose their
//! early-exercise premium before parity is read, at the stated rate: they cannot tell the rate from the
//! dividend yield.

pub mod check;
pub mod fit;
pub mod follow;
mod heston;
pub mod report;
mod slice;
mod snapshot;
pub mod term;

pub use slice::{CarryInputs, CarryTerms, ExpirySlice, Series, SliceError};
pub use snapshot::{ExpiryKey, Market, Snapshot, SnapshotError};
