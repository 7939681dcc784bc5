//! Parsing of parameter values, with what was expected in every refusal.

use onetape_engine::Qty;
use onetape_engine::strategy::{Param, ParamError, known_keys};
use std::fmt::Display;

/// The refusal of a value.
pub(crate) fn invalid(key: &str, value: &str, expected: &str) -> ParamError {
    ParamError::Invalid { key: key.to_string(), value: value.to_string(), expected: expected.to_string() }
}

/// The refusal of a key.
pub(crate) fn unknown(key: &str, params: &[Param]) -> ParamError {
    ParamError::Unknown { key: key.to_string(), known: known_keys(params) }
}

/// A parameter as it is shown.
pub(crate) fn param(key: &'static str, value: impl Display, doc: &'static str) -> Param {
    Param { key, value: value.to_string(), doc }
}

/// A whole number of contracts or shares, at least one.
pub(crate) fn quantity(key: &str, value: &str) -> Result<Qty, ParamError> {
    let expected = "a whole number from 1 to 1000000";
    let whole: i64 = value.parse().map_err(|_| invalid(key, value, expected))?;
    match Qty::from_whole(whole) {
        Some(quantity) if (1..=1_000_000).contains(&whole) => Ok(quantity),
        _ => Err(invalid(key, value, expected)),
    }
}
