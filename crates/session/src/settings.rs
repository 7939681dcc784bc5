//! The one configuration file: `onetape replay --config FILE`, and the `session.toml` of every run.
//!
//! Layers, later ones win: defaults, file, environment (by the command line), flags. Unknown keys
//! are errors with the line and the nearest valid key.

use onetape_engine::config::{
    AccountConfig, FeeSchedule, FillProfile, Latency, MarkPolicy, RiskLimits, RunConfig, StrategyConfig,
};
use onetape_engine::num::{MINUTE, Money};
use onetape_tape::names::toml_problem;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use onetape_tape::names::nearest;

/// Where the journal's inputs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalMode {
    /// Inputs and derived events: self-contained.
    #[default]
    Full,
    /// Derived events, and references to the session's inputs: small, read together with the session.
    Refs,
    /// Hashes only: nothing to audit, for inner loops of a search.
    Off,
}

impl JournalMode {
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            JournalMode::Full => "full",
            JournalMode::Refs => "refs",
            JournalMode::Off => "off",
        }
    }
}

/// `[run]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunSection {
    /// Session folder; empty = the demo session.
    pub session: PathBuf,
    /// Cash of the account at the start.
    pub cash: Money,
    /// Seed of every random stream.
    pub seed: u64,
    /// `realistic`, `mid`, `natural` or `lean`.
    pub fills: FillProfile,
    /// Nanoseconds from decision to venue.
    pub latency_entry_ns: u64,
    /// Nanoseconds from venue to strategy.
    pub latency_response_ns: u64,
    /// `retail`, `lean` or `free`; unset follows the fill profile.
    pub fees: Option<FeeSchedule>,
    /// Event time between marks, nanoseconds.
    pub mark_interval_ns: u64,
    /// Continuously compounded annual rate for analytics.
    pub rate: f64,
    /// Whether quotes outside regular sessions are seen.
    pub extended_hours: bool,
    /// `full`, `refs` or `off`.
    pub journal: JournalMode,
}

impl Default for RunSection {
    fn default() -> RunSection {
        let run = RunConfig::default();
        RunSection {
            session: PathBuf::new(),
            cash: Money(100_000_000_000_000),
            seed: run.seed,
            fills: run.profile,
            latency_entry_ns: run.latency.entry_ns,
            latency_response_ns: run.latency.response_ns,
            fees: None,
            mark_interval_ns: MINUTE,
            rate: run.rate,
            extended_hours: run.extended_hours,
            journal: JournalMode::Full,
        }
    }
}

/// `[strategy]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StrategySection {
    /// Registered name.
    pub name: String,
    /// Parameters by key.
    pub params: BTreeMap<String, ParamValue>,
}

impl Default for StrategySection {
    fn default() -> StrategySection {
        StrategySection { name: "demo".to_string(), params: BTreeMap::new() }
    }
}

/// A parameter as people write it: text, number or bool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParamValue {
    /// Text.
    Text(String),
    /// Whole number.
    Whole(i64),
    /// True or false.
    Bool(bool),
    /// Decimal number, kept as written by serde's shortest form.
    Decimal(Decimal),
}

/// A TOML float with the equality that parameters need.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decimal(f64);

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}
impl Eq for Decimal {}

impl std::fmt::Display for ParamValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ParamValue::Text(text) => f.write_str(text),
            ParamValue::Whole(number) => write!(f, "{number}"),
            ParamValue::Bool(value) => write!(f, "{value}"),
            ParamValue::Decimal(number) => write!(f, "{}", number.0),
        }
    }
}

/// A whole configuration file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `[run]`.
    pub run: RunSection,
    /// `[strategy]`.
    pub strategy: StrategySection,
    /// `[risk]`.
    pub risk: RiskLimits,
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// File.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// It is not valid.
    #[error("{path}:{line}: {problem}")]
    Invalid {
        /// File.
        path: String,
        /// Line.
        line: usize,
        /// What is wrong, with the nearest valid key.
        problem: String,
    },
}

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// When it cannot be read, or a key or value is not valid: named with its line.
    pub fn read(path: &Path) -> Result<Settings, SettingsError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Read { path: shown.clone(), source })?;
        Settings::parse(&text).map_err(|(line, problem)| SettingsError::Invalid {
            path: shown,
            line,
            problem,
        })
    }

    /// Parses a configuration text; an error carries its 1-based line.
    ///
    /// # Errors
    /// `(line, problem)` when a key or value is not valid.
    pub fn parse(text: &str) -> Result<Settings, (usize, String)> {
        toml::from_str(text).map_err(|error| toml_problem(text, &error))
    }

    /// The configuration that decides the run's result.
    pub fn to_config(&self, session_hash: &str, strategy: StrategyConfig) -> RunConfig {
        let run = &self.run;
        let is_lean = run.fills == FillProfile::Lean;
        RunConfig {
            session: session_hash.to_string(),
            strategies: vec![strategy],
            accounts: vec![AccountConfig { name: "main".to_string(), cash: run.cash }],
            profile: run.fills,
            latency: Latency {
                entry_ns: if is_lean { 0 } else { run.latency_entry_ns },
                response_ns: if is_lean { 0 } else { run.latency_response_ns },
                feed_ns: 0,
            },
            fees: run.fees.unwrap_or(if is_lean { FeeSchedule::Lean } else { FeeSchedule::Retail }),
            marks: if is_lean { MarkPolicy::LastTrade } else { MarkPolicy::Mid },
            mark_interval_ns: run.mark_interval_ns,
            risk: self.risk.clone(),
            rate: run.rate,
            seed: run.seed,
            extended_hours: run.extended_hours,
            ..RunConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_names_its_line_and_the_nearest_one() {
        let (line, problem) = Settings::parse("[run]\nseed = 3\ncahs = \"5\"\n").unwrap_err();
        assert_eq!(line, 3);
        assert!(problem.starts_with("unknown key 'cahs'; did you mean 'cash'?"), "{problem}");
        let (line, _) = Settings::parse("[run]\nfills = \"bogus\"\n").unwrap_err();
        assert_eq!(line, 2);
    }

    #[test]
    fn settings_survive_their_own_text() {
        let text = "[run]\ncash = \"200000\"\nfills = \"lean\"\n[strategy]\nname = \"x\"\n[strategy.params]\na = 1\nb = 0.25\nc = \"t\"\n[risk]\nbuying_power = \"off\"\n";
        let settings = Settings::parse(text).unwrap();
        let again = Settings::parse(&toml::to_string(&settings).unwrap()).unwrap();
        assert_eq!(settings, again);
        assert_eq!(settings.strategy.params["b"].to_string(), "0.25");
    }
}
