//! Second and minute files: one archive a day, sorted in memory a date at a time.

use super::archive::Archive;
use super::bars::{BarAt, push_row};
use super::define::{Day, Definer, Key};
use super::files::{DataType, SourceFile};
use super::rows::{Columns, Fault, PriceScale, lines};
use super::{LeanKind, LeanRequest, Plan, universe};
use crate::import::order::Placed;
use crate::import::{ImportError, InputSink, OnProgress, Progress};
use onetape_calendar::{Date, DayClock, Zone};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An open archive of a date with the instruments its entries are about.
struct DayFile<'a> {
    file: &'a SourceFile,
    zone: Zone,
    archive: Archive,
    keys: Vec<Key>,
}

pub(super) fn read(
    plan: &Plan,
    request: &LeanRequest,
    mut definer: Definer,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    let mut by_date: BTreeMap<Date, Vec<(usize, &SourceFile)>> = BTreeMap::new();
    for (place, symbol) in plan.symbols.iter().enumerate() {
        for file in &symbol.files {
            if let Some(date) = file.date {
                by_date.entry(date).or_default().push((place, file));
            }
        }
    }
    let period_ns = request.resolution.period_ns();
    let mut buffer = Vec::new();
    let universes = universe::files_of(plan, request)?;
    for (date, sources) in by_date {
        let day = Day::new(date, request)?;
        if !day.is_trading_day {
            on_progress(Progress::Note(format!("{date} is no trading day: its records have no session")));
        }
        let mut files = Vec::with_capacity(sources.len());
        let mut keys = BTreeSet::new();
        for (place, file) in sources {
            let opened = open(place, file, plan.symbols[place].zone, &mut definer)?;
            keys.extend(opened.keys.iter().copied());
            files.push(opened);
        }
        let added = definer.admit(&keys);
        let mut records = Vec::new();
        for (number, opened) in files.iter_mut().enumerate() {
            let reading = Reading { day: &day, period_ns, number: number as u32 };
            let rows = read_file(opened, &reading, &mut definer, &mut buffer, &mut records)?;
            sink.count_source(&record_type(opened.file), rows);
            on_progress(Progress::File { path: opened.file.path.clone(), rows });
        }
        universe::add(&universes, &day, &definer, &mut records, sink, on_progress)?;
        let place = |placed: &Placed| {
            let file = &files[placed.file as usize];
            (file.file.path.as_path(), file.archive.names()[placed.entry as usize].as_str())
        };
        definer.push_day(&day, &added, records, place, sink)?;
    }
    Ok(())
}

/// What is common to the rows of a file.
struct Reading<'a> {
    day: &'a Day,
    period_ns: u64,
    /// The file's place among those of the day.
    number: u32,
}

fn open<'a>(
    place: usize,
    file: &'a SourceFile,
    zone: Zone,
    definer: &mut Definer,
) -> Result<DayFile<'a>, ImportError> {
    let archive = Archive::open(&file.path)?;
    let keys = archive
        .names()
        .iter()
        .map(|name| definer.key_of(place, file, name))
        .collect::<Result<Vec<Key>, ImportError>>()?;
    Ok(DayFile { file, zone, archive, keys })
}

/// Appends the records of a file's entries; returns its rows.
fn read_file(
    opened: &mut DayFile<'_>,
    &Reading { day, period_ns, number }: &Reading<'_>,
    definer: &mut Definer,
    buffer: &mut Vec<u8>,
    records: &mut Vec<Placed>,
) -> Result<u64, ImportError> {
    let clock = DayClock::new(opened.zone, day.date)
        .map_err(|source| ImportError::Calendar { what: format!("data of {}", day.date), source })?;
    let period_ns = if opened.file.data == DataType::OpenInterest { 0 } else { period_ns };
    let mut hours = BTreeMap::new();
    let mut rows = 0;
    let mut parsed = Vec::new();
    for (index, key) in opened.keys.iter().enumerate() {
        opened.archive.read(index, buffer)?;
        let market = definer.market_of(*key, day.date)?;
        let regular_ns = *hours.entry(market as u8).or_insert_with(|| day.regular_ns(market));
        let Some(instrument) = definer.index_of(*key) else { continue };
        let at = BarAt {
            end_ns: 0,
            instrument,
            regular_ns,
            data: opened.file.data,
            scale: price_scale(opened.file.kind),
        };
        for (line, row) in lines(buffer) {
            parsed.clear();
            let mut columns = Columns::new(row);
            let outcome = columns.millis().and_then(|start| {
                let end_ns = clock.utc_ns_at_ms(start) + period_ns;
                push_row(&mut columns, BarAt { end_ns, ..at }, &mut parsed)
            });
            outcome.map_err(|fault| {
                row_error(&opened.file.path, &opened.archive.names()[index], line, row, fault)
            })?;
            definer.observe_prices(*key, &parsed);
            let (file, entry, line) = (number, index as u32, line as u32);
            records.extend(parsed.iter().map(|record| Placed { record: *record, file, entry, line }));
            rows += 1;
        }
    }
    Ok(rows)
}

pub(super) fn price_scale(kind: LeanKind) -> PriceScale {
    match kind {
        LeanKind::Index | LeanKind::Future | LeanKind::FutureOption => PriceScale::Plain,
        LeanKind::Equity | LeanKind::Option | LeanKind::IndexOption => PriceScale::TenThousandths,
    }
}

/// Name under which a file's rows are counted.
pub(super) fn record_type(file: &SourceFile) -> String {
    match file.data {
        DataType::OpenInterest => "open_interest".to_string(),
        data => format!("{}_{}_bar", file.kind.record_prefix(), data.name()),
    }
}

pub(super) fn row_error(path: &Path, entry: &str, line: u64, row: &[u8], fault: Fault) -> ImportError {
    ImportError::Row {
        path: path.to_path_buf(),
        entry: entry.to_string(),
        line,
        field: fault.field,
        expected: fault.expected,
        found: String::from_utf8_lossy(&row[..row.len().min(120)]).into_owned(),
    }
}
