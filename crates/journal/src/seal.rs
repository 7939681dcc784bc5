//! SEAL: what a finished journal's files are, byte for byte.
//!
//! The chain protects what was logged; it cannot see a change in bytes that the database does
//! not read, and a damaged database may drop its tail without a word. So closing a journal
//! writes one small file with the BLAKE3 of every other file and the totals, and reading
//! checks it *before* the database touches anything.
//!
//! The file is canonical JSON (one byte string per content) with a check over itself, so a
//! changed byte of the seal is named too.

use crate::error::JournalError;
use crate::hashes::JournalSummary;
use crate::writer::DB_FOLDER;
use onetape_tape::codec::Hash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Name of the seal's file within the journal's folder.
pub(crate) const SEAL_FILE: &str = "SEAL";
/// The seal while it is written: either whole under its own name, or no seal.
const PARTIAL_FILE: &str = "SEAL.partial";
/// The seal of a repaired journal whose run went on.
const SUPERSEDED_FILE: &str = "SEAL.superseded";
/// Version of the seal's layout.
const SEAL_VERSION: u32 = 1;

/// Length and hash of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedFile {
    /// Bytes.
    pub bytes: u64,
    /// BLAKE3 of the content.
    pub hash: Hash,
}

/// Contents of a SEAL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Version of the layout.
    pub version: u32,
    /// Hash of the last block.
    pub head: Hash,
    /// BLAKE3 over the derived lanes.
    pub derived_hash: Hash,
    /// Blocks.
    pub blocks: u64,
    /// Inputs.
    pub inputs: u64,
    /// Derived events.
    pub derived: u64,
    /// Every file of the journal by its path within the folder, `/`-separated.
    pub files: BTreeMap<String, SealedFile>,
    /// BLAKE3 of this object with `check` all zero.
    pub check: Hash,
}

/// What a look at the seal found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealState {
    /// Every file is as it was sealed.
    Intact(Box<Seal>),
    /// No seal: the journal was not closed.
    Missing,
    /// Something was changed after closing; says what.
    Broken(String),
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.display().to_string();
    move |error| JournalError::Failed { path, what, problem: error.to_string() }
}

/// Files below `dir` except the seal, by their `/`-separated path.
fn list(dir: &Path) -> Result<BTreeMap<String, PathBuf>, JournalError> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![(String::new(), dir.to_path_buf())]);
    while let Some((prefix, folder)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(failed(&folder, "listing the folder"))? {
            let entry = entry.map_err(failed(&folder, "listing the folder"))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push((format!("{name}/"), entry.path()));
            } else if name != SEAL_FILE && name != PARTIAL_FILE {
                files.insert(name, entry.path());
            }
        }
    }
    Ok(files)
}

fn hash_file(path: &Path) -> Result<SealedFile, JournalError> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(failed(path, "opening the file"))?;
    // A large buffer lets BLAKE3 work on many chunks at once.
    let mut file = std::io::BufReader::with_capacity(1 << 20, file);
    let bytes = std::io::copy(&mut file, &mut hasher).map_err(failed(path, "reading the file"))?;
    Ok(SealedFile { bytes, hash: Hash(*hasher.finalize().as_bytes()) })
}

impl Seal {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a seal has only string keys");
        bytes.push(b'\n');
        bytes
    }

    fn checked(self) -> Seal {
        let unchecked = Seal { check: Hash::ZERO, ..self };
        Seal { check: Hash::of(&unchecked.to_bytes()), ..unchecked }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Seal> {
        let seal: Seal = serde_json::from_slice(bytes).ok()?;
        let is_canonical = seal.to_bytes() == bytes && seal.clone().checked() == seal;
        is_canonical.then_some(seal)
    }
}

/// Every file below `dir` with its length and hash.
pub(crate) fn files(dir: &Path) -> Result<BTreeMap<String, SealedFile>, JournalError> {
    list(dir)?.into_iter().map(|(name, path)| Ok((name, hash_file(&path)?))).collect()
}

/// Syncs every file of a closed journal, then writes the seal.
pub(crate) fn write(dir: &Path, summary: &JournalSummary) -> Result<(), JournalError> {
    for path in list(dir)?.values() {
        let file = File::open(path).map_err(failed(path, "opening the file"))?;
        file.sync_all().map_err(failed(path, "syncing the file"))?;
    }
    let files = files(dir)?;
    let seal = Seal {
        version: SEAL_VERSION,
        head: summary.head_hash,
        derived_hash: summary.derived_hash,
        blocks: summary.blocks,
        inputs: summary.inputs,
        derived: summary.derived,
        files,
        check: Hash::ZERO,
    }
    .checked();
    assert!(Seal::from_bytes(&seal.to_bytes()).is_some(), "what is written reads back");
    let sync_folder =
        |folder: &Path| crate::folder::sync(folder).map_err(failed(folder, "syncing the folder"));
    sync_folder(&dir.join(DB_FOLDER))?;
    let (partial, path) = (dir.join(PARTIAL_FILE), dir.join(SEAL_FILE));
    let mut file = File::create(&partial).map_err(failed(&partial, "creating the seal"))?;
    file.write_all(&seal.to_bytes()).map_err(failed(&partial, "writing the seal"))?;
    file.sync_all().map_err(failed(&partial, "syncing the seal"))?;
    fs::rename(&partial, &path).map_err(failed(&path, "naming the seal"))?;
    sync_folder(dir)
}

/// Makes an intact seal one of the journal's files: the journal is open again.
pub(crate) fn supersede(dir: &Path) -> Result<(), JournalError> {
    let path = dir.join(SEAL_FILE);
    fs::rename(&path, dir.join(SUPERSEDED_FILE)).map_err(failed(&path, "setting the seal aside"))?;
    crate::folder::sync(dir).map_err(failed(dir, "syncing the folder"))
}

/// Compares a journal's files with its seal, reading bytes only.
///
/// # Errors
/// A file that cannot be read.
pub fn check_seal(dir: &Path) -> Result<SealState, JournalError> {
    let path = dir.join(SEAL_FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(SealState::Missing),
        Err(error) => return Err(failed(&path, "reading the seal")(error)),
    };
    let broken = |what: String| Ok(SealState::Broken(what));
    let Some(seal) = Seal::from_bytes(&bytes) else {
        return broken("the SEAL itself was changed".to_string());
    };
    if seal.version != SEAL_VERSION {
        return broken(format!("the SEAL has version {}, {SEAL_VERSION} expected", seal.version));
    }
    let found = list(dir)?;
    for (name, sealed) in &seal.files {
        let Some(path) = found.get(name) else {
            return broken(format!("{name} was sealed and is missing"));
        };
        let now = hash_file(path)?;
        if now.bytes != sealed.bytes {
            return broken(format!("{name} has {} bytes, {} were sealed", now.bytes, sealed.bytes));
        }
        if now.hash != sealed.hash {
            return broken(format!("{name} was changed after sealing ({} bytes)", now.bytes));
        }
    }
    match found.keys().find(|name| !seal.files.contains_key(*name)) {
        Some(name) => broken(format!("{name} was added after sealing")),
        None => Ok(SealState::Intact(Box::new(seal))),
    }
}
