//! What can go wrong with a journal.

use onetape_tape::codec::CodecError;

/// A journal that cannot be written or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// Nothing there.
    #[error("{path}: no journal here; expected a run folder with a 'journal' folder inside")]
    Missing {
        /// Folder.
        path: String,
    },
    /// Another process owns it.
    #[error("{path}: the journal is in use by another process; wait for it to end, or read a copy")]
    InUse {
        /// Folder.
        path: String,
    },
    /// The database is not one of ours, or too damaged to open.
    #[error("{path}: not a readable journal: {problem}")]
    Unreadable {
        /// Folder.
        path: String,
        /// What was found.
        problem: String,
    },
    /// Written by another version of the format.
    #[error(
        "{path}: journal format {found}; this program reads up to {known}: use the version that wrote it"
    )]
    Version {
        /// Folder.
        path: String,
        /// Version found.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// A write, flush or sync failed. Latched: the journal takes nothing any more.
    #[error("{path}: {what} failed: {problem}; the journal is closed to further writes")]
    Failed {
        /// Folder or file.
        path: String,
        /// Which operation.
        what: &'static str,
        /// Cause.
        problem: String,
    },
    /// A block cannot be encoded, or its bytes are damaged.
    #[error("{path}: block at seq {seq}: {source}")]
    Block {
        /// Folder.
        path: String,
        /// First seq of the block.
        seq: u64,
        /// Cause.
        source: CodecError,
    },
    /// The run ended; its journal is sealed.
    #[error("{path}: the run ended and its journal is sealed: there is nothing to resume")]
    Closed {
        /// Folder.
        path: String,
    },
    /// The journal was never committed.
    #[error("{path}: the run died before its first commit: nothing of it is durable; start it again")]
    Uncommitted {
        /// Folder.
        path: String,
    },
    /// The chain is broken.
    #[error("{path}: at seq {seq}: {problem}")]
    Chain {
        /// Folder.
        path: String,
        /// Where.
        seq: u64,
        /// What does not fit.
        problem: String,
    },
    /// The journal refers to a session that is not at hand.
    #[error(
        "{path}: the run keeps its inputs as references to session {session}, which was not found beside it; \
         name it: --session FOLDER"
    )]
    NeedsSession {
        /// Folder.
        path: String,
        /// Content hash of the session.
        session: String,
    },
    /// A session that is not the one the journal refers to.
    #[error(
        "{place}: this session's content hash is {found}, the run refers to {session}: name that session"
    )]
    OtherSession {
        /// The session that was offered.
        place: String,
        /// Content hash of the session that is referred to.
        session: String,
        /// Its content hash.
        found: String,
    },
    /// The session that the journal refers to cannot be read, or was changed.
    #[error("the session that the run refers to: {problem}")]
    Session {
        /// What is wrong with it.
        problem: String,
    },
    /// What should be written is there already.
    #[error("{path}: exists already; name another place or remove it")]
    Exists {
        /// File or folder.
        path: String,
    },
    /// An export or import could not be written or read.
    #[error("{path}: {what} failed: {problem}")]
    Output {
        /// File or folder.
        path: String,
        /// Which operation.
        what: &'static str,
        /// Cause.
        problem: String,
    },
    /// Not a sealed journal file, or a damaged one.
    #[error("{path}: not an intact sealed journal: {problem}")]
    NotSealed {
        /// File.
        path: String,
        /// What was found.
        problem: String,
    },
    /// A key or signature file that cannot be used.
    #[error("{path}: {problem}")]
    Key {
        /// File.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The writer thread is gone.
    #[error("the journal's writer thread ended without a result; this is a defect, please report it")]
    Thread,
}
