//! Profiles of vendors' published layouts, and generic ones to start from.

use super::spec::Profile;
use crate::import::ImportError;
use crate::names::nearest;

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        /// Names and texts of the built-in profiles.
        pub const BUILTIN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("builtin/", $name, ".toml")))),*];
    };
}

builtin![
    "generic-quotes",
    "generic-trades",
    "generic-bars",
    "generic-quote-bars",
    "generic-chain",
    "generic-book-levels",
    "generic-book-snapshots",
    "databento-mbp-1",
    "databento-mbp-10",
    "databento-bbo",
    "databento-cbbo",
    "databento-trades",
    "databento-ohlcv",
    "polygon-option-quotes",
    "polygon-option-trades",
    "polygon-stock-quotes",
    "polygon-stock-trades",
    "polygon-minute-bars",
    "polygon-day-bars",
    "orats-one-minute",
    "orats-eod",
    "cboe-option-intervals",
    "cboe-option-eod",
    "optionmetrics-eod",
    "tardis-quotes",
    "tardis-trades",
    "tardis-options-chain",
    "tardis-book-l2",
    "tardis-book-snapshots",
];

/// The text of a built-in profile.
///
/// # Errors
/// No such profile; the nearest name is suggested.
pub fn builtin_text(name: &str) -> Result<&'static str, ImportError> {
    if let Some((_, text)) = BUILTIN.iter().find(|(known, _)| *known == name) {
        return Ok(text);
    }
    let names = || BUILTIN.iter().map(|(known, _)| *known);
    let what = match nearest(name, names()) {
        Some(near) => format!("no profile '{name}'; did you mean '{near}'?"),
        None => format!(
            "no profile '{name}': give a .toml file or one of {}",
            names().collect::<Vec<_>>().join(", ")
        ),
    };
    Err(ImportError::Request { what })
}

impl Profile {
    /// A built-in profile.
    ///
    /// # Errors
    /// No such profile; the nearest name is suggested.
    pub fn builtin(name: &str) -> Result<Profile, ImportError> {
        Profile::parse(name, builtin_text(name)?)
    }
}
