//! Databento one-minute bars and one-minute consolidated quotes.
//!
//! The published cbbo-1m sample has four records; the tape here is that file continued minute by
//! minute for a session, record by record in the file's own layout.

use super::{Future, Source, check, inputs, is_market};
use onetape_engine::input::Input;
use onetape_tape::import::dbn::{DbnRequest, read_dbn};
use onetape_tests::shared;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const MINUTE_NS: u64 = 60_000_000_000;
/// Offsets in bytes, DBN version 3: `ts_event` of the record head, then `ohlcv` and `cbbo` bodies.
const TS_EVENT: usize = 8;
const OHLC: std::ops::Range<usize> = 16..48;
const CBBO_TS_RECV: usize = 32;
const CBBO_BID: usize = 48;
const CBBO_ASK: usize = 56;

/// An unpacked file: header, then records of one length.
struct Dbn {
    header: Vec<u8>,
    records: Vec<Vec<u8>>,
    /// When a record is known, from its own stamps.
    known_at: fn(&[u8]) -> u64,
    /// Where its prices stand.
    prices: Vec<usize>,
}

fn word(record: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(record[at..at + 8].try_into().unwrap())
}

fn set(record: &mut [u8], at: usize, value: u64) {
    record[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

impl Dbn {
    fn open(path: &Path, known_at: fn(&[u8]) -> u64, prices: Vec<usize>) -> Dbn {
        let bytes = zstd::decode_all(fs::File::open(path).unwrap()).unwrap();
        let header_len = 8 + u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let (header, body) = bytes.split_at(header_len);
        let length = usize::from(body[0]) * 4;
        let records = body.chunks(length).map(<[u8]>::to_vec).collect();
        Dbn { header: header.to_vec(), records, known_at, prices }
    }
}

impl Source for Dbn {
    fn inputs(&self, t: u64, future: Future) -> Vec<Input> {
        let mut bytes = self.header.clone();
        for record in &self.records {
            let mut record = record.clone();
            if (self.known_at)(&record) > t {
                match future {
                    Future::Whole => {}
                    Future::Cut => continue,
                    Future::Changed => {
                        for at in &self.prices {
                            let price = word(&record, *at);
                            set(&mut record, *at, price + 1_000_000_000);
                        }
                    }
                }
            }
            bytes.extend(record);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("source.dbn");
        fs::write(&path, bytes).unwrap();
        inputs(|sink| read_dbn(&DbnRequest::new(&[path]), sink, &mut |_| {}).unwrap())
    }
}

fn stands_at_its_end(source: &Dbn) {
    let on_tape: BTreeSet<u64> = source
        .inputs(u64::MAX, Future::Whole)
        .iter()
        .filter(|input| is_market(input))
        .map(|input| input.record.ts)
        .collect();
    let known: BTreeSet<u64> = source.records.iter().map(|record| (source.known_at)(record)).collect();
    assert_eq!(on_tape, known);
}

#[test]
fn dbn_minute_bars_of_futures() {
    let Some(data) = shared("data/dbn") else { return };
    let file = "nautilus/historical_bars_catalog/databento/futures_ohlcv-1m_2024-07-01T23-40_2024-07-02T00-10.dbn.zst";
    let prices = OHLC.step_by(8).collect();
    // `ts_event` of a bar is its start.
    let source = Dbn::open(&data.join(file), |record| word(record, TS_EVENT) + MINUTE_NS, prices);
    stands_at_its_end(&source);
    check("DBN ohlcv-1m, ES and NQ", &source);
}

#[test]
fn dbn_minute_quotes_of_an_option() {
    let Some(data) = shared("data/dbn") else { return };
    let file = data.join("databento-python/OPRA.PILLAR/test_data.cbbo-1m.dbn.zst");
    // `ts_recv` of a sampled quote is the end of its interval.
    let mut source = Dbn::open(&file, |record| word(record, CBBO_TS_RECV), vec![CBBO_BID, CBBO_ASK]);
    stands_at_its_end(&source);
    let last = source.records.last().unwrap().clone();
    let (start, bid, ask) = (word(&last, CBBO_TS_RECV), word(&last, CBBO_BID), word(&last, CBBO_ASK));
    for minute in 1..300u64 {
        let mut record = last.clone();
        let step = (minute * 7 % 13) * 10_000_000;
        set(&mut record, CBBO_TS_RECV, start + minute * MINUTE_NS);
        set(&mut record, TS_EVENT, start + minute * MINUTE_NS - 1_000_000_000);
        set(&mut record, CBBO_BID, bid + step);
        set(&mut record, CBBO_ASK, ask + step);
        source.records.push(record);
    }
    stands_at_its_end(&source);
    check("DBN cbbo-1m, an AAPL call", &source);
}
