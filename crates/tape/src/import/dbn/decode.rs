//! One DBN file as a stream of records: plain or zstd, any number of frames, with or without header.
//!
//! The container is recognised by its first bytes. Records are framed here, one at a time: the decoder
//! underneath takes a length byte on trust, so that a record shorter than its type, or of a length
//! that leaves the next one unaligned, would be read beyond its end. A file that ends inside a frame
//! or a record is an error; the decoder would take it for the end.

use crate::import::ImportError;
use dbn::decode::dbn::fsm::{DbnFsm, DbnFsmBuilder, ProcessResult};
use dbn::enums::rtype;
use dbn::{Metadata, RecordRef, VersionUpgradePolicy};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
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
    source: Box<dyn BufRead + Send>,
    fsm: DbnFsm,
    /// DBN version of the records in the file.
    version: u8,
    /// Whether each record carries the time it was sent.
    has_ts_out: bool,
    /// Bytes of the record last framed.
    frame: Vec<u8>,
    metadata: Option<Metadata>,
    /// Records decoded.
    pub(super) records: u64,
}

impl DbnFile {
    /// Opens a file and reads its metadata. `version` is that of headerless fragments and of no
    /// meaning for files with a header.
    pub(super) fn open(path: &Path, version: Option<u8>) -> Result<DbnFile, ImportError> {
        let file = File::open(path).map_err(ImportError::io("open", path))?;
        DbnFile::over(Box::new(file), path, version)
    }

    /// Reads metadata from any source; `path` stands for it in errors.
    pub(super) fn over(
        mut bytes: Box<dyn Read + Send>,
        path: &Path,
        version: Option<u8>,
    ) -> Result<DbnFile, ImportError> {
        // A pipe may give less at first than the container is recognised by.
        let mut head = Vec::new();
        bytes.by_ref().take(4).read_to_end(&mut head).map_err(ImportError::io("read", path))?;
        let bytes = Cursor::new(head).chain(bytes);
        let mut source: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(1 << 16, bytes));
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
        let mut opened = DbnFile {
            path: path.to_path_buf(),
            source,
            fsm: builder().build().map_err(|error| dbn_error(path, 0, error.to_string()))?,
            version: version.unwrap_or(0),
            has_ts_out: false,
            frame: Vec::with_capacity(dbn::MAX_RECORD_LEN),
            metadata: None,
            records: 0,
        };
        if has_header {
            opened.read_metadata()?;
        }
        opened.fsm = opened.record_decoder()?;
        Ok(opened)
    }

    /// A decoder of the records behind the metadata, whose length need not keep them aligned.
    fn record_decoder(&self) -> Result<DbnFsm, ImportError> {
        if self.version == 0 {
            let what = "it does not begin with 'DBN' or a zstd frame of it; of a fragment without header, \
                        give the version (--dbn-version 1, 2 or 3)";
            return Err(self.error(what.to_string()));
        }
        let fail = |error: dbn::Error| self.error(error.to_string());
        let versioned = builder().skip_metadata(true).input_dbn_version(Some(self.version)).map_err(fail)?;
        versioned.ts_out(self.has_ts_out).build().map_err(fail)
    }

    /// Metadata; `None` of a fragment.
    pub(super) fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    fn read_metadata(&mut self) -> Result<(), ImportError> {
        loop {
            match self.fsm.process() {
                ProcessResult::Metadata(metadata) => {
                    self.version = self.fsm.input_dbn_version().unwrap_or(metadata.version);
                    self.has_ts_out = metadata.ts_out;
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
        if !self.next_frame()? {
            return Ok(None);
        }
        self.fsm.write_all(&self.frame);
        match self.fsm.process() {
            ProcessResult::Record(()) => {
                self.records += 1;
                Ok(self.fsm.last_record())
            }
            ProcessResult::Err(error) => Err(self.error(error.to_string())),
            ProcessResult::ReadMore(_) | ProcessResult::Metadata(_) => {
                Err(self.error("the record is not of the length it states: it is damaged".to_string()))
            }
        }
    }

    /// Reads the next record's bytes and checks that they can hold its type; `false` at the end.
    fn next_frame(&mut self) -> Result<bool, ImportError> {
        // Length in units of 4 bytes, then the type.
        let mut start = [0; 2];
        let begun = read_up_to(self.source.as_mut(), &mut start).map_err(|error| self.read_error(&error))?;
        if begun == 0 {
            return Ok(false);
        }
        let [units, kind] = start;
        let found = usize::from(units) * 4;
        let sent = if self.has_ts_out { size_of::<u64>() } else { 0 };
        let least = size_of_type(kind, self.version).max(size_of::<dbn::RecordHeader>()) + sent;
        if begun == start.len() && (found < least || !found.is_multiple_of(8)) {
            self.records += 1;
            let what = format!(
                "a record of type {kind:#04x} has {found} bytes; of version {} it has {least} at least, in eights: it is damaged",
                self.version
            );
            return Err(self.error(what));
        }
        self.frame.clear();
        self.frame.extend_from_slice(&start);
        self.frame.resize(found.max(start.len()), 0);
        let read = read_up_to(self.source.as_mut(), &mut self.frame[2..])
            .map_err(|error| self.read_error(&error))?;
        if begun + read < self.frame.len() {
            let what = format!(
                "the file ends {} bytes into the next record: it is truncated; copy it again",
                begun + read
            );
            return Err(self.error(what));
        }
        Ok(true)
    }

    /// Whether the next record has arrived whole, so that reading it does not wait.
    pub(super) fn has_ready(&self) -> bool {
        const UNIT: usize = 4;
        let data = self.fsm.data();
        data.first().is_some_and(|length| *length > 0 && data.len() >= usize::from(*length) * UNIT)
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

/// Reads until `bytes` is full or the source ends; how much was read.
fn read_up_to(source: &mut dyn BufRead, bytes: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match source.read(&mut bytes[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Bytes of a record type in a DBN version; 0 of types that the decoder refuses itself.
fn size_of_type(kind: u8, version: u8) -> usize {
    match (kind, version) {
        (rtype::INSTRUMENT_DEF, 1) => return size_of::<dbn::v1::InstrumentDefMsg>(),
        (rtype::INSTRUMENT_DEF, 2) => return size_of::<dbn::v2::InstrumentDefMsg>(),
        (rtype::STATISTICS, 1 | 2) => return size_of::<dbn::v1::StatMsg>(),
        (rtype::ERROR, 1) => return size_of::<dbn::v1::ErrorMsg>(),
        (rtype::SYMBOL_MAPPING, 1) => return size_of::<dbn::v1::SymbolMappingMsg>(),
        (rtype::SYSTEM, 1) => return size_of::<dbn::v1::SystemMsg>(),
        _ => {}
    }
    match kind {
        rtype::MBO => size_of::<dbn::MboMsg>(),
        rtype::MBP_0 => size_of::<dbn::TradeMsg>(),
        rtype::MBP_1 | rtype::TBBO => size_of::<dbn::Mbp1Msg>(),
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

fn builder() -> DbnFsmBuilder {
    DbnFsm::<dbn::v3::RecordHeader>::builder()
        .compat_size(dbn::MAX_RECORD_LEN)
        .upgrade_policy(VersionUpgradePolicy::UpgradeToV3)
}
