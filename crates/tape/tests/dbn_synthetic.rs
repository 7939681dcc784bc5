//! DBN written and read back from a session of the test's own: no recorded data needed.

#![allow(clippy::unwrap_used)]

use dbn::encode::EncodeRecord;
use dbn::encode::dbn::Encoder;
use dbn::record::RecordHeader;
use dbn::{InstrumentDefMsg, MappingInterval, Metadata, SType, SymbolMapping, TradeMsg};
use onetape_engine::ids::VenueIx;
use onetape_engine::input::{Cold, Imbalance};
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Nanos, Price, SCALE};
use onetape_engine::record::{
    Bar, Body, BookAction, BookLevel, BookOrder, Head, Kind, Quote, Record, Statistic, Status, Trade,
    TradeClass, TradeFeed, flags,
};
use onetape_tape::import::MemorySink;
use onetape_tape::import::dbn::{BarPeriod, DbnRequest, dbn_sums, import_dbn, read_dbn, write_dbn};
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
    for (after, bits, body) in depth_records() {
        writer.push(Record::new(head(after, bits), body), None).unwrap();
    }
    let auction = Imbalance { reference_price: Price(5 * SCALE), side: b'B', ..Imbalance::default() };
    let record = Record::new(head(40, flags::LAST), Body::Cold(0));
    writer.push(record, Some(Cold::Imbalance(Box::new(auction)))).unwrap();
    writer.finish().unwrap();
    SessionReader::open(out).unwrap()
}

/// A snapshot by order, an event of four records, a modify; ten-level messages with and without an end of
/// their group, prints among them. As an import makes them: (time, flags, body).
fn depth_records() -> Vec<(u64, u8, Body)> {
    use BookAction::{Add, Cancel, Clear, Delete, Fill, Modify, None, Set};
    let order = |action: BookAction, side: u8, order_id: u64, price: i64, size: i64| {
        let (price, size, action) = (price * SCALE, size * SCALE, action as u8);
        Body::BookOrder(BookOrder {
            order_id,
            price,
            size,
            sequence: 30,
            sent_before_ns: 9,
            side,
            action,
            channel: 4,
            reserved: [0; 5],
        })
    };
    let print = |feed: TradeFeed, trade_id: u64, sequence: u32| {
        let (class, feed) = (TradeClass::Regular as u8, feed as u8);
        let (price, size) = (6 * SCALE, 2 * SCALE);
        Body::Trade(Trade {
            price,
            size,
            trade_id,
            sequence,
            class,
            aggressor: b'B',
            feed,
            ..Trade::default()
        })
    };
    let level = |action: BookAction, side: u8, price: i64, size: i64, level: u8, sequence: u32| BookLevel {
        price: price * SCALE,
        size: size * SCALE,
        orders: size as u32,
        sequence,
        side,
        action: action as u8,
        level,
        ..BookLevel::default()
    };
    let ends = |body: BookLevel| Body::BookLevel(BookLevel { ends_message: 1, ..body });
    let (last, snapshot) = (flags::LAST, flags::SNAPSHOT);
    vec![
        (10, snapshot, order(Clear, b'N', 0, 0, 0)),
        (10, snapshot, order(Add, b'B', 1, 4, 3)),
        (10, snapshot | last, order(Add, b'A', 2, 6, 5)),
        (11, 0, print(TradeFeed::Orders, 77, 31)),
        (11, 0, order(Fill, b'A', 2, 6, 2)),
        (11, last, order(Cancel, b'A', 2, 6, 2)),
        (12, last | flags::NON_FIRM, order(Modify, b'B', 1, 5, 3)),
        (20, 0, Body::BookLevel(level(Clear, b'N', 0, 0, 255, 40))),
        (20, 0, Body::BookLevel(level(Set, b'B', 4, 3, 0, 40))),
        (20, 0, Body::BookLevel(level(Set, b'A', 6, 1, 0, 40))),
        (20, last, Body::BookLevel(level(Set, b'A', 7, 2, 1, 40))),
        (21, 0, ends(level(Delete, b'A', 6, 0, 0, 41))),
        (21, 0, Body::BookLevel(level(Set, b'B', 5, 1, 0, 41))),
        (21, 0, print(TradeFeed::Levels, 0, 41)),
        (22, last, Body::BookLevel(level(None, b'N', 0, 0, 255, 42))),
        (23, last, print(TradeFeed::Levels, 0, 43)),
        (24, last, Body::BookLevel(level(Clear, b'N', 0, 0, 255, 44))),
    ]
}

fn records(reader: &mut SessionReader) -> Vec<Record> {
    reader
        .blocks()
        .flat_map(|block| block.unwrap().inputs)
        .filter(|record| !matches!(record.kind(), Some(Kind::SessionPhase)))
        // The definition enters with the first record of an import.
        .filter(|record| record.kind() != Some(Kind::Cold) || record.body[0] > 0)
        .collect()
}

