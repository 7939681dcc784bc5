//! What can go wrong in a run.

use onetape_engine::KernelError;
use onetape_engine::strategy::ParamError;
use onetape_journal::JournalError;
use onetape_tape::import::ImportError;
use onetape_tape::session::SessionError;

/// A run, or a re-derivation, that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The session cannot be read.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A stream of recorded or live data cannot be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The journal failed; trading stopped there.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The loop refused an input.
    #[error("{path}: {source}")]
    Input {
        /// Session or journal.
        path: String,
        /// What was wrong.
        source: KernelError,
    },
    /// No strategy of that name is registered.
    #[error("no strategy '{name}' in this program{hint}; it knows: {known}")]
    UnknownStrategy {
        /// Name.
        name: String,
        /// `; did you mean …`, or empty.
        hint: String,
        /// Registered names.
        known: String,
    },
    /// The journal was written by another version of the strategy.
    #[error(
        "strategy '{name}' is version {found} here, but the journal was written by version {journaled}; \
         re-derive with a program that holds that version"
    )]
    StrategyVersion {
        /// Name.
        name: String,
        /// Registered version.
        found: String,
        /// Version in the journal.
        journaled: String,
    },
    /// The journal was written under other loop semantics.
    #[error(
        "the journal was written under loop semantics {journaled}, this program runs {found}; \
         re-derive with the version that wrote it"
    )]
    Semantics {
        /// This program's.
        found: u32,
        /// The journal's.
        journaled: u32,
    },
    /// A parameter was refused.
    #[error("strategy '{strategy}': {source}")]
    Param {
        /// Strategy.
        strategy: String,
        /// What was wrong.
        source: ParamError,
    },
    /// The journal does not begin with a run's configuration.
    #[error("{path}: the journal's first input is not a run configuration; it was not written by a run")]
    NoStart {
        /// Journal.
        path: String,
    },
    /// The journal's events are not what its inputs derive.
    #[error(
        "{path}: at seq {seq} the inputs derive something else than the journal says, so nothing can be \
         explained from them; `onetape audit verify --rederive` shows both"
    )]
    NotDerived {
        /// Journal.
        path: String,
        /// First seq that differs.
        seq: u64,
    },
    /// The journal's position events contradict its fills.
    #[error("{path}: at seq {seq} the fills add up to something else than the journal's positions: {found}")]
    Books {
        /// Journal.
        path: String,
        /// Where.
        seq: u64,
        /// What the fills add up to.
        found: String,
    },
    /// An order left although it was to wait for the disk, and the journal does not hold it.
    #[error(
        "{path}: line {line}: order {order} (seq {seq}) left at durability `order`, but the journal ends at seq \
         {end}: what the disk had acknowledged is lost; compare with `onetape audit verify`, and once you know what \
         became of the order, remove that line and those after it to resume without it"
    )]
    LostRelease {
        /// The log of released orders.
        path: String,
        /// Its line.
        line: usize,
        /// Order.
        order: u32,
        /// Seq of the state change that sent it.
        seq: u64,
        /// Seq after the journal's last intact block.
        end: u64,
    },
    /// A fork that cannot be made.
    #[error("{path}: cannot fork: {problem}")]
    Fork {
        /// Parent's journal.
        path: String,
        /// Why.
        problem: String,
    },
    /// The log has no entry of this seq.
    #[error("{path}: no seq {seq}: the log ends at seq {}", .end.saturating_sub(1))]
    NoSuchSeq {
        /// Journal.
        path: String,
        /// What was asked for.
        seq: u64,
        /// Seq after the last.
        end: u64,
    },
    /// A time before the log begins.
    #[error("{path}: the log begins after {time}")]
    BeforeStart {
        /// Journal.
        path: String,
        /// What was asked for.
        time: String,
    },
    /// The run has no order of this number.
    #[error("{path}: no order {order}: the run has {orders}, numbered from 0")]
    NoSuchOrder {
        /// Journal.
        path: String,
        /// What was asked for.
        order: u32,
        /// Orders there are.
        orders: usize,
    },
    /// A file of the run folder failed.
    #[error("{path}: {source}")]
    Io {
        /// File.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// A file of the run folder could not be written as text.
    #[error("{path}: {problem}")]
    Text {
        /// File.
        path: String,
        /// Cause.
        problem: String,
    },
    /// A live run's source failed.
    #[error("the source: {problem}")]
    Source {
        /// What is wrong and what to do.
        problem: String,
    },
    /// What a journal's inputs derive is not what it says: it is not this program's to go on with.
    #[error(
        "{path}: at seq {seq} the journal says something else than its inputs derive here;              `onetape audit verify --rederive` shows what"
    )]
    Recovery {
        /// Journal.
        path: String,
        /// Where they part.
        seq: u64,
    },
    /// A worker thread died.
    #[error("the {thread} thread ended without a result; this is a defect, please report it")]
    Thread {
        /// Which.
        thread: &'static str,
    },
}

impl RunError {
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> RunError {
        RunError::Io { path: path.display().to_string(), source }
    }
}
