//! Imports of the recorded LEAN sample: row counts, order, definitions. Skipped where the data
//! are not mounted.

#![allow(clippy::unwrap_used)]

use onetape_calendar::{Date, Zone, date};
use onetape_engine::block::Block;
use onetape_engine::input::Cold;
use onetape_engine::instrument::{ExerciseStyle, InstrumentDef, SettlementTime, TickRule};
use onetape_engine::record::{Body, Kind, Phase, Record, flags};
use onetape_tape::import::lean::{
    LeanKind, LeanRequest, Resolution, import_lean, read_lean, reference, universe,
};
use onetape_tape::import::{ImportError, InputSink, MemorySink, Progress};
use onetape_tape::session::SessionReader;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

fn lean_root() -> Option<PathBuf> {
    let shared = std::env::var_os("ONETAPE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let root = shared.join("data/lean");
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("skipped: no recorded data at {} (set ONETAPE_SHARED)", root.display());
    None
}

fn read(request: &LeanRequest) -> (MemorySink, Vec<String>) {
    let mut sink = MemorySink::default();
    let mut notes = Vec::new();
    read_lean(request, &mut sink, &mut |progress| {
        if let Progress::Note(note) = progress {
            notes.push(note);
        }
    })
    .unwrap();
    (sink, notes)
}

fn definitions(sink: &MemorySink) -> Vec<&InstrumentDef> {
    sink.inputs
        .iter()
        .filter_map(|input| match &input.cold {
            Some(Cold::Definition(def)) => Some(&**def),
            _ => None,
        })
        .collect()
}

fn records<'a>(sink: &'a MemorySink, symbol: &str, kind: Kind) -> Vec<&'a Record> {
    let place = definitions(sink).iter().position(|def| def.symbol == symbol).unwrap() as u32;
    sink.inputs
        .iter()
        .map(|input| &input.record)
        .filter(|record| record.instrument == place && record.kind() == Some(kind))
        .collect()
}

/// Nanoseconds of a New York wall time on 2015-12-24 (UTC-5).
fn christmas_eve(hour: u64, minute: u64) -> u64 {
    1_450_915_200_000_000_000 + ((hour + 5) * 60 + minute) * 60_000_000_000
}

#[test]
fn goog_christmas_eve_becomes_a_session() {
    let Some(root) = lean_root() else { return };
    let day = Some(date(2015, 12, 24));
    let request = LeanRequest { from: day, to: day, ..LeanRequest::new(&root, LeanKind::Option, &["goog"]) };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("goog");
    let started = std::time::Instant::now();
    let finished = import_lean(&request, &out, &mut |_| {}).unwrap();
    println!("imported {} inputs in {:?}", finished.manifest.inputs, started.elapsed());
    let manifest = finished.manifest;
    for (record_type, rows) in [
        ("option_quote_bar", 275_552),
        ("option_trade_bar", 958),
        ("open_interest", 2_058),
        ("equity_quote_bar", 260),
        ("equity_trade_bar", 227),
    ] {
        assert_eq!(manifest.source_records.get(record_type), Some(&rows), "{record_type}");
    }
    assert_eq!(manifest.instruments, 2_193);
    assert_eq!(manifest.trade_dates, [20151224]);
    assert_eq!(manifest.first_ts, christmas_eve(0, 0));

    // Again: the same session, left as it is.
    assert!(import_lean(&request, &out, &mut |_| {}).unwrap().unchanged);
    let mut reader = SessionReader::open(&out).unwrap();
    let mut block = Block::default();
    let mut inputs = 0;
    while reader.next_block(&mut block).unwrap() {
        inputs += block.inputs.len() as u64;
    }
    assert_eq!(inputs, manifest.inputs);
}

