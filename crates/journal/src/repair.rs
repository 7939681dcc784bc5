//! Making a readable journal out of a damaged or unclosed one.
//!
//! Nothing is invented and nothing is thrown away: the longest intact chain from the log's
//! beginning becomes a new, sealed journal under the old name, and the damaged folder is kept
//! beside it. The chain is looked for twice, through the database and in its raw file, and
//! the longer one is taken.

use crate::Anchor;
use crate::ahead::Promised;
use crate::copy::is_in_use;
use crate::error::JournalError;
use crate::hashes::JournalSummary;
use crate::reader::{FindSession, JournalReader};
use crate::salvage;
use crate::store::AHEAD_FILE;
use crate::writer::{ANCHOR_FILE, DB_FOLDER, JournalWriter};
use onetape_engine::block::Block;
use onetape_tape::codec::{Decoder, Hash};
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
    rewrite_with(from, to, &|_| Ok(None), &mut edit)
}

/// As [`rewrite`], of a journal that refers to the session that `find` finds; its inputs can not be edited.
///
/// # Errors
/// As [`rewrite`].
pub fn rewrite_with(
    from: &Path,
    to: &Path,
    find: FindSession<'_>,
    edit: &mut dyn FnMut(&mut Block),
) -> Result<JournalSummary, JournalError> {
    let reader = JournalReader::open_with(from, find)?;
    let mut writer = JournalWriter::create_for(to, run_id(&reader)?, reader.header().session)?;
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
    let run = chain.first().map(|found| found.header.id);
    let area = match fs::read(db.join(AHEAD_FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        // It may hold orders that left: a repair without it must be asked for.
        read => read.map_err(failed(
            &db.join(AHEAD_FILE),
            "reading the write-ahead area (move it away to do without)",
        ))?,
    };
    let ahead = Promised::read(area, run);
    let summary = if ahead.reach(salvaged) > report.events {
        from_raw(&db.join("db"), &chain, &ahead, &target)?
    } else if report.blocks > 0 {
        from_database(dir, report.blocks, &target)?
    } else {
        let problem = format!("no intact block was found ({})", report.message);
        return Err(JournalError::Unreadable { path, problem });
    };
    let events = summary.inputs + summary.derived;
    let committed = Anchor::read(&dir.join(ANCHOR_FILE))?.map_or(0, |anchor| anchor.seq).max(ahead.end());
    let kept_at = swap(dir, &target)?;
    keep_time(&kept_at, dir);
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
    let mut writer = JournalWriter::create_for(target, run_id(&reader)?, reader.header().session)?;
    let mut blocks = reader.blocks();
    for _ in 0..count {
        blocks.next_frame()?;
        writer.append_frame(blocks.frame())?;
    }
    writer.finish()
}

/// From the blocks in the raw file, and those that only the write-ahead area holds.
fn from_raw(
    file: &Path,
    chain: &[salvage::Found],
    ahead: &Promised,
    target: &Path,
) -> Result<JournalSummary, JournalError> {
    let mut database = File::open(file).map_err(failed(file, "opening the database file"))?;
    let first = chain.first().map(|found| found.header).or(ahead.frame(0).map(|(header, _)| *header));
    let run_id = first.map_or([0; 32], |header| header.id.0);
    let (mut decoder, mut block, mut writer) = (Decoder::new(), Block::default(), None);
    for found in chain {
        let frame = salvage::read(&mut database, found).map_err(failed(file, "reading a block"))?;
        let (_, _, references) = decoder.decode_parts(&frame, &mut block).map_err(|source| {
            JournalError::Block { path: file.display().to_string(), seq: found.header.first_seq, source }
        })?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => {
                let session = references.map(|references| references.session);
                writer.insert(JournalWriter::create_for(target, run_id, session)?)
            }
        };
        writer.append_frame(&frame)?;
    }
    let mut writer = match writer {
        Some(writer) => writer,
        None => JournalWriter::create(target, run_id)?,
    };
    while let Some((_, frame)) = ahead.frame(writer.next_seq()) {
        writer.append_frame(frame)?;
    }
    writer.finish()
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

/// The anchor's time says when the run was last written: a run that goes on tells its strategy how long it was
/// silent. Without it the gap is counted from the repair.
fn keep_time(from: &Path, to: &Path) {
    let written = fs::metadata(from.join(ANCHOR_FILE)).and_then(|metadata| metadata.modified());
    let anchor = File::options().write(true).open(to.join(ANCHOR_FILE));
    if let (Ok(written), Ok(anchor)) = (written, anchor) {
        anchor.set_modified(written).ok();
    }
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
