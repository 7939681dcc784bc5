//! `onetape vol term`.

use crate::Session;
use crate::cmd::market::{MarketArgs, date_text};
use crate::failure::Failure;
use crate::report;
use clap::Args;
use onetape_analytics::chain::term::{TermStructure, term_structure};
use serde_json::{Value, json};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape vol term --at 10:00\n  onetape vol term sessions/goog --symbol GOOG --at '2015-12-24 10:00' --json\n\nmove: one standard deviation S vol √T; straddle: 0.6 ATM straddle + 0.3 first strangle + 0.1 second;\nvar swap: fair volatility of the fitted smile's log contract; fwd vol: between this expiry and the one before."
)]
pub(crate) struct TermArgs {
    #[command(flatten)]
    market: MarketArgs,
}

pub(crate) fn run(args: &TermArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let market = args.market.take()?;
    let found = term_structure(&market.slices());
    if found.rows.is_empty() {
        return Err(Failure::input("no expiry has enough live quotes for a forward at this time"));
    }
    if session.json {
        let rows: Vec<Value> = found
            .rows
            .iter()
            .map(|row| {
                json!({
                    "root": row.key.1,
                    "expiry": date_text(row.key.0),
                    "years": row.years,
                    "forward": row.forward,
                    "atm_vol": row.atm_vol,
                    "forward_vol": row.forward_vol,
                    "variance_swap_vol": row.variance_swap_vol,
                    "expected_move": row.move_by_vol,
                    "straddle_move": row.move_by_straddle,
                    "risk_reversal_25_delta": row.risk_reversal,
                })
            })
            .collect();
        let constant: Vec<Value> =
            found.constant.iter().map(|(days, vol)| json!({ "days": days, "vol": vol })).collect();
        report::json(&json!({
            "session": market.source,
            "at_ns": market.snapshot.at.0,
            "underlying": market.symbol,
            "expiries": rows,
            "constant_maturity": constant,
        }))?;
    } else {
        report::line(&format!("{}, {}", market.symbol, market.caption()));
        print(&found);
    }
    Ok(0)
}

fn print(found: &TermStructure) {
    let cell = |value: Option<f64>, width: usize, scale: f64| {
        value.map_or_else(|| format!("{:>width$}", "-"), |value| format!("{:>width$.2}", scale * value))
    };
    report::line("volatilities in % per year, risk reversal in points, moves in price units");
    report::line("expiry        days    forward  ATM vol  fwd vol  var swap   ± move  straddle  25d RR");
    for row in &found.rows {
        report::line(&format!(
            "{} {:>7.2} {:>10.4} {} {} {} {} {} {}",
            date_text(row.key.0),
            row.years * 365.0,
            row.forward,
            cell(row.atm_vol, 8, 100.0),
            cell(row.forward_vol, 8, 100.0),
            cell(row.variance_swap_vol, 9, 100.0),
            cell(row.move_by_vol, 8, 1.0),
            cell(row.move_by_straddle, 9, 1.0),
            cell(row.risk_reversal, 7, 100.0)
        ));
    }
    let constant: Vec<String> = found
        .constant
        .iter()
        .filter_map(|(days, vol)| Some(format!("{days:.0} d {:.2} %", 100.0 * (*vol)?)))
        .collect();
    report::line(&format!("constant maturity: {}", constant.join(", ")));
}
