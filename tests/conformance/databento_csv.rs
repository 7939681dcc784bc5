//! Databento's own CSV encoder against the import of the same DBN file: equal records, raw and pretty.

use dbn::decode::{DbnMetadata, DecodeRecordRef, dbn::Decoder};
use dbn::encode::EncodeRecordTextExt;
use dbn::encode::csv::EncoderBuilder;
use dbn::{SymbolIndex, TsSymbolMap, VersionUpgradePolicy};
use onetape_engine::input::Cold;
use onetape_engine::record::Record;
use onetape_tape::import::MemorySink;
use onetape_tape::import::dbn::{DbnRequest, read_dbn};
use onetape_tape::import::profile::{Profile, read_bytes};
use onetape_tests::shared;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Profile of a file by the schema in its name.
const SCHEMAS: [(&str, &str); 10] = [
    (".mbp-10.", "databento-mbp-10"),
    (".mbp-1.", "databento-mbp-1"),
    ("_mbp-1_", "databento-mbp-1"),
    (".tbbo.", "databento-mbp-1"),
    (".bbo-1", "databento-bbo"),
    ("_bbo-1", "databento-bbo"),
    (".cbbo-1", "databento-cbbo"),
    (".trades.", "databento-trades"),
    (".ohlcv-1", "databento-ohlcv"),
    ("_ohlcv-1", "databento-ohlcv"),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.to_string_lossy().contains(".dbn") && !path.to_string_lossy().contains(".frag") {
            found.push(path);
        }
    }
}

fn unpacked(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    if bytes.starts_with(b"DBN") {
        return bytes;
    }
    let mut plain = Vec::new();
    zstd::stream::read::Decoder::new(&bytes[..]).unwrap().read_to_end(&mut plain).unwrap();
    plain
}

/// The file as CSV; `None` when a record has no symbol, which the CSV then lacks too.
fn to_csv(path: &Path, pretty: bool) -> Option<Vec<u8>> {
    let bytes = unpacked(path);
    let mut decoder = Decoder::with_upgrade_policy(&bytes[..], VersionUpgradePolicy::UpgradeToV3).unwrap();
    let symbols = TsSymbolMap::from_metadata(decoder.metadata()).ok()?;
    let mut csv = Vec::new();
    let mut encoder = EncoderBuilder::new(&mut csv)
        .use_pretty_px(pretty)
        .use_pretty_ts(pretty)
        .with_symbol(true)
        .schema(decoder.metadata().schema)
        .build()
        .unwrap();
    let mut rows = 0;
    while let Some(record) = decoder.decode_record_ref().unwrap() {
        // Records are named by their index time, as the vendor's own tools do.
        let symbol = symbols.get_for_rec(&record)?.clone();
        assert!(record.header().instrument_id > 0);
        encoder.encode_ref_with_sym(record, Some(&symbol)).unwrap();
        rows += 1;
    }
    drop(encoder);
    (rows > 0).then_some(csv)
}

fn market(sink: &MemorySink) -> Vec<(String, Record)> {
    let mut symbols = Vec::new();
    let mut records = Vec::new();
    for input in &sink.inputs {
        if let Some(Cold::Definition(def)) = &input.cold {
            symbols.push(def.symbol.clone());
        } else if input.record.kind().unwrap().is_market() {
            let symbol = symbols[input.record.instrument as usize].clone();
            records.push((symbol, Record { instrument: 0, ..input.record }));
        }
    }
    // Of bars of one instant the DBN import keeps the order of the file, profiles go by instrument.
    records.sort_by_key(|(symbol, record): &(String, Record)| (record.ts, symbol.clone()));
    records
}

#[test]
fn csv_of_a_dbn_file_imports_to_the_same_records() {
    let Some(root) = shared("data/dbn") else { return };
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let (mut compared, mut records) = (0, 0);
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some((_, profile)) = SCHEMAS.iter().find(|(part, _)| name.contains(part)) else { continue };
        let profile = Profile::builtin(profile).unwrap();
        for pretty in [false, true] {
            let Some(csv) = to_csv(&path, pretty) else { continue };
            let mut found = MemorySink::default();
            let result = read_bytes(&profile, &name, &csv, &mut found);
            // Symbols with blanks that are no option's in OCC form (spreads, options on futures) are no
            // symbols of these profiles: refused by name.
            match result {
                Err(error) if error.to_string().contains("is not a symbol of the forms") => {
                    println!("not compared: {error}");
                    continue;
                }
                result => result.map(drop).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            }
            let mut expected = MemorySink::default();
            read_dbn(&DbnRequest::new(std::slice::from_ref(&path)), &mut expected, &mut |_| {}).unwrap();
            let (found, expected) = (market(&found), market(&expected));
            assert_eq!(found.len(), expected.len(), "{}", path.display());
            for (at, (a, b)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(a, b, "{} (pretty {pretty}), record {at}", path.display());
            }
            compared += 1;
            records += found.len();
        }
    }
    println!("{compared} CSV files of DBN files compared, {records} records equal");
    assert!(compared >= 60, "{compared} files");
}
