//! The error of the model, surface, simulation and chain modules.

/// Why a model could not be evaluated, fitted or simulated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// An argument is NaN or infinite.
    #[error("{what} must be a finite number, found {value}")]
    NotFinite {
        /// The argument's name.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// An argument lies outside the model's domain.
    #[error("{what} must be {expected}, found {value}")]
    OutOfRange {
        /// The argument's name.
        what: &'static str,
        /// The admissible range in words.
        expected: &'static str,
        /// Its value.
        value: f64,
    },
    /// Parallel slices differ in length.
    #[error("{what}: lengths differ ({left} and {right}); pass one entry per observation in each")]
    LengthMismatch {
        /// Which slices.
        what: &'static str,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
    /// Not enough observations to determine the answer.
    #[error("{what}: needs at least {needed} observations, found {found}")]
    TooFew {
        /// What was asked for.
        what: &'static str,
        /// The smallest admissible number.
        needed: usize,
        /// The number found.
        found: usize,
    },
    /// An iteration or an integral did not reach its tolerance.
    #[error("{what} did not reach its tolerance (last residual {residual:e}); check the inputs' scale")]
    NoConvergence {
        /// Which computation.
        what: &'static str,
        /// The last residual or error estimate.
        residual: f64,
    },
    /// The surface admits arbitrage at this point, so the quantity does not exist.
    #[error("{what} does not exist at log-moneyness {k}: the surface admits arbitrage there")]
    Arbitrage {
        /// The quantity asked for.
        what: &'static str,
        /// Log-moneyness of the point.
        k: f64,
    },
}

/// Whether `value` is > 0; false for NaN.
pub(crate) fn is_positive(value: f64) -> bool {
    value > 0.0
}

/// Whether `value` is >= 0; false for NaN.
pub(crate) fn is_non_negative(value: f64) -> bool {
    value >= 0.0
}

/// `Ok(value)` when finite.
pub(crate) fn finite(what: &'static str, value: f64) -> Result<f64, ModelError> {
    if value.is_finite() { Ok(value) } else { Err(ModelError::NotFinite { what, value }) }
}

/// `Ok(value)` when finite and > 0.
pub(crate) fn positive(what: &'static str, value: f64) -> Result<f64, ModelError> {
    in_range(what, value, "greater than 0", |v| v > 0.0)
}

/// `Ok(value)` when finite and >= 0.
pub(crate) fn non_negative(what: &'static str, value: f64) -> Result<f64, ModelError> {
    in_range(what, value, "0 or greater", |v| v >= 0.0)
}

/// `Ok(value)` when finite and admitted by `ok`.
pub(crate) fn in_range(
    what: &'static str,
    value: f64,
    expected: &'static str,
    ok: impl Fn(f64) -> bool,
) -> Result<f64, ModelError> {
    let value = finite(what, value)?;
    if ok(value) { Ok(value) } else { Err(ModelError::OutOfRange { what, expected, value }) }
}

/// `Ok(())` when both lengths agree.
pub(crate) fn same_length(what: &'static str, left: usize, right: usize) -> Result<(), ModelError> {
    if left == right { Ok(()) } else { Err(ModelError::LengthMismatch { what, left, right }) }
}
