//! The flags of `onetape replay`.

use clap::{Args, ValueEnum};
use onetape_engine::config::FillProfile;
use onetape_engine::num::Money;
use onetape_session::settings::JournalMode;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape replay\n  onetape replay --set profit_target=0.25\n  onetape replay --session sessions/goog --strategy short-strangle --cash 200000\n  onetape replay --session sessions/goog --fills lean --strategy script --script orders.toml"
)]
pub(crate) struct ReplayArgs {
    /// Session folder [default: the demo session].
    #[arg(long, env = "ONETAPE_SESSION")]
    pub(crate) session: Option<PathBuf>,
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
    /// `full` keeps a self-contained journal, `off` only its hashes [default: full].
    #[arg(long, value_enum, env = "ONETAPE_JOURNAL")]
    pub(crate) journal: Option<Journal>,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Journal {
    Full,
    Off,
}

impl From<Journal> for JournalMode {
    fn from(mode: Journal) -> JournalMode {
        match mode {
            Journal::Full => JournalMode::Full,
            Journal::Off => JournalMode::Off,
        }
    }
}
