//! Making a readable journal out of a damaged or unclosed one.
//!
//! Nothing is invented and nothing is thrown away: the longest intact chain from the log's
//! beginning becomes a new, sealed journal under the old name, and the damaged folder is kept
//! beside it. The chain is looked for twice, through the database and in its raw file, and
//! the longer one is taken.

use crate::Anchor;
use crate::copy::is_in_use;
use crate::error::JournalError;
use crate::reader::JournalReader;
use crate::salvage;
use crate::writer::{ANCHOR_FILE, DB_FOLDER, JournalSummary, JournalWriter};
use onetape_engine::block::Block;
use onetape_tape::codec::{CodecError, Decoder, Hash};
use serde::Serialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepairReport {
    /// False when the journal was sound and sealed: nothing was touched.
    pub changed: bool,
    /// Blocks kept.
    pub blocks: u64,
    /// Inputs and derived events kept.
    pub events: u64,
    /// Committed events that no intact block holds any more.
    pub lost: u64,
    /// Head of what was kept.
    pub head: String,
    /// Where the journal as it was found is kept.
    pub kept_at: Option<PathBuf>,
    /// What was wrong.
    pub problem: String,
}

/// Copies a journal block by block through `edit`, every hash computed anew.
///
/// This is what a forger can do: the result verifies, and only re-deriving it from its inputs
/// shows an edit. Tests use it so. `edit` must leave the blocks' lengths as they are.
///
/// # Errors
/// The source cannot be read, or the target exists or cannot be written.
pub fn rewrite(
    from: &Path,
    to: &Path,
    mut edit: impl FnMut(&mut Block),
) -> Result<JournalSummary, JournalError> {
    let reader = JournalReader::open(from)?;
    let mut writer = JournalWriter::create(to, run_id(&reader)?)?;
    let (mut blocks, mut block) = (reader.blocks(), Block::default());
    while blocks.next_block(&mut block)? {
        let length = block.len();
        edit(&mut block);
        assert_eq!(block.len(), length, "an edit changes entries, not their number");
        writer.append(&block)?;
    }
    writer.finish()
}

fn run_id(reader: &JournalReader) -> Result<[u8; 32], JournalError> {
    let id = reader.header().run_id.parse::<Hash>();
    id.map(|id| id.0).map_err(|error| JournalError::Unreadable {
        path: reader.path().to_string(),
        problem: format!("its run header has no run id: {error}"),
    })
}

/// Repairs the journal in `dir`; a sound and sealed one is left alone.
///
/// # Errors
/// Missing or in use, no intact block at all, or the disk refuses.
pub fn repair(dir: &Path) -> Result<RepairReport, JournalError> {
    let path = dir.display().to_string();
    let db = dir.join(DB_FOLDER);
    if !db.join("db").is_file() {
        return Err(JournalError::Missing { path });
    }
    if is_in_use(&db) {
        return Err(JournalError::InUse { path });
    }
    let report = crate::reader::verify(dir)?;
    if report.ok && report.sealed {
        let (blocks, events, head) = (report.blocks, report.events, report.head);
        let problem = "none".to_string();
        return Ok(RepairReport { changed: false, blocks, events, lost: 0, head, kept_at: None, problem });
    }
    let target = sibling(dir, "repaired");
    if target.exists() {
        // Left by a repair that was interrupted before it took the journal's place.
        fs::remove_dir_all(&target).map_err(failed(&target, "removing an unfinished repair"))?;
    }
    let chain = salvage::longest_chain(&db.join("db"))?;
    let salvaged: u64 = chain.iter().map(|found| found.header.len()).sum();
    let summary = if salvaged > report.events {
        from_raw(&db.join("db"), &chain, &target)?
    } else if report.blocks > 0 {
        from_database(dir, report.blocks, &target)?
    } else {
        let problem = format!("no intact block was found ({})", report.message);
        return Err(JournalError::Unreadable { path, problem });
    };
    let events = summary.inputs + summary.derived;
    let committed = Anchor::read(&dir.join(ANCHOR_FILE))?.map_or(0, |anchor| anchor.seq);
    let kept_at = swap(dir, &target)?;
    Ok(RepairReport {
        changed: true,
        blocks: summary.blocks,
        events,
        lost: committed.saturating_sub(events),
        head: summary.head_hash.to_string(),
        kept_at: Some(kept_at),
        problem: report.message,
    })
}

fn from_database(dir: &Path, count: u64, target: &Path) -> Result<JournalSummary, JournalError> {
    let reader = JournalReader::open(dir)?;
    let mut writer = JournalWriter::create(target, run_id(&reader)?)?;
    let (mut blocks, mut block) = (reader.blocks(), Block::default());
    for _ in 0..count {
        blocks.next_block(&mut block)?;
        writer.append(&block)?;
        same_head(target, block.first_seq, blocks.head(), writer.head())?;
    }
    writer.finish()
}

fn from_raw(file: &Path, chain: &[salvage::Found], target: &Path) -> Result<JournalSummary, JournalError> {
    let mut database = File::open(file).map_err(failed(file, "opening the database file"))?;
    let run_id = chain.first().map_or([0; 32], |found| found.header.id.0);
    let mut writer = JournalWriter::create(target, run_id)?;
    let (mut decoder, mut block) = (Decoder::new(), Block::default());
    for found in chain {
        let frame = salvage::read(&mut database, found).map_err(failed(file, "reading a block"))?;
        let (_, hash) = decoder.decode(&frame, &mut block).map_err(|source: CodecError| {
            JournalError::Block { path: file.display().to_string(), seq: found.header.first_seq, source }
        })?;
        writer.append(&block)?;
        same_head(target, block.first_seq, hash, writer.head())?;
    }
    writer.finish()
}

/// A kept block must hash as it did: the repaired journal has the old one's heads.
fn same_head(target: &Path, seq: u64, was: Hash, is: Hash) -> Result<(), JournalError> {
    if was == is {
        return Ok(());
    }
    let problem = format!("the block hashes to {is} when written again, it was {was}");
    Err(JournalError::Chain { path: target.display().to_string(), seq, problem })
}

/// Puts the repaired journal in the damaged one's place; returns where that went.
fn swap(dir: &Path, target: &Path) -> Result<PathBuf, JournalError> {
    let free = |path: &PathBuf| !path.exists();
    let numbered = (2..).map(|n| sibling(dir, &format!("damaged-{n}")));
    let kept_at = std::iter::once(sibling(dir, "damaged")).chain(numbered).find(free);
    let kept_at = kept_at.expect("some number is free");
    fs::rename(dir, &kept_at).map_err(failed(dir, "setting the damaged journal aside"))?;
    fs::rename(target, dir).map_err(failed(target, "putting the repaired journal in place"))?;
    let parent = crate::folder::parent(dir);
    crate::folder::sync(parent).map_err(failed(parent, "syncing the folder"))?;
    Ok(kept_at)
}

fn sibling(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(suffix);
    dir.with_file_name(name)
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.display().to_string();
    move |error| JournalError::Failed { path, what, problem: error.to_string() }
}
