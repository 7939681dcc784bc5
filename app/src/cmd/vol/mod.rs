//! `onetape vol`.

mod iv;

use crate::Session;
use crate::failure::Failure;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum VolCommand {
    /// Implied volatility of a file of prices.
    Iv(iv::IvArgs),
}

pub(crate) fn run(command: &VolCommand, session: &Session<'_>) -> Result<u8, Failure> {
    match command {
        VolCommand::Iv(args) => iv::run(args, session),
    }
}
