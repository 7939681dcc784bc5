//! `onetape data`.

use crate::Session;
use crate::cli::{DataCommand, ImportCommand, LeanKindArg};
use crate::failure::Failure;
use crate::report::{self, ProgressLine, count};
use crate::times;
use onetape_calendar::Date;
use onetape_engine::Nanos;
use onetape_tape::generate::{self, GenerateRequest};
use onetape_tape::import::Progress;
use onetape_tape::import::dbn::{DbnRequest, dbn_sums, import_dbn};
use onetape_tape::import::lean::{LeanKind, LeanRequest, Resolution, import_lean};
use onetape_tape::session::{Finished, Manifest, SessionReader};
use std::path::Path;

pub(crate) fn run(command: &DataCommand, session: &Session<'_>) -> Result<u8, Failure> {
    match command {
        DataCommand::Import(ImportCommand::Lean { root, symbol, kind, resolution, from, to, out }) => {
            let request = LeanRequest {
                root: root.clone(),
                symbols: symbol.clone(),
                kind: lean_kind(*kind),
                market: "usa".to_string(),
                resolution: parse_resolution(resolution)?,
                from: parse_date("--from", from.as_deref())?,
                to: parse_date("--to", to.as_deref())?,
            };
            let finished = import_lean(&request, out, &mut |progress| show(progress, session))
                .map_err(|error| Failure::input(error.to_string()))?;
            done(&finished, out, session)
        }
        DataCommand::Import(ImportCommand::Dbn { files, dbn_version, out }) => {
            let request = DbnRequest { files: files.clone(), fragment_version: *dbn_version };
            let finished = import_dbn(&request, out, &mut |progress| show(progress, session))
                .map_err(|error| Failure::input(error.to_string()))?;
            done(&finished, out, session)
        }
        DataCommand::Generate { seed, days, events, out } => generate(*seed, *days, *events, out, session),
        DataCommand::Check { path, stylised: _ } => check(path, session),
        DataCommand::Info { path, dbn_version } => info(path, *dbn_version, session),
    }
}

fn generate(
    seed: u64,
    days: Option<u32>,
    events: Option<u64>,
    out: &Path,
    session: &Session<'_>,
) -> Result<u8, Failure> {
    let mut request = GenerateRequest::new(seed);
    request.days = days.unwrap_or(request.days);
    request.events = events;
    let mut line = ProgressLine::new(session.quiet || session.json);
    let total = request.events.unwrap_or(generate::INPUTS_PER_DAY * u64::from(request.days));
    let finished = generate::generate(&request, out, &mut |inputs| line.update("generating", inputs, total))
        .map_err(|error| Failure::input(error.to_string()))?;
    line.done();
    done(&finished, out, session)
}

fn lean_kind(kind: LeanKindArg) -> LeanKind {
    match kind {
        LeanKindArg::Option => LeanKind::Option,
        LeanKindArg::Indexoption => LeanKind::IndexOption,
        LeanKindArg::Equity => LeanKind::Equity,
        LeanKindArg::Index => LeanKind::Index,
    }
}

fn parse_resolution(text: &str) -> Result<Resolution, Failure> {
    Resolution::from_folder(text).ok_or_else(|| {
        Failure::usage(format!("--resolution: '{text}' is not tick, second, minute, hour or daily"))
    })
}

fn parse_date(flag: &str, text: Option<&str>) -> Result<Option<Date>, Failure> {
    text.map(|text| {
        text.parse().map_err(|_| Failure::usage(format!("{flag}: '{text}' is not a date such as 2015-12-24")))
    })
    .transpose()
}

fn show(progress: Progress, session: &Session<'_>) {
    if let Progress::Note(text) = progress {
        report::note(session.quiet, &format!("note: {text}"));
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

fn check(path: &Path, session: &Session<'_>) -> Result<u8, Failure> {
    let figures = generate::acceptance::check_session(&mut SessionReader::open(path)?)
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

fn info(path: &Path, dbn_version: Option<u8>, session: &Session<'_>) -> Result<u8, Failure> {
    if path.is_file() {
        let sums = dbn_sums(path, dbn_version).map_err(|error| Failure::input(error.to_string()))?;
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
    line(&format!(
        "from     {} {} {}",
        manifest.importer.name, manifest.importer.version, manifest.importer.source
    ));
}
