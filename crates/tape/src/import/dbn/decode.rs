//! One DBN file as a stream of records: plain or zstd, any number of frames, with or without header.
//!
//! The container is recognised by its first bytes. A file that ends inside a frame or a record
//! is an error: the decoder underneath would take it for the end. So is a record shorter than its
//! type.

use crate::import::ImportError;
use dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use dbn::enums::rtype;
use dbn::{Metadata, RecordRef, VersionUpgradePolicy};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The older `.dbz` format begins with a zstd skippable frame.
const DBZ_MAGIC: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];
/// Largest metadata accepted; the largest recorded one, of a whole option market, has 6 MB.
const METADATA_BYTES_MAX: usize = 256 << 20;
/// Decompressed window that a frame may ask for, as a power of two.
const WINDOW_LOG_MAX: u32 = 27;

/// An open file.
pub(super) struct DbnFile {
    path: PathBuf,
    source: Box<dyn BufRead>,
    fsm: DbnFsm,
    metadata: Option<Metadata>,
    /// Records decoded.
    pub(super) records: u64,
}

impl DbnFile {
    /// Opens a file and reads its metadata. `version` is that of headerless fragments and of no
    /// meaning for files with a header.
    pub(super) fn open(path: &Path, version: Option<u8>) -> Result<DbnFile, ImportError> {
        let file = File::open(path).map_err(ImportError::io("open", path))?;
        let mut source: Box<dyn BufRead> = Box::new(BufReader::with_capacity(1 << 16, file));
        let magic = first_bytes(path, source.as_mut())?;
        if magic == DBZ_MAGIC {
            let what = "this is the older dbz format; convert it to DBN (`dbn -o out.dbn in.dbz`)";
            return Err(dbn_error(path, 0, what.to_string()));
        }
        if magic == ZSTD_MAGIC {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(source).map_err(ImportError::io("open", path))?;
            decoder.window_log_max(WINDOW_LOG_MAX).map_err(ImportError::io("open", path))?;
            source = Box::new(BufReader::with_capacity(1 << 17, decoder));
        }
        let has_header = first_bytes(path, source.as_mut())?.starts_with(b"DBN");
        let fsm = state_machine(path, has_header, version)?;
        let mut opened = DbnFile { path: path.to_path_buf(), source, fsm, metadata: None, records: 0 };
        if has_header {
            opened.read_metadata()?;
        }
        Ok(opened)
    }

    /// Metadata; `None` of a fragment.
    pub(super) fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    fn read_metadata(&mut self) -> Result<(), ImportError> {
        loop {
            match self.fsm.process() {
                ProcessResult::Metadata(metadata) => {
                    self.metadata = Some(metadata);
                    return Ok(());
                }
                ProcessResult::ReadMore(missing) if missing > METADATA_BYTES_MAX => {
                    let what =
                        format!("its metadata claim {missing} bytes more, {METADATA_BYTES_MAX} at most");
                    return Err(self.error(what));
                }
                ProcessResult::ReadMore(missing) => {
                    let mut bytes = vec![0; missing.max(1)];
                    self.source.read_exact(&mut bytes).map_err(|error| self.read_error(&error))?;
                    self.fsm.write_all(&bytes);
                }
                ProcessResult::Record(()) => {
                    return Err(self.error("a record before the metadata".to_string()));
                }
                ProcessResult::Err(error) => return Err(self.error(error.to_string())),
            }
        }
    }

