//! The bytes of a file, unpacked by what they begin with: gzip, zstd, a zip archive of one file.

use crate::import::ImportError;
use flate2::CrcReader;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use std::io::{BufReader, Error, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use zip::{CompressionMethod, ZipArchive};

/// Decompressed window that a zstd frame may ask for, as a power of two.
const WINDOW_LOG_MAX: u32 = 27;
const BUFFER_BYTES: usize = 1 << 16;

/// A stream of the unpacked bytes.
pub(super) fn unpack<'a>(
    path: &Path,
    mut source: impl Read + Seek + 'a,
) -> Result<Box<dyn Read + 'a>, ImportError> {
    let mut head = Vec::new();
    source.by_ref().take(4).read_to_end(&mut head).map_err(ImportError::io("read", path))?;
    source.rewind().map_err(ImportError::io("seek", path))?;
    Ok(match head[..] {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, source))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let mut decoder =
                zstd::stream::read::Decoder::new(source).map_err(ImportError::io("unpack", path))?;
            decoder.window_log_max(WINDOW_LOG_MAX).map_err(ImportError::io("unpack", path))?;
            Box::new(decoder)
        }
        [b'P', b'K', 3, 4] => unzip(path, source)?,
        _ => Box::new(source),
    })
}

fn unzip<'a, R: Read + Seek + 'a>(path: &Path, source: R) -> Result<Box<dyn Read + 'a>, ImportError> {
    let fail = |what: String| ImportError::Archive { path: path.to_path_buf(), what };
    let mut zip = ZipArchive::new(source).map_err(|error| fail(error.to_string()))?;
    let mut found = None;
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index).map_err(|error| fail(error.to_string()))?;
        if entry.is_dir() {
            continue;
        }
        if found.is_some() {
            let what =
                format!("{}: the archive holds several files; unpack it and name them", path.display());
            return Err(ImportError::Request { what });
        }
        let start = entry.data_start().ok_or_else(|| fail("its data have no start".to_string()))?;
        found = Some((start, entry.compressed_size(), entry.crc32(), entry.compression(), entry.encrypted()));
    }
    let Some((start, packed, crc, method, is_encrypted)) = found else {
        return Err(fail("it holds no file".to_string()));
    };
    let mut source = zip.into_inner();
    source.seek(SeekFrom::Start(start)).map_err(ImportError::io("seek", path))?;
    let packed = BufReader::with_capacity(BUFFER_BYTES, source.take(packed));
    match method {
        CompressionMethod::Stored if !is_encrypted => Ok(Box::new(Checked::new(packed, crc))),
        CompressionMethod::Deflated if !is_encrypted => {
            Ok(Box::new(Checked::new(DeflateDecoder::new(packed), crc)))
        }
        method => {
            let how = if is_encrypted { "encryption".to_string() } else { format!("compression {method:?}") };
            Err(fail(format!("its file has {how}; unpack it with its own program")))
        }
    }
}

/// A stream whose end is an error unless its checksum is the one recorded.
struct Checked<R> {
    source: CrcReader<R>,
    crc: u32,
}

impl<R: Read> Checked<R> {
    fn new(source: R, crc: u32) -> Checked<R> {
        Checked { source: CrcReader::new(source), crc }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(buffer)?;
        if read == 0 && !buffer.is_empty() && self.source.crc().sum() != self.crc {
            return Err(Error::new(ErrorKind::InvalidData, "the checksum is another"));
        }
        Ok(read)
    }
}
