//! Writing: blocks become frames, frames become values, commits become anchors.

use crate::anchor::{Anchor, AnchorFile};
use crate::blocks::block_error;
use crate::copy::is_in_use;
use crate::error::JournalError;
use crate::live::LiveLog;
use crate::reader::JournalReader;
use crate::refer::Referrer;
use crate::seal::SealState;
use crate::snapshots::Snapshot;
use crate::store::{Pair, SledStore, Store, Tree};
use onetape_engine::block::Block;
use onetape_engine::record::{Kind, flags};
use onetape_tape::codec::{Encoder, HEADER_LEN, Hash, Header, check_frame};
use serde::{Deserialize, Serialize};
use std::ops::Range;
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

/// Totals of a finished journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalSummary {
    /// Hash of the last block: fixes every byte before it.
    pub head_hash: Hash,
    /// BLAKE3 over the derived lanes alone: equal in every journal mode.
    pub derived_hash: Hash,
    /// Inputs.
    pub inputs: u64,
    /// Derived events.
    pub derived: u64,
    /// Blocks.
    pub blocks: u64,
    /// Bytes of all frames.
    pub frame_bytes: u64,
    /// Bytes of the database file.
    pub stored_bytes: u64,
}

/// Hashes sealed blocks the way a journal does, storing nothing (journal mode `off`).
#[derive(Debug)]
pub struct HashOnly {
    encoder: Encoder,
    /// In mode `refs`.
    referrer: Option<Referrer>,
    id: Hash,
    frame: Vec<u8>,
    derived: blake3::Hasher,
    summary: JournalSummary,
}

impl HashOnly {
    /// For a run of this id.
    pub fn new(run_id: [u8; 32]) -> HashOnly {
        HashOnly {
            encoder: Encoder::new(),
            referrer: None,
            id: Hash(run_id),
            frame: Vec::new(),
            derived: blake3::Hasher::new(),
            summary: JournalSummary::default(),
        }
    }

    /// As a journal does that refers to the inputs of a session (mode `refs`).
    #[must_use]
    pub fn referring(mut self, session: Hash) -> HashOnly {
        self.referrer = Some(Referrer::new(session));
        self
    }

    /// Takes a block into the hashes; its frame stays in the buffer until the next.
    ///
    /// # Errors
    /// When the block cannot be encoded.
    pub fn append(&mut self, block: &Block) -> Result<(), JournalError> {
        let HashOnly { encoder, referrer, id, frame, summary, .. } = self;
        let sealed = match referrer {
            None => encoder.encode(block, id, &summary.head_hash, frame),
            Some(referrer) => {
                let references = referrer.refer(block);
                encoder.encode_referring(block, &references, id, &summary.head_hash, frame)
            }
        };
        let sealed = sealed.map_err(|source| block_error("the run", block.first_seq, source))?;
        self.enter(&sealed.header, sealed.hash, sealed.derived);
        Ok(())
    }

    /// Takes a block's frame into the hashes as it is.
    fn append_frame(&mut self, frame: &[u8]) -> Result<Header, JournalError> {
        let at = |seq| move |source| block_error("the run", seq, source);
        let seq = self.summary.inputs + self.summary.derived;
        let (header, hash) = check_frame(frame).map_err(at(seq))?;
        let follows = header.previous == self.summary.head_hash && header.first_seq == seq;
        if !follows || header.id != self.id {
            let problem = "the block does not follow the one before it, or is of another run".to_string();
            return Err(JournalError::Chain { path: "the run".to_string(), seq, problem });
        }
        self.frame.clear();
        self.frame.extend_from_slice(frame);
        let start = HEADER_LEN + header.inputs_len as usize + header.cold_len as usize;
        self.enter(&header, hash, start..start + header.derived_len as usize);
        Ok(header)
    }

    /// Counts the block whose frame is in the buffer.
    fn enter(&mut self, header: &Header, hash: Hash, derived: Range<usize>) {
        self.derived.update(&self.frame[derived]);
        self.summary.head_hash = hash;
        self.summary.inputs += u64::from(header.inputs);
        self.summary.derived += u64::from(header.derived);
        self.summary.blocks += 1;
        self.summary.frame_bytes += self.frame.len() as u64;
    }

    /// The totals so far.
    pub fn summary(&self) -> JournalSummary {
        JournalSummary { derived_hash: Hash(*self.derived.finalize().as_bytes()), ..self.summary }
    }
}

/// Appends blocks to a journal.
pub struct JournalWriter {
    store: Box<dyn Store>,
    anchor: Option<AnchorFile>,
    hashes: HashOnly,
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
        let mut writer = JournalWriter {
            store,
            anchor: Some(AnchorFile::open(&anchor_path)?),
            hashes,
            commits: anchor.count,
            next_seq,
            failure: None,
            dir: Some(dir.to_path_buf()),
            sealed: Arc::new(AtomicU64::new(next_seq)),
        };
        writer.commit()?;
        Ok(writer)
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
        let hashes = HashOnly { referrer: session.map(Referrer::new), ..HashOnly::new(run_id) };
        Ok(JournalWriter {
            store,
            anchor,
            hashes,
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
        self.put_frame(block.len() as u64)
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
        self.latched(|writer| {
            writer.store.commit()?;
            writer.commits += 1;
            let anchor =
                Anchor { count: writer.commits, seq: writer.next_seq, hash: writer.hashes.summary.head_hash };
            writer.anchor.as_mut().map_or(Ok(()), |file| file.write(anchor))
        })
    }

    /// Commits, closes and seals.
    ///
    /// # Errors
    /// A failed commit, or a file that cannot be sealed.
    pub fn finish(mut self) -> Result<JournalSummary, JournalError> {
        self.commit()?;
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
    if at_anchor != Some(anchor.hash) {
        let problem = format!("the anchor promises {} events that the blocks do not hold", anchor.seq);
        let (path, seq) = (reader.path().to_string(), blocks.next_seq());
        return Err(JournalError::Chain { path, seq, problem }.into());
    }
    Ok(hashes)
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
