//! DBN as it comes: one pass over a pipe or socket, for live runs.
//!
//! An import reads its files twice and so knows every instrument beforehand; here one is defined by the
//! first record that is of it (its underlying before it), from a definition record that came earlier, else from
//! the mappings. Session phases come with the first record at or after them.
//!
//! # Limits
//! The penny interval of a class is taken from the calendar's classes or from the instrument's first record; a phase
//! waits for a record; the records of one stream are taken in their own order.

use super::decode::{DbnFile, dbn_error};
use super::define::{Facts, Undefined, market_of};
use super::depth::{BookFeed, imbalance};
use super::records::{Skipped, convert, period_ns};
use super::scan::{Found, index_ts};
use crate::import::ImportError;
use crate::import::hours::ExtendedMarker;
use crate::import::terms::phases;
use dbn::{RecordRefEnum, SType, TsSymbolMap};
use onetape_calendar::{Date, Market, Zone, sessions};
use onetape_engine::block::Block;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{DAY, Nanos};
use onetape_engine::record::{Body, Head, Phase, Record};
use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::path::PathBuf;

/// Days of session phases looked up at a time: more than any holiday.
const PHASES_AHEAD: u64 = 10 * DAY;

/// Records of one DBN stream as inputs.
pub struct DbnStream {
    file: DbnFile,
    path: PathBuf,
    dataset: String,
    mapping: TsSymbolMap,
    definitions: BTreeMap<u32, (String, Facts)>,
    /// Symbols that mapping records of a live feed name.
    live: BTreeMap<u32, String>,
    instruments: BTreeMap<String, InstrumentIx>,
    /// Ids already resolved, with the day of the mapping and the instrument's hours.
    known: BTreeMap<u32, (u64, InstrumentIx, Option<Market>)>,
    market: Option<Market>,
    phases: VecDeque<Record>,
    /// Phases are known up to here.
    phases_until: u64,
    last: u64,
    marker: ExtendedMarker,
    converted: Vec<Record>,
    books: BookFeed,
    is_over: bool,
}

impl std::fmt::Debug for DbnStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DbnStream").field("path", &self.path).field("records", &self.file.records).finish()
    }
}

impl DbnStream {
    /// Begins to read DBN, plain or zstd, of any version; `name` stands for it in errors.
    ///
    /// # Errors
    /// Not DBN, or its metadata are damaged.
    pub fn open(source: Box<dyn Read + Send>, name: &str) -> Result<DbnStream, ImportError> {
        let path = PathBuf::from(name);
        let file = DbnFile::over(source, &path, None)?;
        let (mut dataset, mut mapping) = ("fragment".to_string(), TsSymbolMap::new());
        if let Some(metadata) = file.metadata() {
            dataset.clone_from(&metadata.dataset);
            let has_ids =
                metadata.stype_out == SType::InstrumentId || metadata.stype_in == Some(SType::InstrumentId);
            if let Ok(found) = TsSymbolMap::from_metadata(metadata)
                && has_ids
            {
                mapping = found;
            }
        }
        let market = market_of(&dataset).map(|market| match market {
            Market::EquityOption => Market::UsEquity,
            market => market,
        });
        Ok(DbnStream {
            file,
            path,
            dataset,
            mapping,
            definitions: BTreeMap::new(),
            live: BTreeMap::new(),
            instruments: BTreeMap::new(),
            known: BTreeMap::new(),
            market,
            phases: VecDeque::new(),
            phases_until: 0,
            last: 0,
            marker: ExtendedMarker::default(),
            converted: Vec::new(),
            books: BookFeed::default(),
            is_over: false,
        })
    }

    /// Instruments that the log defines already, in order: they are not defined again.
    pub fn know(&mut self, defined: &[InstrumentDef]) {
        for (n, def) in defined.iter().enumerate() {
            self.instruments.insert(def.symbol.clone(), InstrumentIx::from(n));
        }
    }

