//! Zip archives: whole entries for bars, streamed entries for ticks.

use crate::import::ImportError;
use flate2::CrcReader;
use flate2::bufread::DeflateDecoder;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};
use zip::{CompressionMethod, ZipArchive};

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

    /// Opens the entry at `index` as a stream of lines with its own file handle.
    pub(super) fn stream(&mut self, index: usize) -> Result<EntryLines, ImportError> {
        let name = self.names[index].clone();
        let fail = |what: String| archive_error(&self.path, format!("entry '{name}': {what}"));
        let entry = self.zip.by_index_raw(index).map_err(|error| fail(error.to_string()))?;
        if entry.compression() != CompressionMethod::Deflated {
            return Err(fail(format!("compression {:?}, deflate expected", entry.compression())));
        }
        let start = entry.data_start().ok_or_else(|| fail("its data have no start".to_string()))?;
        let (packed, crc) = (entry.compressed_size(), entry.crc32());
        drop(entry);
        let mut file = File::open(&self.path).map_err(ImportError::io("open", &self.path))?;
        file.seek(SeekFrom::Start(start)).map_err(ImportError::io("seek", &self.path))?;
        let packed = BufReader::with_capacity(1 << 16, file.take(packed));
        let source = CrcReader::new(DeflateDecoder::new(packed));
        let buffer = vec![0; BUFFER_BYTES];
        Ok(EntryLines { path: self.path.clone(), name, source, crc, buffer, start: 0, end: 0, number: 0 })
    }
}

fn archive_error(path: &Path, what: String) -> ImportError {
    ImportError::Archive { path: path.to_path_buf(), what }
}

/// Buffer of a streamed entry, and so the longest line.
const BUFFER_BYTES: usize = 1 << 16;

/// Lines of one entry; memory is two buffers whatever its length.
pub(super) struct EntryLines {
    path: PathBuf,
    /// Entry.
    pub(super) name: String,
    source: CrcReader<DeflateDecoder<BufReader<Take<File>>>>,
    crc: u32,
    buffer: Vec<u8>,
    /// Unread bytes of the buffer.
    start: usize,
    end: usize,
    /// Number of the line last read, from 1.
    pub(super) number: u64,
}

impl EntryLines {
    /// The next non-empty line; `None` at the end, after the checksum was verified.
    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>, ImportError> {
        loop {
            let (from, to) = match self.buffer[self.start..self.end].iter().position(|b| *b == b'\n') {
                Some(length) => {
                    let from = self.start;
                    self.start += length + 1;
                    (from, from + length)
                }
                None if self.fill()? => continue,
                None if self.start == self.end => return Ok(None),
                None => (std::mem::replace(&mut self.start, self.end), self.end),
            };
            self.number += 1;
            let is_cut = to > from && self.buffer[to - 1] == b'\r';
            let to = if is_cut { to - 1 } else { to };
            if to > from {
                return Ok(Some(&self.buffer[from..to]));
            }
        }
    }

    /// Reads more behind the unread bytes; false at the end of the entry.
    fn fill(&mut self) -> Result<bool, ImportError> {
        let fail = |what: String| archive_error(&self.path, format!("entry '{}': {what}", self.name));
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == self.buffer.len() {
            let line = self.number + 1;
            return Err(fail(format!("line {line} is longer than {BUFFER_BYTES} bytes")));
        }
        let read = self.source.read(&mut self.buffer[self.end..]).map_err(|e| fail(e.to_string()))?;
        self.end += read;
        if read == 0 {
            let found = self.source.crc().sum();
            if found != self.crc {
                return Err(fail(format!("checksum {found:08x}, {:08x} expected", self.crc)));
            }
        }
        Ok(read > 0)
    }
}
