//! Reading and verifying a journal.
//!
//! A finished journal is compared with its SEAL first. Every journal is read from a copy: opening a database
//! rewrites parts of it, now and then also of one that its last two openings left as it was.

use crate::ahead::Promised;
use crate::anchor::Anchor;
use crate::blocks::{Blocks, Chain, SessionInputs};
use crate::copy::{DatabaseCopy, is_in_use};
use crate::error::JournalError;
use crate::seal::{Seal, SealState, check_seal};
use crate::store::{SledStore, Store, Tree};
use crate::tail::{TailClient, Tailed};
use crate::writer::{ANCHOR_FILE, DB_FOLDER, HEADER_KEY, JOURNAL_VERSION, RunHeader};
use onetape_engine::block::Block;
use onetape_tape::codec::Hash;
use onetape_tape::session::SessionPlace;
use serde::Serialize;
use std::path::Path;

/// Result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Whether everything fits.
    pub ok: bool,
    /// Whether the journal was closed and every file is as it was then.
    pub sealed: bool,
    /// Inputs and derived events in intact blocks.
    pub events: u64,
    /// Intact blocks.
    pub blocks: u64,
    /// Seq of the first block that does not fit.
    pub first_bad_seq: Option<u64>,
    /// What was found, for a person.
    pub message: String,
    /// Hash of the last intact block.
    pub head: String,
    /// BLAKE3 over the derived lanes of the intact blocks.
    pub derived_hash: String,
    /// Session that the journal refers to and that was not at hand: its inputs are not checked.
    pub unchecked_session: Option<String>,
}

/// A journal open for reading.
pub struct JournalReader {
    // Declared before `_copy`, so that the database closes before its files go.
    store: Box<dyn Store>,
    _copy: Option<DatabaseCopy>,
    header: RunHeader,
    anchor: Option<Anchor>,
    /// What the write-ahead area held; its blocks are in the store.
    ahead: Promised,
    seal: SealState,
    path: String,
    /// The session that its blocks refer to, checked whole.
    session: Option<SessionPlace>,
}

impl std::fmt::Debug for JournalReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalReader").field("path", &self.path).field("anchor", &self.anchor).finish()
    }
}

/// Verifies the journal folder of a run, also one whose database no longer opens. Inputs that it refers to are
/// not checked: see [`verify_with`].
///
/// # Errors
/// Missing, in use, or of another version; damage is a report, not an error.
pub fn verify(dir: &Path) -> Result<VerifyReport, JournalError> {
    verify_with(dir, &|_| Ok(None), |_| {})
}

/// As [`verify`], with the session that `find` finds for a journal that refers to one; `visit` sees every whole
/// block that fits, in order.
///
/// # Errors
/// As [`verify`]; what `find` reports, and a session that is another or was changed.
pub fn verify_with(
    dir: &Path,
    find: FindSession<'_>,
    visit: impl FnMut(&Block),
) -> Result<VerifyReport, JournalError> {
    let problem = match JournalReader::open_with(dir, find) {
        Ok(reader) => return Ok(reader.verify_with(visit)),
        Err(JournalError::Unreadable { problem, .. }) => problem,
        Err(error @ JournalError::Failed { .. }) => error.to_string(),
        Err(error) => return Err(error),
    };
    let message = match check_seal(dir)? {
        SealState::Broken(what) => format!("{}: {what}; {problem}", dir.display()),
        _ => format!("{}: {problem}", dir.display()),
    };
    Ok(VerifyReport {
        ok: false,
        sealed: false,
        events: 0,
        blocks: 0,
        first_bad_seq: Some(0),
        message,
        head: Hash::ZERO.to_string(),
        derived_hash: Hash::of(&[]).to_string(),
        unchecked_session: None,
    })
}

/// Finds the session of a content hash; `None` when it is not at hand.
pub type FindSession<'a> = &'a dyn Fn(Hash) -> Result<Option<SessionPlace>, JournalError>;

impl JournalReader {
    /// Opens the journal folder of a run; when it refers to a session, with the one that `find` finds.
    ///
    /// # Errors
    /// As [`JournalReader::open`]; what `find` reports, and a session that is another or was changed.
    pub fn open_with(dir: &Path, find: FindSession<'_>) -> Result<JournalReader, JournalError> {
        let mut reader = JournalReader::open(dir)?;
        if let Some(place) = reader.header.session.map(find).transpose()?.flatten() {
            reader.attach(place)?;
        }
        Ok(reader)
    }

