//! Writing a session: whole or not at all.
//!
//! Everything goes to `<dir>.partial`, which is synced and renamed at the end. A writer
//! dropped before [`SessionWriter::finish`] removes what it wrote.

use super::{
    BLOCKS_FILE, FORMAT, FindingCount, MANIFEST_FILE, MANIFEST_VERSION, Manifest, Root, SessionError,
    SessionMeta,
};
use crate::codec::{Encoder, Hash};
use onetape_engine::block::{Block, INPUTS_MAX};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::{Cold, Input};
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Kind, Record, flags};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A written session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its manifest.
    pub manifest: Manifest,
    /// The folder held the same content before and was left as it was.
    pub unchanged: bool,
}

/// Writes a session record by record.
#[derive(Debug)]
pub struct SessionWriter {
    dir: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    meta: SessionMeta,
    encoder: Encoder,
    block: Block,
    frame: Vec<u8>,
    head_hash: Hash,
    blocks: u64,
    bytes: u64,
    inputs: u64,
    by_kind: [u64; 256],
    source_records: BTreeMap<String, u64>,
    first_ts: u64,
    last_ts: u64,
    symbols: HashSet<String>,
    trade_dates: BTreeSet<u32>,
    data_files: BTreeMap<String, Hash>,
    /// Symbol and kind by instrument, to name the underlying of an option.
    underlyings: BTreeMap<u32, String>,
    /// Instruments by symbol, kind (as a number) and underlying.
    roots: BTreeMap<(String, u8, Option<String>), Root>,
    quality: BTreeMap<String, FindingCount>,
    notes: BTreeMap<String, BufWriter<File>>,
    is_finished: bool,
}

impl SessionWriter {
    /// Begins a session that will appear at `dir`.
    ///
    /// # Errors
    /// `dir` exists and is not a session, or the folder beside it cannot be created.
    pub fn create(dir: &Path, meta: SessionMeta) -> Result<SessionWriter, SessionError> {
        if dir.exists() && !dir.join(MANIFEST_FILE).is_file() {
            let what = "is not a session".to_string();
            return Err(SessionError::Exists { path: dir.to_path_buf(), what });
        }
        let partial = partial_path(dir);
        if partial.exists() {
            // Left by a writer that was killed; it never became a session.
            fs::remove_dir_all(&partial).map_err(SessionError::io("remove", &partial))?;
        }
        fs::create_dir_all(&partial).map_err(SessionError::io("create", &partial))?;
        let path = partial.join(BLOCKS_FILE);
        let file = File::create_new(&path).map_err(SessionError::io("create", &path))?;
        Ok(SessionWriter {
            dir: dir.to_path_buf(),
            partial,
            file: BufWriter::with_capacity(1 << 20, file),
            meta,
            encoder: Encoder::new(),
            block: Block::default(),
            frame: Vec::new(),
            head_hash: Hash::ZERO,
            blocks: 0,
            bytes: 0,
            inputs: 0,
            by_kind: [0; 256],
            source_records: BTreeMap::new(),
            first_ts: 0,
            last_ts: 0,
            symbols: HashSet::new(),
            trade_dates: BTreeSet::new(),
            data_files: BTreeMap::new(),
            underlyings: BTreeMap::new(),
            roots: BTreeMap::new(),
            quality: BTreeMap::new(),
            notes: BTreeMap::new(),
            is_finished: false,
        })
    }

    /// Defines an instrument, known from `ts` on; returns its index.
    ///
    /// # Errors
    /// As [`SessionWriter::push`].
    pub fn define(&mut self, ts: Nanos, def: InstrumentDef) -> Result<InstrumentIx, SessionError> {
        let instrument = InstrumentIx(self.symbols.len() as u32);
        let record = Record::new(Head::at(ts, instrument), Body::Cold(0));
        self.push(record, Some(Cold::Definition(Box::new(def))))?;
        Ok(instrument)
    }

