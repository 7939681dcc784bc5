//! Showing and comparing journals.
#![allow(clippy::unwrap_used)]

mod common;

use onetape_journal::{Diff, Filter, JournalReader, Point, diff};
use serde_json::json;
use std::path::Path;

fn show(dir: &Path, filter: Filter) -> Vec<String> {
    let reader = JournalReader::open(dir).unwrap();
    reader.show(filter).map(|entry| entry.unwrap().to_string()).collect()
}

#[test]
fn entries_read_as_lines_and_as_json() {
    let dir = tempfile::tempdir().unwrap();
    common::write(dir.path(), 1, &common::run(["SPY", "GOOG"], "5", "74.10"));
    let lines = show(dir.path(), Filter::default());
    assert_eq!(lines.len(), 12);
    assert_eq!(
        lines[4],
        "        4 2015-12-24T14:30:00.000000002Z quote            instrument=GOOG bid=74.00 ask=74.10 bid_size=3 ask_size=4"
    );
    assert_eq!(
        lines[5],
        "        5 2015-12-24T14:30:00.000000002Z submitted        order=0 strategy=0 account=0 legs=[(instrument=GOOG quantity=1)] order_type=market tif=day venue=0 <- 4"
            .replace(" venue=0", "")
    );
    let reader = JournalReader::open(dir.path()).unwrap();
    let fills = Filter { kinds: vec!["fill".to_string()], ..Filter::default() };
    let fill = reader.show(fills).next().unwrap().unwrap().json();
    for (field, value) in [
        ("seq", json!(9)),
        ("kind", json!("fill")),
        ("lane", json!("derived")),
        ("cause", json!(5)),
        ("instrument", json!("GOOG")),
        ("price", json!("74.10")),
        ("fee", json!("0.65")),
        ("justification", json!(5)),
    ] {
        assert_eq!(fill[field], value, "{field}");
    }
    let hash = reader.show(Filter { kinds: vec!["state_hash".to_string()], ..Filter::default() });
    assert_eq!(hash.last().unwrap().unwrap().json()["hash"], json!("0a".repeat(32)));
}

#[test]
fn filters_admit_by_kind_instrument_and_place() {
    let dir = tempfile::tempdir().unwrap();
    common::write(dir.path(), 1, &common::run(["SPY", "GOOG"], "5", "74.10"));
    let count = |filter: Filter| show(dir.path(), filter).len();
    let kind = |kind: &str| Filter { kinds: vec![kind.to_string()], ..Filter::default() };
    let time = |ns: u64| Point::Time(common::T0 + ns);
    for (filter, expected) in [
        (kind("quote"), 4),
        (kind("definition"), 2),
        (kind("derived"), 4),
        (kind("input"), 8),
        // Definition, two quotes, submit, the order's state, the fill.
        (Filter { instrument: Some("GOOG".to_string()), ..Filter::default() }, 6),
        (Filter { instrument: Some("NONE".to_string()), ..Filter::default() }, 0),
        (Filter { from: Some(Point::Seq(9)), ..Filter::default() }, 3),
        (Filter { to: Some(Point::Seq(2)), ..Filter::default() }, 3),
        (Filter { from: Some(time(1)), to: Some(time(2)), ..Filter::default() }, 4),
    ] {
        assert_eq!(count(filter.clone()), expected, "{filter:?}");
    }
    assert_eq!("12".parse(), Ok(Point::Seq(12)));
    assert_eq!("2015-12-24T14:30:00Z".parse(), Ok(time(0)));
    assert_eq!("2015-12-24 09:30".parse(), Ok(time(0)));
    assert_eq!("2015-12-24T09:30:00".parse(), Ok(time(0)));
    for text in ["yesterday", "2015-12-24", "09:30", "1969-12-24 09:30"] {
        assert!(text.parse::<Point>().is_err(), "{text}");
    }
}

fn compare(a: &[onetape_engine::block::Block], b: &[onetape_engine::block::Block]) -> Diff {
    let (left, right) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    common::write(left.path(), 1, a);
    common::write(right.path(), 2, b);
    let open = |dir: &tempfile::TempDir| JournalReader::open(dir.path()).unwrap();
    diff(&open(&left), &open(&right)).unwrap()
}

#[test]
fn equal_runs_are_equal_and_a_changed_parameter_names_the_first_event() {
    let base = common::run(["SPY", "GOOG"], "5", "74.10");
    let same = compare(&base, &base);
    assert!(same.is_equal());
    assert_eq!(same.equal, 12);

    let changed = compare(&base, &common::run(["SPY", "GOOG"], "6", "74.11"));
    assert_eq!(changed.config.len(), 1);
    assert_eq!(changed.config[0].setting, "strategies[0].params.fast");
    assert_eq!((&changed.config[0].a, &changed.config[0].b), (&json!("5"), &json!("6")));
    let divergence = changed.divergence.unwrap();
    assert_eq!(divergence.equal, 9);
    assert_eq!(divergence.a.unwrap().get("price"), Some(&json!("74.10")));
    assert_eq!(divergence.b.unwrap().get("price"), Some(&json!("74.11")));
}

#[test]
fn a_log_that_ends_earlier_differs_there() {
    let base = common::run(["SPY", "GOOG"], "5", "74.10");
    let divergence = compare(&base, &base[..1]).divergence.unwrap();
    assert_eq!(divergence.equal, 7);
    assert_eq!(divergence.a.unwrap().get("kind"), Some(&json!("quote")));
    assert_eq!(divergence.b, None);
}

#[test]
fn instruments_are_compared_by_symbol() {
    let divergence =
        compare(&common::run(["SPY", "GOOG"], "5", "74.10"), &common::run(["SPY", "GOOGL"], "5", "74.10"));
    assert_eq!(divergence.divergence.unwrap().b.unwrap().get("instrument"), Some(&json!("GOOGL")));
}
