//! `onetape chain --analytics`.

use crate::Session;
use crate::cmd::market::{MarketAt, date_text};
use crate::failure::Failure;
use crate::report;
use onetape_analytics::chain::ExpirySlice;
use onetape_analytics::chain::report::{ChainReport, ExpiryReport};
use onetape_pricing::chain::exposure::DollarGreeks;
use onetape_pricing::chain::positioning::PutCallRatios;
use serde_json::{Value, json};

/// What no tape can confirm.
const ASSUMPTION: &str = "dealers are assumed long every open call and short every open put";

pub(super) fn run(market: &MarketAt, slices: &[ExpirySlice], session: &Session<'_>) -> Result<u8, Failure> {
    let found = onetape_analytics::chain::report::report(slices);
    if session.json {
        report::json(&whole_json(market, &found))?;
    } else {
        print(market, &found);
    }
    Ok(0)
}

fn cell(value: Option<f64>, width: usize, digits: usize) -> String {
    value.map_or_else(|| format!("{:>width$}", "-"), |value| format!("{value:>width$.digits$}"))
}

fn print(market: &MarketAt, found: &ChainReport) {
    report::line(&format!("{}, {}", market.symbol, market.caption()));
    report::line(
        "vol in %, RR and BF of 25 delta in points; ± move = S vol √T; PCR put/call; liquidity 0..1",
    );
    report::line("expiry        days  ATM vol   ± move  25d RR  25d BF  max pain  PCR vol  PCR OI  liquid.");
    for e in &found.expiries {
        let skew = e.skew.as_ref();
        let ratios = e.ratios.as_ref();
        report::line(&format!(
            "{} {:>7.1} {} {} {} {} {} {} {} {}",
            date_text(e.key.0),
            e.years * 365.0,
            cell(e.atm_vol.map(|vol| 100.0 * vol), 8, 2),
            cell(e.expected_move, 8, 2),
            cell(skew.map(|s| 100.0 * s.risk_reversal), 7, 2),
            cell(skew.map(|s| 100.0 * s.butterfly), 7, 2),
            cell(e.max_pain.as_ref().map(|m| m.strike), 9, 2),
            cell(ratios.and_then(|r| r.volume), 8, 2),
            cell(ratios.and_then(|r| r.open_interest), 7, 2),
            cell(e.liquidity, 8, 3)
        ));
    }
    if let Some(ratios) = &found.ratios {
        report::line(&format!(
            "whole chain: PCR volume {}, open interest {}, value {}",
            cell(ratios.volume, 0, 2),
            cell(ratios.open_interest, 0, 2),
            cell(ratios.value, 0, 2)
        ));
    }
    let slope = found.term_slope.map(|slope| format!("{:.2} points per √year, 30 to 90 days", 100.0 * slope));
    report::line(&format!("term structure: {}", slope.unwrap_or("one expiry".to_string())));
    for (key, kink) in &found.kinks {
        report::line(&format!(
            "  kink at {}: {:+.2} points against its neighbours",
            date_text(key.0),
            100.0 * kink.excess_vol
        ));
    }
    print_open(found);
    for one in found.unusual.iter().take(8) {
        report::line(&format!(
            "unusual volume  {:<22} {:>8.0} traded, {:>8.0} open",
            one.symbol, one.volume, one.open_interest
        ));
    }
}

