//! Writing: blocks become frames, frames become values, commits become anchors.

use crate::ahead::{AREA, Ahead};
use crate::anchor::{Anchor, AnchorFile};
use crate::copy::is_in_use;
use crate::error::JournalError;
use crate::hashes::{HashOnly, JournalSummary};
use crate::live::LiveLog;
use crate::snapshots::Snapshot;
use crate::store::{SledStore, Store, Tree};
use onetape_engine::block::Block;
use onetape_tape::codec::Hash;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Newest version of the journal's layout: 1 holds its inputs, 2 refers to a session's.
pub const JOURNAL_VERSION: u32 = 2;
/// Key of the run header in the meta tree.
pub(crate) const HEADER_KEY: &[u8] = b"run";
/// The database's folder within the journal's.
pub(crate) const DB_FOLDER: &str = "db";
/// The anchor's file within the journal's folder.
pub(crate) const ANCHOR_FILE: &str = "anchor";

/// Openings after which a database that still changes is given up.
const OPENINGS_MAX: u32 = 16;
/// Longest wait for sled's threads at closing.
const REST_MAX: Duration = Duration::from_secs(60);

/// What a journal says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHeader {
    /// Layout, see [`JOURNAL_VERSION`].
    pub version: u32,
    /// Run id, hex.
    pub run_id: String,
    /// Version of the program.
    pub program: String,
    /// Content hash of the session that its blocks refer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Hash>,
}

/// Appends blocks to a journal.
pub struct JournalWriter {
    pub(crate) store: Box<dyn Store>,
    anchor: Option<AnchorFile>,
    hashes: HashOnly,
    /// What the next [`JournalWriter::append_awaited`] writes; `None` where nobody waits for single blocks.
    ahead: Option<Ahead>,
    commits: u64,
    next_seq: u64,
    failure: Option<JournalError>,
    /// Where to put the seal; `None` over a bare store.
    dir: Option<PathBuf>,
    /// `next_seq`, for those who read beside the writer.
    sealed: Arc<AtomicU64>,
}

impl std::fmt::Debug for JournalWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalWriter")
            .field("next_seq", &self.next_seq)
            .field("commits", &self.commits)
            .finish()
    }
}

impl JournalWriter {
    /// Creates a journal in `dir`, which must not hold one.
    ///
    /// # Errors
    /// When the folder holds a journal or cannot be written.
    pub fn create(dir: &Path, run_id: [u8; 32]) -> Result<JournalWriter, JournalError> {
        JournalWriter::create_for(dir, run_id, None)
    }

    /// Creates a journal of a replay that refers to the inputs of the session of this content hash.
    ///
    /// # Errors
    /// As [`JournalWriter::create`].
    pub fn create_referring(
        dir: &Path,
        run_id: [u8; 32],
        session: Hash,
    ) -> Result<JournalWriter, JournalError> {
        JournalWriter::create_for(dir, run_id, Some(session))
    }

    pub(crate) fn create_for(
        dir: &Path,
        run_id: [u8; 32],
        session: Option<Hash>,
    ) -> Result<JournalWriter, JournalError> {
        let failed = |problem: String| JournalError::Failed {
            path: dir.display().to_string(),
            what: "creating the journal",
            problem,
        };
        crate::folder::create(dir).map_err(|e| failed(e.to_string()))?;
        let anchor = AnchorFile::create(&dir.join(ANCHOR_FILE))?;
        let store = SledStore::open(&dir.join(DB_FOLDER))?;
        // sled syncs neither its configuration nor any name; without them its log is lost.
        crate::folder::sync_below(&dir.join(DB_FOLDER)).map_err(|e| failed(e.to_string()))?;
        crate::folder::sync(dir).map_err(|e| failed(e.to_string()))?;
        let writer = JournalWriter::over(Box::new(store), Some(anchor), run_id, session)?;
        Ok(JournalWriter { dir: Some(dir.to_path_buf()), ..writer })
    }

    /// The writer of a journal in `dir` that was read up to its last intact block.
    pub(crate) fn recovered(
        dir: &Path,
        store: Box<dyn Store>,
        anchor: Anchor,
        hashes: HashOnly,
    ) -> Result<JournalWriter, JournalError> {
        let next_seq = hashes.summary.inputs + hashes.summary.derived;
        Ok(JournalWriter {
            store,
            anchor: Some(AnchorFile::open(&dir.join(ANCHOR_FILE))?),
            hashes,
            ahead: None,
            commits: anchor.count,
            next_seq,
            failure: None,
            dir: Some(dir.to_path_buf()),
            sealed: Arc::new(AtomicU64::new(next_seq)),
        })
    }

