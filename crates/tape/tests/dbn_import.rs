//! Imports of published DBN samples: sums as another decoder reads them, sessions from real
//! files, damaged ones refused by name. Skipped where the data are not mounted.

#![allow(clippy::unwrap_used)]

use onetape_engine::input::Cold;
use onetape_engine::instrument::{ExerciseStyle, InstrumentDef, InstrumentKind, Settlement};
use onetape_engine::record::{Body, Kind};
use onetape_tape::import::dbn::{DbnRequest, dbn_sums, import_dbn, read_dbn, rewrite_dbn, write_dbn};
use onetape_tape::import::{ImportError, MemorySink};
use onetape_tape::session::SessionReader;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn dbn_root() -> Option<PathBuf> {
    let shared = std::env::var_os("ONETAPE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let root = shared.join("data/dbn");
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("skipped: no recorded data at {} (set ONETAPE_SHARED)", root.display());
    None
}

fn read(files: &[PathBuf]) -> MemorySink {
    let mut sink = MemorySink::default();
    read_dbn(&DbnRequest::new(files), &mut sink, &mut |_| {}).unwrap();
    sink
}

fn definitions(sink: &MemorySink) -> Vec<&InstrumentDef> {
    let defs = sink.inputs.iter().filter_map(|input| match &input.cold {
        Some(Cold::Definition(def)) => Some(&**def),
        _ => None,
    });
    defs.collect()
}

#[derive(serde::Deserialize)]
struct Expected {
    file: String,
    expect: Expect,
}

#[derive(serde::Deserialize)]
struct Expect {
    version: Option<u8>,
    dataset: Option<String>,
    schema: Option<String>,
    symbols: Option<u64>,
    mappings: Option<u64>,
    records: Option<BTreeMap<String, u64>>,
    sum_ts_event: Option<i128>,
    sum_price: Option<i128>,
    sum_size: Option<i128>,
    sum_sequence: Option<i128>,
    sum_bid_px: Option<i128>,
    sum_ask_px: Option<i128>,
    sum_bid_sz: Option<i128>,
    sum_ask_sz: Option<i128>,
    sum_open: Option<i128>,
    sum_high: Option<i128>,
    sum_low: Option<i128>,
    sum_close: Option<i128>,
    sum_volume: Option<i128>,
}

fn expected(root: &Path) -> Vec<Expected> {
    serde_json::from_slice(&std::fs::read(root.join("expected.json")).unwrap()).unwrap()
}

#[test]
fn every_file_sums_to_what_the_vendor_reads() {
    let Some(root) = dbn_root() else { return };
    let expected = expected(&root);
    assert_eq!(expected.len(), 121);
    let mut values = 0;
    for Expected { file, expect } in &expected {
        let Some(records) = &expect.records else {
            assert!(dbn_sums(&root.join(file), None).is_err(), "{file} has no DBN header");
            continue;
        };
        let sums = dbn_sums(&root.join(file), None).unwrap();
        assert_eq!(&sums.records, records, "{file}");
        assert_eq!(Some(sums.version), expect.version, "{file}");
        assert_eq!(Some(&sums.dataset), expect.dataset.as_ref(), "{file}");
        assert_eq!(sums.schema, expect.schema, "{file}");
        assert_eq!((Some(sums.symbols), Some(sums.mappings)), (expect.symbols, expect.mappings), "{file}");
        for (field, found, expected) in [
            ("ts_event", sums.sum_ts_event, expect.sum_ts_event),
            ("price", sums.sum_price, expect.sum_price),
            ("size", sums.sum_size, expect.sum_size),
            ("sequence", sums.sum_sequence, expect.sum_sequence),
            ("bid_px", sums.sum_bid_px, expect.sum_bid_px),
            ("ask_px", sums.sum_ask_px, expect.sum_ask_px),
            ("bid_sz", sums.sum_bid_sz, expect.sum_bid_sz),
            ("ask_sz", sums.sum_ask_sz, expect.sum_ask_sz),
            ("open", sums.sum_open, expect.sum_open),
            ("high", sums.sum_high, expect.sum_high),
            ("low", sums.sum_low, expect.sum_low),
            ("close", sums.sum_close, expect.sum_close),
            ("volume", sums.sum_volume, expect.sum_volume),
        ] {
            if let Some(expected) = expected {
                assert_eq!(found, expected, "{file}: {field}");
                values += 1;
            }
        }
    }
    println!("{values} sums agree");
    assert!(values >= 112 * 4);
}

#[test]
fn fragments_need_their_version() {
    let Some(root) = dbn_root() else { return };
    for version in [1, 2, 3] {
        let path = root.join(format!("dbn/test_data.definition.v{version}.dbn.frag"));
        let sums = dbn_sums(&path, Some(version)).unwrap();
        assert_eq!(sums.records["InstrumentDefMsg"], 2, "version {version}");
    }
}

#[test]
fn es_mbp1_becomes_a_session() {
    let Some(root) = dbn_root() else { return };
    let file = root
        .join("nautilus/historical_bars_catalog/databento")
        .join("futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02.dbn.zst");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("es");
    let finished = import_dbn(&DbnRequest::new(&[file]), &out, &mut |_| {}).unwrap();
    assert_eq!(finished.manifest.source_records["mbp1"], 2_288);
    assert_eq!(finished.manifest.instruments, 1);
    let mut reader = SessionReader::open(&out).unwrap();
    let blocks: Vec<_> = reader.blocks().map(Result::unwrap).collect();
    let records: Vec<_> = blocks.iter().flat_map(|block| &block.inputs).collect();
    assert_eq!(records.iter().filter(|record| record.kind() == Some(Kind::Quote)).count(), 2_288);
    assert!(records.iter().any(|record| record.kind() == Some(Kind::Trade)));
    assert!(records.windows(2).all(|pair| pair[0].ts <= pair[1].ts));
    let Cold::Definition(def) = &blocks[0].cold[0] else { panic!("a definition") };
    assert_eq!((def.kind, def.multiplier), (InstrumentKind::Future, 50));
}

#[test]
fn opra_records_get_the_terms_of_their_class() {
    let Some(root) = dbn_root() else { return };
    let folder = root.join("databento-python/OPRA.PILLAR");
    let sink = read(&[folder.join("test_data.mbp-1.dbn.zst"), folder.join("test_data.definition.dbn.zst")]);
    let defs = definitions(&sink);
    assert_eq!((defs.len(), defs[0].symbol.as_str()), (2, "AAPL"));
    let terms = defs[1].option.as_ref().unwrap();
    assert_eq!((terms.underlying.0, terms.style), (0, ExerciseStyle::American));
    assert_eq!(defs[1].multiplier, 100);
    let sampled = read(&[folder.join("test_data.cbbo-1m.dbn.zst")]);
    let held = definitions(&sampled)[1].quote_hold_ns;
    assert_eq!(held, Some(120_000_000_000));
}

#[test]
fn bars_enter_at_their_end() {
    let Some(root) = dbn_root() else { return };
    let path = root.join("databento-python/XNAS.ITCH/test_data.ohlcv-1m.dbn.zst");
    let sums = dbn_sums(&path, None).unwrap();
    let sink = read(&[path]);
    let bars: Vec<_> = sink.inputs.iter().filter(|i| i.record.kind() == Some(Kind::TradeBar)).collect();
    let ends: i128 = bars.iter().map(|input| i128::from(input.record.ts)).sum();
    assert_eq!(ends, sums.sum_ts_event + 60_000_000_000 * bars.len() as i128);
}

#[test]
fn every_sample_is_imported_or_refused_by_name() {
    let Some(root) = dbn_root() else { return };
    for Expected { file: name, .. } in &expected(&root) {
        let mut sink = MemorySink::default();
        match read_dbn(&DbnRequest::new(&[root.join(name)]), &mut sink, &mut |_| {}) {
            Ok(()) => {
                assert!(sink.inputs.windows(2).all(|pair| pair[0].record.ts <= pair[1].record.ts), "{name}");
            }
            Err(error) => println!("{name}: {error}"),
        }
    }
}

#[test]
fn damaged_files_are_named() {
    let Some(root) = dbn_root() else { return };
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(root.join("dbn/test_data.mbp-1.v3.dbn.zst")).unwrap();
    let plain = std::fs::read(root.join("dbn/test_data.cmbp-1.dbn")).unwrap();
    let mut newer = plain.clone();
    newer[3] = 9;
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    for (name, bytes, expected) in [
        ("truncated.zst", &whole[..whole.len() - 9], "truncated"),
        ("cut.dbn", &plain[..plain.len() - 9], "truncated"),
        ("text.dbn", b"hello, world".as_slice(), "does not begin with 'DBN'"),
        ("empty.dbn", b"".as_slice(), "does not begin with 'DBN'"),
        ("newer.dbn", &newer, "version"),
        ("flipped.zst", &flipped, "record"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let out = folder.path().join("session");
        match import_dbn(&DbnRequest::new(&[path]), &out, &mut |_| {}) {
            Ok(_) => assert_eq!(name, "flipped.zst", "only a flipped payload bit may go unseen"),
            Err(error) => {
                let text = error.to_string();
                println!("{text}");
                assert!(matches!(error, ImportError::Dbn { .. }), "{text}");
                assert!(text.contains(name) && (name == "flipped.zst" || text.contains(expected)), "{text}");
                assert!(!out.exists());
            }
        }
    }
    let missing = import_dbn(&DbnRequest::new(&[folder.path().join("none.dbn")]), folder.path(), &mut |_| {});
    assert!(matches!(missing, Err(ImportError::Io { action: "open", .. })));
}

#[test]
fn options_on_a_future_around_their_expiry() {
    let Some(root) = dbn_root() else { return };
    let folder = root.join("nautilus/options_exercise/databento");
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let sink = read(&files);
    let defs = definitions(&sink);
    let symbols: Vec<&str> = defs.iter().map(|def| def.symbol.as_str()).collect();
    assert_eq!(symbols, ["ESH6", "EW2F6 C7000"]);
    let terms = defs[1].option.as_ref().unwrap();
    assert_eq!(
        (terms.root.as_str(), terms.expiry_date, terms.strike),
        ("EW2", 20260109, "7000".parse().unwrap())
    );
    assert_eq!((terms.style, terms.settlement), (ExerciseStyle::European, Settlement::Physical));
    assert_eq!((defs[1].multiplier, defs[1].quote_hold_ns), (50, Some(120_000_000_000)));
    assert_eq!(sink.source_records["bbo"], 8);
    let phases: Vec<(u64, u32)> = sink
        .inputs
        .iter()
        .filter_map(|input| match input.record.body() {
            Some(Body::SessionPhase(phase)) => Some((input.record.ts, phase.trade_date)),
            _ => None,
        })
        .collect();
    // Globex: from 17:00 Chicago on the evening before to 16:00.
    assert_eq!(phases, [(1_767_913_200_000_000_000, 20260109), (1_767_996_000_000_000_000, 20260109)]);
}

#[test]
fn writing_and_reading_gives_the_records_back() {
    let Some(root) = dbn_root() else { return };
    let bars = root.join("nautilus/historical_bars_catalog/databento");
    let python = root.join("databento-python");
    for (name, files, schemas) in [
        ("es", vec![bars.join("futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02.dbn.zst")], vec!["mbp-1"]),
        ("trades", vec![python.join("XNAS.ITCH/test_data.trades.dbn.zst")], vec!["trades"]),
        ("cmbp1", vec![root.join("dbn/test_data.cmbp-1.v3.dbn.zst")], vec!["mbp-1"]),
        ("statistics", vec![root.join("dbn/test_data.statistics.dbn")], vec!["statistics"]),
        ("status", vec![root.join("dbn/test_data.status.v3.dbn.zst")], vec!["status"]),
        ("orders", vec![root.join("nautilus/esh4-glbx-mdp3-20231225.mbo.dbn.zst")], vec!["mbo"]),
        ("orders of itch", vec![python.join("XNAS.ITCH/test_data.mbo.dbn.zst")], vec!["mbo"]),
        ("prints of orders", vec![python.join("IFEU.IMPACT/test_data.mbo.dbn.zst")], vec!["mbo"]),
        ("levels", vec![python.join("NDEX.IMPACT/test_data.mbp-10.dbn.zst")], vec!["mbp-10"]),
        ("levels of globex", vec![python.join("GLBX.MDP3/test_data.mbp-10.dbn.zst")], vec!["mbp-10"]),
        ("prints of levels", vec![python.join("IFEU.IMPACT/test_data.mbp-10.dbn.zst")], vec!["mbp-10"]),
        ("imbalance", vec![python.join("XNAS.ITCH/test_data.imbalance.dbn.zst")], vec!["imbalance"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let import = |files: &[PathBuf], to: &str| {
            let out = folder.path().join(to);
            import_dbn(&DbnRequest::new(files), &out, &mut |_| {}).unwrap();
            SessionReader::open(&out).unwrap()
        };
        let mut first = import(&files, "first");
        let out = folder.path().join("dbn");
        let written = write_dbn(&mut first, &out, None).unwrap();
        let names: Vec<PathBuf> = written.files.into_keys().collect();
        for schema in schemas {
            assert!(names.contains(&out.join(format!("{schema}.dbn.zst"))), "{name}: {names:?}");
        }
        assert!(written.left_out.is_empty());
        let mut second = import(&names, "second");
        let records = |reader: &mut SessionReader| -> Vec<_> {
            reader.blocks().flat_map(|block| block.unwrap().inputs).collect()
        };
        assert_eq!(records(&mut first), records(&mut second), "{name}");
        assert!(write_dbn(&mut first, &out, None).unwrap_err().to_string().contains("exists"));
    }
}

/// Every sample with records of a session: written as DBN and imported again it is the same session.
#[test]
fn every_sample_survives_the_way_out_and_back() {
    let Some(root) = dbn_root() else { return };
    let (mut same, mut schemas) = (0, std::collections::BTreeSet::new());
    for Expected { file: name, expect } in &expected(&root) {
        let folder = tempfile::tempdir().unwrap();
        let import = |files: &[PathBuf], to: &str| {
            let out = folder.path().join(to);
            import_dbn(&DbnRequest::new(files), &out, &mut |_| {})?;
            Ok::<_, ImportError>(SessionReader::open(&out).unwrap())
        };
        let Ok(mut first) = import(&[root.join(name)], "first") else { continue };
        let written = write_dbn(&mut first, &folder.path().join("dbn"), None).unwrap();
        // A live session mixes schemas, and its bars have several periods.
        let is_mixed = expect.schema.is_none();
        assert!(written.left_out.is_empty() || is_mixed, "{name}: {:?}", written.left_out);
        let files: Vec<PathBuf> = written.files.into_keys().collect();
        schemas.extend(files.iter().map(|path| path.file_name().unwrap().to_owned()));
        let mut second = import(&files, "second").unwrap();
        let records = |reader: &mut SessionReader| -> Vec<_> {
            let mut found: Vec<_> = reader.blocks().flat_map(|block| block.unwrap().inputs).collect();
            if is_mixed {
                // Records of one instant come back by schema.
                found.retain(|r| r.kind().is_some_and(|kind| kind.is_market() && kind != Kind::TradeBar));
                found.sort_by_key(|record| (record.ts, record.kind, record.ts_src, record.body));
            }
            found
        };
        assert_eq!(records(&mut first), records(&mut second), "{name}");
        same += 1;
    }
    println!("{same} samples are the same sessions, {} schemas", schemas.len());
    assert!(same >= 90, "{same}");
    assert!(schemas.len() >= 16, "{schemas:?}");
}

/// Every sample that the vendor reads, of whatever version, schema and packing, becomes a file of version 3 with the
/// same records, and writing that again gives the same bytes.
#[test]
fn every_sample_is_rewritten_record_by_record() {
    let Some(root) = dbn_root() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut same = 0;
    for Expected { file, expect } in &expected(&root) {
        let version = file.strip_suffix(".dbn.frag").and_then(|name| name.chars().last()?.to_digit(10));
        let version = version.map(|digit| digit as u8);
        if expect.records.is_none() && version.is_none() {
            continue;
        }
        let place = |name: &str| folder.path().join(format!("{same}-{name}"));
        let (first, second, packed) = (place("1.dbn"), place("2.dbn"), place("3.dbn.zst"));
        let records = rewrite_dbn(&root.join(file), version, &first).unwrap();
        let v3 = version.map(|_| 3);
        rewrite_dbn(&first, v3, &packed).unwrap();
        rewrite_dbn(&packed, v3, &second).unwrap();
        assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap(), "{file}");
        let sums = dbn_sums(&packed, v3).unwrap();
        assert_eq!(sums, dbn_sums(&root.join(file), version).unwrap(), "{file}");
        assert_eq!(sums.records.values().sum::<u64>(), records, "{file}");
        same += 1;
    }
    println!("{same} samples rewritten");
    assert!(same >= 115, "{same}");
}
