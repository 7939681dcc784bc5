//! Counts and sums over a file's records: what two decoders of the same file must agree on.

use super::decode::{DbnFile, dbn_error};
use crate::import::ImportError;
use dbn::{RecordRefEnum, UNDEF_PRICE, UNDEF_TIMESTAMP};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Sums over all records of a file, of quotes over all their levels; undefined prices and times are
/// left out.
///
/// Prices are in 1e-9, sizes, volumes and quantities in whole units. In JSON the sums are decimal
/// strings: they outgrow what JSON readers keep exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct DbnSums {
    /// DBN version after upgrade; 3.
    pub version: u8,
    /// Dataset code.
    pub dataset: String,
    /// Schema; `None` of mixed files and fragments.
    pub schema: Option<String>,
    /// Symbols of the request that made the file.
    pub symbols: u64,
    /// Symbols with mappings.
    pub mappings: u64,
    /// Records by the vendor's type names.
    pub records: BTreeMap<String, u64>,
    #[serde(serialize_with = "as_text")]
    pub sum_ts_event: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_price: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_size: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_sequence: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_bid_px: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_ask_px: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_bid_sz: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_ask_sz: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_open: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_high: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_low: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_close: i128,
    #[serde(serialize_with = "as_text")]
    pub sum_volume: i128,
}

/// Reads a file and sums it; `fragment_version` is that of files without a header.
///
/// # Errors
/// A file that is not DBN, damaged or truncated.
pub fn dbn_sums(path: &Path, fragment_version: Option<u8>) -> Result<DbnSums, ImportError> {
    let mut file = DbnFile::open(path, fragment_version)?;
    let mut sums = DbnSums::default();
    if let Some(metadata) = file.metadata() {
        sums.version = metadata.version;
        sums.dataset = metadata.dataset.clone();
        sums.schema = metadata.schema.map(|schema| schema.to_string());
        sums.symbols = metadata.symbols.len() as u64;
        sums.mappings = metadata.mappings.len() as u64;
    }
    loop {
        let number = file.records + 1;
        let Some(record) = file.next_record()? else { return Ok(sums) };
        let ts_event = record.header().ts_event;
        let record = record.as_enum().map_err(|error| dbn_error(path, number, error.to_string()))?;
        if ts_event != UNDEF_TIMESTAMP {
            sums.sum_ts_event += i128::from(ts_event);
        }
        *sums.records.entry(vendor_name(&record).to_string()).or_default() += 1;
        sums.add(&record);
    }
}

fn as_text<S: serde::Serializer>(sum: &i128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(sum)
}

fn price(raw: i64) -> i128 {
    if raw == UNDEF_PRICE { 0 } else { i128::from(raw) }
}

impl DbnSums {
    fn add(&mut self, record: &RecordRefEnum<'_>) {
        match record {
            RecordRefEnum::Mbo(m) => self.event(m.price, m.size, m.sequence),
            RecordRefEnum::Trade(m) => self.event(m.price, m.size, m.sequence),
            RecordRefEnum::Mbp1(m) => {
                let level = &m.levels[0];
                self.event(m.price, m.size, m.sequence);
                self.top(level.bid_px, level.ask_px, level.bid_sz, level.ask_sz);
            }
            RecordRefEnum::Mbp10(m) => {
                self.event(m.price, m.size, m.sequence);
                for level in &m.levels {
                    self.top(level.bid_px, level.ask_px, level.bid_sz, level.ask_sz);
                }
            }
            RecordRefEnum::Bbo(m) => {
                let level = &m.levels[0];
                self.event(m.price, m.size, m.sequence);
                self.top(level.bid_px, level.ask_px, level.bid_sz, level.ask_sz);
            }
            RecordRefEnum::Cmbp1(m) => {
                let level = &m.levels[0];
                self.event(m.price, m.size, 0);
                self.top(level.bid_px, level.ask_px, level.bid_sz, level.ask_sz);
            }
            RecordRefEnum::Cbbo(m) => {
                let level = &m.levels[0];
                self.event(m.price, m.size, 0);
                self.top(level.bid_px, level.ask_px, level.bid_sz, level.ask_sz);
            }
            RecordRefEnum::Ohlcv(m) => {
                self.sum_open += price(m.open);
                self.sum_high += price(m.high);
                self.sum_low += price(m.low);
                self.sum_close += price(m.close);
                self.sum_volume += i128::from(m.volume);
            }
            RecordRefEnum::Stat(m) => {
                self.sum_price += price(m.price);
                self.sum_sequence += i128::from(m.sequence);
            }
            _ => {}
        }
    }

    fn event(&mut self, raw_price: i64, size: u32, sequence: u32) {
        self.sum_price += price(raw_price);
        self.sum_size += i128::from(size);
        self.sum_sequence += i128::from(sequence);
    }

    fn top(&mut self, bid: i64, ask: i64, bid_size: u32, ask_size: u32) {
        self.sum_bid_px += price(bid);
        self.sum_ask_px += price(ask);
        self.sum_bid_sz += i128::from(bid_size);
        self.sum_ask_sz += i128::from(ask_size);
    }
}

fn vendor_name(record: &RecordRefEnum<'_>) -> &'static str {
    match record {
        RecordRefEnum::Mbo(_) => "MBOMsg",
        RecordRefEnum::Trade(_) => "TradeMsg",
        RecordRefEnum::Mbp1(_) => "MBP1Msg",
        RecordRefEnum::Mbp10(_) => "MBP10Msg",
        RecordRefEnum::Ohlcv(_) => "OHLCVMsg",
        RecordRefEnum::Status(_) => "StatusMsg",
        RecordRefEnum::InstrumentDef(_) => "InstrumentDefMsg",
        RecordRefEnum::Imbalance(_) => "ImbalanceMsg",
        RecordRefEnum::Stat(_) => "StatMsg",
        RecordRefEnum::Error(_) => "ErrorMsg",
        RecordRefEnum::SymbolMapping(_) => "SymbolMappingMsg",
        RecordRefEnum::System(_) => "SystemMsg",
        RecordRefEnum::Cmbp1(_) => "CMBP1Msg",
        RecordRefEnum::Bbo(_) => "BBOMsg",
        RecordRefEnum::Cbbo(_) => "CBBOMsg",
    }
}
