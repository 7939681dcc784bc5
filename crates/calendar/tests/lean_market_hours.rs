//! Holidays and half days against LEAN's market-hours database, when it is there.
//!
//! The file is third-party reference data and is not part of this repository;
//! without it the test prints one line and passes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use onetape_calendar::{Date, Market, date, session, sessions};
use serde_json::Value;

fn reference() -> Option<Value> {
    let shared = std::env::var_os("ONETAPE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = shared.join("data/lean/Data/market-hours/market-hours-database.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).expect("valid JSON")),
        Err(_) => {
            eprintln!("skipped: no {} (set ONETAPE_SHARED)", path.display());
            None
        }
    }
}

fn parse(day: &str) -> Date {
    let p: Vec<i16> = day.split('/').map(|n| n.parse().expect("a number")).collect();
    date(p[2], p[0] as i8, p[1] as i8)
}

fn weekdays(days: impl Iterator<Item = Date>) -> BTreeSet<Date> {
    days.filter(|d| d.weekday().to_monday_zero_offset() < 5).collect()
}

#[test]
fn us_equity_holidays_agree() {
    let Some(db) = reference() else { return };
    let entry = &db["entries"]["Equity-usa-[*]"];
    let days = entry["holidays"].as_array().expect("holidays").iter();
    let (first, last) = (date(1998, 1, 1), date(2027, 12, 31));
    let theirs =
        weekdays(days.map(|d| parse(d.as_str().expect("text")))).range(first..=last).copied().collect();
    let all = weekdays(first.series(jiff::Span::new().days(1)).take_while(|d| *d <= last));
    let ours: BTreeSet<Date> = all.into_iter().filter(|d| session(Market::UsEquity, *d).is_none()).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn us_equity_half_days_agree() {
    let Some(db) = reference() else { return };
    let closes = db["entries"]["Equity-usa-[*]"]["earlyCloses"].as_object().expect("earlyCloses");
    let (first, last) = (date(1999, 1, 1), date(2027, 12, 31));
    let theirs: BTreeMap<Date, &str> =
        closes.iter().map(|(d, t)| (parse(d), t.as_str().expect("text"))).collect();
    let theirs = weekdays(theirs.range(first..=last).filter(|(_, t)| **t == "13:00:00").map(|(d, _)| *d));
    let ours: BTreeSet<Date> =
        sessions(Market::UsEquity, first..=last).filter(|s| s.half_day).map(|s| s.trade_date).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn every_globex_half_day_of_the_reference_is_one_here() {
    let Some(db) = reference() else { return };
    let closes = db["entries"]["Future-cme-ES"]["earlyCloses"].as_object().expect("earlyCloses");
    let theirs: BTreeSet<Date> =
        closes.iter().filter(|(_, t)| t.as_str() == Some("13:15:00")).map(|(d, _)| parse(d)).collect();
    let ours: BTreeSet<Date> = sessions(Market::CmeEquityIndex, date(2009, 1, 1)..=date(2026, 12, 31))
        .filter(|s| s.half_day)
        .map(|s| s.trade_date)
        .collect();
    let missing: Vec<_> = theirs.difference(&ours).collect();
    assert!(missing.is_empty(), "half days of the reference that are full here: {missing:?}");
}
