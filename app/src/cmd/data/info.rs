//! `onetape data info`.

use super::print;
use crate::Session;
use crate::failure::Failure;
use crate::report;
use clap::Args;
use onetape_tape::import::dbn::dbn_sums;
use onetape_tape::session::SessionReader;
use std::path::{Path, PathBuf};

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
        if let Some(folder) = path.parent().filter(|folder| is_session_file(path, folder)) {
            let what = format!("{} is a file of the session {}", path.display(), folder.display());
            return Err(Failure::input(format!("{what}; name the folder")));
        }
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

/// Whether a file is one of a session's own.
fn is_session_file(path: &Path, folder: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    matches!(name, Some("manifest.json" | "blocks.tape" | "history.csv"))
        && folder.join("blocks.tape").is_file()
}
