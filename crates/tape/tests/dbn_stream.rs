//! DBN in one pass: the same records as an import, defined as they come.
#![allow(clippy::unwrap_used)]

use onetape_engine::block::Block;
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::record::{Kind, Record};
use onetape_tape::import::MemorySink;
use onetape_tape::import::dbn::{DbnRequest, DbnStream, read_dbn, write_dbn};
use onetape_tape::session::SessionReader;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

fn dbn_files(folder: &Path) -> PathBuf {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../replay-data/one-2d");
    let out = folder.join("dbn");
    write_dbn(&mut SessionReader::open(&demo).unwrap(), &out, None).unwrap();
    out
}

/// A source that gives a few bytes at a time, as a pipe may.
struct Trickle<R>(R, usize);

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let most = out.len().min(1 + self.1 % 4_099);
        self.1 = self.1.wrapping_mul(31).wrapping_add(7);
        self.0.read(&mut out[..most])
    }
}

/// Every input of a stream: definitions and records.
fn read_all(source: Box<dyn Read + Send>) -> (Vec<InstrumentDef>, Vec<Record>) {
    let mut stream = DbnStream::open(source, "test").unwrap();
    let (mut defs, mut records) = (Vec::new(), Vec::new());
    loop {
        let mut batch = Block::default();
        if !stream.read(&mut batch, 100).unwrap() {
            return (defs, records);
        }
        assert!(batch.inputs.len() < 110, "{} inputs in a batch", batch.inputs.len());
        let mut cold = batch.cold.into_iter();
        for record in batch.inputs {
            if record.kind == Kind::Cold as u8 {
                if let Some(Cold::Definition(def)) = cold.next() {
                    defs.push(*def);
                }
            } else {
                assert!(record.kind == Kind::SessionPhase as u8 || (record.instrument as usize) < defs.len());
                records.push(record);
            }
        }
    }
}

/// Market records with their symbols instead of indices.
fn named<'a>(defs: &'a [InstrumentDef], records: &[Record]) -> Vec<(&'a str, Record)> {
    records
        .iter()
        .filter(|record| record.kind().is_some_and(Kind::is_market))
        .map(|record| (defs[record.instrument as usize].symbol.as_str(), Record { instrument: 0, ..*record }))
        .collect()
}

#[test]
fn a_stream_gives_the_records_of_an_import_and_its_phases() {
    let folder = tempfile::tempdir().unwrap();
    let file = dbn_files(folder.path()).join("mbp-1.dbn.zst");
    let mut sink = MemorySink::default();
    read_dbn(&DbnRequest::new(std::slice::from_ref(&file)), &mut sink, &mut |_| {}).unwrap();
    let (mut defs, mut records) = (Vec::new(), Vec::new());
    for input in sink.inputs {
        match input.cold {
            Some(Cold::Definition(def)) => defs.push(*def),
            _ => records.push(input.record),
        }
    }
    let (streamed_defs, streamed) = read_all(Box::new(Trickle(File::open(&file).unwrap(), 1)));
    assert!(records.len() > 100_000);
    assert_eq!(named(&streamed_defs, &streamed), named(&defs, &records));
    let phases = |records: &[Record]| -> Vec<Record> {
        records.iter().filter(|record| record.kind == Kind::SessionPhase as u8).copied().collect()
    };
    assert_eq!(phases(&streamed), phases(&records));
    for def in &streamed_defs {
        let other = defs.iter().find(|other| other.symbol == def.symbol).unwrap();
        let strike = |def: &InstrumentDef| def.option.as_ref().map(|terms| (terms.strike, terms.expiry));
        assert_eq!((strike(def), def.kind, def.multiplier), (strike(other), other.kind, other.multiplier));
    }
}

#[test]
fn a_stream_that_goes_on_defines_nothing_again_and_damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = dbn_files(folder.path()).join("mbp-1.dbn.zst");
    let (defs, _) = read_all(Box::new(File::open(&file).unwrap()));
    let mut stream = DbnStream::open(Box::new(File::open(&file).unwrap()), "test").unwrap();
    stream.know(&defs);
    let mut batch = Block::default();
    assert!(stream.read(&mut batch, 5_000).unwrap());
    assert!(batch.cold.is_empty());
    let bytes = std::fs::read(&file).unwrap();
    let mut cut = DbnStream::open(Box::new(Cursor::new(bytes[..bytes.len() / 2].to_vec())), "stdin").unwrap();
    let error = loop {
        match cut.read(&mut Block::default(), 5_000) {
            Ok(true) => {}
            Ok(false) => panic!("a cut stream ended quietly"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("stdin") && error.contains("truncated"), "{error}");
    let error = DbnStream::open(Box::new(Cursor::new(b"hello".to_vec())), "stdin").unwrap_err().to_string();
    assert!(error.contains("DBN"), "{error}");
}
