//! `onetape data info`.

use super::print;
use crate::Session;
use crate::failure::Failure;
use crate::report::{self, count};
use clap::Args;
use onetape_tape::import::dbn::{DbnSums, dbn_sums};
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
        refuse_session_file(path)?;
        let sums = dbn_sums(path, args.dbn_version)?;
        if session.json {
            report::json(&sums)?;
        } else {
            print_sums(&sums);
        }
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

/// An error where a file is one of a session's own.
pub(super) fn refuse_session_file(path: &Path) -> Result<(), Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some(folder) = path.parent() else { return Ok(()) };
    let is_own = matches!(name, Some("manifest.json" | "blocks.tape" | "history.csv"));
    if !is_own || !folder.join("blocks.tape").is_file() {
        return Ok(());
    }
    let what = format!("{} is a file of the session {}", path.display(), folder.display());
    Err(Failure::input(format!("{what}; name the folder")))
}

fn print_sums(sums: &DbnSums) {
    let line = report::line;
    let dataset = if sums.dataset.is_empty() { "a fragment, without header" } else { &sums.dataset };
    let schema = sums.schema.as_deref().unwrap_or("mixed");
    line(&format!(
        "dbn      {dataset}   schema {schema}   {} symbols, {} mapped",
        sums.symbols, sums.mappings
    ));
    for (kind, records) in &sums.records {
        line(&format!("  record {kind:<24} {:>14}", count(*records)));
    }
    for (field, sum) in [
        ("ts_event", sums.sum_ts_event),
        ("price", sums.sum_price),
        ("size", sums.sum_size),
        ("sequence", sums.sum_sequence),
        ("bid_px", sums.sum_bid_px),
        ("ask_px", sums.sum_ask_px),
        ("bid_sz", sums.sum_bid_sz),
        ("ask_sz", sums.sum_ask_sz),
        ("open", sums.sum_open),
        ("high", sums.sum_high),
        ("low", sums.sum_low),
        ("close", sums.sum_close),
        ("volume", sums.sum_volume),
    ] {
        if sum != 0 {
            line(&format!("  sum    {field:<14} {sum:>24}"));
        }
    }
}
