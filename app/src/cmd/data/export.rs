//! `onetape data export`: one variant per format.

use crate::Session;
use crate::failure::Failure;
use crate::report::{self, count};
use clap::{Args, Subcommand, ValueEnum};
use onetape_tape::import::dbn::{BarPeriod, DbnWritten, rewrite_dbn, write_dbn};
use onetape_tape::session::SessionReader;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    /// Databento DBN, version 3: a session's records, one file a schema; or a DBN file of any version.
    Dbn(DbnArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape data export dbn sessions/es --out es-dbn\n  onetape data export dbn sessions/goog --bars 1m --out goog-dbn\n  onetape data export dbn old.v1.dbn.zst --out new.dbn.zst"
)]
pub(crate) struct DbnArgs {
    /// Session folder, or a DBN file.
    path: PathBuf,
    /// Of a session the folder to write; of a file the file, packed when its name ends in .zst.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Period of the session's bars where it was not made of DBN bars of one period.
    #[arg(long, value_enum)]
    bars: Option<BarsArg>,
    /// DBN version of a fragment, which has no header.
    #[arg(long, value_name = "1|2|3", value_parser = clap::value_parser!(u8).range(1..=3))]
    dbn_version: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BarsArg {
    #[value(name = "1s")]
    Second,
    #[value(name = "1m")]
    Minute,
    #[value(name = "1h")]
    Hour,
    #[value(name = "1d")]
    Day,
}

pub(crate) fn run(command: &ExportCommand, session: &Session<'_>) -> Result<u8, Failure> {
    let ExportCommand::Dbn(args) = command;
    let written = if args.path.is_file() {
        super::info::refuse_session_file(&args.path)?;
        let records = rewrite_dbn(&args.path, args.dbn_version, &args.out)?;
        DbnWritten { files: [(args.out.clone(), records)].into(), ..DbnWritten::default() }
    } else {
        let bars = args.bars.map(|bars| match bars {
            BarsArg::Second => BarPeriod::Second,
            BarsArg::Minute => BarPeriod::Minute,
            BarsArg::Hour => BarPeriod::Hour,
            BarsArg::Day => BarPeriod::Day,
        });
        write_dbn(&mut SessionReader::open(&args.path)?, &args.out, bars)?
    };
    for (kind, records) in &written.left_out {
        let advice = if kind == "trade_bar" { "; state their period with --bars" } else { "" };
        report::note(session.quiet, &format!("note: {} {kind} left out{advice}", count(*records)));
    }
    if session.json {
        report::json(&written)?;
        return Ok(0);
    }
    for (path, records) in &written.files {
        report::line(&format!("wrote {:<60} {:>14} records", path.display(), count(*records)));
    }
    Ok(0)
}
