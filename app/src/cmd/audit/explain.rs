//! `onetape audit explain`.

use super::RunArg;
use super::books::{book, decimals};
use crate::Session;
use crate::failure::{Failure, USAGE};
use crate::report::{self, cents, count, wrapped};
use crate::times::utc;
use clap::Args;
use onetape_engine::fees::FeeRow;
use onetape_engine::ids::OrderIx;
use onetape_engine::num::{Money, Nanos};
use onetape_engine::view::CheckUnit;
use onetape_journal::Rendered;
use onetape_session::audit::{
    ArrivalStory, ExitBy, Explanation, FillStory, OrderProfit, RiskStory, StrategyStory, explain,
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  onetape audit explain 3f2a 4\n  onetape audit explain 3f2a 4 --json")]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    run: RunArg,
    /// Order, by its number in the run (from 0).
    order: String,
}

pub(crate) fn run(args: &ExplainArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let order = args.order.trim_start_matches('#').parse().map_err(|_| Failure {
        code: USAGE,
        message: format!("'{}' is not an order number; orders are numbered from 0", args.order),
    })?;
    let reader = args.run.open()?;
    let explained = explain(&reader, session.registry, OrderIx(order))?;
    if session.json {
        report::json(&explained)?;
    } else {
        print(&explained);
    }
    Ok(0)
}

/// Columns before a line's content.
const LABEL: usize = 10;

/// Prints `text` under a label, wrapped.
fn say(label: &str, text: &str) {
    wrapped(&format!("{label:<LABEL$}"), &" ".repeat(LABEL + 2), text)
        .iter()
        .for_each(|line| report::line(line));
}

fn print(e: &Explanation) {
    let legs: Vec<String> = e.legs.iter().map(|(symbol, quantity)| format!("{quantity} {symbol}")).collect();
    let terms = serde_json::json!({ "type": e.order_type, "tif": e.tif });
    say(
        "order",
        &format!(
            "{} of run {}: {}   {}",
            e.order,
            e.run_id.get(..16).unwrap_or(&e.run_id),
            legs.join(", "),
            decimals(&terms)
        ),
    );
    say("submitted", &format!("seq {}   {} UTC", count(e.submit_seq), utc(e.submit_ts)));
    print_trigger(&e.trigger);
    for (n, line) in e.books.iter().enumerate() {
        say(if n == 0 { "quotes" } else { "" }, &book(line, e.submit_ts));
    }
    print_strategy(&e.strategy);
    e.risk.iter().for_each(print_risk);
    for (n, entry) in e.states.iter().filter(|entry| is_state(entry)).enumerate() {
        say(if n == 0 { "states" } else { "" }, &state(entry));
    }
    e.arrival.iter().for_each(print_arrival);
    e.fills.iter().for_each(print_fill);
    print_profit(&e.profit, e.total);
}

fn print_strategy(story: &StrategyStory) {
    say("strategy", &format!("{} {}, version {}", story.index, story.name, story.version));
    let params = story.params.iter().map(|(key, value)| match value.lines().count() {
        0 | 1 => format!("{key}={value}"),
        lines => format!("{key}=({lines} lines)"),
    });
    say("  with", &params.collect::<Vec<_>>().join("  "));
    let text = |note: &Rendered| note.get("text").and_then(|text| text.as_str().map(str::to_string));
    for note in &story.said {
        say("  said", &text(note).unwrap_or_default());
    }
    for note in &story.said_before {
        say("  before", &format!("seq {}: {}", seq_of(note), text(note).unwrap_or_default()));
    }
    let reads = story.reads;
    let counts = [
        (reads.books, "books"),
        (reads.greeks, "Greeks"),
        (reads.chains, "chains"),
        (reads.positions, "positions"),
        (reads.orders, "orders"),
        (reads.accounts, "accounts"),
    ];
    let counts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let few = 6;
    let names = story.books_read.iter().take(few).cloned().collect::<Vec<_>>().join(", ");
    let more = if story.books_read.len() > few { ", …" } else { "" };
    let names = if names.is_empty() { String::new() } else { format!(": {names}{more}") };
    say("  read", &if counts.is_empty() { "nothing in this callback".to_string() } else { counts + &names });
    for series in &story.greeks {
        let figure = |value: Option<f64>| value.map_or("none".to_string(), |value| format!("{value:.4}"));
        say("", &format!("{}  delta {}  vol {}", series.symbol, figure(series.delta), figure(series.vol)));
    }
}

