//! The journal: an append-only, hash-chained log of blocks in a sled database.
//!
//! ```text
//!  loop ── Block ──> JournalThread ──> JournalWriter ── frames ≤ 48 KiB a value ──> Store (sled)
//!                                           └─ commit: flush, sync, then the anchor
//!  audit <── verify · blocks <── JournalReader
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
mod error;
mod reader;
mod store;
mod thread;
mod writer;

pub use anchor::Anchor;
pub use error::JournalError;
pub use reader::{JournalReader, VerifyReport};
pub use store::{MemoryStore, SledStore, Store};
pub use thread::{JournalThread, ThreadSummary};
pub use writer::{HashOnly, JournalSummary, JournalWriter, RunHeader};
