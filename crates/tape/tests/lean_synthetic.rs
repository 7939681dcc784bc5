//! LEAN imports from archives that the tests write themselves: no recorded data needed.

#![allow(clippy::unwrap_used)]

use onetape_calendar::date;
use onetape_engine::input::Cold;
use onetape_engine::instrument::{ExerciseStyle, InstrumentDef, TickRule};
use onetape_engine::num::SCALE;
use onetape_engine::record::{Body, Kind, Record, flags};
use onetape_tape::import::lean::{LeanKind, LeanRequest, Resolution, import_lean, read_lean};
use onetape_tape::import::{ImportError, MemorySink, Progress, SizeRule};
use onetape_tape::session::SessionReader;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A LEAN folder under construction.
struct Source(tempfile::TempDir);

impl Source {
    fn new() -> Source {
        Source(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn zip(&self, path: &str, entries: &[(&str, &str)]) -> PathBuf {
        let path = self.root().join("Data").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for (name, text) in entries {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        path
    }

    /// A day of a chain of two options on XYZ: 2024-07-03, a half day (13:00), UTC-4.
    fn chain() -> Source {
        let source = Source::new();
        source.zip(
            "option/usa/minute/xyz/20240703_quote_american.zip",
            &[
                (
                    "20240703_xyz_minute_quote_american_put_1000000_20240719.csv",
                    "34200000,10000,10000,10000,10000,5,10500,10500,10500,10500,6\n46740000,,,,,0,10200,10200,10200,10200,7\n",
                ),
                (
                    "20240703_xyz_minute_quote_american_call_1000000_20240719.csv",
                    "34200000,20100,20100,20100,20100,1,,,,,0\r\n34260000,,,,,0,,,,,0\r\n",
                ),
            ],
        );
        source.zip(
            "option/usa/minute/xyz/20240703_openinterest_american.zip.zip",
            &[("20240703_xyz_minute_openinterest_american_put_1000000_20240719.csv", "23400000,77\n")],
        );
        source.zip(
            "equity/usa/minute/xyz/20240703_trade.zip",
            &[(
                "20240703_xyz_minute_trade.csv",
                "34140000,1000000,1000000,1000000,1000000,10\n34200000,1000100,1000200,1000000,1000100,20\n46800000,1000100,1000100,1000100,1000100,30\n",
            )],
        );
        source
    }

    fn read(&self, request: &LeanRequest) -> Result<(MemorySink, Vec<String>), ImportError> {
        let (mut sink, mut notes) = (MemorySink::default(), Vec::new());
        read_lean(request, &mut sink, &mut |progress| {
            if let Progress::Note(note) = progress {
                notes.push(note);
            }
        })?;
        Ok((sink, notes))
    }
}

/// Nanoseconds of a New York wall time on 2024-07-03.
fn july_3(hour: u64, minute: u64) -> u64 {
    1_719_964_800_000_000_000 + ((hour + 4) * 60 + minute) * 60_000_000_000
}

/// A Monday of two ES contracts and an option on the first: 2020-01-06, UTC-5.
fn futures() -> Source {
    let source = Source::new();
    let properties = "market,symbol,type,description,quote_currency,contract_multiplier,minimum_price_variation,lot_size\n\
                      cme,ES,future,E-mini S&P 500 Futures,USD,50.0,0.25,1.0\n";
    let file = source.root().join("Data/symbol-properties/symbol-properties-database.csv");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, properties).unwrap();
    source.zip(
        "future/cme/minute/es/20200106_quote.zip",
        &[
            (
                "20200106_es_minute_quote_202003_20200320.csv",
                "34200000,3216.25,3216.5,3216,3216.25,30,3216.5,3216.75,3216.25,3216.5,28\n",
            ),
            (
                "20200106_es_minute_quote_202006_20200619.csv",
                "34200000,3219,3219,3219,3219,2,3219.5,3219.5,3219.5,3219.5,3\n",
            ),
        ],
    );
    source.zip(
        "futureoption/cme/minute/es/20200320/20200106_quote_american.zip",
        &[(
            "20200106_es_minute_quote_american_put_32000000_20200320.csv",
            "34200000,70.25,70.5,70.25,70.5,11,71.25,71.25,71,71,9\n",
        )],
    );
    source
}

fn definitions(sink: &MemorySink) -> Vec<&InstrumentDef> {
    let colds = sink.inputs.iter().filter_map(|input| input.cold.as_ref());
    colds
        .filter_map(|cold| match cold {
            Cold::Definition(def) => Some(&**def),
            _ => None,
        })
        .collect()
}

fn records(sink: &MemorySink) -> impl Iterator<Item = &Record> {
    sink.inputs.iter().map(|input| &input.record)
}

#[test]
fn futures_are_contracts_of_their_product() {
    let source = futures();
    let request = LeanRequest {
        market: "cme".to_string(),
        ..LeanRequest::new(source.root(), LeanKind::Future, &["es"])
    };
    let (sink, _) = source.read(&request).unwrap();
    let defs = definitions(&sink);
    let names: Vec<&str> = defs.iter().map(|def| def.symbol.as_str()).collect();
    assert_eq!(names, ["ESH20", "ESM20"]);
    assert_eq!((defs[0].multiplier, defs[0].tick), (50, TickRule::Fixed(SCALE / 4)));
    // 16:00 Chicago on the last date.
    assert_eq!(defs[0].expiry.unwrap().0, 1_584_738_000_000_000_000);
    let bid = records(&sink).find(|record: &&Record| record.kind == Kind::BidBar as u8).unwrap();
    assert!(matches!(bid.body(), Some(Body::BidBar(half)) if half.close == 3_216 * SCALE + SCALE / 4));
    // The bar that began at 09:30 New York ended at 09:31; nothing is outside regular hours.
    assert_eq!((bid.ts, bid.flags & flags::EXTENDED), (1_578_321_060_000_000_000, 0));
    // The session of the sixth closes at 17:00 New York, the next opens at 18:00.
    let phases: Vec<u64> =
        records(&sink).filter(|r| r.kind == Kind::SessionPhase as u8).map(|r| r.ts).collect();
    assert_eq!(phases, [1_578_348_000_000_000_000, 1_578_351_600_000_000_000]);
}

#[test]
fn options_on_futures_deliver_the_contract_of_their_folder() {
    let source = futures();
    source.zip("futureoption/cme/minute/es/202006/20200106_quote_american.zip", &[("old.csv", "")]);
    let request = LeanRequest {
        market: "cme".to_string(),
        ..LeanRequest::new(source.root(), LeanKind::FutureOption, &["ES"])
    };
    let (sink, notes) = source.read(&request).unwrap();
    let defs = definitions(&sink);
    let option = defs.iter().find(|def| def.option.is_some()).unwrap();
    let terms = option.option.as_ref().unwrap();
    assert_eq!((option.symbol.as_str(), option.multiplier), ("ESH20 200320P3200", 50));
    assert_eq!(defs[terms.underlying.index()].symbol, "ESH20");
    assert_eq!((terms.style, terms.strike), (ExerciseStyle::American, "3200".parse().unwrap()));
    assert_eq!(terms.expiry.0, 1_584_738_000_000_000_000);
    let ask = records(&sink).find(|r| r.kind == Kind::AskBar as u8 && r.instrument == 2).unwrap();
    assert!(matches!(ask.body(), Some(Body::AskBar(half)) if half.close == 71 * SCALE));
    assert!(notes.iter().any(|note| note.contains("202006: not read")), "{notes:?}");

    // Without prices of the future it is defined under its last date.
    std::fs::remove_dir_all(source.root().join("Data/future")).unwrap();
    let (sink, notes) = source.read(&request).unwrap();
    assert_eq!(definitions(&sink)[0].symbol, "ES 20200320");
    assert!(
        notes.iter().any(|note| note.contains("no future minute file of the underlying ES")),
        "{notes:?}"
    );

    // A product without a size is named.
    std::fs::write(source.root().join("Data/symbol-properties/symbol-properties-database.csv"), "market\n")
        .unwrap();
    let error = source.read(&request).unwrap_err().to_string();
    assert!(error.contains("symbol-properties-database.csv: no row; add one"), "{error}");
}

#[test]
fn a_chain_becomes_definitions_phases_and_records_in_order() {
    let source = Source::chain();
    let (sink, notes) = source.read(&LeanRequest::new(source.root(), LeanKind::Option, &["xyz"])).unwrap();
    assert_eq!(
        notes,
        [
            "equity XYZ: no quote file for 2024-07-03",
            "option XYZ: no trade file for 2024-07-03",
            "no history.csv: no daily bar of before the tape was found"
        ]
    );
    let found: Vec<(u64, u32, Kind, u8)> = sink
        .inputs
        .iter()
        .map(|input| input.record)
        .map(|record| (record.ts, record.instrument, record.kind().unwrap(), record.flags))
        .collect();
    let (none, last) = (u32::MAX, flags::LAST);
    let (bid, ask, extended) = (flags::BID, flags::ASK, flags::EXTENDED);
    let expected = [
        (july_3(0, 0), 0, Kind::Cold, last),
        (july_3(0, 0), 1, Kind::Cold, last),
        (july_3(0, 0), 2, Kind::Cold, last),
        (july_3(6, 30), 2, Kind::Statistic, last),
        (july_3(9, 30), none, Kind::SessionPhase, last),
        (july_3(9, 30), 0, Kind::TradeBar, last | extended),
        (july_3(9, 31), 0, Kind::TradeBar, last),
        (july_3(9, 31), 1, Kind::BidBar, bid | last),
        (july_3(9, 31), 2, Kind::BidBar, bid),
        (july_3(9, 31), 2, Kind::AskBar, ask | last),
        (july_3(13, 0), 2, Kind::AskBar, ask | last),
        (july_3(13, 0), none, Kind::SessionPhase, last),
        (july_3(13, 1), 0, Kind::TradeBar, last | extended),
    ];
    assert_eq!(found, expected);
    let defs: Vec<_> = sink
        .inputs
        .iter()
        .filter_map(|input| match &input.cold {
            Some(Cold::Definition(def)) => Some(def),
            _ => None,
        })
        .collect();
    let symbols: Vec<&str> = defs.iter().map(|def| def.symbol.as_str()).collect();
    assert_eq!(symbols, ["XYZ", "XYZ   240719C00100000", "XYZ   240719P00100000"]);
    let terms = defs[1].option.as_ref().unwrap();
    assert_eq!((terms.style, terms.underlying.0), (ExerciseStyle::American, 0));
    // 1.02 is off the 0.05 grid: a penny class.
    assert_eq!(defs[2].tick, TickRule::Penny);
    assert_eq!(defs[2].source, "lean:option/usa/minute/xyz");
    assert_eq!(sink.source_records["option_quote_bar"], 4);
    assert_eq!(sink.source_records["open_interest"], 1);
    assert_eq!(sink.source_records["equity_trade_bar"], 3);
}

#[test]
fn a_prefix_of_the_rows_gives_a_prefix_of_the_records() {
    let whole = Source::chain();
    let cut = Source::chain();
    cut.zip(
        "option/usa/minute/xyz/20240703_quote_american.zip",
        &[
            (
                "20240703_xyz_minute_quote_american_put_1000000_20240719.csv",
                "34200000,10000,10000,10000,10000,5,10200,10200,10200,10200,6\n",
            ),
            ("20240703_xyz_minute_quote_american_call_1000000_20240719.csv", ""),
        ],
    );
    let inputs = |source: &Source| {
        let request = LeanRequest::new(source.root(), LeanKind::Option, &["XYZ"]);
        source.read(&request).unwrap().0.inputs
    };
    // Nothing that is known by 09:30 depends on rows that end later.
    let known = |source: &Source| -> Vec<_> {
        inputs(source).into_iter().filter(|input| input.record.ts <= july_3(9, 30)).collect()
    };
    assert_eq!(known(&whole), known(&cut));
}

#[test]
fn daily_bars_are_known_at_the_close() {
    let source = Source::new();
    source.zip(
        "equity/usa/daily/xyz.zip",
        &[("xyz.csv", "20240702 00:00,1,2,1,2,10\n20240703 00:00,2,3,2,3,20\n20240704 00:00,3,3,3,3,1\n")],
    );
    let request = LeanRequest {
        resolution: Resolution::Daily,
        to: Some(date(2024, 7, 3)),
        ..LeanRequest::new(source.root(), LeanKind::Equity, &["XYZ"])
    };
    let (sink, _) = source.read(&request).unwrap();
    let bars: Vec<u64> = sink
        .inputs
        .iter()
        .filter(|input| input.record.kind() == Some(Kind::TradeBar))
        .map(|input| input.record.ts)
        .collect();
    assert_eq!(bars, [july_3(16, 0) - 86_400_000_000_000, july_3(13, 0)]);
    let all = LeanRequest { to: None, ..request };
    let (_, notes) = source.read(&all).unwrap();
    assert_eq!(
        notes,
        [
            "2024-07-04 is no trading day: its records have no session",
            "no history.csv: no daily bar of before the tape was found"
        ]
    );
}

#[test]
fn tick_quotes_are_paired_or_consolidated() {
    let source = Source::new();
    let best = "34200000,1000000,100,0,0,N,1,0\n34200000,0,0,1000200,200,Q,1,0\n34200005,1000000,100,0,0,N,1,0\n34200005,0,0,1000100,300,P,1,0\n";
    let trades = "34200000,1000100,100,K,20000020,0\n34200005,1000100,50,K,1,1\n";
    source.zip("equity/usa/tick/xyz/20240703_quote.zip", &[("20240703_xyz_Quote_Tick.csv", best)]);
    source.zip("equity/usa/tick/xyz/20240703_trade.zip", &[("20240703_xyz_Trade_Tick.csv", trades)]);
    let own = "34200000,1000000,100,0,0,N,1,0\n34200001,1000100,200,0,0,Q,1,0\n34200002,0,0,1000200,300,N,1,0\n34200003,1000100,100,0,0,Q,400,0\n";
    source.zip("equity/usa/tick/abc/20240703_quote.zip", &[("20240703_abc_Quote_Tick.csv", own)]);
    let quotes = |symbol: &str| {
        let request = LeanRequest {
            resolution: Resolution::Tick,
            ..LeanRequest::new(source.root(), LeanKind::Equity, &[symbol])
        };
        let (sink, _) = source.read(&request).unwrap();
        let quotes: Vec<_> = sink
            .inputs
            .iter()
            .filter_map(|input| match input.record.body() {
                Some(Body::Quote(quote)) => Some((input.record, quote)),
                _ => None,
            })
            .map(|(record, quote)| (record.venue, quote.bid, quote.ask_venue, quote.ask))
            .collect();
        (quotes, sink)
    };
    let venue = |letter: u8| u16::from(letter - b'A') + 1;
    let (n, p, q) = (venue(b'N'), venue(b'P'), venue(b'Q'));
    let (bid, better) = (100_000_000_000, 100_010_000_000);
    let (paired, sink) = quotes("xyz");
    assert_eq!(paired, [(n, bid, q, 100_020_000_000), (n, bid, p, better)]);
    let kinds: Vec<Kind> = sink.inputs.iter().filter_map(|input| input.record.kind()).collect();
    let expected =
        [Kind::Cold, Kind::SessionPhase, Kind::Trade, Kind::Quote, Kind::Quote, Kind::SessionPhase];
    assert_eq!(kinds, expected, "the suspicious trade is left out");
    // Exchanges' own quotes: Q's better bid stands until it is no longer firm.
    let (consolidated, _) = quotes("abc");
    let ask = 100_020_000_000;
    assert_eq!(consolidated, [(n, bid, 0, 0), (q, better, 0, 0), (q, better, n, ask), (n, bid, n, ask)]);
}

#[test]
fn exchanges_sizes_add_up_when_asked_to_and_odd_lots_never_count() {
    let source = Source::new();
    // N and P at 100.00; Q shows less than a round lot at a better price.
    let rows = "34200000,1000000,100,0,0,N,1,0\n34200001,1000000,200,0,0,P,1,0\n34200002,1000100,50,0,0,Q,1,0\n34200003,1000000,0,0,0,P,1,0\n";
    source.zip("equity/usa/tick/abc/20240703_quote.zip", &[("20240703_abc_Quote_Tick.csv", rows)]);
    for (nbbo_size, expected) in [
        (SizeRule::Best, vec![('N', 100), ('P', 200), ('N', 100)]),
        (SizeRule::Sum, vec![('N', 100), ('P', 300), ('N', 100)]),
    ] {
        let request = LeanRequest {
            resolution: Resolution::Tick,
            nbbo_size,
            ..LeanRequest::new(source.root(), LeanKind::Equity, &["abc"])
        };
        let (sink, _) = source.read(&request).unwrap();
        let shown: Vec<(char, i64)> = sink
            .inputs
            .iter()
            .filter_map(|input| input.record.as_quote().map(|quote| (input.record.venue, quote)))
            .map(|(venue, quote)| (char::from(b'A' + venue as u8 - 1), quote.bid_size / SCALE))
            .collect();
        assert_eq!(shown, expected, "{nbbo_size:?}");
    }
}

#[test]
fn bad_rows_and_archives_are_named_and_leave_nothing() {
    let quote = "20240703_xyz_minute_quote_american_put_1000000_20240719.csv";
    let file = "option/usa/minute/xyz/20240703_quote_american.zip";
    for (entry, text, expected) in [
        (quote, "34200000,1,1,1,1,5,2,2,2,x,6", "line 1: ask is not four prices"),
        (quote, "34200000,1,1,1,1,5,2,2,2,2,6\n99999999999,1", "line 2: time is not milliseconds"),
        (quote, "34200000,1,1,1,1,5", "line 1: ask"),
        (quote, "34200000,1,1,1,1,5,2,2,2,2,6,7", "line 1: row is not of this many columns"),
        ("20240703_xyz.csv", "", "is not named like"),
    ] {
        let source = Source::chain();
        source.zip(file, &[(entry, text)]);
        let out = source.root().join("session");
        let request = LeanRequest::new(source.root(), LeanKind::Option, &["XYZ"]);
        let error = import_lean(&request, &out, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("20240703_quote_american.zip"), "{error}");
        assert!(!out.exists() && !out.with_extension("partial").exists());
    }
    let source = Source::chain();
    let path = source.zip(file, &[(quote, "34200000,1,1,1,1,5,2,2,2,2,6")]);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&path, bytes).unwrap();
    let request = LeanRequest::new(source.root(), LeanKind::Option, &["XYZ"]);
    let error = source.read(&request).unwrap_err();
    assert!(matches!(error, ImportError::Archive { .. }), "{error}");
}

const PUT: &str = "20240703_xyz_minute_quote_american_put_1000000_20240719.csv";
const QUOTES: &str = "option/usa/minute/xyz/20240703_quote_american.zip";

#[test]
fn doubtful_rows_follow_their_policy() {
    let source = Source::chain();
    // Line 2: a bid of 2.00 above an ask of 1.05; line 3: a high below the low.
    let rows = "34200000,10000,10000,10000,10000,5,10500,10500,10500,10500,6\n\
                34260000,20000,20000,20000,20000,5,10500,10500,10500,10500,6\n\
                34320000,10000,9000,10000,10000,5,10500,10500,10500,10500,6\n\
                34380000,10000,10000,10000,10000,5,10000,10000,10000,10000,6\n";
    let path = source.zip(QUOTES, &[(PUT, rows)]);
    let import = |name: &str, policies: &[&str]| {
        let mut request = LeanRequest::new(source.root(), LeanKind::Option, &["XYZ"]);
        policies.iter().for_each(|text| request.policies.set(text).unwrap());
        let out = source.root().join(name);
        let manifest = import_lean(&request, &out, &mut |_| {}).unwrap().manifest;
        (manifest, std::fs::read_to_string(out.join("quarantine.csv")).ok())
    };
    let (manifest, quarantine) = import("default", &[]);
    assert_eq!(manifest.inputs_by_kind["bid_bar"], 2);
    assert_eq!(manifest.inputs_by_kind["ask_bar"], 2);
    assert_eq!(manifest.source_records["option_quote_bar"], 4, "every row is counted");
    let counts: Vec<(&str, &str, u64)> =
        manifest.quality.iter().map(|(k, v)| (k.as_str(), v.policy.as_str(), v.records)).collect();
    assert_eq!(counts, [("impossible", "quarantine", 2), ("locked", "keep", 1), ("uncovered", "keep", 1)]);
    let policies = &manifest.importer.policies;
    assert!(
        policies.iter().any(|policy| policy.starts_with("quality: quarantine impossible; flag")),
        "{policies:?}"
    );
    let quarantine = quarantine.unwrap();
    let lines: Vec<&str> = quarantine.lines().collect();
    assert_eq!(lines.len(), 1 + 4, "{quarantine}");
    assert_eq!(lines[0], "finding,ts,symbol,record,file,entry,line");
    assert_eq!(
        lines[1],
        format!(
            "impossible,{},XYZ   240719P00100000,bid_bar open 2.00 high 2.00 low 2.00 close 2.00 size 5.00,{},{PUT},2",
            july_3(9, 32),
            path.display()
        )
    );
    assert!(lines[4].contains("ask_bar") && lines[4].ends_with(",3"), "{}", lines[4]);

    let (manifest, quarantine) = import("kept", &["impossible=keep", "locked=flag"]);
    assert_eq!((manifest.inputs_by_kind["bid_bar"], quarantine), (4, None));
    let mut reader = SessionReader::open(&source.root().join("kept")).unwrap();
    let records: Vec<_> = reader.blocks().flat_map(|block| block.unwrap().inputs).collect();
    let flagged = records.iter().filter(|record| record.has(flags::NON_FIRM));
    assert_eq!(flagged.map(|record| record.ts).collect::<Vec<_>>(), [july_3(9, 34); 2], "both halves");
}

#[test]
fn importing_again_reads_no_row_until_a_source_or_an_option_changes() {
    let source = Source::chain();
    let request = LeanRequest::new(source.root(), LeanKind::Option, &["XYZ"]);
    let out = source.root().join("session");
    let files = |request: &LeanRequest, out: &Path| {
        let mut files = 0;
        let finished = import_lean(request, out, &mut |progress| {
            files += u32::from(matches!(progress, Progress::File { .. }));
        });
        (finished.map(|finished| finished.unchanged), files)
    };
    assert!(matches!(files(&request, &out), (Ok(false), 3)));
    assert!(matches!(files(&request, &out), (Ok(true), 0)));
    // The same files elsewhere are the same source.
    let copy = Source::chain();
    let elsewhere = LeanRequest::new(copy.root(), LeanKind::Option, &["XYZ"]);
    assert!(matches!(files(&elsewhere, &out), (Ok(true), 0)));
    // Other options and other bytes that give the same records: the source is read, the session stays.
    let mut other = request.clone();
    other.policies.set("locked=flag").unwrap();
    assert!(matches!(files(&other, &out), (Ok(true), 3)));
    // Other records are no second version of a session.
    source.zip(QUOTES, &[(PUT, "34200000,10000,10000,10000,10000,5,10200,10200,10200,10200,6\n")]);
    let (refused, _) = files(&request, &out);
    assert!(refused.unwrap_err().to_string().contains("other content"));
}

#[test]
fn a_delayed_feed_is_known_later_and_keeps_its_order() {
    let source = Source::chain();
    let mut request = LeanRequest::new(source.root(), LeanKind::Option, &["xyz"]);
    request.delays.set(Some("option"), 90_000_000_000);
    let (sink, _) = source.read(&request).unwrap();
    let found: Vec<(u64, u64, u32, Kind, u8)> = sink
        .inputs
        .iter()
        .skip(3)
        .map(|input| input.record)
        .map(|record| (record.ts, record.ts_src, record.instrument, record.kind().unwrap(), record.flags))
        .collect();
    let (none, last) = (u32::MAX, flags::LAST);
    let (bid, ask, extended) = (flags::BID, flags::ASK, flags::EXTENDED);
    let later = |at: u64| (at + 90_000_000_000, at);
    let at = |at: u64| (at, at);
    let row = |(ts, src), instrument, kind, flags| (ts, src, instrument, kind, flags);
    let expected = [
        row(later(july_3(6, 30)), 2, Kind::Statistic, last),
        row(at(july_3(9, 30)), none, Kind::SessionPhase, last),
        row(at(july_3(9, 30)), 0, Kind::TradeBar, last | extended),
        row(at(july_3(9, 31)), 0, Kind::TradeBar, last),
        row(later(july_3(9, 31)), 1, Kind::BidBar, bid | last),
        row(later(july_3(9, 31)), 2, Kind::BidBar, bid),
        row(later(july_3(9, 31)), 2, Kind::AskBar, ask | last),
        row(at(july_3(13, 0)), none, Kind::SessionPhase, last),
        row(at(july_3(13, 1)), 0, Kind::TradeBar, last | extended),
        // Known after the close: no price of the session any more.
        row(later(july_3(13, 0)), 2, Kind::AskBar, ask | last | extended),
    ];
    assert_eq!(found, expected);

    request.delays.set(Some("index"), 1);
    let error = source.read(&request).unwrap_err().to_string();
    assert_eq!(error, "no source 'index' to delay; this import has option, equity");
}
