//! `onetape chain --check`.

use crate::Session;
use crate::cmd::market::{MarketAt, date_text};
use crate::failure::{CHECK, Failure};
use crate::report;
use onetape_analytics::chain::ExpirySlice;
use onetape_analytics::chain::check::{Findings, Tolerance, check};
use onetape_pricing::checks::{Law, Violation};
use serde_json::{Value, json};

pub(super) fn run(
    market: &MarketAt,
    slices: &[ExpirySlice],
    tolerance: f64,
    band: f64,
    session: &Session<'_>,
) -> Result<u8, Failure> {
    if !(tolerance.is_finite() && tolerance >= 0.0 && band.is_finite() && band > 0.0) {
        return Err(Failure::usage("--tolerance takes a price of 0 or more, --band a volatility above 0"));
    }
    let found = check(slices, Tolerance { price: tolerance, vol: band })
        .map_err(|error| Failure::input(error.to_string()))?;
    if session.json {
        report::json(&json(market, &found))?;
    } else {
        print(market, &found, slices.len());
    }
    Ok(if found.violations.is_empty() && found.outliers.is_empty() { 0 } else { CHECK })
}

fn law(law: Law) -> &'static str {
    match law {
        Law::CallBounds => "call bounds",
        Law::PutBounds => "put bounds",
        Law::CallMonotonicity => "call monotonicity",
        Law::PutMonotonicity => "put monotonicity",
        Law::VerticalWidth => "vertical width",
        Law::Convexity => "convexity",
        Law::Parity => "put-call parity",
        Law::Calendar => "calendar",
    }
}

fn strikes(violation: &Violation) -> Vec<f64> {
    violation.strikes.into_iter().filter(|strike| strike.is_finite()).collect()
}

fn print(market: &MarketAt, found: &Findings, expiries: usize) {
    report::line(&format!(
        "{}, {}:\n{expiries} expiries, {} pairs, {} volatilities judged",
        market.symbol,
        market.caption(),
        found.pairs,
        found.vols
    ));
    for one in &found.violations {
        let at: Vec<String> = strikes(&one.violation).iter().map(|k| format!("{k:.4}")).collect();
        let unit =
            if one.violation.law == Law::Calendar { "total variance, at ln(K/F)" } else { "price, at" };
        report::line(&format!(
            "{}  {:<17} edge {:.4} {unit} {}",
            date_text(one.key.0),
            law(one.violation.law),
            one.violation.edge,
            at.join(" ")
        ));
    }
    for one in &found.outliers {
        report::line(&format!(
            "{:<22} volatility {:.2} %, smile {:.2} %, {:.1} bands",
            one.symbol,
            100.0 * one.quoted,
            100.0 * one.theory,
            one.severity
        ));
    }
    report::line(&format!(
        "{} arbitrage violations, {} quotes off their smile",
        found.violations.len(),
        found.outliers.len()
    ));
}

fn json(market: &MarketAt, found: &Findings) -> Value {
    let violations: Vec<Value> = found
        .violations
        .iter()
        .map(|one| {
            json!({
                "expiry": date_text(one.key.0),
                "law": law(one.violation.law),
                "strikes": strikes(&one.violation),
                "edge": one.violation.edge,
            })
        })
        .collect();
    let outliers: Vec<Value> = found
        .outliers
        .iter()
        .map(|one| {
            json!({ "symbol": one.symbol, "vol": one.quoted, "theory": one.theory, "severity": one.severity })
        })
        .collect();
    json!({
        "session": market.source,
        "at_ns": market.snapshot.at.0,
        "underlying": market.symbol,
        "pairs": found.pairs,
        "vols": found.vols,
        "violations": violations,
        "outliers": outliers,
    })
}