fn print_risk(risk: &RiskStory) {
    let verdict = match risk.refused {
        None => "approved".to_string(),
        Some(reason) => format!("refused: {}", decimals(&serde_json::json!(reason))),
    };
    say("risk", &format!("{verdict}   seq {}   {} UTC", count(risk.seq), utc(risk.ts)));
    for check in &risk.checks {
        let name = decimals(&serde_json::json!(check.check));
        let mark = if check.is_within { "ok " } else { "NO " };
        let figure = |money: Option<Money>| match (money, check.unit) {
            (Some(money), CheckUnit::Money) => cents(money),
            (Some(money), _) => money.to_string(),
            (None, _) => "-".to_string(),
        };
        let unit = match check.unit {
            CheckUnit::Fact => {
                report::line(&format!("{:LABEL$} {mark} {name}", ""));
                continue;
            }
            CheckUnit::Quantity => "units",
            CheckUnit::Price => "price",
            CheckUnit::Money => "money",
            CheckUnit::Orders => "orders/s",
            CheckUnit::Blocks => "blocks",
        };
        report::line(&format!(
            "{:LABEL$} {mark} {name:<15} {:>15} of {:>15}   headroom {:>15} {unit}",
            "",
            figure(check.value),
            figure(check.limit),
            figure(check.headroom)
        ));
    }
}

/// The first links of a long chain, and the input at its end.
fn print_trigger(chain: &[Rendered]) {
    const FIRST: usize = 6;
    for (n, link) in chain.iter().enumerate() {
        if n < FIRST || n + 1 == chain.len() {
            say(if n == 0 { "trigger" } else { "  <-" }, &link.to_string());
        } else if n == FIRST {
            say("  <-", &format!("… {} more", chain.len() - FIRST - 1));
        }
    }
}

fn is_state(entry: &Rendered) -> bool {
    matches!(kind(entry), "state" | "illegal_transition" | "cancel_requested" | "triggered")
}

fn kind(entry: &Rendered) -> &str {
    entry.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default()
}

fn seq_of(entry: &Rendered) -> String {
    entry.get("seq").and_then(serde_json::Value::as_u64).map_or(String::new(), count)
}

fn state(entry: &Rendered) -> String {
    let field = |name: &str| entry.get(name).map(decimals).unwrap_or_default();
    let ts = entry.get("ts").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let what = match kind(entry) {
        "state" => format!("{} → {}   ({})", field("from"), field("to"), field("reason")),
        other => other.to_string(),
    };
    format!("{:>9}  {}  {what}", seq_of(entry), utc(Nanos(ts)))
}

fn print_arrival(arrival: &ArrivalStory) {
    say("venue", &format!("arrived {} UTC, seq {}", utc(arrival.at), count(arrival.seq)));
    arrival.books.iter().for_each(|line| say("", &book(line, arrival.at)));
    arrival.revealed_by.iter().for_each(|entry| say("  proven by", &entry.to_string()));
}

fn print_fill(fill: &FillStory) {
    let execution = &fill.execution;
    let reason = decimals(&serde_json::json!(execution.reason));
    let booked = match (fill.booked_seq, fill.booked_ts) {
        (Some(seq), Some(ts)) => format!("booked seq {} {}", count(seq), utc(ts)),
        _ => "never booked".to_string(),
    };
    say(
        "fill",
        &format!(
            "{} {} at {}   {reason}   venue {}   seq {}, {booked}",
            execution.quantity,
            fill.symbol,
            execution.price,
            utc(execution.at),
            count(fill.executed_seq)
        ),
    );
    fill.book.iter().for_each(|line| say("  book", &book(line, execution.at)));
    fill.justified_by.iter().for_each(|entry| say("  because", &entry.to_string()));
    if let (Some(fee), Some(row)) = (fill.fee, &fill.fee_row) {
        say("  fee", &format!("{}: {}", cents(fee), fee_rule(row)));
    }
}

fn fee_rule(row: &FeeRow) -> String {
    let bound = |name: &str, bound: Option<Money>| bound.map(|money| format!(", {name} {}", cents(money)));
    format!(
        "per {} {} × {}{}{} = {} for all fills of the leg",
        row.rule,
        row.rate,
        row.quantity,
        bound("minimum", row.minimum).unwrap_or_default(),
        bound("maximum", row.maximum).unwrap_or_default(),
        cents(row.total)
    )
}

fn print_profit(profit: &OrderProfit, total: Money) {
    for exit in &profit.exits {
        let by = match exit.by {
            ExitBy::Order(order) => format!("order {}", order.0),
            ExitBy::Expiry(outcome) => decimals(&serde_json::json!(outcome)),
        };
        say(
            "closed",
            &format!(
                "{} {} at {} by {by}   seq {}   {} UTC   {}",
                exit.quantity,
                exit.symbol,
                exit.price,
                count(exit.seq),
                utc(exit.ts),
                cents(exit.realized)
            ),
        );
    }
    for open in &profit.open {
        let unrealized = cents(open.unrealized);
        say("open", &format!("{} {} marked at {}   {unrealized}", open.quantity, open.symbol, open.mark));
    }
    say(
        "p&l",
        &format!(
            "{} = realised {} + unrealised {} − fees {}",
            cents(total),
            cents(profit.realized),
            cents(profit.unrealized),
            cents(profit.fees)
        ),
    );
}
