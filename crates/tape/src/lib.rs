//! The tape: recorded sessions and the block format they share with the journal.
//!
//! ```text
//!  importers, generator ──push──> SessionWriter ──> <session>/{manifest.json, blocks.tape, history.csv …}
//!                                                        │
//!  loop, research      <──next_block── SessionReader <───┘
//!                              both through [`codec`]: Block ⇄ header + payload + hash
//! ```
//!
//! - [`codec`] turns a block of inputs and derived events into bytes and back, and chains the
//!   blocks by BLAKE3. `docs/format.md` describes the bytes.
//! - [`import`] turns recordings of others into sessions.
//! - [`generate`] makes a fictional market from a seed.
//! - [`quality`] names what is wrong with recorded data, and what an importer does about it.
//! - [`session`] is a folder of such blocks holding inputs only, with a manifest.
//!
//! # Invariants
//! - A session's records are in receipt order: `ts` never decreases.
//! - A session is written whole or not at all, and is never changed afterwards.
//! - Decoding is total: any bytes give a block or a named error, within bounded memory.
//!
//! # Example
//! ```
//! use onetape_engine::instrument::InstrumentDef;
//! use onetape_engine::record::{Body, Head, Quote, Record};
//! use onetape_engine::{block::Block, num::Nanos};
//! use onetape_tape::session::{SessionMeta, SessionReader, SessionWriter};
//!
//! # fn main() -> Result<(), onetape_tape::session::SessionError> {
//! # let folder = std::env::temp_dir().join(format!("onetape-doc-{}", std::process::id()));
//! # let dir = folder.as_path();
//! let mut writer = SessionWriter::create(dir, SessionMeta::new("demo", "example", "1"))?;
//! let one = writer.define(Nanos(1), InstrumentDef::equity("ONE"))?;
//! let quote = Quote { bid: 99, ask: 101, bid_size: 1, ask_size: 1, ..Quote::default() };
//! writer.push(Record::new(Head::at(Nanos(2), one), Body::Quote(quote)), None)?;
//! let written = writer.finish()?;
//! assert_eq!(written.manifest.inputs, 2);
//!
//! let mut reader = SessionReader::open(dir)?;
//! let mut block = Block::default();
//! while reader.next_block(&mut block)? {
//!     assert_eq!(block.inputs.len(), 2);
//! }
//! # std::fs::remove_dir_all(dir).ok();
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]

pub mod codec;
pub mod generate;
pub mod guard;
pub mod import;
pub mod names;
pub mod quality;
pub mod session;
