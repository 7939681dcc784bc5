//! One expiry as a table or JSON.

use crate::Session;
use crate::cmd::market::{MarketAt, date_text};
use crate::failure::Failure;
use crate::report;
use onetape_analytics::chain::{ExpirySlice, Series};
use onetape_engine::instrument::ExerciseStyle;
use onetape_pricing::Right;
use onetape_pricing::forward::ForwardSource;
use serde_json::{Value, json};

pub(super) fn run(
    market: &MarketAt,
    slice: &ExpirySlice,
    strikes: usize,
    session: &Session<'_>,
) -> Result<u8, Failure> {
    if session.json {
        report::json(&chain_json(market, slice))?;
    } else {
        print(market, slice, strikes);
    }
    Ok(0)
}

fn style(slice: &ExpirySlice) -> &'static str {
    match slice.style {
        ExerciseStyle::American => "american",
        ExerciseStyle::European => "european",
    }
}

pub(super) fn source(slice: &ExpirySlice) -> &'static str {
    match slice.carry.forward.source {
        ForwardSource::ParityRegression => "parity regression (forward and rate)",
        ForwardSource::ParityGivenDiscount => "parity at the stated rate",
        ForwardSource::Carry => "spot and carry (no usable pairs)",
    }
}

/// A yearly rate in percent; a dash within a day of the expiry, where a cent of the forward is hundreds of
/// per cent a year.
pub(super) fn percent(slice: &ExpirySlice, rate: Option<f64>) -> String {
    let is_known = slice.years > 1.0 / 365.0;
    rate.filter(|_| is_known).map_or("-".to_string(), |rate| format!("{:.2}", 100.0 * rate))
}

pub(super) fn borrow(slice: &ExpirySlice) -> String {
    percent(slice, slice.carry.borrow)
}

/// A number, or a dash.
fn cell(value: Option<f64>, width: usize, digits: usize) -> String {
    value.map_or_else(|| format!("{:>width$}", "-"), |value| format!("{value:>width$.digits$}"))
}

pub(super) fn print_head(market: &MarketAt, slice: &ExpirySlice) {
    let (carry, forward) = (&slice.carry, &slice.carry.forward);
    report::line(&format!(
        "{} {} {} ({}), {}",
        market.symbol,
        slice.key.1,
        date_text(slice.key.0),
        style(slice),
        market.caption()
    ));
    report::line(&format!(
        "S {:.4}  F {:.4} ± {:.4}  DF {:.6}  T {:.6} y ({:.2} days)  ATM vol {}",
        slice.spot,
        forward.forward,
        forward.standard_error,
        forward.discount,
        slice.years,
        slice.years * 365.0,
        slice.atm_vol().map_or("-".to_string(), |vol| format!("{:.2} %", 100.0 * vol))
    ));
    report::line(&format!(
        "rate {:.3} %  carry yield {} %  dividends {:.4}  borrow {} %\nforward from {}, {} pairs",
        100.0 * carry.rate,
        percent(slice, Some(carry.carry_yield)),
        // No negative zero.
        carry.dividend_value.abs(),
        borrow(slice),
        source(slice),
        forward.pairs
    ));
}

fn print(market: &MarketAt, slice: &ExpirySlice, strikes: usize) {
    print_head(market, slice);
    report::line(
        "vol % (bid, mid, ask); delta (bs, per $1); gamma per $1; vega per point; theta per day; rho per 1 %",
    );
    report::line(
        "C/P strike     bid     ask  vol-b  vol-m  vol-a  delta  gamma   vega   theta     rho     OI    vol",
    );
    let forward = slice.carry.forward.forward;
    let mut listed: Vec<f64> = slice.series.iter().map(|series| series.strike).collect();
    listed.dedup();
    listed.sort_by(|a, b| (a - forward).abs().total_cmp(&(b - forward).abs()));
    listed.truncate(strikes);
    for right in [Right::Call, Right::Put] {
        for series in slice.series.iter().filter(|s| s.right == right && listed.contains(&s.strike)) {
            report::line(&row(series));
        }
    }
}

