//! Zip archives, read an entry at a time.

use crate::import::ImportError;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Largest uncompressed entry that is read whole.
const ENTRY_BYTES_MAX: u64 = 256 << 20;

/// One archive of CSV entries.
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

impl Archive {
    /// Opens an archive and lists its entries.
    pub(super) fn open(path: &Path) -> Result<Archive, ImportError> {
        let file = File::open(path).map_err(ImportError::io("open", path))?;
        let fail = |error: zip::result::ZipError| archive_error(path, error.to_string());
        let mut zip = ZipArchive::new(BufReader::with_capacity(1 << 16, file)).map_err(fail)?;
        let mut names = Vec::with_capacity(zip.len());
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index).map_err(fail)?;
            names.push(String::from_utf8_lossy(entry.name_raw()).into_owned());
        }
        Ok(Archive { path: path.to_path_buf(), zip, names })
    }

    /// Names of the entries in archive order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads the entry at `index` into `buffer`, replacing its contents; the checksum is verified.
    pub(super) fn read(&mut self, index: usize, buffer: &mut Vec<u8>) -> Result<(), ImportError> {
        buffer.clear();
        let fail = |what: String| archive_error(&self.path, format!("entry '{}': {what}", self.names[index]));
        let entry = self.zip.by_index(index).map_err(|error| fail(error.to_string()))?;
        let read = entry.take(ENTRY_BYTES_MAX + 1).read_to_end(buffer).map_err(|e| fail(e.to_string()))?;
        if read as u64 > ENTRY_BYTES_MAX {
            return Err(fail(format!("it unpacks to more than {ENTRY_BYTES_MAX} bytes")));
        }
        Ok(())
    }
}

fn archive_error(path: &Path, what: String) -> ImportError {
    ImportError::Archive { path: path.to_path_buf(), what }
}
