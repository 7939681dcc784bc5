//! Feed delays and histories of `data import dbn|file` as a user states them, on small files made here.
#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use dbn::encode::EncodeRecord;
use dbn::encode::dbn::Encoder;
use dbn::record::{OhlcvMsg, RecordHeader};
use dbn::{MappingInterval, Metadata, SType, Schema, SymbolMapping};
use onetape_engine::block::Block;
use onetape_engine::ids::VenueIx;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Nanos, SCALE};
use onetape_engine::record::{Body, Head, Quote, Record, flags};
use onetape_tape::import::dbn::write_dbn;
use onetape_tape::session::{SessionMeta, SessionReader, SessionWriter};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// 2024-07-03 14:00 UTC, 10:00 in New York.
const TEN: u64 = 1_720_015_200_000_000_000;
const DAY: u64 = 86_400_000_000_000;
const HOUR: u64 = DAY / 24;
const MILLI: u64 = 1_000_000;

fn run(work: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_onetape")).current_dir(work).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!err.contains("panicked"), "{args:?}: {err}");
    (output.status.code().unwrap(), out, err)
}

/// Symbol, time known after ten, source time after ten, and bid in dollars of each quote, in tape order.
fn quotes(session: &Path) -> Vec<(String, u64, u64, i64)> {
    let mut reader = SessionReader::open(session).unwrap();
    let (mut block, mut symbols, mut found) = (Block::default(), Vec::new(), Vec::new());
    while reader.next_block(&mut block).unwrap() {
        for cold in &block.cold {
            if let onetape_engine::input::Cold::Definition(def) = cold {
                symbols.push(def.symbol.clone());
            }
        }
        for record in &block.inputs {
            if let Some(Body::Quote(quote)) = record.body() {
                let symbol = symbols[record.instrument as usize].clone();
                found.push((symbol, record.ts - TEN, record.ts_src - TEN, quote.bid / SCALE));
            }
        }
    }
    found
}

/// A DBN file of quotes of one share, written by the program's own writer: received 0, 10 and 20 ms after ten.
fn dbn_quotes(work: &Path, dataset: &str, symbol: &str) -> String {
    let folder = work.join(format!("{symbol}-session"));
    let mut writer = SessionWriter::create(&folder, SessionMeta::new("own", "test", "1")).unwrap();
    let def = InstrumentDef { source: format!("dbn:{dataset}/mbp-1"), ..InstrumentDef::equity(symbol) };
    let instrument = writer.define(Nanos(TEN - HOUR), def).unwrap();
    for n in 0..3u32 {
        let at = TEN + u64::from(n) * 10 * MILLI;
        let head = Head {
            ts: Nanos(at),
            ts_src: Nanos(at),
            instrument,
            venue: VenueIx(2),
            flags: flags::LAST | flags::BID | flags::ASK,
        };
        let bid = (10 + i64::from(n)) * SCALE;
        let quote = Quote {
            bid,
            ask: bid + SCALE / 100,
            bid_size: 100 * SCALE,
            ask_size: 100 * SCALE,
            ask_venue: 2,
            condition: 0,
            sequence: n + 1,
        };
        writer.push(Record::new(head, Body::Quote(quote)), None).unwrap();
    }
    writer.finish().unwrap();
    write_dbn(&mut SessionReader::open(&folder).unwrap(), &work.join(symbol), None).unwrap();
    format!("{symbol}/mbp-1.dbn.zst")
}

/// A DBN file of daily bars: two days before the tape, and its own day, which is known only after it.
fn dbn_bars(work: &Path, dataset: &str, symbol: &str) {
    let first = |month| time::Date::from_calendar_date(2024, month, 1).unwrap();
    let metadata = Metadata::builder()
        .version(3)
        .dataset(dataset.to_string())
        .schema(Some(Schema::Ohlcv1D))
        .start(TEN - 3 * DAY)
        .end(std::num::NonZeroU64::new(TEN + DAY))
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .symbols(vec![symbol.to_string()])
        .mappings(vec![SymbolMapping {
            raw_symbol: symbol.to_string(),
            intervals: vec![MappingInterval {
                start_date: first(time::Month::June),
                end_date: first(time::Month::August),
                symbol: "7".to_string(),
            }],
        }])
        .build();
    let file = fs::File::create(work.join("days.dbn")).unwrap();
    let mut encoder = Encoder::new(file, &metadata).unwrap();
    let midnight = TEN / DAY * DAY;
    for (back, close) in [(2, 9), (1, 8), (0, 7)] {
        let hd = RecordHeader::new::<OhlcvMsg>(dbn::enums::rtype::OHLCV_1D, 2, 7, midnight - back * DAY);
        let (close, volume) = (close * SCALE, 1_000);
        let bar = OhlcvMsg { hd, open: 10 * SCALE, high: 11 * SCALE, low: 6 * SCALE, close, volume };
        encoder.encode_record(&bar).unwrap();
    }
}

