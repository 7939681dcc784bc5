//! DBN written and read back from a session of the test's own: no recorded data needed.

#![allow(clippy::unwrap_used)]

use onetape_engine::ids::VenueIx;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Nanos, SCALE};
use onetape_engine::record::{
    Bar, Body, Head, Kind, Quote, Record, Statistic, Status, Trade, TradeClass, flags,
};
use onetape_tape::import::MemorySink;
use onetape_tape::import::dbn::{DbnRequest, dbn_sums, import_dbn, read_dbn, write_dbn};
use onetape_tape::session::{SessionMeta, SessionReader, SessionWriter};
use std::path::{Path, PathBuf};

const NOON: u64 = 1_720_022_400_000_000_000;

fn session(out: &Path) -> SessionReader {
    let mut writer = SessionWriter::create(out, SessionMeta::new("own", "test", "1")).unwrap();
    let xyz = writer.define(Nanos(NOON), InstrumentDef::equity("XYZ")).unwrap();
    let both = flags::LAST | flags::BID | flags::ASK;
    let head = |after: u64, bits: u8| Head {
        ts: Nanos(NOON + 1_000 + after),
        ts_src: Nanos(NOON + after),
        instrument: xyz,
        venue: VenueIx(2),
        flags: bits,
    };
    let quote = |bid: i64, ask: i64, ask_venue: u16, sequence: u32| {
        let size = |price: i64| if price == 0 { 0 } else { 3 * SCALE };
        let (bid_size, ask_size) = (size(bid), size(ask));
        Body::Quote(Quote { bid, ask, bid_size, ask_size, ask_venue, condition: 0, sequence })
    };
    let trade = |sequence: u32| {
        let class = TradeClass::Regular as u8;
        let (price, size) = (5 * SCALE, 7 * SCALE);
        Body::Trade(Trade { price, size, sequence, class, aggressor: b'B', ..Trade::default() })
    };
    for (after, bits, body) in [
        (0, both, quote(4 * SCALE, 6 * SCALE, 2, 10)),
        (1, both, quote(0, 6 * SCALE, 2, 11)),
        (2, both, quote(4 * SCALE, 5 * SCALE, 2, 12)),
        (2, flags::LAST, trade(12)),
        (3, both | flags::SNAPSHOT, quote(4 * SCALE, 5 * SCALE, 9, 0)),
        (4, flags::LAST, trade(13)),
        (
            5,
            flags::LAST,
            Body::Statistic(Statistic { value: 40 * SCALE, stat: 1, raw: 9, ..Default::default() }),
        ),
        (6, flags::LAST, Body::Status(Status { state: 2, reason: 5, ..Default::default() })),
    ] {
        let mut head = head(after, bits);
        if matches!(body, Body::Statistic(_) | Body::Status(_)) {
            head.venue = VenueIx(0);
        }
        writer.push(Record::new(head, body), None).unwrap();
    }
    writer.finish().unwrap();
    SessionReader::open(out).unwrap()
}

fn records(reader: &mut SessionReader) -> Vec<Record> {
    reader
        .blocks()
        .flat_map(|block| block.unwrap().inputs)
        .filter(|record| !matches!(record.kind(), Some(Kind::Cold | Kind::SessionPhase)))
        .collect()
}

#[test]
fn a_session_survives_the_way_out_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = session(&folder.path().join("first"));
    let written = write_dbn(&mut first, &folder.path().join("dbn")).unwrap();
    let files: Vec<PathBuf> = written.files.into_keys().collect();
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let expected =
        ["cmbp-1", "definition", "mbp-1", "statistics", "status", "trades"].map(|s| format!("{s}.dbn.zst"));
    assert_eq!(names, expected);
    assert_eq!(dbn_sums(&files[2], None).unwrap().records["MBP1Msg"], 3);

    let out = folder.path().join("second");
    let finished = import_dbn(&DbnRequest::new(&files), &out, &mut |_| {}).unwrap();
    assert_eq!(finished.manifest.source_records["definition"], 1);
    assert_eq!(records(&mut SessionReader::open(&out).unwrap()), records(&mut first));
}

#[test]
fn what_dbn_cannot_say_is_refused_or_counted() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, body: Body| {
        let path = folder.path().join(name);
        let mut writer = SessionWriter::create(&path, SessionMeta::new(name, "test", "1")).unwrap();
        let xyz = writer.define(Nanos(NOON), InstrumentDef::equity("XYZ")).unwrap();
        writer.push(Record::new(Head::at(Nanos(NOON), xyz), body), None).unwrap();
        writer.finish().unwrap();
        let out = folder.path().join(format!("{name}-dbn"));
        let written = write_dbn(&mut SessionReader::open(&path).unwrap(), &out);
        (written, out)
    };
    let (bar, _) = write("bar", Body::TradeBar(Bar::default()));
    assert_eq!(bar.unwrap().left_out["trade_bar"], 1);
    let half = Trade { price: SCALE, size: SCALE / 2, ..Trade::default() };
    let (fraction, out) = write("half", Body::Trade(half));
    assert!(fraction.unwrap_err().to_string().contains("size 0.5 is not a whole number"));
    assert!(!out.exists() && !out.with_extension("partial").exists());
}

/// A DBN file with every record type that `write_dbn` makes, unpacked.
fn plain_bytes() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let mut first = session(&folder.path().join("first"));
    let written = write_dbn(&mut first, &folder.path().join("dbn")).unwrap();
    let unpack = |path: &PathBuf| zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
    written.files.keys().map(unpack).collect()
}

#[test]
fn any_change_of_a_byte_gives_records_or_a_named_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.dbn");
    for bytes in plain_bytes() {
        for place in (0..bytes.len()).step_by(3) {
            let mut changed = bytes.clone();
            changed[place] ^= if place % 2 == 0 { 0x01 } else { 0xff };
            if place % 8 == 5 {
                changed.truncate(place);
            }
            std::fs::write(&path, &changed).unwrap();
            let mut sink = MemorySink::default();
            read_dbn(&DbnRequest::new(std::slice::from_ref(&path)), &mut sink, &mut |_| {}).ok();
            dbn_sums(&path, None).ok();
            assert!(sink.inputs.len() < 1_000);
        }
    }
}
