//! What can go wrong while importing: each variant names the file, the place in it, what was
//! expected and what to do.

use crate::session::SessionError;
use std::path::{Path, PathBuf};

/// An import that did not happen. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The operating system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried: `open`, `read` …
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Nothing to import.
    #[error("nothing to import: {what}")]
    NothingFound {
        /// What was looked for, where, and what exists instead.
        what: String,
    },
    /// A request that cannot be carried out as it stands.
    #[error("{what}")]
    Request {
        /// What is wrong and what would be right.
        what: String,
    },
    /// A zip archive that cannot be read.
    #[error("{} is not a readable zip archive: {what}; copy the file again from its source", path.display())]
    Archive {
        /// File.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file or archive entry whose name does not follow the layout.
    #[error("{}: entry '{entry}' is not named like {expected}", path.display())]
    Name {
        /// File.
        path: PathBuf,
        /// Entry in it.
        entry: String,
        /// Form of the names of this data type.
        expected: &'static str,
    },
    /// A row that does not follow the layout.
    #[error("{}, {entry}, line {line}: {field} is not {expected} in '{found}'", path.display())]
    Row {
        /// File.
        path: PathBuf,
        /// Entry in it.
        entry: String,
        /// Line from 1.
        line: u64,
        /// Column by name.
        field: &'static str,
        /// What the column holds.
        expected: &'static str,
        /// The row.
        found: String,
    },
    /// A row before its predecessor in a file that is streamed in order.
    #[error(
        "{}, {entry}, line {line}: time goes back from {previous} to {found} ms; sort the file by time",
        path.display()
    )]
    RowOrder {
        /// File.
        path: PathBuf,
        /// Entry in it.
        entry: String,
        /// Line from 1.
        line: u64,
        /// Time of the row before, milliseconds since local midnight.
        previous: u64,
        /// Time of the row.
        found: u64,
    },
    /// A profile that cannot be used.
    #[error("{path}:{line}: {what}")]
    Profile {
        /// Profile file, or the name of a built-in one.
        path: String,
        /// Line from 1.
        line: usize,
        /// What is wrong, with the nearest valid key.
        what: String,
    },
    /// A row of a CSV or Parquet file that does not fit its profile, or the end of the file.
    #[error("{}, {unit} {number}: {what}", path.display())]
    Place {
        /// File.
        path: PathBuf,
        /// `line` of a CSV file, `row` of a Parquet file.
        unit: &'static str,
        /// From 1.
        number: u64,
        /// What was found and what is expected.
        what: String,
    },
    /// The calendar has no answer.
    #[error("{what}: {source}")]
    Calendar {
        /// What was asked.
        what: String,
        /// The calendar's reason.
        source: onetape_calendar::Error,
    },
    /// Not a DBN file, or a damaged one.
    #[error("{}{}: {what}", path.display(), at_record(*record))]
    Dbn {
        /// File.
        path: PathBuf,
        /// Record from 1; 0 before the first.
        record: u64,
        /// What is wrong and what to do.
        what: String,
    },
    /// The session cannot be written.
    #[error(transparent)]
    Session(#[from] SessionError),
}

fn at_record(record: u64) -> String {
    if record == 0 { String::new() } else { format!(", record {record}") }
}

impl ImportError {
    pub(crate) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> ImportError + 'a {
        move |source| ImportError::Io { action, path: path.to_path_buf(), source }
    }
}
