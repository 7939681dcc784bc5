//! `onetape chain --follow`.

use super::ChainArgs;
use crate::Session;
use crate::cmd::market::MarketAt;
use crate::failure::Failure;
use crate::report;
use onetape_analytics::chain::follow::{Follow, FollowRow, follow};
use onetape_engine::num::Nanos;
use serde_json::{Value, json};

const MINUTE: u64 = 60_000_000_000;

pub(super) fn run(args: &ChainArgs, market: &MarketAt, session: &Session<'_>) -> Result<u8, Failure> {
    let mut reader = args.market.open()?;
    let to = market.snapshot.at;
    let from = match &args.from {
        Some(text) => args.market.instant(text, &reader)?,
        None => Nanos(to.0.saturating_sub(60 * MINUTE).max(reader.manifest().first_ts)),
    };
    if from > to {
        return Err(Failure::usage("--from lies after --at"));
    }
    let wanted = Follow {
        symbol: market.symbol.clone(),
        from,
        to,
        every_ns: args.every * MINUTE,
        rate: args.market.rate,
        dividend_yield: args.div,
    };
    let rows = follow(&mut reader, &wanted).map_err(|error| Failure::input(error.to_string()))?;
    if rows.is_empty() {
        return Err(Failure::input(format!("{} has no price between --from and --at", market.symbol)));
    }
    if session.json {
        let rows: Vec<Value> = rows.iter().map(row_json).collect();
        report::json(&json!({ "session": market.source, "underlying": market.symbol, "rows": rows }))?;
    } else {
        print(market, &rows);
    }
    Ok(0)
}

fn row_json(row: &FollowRow) -> Value {
    json!({
        "at_ns": row.at.0,
        "spot": row.spot,
        "series": row.series,
        "marked": row.marked,
        "ticks": row.ticks,
        "quotes": row.quotes,
        "quoted": row.quoted,
        "inside": row.inside,
        "delta": row.delta,
        "gamma": row.gamma,
        "vega_per_point": row.vega_per_point,
        "theta_per_day": row.theta_per_day,
    })
}

fn print(market: &MarketAt, rows: &[FollowRow]) {
    report::line(&format!("{}, {}", market.symbol, market.caption()));
    report::line(
        "live chain: each tick re-marks every series, each quote implies its series' volatility anew;",
    );
    report::line("inside = marks between bid and ask; sums over series, one contract unit each, long");
    report::line(
        "time UTC        spot series marked  ticks  quotes inside    delta    gamma     vega    theta",
    );
    let (mut ticks, mut marks) = (0, 0);
    for row in rows {
        let time = crate::times::utc(row.at);
        let clock = time.split(' ').nth(1).unwrap_or(&time);
        report::line(&format!(
            "{:<8} {:>11.4} {:>6} {:>6} {:>6} {:>7} {:>4.0} % {:>8.2} {:>8.3} {:>8.3} {:>8.2}",
            &clock[..clock.len().min(8)],
            row.spot,
            row.series,
            row.marked,
            row.ticks,
            row.quotes,
            100.0 * row.inside as f64 / row.quoted.max(1) as f64,
            row.delta,
            row.gamma,
            row.vega_per_point,
            row.theta_per_day
        ));
        ticks += row.ticks;
        marks += row.ticks * row.series as u64;
    }
    report::line(&format!(
        "{} ticks of the underlying re-marked {} prices and Greeks",
        report::count(ticks),
        report::count(marks)
    ));
}
