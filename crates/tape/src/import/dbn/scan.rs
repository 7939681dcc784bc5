//! The first pass: which instruments have records, when the session begins and ends, which files
//! are in order.

use super::DbnRequest;
use super::decode::DbnFile;
use super::define::{Facts, market_of};
use super::records::{period_ns, record_type, times};
use crate::import::ImportError;
use crate::import::terms::shows_pennies;
use dbn::enums::rtype;
use dbn::{RecordRefEnum, SType, TsSymbolMap, UNDEF_TIMESTAMP};
use onetape_calendar::{Market, Zone};
use onetape_engine::num::DAY;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An instrument by dataset (place in [`Scan::datasets`]) and symbol.
pub(super) type Key = (usize, String);

/// What the first pass found.
pub(super) struct Scan {
    pub(super) datasets: Vec<String>,
    pub(super) files: Vec<FileScan>,
    pub(super) instruments: BTreeMap<Key, Found>,
    /// Receipt times of the first and last record.
    pub(super) span: Option<(u64, u64)>,
    pub(super) notes: Vec<String>,
    symbols: Symbols,
}

/// One file.
pub(super) struct FileScan {
    pub(super) dataset: usize,
    /// Receipt times never go back.
    pub(super) is_ordered: bool,
    /// Holds order or price-level records, whose order is never changed.
    pub(super) has_depth: bool,
    /// Records by type.
    pub(super) counts: BTreeMap<&'static str, u64>,
    mapping: TsSymbolMap,
    /// Whether the mapping is of the instruments' own symbols, not of names such as a continuous contract's.
    maps_own_symbols: bool,
}

/// An instrument with records.
pub(super) struct Found {
    pub(super) facts: Facts,
    /// Raw id, and whether a definition record was read.
    pub(super) id: u32,
    pub(super) is_defined: bool,
    /// Widest interval of its sampled quotes; `None` when it has none, or quotes of every change.
    pub(super) interval_ns: Option<u64>,
    has_every_change: bool,
    pub(super) is_penny: bool,
}

/// What ids mean. Sources give an id to another instrument on another day, so each statement holds from the UTC
/// day on which it was made.
#[derive(Default)]
struct Symbols {
    /// From definition records.
    defined: IdsByDay,
    /// From mapping records of live sessions.
    live: IdsByDay,
    /// What a definition record says of a symbol; the first where several do.
    facts: BTreeMap<Key, Facts>,
}

/// Symbols by dataset, id and first day.
#[derive(Default)]
struct IdsByDay(BTreeMap<(usize, u32, u64), String>);

impl IdsByDay {
    fn insert(&mut self, (dataset, id): (usize, u32), day: u64, symbol: &str) {
        let held = self.0.range((dataset, id, 0)..=(dataset, id, day)).next_back();
        if held.is_none_or(|(_, held)| held != symbol) {
            self.0.insert((dataset, id, day), symbol.to_string());
        }
    }

    /// The symbol stated last up to a day, else the first stated after it.
    fn get(&self, dataset: usize, id: u32, day: u64) -> Option<&String> {
        let until = self.0.range((dataset, id, 0)..=(dataset, id, day)).next_back();
        until.or_else(|| self.0.range((dataset, id, day)..=(dataset, id, u64::MAX)).next()).map(|(_, s)| s)
    }
}

impl Scan {
    /// The instrument that an id means at an instant.
    pub(super) fn key_of(&self, file: usize, id: u32, index_ts: u64) -> Key {
        self.symbols.key_of(&self.files[file], id, index_ts)
    }

    /// Hours of the first dataset whose market the calendar knows.
    pub(super) fn market(&self) -> Option<Market> {
        self.datasets.iter().find_map(|dataset| market_of(dataset)).map(|market| match market {
            Market::EquityOption => Market::UsEquity,
            market => market,
        })
    }
}

impl Symbols {
    fn key_of(&self, file: &FileScan, id: u32, index_ts: u64) -> Key {
        let day = index_ts / DAY;
        let mapped = file.mapping.get_for_ts(index_ts, id);
        let defined = self.defined.get(file.dataset, id, day);
        let first = if file.maps_own_symbols { mapped.or(defined) } else { defined.or(mapped) };
        let symbol = first.or_else(|| self.live.get(file.dataset, id, day));
        (file.dataset, symbol.map_or_else(|| format!("#{id}"), Clone::clone))
    }
}

/// Time by which the date of a mapping is found: of bars their start.
pub(super) fn index_ts(record: &RecordRefEnum<'_>) -> Option<u64> {
    match record {
        RecordRefEnum::Ohlcv(bar) => Some(bar.hd.ts_event),
        other => times(other).map(|(ts, _)| ts),
    }
}