    /// Appends one input. A cold record's body index, and of a definition the instrument, are
    /// set here.
    ///
    /// # Errors
    /// Time runs backwards, the instrument is not defined yet, a symbol is defined twice, the
    /// input belongs to runs only, or the file cannot be written.
    pub fn push(&mut self, mut record: Record, cold: Option<Cold>) -> Result<(), SessionError> {
        let at = self.inputs;
        if record.ts < self.last_ts {
            return Err(SessionError::TimeOrder { record: at, previous: self.last_ts, found: record.ts });
        }
        let kind = record.kind().ok_or(SessionError::NotForSession { record: at, what: "unknown kind" })?;
        let defined = self.symbols.len() as u32;
        match (kind, &cold) {
            (Kind::Cold, Some(Cold::Imbalance(_))) if record.instrument >= defined => {
                let found = record.instrument;
                return Err(SessionError::UndefinedInstrument { record: at, found, defined });
            }
            (Kind::Cold, Some(payload)) => self.admit_cold(&mut record, payload)?,
            (Kind::Cold, None) => {
                return Err(SessionError::NotForSession { record: at, what: "cold record without payload" });
            }
            (_, Some(_)) => {
                return Err(SessionError::NotForSession { record: at, what: "payload on a plain record" });
            }
            (Kind::Seal, None) if record.has(flags::END) => {
                return Err(SessionError::NotForSession { record: at, what: "a run's end" });
            }
            (Kind::Tick | Kind::Seal | Kind::SessionPhase, None)
                if record.instrument() == InstrumentIx::NONE => {}
            (_, None) if record.instrument >= defined => {
                let found = record.instrument;
                return Err(SessionError::UndefinedInstrument { record: at, found, defined });
            }
            (_, None) => {}
        }
        if let Some(Body::SessionPhase(phase)) = record.body() {
            self.trade_dates.insert(phase.trade_date);
        }
        if self.inputs == 0 {
            self.first_ts = record.ts;
        }
        self.last_ts = record.ts;
        self.inputs += 1;
        self.by_kind[usize::from(record.kind)] += 1;
        self.block.inputs.push(record);
        self.block.cold.extend(cold);
        if self.block.inputs.len() == INPUTS_MAX { self.seal() } else { Ok(()) }
    }

    /// Appends one input as producers hand it over.
    ///
    /// # Errors
    /// As [`SessionWriter::push`].
    pub fn push_input(&mut self, input: Input) -> Result<(), SessionError> {
        self.push(input.record, input.cold)
    }

    fn admit_cold(&mut self, record: &mut Record, payload: &Cold) -> Result<(), SessionError> {
        let at = self.inputs;
        record.body = [self.block.cold.len() as u64, 0, 0, 0, 0];
        match payload {
            Cold::Start(_) => {
                return Err(SessionError::NotForSession { record: at, what: "a run's start" });
            }
            Cold::Definition(def) => {
                let defined = self.symbols.len() as u32;
                if let Some(terms) = def.option.as_ref().filter(|terms| terms.underlying.0 >= defined) {
                    let found = terms.underlying.0;
                    return Err(SessionError::UndefinedInstrument { record: at, found, defined });
                }
                if !self.symbols.insert(def.symbol.clone()) {
                    let symbol = def.symbol.clone();
                    return Err(SessionError::DuplicateSymbol { record: at, symbol });
                }
                record.instrument = defined;
                self.count_root(def, defined);
            }
            // A recorded live run keeps what was measured and commanded while it ran.
            Cold::Command(_) | Cold::JournalLag { .. } | Cold::Resumed { .. } | Cold::Imbalance(_) => {}
        }
        Ok(())
    }

    /// Notes a definition for the catalog.
    fn count_root(&mut self, def: &InstrumentDef, instrument: u32) {
        let terms = def.option.as_ref();
        let symbol = terms.map_or(&def.symbol, |terms| &terms.root).clone();
        let underlying = terms.and_then(|terms| self.underlyings.get(&terms.underlying.0).cloned());
        if terms.is_none() {
            self.underlyings.insert(instrument, def.symbol.clone());
        }
        let root =
            Root { symbol: symbol.clone(), kind: def.kind, underlying: underlying.clone(), instruments: 0 };
        self.roots.entry((symbol, def.kind as u8, underlying)).or_insert(root).instruments += 1;
    }

    /// Notes `n` records with a finding and what was done with them.
    pub fn add_finding(&mut self, finding: &str, policy: &str, n: u64) {
        let empty = FindingCount { policy: policy.to_string(), records: 0 };
        self.quality.entry(finding.to_string()).or_insert(empty).records += n;
    }

    /// Counts `n` rows of the source's record type for `data info`.
    pub fn count_source(&mut self, record_type: &str, n: u64) {
        match self.source_records.get_mut(record_type) {
            Some(count) => *count += n,
            None => {
                self.source_records.insert(record_type.to_string(), n);
            }
        }
    }

    /// Adds a trade date (yyyymmdd) that no session phase states.
    pub fn add_trade_date(&mut self, date: u32) {
        self.trade_dates.insert(date);
    }

