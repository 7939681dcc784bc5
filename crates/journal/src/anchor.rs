//! The anchor: the head that was made durable last, in a file of its own.
//!
//! Two slots of 64 bytes are written alternately, each with its own checksum, so that a torn write
//! leaves the other slot: `magic 8 ‖ count 8 ‖ seq 8 ‖ hash 32 ‖ check 8`, integers little-endian,
//! check = first 8 bytes of BLAKE3 over what precedes it. The valid slot with the higher count wins.

use crate::error::JournalError;
use onetape_tape::codec::Hash;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"anchor\x00\x01";
const SLOT: usize = 64;

/// A durable head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Commits so far.
    pub count: u64,
    /// Seq after the last durable block.
    pub seq: u64,
    /// Hash of the last durable block.
    pub hash: Hash,
}

impl Anchor {
    fn to_slot(self) -> [u8; SLOT] {
        let mut slot = [0; SLOT];
        slot[..8].copy_from_slice(&MAGIC);
        slot[8..16].copy_from_slice(&self.count.to_le_bytes());
        slot[16..24].copy_from_slice(&self.seq.to_le_bytes());
        slot[24..56].copy_from_slice(&self.hash.0);
        let check = blake3::hash(&slot[..56]);
        slot[56..].copy_from_slice(&check.as_bytes()[..8]);
        slot
    }

    fn from_slot(slot: &[u8]) -> Option<Anchor> {
        let slot: &[u8; SLOT] = slot.try_into().ok()?;
        let is_valid = slot[..8] == MAGIC && blake3::hash(&slot[..56]).as_bytes()[..8] == slot[56..];
        let number = |from: usize| slot[from..from + 8].try_into().map(u64::from_le_bytes).ok();
        let hash = Hash(slot[24..56].try_into().ok()?);
        is_valid.then_some(Anchor { count: number(8)?, seq: number(16)?, hash })
    }

    /// Reads the newest valid slot; `None` when neither is valid or the file is missing.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub fn read(path: &Path) -> Result<Option<Anchor>, JournalError> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(mut file) => {
                file.read_to_end(&mut bytes).map_err(|e| failed(path, "reading the anchor", &e))?
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(path, "opening the anchor", &e)),
        };
        Ok(bytes.chunks(SLOT).filter_map(Anchor::from_slot).max_by_key(|anchor| anchor.count))
    }
}

fn failed(path: &Path, what: &'static str, error: &std::io::Error) -> JournalError {
    JournalError::Failed { path: path.display().to_string(), what, problem: error.to_string() }
}

/// The anchor file of a journal being written.
#[derive(Debug)]
pub(crate) struct AnchorFile {
    file: File,
    path: PathBuf,
}

impl AnchorFile {
    /// Creates the file with two empty slots and makes its name durable.
    pub(crate) fn create(path: &Path) -> Result<AnchorFile, JournalError> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|e| failed(path, "creating the anchor", &e))?;
        file.write_all(&[0; 2 * SLOT]).map_err(|e| failed(path, "writing the anchor", &e))?;
        file.sync_all().map_err(|e| failed(path, "syncing the anchor", &e))?;
        if let Some(folder) = path.parent() {
            crate::folder::sync(folder).map_err(|e| failed(folder, "syncing the folder", &e))?;
        }
        Ok(AnchorFile { file, path: path.to_path_buf() })
    }

    /// Opens the file of a journal that goes on.
    pub(crate) fn open(path: &Path) -> Result<AnchorFile, JournalError> {
        let file = OpenOptions::new().write(true).open(path);
        let file = file.map_err(|e| failed(path, "opening the anchor", &e))?;
        Ok(AnchorFile { file, path: path.to_path_buf() })
    }

    /// Writes the slot that does not hold the newest anchor, and syncs it.
    pub(crate) fn write(&mut self, anchor: Anchor) -> Result<(), JournalError> {
        let at = (anchor.count % 2) * SLOT as u64;
        self.file.seek(SeekFrom::Start(at)).map_err(|e| failed(&self.path, "seeking in the anchor", &e))?;
        self.file.write_all(&anchor.to_slot()).map_err(|e| failed(&self.path, "writing the anchor", &e))?;
        self.file.sync_data().map_err(|e| failed(&self.path, "syncing the anchor", &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_valid_slot_wins_and_a_torn_one_leaves_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchor");
        let anchor = |count| Anchor { count, seq: count * 10, hash: Hash([count as u8; 32]) };
        assert_eq!(Anchor::read(&path).unwrap(), None);
        let mut file = AnchorFile::create(&path).unwrap();
        assert_eq!(Anchor::read(&path).unwrap(), None);
        for count in 1..=3 {
            file.write(anchor(count)).unwrap();
            assert_eq!(Anchor::read(&path).unwrap(), Some(anchor(count)));
        }
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[SLOT + 30] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Anchor::read(&path).unwrap(), Some(anchor(2)));
    }
}
