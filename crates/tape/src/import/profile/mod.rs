//! CSV and Parquet files become a session, as a *profile* says.
//!
//! ```text
//! spec     what a profile says (TOML)      check   what it must say      builtin  vendors' layouts
//! plan     its columns by place in a file  cell    one value, exact numbers
//! unpack, csv, parquet   rows of a file as a stream        time, symbol, trade   what a cell means
//! row      a row becomes records           spool   records wait, sorted in runs
//! ```
//!
//! # Decisions
//! - A row enters when it was knowable: at its time of receipt where the profile names the column,
//!   else at the source's time plus the profile's delay; of an interval at its end; a daily row at
//!   the close of its instrument's session.
//! - Every file is read once, all of it, before anything is written.
//! - At one instant ticks (quotes, trades) keep the order of the request and of their rows; bars and
//!   snapshots follow in the order that [`crate::import`] states.
//! - All instruments that have rows are defined at the first instant, with terms from the calendar's
//!   classes on the date of their first row: underlyings and outrights by symbol, then options by
//!   root, expiry, strike and right. Without any other evidence a class with prices below 3.00 off
//!   the 0.05 grid counts as penny.
//! - Prices and sizes are exact: what 1e-9 cannot hold is an error. Binary floating point is read
//!   as the shortest decimal that means the same number.
//! - Records outside the hours of a US share or option class carry `EXTENDED`; daily rows never do.
//!
//! # Limits
//! Memory is flat: 48 MiB of records, then a nameless temporary file of 64 bytes a record beside the
//! target. Instruments are held in memory. Prices of coin-margined options stay in their coin.

mod builtin;
mod cell;
mod check;
mod csv;
mod parquet;
mod plan;
mod row;
mod spec;
mod spool;
mod symbol;
mod time;
mod trade;
mod unpack;

pub use builtin::{BUILTIN, builtin_text};
pub use spec::Profile;

use super::hours::Phases;
use super::order::tie_break;
use super::sink::define;
use super::{ImportError, InputSink, OnProgress, Progress};
use crate::session::{Finished, SessionMeta, SessionWriter};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Kind, Record, flags};
use plan::{Fault, Plan};
use row::{Converter, Spools};
use spool::{Merged, Spool};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use symbol::Book;

/// Files of one layout.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileSource {
    /// Their layout.
    pub profile: Profile,
    /// Files, in the order that decides ties.
    pub files: Vec<PathBuf>,
}

/// What to import.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProfileRequest {
    /// Sources, in the order that decides ties.
    pub sources: Vec<ProfileSource>,
    /// Symbols, option roots or underlyings to keep; empty keeps all.
    pub symbols: Vec<String>,
}

const POLICIES: [&str; 4] = [
    "a row enters when it was knowable: at its receipt, else at the source's time plus the profile's delay; an interval at its end",
    "at one instant ticks keep the order of their files and rows; bars and snapshots follow by instrument and type",
    "instruments are defined at the first instant of the session, with terms of the date of their first row",
    "prices and sizes are exact; nothing is rounded",
];

