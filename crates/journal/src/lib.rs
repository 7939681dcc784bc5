//! The journal: an append-only, hash-chained log of blocks in a sled database.
//!
//! ```text
//!  loop ── Block ──> JournalThread ──> JournalWriter ── frames ≤ 24 KiB a value ──> Store (sled)
//!                                           └─ commit: flush, sync, then the anchor
//!  audit <── verify · show · diff · export · blocks <── JournalReader
//! ```
//!
//! A journal's folder:
//! ```text
//! journal/
//!   db/       the sled database: trees blocks, snapshots, meta
//!   anchor    the head that was made durable last
//!   SEAL      written at closing: BLAKE3 of every other file, head, counts
//! ```
//!
//! # Invariants
//! - A block is the unit of everything: written, hashed, chained, committed whole.
//! - The anchor never names a head that is not durable.
//! - A failed write or sync is latched: every later call fails too.
//! - Durability and threads never enter a hashed byte.
//! - Reading never changes a journal: it is read from a copy, and [`repair`] keeps what it found.
//!
//! # Limits
//! One process writes a journal; while it does, others read what its owner serves on the run's socket.
#![deny(missing_docs)]

use onetape_tape::guard;

mod ahead;
mod anchor;
mod blocks;
mod chunk;
mod copy;
mod derived;
mod diff;
mod error;
pub mod export;
mod folder;
mod hashes;
mod live;
mod memory;
mod reader;
mod refer;
mod render;
mod repair;
mod resume;
mod salvage;
mod scan;
mod seal;
mod sealed;
mod show;
mod sign;
mod snapshots;

mod store;
mod tail;
mod thread;
mod writer;

pub use anchor::Anchor;
pub use blocks::Blocks;
pub use derived::DerivedHash;
pub use diff::{ConfigChange, Diff, Divergence, diff};
pub use error::JournalError;
pub use hashes::{HashOnly, JournalSummary};
pub use live::LiveLog;
pub use memory::{Fate, Fault, MemoryStore};
pub use reader::{FindSession, JournalReader, VerifyReport, verify, verify_with};
pub use render::{Names, Rendered, kind_name, time_text};
pub use repair::{RepairReport, repair, rewrite, rewrite_with};
pub use resume::Recovery;
pub use seal::{Seal, SealState, SealedFile, check_seal};
pub use sealed::{SealedLabel, SealedReport, export_sealed, import_sealed};
pub use show::{Filter, ParsePointError, Point, Show, instant, time_of};
pub use sign::{SignedHead, check_signature, sign_head};
pub use snapshots::Snapshot;
pub use store::{Pair, SledStore, Store, Tree};
pub use tail::{TAIL_SOCKET, TailClient, TailServer, Tailed};
pub use thread::{Commits, Issued, JournalThread, OnRelease, ThreadSummary};
pub use writer::{JOURNAL_VERSION, JournalWriter, RunHeader};
