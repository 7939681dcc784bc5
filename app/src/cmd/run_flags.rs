//! The flags of every command that runs a strategy, and the settings they resolve to.

use crate::failure::{Failure, USAGE};
use crate::times;
use clap::{Args, ValueEnum};
use onetape_engine::Strategy;
use onetape_engine::config::{FillProfile, StrategyConfig};
use onetape_engine::num::Money;
use onetape_session::settings::{ParamValue, Settings};
use onetape_session::{RunError, create_strategy};
use onetape_strategies::Registry;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct RunFlags {
    /// Strategy by name; `onetape strategies` lists them [default: demo].
    #[arg(long, env = "ONETAPE_STRATEGY")]
    pub(crate) strategy: Option<String>,
    /// Strategy parameter, repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Order script for the `script` strategy (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Configuration file; flags win over it.
    #[arg(long, value_name = "FILE", env = "ONETAPE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// How the simulated venue fills [default: realistic].
    #[arg(long, value_enum, env = "ONETAPE_FILLS")]
    pub(crate) fills: Option<Fills>,
    /// Order latencies to and from the venue, for example `1ms,1ms` or `250us,250us`.
    #[arg(long, value_name = "ENTRY,RESPONSE", env = "ONETAPE_LATENCY")]
    pub(crate) latency: Option<String>,
    /// Cash at the start [default: 100000].
    #[arg(long, env = "ONETAPE_CASH")]
    pub(crate) cash: Option<Money>,
    /// Seed of every random stream [default: 1].
    #[arg(long, env = "ONETAPE_SEED")]
    pub(crate) seed: Option<u64>,
    /// Folder for run folders [default: runs].
    #[arg(long, value_name = "DIR", env = "ONETAPE_OUT")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Fills {
    Realistic,
    Mid,
    Natural,
    Lean,
}

impl From<Fills> for FillProfile {
    fn from(fills: Fills) -> FillProfile {
        match fills {
            Fills::Realistic => FillProfile::Realistic,
            Fills::Mid => FillProfile::Mid,
            Fills::Natural => FillProfile::Natural,
            Fills::Lean => FillProfile::Lean,
        }
    }
}

impl RunFlags {
    /// Folder for run folders.
    pub(crate) fn out(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| PathBuf::from("runs"))
    }

    /// Defaults < file < environment < flags (clap merges the last two).
    pub(crate) fn resolve(&self) -> Result<Settings, Failure> {
        let mut settings = match &self.config {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        let run = &mut settings.run;
        if let Some(fills) = self.fills {
            run.fills = fills.into();
        }
        if let Some(text) = &self.latency {
            (run.latency_entry_ns, run.latency_response_ns) = times::parse_latency(text)?;
        }
        run.cash = self.cash.unwrap_or(run.cash);
        run.seed = self.seed.unwrap_or(run.seed);
        self.resolve_strategy(&mut settings)?;
        Ok(settings)
    }

    fn resolve_strategy(&self, settings: &mut Settings) -> Result<(), Failure> {
        if let Some(name) = &self.strategy {
            settings.strategy.name = name.clone();
        }
        for pair in &self.set {
            let (key, value) = split_pair(pair)?;
            settings.strategy.params.insert(key.to_string(), ParamValue::Text(value.to_string()));
        }
        if let Some(path) = &self.script {
            let text = std::fs::read_to_string(path).map_err(|e| Failure::io(path, &e))?;
            if self.strategy.is_none() {
                settings.strategy.name = "script".to_string();
            }
            settings.strategy.params.insert("script".to_string(), ParamValue::Text(text));
        }
        Ok(())
    }
}

/// Key and value of a `--set`.
pub(crate) fn split_pair(pair: &str) -> Result<(&str, &str), Failure> {
    pair.split_once('=').ok_or_else(|| {
        Failure::usage(format!("--set: '{pair}' is not KEY=VALUE, for example profit_target=0.25"))
    })
}

/// The strategy that settings name, with its parameters, and how the journal records it.
pub(crate) fn prepare_strategy(
    settings: &Settings,
    registry: &Registry,
) -> Result<(Box<dyn Strategy>, StrategyConfig), Failure> {
    let name = &settings.strategy.name;
    let mut strategy = create_strategy(registry, name)?;
    for (key, value) in &settings.strategy.params {
        strategy.set(key, &value.to_string()).map_err(|source| Failure {
            code: USAGE,
            ..RunError::Param { strategy: name.clone(), source }.into()
        })?;
    }
    let params = strategy.params().into_iter().map(|p| (p.key.to_string(), p.value)).collect();
    let config = StrategyConfig { name: name.clone(), version: strategy.version().to_string(), params };
    Ok((strategy, config))
}