#[test]
fn goog_records_are_exact_and_in_order() {
    let Some(root) = lean_root() else { return };
    let day = Some(date(2015, 12, 24));
    let (sink, notes) =
        read(&LeanRequest { from: day, to: day, ..LeanRequest::new(&root, LeanKind::Option, &["GOOG"]) });
    assert_eq!(notes, Vec::<String>::new());
    assert!(sink.inputs.windows(2).all(|pair| pair[0].record.ts <= pair[1].record.ts));

    let defs = definitions(&sink);
    assert_eq!(defs[0].symbol, "GOOG");
    let terms = |def: &InstrumentDef| {
        let terms = def.option.as_ref().unwrap();
        (terms.expiry_date, terms.strike, terms.right)
    };
    assert!(defs[1..].windows(2).all(|pair| terms(pair[0]) < terms(pair[1])));
    let def = defs.iter().find(|def| def.symbol == "GOOG  160115C00747500").unwrap();
    let option = def.option.as_ref().unwrap();
    assert_eq!(def.multiplier, 100);
    assert_eq!(def.tick, TickRule::Penny);
    assert_eq!(option.style, ExerciseStyle::American);
    assert_eq!(option.underlying.0, 0);
    assert_eq!(option.last_trade.0, christmas_eve(16, 0) + 22 * 86_400_000_000_000);

    // First row of the 1000 call of the day: 34200000,,,,,0,21500,21500,5000,5000,19
    let first = records(&sink, "GOOG  151224C01000000", Kind::AskBar)[0];
    assert_eq!(first.ts, christmas_eve(9, 31));
    assert_eq!(first.flags, flags::ASK | flags::LAST);
    let Some(Body::AskBar(half)) = first.body() else { panic!("an ask half") };
    assert_eq!((half.open, half.close, half.size), (2_150_000_000, 500_000_000, 19_000_000_000));
    assert!(records(&sink, "GOOG  151224C01000000", Kind::BidBar).is_empty());

    // Quote rows without a bid or an ask: 67,766 and 45,541 of 275,552.
    let option_halves = |kind| {
        let of_kind = sink.inputs.iter().map(|input| &input.record).filter(|r| r.kind() == Some(kind));
        of_kind.filter(|record| record.instrument != 0).count()
    };
    assert_eq!(option_halves(Kind::BidBar), 275_552 - 67_766);
    assert_eq!(option_halves(Kind::AskBar), 275_552 - 45_541);

    // Pre-market equity bars are extended, the regular ones end after 09:30 and by 13:00.
    for bar in records(&sink, "GOOG", Kind::TradeBar) {
        let is_regular = bar.ts > christmas_eve(9, 30) && bar.ts <= christmas_eve(13, 0);
        assert_eq!(bar.has(flags::EXTENDED), !is_regular, "{}", bar.ts);
    }
    let phases: Vec<(u64, u8)> = sink
        .inputs
        .iter()
        .filter_map(|input| match input.record.body() {
            Some(Body::SessionPhase(phase)) => Some((input.record.ts, phase.phase)),
            _ => None,
        })
        .collect();
    assert_eq!(
        phases,
        [(christmas_eve(9, 30), Phase::Open as u8), (christmas_eve(13, 0), Phase::Close as u8)]
    );
    let close = sink.inputs.iter().position(|i| i.record.ts == christmas_eve(13, 0) && i.record.kind == 3);
    assert!(sink.inputs[close.unwrap() + 1].record.ts > christmas_eve(13, 0));
}

#[test]
fn goog_days_around_christmas() {
    let Some(root) = lean_root() else { return };
    let (sink, notes) = read(&LeanRequest::new(&root, LeanKind::Option, &["GOOG"]));
    assert_eq!(notes, ["equity GOOG: no quote file for 2015-12-23"]);
    let counts = &sink.source_records;
    assert_eq!(counts["option_quote_bar"], 275_552 + 28_932 + 240);
    assert_eq!(counts["option_trade_bar"], 958 + 581 + 2);
    assert_eq!(counts["open_interest"], 2_058 + 118);
    assert_eq!(counts["equity_quote_bar"] + counts["equity_trade_bar"], 1_831);
    assert_eq!(definitions(&sink).len(), 1 + 2_192);
}

#[test]
fn spx_options_are_european_and_their_index_is_stamped_in_chicago() {
    let Some(root) = lean_root() else { return };
    let (sink, notes) = read(&LeanRequest::new(&root, LeanKind::IndexOption, &["SPX", "SPXW"]));
    assert!(notes.contains(&"indexoption SPX: no file for 2021-01-05".to_string()), "{notes:?}");
    let counts = &sink.source_records;
    assert_eq!(counts["option_quote_bar"], 4_473 + 4_565 + 3_239 + 6_305);
    assert_eq!(counts["index_trade_bar"], 822);
    assert_eq!(definitions(&sink).iter().filter(|def| def.symbol == "SPX").count(), 1);
    let first = records(&sink, "SPX", Kind::TradeBar)[0];
    assert_eq!(first.ts, 1_609_770_660_000_000_000); // 2021-01-04 09:31 New York
    let Some(Body::TradeBar(bar)) = first.body() else { panic!("a trade bar") };
    assert_eq!((bar.open, bar.high), (3_764_610_000_000, 3_769_990_000_000));
    let defs = definitions(&sink);
    let def = defs.iter().find(|def| def.symbol == "SPX   210115C03200000").unwrap();
    let terms = def.option.as_ref().unwrap();
    assert_eq!((terms.style, terms.settlement_time), (ExerciseStyle::European, SettlementTime::Am));
    // The last bar of an index option ends at 16:15 and is regular.
    let last = *records(&sink, "SPX   210115C03200000", Kind::AskBar).last().unwrap();
    assert!(!last.has(flags::EXTENDED));
}

