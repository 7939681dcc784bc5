//! `onetape chain --forwards`.

use super::table::{borrow, carry_json, percent, source};
use crate::Session;
use crate::cmd::market::{MarketAt, date_text};
use crate::failure::Failure;
use crate::report;
use onetape_analytics::chain::term::call_put_agreement;
use serde_json::{Value, json};

pub(super) fn run(market: &MarketAt, session: &Session<'_>) -> Result<u8, Failure> {
    let slices = market.slices();
    if slices.is_empty() {
        return Err(Failure::input("no expiry has enough live quotes for a forward at this time"));
    }
    if session.json {
        let expiries: Vec<Value> = slices
            .iter()
            .map(|slice| {
                let (agree, both) = call_put_agreement(slice);
                let mut row = carry_json(slice);
                row["root"] = json!(slice.key.1);
                row["expiry"] = json!(date_text(slice.key.0));
                row["call_put_strikes"] = json!(both);
                row["call_put_agree"] = json!(agree);
                row
            })
            .collect();
        report::json(&json!({
            "session": market.source,
            "at_ns": market.snapshot.at.0,
            "underlying": market.symbol,
            "expiries": expiries,
        }))?;
        return Ok(0);
    }
    report::line(&format!("{}, {}", market.symbol, market.caption()));
    report::line("rate, carry yield, borrow in % per year; dividends: present value of the known ones;");
    report::line("C = P: strikes where the volatility bands of call and put overlap");
    report::line(
        "expiry         days    forward      ±       DF    rate   yield dividends  borrow pairs    C = P",
    );
    for slice in &slices {
        let (carry, forward) = (&slice.carry, &slice.carry.forward);
        let (agree, both) = call_put_agreement(slice);
        report::line(&format!(
            "{} {:>8.2} {:>10.4} {:>6.4} {:>8.6} {:>7.2} {:>7} {:>9.4} {:>7} {:>5} {:>8}",
            date_text(slice.key.0),
            slice.years * 365.0,
            forward.forward,
            forward.standard_error,
            forward.discount,
            100.0 * carry.rate,
            percent(slice, Some(carry.carry_yield)),
            // No negative zero.
            carry.dividend_value.abs(),
            borrow(slice),
            forward.pairs,
            format!("{agree}/{both}")
        ));
    }
    let mut sources: Vec<&str> = slices.iter().map(source).collect();
    sources.dedup();
    report::line(&format!("forward from {}", sources.join(", then ")));
    Ok(0)
}