/// Reads all files once.
pub(super) fn scan(request: &DbnRequest) -> Result<Scan, ImportError> {
    if request.files.is_empty() {
        return Err(ImportError::Request { what: "name at least one DBN file".to_string() });
    }
    let mut scan = Scan {
        datasets: Vec::new(),
        files: Vec::new(),
        instruments: BTreeMap::new(),
        span: None,
        notes: Vec::new(),
        symbols: Symbols::default(),
    };
    // Definitions of any file serve the records of all, so they are collected first.
    for path in &request.files {
        collect_symbols(path, request, &mut scan)?;
    }
    for (place, path) in request.files.iter().enumerate() {
        collect_records(place, path, request, &mut scan)?;
    }
    for file in &scan.files {
        if !file.is_ordered {
            scan.notes.push(if file.has_depth {
                "records of a book whose receipt times go back enter at the time of the one before"
                    .to_string()
            } else {
                "a file whose receipt times go back was sorted".to_string()
            });
        }
    }
    if scan.span.is_none() {
        let what = "the files hold no quotes, books, trades, bars, statistics or status messages";
        return Err(ImportError::NothingFound { what: what.to_string() });
    }
    Ok(scan)
}

fn collect_symbols(path: &Path, request: &DbnRequest, scan: &mut Scan) -> Result<(), ImportError> {
    let mut file = DbnFile::open(path, request.fragment_version)?;
    let (name, mapping, maps_own_symbols) = match file.metadata() {
        Some(metadata) => {
            // Mappings between other symbologies say nothing about ids; then symbols stay unknown.
            let has_ids =
                metadata.stype_out == SType::InstrumentId || metadata.stype_in == Some(SType::InstrumentId);
            let mapping = match TsSymbolMap::from_metadata(metadata) {
                Ok(mapping) if has_ids => mapping,
                _ => TsSymbolMap::new(),
            };
            let of_ids = [metadata.stype_in, Some(metadata.stype_out)];
            let is_own = of_ids.contains(&Some(SType::RawSymbol)) && has_ids;
            (metadata.dataset.clone(), mapping, is_own)
        }
        None => ("fragment".to_string(), TsSymbolMap::new(), false),
    };
    let dataset = scan.datasets.iter().position(|known| *known == name).unwrap_or_else(|| {
        scan.datasets.push(name);
        scan.datasets.len() - 1
    });
    scan.files.push(FileScan {
        dataset,
        is_ordered: true,
        has_depth: false,
        counts: BTreeMap::new(),
        mapping,
        maps_own_symbols,
    });
    while let Some(record) = file.next_record()? {
        match record.header().rtype {
            rtype::INSTRUMENT_DEF => {
                if let Ok(RecordRefEnum::InstrumentDef(def)) = record.as_enum() {
                    let symbol = def.raw_symbol().unwrap_or_default();
                    let day = stated_day(&[def.ts_recv, def.hd.ts_event]);
                    scan.symbols.defined.insert((dataset, def.hd.instrument_id), day, symbol);
                    let key = (dataset, symbol.to_string());
                    scan.symbols.facts.entry(key).or_insert_with(|| Facts::of_definition(def));
                }
            }
            rtype::SYMBOL_MAPPING => {
                if let Ok(RecordRefEnum::SymbolMapping(mapping)) = record.as_enum() {
                    let symbol = mapping.stype_out_symbol().unwrap_or_default();
                    let day = stated_day(&[mapping.start_ts, mapping.hd.ts_event]);
                    scan.symbols.live.insert((dataset, mapping.hd.instrument_id), day, symbol);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// UTC day of the first time that is stated; 0 where none is.
fn stated_day(times: &[u64]) -> u64 {
    times.iter().find(|ts| **ts != UNDEF_TIMESTAMP).map_or(0, |ts| ts / DAY)
}

fn collect_records(
    place: usize,
    path: &Path,
    request: &DbnRequest,
    scan: &mut Scan,
) -> Result<(), ImportError> {
    let mut file = DbnFile::open(path, request.fragment_version)?;
    let dataset = scan.files[place].dataset;
    // Ids already looked up today: (id, day) of the last records.
    let mut seen: BTreeMap<u32, (u64, Key)> = BTreeMap::new();
    let mut skipped = BTreeSet::new();
    let mut last = 0;
    loop {
        let number = file.records + 1;
        let Some(record) = file.next_record()? else { break };
        let header = *record.header();
        let record = record.as_enum().map_err(|error| {
            super::decode::dbn_error(path, number, format!("{error}: the record type is not known"))
        })?;
        let kind = record_type(&record);
        *scan.files[place].counts.entry(kind).or_default() += 1;
        scan.files[place].has_depth |= matches!(record, RecordRefEnum::Mbo(_) | RecordRefEnum::Mbp10(_));
        if matches!(
            record,
            RecordRefEnum::InstrumentDef(_)
                | RecordRefEnum::Error(_)
                | RecordRefEnum::SymbolMapping(_)
                | RecordRefEnum::System(_)
        ) {
            skipped.insert(kind);
            continue;
        }
        let Some((ts, _)) = times(&record) else { continue };
        if ts < last {
            scan.files[place].is_ordered = false;
        }
        last = ts;
        let (first_ts, last_ts) = scan.span.unwrap_or((ts, ts));
        scan.span = Some((first_ts.min(ts), last_ts.max(ts)));
        let day = index_ts(&record).unwrap_or(ts) / DAY;
        let id = header.instrument_id;
        let is_cached = seen.get(&id).is_some_and(|(cached, _)| *cached == day);
        if !is_cached {
            let key = scan.key_of(place, id, index_ts(&record).unwrap_or(ts));
            seen.insert(id, (day, key));
        }
        let key = &seen[&id].1;
        let found = match scan.instruments.get_mut(key) {
            Some(found) => found,
            None => {
                let found = scan.found(key, id);
                scan.instruments.entry(key.clone()).or_insert(found)
            }
        };
        found.observe(&record, header.rtype);
    }
    for kind in skipped.iter().filter(|kind| !matches!(**kind, "definition" | "symbol_mapping")) {
        scan.notes.push(format!("{kind} records of {} are counted, not stored", scan.datasets[dataset]));
    }
    Ok(())
}

impl Scan {
    fn found(&self, key: &Key, id: u32) -> Found {
        let defined = self.symbols.facts.get(key);
        let facts = defined.cloned().unwrap_or_else(|| Facts::guess(&self.datasets[key.0], &key.1));
        Found {
            facts,
            id,
            is_defined: defined.is_some(),
            interval_ns: None,
            has_every_change: false,
            is_penny: false,
        }
    }

    /// What a definition record says of an instrument without records: an underlying.
    pub(super) fn facts_of(&self, key: &Key) -> Option<&Facts> {
        self.symbols.facts.get(key)
    }

    /// New York date of the session's first record, by which class rows are looked up.
    pub(super) fn first_date(&self) -> Option<onetape_calendar::Date> {
        self.span.map(|(first, _)| Zone::NewYork.date_at(first))
    }
}

impl Found {
    /// An instrument without records: an underlying.
    pub(super) fn bare(facts: &Facts) -> Found {
        let facts = facts.clone();
        Found { facts, id: 0, is_defined: false, interval_ns: None, has_every_change: false, is_penny: false }
    }

    /// An instrument by its first record.
    pub(super) fn first(facts: &Facts, id: u32, record: &RecordRefEnum<'_>, rtype: u8) -> Found {
        let mut found = Found { id, ..Found::bare(facts) };
        found.observe(record, rtype);
        found
    }

    fn observe(&mut self, record: &RecordRefEnum<'_>, rtype: u8) {
        match record {
            RecordRefEnum::Mbp1(m) => {
                self.has_every_change = true;
                self.is_penny |= shows_pennies(m.levels[0].bid_px) || shows_pennies(m.levels[0].ask_px);
            }
            RecordRefEnum::Cmbp1(m) => {
                self.has_every_change = true;
                self.is_penny |= shows_pennies(m.levels[0].bid_px) || shows_pennies(m.levels[0].ask_px);
            }
            RecordRefEnum::Bbo(m) => {
                self.interval_ns = self.interval_ns.max(period_ns(rtype));
                self.is_penny |= shows_pennies(m.levels[0].bid_px) || shows_pennies(m.levels[0].ask_px);
            }
            RecordRefEnum::Cbbo(m) => {
                self.interval_ns = self.interval_ns.max(period_ns(rtype));
                self.is_penny |= shows_pennies(m.levels[0].bid_px) || shows_pennies(m.levels[0].ask_px);
            }
            RecordRefEnum::Mbp10(m) => {
                self.has_every_change = true;
                self.is_penny |= shows_pennies(m.levels[0].bid_px) || shows_pennies(m.levels[0].ask_px);
            }
            RecordRefEnum::Mbo(m) => {
                self.has_every_change = true;
                self.is_penny |= shows_pennies(m.price);
            }
            RecordRefEnum::Trade(m) => self.is_penny |= shows_pennies(m.price),
            _ => {}
        }
    }

    /// How long a quote side holds: two intervals on sampled feeds, until replaced on others.
    pub(super) fn quote_hold_ns(&self) -> Option<u64> {
        self.interval_ns.filter(|_| !self.has_every_change).map(|interval| 2 * interval)
    }
}
