//! `onetape vol`.

mod history;
mod iv;
mod models;
mod page;
mod regime;
mod surface;
mod term;
mod vix;

use crate::Session;
use crate::failure::Failure;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum VolCommand {
    /// Implied volatility of one price, or of a file of them.
    Iv(Box<iv::IvArgs>),
    /// Fit the smiles of all expiries at a time.
    Surface(Box<surface::SurfaceArgs>),
    /// Fit one expiry's smile at a time.
    Smile(Box<surface::SurfaceArgs>),
    /// Volatility, forward volatility, expected moves and variance swaps by expiry.
    Term(term::TermArgs),
    /// Regime of volatility: low, high, expansion, contraction or neutral.
    Regime(regime::RegimeArgs),
    /// Rank and percentile of the 30-day volatility among the sessions before.
    IvRank(history::RankArgs),
    /// Realised volatility of the sessions before, by five estimators.
    Realised(history::RealisedArgs),
    /// VIX-style index by the Cboe's method.
    Vix(vix::VixArgs),
}

pub(crate) fn run(command: &VolCommand, session: &Session<'_>) -> Result<u8, Failure> {
    match command {
        VolCommand::Iv(args) => iv::run(args, session),
        VolCommand::Surface(args) => surface::surface(args, session),
        VolCommand::Smile(args) => surface::smile(args, session),
        VolCommand::Term(args) => term::run(args, session),
        VolCommand::Regime(args) => regime::run(args, session),
        VolCommand::IvRank(args) => history::rank(args, session),
        VolCommand::Realised(args) => history::realised(args, session),
        VolCommand::Vix(args) => vix::run(args, session),
    }
}