    /// A journal over any store, without an anchor file.
    ///
    /// # Errors
    /// When the store refuses the run header.
    pub fn over_store(store: Box<dyn Store>, run_id: [u8; 32]) -> Result<JournalWriter, JournalError> {
        JournalWriter::over(store, None, run_id, None)
    }

    fn over(
        mut store: Box<dyn Store>,
        anchor: Option<AnchorFile>,
        run_id: [u8; 32],
        session: Option<Hash>,
    ) -> Result<JournalWriter, JournalError> {
        let header = RunHeader {
            // A program that knows no references says so at once.
            version: if session.is_some() { JOURNAL_VERSION } else { 1 },
            run_id: Hash(run_id).to_string(),
            program: env!("CARGO_PKG_VERSION").to_string(),
            session,
        };
        let bytes = serde_json::to_vec(&header).expect("a run header is plain fields");
        store.put(Tree::Meta, HEADER_KEY, &bytes)?;
        let hashes = match session {
            Some(session) => HashOnly::new(run_id).referring(session),
            None => HashOnly::new(run_id),
        };
        Ok(JournalWriter {
            store,
            anchor,
            hashes,
            ahead: None,
            commits: 0,
            next_seq: 0,
            failure: None,
            dir: None,
            sealed: Arc::default(),
        })
    }

    /// Appends a block; durable after the next [`JournalWriter::commit`].
    ///
    /// # Errors
    /// A block out of place or not encodable, or a failed write: latched.
    pub fn append(&mut self, block: &Block) -> Result<(), JournalError> {
        self.latched(|writer| writer.append_unlatched(block))
    }

    fn latched(
        &mut self,
        operation: impl FnOnce(&mut JournalWriter) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        operation(self).inspect_err(|error| self.failure = Some(error.clone()))
    }

    fn append_unlatched(&mut self, block: &Block) -> Result<(), JournalError> {
        assert_eq!(block.first_seq, self.next_seq, "blocks are appended in log order");
        self.hashes.append(block)?;
        if let Some(ahead) = &mut self.ahead {
            ahead.push(self.next_seq, &self.hashes.frame);
        }
        self.put_frame(block.len() as u64)
    }

    /// Appends a block that someone waits for: `then` is called as soon as the block and all before it are durable,
    /// in the write-ahead area where there is one. The database takes the block afterwards.
    ///
    /// # Errors
    /// As [`JournalWriter::append`] and [`JournalWriter::commit`], and what `then` returns: latched.
    pub fn append_awaited(
        &mut self,
        block: &Block,
        then: impl FnOnce() -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        self.latched(|writer| {
            assert_eq!(block.first_seq, writer.next_seq, "blocks are appended in log order");
            writer.hashes.append(block)?;
            let mut is_durable = false;
            if let Some(ahead) = &mut writer.ahead {
                ahead.push(writer.next_seq, &writer.hashes.frame);
                if let Some((at, pages)) = ahead.pages() {
                    writer.store.write_ahead(at, pages)?;
                    ahead.written();
                    is_durable = true;
                }
            }
            if is_durable {
                then()?;
                return writer.put_frame(block.len() as u64);
            }
            writer.put_frame(block.len() as u64)?;
            writer.commit_unlatched()?;
            then()
        })
    }

    /// Appends a block's frame as it is, which must be of this run and follow the last one; durable after the
    /// next [`JournalWriter::commit`]. For journals that are written again from their own bytes.
    ///
    /// # Errors
    /// A frame that is damaged or out of place, or a failed write: latched.
    pub(crate) fn append_frame(&mut self, frame: &[u8]) -> Result<(), JournalError> {
        self.latched(|writer| {
            let header = writer.hashes.append_frame(frame)?;
            writer.put_frame(header.len())
        })
    }

    /// Stores the frame in the buffer.
    fn put_frame(&mut self, length: u64) -> Result<(), JournalError> {
        let (seq, store) = (self.next_seq, &mut self.store);
        crate::chunk::split(&self.hashes.frame, seq, |part, value| {
            store.put(Tree::Blocks, &block_key(seq, part), value)
        })?;
        self.next_seq += length;
        self.sealed.store(self.next_seq, Ordering::Release);
        Ok(())
    }

