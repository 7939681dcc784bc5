//! Parsing of parameter values, with what was expected in every refusal.

use crate::clock::TimeOfDay;
use onetape_engine::strategy::{Param, ParamError, known_keys};
use onetape_engine::{Price, Qty};
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

/// A decimal from `low` to `high`, exact to nine digits.
pub(crate) fn decimal(key: &str, value: &str, low: i64, high: i64) -> Result<Price, ParamError> {
    let refused = || invalid(key, value, &format!("a decimal from {low} to {high}"));
    let number: Price = value.parse().map_err(|_| refused())?;
    let (low, high) = (Price::from_whole(low), Price::from_whole(high));
    if low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high) {
        return Err(refused());
    }
    Ok(number)
}

/// The size of a delta: above 0, below 1.
pub(crate) fn delta(key: &str, value: &str) -> Result<f64, ParamError> {
    match value.parse::<f64>() {
        Ok(number) if number > 0.0 && number < 1.0 => Ok(number),
        _ => Err(invalid(key, value, "a delta above 0 and below 1, for example 0.16")),
    }
}

/// A local time of day.
pub(crate) fn time_of_day(key: &str, value: &str) -> Result<TimeOfDay, ParamError> {
    value.parse().map_err(|()| invalid(key, value, "a local time of day HH:MM or HH:MM:SS"))
}

/// A whole number in a range.
pub(crate) fn whole(key: &str, value: &str, low: u32, high: u32) -> Result<u32, ParamError> {
    match value.parse::<u32>() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(invalid(key, value, &format!("a whole number from {low} to {high}"))),
    }
}

/// A symbol; empty means the strategy's own choice.
pub(crate) fn symbol(key: &str, value: &str) -> Result<String, ParamError> {
    if value.trim() == value {
        Ok(value.to_string())
    } else {
        Err(invalid(key, value, "a symbol without surrounding spaces"))
    }
}