#[test]
fn databento_feeds_are_delayed_together_or_one_alone() {
    let work = TempDir::new().unwrap();
    let path = work.path();
    let (a, b) = (dbn_quotes(path, "XNAS.ITCH", "AAA"), dbn_quotes(path, "OPRA.PILLAR", "BBB"));
    let import = |delays: &[&str], out: &str| {
        let mut args = vec!["data", "import", "dbn", &a, &b, "--out", out, "--json"];
        args.extend(delays.iter().flat_map(|delay| ["--delay", *delay]));
        let (code, out, error) = run(path, &args);
        assert_eq!(code, 0, "{error}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let row = |symbol: &str, known_ms: u64, src_ms: u64, bid| {
        (symbol.to_string(), known_ms * MILLI, src_ms * MILLI, bid)
    };
    import(&[], "none");
    let none: Vec<_> = [0, 10, 20]
        .iter()
        .flat_map(|ms| {
            [row("AAA", *ms, *ms, 10 + *ms as i64 / 10), row("BBB", *ms, *ms, 10 + *ms as i64 / 10)]
        })
        .collect();
    assert_eq!(quotes(&path.join("none")), none);
    let manifest = import(&["15ms"], "all");
    let all: Vec<_> =
        none.iter().map(|(symbol, ts, src, bid)| (symbol.clone(), ts + 15 * MILLI, *src, *bid)).collect();
    assert_eq!(quotes(&path.join("all")), all);
    assert!(manifest["importer"]["policies"].to_string().contains("15ms"), "{manifest}");
    import(&["OPRA.PILLAR=15ms"], "one");
    let expected = [
        row("AAA", 0, 0, 10),
        row("AAA", 10, 10, 11),
        row("BBB", 15, 0, 10),
        row("AAA", 20, 20, 12),
        row("BBB", 25, 10, 11),
        row("BBB", 35, 20, 12),
    ];
    assert_eq!(quotes(&path.join("one")), expected);
    for (delay, code, says) in [
        ("XNYS=1ms", 3, "no source 'XNYS' to delay; this import has XNAS.ITCH, OPRA.PILLAR"),
        ("soon", 2, "5ms"),
        ("25h", 3, "longer than a day"),
    ] {
        let (found, _, error) =
            run(path, &["data", "import", "dbn", &a, &b, "--delay", delay, "--out", "bad"]);
        assert_eq!(found, code, "{delay}: {error}");
        assert!(error.contains(says), "{delay}: {error}");
        assert!(!path.join("bad").exists() && !path.join("bad.partial").exists());
    }
}

#[test]
fn databento_daily_bars_become_the_history_of_before_the_tape() {
    let work = TempDir::new().unwrap();
    let path = work.path();
    let quotes = dbn_quotes(path, "XNAS.ITCH", "AAA");
    dbn_bars(path, "XNAS.ITCH", "AAA");
    let import = ["data", "import", "dbn", &quotes, "--history", "days.dbn", "--out", "s", "--json"];
    let (code, first, error) = run(path, &import);
    assert_eq!(code, 0, "{error}");
    assert!(error.contains("1 daily bars were known only after the tape begins"), "{error}");
    assert_eq!(
        fs::read_to_string(path.join("s/history.csv")).unwrap(),
        "symbol,date,open,high,low,close,volume,iv30,iv60,skew25\n\
         AAA,2024-07-01,10.00,11.00,6.00,9.00,1000.00,,,\n\
         AAA,2024-07-02,10.00,11.00,6.00,8.00,1000.00,,,\n"
    );
    let again: Value = serde_json::from_str(&run(path, &import).1).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(again["content_hash"], first["content_hash"]);
    let (code, _, error) =
        run(path, &["data", "import", "dbn", &quotes, "--history", "none.dbn", "--out", "bad"]);
    assert_eq!(code, 3, "{error}");
    assert!(error.contains("none.dbn"), "{error}");
}

const QUOTES: &str = "ts,symbol,bid,bid_size,ask,ask_size\n";

#[test]
fn files_have_a_delay_of_their_profile_and_a_history() {
    let work = TempDir::new().unwrap();
    let path = work.path();
    let rows = |symbol: &str| {
        let row = |n: u64| format!("{},{symbol},{},1,{}.01,1\n", TEN + n * 10 * MILLI, 10 + n, 10 + n);
        (0..2).map(row).collect::<String>()
    };
    fs::write(path.join("a.csv"), format!("{QUOTES}{}", rows("AAA"))).unwrap();
    fs::write(path.join("b.csv"), format!("{QUOTES}{}", rows("BBB"))).unwrap();
    let (_, toml, _) = run(path, &["data", "import", "profiles", "--show", "generic-quotes"]);
    fs::write(path.join("mine.toml"), toml).unwrap();
    fs::write(
        path.join("days.csv"),
        format!(
            "ticker,open,high,low,close,volume,window_start\nAAA,10,11,6,9,1000,{}\nAAA,10,11,6,8.5,900,{}\nAAA,1,1,1,1,1,{}\n",
            // Midnights in New York.
            TEN - 58 * HOUR,
            TEN - 34 * HOUR,
            TEN - 10 * HOUR,
        ),
    )
    .unwrap();
    let import = |more: &[&str], out: &str| {
        let sources = ["--profile", "generic-quotes", "a.csv", "--profile", "mine.toml", "b.csv"];
        let (code, out, error) =
            run(path, &[&["data", "import", "file"], &sources[..], &["--out", out, "--json"], more].concat());
        (code, out, error)
    };
    let row = |symbol: &str, known_ms: u64, src_ms: u64, bid| {
        (symbol.to_string(), known_ms * MILLI, src_ms * MILLI, bid)
    };
    let (code, _, error) =
        import(&["--delay", "mine=15ms", "--history", "polygon-day-bars", "days.csv"], "one");
    assert_eq!(code, 0, "{error}");
    let expected =
        [row("AAA", 0, 0, 10), row("AAA", 10, 10, 11), row("BBB", 15, 0, 10), row("BBB", 25, 10, 11)];
    assert_eq!(quotes(&path.join("one")), expected);
    assert!(error.contains("1 daily bars were known only after the tape begins"), "{error}");
    assert_eq!(
        fs::read_to_string(path.join("one/history.csv")).unwrap(),
        "symbol,date,open,high,low,close,volume,iv30,iv60,skew25\n\
         AAA,2024-07-01,10.00,11.00,6.00,9.00,1000.00,,,\n\
         AAA,2024-07-02,10.00,11.00,6.00,8.50,900.00,,,\n"
    );
    let (code, _, error) = import(&["--delay", "2ms"], "all");
    assert_eq!(code, 0, "{error}");
    let known: Vec<u64> = quotes(&path.join("all")).iter().map(|quote| quote.1 / MILLI).collect();
    assert_eq!(known, [2, 2, 12, 12]);
    assert!(!path.join("all/history.csv").exists() && error.contains("no history.csv"), "{error}");
    let (code, _, error) = import(&["--delay", "yours=2ms"], "bad");
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("no source 'yours' to delay; this import has generic-quotes, mine"), "{error}");
    let (code, _, error) = import(&["--history", "generic-quotes", "a.csv"], "bad");
    assert!(code == 3 && error.contains("--history takes daily trade bars"), "{error}");
    assert!(!path.join("bad").exists() && !path.join("bad.partial").exists());
}

