//! `onetape data list` and `onetape data find`: a folder of sessions, read through their manifests.

use super::import::parse_date;
use crate::Session;
use crate::failure::{CHECK, Failure};
use crate::report::{self, count};
use clap::{Args, ValueEnum};
use onetape_engine::instrument::InstrumentKind;
use onetape_engine::record::Kind;
use onetape_session::settings::nearest;
use onetape_tape::session::{Catalog, Entry, MANIFEST_FILE, Manifest, Query};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Folder that is looked into when none is named.
const SESSIONS: &str = "sessions";

/// The session that a path or the name of an entry of the catalog `sessions` means.
pub(crate) fn session_path(named: &Path) -> PathBuf {
    let entry = Path::new(SESSIONS).join(named);
    let is_entry = named.is_relative() && !named.exists() && entry.join(MANIFEST_FILE).is_file();
    if is_entry { entry } else { named.to_path_buf() }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  onetape data list\n  onetape data list sessions --verify --json")]
pub(crate) struct ListArgs {
    /// Folder of sessions.
    #[arg(default_value = SESSIONS)]
    dir: PathBuf,
    /// Read every block and compare it with the manifest's hashes.
    #[arg(long)]
    verify: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape data find --symbol GOOG --from 2015-12-24\n  onetape data find archive --symbol SPX --kind option --records quote --json"
)]
pub(crate) struct FindArgs {
    /// Folder of sessions.
    #[arg(default_value = SESSIONS)]
    dir: PathBuf,
    /// Symbol, option root or underlying.
    #[arg(long)]
    symbol: Option<String>,
    /// First trade date (yyyy-mm-dd).
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Last trade date (yyyy-mm-dd).
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Kind of instrument.
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// Kind of record, for example quote or trade_bar.
    #[arg(long, value_name = "KIND")]
    records: Option<String>,
    /// Read every block and compare it with the manifest's hashes.
    #[arg(long)]
    verify: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindArg {
    Equity,
    Index,
    Future,
    Option,
}

/// A session as JSON: its folder, its manifest, and whether its hashes hold where that was asked.
#[derive(Serialize)]
struct Listed<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    intact: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    manifest: &'a Manifest,
}

pub(super) fn list(args: &ListArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let catalog = Catalog::open(&args.dir)?;
    let entries: Vec<&Entry> = catalog.entries.iter().collect();
    let code = show(&entries, args.verify, session)?;
    if entries.is_empty() {
        report::note(session.quiet, &format!("note: {} holds no session", args.dir.display()));
    }
    for folder in &catalog.unreadable {
        report::note(session.quiet, &format!("note: {} left out: {}", folder.path.display(), folder.error));
    }
    Ok(code)
}

pub(super) fn find(args: &FindArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let catalog = Catalog::open(&args.dir)?;
    let query = query(args)?;
    let entries: Vec<&Entry> = catalog.find(&query).collect();
    if entries.is_empty() {
        let hint = args.symbol.as_deref().and_then(|symbol| {
            let known = catalog.symbols();
            let upper = symbol.to_ascii_uppercase();
            let is_known = known.iter().any(|name| name.eq_ignore_ascii_case(symbol));
            (!is_known).then(|| nearest(&upper, known.into_iter()).map(str::to_string)).flatten()
        });
        let hint = hint.map_or_else(String::new, |name| format!("; did you mean '{name}'?"));
        report::note(session.quiet, &format!("note: no session of {} matches{hint}", args.dir.display()));
    }
    show(&entries, args.verify, session)
}

fn query(args: &FindArgs) -> Result<Query, Failure> {
    let number = |flag, text: Option<&str>| -> Result<Option<u32>, Failure> {
        Ok(parse_date(flag, text)?.map(|date| {
            let (year, month, day) = (date.year(), date.month(), date.day());
            u32::from(year.unsigned_abs()) * 10_000
                + u32::from(month.unsigned_abs()) * 100
                + u32::from(day.unsigned_abs())
        }))
    };
    if let Some(records) = &args.records {
        let names = || Kind::ALL.iter().map(|kind| kind.name());
        if !names().any(|name| name == records) {
            let hint = nearest(records, names())
                .map_or_else(String::new, |name| format!("; did you mean '{name}'?"));
            return Err(Failure::usage(format!("--records: '{records}' is no kind of record{hint}")));
        }
    }
    let (from, to) = (number("--from", args.from.as_deref())?, number("--to", args.to.as_deref())?);
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        return Err(Failure::usage("--to is before --from; exchange them".to_string()));
    }
    Ok(Query {
        symbol: args.symbol.clone(),
        from,
        to,
        kind: args.kind.map(|kind| match kind {
            KindArg::Equity => InstrumentKind::Equity,
            KindArg::Index => InstrumentKind::Index,
            KindArg::Future => InstrumentKind::Future,
            KindArg::Option => InstrumentKind::Option,
        }),
        records: args.records.clone(),
    })
}

fn show(entries: &[&Entry], verify: bool, session: &Session<'_>) -> Result<u8, Failure> {
    let mut listed = Vec::with_capacity(entries.len());
    for entry in entries {
        let problem = if verify { entry.verify().err().map(|error| error.to_string()) } else { None };
        let intact = verify.then_some(problem.is_none());
        listed.push(Listed {
            path: entry.path.display().to_string(),
            intact,
            problem,
            manifest: &entry.manifest,
        });
    }
    if session.json {
        report::json(&listed)?;
    } else {
        print(&listed);
    }
    Ok(if listed.iter().any(|entry| entry.intact == Some(false)) { CHECK } else { 0 })
}

fn print(listed: &[Listed<'_>]) {
    report::line(&format!(
        "{:<30} {:<17} {:>11} {:>13}  {}",
        "session", "trade dates", "instruments", "inputs", "symbols"
    ));
    for entry in listed {
        let manifest = entry.manifest;
        report::line(&format!(
            "{:<30} {:<17} {:>11} {:>13}  {}",
            entry.path,
            dates(&manifest.trade_dates),
            count(u64::from(manifest.instruments)),
            count(manifest.inputs),
            symbols(manifest)
        ));
        match (&entry.problem, entry.intact) {
            (Some(problem), _) => report::line(&format!("  DAMAGED {problem}")),
            (None, Some(_)) => report::line(&format!("  intact, content {}", manifest.content_hash)),
            (None, None) => {}
        }
    }
}

fn dates(dates: &[u32]) -> String {
    match dates {
        [] => "-".to_string(),
        [only] => only.to_string(),
        [first, .., last] => format!("{first}-{last}"),
    }
}

/// The first symbols with the letter of their kind for all but shares: `SPX(i) SPXW(o)`.
fn symbols(manifest: &Manifest) -> String {
    const SHOWN: usize = 3;
    let name = |root: &onetape_tape::session::Root| match root.kind {
        InstrumentKind::Equity => root.symbol.clone(),
        InstrumentKind::Index => format!("{}(i)", root.symbol),
        InstrumentKind::Future => format!("{}(f)", root.symbol),
        InstrumentKind::Option => format!("{}(o)", root.symbol),
    };
    let mut text: Vec<String> = manifest.roots.iter().take(SHOWN).map(name).collect();
    if manifest.roots.len() > SHOWN {
        text.push(format!("+{}", manifest.roots.len() - SHOWN));
    }
    if text.is_empty() { "(not stated; import again)".to_string() } else { text.join(" ") }
}
