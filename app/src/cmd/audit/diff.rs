//! `onetape audit diff`.

use super::RunsArg;
use crate::Session;
use crate::failure::{CHECK, Failure};
use crate::report::{self, count};
use clap::Args;
use onetape_journal::{Diff, JournalReader, Rendered, diff};
use std::path::Path;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  onetape audit diff 3f2a 77c1")]
pub(crate) struct DiffArgs {
    /// First run.
    run_a: String,
    /// Second run.
    run_b: String,
    #[command(flatten)]
    runs: RunsArg,
}

pub(crate) fn run(args: &DiffArgs, session: &Session<'_>) -> Result<u8, Failure> {
    compare(&args.runs.find(&args.run_a)?, &args.runs.find(&args.run_b)?, session)
}

fn compare(a: &Path, b: &Path, session: &Session<'_>) -> Result<u8, Failure> {
    // A journal has one owner at a time, and a run equals itself.
    let found = if a.canonicalize().ok() == b.canonicalize().ok() {
        Diff::default()
    } else {
        let open = |run: &Path| JournalReader::open(&run.join("journal"));
        diff(&open(a)?, &open(b)?)?
    };
    if session.json {
        print_diff_json(&found)?;
    } else {
        print_diff(&found);
    }
    Ok(if found.is_equal() { 0 } else { CHECK })
}

fn print_diff_json(found: &Diff) -> Result<(), Failure> {
    let entry = |entry: &Option<Rendered>| entry.as_ref().map(Rendered::json);
    let divergence = found.divergence.as_ref().map(
        |at| serde_json::json!({ "after_equal_entries": at.equal, "a": entry(&at.a), "b": entry(&at.b) }),
    );
    report::json(&serde_json::json!({
        "equal": found.is_equal(),
        "equal_entries": found.equal,
        "config": found.config,
        "first_divergence": divergence,
    }))
}

fn print_diff(found: &Diff) {
    if found.is_equal() {
        return report::line(&format!("equal: {} entries", count(found.equal)));
    }
    for change in &found.config {
        report::line(&format!("setting  {}: {} / {}", change.setting, change.a, change.b));
    }
    match &found.divergence {
        None => report::line(&format!("the settings differ, all {} entries are equal", count(found.equal))),
        Some(at) => {
            let text = |entry: &Option<Rendered>| {
                entry.as_ref().map_or("(the log ends)".to_string(), Rendered::to_string)
            };
            report::line(&format!("first divergence after {} equal entries", count(at.equal)));
            report::line(&format!("  a  {}", text(&at.a)));
            report::line(&format!("  b  {}", text(&at.b)));
        }
    }
}
