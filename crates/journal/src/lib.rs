//! The journal: an append-only, hash-chained log of blocks in a sled database.
//!
//! ```text
//!  loop ── Block ──> JournalThread ──> JournalWriter ── frames ≤ 48 KiB a value ──> Store (sled)
//!                                           └─ commit: flush, sync, then the anchor
//!  audit <── verify · show · diff · blocks <── JournalReader
//! ```
//!
//! # Invariants
//! - A block is the unit of everything: written, hashed, chained, committed whole.
//! - The anchor never names a head that is not durable.
//! - A failed write or sync is latched: every later call fails too.
//! - Durability and threads never enter a hashed byte.
//!
//! # Limits
//! One process owns a journal at a time (sled locks the folder).
#![deny(missing_docs)]

mod anchor;
mod diff;
mod error;
mod reader;
mod render;
mod show;
mod store;
mod thread;
mod writer;

pub use anchor::Anchor;
pub use diff::{ConfigChange, Diff, Divergence, diff};
pub use error::JournalError;
pub use reader::{JournalReader, VerifyReport};
pub use render::{Names, Rendered, kind_name, time_text};
pub use show::{Filter, ParsePointError, Point, Show};
pub use store::{MemoryStore, Pair, SledStore, Store, Tree};
pub use thread::{JournalThread, ThreadSummary};
pub use writer::{HashOnly, JOURNAL_VERSION, JournalSummary, JournalWriter, RunHeader};
