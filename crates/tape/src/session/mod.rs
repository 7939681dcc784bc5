//! Sessions: recorded inputs as a folder of sealed blocks.
//!
//! ```text
//! goog-20151224/
//!   manifest.json   what is inside, counts, content hash            (read first, small)
//!   blocks.tape     frames of `codec`, one after another            (inputs and cold payloads only)
//!   history.csv     data files that strategies may read             (part of the content hash)
//!   quarantine.csv  records that an importer set aside              (not part of it)
//! ```
//!
//! A session is identified by its content hash: BLAKE3 over the chain of its blocks and its
//! data files. Name, importer and notes do not enter it, so importing the same source to
//! two places gives the same session.
//!
//! What can never change: a content hash once published names the same records for ever.

mod catalog;
mod cursor;
mod error;
mod fingerprint;
mod manifest;
mod reader;
mod writer;

pub use catalog::{Catalog, Entry, Query, Unreadable};
pub use cursor::{SessionCursor, SessionPlace};
pub use error::SessionError;
pub use fingerprint::Fingerprint;
pub(crate) use fingerprint::already_made;
pub use manifest::{FORMAT, FindingCount, Importer, MANIFEST_VERSION, Manifest, Root, SessionMeta};
pub use reader::{Embedded, SessionReader};
pub use writer::{Finished, SessionWriter};

/// File name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.json";
/// File name of the blocks.
pub const BLOCKS_FILE: &str = "blocks.tape";