    /// Stores a snapshot; durable after the next [`JournalWriter::commit`].
    ///
    /// # Errors
    /// A failed write: latched.
    pub fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), JournalError> {
        self.latched(|writer| crate::snapshots::put(writer.store.as_mut(), snapshot))
    }

    /// The sealed blocks, to read beside this writer. Every handle must be gone before
    /// [`JournalWriter::finish`], which closes the database.
    ///
    /// # Errors
    /// When the store fails.
    pub fn live_log(&self) -> Result<LiveLog, JournalError> {
        let header = self.store.get(Tree::Meta, HEADER_KEY)?;
        let header = header.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let header = header.ok_or_else(|| JournalError::Unreadable {
            path: "the live journal".to_string(),
            problem: "it has no run header".to_string(),
        })?;
        Ok(LiveLog::new(self.store.share(), Arc::clone(&self.sealed), header))
    }

    /// Seq that the next block must begin with.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Hash of the last block appended, zero before the first.
    pub fn head(&self) -> Hash {
        self.hashes.summary.head_hash
    }

    /// Makes everything appended durable, then moves the anchor.
    ///
    /// # Errors
    /// A failed flush, sync or anchor write: latched.
    pub fn commit(&mut self) -> Result<(), JournalError> {
        self.latched(JournalWriter::commit_unlatched)
    }

    fn commit_unlatched(&mut self) -> Result<(), JournalError> {
        self.store.commit()?;
        self.commits += 1;
        let hash = self.hashes.summary.head_hash;
        let anchor = Anchor { count: self.commits, seq: self.next_seq, hash };
        self.anchor.as_mut().map_or(Ok(()), |file| file.write(anchor))?;
        if let Some(ahead) = &mut self.ahead {
            ahead.restart();
        }
        Ok(())
    }

    /// Reserves the write-ahead area, for [`JournalWriter::append_awaited`].
    ///
    /// # Errors
    /// No space, or a failed write: latched.
    pub fn open_ahead(&mut self) -> Result<(), JournalError> {
        self.latched(|writer| {
            writer.store.reserve_ahead(AREA)?;
            writer.ahead = Some(Ahead::default());
            // What was appended before is in no batch.
            writer.commit_unlatched()
        })
    }

    /// Commits, closes and seals.
    ///
    /// # Errors
    /// A failed commit, or a file that cannot be sealed.
    pub fn finish(mut self) -> Result<JournalSummary, JournalError> {
        self.commit()?;
        if self.ahead.is_some() {
            self.store.reserve_ahead(0)?;
        }
        let mut summary = JournalSummary { stored_bytes: self.store.bytes(), ..self.hashes.summary() };
        let JournalWriter { store, anchor, dir, .. } = self;
        drop((store, anchor));
        if let Some(dir) = dir {
            summary.stored_bytes = settle(&dir)?;
            crate::seal::write(&dir, &summary)?;
        }
        Ok(summary)
    }
}

/// Opens and closes a closed database until that leaves every byte as it is, so that the seal stays true while
/// the journal is read; returns its bytes. Usually the first opening changes files and the second does not.
fn settle(dir: &Path) -> Result<u64, JournalError> {
    let db = dir.join(DB_FOLDER);
    let failed = |problem: &str| JournalError::Failed {
        path: db.display().to_string(),
        what: "closing the database",
        problem: problem.to_string(),
    };
    // sled's threads may hold the files a while longer on a busy machine; until then they may write.
    let rest = || {
        let deadline = Instant::now() + REST_MAX;
        while is_in_use(&db) {
            if Instant::now() > deadline {
                return Err(failed("its threads do not let go of the files"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    let mut files = None;
    for _ in 0..OPENINGS_MAX {
        rest()?;
        let store = SledStore::open(&db)?;
        let bytes = store.bytes();
        drop(store);
        rest()?;
        let found = crate::seal::files(&db)?;
        if files.as_ref() == Some(&found) {
            return Ok(bytes);
        }
        files = Some(found);
    }
    Err(failed("opening it changes its files again and again"))
}

/// Key of a block's part: both big-endian, so that keys sort in log order.
pub(crate) fn block_key(first_seq: u64, part: usize) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&first_seq.to_be_bytes());
    let part = u16::try_from(part).expect("a frame is bounded far below 65,536 parts");
    key[8..].copy_from_slice(&part.to_be_bytes());
    key
}
