//! Importers: recordings of others become sessions.
//!
//! ```text
//!  LEAN zips ────> lean::read    ──┐
//!  DBN files ────> dbn::read     ──┼──> InputSink (SessionWriter) ──> <session>/
//!  CSV, Parquet ─> profile::read ──┘
//! ```
//!
//! # Rules every importer keeps
//! - A record is delivered when it was knowable: a bar or snapshot at its end, a tick when it was
//!   received. `ts_src` is the source's own time, of a bar its end.
//! - Records of one instant are ordered: session `Open`, then by instrument (order of definition)
//!   and type (trade, trade bar, bid half, ask half, statistic), then session `Close`. Records that
//!   tie in all of that keep the order of their file.
//! - Prices and sizes are exact: a number that 1e-9 cannot hold is an error, never rounded.
//! - A feed delay is added to that time; `ts_src` and the order of ties stay.
//! - `history.csv` holds daily bars that were known before the first input.
//! - All or nothing: an import that fails leaves no session.
//! - Doubtful records go through [`crate::quality::Screen`]: kept, flagged or set aside by policy.
pub mod dbn;
mod delay;
mod error;
mod history;
mod hours;
pub mod lean;
mod levels;
mod nbbo;
mod order;
pub mod profile;
mod sink;
mod terms;

pub use delay::{DELAY_MAX_NS, Delays};
pub use error::ImportError;
pub use history::{HISTORY_DAYS, HISTORY_FILE};
pub use nbbo::SizeRule;
pub use sink::{InputSink, MemorySink, Origin};

use std::path::PathBuf;

/// What an importer reports while it works.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A file was read.
    File {
        /// Which.
        path: PathBuf,
        /// Its rows or records.
        rows: u64,
    },
    /// Something expected is not there, or was put right; also recorded in the manifest where it
    /// was known before the first record.
    Note(String),
}

/// Refuses a folder where a file is expected.
fn refuse_folder(path: &std::path::Path) -> Result<(), ImportError> {
    if path.is_dir() {
        let what = format!("{} is a folder; name the files in it", path.display());
        return Err(ImportError::Request { what });
    }
    Ok(())
}

/// Receives progress; return values play no part.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress);
