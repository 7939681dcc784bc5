//! `onetape data info`.

use super::print;
use crate::Session;
use crate::failure::Failure;
use crate::report;
use clap::Args;
use onetape_tape::import::dbn::dbn_sums;
use onetape_tape::session::SessionReader;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  onetape data info replay-data/one-2d --json")]
pub(crate) struct InfoArgs {
    /// Session folder, or a DBN file.
    path: PathBuf,
    /// DBN version of a fragment, which has no header.
    #[arg(long, value_name = "1|2|3", value_parser = clap::value_parser!(u8).range(1..=3))]
    dbn_version: Option<u8>,
}

pub(crate) fn run(args: &InfoArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let path = &args.path;
    if path.is_file() {
        let sums = dbn_sums(path, args.dbn_version).map_err(|error| Failure::input(error.to_string()))?;
        report::json(&sums)?;
        return Ok(0);
    }
    let reader = SessionReader::open(path)?;
    if session.json {
        report::json(reader.manifest())?;
    } else {
        print(reader.manifest());
    }
    Ok(0)
}