    /// Gives the journal the session that it refers to, which is checked whole, block for block.
    fn attach(&mut self, place: SessionPlace) -> Result<(), JournalError> {
        let error =
            |error: onetape_tape::session::SessionError| JournalError::Session { problem: error.to_string() };
        let mut session = place.open().map_err(error)?;
        let found = session.manifest().content_hash;
        if let Some(wanted) = self.header.session.filter(|wanted| *wanted != found) {
            let (place, session, found) = (place.to_string(), wanted.to_string(), found.to_string());
            return Err(JournalError::OtherSession { place, session, found });
        }
        session.check().map_err(error)?;
        self.session = Some(place);
        Ok(())
    }

    /// Opens the journal folder of a run.
    ///
    /// # Errors
    /// Missing, in use, of another version, or unreadable.
    pub fn open(dir: &Path) -> Result<JournalReader, JournalError> {
        let path = dir.display().to_string();
        let db = dir.join(DB_FOLDER);
        if !db.join("db").is_file() {
            return Err(JournalError::Missing { path });
        }
        let seal = check_seal(dir)?;
        let is_intact = matches!(seal, SealState::Intact(_));
        let in_use = is_in_use(&db);
        // Nothing writes to a sealed journal, so whoever holds it reads, and a copy serves both.
        if in_use && !is_intact {
            return JournalReader::open_live(dir)?.ok_or(JournalError::InUse { path });
        }
        let anchor = Anchor::read(&dir.join(ANCHOR_FILE))?;
        let copy = DatabaseCopy::of(&db)?;
        let store = SledStore::open(copy.path());
        let store = store.map_err(|error| match error {
            JournalError::Unreadable { problem, .. } => {
                JournalError::Unreadable { path: path.clone(), problem }
            }
            error => error,
        })?;
        let reader = JournalReader::over(Box::new(store), anchor, path)?;
        Ok(JournalReader { seal, _copy: Some(copy), ..reader })
    }

    /// A copy of the blocks that the owner of a journal in use has sealed so far; `None` when it serves none.
    fn open_live(dir: &Path) -> Result<Option<JournalReader>, JournalError> {
        // The anchor first: what it names is among the blocks that the owner serves then.
        let anchor = Anchor::read(&dir.join(ANCHOR_FILE))?;
        let Some(run) = dir.parent() else { return Ok(None) };
        let Some(mut owner) = TailClient::connect(run, false)? else { return Ok(None) };
        let copy = DatabaseCopy::empty();
        let mut store = SledStore::open(copy.path())?;
        let header = serde_json::to_vec(owner.header()).expect("a run header is three plain fields");
        store.put(Tree::Meta, HEADER_KEY, &header)?;
        let mut frame = Vec::new();
        while let Tailed::Frame(header) = owner.read(&mut frame)? {
            crate::chunk::split(&frame, header.first_seq, |part, value| {
                store.put(Tree::Blocks, &crate::writer::block_key(header.first_seq, part), value)
            })?;
        }
        let reader = JournalReader::over(Box::new(store), anchor, dir.display().to_string())?;
        Ok(Some(JournalReader { _copy: Some(copy), ..reader }))
    }

    /// Reads a journal over any store.
    ///
    /// # Errors
    /// As [`JournalReader::open`].
    pub fn over(
        mut store: Box<dyn Store>,
        anchor: Option<Anchor>,
        path: String,
    ) -> Result<JournalReader, JournalError> {
        let unreadable =
            |problem: &str| JournalError::Unreadable { path: path.clone(), problem: problem.to_string() };
        let bytes = store.get(Tree::Meta, HEADER_KEY)?.ok_or_else(|| unreadable("it has no run header"))?;
        let header: RunHeader =
            serde_json::from_slice(&bytes).map_err(|_| unreadable("its run header is not readable"))?;
        if header.version > JOURNAL_VERSION {
            return Err(JournalError::Version { path, found: header.version, known: JOURNAL_VERSION });
        }
        let id = header.run_id.parse().map_err(|_| unreadable("its run header holds no run id"))?;
        let ahead = Promised::read(store.read_ahead()?, Some(id));
        if let Some(anchor) = anchor {
            ahead.put_into(store.as_mut(), anchor)?;
        }
        let seal = SealState::Missing;
        Ok(JournalReader { store, _copy: None, header, anchor, ahead, seal, path, session: None })
    }