#[test]
fn a_session_survives_the_way_out_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = session(&folder.path().join("first"));
    let written = write_dbn(&mut first, &folder.path().join("dbn"), None).unwrap();
    let files: Vec<PathBuf> = written.files.into_keys().collect();
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let expected =
        ["cmbp-1", "definition", "imbalance", "mbo", "mbp-1", "mbp-10", "statistics", "status", "trades"]
            .map(|schema| format!("{schema}.dbn.zst"));
    assert_eq!(names, expected);
    for (place, kind, count) in
        [(3, "MBOMsg", 7), (4, "MBP1Msg", 3), (5, "MBP10Msg", 6), (2, "ImbalanceMsg", 1)]
    {
        assert_eq!(dbn_sums(&files[place], None).unwrap().records[kind], count, "{kind}");
    }

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
        let written = write_dbn(&mut SessionReader::open(&path).unwrap(), &out, None);
        (written, out)
    };
    let (bar, _) = write("bar", Body::TradeBar(Bar::default()));
    assert_eq!(bar.unwrap().left_out["trade_bar"], 1);
    let mut bars = SessionReader::open(&folder.path().join("bar")).unwrap();
    let written = write_dbn(&mut bars, &folder.path().join("minutes"), Some(BarPeriod::Minute)).unwrap();
    assert!(written.left_out.is_empty());
    let path = folder.path().join("minutes/ohlcv-1m.dbn.zst");
    assert_eq!(written.files[&path], 1);
    let start = dbn_sums(&path, None).unwrap().sum_ts_event;
    assert_eq!(start, i128::from(NOON - 60 * 1_000_000_000));
    let half = Trade { price: SCALE, size: SCALE / 2, ..Trade::default() };
    let (fraction, out) = write("half", Body::Trade(half));
    assert!(fraction.unwrap_err().to_string().contains("size 0.5 is not a whole number"));
    assert!(!out.exists() && !out.with_extension("partial").exists());
}

/// A DBN file with every record type that `write_dbn` makes, unpacked.
fn plain_bytes() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let mut first = session(&folder.path().join("first"));
    let written = write_dbn(&mut first, &folder.path().join("dbn"), None).unwrap();
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

const DAY: u64 = 86_400_000_000_000;

/// A file of trades of id 7 on two days, whose mapping gives the id to `symbols` (day, symbol) in turn; definitions of
/// id 7 beside it.
fn file_of_id_7(path: &Path, stype_in: SType, mapped: &[(u64, &str)], defined: &[(u64, &str)]) {
    let date = |day: u64| {
        time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(NOON + day * DAY)).unwrap().date()
    };
    let interval = |day: u64| MappingInterval {
        start_date: date(day),
        end_date: date(day + 1),
        symbol: "7".to_string(),
    };
    let mapping = |(day, symbol): &(u64, &str)| SymbolMapping {
        raw_symbol: (*symbol).to_string(),
        intervals: vec![interval(*day)],
    };
    let metadata = Metadata::builder()
        .version(3)
        .dataset("XNAS.ITCH".to_string())
        .schema(None)
        .start(NOON)
        .end(std::num::NonZeroU64::new(NOON + 2 * DAY))
        .stype_in(Some(stype_in))
        .stype_out(SType::InstrumentId)
        .symbols(mapped.iter().map(|(_, symbol)| (*symbol).to_string()).collect())
        .mappings(mapped.iter().map(mapping).collect())
        .build();
    let mut encoder = Encoder::new(std::fs::File::create(path).unwrap(), &metadata).unwrap();
    for (day, symbol) in defined {
        let ts = NOON + day * DAY - 1_000;
        let hd = RecordHeader::new::<InstrumentDefMsg>(dbn::enums::rtype::INSTRUMENT_DEF, 2, 7, ts);
        let raw_symbol = dbn::record::str_to_c_chars(symbol).unwrap();
        let class = b'K' as std::ffi::c_char;
        let def = InstrumentDefMsg {
            hd,
            ts_recv: ts,
            raw_symbol,
            instrument_class: class,
            ..InstrumentDefMsg::default()
        };
        encoder.encode_record(&def).unwrap();
    }
    for day in [0, 1] {
        let ts = NOON + day * DAY;
        let hd = RecordHeader::new::<TradeMsg>(dbn::enums::rtype::MBP_0, 2, 7, ts);
        let price = (10 + day as i64) * SCALE;
        let trade = TradeMsg {
            hd,
            price,
            size: 1,
            action: b'T' as std::ffi::c_char,
            ts_recv: ts,
            ..TradeMsg::default()
        };
        encoder.encode_record(&trade).unwrap();
    }
}

/// Vendors give an id to another instrument on another day.
#[test]
fn an_id_means_what_it_meant_on_the_day_of_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let (both, first) = ([(0, "AAA"), (1, "BBB")], [(0, "AAA")]);
    for (n, (stype_in, mapped, defined, expected)) in [
        (SType::RawSymbol, &both[..], &[][..], ["AAA", "BBB"]),
        (SType::RawSymbol, &both[..], &first[..], ["AAA", "BBB"]),
        (SType::RawSymbol, &[][..], &both[..], ["AAA", "BBB"]),
        (SType::Continuous, &[(0, "A.c.0"), (1, "A.c.0")][..], &both[..], ["AAA", "BBB"]),
        (SType::Continuous, &[(0, "A.c.0"), (1, "A.c.0")][..], &[][..], ["A.c.0", "A.c.0"]),
        (SType::RawSymbol, &first[..], &[][..], ["AAA", "#7"]),
        (SType::RawSymbol, &[][..], &[(1, "BBB")][..], ["BBB", "BBB"]),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(format!("{n}.dbn"));
        file_of_id_7(&path, stype_in, mapped, defined);
        let mut sink = MemorySink::default();
        read_dbn(&DbnRequest::new(&[path]), &mut sink, &mut |_| {}).unwrap();
        let mut symbols = Vec::new();
        let mut found = Vec::new();
        for input in sink.inputs {
            if let Some(Cold::Definition(def)) = &input.cold {
                symbols.push(def.symbol.clone());
            }
            if let Some(Body::Trade(trade)) = input.record.body() {
                found.push((symbols[input.record.instrument as usize].clone(), trade.price / SCALE));
            }
        }
        let expected = [(expected[0].to_string(), 10), (expected[1].to_string(), 11)];
        assert_eq!(found, expected, "case {n}");
    }
}
