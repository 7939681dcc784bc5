//! Databento binary encoding (DBN) becomes a session.
//!
//! ```text
//! decode   one file as a stream of records (v1–v3, plain, zstd, several frames, fragments)
//! depth    order-by-order and ten-level records as changes of a book
//! records  what each record type becomes       define  instruments from definitions or mappings
//! scan     first pass: instruments, order, span        merge   second pass: files by receipt time
//! sums     counts and sums of a file, to compare with other decoders
//! write    the way back: a session as DBN files       rewrite  a file as one of version 3
//! ```
//!
//! # Decisions
//! - A record enters at `ts_recv` where it has one, else at `ts_event`; a bar at its end.
//! - mbp-1 and tbbo records give a quote, and a trade after it when the action is one: the levels
//!   state the book before the trade. Sampled quotes (bbo, cbbo) enter at the end of their
//!   interval and hold for two intervals.
//! - mbo records are one record each; a snapshot that does not begin with a clear gets one. An mbp-10 record
//!   becomes the changes since the one before of its instrument and publisher: levels that left the ten are
//!   deleted. Groups end where the source says so. Prints of both are trades.
//! - Undefined prices are an explicit empty side. The head's venue is the publisher; of
//!   consolidated quotes the publishers of bid and ask.
//! - All instruments that have records are defined at the first instant of the session: underlyings and
//!   outrights by symbol, then options by root, expiry, strike and right. An id is known by
//!   (dataset, id, UTC day): ids are given to other instruments on other days. Its symbol comes from the file's
//!   mapping interval where it maps instruments' own symbols, else from the last definition record up to that
//!   day, else from other mappings and mapping records. Publishers do not enter: mappings know none. Without a
//!   definition record the kind comes from dataset and symbol, and the definition's `source` says so.
//! - Files are merged by receipt time; of one instant the earlier file of the request comes first,
//!   and a file keeps its own order. Session phases come from the calendar of the first file's market.
//! - A dataset's feed delay is added to the time of its records before files are merged.
//! - Records outside the hours of a US share or option class carry `EXTENDED`; daily bars never do.
//!
//! # Limits
//! Mappings and system messages are counted, not stored. Memory is a few buffers a file; a file whose receipt
//! times go back is sorted in memory instead, unless it holds mbo or mbp-10: their order is the book, so such a
//! record enters at the time of the one before. Price-level records inside an mbo file are refused.

mod decode;
mod define;
mod depth;
mod merge;
mod records;
mod rewrite;
mod scan;
mod stream;
mod sums;
mod write;

pub(super) use define::{
    Contract as FutureContract, FutureOption, future, future_option, outright as future_of_contract,
};
pub use rewrite::rewrite_dbn;
pub use stream::DbnStream;
pub use sums::{DbnSums, dbn_sums};
pub use write::{BarPeriod, DbnWritten, write_dbn};

use super::history::DailyBars;
use super::{Delays, ImportError, InputSink, OnProgress};
use crate::codec::Hash;
use crate::quality::{Policies, Screen};
use crate::session::{Fingerprint, Finished, SessionMeta, SessionWriter, already_made};
use scan::Scan;
use std::path::{Path, PathBuf};

/// What to import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DbnRequest {
    /// Files, in the order that decides ties.
    pub files: Vec<PathBuf>,
    /// Version of files without a header.
    pub fragment_version: Option<u8>,
    /// What happens to doubtful records.
    pub policies: Policies,
    /// Feed delays by dataset.
    pub delays: Delays,
    /// Files of daily bars for `history.csv`.
    pub history: Vec<PathBuf>,
}

impl DbnRequest {
    /// A request for files that have headers.
    pub fn new(files: &[PathBuf]) -> DbnRequest {
        DbnRequest { files: files.to_vec(), ..DbnRequest::default() }
    }
}

const POLICIES: [&str; 6] = [
    "records enter at ts_recv, else ts_event; bars and sampled quotes at the end of their interval",
    "an undefined price is an explicit empty side",
    "mbp-10 records enter as changes of price levels, mbo records as order events",
    "the quote of an mbp-1 or tbbo trade precedes the trade",
    "instruments are defined at the first instant of the session",
    "files are merged by receipt time, ties by their order in the request",
];

/// Imports DBN files into a session folder at `out`.
///
/// # Errors
/// A file that is not DBN, damaged or truncated, a record type that sessions do not hold, or an
/// `out` that cannot be written; then no session is left behind.
pub fn import_dbn(
    request: &DbnRequest,
    out: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Finished, ImportError> {
    let fingerprint = fingerprint(request)?;
    if let Some(finished) = already_made(out, fingerprint) {
        return Ok(finished);
    }
    let scan = checked_scan(request)?;
    let name = |path: &PathBuf| {
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let names: Vec<String> = request.files.iter().map(name).collect();
    let title = names.first().map_or("", |name| name.split(".dbn").next().unwrap_or(name));
    let mut meta = SessionMeta::new(title, "dbn", env!("CARGO_PKG_VERSION"));
    meta.importer.source = names.join(", ");
    meta.importer.policies = POLICIES.iter().map(|policy| (*policy).to_string()).collect();
    meta.importer.policies.extend(request.delays.sentence());
    meta.importer.policies.push(request.policies.sentence());
    meta.importer.policies.extend(scan.notes.iter().cloned());
    meta.fingerprint = Some(fingerprint);
    let mut writer = SessionWriter::create(out, meta)?;
    let mut screen = Screen::new(&mut writer, request.policies.clone());
    read(&scan, request, &mut screen, on_progress)?;
    screen.finish()?;
    Ok(writer.finish()?)
}

/// Hash over the options and files of a request.
fn fingerprint(request: &DbnRequest) -> Result<Hash, ImportError> {
    let mut fingerprint = Fingerprint::new("dbn", env!("CARGO_PKG_VERSION"));
    fingerprint.option("fragments", &format!("{:?}", request.fragment_version));
    fingerprint.option("policies", &request.policies.sentence());
    fingerprint.option("delays", &request.delays.sentence().unwrap_or_default());
    fingerprint.option("history files", &request.history.len().to_string());
    for path in request.files.iter().chain(&request.history) {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        super::refuse_folder(path)?;
        fingerprint.file(&name, path).map_err(ImportError::io("open", path))?;
    }
    Ok(fingerprint.finish())
}

/// Reads DBN files into any sink, in receipt order.
///
/// # Errors
/// As [`import_dbn`], and what the sink refuses.
pub fn read_dbn(
    request: &DbnRequest,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    read(&checked_scan(request)?, request, sink, on_progress)
}

fn checked_scan(request: &DbnRequest) -> Result<Scan, ImportError> {
    let scan = scan::scan(request)?;
    request.delays.check(&scan.datasets.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(scan)
}

/// Reads the files, then the history of before their first record.
fn read(
    scan: &Scan,
    request: &DbnRequest,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    let start = merge::read(scan, request, sink, on_progress)?;
    let mut bars = DailyBars::default();
    if !request.history.is_empty() {
        let request = DbnRequest { files: request.history.clone(), history: Vec::new(), ..request.clone() };
        merge::read(&scan::scan(&request)?, &request, &mut bars, &mut |_| {})?;
        return super::history::add(bars.finish()?, start, sink, on_progress);
    }
    super::history::add(Vec::new(), start, sink, on_progress)
}