fn row(series: &Series) -> String {
    let letter = if series.right == Right::Call { 'C' } else { 'P' };
    let vol = |n: usize| cell(series.vols[n].map(|vol| 100.0 * vol), 7, 2);
    let greek = |value: fn(&onetape_pricing::bsm::Risk) -> f64, width, digits| {
        fitted(series.risk.as_ref().map(value), width, digits)
    };
    format!(
        "{letter} {:>8} {} {}{}{}{}{}{}{}{}{}{}{}",
        series.strike,
        cell(series.bid, 7, 2),
        cell(series.ask, 7, 2),
        vol(0),
        vol(1),
        vol(2),
        greek(|risk| risk.delta, 7, 3),
        greek(|risk| risk.gamma, 7, 4),
        greek(|risk| risk.vega / 100.0, 7, 4),
        greek(|risk| risk.theta / 365.0, 8, 4),
        greek(|risk| risk.rho / 100.0, 8, 4),
        fitted(series.open_interest, 7, 0),
        fitted(Some(series.volume), 7, 0)
    )
}

/// A number with as many of its `digits` as leave a blank before it; millions are abbreviated where none do.
fn fitted(value: Option<f64>, width: usize, digits: usize) -> String {
    let fits = |text: &String| text.len() < width;
    let Some(number) = value.filter(|number| number.is_finite()) else { return cell(value, width, digits) };
    let plain = (0..=digits).rev().map(|digits| format!("{number:.digits$}")).find(fits);
    let text = plain.or_else(|| (0..=2).rev().map(|d| format!("{:.d$}M", number / 1e6)).find(fits));
    format!("{:>width$}", text.unwrap_or_else(|| format!("{number:.0e}")))
}

pub(super) fn carry_json(slice: &ExpirySlice) -> Value {
    let (carry, forward) = (&slice.carry, &slice.carry.forward);
    json!({
        "spot": slice.spot,
        "forward": forward.forward,
        "forward_standard_error": forward.standard_error,
        "forward_source": source(slice),
        "forward_pairs": forward.pairs,
        "discount_factor": forward.discount,
        "rate": carry.rate,
        "carry_yield": carry.carry_yield,
        "dividend_value": carry.dividend_value,
        "implied_borrow": carry.borrow,
        "years": slice.years,
        "atm_vol": slice.atm_vol(),
    })
}

fn chain_json(market: &MarketAt, slice: &ExpirySlice) -> Value {
    let series: Vec<Value> = slice
        .series
        .iter()
        .map(|s| {
            let risk = s.risk.as_ref();
            json!({
                "symbol": s.symbol,
                "strike": s.strike,
                "right": s.right,
                "bid": s.bid,
                "ask": s.ask,
                "mid": s.mid(),
                "last": s.last,
                "size": s.size,
                "volume": s.volume,
                "open_interest": s.open_interest,
                "iv_bid": s.vols[0],
                "iv_mid": s.vols[1],
                "iv_ask": s.vols[2],
                "theoretical": risk.map(|r| r.price),
                "delta": risk.map(|r| r.delta),
                "gamma": risk.map(|r| r.gamma),
                "vega": risk.map(|r| r.vega),
                "theta": risk.map(|r| r.theta),
                "rho": risk.map(|r| r.rho),
                "liquidity_score": onetape_analytics::chain::report::score(s),
            })
        })
        .collect();
    json!({
        "session": market.source,
        "at_ns": market.snapshot.at.0,
        "underlying": market.symbol,
        "root": slice.key.1,
        "expiry": date_text(slice.key.0),
        "style": style(slice),
        "multiplier": slice.multiplier,
        "units": "volatility and rates per 1.00; vega and rho per 1.00; theta per year; per unit of the underlying",
        "inputs": carry_json(slice),
        "series": series,
    })
}

#[cfg(test)]
mod tests {
    use super::fitted;

    #[test]
    fn wide_numbers_keep_a_blank_before_them() {
        let rows = [
            (-9.876_54, 8, 4, " -9.8765"),
            (-10.123_45, 8, 4, " -10.123"),
            (-12_345.678, 8, 4, "  -12346"),
            (1_234_567.0, 7, 0, "  1.23M"),
            (0.5, 7, 3, "  0.500"),
        ];
        for (value, width, digits, expected) in rows {
            assert_eq!(fitted(Some(value), width, digits), expected);
        }
    }
}
