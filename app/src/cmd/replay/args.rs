//! The flags of `onetape replay`.

use crate::cmd::run_flags::RunFlags;
use clap::{Args, ValueEnum};
use onetape_session::settings::JournalMode;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape replay\n  onetape replay --set profit_target=0.25\n  onetape replay --session sessions/goog --strategy short-strangle --cash 200000\n  onetape replay --session sessions/goog --fills lean --strategy script --script orders.toml\n  onetape replay --fork 3f2a@250000 --set profit_target=0.25"
)]
pub(crate) struct ReplayArgs {
    /// Session folder [default: the demo session].
    #[arg(long, env = "ONETAPE_SESSION")]
    pub(crate) session: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunFlags,
    /// Run a run's inputs again with a change (--set, --cancel, --fills) after an entry of its log.
    #[arg(long, value_name = "RUN@SEQ")]
    pub(crate) fork: Option<String>,
    /// Order that a fork cancels, by its number, repeatable.
    #[arg(long, value_name = "ORDER", requires = "fork")]
    pub(crate) cancel: Vec<u32>,
    /// `full` keeps a self-contained journal, `refs` one that names the session's inputs instead of
    /// repeating them, `off` only its hashes [default: full].
    #[arg(long, value_enum, env = "ONETAPE_JOURNAL")]
    pub(crate) journal: Option<Journal>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Journal {
    Full,
    Refs,
    Off,
}

impl From<Journal> for JournalMode {
    fn from(mode: Journal) -> JournalMode {
        match mode {
            Journal::Full => JournalMode::Full,
            Journal::Refs => JournalMode::Refs,
            Journal::Off => JournalMode::Off,
        }
    }
}
