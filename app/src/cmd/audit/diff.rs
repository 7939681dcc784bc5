//! `onetape audit diff`.

use super::{RunsArg, SessionArg};
use crate::Session;
use crate::failure::{CHECK, Failure};
use crate::report::{self, cents, count};
use clap::Args;
use onetape_journal::{Diff, JournalReader, Rendered, diff};
use onetape_session::audit::{OrderResult, ResultDiff, compare_results, end_state};
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
    #[command(flatten)]
    session: SessionArg,
}

pub(crate) fn run(args: &DiffArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let (a, b) = (args.runs.find(&args.run_a)?, args.runs.find(&args.run_b)?);
    compare(&a, &b, &args.session, session)
}

fn compare(a: &Path, b: &Path, place: &SessionArg, session: &Session<'_>) -> Result<u8, Failure> {
    // A journal has one owner at a time, and a run equals itself.
    if a.canonicalize().ok() == b.canonicalize().ok() {
        return tell(&Diff::default(), None, session);
    }
    let sessions = place.sessions();
    let (a, b) = (sessions.open(a)?, sessions.open(b)?);
    place.check_use([&a, &b].iter().any(|reader| reader.header().session.is_some()))?;
    let found = diff(&a, &b)?;
    // Equal entries have equal results; other ones are re-run for what each order made.
    let results = found.divergence.as_ref().map(|_| compare_ends(&a, &b, session)).transpose()?;
    tell(&found, results.as_ref(), session)
}

fn compare_ends(a: &JournalReader, b: &JournalReader, session: &Session<'_>) -> Result<ResultDiff, Failure> {
    let (a, b) = (end_state(a, session.registry)?, end_state(b, session.registry)?);
    Ok(compare_results(&a, &b))
}

fn tell(found: &Diff, results: Option<&ResultDiff>, session: &Session<'_>) -> Result<u8, Failure> {
    if session.json {
        print_diff_json(found, results)?;
    } else {
        print_diff(found);
        results.into_iter().for_each(print_results);
    }
    Ok(if found.is_equal() { 0 } else { CHECK })
}

fn print_diff_json(found: &Diff, results: Option<&ResultDiff>) -> Result<(), Failure> {
    let entry = |entry: &Option<Rendered>| entry.as_ref().map(Rendered::json);
    let divergence = found.divergence.as_ref().map(
        |at| serde_json::json!({ "after_equal_entries": at.equal, "a": entry(&at.a), "b": entry(&at.b) }),
    );
    report::json(&serde_json::json!({
        "equal": found.is_equal(),
        "equal_entries": found.equal,
        "config": found.config,
        "first_divergence": divergence,
        "results": results,
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
            report::line(&format!("first divergence after {} equal entries", count(at.equal)));
            for (side, entry) in [("a", &at.a), ("b", &at.b)] {
                let text = entry.as_ref().map_or("(the log ends)".to_string(), Rendered::to_string);
                let lines = report::wrapped(&format!("  {side}"), "     ", &text);
                lines.iter().for_each(|line| report::line(line));
            }
        }
    }
}

fn print_results(results: &ResultDiff) {
    report::line(&format!(
        "result   {} / {}   difference {}, by order:",
        cents(results.profit_a),
        cents(results.profit_b),
        cents(results.difference)
    ));
    for row in &results.orders {
        let number =
            |side: &Option<OrderResult>| side.as_ref().map_or("-".to_string(), |o| o.order.to_string());
        let profit = |side: &Option<OrderResult>| side.as_ref().map_or("-".to_string(), |o| cents(o.profit));
        let legs: Vec<String> =
            row.legs.iter().map(|(symbol, quantity)| format!("{quantity} {symbol}")).collect();
        report::line(&format!(
            "  order {:>5} / {:<5} {:>12} / {:>12} {:>12}   {}",
            number(&row.a),
            number(&row.b),
            profit(&row.a),
            profit(&row.b),
            cents(row.difference),
            legs.join(", ")
        ));
    }
    report::line(&format!(
        "  {:<46} {:>12}   {} orders made the same",
        "sum",
        cents(results.difference),
        results.equal_orders
    ));
    report::line(&format!("cash     {} / {}", cents(results.cash_a), cents(results.cash_b)));
    for position in &results.positions {
        report::line(&format!("position {:<22} {} / {}", position.symbol, position.a, position.b));
    }
}