    /// Appends the inputs of the next records to `batch`: at least one, and as many more as have arrived, up to
    /// `most`; false at the end.
    ///
    /// # Errors
    /// The stream is damaged or cut off inside a record.
    pub fn read(&mut self, batch: &mut Block, most: usize) -> Result<bool, ImportError> {
        while !self.is_over
            && (batch.inputs.is_empty() || (batch.inputs.len() < most && self.file.has_ready()))
        {
            if !self.advance(batch)? {
                self.is_over = true;
                // The session that the last record belongs to ends.
                self.put_phases(self.last, true, batch);
            }
        }
        Ok(!batch.inputs.is_empty())
    }

    /// Reads one source record; false at the end.
    fn advance(&mut self, batch: &mut Block) -> Result<bool, ImportError> {
        let number = self.file.records + 1;
        let Some(record) = self.file.next_record()? else { return Ok(false) };
        let header = *record.header();
        let record = record.as_enum().map_err(|error| dbn_error(&self.path, number, error.to_string()))?;
        match &record {
            RecordRefEnum::InstrumentDef(def) => {
                let symbol = def.raw_symbol().unwrap_or_default().to_string();
                self.definitions.insert(header.instrument_id, (symbol, Facts::of_definition(def)));
                // The id may mean another instrument than it did.
                self.known.remove(&header.instrument_id);
                return Ok(true);
            }
            RecordRefEnum::SymbolMapping(mapping) => {
                let symbol = mapping.stype_out_symbol().unwrap_or_default().to_string();
                self.live.insert(header.instrument_id, symbol);
                self.known.remove(&header.instrument_id);
                return Ok(true);
            }
            _ => {}
        }
        let Some(at) = index_ts(&record) else { return Ok(true) };
        let day = at / DAY;
        let known = self.known.get(&header.instrument_id).filter(|(known, ..)| *known == day).copied();
        let mut newcomer = None;
        let (instrument, hours) = match known {
            Some((_, instrument, hours)) => (instrument, hours),
            None => {
                let symbol =
                    symbol_of(&self.definitions, &self.mapping, &self.live, header.instrument_id, at);
                let facts = match self.definitions.get(&header.instrument_id) {
                    Some((_, facts)) => facts.clone(),
                    None => Facts::guess(&self.dataset, &symbol),
                };
                let hours = facts.hours(Zone::NewYork.date_at(at))?;
                let found = Found::first(&facts, header.instrument_id, &record, header.rtype);
                let instrument = match self.instruments.get(&symbol) {
                    Some(instrument) => *instrument,
                    None => {
                        // It and its underlying get the next indices once the record proves to be data.
                        let count = self.instruments.len();
                        let below = facts.underlying().filter(|below| !self.instruments.contains_key(*below));
                        newcomer = Some((symbol, found, below.map(ToString::to_string)));
                        InstrumentIx::from(count + usize::from(below.is_some()))
                    }
                };
                (instrument, hours)
            }
        };
        self.converted.clear();
        match convert(&record, instrument, &mut self.books, &mut self.converted) {
            Ok(()) | Err(Skipped::NotData | Skipped::NoPrice | Skipped::NoState) => {}
            Err(Skipped::Impossible(what)) => return Err(dbn_error(&self.path, number, what.to_string())),
        }
        let announced = match &record {
            RecordRefEnum::Imbalance(message) => Some(Cold::Imbalance(Box::new(imbalance(message)))),
            _ => None,
        };
        let Some(ts) = self.converted.first().map(|record| record.ts) else { return Ok(true) };
        let is_daily = period_ns(header.rtype).is_some_and(|period| period >= DAY);
        if let Some(market) = hours.filter(|_| !is_daily) {
            self.marker.mark(market, period_ns(header.rtype).is_some(), &mut self.converted)?;
        }
        self.known.insert(header.instrument_id, (day, instrument, hours));
        self.put_phases(ts, false, batch);
        if let Some((symbol, found, below)) = newcomer {
            self.define_with_underlying(&symbol, &found, below.as_deref(), ts, batch)?;
        }
        if let (Some(announced), [record]) = (announced, self.converted.as_mut_slice()) {
            record.body[0] = batch.cold.len() as u64;
            batch.cold.push(announced);
        }
        self.last = self.last.max(ts);
        batch.inputs.append(&mut self.converted);
        Ok(true)
    }

