//! A DBN file as a DBN file of version 3, record by record.

use super::decode::DbnFile;
use crate::import::ImportError;
use dbn::encode::EncodeRecordRef;
use dbn::encode::dbn::{MetadataEncoder, RecordEncoder};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Reads a file of any version (`fragment_version` is that of one without a header), plain or zstd, and writes its
/// metadata and every record as version 3, packed when `out` ends in `.zst`. A fragment stays one. Writing what was
/// written gives the same bytes. Returns the records written.
///
/// # Errors
/// The file is not DBN, damaged or truncated, or `out` exists or cannot be written; then nothing is left behind.
pub fn rewrite_dbn(path: &Path, fragment_version: Option<u8>, out: &Path) -> Result<u64, ImportError> {
    if out.exists() {
        let what = format!("{} exists: choose another name or remove it", out.display());
        return Err(ImportError::Request { what });
    }
    let mut file = DbnFile::open(path, fragment_version)?;
    let mut name = out.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    let copied = copy(&mut file, &partial, out.extension().is_some_and(|end| end == "zst"));
    let copied = copied.and_then(|records| {
        std::fs::rename(&partial, out).map_err(ImportError::io("rename to", out))?;
        Ok(records)
    });
    if copied.is_err() {
        // Best effort: what stays behind is named `.partial`.
        std::fs::remove_file(&partial).ok();
    }
    copied
}

fn copy(file: &mut DbnFile, partial: &Path, is_packed: bool) -> Result<u64, ImportError> {
    let target = File::create(partial).map_err(ImportError::io("create", partial))?;
    let mut target = BufWriter::with_capacity(1 << 16, target);
    if is_packed {
        let fail = ImportError::io("write", partial);
        let mut packed = zstd::stream::write::Encoder::new(&mut target, 0).map_err(fail)?;
        write_records(file, &mut packed)?;
        packed.finish().map_err(ImportError::io("write", partial))?;
    } else {
        write_records(file, &mut target)?;
    }
    target.flush().map_err(ImportError::io("write", partial))?;
    target.get_ref().sync_all().map_err(ImportError::io("sync", partial))?;
    Ok(file.records)
}

fn write_records(file: &mut DbnFile, mut target: &mut dyn Write) -> Result<(), ImportError> {
    if let Some(metadata) = file.metadata().cloned() {
        MetadataEncoder::new(&mut target).encode(&metadata).map_err(|error| file.error(error.to_string()))?;
    }
    let mut encoder = RecordEncoder::new(target);
    let mut failed = None;
    while let Some(record) = file.next_record()? {
        if let Err(error) = encoder.encode_record_ref(record) {
            failed = Some(error.to_string());
            break;
        }
    }
    failed.map_or(Ok(()), |what| Err(file.error(what)))
}