#[test]
fn hour_and_daily_files_by_date() {
    let Some(root) = lean_root() else { return };
    for (resolution, rows) in [(Resolution::Hour, 23_360), (Resolution::Daily, 4_250)] {
        let request = LeanRequest { resolution, ..LeanRequest::new(&root, LeanKind::Option, &["GOOG"]) };
        let (sink, _) = read(&request);
        assert_eq!(sink.source_records["option_quote_bar"], rows, "{resolution:?}");
        assert!(sink.inputs.windows(2).all(|pair| pair[0].record.ts <= pair[1].record.ts));
    }
    let from = Some(date(2020, 1, 1));
    let spy = LeanRequest {
        from,
        resolution: Resolution::Daily,
        ..LeanRequest::new(&root, LeanKind::Equity, &["SPY"])
    };
    let (sink, _) = read(&spy);
    assert_eq!(sink.source_records["equity_trade_bar"], 314);
}

#[test]
fn second_bars() {
    let Some(root) = lean_root() else { return };
    let request = LeanRequest {
        resolution: Resolution::Second,
        ..LeanRequest::new(&root, LeanKind::Equity, &["SPY", "IBM"])
    };
    let (sink, _) = read(&request);
    assert_eq!(sink.source_records.values().sum::<u64>(), 83_266);
}

#[test]
fn ticks_become_one_nbbo_session() {
    let Some(root) = lean_root() else { return };
    let request = LeanRequest {
        resolution: Resolution::Tick,
        ..LeanRequest::new(&root, LeanKind::Equity, &["AIG", "BAC", "IBM", "SPY"])
    };
    let folder = tempfile::tempdir().unwrap();
    let started = std::time::Instant::now();
    let mut notes = Vec::new();
    let finished = import_lean(&request, &folder.path().join("ticks"), &mut |progress| {
        if let Progress::Note(note) = progress {
            notes.push(note);
        }
    })
    .unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let manifest = finished.manifest;
    let rows: u64 = manifest.source_records.values().sum();
    println!(
        "{rows} rows, {} inputs, {seconds:.2} s: {:.2} M rows/s",
        manifest.inputs,
        rows as f64 / seconds / 1e6
    );
    assert_eq!(notes.iter().filter(|note| note.contains("suspicious")).count(), 2, "{notes:?}");
    assert_eq!(manifest.source_records["equity_quote_tick"], 3_622_087 + 1_697_831 + 234_817);
    assert_eq!(manifest.source_records["equity_trade_tick"], 120_701 + 336_876 + 57_674 + 1_141_823);

    // How the NBBO of the regular session behaves: shares of time locked and crossed.
    let mut reader = SessionReader::open(&folder.path().join("ticks")).unwrap();
    let mut block = Block::default();
    let mut last: [Option<(u64, i64)>; 4] = [None; 4];
    let (mut total, mut locked, mut crossed) = ([0u64; 4], [0u64; 4], [0u64; 4]);
    while reader.next_block(&mut block).unwrap() {
        for record in &block.inputs {
            let Some(Body::Quote(quote)) = record.body() else { continue };
            let ix = record.instrument as usize;
            if let Some((ts, width)) = last[ix] {
                let ns = record.ts - ts;
                total[ix] += ns;
                locked[ix] += if width == 0 { ns } else { 0 };
                crossed[ix] += if width < 0 { ns } else { 0 };
            }
            let is_regular = !record.has(flags::EXTENDED) && quote.bid > 0 && quote.ask > 0;
            last[ix] = is_regular.then_some((record.ts, quote.ask - quote.bid));
        }
    }
    for ix in 0..3 {
        let share = |part: u64| part as f64 / total[ix] as f64;
        assert!(share(crossed[ix]) < 0.0005, "instrument {ix}: crossed {}", share(crossed[ix]));
        assert!(share(locked[ix]) < 0.01, "instrument {ix}: locked {}", share(locked[ix]));
    }
}

