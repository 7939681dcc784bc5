//! `onetape data check`.

use crate::Session;
use crate::failure::Failure;
use crate::report;
use clap::Args;
use onetape_tape::generate::acceptance;
use onetape_tape::session::SessionReader;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  onetape data check replay-data/one-2d --stylised")]
pub(crate) struct CheckArgs {
    /// Session folder.
    path: PathBuf,
    /// Compare the session's stylised facts with their bands.
    #[arg(long, required = true)]
    stylised: bool,
}

pub(crate) fn run(args: &CheckArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let figures = acceptance::check_session(&mut SessionReader::open(&args.path)?)
        .map_err(|error| Failure::input(error.to_string()))?;
    if session.json {
        report::json(&figures)?;
    } else {
        for figure in &figures {
            report::line(&format!(
                "{}  {:<52} {:>12.4}   {} … {}",
                if figure.ok { "ok " } else { "OUT" },
                figure.name,
                figure.value,
                figure.low,
                figure.high
            ));
        }
    }
    Ok(if figures.iter().all(|figure| figure.ok) { 0 } else { crate::failure::CHECK })
}
