//! What can go wrong with a session folder.

use crate::codec::CodecError;
use std::path::{Path, PathBuf};

/// A session that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The operating system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried: `create`, `read` …
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No such folder.
    #[error("no session at {}: the folder does not exist", path.display())]
    Missing {
        /// Folder.
        path: PathBuf,
    },
    /// No folder to look for sessions in.
    #[error("no catalog at {}: name a folder that holds sessions", path.display())]
    NoCatalog {
        /// Folder.
        path: PathBuf,
    },
    /// A folder without a manifest or blocks.
    #[error("{} is not a session: it has no {file}", path.display())]
    NotASession {
        /// Folder.
        path: PathBuf,
        /// The file it lacks.
        file: &'static str,
    },
    /// The manifest is not one.
    #[error("{} is not a session manifest: {what}", path.display())]
    Manifest {
        /// File.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A manifest of another version.
    #[error("{} has session format {found}; this program reads {expected}: import it again or use the version that wrote it", path.display())]
    Version {
        /// File.
        path: PathBuf,
        /// Version this code reads.
        expected: u32,
        /// Version found.
        found: u32,
    },
    /// The target exists and holds something else.
    #[error("{} exists and {what}: choose another folder or remove it", path.display())]
    Exists {
        /// Folder.
        path: PathBuf,
        /// What it holds.
        what: String,
    },
    /// A record older than its predecessor.
    #[error("record {record} has time {found}, its predecessor {previous}: records must be in receipt order")]
    TimeOrder {
        /// Position in the session.
        record: u64,
        /// Time of the predecessor.
        previous: u64,
        /// Time of the record.
        found: u64,
    },
    /// A record of an instrument that is not defined before it.
    #[error("record {record} is of instrument {found}, but only {defined} are defined before it")]
    UndefinedInstrument {
        /// Position in the session.
        record: u64,
        /// The instrument.
        found: u32,
        /// Definitions so far.
        defined: u32,
    },
    /// Two definitions of one symbol.
    #[error("record {record} defines symbol '{symbol}' again: symbols are unique within a session")]
    DuplicateSymbol {
        /// Position in the session.
        record: u64,
        /// The symbol.
        symbol: String,
    },
    /// An input that belongs to runs only, or a cold record without payload or the reverse.
    #[error("record {record} cannot be in a session: {what}")]
    NotForSession {
        /// Position in the session.
        record: u64,
        /// Why not.
        what: &'static str,
    },
    /// A file name that would leave the folder or collide with the session's own files.
    #[error(
        "'{name}' cannot be the name of a session file: plain names other than manifest.json and blocks.tape only"
    )]
    FileName {
        /// The name.
        name: String,
    },
    /// A block that cannot be encoded or decoded.
    #[error("{}, block {block} (byte {offset}): {source}", path.display())]
    Block {
        /// File.
        path: PathBuf,
        /// Number of the block in the file.
        block: u64,
        /// Where it begins.
        offset: u64,
        /// What is wrong.
        source: CodecError,
    },
    /// The blocks are sound one by one but are not the ones the manifest describes.
    #[error("{}, block {block}: {what}: the session is damaged or was put together from several", path.display())]
    Chain {
        /// File.
        path: PathBuf,
        /// Number of the block in the file.
        block: u64,
        /// What does not fit.
        what: String,
    },
    /// A data file changed.
    #[error("{} hashes to {found}, the manifest records {expected}: the file was changed", path.display())]
    File {
        /// File.
        path: PathBuf,
        /// Recorded hash.
        expected: String,
        /// Computed hash.
        found: String,
    },
}

impl SessionError {
    pub(super) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> SessionError + 'a {
        move |source| SessionError::Io { action, path: path.to_path_buf(), source }
    }
}