    /// The values.
    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// Gives the store back.
    pub(crate) fn into_store(self) -> Box<dyn Store> {
        self.store
    }

    /// What the journal says of itself.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    /// The durable head, when the anchor is readable.
    pub fn anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    /// Seq up to which the write-ahead area promised blocks.
    pub(crate) fn promised(&self) -> u64 {
        self.ahead.end()
    }

    /// What the write-ahead area promised and blocks that end at `end` do not hold.
    pub(crate) fn ahead_problem(&self, end: u64) -> Option<(u64, String)> {
        let promised = self.promised();
        let problem =
            || format!("{promised} events were durable in the write-ahead area, only {end} are there");
        (promised > end).then(|| (end, problem()))
    }

    /// What the look at the SEAL found.
    pub fn seal(&self) -> &SealState {
        &self.seal
    }

    /// Where it lies, for messages.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The blocks in order, each checked against its hash and the chain; ends at the first error.
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks::of(&*self.store, &self.path, &self.header, self.session.as_ref())
    }

    /// Checks seal, chain, counts, hashes and the anchor.
    ///
    /// Of a journal that was never closed, blocks beyond the anchor count when they fit; what
    /// is damaged there was never promised to anyone.
    pub fn verify(&self) -> VerifyReport {
        self.verify_with(|_| {})
    }

    /// As [`JournalReader::verify`]; `visit` sees every block that fits, in order. Hashing and decoding run on
    /// other threads meanwhile.
    pub fn verify_with(&self, mut visit: impl FnMut(&Block)) -> VerifyReport {
        let mut count = 0;
        let mut chain = Chain::new(&self.path, &self.header);
        let inputs = SessionInputs::of(&self.path, self.session.as_ref());
        let is_at_anchor = |chain: &Chain<'_>| self.anchor.is_some_and(|anchor| anchor.seq == chain.next_seq);
        let mut at_anchor = is_at_anchor(&chain).then_some(chain.head);
        let failure = crate::scan::scan(&*self.store, &self.path, &mut chain, inputs, |chain, block| {
            count += 1;
            if is_at_anchor(chain) {
                at_anchor = Some(chain.head);
            }
            block.into_iter().for_each(&mut visit);
        });
        let failure = failure.map(|error| (chain.next_seq, error.to_string()));
        let end = End { next_seq: chain.next_seq, head: chain.head, at_anchor };
        let derived_hash = chain.derived_hash();
        let (failure, note) = self.judge(failure, &end, derived_hash);
        let events = end.next_seq;
        let unchecked_session = self.header.session.filter(|_| self.session.is_none()).map(|s| s.to_string());
        let unchecked = unchecked_session.as_ref().map_or(String::new(), |session| {
            format!("; its inputs are not checked: session {session} is not at hand (--session FOLDER)")
        });
        let fits = format!("{count} blocks, {events} events: chain, counts and anchor fit{note}{unchecked}");
        VerifyReport {
            ok: failure.is_none(),
            sealed: matches!(self.seal, SealState::Intact(_)),
            events,
            blocks: count,
            first_bad_seq: failure.as_ref().map(|(seq, _)| *seq),
            message: failure.map_or(fits, |(_, problem)| problem),
            head: end.head.to_string(),
            derived_hash: derived_hash.to_string(),
            unchecked_session,
        }
    }

    /// The first problem, or else a remark on how the journal ends.
    fn judge(
        &self,
        failure: Option<(u64, String)>,
        end: &End,
        derived_hash: Hash,
    ) -> (Option<(u64, String)>, String) {
        let path = &self.path;
        if let SealState::Broken(what) = &self.seal {
            let seen = match failure {
                Some((seq, problem)) => (seq, format!("{path}: {what}; {problem}")),
                None => (end.next_seq, format!("{path}: {what}; every block is intact")),
            };
            return (Some(seen), String::new());
        }
        let anchor_problem = self.anchor_problem(end);
        match &self.seal {
            SealState::Intact(seal) if failure.is_none() && anchor_problem.is_none() => {
                (seal_problem(path, seal, end, derived_hash), "; sealed".to_string())
            }
            SealState::Missing if anchor_problem.is_none() => match failure {
                // Behind the anchor begins what no one was told is safe.
                Some((seq, problem)) if self.anchor.is_some_and(|anchor| seq >= anchor.seq) => {
                    (None, format!("; not closed, and what follows was never committed ({problem})"))
                }
                failure => (failure, "; not closed".to_string()),
            },
            _ => (failure.or(anchor_problem), String::new()),
        }
    }

    fn anchor_problem(&self, end: &End) -> Option<(u64, String)> {
        let path = &self.path;
        let Some(anchor) = self.anchor else {
            let problem = "the anchor is missing or damaged: nothing says where the journal ends";
            return Some((end.next_seq, format!("{path}: {problem}")));
        };
        if anchor.seq > end.next_seq {
            let (promised, there) = (anchor.seq, end.next_seq);
            let problem =
                format!("{promised} events were committed, only {there} are there: the end was lost");
            return Some((there, format!("{path}: {problem}")));
        }
        if let Some((seq, problem)) = self.ahead_problem(end.next_seq) {
            return Some((seq, format!("{path}: {problem}")));
        }
        let is_same = end.at_anchor == Some(anchor.hash);
        let problem = "the anchor names another head: blocks were replaced";
        (!is_same).then(|| (anchor.seq, format!("{path}: {problem}")))
    }
}

