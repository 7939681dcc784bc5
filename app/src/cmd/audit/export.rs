//! `onetape audit export` and `onetape audit import`.

use super::{RunArg, RunsArg};
use crate::Session;
use crate::failure::Failure;
use crate::report::{self, count};
use clap::{ArgGroup, Args};
use onetape_journal::export::{Format, export};
use onetape_journal::{SealedReport, export_sealed, import_sealed};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("format"),
    after_help = "Examples:\n  onetape audit export 3f2a --parquet tables     tables/{inputs,events,fills,orders,positions}.parquet\n  onetape audit export 3f2a --json tables        the same as JSON lines\n  onetape audit export 3f2a --sealed 3f2a.tape   the whole journal in one verifiable file"
)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    run: RunArg,
    /// Folder of the tables, or the sealed file; must not exist.
    output: PathBuf,
    /// Tables as Apache Parquet.
    #[arg(long, group = "format")]
    parquet: bool,
    /// Tables as CSV.
    #[arg(long, group = "format")]
    csv: bool,
    /// One file with every block, the settings and a hash over all; `audit import` restores it.
    #[arg(long, group = "format")]
    sealed: bool,
}

impl ExportArgs {
    /// Of the tables; `None` for a sealed file.
    fn format(&self, json: bool) -> Result<Option<Format>, Failure> {
        Ok(match (self.parquet, self.csv, self.sealed, json) {
            (true, ..) => Some(Format::Parquet),
            (_, true, ..) => Some(Format::Csv),
            (_, _, true, _) => None,
            (.., true) => Some(Format::Json),
            _ => return Err(Failure::usage("name a format: --parquet, --csv, --json or --sealed")),
        })
    }
}

pub(crate) fn run(args: &ExportArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let format = args.format(session.json)?;
    let dir = args.run.find()?;
    let reader = args.run.open()?;
    let Some(format) = format else {
        let settings = dir.join("session.toml");
        let text = if settings.is_file() {
            std::fs::read_to_string(&settings).map_err(|error| Failure::io(&settings, &error))?
        } else {
            String::new()
        };
        return tell_sealed("sealed", &export_sealed(&reader, &text, &args.output)?, session);
    };
    let tables = export(&reader, &args.output, format)?;
    if session.json {
        report::json(&tables)?;
    } else {
        for table in tables {
            let (rows, bytes) = (count(table.rows), count(table.bytes));
            report::line(&format!(
                "{:<8} {rows:>12} rows {bytes:>14} bytes  {}",
                table.table,
                table.file.display()
            ));
        }
    }
    Ok(0)
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  onetape audit import 3f2a.tape --out runs")]
pub(crate) struct ImportArgs {
    /// File that `audit export --sealed` wrote.
    file: PathBuf,
    #[command(flatten)]
    runs: RunsArg,
}

pub(crate) fn import(args: &ImportArgs, session: &Session<'_>) -> Result<u8, Failure> {
    if !args.file.is_file() {
        return Err(Failure::input(format!("{}: no such file", args.file.display())));
    }
    tell_sealed("restored", &import_sealed(&args.file, args.runs.folder())?, session)
}

fn tell_sealed(what: &str, sealed: &SealedReport, session: &Session<'_>) -> Result<u8, Failure> {
    let SealedReport { path, bytes, label } = sealed;
    if session.json {
        report::json(&json!({
            "path": path,
            "bytes": bytes,
            "run_id": label.run_id,
            "head": label.head,
            "derived_hash": label.derived_hash,
            "blocks": label.blocks,
            "events": label.events,
        }))?;
    } else {
        let events = count(label.events);
        report::line(&format!(
            "{what} {}: {events} events in {} blocks",
            path.display(),
            count(label.blocks)
        ));
        report::line(&format!("head {}   file {} bytes", label.head, count(*bytes)));
    }
    Ok(0)
}

/// Where a signature lies beside its journal.
pub(super) fn signature_of(run: &Path) -> PathBuf {
    run.join("head.sig")
}
