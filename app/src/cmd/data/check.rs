//! `onetape data check`.

use super::import::finding_failure;
use crate::Session;
use crate::failure::{CHECK, Failure};
use crate::report::{self, count};
use crate::times;
use clap::Args;
use onetape_engine::Nanos;
use onetape_tape::generate::{GENERATOR, acceptance};
use onetape_tape::quality::{FindingReport, Limits, QualityReport, check_session};
use onetape_tape::session::SessionReader;
use std::path::PathBuf;

/// Findings shown per line of an instrument.
const SHOWN: usize = 3;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape data check sessions/goog\n  onetape data check sessions/goog --limit crossed=0.01 --limit gap=none\n  onetape data check replay-data/one-2d --stylised"
)]
pub(crate) struct CheckArgs {
    /// Session folder.
    path: PathBuf,
    /// Compare a generated session's stylised facts with their bands instead.
    #[arg(long)]
    stylised: bool,
    /// Share of a finding above which the check fails, FINDING=SHARE or FINDING=none, repeatable.
    #[arg(long, value_name = "FINDING=SHARE", conflicts_with = "stylised")]
    limit: Vec<String>,
}

pub(crate) fn run(args: &CheckArgs, session: &Session<'_>) -> Result<u8, Failure> {
    if args.stylised {
        return stylised(args, session);
    }
    let mut limits = Limits::default();
    for text in &args.limit {
        limits.set(text).map_err(|error| finding_failure("--limit", &error))?;
    }
    let checked = check_session(&mut SessionReader::open(&args.path)?, &limits)?;
    if session.json {
        report::json(&checked)?;
    } else {
        print(&checked);
    }
    Ok(if checked.ok { 0 } else { CHECK })
}

fn print(checked: &QualityReport) {
    report::line(&format!(
        "session  {}\ncontent  {}\njudged   {} records of {} instruments",
        checked.session,
        checked.content_hash,
        count(checked.records),
        count(checked.instruments)
    ));
    report::line(&format!(
        "\n     {:<13}{:>12} {:>15} {:<17} {:>10} {:>10}",
        "finding", "found", "of", "", "share", "limit"
    ));
    for finding in &checked.findings {
        print_finding(finding);
    }
    if !checked.worst.is_empty() {
        report::line("\nworst instruments, by findings that have a limit");
    }
    for worst in &checked.worst {
        let mut named = worst.findings.clone();
        named.sort_by_key(|(_, found)| std::cmp::Reverse(*found));
        let text: Vec<String> =
            named.iter().take(SHOWN).map(|(name, found)| format!("{name} {}", count(*found))).collect();
        report::line(&format!(
            "  {:<24} {:>12} records   {}",
            worst.symbol,
            count(worst.records),
            text.join(", ")
        ));
    }
}

fn print_finding(finding: &FindingReport) {
    report::line(&format!(
        "{}  {:<13}{:>12} {:>15} {:<17} {:>10} {:>10}",
        if finding.ok { "ok " } else { "OUT" },
        finding.name,
        count(finding.found),
        count(finding.of),
        finding.base,
        percent(finding.share),
        finding.limit.map_or_else(|| "-".to_string(), percent)
    ));
    let shown = if finding.ok { 1 } else { finding.samples.len() };
    for sample in finding.samples.iter().take(shown) {
        report::line(&format!(
            "       {} UTC  record {}  {}",
            times::utc(Nanos(sample.ts)),
            sample.record,
            sample.symbol
        ));
        report::line(&format!("         {}", sample.what));
    }
}

fn percent(share: f64) -> String {
    format!("{:.4} %", share * 100.0)
}

/// A decimal without the zeros at its end.
fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn stylised(args: &CheckArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let mut reader = SessionReader::open(&args.path)?;
    let importer = &reader.manifest().importer.name;
    if importer != GENERATOR {
        let what = format!("{} is no generated session (it was made by '{importer}')", args.path.display());
        return Err(Failure::input(format!("{what}; without --stylised its records are checked")));
    }
    let figures =
        acceptance::check_session(&mut reader).map_err(|error| Failure::input(error.to_string()))?;
    if session.json {
        report::json(&figures)?;
    } else {
        for figure in &figures {
            let edge = |edge: f64| match edge.is_finite() {
                true => trimmed(&format!("{edge:.4}")).to_string(),
                false if edge < 0.0 => "-∞".to_string(),
                false => "∞".to_string(),
            };
            report::line(&format!(
                "{}  {:<52} {:>10.4} {:>8}   {} … {}",
                if figure.ok { "ok " } else { "OUT" },
                figure.name,
                figure.value,
                figure.error.map_or_else(String::new, |error| format!("±{error:.4}")),
                edge(figure.low),
                edge(figure.high)
            ));
        }
    }
    Ok(if figures.iter().all(|figure| figure.ok) { 0 } else { CHECK })
}
