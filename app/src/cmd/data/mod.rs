//! `onetape data`: one file per command.

mod catalog;
mod check;
mod depth;
mod export;
mod generate;
mod import;
mod import_file;
mod info;

pub(crate) use catalog::session_path;

use crate::Session;
use crate::failure::Failure;
use crate::report::{self, count};
use crate::times;
use clap::Subcommand;
use onetape_engine::Nanos;
use onetape_tape::session::{Finished, Manifest};
use std::path::Path;

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Import recorded data into a session folder.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Write a session's records, or a DBN file, in another form.
    #[command(subcommand)]
    Export(export::ExportCommand),
    /// Generate a session of the fictional ETF ONE and its option chain.
    Generate(generate::GenerateArgs),
    /// Look for what is wrong with a session's records, or measure a generated one (--stylised).
    Check(check::CheckArgs),
    /// The sessions of a folder.
    List(catalog::ListArgs),
    /// The sessions of a folder that hold a symbol, a date, a kind of instrument or record.
    Find(catalog::FindArgs),
    /// What a session or a DBN file holds.
    Info(info::InfoArgs),
    /// An instrument's book, by price, at an instant of a session.
    Depth(depth::DepthArgs),
}

pub(crate) fn run(command: &DataCommand, session: &Session<'_>) -> Result<u8, Failure> {
    match command {
        DataCommand::Import(command) => import::run(command, session),
        DataCommand::Export(command) => export::run(command, session),
        DataCommand::Generate(args) => generate::run(args, session),
        DataCommand::Check(args) => check::run(args, session),
        DataCommand::List(args) => catalog::list(args, session),
        DataCommand::Find(args) => catalog::find(args, session),
        DataCommand::Info(args) => info::run(args, session),
        DataCommand::Depth(args) => depth::run(args, session),
    }
}

fn done(finished: &Finished, out: &Path, session: &Session<'_>) -> Result<u8, Failure> {
    let manifest = &finished.manifest;
    if session.json {
        report::json(manifest)?;
        return Ok(0);
    }
    print(manifest);
    let state = if finished.unchanged { "unchanged" } else { "wrote" };
    report::line(&format!("{state} {}", out.display()));
    report::line(&format!("next     onetape replay --session {}", out.display()));
    Ok(0)
}

fn print(manifest: &Manifest) {
    let line = report::line;
    line(&format!("session  {}   content {}", manifest.name, manifest.content_hash));
    line(&format!(
        "span     {} to {} UTC   trade dates {}",
        times::utc(Nanos(manifest.first_ts)),
        times::utc(Nanos(manifest.last_ts)),
        manifest.trade_dates.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
    ));
    line(&format!(
        "size     {} inputs in {} blocks, {} bytes   {} instruments",
        count(manifest.inputs),
        count(manifest.blocks),
        count(manifest.bytes),
        count(u64::from(manifest.instruments))
    ));
    for (kind, n) in &manifest.inputs_by_kind {
        line(&format!("  input  {kind:<24} {:>14}", count(*n)));
    }
    for (kind, n) in &manifest.source_records {
        line(&format!("  source {kind:<24} {:>14}", count(*n)));
    }
    for (finding, count) in &manifest.quality {
        line(&format!(
            "  {:<6} {finding:<24} {:>14}   {}",
            "doubt",
            self::count(count.records),
            count.policy
        ));
    }
    line(&format!(
        "from     {} {} {}",
        manifest.importer.name, manifest.importer.version, manifest.importer.source
    ));
}