fn print_open(found: &ChainReport) {
    report::line(
        "open interest, long, in $: delta; gamma per 1 %; vega per point; theta per day; dealer gamma per 1 %",
    );
    report::line("expiry              delta          gamma           vega          theta   dealer gamma");
    for e in &found.expiries {
        let g = &e.open;
        report::line(&format!(
            "{} {:>14.0} {:>14.0} {:>14.0} {:>14.0} {}",
            date_text(e.key.0),
            g.delta,
            g.gamma_per_percent,
            g.vega_per_point,
            g.theta_per_day,
            cell(e.dealer_gamma, 14, 0)
        ));
    }
    let flip = found
        .gamma_flip
        .map_or("no sign change within 20 %".to_string(), |at| format!("changes sign at {at:.2}"));
    report::line(&format!(
        "dealer gamma {} $ per 1 % move, {flip}\n({ASSUMPTION})",
        cell(found.dealer_gamma, 0, 0)
    ));
    let mut strikes = found.by_strike.clone();
    strikes.sort_by(|a, b| b.1.gamma_per_percent.total_cmp(&a.1.gamma_per_percent));
    let top: Vec<String> =
        strikes.iter().take(5).map(|(k, g)| format!("{k} ({:.0})", g.gamma_per_percent)).collect();
    report::line(&format!("largest open gamma by strike, $ per 1 %:\n  {}", top.join(", ")));
}

fn dollars(g: &DollarGreeks) -> Value {
    json!({
        "delta": g.delta,
        "gamma_per_percent": g.gamma_per_percent,
        "vega_per_point": g.vega_per_point,
        "theta_per_day": g.theta_per_day,
        "rho_per_percent": g.rho_per_percent,
    })
}

fn ratios(found: &Option<PutCallRatios>) -> Value {
    found.as_ref().map_or(
        Value::Null,
        |r| json!({ "volume": r.volume, "open_interest": r.open_interest, "value": r.value }),
    )
}

fn expiry_json(e: &ExpiryReport) -> Value {
    let profile: Vec<Value> = e
        .profile
        .iter()
        .map(|row| {
            json!({
                "strike": row.strike,
                "call_open_interest": row.call_open_interest,
                "put_open_interest": row.put_open_interest,
                "call_volume": row.call_volume,
                "put_volume": row.put_volume,
            })
        })
        .collect();
    let skew = e.skew.as_ref().map(|s| {
        json!({
            "risk_reversal": s.risk_reversal,
            "butterfly": s.butterfly,
            "slope": s.slope,
            "call_vol": s.call_vol,
            "put_vol": s.put_vol,
            "call_k": s.call_k,
            "put_k": s.put_k,
        })
    });
    json!({
        "root": e.key.1,
        "expiry": date_text(e.key.0),
        "years": e.years,
        "atm_vol": e.atm_vol,
        "expected_move": e.expected_move,
        "max_pain": e.max_pain.as_ref().map(|m| json!({ "strike": m.strike, "payout": m.payout })),
        "put_call_ratios": ratios(&e.ratios),
        "skew_25_delta": skew,
        "liquidity": e.liquidity,
        "open_dollar_greeks": dollars(&e.open),
        "dealer_gamma": e.dealer_gamma,
        "profile": profile,
    })
}

fn whole_json(market: &MarketAt, found: &ChainReport) -> Value {
    let kinks: Vec<Value> = found
        .kinks
        .iter()
        .map(|(key, kink)| json!({ "expiry": date_text(key.0), "excess_vol": kink.excess_vol }))
        .collect();
    let unusual: Vec<Value> = found
        .unusual
        .iter()
        .map(|one| json!({ "symbol": one.symbol, "volume": one.volume, "open_interest": one.open_interest }))
        .collect();
    let by_strike: Vec<Value> =
        found.by_strike.iter().map(|(k, g)| json!({ "strike": k, "greeks": dollars(g) })).collect();
    json!({
        "session": market.source,
        "at_ns": market.snapshot.at.0,
        "underlying": market.symbol,
        "expiries": found.expiries.iter().map(expiry_json).collect::<Vec<_>>(),
        "put_call_ratios": ratios(&found.ratios),
        "term_slope": found.term_slope,
        "kinks": kinks,
        "open_dollar_greeks_by_strike": by_strike,
        "dealer_gamma": found.dealer_gamma,
        "dealer_gamma_flip": found.gamma_flip,
        "dealer_gamma_assumption": ASSUMPTION,
        "unusual_volume": unusual,
    })
}