/// Where a walk over the blocks ended.
struct End {
    next_seq: u64,
    head: Hash,
    /// Head at the anchor's seq, when a block ends there.
    at_anchor: Option<Hash>,
}

fn seal_problem(path: &str, seal: &Seal, end: &End, derived_hash: Hash) -> Option<(u64, String)> {
    let is_same = seal.head == end.head
        && seal.derived_hash == derived_hash
        && seal.inputs + seal.derived == end.next_seq;
    let problem = format!("the SEAL names head {}, the blocks end in {}", seal.head, end.head);
    (!is_same).then(|| (end.next_seq, format!("{path}: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::JournalThread;
    use crate::writer::JournalWriter;
    use onetape_engine::ids::InstrumentIx;
    use onetape_engine::num::Nanos;
    use onetape_engine::record::{Body, Head, Record};

    fn block(first_seq: u64, ticks: u64) -> Block {
        let tick = |n| Record::new(Head::at(Nanos(first_seq + n), InstrumentIx::NONE), Body::Tick);
        Block { first_seq, inputs: (0..ticks).map(tick).collect(), ..Block::default() }
    }

    #[test]
    fn what_was_written_is_read_back_and_verifies() {
        let dir = tempfile::tempdir().unwrap();
        let writer = JournalWriter::create(dir.path(), [7; 32]).unwrap();
        let mut thread = JournalThread::start(writer).unwrap();
        // 4,096 records of a block exceed one value and are chunked.
        let written: Vec<Block> = (0..5).map(|n| block(n * 4096, 4096)).collect();
        for block in &written {
            thread.put(block.clone()).unwrap();
        }
        let summary = thread.finish().unwrap().journal;
        assert_eq!((summary.blocks, summary.inputs), (5, 5 * 4096));
        let reader = JournalReader::open(dir.path()).unwrap();
        let report = reader.verify();
        assert!(report.ok, "{}", report.message);
        assert_eq!(report.head, summary.head_hash.to_string());
        assert_eq!(report.derived_hash, summary.derived_hash.to_string());
        assert_eq!(reader.blocks().collect::<Result<Vec<_>, _>>().unwrap(), written);
    }

    #[test]
    fn a_journal_that_is_open_is_in_use_and_an_empty_folder_is_no_journal() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(JournalReader::open(dir.path()), Err(JournalError::Missing { .. })));
        let _writer = JournalWriter::create(dir.path(), [7; 32]).unwrap();
        assert!(matches!(JournalReader::open(dir.path()), Err(JournalError::InUse { .. })));
    }
}