/// Imports files into a session folder at `out`.
///
/// # Errors
/// A file, row or profile that does not fit ([`ImportError::Place`] names file and line), nothing to
/// import, or an `out` that cannot be written; then no session is left behind.
pub fn import_profiles(
    request: &ProfileRequest,
    out: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Finished, ImportError> {
    let mut meta = meta_of(request);
    // A target that cannot be is refused before the long reading.
    drop(SessionWriter::create(out, meta.clone())?);
    let scratch = out.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let gathered = gather(request, scratch, on_progress)?;
    meta.importer.policies.extend(gathered.notes.iter().cloned());
    let mut writer = SessionWriter::create(out, meta)?;
    gathered.write(&mut writer)?;
    Ok(writer.finish()?)
}

/// Reads files into any sink, in receipt order; a temporary file, if one is needed, lies in `scratch`.
///
/// # Errors
/// As [`import_profiles`], and what the sink refuses.
pub fn read_profiles(
    request: &ProfileRequest,
    scratch: &Path,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    gather(request, scratch, on_progress)?.write(sink)
}

/// Reads the bytes of one CSV or Parquet file, plain or packed; returns its rows. `name` stands in errors.
///
/// Any bytes give records or an error, never a panic.
///
/// # Errors
/// As [`read_profiles`].
pub fn read_bytes(
    profile: &Profile,
    name: &str,
    bytes: &[u8],
    sink: &mut dyn InputSink,
) -> Result<u64, ImportError> {
    let mut gathered = Gathered::new(&[], &std::env::temp_dir());
    let path = Path::new(name);
    gathered.book.begin_source();
    let rows = if bytes.starts_with(&parquet::MAGIC) {
        let source = bytes::Bytes::copy_from_slice(bytes);
        gathered.parquet(profile, parquet::ParquetRows::open(path, source)?)?
    } else {
        gathered.csv(profile, path, unpack::unpack(path, Cursor::new(bytes))?)?
    };
    gathered.count(profile, rows);
    gathered.write(sink)?;
    Ok(rows)
}

fn meta_of(request: &ProfileRequest) -> SessionMeta {
    let files = request.sources.iter().flat_map(|source| &source.files);
    let names: Vec<String> =
        files.filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect();
    let title = names.first().map_or("", |name| name.split('.').next().unwrap_or(name));
    let mut meta = SessionMeta::new(title, "profile", env!("CARGO_PKG_VERSION"));
    meta.importer.source = names.join(", ");
    meta.importer.policies = POLICIES.iter().map(|policy| (*policy).to_string()).collect();
    for source in &request.sources {
        let Profile { name, about, .. } = &source.profile;
        meta.importer.policies.push(format!("profile {name}: {about}"));
    }
    meta
}

fn gather(
    request: &ProfileRequest,
    scratch: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Gathered, ImportError> {
    if request.sources.iter().all(|source| source.files.is_empty()) {
        return Err(ImportError::Request { what: "name a profile and at least one file".to_string() });
    }
    let mut gathered = Gathered::new(&request.symbols, scratch);
    for source in &request.sources {
        gathered.book.begin_source();
        for path in &source.files {
            let rows = gathered.file(&source.profile, path)?;
            gathered.count(&source.profile, rows);
            on_progress(Progress::File { path: path.clone(), rows });
        }
    }
    for note in &gathered.notes {
        on_progress(Progress::Note(note.clone()));
    }
    Ok(gathered)
}

/// Everything that the files hold.
struct Gathered {
    book: Book,
    spools: Spools,
    counts: BTreeMap<&'static str, u64>,
    notes: Vec<String>,
    /// Bars or snapshots are among the records.
    has_batches: bool,
}

impl Gathered {
    fn new(symbols: &[String], scratch: &Path) -> Gathered {
        Gathered {
            book: Book::new(symbols),
            spools: Spools { rows: Spool::new(scratch), late: Spool::new(scratch) },
            counts: BTreeMap::new(),
            notes: Vec::new(),
            has_batches: false,
        }
    }

    fn count(&mut self, profile: &Profile, rows: u64) {
        *self.counts.entry(profile.record()).or_default() += rows;
        self.has_batches |= profile.is_batch();
    }

    fn file(&mut self, profile: &Profile, path: &Path) -> Result<u64, ImportError> {
        let open = || File::open(path).map_err(ImportError::io("open", path));
        let mut magic = Vec::new();
        open()?.take(4).read_to_end(&mut magic).map_err(ImportError::io("read", path))?;
        if magic == parquet::MAGIC {
            return self.parquet(profile, parquet::ParquetRows::open(path, open()?)?);
        }
        self.csv(profile, path, unpack::unpack(path, open()?)?)
    }

    fn csv(
        &mut self,
        profile: &Profile,
        path: &Path,
        source: Box<dyn Read + '_>,
    ) -> Result<u64, ImportError> {
        let mut rows = csv::CsvRows::new(path, source, profile.delimiter().unwrap_or(b','));
        let nulls = csv::Nulls::new(profile);
        let header = rows.header(profile)?;
        let plan = Plan::new(profile, &header).map_err(|what| rows.error(what))?;
        let mut converter = Converter::new(profile, &plan);
        let mut count = 0;
        while rows.next_row(&plan.places, plan.len())? {
            let result = converter.row(&rows.row(&nulls), &mut self.book, &mut self.spools);
            count += u64::from(result.map_err(|Fault(what)| rows.error(what))?);
        }
        self.note_skipped(path, converter.skipped);
        Ok(count)
    }

    fn parquet<R: ::parquet::file::reader::ChunkReader + 'static>(
        &mut self,
        profile: &Profile,
        mut rows: parquet::ParquetRows<R>,
    ) -> Result<u64, ImportError> {
        let nulls = csv::Nulls::new(profile);
        let plan = Plan::new(profile, &rows.header()).map_err(|what| rows.error(what))?;
        rows.select(&plan.places, plan.len())?;
        let mut converter = Converter::new(profile, &plan);
        let mut count = 0;
        while rows.next_row()? {
            let result = converter.row(&rows.cells(&nulls), &mut self.book, &mut self.spools);
            count += u64::from(result.map_err(|Fault(what)| rows.error(what))?);
        }
        let skipped = converter.skipped;
        self.note_skipped(&rows.path, skipped);
        Ok(count)
    }

    fn note_skipped(&mut self, path: &Path, skipped: u64) {
        if skipped > 0 {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            self.notes.push(format!("{skipped} rows of {name} without a needed value were left out"));
        }
    }

    /// Pushes definitions, then records and session phases in receipt order.
    fn write(self, sink: &mut dyn InputSink) -> Result<(), ImportError> {
        let spans = [self.spools.rows.span, self.spools.late.span];
        let span = spans.into_iter().flatten().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let Some((first, last)) = span else {
            let what = match self.book.left_out {
                Some(name) => {
                    format!("no row is of a symbol asked for; the files have '{name}', for example")
                }
                None => "the files hold no rows".to_string(),
            };
            return Err(ImportError::NothingFound { what });
        };
        for (kind, rows) in &self.counts {
            sink.count_source(kind, *rows);
        }
        let mut phases = Phases::new(self.book.market(), first, last);
        let start = Nanos(phases.first_ts().map_or(first, |open| open.min(first)));
        let (definitions, indices) = self.book.definitions()?;
        for (ix, def) in definitions.into_iter().enumerate() {
            define(sink, start, InstrumentIx::from(ix), def)?;
        }
        drop(self.book);
        let fail = |what: String| ImportError::Request { what };
        let mut merged = Merged::new([self.spools.rows, self.spools.late]).map_err(fail)?;
        let mut group: Vec<Record> = Vec::new();
        while merged.instant(&mut group).map_err(fail)? {
            for record in &mut group {
                record.instrument = indices[record.instrument as usize];
            }
            if self.has_batches {
                order_instant(&mut group);
            }
            while let Some(phase) = phases.due(group.first().map(|record| record.ts)) {
                sink.push(phase, None)?;
            }
            for record in group.drain(..) {
                sink.push(record, None)?;
            }
        }
        while let Some(phase) = phases.due(None) {
            sink.push(phase, None)?;
        }
        Ok(())
    }
}

/// Ticks first, in their order; then bars and snapshots by instrument and type. A snapshot that
/// says what the one before it says (an underlying repeated beside each of its options) is dropped.
fn order_instant(group: &mut Vec<Record>) {
    let is_tick = |record: &Record| {
        matches!(record.kind(), Some(Kind::Quote | Kind::Trade)) && record.flags & flags::SNAPSHOT == 0
    };
    if group.len() < 2 || group.iter().all(is_tick) {
        return;
    }
    group.sort_by_key(|record| if is_tick(record) { (0, 0) } else { (1, tie_break(record)) });
    let is_snapshot = |record: &Record| {
        record.flags & flags::SNAPSHOT != 0 || (record.kind == Kind::TradeBar as u8 && record.body[4] == 0)
    };
    group.dedup_by(|next, kept| next == kept && is_snapshot(next));
}
