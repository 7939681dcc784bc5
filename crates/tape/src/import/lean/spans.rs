//! Hour and daily files: one archive for all dates, sorted in memory over the range requested.

use super::archive::Archive;
use super::bars::{BarAt, push_row};
use super::days::{price_scale, record_type, row_error};
use super::define::{Day, Definer, Key};
use super::files::{DataType, SourceFile};
use super::rows::{Columns, Fault, lines};
use super::{LeanRequest, Plan, Resolution, universe};
use crate::import::order::Placed;
use crate::import::terms::date_of;
use crate::import::{ImportError, InputSink, OnProgress, Progress};
use onetape_calendar::{Date, DayClock, Market, Zone};
use onetape_engine::ids::InstrumentIx;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Minute of the day at which open interest of a daily file enters.
const OPEN_INTEREST_MINUTE: u32 = 6 * 60 + 30;
const MINUTE_NS: u64 = 60_000_000_000;

/// Records of a date whose instrument is a place in `Reading::keys`.
#[derive(Default)]
struct Bucket {
    records: Vec<Placed>,
    keys: BTreeSet<Key>,
}

struct Reading<'a> {
    request: &'a LeanRequest,
    keys: Vec<Key>,
    places: BTreeMap<Key, u32>,
    days: BTreeMap<Date, (Day, Bucket)>,
    buffer: Vec<u8>,
    /// Files with the names of their entries.
    files: Vec<(PathBuf, Vec<String>)>,
}

pub(super) fn read(
    plan: &Plan,
    request: &LeanRequest,
    mut definer: Definer,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    let mut reading = Reading {
        request,
        keys: Vec::new(),
        places: BTreeMap::new(),
        days: BTreeMap::new(),
        buffer: Vec::new(),
        files: Vec::new(),
    };
    for (place, symbol) in plan.symbols.iter().enumerate() {
        for file in &symbol.files {
            let rows = reading.file(place, file, symbol.zone, &mut definer)?;
            sink.count_source(&record_type(file), rows);
            on_progress(Progress::File { path: file.path.clone(), rows });
        }
    }
    if reading.days.is_empty() {
        let what = "the files hold no row in the range of dates; widen it".to_string();
        return Err(ImportError::NothingFound { what });
    }
    let universes = universe::files_of(plan, request)?;
    for (date, (day, mut bucket)) in std::mem::take(&mut reading.days) {
        if !day.is_trading_day {
            on_progress(Progress::Note(format!("{date} is no trading day: its records have no session")));
        }
        let added = definer.admit(&bucket.keys);
        for placed in &mut bucket.records {
            let key = reading.keys[placed.record.instrument as usize];
            placed.record.instrument = definer.index_of(key).map_or(InstrumentIx::NONE.0, |ix| ix.0);
        }
        universe::add(&universes, &day, &definer, &mut bucket.records, sink, on_progress)?;
        let place = |placed: &Placed| {
            let (path, names) = &reading.files[placed.file as usize];
            (path.as_path(), names[placed.entry as usize].as_str())
        };
        definer.push_day(&day, &added, bucket.records, place, sink)?;
    }
    Ok(())
}

impl Reading<'_> {
    fn file(
        &mut self,
        place: usize,
        file: &SourceFile,
        zone: Zone,
        definer: &mut Definer,
    ) -> Result<u64, ImportError> {
        let mut archive = Archive::open(&file.path)?;
        let mut rows = 0;
        for index in 0..archive.names().len() {
            let key = definer.key_of(place, file, &archive.names()[index])?;
            let instrument = *self.places.entry(key).or_insert_with(|| {
                self.keys.push(key);
                self.keys.len() as u32 - 1
            });
            let mut buffer = std::mem::take(&mut self.buffer);
            archive.read(index, &mut buffer)?;
            let mut parsed = Vec::new();
            for (line, row) in lines(&buffer) {
                let fail = |fault| row_error(&file.path, &archive.names()[index], line, row, fault);
                let mut columns = Columns::new(row);
                let (date, minute) = columns.date_minute().map_err(fail)?;
                let date = date_of(u64::from(date))
                    .ok_or_else(|| fail(Fault { field: "time", expected: "YYYYMMDD HH:MM" }))?;
                if !self.request.includes(date) || !file.covers(date) {
                    continue;
                }
                let market = definer.market_of(key, date)?;
                let (day, bucket) = match self.days.entry(date) {
                    std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                    std::collections::btree_map::Entry::Vacant(slot) => {
                        slot.insert((Day::new(date, self.request)?, Bucket::default()))
                    }
                };
                let at = BarAt {
                    end_ns: end_ns(self.request.resolution, file.data, market, day, (zone, minute))?,
                    instrument: InstrumentIx(instrument),
                    regular_ns: day.regular_ns(market),
                    data: file.data,
                    scale: price_scale(file.kind),
                };
                parsed.clear();
                push_row(&mut columns, at, &mut parsed).map_err(fail)?;
                definer.observe_prices(key, &parsed);
                let (file, entry, line) = (self.files.len() as u32, index as u32, line as u32);
                let placed = parsed.iter().map(|record| Placed { record: *record, file, entry, line });
                bucket.records.extend(placed);
                bucket.keys.insert(key);
                rows += 1;
            }
            self.buffer = buffer;
        }
        self.files.push((file.path.clone(), archive.names().to_vec()));
        Ok(rows)
    }
}

/// When a row is known: hour bars an hour after their start, but at the close where an option's
/// class closes within the hour; daily bars at the close; open interest at its stamp.
fn end_ns(
    resolution: Resolution,
    data: DataType,
    market: Market,
    day: &Day,
    (zone, minute): (Zone, u32),
) -> Result<u64, ImportError> {
    let wall = |zone, minute: u32| {
        DayClock::new(zone, day.date)
            .map(|clock| clock.utc_ns(u64::from(minute) * MINUTE_NS))
            .map_err(|source| ImportError::Calendar { what: format!("data of {}", day.date), source })
    };
    let close = day.close_ns(market);
    match (resolution, data) {
        (Resolution::Daily, DataType::OpenInterest) => wall(Zone::NewYork, OPEN_INTEREST_MINUTE),
        (Resolution::Daily, _) => close.map_or_else(|| wall(Zone::NewYork, 16 * 60), Ok),
        (_, data) => {
            let start = wall(zone, minute)?;
            let end = start + resolution.period_ns();
            let is_cut = |close: &u64| {
                !matches!(market, Market::UsEquity | Market::CmeEquityIndex)
                    && data != DataType::OpenInterest
                    && (start..end).contains(close)
            };
            Ok(close.filter(is_cut).unwrap_or(end))
        }
    }
}
