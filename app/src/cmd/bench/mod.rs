//! `onetape bench`.

mod throughput;

use crate::Session;
use crate::failure::Failure;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Loop and full-journal rates beside their bars.
    Throughput(throughput::ThroughputArgs),
}

pub(crate) fn run(command: &BenchCommand, session: &Session<'_>) -> Result<u8, Failure> {
    match command {
        BenchCommand::Throughput(args) => throughput::run(args, session),
    }
}
