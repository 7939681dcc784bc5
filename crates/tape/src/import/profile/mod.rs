//! CSV and Parquet files become a session, as a *profile* says.
//!
//! ```text
//! spec     what a profile says (TOML)      check   what it must say      builtin  vendors' layouts
//! plan     its columns by place in a file  cell    one value, exact numbers
//! values   units, durations, classes           unpack, csv, parquet   rows of a file as a stream
//! time, identify, trade   what a cell means    symbol  the instruments of an import
//! row, depth   a row becomes records           spool   records wait, sorted in runs
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
//! Memory is flat: 54 MiB of records, then a nameless temporary file of 72 bytes a record beside the
//! target. Instruments are held in memory. Prices of coin-margined options stay in their coin.

mod builtin;
mod cell;
mod check;
mod csv;
mod depth;
mod identify;
mod parquet;
mod plan;
mod row;
mod spec;
mod spool;
mod symbol;
mod time;
mod trade;
mod unpack;
mod values;

pub use builtin::{BUILTIN, builtin_text};
pub use spec::Profile;

use super::history::DailyBars;
use super::hours::Phases;
use super::order::tie_break;
use super::sink::define;
use super::{ImportError, InputSink, OnProgress, Origin, Progress};
use crate::codec::Hash;
use crate::quality::{Policies, Screen};
use crate::session::{Fingerprint, Finished, SessionMeta, SessionWriter, already_made};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Kind, Record, flags};
use plan::{Fault, Plan};
use row::{Converter, Spools};
use spool::{Merged, Spool, Spooled, file_and_row, origin_of};
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
    /// What happens to doubtful records.
    pub policies: Policies,
    /// Files of daily bars for `history.csv`.
    pub history: Vec<ProfileSource>,
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
    check_history(request)?;
    let mut meta = meta_of(request);
    let fingerprint = fingerprint(request)?;
    if let Some(finished) = already_made(out, fingerprint) {
        return Ok(finished);
    }
    meta.fingerprint = Some(fingerprint);
    // A target that cannot be is refused before the long reading.
    drop(SessionWriter::create(out, meta.clone())?);
    let scratch = out.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let gathered = gather(request, scratch, on_progress)?;
    meta.importer.policies.extend(gathered.notes.iter().cloned());
    let mut writer = SessionWriter::create(out, meta)?;
    let mut screen = Screen::new(&mut writer, request.policies.clone());
    let start = gathered.write(&mut screen)?;
    add_history(request, start, scratch, &mut screen, on_progress)?;
    screen.finish()?;
    Ok(writer.finish()?)
}

/// Only daily bars are history.
fn check_history(request: &ProfileRequest) -> Result<(), ImportError> {
    match request.history.iter().find(|source| !source.profile.is_of_days()) {
        Some(source) => {
            let what = format!(
                "--history takes daily trade bars; rows of profile {} are none (record = \"trade_bar\" with \
                 time.interval = \"day\", or with a date alone)",
                source.profile.name
            );
            Err(ImportError::Request { what })
        }
        None => Ok(()),
    }
}

/// Hash over the profiles, options and files of a request.
fn fingerprint(request: &ProfileRequest) -> Result<Hash, ImportError> {
    let mut fingerprint = Fingerprint::new("profile", env!("CARGO_PKG_VERSION"));
    fingerprint.option("symbols", &request.symbols.join(","));
    fingerprint.option("policies", &request.policies.sentence());
    for (use_of, sources) in [("tape", &request.sources), ("history", &request.history)] {
        for source in sources {
            fingerprint.option(use_of, &format!("{:?}", source.profile));
            for path in &source.files {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                super::refuse_folder(path)?;
                fingerprint.file(&name, path).map_err(ImportError::io("read", path))?;
            }
        }
    }
    Ok(fingerprint.finish())
}