#[test]
fn what_is_not_there_is_named() {
    let Some(root) = lean_root() else { return };
    let fail =
        |request: &LeanRequest| read_lean(request, &mut MemorySink::default(), &mut |_| {}).unwrap_err();
    let error = fail(&LeanRequest::new(&root, LeanKind::Option, &["NOPE"]));
    assert!(matches!(error, ImportError::NothingFound { .. }), "{error}");
    let late =
        LeanRequest { from: Some(date(2016, 1, 1)), ..LeanRequest::new(&root, LeanKind::Option, &["GOOG"]) };
    assert!(fail(&late).to_string().contains("between 2016-01-01 and …"));
}

#[test]
fn every_archive_has_the_rows_of_the_manifest() {
    let Some(root) = lean_root() else { return };
    let text = std::fs::read_to_string(root.join("MANIFEST.csv")).unwrap();
    let mut expected: BTreeMap<PathBuf, u64> = BTreeMap::new();
    let mut requests: BTreeSet<(LeanKind, Resolution, String)> = BTreeSet::new();
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        let parts: Vec<&str> = columns[0].split('/').collect();
        let Some(kind) = parts.get(1).and_then(|name| LeanKind::from_folder(name)) else { continue };
        let Some(resolution) = parts.get(3).and_then(|name| Resolution::from_folder(name)) else { continue };
        let symbol = parts[4].split(['_', '.']).next().unwrap().to_string();
        expected.insert(root.join(columns[0]), columns[3].parse().unwrap());
        requests.insert((kind, resolution, symbol));
    }
    let mut found: BTreeMap<PathBuf, u64> = BTreeMap::new();
    for (kind, resolution, symbol) in requests {
        let request = LeanRequest { resolution, as_filed: true, ..LeanRequest::new(&root, kind, &[&symbol]) };
        let mut sink = Counting::default();
        read_lean(&request, &mut sink, &mut |progress| {
            if let Progress::File { path, rows } = progress {
                found.insert(path, rows);
            }
        })
        .unwrap_or_else(|error| panic!("{kind:?} {resolution:?} {symbol}: {error}"));
        assert!(sink.is_ordered, "{kind:?} {resolution:?} {symbol}");
    }
    for (path, rows) in &expected {
        assert_eq!(found.get(path), Some(rows), "{}", path.display());
    }
    println!("{} archives, {} rows", expected.len(), expected.values().sum::<u64>());
}

/// Checks the order of what it is given and keeps nothing.
struct Counting {
    last_ts: u64,
    is_ordered: bool,
}

impl Default for Counting {
    fn default() -> Counting {
        Counting { last_ts: 0, is_ordered: true }
    }
}

impl InputSink for Counting {
    fn push(&mut self, record: Record, _: Option<Cold>) -> Result<(), ImportError> {
        self.is_ordered &= record.ts >= self.last_ts;
        self.last_ts = record.ts;
        Ok(())
    }

    fn count_source(&mut self, _: &str, _: u64) {}

    fn data_file(&mut self, _: &str, _: &[u8]) -> Result<(), ImportError> {
        Ok(())
    }
}

#[test]
fn splits_and_dividends_stand_beside_the_tape() {
    let Some(root) = lean_root() else { return };
    let request = LeanRequest {
        resolution: Resolution::Daily,
        from: Some(date(2014, 5, 1)),
        to: Some(date(2014, 6, 30)),
        ..LeanRequest::new(&root, LeanKind::Equity, &["AAPL"])
    };
    let (sink, _) = read(&request);
    let text = String::from_utf8(sink.data_files["corporate_actions.csv"].clone()).unwrap();
    // Apple: 3.29 ex 2014-05-08, 7:1 on 2014-06-09.
    assert_eq!(text, "symbol,ex_date,kind,value\nAAPL,20140508,dividend,3.29\nAAPL,20140609,split,7.00\n");
}

