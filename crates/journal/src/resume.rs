//! Going on with a journal whose process died.

use crate::anchor::Anchor;
use crate::error::JournalError;
use crate::hashes::HashOnly;
use crate::reader::JournalReader;
use crate::seal::SealState;
use crate::snapshots::Snapshot;
use crate::store::{Pair, SledStore, Tree};
use crate::writer::{ANCHOR_FILE, DB_FOLDER, JournalWriter, block_key};
use onetape_engine::block::Block;
use onetape_engine::record::{Kind, flags};
use onetape_tape::codec::Hash;
use std::path::Path;

/// Takes in what a journal holds when it is opened to go on.
pub trait Recovery {
    /// What may go wrong.
    type Error: From<JournalError>;

    /// Called first, with the first block and the stored snapshots, newest first.
    ///
    /// # Errors
    /// When the run is not this program's to go on with.
    fn begin(
        &mut self,
        first: &Block,
        snapshots: &mut dyn Iterator<Item = Snapshot>,
    ) -> Result<(), Self::Error>;

    /// Called with every intact block in order and the hash of the block before it.
    ///
    /// # Errors
    /// When the block is not what its inputs derive.
    fn block(&mut self, block: &Block, previous: Hash) -> Result<(), Self::Error>;
}

impl JournalWriter {
    /// Opens a journal whose process died, to go on where it ended; also one that was repaired since, whose seal is
    /// superseded then: it is kept as a file of the journal. Whether a run ended its log says, not the seal. Each intact block goes to `recovery`,
    /// in order; what follows them was never promised to anyone and is removed.
    ///
    /// # Errors
    /// The run ended, or the journal is in use, unreadable, never committed, or shorter than its anchor, or `recovery` fails.
    pub fn resume<R: Recovery>(dir: &Path, recovery: &mut R) -> Result<JournalWriter, R::Error> {
        let path = dir.display().to_string();
        if !dir.join(DB_FOLDER).join("db").is_file() {
            return Err(JournalError::Missing { path }.into());
        }
        match crate::seal::check_seal(dir)? {
            SealState::Missing => {}
            SealState::Intact(_) => supersede_seal(dir)?,
            SealState::Broken(problem) => return Err(JournalError::Unreadable { path, problem }.into()),
        }
        let anchor_path = dir.join(ANCHOR_FILE);
        let anchor = Anchor::read(&anchor_path)?.ok_or(JournalError::Uncommitted { path: path.clone() })?;
        let store = SledStore::open(&dir.join(DB_FOLDER))?;
        let reader = JournalReader::over(Box::new(store), Some(anchor), path.clone())?;
        if reader.header().session.is_some() {
            let problem = "it is a replay's, whose inputs are a session's: replay that again".to_string();
            return Err(JournalError::Unreadable { path, problem }.into());
        }
        let hashes = walk(&reader, anchor, recovery)?;
        let next_seq = hashes.summary.inputs + hashes.summary.derived;
        let mut store = reader.into_store();
        for tree in [Tree::Blocks, Tree::Snapshots] {
            let stray: Result<Vec<Pair>, JournalError> =
                store.iterate(tree, &block_key(next_seq, 0)).collect();
            for (key, _) in stray? {
                store.remove(tree, &key)?;
            }
        }
        let mut writer = JournalWriter::recovered(dir, store, anchor, hashes)?;
        writer.commit()?;
        // The database holds what the write-ahead area did; a batch of the dead process must not meet those to come.
        writer.store.reserve_ahead(0)?;
        Ok(writer)
    }
}

/// Takes the seal off a repaired journal of a run that did not end.
fn supersede_seal(dir: &Path) -> Result<(), JournalError> {
    let reader = JournalReader::open(dir)?;
    if reader.header().session.is_some() || has_ended(&reader)? {
        return Err(JournalError::Closed { path: reader.path().to_string() });
    }
    drop(reader);
    crate::seal::supersede(dir)
}

/// Whether the last input is the one that ends a run.
fn has_ended(reader: &JournalReader) -> Result<bool, JournalError> {
    let (mut blocks, mut block, mut ended) = (reader.blocks(), Block::default(), false);
    while blocks.next_block(&mut block)? {
        let last = block.inputs.last();
        ended = last.is_some_and(|last| last.kind == Kind::Seal as u8 && last.has(flags::END));
    }
    Ok(ended)
}

/// Hands every intact block on and hashes it again; the anchor's promise must hold.
fn walk<R: Recovery>(reader: &JournalReader, anchor: Anchor, recovery: &mut R) -> Result<HashOnly, R::Error> {
    let id: Hash = reader.header().run_id.parse().map_err(|_| JournalError::Unreadable {
        path: reader.path().to_string(),
        problem: "its run header holds no run id".to_string(),
    })?;
    let mut hashes = HashOnly::new(id.0);
    let (mut blocks, mut block) = (reader.blocks(), Block::default());
    let mut at_anchor = None;
    loop {
        let (next_seq, previous) = (blocks.next_seq(), blocks.head());
        if next_seq == anchor.seq {
            at_anchor = Some(previous);
        }
        match blocks.next_block(&mut block) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if next_seq < reader.promised() => return Err(error.into()),
            // Behind the anchor begins what no one was told is safe.
            Err(_) if next_seq >= anchor.seq => break,
            Err(error) => return Err(error.into()),
        }
        hashes.append(&block)?;
        if next_seq == 0 {
            recovery.begin(&block, &mut crate::snapshots::newest_first(reader.store())?)?;
        }
        recovery.block(&block, previous)?;
    }
    if let Some((seq, problem)) = reader.ahead_problem(blocks.next_seq()) {
        return Err(JournalError::Chain { path: reader.path().to_string(), seq, problem }.into());
    }
    if at_anchor != Some(anchor.hash) {
        let problem = format!("the anchor promises {} events that the blocks do not hold", anchor.seq);
        let (path, seq) = (reader.path().to_string(), blocks.next_seq());
        return Err(JournalError::Chain { path, seq, problem }.into());
    }
    Ok(hashes)
}