    fn define_with_underlying(
        &mut self,
        symbol: &str,
        found: &Found,
        below: Option<&str>,
        ts: u64,
        batch: &mut Block,
    ) -> Result<(), ImportError> {
        if let Some(below) = below {
            let facts = self.definitions.values().find(|(known, _)| known == below);
            let facts = facts.map_or_else(|| Facts::guess(&self.dataset, below), |(_, facts)| facts.clone());
            self.define(below, &Found::bare(&facts), "underlying of its options", ts, batch)?;
        }
        let is_defined = self.definitions.contains_key(&found.id);
        let origin = if is_defined {
            "definition record"
        } else {
            "symbol mapping; kind and size inferred from dataset and symbol"
        };
        self.define(symbol, found, origin, ts, batch)
    }

    fn define(
        &mut self,
        symbol: &str,
        found: &Found,
        origin: &str,
        ts: u64,
        batch: &mut Block,
    ) -> Result<(), ImportError> {
        let underlying = found.facts.underlying().and_then(|below| self.instruments.get(below).copied());
        let def = Undefined {
            symbol,
            facts: &found.facts,
            source: format!("dbn:{}/{} ({origin})", self.dataset, found.id),
            on: Zone::NewYork.date_at(ts),
            underlying,
            quote_hold_ns: found.quote_hold_ns(),
            is_penny: found.is_penny,
        }
        .define()?;
        let instrument = InstrumentIx::from(self.instruments.len());
        let record = Record::new(Head::at(Nanos(ts), instrument), Body::Cold(batch.cold.len() as u64));
        batch.inputs.push(record);
        batch.cold.push(Cold::Definition(Box::new(def)));
        self.instruments.insert(symbol.to_string(), instrument);
        Ok(())
    }

    /// Appends the session phases up to `ts`; at the end of the stream also the close of the session it is in.
    fn put_phases(&mut self, ts: u64, is_end: bool, batch: &mut Block) {
        let Some(market) = self.market else { return };
        if !is_end && ts >= self.phases_until {
            let date = |ts: u64| -> Date { market.zone().date_at(ts) };
            let from = self.phases_until.max(ts);
            let until = from.saturating_add(PHASES_AHEAD);
            let ahead = sessions(market, date(from)..=date(until))
                .filter(|session| session.close_ns >= ts && session.open_ns < until)
                .filter(|session| session.open_ns >= self.phases_until)
                .flat_map(|session| phases(&session));
            self.phases.extend(ahead);
            self.phases_until = until;
        }
        while let Some(phase) = self.phases.front().copied() {
            let is_close = phase.body[3] & 0xff == Phase::Close as u64;
            // An opening precedes the records of its instant, a close follows them.
            let is_due = phase.ts < ts || (phase.ts == ts && !is_close) || (is_end && is_close);
            if !is_due {
                return;
            }
            batch.inputs.push(phase);
            self.phases.pop_front();
        }
    }
}

/// The symbol that an id means at an instant.
fn symbol_of(
    definitions: &BTreeMap<u32, (String, Facts)>,
    mapping: &TsSymbolMap,
    live: &BTreeMap<u32, String>,
    id: u32,
    at: u64,
) -> String {
    let defined = definitions.get(&id).map(|(symbol, _)| symbol.clone());
    let mapped = || mapping.get_for_ts(at, id).cloned();
    let symbol = defined.or_else(mapped).or_else(|| live.get(&id).cloned());
    symbol.unwrap_or_else(|| format!("#{id}"))
}