    /// Adds a data file that strategies may read; it enters the content hash.
    ///
    /// # Errors
    /// Not a plain name, or the file cannot be written.
    pub fn add_data_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), SessionError> {
        self.add_note_file(name, bytes)?;
        self.data_files.insert(name.to_string(), Hash::of(bytes));
        Ok(())
    }

    /// Adds a file of notes for people; it does not enter the content hash.
    ///
    /// # Errors
    /// Not a plain name, or the file cannot be written.
    pub fn add_note_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), SessionError> {
        let is_plain = !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !is_plain || name == MANIFEST_FILE || name == BLOCKS_FILE {
            return Err(SessionError::FileName { name: name.to_string() });
        }
        write_synced(&self.partial.join(name), bytes)
    }

    /// Appends text to a file of notes, which begins with `header`; it does not enter the content hash.
    ///
    /// # Errors
    /// Not a plain name, or the file cannot be written.
    pub fn append_note(&mut self, name: &str, header: &str, text: &str) -> Result<(), SessionError> {
        let path = self.partial.join(name);
        if !self.notes.contains_key(name) {
            self.add_note_file(name, header.as_bytes())?;
            let file = File::options().append(true).open(&path).map_err(SessionError::io("open", &path))?;
            self.notes.insert(name.to_string(), BufWriter::new(file));
        }
        match self.notes.get_mut(name) {
            Some(file) => file.write_all(text.as_bytes()).map_err(SessionError::io("write", &path)),
            None => Ok(()),
        }
    }

    /// Inputs pushed so far.
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Instruments defined so far.
    pub fn instruments(&self) -> u32 {
        self.symbols.len() as u32
    }

    fn seal(&mut self) -> Result<(), SessionError> {
        let path = || self.partial.join(BLOCKS_FILE);
        let sealed =
            self.encoder.encode(&self.block, &Hash::ZERO, &self.head_hash, &mut self.frame).map_err(
                |source| SessionError::Block { path: path(), block: self.blocks, offset: self.bytes, source },
            )?;
        self.file.write_all(&self.frame).map_err(SessionError::io("write", &path()))?;
        self.head_hash = sealed.hash;
        self.blocks += 1;
        self.bytes += self.frame.len() as u64;
        self.block.inputs.clear();
        self.block.cold.clear();
        self.block.first_seq = self.inputs;
        Ok(())
    }

    fn manifest(&self) -> Manifest {
        let inputs_by_kind = Kind::ALL
            .iter()
            .map(|kind| (kind.name().to_string(), self.by_kind[*kind as usize]))
            .filter(|(_, count)| *count > 0)
            .collect();
        Manifest {
            format: FORMAT.to_string(),
            version: MANIFEST_VERSION,
            name: self.meta.name.clone(),
            content_hash: Manifest::content_hash_of(&self.head_hash, &self.data_files),
            head_hash: self.head_hash,
            blocks: self.blocks,
            bytes: self.bytes,
            inputs: self.inputs,
            inputs_by_kind,
            source_records: self.source_records.clone(),
            first_ts: self.first_ts,
            last_ts: self.last_ts,
            instruments: self.symbols.len() as u32,
            trade_dates: self.trade_dates.iter().copied().collect(),
            data_files: self.data_files.clone(),
            importer: self.meta.importer.clone(),
            roots: self.roots.values().cloned().collect(),
            quality: self.quality.clone(),
            source_fingerprint: self.meta.fingerprint,
        }
    }

    /// Seals the last block, syncs everything and gives the session its name.
    ///
    /// # Errors
    /// The disk refuses, or the folder holds a session of other content.
    pub fn finish(mut self) -> Result<Finished, SessionError> {
        if !self.block.inputs.is_empty() {
            self.seal()?;
        }
        let path = self.partial.join(BLOCKS_FILE);
        self.file.flush().map_err(SessionError::io("write", &path))?;
        self.file.get_ref().sync_all().map_err(SessionError::io("sync", &path))?;
        for (name, file) in &mut self.notes {
            let path = self.partial.join(name);
            file.flush().map_err(SessionError::io("write", &path))?;
            file.get_ref().sync_all().map_err(SessionError::io("sync", &path))?;
        }
        let manifest = self.manifest();
        if self.dir.exists() {
            return self.compare(&manifest);
        }
        write_synced(&self.partial.join(MANIFEST_FILE), manifest.to_json().as_bytes())?;
        sync_folder(&self.partial)?;
        fs::rename(&self.partial, &self.dir).map_err(SessionError::io("rename to", &self.dir))?;
        self.is_finished = true;
        let parent = self.dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_folder(parent.unwrap_or(Path::new(".")))?;
        Ok(Finished { manifest, unchanged: false })
    }

    /// The folder exists: fine when it already holds this content, else refused.
    fn compare(&self, manifest: &Manifest) -> Result<Finished, SessionError> {
        let path = self.dir.join(MANIFEST_FILE);
        let text = fs::read(&path).map_err(SessionError::io("read", &path))?;
        let existing = Manifest::from_json(&text, &path)?;
        if existing.content_hash == manifest.content_hash {
            return Ok(Finished { manifest: existing, unchanged: true });
        }
        let what = format!("holds a session of other content ({})", existing.content_hash);
        Err(SessionError::Exists { path: self.dir.clone(), what })
    }
}

impl Drop for SessionWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // Best effort: what stays behind is named `.partial` and never read.
            fs::remove_dir_all(&self.partial).ok();
        }
    }
}

fn partial_path(dir: &Path) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), SessionError> {
    let mut file = File::create(path).map_err(SessionError::io("create", path))?;
    file.write_all(bytes).map_err(SessionError::io("write", path))?;
    file.sync_all().map_err(SessionError::io("sync", path))
}

fn sync_folder(path: &Path) -> Result<(), SessionError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(SessionError::io("sync", path))
}