    /// The next record; `None` at the end.
    pub(super) fn next_record(&mut self) -> Result<Option<RecordRef<'_>>, ImportError> {
        loop {
            match self.fsm.process() {
                ProcessResult::Record(()) => break,
                ProcessResult::ReadMore(_) => {
                    let read = self.source.read(self.fsm.space());
                    match read {
                        Ok(0) if self.fsm.data().is_empty() => return Ok(None),
                        Ok(0) => {
                            let left = self.fsm.data().len();
                            let what = format!(
                                "the file ends {left} bytes into the next record: it is truncated; copy it again"
                            );
                            return Err(self.error(what));
                        }
                        Ok(bytes) => self.fsm.fill(bytes),
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(self.read_error(&error)),
                    }
                }
                ProcessResult::Metadata(_) => {}
                ProcessResult::Err(error) => return Err(self.error(error.to_string())),
            }
        }
        self.records += 1;
        let Some(header) = self.fsm.last_record().map(|record| *record.header()) else { return Ok(None) };
        let (found, least) = (header.record_size(), size_of_type(header.rtype));
        if found < least {
            let rtype = header.rtype;
            let what =
                format!("a record of type {rtype:#04x} has {found} bytes, {least} at least: it is damaged");
            return Err(self.error(what));
        }
        Ok(self.fsm.last_record())
    }

    /// An error at the record last read.
    pub(super) fn error(&self, what: String) -> ImportError {
        dbn_error(&self.path, self.records, what)
    }

    fn read_error(&self, error: &std::io::Error) -> ImportError {
        self.error(match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                "the file ends inside a zstd frame or its metadata: it is truncated; copy it again"
                    .to_string()
            }
            _ => format!("it cannot be unpacked ({error}): it is damaged; copy it again"),
        })
    }
}

/// Bytes of a record type; the decoder takes shorter ones for granted. 0 of types it refuses itself.
fn size_of_type(kind: u8) -> usize {
    match kind {
        rtype::MBO => size_of::<dbn::MboMsg>(),
        rtype::MBP_0 => size_of::<dbn::TradeMsg>(),
        rtype::MBP_1 => size_of::<dbn::Mbp1Msg>(),
        rtype::MBP_10 => size_of::<dbn::Mbp10Msg>(),
        rtype::BBO_1S | rtype::BBO_1M => size_of::<dbn::BboMsg>(),
        rtype::CMBP_1 | rtype::TCBBO => size_of::<dbn::Cmbp1Msg>(),
        rtype::CBBO_1S | rtype::CBBO_1M => size_of::<dbn::CbboMsg>(),
        rtype::STATUS => size_of::<dbn::StatusMsg>(),
        rtype::INSTRUMENT_DEF => size_of::<dbn::InstrumentDefMsg>(),
        rtype::IMBALANCE => size_of::<dbn::ImbalanceMsg>(),
        rtype::STATISTICS => size_of::<dbn::StatMsg>(),
        rtype::ERROR => size_of::<dbn::ErrorMsg>(),
        rtype::SYMBOL_MAPPING => size_of::<dbn::SymbolMappingMsg>(),
        rtype::SYSTEM => size_of::<dbn::SystemMsg>(),
        // The bars, the older type without a period among them.
        0x11 | rtype::OHLCV_1S..=rtype::OHLCV_EOD => size_of::<dbn::OhlcvMsg>(),
        _ => 0,
    }
}

pub(super) fn dbn_error(path: &Path, record: u64, what: String) -> ImportError {
    ImportError::Dbn { path: path.to_path_buf(), record, what }
}

fn first_bytes(path: &Path, source: &mut dyn BufRead) -> Result<[u8; 4], ImportError> {
    let found = source.fill_buf().map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            dbn_error(path, 0, "the file ends inside its first zstd frame: it is truncated".to_string())
        }
        _ => dbn_error(path, 0, format!("it cannot be unpacked ({error}): it is damaged; copy it again")),
    })?;
    let mut magic = [0; 4];
    let length = found.len().min(4);
    magic[..length].copy_from_slice(&found[..length]);
    Ok(magic)
}

fn state_machine(path: &Path, has_header: bool, version: Option<u8>) -> Result<DbnFsm, ImportError> {
    let builder = DbnFsm::<dbn::v3::RecordHeader>::builder()
        .compat_size(dbn::MAX_RECORD_LEN)
        .upgrade_policy(VersionUpgradePolicy::UpgradeToV3);
    let fail = |error: dbn::Error| dbn_error(path, 0, error.to_string());
    if has_header {
        return builder.build().map_err(fail);
    }
    let Some(version) = version else {
        let what = "it does not begin with 'DBN' or a zstd frame of it; of a fragment without header, \
                    give the version (--dbn-version 1, 2 or 3)";
        return Err(dbn_error(path, 0, what.to_string()));
    };
    builder.skip_metadata(true).input_dbn_version(Some(version)).map_err(fail)?.build().map_err(fail)
}
