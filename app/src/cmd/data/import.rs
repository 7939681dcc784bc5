//! `onetape data import`: one variant per source.

use super::done;
use crate::Session;
use crate::failure::Failure;
use crate::report;
use crate::times::parse_duration;
use clap::{Args, Subcommand, ValueEnum};
use onetape_calendar::Date;
use onetape_session::settings::nearest;
use onetape_tape::import::dbn::{DbnRequest, import_dbn};
use onetape_tape::import::lean::{LeanKind, LeanRequest, Resolution, import_lean};
use onetape_tape::import::{Delays, Progress, SizeRule};
use onetape_tape::quality::{Finding, Policies, PolicyError};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// A LEAN data folder; an option import brings its underlying.
    Lean(LeanArgs),
    /// Databento DBN files (plain or zstd), merged by the time they were knowable.
    Dbn(DbnArgs),
    /// CSV and Parquet files of any vendor, as profiles describe them.
    File(super::import_file::FileArgs),
    /// List the built-in profiles, or print one to start from.
    Profiles(super::import_file::ProfilesArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape data import lean --root Data --symbol GOOG --from 2015-12-24 --to 2015-12-24 --out sessions/goog\n  onetape data import lean --root Data --kind futureoption --symbol ES --from 2020-01-06 --to 2020-01-06 --out sessions/es"
)]
pub(crate) struct LeanArgs {
    /// LEAN's `Data` folder, or the folder that holds it.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Symbol, repeatable.
    #[arg(long, required = true, num_args = 1..)]
    symbol: Vec<String>,
    /// What the symbols are.
    #[arg(long, value_enum, default_value = "option")]
    kind: LeanKindArg,
    /// Market folder: `usa`, of futures `cme`, unless stated.
    #[arg(long, value_name = "NAME")]
    market: Option<String>,
    /// Resolution of the files.
    #[arg(long, default_value = "minute")]
    resolution: String,
    /// First date (yyyy-mm-dd).
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Last date (yyyy-mm-dd).
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Size beside the best price where tick files hold exchanges' own quotes: that of the best
    /// exchange, or the sum over all at the price.
    #[arg(long, value_enum, default_value = "best")]
    nbbo_size: NbboSizeArg,
    #[command(flatten)]
    quality: QualityArgs,
    /// Feed delay: how much later than the files say their records were known here (15ms, 15m …); of one
    /// kind alone KIND=DURATION, repeatable.
    #[arg(long, value_name = "[KIND=]DURATION")]
    delay: Vec<String>,
    /// Take files by the tickers they are named by, on all dates, without the map files.
    #[arg(long)]
    as_filed: bool,
    /// Session folder to write.
    #[arg(long, value_name = "SESSION")]
    out: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape data import dbn es.mbp-1.dbn.zst --out sessions/es\n  onetape data import dbn opra.cmbp-1.dbn.zst xnas.mbp-1.dbn.zst --delay OPRA.PILLAR=40ms \\\n      --history xnas.ohlcv-1d.dbn.zst --out sessions/aapl"
)]
pub(crate) struct DbnArgs {
    /// Files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// DBN version of fragments, which have no header.
    #[arg(long, value_name = "1|2|3", value_parser = clap::value_parser!(u8).range(1..=3))]
    dbn_version: Option<u8>,
    #[command(flatten)]
    quality: QualityArgs,
    /// Feed delay: how much later than their receipt times the records were known here (15ms, 15m …); of one
    /// dataset alone DATASET=DURATION, repeatable.
    #[arg(long, value_name = "[DATASET=]DURATION")]
    delay: Vec<String>,
    /// Files of daily bars (ohlcv-1d); those known before the tape begins become history.csv.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    history: Vec<PathBuf>,
    /// Session folder to write.
    #[arg(long, value_name = "SESSION")]
    out: PathBuf,
}

/// What every importer does about doubtful records.
#[derive(Debug, Args)]
pub(crate) struct QualityArgs {
    /// What happens to records with a finding: FINDING=keep|flag|quarantine, repeatable. Without it
    /// impossible ones are set aside in quarantine.csv, mixed_split ones flagged, all others kept.
    #[arg(long, value_name = "FINDING=ACTION")]
    policy: Vec<String>,
}

impl QualityArgs {
    pub(crate) fn policies(&self) -> Result<Policies, Failure> {
        let mut policies = Policies::default();
        for text in &self.policy {
            policies.set(text).map_err(|error| finding_failure("--policy", &error))?;
        }
        Ok(policies)
    }
}

