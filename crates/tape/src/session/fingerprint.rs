//! Whether an import would make what is already there.

use super::{BLOCKS_FILE, Finished, MANIFEST_FILE, Manifest};
use crate::codec::Hash;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Hash over an importer's version, its options and the bytes of its source files.
///
/// Names enter without folders, so a copy of the sources elsewhere has the same fingerprint. The
/// bytes enter whole: hashing them costs a fraction of importing them, and a file that was touched
/// without being changed is no change.
#[derive(Debug, Clone)]
pub struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    /// Begins with the importer's name and version.
    pub fn new(importer: &str, version: &str) -> Fingerprint {
        let mut fingerprint = Fingerprint(blake3::Hasher::new());
        fingerprint.text("onetape source");
        fingerprint.text(importer);
        fingerprint.text(version);
        fingerprint
    }

    fn text(&mut self, text: &str) {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    /// Adds an option that decides what is imported.
    pub fn option(&mut self, key: &str, value: &str) {
        self.text(key);
        self.text(value);
    }

    /// Adds a source file; `name` is its place within the source.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn file(&mut self, name: &str, path: &Path) -> std::io::Result<()> {
        self.text("file");
        self.text(name);
        let mut file = File::open(path)?;
        let mut content = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 17];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            content.update(&buffer[..read]);
        }
        self.0.update(content.finalize().as_bytes());
        Ok(())
    }

    /// The hash over everything added.
    pub fn finish(&self) -> Hash {
        Hash(*self.0.finalize().as_bytes())
    }
}

/// The session at `dir` when it was made from exactly these sources and options and its blocks are
/// all there; `None` when an import has work to do.
pub(crate) fn already_made(dir: &Path, fingerprint: Hash) -> Option<Finished> {
    let path = dir.join(MANIFEST_FILE);
    let manifest = Manifest::from_json(&std::fs::read(&path).ok()?, &path).ok()?;
    let blocks = std::fs::metadata(dir.join(BLOCKS_FILE)).ok()?;
    let is_same = manifest.source_fingerprint == Some(fingerprint) && blocks.len() == manifest.bytes;
    is_same.then_some(Finished { manifest, unchanged: true })
}
