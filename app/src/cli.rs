//! The command line's first level; each command's flags stand beside its code in `cmd`.

use crate::cmd::audit::AuditCommand;
use crate::cmd::bench::BenchCommand;
use crate::cmd::chain::ChainArgs;
use crate::cmd::data::DataCommand;
use crate::cmd::doctor::DoctorArgs;
use crate::cmd::new::NewArgs;
use crate::cmd::paper::PaperArgs;
use crate::cmd::payoff::PayoffArgs;
use crate::cmd::price::PriceArgs;
use crate::cmd::replay::ReplayArgs;
use crate::cmd::vol::VolCommand;
use clap::{Parser, Subcommand};

/// Event-sourced options trading engine: one tape, one loop, one journal.
#[derive(Debug, Parser)]
#[command(
    name = "onetape",
    version,
    about = "Event-sourced options trading engine: one tape, one loop, one journal.",
    after_help = "Examples:\n  onetape replay                              run the demo session\n  onetape audit verify RUN --rederive         prove its journal\n  onetape data info replay-data/one-2d        what a session holds",
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Print JSON on stdout instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no progress and no notes on stderr.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Replay a recorded session through strategy, risk, OMS and the simulated venue.
    Replay(Box<ReplayArgs>),
    /// Run a strategy as time passes, with simulated fills.
    Paper(Box<PaperArgs>),
    /// Verify, compare and read journals.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Import, generate and inspect sessions.
    #[command(subcommand)]
    Data(DataCommand),
    /// Write a strategy crate of your own.
    New(NewArgs),
    /// Measure this machine against the engine's budgets.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Examine this machine: disk, clock, memory, settings, and a journal on them.
    Doctor(DoctorArgs),
    /// Price one option, or a whole file of them.
    Price(Box<PriceArgs>),
    /// The option chain of a session at a time, with volatilities and Greeks.
    Chain(Box<ChainArgs>),
    /// Pay-off, break-evens and Greeks of one or several legs.
    Payoff(Box<PayoffArgs>),
    /// Implied and realised volatility: figures, smiles, surfaces.
    #[command(subcommand)]
    Vol(VolCommand),
    /// List the strategies this program holds, with their parameters.
    Strategies,
}