#[test]
fn a_ticker_is_read_from_the_files_of_who_bore_it() {
    let Some(root) = lean_root() else { return };
    let daily = |symbol: &str, as_filed| LeanRequest {
        resolution: Resolution::Daily,
        from: Some(date(2014, 3, 24)),
        to: Some(date(2014, 4, 8)),
        as_filed,
        ..LeanRequest::new(&root, LeanKind::Equity, &[symbol])
    };
    let dates = |request: &LeanRequest| -> (Vec<Date>, MemorySink) {
        let (sink, _) = read(request);
        let bars = records(&sink, &request.symbols[0], Kind::TradeBar);
        (bars.iter().map(|record| Zone::NewYork.date_at(record.ts)).collect(), sink)
    };
    // Class C: GOOCV from its first day, GOOG from 2014-04-03.
    let (found, sink) = dates(&daily("GOOG", false));
    assert_eq!((found[0], found.len()), (date(2014, 3, 27), 9));
    assert_eq!(
        String::from_utf8(sink.data_files["tickers.csv"].clone()).unwrap(),
        "symbol,ticker,from,until\nGOOG,GOOCV,20140327,20140402\nGOOG,GOOG,20140403,20140408\n"
    );
    // Class A bore GOOG until 2014-04-02; there is no file of GOOGL.
    let (found, _) = dates(&daily("GOOGL", false));
    assert_eq!((found[0], found[found.len() - 1]), (date(2014, 3, 24), date(2014, 4, 2)));
    let (found, _) = dates(&daily("GOOG", true));
    assert_eq!((found[0], found[found.len() - 1]), (date(2014, 3, 24), date(2014, 4, 8)));
}

#[test]
fn the_history_ends_before_the_tape_and_knows_its_splits_alone() {
    let Some(root) = lean_root() else { return };
    let history = |symbol: &str, day: Date| {
        let request = LeanRequest {
            from: Some(day),
            to: Some(day),
            ..LeanRequest::new(&root, LeanKind::Equity, &[symbol])
        };
        let (sink, _) = read(&request);
        String::from_utf8(sink.data_files["history.csv"].clone()).unwrap()
    };
    // Apple split 7:1 on 2014-06-09; 2014-06-06 closed at 645.57 on its own basis.
    let (before, after) = (history("AAPL", date(2014, 6, 6)), history("AAPL", date(2014, 6, 9)));
    assert_eq!((before.lines().count(), after.lines().count()), (301, 301));
    let last = |text: &str| text.lines().last().unwrap().to_string();
    let close = |text: &str| text.split(',').nth(5).unwrap().parse::<f64>().unwrap();
    assert!(last(&before).starts_with("AAPL,2014-06-05,") && close(&last(&before)) > 600.0);
    assert!(last(&after).starts_with("AAPL,2014-06-06,") && (close(&last(&after)) - 92.22).abs() < 0.2);
}

#[test]
fn universes_rates_and_maps_are_read() {
    let Some(root) = lean_root() else { return };
    let data = root.join("Data");
    let universe = reference::read_universe(&data.join("option/usa/universes/goog/20151224.csv")).unwrap();
    assert_eq!(universe.0, Some("748.4".parse().unwrap()));
    assert!(universe.1.len() > 100);
    let rates = data.join("alternative/interest-rate/usa/interest-rate.csv");
    assert_eq!(reference::read_interest_rates(&rates).unwrap().len(), 56);
    let spans = reference::read_ticker_spans(&data.join("equity/usa/map_files/goog.csv")).unwrap();
    assert_eq!(reference::ticker_on(&spans, date(2015, 12, 24)), Some("GOOG"));
}

#[test]
fn universes_and_rates_state_the_morning_of_their_date() {
    let Some(root) = lean_root() else { return };
    let day = Some(date(2015, 12, 24));
    let request = LeanRequest { from: day, to: day, ..LeanRequest::new(&root, LeanKind::Option, &["GOOG"]) };
    let (sink, _) = read(&request);
    assert_eq!(sink.source_records["option_universe_row"], 2_016);
    // 20151231,450,C,300.0500,301.1500,296.7500,298.3000,0,,1.7405772,0.9915959,0.0001368,0.0219203,-0.3277778,0.0728466
    let known: Vec<(u16, i64)> = records(&sink, "GOOG  151231C00450000", Kind::Statistic)
        .into_iter()
        .filter(|record| record.ts == christmas_eve(6, 30))
        .filter_map(|record| match record.body() {
            Some(Body::Statistic(statistic)) if statistic.stat == 0xffff => {
                assert_eq!(statistic.ts_ref, christmas_eve(16, 0) - 86_400_000_000_000, "the close before");
                Some((statistic.raw, statistic.value))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (universe::IMPLIED_VOLATILITY, 1_740_577_200),
        (universe::DELTA, 991_595_900),
        (universe::GAMMA, 136_800),
        (universe::VEGA, 21_920_300),
        (universe::THETA, -327_777_800),
        (universe::RHO, 72_846_600),
    ];
    assert_eq!(known, expected);
    let rates = String::from_utf8(sink.data_files["interest_rates.csv"].clone()).unwrap();
    assert_eq!(rates, "date,percent\n20151217,1.00\n");
}