/// The refusal of a policy or limit, with the finding that was probably meant.
pub(crate) fn finding_failure(flag: &str, error: &PolicyError) -> Failure {
    let meant = match error {
        PolicyError::Unknown { name, .. } => nearest(name, Finding::ALL.iter().map(|finding| finding.name())),
        _ => None,
    };
    let hint = meant.map_or_else(String::new, |name| format!("; did you mean '{name}'?"));
    Failure::usage(format!("{flag}: {error}{hint}"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NbboSizeArg {
    Best,
    Sum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LeanKindArg {
    Option,
    Indexoption,
    Equity,
    Index,
    Future,
    Futureoption,
}

pub(crate) fn run(command: &ImportCommand, session: &Session<'_>) -> Result<u8, Failure> {
    match command {
        ImportCommand::Lean(args) => lean(args, session),
        ImportCommand::Dbn(args) => dbn(args, session),
        ImportCommand::File(args) => super::import_file::run(args, session),
        ImportCommand::Profiles(args) => super::import_file::profiles(args, session),
    }
}

fn lean(args: &LeanArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let request = LeanRequest {
        root: args.root.clone(),
        symbols: args.symbol.clone(),
        kind: lean_kind(args.kind),
        market: market(args).to_ascii_lowercase(),
        resolution: parse_resolution(&args.resolution)?,
        from: parse_date("--from", args.from.as_deref())?,
        to: parse_date("--to", args.to.as_deref())?,
        nbbo_size: match args.nbbo_size {
            NbboSizeArg::Best => SizeRule::Best,
            NbboSizeArg::Sum => SizeRule::Sum,
        },
        policies: args.quality.policies()?,
        delays: delays(&args.delay)?,
        as_filed: args.as_filed,
    };
    let finished = import_lean(&request, &args.out, &mut |progress| show(progress, session))?;
    done(&finished, &args.out, session)
}

fn dbn(args: &DbnArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let request = DbnRequest {
        files: args.files.clone(),
        fragment_version: args.dbn_version,
        policies: args.quality.policies()?,
        delays: delays(&args.delay)?,
        history: args.history.clone(),
    };
    let finished = import_dbn(&request, &args.out, &mut |progress| show(progress, session))?;
    done(&finished, &args.out, session)
}

/// Reads `[SOURCE=]DURATION` flags.
pub(super) fn delays(flags: &[String]) -> Result<Delays, Failure> {
    let mut delays = Delays::default();
    for flag in flags {
        let (source, text) = match flag.split_once('=') {
            Some((source, text)) => (Some(source), text),
            None => (None, flag.as_str()),
        };
        let delay = parse_delay(text).ok_or_else(|| {
            Failure::usage(format!(
                "--delay: '{text}' is not a duration such as 5ms or 15m (units ns, us, ms, s, m, h)"
            ))
        })?;
        delays.set(source, delay);
    }
    Ok(delays)
}

/// A duration with its unit; feeds are delayed by minutes too.
fn parse_delay(text: &str) -> Option<u64> {
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let whole = || text[..text.len() - number.len()].parse::<u64>().ok();
    match number {
        "m" => whole()?.checked_mul(60_000_000_000),
        "h" => whole()?.checked_mul(3_600_000_000_000),
        _ => parse_duration(text),
    }
}

/// The folder of markets: that of US stocks and their options, or of CME's futures.
fn market(args: &LeanArgs) -> &str {
    let usual = match args.kind {
        LeanKindArg::Future | LeanKindArg::Futureoption => "cme",
        LeanKindArg::Option | LeanKindArg::Indexoption | LeanKindArg::Equity | LeanKindArg::Index => "usa",
    };
    args.market.as_deref().unwrap_or(usual)
}

fn lean_kind(kind: LeanKindArg) -> LeanKind {
    match kind {
        LeanKindArg::Option => LeanKind::Option,
        LeanKindArg::Indexoption => LeanKind::IndexOption,
        LeanKindArg::Equity => LeanKind::Equity,
        LeanKindArg::Index => LeanKind::Index,
        LeanKindArg::Future => LeanKind::Future,
        LeanKindArg::Futureoption => LeanKind::FutureOption,
    }
}

fn parse_resolution(text: &str) -> Result<Resolution, Failure> {
    Resolution::from_folder(text).ok_or_else(|| {
        Failure::usage(format!("--resolution: '{text}' is not tick, second, minute, hour or daily"))
    })
}

pub(super) fn parse_date(flag: &str, text: Option<&str>) -> Result<Option<Date>, Failure> {
    text.map(|text| {
        text.parse().map_err(|_| Failure::usage(format!("{flag}: '{text}' is not a date such as 2015-12-24")))
    })
    .transpose()
}

pub(super) fn show(progress: Progress, session: &Session<'_>) {
    if let Progress::Note(text) = progress {
        report::note(session.quiet, &format!("note: {text}"));
    }
}
