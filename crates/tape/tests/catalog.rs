//! A folder of sessions, queried by symbol, date and kind; damage is found, strangers are named.

#![allow(clippy::unwrap_used)]

use onetape_engine::ids::InstrumentIx;
use onetape_engine::instrument::{InstrumentDef, InstrumentKind};
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Phase, Record, SessionPhase, Trade};
use onetape_tape::session::{Catalog, Query, SessionError, SessionMeta, SessionWriter};
use std::path::Path;

/// A session of one share with a trade on each date.
fn write(dir: &Path, symbol: &str, dates: &[u32]) {
    let mut writer = SessionWriter::create(dir, SessionMeta::new(symbol, "test", "1")).unwrap();
    let start = u64::from(dates[0]);
    let share = writer.define(Nanos(start), InstrumentDef::equity(symbol)).unwrap();
    for date in dates {
        let ts = Nanos(u64::from(*date));
        let phase = SessionPhase { phase: Phase::Open as u8, trade_date: *date, ..SessionPhase::default() };
        writer.push(Record::new(Head::at(ts, InstrumentIx::NONE), Body::SessionPhase(phase)), None).unwrap();
        let trade = Trade { price: 1, size: 1, ..Trade::default() };
        writer.push(Record::new(Head::at(ts, share), Body::Trade(trade)), None).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn sessions_are_found_by_what_their_manifests_state() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("b"), "GOOG", &[20151224, 20151228]);
    write(&folder.path().join("deep/er/a"), "AAPL", &[20140606]);
    std::fs::create_dir_all(folder.path().join("stranger")).unwrap();
    std::fs::write(folder.path().join("stranger/manifest.json"), "{}").unwrap();
    std::fs::create_dir_all(folder.path().join("c.partial")).unwrap();
    let catalog = Catalog::open(folder.path()).unwrap();
    let names: Vec<&str> = catalog.entries.iter().map(|entry| entry.manifest.name.as_str()).collect();
    assert_eq!(names, ["AAPL", "GOOG"], "by time");
    assert_eq!(catalog.unreadable.len(), 1);
    assert_eq!(catalog.symbols(), ["AAPL", "GOOG"]);
    let root = &catalog.entries[1].manifest.roots[0];
    assert_eq!((root.symbol.as_str(), root.kind, root.instruments), ("GOOG", InstrumentKind::Equity, 1));

    let empty = Query::default;
    let symbol = |name: &str| Query { symbol: Some(name.to_string()), ..empty() };
    let dates = |from, to| Query { from, to, ..empty() };
    let kind = |kind| Query { kind: Some(kind), ..empty() };
    let records = |name: &str| Query { records: Some(name.to_string()), ..empty() };
    for (query, expected) in [
        (empty(), &["AAPL", "GOOG"][..]),
        (symbol("goog"), &["GOOG"]),
        (symbol("GO"), &[]),
        (dates(Some(20151225), None), &["GOOG"]),
        (dates(Some(20151225), Some(20151227)), &[]),
        (dates(None, Some(20140606)), &["AAPL"]),
        (kind(InstrumentKind::Equity), &["AAPL", "GOOG"]),
        (kind(InstrumentKind::Option), &[]),
        (Query { kind: Some(InstrumentKind::Option), ..symbol("GOOG") }, &[]),
        (records("trade"), &["AAPL", "GOOG"]),
        (records("quote"), &[]),
    ] {
        let found: Vec<&str> = catalog.find(&query).map(|entry| entry.manifest.name.as_str()).collect();
        assert_eq!(found, expected, "{query:?}");
    }
}

#[test]
fn verification_reads_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a");
    write(&dir, "GOOG", &[20151224]);
    let entry = || Catalog::open(folder.path()).unwrap().entries.remove(0);
    entry().verify().unwrap();
    let path = dir.join("blocks.tape");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(entry().verify().unwrap_err().to_string().contains("blocks.tape"));
    let missing = Catalog::open(&folder.path().join("none")).unwrap_err();
    assert!(matches!(missing, SessionError::NoCatalog { .. }), "{missing}");
}
