//! The second pass: definitions, then all files merged by receipt time.

use super::DbnRequest;
use super::decode::{DbnFile, dbn_error};
use super::define::{Facts, Undefined};
use super::depth::{BookFeed, imbalance};
use super::records::{Skipped, convert, period_ns};
use super::scan::{Key, Scan, index_ts};
use crate::import::hours::{ExtendedMarker, Phases};
use crate::import::sink::define;
use crate::import::{ImportError, InputSink, OnProgress, Origin, Progress};
use dbn::RecordRefEnum;
use onetape_calendar::Market;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::{Cold, Imbalance};
use onetape_engine::num::{DAY, Nanos};
use onetape_engine::record::{Kind, Record};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

/// Reads all files; returns the session's first instant.
pub(super) fn read(
    scan: &Scan,
    request: &DbnRequest,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<u64, ImportError> {
    let Some((first, last)) = scan.span else { return Ok(0) };
    for note in &scan.notes {
        on_progress(Progress::Note(note.clone()));
    }
    let phases = Phases::new(scan.market(), first, last.saturating_add(request.delays.longest_ns()));
    let start = phases.first_ts().map_or(first, |open| open.min(first));
    let table = define_all(scan, start, sink)?;
    let mut streams = Vec::with_capacity(request.files.len());
    for place in 0..request.files.len() {
        streams.push(Stream::open(place, scan, request, &table)?);
    }
    merge(&mut streams, phases, scan, &table, sink)?;
    for (path, file) in request.files.iter().zip(&scan.files) {
        for (record_type, count) in &file.counts {
            sink.count_source(record_type, *count);
        }
        on_progress(Progress::File { path: path.clone(), rows: file.counts.values().sum() });
    }
    Ok(start)
}

/// Indices and hours of the instruments defined.
struct Table {
    indices: BTreeMap<Key, InstrumentIx>,
    /// By index.
    hours: Vec<Option<Market>>,
}

fn define_all(scan: &Scan, start: u64, sink: &mut dyn InputSink) -> Result<Table, ImportError> {
    let Some(on) = scan.first_date() else {
        return Ok(Table { indices: BTreeMap::new(), hours: Vec::new() });
    };
    let mut wanted: BTreeMap<Key, Facts> =
        scan.instruments.iter().map(|(key, found)| (key.clone(), found.facts.clone())).collect();
    for ((dataset, _), found) in &scan.instruments {
        if let Some(symbol) = found.facts.underlying() {
            let key = (*dataset, symbol.to_string());
            let facts = scan.facts_of(&key).cloned();
            let facts = facts.unwrap_or_else(|| Facts::guess(&scan.datasets[*dataset], symbol));
            wanted.entry(key).or_insert(facts);
        }
    }
    let mut ordered: Vec<(&Key, &Facts)> = wanted.iter().collect();
    ordered.sort_by_cached_key(|(key, facts)| (facts.rank(), (*key).clone()));
    let mut table = Table { indices: BTreeMap::new(), hours: Vec::new() };
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    for (key, facts) in ordered {
        let found = scan.instruments.get(key);
        let dataset = &scan.datasets[key.0];
        let origin = match found {
            None => "underlying of its options",
            Some(found) if found.is_defined => "definition record",
            Some(_) => "symbol mapping; kind and size inferred from dataset and symbol",
        };
        let id = found.map_or_else(|| "-".to_string(), |found| found.id.to_string());
        let underlying =
            facts.underlying().and_then(|symbol| table.indices.get(&(key.0, symbol.to_string())).copied());
        let mut def = Undefined {
            symbol: &key.1,
            facts,
            source: format!("dbn:{dataset}/{id} ({origin})"),
            on,
            underlying,
            quote_hold_ns: found.and_then(super::scan::Found::quote_hold_ns),
            is_penny: found.is_some_and(|found| found.is_penny),
        }
        .define()?;
        // The same symbol of a second dataset gets the dataset's name behind it.
        let uses = names.entry(def.symbol.clone()).or_default();
        *uses += 1;
        if *uses > 1 {
            def.symbol = format!("{}@{dataset}", def.symbol);
        }
        let instrument = InstrumentIx::from(table.hours.len());
        define(sink, Nanos(start), instrument, def)?;
        table.hours.push(facts.hours(on)?);
        table.indices.insert(key.clone(), instrument);
    }
    Ok(table)
}

/// Inputs of one file in receipt order.
struct Stream {
    place: usize,
    path: PathBuf,
    /// `None` when the whole file was loaded and sorted.
    file: Option<DbnFile>,
    /// Records with the number of the source record they come from.
    ready: VecDeque<(Record, u64)>,
    /// Ids already resolved, with the day of the mapping.
    known: BTreeMap<u32, (u64, InstrumentIx)>,
    marker: ExtendedMarker,
    converted: Vec<Record>,
    books: BookFeed,
    /// Imbalances that are ready, by the word their records hold.
    imbalances: BTreeMap<u64, Box<Imbalance>>,
    delay_ns: u64,
    /// No record enters before this; used where records must keep their order.
    floor: u64,
}

impl Stream {
    fn open(place: usize, scan: &Scan, request: &DbnRequest, table: &Table) -> Result<Stream, ImportError> {
        let file = DbnFile::open(&request.files[place], request.fragment_version)?;
        let mut stream = Stream {
            place,
            path: request.files[place].clone(),
            file: Some(file),
            ready: VecDeque::new(),
            known: BTreeMap::new(),
            marker: ExtendedMarker::default(),
            converted: Vec::new(),
            books: BookFeed::default(),
            imbalances: BTreeMap::new(),
            delay_ns: request.delays.of(&scan.datasets[scan.files[place].dataset]),
            floor: 0,
        };
        if !scan.files[place].is_ordered && !scan.files[place].has_depth {
            while stream.advance(scan, table)? {}
            stream.file = None;
            stream.ready.make_contiguous().sort_by_key(|(record, _)| record.ts);
        }
        Ok(stream)
    }

    /// Makes sure that a record is ready unless the file is at its end.
    fn fill(&mut self, scan: &Scan, table: &Table) -> Result<(), ImportError> {
        while self.ready.is_empty() && self.file.is_some() {
            if !self.advance(scan, table)? {
                self.file = None;
            }
        }
        Ok(())
    }

    /// Reads one source record; false at the end.
    fn advance(&mut self, scan: &Scan, table: &Table) -> Result<bool, ImportError> {
        let Some(file) = self.file.as_mut() else { return Ok(false) };
        let number = file.records + 1;
        let Some(record) = file.next_record()? else { return Ok(false) };
        let header = *record.header();
        let record = record.as_enum().map_err(|error| dbn_error(&self.path, number, error.to_string()))?;
        let Some(at) = index_ts(&record) else { return Ok(true) };
        if matches!(record, RecordRefEnum::InstrumentDef(_)) {
            return Ok(true);
        }
        let instrument = match self.known.get(&header.instrument_id) {
            Some((day, instrument)) if *day == at / DAY => *instrument,
            _ => {
                let key = scan.key_of(self.place, header.instrument_id, at);
                let Some(instrument) = table.indices.get(&key).copied() else { return Ok(true) };
                self.known.insert(header.instrument_id, (at / DAY, instrument));
                instrument
            }
        };
        self.converted.clear();
        match convert(&record, instrument, &mut self.books, &mut self.converted) {
            Ok(()) | Err(Skipped::NotData | Skipped::NoPrice | Skipped::NoState) => {}
            Err(Skipped::Impossible(what)) => return Err(dbn_error(&self.path, number, what.to_string())),
        }
        if let (RecordRefEnum::Imbalance(message), [announced]) = (&record, self.converted.as_mut_slice()) {
            announced.body[0] = number;
            self.imbalances.insert(number, Box::new(imbalance(message)));
        }
        for converted in &mut self.converted {
            converted.ts += self.delay_ns;
        }
        if scan.files[self.place].has_depth {
            for converted in &mut self.converted {
                self.floor = self.floor.max(converted.ts);
                converted.ts = self.floor;
            }
        }
        let is_daily = period_ns(header.rtype).is_some_and(|period| period >= DAY);
        if let Some(market) = table.hours[instrument.index()].filter(|_| !is_daily) {
            let is_bar = period_ns(header.rtype).is_some();
            self.marker.mark(market, is_bar, &mut self.converted)?;
        }
        self.ready.extend(self.converted.drain(..).map(|record| (record, number)));
        Ok(true)
    }
}

fn merge(
    streams: &mut [Stream],
    mut phases: Phases,
    scan: &Scan,
    table: &Table,
    sink: &mut dyn InputSink,
) -> Result<(), ImportError> {
    loop {
        for stream in streams.iter_mut() {
            stream.fill(scan, table)?;
        }
        let next = streams
            .iter_mut()
            .filter(|stream| !stream.ready.is_empty())
            .min_by_key(|stream| (stream.ready.front().map(|(record, _)| record.ts), stream.place));
        let record_ts = next.as_ref().and_then(|stream| stream.ready.front()).map(|(record, _)| record.ts);
        if let Some(phase) = phases.due(record_ts) {
            sink.push(phase, None)?;
            continue;
        }
        let Some(stream) = next else { return Ok(()) };
        let Some((record, line)) = stream.ready.pop_front() else { return Ok(()) };
        if record.kind == Kind::Cold as u8 {
            let payload = stream.imbalances.remove(&record.body[0]);
            sink.push(record, payload.map(Cold::Imbalance))?;
        } else {
            sink.push_from(record, Origin { file: &stream.path, entry: "", line })?;
        }
    }
}