#[test]
fn a_session_is_exported_as_dbn_and_comes_back() {
    let work = TempDir::new().unwrap();
    let path = work.path();
    let file = dbn_quotes(path, "XNAS.ITCH", "AAA");
    dbn_bars(path, "XNAS.ITCH", "AAA");
    let ok = |args: &[&str]| {
        let (code, out, error) = run(path, args);
        assert_eq!(code, 0, "{args:?}: {error}");
        (out, error)
    };
    ok(&["data", "import", "dbn", &file, "days.dbn", "--out", "first"]);
    let (out, _) = ok(&["data", "export", "dbn", "first", "--out", "files", "--json"]);
    let written: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(written["files"]["files/ohlcv-1d.dbn.zst"], 3, "{written}");
    assert_eq!(written["files"]["files/mbp-1.dbn.zst"], 3, "{written}");
    let files = ["files/definition.dbn.zst", "files/mbp-1.dbn.zst", "files/ohlcv-1d.dbn.zst"];
    let import = [&["data", "import", "dbn"][..], &files, &["--out", "second"]].concat();
    ok(&import);
    let records = |name: &str| -> Vec<Record> {
        SessionReader::open(&path.join(name))
            .unwrap()
            .blocks()
            .flat_map(|block| block.unwrap().inputs)
            .collect()
    };
    assert_eq!(records("first"), records("second"));
    // Bars of files have no stated period.
    fs::write(path.join("bars.csv"), format!("ts,symbol,open,high,low,close,volume\n{TEN},AAA,1,2,1,2,5\n"))
        .unwrap();
    ok(&["data", "import", "file", "--profile", "generic-bars", "bars.csv", "--out", "bars"]);
    let (_, error) = ok(&["data", "export", "dbn", "bars", "--out", "none"]);
    assert!(error.contains("1 trade_bar left out; state their period with --bars"), "{error}");
    ok(&["data", "export", "dbn", "bars", "--bars", "1m", "--out", "minutes"]);
    let (sums, _) = ok(&["data", "info", "minutes/ohlcv-1m.dbn.zst", "--json"]);
    let sums: Value = serde_json::from_str(&sums).unwrap();
    assert_eq!(sums["sum_ts_event"], (TEN - 60_000 * MILLI).to_string(), "{sums}");
    // A file becomes a file of the newest version; its text names what --json does.
    ok(&["data", "export", "dbn", "days.dbn", "--out", "days.dbn.zst"]);
    let (text, _) = ok(&["data", "info", "days.dbn.zst"]);
    assert!(text.contains("ohlcv-1d") && text.contains("OHLCVMsg"), "{text}");
}