/// Adds the daily bars of before the session's first instant.
fn add_history(
    request: &ProfileRequest,
    start: u64,
    scratch: &Path,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    if request.history.is_empty() {
        return super::history::add(Vec::new(), start, sink, on_progress);
    }
    let (sources, symbols) = (request.history.clone(), request.symbols.clone());
    let history = ProfileRequest { sources, symbols, ..ProfileRequest::default() };
    let mut bars = DailyBars::default();
    gather(&history, scratch, &mut |_| {})?.write(&mut bars)?;
    super::history::add(bars.finish()?, start, sink, on_progress)
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
    check_history(request)?;
    let start = gather(request, scratch, on_progress)?.write(sink)?;
    add_history(request, start, scratch, sink, on_progress)
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
    let path = Path::new(name);
    let mut gathered = Gathered::new(&[], &std::env::temp_dir());
    gathered.begin_file(path);
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
    meta.importer.policies.push(request.policies.sentence());
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
    files: Vec<PathBuf>,
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
            files: Vec::new(),
            counts: BTreeMap::new(),
            notes: Vec::new(),
            has_batches: false,
        }
    }

    /// Rows from here on are of this file.
    fn begin_file(&mut self, path: &Path) {
        self.files.push(path.to_path_buf());
    }

    fn count(&mut self, profile: &Profile, rows: u64) {
        *self.counts.entry(profile.record()).or_default() += rows;
        self.has_batches |= profile.is_batch();
    }

    fn file(&mut self, profile: &Profile, path: &Path) -> Result<u64, ImportError> {
        super::refuse_folder(path)?;
        self.begin_file(path);
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
            let origin = origin_of(self.files.len() - 1, rows.line);
            let result = converter.row(&rows.row(&nulls), &mut self.book, &mut self.spools, origin);
            count += u64::from(result.map_err(|Fault(what)| rows.error(what))?);
        }
        converter.finish(&mut self.spools).map_err(|Fault(what)| rows.error(what))?;
        self.note_rows(path, &converter);
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
            let origin = origin_of(self.files.len() - 1, rows.row);
            let result = converter.row(&rows.cells(&nulls), &mut self.book, &mut self.spools, origin);
            count += u64::from(result.map_err(|Fault(what)| rows.error(what))?);
        }
        converter.finish(&mut self.spools).map_err(|Fault(what)| rows.error(what))?;
        self.note_rows(&rows.path, &converter);
        Ok(count)
    }

    fn note_rows(&mut self, path: &Path, converter: &Converter<'_>) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (skipped, raised) = (converter.skipped, converter.raised);
        if skipped > 0 {
            self.notes.push(format!("{skipped} rows of {name} without a needed value were left out"));
        }
        if raised > 0 {
            self.notes.push(format!(
                "{raised} rows of {name} whose time goes back enter at that of the row before"
            ));
        }
    }

    /// Pushes definitions, then records and session phases in receipt order; returns the first instant.
    fn write(self, sink: &mut dyn InputSink) -> Result<u64, ImportError> {
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
        let files = self.files;
        let mut group: Vec<Spooled> = Vec::new();
        while merged.instant(&mut group).map_err(fail)? {
            for Spooled { record, .. } in &mut group {
                record.instrument = indices[record.instrument as usize];
            }
            if self.has_batches {
                order_instant(&mut group);
            }
            while let Some(phase) = phases.due(group.first().map(|next| next.record.ts)) {
                sink.push(phase, None)?;
            }
            for Spooled { record, origin } in group.drain(..) {
                let (file, line) = file_and_row(origin);
                sink.push_from(record, Origin { file: &files[file], entry: "", line })?;
            }
        }
        while let Some(phase) = phases.due(None) {
            sink.push(phase, None)?;
        }
        Ok(start.0)
    }
}

/// Ticks first, in their order; then bars and snapshots by instrument and type. A snapshot that
/// says what the one before it says (an underlying repeated beside each of its options) is dropped.
fn order_instant(group: &mut Vec<Spooled>) {
    let is_event = |record: &Record| match record.kind() {
        Some(Kind::Quote | Kind::Trade) => record.flags & flags::SNAPSHOT == 0,
        kind => kind.is_some_and(Kind::is_depth),
    };
    if group.len() < 2 || group.iter().all(|spooled| is_event(&spooled.record)) {
        return;
    }
    group
        .sort_by_key(|Spooled { record, .. }| if is_event(record) { (0, 0) } else { (1, tie_break(record)) });
    let is_snapshot = |record: &Record| {
        !is_event(record)
            && (record.flags & flags::SNAPSHOT != 0
                || (record.kind == Kind::TradeBar as u8 && record.body[4] == 0))
    };
    group.dedup_by(|next, kept| next.record == kept.record && is_snapshot(&next.record));
}
